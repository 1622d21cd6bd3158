# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a motion on a rig: the numbers and sentences that an animator sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..joints import TAKE
from ..rotations import SEGMENTS, SegmentRotations
from ..vectors import dot, unit
from .feet import foot_points, foot_slide
from .pose import Poser
from .slots import in_words
from .transfer import Source, Transfer

#: Slot whose bone is judged: (slot at its end, the person's joints at its start and end).
LIMBS: dict[str, tuple[str, str, str]] = {
    f"{part}.{side}": (f"{end}.{side}", prefix + first, prefix + second)
    for side, prefix in (("L", "left_"), ("R", "right_"))
    for part, end, first, second in (
        ("upper_arm", "forearm", "shoulder", "elbow"), ("forearm", "hand", "elbow", "wrist"),
        ("thigh", "shin", "hip", "knee"), ("shin", "foot", "knee", "ankle"),
    )
}  # fmt: skip

#: Degrees that are worth a reason.
_SEEN = 0.5


@dataclass(frozen=True)
class Report:
    """What was done.

    limbs: slot -> (mean, 99th percentile) degrees between the rig's limb and the person's. checked: the same as Blender
    itself poses the bones that deform, (mean, most) over some frames, or None where it was not looked at.
    slide: mm/s of standing feet: the person's own (None if they were never seen), on the rig before and after the feet
    were locked; scaled to the rig.
    below_floor: mm, the deepest that a heel or toe gets. unmapped: slots without a bone. unobserved: what was not seen
    and how it was filled, a sentence each. limited: slot -> (frames of the motion in which the joint was held within
    its limit, degrees at most), None where limits were not asked for. keys, all_keys: written, and what there would be
    with one on every frame.
    frames: (first, last) scene frame. warnings: sentences. locked: whether feet were to be locked.
    """

    limbs: dict[str, tuple[float, float]]
    slide: tuple[float | None, float, float]
    below_floor: float
    unmapped: tuple[str, ...]
    unobserved: tuple[str, ...]
    keys: int
    all_keys: int
    frames: tuple[float, float]
    warnings: tuple[str, ...] = ()
    checked: tuple[float, float] | None = None
    limited: Mapping[str, tuple[int, float]] | None = None
    notes: tuple[str, ...] = field(default=())
    locked: bool = True

    @property
    def error(self) -> tuple[float, float]:
        """(mean over all limbs, the greatest 99th percentile) in degrees; 0 without limbs."""
        if not self.limbs:
            return 0.0, 0.0
        return float(np.mean([mean for mean, _ in self.limbs.values()])), max(worst for _, worst in self.limbs.values())

    def lines(self) -> list[str]:
        """The report as text, the most important first."""
        mean, worst = self.error
        text = [
            f"limbs point {mean:.2f} degrees away from the person's on average, below {worst:.2f} in 99 % of the frames"
        ]
        for part in ("upper_arm", "forearm", "thigh", "shin"):
            sides = {"left": self.limbs.get(f"{part}.L"), "right": self.limbs.get(f"{part}.R")}
            values = [f"{side} {found[0]:.2f}" for side, found in sides.items() if found is not None]
            if values:
                bent = self.locked and part in ("thigh", "shin") and worst > _SEEN
                why = " (bent so that feet stand)" if bent else ""
                text.append(f"  {part.replace('_', ' ')}s: {', '.join(values)} degrees{why}")
        if self.checked is not None:
            usual, most = self.checked
            text.append(
                f"as Blender poses the bones that move the skin: {usual:.2f} degrees on average, {most:.2f} at most"
            )
        text.append(self._slide_line())
        if self.below_floor >= 1:
            text.append(f"feet get {self.below_floor:.0f} mm below the floor")
        if self.limited is not None:
            held = ", ".join(_held(slot, *found) for slot, found in self.limited.items())
            text.append(f"joints held within their limits: {held}" if held else "no joint went beyond its limits")
        share = f", {self.keys / self.all_keys:.0%} of one on every frame" if self.keys < self.all_keys else ""
        text.append(f"{self.keys} keys on frames {self.frames[0]:g} to {self.frames[1]:g}{share}")
        if self.unmapped:
            text.append(f"no bones for {', '.join(in_words(self.unmapped))}: what they do is left out")
        return [*text, *self.unobserved, *self.notes, *(f"warning: {one}" for one in self.warnings)]

    def _slide_line(self) -> str:
        own, before, after = self.slide
        source = f"{own:.0f} in the source" if own is not None else ""
        if self.locked:
            besides = ", ".join(one for one in (f"{before:.0f} before they were locked", source) if one)
        else:
            besides = "; ".join(one for one in (source, "they are not locked") if one)
        return f"standing feet slide {after:.0f} mm/s ({besides})"


