# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's track as a lifter sees it with some points hidden, up to its last layer, which alone is going to learn.

Everything before the last layer stays, so the network runs a few times in all and every step of learning costs one
product of matrices. Of a long clip some stretches, evenly spread, stand for all: time and memory are bounded.
Letters: G instants of the lifter in all stretches, S joints that both the keypoints and the lifter have, K keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....rigging.joints import mirror_rows
from ...camera import rays
from ..resampling import fill_missing, lifter_times, resample_track
from ..temporal import TemporalLifter, run_in_chunks

#: Seconds of a stretch, and of all of them: of a longer clip so much is looked at.
STRETCH, MOST = 10.0, 100.0
_CHUNK = 1000


@dataclass(frozen=True)
class Points:
    """Where the joints were seen, the same whatever is hidden.

    rays: (G, S, 3) in camera axes, z 1. confidence: (G, S), 0 where nothing was seen.
    """

    rays: Tensor
    confidence: Tensor


@dataclass(frozen=True)
class View:
    """What the network makes of the track, once as it is or once in a mirror.

    features: (G, C) of the layer before the last. inputs: (G, K, D). mirrored: whether they are of the mirror image.
    to_camera: (G, 3, 3) turns the network's axes into the camera's. tangents: (G, S, 2) where joints were seen, in the
    network's axes. hidden: (G, S) bool.
    """

    features: Tensor
    inputs: Tensor
    mirrored: bool
    to_camera: Tensor
    tangents: Tensor
    hidden: Tensor


def shared_joints(lifter: TemporalLifter) -> tuple[list[int], list[int]]:
    """Columns, among the keypoints that a lifter takes and among its outputs, of the joints that are in both."""
    outputs = lifter.checkpoint.sidecar.joints_out
    names = [name for name in lifter.info.needs if name in outputs]
    return [lifter.info.needs.index(name) for name in names], [outputs.index(name) for name in names]


def sampled(times: np.ndarray, seen: np.ndarray) -> list[slice]:
    """Stretches of the frames at `times` (F,) seconds, evenly spread over those in which the person was `seen` (F,)."""
    rows = np.flatnonzero(seen)
    if not len(rows):
        return []
    first, last = int(rows[0]), int(rows[-1]) + 1
    if times[last - 1] - times[first] <= MOST:
        return [slice(first, last)]
    starts = np.linspace(times[first], times[last - 1] - STRETCH, round(MOST / STRETCH))
    ends = np.searchsorted(times, starts + STRETCH)
    return [slice(int(a), int(b)) for a, b in zip(np.searchsorted(times, starts), ends, strict=True) if b > a]


class Watcher:
    """Looks at some stretches of one person's track with a lifter's network.

    track: (F, K, 3) of the lifter's keypoints, pixels and confidence, NaN where missing. times: (F,) seconds.
    """

    def __init__(
        self,
        lifter: TemporalLifter,
        model: Any,
        track: np.ndarray,
        times: np.ndarray,
        parts: Sequence[slice],
        intrinsics: np.ndarray,
        image_size: tuple[int, int],
    ) -> None:
        self._lifter, self._model, self._parts = lifter, model, parts
        self._track, self.times = track, times
        self._intrinsics, self._image_size = intrinsics, image_size
        self._columns = shared_joints(lifter)[0]
        self.points = self._points()

    def at_instants(self, values: np.ndarray) -> np.ndarray:
        """(F, K) of the frames to (G, S): those of the nearest frame."""
        return np.concatenate([values[part][self._nearest(part)][:, self._columns] for part in self._parts])

    def look(self, hidden: np.ndarray, mirrored: bool) -> View:
        """hidden: (F, K) bool, what is taken out of the track."""
        track = np.where(hidden[..., None], (np.nan, np.nan, 0.0), self._track)
        pieces = [self._piece(track[part], self.times[part], mirrored) for part in self._parts]
        features, inputs, to_camera = (torch.cat(each) for each in zip(*pieces, strict=True))
        out = torch.from_numpy(self.at_instants(hidden)).to(features.device)
        seen = self.points.rays @ to_camera  # the transpose of the turn from the camera's axes, from the right
        tangents = seen[..., :2] / seen[..., 2:].clamp_min(1e-3)
        return View(features, inputs, mirrored, to_camera, tangents, out)

    def _piece(self, track: np.ndarray, times: np.ndarray, mirrored: bool) -> tuple[Tensor, Tensor, Tensor]:
        _, given = self._lifter.look(fill_missing(track, times), times, self._intrinsics, self._image_size)
        a, device = self._model.architecture, self._lifter.device
        x = given.inputs[..., : a.features]
        if mirrored:
            x = x[:, torch.from_numpy(np.array(mirror_rows(self._lifter.info.needs)))].clone()
            x[..., 0] *= -1
        with torch.no_grad():
            rows = run_in_chunks(lambda window: self._model.features(window[None])[0], x, a.padding, _CHUNK, device)
        return rows.to(device), x.to(device), given.to_camera.to(device)

    def _nearest(self, part: slice) -> np.ndarray:
        """(G,) of a stretch: the frame in it that is the nearest to each instant."""
        times = self.times[part]
        grid = lifter_times(times, self._lifter.info.fps)
        after = np.clip(np.searchsorted(times, grid), 1, max(len(times) - 1, 1))
        after = np.minimum(after, len(times) - 1)
        before = np.maximum(after - 1, 0)
        return np.where(grid - times[before] < times[after] - grid, before, after)

    def _points(self) -> Points:
        found = []
        for part in self._parts:
            times = self.times[part]
            grid = lifter_times(times, self._lifter.info.fps)
            found.append(resample_track(fill_missing(self._track[part], times), times, grid, bridge=False))
        points = np.concatenate(found)[:, self._columns]
        directions = rays(points[..., :2], np.asarray(self._intrinsics, np.float64))
        device = self._lifter.device
        return Points(
            torch.from_numpy(directions).float().to(device), torch.from_numpy(points[..., 2]).float().to(device)
        )
