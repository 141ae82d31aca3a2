# What is about a cluster only: its partitions are checked before the first job, and a job can say what it sees.
from lsgm.cli.cluster import require_partitions


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
    params:
        data_root=data_root_words,
        device=config["device"],
    message:
        "What a job of the stage {wildcards.stage} sees"
    shell:
        "lsgm doctor {params.data_root} --device {params.device} --gpus {resources.gpu} > {log} 2>&1"
        " && cp {log} {output.report}"
