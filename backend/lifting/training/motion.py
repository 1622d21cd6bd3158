# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion clips as one large array, windows of them, and people of other proportions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

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
_HEAD = {"head_top", "nose", "left_eye", "right_eye", "left_ear", "right_ear"}


@dataclass(frozen=True)
class MotionSet:
    """Clips one after the other.

    positions: (N, J, 3) float32 metres, world, Z up. names: (J,). start, length: (C,) rows. fps: (C,) Hz.
    """

    positions: Tensor
    names: tuple[str, ...]
    start: Tensor
    length: Tensor
    fps: Tensor

    def rows(self, wanted: tuple[str, ...]) -> list[int]:
        """Rows of the named joints."""
        return [self.names.index(name) for name in wanted]


def load_motion(folder: Path) -> MotionSet:
    """Read every `.npz` of a motion library folder (its README gives the arrays): running sums of 0.1 mm steps.

    Raises FileNotFoundError if there is none.
    """
    positions, starts, lengths, rates = [], [], [], []
    names: tuple[str, ...] = ()
    offset = 0
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as data:
            names = tuple(str(name) for name in data["joint_names"])
            root, steps = data["root"], data["relative_step"]
            for first, count, rate in zip(data["clip_start"], data["clip_length"], data["clip_fps"], strict=True):
                rows = slice(int(first), int(first + count))
                relative = np.cumsum(steps[rows], axis=0, dtype=np.int16).astype(np.float32) * np.float32(1e-4)
                clip = np.concatenate([np.zeros_like(relative[:, :1]), relative], axis=1) + root[rows, None]
                positions.append(clip)
                starts.append(offset)
                lengths.append(int(count))
                rates.append(float(rate))
                offset += int(count)
    if not positions:
        raise FileNotFoundError(f"no motion library (*.npz) in {folder}")
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
    at = centre[:, None] + (torch.arange(frames) - frames // 2) * rate[:, None]
    last = (motion.length[clips] - 1)[:, None].float()
    at = torch.minimum(at.clamp_min(0), last)
    low = at.floor().long()
    high = torch.minimum(low + 1, last.long())
    part = (at - low)[..., None, None]
    base = motion.start[clips][:, None]
    return motion.positions[base + low] * (1 - part) + motion.positions[base + high] * part


def reproportion(positions: Tensor, names: tuple[str, ...], generator: torch.Generator, spread: float) -> Tensor:
    """Give each window's person other bone lengths (the same on both sides), then the canonical size.

    positions: (B, T, J, 3). spread: standard deviation of the log of a bone's factor. Directions stay as they were.
    """
    batch = len(positions)
    out = positions.clone()
    factor: dict[str, Tensor] = {}
    for child, parent in _TREE.items():
        kind = "head" if child in _HEAD else child.removeprefix("left_").removeprefix("right_")
        if kind not in factor:
            factor[kind] = torch.exp(spread * torch.randn(batch, 1, 1, generator=generator))
        c, p = names.index(child), names.index(parent)
        out[:, :, c] = out[:, :, p] + (positions[:, :, c] - positions[:, :, p]) * factor[kind]
    rows = [names.index(name) for name in ("left_hip", "left_knee", "left_ankle", "pelvis", "spine", "thorax")]
    first = out[:, 0, rows]
    lengths = (first[:, [1, 2, 4, 5]] - first[:, [0, 1, 3, 4]]).norm(dim=-1).sum(-1)
    return out * (CANONICAL_SIZE / lengths)[:, None, None, None]
