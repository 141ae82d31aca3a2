# Stage 1: VAE backbones. Checkpoints lie in results/<scale>/<vae>/work, outside the declared outputs.
rule pretrain:
    input:
        data=data_of,
    output:
        model="results/{scale}/{vae}/model.safetensors",
        settings=report(
            "results/{scale}/{vae}/model.config.yaml",
            category="Runs",
            subcategory="Files",
            labels={"run": "{vae}", "file": "settings"},
            caption="../report/run_file.rst",
        ),
        record=report(
            "results/{scale}/{vae}/training.json",
            category="Runs",
            subcategory="Files",
            labels={"run": "{vae}", "file": "training"},
            caption="../report/run_file.rst",
        ),
        curves="results/{scale}/{vae}/curves.jsonl",
    log:
        "results/{scale}/logs/pretrain/{vae}.log",
    benchmark:
        "results/{scale}/benchmarks/pretrain/{vae}.tsv"
    wildcard_constraints:
        scale="|".join(TRAINED_SCALES),
    threads: needs("pretrain", "threads")
    resources:
        **processes("pretrain"),
        mem_mb=needs("pretrain", "mem_mb"),
        runtime=needs("pretrain", "runtime"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("pretrain"),
    message:
        "Pretrain VAE {wildcards.vae}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.nodes} x {resources.processes} GPU"
    shell:
        # exec: SIGTERM must reach the training itself, and nothing may end before it has saved.
        "exec lsgm pretrain {params.settings} --data {input.data:q} --threads {threads}"
        " ${{LSGM_TIME_BUDGET:+--minutes {resources.runtime}}}"
        " --processes {resources.processes} --nodes {resources.nodes} --out {output.model:q} > {log:q} 2>&1"
