# SPDX-License-Identifier: GPL-3.0-or-later
"""How likely one tracklet goes on as another, by motion, size and colours; and the likeliest way to join them all.

The probability is a logistic regression, fitted by `benchmarks/tracking.py --fit` to crossing people of the training
motion. The likeliest chains are found by one assignment (Hungarian algorithm): every tracklet has at most one before
and one after it, and a link is worth its log-odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .appearance import BINS, changes_clothes, colour_distance
from .pieces import Piece
from .tracklets import TrackletEnd, displacements

#: Seconds over which somebody who is not seen goes on at their velocity.
_COASTS = 0.5
#: Seconds within which somebody would have been followed rather than found again.
_SOONEST = 0.1
#: Of who was found again, of who was followed through a moment of doubt, and of both.
FOUND = ("1", "log gap", "log way", "log surprise", "log surprise x log gap", "size")
FOLLOWED = ("1", "log surprise")
BOTH = ("colours", "colours known")
COEFFICIENTS = np.array([-2.48, -0.68, 0.28, -2.12, 0.37, -3.78, 0.83, -2.06, -17.26, 2.65])

#: Log-odds beside those of a pair alone: who vanishes is mostly found again, and as one person only. Of 0 to 4.6, more
#: gave the better identities, from 3 on with little difference.
_EXCLUSIVE = 3.9


@dataclass(frozen=True)
class Link:
    """Rows of two tracklets of which the first ends before the second begins; probability that they are one person."""

    first: int
    second: int
    probability: float


def features(end: TrackletEnd, starts: Sequence[TrackletEnd], distance: np.ndarray, followed: np.ndarray) -> np.ndarray:
    """(N, 10) `FOUND`, `FOLLOWED` and `BOTH` of a tracklet's end and N later starts.

    distance: (N,) of their colours, NaN where unknown. followed: (N,) bool, what was cut from one tracklet, one
    after the other. Ways are in persons' scales, gaps in seconds.
    """
    gap = np.array([start.time for start in starts]) - end.time
    scales = np.array([start.scale for start in starts])
    way = displacements(end.pose[None], np.stack([start.pose for start in starts]))
    # One goes on, the other came, at the velocity that it has, until they meet half way.
    coast = _COASTS * (1 - np.exp(-gap / 2 / _COASTS))[:, None]
    surprise = way - coast * (end.velocity + np.stack([start.velocity for start in starts]))
    logs = [np.log(np.linalg.norm(v, axis=-1) / np.sqrt(end.scale * scales) + 0.1) for v in (way, surprise)]
    log_gap, known = np.log(gap + 0.05), np.isfinite(distance)
    size = np.abs(np.log(scales / end.scale))
    found = np.stack([np.ones_like(gap), log_gap, *logs, logs[1] * log_gap, size], -1) * ~followed[:, None]
    kept = np.stack([np.ones_like(gap), logs[1]], -1) * followed[:, None]
    return np.concatenate([found, kept, np.where(known, distance, 0)[:, None], known[:, None]], -1)


def followed(pieces: Sequence[Piece], first: int, second: int) -> bool:
    """Whether a piece was cut from the tracklet of another, right after it."""
    return second == first + 1 and pieces[first].origin == pieces[second].origin


def may_follow(pieces: Sequence[Piece], first: int, second: int, longest: float = 10.0) -> bool:
    """Whether a piece can go on as another at all: one that is found again soon would have been followed."""
    gap = pieces[second].tracklet.times[0] - pieces[first].tracklet.times[-1]
    return _SOONEST <= gap <= longest or (followed(pieces, first, second) and gap > 0)


def possible_links(pieces: Sequence[Piece], longest: float, least: float) -> list[Link]:
    """All pairs not farther apart than `longest` seconds whose probability reaches `least`."""
    starts, ends = ([piece.tracklet.end(first) for piece in pieces] for first in (True, False))
    colours = worn(pieces)
    order = np.argsort([start.time for start in starts], kind="stable")
    begins = np.array([starts[row].time for row in order])
    links = []
    for row, end in enumerate(ends):
        low, high = np.searchsorted(begins, [end.time + 1e-9, end.time + longest + 1e-9])
        rows = np.array([other for other in order[low:high] if may_follow(pieces, row, other, longest)], int)
        if len(rows):
            distance = colour_distance(colours[row : row + 1], colours[rows])[0]
            same = np.array([followed(pieces, row, other) for other in rows])
            values = features(end, [starts[other] for other in rows], distance, same)
            chance = 1 / (1 + np.exp(-values @ COEFFICIENTS - _EXCLUSIVE))
            links += [Link(row, int(o), float(p)) for o, p in zip(rows, chance, strict=True) if p >= least]
    return links


def worn(pieces: Sequence[Piece]) -> np.ndarray:
    """(N, 2, BINS) colours of each piece; 0 where nobody looked."""
    colours = [piece.tracklet.wears() for piece in pieces]
    return np.array([np.zeros((2, BINS)) if each is None else each for each in colours]).reshape(-1, 2, BINS)


def chains(links: Sequence[Link], count: int, least: float = 0.5, colours: np.ndarray | None = None) -> list[list[int]]:
    """`count` tracklets as people: rows of the tracklets of each, in order of time.

    The links chosen are those that together are likeliest, at most one from and one to each tracklet, of those with a
    probability above `least`. colours: (count, 2, BINS); a chain ends where somebody would change their clothes, which
    a piece between, of which no clothes are seen, hides from the links.
    """
    likely = _likeliest([link for link in links if link.probability > least], least)
    following = {link.first: link.second for link in likely}
    later = set(following.values())
    people = []
    for row in range(count):
        if row not in later:
            person = [row]
            while person[-1] in following:
                later_row = following[person[-1]]
                if colours is not None and changes_clothes(colours[person].sum(0), colours[later_row]):
                    people.append(person)
                    person = []
                person.append(later_row)
            people.append(person)
    return people


def _likeliest(links: Sequence[Link], least: float) -> list[Link]:
    """Ends and starts that no links connect do not compete: each group that they do connect is assigned by itself."""
    group: dict[tuple[int, int], tuple[int, int]] = {}

    def root(node: tuple[int, int]) -> tuple[int, int]:
        while group.setdefault(node, node) != node:
            node = group[node]
        return node

    for link in links:
        group[root((0, link.first))] = root((1, link.second))
    groups: dict[tuple[int, int], list[Link]] = {}
    for link in links:
        groups.setdefault(root((0, link.first)), []).append(link)
    return [link for members in groups.values() for link in _assigned(members, least)]


def _assigned(links: Sequence[Link], least: float) -> list[Link]:
    firsts, seconds = sorted({link.first for link in links}), sorted({link.second for link in links})
    worth = np.zeros((len(firsts), len(seconds)))
    at = {(firsts.index(link.first), seconds.index(link.second)): link for link in links}
    for place, link in at.items():
        odds = link.probability / max(1 - link.probability, 1e-12)
        worth[place] = np.log(odds * (1 - least) / least)
    rows, columns = linear_sum_assignment(-worth)
    return [at[place] for place in zip(rows.tolist(), columns.tolist(), strict=True) if place in at]
