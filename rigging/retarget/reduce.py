# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys with a bound, in millimetres at the joints, on what that changes.

All curves are reduced together: keys are added where the nearest cubic is too far from the motion and taken out where
it is near without them. Then the joints are looked at on every frame: where one is too far away, the bones above it
get less room around that frame, where there is room to spare they get more, until every joint keeps the bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .curves import Curve
from .rig import Rig
from .splines import Keys, Splines, hermite

__all__ = ["Keys", "every_key", "hermite", "lever_arms", "reduce_curves"]

_Values = dict[tuple[str, str], np.ndarray]
_FIRST = 6  # frames between keys to begin with
_ROUNDS = 5  # in which room is given and taken, before it is only taken
_NEAR = 3  # frames around one that is too far away in which there is less room
_SPARE = 2.0  # a key is tried without if the curve through its neighbours is no further away than this
_ALL = 20  # rounds after which every frame around one that is too far away gets a key


def every_key(curve: Curve, frames: np.ndarray) -> Keys:
    """A key on every frame."""
    slopes = np.gradient(curve.values, frames, axis=0) if len(frames) > 1 else np.zeros_like(curve.values)
    return Keys(curve, np.arange(len(frames)), frames, curve.values, slopes)


def lever_arms(rig: Rig, row: int) -> np.ndarray:
    """(3, 3) metres, in the bone's own axes: to the furthest thing it moves, and across that line.

    Across is what the limb beyond the next joint reaches when it is bent: a thigh's roll moves the foot of a bent knee.
    """
    bone = rig.bones[row]
    below, todo = [row], list(rig.children[row])
    while todo:
        below.append(todo.pop())
        todo += rig.children[below[-1]]
    tips = np.array([rig.bones[one].rest[:3, 3] + rig.bones[one].length * rig.bones[one].rest[:3, 1] for one in below])
    local = (tips - bone.rest[:3, 3]) @ bone.rest[:3, :3]
    along = local[np.linalg.norm(local, axis=-1).argmax()]
    reach = float(np.linalg.norm(along))
    way = along / max(reach, 1e-9)
    aside = np.linalg.norm(local - (local @ way)[:, None] * way, axis=-1).max()
    across = max(float(aside), 0.5 * (reach - bone.length), 0.05 * reach)
    normal = np.cross(way, np.eye(3)[np.abs(way).argmin()])
    normal /= np.linalg.norm(normal)
    return rig.size * np.stack([along, across * normal, across * np.cross(way, normal)])


def reduce_curves(
    curves: list[Curve],
    frames: np.ndarray,
    levers: dict[str, np.ndarray],
    above: list[set[str]],
    bound: float,
    joints: Callable[[_Values], np.ndarray],
) -> list[Keys]:
    """Keys for all curves so that no joint is further than `bound` metres from where it was, on any frame.

    curves: locations in metres. levers: of each bone, `lever_arms`. above: for each joint the bones that move it.
    joints: (values of each (bone, path)) -> (F, J, 3) positions, metres. It judges what is handed back.
    """
    if len(frames) < 3 or not curves:
        return [every_key(curve, frames) for curve in curves]
    work = _Reduction(curves, frames, levers)
    moves = np.array([[curve.bone in bones for bones in above] for curve in curves]).reshape(len(curves), -1)
    true = joints(_by_curve(curves, work.splines.values, len(frames)))
    depth = np.maximum((moves[:, :, None] & moves[:, None, :]).sum(0).diagonal(), 1)
    allowed = bound * np.array([2.0 / np.sqrt(depth[row].max()) if row.any() else 2.0 for row in moves])
    work.room = np.repeat(allowed, len(frames))
    for number in range(10 * _ALL):
        work.add()
        if number <= _ROUNDS:
            work.remove()
        away = np.linalg.norm(joints(_by_curve(curves, work.found, len(frames))) - true, axis=-1) / bound
        if number >= _ROUNDS and away.max() <= 1.0:
            break
        if number >= _ALL and not work.fill(_of_curves(away, moves) > 1.0):
            break
        work.give(_of_curves(away, moves), more=number < _ROUNDS)
    return work.keys(curves)


def _by_curve(curves: list[Curve], rows: np.ndarray, length: int) -> _Values:
    return {
        (curve.bone, curve.path): rows[number * length : (number + 1) * length, : curve.values.shape[1]]
        for number, curve in enumerate(curves)
    }


