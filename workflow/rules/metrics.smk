# Which tables a scale makes, and from which metrics files: those of its runs, with each of the config's seeds.
def tables_of(scale):
    """The tables that a scale makes: numbers, and the one of the extra axes."""
    try:
        return CATALOGUE.scope(scale).made
    except ConfigError as error:
        stop(error)


def numbers_of(scale):
    """Those of the paper."""
    return [table for table in tables_of(scale) if table in TABLES]


def table_runs(table, scale):
    """The runs of one table, as far as the scale makes them."""
    try:
        return CATALOGUE.runs_of_table(table, scale)
    except ConfigError as error:
        stop(error)


def tabled_runs(scale):
    """The runs of all of the paper's tables that the scale makes."""
    return [run for table in numbers_of(scale) for run in table_runs(table, scale)]


def with_seeds(runs, scale):
    """These runs with each of the config's seeds."""
    try:
        return CATALOGUE.with_seeds(runs, config["seeds"], scale)
    except ConfigError as error:
        stop(error)


def metrics_files(runs, scale):
    """The metrics files of these runs, with each of the config's seeds."""
    return [f"results/{scale}/{run}/metrics.json" for run in with_seeds(runs, scale)]


def metrics_of_tables(wildcards):
    """The metrics files of all of the paper's tables at the config's scale."""
    return metrics_files(tabled_runs(config["scale"]), config["scale"])


def metrics_of_table(wildcards):
    """The metrics files that a table is made from."""
    runs = table_runs(int(wildcards.number), wildcards.scale)
    return metrics_files(runs, wildcards.scale)


def metrics_words(wildcards):
    """The words RUN=FILE of those metrics files; the rows of Table 6 are named by their cell."""
    runs = table_runs(int(wildcards.number), wildcards.scale)
    return [
        f"{RUNS[run].cell or run}=results/{wildcards.scale}/{seeded}/metrics.json"
        for run in runs
        for seeded in with_seeds([run], wildcards.scale)
    ]


def axis_metrics(wildcards):
    """The metrics files that the table of extra axes is made from."""
    scale = wildcards.get("scale", config["scale"])
    return metrics_files(table_runs(EXTRA_TABLE, scale), scale)


def axis_words(wildcards):
    """The words RUN=FILE of those metrics files."""
    return [
        f"{run}=results/{wildcards.scale}/{seeded}/metrics.json"
        for run in table_runs(EXTRA_TABLE, wildcards.scale)
        for seeded in with_seeds([run], wildcards.scale)
    ]
