"""Options that the verbs share, and what they mean: settings files, device, threads, data root."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from lsgm.config import ConfigError, ExperimentConfig, load_experiment
from lsgm.config.axes import choose_axes, read_axes
from lsgm.whole_file import require_writable


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options from which the experiment's settings are resolved."""
    group = parser.add_argument_group("settings")
    group.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="experiment file, e.g. config/experiments/mnist.yaml"
    )
    group.add_argument(
        "--scale", type=Path, metavar="FILE", help="scale file, e.g. config/scales/demo.yaml (default: the paper's)"
    )
    group.add_argument("--cell", help="cell of Table 6, e.g. vpsde-un-is-rew (with config/experiments/ablation.yaml)")
    group.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help="change the run as config/axes.yaml says, e.g. frozen; may be repeated, in the order of that file",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one setting, e.g. --set train.epochs=3; --dry-run lists all keys; may be repeated",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="print the resolved settings and parameter counts, then stop"
    )


def add_file(parser: argparse.ArgumentParser, option: str, meaning: str) -> None:
    """Add a file that the verb cannot do without; `--dry-run` can, so it is asked for later (`require_files`)."""
    parser.add_argument(option, type=Path, metavar="FILE", help=meaning)
    parser.set_defaults(files=[*(parser.get_default("files") or []), option])


def require_files(args: argparse.Namespace) -> None:
    """Refuse a command line that lacks one of the verb's files."""
    for option in getattr(args, "files", []):
        if getattr(args, option.removeprefix("--")) is None:
            raise ConfigError(f"{option} FILE is missing; `lsgm {args.verb} --help` says what it is")


def require_distinct(args: argparse.Namespace) -> None:
    """Refuse an output that is one of the command's inputs."""
    out = getattr(args, "out", None)
    for name in ("config", "scale", "data", "model", "backbone", "samples", "checkpoint", "curves"):
        given = getattr(args, name, None)
        if isinstance(out, Path) and isinstance(given, Path) and os.path.realpath(out) == os.path.realpath(given):
            raise ConfigError(f"--out {out}: is also what is read (--{name}); name another file")


def add_compute(parser: argparse.ArgumentParser) -> None:
    """Add the options about the machine; they do not change what is computed."""
    group = parser.add_argument_group("machine")
    add_device(group)
    group.add_argument("--threads", type=int, default=None, metavar="N", help="CPU threads (default: all)")


def add_processes(parser: argparse.ArgumentParser) -> None:
    """Add the number of processes and of nodes, for verbs that several processes can share."""
    group = parser.add_argument_group("several processes, which share the work; the result is the same to rounding")
    group.add_argument(
        "--processes", type=int, default=1, metavar="N", help="N on each node, one for each GPU (default: 1; 0 means 1)"
    )
    group.add_argument(
        "--nodes",
        type=int,
        default=1,
        metavar="M",
        help="M nodes; in a Slurm job they are found, elsewhere --rendezvous is needed (default: 1)",
    )
    group.add_argument(
        "--rendezvous",
        metavar="HOST:PORT",
        help="one of the nodes and a free port there; the same command is then to be started on each node",
    )


def add_minutes(parser: argparse.ArgumentParser) -> None:
    """Add the length of the time slot, for verbs that save themselves and go on."""
    parser.add_argument(
        "--minutes",
        type=float,
        default=None,
        metavar="M",
        help="save and stop with exit code 75 within M minutes of the start; the same command goes on (default: when a "
        "Slurm job around it ends, else never)",
    )


def add_again(parser: argparse.ArgumentParser) -> None:
    """Add the wish to train once more what has been trained; the workflow names it by the environment variable."""
    parser.add_argument(
        "--again",
        action="store_true",
        default=None,
        help="train even if a training of the same settings, data and code has finished here (default: $LSGM_AGAIN)",
    )


