# NELBO and Fréchet distance: one metrics file per run, from which every table is made.
rule evaluate:
    input:
        data=data_of,
        model="results/{scale}/{run}/model.safetensors",
        samples="results/{scale}/{run}/samples.safetensors",
        weights=weights_of,
    output:
        metrics=report(
            "results/{scale}/{run}/metrics.json",
            category="Runs",
            subcategory="Files",
            labels={"run": "{run}", "file": "measurements"},
            caption="../report/run_file.rst",
        ),
    log:
        "results/{scale}/logs/evaluate/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/evaluate/{run}.tsv"
    threads: needs("evaluate", "threads")
    resources:
        **processes("evaluate"),
        mem_mb=needs("evaluate", "mem_mb"),
        runtime=needs("evaluate", "runtime"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("evaluate"),
        weights=weights_listing("metrics.json"),
    message:
        "Evaluate {wildcards.run}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.nodes} x {resources.processes} GPU"
    shell:
        # exec: a signal must reach the evaluation itself.
        "exec lsgm evaluate {params.settings} --data {input.data:q} --model {input.model:q}"
        " --samples {input.samples:q} --threads {threads}"
        " --processes {resources.processes} --nodes {resources.nodes} --out {output.metrics:q} > {log:q} 2>&1"
