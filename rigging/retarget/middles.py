# SPDX-License-Identifier: GPL-3.0-or-later
"""Elbows and knees of limbs that follow IK controls: no bone's keys say where they are, but a triangle does.

Where a limb is nearly straight, a millimetre between its ends is centimetres at its middle. Whoever leaves out keys of
the controls has to look there, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..vectors import dot, perpendicular, smoothstep, unit
from .pose import Poser

#: Sine of the angle between a limb's first bone and the line to its end, up to which it is straight, from which bent.
_BENT = (0.15, 0.4)
#: Control -> (pole, the limb's slots: its bones and its end).
_LIMBS = {
    "hand": ("elbow_pole", ("upper_arm", "forearm", "hand")),
    "foot": ("knee_pole", ("thigh", "shin", "foot")),
}
_CARRIED = {"hand": ("hand",), "foot": ("foot", "toe")}


@dataclass(frozen=True)
class Middle:
    """The middle joint of one limb over F frames.

    start: row of its first bone. control, pole: rows of its IK controls. end: (F, 3) the limb's end in the control's
    axes. upper, lower: (F,) lengths. turn: (F,) radians about the line from start to end, from the pole to the middle.
    """

    start: int
    control: int
    pole: int
    end: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    turn: np.ndarray

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows that say where it is."""
        return self.start, self.control, self.pole

    def place(self, poser: Poser) -> np.ndarray:
        """(F, 3) armature space: where two-bone IK puts the middle for this pose of the controls."""
        start, end, line, front, side = _triangle(poser, self.start, self.control, self.pole, self.end)
        distance = np.linalg.norm(end - start, axis=-1)
        cosine = (self.upper**2 + distance**2 - self.lower**2) / np.maximum(2 * self.upper * distance, 1e-12)
        cosine = np.clip(cosine, -1.0, 1.0)
        aside = np.cos(self.turn)[:, None] * front + np.sin(self.turn)[:, None] * side
        return start + self.upper[:, None] * (cosine[:, None] * line + np.sqrt(1 - cosine**2)[:, None] * aside)

    def give_way(self, was: Poser, now: Poser) -> np.ndarray:
        """(F, 3) armature space: what its control must be moved by so that a limb that is nearly straight stays as
        long as it was when its start has moved."""
        start, _, line, _, _ = _triangle(was, self.start, self.control, self.pole, self.end)
        moved = np.broadcast_to(now.pose(self.start)[:, :3, 3], start.shape) - start
        away = self.place(was) - start
        straight = 1 - smoothstep(np.linalg.norm(np.cross(away, line), axis=-1) / self.upper, *_BENT)
        return (straight * dot(moved, line))[:, None] * line


@dataclass(frozen=True)
class End:
    """A joint at the end of a limb over F frames, where the limb's IK control carries it. control: its row. place_in:
    (F, 3) in its axes."""

    control: int
    place_in: np.ndarray

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows that say where it is."""
        return (self.control,)

    def place(self, poser: Poser) -> np.ndarray:
        """(F, 3) armature space."""
        held = poser.pose(self.control)
        return held[:, :3, 3] + (held[:, :3, :3] @ self.place_in[..., None])[..., 0]


def middles(poser: Poser, slots: Mapping[str, str], controls: Mapping[str, str], frames: int) -> list[Middle]:
    """Of every limb that has both a target and a pole.

    poser: with all channels, those of the limbs and those of the controls. controls: `hand.L`, `elbow_pole.L` .. ->
    bone.
    """
    rig, found = poser.rig, []
    for control, bone in controls.items():
        stem, _, side = control.partition(".")
        pole, parts = _LIMBS.get(stem, ("", ()))
        named = [slots.get(f"{part}.{side}", "") for part in parts]
        if named and f"{pole}.{side}" in controls and all(name in rig.rows for name in named):
            rows = [rig.rows[name] for name in named]
            found.append(_middle(poser, rows, rig.rows[bone], rig.rows[controls[f"{pole}.{side}"]], frames))
    return found


def ends(poser: Poser, slots: Mapping[str, str], controls: Mapping[str, str], frames: int) -> list[End]:
    """The joints that IK controls carry: a hand's, a foot's and its toe's. As `middles`."""
    rig, found = poser.rig, []
    for control, bone in controls.items():
        stem, _, side = control.partition(".")
        for part in _CARRIED.get(stem, ()):
            if (name := slots.get(f"{part}.{side}", "")) in rig.rows:
                place = np.broadcast_to(poser.pose(rig.rows[name])[:, :3, 3], (frames, 3))
                found.append(End(rig.rows[bone], _in_axes(poser, rig.rows[bone], place)))
    return found


def _in_axes(poser: Poser, row: int, places: np.ndarray) -> np.ndarray:
    """Places (F, 3) in armature space, in the axes of a bone."""
    held = np.broadcast_to(poser.pose(row), (len(places), 4, 4))
    return np.einsum("fji,fj->fi", held[:, :3, :3], places - held[:, :3, 3])


def _middle(poser: Poser, rows: list[int], control: int, pole: int, frames: int) -> Middle:
    places = [np.broadcast_to(poser.pose(row)[:, :3, 3], (frames, 3)) for row in rows]
    local = _in_axes(poser, control, places[2])
    _, _, line, front, side = _triangle(poser, rows[0], control, pole, local)
    away = places[1] - places[0]
    return Middle(
        rows[0],
        control,
        pole,
        local,
        np.linalg.norm(away, axis=-1),
        np.linalg.norm(places[2] - places[1], axis=-1),
        np.arctan2(dot(away, side), dot(away, front)),
    )


def _triangle(
    poser: Poser, start: int, control: int, pole: int, local: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(F, 3) each: both ends, the unit line between them, and unit vectors across it, to the pole and aside of it."""
    frames = len(local)
    first, pole_at = (np.broadcast_to(poser.pose(row)[:, :3, 3], (frames, 3)) for row in (start, pole))
    held = np.broadcast_to(poser.pose(control), (frames, 4, 4))
    last = held[:, :3, 3] + (held[:, :3, :3] @ local[..., None])[..., 0]
    line = np.nan_to_num(unit(last - first))
    front = np.nan_to_num(perpendicular(pole_at - first, line))
    return first, last, line, front, np.cross(line, front)
