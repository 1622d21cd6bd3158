# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector does to true keypoints: bias, noise correlated in time and between joints, occlusion, edges, swapped
sides, joints that are missing, and confidences that know as much of the error as a detector's do.

The numbers are in `detector_noise.json`, measured by `benchmarks/detector_noise.py`; every window draws its own around
them, since other detectors and other footage are better or worse. Lengths are fractions of the person's size.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from ....rigging.joints import COCO17, mirror_rows
from .noise_numbers import SECONDS, Noise, Spread, measured_noise
from .occlusion import occluded

__all__ = ["add_noise", "occluded"]

#: Pixels of the people whose noise was measured; larger ones are not taken to be even quieter.
_MEASURED_SIZES = (75, 450)


def add_noise(
    image: Tensor,
    size: Tensor,
    hidden: Tensor,
    outside: Tensor,
    fps: float,
    generator: torch.Generator,
    measured: Noise | None = None,
    spread: Spread | None = None,
    pixels: Tensor | None = None,
) -> Tensor:
    """True keypoints to detected ones.

    image: (B, T, 17, 2) any unit; size: (B, T) the person's size in that unit (0.97 of the standing height).
    hidden, outside: (B, T, 17) bool, occluded and beyond the picture's edge. fps: rate of the T frames, Hz.
    generator: of the device that the tensors are on. measured: of that device; None: the numbers of this package.
    pixels: (B,) the person's size in pixels; None draws 80 to 900.
    Returns (B, T, 17, 3): x, y and a confidence; a joint that was not found is 0, 0, 0.
    """
    draw = _Draw(image, fps, generator)
    numbers = measured or measured_noise(str(image.device))
    spread = spread or Spread()
    batch, frames = image.shape[:2]
    # Joints first: everything below is (17, B, T), or (17, B, 2, T) where there are two axes.
    state = torch.where(outside, 2, hidden.long()).permute(2, 0, 1)
    state = (17 * state + torch.arange(17, device=image.device)[:, None, None]).contiguous()
    true = image.permute(2, 0, 3, 1) / size[:, None]
    if pixels is None:
        pixels = torch.exp(math.log(80) + math.log(900 / 80) * draw.rand(batch))
    skill = numbers.pixels[0] + numbers.pixels[1] * torch.log(pixels.clamp(*_MEASURED_SIZES) / 300)
    skill = torch.exp(skill + (numbers.skill[0].square() + spread.skill**2).sqrt() * draw.randn(batch))
    noise = _errors(true, state, skill, fps, numbers, spread, draw)
    confidence = _confidences(noise, state, numbers, draw)
    bias = (numbers.bias @ true.reshape(17, -1)).reshape(true.shape)
    known = 1 + spread.bias * draw.randn(9, batch)
    noisy = true + noise + bias * known[_KIND][:, :, None, None]
    noisy, confidence = _swap_sides(noisy, confidence, fps, numbers, spread, draw)
    lost = _lost(state, numbers, spread, draw)
    flat = (draw.rand(batch, 1) < spread.flat).expand(batch, frames)
    confidence = torch.where(flat, 1.0, confidence) * ~lost
    noisy = noisy * size[:, None] * ~lost[:, :, None]
    return torch.cat([noisy, confidence[:, :, None]], dim=2).permute(1, 3, 0, 2)


def _of(table: Tensor, state: Tensor) -> Tensor:
    """(17, B, T) entries of a table (3, 17); state: 17 times its row plus the joint."""
    return table.reshape(-1).index_select(0, state.reshape(-1)).view(state.shape)