def is_on(given: bool | None, variable: str) -> bool:
    """Whether an option is given, or else its environment variable says yes.

    Raises:
        ConfigError: the variable is neither yes nor no.
    """
    value = os.environ.get(variable, "").strip().lower()
    if given or value in ("yes", "y", "true", "on", "1"):
        return True
    if value in ("", "no", "n", "false", "off", "0"):
        return False
    raise ConfigError(f"{variable} is {os.environ[variable]!r}: set it to yes or no, or unset it")


def add_device(group: argparse._ArgumentGroup) -> None:
    """Add the option on the device; the workflow names it by the environment variable."""
    default = os.environ.get("LSGM_DEVICE") or "auto"
    group.add_argument(
        "--device", default=default, help="auto, cpu, cuda, cuda:1, mps (default: $LSGM_DEVICE, or auto)"
    )


def add_data_root(parser: argparse.ArgumentParser) -> None:
    """Add the folder in which downloaded files lie."""
    parser.add_argument(
        "--data-root", type=Path, metavar="DIR", help="folder of data sets and weights (default: $LSGM_DATA)"
    )


def settings(args: argparse.Namespace) -> ExperimentConfig:
    """Resolve and validate the settings that the options name."""
    variants = {}
    if args.variant:
        axes = read_axes(args.config.parent.parent / "axes.yaml")
        variants = {name: axis.settings for name, axis in choose_axes(axes, args.variant, "--variant").items()}
    return load_experiment(args.config, args.scale, args.cell, args.set, variants)


def require_prior(args: argparse.Namespace, config: ExperimentConfig) -> None:
    """Refuse the settings of a VAE alone."""
    if config.is_vae:
        raise ConfigError(f"--config {args.config}: a VAE without a score-based prior; name the experiment of an LSGM")


def data_root(args: argparse.Namespace) -> Path | None:
    """The folder given, else that of the environment variable LSGM_DATA, else none."""
    root = args.data_root or os.environ.get("LSGM_DATA") or None
    if root is None:
        return None
    root = Path(root).expanduser()
    if not root.is_dir():
        raise ConfigError(
            f"data root {root}: no such folder; correct --data-root, data_root in the config, or LSGM_DATA"
        )
    return root


def start_compute(args: argparse.Namespace) -> str:
    """Set the number of threads; return the name of the device, checked to be there.

    One of several processes gets its share of the threads and its own GPU, and waits here for the others.
    """
    import torch

    from lsgm import distributed

    place = distributed.launch()
    if place.size > 1 and not hasattr(args, "processes"):
        raise ConfigError(f"`lsgm {args.verb}` works in one process; start it without torchrun")
    if args.threads is not None:
        if args.threads < 1:
            raise ConfigError(f"--threads {args.threads}: must be at least 1")
        torch.set_num_threads(max(1, args.threads // place.local_size))
    name = _device(args.device)
    if place.size > 1:
        name = _own_device(name, place.local_rank)
        distributed.join(name.partition(":")[0])
    return name


def _own_device(name: str, local_rank: int) -> str:
    """The device of one of several processes."""
    import torch

    if name == "cpu":
        return name
    if name != "cuda":
        raise ConfigError(f"--device {name}: several processes take one GPU each; say cuda, or cpu")
    if local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"process {local_rank} of this node has no GPU, {torch.cuda.device_count()} are visible; start fewer "
            f"processes, ask for more GPUs, or take --device cpu"
        )
    torch.cuda.set_device(local_rank)
    return f"cuda:{local_rank}"


def _device(name: str) -> str:
    """Name of the device, checked to be there."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"--device {name}: not usable here ({reason}); take cpu or auto") from None
    return name


def require_output_folder(path: Path, option: str = "--out") -> None:
    """Make the folder of an output file; a folder in the file's place is an error now, not after the work."""
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if is_folder:
        raise ConfigError(f"{option} {path}: is a folder; give the name of a file")
    require_writable(path)
