# Tables, and the page on all runs. They are cheap, so they follow every change of the code that makes them (input.code).
rule table:
    input:
        metrics=metrics_of_table,
        paper="config/paper/table{number}.yaml",
        cells="config/ablation.csv",
        code=REPORTING,
    output:
        csv=report(
            "results/{scale}/tables/table{number}.csv",
            category="Tables",
            labels=table_labels("csv"),
            caption="../report/table.rst",
        ),
        markdown="results/{scale}/tables/table{number}.md",
        latex="results/{scale}/tables/table{number}.tex",
        page=report(
            "results/{scale}/report/table{number}.html",
            category="Tables",
            labels=table_labels("HTML"),
            caption="../report/table.rst",
        ),
    log:
        "results/{scale}/logs/table/{number}.log",
    benchmark:
        "results/{scale}/benchmarks/table/{number}.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        metrics=metrics_words,
        stem="results/{scale}/tables/table{number}",
    message:
        "Table {wildcards.number}"
    shell:
        "lsgm table {wildcards.number} --metrics {params.metrics} --out {params.stem} --html {output.page:q} > {log:q} 2>&1"


localrules:
    runs,


rule runs:
    input:
        metrics=reported_metrics,
        training=reported_files("training.json"),
        settings=reported_files("model.config.yaml"),
        code=REPORTING,
    output:
        page=report(
            "results/{scale}/report/runs.html",
            category="Runs",
            subcategory="Overview",
            labels={"page": "Settings and provenance of all runs"},
            caption="../report/runs.rst",
        ),
    log:
        "results/{scale}/logs/report/runs.log",
    benchmark:
        "results/{scale}/benchmarks/report/runs.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        metrics=reported_metrics_words,
        trained=trained_words,
    message:
        "Page on all runs"
    shell:
        "lsgm runs --metrics {params.metrics} --trained {params.trained} --out {output.page:q} > {log:q} 2>&1"
