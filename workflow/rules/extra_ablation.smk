# The table of the axes that the paper does not have: every run that config/axes.yaml names, with and without the change.
rule extra_ablation_table:
    input:
        metrics=axis_metrics,
        axes="config/axes.yaml",
        code=REPORTING,
    output:
        csv=report(
            "results/{scale}/tables/extra_ablation.csv",
            category="Tables",
            labels=EXTRA_LABELS | {"format": "csv"},
            caption="../report/extra_ablation.rst",
        ),
        markdown="results/{scale}/tables/extra_ablation.md",
        latex="results/{scale}/tables/extra_ablation.tex",
        page=report(
            "results/{scale}/report/extra_ablation.html",
            category="Tables",
            labels=EXTRA_LABELS | {"format": "HTML"},
            caption="../report/extra_ablation.rst",
        ),
    log:
        "results/{scale}/logs/table/extra_ablation.log",
    benchmark:
        "results/{scale}/benchmarks/table/extra_ablation.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        metrics=axis_words,
        stem="results/{scale}/tables/extra_ablation",
    message:
        "Table of extra axes"
    shell:
        "lsgm table extra --metrics {params.metrics} --out {params.stem} --html {output.page:q} > {log:q} 2>&1"
