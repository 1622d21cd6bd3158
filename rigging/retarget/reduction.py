# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of many curves as they come and go: the work behind `reduce`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .curves import Curve
from .splines import Keys, Splines

_FIRST = 2  # frames between keys to begin with: taking keys out finds better places than putting them in
_TRIES = 12  # times that keys are tried without in a row, as long as this part of them goes each time
_WORTH = 0.03
_SPARE = 20.0  # a key is tried without if the curve through its neighbours is no further away than this
_REFIT = 0.3  # of what is wrong without a key remains when the curve is fitted without it
_NEAR = 3  # frames around one that is too far away in which there is less room


def _beside(values: np.ndarray, reach: int) -> np.ndarray:
    """(N,) the sums of each value and of `reach` neighbours on both sides."""
    return np.convolve(np.pad(values, reach), np.ones(2 * reach + 1), "valid")


class Reduction:
    """Keys of N curves. Rows are those of `Splines`, N F.

    room: (N F,) metres that each curve may be away on each frame. keyed: (N F,) bool. found: (N F, C) the curves now.
    """

    def __init__(self, curves: list[Curve], frames: np.ndarray, levers: dict[str, np.ndarray]) -> None:
        """levers: of each bone with a rotation, (3, 3) metres: along, and twice across."""
        length = len(frames)
        values = np.zeros((len(curves), length, max(curve.values.shape[1] for curve in curves)))
        for number, curve in enumerate(curves):
            values[number, :, : curve.values.shape[1]] = curve.values
        self.splines, self.frames = Splines(frames, values), frames
        self.effect = np.concatenate([_effect(curve, levers, values.shape[2]) for curve in curves])
        keyed = np.zeros((len(curves), length), bool)
        keyed[:, ::_FIRST] = keyed[:, -1] = True
        self.keyed = keyed.reshape(-1)
        self.room = np.zeros(self.keyed.shape)
        self.stuck = np.ones(self.keyed.shape)  # what trying it without again costs a key that had to stay
        self.found = self.splines.values
        self.held = (np.zeros(0), np.zeros(0))

    def add(self) -> None:
        """Keys where the curves are too far away, until they are not."""
        excess = self._fit(self.keyed) / self.room
        while (excess > 1.0).any():
            starts, ends, _ = self.splines.segments(self.keyed)
            bad = np.flatnonzero(np.maximum.reduceat(excess, starts) > 1.0)
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
                return
            self.keyed = new
            excess = self._fit(new) / self.room

    def remove(self) -> None:
        """Take out keys while the curves stay within their room, the idlest first and no two neighbours at once."""
        self.stuck[:] = 1.0
        for _ in range(_TRIES):
            before = int(self.keyed.sum())
            gone, cost = self._idle(lambda away: away / self.room, _SPARE)
            self._without(gone, cost, lambda away: away > self.room, shared=False)
            if before - self.keyed.sum() < _WORTH * before:
                return

    def trim(self, judge: Callable[[], np.ndarray], bound: float) -> None:
        """Take out keys while the joints stay within `bound` metres. judge: (N F,) how far away, as a part of the
        bound, the worst joint is that each curve moves."""
        self.stuck[:] = 1.0
        spare = np.maximum(1.0 - judge(), 0.02) * bound
        now = self._metres(self.found)
        gone, cost = self._idle(lambda away: np.maximum(_REFIT * away - now, 0.0) / spare, 1.0)
        self._without(gone, cost, lambda _: judge() > 1.0, shared=True)

    def give(self, away: np.ndarray, more: bool) -> None:
        """More room (if `more`) where joints are near, less where they are not. away: (N F,) parts of the bound."""
        near = self._around(away, _NEAR).max(-1).reshape(-1)
        factor = np.clip(0.9 / np.maximum(near, 1e-3), 0.5, 1.3 if more else 1.0)
        self.room = self.room * np.where((near > 1.0) | more, factor, 1.0)

    def fill(self, where: np.ndarray) -> bool:
        """Keys on all frames around those given; whether there was any without."""
        near = self._around(where, 2).any(-1).reshape(-1)
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

    def _metres(self, found: np.ndarray) -> np.ndarray:
        """(N F,) how far curves are away."""
        moved = (self.effect @ (found - self.splines.values)[..., None])[..., 0]
        return np.sqrt(np.maximum((moved[:, :3] ** 2).sum(1), (moved[:, 3:] ** 2).sum(1)))

    def _fit(self, keyed: np.ndarray) -> np.ndarray:
        self.held = self.splines.fit(keyed)
        self.found = self.splines.evaluate(keyed, *self.held)
        return self._metres(self.found)

    def _around(self, values: np.ndarray, rows: int) -> np.ndarray:
        padded = np.pad(values.reshape(self.splines.count, -1), ((0, 0), (rows, rows)), mode="edge")
        return np.lib.stride_tricks.sliding_window_view(padded, 2 * rows + 1, axis=1)

    def _idle(self, price: Callable[[np.ndarray], np.ndarray], most: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows (K,) of keys that look idle, and what each costs, at most `most`: the worst price of the metres away of
        the cubic that leaves it out, while its neighbours stay as they are. Each is cheaper than its neighbours."""
        keys = np.flatnonzero(self.keyed)
        inner = np.flatnonzero(~self.splines.last[keys] & ~self.splines.first[keys])
        cost = np.full(len(keys), np.inf)
        for parity in (0, 1):
            tried = inner[parity::2]
            without = self.keyed.copy()
            without[keys[tried]] = False
            starts, _, segment = self.splines.segments(without)
            away = self._metres(self.splines.evaluate(without, *self.held))
            cost[tried] = np.maximum.reduceat(price(away), starts)[segment[keys[tried]]]
        cost *= self.stuck[keys]
        beside = np.lib.stride_tricks.sliding_window_view(np.pad(cost, 1, constant_values=np.inf), 3)
        least = (cost < most) & (beside.argmin(1) == 1)
        return keys[least], cost[least]

    def _without(
        self, tried: np.ndarray, cost: np.ndarray, wrong: Callable[[np.ndarray], np.ndarray], shared: bool
    ) -> None:
        """Take out the keys that can go. wrong: metres away -> (N F,) bool, where it is too much.

        shared: several curves have a part in what is wrong, so of the keys near it the dearer half goes back each time
        instead of all.
        """
        gone = tried
        while len(gone):
            keyed = self.keyed.copy()
            keyed[gone] = False
            bad = wrong(self._fit(keyed))
            if not bad.any():
                self.keyed = keyed
                break
            starts, _, segment = self.splines.segments(keyed)
            bad = np.maximum.reduceat(bad, starts)
            lonely = bad.copy()  # no key was taken out of these: one beside them was
            lonely[segment[gone]] = False
            near = _beside(bad, 1) if shared else bad + _beside(lonely, 2)
            guilty = near[segment[gone]] > 0
            dear = guilty & (cost >= np.median(cost[guilty])) if shared and guilty.any() else guilty
            keep = ~dear if dear.any() else np.zeros(len(gone), bool)
            gone, cost = gone[keep], cost[keep]
        else:
            self._fit(self.keyed)
        self.stuck[tried[self.keyed[tried]]] *= 2.0


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
