# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit a copy of a lifter's last layer to one person of one clip, and say whether joints held back are guessed better.

Test-time adaptation by back-propagated reprojection error (Wang et al., TPAMI 2019, arXiv 1901.03798, with a corrector
of its own). What is minimised over the sampled stretches of the clip:

    distance of projected joints from their keypoints at the linear root, weighed by confidence, robust, and as far as
    it is beyond what detectors are wrong by
  + spread of the lengths of bones over the clip
  + distance from the poses and roots that the lifter began with

Limbs are hidden from the network's input for 0.7 s at a time, here and there, and are in the sum all the same: what
can be learned is how this person moves and is built, not only to copy keypoints. Other limbs are *held back*: hidden,
and never in the sum. How far they are from their keypoints before and after is the judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....rigging.joints import mirror_rows
from ..checkpoint import build_model
from ..confidence import select_keypoints
from ..temporal import ROOT, UP, TemporalLifter
from .blocks import draw_blocks
from .terms import beyond_noise, bone_ends, bone_spread, projection_errors
from .views import View, Watcher, sampled, shared_joints

#: Share of the limbs' blocks that are held back, and that are hidden besides in every view that is learned from.
HELD_BACK, HIDDEN = 0.25, 0.2
#: Blocks below which chance decides.
FEWEST = 8
#: Of the error of held-back joints so much has to go; and of what some blocks gain others may lose so much. On
#: validation motion, where the shipped lifter has nothing to gain, 4 to 17 % go.
CLEARLY, LOSSES = 0.2, 0.25
_VIEWS = 4


@dataclass(frozen=True)
class Learning:
    """steps, rate: of Adam. bones, start, root: weights of the terms, beside 1 for the keypoints."""

    steps: int = 100
    rate: float = 3e-4
    bones: float = 1.0
    start: float = 0.2
    root: float = 0.1


@dataclass(frozen=True)
class Judgement:
    """What became of it.

    before, after: mean distance of held-back joints from their keypoints, as `beyond_noise` counts it, metres at the
    person's distance; NaN if there was too little to judge by. blocks: there were. accepted: clearly better. why: a
    sentence where it was not.
    """

    before: float
    after: float
    blocks: int
    accepted: bool
    why: str = ""


def adapt(
    lifter: TemporalLifter,
    keypoints: np.ndarray,
    names: Sequence[str],
    times: np.ndarray,
    intrinsics: np.ndarray,
    image_size: tuple[int, int],
    seed: int = 0,
    learning: Learning | None = None,
    tick: Callable[[], None] = lambda: None,
) -> tuple[TemporalLifter, Judgement]:
    """A lifter whose last layer has learned from this person, and whether it is better; the one given stays as it is.

    keypoints: (F, K, 3) pixels and confidence. names: (K,). times: (F,) seconds. intrinsics: (3, 3). The same seed
    gives the same lifter. tick: called before every step; may raise.
    Raises UserError if the keypoints lack joints that the lifter needs.
    """
    generator = np.random.default_rng(seed)
    track, _ = select_keypoints(keypoints, names, lifter.info.needs)
    times = np.asarray(times, np.float64)
    known = np.isfinite(track[..., :2]).all(-1) & (track[..., 2] > 0)
    held = draw_blocks(lifter.info.needs, times, HELD_BACK, generator)
    parts = sampled(times, known.any(-1))
    blocks = len({int(number) for part in parts for number in np.unique(held[part] * known[part])} - {0})
    if blocks < FEWEST:
        why = f"seen for too short to judge by: {blocks} limbs could be held back for a while, {FEWEST} are needed"
        return lifter, Judgement(np.nan, np.nan, blocks, False, why)
    model = build_model(lifter.checkpoint, lifter.device)
    watcher = Watcher(lifter, model, track, times, parts, intrinsics, image_size)
    learner = _Learner(lifter, model, watcher, held, generator)
    before = learner.errors_of_held_back()
    learner.learn(learning or Learning(), tick)
    after = learner.errors_of_held_back()
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    return lifter.with_weights(state), judge(before, after)


