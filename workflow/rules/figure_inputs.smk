# Which runs stand in which figure, and the files that each figure is made from.
# A scale file may name others (its key `figures`).
FIGURE_RUNS = {
    "figure4": ["celebahq256", "cifar10_best_fid"],
    "figure5": ["mnist", "omniglot", "cifar10_best_fid", "celebahq256"],
    # One run for each of the paper's two forward processes.
    "samplers": ["cifar10_best_fid", "cifar10_best_nll"],
    "variance": ["cifar10_best_fid", "cifar10_best_nll"],
}


def shown_runs(figure, scale):
    """The runs of a figure: the scale's, or all but those that stand only in tables which the scale leaves out."""
    try:
        named, left_out = CATALOGUE.shown(figure, scale), CATALOGUE.left_out(scale)
    except ConfigError as error:
        stop(error)
    if named is not None:
        return list(named)
    return [run for run in FIGURE_RUNS[figure] if run not in left_out]


def figures_of(scale):
    """The figures of which the scale makes any run; Figure 3 needs none."""
    return ["figure3", *(name for name in FIGURE_RUNS if shown_runs(name, scale))]


def figure_runs(figure, scale):
    """The runs of a figure that was asked for."""
    runs = shown_runs(figure, scale)
    if not runs:
        stop(
            f"scale {scale} makes no run of {figure}; there are: {', '.join(figures_of(scale))}"
        )
    return runs


def figure_files(kind):
    """A function of the wildcards: files of Figure 5, `data`, `samples` or `backbone` of each run."""

    def of_scale(wildcards):
        return [path for _, path in figure_pairs(kind, wildcards.scale)]

    return of_scale


def figure_words(kind):
    """A function of the wildcards: the words RUN=FILE of those files."""

    def of_scale(wildcards):
        return [f"{run}={path}" for run, path in figure_pairs(kind, wildcards.scale)]

    return of_scale


def figure_pairs(kind, scale):
    """Run and file of each panel of Figure 5."""
    for run in figure_runs("figure5", scale):
        key = dataset_key(settings(run, scale).data)
        yield run, {
            "data": f"results/{scale}/data/{key}.safetensors",
            "samples": f"results/{scale}/{run}/samples.safetensors",
            "backbone": f"results/{scale}/{RUNS[run].backbone}/samples.safetensors",
        }[kind]


def tolerance_files(wildcards):
    """The measurements that Figure 4 is made from."""
    scale = wildcards.scale
    return [
        f"results/{scale}/{run}/tolerance.json" for run in figure_runs("figure4", scale)
    ]


def sampler_files(wildcards):
    """The measurements that the figure of the samplers is made from."""
    scale = wildcards.scale
    return [
        f"results/{scale}/{run}/samplers.json" for run in figure_runs("samplers", scale)
    ]


def variance_files(wildcards):
    """The measurements that the figure on the objective's variance is made from."""
    scale = wildcards.scale
    return [
        f"results/{scale}/{run}/variance.json" for run in figure_runs("variance", scale)
    ]


def curve_figures(scale):
    """Training curves of the runs in Tables 2 to 5; the authors' checkpoints come without any."""
    tabled = [] if scale == OFFICIAL else tabled_runs(scale)
    runs = [run for run in tabled if run not in CELLS]
    return [
        f"results/{scale}/figures/curves/{run}.{suffix}"
        for run in runs
        for suffix in ["png", "pdf"]
    ]
