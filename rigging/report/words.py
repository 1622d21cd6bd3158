# SPDX-License-Identifier: GPL-3.0-or-later
"""A report in words: what the command line prints and what Blender's panel shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .limits import LIMITS, NOBODY_CONFIDENCE, NOBODY_PERCENT

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
    said = complaints(person)
    if is_doubtful(person):
        return "; ".join(said), False
    where = [f"{_seconds(each['start'], each['end'])} ({reason(each)})" for each in person["stretches"]]
    if where:
        said.append("look at " + ", ".join(where))
    return ("; ".join(said), False) if said else ("good", True)


def complaints(person: Mapping[str, Any]) -> list[str]:
    """What is not good about a person over the whole clip, poor things first."""
    if not person["seen"] and not person["filled"]:
        return ["nothing of them could be put into space"]
    if is_doubtful(person):
        return ["may be nobody: delete this person if the picture shows none there"]
    graded = [(limit.grade(person[key]), key) for key, limit in LIMITS.items() if person.get(key) is not None]
    return [_COMPLAINTS[key][grade - 1] for grade, key in sorted(graded, key=lambda pair: -pair[0]) if grade]


def is_doubtful(person: Mapping[str, Any]) -> bool:
    """Neither do the joints lie on the picture, nor is the capture sure of them."""
    fit, sure = person["reprojection_95_percent"], person["confidence"]
    return fit is not None and sure is not None and fit > NOBODY_PERCENT and sure < NOBODY_CONFIDENCE


def reason(stretch: Mapping[str, Any], most: int = 2) -> str:
    """left arm off the picture. most: parts of the body to name."""
    parts = " and ".join((stretch.get("parts") or [])[:most])
    return f"{parts} {_WHY[stretch['why']]}".strip()


def person_rows(person: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """The numbers of a person: what, how much, and 0 good, 1 fair, 2 poor. What cannot be said is left out."""
    rows = [("frames", _frames(person), int(person["filled"] + person["missing"] > 0))]

    def row(key: str, what: str, value: str) -> None:
        if person[key] is not None:
            grade = LIMITS[key].grade(person[key]) if key in LIMITS else 0
            rows.append((what, value.format(**person), grade))

    row(
        "reprojection_median_percent",
        "off the picture",
        "{reprojection_median_px:.1f} px, {reprojection_median_percent:.1f} %",
    )
    row("reprojection_95_percent", "95 % within", "{reprojection_95_px:.1f} px, {reprojection_95_percent:.1f} %")
    row("jitter_ratio", "jitter", "{jitter_mm:.1f} mm, {jitter_ratio:.1f} x usual")
    row("bone_variation_percent", "bones vary by", "{bone_variation_percent:.2f} %")
    row("foot_slide_mm_s", "feet slide at", "{foot_slide_mm_s:.0f} mm/s")
    row("below_floor_99_mm", "below the floor", "{below_floor_99_mm:.0f} mm, {below_floor_percent:.0f} % of time")
    return rows


def guess_lines(report: Mapping[str, Any]) -> list[str]:
    """Where camera and world come from, and what to do about what nobody gave."""
    camera, world = report["camera"], report["world"]
    width = f"{camera['field_of_view_degrees']:.0f} degrees wide"
    lens = {"source": camera["focal_length"] or "nobody says where it comes from"} | camera
    lines = [_line(f"focal length {camera['focal_length_px']:.0f} px, {width}", lens, report, "focal_length")]
    lines.append(f"camera: {motion(camera)}")
    return lines + [_line(key, world[key], report, key) for key in ("level", "floor", "scale") if world[key]["source"]]


def _line(what: str, said: Mapping[str, Any], report: Mapping[str, Any], key: str) -> str:
    return f"{what}: {source(said)}" + (f"; {_ADVICE[key]}" if key in report["guessed"] else "")


def source(said: Mapping[str, Any]) -> str:
    """Where something comes from, and how well it is known, if anybody said."""
    return f"{said['source']} ({said['certainty']})" if "certainty" in said else str(said["source"])


def motion(camera: Mapping[str, Any]) -> str:
    """What the camera did."""
    if camera["moving"]:
        return "moving"
    return "taken as still, the background does not say" if camera.get("motion") == "unknown" else "still"


def report_lines(report: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """The whole report for a terminal. names: of people by their ids as texts."""
    lines = []
    for identity, person in sorted(report["persons"].items(), key=lambda pair: int(pair[0])):
        lines.append(f"{names.get(identity, f'Person {identity}')}: {verdict(person)[0]}")
        lines += [f"  {what + ':':16s} {value}" for what, value, _ in person_rows(person)]
    return lines + guess_lines(report)


def _frames(person: Mapping[str, Any]) -> str:
    parts = [f"{person['seen']} {'frame' if person['seen'] == 1 else 'frames'} seen"]
    parts += [f"{person[key]} {key}" for key in ("filled", "missing") if person[key]]
    return ", ".join(parts)


def _seconds(start: float, end: float) -> str:
    return f"{start:.1f}-{end:.1f} s" if end - start >= 0.1 else f"{start:.1f} s"
