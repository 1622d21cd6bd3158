# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a take as the panels show it, made in the thread that reads the take. No bpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..rigging.people import suggested_merges
from ..rigging.report.measure import report_of
from ..rigging.report.words import complaints, is_doubtful, motion, person_rows, reason, source
from ..rigging.take import Take

#: What to do in the panels about something that nobody gave.
_ADVICE = {
    "focal_length": "The focal length is {}: if you know the lens, choose it under Options and press Lift Again",
    "scale": "The size of people is {}: give the first person's Height under Options and press Refine Again",
}


@dataclass(frozen=True)
class Place:
    """Where to look. moment: seconds from the footage's first frame. text: in a few words, with its seconds."""

    moment: float
    text: str


@dataclass(frozen=True)
class PersonReport:
    """verdict: what is wrong, in a few words; "good" if nothing is. rows: a number's name, the number in words, and
    whether it is good (0), fair (1) or poor (2)."""

    verdict: str
    is_good: bool
    rows: tuple[tuple[str, str, int], ...]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class TakeReport:
    """people: by id. guessed: a sentence for each thing that nobody gave, with what to do. sources: of the rest.

    suggestions: (a person, another who may be the same, how likely 0..1), the likeliest first.
    """

    people: dict[int, PersonReport]
    guessed: tuple[str, ...]
    sources: str
    suggestions: tuple[tuple[int, int, float], ...]


def take_report(take: Take) -> TakeReport:
    """In words what the take's report says; of a take that brings none, it is made."""
    found = report_of(take)
    camera, world = found["camera"], found["world"]
    said = {"focal_length": camera | {"source": camera["focal_length"]}, "scale": world["scale"]}
    others = [f"{key} from {source(world[key])}" for key in ("level", "floor") if world[key]["source"]]
    sources = [f"camera {motion(camera)}", *others]
    people = {int(person): _person(report) for person, report in found["persons"].items()}
    return TakeReport(
        people,
        tuple(_ADVICE[key].format(source(said[key])) for key in found["guessed"]),
        _sentence(", ".join(sources)),
        tuple(suggested_merges(take)),
    )


def _person(report: dict[str, Any]) -> PersonReport:
    wrong = complaints(report)
    places = () if is_doubtful(report) else tuple(Place(each["start"], _place(each)) for each in report["stretches"])
    if places:
        wrong.append("look at one place" if len(places) == 1 else f"look at {len(places)} places")
    rows = tuple((_sentence(what), value, grade) for what, value, grade in person_rows(report))
    return PersonReport("; ".join(wrong) or "good", not wrong, rows, places)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _place(stretch: dict[str, Any]) -> str:
    """Short enough for a button: one part of the body says where to look."""
    return f"{stretch['start']:.1f} s: {reason(stretch, 1)}"
