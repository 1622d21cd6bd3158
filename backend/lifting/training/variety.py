# SPDX-License-Identifier: GPL-3.0-or-later
"""More motion than a library holds: what it seldom shows more often, other arms, people brought to the floor."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .motion import MotionSet

#: Rows between two that are compared; how many others each is compared with, and which nearest of them counts.
_EVERY, _OTHERS, _NEAREST = 8, 4096, 4
#: How much rarer or more often than by chance a moment may be drawn.
_LEAST, _MOST = 0.2, 8.0
#: Metres below which distances are rounding.
_SAME = 1e-3
#: Seconds by which speeds are made lengths.
_SOON = 0.15
_ARMS = ("elbow", "wrist", "hand")


def by_rarity(motion: MotionSet, power: float) -> MotionSet:
    """The same motion, to be drawn the more often the less there is of its like.

    A moment's weight is its distance to the fourth nearest of 4096 others, to this power; distances are between poses
    and speeds relative to the pelvis, seen from where the hips face. power: 0 draws every second alike.
    """
    every = torch.arange(len(motion.positions), device=motion.device)
    clip = torch.searchsorted(motion.start, every, right=True) - 1
    # From the beginning of each clip, so that none speaks for rows of another one.
    compared = (every - motion.start[clip]) % _EVERY == 0
    probes = every[compared]
    features = _features(motion, probes, clip[probes])
    generator = torch.Generator().manual_seed(0)
    seconds = (1 / motion.fps[clip[probes]]).cpu()
    chosen = torch.multinomial(seconds, min(_OTHERS, len(probes)), generator=generator).to(motion.device)
    others = features[chosen]
    # Whoever is among the others is not its own neighbour.
    itself = torch.zeros_like(probes).index_fill_(0, chosen, 1)
    nearest = min(_NEAREST + 1, len(others))
    distances = torch.cat(
        [torch.cdist(part, others).topk(nearest, largest=False).values for part in features.split(4096)]
    )
    rank = (_NEAREST - 1 + itself).clamp_max(nearest - 1)
    distance = distances.gather(1, rank[:, None])[:, 0].clamp_min(_SAME)
    weight = (distance / distance.median()).pow(power).clamp(_LEAST, _MOST)
    rows = weight.double()[compared.cumsum(0) - 1] / motion.fps[clip].double()
    return replace(motion, chance=(rows.cumsum(0) / rows.sum()))


def _features(motion: MotionSet, rows: Tensor, clip: Tensor) -> Tensor:
    """(len(rows), 6 J) poses and steps; clip: of each row."""
    first, last = motion.start[clip], motion.start[clip] + motion.length[clip] - 1
    ahead = (_SOON * motion.fps[clip]).round().long().clamp_min(1)
    # At the end of a clip the last steps that are known, at its length what there is.
    soon = torch.minimum(rows + ahead, last)
    before = torch.maximum(soon - ahead, first)
    pelvis, left, right = motion.rows(("pelvis", "left_hip", "right_hip"))
    now = motion.positions[rows]
    side = now[:, left, :2] - now[:, right, :2]
    c, s = normalize(side, dim=-1, eps=1e-6).unbind(-1)
    zero, one = torch.zeros_like(c), torch.ones_like(c)
    turn = torch.stack([c, s, zero, -s, c, zero, zero, zero, one], dim=-1).unflatten(-1, (3, 3))
    pose = now - now[:, pelvis, None]
    step = motion.positions[soon] - motion.positions[before]
    return torch.cat([pose @ turn.transpose(1, 2), step @ turn.transpose(1, 2)], dim=1).flatten(1)


def with_other_arms(positions: Tensor, names: tuple[str, ...], share: float, generator: torch.Generator) -> Tensor:
    """Some people move their arms as the next one of the batch does, relative to the trunk.

    positions: (B, T, J, 3) metres; every arm stays as long as it was. share: of the people.
    """
    device = positions.device
    chosen = (torch.rand(len(positions), generator=generator, device=device) < share).nonzero()[:, 0]
    if not len(chosen):
        return positions
    own, other = positions[chosen], positions[(chosen + 1) % len(positions)]
    turn = _trunk(own, names) @ _trunk(other, names).transpose(-1, -2)
    result = positions.clone()
    for side in ("left_", "right_"):
        shoulder, *rows = (names.index(side + part) for part in ("shoulder", *_ARMS))
        bones, wanted = (each[:, :, rows] - each[:, :, [shoulder, *rows[:-1]]] for each in (own, other))
        length = bones.norm(dim=-1, keepdim=True) / wanted.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        arm = own[:, :, shoulder, None] + ((wanted * length) @ turn.transpose(-1, -2)).cumsum(2)
        result[chosen[:, None], :, torch.tensor(rows, device=device)] = arm.transpose(1, 2)
    return result


def _trunk(positions: Tensor, names: tuple[str, ...]) -> Tensor:
    """(B, T, 3, 3): axes of the upper trunk in the columns: to the left, up the spine, and out of the chest."""
    row = names.index
    left = normalize(positions[:, :, row("left_shoulder")] - positions[:, :, row("right_shoulder")], dim=-1, eps=1e-6)
    spine = positions[:, :, row("thorax")] - positions[:, :, row("spine")]
    up = normalize(spine - (spine * left).sum(-1, keepdim=True) * left, dim=-1, eps=1e-6)
    return torch.stack([left, up, torch.linalg.cross(left, up)], dim=-1)


def brought_down(positions: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Some people do what they do turned about a level axis by 50 to 130 degrees, their lowest joint on the floor.

    positions: (B, T, J, 3) metres, Z up. share: of the people.
    """
    device = positions.device

    def rand(count: int) -> Tensor:
        return torch.rand(count, generator=generator, device=device)

    chosen = (rand(len(positions)) < share).nonzero()[:, 0]
    if not len(chosen):
        return positions
    heading, angle = 2 * math.pi * rand(len(chosen)), torch.deg2rad(50 + 80 * rand(len(chosen)))
    x, y = torch.cos(heading), torch.sin(heading)
    zero = torch.zeros_like(x)
    # exp of the cross product matrix of the axis times the angle: Rodrigues' formula.
    cross = torch.stack([zero, zero, y, zero, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    turn = torch.linalg.matrix_exp(angle[:, None, None] * cross)
    part = positions[chosen]
    middle = part[:, :, :1].mean((1, 2), keepdim=True)
    turned = (part - middle) @ turn[:, None].transpose(-1, -2) + middle
    turned[..., 2] -= turned[..., 2].amin((1, 2), keepdim=True)
    result = positions.clone()
    result[chosen] = turned
    return result
