"""Every flag of the authors' scripts: it changes our settings and comes back, or means nothing and changes nothing."""

from __future__ import annotations

import pytest
from compat.official.official_runs import SHAPE, WIDTHS, small, small_arguments

from lsgm.compat.official import flags
from lsgm.compat.official.arguments import experiment_of, unknown_flags
from lsgm.compat.official.namespace import arguments_of
from lsgm.config import ConfigError

CONTINUED = {"cont_kl_anneal": True}
GEOMETRIC = {"sde_type": "geometric_sde", "sigma2_0": 3e-5, "sigma2_min": 3e-5, "sigma2_max": 0.999, "time_eps": 0.0}
COLOUR = {"dataset": "ffhq", "decoder_dist": "dml"}
# Another value of each flag of stage 2 that means something, and what must be given with it.
OTHERS = {
    "dataset": ("ffhq", {"decoder_dist": "dml"}),
    "batch_size": (7, {}),
    "epochs": (7, {}),
    "warmup_epochs": (7, {}),
    "weight_decay": (1e-5, {}),
    "seed": (7, {}),
    "num_proc_node": (3, {}),
    "num_process_per_node": (3, {}),
    "arch_instance": ("res_bnswish", {}),
    "use_se": (True, {}),
    "num_nf": (2, {}),
    "log_sig_q_scale": (4.0, {}),
    "num_x_bits": (5, COLOUR),
    "num_latent_scales": (2, {"channel_mult": [1, 1, 2, 2], "num_preprocess_blocks": 2}),
    "num_groups_per_scale": (3, {}),
    "num_latent_per_group": (7, {}),
    "channel_mult": ([1, 2, 4], {}),
    "num_channels_enc": (16, {}),
    "num_channels_dec": (16, {}),
    "num_preprocess_blocks": (1, {"num_postprocess_blocks": 1, "channel_mult": [1, 2]}),
    "num_postprocess_blocks": (1, {"num_preprocess_blocks": 1, "channel_mult": [1, 2]}),
    "num_preprocess_cells": (2, {}),
    "num_postprocess_cells": (2, {}),
    "num_cell_per_cond_enc": (2, {}),
    "num_cell_per_cond_dec": (2, {}),
    "decoder_dist": ("dl", COLOUR),
    "progressive_input_vae": ("input_skip", {}),
    "learning_rate_vae": (2e-4, {}),
    "learning_rate_min_vae": (2e-5, {}),
    "learning_rate_dae": (2e-4, {}),
    "learning_rate_min_dae": (2e-5, {}),
    "ema_decay": (0.99, {}),
    "grad_clip_max_norm": (1.0, {}),
    "weight_decay_norm_vae": (0.5, {}),
    "weight_decay_norm_dae": (0.5, {}),
    "custom_conv_dae": (True, {}),
    "num_channels_dae": (64, {}),
    "num_cell_per_scale_dae": (3, {}),
    "dropout": (0.1, {}),
    "fir": (True, {}),
    "embedding_type": ("fourier", {}),
    "embedding_dim": (64, {}),
    "embedding_scale": (16.0, {}),
    "progressive": ("output_skip", {}),
    "progressive_input": ("residual", {}),
    "progressive_combine": ("cat", {}),
    "mixed_prediction": (False, {}),
    "mixing_logit_init": (-6.0, {}),
    "sde_type": ("sub_vpsde", {}),
    "beta_start": (0.2, {}),
    "beta_end": (10.0, {}),
    "sigma2_0": (1e-4, {}),
    "sigma2_min": (1e-5, GEOMETRIC),
    "sigma2_max": (0.9, GEOMETRIC),
    "time_eps": (1e-3, {}),
    "iw_sample_p": ("rescale_iw", {}),
    "iw_sample_q": ("ll_uniform", {}),
    "train_vae": (True, {}),
    "disjoint_training": (True, {"iw_sample_q": "ll_iw"}),
    "update_q_ema": (True, {"iw_sample_q": "ll_iw", "disjoint_training": True}),
    "drop_inactive_var": (True, {}),
    "cont_kl_anneal": (True, {}),
    "kl_anneal_portion_vada": (0.2, CONTINUED),
    "kl_const_portion_vada": (0.1, CONTINUED),
    "kl_const_coeff_vada": (0.5, CONTINUED),
    "kl_max_coeff_vada": (0.9, CONTINUED),
    "kl_balance_vada": (True, {}),
    "diffusion_steps": (100, {}),
    "denoising_stddevs": ("beta_post", {}),
    "eval_ode_eps": (1e-4, {}),
    "eval_ode_solver_tol": (1e-3, {}),
}
# One value only, or told by the shapes of the tensors.
FIXED = {"dae_arch", "num_scales_dae"}


def test_every_flag_with_a_meaning_is_tried_below():
    assert set(OTHERS) | FIXED == set(flags.STAGE_2) - flags.WITHOUT_MEANING


@pytest.mark.parametrize("flag", OTHERS)
def test_every_flag_changes_the_settings_and_comes_back(flag):
    value, needed = OTHERS[flag]
    # Sizes that must agree are changed together; else the second differs in this flag alone.
    is_alone = flag not in ("num_latent_scales", "num_preprocess_blocks", "num_postprocess_blocks")
    before, after = small(**(needed if is_alone else {})), small(**(needed | {flag: value}))
    assert before != after
    if flag not in ("batch_size", "num_proc_node", "num_process_per_node"):
        assert arguments_of(after, (3, 32, 32))[flag] == value


@pytest.mark.parametrize("flag", [*sorted(flags.WITHOUT_MEANING & set(flags.STAGE_2)), "of_another_version"])
def test_flags_of_the_run_change_nothing(flag):
    assert small(**{flag: "anything"}) == small()


def test_unknown_flags_are_listed():
    assert unknown_flags(small_arguments()) == ()
    assert unknown_flags(small_arguments(of_another_version=3, another=1)) == ("of_another_version", "another")


def test_constants_of_other_processes_stay_ours():
    """What a process does not use must not tell two equal runs apart."""
    assert small(sigma2_min=0.1, sigma2_max=0.2).sde == small().sde
    assert small(**(GEOMETRIC | {"beta_start": 3.0})).sde == small(**GEOMETRIC).sde
    vesde = small(sde_type="vesde", sigma2_0=1e-4, sigma2_max=123.0).sde
    assert (vesde.type, vesde.sigma2_min, vesde.sigma2_max) == ("vesde", 1e-4, 123.0)


def test_flags_that_do_nothing_alone_are_no_mistake():
    """Their script passes them over: without two passes there is no average to see, and decay 0 and below is off."""
    assert small(update_q_ema=True) == small()
    assert small(disjoint_training=True) == small()
    assert small(ema_decay=-1.0).train.ema_decay == 0.0


def test_a_missing_flag_takes_the_parsers_default_unless_it_decides_the_model():
    args = small_arguments()
    for flag in flags.STAGE_2:
        without = {name: value for name, value in args.items() if name != flag}
        if flag in flags.REQUIRED - {"num_scales_dae"}:
            with pytest.raises(ConfigError, match=rf"x\.pt: the arguments lack '{flag}'"):
                experiment_of(without, SHAPE, WIDTHS, "x.pt")
        else:
            assert experiment_of(without, SHAPE, WIDTHS, "x.pt") == experiment_of(args, SHAPE, WIDTHS, "x.pt")
