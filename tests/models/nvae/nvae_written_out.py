"""The VAE of method.md: NVAE backbone, a second time: plain operations on official tensors, in the order of the text.

Nothing here comes from `lsgm.models`, so that an error in reading the text would have to be made twice. `config` only
gives the sizes P, S, G, n_pre, n_post, n_e, n_d, the numbers of flows, and switches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from lsgm.config import VaeConfig


def swish(x: Tensor) -> Tensor:
    return x * x.sigmoid()


def clamp(x: Tensor, a: float) -> Tensor:
    return a * (x / a).tanh()


def twice(x: Tensor) -> Tensor:
    """up2n."""
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


@cache
def flow_mask(
    outputs: int, inputs: int, side: int, block_out: int, block_in: int, strict: bool, mirror: bool
) -> Tensor:
    """1.6, element by element: channel c belongs to latent channel c // block."""
    mask = torch.zeros(outputs, inputs, side, side, dtype=torch.float64)
    for o in range(outputs):
        for i in range(inputs):
            for row in range(side):
                for column in range(side):
                    down, right = row - side // 2, column - side // 2
                    if mirror:
                        down, right = -down, -right
                    is_past = down < 0 or (down == 0 and right < 0)
                    own, other = o // block_out, i // block_in
                    is_lower = down == right == 0 and (other < own or (other == own and not strict))
                    mask[o, i, row, column] = is_past or is_lower
    return mask


