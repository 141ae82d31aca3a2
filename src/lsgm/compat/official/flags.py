"""The flags of the authors' two training scripts, with the defaults of their parsers.

A checkpoint holds the values of all flags. The script of stage 2 takes over the flags of the VAE's network from the
checkpoint of stage 1, so an LSGM has those as well.
"""

from __future__ import annotations

from types import MappingProxyType

_VAE = {
    "arch_instance": "res_mbconv",
    "use_se": False,
    "num_nf": 0,
    "log_sig_q_scale": 5.0,
    "num_x_bits": 8,
    "num_latent_scales": 1,
    "num_groups_per_scale": 10,
    "num_latent_per_group": 20,
    "channel_mult": [1, 2],
    "num_channels_enc": 32,
    "num_preprocess_blocks": 2,
    "num_preprocess_cells": 3,
    "num_cell_per_cond_enc": 1,
    "num_channels_dec": 32,
    "num_postprocess_blocks": 2,
    "num_postprocess_cells": 3,
    "num_cell_per_cond_dec": 1,
    "decoder_dist": "dml",
    "progressive_input_vae": "none",
}
_BOTH = {
    "dataset": "cifar10",
    "batch_size": 64,
    "epochs": 100,
    "warmup_epochs": 5,
    "weight_decay": 3.0e-4,
    "seed": 1,
    "num_proc_node": 1,
    "num_process_per_node": 1,
}
# They say where and how a script ran, or do nothing at all; no settings of ours follow from them.
_RUN = {
    "root": "",
    "save": "exp",
    "data": "",
    "cont_training": False,
    "autocast_train": True,
    "autocast_eval": True,
    "node_rank": 0,
    "local_rank": 0,
    "global_rank": 0,
    "master_address": "127.0.0.1",
    "distributed": False,
}
# Of the regulariser's annealing in stage 1 our settings keep the end, which is weight_decay_norm.
_RUN_STAGE_1 = {"weight_decay_norm_init": 10.0, "weight_decay_norm_anneal": False}
_RUN_STAGE_2 = {
    "vpsde_power": 2,
    "apply_sqrt2_res": False,
    "train_ode_eps": 1.0e-2,
    "train_ode_solver_tol": 1.0e-4,
    "fid_dir": "",
    "vae_checkpoint": "",
    "vada_checkpoint": "",
    "discard_vae_weights": False,
    "discard_dae_weights": False,
    "iw_subvp_like_vp_sde": False,
    "no_autograd_jvp": False,
    "skip_final_eval": False,
}

STAGE_1 = MappingProxyType(
    {
        **_BOTH,
        **_VAE,
        "learning_rate_vae": 1.0e-2,
        "learning_rate_min_vae": 1.0e-4,
        "weight_decay_norm": 0.0,
        "kl_anneal_portion": 0.3,
        "kl_const_portion": 1.0e-4,
        "kl_const_coeff": 1.0e-4,
        "kl_max_coeff": 1.0,
        **_RUN,
        **_RUN_STAGE_1,
    }
)
"""Flags of the script that trains a VAE, with their defaults."""

STAGE_2 = MappingProxyType(
    {
        **_BOTH,
        **_VAE,
        "learning_rate_vae": 1.0e-4,
        "learning_rate_min_vae": 1.0e-5,
        "learning_rate_dae": 3.0e-4,
        "learning_rate_min_dae": 3.0e-4,
        "ema_decay": 0.9999,
        "grad_clip_max_norm": 0.0,
        "weight_decay_norm_vae": 0.0,
        "weight_decay_norm_dae": 0.0,
        "custom_conv_dae": False,
        "dae_arch": "ncsnpp",
        "num_channels_dae": 128,
        "num_scales_dae": 4,
        "num_cell_per_scale_dae": 2,
        "dropout": 0.0,
        "fir": False,
        "embedding_type": "positional",
        "embedding_dim": 128,
        "embedding_scale": 1.0,
        "progressive": "none",
        "progressive_input": "none",
        "progressive_combine": "sum",
        "mixed_prediction": True,
        "mixing_logit_init": -3.0,
        "sde_type": "geometric_sde",
        "beta_start": 0.1,
        "beta_end": 20.0,
        "sigma2_0": 0.0,
        "sigma2_min": 1.0e-4,
        "sigma2_max": 0.99,
        "time_eps": 1.0e-2,
        "iw_sample_p": "ll_uniform",
        "iw_sample_q": "reweight_p_samples",
        "train_vae": False,
        "disjoint_training": False,
        "update_q_ema": False,
        "drop_inactive_var": False,
        "cont_kl_anneal": False,
        "kl_anneal_portion_vada": 0.1,
        "kl_const_portion_vada": 0.0,
        "kl_const_coeff_vada": 0.7,
        "kl_max_coeff_vada": 1.0,
        "kl_balance_vada": False,
        "diffusion_steps": 1000,
        "denoising_stddevs": "beta",
        "eval_ode_eps": 1.0e-5,
        "eval_ode_solver_tol": 1.0e-5,
        **_RUN,
        **_RUN_STAGE_2,
    }
)
"""Flags of the script that trains an LSGM, with their defaults."""

REQUIRED = frozenset(
    {
        "dataset",
        "arch_instance",
        "use_se",
        "num_latent_scales",
        "num_groups_per_scale",
        "num_latent_per_group",
        "channel_mult",
        "num_channels_enc",
        "num_preprocess_blocks",
        "num_preprocess_cells",
        "num_cell_per_cond_enc",
        "num_channels_dec",
        "num_postprocess_blocks",
        "num_postprocess_cells",
        "num_cell_per_cond_dec",
        "decoder_dist",
        "num_channels_dae",
        "num_cell_per_scale_dae",
        "sde_type",
    }
)
"""Flags whose absence is an error: a wrong guess would give another network, or another process in the same network."""

WITHOUT_MEANING = frozenset({*_RUN, *_RUN_STAGE_1, *_RUN_STAGE_2})
"""Flags that leave no trace in our settings."""
