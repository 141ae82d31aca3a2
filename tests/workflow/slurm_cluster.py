"""A real Slurm on this machine, and a copy of the repository that sends its jobs there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "slurm"
PROGRAMS = ("sbatch", "slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd")
LINKS = ("slurm.conf", "gres.conf", "slurmdbd.conf")
COPIED = ("Snakefile", "slurm", "config", "profiles", "src", "workflow")
FIELDS = "JobIDRaw,Comment,Partition,ReqMem,Timelimit,ReqCPUS,ReqTRES,State,ElapsedRaw,AllocNodes"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY")


def why_not() -> str | None:
    """Why no cluster can be started here, or None."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if absent:
        return f"no {absent[0]}: apt-get install slurm-wlm munge slurmdbd mariadb-server"
    if os.geteuid() != 0:
        return "a cluster is started as root only"
    remove_dead_links(Path("/etc/slurm"))
    if Path("/etc/slurm/slurm.conf").exists():
        return "this machine has a Slurm of its own (/etc/slurm/slurm.conf), which is left alone"
    return None


def remove_dead_links(folder: Path) -> None:
    """Remove what a cluster of up.sh left when its tests were killed: links to one of which no daemon runs any more.

    Args:
        folder: /etc/slurm.
    """
    link = folder / "slurm.conf"
    if not link.is_symlink():
        return
    pids = (link.resolve().parents[1] / "run").glob("*.pid")
    if not any(Path("/proc", pid.read_text().strip(), "stat").exists() for pid in pids):
        for name in LINKS:
            (folder / name).unlink(missing_ok=True)


def megabytes_of_torch() -> int:
    """Memory of a process that does nothing but import torch; builds differ."""
    code = "import torch; print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    kilobytes = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return int(kilobytes) // 1024


@dataclass(frozen=True)
class Record:
    """What Slurm's accounting says of one job. Memory in MB, of all nodes; limits as [days-]hours:minutes:seconds."""

    job: str
    rule: str
    partition: str
    memory_mb: int
    time_limit: str
    cpus: int
    gpus: int
    state: str
    elapsed_seconds: int
    nodes: int


@dataclass(frozen=True)
class Started:
    """A process and the file that receives what it prints."""

    process: subprocess.Popen[str]
    output: Path

    def wait(self) -> tuple[int, str]:
        """Exit code and output, at its end."""
        return self.process.wait(), self.output.read_text()


class Workplace:
    """A copy of the repository in a folder of its own, in which snakemake is typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Started] = []
        folder.mkdir(parents=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir() and not source.is_symlink():
                shutil.copytree(source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name, follow_symlinks=False)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {key: value for key, value in os.environ.items() if key != "LSGM_DATA"}
        self.environment |= {"PATH": path, "PYTHONPATH": str(folder / "src")}

    def add_scale(self, name: str, pretrain_epochs: int, resources: dict[str, dict[str, int]]) -> None:
        """Write a scale file: the one for tests, a GPU for the stages that want one, and what is given here."""
        scale = yaml.safe_load((ROOT / "config" / "scales" / "test.yaml").read_text())
        # A checkpoint is then one that a stop has made.
        scale["all"]["pretrain"] |= {"epochs": pretrain_epochs, "checkpoint_every": 10**6}
        for stage in ("pretrain", "train", "sample", "evaluate"):
            scale["resources"][stage]["gpu"] = 1
        for stage, changes in resources.items():
            scale["resources"][stage] |= changes
        (self.folder / "config" / "scales" / f"{name}.yaml").write_text(yaml.safe_dump(scale))

    def start(self, *words: str) -> Started:
        """Type `snakemake WORDS --profile slurm`."""
        polling = ["--slurm-init-seconds-before-status-checks", "4"]
        return self._popen("snakemake", *words, "--profile", "slurm", *polling)

    def run(self, *words: str) -> tuple[int, str]:
        """The same to its end: exit code, all that it printed."""
        return self.start(*words).wait()

    def lsgm(self, *words: str) -> Started:
        """Start `lsgm WORDS` here, without Slurm."""
        return self._popen("lsgm.cli.main", *words)

    def end(self) -> None:
        """Kill what was started here and has not ended."""
        for started in self._started:
            started.process.kill()
            started.process.wait()

    def text(self, path: str) -> str:
        """Content of a file below the copy."""
        return (self.folder / path).read_text()

    def records(self, rule: str | None = None) -> list[Record]:
        """Slurm's records of the jobs sent from here, oldest first, once all have ended."""
        for _ in range(100):
            rows = self._rows()
            if rows and all(row[7].split()[0] in ENDED for row in rows):
                break
            time.sleep(0.2)
        records = [_record(row) for row in rows]
        return [record for record in records if rule in (None, record.rule)]

    def unfinished(self) -> list[str]:
        """Numbers of the jobs sent from here that wait or run."""
        words = ["squeue", "--noheader", "--format=%i %Z"]
        shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        pairs = (line.split(maxsplit=1) for line in shown.splitlines())
        return [job for job, folder in pairs if folder == str(self.folder)]

    def _popen(self, module: str, *words: str) -> Started:
        output = self.folder.with_name(f"{self.folder.name}-{len(self._started)}.txt")
        with output.open("w") as file:
            command = [sys.executable, "-m", module, *words]
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=file, stderr=subprocess.STDOUT, text=True
            )
        self._started.append(Started(process, output))
        return self._started[-1]

    def _rows(self) -> list[list[str]]:
        # Without a start, sacct forgets what began before midnight.
        words = ["sacct", "--starttime=now-1days", "--allocations", "--parsable2", "--noheader"]
        shown = subprocess.run(
            [*words, f"--format={FIELDS},WorkDir"], capture_output=True, text=True, check=True
        ).stdout
        rows = [line.split("|") for line in shown.splitlines()]
        return [row for row in rows if row[-1] == str(self.folder)]


def _record(row: list[str]) -> Record:
    """One line of sacct; the comment is `rule_NAME_wildcards_...`."""
    job, comment, partition, memory, limit, cpus, tres, state, elapsed, nodes, _ = row
    amounts = dict(part.split("=") for part in tres.split(","))
    rule = comment.removeprefix("rule_").partition("_wildcards_")[0]
    gpus = int(amounts.get("gres/gpu", 0))
    megabytes = int(memory.removesuffix("M"))
    return Record(job, rule, partition, megabytes, limit, int(cpus), gpus, state, int(elapsed), int(nodes))


def steps_of(job: str) -> dict[str, tuple[int, str]]:
    """The steps of a job by name: number of nodes, and exit code as Slurm writes it (code:signal)."""
    words = ["sacct", f"--jobs={job}", "--parsable2", "--noheader", "--format=JobID,JobName,AllocNodes,ExitCode"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    rows = [line.split("|") for line in shown.splitlines()]
    return {name: (int(nodes), code) for step, name, nodes, code in rows if "." in step}


def wait_for_steps(place: Workplace, log: str, after: str = "") -> None:
    """Wait until the training has done some steps, those before a word in its log not counted."""
    for _ in range(1500):
        if (place.folder / log).exists():
            _, found, rest = place.text(log).partition(after) if after else ("", "all", place.text(log))
            if found and rest.count("loss_vae") > 3:
                return
        time.sleep(0.2)
    raise AssertionError("the job has not started within five minutes")
