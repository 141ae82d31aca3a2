"""The average of the score network's weights, which the authors' optimiser keeps among its own state.

Where it is: `checkpoint.pt`, saved in the course of training, has the raw weights in `dae_state_dict` and the average
in the optimiser. The best checkpoints (`checkpoint_fid.pt`, `checkpoint_nll.pt`) are saved while the two are swapped:
there `dae_state_dict` is the average, and what the optimiser calls so are the raw weights. Nothing in a file tells the
two kinds apart, so which one is wanted must be said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

from lsgm.config import ConfigError

from .checkpoint import Checkpoint
from .state import clean_tensor

SLOT = "ema"


def has_average(checkpoint: Checkpoint) -> bool:
    """Whether the state of the score network's optimiser has averages."""
    return any(SLOT in entry for entry in _states(checkpoint).values() if isinstance(entry, dict))


def averaged_score(checkpoint: Checkpoint, not_trained: Collection[str]) -> dict[str, Tensor]:
    """Return the score network's tensors with those of the optimiser's average in their place.

    The optimiser numbers its parameters in the order in which the network registers them, which is that of the state
    dict.

    Args:
        checkpoint: an LSGM.
        not_trained: tensors that have no average because no optimiser moves them; it may number them or not.

    Raises:
        ConfigError: there is no average, or it is of another network; the message names the tensor.
    """
    if not has_average(checkpoint):
        raise ConfigError(
            f"{checkpoint.source}: no average (EMA) in its optimiser's state; in checkpoint_fid.pt and "
            f"checkpoint_nll.pt the average is in place already, so leave the choice out"
        )
    states, trained = _states(checkpoint), [name for name in checkpoint.score if name not in not_trained]
    indices = _indices(checkpoint)
    names = list(checkpoint.score) if len(indices) == len(checkpoint.score) else trained
    if len(indices) != len(names):
        raise ConfigError(
            f"{checkpoint.source}: its optimiser has {len(indices)} parameters, dae_state_dict {len(names)} tensors"
        )
    averaged = dict(checkpoint.score)
    for name, index in zip(names, indices, strict=True):
        if name in not_trained:
            continue
        entry = states.get(index)
        if not isinstance(entry, dict) or SLOT not in entry:
            raise ConfigError(f"{checkpoint.source}: no average (EMA) of {name} in its optimiser's state")
        averaged[name] = clean_tensor(entry[SLOT], f"{checkpoint.source}: average of {name}")
    return averaged


def _states(checkpoint: Checkpoint) -> Mapping[object, object]:
    state = checkpoint.optimiser.get("state") if isinstance(checkpoint.optimiser, dict) else None
    return state if isinstance(state, dict) else {}


def _indices(checkpoint: Checkpoint) -> list[int]:
    groups = checkpoint.optimiser.get("param_groups")
    try:
        indices = [index for group in groups for index in group["params"]]
    except (KeyError, TypeError):
        indices = [None]
    if not all(isinstance(index, int) for index in indices):
        raise ConfigError(f"{checkpoint.source}: its optimiser's state does not say which parameters it has")
    return indices
