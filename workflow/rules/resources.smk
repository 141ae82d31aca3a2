# What the jobs of each stage ask the machine for: threads, memory, minutes, GPUs; from the section `resources` of the
# scale file.
from functools import lru_cache

from lsgm.config.plan import read_resources


@lru_cache(maxsize=None)
def stage_resources(scale):
    """Resources of all stages at one scale."""
    try:
        return read_resources(CONFIG / "scales" / f"{scale}.yaml")
    except ConfigError as error:
        stop(error)


def resources_of(stage, wildcards, attempt):
    """What a job of a stage asks for; a VAE without weights has nothing to pretrain, and its job is that of `prepare`."""
    if stage == "pretrain" and "vae" in wildcards.keys():
        has_weights = settings(wildcards.vae, wildcards.scale).vae.has_weights
        stage = "pretrain" if has_weights else "prepare"
    return stage_resources(wildcards.scale).of(stage, attempt)


def needs(stage, key):
    """A function of the wildcards: threads, mem_mb, runtime or gpu of a stage, from the scale file; more on a retry.

    Stage None is the one that the wildcard `stage` names.
    """

    def of_job(wildcards, attempt):
        return getattr(resources_of(stage or wildcards.stage, wildcards, attempt), key)

    return of_job


def one_gpu(stage):
    """A function of the wildcards: one GPU if the stage has any, for what works in one process."""

    def of_job(wildcards):
        return min(1, stage_resources(wildcards.scale).of(stage, 1).gpu)

    return of_job


def processes(stage):
    """The resources `processes` (on a node) and `nodes` of a stage, and what asks Slurm for its GPUs.

    On one node that is `gpu`. On several it would be the sum, which Slurm deals out unevenly, so each node is asked
    for its own (`gres`). There, `mpi` says that the job starts one task per node itself; else it would be given one.

    On one node there are no more processes than GPUs (`gpu` in profiles/default, or --resources), which Snakemake deals
    out: one key says how many a workstation has.
    """
    limit = workflow.global_resources.get("gpu")

    def on_one_node(gpu):
        return gpu if limit is None or limit.value is None else min(gpu, limit.value)

    asked = {
        "processes": lambda needed: (
            on_one_node(needed.gpu) if needed.nodes == 1 else needed.gpu
        ),
        "nodes": lambda needed: needed.nodes,
        "gpu": lambda needed: needed.gpu if needed.nodes == 1 else None,
        "gres": lambda needed: f"gpu:{needed.gpu}" if needed.nodes > 1 else None,
        "mpi": lambda needed: "srun" if needed.nodes > 1 else None,
        "tasks": lambda needed: needed.nodes if needed.nodes > 1 else None,
        "tasks_per_gpu": lambda needed: 0 if needed.nodes > 1 else None,
    }

    def of_stage(ask):
        return lambda wildcards, attempt: ask(resources_of(stage, wildcards, attempt))

    return {key: of_stage(ask) for key, ask in asked.items()}


def sweep_minutes(wildcards):
    """Runtime of a sweep over tolerances: as long as it takes to sample at each, and to evaluate once."""
    tolerances = settings(wildcards.run, wildcards.scale).figures.tolerances
    minutes = stage_resources(wildcards.scale)
    return len(tolerances) * minutes.sample.runtime + minutes.evaluate.runtime


def samplers_minutes(wildcards):
    """Runtime of the comparison of samplers: a sweep, a tight solve, and few evaluations for twice as many points."""
    minutes = stage_resources(wildcards.scale)
    return (
        sweep_minutes(wildcards) + 2 * minutes.sample.runtime + minutes.evaluate.runtime
    )
