# SPDX-License-Identifier: GPL-3.0-or-later
"""A report in words: what the command line prints and what Blender's panel shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .limits import LIMITS

#: What is said of a number that is fair or poor.
_COMPLAINTS = {
    "reprojection_median_percent": ("the joints lie a little off the picture", "the joints lie far off the picture"),
    "jitter_ratio": ("the motion shakes a little", "the motion shakes"),
    "bone_variation_percent": ("the bones change their lengths a little", "the bones change their lengths"),
    "foot_slide_mm_s": ("standing feet slide a little", "standing feet slide"),
    "below_floor_99_mm": ("the feet sink into the floor a little", "the body sinks into the floor"),
}
_WHY = {"picture": "off the picture", "confidence": "doubtful", "unseen": "not seen"}
#: What to do about something that nobody gave.
_ADVICE = {
    "focal_length": "give it or the field of view if you know one of them",
    "scale": "give the standing height of the first person if you know it",
}


def verdict(person: Mapping[str, Any]) -> tuple[str, bool]:
    """One sentence about a person, and whether they are good as they are."""
    said = nothing_said(person) or complaints(person)
    where = [f"{_seconds(each['start'], each['end'])} ({reason(each)})" for each in person["stretches"]]
    if where:
        said.append("look at " + ", ".join(where))
    return ("; ".join(said), False) if said else ("good", True)


def nothing_said(person: Mapping[str, Any]) -> list[str]:
    """What to say of somebody who is in no frame."""
    return [] if person["seen"] or person["filled"] else ["nothing of them could be put into space"]


def complaints(person: Mapping[str, Any]) -> list[str]:
    """What is not good about a person over the whole clip, poor things first."""
    graded = [(limit.grade(person[key]), key) for key, limit in LIMITS.items() if person.get(key) is not None]
    return [_COMPLAINTS[key][grade - 1] for grade, key in sorted(graded, key=lambda pair: -pair[0]) if grade]


def reason(stretch: Mapping[str, Any]) -> str:
    """left arm off the picture."""
    return " ".join([*([" and ".join(stretch["parts"])] if stretch.get("parts") else []), _WHY[stretch["why"]]])


def person_lines(person: Mapping[str, Any]) -> list[str]:
    """The numbers of a person in a few lines."""
    lines = [_frames(person)]
    if person["reprojection_median_px"] is not None:
        lines.append(
            f"off the picture by {person['reprojection_median_px']:.1f} px "
            f"({person['reprojection_median_percent']:.1f} % of their height), 95 % by less than "
            f"{person['reprojection_95_px']:.1f} px ({person['reprojection_95_percent']:.1f} %)"
        )
    motion = []
    if person["jitter_mm"] is not None:
        motion.append(f"jitter {person['jitter_mm']:.1f} mm, {person['jitter_ratio']:.1f} times what people do")
    if person["bone_variation_percent"] is not None:
        motion.append(f"bone lengths vary by {person['bone_variation_percent']:.2f} %")
    if motion:
        lines.append("; ".join(motion))
    feet = []
    if person["foot_slide_mm_s"] is not None:
        feet.append(f"standing feet slide at {person['foot_slide_mm_s']:.0f} mm/s")
    if person["below_floor_99_mm"] is not None:
        deep, share = person["below_floor_99_mm"], person["below_floor_percent"]
        feet.append(
            f"down to {deep:.0f} mm below the floor, more than 20 mm in {share:.0f} % of frames"
            if deep >= 1
            else "not below the floor"
        )
    if feet:
        lines.append("; ".join(feet))
    return lines


def guess_lines(report: Mapping[str, Any]) -> list[str]:
    """Where camera and world come from, and what to do about what nobody gave."""
    camera, world = report["camera"], report["world"]
    width = f"{camera['field_of_view_degrees']:.0f} degrees wide"
    lens = {"source": camera["focal_length"] or "nobody says where it comes from"} | camera
    lines = [_line(f"focal length {camera['focal_length_px']:.0f} px, {width}", lens, report, "focal_length")]
    lines.append("camera: " + ("moving" if camera["moving"] else "still"))
    return lines + [_line(key, world[key], report, key) for key in ("level", "floor", "scale") if world[key]["source"]]


def _line(what: str, said: Mapping[str, Any], report: Mapping[str, Any], key: str) -> str:
    sure = f" (certainty {said['certainty']})" if "certainty" in said else ""
    return f"{what}: {said['source']}{sure}" + (f"; {_ADVICE[key]}" if key in report["guessed"] else "")


def report_lines(report: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """The whole report for a terminal. names: of people by their ids as texts."""
    lines = []
    for identity, person in sorted(report["persons"].items(), key=lambda pair: int(pair[0])):
        lines.append(f"{names.get(identity, f'Person {identity}')}: {verdict(person)[0]}")
        lines += [f"  {line}" for line in person_lines(person)]
    return lines + guess_lines(report)


def _frames(person: Mapping[str, Any]) -> str:
    parts = [f"{person['seen']} {'frame' if person['seen'] == 1 else 'frames'} seen"]
    parts += [f"{person[key]} {key}" for key in ("filled", "missing") if person[key]]
    return ", ".join(parts)


def _seconds(start: float, end: float) -> str:
    return f"{start:.1f}-{end:.1f} s" if end - start >= 0.1 else f"{start:.1f} s"
