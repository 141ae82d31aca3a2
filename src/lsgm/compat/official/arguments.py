"""From the arguments that the authors' scripts keep in a checkpoint to our settings.

Every flag that says something about the network, the process, the training or the evaluation is carried over. What we
cannot express is an error that names the flag. Flags of the run itself, dead ones and unknown ones are passed over:
they change no network.
"""

from __future__ import annotations

from collections.abc import Mapping

from lsgm.config import ConfigError, ExperimentConfig, validate

from . import vocabulary
from .data_sets import data_of, frechet_of
from .flags import REQUIRED, STAGE_1, STAGE_2


def experiment_of(
    args: Mapping[str, object],
    image_shape: tuple[int, int, int],
    channel_mult: tuple[int, ...] | None,
    source: str,
) -> ExperimentConfig:
    """Settings of the run that wrote a checkpoint.

    The parity switches that concern training are on, since the authors' scripts did the training. A stage-1 VAE keeps
    our defaults in the sections of stage 2, and an LSGM those of stage 1, of which its arguments say nothing.

    Args:
        args: flags and their values.
        image_shape: (C, H, W) of the network's input, padding included.
        channel_mult: widths of the score network in units of its first, found in the tensors; None for a VAE alone.
        source: the file, at the start of every message.

    Raises:
        ConfigError: a flag is missing or has a value that we have no settings for; the message names it.
    """
    flags = _Flags(args, STAGE_1 if channel_mult is None else STAGE_2, source)
    flags.copy(vocabulary.SAME_VAE)
    flags.translate(vocabulary.WORDS_VAE)
    _decoder(flags)
    is_binary = flags["decoder_dist"] == "bin"
    data = data_of(str(flags["dataset"]), str(flags["data"]), is_binary, image_shape[1], source)
    flags.set_all("data", data)
    flags.set_all("evaluate.frechet", frechet_of(data))
    name = f"official_{flags['dataset']}"
    if channel_mult is None:
        flags.set("name", f"{name}_vae")
        flags.copy(vocabulary.SAME_STAGE_1)
        flags.set("pretrain.batch_size", _global_batch(flags))
    else:
        flags.set("name", name)
        flags.set("backbone", f"{name}_vae")
        _stage_2(flags, channel_mult)
    return validate(ExperimentConfig, flags.settings, source)


def unknown_flags(args: Mapping[str, object]) -> tuple[str, ...]:
    """Names in `args` that neither of the scripts' parsers makes, in their order."""
    return tuple(name for name in args if name not in STAGE_1 and name not in STAGE_2)


class _Flags:
    """Arguments with the parser's defaults behind them, and the settings found so far."""

    def __init__(self, args: Mapping[str, object], defaults: Mapping[str, object], source: str):
        self._args, self._defaults, self.source = args, defaults, source
        self.settings: dict[str, object] = {}

    def __getitem__(self, flag: str) -> object:
        if flag not in self._args and flag in REQUIRED:
            raise ConfigError(
                f"{self.source}: the arguments lack {flag!r}, without which the model cannot be rebuilt; "
                f"the file is of another version of the authors' scripts"
            )
        return self._args.get(flag, self._defaults[flag])

    def word(self, flag: str, words: Mapping[str, object]) -> object:
        """Our value for a flag that has a few."""
        value = self[flag]
        if not isinstance(value, str) or value not in words:
            raise ConfigError(f"{self.source}: {flag} = {value!r} cannot be expressed here; only: {', '.join(words)}")
        return words[value]

    def number(self, flag: str) -> float:
        """A flag that is calculated with."""
        value = self[flag]
        if not isinstance(value, int | float):
            raise ConfigError(f"{self.source}: {flag} = {value!r} is not a number; the file is damaged")
        return value

    def set(self, key: str, value: object) -> None:
        """Note the value of one setting, `section.key`."""
        *sections, last = key.split(".")
        place = self.settings
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value

    def set_all(self, section: str, values: Mapping[str, object]) -> None:
        """Note several values of one section."""
        for key, value in values.items():
            self.set(f"{section}.{key}", value)

    def copy(self, table: Mapping[str, str]) -> None:
        """Carry over flags that have the same value on both sides."""
        for flag, key in table.items():
            self.set(key, self[flag])

    def translate(self, table: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
        """Carry over flags that have a word on each side."""
        for flag, (key, words) in table.items():
            self.set(key, self.word(flag, words))


def _decoder(flags: _Flags) -> None:
    blocks, post = flags["num_preprocess_blocks"], flags["num_postprocess_blocks"]
    if blocks != post:
        raise ConfigError(
            f"{flags.source}: num_postprocess_blocks = {post!r} cannot be expressed here: "
            f"it must be num_preprocess_blocks, which is {blocks!r}"
        )
    for flag, (key, of_encoder) in vocabulary.DECODER.items():
        if flags[flag] != flags[of_encoder]:
            flags.set(key, flags[flag])


def _global_batch(flags: _Flags) -> float:
    return flags.number("batch_size") * flags.number("num_proc_node") * flags.number("num_process_per_node")


def _stage_2(flags: _Flags, channel_mult: tuple[int, ...]) -> None:
    flags.word("dae_arch", {"ncsnpp": None})
    flags.copy(vocabulary.SAME_STAGE_2)
    flags.translate(vocabulary.WORDS_STAGE_2)
    flags.set("prior.channel_mult", channel_mult)
    sde = flags.word("sde_type", vocabulary.WORDS_STAGE_2["sde_type"][1])
    flags.copy(vocabulary.SAME_OF_SDE[sde])
    flags.set_all("sample", {"time_end": flags["eval_ode_eps"], "tol": flags["eval_ode_solver_tol"]})
    _objective(flags)
    if flags["cont_kl_anneal"]:
        flags.copy(vocabulary.SAME_KL)
    train = {
        "batch_size": _global_batch(flags),
        "ema_decay": max(flags.number("ema_decay"), 0.0),  # theirs is off at 0 and below
        "sr_sgm_convs": not flags["custom_conv_dae"],
        "official_frozen_vae": not flags["train_vae"],
        "official_spectral": True,
    }
    flags.set_all("train", train)


def _objective(flags: _Flags) -> None:
    weighting, time = flags.word("iw_sample_p", vocabulary.WEIGHTINGS)
    # Two passes make sense only with times of the encoder's own, and the average only in two passes.
    disjoint = bool(flags["disjoint_training"]) and flags["iw_sample_q"] != "reweight_p_samples"
    objective = {
        "weighting": weighting,
        "time": time,
        "disjoint": disjoint,
        "update_q_ema": disjoint and flags["update_q_ema"],
        "official_weights": True,
        "official_kl_coeff": True,
    }
    flags.set_all("objective", objective)
