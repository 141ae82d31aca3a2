# Scale `official`: the authors' published checkpoints in place of training; all else is as at the paper's scale.
rule import_official:
    input:
        checkpoint=official_checkpoint,
    output:
        model="results/official/{run}/model.safetensors",
        settings=report(
            "results/official/{run}/model.config.yaml",
            category="Runs",
            subcategory="Files",
            labels={"run": "{run}", "file": "settings"},
            caption="../report/run_file.rst",
        ),
        record=report(
            "results/official/{run}/training.json",
            category="Runs",
            subcategory="Files",
            labels={"run": "{run}", "file": "training"},
            caption="../report/run_file.rst",
        ),
    log:
        "results/official/logs/import/{run}.log",
    benchmark:
        "results/official/benchmarks/import/{run}.tsv"
    wildcard_constraints:
        run="|".join(name for name in RUNS if name not in CELLS),
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        experiment=lambda wildcards: RUNS[wildcards.run].file.relative_to(
            workflow.basedir
        ),
        ema="--ema" if config["official_ema"] else "",
    message:
        "Import the authors' checkpoint of {wildcards.run}"
    shell:
        "lsgm import-official {input.checkpoint:q} --expect {params.experiment:q} {params.ema} --out {output.model:q}"
        " > {log:q} 2>&1"
