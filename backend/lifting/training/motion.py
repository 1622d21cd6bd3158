# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion clips as one large array, windows of them, and people of other proportions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...errors import UserError

#: Length of thigh + shin + pelvis-to-thorax that every training person is scaled to, metres: one picture does not tell
#: a child near by from an adult far away, so size is not asked of the network but set afterwards.
CANONICAL_SIZE = 1.32

_TREE = {  # child: parent, in an order in which parents come first
    "spine": "pelvis",
    "thorax": "spine",
    "neck": "thorax",
    "head": "neck",
    "head_top": "head",
    "nose": "head",
    "left_eye": "head",
    "right_eye": "head",
    "left_ear": "head",
    "right_ear": "head",
    "left_shoulder": "thorax",
    "right_shoulder": "thorax",
    "left_elbow": "left_shoulder",
    "right_elbow": "right_shoulder",
    "left_wrist": "left_elbow",
    "right_wrist": "right_elbow",
    "left_hand": "left_wrist",
    "right_hand": "right_wrist",
    "left_hip": "pelvis",
    "right_hip": "pelvis",
    "left_knee": "left_hip",
    "right_knee": "right_hip",
    "left_ankle": "left_knee",
    "right_ankle": "right_knee",
    "left_heel": "left_ankle",
    "right_heel": "right_ankle",
    "left_toe": "left_ankle",
    "right_toe": "right_ankle",
}
_ARRAYS = ("joint_names", "root", "relative_step", "clip_start", "clip_length", "clip_fps")
_HEAD = {"head_top", "nose", "left_eye", "right_eye", "left_ear", "right_ear"}


#: Bones whose length is the person's size: child and parent.
_SIZE = (("left_knee", "left_hip"), ("left_ankle", "left_knee"), ("spine", "pelvis"), ("thorax", "spine"))


@dataclass(frozen=True)
class MotionSet:
    """Clips one after the other.

    positions: (N, J, 3) float32 metres, world, Z up. names: (J,). start, length: (C,) rows. fps: (C,) Hz.
    chance: (N,) running sum of the probability that a window is drawn around a row; None: every second alike.
    """

    positions: Tensor
    names: tuple[str, ...]
    start: Tensor
    length: Tensor
    fps: Tensor
    chance: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where the clips are, and everything that is drawn from them."""
        return self.positions.device

    def rows(self, wanted: tuple[str, ...]) -> list[int]:
        """Rows of the named joints."""
        return [self.names.index(name) for name in wanted]

    def to(self, device: torch.device) -> MotionSet:
        """The same on another device."""
        arrays = (each.to(device) for each in (self.positions, self.start, self.length, self.fps))
        positions, start, length, fps = arrays
        chance = None if self.chance is None else self.chance.to(device)
        return MotionSet(positions, self.names, start, length, fps, chance)

    def draw(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Moments at random: (size,) clip numbers, and (size,) rows within the clips, not whole ones."""
        if self.chance is None:
            clips = torch.multinomial(self.length / self.fps, size, replacement=True, generator=generator)
            return clips, torch.rand(size, generator=generator, device=self.device) * (self.length[clips] - 1)
        at = torch.rand(size, generator=generator, device=self.device, dtype=torch.float64)
        rows = torch.searchsorted(self.chance, at).clamp_max(len(self.positions) - 1)
        clips = torch.searchsorted(self.start, rows, right=True) - 1
        return clips, (rows - self.start[clips]).float()


def load_motion(folder: Path, without: Sequence[str] = ()) -> MotionSet:
    """Read every `.npz` of a motion library folder (its README gives the arrays): running sums of 0.1 mm steps.

    without: names of files, less their suffix, that are left out.
    Raises UserError if nothing is left, a file to leave out is not there, or one is no motion.
    """
    paths = sorted(folder.glob("*.npz"))
    if unknown := sorted(set(without) - {path.stem for path in paths}):
        raise UserError(f"there is no {unknown[0]}.npz in {folder} to leave out")
    paths = [path for path in paths if path.stem not in without]
    if not paths:
        raise UserError(f"there is no motion (*.npz of a motion library) in {folder}")
    positions, starts, lengths, rates = [], [], [], []
    names: tuple[str, ...] = ()
    offset = 0
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = {key: data[key] for key in _ARRAYS}
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{path} is not a file of a motion library ({error})") from None
        if names and names != tuple(str(name) for name in arrays["joint_names"]):
            raise UserError(f"{path} has other joints than the files before it")
        names = tuple(str(name) for name in arrays["joint_names"])
        root, steps = arrays["root"], arrays["relative_step"]
        for first, count, rate in zip(arrays["clip_start"], arrays["clip_length"], arrays["clip_fps"], strict=True):
            rows = slice(int(first), int(first + count))
            relative = np.cumsum(steps[rows], axis=0, dtype=np.int16).astype(np.float32) * np.float32(1e-4)
            positions.append(np.concatenate([np.zeros_like(relative[:, :1]), relative], axis=1) + root[rows, None])
            starts.append(offset)
            lengths.append(int(count))
            rates.append(float(rate))
            offset += int(count)
    return MotionSet(
        torch.from_numpy(np.concatenate(positions)),
        names,
        torch.tensor(starts),
        torch.tensor(lengths),
        torch.tensor(rates),
    )


def windows(motion: MotionSet, clips: Tensor, centre: Tensor, rate: Tensor, frames: int) -> Tensor:
    """Cut windows out of clips: (B, frames, J, 3).

    clips: (B,) clip numbers. centre: (B,) clip row (float) of the middle frame. rate: (B,) clip rows per window frame.
    Rows outside a clip repeat its end, as the lifter's padding does.
    """
    steps = torch.arange(frames, device=motion.device) - frames // 2
    at = centre[:, None] + steps * rate[:, None]
    last = (motion.length[clips] - 1)[:, None].float()
    at = torch.minimum(at.clamp_min(0), last)
    low = at.floor().long()
    high = torch.minimum(low + 1, last.long())
    part = (at - low)[..., None, None]
    base = motion.start[clips][:, None]
    return torch.lerp(motion.positions[base + low], motion.positions[base + high], part)


def proportions(pose: Tensor, names: tuple[str, ...], generator: torch.Generator, spread: float) -> Tensor:
    """Other bone lengths for each person (the same on both sides), then the canonical size.

    pose: (B, J, 3) metres, the person in any pose. spread: standard deviation of the logarithm of a bone's factor.
    Returns (B, J, J): joints of the new person = this matrix times the joints of the old one, in every frame; the
    directions of bones stay as they are.
    """
    batch, count = pose.shape[:2]
    identity = torch.eye(count, device=pose.device)
    matrix = identity.repeat(batch, 1, 1)
    factor: dict[str, Tensor] = {}
    for child, parent in _TREE.items():
        kind = "head" if child in _HEAD else child.removeprefix("left_").removeprefix("right_")
        if kind not in factor:
            factor[kind] = torch.exp(spread * torch.randn(batch, 1, generator=generator, device=pose.device))
        c, p = names.index(child), names.index(parent)
        matrix[:, c] = matrix[:, p] + factor[kind] * (identity[c] - identity[p])
    ends = [names.index(child) for child, _ in _SIZE], [names.index(parent) for _, parent in _SIZE]
    bones = (matrix[:, ends[0]] - matrix[:, ends[1]]) @ pose
    return matrix * (CANONICAL_SIZE / bones.norm(dim=-1).sum(-1))[:, None, None]