class _Draw:
    """Random numbers on the device of `like`, white and lasting."""

    def __init__(self, like: Tensor, fps: float, generator: torch.Generator) -> None:
        self.device, self.generator = like.device, generator
        self.frames, self.fps = like.shape[1], fps

    def rand(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.device)

    def randn(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def lasting(self, seconds: float, *shape: int) -> Tensor:
        """(*shape, T) unit Gaussian noise that forgets over `seconds`."""
        waves = _waves(self.frames, seconds * self.fps, str(self.device))
        return self.randn(*shape, len(waves)) @ waves

    def bouts(self, measured: Tensor, batch: int) -> Tensor:
        """(B, T) bool: share of 3 s recordings, of their frames, and seconds of a run, as in `Noise.lost`."""
        often, share, seconds = measured.tolist()
        if not often * share:
            return torch.zeros(batch, self.frames, dtype=torch.bool, device=self.device)
        some = self.rand(batch, 1) < often * min(self.frames / self.fps / 3, 1)
        # Runs above a threshold that is seldom reached are 1.2 times as long as the noise lasts (Rice's formula).
        return some & (self.lasting(seconds / 1.2, batch) > _threshold(measured[1]))


@lru_cache(maxsize=64)
def _waves(frames: int, length: float, device: str) -> Tensor:
    """(K, T) to combine with K unit normals to noise of covariance exp(-(t / length)^2 / 2), length in frames."""
    time = torch.arange(frames, dtype=torch.float64) / length
    values, vectors = torch.linalg.eigh(torch.exp(-0.5 * (time[:, None] - time).square()))
    kept = values > 1e-3 * values.max()
    return (vectors[:, kept] * values[kept].sqrt()).T.float().contiguous().to(device)


_KIND = torch.tensor([0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8])


def _errors(
    true: Tensor, state: Tensor, skill: Tensor, fps: float, numbers: Noise, spread: Spread, draw: _Draw
) -> Tensor:
    """(17, B, 2, T) the noise, persons' sizes."""
    _, batch, _, frames = true.shape
    sd = numbers.deviation
    apart = spread.balance * draw.randn(2, batch)  # of slow and of quick noise
    apart[1] += numbers.skill[1] * draw.randn(batch)
    balance = torch.exp(apart) * skill
    slow = (numbers.together[0] @ draw.randn(17, 2 * batch)).reshape(17, -1, 1) * sd[:, 0, None, None]
    for row, seconds in enumerate(SECONDS[:2], start=1):
        waves = _waves(frames, seconds * fps, str(true.device))
        knots = (numbers.together[0] @ draw.randn(17, 2 * batch * len(waves))).reshape(17, -1, len(waves))
        slow = slow + (knots * sd[:, row, None, None]) @ waves
    white = (numbers.together[1] @ draw.randn(17, 2 * batch * frames)).reshape(17, -1, frames)
    quick = white @ _quick(numbers, frames, fps)
    # Of mean square 1: quiet mostly, and sometimes loud.
    loud = [
        draw.lasting(0.3, 17, batch).mul_(tail).sub_(tail.square()).exp_() for tail in numbers.tail[..., None, None]
    ]
    speed = (true[..., 1:] - true[..., :-1]).norm(dim=2) * fps
    speed = torch.nn.functional.pad(speed, (0, 1), mode="replicate").clamp_max(6.0)
    loud[0] *= _of(numbers.gain[:, 0], state) * balance[0, :, None]
    loud[1] *= _of(numbers.gain[:, 1], state) * balance[1, :, None] * (1 + numbers.speed * speed)
    slow, quick = slow.view(17, batch, 2, frames), quick.view(17, batch, 2, frames)
    return slow.mul_(loud[0][:, :, None]).addcmul_(quick, loud[1][:, :, None])


def _quick(numbers: Noise, frames: int, fps: float) -> Tensor:
    """(17, T, T) that turns white noise into the quick part and what is new in every frame."""
    time = torch.arange(frames, dtype=torch.float64) / (SECONDS[2] * fps)
    lasting = torch.exp(-0.5 * (time[:, None] - time).square()).to(numbers.deviation)
    variance = numbers.deviation.square()
    new = torch.eye(frames, device=lasting.device) * (variance[:, 4] + 1e-9)[:, None, None]
    return torch.linalg.cholesky(variance[:, 3, None, None] * lasting + new).transpose(1, 2)


def _confidences(noise: Tensor, state: Tensor, numbers: Noise, draw: _Draw) -> Tensor:
    """(17, B, T): quantiles of what the detector says in this state, lower where the error is large."""
    batch = noise.shape[1]
    rank = numbers.rank
    scale = rank / numbers.error[..., 1]
    size = 0.5 * torch.log(noise[:, :, 0].square().addcmul_(noise[:, :, 1], noise[:, :, 1]).add_(1e-10))
    between, within = numbers.constant
    own = between.sqrt() * (0.7 * draw.randn(1, batch, 1) + 0.7 * draw.randn(17, batch, 1))
    own = own + within.sqrt() * draw.lasting(0.3, 17, batch)
    own.add_((1 - between - within).clamp_min(0).sqrt() * draw.randn(*state.shape))
    latent = own.mul_(_of((1 - rank.square()).sqrt(), state)).addcmul_(_of(scale, state), size, value=-1)
    latent += _of(scale * numbers.error[..., 0], state)
    levels = numbers.levels.shape[-1]
    place = torch.sigmoid(1.702 * latent).mul_(levels - 1.001)  # close to the normal distribution's
    low = place.long()
    table, first = numbers.levels.reshape(-1), (state * levels).add_(low)
    start, end = (table.index_select(0, (first + one).view(-1)).view(state.shape) for one in (0, 1))
    return torch.lerp(start, end, place - low)


def _lost(state: Tensor, numbers: Noise, spread: Spread, draw: _Draw) -> Tensor:
    """(17, B, T) bool: keypoints that are not given, in runs; a run ends where slow noise comes below its threshold."""
    batch = state.shape[1]
    joints = torch.arange(17, device=state.device)[:, None, None]
    # Other detectors give nothing where this one gives something of little confidence.
    generous = torch.tensor([0.01, 0.15, 0.6], device=state.device)[:, None].expand(3, 17)
    own, other = (_of(_threshold(torch.maximum(numbers.missing, least)), state) for least in (0 * generous, generous))
    patchy = draw.rand(batch, 1) < spread.patchy
    lost = draw.lasting(0.3, 17, batch) > torch.where(patchy, other + draw.rand(batch, 1), own)
    gone = draw.bouts(numbers.lost, batch)
    cut = (draw.rand(batch, 1) < spread.cut) & (joints >= 13)
    return lost | gone | cut


def _threshold(chance: Tensor) -> Tensor:
    """What a standard normal number exceeds with this probability."""
    return torch.special.ndtri((1 - chance).clamp(1e-4, 1 - 1e-5))


def _swap_sides(
    points: Tensor, confidence: Tensor, fps: float, numbers: Noise, spread: Spread, draw: _Draw
) -> tuple[Tensor, Tensor]:
    """Exchange left and right of arms, legs or everything for a run of frames, in a few windows."""
    batch, frames = confidence.shape[1:]
    device = points.device
    mirror = torch.as_tensor(mirror_rows(COCO17.names), device=device)
    rows = torch.arange(17, device=device)[:, None]
    kind = torch.randint(0, 3, (batch,), generator=draw.generator, device=device)
    parts = ((kind != 0) & (rows >= 5) & (rows < 11)) | ((kind != 1) & (rows >= 11)) | ((kind == 2) & (rows < 5))
    run = draw.bouts(numbers.swap, batch)
    # Other detectors, without repair of sides, keep the wrong ones for longer.
    chosen = draw.rand(batch) < spread.swapped
    length = fps * (0.05 - 0.2 * torch.log(draw.rand(batch) + 1e-6))
    begin = draw.rand(batch) * (frames + length) - length
    time = torch.arange(frames, device=device)
    run = run | (chosen[:, None] & (time >= begin[:, None]) & (time < (begin + length)[:, None]))
    windows = run.any(1).nonzero()[:, 0]  # few: only these are copied
    swap = run[windows] & parts[:, windows, None]
    points[:, windows] = torch.where(swap[:, :, None], points[mirror][:, windows], points[:, windows])
    confidence[:, windows] = torch.where(swap, confidence[mirror][:, windows], confidence[:, windows])
    return points, confidence
