# A data set's own files to one checked array file.
rule prepare:
    output:
        data="results/{scale}/data/{dataset}.safetensors",
    log:
        "results/{scale}/logs/prepare/{dataset}.log",
    benchmark:
        "results/{scale}/benchmarks/prepare/{dataset}.tsv"
    threads: needs("prepare", "threads")
    resources:
        mem_mb=needs("prepare", "mem_mb"),
        runtime=needs("prepare", "runtime"),
    params:
        settings=settings_words,
        data_root=data_root_words,
        download="--download" if config["download"] else "",
        fingerprint=fingerprint("prepare"),
    message:
        "Prepare data set {wildcards.dataset}"
    shell:
        "lsgm prepare {params.settings} {params.data_root} {params.download} --out {output.data} > {log} 2>&1"