class WrittenOut:
    def __init__(self, tensors: dict[str, Tensor], config: VaeConfig, batch_statistics: bool) -> None:
        self.t, self.config, self.batch_statistics = tensors, config, batch_statistics

    # 1.2

    def conv(self, name: str, x: Tensor, stride: int = 1, groups: int = 1, mask: Tensor | None = None) -> Tensor:
        weight = self.t[f"{name}.weight"]
        if mask is not None:
            weight = weight * mask
        if f"{name}.log_weight_norm" in self.t:
            norm = weight.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
            weight = self.t[f"{name}.log_weight_norm"].exp() * weight / (norm + 1e-5)
        return F.conv2d(x, weight, self.t.get(f"{name}.bias"), stride, weight.shape[-1] // 2, groups=groups)

    def bn(self, name: str, x: Tensor) -> Tensor:
        mean, variance = self.t[f"{name}.running_mean"], self.t[f"{name}.running_var"]
        if self.batch_statistics:
            mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
        scale = self.t[f"{name}.weight"] / (variance + 1e-5).sqrt()
        return (x - mean[:, None, None]) * scale[:, None, None] + self.t[f"{name}.bias"][:, None, None]

    def bns(self, name: str, x: Tensor) -> Tensor:
        return swish(self.bn(name, x))

    def se(self, name: str, x: Tensor) -> Tensor:
        if not self.config.use_se:
            return x
        h = F.linear(x.mean(dim=(2, 3)), self.t[f"{name}.0.weight"], self.t[f"{name}.0.bias"]).relu()
        gate = F.linear(h, self.t[f"{name}.2.weight"], self.t[f"{name}.2.bias"]).sigmoid()
        return x * gate[:, :, None, None]

    # 1.3; `kind` is 1, 2 (down) or -1 (up)

    def skip(self, name: str, x: Tensor, kind: int) -> Tensor:
        if kind == 1:
            return x
        if kind == -1:
            return self.conv(f"{name}.1", F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True))
        x = swish(x)
        shifted = (x, x[:, :, 1:, 1:], x[:, :, :, 1:], x[:, :, 1:, :])
        return torch.cat([self.conv(f"{name}.conv_{n + 1}", part, stride=2) for n, part in enumerate(shifted)], dim=1)

    def bnswish(self, name: str, x: Tensor, kind: int) -> Tensor:
        x = self.bns(f"{name}.0.bn_act", x)
        if kind == -1:
            x = twice(x)
        x = self.conv(f"{name}.0.conv_0", x, stride=2 if kind == 2 else 1)
        return self.conv(f"{name}.1.conv_0", self.bns(f"{name}.1.bn_act", x))

    def mconv(self, name: str, x: Tensor, kind: int, expansion: int) -> Tensor:
        first, h = 0, expansion * x.shape[1]
        if kind == -1:
            x, first = twice(x), 1
        steps = [f"{name}.0.conv.{first + n}" for n in range(5)]
        x = self.conv(f"{steps[1]}.conv.0", self.bn(f"{steps[0]}.bn", x))
        x = self.conv(f"{steps[2]}.conv.0", self.bns(f"{steps[1]}.conv.1", x), groups=h)
        return self.bn(f"{steps[4]}.bn", self.conv(steps[3], self.bns(f"{steps[2]}.conv.1", x)))

    def encoder_cell(self, name: str, x: Tensor, kind: int = 1) -> Tensor:
        return self.skip(f"{name}.skip", x, kind) + 0.1 * self.se(
            f"{name}.se.se", self.bnswish(f"{name}._ops", x, kind)
        )

    def decoder_cell(self, name: str, x: Tensor, kind: int = 1, expansion: int = 6) -> Tensor:
        branch = partial(self.mconv, expansion=expansion) if self.config.arch == "res_mbconv" else self.bnswish
        return self.skip(f"{name}.skip", x, kind) + 0.1 * self.se(f"{name}.se.se", branch(f"{name}._ops", x, kind))

    # 1.4 and 1.5, upwards

    def encode(self, x: Tensor) -> tuple[Tensor, list[tuple[str, Tensor]]]:
        """The final feature, and (combiner, stored feature) in the order in which they are met."""
        config = self.config
        s = self.conv("stem", x)
        number = 0
        for _block in range(config.num_preprocess_blocks):
            for cell in range(config.num_pre_post_cells):
                s = self.encoder_cell(f"pre_process.{number}", s, 2 if cell == config.num_pre_post_cells - 1 else 1)
                number += 1
        p, stored, number = s, [], 0
        for scale in range(config.num_latent_scales):
            is_last_scale = scale == config.num_latent_scales - 1
            for group in range(config.num_groups_per_scale):
                for _cell in range(config.num_cells_per_group):
                    s = self.encoder_cell(f"enc_tower.{number}", s)
                    number += 1
                if not (is_last_scale and group == config.num_groups_per_scale - 1):
                    stored.append((f"enc_tower.{number}.conv", s))
                    number += 1
            if not is_last_scale:
                s = self.encoder_cell(f"enc_tower.{number}", s, 2)
                number += 1
                if config.progressive_input == "input_skip":
                    name = f"progressive_input_cells.{scale}.conv"
                    p = self.conv(f"{name}.conv_0", self.bns(f"{name}.bn_act", p), stride=2)
                    s = s + p
        return s, stored

    # 1.6

    def flow(self, name: str, z: Tensor, mirror: bool) -> Tensor:
        c = z.shape[1]
        first = self.conv(f"{name}.conv.convz.0", z, mask=flow_mask(6 * c, c, 3, 6, 1, True, mirror))
        # Depth-wise: input and output are the same channel, so only the position counts.
        mask = flow_mask(1, 1, 5, 1, 1, False, mirror)
        second = self.conv(f"{name}.conv.convz.2", F.elu(first), groups=6 * c, mask=mask)
        last = F.elu(second)
        return z - self.conv(f"{name}.mu.conv_0", last, mask=flow_mask(c, 6 * c, 1, 1, 6, False, mirror))

    # 1.4, downwards

    def __call__(self, x: Tensor, noises: list[Tensor]) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Latents, elementwise log q, and output parameters."""
        final, stored = self.encode(x)
        latents: list[Tensor] = []
        log_q: list[Tensor] = []

        def draw(j: int, h: Tensor) -> Tensor:
            e = final
            if j:
                name, feature = stored.pop()
                e = feature + self.conv(name, h)
            raw_mean, raw_log_sigma = self.conv(f"enc_sampler.{j}.1", F.elu(e)).chunk(2, dim=1)
            mean, log_sigma = clamp(raw_mean, 5.0), clamp(raw_log_sigma, self.config.log_sigma_limit)
            z = mean + log_sigma.exp() * noises[j]
            log_q.append(-((z - mean) ** 2) / (2 * (2 * log_sigma).exp()) - log_sigma - 0.5 * math.log(2 * math.pi))
            for pair in range(self.config.num_flows):
                name = f"nf_cells.{j * self.config.num_flows + pair}"
                z = self.flow(f"{name}.cell2", self.flow(f"{name}.cell1", z, mirror=False), mirror=True)
            latents.append(z)
            return z

        params = self._downwards(draw, len(x))
        assert not stored
        return latents, log_q, params

    def decode(self, latents: list[Tensor]) -> Tensor:
        """Steps 4 to 6 with given latents."""
        return self._downwards(lambda j, _h: latents[j], len(latents[0]))

    def _downwards(self, latent_of: Callable[[int, Tensor], Tensor], batch_size: int) -> Tensor:
        config = self.config
        h = self.t["prior_ftr0"].expand(batch_size, -1, -1, -1)
        number = j = 0
        for scale in range(config.num_latent_scales):
            if scale:
                h = self.decoder_cell(f"dec_tower.{number}", h, -1)
                number += 1
            for _group in range(config.num_groups_per_scale):
                zeta = self.conv(f"eps_conv.{j}", latent_of(j, h))
                h = self.conv(f"dec_tower.{number}.conv", torch.cat((h, zeta), dim=1))
                number += 1
                for _cell in range(config.decoder_cells):
                    h = self.decoder_cell(f"dec_tower.{number}", h)
                    number += 1
                j += 1
        number = 0
        for _block in range(config.num_preprocess_blocks):
            for cell in range(config.post_cells):
                h = self.decoder_cell(f"post_process.{number}", h, -1 if cell == 0 else 1, expansion=3)
                number += 1
        return self.conv("image_conditional.1", F.elu(h))
