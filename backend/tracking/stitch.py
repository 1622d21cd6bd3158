# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracks that are one person, joined because the user says so: "2=1" makes person 2 person 1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np

from ..errors import UserError
from ..keypoints import Keypoints
from .gaps import FILLED, fill_gaps, runs


class Suggested(TypedDict):
    """Two people who might be one, and how likely it is, 0..1."""

    persons: tuple[int, int]
    probability: float


_PAIR = re.compile(r"\s*(\d+)\s*=\s*(\d+)\s*")


def parse_stitches(text: str) -> list[tuple[int, int]]:
    """ "2=1,5=3" to [(2, 1), (5, 3)]. Raises UserError."""
    found = [_PAIR.fullmatch(part) for part in text.split(",")]
    pairs = [(int(pair[1]), int(pair[2])) for pair in found if pair is not None and int(pair[1]) != int(pair[2])]
    if len(pairs) < len(found):
        raise UserError(f"people are stitched by their numbers, as in 2=1 or 2=1,5=3, not {text}")
    return pairs


def stitch(keypoints: Keypoints, pairs: list[tuple[int, int]]) -> Keypoints:
    """Give the frames of the first person of each pair to the second.

    Raises UserError if a person is not there, or two are seen in the same frames: they are two people then.
    """
    for gone, kept in pairs:
        keypoints = _joined(keypoints, gone, kept)
    return keypoints


def _joined(keypoints: Keypoints, gone: int, kept: int) -> Keypoints:
    ids = [int(person) for person in keypoints.person_ids]
    for person in (gone, kept):
        if person not in ids:
            raise UserError(f"there is no person {person} to stitch; there are {', '.join(map(str, ids))}")
    values = keypoints.keypoints.copy()
    own, other = values[ids.index(kept)], values[ids.index(gone)]
    sure, other_sure = own[..., 2].max(-1), other[..., 2].max(-1)
    both = np.flatnonzero((sure > FILLED) & (other_sure > FILLED))
    if len(both):
        raise UserError(
            f"{gone} and {kept} cannot be one person: both are seen in {len(both)} "
            f"{'frame' if len(both) == 1 else 'frames'}, first at {keypoints.times[both[0]]:.2f} s"
        )
    own[other_sure > sure] = other[other_sure > sure]
    own[:], made = fill_gaps(own, keypoints.times)
    rows = [row for row, person in enumerate(ids) if person != gone]
    return replace(
        keypoints,
        person_ids=keypoints.person_ids[rows],
        keypoints=values[rows],
        source={**keypoints.source, "tracking": _noted(keypoints.source.get("tracking"), gone, kept, runs(made))},
    )


def _noted(tracking: object, gone: int, kept: int, made: list[list[int]]) -> dict[str, Any]:
    """What the source says about tracking, after a stitch."""
    noted: dict[str, Any] = dict(tracking) if isinstance(tracking, dict) else {}
    filled = dict(noted.get("filled") or {})
    joined = sorted([*filled.pop(str(kept), []), *filled.pop(str(gone), []), *made])
    noted["filled"] = filled | ({str(kept): joined} if joined else {})
    noted["suggestions"] = [each for each in noted.get("suggestions") or [] if gone not in each["persons"]]
    noted["stitched"] = [*(noted.get("stitched") or []), f"{gone}={kept}"]
    return noted


def suggestions_of(keypoints: Keypoints) -> list[Suggested]:
    """The pairs of people who might be one, the likeliest first; empty where nobody says."""
    tracking = keypoints.source.get("tracking")
    return list(tracking.get("suggestions") or []) if isinstance(tracking, dict) else []


def questions(suggestions: Sequence[Suggested]) -> list[str]:
    """A sentence each, that says what to do."""
    said = []
    for each in suggestions:
        first, second = each["persons"]
        said.append(
            f"person {second} may be person {first} ({each['probability']:.0%}); if so, lift with "
            f"--stitch {second}={first}"
        )
    return said
