# Figures. They are cheap, so they follow every change of the code that makes them (input.code).
rule figure3:
    input:
        code=REPORTING + DIFFUSION,
    output:
        png=report(
            "results/{scale}/figures/figure3.png",
            category="Figures",
            labels={"figure": "Figure 3", "shows": "densities of the times t"},
            caption="../report/figure3.rst",
        ),
        pdf="results/{scale}/figures/figure3.pdf",
    log:
        "results/{scale}/logs/figure/3.log",
    benchmark:
        "results/{scale}/benchmarks/figure/3.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        stem="results/{scale}/figures/figure3",
    message:
        "Figure 3"
    shell:
        "lsgm figure 3 --out {params.stem} > {log:q} 2>&1"


rule figure4:
    input:
        tolerance=tolerance_files,
        code=REPORTING,
    output:
        png=report(
            "results/{scale}/figures/figure4.png",
            category="Figures",
            labels={"figure": "Figure 4", "shows": "tolerance of the sampling ODE"},
            caption="../report/figure4.rst",
        ),
        pdf="results/{scale}/figures/figure4.pdf",
    log:
        "results/{scale}/logs/figure/4.log",
    benchmark:
        "results/{scale}/benchmarks/figure/4.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        stem="results/{scale}/figures/figure4",
    message:
        "Figure 4"
    shell:
        "lsgm figure 4 --tolerance {input.tolerance:q} --out {params.stem} > {log:q} 2>&1"


rule figure5:
    input:
        data=figure_files("data"),
        samples=figure_files("samples"),
        backbone=figure_files("backbone"),
        code=REPORTING,
    output:
        png=report(
            "results/{scale}/figures/figure5.png",
            category="Figures",
            labels={"figure": "Figure 5", "shows": "samples"},
            caption="../report/figure5.rst",
        ),
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
        " --out {params.stem} > {log:q} 2>&1"


rule figure_samplers:
    input:
        samplers=sampler_files,
        code=REPORTING,
    output:
        png=report(
            "results/{scale}/figures/samplers.png",
            category="Figures",
            labels={"figure": "Samplers", "shows": "error against evaluations"},
            caption="../report/samplers.rst",
        ),
        pdf="results/{scale}/figures/samplers.pdf",
    log:
        "results/{scale}/logs/figure/samplers.log",
    benchmark:
        "results/{scale}/benchmarks/figure/samplers.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        stem="results/{scale}/figures/samplers",
    message:
        "Figure of the samplers"
    shell:
        "lsgm figure samplers --samplers {input.samplers:q} --out {params.stem} > {log:q} 2>&1"


rule figure_variance:
    input:
        variance=variance_files,
        code=REPORTING,
    output:
        png=report(
            "results/{scale}/figures/variance.png",
            category="Figures",
            labels={"figure": "Variance", "shows": "noise of the training objective"},
            caption="../report/variance.rst",
        ),
        pdf="results/{scale}/figures/variance.pdf",
    log:
        "results/{scale}/logs/figure/variance.log",
    benchmark:
        "results/{scale}/benchmarks/figure/variance.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        stem="results/{scale}/figures/variance",
    message:
        "Figure of the objective's variance"
    shell:
        "lsgm figure variance --variance {input.variance:q} --out {params.stem} > {log:q} 2>&1"


rule figure_curves:
    input:
        curves="results/{scale}/{run}/curves.jsonl",
        code=REPORTING,
    output:
        png=report(
            "results/{scale}/figures/curves/{run}.png",
            category="Training curves",
            labels={"run": "{run}"},
            caption="../report/curves.rst",
        ),
        pdf="results/{scale}/figures/curves/{run}.pdf",
    log:
        "results/{scale}/logs/figure/curves/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/figure/curves/{run}.tsv"
    threads: needs("report", "threads")
    resources:
        mem_mb=needs("report", "mem_mb"),
        runtime=needs("report", "runtime"),
    params:
        settings=settings_words,
        stem="results/{scale}/figures/curves/{run}",
    message:
        "Training curves of {wildcards.run}"
    shell:
        "lsgm figure curves {params.settings} --curves {input.curves:q} --out {params.stem} > {log:q} 2>&1"
