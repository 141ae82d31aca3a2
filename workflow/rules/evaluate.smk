# NELBO and Fréchet distance: one metrics file per run, from which every table is made.
rule evaluate:
    input:
        data=data_of,
        model="results/{scale}/{run}/model.safetensors",
        samples="results/{scale}/{run}/samples.safetensors",
        weights=weights_of,
    output:
        metrics="results/{scale}/{run}/metrics.json",
    log:
        "results/{scale}/logs/evaluate/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/evaluate/{run}.tsv"
    threads: needs("evaluate", "threads")
    resources:
        mem_mb=needs("evaluate", "mem_mb"),
        runtime=needs("evaluate", "runtime"),
        gpu=needs("evaluate", "gpu"),
    params:
        settings=settings_words,
        data_root=data_root_words,
        device=config["device"],
        fingerprint=fingerprint("evaluate"),
    message:
        "Evaluate {wildcards.run}"
    shell:
        "lsgm evaluate {params.settings} {params.data_root} --data {input.data} --model {input.model}"
        " --samples {input.samples} --device {params.device} --threads {threads} --out {output.metrics} > {log} 2>&1"
