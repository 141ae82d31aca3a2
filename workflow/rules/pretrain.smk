# Stage 1: VAE backbones. Checkpoints lie in results/<scale>/<vae>/work, outside the declared outputs.
rule pretrain:
    input:
        data=data_of,
    output:
        model="results/{scale}/{vae}/model.safetensors",
        settings="results/{scale}/{vae}/model.config.yaml",
        record="results/{scale}/{vae}/training.json",
        curves="results/{scale}/{vae}/curves.jsonl",
    log:
        "results/{scale}/logs/pretrain/{vae}.log",
    benchmark:
        "results/{scale}/benchmarks/pretrain/{vae}.tsv"
    wildcard_constraints:
        scale="|".join(TRAINED_SCALES),
    threads: needs("pretrain", "threads")
    resources:
        mem_mb=needs("pretrain", "mem_mb"),
        runtime=needs("pretrain", "runtime"),
        gpu=needs("pretrain", "gpu"),
    params:
        settings=settings_words,
        fingerprint=fingerprint("pretrain"),
    message:
        "Pretrain VAE {wildcards.vae}: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.gpu} GPU"
    shell:
        # exec: SIGTERM must reach the training itself, and nothing may end before it has saved.
        "exec lsgm pretrain {params.settings} --data {input.data} --threads {threads}"
        " --processes {resources.gpu} --out {output.model} > {log} 2>&1"
