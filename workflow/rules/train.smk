# Stage 2: the score-based prior, jointly with the VAE. Checkpoints lie outside the declared outputs.
rule train:
    input:
        data=data_of,
        backbone=backbone_of,
    output:
        model="results/{scale}/{prior}/model.safetensors",
        settings=report(
            "results/{scale}/{prior}/model.config.yaml",
            category="Runs",
            subcategory="Files",
            labels={"run": "{prior}", "file": "settings"},
            caption="../report/run_file.rst",
        ),
        record=report(
            "results/{scale}/{prior}/training.json",
            category="Runs",
            subcategory="Files",
            labels={"run": "{prior}", "file": "training"},
            caption="../report/run_file.rst",
        ),
        curves="results/{scale}/{prior}/curves.jsonl",
    log:
        "results/{scale}/logs/train/{prior}.log",
    benchmark:
        "results/{scale}/benchmarks/train/{prior}.tsv"
    wildcard_constraints:
        scale="|".join(TRAINED_SCALES),
    threads: needs("train", "threads")
    resources:
        **processes("train"),
        mem_mb=needs("train", "mem_mb"),
        runtime=needs("train", "runtime"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("train"),
    message:
        "Train {wildcards.prior}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.nodes} x {resources.processes} GPU"
    shell:
        # exec: SIGTERM must reach the training itself, and nothing may end before it has saved.
        "exec lsgm train {params.settings} --data {input.data:q} --backbone {input.backbone:q}"
        " --threads {threads} ${{LSGM_TIME_BUDGET:+--minutes {resources.runtime}}}"
        " --processes {resources.processes} --nodes {resources.nodes} --out {output.model:q} > {log:q} 2>&1"
