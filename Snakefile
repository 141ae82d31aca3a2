# From data sets to the paper's tables. `snakemake` makes all of it at the scale of config/config.yaml.
import sys
from pathlib import Path

from snakemake.utils import min_version

from lsgm.config import ConfigError
from lsgm.config.command_line import workflow_settings

min_version("9.0")


configfile: "config/config.yaml"


# What stands beside the graph in the page that `snakemake --report` makes.
report: "workflow/report/workflow.rst"


# Used with --software-deployment-method apptainer only; container.def says how it is made.
container: "lsgm.sif"


try:
    schema = Path(workflow.basedir) / "workflow" / "schemas" / "config.schema.json"
    config.update(workflow_settings(config, schema))
except ConfigError as error:
    sys.exit(f"lsgm: error: {error}")


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/locks.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/figure_inputs.smk"
include: "workflow/rules/mistakes.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/official.smk"
include: "workflow/rules/sample.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/tolerance.smk"
include: "workflow/rules/samplers.smk"
include: "workflow/rules/variance.smk"
include: "workflow/rules/cost_inputs.smk"
include: "workflow/rules/report_inputs.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/cluster.smk"
include: "workflow/rules/extra_ablation.smk"
include: "workflow/rules/cost.smk"
include: "workflow/rules/no_such_result.smk"


localrules:
    all_tables,
    all_figures,
    extra_ablation,
    all,


# The metrics files are asked for by name: a lost one is measured again, although the tables are there.
rule all_tables:
    input:
        tables=collect(
            "results/{scale}/tables/table{number}.{format}",
            scale=config["scale"],
            number=numbers_of(config["scale"]),
            format=["csv", "md", "tex"],
        ),
        metrics=metrics_of_tables,


rule all_figures:
    input:
        figures=collect(
            "results/{scale}/figures/{figure}.{format}",
            scale=config["scale"],
            figure=figures_of(config["scale"]),
            format=["png", "pdf"],
        ),
        curves=curve_figures(config["scale"]),


# Axes that the paper does not have (config/axes.yaml), in a table of their own.
rule extra_ablation:
    input:
        tables=collect(
            "results/{scale}/tables/extra_ablation.{format}",
            scale=config["scale"],
            format=["csv", "md", "tex"],
        ),
        metrics=axis_metrics,


# What is made without a target, and what the report of `snakemake --report` then shows: all that the scale makes.
rule all:
    default_target: True
    input:
        rules.all_tables.input,
        rules.extra_ablation.input if EXTRA_TABLE in tables_of(config["scale"]) else [],
        rules.all_figures.input,
        runs=f"results/{config['scale']}/report/runs.html",
