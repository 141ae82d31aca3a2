# What a looser tolerance of the sampling ODE saves and costs: Figure 4.
rule tolerance:
    input:
        data=data_of,
        model="results/{scale}/{run}/model.safetensors",
        weights=weights_of,
    output:
        measurement="results/{scale}/{run}/tolerance.json",
    log:
        "results/{scale}/logs/tolerance/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/tolerance/{run}.tsv"
    threads: needs("sample", "threads")
    resources:
        mem_mb=needs("evaluate", "mem_mb"),
        runtime=sweep_minutes,
        gpu=one_gpu("sample"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("tolerance"),
        weights=weights_listing("tolerance.json"),
    message:
        "Sweep the tolerance of {wildcards.run}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.gpu} GPU"
    shell:
        "lsgm tolerance {params.settings} --data {input.data:q} --model {input.model:q}"
        " --threads {threads} --out {output.measurement:q} > {log:q} 2>&1"
