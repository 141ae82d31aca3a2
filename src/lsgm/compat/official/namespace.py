"""From our settings to the arguments that the authors' scripts keep in a checkpoint, and rebuild the networks from."""

from __future__ import annotations

from collections.abc import Mapping

from lsgm.config import ConfigError, ExperimentConfig

from . import vocabulary
from .data_sets import dataset_of
from .flags import STAGE_1, STAGE_2

# Widths of the score network by number of levels, which their code does not take as an argument.
_WIDTHS = {
    "mnist": {2: (1, 1)},
    "omniglot": {3: (1, 1, 1)},
    "cifar10": {3: (1, 1, 1)},
    "celeba_256": {3: (1, 1, 1), 4: (1, 2, 2, 2), 5: (1, 1, 2, 2, 2)},
}
_ATTENTION_SIDE = 16


def arguments_of(config: ExperimentConfig, image_shape: tuple[int, int, int]) -> dict[str, object]:
    """Arguments that describe a run of ours to the authors' scripts; flags that we say nothing of have their default.

    The batch is that of one process, since we do not say how many there are. Of our parity switches nothing is written:
    their scripts always do what these say.

    Args:
        config: the settings, those of a VAE alone or of an LSGM.
        image_shape: (C, H, W) of the network's input, padding included.

    Raises:
        ConfigError: their code builds another network from any arguments.
    """
    if not config.vae.has_weights:
        raise ConfigError(f"vae.arch is {config.vae.arch}, and the authors' code has no model without a VAE")
    args = dict(STAGE_1 if config.is_vae else STAGE_2)
    settings = _flat(config.model_dump(mode="json"))
    args |= dataset_of(config.data)
    args |= _copied(vocabulary.SAME_VAE, settings) | _translated(vocabulary.WORDS_VAE, settings)
    args["num_postprocess_blocks"] = config.vae.num_preprocess_blocks
    for flag, (key, of_encoder) in vocabulary.DECODER.items():
        args[flag] = args[of_encoder] if settings[key] is None else settings[key]
    if config.is_vae:
        return args | _copied(vocabulary.SAME_STAGE_1, settings) | {"batch_size": config.pretrain.batch_size}
    _require_their_network(config, str(args["dataset"]), image_shape[1])
    args |= _copied(vocabulary.SAME_STAGE_2, settings) | _translated(vocabulary.WORDS_STAGE_2, settings)
    args |= _copied(vocabulary.SAME_OF_SDE[config.sde.type], settings)
    return args | _training(config, settings)


def _training(config: ExperimentConfig, settings: Mapping[str, object]) -> dict[str, object]:
    objective, train = config.objective, config.train
    samplers = {ours: theirs for theirs, ours in vocabulary.WEIGHTINGS.items()}
    is_annealed = (train.kl.start, train.kl.end) != (1.0, 1.0)
    # Their scripts insist on this flag wherever times of a sub-VPSDE are importance sampled.
    is_sampled = objective.time == "is" or objective.q_time == "ll"
    return {
        "num_scales_dae": len(config.prior.channel_mult),
        "batch_size": train.batch_size,
        "ema_decay": train.ema_decay,
        "custom_conv_dae": not train.sr_sgm_convs,
        "iw_sample_p": samplers[objective.weighting, objective.time],
        "iw_subvp_like_vp_sde": config.sde.type == "sub_vpsde" and is_sampled,
        "disjoint_training": objective.disjoint,
        "update_q_ema": objective.update_q_ema,
        "cont_kl_anneal": is_annealed,
        **(_copied(vocabulary.SAME_KL, settings) if is_annealed else {}),
    }


def _require_their_network(config: ExperimentConfig, dataset: str, side: int) -> None:
    widths = config.prior.channel_mult
    if dataset in _WIDTHS and _WIDTHS[dataset].get(len(widths)) != widths:
        known = " or ".join(str(list(known)) for known in _WIDTHS[dataset].values())
        raise ConfigError(f"prior.channel_mult = {list(widths)}: the authors' code has {known} for {dataset}, no other")
    sides = {side // config.vae.downsampling // 2**level for level in range(len(widths))}
    wrong = sides & (set(config.prior.attention_resolutions) ^ {_ATTENTION_SIDE})
    if wrong:
        raise ConfigError(
            f"prior.attention_resolutions = {list(config.prior.attention_resolutions)}: the authors' code has "
            f"attention at {_ATTENTION_SIDE} pixels and in the middle, no other"
        )


def _copied(table: Mapping[str, str], settings: Mapping[str, object]) -> dict[str, object]:
    return {flag: settings[key] for flag, key in table.items()}


def _translated(
    table: Mapping[str, tuple[str, Mapping[str, str]]], settings: Mapping[str, object]
) -> dict[str, object]:
    theirs = {flag: {ours: word for word, ours in words.items()} for flag, (_, words) in table.items()}
    return {flag: theirs[flag][settings[key]] for flag, (key, _) in table.items()}


def _flat(tree: Mapping[str, object], above: str = "") -> dict[str, object]:
    """Values by `section.key`, at any depth."""
    flat: dict[str, object] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {above + key: value}
    return flat