def judge(before: np.ndarray, after: np.ndarray) -> Judgement:
    """before, after: (B,) mean error of every held-back block, metres."""
    gains, losses = np.maximum(before - after, 0).sum(), np.maximum(after - before, 0).sum()
    accepted = bool(gains - losses > CLEARLY * before.sum() and losses < LOSSES * gains)
    why = "" if accepted else "joints held back did not come out clearly better"
    return Judgement(float(before.mean()), float(after.mean()), len(before), accepted, why)


class _Learner:
    def __init__(
        self, lifter: TemporalLifter, model: Any, watcher: Watcher, held: np.ndarray, generator: np.random.Generator
    ) -> None:
        self._model, self._points = model, watcher.points
        self._outputs = lifter.checkpoint.sidecar.joints_out
        self._mirror = torch.from_numpy(np.array(mirror_rows(self._outputs)))
        self._joints = shared_joints(lifter)[1]
        self._body = [row for row, name in enumerate(self._outputs) if name not in (UP, ROOT)]
        self._root = self._outputs.index(ROOT) if ROOT in self._outputs else None
        self._bones = bone_ends(self._outputs)
        self._judged = [watcher.look(held > 0, mirrored) for mirrored in (False, True)]
        self._blocks = watcher.at_instants(held)
        self._views = []
        for number in range(_VIEWS):
            also = draw_blocks(lifter.info.needs, watcher.times, HIDDEN, generator)
            self._views.append(watcher.look((held > 0) | (also > 0), number % 2 == 1))
        with torch.no_grad():
            # Of a whole track these would tell what is held back.
            self._start = torch.stack([self._lifted(view) for view in self._judged]).mean(0)
            self._begin = self._in_camera(self._start, self._judged[0])

    def _lifted(self, view: View) -> Tensor:
        """(G, J, 3), all outputs of the network in its axes, not mirrored."""
        out = self._model.positions(view.features[None], view.inputs[None])[0]
        if view.mirrored:
            out = out[:, self._mirror] * out.new_tensor([-1.0, 1.0, 1.0])
        return out

    def _in_camera(self, output: Tensor, view: View) -> Tensor:
        body = output[:, self._body]
        return (body - body[:, :1]) @ view.to_camera.transpose(-1, -2)

    def _errors(self, output: Tensor, view: View) -> Tensor:
        """(G, S) metres; where the person is, only points say that are not hidden."""
        shown = self._points.confidence * ~view.hidden
        return projection_errors(output[:, self._joints], view.tangents, shown)

    @torch.no_grad()
    def errors_of_held_back(self) -> np.ndarray:
        """(B,) metres beyond noise: of every block, weighed by confidence."""
        output = torch.stack([self._lifted(view) for view in self._judged]).mean(0)
        errors = beyond_noise(self._errors(output, self._judged[0])).cpu().numpy().astype(np.float64)
        weights = self._points.confidence.cpu().numpy() * (self._blocks > 0)
        total = np.bincount(self._blocks.ravel(), weights.ravel())
        summed = np.bincount(self._blocks.ravel(), (weights * errors).ravel())
        return summed[total > 0] / total[total > 0]

    def learn(self, learning: Learning, tick: Callable[[], None]) -> None:
        """Take the steps; only the last layer changes."""
        parameters = dict(self._model.named_parameters())
        chosen = [parameters[name].requires_grad_(True) for name in self._model.head]
        optimiser = torch.optim.Adam(chosen, lr=learning.rate)
        for step in range(learning.steps):
            tick()
            optimiser.zero_grad()
            self._loss(self._views[step % _VIEWS], learning).backward()
            optimiser.step()
        for parameter in chosen:
            parameter.requires_grad_(False)

    def _loss(self, view: View, learning: Learning) -> Tensor:
        output = self._lifted(view)
        counted = self._points.confidence * torch.from_numpy(self._blocks == 0).to(view.features.device)
        loss = (beyond_noise(self._errors(output, view)) * counted).sum() / counted.sum()
        seen = self._points.confidence.mean(-1)
        loss = loss + learning.bones * bone_spread(output, self._bones, seen)
        away = (self._in_camera(output, view) - self._begin).square().sum(-1)
        loss = loss + learning.start * (away + 1e-6).sqrt().mean()
        if self._root is not None:
            loss = loss + learning.root * (output[:, self._root] - self._start[:, self._root]).abs().mean()
        return loss
