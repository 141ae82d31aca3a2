"""f_full_params: names, shapes and numbers of everything in the seven published models, built from their arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn

from lsgm.compat.official.score_names import to_official
from lsgm.compat.official.vae_layers import ALIAS
from lsgm.compat.official.vae_names import official_state
from lsgm.evaluation.units import bits_per_dim
from lsgm.objective import group_sizes
from lsgm.training.spectral import Regulariser

from .case import Case, Exclusion
from .official_networks import experiment, image_shape, outline
from .vectors import Value, Vectors

FILE = "f_full_params"
BUFFERS = dict(nn.BatchNorm2d(1).named_buffers()).keys()
NAMES = (
    *("mnist", "omniglot", "cifar10_balanced", "cifar10_bestnll"),
    *("celeba256_quant", "celeba256_qual", "celeba256_qual_stage3"),
)


def sizes(vectors: Vectors, name: str) -> dict[str, Value]:
    """Everything that the file says about one configuration."""
    record = vectors.record["configs"][name]
    arguments = record["vada_args"]
    config, model = experiment(arguments), outline(arguments)
    vae, prior = model.vae, model.prior
    state = official_state(vae.state_dict(), vae.config)
    state = {name: tensor for name, tensor in state.items() if not name.endswith(ALIAS)}
    buffers = {name for name in state if name.rpartition(".")[2] in BUFFERS}
    network = to_official(prior.network, prior.network.state_dict()) | {"mixing_logit": prior.mixing_logit}
    sides = [shape[1] for shape in vae.latent_shapes]
    channels = Counter()
    for size, side, _ in vae.latent_shapes:
        channels[side] += size
    found: dict[str, Value] = {
        "latent_structure": list(channels.values()),
        "groups_per_scale": list(Counter(sides).values()),
        "dae_input_size": prior.shape[1],
        "dae_all_resolutions": [prior.shape[1] >> level for level in range(len(config.prior.channel_mult))],
        "bpd_coeff": bits_per_dim(1.0, image_shape(arguments, config)),
        "kl_balancer_alpha_square": group_sizes(vae.latent_shapes),
    }
    found |= _part("vae", state, buffers, record["vae"]["top_level"])
    found |= _part("sgm", network, set(), record["sgm"]["top_level"])
    convolutions, norms = _regularised(vae, True)
    found |= {"spectral_reg/vae_conv_layers": convolutions, "spectral_reg/vae_bn_layers": norms}
    convolutions, norms = _regularised(prior, config.train.sr_sgm_convs)
    found |= {"spectral_reg/sgm_conv_layers": convolutions, "spectral_reg/sgm_norm_layers": norms}
    return {f"configs/{name}/{key}": value for key, value in found.items()}


def _part(part: str, state: Mapping[str, Tensor], buffers: set[str], top_level: Mapping[str, int]) -> dict[str, Value]:
    shapes = {name: list(tensor.shape) for name, tensor in state.items()}
    parameters = {name: shape for name, shape in shapes.items() if name not in buffers}
    counts = Counter()
    for name in parameters:
        counts[name.partition(".")[0]] += state[name].numel()
    found = {
        "total_params": counts.total(),
        "n_tensors": len(parameters),
        "total_buffers": sum(state[name].numel() for name in buffers),
        "params": parameters,
        "buffers": {name: shapes[name] for name in buffers},
        # Modules without parameters are in the list too.
        **{f"top_level/{name}": counts[name] for name in top_level},
    }
    return {f"{part}/{key}": value for key, value in found.items()}


def _regularised(network: nn.Module, with_convolutions: bool) -> tuple[int, int]:
    """Number of convolutions and of norms that the regulariser sees."""
    regulariser = Regulariser(network, 1.0, with_convolutions, 0, "parity")
    vectors = {} if regulariser.spectral is None else regulariser.spectral.left
    return sum(map(len, vectors.values())), sum(map(len, regulariser.scales.values()))


CASES = [
    Case(FILE, f"sizes of {name}", f"configs/{name}/(?!v(ae|ada)_args).*", partial(sizes, name=name)) for name in NAMES
]
EXCLUSIONS = [Exclusion(FILE, "configs/.*/(vae|vada)_args", "inputs; that they can be written back is tested apart")]
