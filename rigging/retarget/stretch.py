# SPDX-License-Identifier: GPL-3.0-or-later
"""Armature objects that are scaled unevenly: the motion as it looks from within, where the figure is not stretched.

An object's matrix is a stretch after a turn with an even scale (polar decomposition, W = A s Q). Poses are worked out
on the figure that s Q alone would show, for the person whom A would make the real one: what points right there points
right in the world, and what stands still there stands still.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .contacts import find_contacts
from .rig import Rig
from .transfer import Source, person_leg

#: A scale is even if its axes differ less.
EVEN = 0.01
#: A floor is level if what was upright leans less (radians).
_LEVEL = 0.01


def stretch_of(rig: Rig) -> np.ndarray:
    """(3, 3) world, symmetric, of determinant 1: how an object's matrix stretches; the identity if hardly.

    Raises ValueError, in one sentence, if the object is flat.
    """
    u, sizes, _ = np.linalg.svd(rig.world[:3, :3])
    if sizes[2] <= 1e-6 * sizes[0] or not np.isfinite(sizes).all():
        raise ValueError(f"{rig.name} is flat: its scale is 0 in one direction; give it a scale")
    if sizes[0] < (1 + EVEN) * sizes[2]:
        return np.eye(3)
    return u @ np.diag(sizes / np.cbrt(np.prod(sizes))) @ u.T


def is_even(stretch: np.ndarray) -> bool:
    """Whether there is no stretch."""
    return np.array_equal(stretch, np.eye(3))


def keeps_level(stretch: np.ndarray) -> bool:
    """Whether what is upright stays so, and with it the floor."""
    upright = stretch[:, 2]
    return bool(np.hypot(upright[0], upright[1]) < _LEVEL * abs(upright[2]))


def evened(rig: Rig, stretch: np.ndarray) -> Rig:
    """The rig in the world before the stretch."""
    if is_even(stretch):
        return rig
    world = rig.world.copy()
    world[:3, :3] = np.linalg.inv(stretch) @ world[:3, :3]
    return replace(rig, world=world, seat=None)


def seen_within(source: Source, stretch: np.ndarray) -> Source:
    """The motion in the world before the stretch. How bones turn is lost there; where joints are says enough."""
    if is_even(stretch):
        return source
    back = np.linalg.inv(stretch).T
    contacts = source.contacts
    if contacts is None:
        contacts = find_contacts(source.joints, source.times, person_leg(source))
    neutral = None if source.neutral is None else source.neutral @ back
    return replace(source, joints=source.joints @ back, contacts=contacts, neutral=neutral, turns=None)
