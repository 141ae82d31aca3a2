# The samplers side by side: error and Fréchet distance against evaluations of the network.
rule samplers:
    input:
        data=data_of,
        model="results/{scale}/{run}/model.safetensors",
        weights=weights_of,
    output:
        measurement="results/{scale}/{run}/samplers.json",
    log:
        "results/{scale}/logs/samplers/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/samplers/{run}.tsv"
    threads: needs("sample", "threads")
    resources:
        mem_mb=needs("evaluate", "mem_mb"),
        runtime=samplers_minutes,
        gpu=one_gpu("sample"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("samplers"),
        weights=weights_listing("samplers.json"),
    message:
        "Compare the samplers on {wildcards.run}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.gpu} GPU"
    shell:
        "lsgm samplers {params.settings} --data {input.data:q} --model {input.model:q}"
        " --threads {threads} --out {output.measurement:q} > {log:q} 2>&1"
