"""Output distributions: normalisation, special cases, extreme parameters."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lsgm.config import ConfigError, VaeConfig
from lsgm.models.outputs import OUTPUTS, build_output

# A point mass has no gradient, and all but one intensity have a log-probability of -inf.
SMOOTH = [name for name in OUTPUTS if name != "intensity"]


def _channels(name: str) -> int:
    return 3 if name == "discretised_logistic_mixture" else 1


def _intensities(num_bits: int) -> Tensor:
    """All values of a one-pixel, one-colour image, as a batch."""
    highest = 2**num_bits - 1
    return (torch.arange(highest + 1, dtype=torch.float64) / highest * 2 - 1)[:, None, None, None]


@pytest.mark.parametrize("num_bits", [1, 3, 5, 8])
@pytest.mark.parametrize(("mean", "log_scale"), [(0.0, -1.0), (0.3, -2.0), (-0.9, 0.0), (1.4, -1.5)])
def test_discretised_logistic_sums_to_one(num_bits: int, mean: float, log_scale: float) -> None:
    x = _intensities(num_bits)
    params = torch.tensor([mean, log_scale], dtype=torch.float64)[None, :, None, None].expand(len(x), -1, 1, 1)
    total = build_output("discretised_logistic", num_bits).log_prob(params, x).exp().sum().item()
    # Bins of mass below 1e-5, and only these, are approximated.
    assert total == pytest.approx(1, abs=1e-12 if num_bits < 8 and log_scale > -1.2 else 1e-4)


def test_bernoulli_sums_to_one() -> None:
    x = torch.tensor([-1.0, 1.0])[:, None, None, None]
    params = torch.full((2, 1, 1, 1), 0.7)
    probabilities = build_output("bernoulli").log_prob(params, x).exp()
    torch.testing.assert_close(probabilities[1], torch.tensor(0.7).sigmoid())
    torch.testing.assert_close(probabilities.sum(), torch.tensor(1.0))


def test_mixture_of_equal_components_is_one_logistic() -> None:
    """Equal components, no coupling of colours: the product over colours of the single form."""
    x = torch.randint(256, (2, 3, 4, 4)) / 127.5 - 1
    mean, log_scale = torch.randn(2, 3, 4, 4) / 3, torch.randn(2, 3, 4, 4) - 2
    coefficients = torch.zeros(2, 3, 10, 4, 4)
    colours = torch.stack([mean, log_scale], dim=2)[:, :, :, None].expand(-1, -1, -1, 10, -1, -1).flatten(2, 3)
    params = torch.cat([torch.randn(2, 10, 4, 4), torch.cat([colours, coefficients], dim=2).flatten(1, 2)], dim=1)
    single = build_output("discretised_logistic").log_prob(torch.cat([mean, log_scale], dim=1), x)
    mixture = build_output("discretised_logistic_mixture")
    torch.testing.assert_close(mixture.log_prob(params, x), single)
    torch.testing.assert_close(mixture.mean(params), mean.clamp(-1, 1))


def test_mixture_mean_of_one_dominant_component() -> None:
    params = torch.zeros(1, 100, 1, 1)
    colours = params[:, 10:].view(3, 3, 10)
    params[:, 3] = 50
    colours[:, 0, :] = 9.0  # locations of the other components, which have no weight
    colours[:, 0, 3] = torch.tensor([0.5, 0.1, -0.2])
    colours[:, 2, 3] = torch.tensor([0.3, -0.4, 2.0])
    c0, c1, c2 = torch.tensor([0.3, -0.4, 2.0]).tanh().tolist()
    red = 0.5
    green = 0.1 + c0 * red
    expected = torch.tensor([red, green, -0.2 + c1 * red + c2 * green]).view(1, 3, 1, 1)
    torch.testing.assert_close(build_output("discretised_logistic_mixture").mean(params), expected)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("size", [1e2, 1e4])
@pytest.mark.parametrize("sign", [-1, 1, 0])
def test_values_and_gradients_are_finite_at_extreme_parameters(name: str, size: float, sign: int) -> None:
    torch.manual_seed(0)
    output, channels = build_output(name), _channels(name)
    shape = (2, output.num_parameters(channels), 4, 4)
    params = torch.full(shape, sign * size) if sign else torch.randn(shape) * size
    params.requires_grad_()
    x = torch.randint(2, (2, channels, 4, 4)) * 2.0 - 1
    x[0] *= 0.2
    log_prob = output.log_prob(params, x)
    log_prob.sum().backward()
    mean = output.mean(params)
    assert log_prob.isfinite().all()
    assert params.grad.isfinite().all()
    assert mean.isfinite().all() and mean.abs().max() <= 1


@pytest.mark.parametrize("num_bits", [1, 3, 8])
def test_intensity_has_all_mass_on_one_value(num_bits: int) -> None:
    x, output, bins = _intensities(num_bits), build_output("intensity", num_bits), 2**num_bits
    edges = torch.arange(bins + 1, dtype=torch.float64) * 2 / bins - 1
    for place in (0.0, 0.3, 0.999):
        params = (edges[:-1] + place * 2 / bins)[:, None, None, None]
        pairs = output.log_prob(params.repeat_interleave(bins, 0), x.repeat(bins, 1, 1, 1)).view(bins, bins)
        assert torch.equal(pairs.exp(), torch.eye(bins, dtype=torch.float64))
        assert torch.equal(pairs, pairs.exp().log()), "0 and -inf"
        assert torch.equal(output.mean(params), x)


@pytest.mark.parametrize("size", [1.0, 1.2, 1e4, torch.inf])
def test_intensity_beyond_the_outermost_bins_is_theirs(size: float) -> None:
    output, params = build_output("intensity", 5), torch.full((1, 1, 1, 1), size)
    for sign in (-1, 1):
        assert output.mean(sign * params).item() == sign
        assert output.log_prob(sign * params, torch.full((1, 1, 1, 1), float(sign))).item() == 0


@pytest.mark.parametrize("name", OUTPUTS)
def test_non_finite_parameters_are_not_hidden(name: str) -> None:
    output, channels = build_output(name), _channels(name)
    params = torch.zeros(2, output.num_parameters(channels), 2, 2)
    params[1, :, 0, 0] = torch.nan
    assert output.log_prob(params, torch.zeros(2, channels, 2, 2)).isnan().tolist() == [False, True]


@pytest.mark.parametrize("name", OUTPUTS)
def test_crop_and_precision(name: str) -> None:
    torch.manual_seed(0)
    output, channels = build_output(name), _channels(name)
    params, x = torch.randn(2, output.num_parameters(channels), 8, 8), torch.rand(2, channels, 8, 8).round() * 2 - 1
    torch.testing.assert_close(output.log_prob(params, x), output.log_prob_map(params, x).sum(dim=(1, 2)))
    inside = output.log_prob(params[:, :, 2:6, 2:6], x[:, :, 2:6, 2:6])
    assert torch.equal(output.log_prob(params, x, crop=2), inside)
    half = output.log_prob(params.bfloat16(), x)
    assert half.dtype == output.mean(params.half()).dtype == torch.float32
    assert output.log_prob(params.double(), x).dtype == torch.float64
    assert torch.equal(half, output.log_prob(params.bfloat16().float(), x))


def test_registry_agrees_with_the_settings() -> None:
    assert tuple(OUTPUTS) == VaeConfig.model_fields["output"].annotation.__args__
    assert [build_output(name).num_parameters(3) for name in OUTPUTS] == [3, 100, 6, 6, 3]


def test_unknown_output_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"vae.output is 'categorical'.*bernoulli"):
        build_output("categorical")


def test_mixture_refuses_grey_images() -> None:
    with pytest.raises(ConfigError, match="3 colours"):
        build_output("discretised_logistic_mixture").num_parameters(1)
