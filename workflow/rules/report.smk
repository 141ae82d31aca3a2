# Tables and figures. They are cheap, so they follow every change of the code that makes them (input.code).
rule table:
    input:
        metrics=metrics_of_table,
        paper="config/paper/table{number}.yaml",
        cells="config/ablation.csv",
        code=REPORTING,
    output:
        csv="results/{scale}/tables/table{number}.csv",
        markdown="results/{scale}/tables/table{number}.md",
        latex="results/{scale}/tables/table{number}.tex",
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
        "lsgm table {wildcards.number} --metrics {params.metrics} --out {params.stem} > {log} 2>&1"


rule figure5:
    input:
        data=figure_files("data"),
        samples=figure_files("samples"),
        backbone=figure_files("backbone"),
        code=REPORTING,
    output:
        png="results/{scale}/figures/figure5.png",
        pdf="results/{scale}/figures/figure5.pdf",
    log:
        "results/{scale}/logs/figure/5.log",
    benchmark:
        "results/{scale}/benchmarks/figure/5.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        data=figure_words("data"),
        samples=figure_words("samples"),
        backbone=figure_words("backbone"),
        stem="results/{scale}/figures/figure5",
    message:
        "Figure 5"
    shell:
        "lsgm figure 5 --data {params.data} --samples {params.samples} --backbone-samples {params.backbone}"
        " --out {params.stem} > {log} 2>&1"
