# Whose Snakemake's locks are: those of a killed snakemake are removed, and of a living one a line says so.
from lsgm.cli.jobs.workflow_job import PROCESS
from lsgm.cli.jobs.workflow_lock import enter


def note(line):
    """Tell the user, beside what Snakemake prints."""
    print(f"lsgm: {line}", file=sys.stderr)


# Jobs end when this process does.
os.environ[PROCESS] = str(os.getpid())

# Not for a snakemake that a job is run by, on a node of a cluster.
if workflow.exec_mode == workflow.exec_mode.DEFAULT:
    enter(Path(".snakemake"), note)
