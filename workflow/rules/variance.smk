# How noisy the training objective is under each distribution of times.
rule variance:
    input:
        data=data_of,
        model="results/{scale}/{run}/model.safetensors",
    output:
        measurement="results/{scale}/{run}/variance.json",
    log:
        "results/{scale}/logs/variance/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/variance/{run}.tsv"
    threads: needs("evaluate", "threads")
    resources:
        mem_mb=needs("evaluate", "mem_mb"),
        runtime=needs("evaluate", "runtime"),
        gpu=one_gpu("evaluate"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("variance"),
    message:
        "Measure the objective's variance of {wildcards.run}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.gpu} GPU"
    shell:
        "lsgm variance {params.settings} --data {input.data:q} --model {input.model:q}"
        " --threads {threads} --out {output.measurement:q} > {log:q} 2>&1"
