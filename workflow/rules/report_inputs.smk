# What the report shows: which runs are in it, and the words under which tables are found.
TABLE_WORDS = {
    "2": "CIFAR-10",
    "3": "CelebA-HQ-256",
    "4": "OMNIGLOT",
    "5": "MNIST",
    "6": "ablation, CIFAR-10",
}
EXTRA_LABELS = {"table": "Table of extra axes", "shows": "not in the paper"}


def table_labels(format):
    """A function of the wildcards: the words under which the report lists a table."""

    def of_table(wildcards):
        number = wildcards.number
        return {
            "table": f"Table {number}",
            "shows": TABLE_WORDS[number],
            "format": format,
        }

    return of_table


def reported_runs(scale):
    """The runs of all tables that the scale makes, each once."""
    runs = [run for table in tables_of(scale) for run in table_runs(table, scale)]
    return list(dict.fromkeys(runs))


def reported_metrics(wildcards):
    """The metrics files of these runs."""
    return metrics_files(reported_runs(wildcards.scale), wildcards.scale)


def reported_metrics_words(wildcards):
    """The words RUN=FILE of those metrics files."""
    return [
        f"{run}=results/{wildcards.scale}/{seeded}/metrics.json"
        for run in reported_runs(wildcards.scale)
        for seeded in with_seeds([run], wildcards.scale)
    ]


def trained_only(scale):
    """VAEs that priors are trained on and that no table measures."""
    seeded = with_seeds(reported_runs(scale), scale)
    backbones = [CATALOGUE.backbone(run, config["share_backbone"]) for run in seeded]
    return [run for run in dict.fromkeys(backbones) if run and run not in seeded]


def trained_words(wildcards):
    """The words RUN=FILE of their training records."""
    return [
        f"{run}=results/{wildcards.scale}/{run}/training.json"
        for run in trained_only(wildcards.scale)
    ]


def reported_files(name):
    """A function of the wildcards: this file of every run that is trained."""

    def of_scale(wildcards):
        scale = wildcards.scale
        runs = [*with_seeds(reported_runs(scale), scale), *trained_only(scale)]
        return [f"results/{scale}/{run}/{name}" for run in runs]

    return of_scale
