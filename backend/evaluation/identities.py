# SPDX-License-Identifier: GPL-3.0-or-later
"""How well people keep their identities over a clip: identity F1, switches, fragments, MOTA.

Sources: identity measures after Ristani et al. (ECCV 2016 workshops, "Performance measures and a data set for
multi-target, multi-camera tracking"): one predicted person for each true one over the whole clip. MOTA, switches and
fragments after Bernardin and Stiefelhagen (CLEAR MOT, 2008): matches last from frame to frame while they are good.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class IdentityScore:
    """Counts of one or more clips; scores of clips add up.

    truth, predicted: person-frames. same: person-frames of predicted people on the one true person that each stands
    for. found: person-frames of true people on whom anybody was. switches: how often a true person continued as
    somebody else. fragments: how often a true person, once found, was lost and found again.
    """

    truth: int = 0
    predicted: int = 0
    same: int = 0
    found: int = 0
    switches: int = 0
    fragments: int = 0

    def __add__(self, other: IdentityScore) -> IdentityScore:
        return IdentityScore(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def idf1(self) -> float:
        """2 IDTP / (truth + predicted)."""
        return 2 * self.same / max(self.truth + self.predicted, 1)

    @property
    def id_precision(self) -> float:
        """IDTP / predicted."""
        return self.same / max(self.predicted, 1)

    @property
    def id_recall(self) -> float:
        """IDTP / truth."""
        return self.same / max(self.truth, 1)

    @property
    def mota(self) -> float:
        """1 - (misses + false positives + switches) / truth."""
        wrong = (self.truth - self.found) + (self.predicted - self.found) + self.switches
        return 1 - wrong / max(self.truth, 1)


def score_identities(
    similarity: np.ndarray, truth: np.ndarray, predicted: np.ndarray, least: float = 0.5
) -> IdentityScore:
    """Score one clip.

    similarity: (T, P, F) of T true and P predicted people, 0..1. truth: (T, F), predicted: (P, F) bool, who is there.
    least: similarity from which a predicted person may be a true one.
    """
    good = (similarity >= least) & truth[:, None] & predicted[None]
    same = good.sum(-1)
    rows, columns = linear_sum_assignment(-same)
    found, switches, fragments = _followed(np.where(good, similarity, 0.0))
    counts = int(truth.sum()), int(predicted.sum()), int(same[rows, columns].sum())
    return IdentityScore(*counts, found, switches, fragments)


def _followed(similarity: np.ndarray) -> tuple[int, int, int]:
    """(found, switches, fragments) of CLEAR MOT; (T, P, F), 0 where two do not match."""
    people, _, frames = similarity.shape
    last = np.full(people, -1)
    matched = np.full(people, -1)
    seen, lost = np.zeros(people, bool), np.zeros(people, bool)
    found = switches = fragments = 0
    for frame in range(frames):
        score = similarity[..., frame]
        before, matched = matched, np.full(people, -1)
        for person in np.flatnonzero(before >= 0):
            if score[person, before[person]] > 0:
                matched[person] = before[person]
        free = np.flatnonzero(matched < 0)
        others = np.setdiff1d(np.arange(score.shape[1]), matched)
        for row, column in zip(*linear_sum_assignment(-score[np.ix_(free, others)]), strict=True):
            if score[free[row], others[column]] > 0:
                matched[free[row]] = others[column]
        now = matched >= 0
        found += int(now.sum())
        switches += int((now & (last >= 0) & (last != matched)).sum())
        fragments += int((now & lost).sum())
        lost = (lost | seen) & ~now
        seen |= now
        last = np.where(now, matched, last)
    return found, switches, fragments
