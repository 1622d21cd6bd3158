# SPDX-License-Identifier: GPL-3.0-or-later
"""What the animator chooses about a retargeting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

KEYS = ("scene", "source", "reduced")
ROOTS = ("hips", "root", "object", "in place")
LIMB_MODES = ("fk", "ik", "both")
SMOOTHING = ("none", "one euro", "savitzky-golay", "butterworth")
ACTIONS = ("new", "replace", "nla")

#: The parts of the body that `Options.influence` knows, and the slots (their stems) of each.
PARTS: dict[str, tuple[str, ...]] = {
    "hips": ("root", "hips", "pelvis"),
    "spine": ("spine", "chest"),
    "head": ("neck", "head"),
    **{f"arm.{side}": tuple(f"{one}.{side}" for one in ("shoulder", "upper_arm", "forearm", "hand")) for side in "LR"},
    **{f"leg.{side}": tuple(f"{one}.{side}" for one in ("thigh", "shin", "foot", "toe")) for side in "LR"},
}


@dataclass(frozen=True)
class Options:
    """How a motion is put on a rig.

    scene_fps: Hz. start_frame: scene frame of the source's time 0.
    keys: "scene" a key on every whole frame of the scene, "source" on every frame of the source, "reduced" as few as
        keep every joint within `tolerance` millimetres.
    smoothing: "none" or a method; strength 0..1. The source itself is not changed.
    feet: feet that stand are locked. limits: joints stay within what people can do (`limits.HUMAN`).
    root: what carries the figure through space. limbs: which controls of arms and legs are keyed, where a rig has both.
    influence: 0..1 for parts of the body (`PARTS`); the rest is the rig's pose as it is. A part at 0 gets no keys.
    trim: seconds of the source, start and end, None for its own. loop: the end leads back into the start.
    scale: of the way over the floor, besides what the rig's own leg length makes of it; the height stays.
    offset: metres, world, by which the figure is moved.
    action: "new" on the active slot, "replace" the curves of the action that is there, "nla" on a muted track.
    name: of a new action.
    """

    scene_fps: float = 24.0
    start_frame: int = 1
    keys: str = "scene"
    tolerance: float = 5.0
    smoothing: str = "none"
    strength: float = 0.5
    feet: bool = True
    limits: bool = False
    root: str = "hips"
    limbs: str = "fk"
    influence: Mapping[str, float] = field(default_factory=dict)
    trim: tuple[float | None, float | None] = (None, None)
    loop: bool = False
    scale: float = 1.0
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    action: str = "new"
    name: str = "Retargeted"

    def check(self) -> None:
        """Raises ValueError, in one sentence, for what cannot be."""
        choices = {"keys": KEYS, "smoothing": SMOOTHING, "root": ROOTS, "limbs": LIMB_MODES, "action": ACTIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(known)}")
        unknown = [part for part in self.influence if part not in PARTS]
        if unknown:
            raise ValueError(f"there is no part called {', '.join(unknown)}; there are {', '.join(PARTS)}")
        wrong = [part for part, share in self.influence.items() if not 0 <= share <= 1]
        if wrong:
            raise ValueError(f"the influence of {', '.join(wrong)} must be from 0 to 1")
        if not 0 < self.scene_fps < math.inf:
            raise ValueError("the scene's frame rate must be above 0")
        if not 0 <= self.strength <= 1:
            raise ValueError("the strength of the smoothing must be from 0 to 1")
        if self.keys == "reduced" and not 0 < self.tolerance < math.inf:
            raise ValueError("the tolerance for fewer keys must be above 0 mm")
        if not 0.01 <= self.scale <= 100:
            raise ValueError("the scale of the way must be from 0.01 to 100")
        if len(self.offset) != 3 or not all(map(math.isfinite, self.offset)):
            raise ValueError("the offset must be three numbers, in metres")
        start, end = self.trim
        if start is not None and end is not None and not end > start:
            raise ValueError(f"the motion is trimmed from {start:g} s to {end:g} s; the end must come after the start")

    def part_influence(self, slot: str) -> float:
        """0..1 for a slot."""
        for part, stems in PARTS.items():
            if slot in stems or slot.partition(".")[0] in stems:
                return self.part_influence_of(part)
        return 1.0

    def part_influence_of(self, part: str) -> float:
        """0..1 for a part of the body."""
        return float(min(max(self.influence.get(part, 1.0), 0.0), 1.0))
