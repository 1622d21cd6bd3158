# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracklets cut where two people come so close that they could have been exchanged.

What lies before and after such a moment is linked anew, by more than the moment shows; the frames of the moment itself
are scraps, which go to whom they fit once it is known who is who.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..detection.base import person_scales
from .appearance import changes_clothes
from .tracklets import Tracklet, displacements

#: Similarity to where somebody else was expected, from which a frame is in doubt.
DOUBT = 0.25
#: Seconds: doubt that lasts longer is two people side by side, and is cut into pieces of at most half a second.
_MOMENT, _HALF = 1.0, 0.5
#: Frames: what is certain for a shorter time than this counts as doubtful too.
_LEAST = 3
#: Persons' scales within which a scrap lies near a person's way.
_NEAR = 0.6


@dataclass(frozen=True)
class Piece:
    """tracklet: the frames. origin: row of the tracklet that it was cut from. scrap: whether it waits for a person."""

    tracklet: Tracklet
    origin: int
    scrap: bool


def cut(tracklets: Sequence[Tracklet], doubt: float = DOUBT) -> list[Piece]:
    """All pieces, those of a tracklet in order of time."""
    pieces = []
    for origin, tracklet in enumerate(tracklets):
        doubtful = np.array(tracklet.doubts) > doubt
        for first, last in _runs(~doubtful):
            if last - first + 1 < _LEAST and doubtful.any():
                doubtful[first : last + 1] = True
        edges = np.flatnonzero(np.diff(doubtful)) + 1
        for first, end in zip([0, *edges], [*edges, len(doubtful)], strict=True):
            part = tracklet.part(int(first), int(end) - 1)
            scrap = bool(doubtful[first]) and part.times[-1] - part.times[0] <= _MOMENT
            parts = _divided(part) if doubtful[first] and not scrap else [part]
            pieces += [Piece(each, origin, scrap) for each in parts]
    return pieces


def _divided(tracklet: Tracklet) -> list[Tracklet]:
    """Parts of at most `_HALF` seconds, of about the same length."""
    times = np.array(tracklet.times)
    count = int(np.ceil((times[-1] - times[0]) / _HALF))
    edges = np.searchsorted(times, np.linspace(times[0], times[-1], count + 1)[1:-1])
    return [tracklet.part(int(first), int(end) - 1) for first, end in pairwise([0, *edges, len(times)]) if end > first]


def _runs(flags: np.ndarray) -> np.ndarray:
    """(R, 2) first and last row of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return edges.reshape(-1, 2) - [0, 1]


def give_scraps(people: list[list[int]], pieces: Sequence[Piece]) -> list[list[int]]:
    """People as rows of pieces, each with the scraps that fit, in order of time; scraps that fit nobody, and fit each
    other, are people of their own.

    A scrap fits who owns what lies before and after it in its tracklet, else whose way between two pieces, or from one
    on, is nearest. Scraps given before are part of it: who is never certain, since the detector gives two versions of
    them at once, is scraps only.
    """
    owner = {row: person for person, rows in enumerate(people) for row in rows}
    out = [list(rows) for rows in people]
    spans = [[(pieces[row].tracklet.frames[0], pieces[row].tracklet.frames[-1]) for row in rows] for rows in people]
    for row, piece in enumerate(pieces):
        if not piece.scrap:
            continue
        first, last = piece.tracklet.frames[0], piece.tracklet.frames[-1]
        beside = {owner.get(other) for other in (row - 1, row + 1) if _together(pieces, row, other)} - {None}
        free = [person for person, taken in enumerate(spans) if all(last < a or b < first for a, b in taken)]
        if len(beside) == 1 and beside <= set(free):
            person = beside.pop()
        else:
            person = _nearest(piece, [(person, out[person]) for person in free], pieces)
        if person is not None and _other_clothes([pieces[other] for other in out[person]], piece):
            person = None
        if person is None:
            out.append([row])
            spans.append([(first, last)])
        else:
            out[person].append(row)
            spans[person].append((first, last))
            owner[row] = person
    return [sorted(rows, key=lambda row: pieces[row].tracklet.frames[0]) for rows in out]


def _other_clothes(person: Sequence[Piece], scrap: Piece) -> bool:
    colours = [each.tracklet.wears() for each in (*person, scrap)]
    known = [each for each in colours[:-1] if each is not None]
    return bool(known) and colours[-1] is not None and changes_clothes(np.sum(known, axis=0), colours[-1])


def _together(pieces: Sequence[Piece], row: int, other: int) -> bool:
    return 0 <= other < len(pieces) and pieces[row].origin == pieces[other].origin


def _nearest(scrap: Piece, people: list[tuple[int, list[int]]], pieces: Sequence[Piece]) -> int | None:
    """The person whose way is nearest to the scrap's middle frame, or None."""
    middle = len(scrap.tracklet.frames) // 2
    time, pose = scrap.tracklet.times[middle], scrap.tracklet.people[middle].astype(float)
    best, found = _NEAR, None
    for person, rows in people:
        tracklets = [pieces[row].tracklet for row in rows]
        before = max((t for t in tracklets if t.times[-1] < time), key=lambda t: t.times[-1], default=None)
        after = min((t for t in tracklets if t.times[0] > time), key=lambda t: t.times[0], default=None)
        gaps = [time - before.times[-1] if before else np.inf, after.times[0] - time if after else np.inf]
        if min(gaps) > _MOMENT:
            continue
        offsets = [displacements(t, pose) for t in ([before.people[-1]] if before else [])]
        offsets += [displacements(t, pose) for t in ([after.people[0]] if after else [])]
        share = [1.0] if len(offsets) == 1 else [gaps[1] / sum(gaps), gaps[0] / sum(gaps)]
        offset = sum(part * way for part, way in zip(share, offsets, strict=True))
        apart = float(np.linalg.norm(offset) / person_scales(pose))
        if apart < best:
            best, found = apart, person
    return found
