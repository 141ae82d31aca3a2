"""Official parameter names of the VAE, and how they translate to ours (reference: f_full_params.json).

The official towers are flat lists of cells, combiners and changes of scale; ours are nested by scale and group.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lsgm.config import VaeConfig

DERIVED = "weight_normalized"
"""Official buffer that holds a function of the weight beside it."""

LEAVES = {"log_weight_norm": "log_norm"}
"""Tensors of a module that are called otherwise; the rest have the same name."""


def official_vae_state(state: Mapping[str, Tensor], config: VaeConfig) -> dict[str, Tensor]:
    """Return the state dict of our `NVAE` that an official state dict amounts to.

    Args:
        state: tensors under official names.
        config: sizes of the VAE that they belong to.

    Raises:
        KeyError: a tensor belongs to no module of such a VAE.
        ValueError: two tensors have the same meaning.
    """
    modules = official_vae_modules(config)
    ours: dict[str, Tensor] = {}
    for official, tensor in state.items():
        module, _, leaf = official.rpartition(".")
        if leaf == DERIVED:
            continue
        name = "decoder.constant" if official == "prior_ftr0" else f"{modules[module]}.{LEAVES.get(leaf, leaf)}"
        if name in ours:
            raise ValueError(f"{official} is a second tensor for {name}")
        ours[name] = tensor
    return ours


def official_vae_modules(config: VaeConfig) -> dict[str, str]:
    """Map each official module that has tensors of its own to ours."""
    names = {"stem": "encoder.stem", "image_conditional.1": "decoder.head"}
    for index in range(config.num_preprocess_blocks * config.num_pre_post_cells):
        names |= _cell(f"pre_process.{index}", f"encoder.preprocess.{index}")
        is_up = index % config.num_pre_post_cells == 0
        names |= _cell(f"post_process.{index}", f"decoder.postprocess.{index}", is_up)
    return names | _encoder_tower(config) | _decoder_tower(config) | _latents(config)


def _groups(config: VaeConfig) -> list[str]:
    """Our decoder groups in decoding order."""
    return [
        f"decoder.scales.{scale}.groups.{group}"
        for scale in range(config.num_latent_scales)
        for group in range(config.num_groups_per_scale)
    ]


def _encoder_tower(config: VaeConfig) -> dict[str, str]:
    names: dict[str, str] = {}
    # Combiners appear on the way up, so in reverse; the last feature has none.
    combined = _groups(config)[:0:-1]
    index = 0
    for scale in range(config.num_latent_scales):
        ours = f"encoder.scales.{scale}"
        if scale:
            names |= _cell(f"enc_tower.{index}", f"{ours}.down")
            names[f"progressive_input_cells.{scale - 1}.conv.bn_act"] = f"{ours}.input_skip.norm"
            names[f"progressive_input_cells.{scale - 1}.conv.conv_0"] = f"{ours}.input_skip.conv"
            index += 1
        for group in range(config.num_groups_per_scale):
            for cell in range(config.num_cells_per_group):
                names |= _cell(f"enc_tower.{index}", f"{ours}.groups.{group}.{cell}")
                index += 1
            if combined:
                names[f"enc_tower.{index}.conv"] = f"{combined.pop(0)}.encoder_combiner"
                index += 1
    return names


def _decoder_tower(config: VaeConfig) -> dict[str, str]:
    names: dict[str, str] = {}
    index = 0
    for number, ours in enumerate(_groups(config)):
        scale, group = divmod(number, config.num_groups_per_scale)
        if scale and not group:
            names |= _cell(f"dec_tower.{index}", f"decoder.scales.{scale}.up", is_up=True)
            index += 1
        names[f"dec_tower.{index}.conv"] = f"{ours}.decoder_combiner"
        index += 1
        for cell in range(config.num_cells_per_group):
            names |= _cell(f"dec_tower.{index}", f"{ours}.cells.{cell}")
            index += 1
    return names


def _latents(config: VaeConfig) -> dict[str, str]:
    names: dict[str, str] = {}
    for number, ours in enumerate(_groups(config)):
        names[f"enc_sampler.{number}.1"] = f"{ours}.sampler.conv"
        names[f"eps_conv.{number}"] = f"{ours}.latent_conv"
        for flow in range(2 * config.num_flows):
            pair, side = divmod(flow, 2)
            official = f"nf_cells.{number * config.num_flows + pair}.cell{side + 1}"
            names[f"{official}.conv.convz.0"] = f"{ours}.flows.{flow}.conv_in"
            names[f"{official}.conv.convz.2"] = f"{ours}.flows.{flow}.depthwise"
            names[f"{official}.mu.conv_0"] = f"{ours}.flows.{flow}.conv_out"
    return names


def _cell(official: str, ours: str, is_up: bool = False) -> dict[str, str]:
    """All modules that a residual cell of either kind may have."""
    names = {
        f"{official}.se.se.0": f"{ours}.se.reduce",
        f"{official}.se.se.2": f"{ours}.se.expand",
        f"{official}.skip.1": f"{ours}.skip.conv",
    }
    names |= {f"{official}.skip.conv_{number + 1}": f"{ours}.skip.convs.{number}" for number in range(4)}
    for node in range(2):
        names[f"{official}._ops.{node}.bn_act"] = f"{ours}.branch.norm{node + 1}"
        names[f"{official}._ops.{node}.conv_0"] = f"{ours}.branch.conv{node + 1}"
    # In the inverted bottleneck an upsampling step, where there is one, comes first and shifts the rest.
    steps, first = f"{official}._ops.0.conv", int(is_up)
    return names | {
        f"{steps}.{first}.bn": f"{ours}.branch.norm_in",
        f"{steps}.{first + 1}.conv.0": f"{ours}.branch.expand",
        f"{steps}.{first + 1}.conv.1": f"{ours}.branch.norm_expand",
        f"{steps}.{first + 2}.conv.0": f"{ours}.branch.depthwise",
        f"{steps}.{first + 2}.conv.1": f"{ours}.branch.norm_depthwise",
        f"{steps}.{first + 3}": f"{ours}.branch.project",
        f"{steps}.{first + 4}.bn": f"{ours}.branch.norm_out",
    }
