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
        fingerprint=fingerprint("prepare"),
        listing=listing,
    message:
        "Prepare data set {wildcards.dataset}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min"
    shell:
        "lsgm prepare {params.settings} --out {output.data:q} > {log:q} 2>&1"
