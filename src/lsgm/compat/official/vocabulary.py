"""Which flag of the authors' scripts is which key of our settings, read in both directions.

Settings that follow from several flags, or a flag that says several settings, are in `arguments` and `namespace`.
"""

from __future__ import annotations

from types import MappingProxyType

# Same value on both sides: flag -> section.key.
SAME_VAE = {
    "seed": "seed",
    "num_x_bits": "data.num_bits",
    "num_channels_enc": "vae.num_channels",
    "channel_mult": "vae.channel_mult",
    "num_preprocess_blocks": "vae.num_preprocess_blocks",
    "num_preprocess_cells": "vae.num_pre_post_cells",
    "num_latent_scales": "vae.num_latent_scales",
    "num_groups_per_scale": "vae.num_groups_per_scale",
    "num_latent_per_group": "vae.num_latent_per_group",
    "num_cell_per_cond_enc": "vae.num_cells_per_group",
    "num_nf": "vae.num_flows",
    "use_se": "vae.use_se",
    "log_sig_q_scale": "vae.log_sigma_limit",
}
SAME_STAGE_1 = {
    "epochs": "pretrain.epochs",
    "warmup_epochs": "pretrain.warmup_epochs",
    "learning_rate_vae": "pretrain.lr",
    "learning_rate_min_vae": "pretrain.lr_min",
    "weight_decay": "pretrain.weight_decay",
    "weight_decay_norm": "pretrain.sr_coeff",
    "kl_const_coeff": "pretrain.kl.start",
    "kl_max_coeff": "pretrain.kl.end",
    "kl_const_portion": "pretrain.kl.const_portion",
    "kl_anneal_portion": "pretrain.kl.anneal_portion",
}
SAME_STAGE_2 = {
    "num_channels_dae": "prior.num_channels",
    "num_cell_per_scale_dae": "prior.num_cells_per_scale",
    "dropout": "prior.dropout",
    "fir": "prior.fir",
    "embedding_dim": "prior.embedding_dim",
    "embedding_scale": "prior.embedding_scale",
    "mixed_prediction": "prior.mixed_score",
    "mixing_logit_init": "prior.mixing_logit_init",
    "sigma2_0": "sde.sigma2_0",
    "time_eps": "sde.time_eps",
    "epochs": "train.epochs",
    "warmup_epochs": "train.warmup_epochs",
    "learning_rate_vae": "train.lr_vae",
    "learning_rate_min_vae": "train.lr_vae_min",
    "learning_rate_dae": "train.lr_sgm",
    "learning_rate_min_dae": "train.lr_sgm_min",
    "weight_decay": "train.weight_decay",
    "grad_clip_max_norm": "train.grad_clip",
    "weight_decay_norm_vae": "train.sr_coeff_vae",
    "weight_decay_norm_dae": "train.sr_coeff_sgm",
    "train_vae": "train.train_vae",
    "drop_inactive_var": "train.drop_inactive",
    "kl_balance_vada": "train.kl_balance",
    "diffusion_steps": "sample.num_steps",
    "eval_ode_eps": "evaluate.nelbo.time_end",
    "eval_ode_solver_tol": "evaluate.nelbo.tol",
}

# Constants of the process that only some processes have. The others keep our defaults, so that settings which mean the
# same thing are equal.
SAME_OF_SDE = {
    "vpsde": {"beta_start": "sde.beta_start", "beta_end": "sde.beta_end"},
    "sub_vpsde": {"beta_start": "sde.beta_start", "beta_end": "sde.beta_end"},
    "geometric": {"sigma2_min": "sde.sigma2_min", "sigma2_max": "sde.sigma2_max"},
    "vesde": {"sigma2_min": "sde.sigma2_min", "sigma2_max": "sde.sigma2_max"},
}

# The KL coefficient of stage 2, where `cont_kl_anneal` is given.
SAME_KL = {
    "kl_const_coeff_vada": "train.kl.start",
    "kl_max_coeff_vada": "train.kl.end",
    "kl_const_portion_vada": "train.kl.const_portion",
    "kl_anneal_portion_vada": "train.kl.anneal_portion",
}

# A word on each side: flag -> (section.key, {their word: ours}).
WORDS_VAE = {
    "arch_instance": ("vae.arch", {"res_bnswish": "res_bnswish", "res_mbconv": "res_mbconv"}),
    "progressive_input_vae": ("vae.progressive_input", {"none": "none", "input_skip": "input_skip"}),
    "decoder_dist": (
        "vae.output",
        {
            "bin": "bernoulli",
            "dml": "discretised_logistic_mixture",
            "dl": "discretised_logistic",
            "normal": "normal",
        },
    ),
}
WORDS_STAGE_2 = {
    "embedding_type": ("prior.embedding", {"positional": "positional", "fourier": "fourier"}),
    "progressive": (
        "prior.progressive",
        {"none": "none", "output_skip": "output_skip", "residual": "residual"},
    ),
    "progressive_input": (
        "prior.progressive_input",
        {"none": "none", "input_skip": "input_skip", "residual": "residual"},
    ),
    "progressive_combine": ("prior.progressive_combine", {"sum": "sum", "cat": "cat"}),
    "sde_type": (
        "sde.type",
        {"vpsde": "vpsde", "geometric_sde": "geometric", "sub_vpsde": "sub_vpsde", "vesde": "vesde"},
    ),
    "iw_sample_q": ("objective.q_time", {"reweight_p_samples": "rew", "ll_iw": "ll", "ll_uniform": "uniform"}),
    "denoising_stddevs": ("sample.step_variance", {"beta": "beta", "beta_post": "beta_post"}),
}

WEIGHTINGS = MappingProxyType(
    {
        "ll_uniform": ("ll", "uniform"),
        "ll_iw": ("ll", "is"),
        "drop_all_uniform": ("un", "uniform"),
        "drop_all_iw": ("un", "is"),
        "drop_sigma2t_uniform": ("re", "uniform"),
        "drop_sigma2t_iw": ("re", "is"),
        "rescale_iw": ("rescale", "uniform"),
    }
)
"""`iw_sample_p` -> (objective.weighting, objective.time)."""

# The decoder's sizes, ours null where they are the encoder's: flag -> (its key, flag of the encoder's).
DECODER = {
    "num_channels_dec": ("vae.num_channels_decoder", "num_channels_enc"),
    "num_postprocess_cells": ("vae.num_post_cells", "num_preprocess_cells"),
    "num_cell_per_cond_dec": ("vae.num_cells_per_group_decoder", "num_cell_per_cond_enc"),
}
