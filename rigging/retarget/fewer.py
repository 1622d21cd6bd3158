# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's curves with fewer keys: from the hips outwards, each bone making up for what those above it gave away.

A bone whose curve is a little off turns everything that hangs from it. So bones are reduced level by level: what was
lost above is known when a bone's turn comes, and its curve is told anew so that it points where it pointed in the
world. Then a bone's error only moves the next joints, not the end of the limb, and the hips, that would move all
joints, need few keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from .curves import Curve
from .middles import Middle
from .pose import Poser
from .reduce import Keys, lever_arms, reduce_curves
from .riding import OBJECT, object_pose, object_size
from .rig import Rig
from .told_anew import told_anew

Values = dict[tuple[str, str], np.ndarray]
#: Of the bound, for a bone from which all others hang; the last ones of a chain have all of it.
_FIRST = 0.55
_STRAY = 0.3  # joints that a bone carries are one line up to this


@dataclass(frozen=True)
class _Point:
    """Something that a bone carries and that is judged: the bone's row, where in its axes, and which rows move it."""

    row: int
    place: np.ndarray
    movers: frozenset[int]
    watched: Watched | None = None


class Watched(Protocol):
    """Something besides that must stay where it was, and the rows of the bones that say where that is."""

    @property
    def rows(self) -> tuple[int, ...]: ...

    def place(self, poser: Poser) -> np.ndarray:
        """(F, 3) armature space."""
        ...


def reduced(
    curves: list[Curve],
    rig: Rig,
    slots: Mapping[str, str],
    frames: np.ndarray,
    bound: float,
    watched: Sequence[Watched] = (),
) -> list[Keys]:
    """Keys such that no mapped joint, nor the tip of a bone, is further than `bound` metres from where it was.

    rig: where the object itself has curves, `riding.ridden`. watched: what else is not.
    """
    sizes = {curve.bone: object_size(rig) if curve.bone == OBJECT else rig.size for curve in curves}
    metres = [_in_metres(curve, sizes[curve.bone]) for curve in curves]
    keyed = {rig.rows[curve.bone] for curve in curves}
    moved = {row: _moved_by(rig, row) for row in keyed}
    levels = {row: _level(row, moved) for row in keyed}
    for one in watched:
        _later(one.rows, moved, levels)
    was, now = Poser(rig), Poser(rig)
    _put(was, metres, {(curve.bone, curve.path): curve.values for curve in metres})
    located = {rig.rows[curve.bone] for curve in curves if curve.path == "location"}
    points = _points(rig, {rig.rows[name] for name in slots.values()}, moved, located)
    points += _watched(watched, moved)
    done: dict[tuple[str, str], Keys] = {}
    for level in range(max(levels.values(), default=-1) + 1):
        mine = [curve for curve in metres if levels[rig.rows[curve.bone]] == level]
        judged = [point for point in points if max(levels[row] for row in point.movers) == level]
        for key in _reduced_level(mine, rig, judged, levels, moved, was, now, frames, bound):
            done[key.curve.bone, key.curve.path] = _in_units(key, sizes[key.curve.bone])
    return [replace(done[curve.bone, curve.path], curve=curve) for curve in curves]


def _reduced_level(
    curves: list[Curve],
    rig: Rig,
    points: list[_Point],
    levels: dict[int, int],
    moved: dict[int, set[int]],
    was: Poser,
    now: Poser,
    frames: np.ndarray,
    bound: float,
) -> list[Keys]:
    """Keys of the curves of one level; the pose `now`, reduced above, gets what they make."""
    aims = {rig.rows[curve.bone]: _aim(rig, rig.rows[curve.bone], points) for curve in curves}
    bent = [point.watched for point in points if isinstance(point.watched, Middle)]
    gone = {one.control: one.give_way(was, now) for one in bent}
    curves = [told_anew(curve, aims[rig.rows[curve.bone]], gone, levels, was, now) for curve in curves]
    rows = {curve.bone: rig.rows[curve.bone] for curve in curves}

    def joints(values: Values, poser: Poser = now) -> np.ndarray:
        if values:
            _put(poser, curves, values)
        places = [_place(poser, point, len(frames)) for point in points]
        return rig.size * np.stack(places, 1) if places else np.zeros((len(frames), 0, 3))

    above = [{name for name, row in rows.items() if row in point.movers} for point in points]
    bounds = bound * np.array(
        [min((_share(rows[name], levels, moved) for name in names), default=1.0) for names in above]
    )
    levers = {name: _lever(rig, row, points) for name, row in rows.items()}
    keys = reduce_curves(curves, frames, levers, above, bounds, joints, joints({}, was))
    _put(now, curves, {(key.curve.bone, key.curve.path): key.evaluate(frames) for key in keys})
    return keys


