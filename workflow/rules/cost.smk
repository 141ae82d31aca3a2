# What drawing images takes, an LSGM beside a score model of the pixels: the speed-up of Figure 4.
rule cost:
    input:
        data=of_cost_runs(data_of_run),
        model=of_cost_runs(model_of_run),
        weights=cost_weights,
    output:
        measurement="results/{scale}/sampling_cost.json",
    log:
        "results/{scale}/logs/cost.log",
    benchmark:
        "results/{scale}/benchmarks/cost.tsv"
    wildcard_constraints:
        scale="|".join(TRAINED_SCALES),
    threads: needs("sample", "threads")
    resources:
        mem_mb=needs("evaluate", "mem_mb"),
        runtime=cost_minutes,
        gpu=one_gpu("sample"),
    params:
        models=of_cost_runs(model_word),
        data=of_cost_runs(data_word),
        fingerprints=of_cost_runs(cost_fingerprint),
        weights=of_cost_runs(cost_weights_listing),
    message:
        "Compare the cost of sampling: {threads} threads, {resources.mem_mb} MB, {resources.runtime} min, {resources.gpu} GPU"
    shell:
        "lsgm cost --scale config/scales/{wildcards.scale}.yaml --models {params.models} --data {params.data}"
        " --threads {threads} --out {output.measurement:q} > {log:q} 2>&1"


rule sampling_cost_table:
    input:
        measurement="results/{scale}/sampling_cost.json",
        paper="config/paper/sampling_cost.yaml",
        code=REPORTING,
    output:
        csv=report(
            "results/{scale}/tables/sampling_cost.csv",
            category="Tables",
            labels=COST_LABELS | {"format": "csv"},
            caption="../report/sampling_cost.rst",
        ),
        markdown="results/{scale}/tables/sampling_cost.md",
        latex="results/{scale}/tables/sampling_cost.tex",
        page=report(
            "results/{scale}/report/sampling_cost.html",
            category="Tables",
            labels=COST_LABELS | {"format": "HTML"},
            caption="../report/sampling_cost.rst",
        ),
    log:
        "results/{scale}/logs/table/sampling_cost.log",
    benchmark:
        "results/{scale}/benchmarks/table/sampling_cost.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        stem="results/{scale}/tables/sampling_cost",
    message:
        "Table of the sampling cost"
    shell:
        "lsgm table cost --cost {input.measurement:q} --out {params.stem} --html {output.page:q} > {log:q} 2>&1"


localrules:
    sampling_cost_table,
    sampling_cost,


# Not a part of `all`: it needs a model that no table of the paper has.
rule sampling_cost:
    input:
        tables=collect(
            "results/{scale}/tables/sampling_cost.{format}",
            scale=config["scale"],
            format=["csv", "md", "tex"],
        ),
