# What the rules share: which runs there are, their resolved settings, and the words that name them on a command line.
import os
import re
import sys
from functools import lru_cache
from pathlib import Path

from snakemake.io import IOFile

from lsgm import data_files
from lsgm.config import ConfigError
from lsgm.config.catalogue import OFFICIAL, Catalogue
from lsgm.config.load import yaml_files
from lsgm.config.plan import STAGES, dataset_key
from lsgm.config.run_names import RunName
from lsgm.config.scope import EXTRA_TABLE, TABLES

CONFIG = Path(workflow.basedir) / "config"
REPORTING = sorted(str(file) for file in Path("src/lsgm/reporting").rglob("*.py"))
DIFFUSION = ["src/lsgm/sde.py", "src/lsgm/time_sampling.py"]

# What is about the machine and not about the result reaches `lsgm` through its environment variables: in a rule's
# `params`, another data root or device would redo everything.
os.environ.update(
    LSGM_DEVICE=config["device"],
    LSGM_DOWNLOAD="yes" if config["download"] else "no",
    LSGM_AGAIN="yes" if config["again"] else "",
    LSGM_TIME_BUDGET="yes" if config["time_budget"] else "",
    **({"LSGM_DATA": str(config["data_root"])} if config["data_root"] else {}),
)


def stop(error):
    """End with the one line that says what is wrong, instead of a traceback."""
    sys.exit(f"lsgm: error: {error}")


try:
    CATALOGUE = Catalogue(CONFIG)
except ConfigError as error:
    stop(error)

RUNS = CATALOGUE.runs
VAES = [name for name, run in RUNS.items() if run.backbone is None]
PRIORS = [name for name, run in RUNS.items() if run.backbone is not None]
CELLS = [name for name, run in RUNS.items() if run.cell is not None]


SCALES = [path.stem for path in yaml_files(CONFIG / "scales")]
TRAINED_SCALES = [scale for scale in SCALES if scale != OFFICIAL]


wildcard_constraints:
    scale="|".join(SCALES),
    vae=CATALOGUE.pattern(VAES),
    prior=CATALOGUE.pattern(PRIORS),
    run=CATALOGUE.pattern(RUNS),
    dataset="[a-z0-9_-]+",
    number="|".join(map(str, TABLES)),


def settings(run, scale):
    """Resolved settings of one run."""
    try:
        return CATALOGUE.settings(run, scale)
    except ConfigError as error:
        stop(error)


def run_of(wildcards):
    """The run that a rule's wildcards name, whatever the rule calls it."""
    for key in ("run", "prior", "vae"):
        if key in wildcards.keys():
            return wildcards[key]
    return first_run_of_dataset(wildcards)


def first_run_of_dataset(wildcards):
    """The first VAE that is trained on a prepared data set."""
    try:
        return CATALOGUE.vae_of_dataset(wildcards.dataset, wildcards.scale)
    except ConfigError as error:
        stop(error)


def settings_words(wildcards):
    """The options of `lsgm` that name a run's settings."""
    name = RunName.parse(run_of(wildcards))
    run = RUNS[name.base]
    words = f"--config {run.file.relative_to(workflow.basedir)} --scale config/scales/{wildcards.scale}.yaml"
    words += "" if run.cell is None else f" --cell {run.cell}"
    words += "".join(f" --variant {variant}" for variant in name.variants)
    return words + ("" if name.seed is None else f" --set seed={name.seed}")


def fingerprint(stage):
    """A function of the wildcards: hash of the settings that the stage depends on, so that a change is noticed."""

    def of_run(wildcards):
        run = run_of(wildcards)
        settings(run, wildcards.scale)
        return CATALOGUE.fingerprint(run, wildcards.scale, stage)

    return of_run


def data_of(wildcards):
    """The prepared data set of a run."""
    return data_of_run(run_of(wildcards), wildcards.scale)


def data_root():
    """The folder of downloaded data sets; None if there is none."""
    root = config["data_root"] or os.environ.get("LSGM_DATA")
    return Path(root).expanduser() if root else None


