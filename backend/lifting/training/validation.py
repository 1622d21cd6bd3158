# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a lifter is on people, motion and cameras that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ....rigging.joints import H36M17, TAKE
from ...evaluation.metrics import p_mpjpe
from .losses import split
from .motion import MotionSet
from .networks import architecture_of, build_network
from .samples import Batch, make_batch
from .settings import Settings

#: Windows of so many frames, so many at a time, so often.
FRAMES, WINDOWS, ROUNDS = 24, 64, 8
_BODY = [TAKE.index(name) for name in H36M17.names]
_TRUNK = TAKE.index("pelvis"), TAKE.index("thorax")
#: Cosine beyond which a trunk lies rather than stands: more than 60 degrees off the vertical.
_LIES = 0.5


@dataclass(frozen=True)
class Scores:
    """Means over fixed windows of validation motion; lengths in mm, after VideoPose3D's protocols 1 and 2.

    mpjpe, p_mpjpe: 17 joints of Human3.6M. lying, p_lying: the same where the trunk is nearer to level than upright.
    take: MPJPE of all 26 joints. velocity: error of a joint's step from frame to frame. tilt: degrees between
    predicted and true up. depth: per cent of the distance. told: correlation of expected with true errors (ranks).
    """

    mpjpe: float
    p_mpjpe: float
    lying: float
    p_lying: float
    take: float
    velocity: float
    tilt: float
    depth: float
    told: float

    def __str__(self) -> str:
        return (
            f"{self.mpjpe:.1f} / {self.p_mpjpe:.1f} mm, lying {self.lying:.1f} / {self.p_lying:.1f}, "
            f"26 joints {self.take:.1f}, velocity {self.velocity:.1f}, tilt {self.tilt:.1f}, "
            f"depth {self.depth:.1f} %, told {self.told:.2f}"
        )


def validate(weights: nn.Module, motion: MotionSet, settings: Settings, noise: str) -> Scores:
    """Score weights (a state of `TemporalModel` or its strided form). noise: of `settings.NOISES`.

    Everybody keeps their own proportions and the focal length is known. The same people, motion and cameras in every
    call, whatever the noise.
    """
    model = build_network(settings).to(motion.device)
    model.load_state_dict(weights.state_dict())
    model.eval()
    return score(model.with_errors, motion, settings, noise)


@torch.no_grad()
def score(lift: Callable[[Tensor], tuple[Tensor, Tensor]], motion: MotionSet, settings: Settings, noise: str) -> Scores:
    """Score anything that lifts as `TemporalModel.with_errors` does."""
    return _scores(*_lifted(lift, motion, settings, noise, 12345))


def sampled_errors(
    lift: Callable[[Tensor], tuple[Tensor, Tensor]], motion: MotionSet, settings: Settings, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) logarithms of expected errors and (N,) true ones, metres: every joint but the pelvis, noise as measured."""
    with torch.no_grad():
        output, told, truth = _lifted(lift, motion, settings, "measured", seed)
    distance = (split(output)[0] - truth.joints).norm(dim=-1)
    return told[:, :, 1:].flatten().double().numpy(), distance[:, :, 1:].flatten().double().numpy()


def _lifted(
    lift: Callable[[Tensor], tuple[Tensor, Tensor]], motion: MotionSet, settings: Settings, noise: str, seed: int
) -> tuple[Tensor, Tensor, Batch]:
    data = replace(settings.data, shape=0.0, tempo=0.0, focal=0.0, arms=0.0, down=0.0, noise=noise, without=())
    generator = torch.Generator(motion.device)
    architecture = architecture_of(settings)
    padding, causal = architecture.padding, architecture.causal
    outputs, told, truths = [], [], []
    for number in range(ROUNDS):
        # What is drawn for the noise must not change whom the next round sees.
        generator.manual_seed(seed + number)
        batch = make_batch(motion, WINDOWS, FRAMES, padding, generator, data, causal)
        out, log_errors = lift(batch.inputs)
        outputs.append(out.float().cpu())
        told.append(log_errors.float().cpu())
        truths.append((batch.inputs[:, :1].cpu(), batch.joints.cpu(), batch.up.cpu(), batch.root.cpu()))
    return torch.cat(outputs), torch.cat(told), Batch(*(torch.cat(each) for each in zip(*truths, strict=True)))


def _scores(output: Tensor, told: Tensor, truth: Batch) -> Scores:
    joints, up, root = split(output)
    distance = 1000 * (joints - truth.joints).norm(dim=-1)
    body = distance[:, :, _BODY].mean(-1).numpy()
    flat = [each[:, :, _BODY].flatten(0, 1).double().numpy() for each in (joints, truth.joints)]
    aligned = 1000 * p_mpjpe(flat[0], flat[1]).reshape(body.shape)
    trunk = normalize(truth.joints[:, :, _TRUNK[1]] - truth.joints[:, :, _TRUNK[0]], dim=-1)
    lies = ((trunk * truth.up).sum(-1) < _LIES).numpy()
    cosine = (normalize(up, dim=-1) * truth.up).sum(-1).clamp(-1, 1)
    step = 1000 * (joints - truth.joints).diff(dim=1).norm(dim=-1)
    return Scores(
        float(body.mean()),
        float(aligned.mean()),
        float(body[lies].mean()) if lies.any() else float("nan"),
        float(aligned[lies].mean()) if lies.any() else float("nan"),
        float(distance.mean()),
        float(step.mean()),
        float(torch.rad2deg(cosine.acos()).mean()),
        float(100 * (root[..., 2] - truth.root[..., 2]).abs().mean()),
        _rank_correlation(told[:, :, 1:].flatten().numpy(), distance[:, :, 1:].flatten().numpy()),
    )


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1])