def _of_curves(away: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """(N F,) how far away, as a part of the bound, the worst joint is that a curve moves. away: (F, J)."""
    worst = [away[:, row].max(1) if row.any() else np.zeros(len(away)) for row in moves]
    return np.concatenate(worst)


class _Reduction:
    """Keys of all curves as they come and go. Rows are those of `Splines`, N F.

    room: (N F,) metres that each curve may be away on each frame. keyed: (N F,) bool. found: (N F, C) the curves now.
    """

    def __init__(self, curves: list[Curve], frames: np.ndarray, levers: dict[str, np.ndarray]) -> None:
        length = len(frames)
        values = np.zeros((len(curves), length, max(curve.values.shape[1] for curve in curves)))
        for number, curve in enumerate(curves):
            values[number, :, : curve.values.shape[1]] = curve.values
        self.splines, self.frames = Splines(frames, values), frames
        self.effect = np.concatenate([_effect(curve, levers, values.shape[2]) for curve in curves])
        self.keyed = np.zeros((len(curves), length), bool)
        self.keyed[:, ::_FIRST] = self.keyed[:, -1] = True
        self.keyed = self.keyed.reshape(-1)
        self.room = np.zeros(self.keyed.shape)
        self.found = self.splines.values
        self.held = (np.zeros(0), np.zeros(0))

    def _excess(self, found: np.ndarray) -> np.ndarray:
        """(N F,) how far curves are away, as a part of the room."""
        moved = (self.effect @ (found - self.splines.values)[..., None])[..., 0]
        # Effects on three directions of levers: along turns the two across and the other way round.
        return np.sqrt(np.maximum((moved[:, :3] ** 2).sum(1), (moved[:, 3:] ** 2).sum(1))) / self.room

    def _fit(self, keyed: np.ndarray) -> np.ndarray:
        self.held = self.splines.fit(keyed)
        self.found = self.splines.evaluate(keyed, *self.held)
        return self._excess(self.found)

    def add(self) -> None:
        """Keys where the curves are too far away, until they are not."""
        excess = self._fit(self.keyed)
        while (excess > 1.0).any():
            starts, ends, _ = self.splines.segments(self.keyed)
            worst = np.maximum.reduceat(excess, starts)
            bad = np.flatnonzero(worst > 1.0)
            first, last = starts[bad], ends[bad]
            weight = np.concatenate([[0.0], np.cumsum(excess**2)])
            middle = np.searchsorted(weight, (weight[first] + weight[last + 1]) / 2) - 1
            quarter = np.maximum((last - first) // 4, 1)
            middle = np.clip(middle, first + quarter, last - quarter)
            new = self.keyed.copy()
            new[middle[last - first > 1]] = True
            # The error is at a key itself: its neighbours' stretches have to let it go.
            short = last - first < 2
            new[np.maximum(first[short] - 1, 0)] = True
            new[np.minimum(last[short] + 1, len(new) - 1)] = True
            if (new == self.keyed).all():
                break
            self.keyed = new
            excess = self._fit(new)

    def remove(self) -> None:
        """Take out every second key that looks idle, and put back what was not; then the other ones."""
        for parity in (0, 1, 0, 1):
            keys = np.flatnonzero(self.keyed)
            inner = keys[~self.splines.last[keys] & ~self.splines.first[keys]]
            tried = inner[parity::2]
            without = self.keyed.copy()
            without[tried] = False
            starts, _, segment = self.splines.segments(without)
            alone = np.maximum.reduceat(self._excess(self.splines.evaluate(without, *self.held)), starts)
            gone = tried[alone[segment[tried]] < _SPARE]
            self._without(gone)

    def _without(self, gone: np.ndarray) -> None:
        while len(gone):
            tried = self.keyed.copy()
            tried[gone] = False
            starts, ends, segment = self.splines.segments(tried)
            bad = np.maximum.reduceat(self._fit(tried), starts) > 1.0
            if not bad.any():
                self.keyed = tried
                return
            # Where no key was taken out of a stretch that is too far away, one near it was.
            lonely = bad.copy()
            lonely[segment[gone]] = False
            beside = np.convolve(lonely, np.ones(5), "same") > 0
            back = (bad | beside)[segment[gone]]
            gone = gone[~back] if back.any() else gone[:0]
        self._fit(self.keyed)

    def give(self, away: np.ndarray, more: bool) -> None:
        """More room (if `more`) where joints are near, less where they are not. away: (N F,) parts of the bound."""
        padded = np.pad(away.reshape(self.splines.count, -1), ((0, 0), (_NEAR, _NEAR)), mode="edge")
        near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEAR + 1, axis=1).max(-1).reshape(-1)
        factor = np.clip(0.9 / np.maximum(near, 1e-3), 0.5, 1.3 if more else 1.0)
        self.room = self.room * np.where((near > 1.0) | more, factor, 1.0)

    def fill(self, where: np.ndarray) -> bool:
        """Keys on all frames around those given; whether there was any without."""
        padded = np.pad(where.reshape(self.splines.count, -1), ((0, 0), (2, 2)), mode="edge")
        near = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=1).any(-1).reshape(-1)
        new = near & ~self.keyed
        self.keyed |= near
        return bool(new.any())

    def keys(self, curves: list[Curve]) -> list[Keys]:
        """What is left."""
        length, found = len(self.frames), []
        for number, curve in enumerate(curves):
            part = slice(number * length, (number + 1) * length)
            rows = np.flatnonzero(self.keyed[part])
            values, slopes = (one[part][rows, : curve.values.shape[1]] for one in self.held)
            found.append(Keys(curve, rows, self.frames[rows], values, slopes))
        return found


def _effect(curve: Curve, levers: dict[str, np.ndarray], columns: int) -> np.ndarray:
    """(F, 6, C) metres by which small changes of a curve's values move what hangs from its bone: the end of the lever
    along, and the ends of those across."""
    effect = np.zeros((len(curve.values), 6, columns))
    channels = curve.values.shape[1]
    if curve.path == "location":
        effect[:, :3, :channels] = np.eye(3)
        return effect
    lever = levers[curve.bone]
    now, step = np.swapaxes(curve.rotations(curve.values), 1, 2), 1e-5
    for channel in range(channels):
        aside = np.zeros(channels)
        aside[channel] = step
        change = now @ (curve.rotations(curve.values + aside) - curve.rotations(curve.values - aside)) / (2 * step)
        turned = np.stack([change[:, 2, 1], change[:, 0, 2], change[:, 1, 0]], 1)
        effect[:, :3, channel] = np.cross(turned, lever[0])
        # Of the two levers across, the one that such a turn moves most is as good as the whole turn.
        effect[:, 3:, channel] = turned * np.linalg.norm(lever[1])
    return effect
