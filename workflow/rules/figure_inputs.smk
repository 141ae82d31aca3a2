# Which runs stand in which figure, and the files that each figure is made from.
# Figure 4 of the paper is on CelebA-HQ; the demo has no time for it.
FIGURE4_RUNS = ["celebahq256", "cifar10_best_fid"]
DEMO_FIGURE4_RUNS = ["cifar10_best_fid"]
FIGURE5_RUNS = ["mnist", "omniglot", "cifar10_best_fid", "celebahq256"]
# One run for each of the paper's two forward processes.
VARIANCE_RUNS = ["cifar10_best_fid", "cifar10_best_nll"]
SAMPLER_RUNS = VARIANCE_RUNS


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
    for run in FIGURE5_RUNS:
        key = dataset_key(settings(run, scale).data)
        yield run, {
            "data": f"results/{scale}/data/{key}.safetensors",
            "samples": f"results/{scale}/{run}/samples.safetensors",
            "backbone": f"results/{scale}/{RUNS[run].backbone}/samples.safetensors",
        }[kind]


def tolerance_files(wildcards):
    """The measurements that Figure 4 is made from."""
    runs = DEMO_FIGURE4_RUNS if wildcards.scale == "demo" else FIGURE4_RUNS
    return [f"results/{wildcards.scale}/{run}/tolerance.json" for run in runs]


def sampler_files(wildcards):
    """The measurements that the figure of the samplers is made from."""
    return [f"results/{wildcards.scale}/{run}/samplers.json" for run in SAMPLER_RUNS]


def variance_files(wildcards):
    """The measurements that the figure on the objective's variance is made from."""
    return [f"results/{wildcards.scale}/{run}/variance.json" for run in VARIANCE_RUNS]


def curve_figures(scale):
    """Training curves of the runs in Tables 2 to 5; the authors' checkpoints come without any."""
    runs = [] if scale == OFFICIAL else [run for run in TABLED_RUNS if run not in CELLS]
    return [
        f"results/{scale}/figures/curves/{run}.{suffix}"
        for run in runs
        for suffix in ["png", "pdf"]
    ]
