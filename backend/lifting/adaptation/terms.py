# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lifter's output for one person is measured by without a truth, in torch, so that it can learn from it.

Letters: G instants, S joints that both the keypoints and the lifter have, J joints of the lifter.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ....rigging.joints import TAKE

#: Metres that a detector is wrong by (2.4 % of the person's size; measured errors are 1.2 to 2.3 % per axis), and those
#: beyond that where the pull weakens, so that outliers are hardly followed.
_NOISE, _REACH = 0.04, 0.05
#: Nearest depth of a joint, metres, and what keeps the equations of a frame without joints solvable.
_NEAREST, _TRACE = 0.3, 1e-4


def linear_root(joints: Tensor, tangents: Tensor, weights: Tensor) -> Tensor:
    """Translation (G, 3), metres, that puts joints (G, S, 3) on tangents (G, S, 2): `root.linear`'s, with gradients.

    weights: (G, S). Frames without weights get a person at the camera's place.
    """
    flat, weighted = joints.new_zeros(len(joints), 3, 3), weights[..., None] * tangents
    flat[:, 0, 0] = flat[:, 1, 1] = weights.sum(-1)
    flat[:, 0, 2] = flat[:, 2, 0] = -weighted[..., 0].sum(-1)
    flat[:, 1, 2] = flat[:, 2, 1] = -weighted[..., 1].sum(-1)
    flat[:, 2, 2] = (weighted * tangents).sum((-1, -2))
    target = tangents * joints[..., 2:] - joints[..., :2]
    right = torch.cat(
        [(weights[..., None] * target).sum(-2), -(weighted * target).sum((-1, -2))[:, None]],
        dim=-1,
    )
    return torch.linalg.solve(flat + _TRACE * torch.eye(3, device=flat.device), right)


def projection_errors(joints: Tensor, tangents: Tensor, weights: Tensor) -> Tensor:
    """How far joints lie beside the points where they were seen, (G, S) metres at the person's distance.

    joints: (G, S, 3) relative to the pelvis, metres. tangents: (G, S, 2). weights: (G, S) of the points that say where
    the person is; 0 for those that must not.
    """
    root = linear_root(joints, tangents, weights)
    placed = joints + root[:, None]
    depth = placed[..., 2:].clamp_min(_NEAREST)
    off = placed[..., :2] / depth - tangents
    return (off.square().sum(-1) + 1e-12).sqrt() * root[:, 2:].detach().clamp_min(_NEAREST)


def beyond_noise(errors: Tensor) -> Tensor:
    """What of errors, metres, a detector's own do not explain, and of that large ones count for less.

    A lifter that sees through a detector's errors must not be taught them, nor judged by them.
    """
    return _REACH * torch.log1p((errors - _NOISE).clamp_min(0) / _REACH)


def bone_ends(names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Columns of parents and children, among joints, of the bones of a take that have both ends there."""
    pairs = [(TAKE.names[parent], TAKE.names[child]) for parent, child in TAKE.bones]
    both = [(a, b) for a, b in pairs if a in names and b in names]
    return [names.index(a) for a, _ in both], [names.index(b) for _, b in both]


def bone_spread(joints: Tensor, ends: tuple[list[int], list[int]], seen: Tensor) -> Tensor:
    """Mean over bones and frames of how far a bone's length is from its mean over the clip, metres.

    joints: (G, J, 3). ends: columns of the parents and of the children. seen: (G,) weights of the frames.
    """
    lengths = (joints[:, ends[1]] - joints[:, ends[0]]).norm(dim=-1)
    weights = seen[:, None] / seen.sum().clamp_min(1e-6)
    mean = (weights * lengths).sum(0)
    return (weights * (lengths - mean).abs()).sum(0).mean()
