"""The VAE's layers under their official names and under ours, in the order of the official state dict.

The official towers are flat lists of cells, combiners and changes of scale, and the samplers, flows and latent
convolutions are three lists in decoding order; ours are nested by scale and group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lsgm.config import VaeConfig

ALIAS = "weight_normalized"
"""Second official name of the weight of a convolution without weight normalisation: the same numbers."""

CONV_WITHOUT_BIAS = {"weight": "weight", "log_weight_norm": "log_norm"}
CONV = {"weight": "weight", "bias": "bias", "log_weight_norm": "log_norm"}
PLAIN_CONV = {"weight": "weight", ALIAS: "weight"}
LINEAR = {name: name for name in ("weight", "bias")}
NORM = {name: name for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}


@dataclass(frozen=True)
class Layer:
    """A module with tensors of its own.

    Attributes:
        official: its official name.
        ours: our name of it.
        tensors: official -> our name of each of its tensors.
    """

    official: str
    ours: str
    tensors: dict[str, str]


def vae_layers(config: VaeConfig) -> Iterator[Layer]:
    """Yield every module of the VAE that has tensors of its own."""
    yield Layer("stem", "encoder.stem", CONV)
    yield from _preprocess(config)
    yield from _encoder_tower(config)
    yield from _input_skips(config)
    yield from _latents(config)
    yield from _decoder_tower(config)
    yield from _postprocess(config)
    yield Layer("image_conditional.1", "decoder.head", CONV)


def _groups(config: VaeConfig) -> list[str]:
    """Our decoder groups in decoding order."""
    return [
        f"decoder.scales.{scale}.groups.{group}"
        for scale in range(config.num_latent_scales)
        for group in range(config.num_groups_per_scale)
    ]


def _preprocess(config: VaeConfig) -> Iterator[Layer]:
    for index in range(config.num_preprocess_blocks * config.num_pre_post_cells):
        is_down = (index + 1) % config.num_pre_post_cells == 0
        yield from _bn_swish_cell(config, f"pre_process.{index}", f"encoder.preprocess.{index}", is_down=is_down)


def _encoder_tower(config: VaeConfig) -> Iterator[Layer]:
    # Combiners appear on the way up, so in reverse; the last feature has none.
    combined = _groups(config)[:0:-1]
    index = 0
    for scale in range(config.num_latent_scales):
        ours = f"encoder.scales.{scale}"
        if scale:
            yield from _bn_swish_cell(config, f"enc_tower.{index}", f"{ours}.down", is_down=True)
            index += 1
        for group in range(config.num_groups_per_scale):
            for cell in range(config.num_cells_per_group):
                yield from _bn_swish_cell(config, f"enc_tower.{index}", f"{ours}.groups.{group}.{cell}")
                index += 1
            if combined:
                yield Layer(f"enc_tower.{index}.conv", f"{combined.pop(0)}.encoder_combiner", CONV)
                index += 1


def _input_skips(config: VaeConfig) -> Iterator[Layer]:
    if config.progressive_input == "input_skip":
        for scale in range(1, config.num_latent_scales):
            official, ours = f"progressive_input_cells.{scale - 1}.conv", f"encoder.scales.{scale}.input_skip"
            yield Layer(f"{official}.bn_act", f"{ours}.norm", NORM)
            yield Layer(f"{official}.conv_0", f"{ours}.conv", CONV)


def _latents(config: VaeConfig) -> Iterator[Layer]:
    groups = list(enumerate(_groups(config)))
    for number, ours in groups:
        yield Layer(f"enc_sampler.{number}.1", f"{ours}.sampler.conv", CONV)
    for number, ours in groups:
        for flow in range(2 * config.num_flows):
            pair, side = divmod(flow, 2)
            official = f"nf_cells.{number * config.num_flows + pair}.cell{side + 1}"
            yield Layer(f"{official}.conv.convz.0", f"{ours}.flows.{flow}.conv_in", CONV_WITHOUT_BIAS)
            yield Layer(f"{official}.conv.convz.2", f"{ours}.flows.{flow}.depthwise", CONV_WITHOUT_BIAS)
            yield Layer(f"{official}.mu.conv_0", f"{ours}.flows.{flow}.conv_out", CONV)
    for number, ours in groups:
        yield Layer(f"eps_conv.{number}", f"{ours}.latent_conv", CONV)


def _decoder_tower(config: VaeConfig) -> Iterator[Layer]:
    index = 0
    for number, ours in enumerate(_groups(config)):
        scale, group = divmod(number, config.num_groups_per_scale)
        if scale and not group:
            yield from _decoder_cell(config, f"dec_tower.{index}", f"decoder.scales.{scale}.up", is_up=True)
            index += 1
        yield Layer(f"dec_tower.{index}.conv", f"{ours}.decoder_combiner", CONV)
        index += 1
        for cell in range(config.decoder_cells):
            yield from _decoder_cell(config, f"dec_tower.{index}", f"{ours}.cells.{cell}")
            index += 1


def _postprocess(config: VaeConfig) -> Iterator[Layer]:
    for index in range(config.num_preprocess_blocks * config.post_cells):
        is_up = index % config.post_cells == 0
        yield from _decoder_cell(config, f"post_process.{index}", f"decoder.postprocess.{index}", is_up)


def _decoder_cell(config: VaeConfig, official: str, ours: str, is_up: bool = False) -> Iterator[Layer]:
    if config.arch == "res_bnswish":
        yield from _bn_swish_cell(config, official, ours, is_up=is_up)
        return
    yield from _skip(official, ours, is_up=is_up)
    # In the inverted bottleneck an upsampling step, where there is one, comes first and shifts the rest.
    steps, first = f"{official}._ops.0.conv", int(is_up)
    yield Layer(f"{steps}.{first}.bn", f"{ours}.branch.norm_in", NORM)
    yield Layer(f"{steps}.{first + 1}.conv.0", f"{ours}.branch.expand", PLAIN_CONV)
    yield Layer(f"{steps}.{first + 1}.conv.1", f"{ours}.branch.norm_expand", NORM)
    yield Layer(f"{steps}.{first + 2}.conv.0", f"{ours}.branch.depthwise", PLAIN_CONV)
    yield Layer(f"{steps}.{first + 2}.conv.1", f"{ours}.branch.norm_depthwise", NORM)
    yield Layer(f"{steps}.{first + 3}", f"{ours}.branch.project", PLAIN_CONV)
    yield Layer(f"{steps}.{first + 4}.bn", f"{ours}.branch.norm_out", NORM)
    yield from _gate(config, official, ours)


def _bn_swish_cell(
    config: VaeConfig, official: str, ours: str, is_down: bool = False, is_up: bool = False
) -> Iterator[Layer]:
    yield from _skip(official, ours, is_down, is_up)
    for node in range(2):
        yield Layer(f"{official}._ops.{node}.bn_act", f"{ours}.branch.norm{node + 1}", NORM)
        yield Layer(f"{official}._ops.{node}.conv_0", f"{ours}.branch.conv{node + 1}", CONV)
    yield from _gate(config, official, ours)


def _skip(official: str, ours: str, is_down: bool = False, is_up: bool = False) -> Iterator[Layer]:
    if is_down:
        for number in range(4):
            yield Layer(f"{official}.skip.conv_{number + 1}", f"{ours}.skip.convs.{number}", CONV)
    if is_up:
        yield Layer(f"{official}.skip.1", f"{ours}.skip.conv", CONV_WITHOUT_BIAS)


def _gate(config: VaeConfig, official: str, ours: str) -> Iterator[Layer]:
    if config.use_se:
        yield Layer(f"{official}.se.se.0", f"{ours}.se.reduce", LINEAR)
        yield Layer(f"{official}.se.se.2", f"{ours}.se.expand", LINEAR)
