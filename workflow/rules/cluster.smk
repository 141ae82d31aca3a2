# What is about a cluster only: which rules stay here, a check before the first job, and what a job sees.
from lsgm.cli.jobs.cluster import require_partitions


# A few seconds each: as jobs they would wait in the queue, and as groups for the slowest run of a group.
localrules:
    table,
    extra_ablation_table,
    figure3,
    figure4,
    figure_samplers,
    figure_variance,
    figure_curves,


onstart:
    profile = getattr(workflow.executor_settings, "partition_config", None)
    if profile is not None:
        try:
            require_partitions(profile)
        except ConfigError as error:
            stop(error)


# snakemake --profile slurm results/paper/doctor/train.txt: what a job of the stage `train` sees on its node.
rule doctor:
    output:
        report="results/{scale}/doctor/{stage}.txt",
    log:
        "results/{scale}/logs/doctor/{stage}.log",
    benchmark:
        "results/{scale}/benchmarks/doctor/{stage}.tsv"
    wildcard_constraints:
        stage="|".join(STAGES),
    threads: needs(None, "threads")
    resources:
        mem_mb=needs(None, "mem_mb"),
        runtime=10,
        gpu=needs(None, "gpu"),
    message:
        "What a job of the stage {wildcards.stage} sees"
    shell:
        "lsgm doctor --gpus {resources.gpu} > {log:q} 2>&1 && cp {log:q} {output.report:q}"
