# Which metrics files a table is made from: its runs, with each of the config's seeds.
def with_seeds(runs, scale):
    """These runs with each of the config's seeds."""
    try:
        return CATALOGUE.with_seeds(runs, config["seeds"], scale)
    except ConfigError as error:
        stop(error)


def metrics_files(runs):
    """A function of the wildcards: the metrics files of these runs, with each of the config's seeds."""

    def of_scale(wildcards):
        scale = wildcards.get("scale", config["scale"])
        return [
            f"results/{scale}/{run}/metrics.json" for run in with_seeds(runs, scale)
        ]

    return of_scale


def metrics_of_table(wildcards):
    """The metrics files that a table is made from."""
    return metrics_files(TABLE_RUNS[int(wildcards.number)])(wildcards)


def metrics_words(wildcards):
    """The words RUN=FILE of those metrics files; the rows of Table 6 are named by their cell."""
    runs = TABLE_RUNS[int(wildcards.number)]
    return [
        f"{RUNS[run].cell or run}=results/{wildcards.scale}/{seeded}/metrics.json"
        for run in runs
        for seeded in with_seeds([run], wildcards.scale)
    ]


def axis_runs():
    """The runs with and without each change of config/axes.yaml."""
    try:
        return CATALOGUE.runs_of_axes()
    except ConfigError as error:
        stop(error)


def axis_metrics(wildcards):
    """The metrics files that the table of extra axes is made from."""
    return metrics_files(axis_runs())(wildcards)


def axis_words(wildcards):
    """The words RUN=FILE of those metrics files."""
    return [
        f"{run}=results/{wildcards.scale}/{seeded}/metrics.json"
        for run in axis_runs()
        for seeded in with_seeds([run], wildcards.scale)
    ]
