# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of all tracks, whoever made them: sides repaired, short gaps filled, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...rigging.joints import mirror_rows
from .gaps import fill_gaps, runs
from .links import possible_links
from .pieces import Piece
from .sides import correct_sides
from .tracker import Suggestion, TrackingOptions
from .tracklets import Tracklet


@dataclass(frozen=True)
class Finished:
    """keypoints: (P, F, K, 3). note: what a keypoints file says of tracking, see docs/tracking.md. exchanged: frames of
    a person in which sides were exchanged."""

    keypoints: np.ndarray
    note: dict[str, object]
    exchanged: int


def finish_tracks(
    keypoints: np.ndarray,
    times: np.ndarray,
    person_ids: np.ndarray,
    names: Sequence[str],
    suggestions: Sequence[Suggestion],
    sides: bool = True,
) -> Finished:
    """Finish tracks (P, F, K, 3) of the people `person_ids` (P,) at `times` (F,) seconds.

    names: (K,). suggestions: of who might be one. sides: whether left and right are repaired.
    """
    whole, filled, exchanged = [], {}, 0
    for person, track in zip(person_ids, keypoints, strict=True):
        points = track
        if sides:
            points, swapped = correct_sides(track, times, mirror_rows(names), names)
            exchanged += int(swapped.any(-1).sum())
        points, made = fill_gaps(points, times)
        whole.append(points)
        if made.any():
            filled[str(person)] = runs(made)
    note: dict[str, object] = {
        "filled": filled,
        "suggestions": [
            {"persons": [each.first, each.second], "probability": round(each.probability, 2)} for each in suggestions
        ],
    }
    return Finished(np.stack(whole), note, exchanged)


def suggestions_among(
    keypoints: np.ndarray, times: np.ndarray, person_ids: np.ndarray, options: TrackingOptions | None = None
) -> tuple[Suggestion, ...]:
    """Pairs of tracks (P, F, K, 3) that somebody else made, one beginning where another ended, the likeliest first."""
    options = options or TrackingOptions()
    pieces = []
    for row, track in enumerate(keypoints):
        tracklet = Tracklet()
        for frame in np.flatnonzero((track[..., 2] > 0).any(-1)):
            tracklet.extend(int(frame), float(times[frame]), track[frame], 0.0, None)
        pieces.append(Piece(tracklet, row, scrap=False))
    found = []
    for link in possible_links(pieces, options.longest, options.suggest):
        first, second = sorted((int(person_ids[link.first]), int(person_ids[link.second])))
        found.append(Suggestion(first, second, link.probability))
    return tuple(sorted(found, key=lambda each: (-each.probability, each.first, each.second)))