def _held(slot: str, count: int, most: float) -> str:
    degrees = f"{most:.0f}"
    return (
        f"{in_words((slot,))[0]} in {count} frame{'s' * (count != 1)} "
        f"(by {degrees} degree{'s' * (degrees != '1')} at most)"
    )


def limb_errors(
    poser: Poser, slots: Mapping[str, str], source: Source, times: np.ndarray
) -> dict[str, tuple[float, float]]:
    """slot -> (mean, 99th percentile) in degrees over the frames at `times` (F,) in which the limb was seen."""
    rig, found = poser.rig, {}
    for slot, (end, first, second) in LIMBS.items():
        if slot not in slots or end not in slots:
            continue
        heads = [rig.to_world(poser.pose(rig.rows[slots[name]])[:, :3, 3]) for name in (slot, end)]
        wanted = _person_limb(source, times, first, second)
        angles = np.degrees(np.arccos(np.clip(dot(unit(heads[1] - heads[0]), wanted), -1, 1)))
        angles = angles[np.isfinite(angles)]
        if len(angles):
            found[slot] = (float(angles.mean()), float(np.percentile(angles, 99)))
    return found


def limb_directions(source: Source, times: np.ndarray, slots: Mapping[str, str]) -> dict[str, np.ndarray]:
    """slot -> (F, 3) unit direction of the person's limb at `times`, NaN where it was not seen."""
    return {
        slot: _person_limb(source, times, first, second) for slot, (_, first, second) in LIMBS.items() if slot in slots
    }


def _person_limb(source: Source, times: np.ndarray, first: str, second: str) -> np.ndarray:
    """(F, 3) unit direction from one joint to another at `times`; NaN where they were not seen on both sides of it."""
    rows = [TAKE.index(first), TAKE.index(second)]
    seen = (source.confidence[:, rows] > 0).all(1)
    along = np.where(seen[:, None], source.joints[:, rows[1]] - source.joints[:, rows[0]], np.nan)
    return unit(np.stack([np.interp(times, source.times, column) for column in along.T], -1))


def slide(moved: Transfer, slots: Mapping[str, str], stands: np.ndarray, times: np.ndarray) -> float:
    """mm/s, world, of heels and toes of the rig while they stand, stands (F, 4)."""
    both = []
    for number, side in enumerate("LR"):
        heel, toe = (np.broadcast_to(point, (len(times), 3)) for point in foot_points(moved, slots, side))
        both.append(foot_slide(heel, toe, stands[:, 2 * number : 2 * number + 2], times))
    return float(np.mean(both))


def source_slide(source: Source, stands: np.ndarray) -> float | None:
    """mm/s of the person's own heels and toes while they stand and were seen; None if they never were."""
    both, ever = [], False
    for number, prefix in enumerate(("left_", "right_")):
        heel, toe = (source.joints[:, TAKE.index(prefix + name)] for name in ("heel", "toe"))
        seen = np.isfinite(heel).all(-1) & np.isfinite(toe).all(-1)
        ever |= bool(seen.any())
        part = stands[:, 2 * number : 2 * number + 2] & seen[:, None]
        both.append(foot_slide(np.nan_to_num(heel), np.nan_to_num(toe), part, source.times))
    return float(np.mean(both)) if ever else None


def below_floor(moved: Transfer, slots: Mapping[str, str]) -> float:
    """mm, world, the deepest that a heel or toe gets under the floor on which the rig stands."""
    lowest = min(float(np.min(point[:, 2])) for side in "LR" for point in foot_points(moved, slots, side))
    return 1000.0 * max(0.0, moved.anatomy.floor - lowest)


def unobserved(solved: SegmentRotations) -> tuple[str, ...]:
    """What of the person was not seen, and what stands in for it, a sentence each."""
    seen = dict(zip(SEGMENTS, solved.observed.any(0).tolist(), strict=True))
    rolled = dict(zip(SEGMENTS, (solved.twist > 0).any(0).tolist(), strict=True))
    text = []
    if not (rolled["forearm.L"] or rolled["forearm.R"]):
        text.append("how the forearms turn about themselves (their twist) was not captured: they follow the elbows")
    if not (seen["hand.L"] or seen["hand.R"]):
        text.append("the hands were not seen: they follow the forearms")
    if not seen["head"]:
        text.append("the head was not seen: it follows the chest")
    elif not rolled["head"]:
        text.append("the face was not seen: the head looks where the chest does")
    if not (rolled["foot.L"] or rolled["foot.R"]):
        text.append("heels were not seen: how the feet roll follows the shins")
    if not (seen["toe.L"] or seen["toe.R"]):
        text.append("toes are not captured: they follow the feet")
    for slot in ("upper_arm.L", "upper_arm.R", "thigh.L", "thigh.R"):
        if not seen[slot]:
            text.append(f"the {in_words((slot,))[0]} was never seen: it follows the body")
    return tuple(text)
