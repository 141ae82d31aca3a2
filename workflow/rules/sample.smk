# Images from a trained model, VAE or LSGM.
rule sample:
    input:
        model="results/{scale}/{run}/model.safetensors",
    output:
        samples="results/{scale}/{run}/samples.safetensors",
    log:
        "results/{scale}/logs/sample/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/sample/{run}.tsv"
    threads: needs("sample", "threads")
    resources:
        mem_mb=needs("sample", "mem_mb"),
        runtime=needs("sample", "runtime"),
        gpu=needs("sample", "gpu"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("sample"),
    message:
        "Sample from {wildcards.run}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.gpu} GPU"
    shell:
        "lsgm sample {params.settings} --model {input.model} --threads {threads}"
        " --processes {resources.gpu} --out {output.samples} > {log} 2>&1"
