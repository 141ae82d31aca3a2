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
        **processes("sample"),
        mem_mb=needs("sample", "mem_mb"),
        runtime=needs("sample", "runtime"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("sample"),
    message:
        "Sample from {wildcards.run}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.nodes} x {resources.processes} GPU"
    shell:
        # exec: a signal must reach the sampling itself.
        "exec lsgm sample {params.settings} --model {input.model:q} --threads {threads}"
        " --processes {resources.processes} --nodes {resources.nodes} --out {output.samples:q} > {log:q} 2>&1"