def _points(rig: Rig, mapped: set[int], moved: dict[int, set[int]], located: set[int]) -> list[_Point]:
    """Heads and tips of mapped bones, and something beside every bone that turns; only what curves move."""
    found = []
    for row in sorted(mapped | set(moved)):
        movers = frozenset(one for one, below in moved.items() if row in below)
        tip = np.array([0.0, rig.bones[row].length, 0.0])
        carried = frozenset(movers - {row} | (movers & located & {row}))
        found += [_Point(row, np.zeros(3), carried)] if carried else []
        found += [_Point(row, tip, movers)] if movers else []
        if row in moved:
            found.append(_Point(row, 0.25 * np.array([rig.bones[row].length, 0.0, 0.0]), movers))
    return found


def _watched(watched: Sequence[Watched], moved: dict[int, set[int]]) -> list[_Point]:
    found = []
    for one in watched:
        movers = frozenset(mover for mover, below in moved.items() if below & set(one.rows))
        found += [_Point(one.rows[0], np.zeros(3), movers, one)] if movers else []
    return found


def _place(poser: Poser, point: _Point, frames: int) -> np.ndarray:
    if point.watched is not None:
        return np.broadcast_to(point.watched.place(poser), (frames, 3))
    pose = poser.pose(point.row)
    return np.broadcast_to(pose[:, :3, :3] @ point.place + pose[:, :3, 3], (frames, 3))


def _lever(rig: Rig, row: int, points: list[_Point]) -> np.ndarray:
    """Lever arms, metres, of what a bone moves and is judged on its level, at rest."""
    rest = rig.bones[row].rest
    places = [[0.0, rig.bones[row].length, 0.0]]
    for point in points:
        if row in point.movers and point.watched is None:
            carrier = rig.bones[point.row].rest
            at = carrier[:3, :3] @ point.place + carrier[:3, 3]
            places.append(((at - rest[:3, 3]) @ rest[:3, :3]).tolist())
    return rig.size * lever_arms(np.array(places))


def _level(row: int, moved: dict[int, set[int]]) -> int:
    """How many keyed bones, one moved by the other, move a keyed bone."""
    above = [one for one, below in moved.items() if one != row and row in below and one not in moved[row]]
    return 1 + max((_level(one, moved) for one in above), default=-1)


def _later(rows: tuple[int, ...], moved: dict[int, set[int]], levels: dict[int, int]) -> None:
    """What carries the other rows comes after what carries the first, in place: only then is it known between what an
    elbow or knee lies."""
    first = {one for one, below in moved.items() if rows[0] in below}
    after = 1 + max((levels[one] for one in first), default=-1)
    for one in [one for one, below in moved.items() if below & set(rows[1:]) and one not in first]:
        late = max(after - levels[one], 0)
        for other in moved[one] & set(levels):
            levels[other] += late


def _share(row: int, levels: dict[int, int], moved: dict[int, set[int]]) -> float:
    """Of the bound: less for a bone from which much hangs, for what it gives away is lost to all of that."""
    last = max(levels[one] for one in levels if one in moved[row])
    return _FIRST + (1 - _FIRST) * float(np.sqrt(levels[row] / last)) if last else 1.0


def _aim(rig: Rig, row: int, points: list[_Point]) -> int | None:
    """The row of the next joint, to which a bone points; None where it carries several or none."""
    carried = {
        point.row: point for point in points if row in point.movers and point.row != row and not point.place.any()
    }
    at = {one: rig.bones[one].rest[:3, 3] - rig.bones[row].rest[:3, 3] for one in carried}
    far = max(at, key=lambda one: float(np.linalg.norm(at[one])), default=None)
    if far is None or any(np.linalg.norm(np.cross(at[far], way)) > _STRAY * (at[far] @ at[far]) for way in at.values()):
        return None
    return far


def _moved_by(rig: Rig, row: int) -> set[int]:
    """Rows of everything that a bone moves, itself included."""
    below, todo = {row}, [row]
    while todo:
        for other in rig.dependants[todo.pop()]:
            if other not in below:
                below.add(other)
                todo.append(other)
    return below


def _put(poser: Poser, curves: list[Curve], values: Values) -> None:
    """Give the pose the values, locations in metres, of these curves."""
    rig = poser.rig
    for curve in curves:
        given = values[curve.bone, curve.path]
        if curve.bone == OBJECT:
            if curve.path != "location":
                own = {"location": values[OBJECT, "location"] / object_size(rig), curve.path: given}
                poser.put(rig.rows[OBJECT], *object_pose(own, curve, rig))
        elif curve.path == "location":
            poser.put(rig.rows[curve.bone], None, given / rig.size)
        else:
            poser.put(rig.rows[curve.bone], curve.rotations(given))


def _in_metres(curve: Curve, size: float) -> Curve:
    return replace(curve, values=curve.values * size) if curve.path == "location" else curve


def _in_units(key: Keys, size: float) -> Keys:
    if key.curve.path != "location":
        return key
    return replace(key, values=key.values / size, slopes=key.slopes / size)
