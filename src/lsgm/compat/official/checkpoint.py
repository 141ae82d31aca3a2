"""The parts of a checkpoint of the authors' scripts, each checked by itself.

The script of stage 1 saves a VAE as `state_dict`, that of stage 2 `vae_state_dict` and `dae_state_dict` (the score
network); both save their arguments. Optimisers, schedules and best scores are of no use for a finished model, and are
only listed. Further weights would be: a name that promises some, or a value that holds some, is an error.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lsgm.config import ConfigError

from .state import clean_state, has_names, is_plain
from .unpickling import unpickle

VAE_ENTRIES = ("vae_state_dict", "state_dict")
SCORE_ENTRY = "dae_state_dict"
OPTIMISER_ENTRIES = ("dae_optimizer", "dae_optimizer_state_dict")
USED = (*VAE_ENTRIES, SCORE_ENTRY, "args", "epoch", "global_step")
NO_WEIGHTS = re.compile(r".*(optimi[sz]er|schedul|scal[ae]r).*|(sr|best)_.*")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        source: the file, at the start of every message.
        args: the script's arguments.
        vae: tensors of the VAE under the authors' names, float32 and int64.
        score: tensors of the score network and the mixing logits in the order in which the network registers them;
            None for stage 1.
        optimiser: state of the score network's optimiser, as it is; None where there is none.
        steps: optimiser steps done.
        epochs: epochs done.
        left_out: the other entries.
    """

    source: str
    args: dict[str, object]
    vae: dict[str, Tensor]
    score: dict[str, Tensor] | None
    optimiser: object
    steps: int
    epochs: float
    left_out: tuple[str, ...]


def read_checkpoint(path: Path, kind: str | None = None) -> Checkpoint:
    """Read a file; nothing in it is executed.

    Args:
        path: the file.
        kind: `vae` or `lsgm`, which it must hold; None for either.

    Raises:
        ConfigError: it is no such checkpoint, or holds something that is not the weights it should be.
    """
    source = str(path)
    content = unpickle(path)
    if not has_names(content):
        raise ConfigError(f"{source}: holds a {type(content).__name__}, not a checkpoint's entries by name")
    args = _arguments(content, source)
    _require_kind(content, kind, source)
    left_out = tuple(name for name in content if name not in USED)
    for name in left_out:
        if _may_hold_weights(name, content[name]):
            raise ConfigError(f"{source}: the weights in {name!r} have no place in our model")
    return Checkpoint(
        source=source,
        args=args,
        vae=_vae(content, source),
        score=clean_state(content[SCORE_ENTRY], f"{source}: {SCORE_ENTRY}") if SCORE_ENTRY in content else None,
        optimiser=next((content[name] for name in OPTIMISER_ENTRIES if name in content), None),
        steps=int(_count(content, "global_step", source)),
        epochs=_count(content, "epoch", source),
        left_out=left_out,
    )


def _arguments(content: Mapping[str, object], source: str) -> dict[str, object]:
    if "args" not in content:
        raise ConfigError(f"{source}: has no entry 'args', which the authors' scripts save beside the weights")
    args = content["args"]
    args = vars(args) if isinstance(args, argparse.Namespace) else args
    if not has_names(args):
        raise ConfigError(f"{source}: its 'args' are of type {type(args).__name__}, not arguments by name")
    return {name: _plain(value, f"{source}: args.{name}") for name, value in args.items()}


def _plain(value: object, source: str) -> object:
    if isinstance(value, list | tuple):
        return [_number_or_text(entry, source) for entry in value]
    return _number_or_text(value, source)


def _number_or_text(value: object, source: str) -> object:
    if is_plain(value) and value.ndim == 0:
        value = value.item()  # measured by the script rather than given to it
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ConfigError(f"{source} is of type {type(value).__name__}; arguments are numbers, texts and lists of them")


def _require_kind(content: Mapping[str, object], kind: str | None, source: str) -> None:
    if not any(name in content for name in VAE_ENTRIES):
        raise ConfigError(f"{source}: has no weights of a VAE, neither 'vae_state_dict' nor 'state_dict'")
    found = "lsgm" if SCORE_ENTRY in content else "vae"
    if kind not in (None, found):
        names = {"vae": "a VAE of stage 1 (no 'dae_state_dict')", "lsgm": "an LSGM (VAE and score network)"}
        raise ConfigError(f"{source}: holds {names[found]}, not {names[kind]} as asked for")


def _may_hold_weights(name: str, value: object) -> bool:
    if NO_WEIGHTS.fullmatch(name):
        return False
    pairs = value.items() if isinstance(value, dict) else ()
    is_state = len(pairs) > 0 and all(isinstance(key, str) and isinstance(entry, Tensor) for key, entry in pairs)
    return is_state or name.endswith("state_dict")


def _vae(content: Mapping[str, object], source: str) -> dict[str, Tensor]:
    first, *copies = (clean_state(content[name], f"{source}: {name}") for name in VAE_ENTRIES if name in content)
    for copy in copies:
        if first.keys() != copy.keys() or not all(torch.equal(first[name], copy[name]) for name in first):
            raise ConfigError(f"{source}: 'vae_state_dict' and 'state_dict' are not the same weights; remove one")
    return first


def _count(content: Mapping[str, object], name: str, source: str) -> float:
    value = _number_or_text(content.get(name, 0), f"{source}: {name}")
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise ConfigError(f"{source}: {name} = {value!r} is not a number of steps or epochs")
    return value