def listing(wildcards):
    """Names, sizes and times of the files that a data set is read from, as a digest: it changes when they do."""
    data = settings(run_of(wildcards), wildcards.scale).data
    try:
        found = data_files.listing(data, data_root())
    except ConfigError as error:
        stop(error)
    output = f"results/{wildcards.scale}/data/{wildcards.dataset}.safetensors"
    return changed_or_recorded(output, "files", found)


def changed_or_recorded(output, kind, found):
    """A digest of files for a rule's `params`; what is recorded of its output where nothing says that they changed.

    That is where there are none, as in a clone of the results alone, and where there were none before the rule fetched
    them, and all are older than its output.
    """
    # Snakemake's records go by its own kind of file name, which belongs to a rule; any will do.
    file = IOFile(output, rule=workflow.get_rule("prepare"))
    params = str(workflow.persistence.params(file) or "")
    recorded = re.search(rf"'({re.escape(kind)}:\w*)'", params)
    fresh = f"{kind}:{found.digest}"
    if recorded is None or not Path(output).exists():
        return fresh
    was_fetched = (
        recorded[1] == f"{kind}:" and found.newest <= Path(output).stat().st_mtime_ns
    )
    return recorded[1] if was_fetched or not found.digest else fresh


@lru_cache(maxsize=None)
def require_fit(run, scale):
    """Refuse own images that the networks of a run cannot take, before anything is trained."""
    try:
        data_files.require_fit(settings(run, scale), data_root())
    except ConfigError as error:
        stop(error)


def data_of_run(run, scale):
    """The prepared data set of a run at a scale."""
    require_fit(run, scale)
    return f"results/{scale}/data/{dataset_key(settings(run, scale).data)}.safetensors"


def weights_file(run, scale):
    """The feature network's file, which need not be there; None where there is none, or no data root."""
    file, root = settings(run, scale).evaluate.frechet.weights_file, data_root()
    return (
        None
        if file is None or not (root or Path(file).is_absolute())
        else Path(root or "") / file
    )


def weights_listing(measurement):
    """A function of the wildcards: size and time of the feature network's file, as a digest, for a rule's `params`.

    `measurement` is the name of the file that the rule makes for a run.
    """

    def of_run(wildcards):
        run, scale = run_of(wildcards), wildcards.scale
        return weights_listing_of_run(
            run, scale, f"results/{scale}/{run}/{measurement}"
        )

    return of_run


def weights_listing_of_run(run, scale, output):
    """That of one run, whose network a file is measured with."""
    file = weights_file(run, scale)
    found = data_files.Listing() if file is None else data_files.weights_listing(file)
    return changed_or_recorded(output, f"weights of {run}", found)


def weights_of(wildcards):
    """Nothing; see `weights_of_run`."""
    return weights_of_run(run_of(wildcards), wildcards.scale)


def weights_of_run(run, scale):
    """Nothing; but the absence of the feature network's file is noticed here, before anything is trained.

    It is no input of the rule, since another data root would then redo the evaluation: see `weights_listing`. Without a
    data root nobody knows where it would lie; `lsgm evaluate` then says what is missing.
    """
    path = weights_file(run, scale)
    if path is not None and not path.is_file():
        stop(
            f"{run} needs the feature network {path}, which is absent; put it there, or set evaluate.frechet"
        )
    return []


def official_checkpoint(wildcards):
    """The authors' checkpoint of a run."""
    if config["official"] is None:
        stop(
            f"no folder of official checkpoints: add --config official=DIR, with DIR/{wildcards.run}.pt in it"
        )
    return str(Path(config["official"]).expanduser() / f"{wildcards.run}.pt")


def backbone_of(wildcards):
    """The VAE that a prior is trained on; all cells of the ablation share one, and so do all seeds unless told otherwise."""
    backbone = CATALOGUE.backbone(wildcards.prior, config["share_backbone"])
    return f"results/{wildcards.scale}/{backbone}/model.safetensors"
