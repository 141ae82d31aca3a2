"""Behaviour of the whole VAE on tiny networks of every kind."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from lsgm.config import ConfigError, VaeConfig
from lsgm.models.nvae import NVAE, WNConv2d
from lsgm.models.outputs import build_output

TINY = {
    "num_channels": 8,
    "channel_mult": (1, 2),
    "num_groups_per_scale": 2,
    "num_latent_per_group": 3,
    "num_cells_per_group": 1,
}
KINDS = {
    "bnswish": {},
    "mbconv": {"arch": "res_mbconv", "output": "bernoulli"},
    "flows": {"num_flows": 1, "use_se": False},
    "three_scales": {
        "arch": "res_mbconv",
        "channel_mult": (1, 1, 2, 3),
        "num_latent_scales": 3,
        "progressive_input": "input_skip",
        "num_flows": 2,
        "output": "discretised_logistic",
    },
}


def _build(kind: str, crop: int = 0, seed: int = 0) -> NVAE:
    config = VaeConfig(**(TINY | KINDS[kind]))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return NVAE(config, (1 if config.output == "bernoulli" else 3, 16, 16), build_output(config.output), crop)


def _inputs(model: NVAE, batch_size: int = 3) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(batch_size, *model.image_shape, generator=generator).round() * 2 - 1
    return x, [torch.randn(batch_size, *shape, generator=generator) for shape in model.latent_shapes]


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest) -> NVAE:
    return _build(request.param)


@torch.no_grad()
def _with_running_statistics(model: NVAE) -> NVAE:
    for _ in range(20):
        model.train()(*_inputs(model, batch_size=8))
    return model.eval()


def test_shapes(model: NVAE) -> None:
    x, noises = _inputs(model)
    result = model(x, noises)
    assert [tuple(latent.shape[1:]) for latent in result.latents] == model.latent_shapes
    assert [log_q.shape for log_q in result.log_q] == [latent.shape for latent in result.latents]
    assert result.params.shape == (3, model.output.num_parameters(x.shape[1]), 16, 16)
    assert model.reconstruction(result.params, x).shape == (3,)
    assert tuple(model.join(result.latents).shape[1:]) == model.prior_shape


def test_decoding_the_latents_gives_the_forward_pass_and_encoding_gives_its_latents(model: NVAE) -> None:
    _with_running_statistics(model)
    x, noises = _inputs(model)
    with torch.no_grad():
        result, encoding = model(x, noises), model.encode(x, noises)
        assert torch.equal(model.decode(result.latents), result.params)
    assert all(map(torch.equal, encoding.latents, result.latents))
    assert all(map(torch.equal, encoding.log_q, result.log_q))


def test_split_undoes_join(model: NVAE) -> None:
    _, noises = _inputs(model)
    top = model.split(model.join(noises))
    assert len(top) == model.num_prior_groups == 2
    assert all(map(torch.equal, top, noises))


def test_a_result_does_not_depend_on_its_neighbours_in_evaluation_mode(model: NVAE) -> None:
    _with_running_statistics(model).double()
    x, noises = _inputs(model, batch_size=4)
    x, noises = x.double(), [noise.double() for noise in noises]
    with torch.no_grad():
        batch = model(x, noises)
        alone = model(x[2:3], [noise[2:3] for noise in noises])
    torch.testing.assert_close(batch.params[2:3], alone.params, rtol=1e-10, atol=1e-12)
    for together, single in zip(batch.latents, alone.latents, strict=True):
        torch.testing.assert_close(together[2:3], single, rtol=1e-10, atol=1e-12)


def test_every_parameter_has_a_finite_gradient(model: NVAE) -> None:
    x, noises = _inputs(model)
    result = model(x, noises)
    (model.reconstruction(result.params, x).sum() + sum(log_q.sum() for log_q in result.log_q)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_log_q_is_the_density_of_the_sample() -> None:
    model = _build("bnswish")
    x, noises = _inputs(model)
    posteriors = []
    for _, group in model.decoder.steps():
        group.sampler.register_forward_hook(lambda _module, _inputs, posterior: posteriors.append(posterior))
    result = model(x, noises)
    for posterior, latent, log_q in zip(posteriors, result.latents, result.log_q, strict=True):
        expected = torch.distributions.Normal(posterior.mean, posterior.log_sigma.exp()).log_prob(latent)
        torch.testing.assert_close(log_q, expected, rtol=1e-4, atol=1e-5)


def test_clamps_bound_the_posterior() -> None:
    config = VaeConfig(**(TINY | {"log_sigma_limit": 2.0}))
    model = NVAE(config, (3, 16, 16), build_output(config.output))
    feature = torch.full((1, 16, 8, 8), 1e4)
    for _, group in model.decoder.steps():
        posterior = group.sampler(feature)
        assert 4.9 < posterior.mean.abs().max() <= 5
        assert 1.9 < posterior.log_sigma.abs().max() <= 2


def test_later_groups_depend_on_earlier_ones_and_not_the_other_way_round(model: NVAE) -> None:
    model.eval()
    x, noises = _inputs(model)
    before = model.encode(x, noises).latents
    middle = len(noises) // 2
    after = model.encode(x, [noise + (index == middle) for index, noise in enumerate(noises)]).latents
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [index >= middle for index in range(len(noises))]


def test_progressive_input_is_added_after_each_step_down() -> None:
    model = _build("three_scales").eval()
    x, _ = _inputs(model)
    encoder = model.encoder
    image = feature = encoder.preprocess(encoder.stem(x))
    expected = []
    for scale in encoder.scales:
        if scale.down is not None:
            image = scale.input_skip(image)
            feature = scale.down(feature) + image
        for group in scale.groups:
            feature = group(feature)
            expected.insert(0, feature)
    assert all(map(torch.equal, encoder(x), expected))


def test_likelihood_leaves_out_the_padding() -> None:
    model = _build("mbconv", crop=2)
    x, noises = _inputs(model)
    params = model(x, noises).params
    inside = model.output.log_prob_map(params, x)[:, 2:-2, 2:-2]
    torch.testing.assert_close(model.reconstruction(params, x), -inside.sum(dim=(1, 2)))
    margin = torch.ones(16, 16)
    margin[2:-2, 2:-2] = 0
    torch.testing.assert_close(model.reconstruction(params, x * (1 - 2 * margin)), model.reconstruction(params, x))


def test_an_image_side_that_cannot_be_halved_is_refused() -> None:
    config = VaeConfig(**(TINY | KINDS["three_scales"]))
    with pytest.raises(ConfigError, match=r"28x28.*num_preprocess_blocks.*num_latent_scales"):
        NVAE(config, (3, 28, 28), build_output(config.output))


def test_a_wrong_number_of_latents_is_refused(model: NVAE) -> None:
    _, noises = _inputs(model)
    with pytest.raises(ValueError, match="shorter"):
        model.decode(noises[:-1])


def test_initialisation() -> None:
    model, same, other = _build("three_scales"), _build("three_scales"), _build("three_scales", seed=1)
    constant = model.decoder.constant
    assert 0 <= constant.min() < 0.02 and 0.98 < constant.max() < 1
    assert all(map(torch.equal, model.state_dict().values(), same.state_dict().values()))
    assert not torch.equal(constant, other.decoder.constant)
    for name, module in model.named_modules():
        if isinstance(module, WNConv2d):
            masked = module.weight if module.mask is None else module.weight * module.mask
            expected = (masked.flatten(1).norm(dim=1) + 1e-2).log()
            if name.endswith("conv_out"):
                expected += math.log(0.1)
            torch.testing.assert_close(module.log_norm.flatten(), expected)


def test_a_trained_model_can_be_copied_and_regularised(model: NVAE) -> None:
    """What training needs: the weights that the last forward used, once, and copies in between."""
    x, noises = _inputs(model)
    model.train()
    result = model(x, noises)
    weights = [module.last_weight for module in model.modules() if isinstance(module, WNConv2d)]
    (result.params.sum() + sum(weight.square().sum() for weight in weights)).backward()
    copied = copy.deepcopy(model)
    assert all(module.last_weight is None for module in copied.modules() if isinstance(module, WNConv2d))
    assert all(map(torch.equal, copied.state_dict().values(), model.state_dict().values()))
    with torch.no_grad():
        model(x, noises)
    assert all(module.last_weight is None for module in model.modules() if isinstance(module, WNConv2d))
    model.train()(x, noises)
    model.eval()(x, noises)
    assert all(module.last_weight is None for module in model.modules() if isinstance(module, WNConv2d))


def test_half_precision_features_leave_float32_latents_and_likelihoods(model: NVAE) -> None:
    x, noises = _inputs(model)
    exact = model(x, noises)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = model(x, noises)
        reconstruction = model.reconstruction(result.params, x)
    assert reconstruction.dtype == torch.float32
    for latent, log_q, reference in zip(result.latents, result.log_q, exact.latents, strict=True):
        assert latent.dtype == log_q.dtype == torch.float32
        torch.testing.assert_close(latent, reference, rtol=0.1, atol=0.1)


def test_it_converts_to_synchronised_batch_norm(model: NVAE) -> None:
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(model))
    norms = [module for module in converted.modules() if isinstance(module, nn.SyncBatchNorm)]
    assert norms and all((norm.eps, norm.momentum) == (1e-5, 0.05) for norm in norms)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in converted.modules())
    assert list(converted.state_dict()) == list(model.state_dict())
