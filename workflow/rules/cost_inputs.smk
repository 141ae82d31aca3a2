# Which runs the table of the sampling cost sets side by side, their files, and the time that the measurement gets.
# The first one's first sampler is what times are multiples of. The second has the same score network, on pixels.
# A scale file may name others (its key `figures`).
COST_RUNS = ["cifar10_balanced", "cifar10_pixels"]
COST_LABELS = {"table": "Sampling cost", "shows": "latent space beside pixel space"}
# So many evaluations of the network fit into the time that the scale file gives for sampling.
EVALUATIONS_OF_SAMPLING = 500


def cost_runs(scale):
    """The runs that the scale file names, or the usual ones."""
    try:
        return list(CATALOGUE.shown("sampling_cost", scale) or COST_RUNS)
    except ConfigError as error:
        stop(error)


def of_cost_runs(make):
    """A function of the wildcards: what `make` says of each run and the scale."""

    def of_scale(wildcards):
        return [make(run, wildcards.scale) for run in cost_runs(wildcards.scale)]

    return of_scale


def model_of_run(run, scale):
    """The model of a run."""
    return f"results/{scale}/{run}/model.safetensors"


def model_word(run, scale):
    """The word RUN=FILE of its model."""
    return f"{run}={model_of_run(run, scale)}"


def data_word(run, scale):
    """The word RUN=FILE of its data."""
    return f"{run}={data_of_run(run, scale)}"


def cost_weights(wildcards):
    """Nothing; see `weights_of_run`."""
    return [file for files in of_cost_runs(weights_of_run)(wildcards) for file in files]


def cost_weights_listing(run, scale):
    """Size and time of the feature network's file of a run, as a digest."""
    return weights_listing_of_run(run, scale, f"results/{scale}/sampling_cost.json")


def cost_fingerprint(run, scale):
    """Hash of the settings that the measurement of a run depends on."""
    settings(run, scale)
    return CATALOGUE.fingerprint(run, scale, "cost")


def cost_minutes(wildcards):
    """Runtime of the measurement: for each run the time to sample with each sampler, and to evaluate once.

    A sampler with fixed steps may need more evaluations, two a step with a corrector, than the adaptive solver's time
    is meant for.
    """
    runs, minutes = cost_runs(wildcards.scale), stage_resources(wildcards.scale)
    samplers = settings(runs[0], wildcards.scale).figures.cost_samplers
    evaluations = [2 * (sampler.get("num_steps") or 0) for sampler in samplers]
    solves = sum(max(1, count // EVALUATIONS_OF_SAMPLING) for count in evaluations)
    each = solves * minutes.sample.runtime + minutes.evaluate.runtime
    return len(runs) * each
