# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity measures against a computation by hand."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.backend.evaluation.identities import IdentityScore, score_identities


def _score(truth: list[str], predicted: list[str]) -> IdentityScore:
    """Rows of text, a column a frame, a letter the place where somebody is, a dot nobody."""
    rows, columns = (np.array([list(row) for row in people]) for people in (truth, predicted))
    similarity = (rows[:, None] == columns[None]).astype(float)
    return score_identities(similarity, rows != ".", columns != ".")


def test_two_people_exchanged_in_the_middle_by_hand() -> None:
    score = _score(["aaaaaaaaaa", "bbbbbbbbbb"], ["aaaaaabbbb", "bbbbbbaaaa"])
    assert (score.truth, score.predicted, score.same, score.found) == (20, 20, 12, 20)
    assert (score.switches, score.fragments) == (2, 0)
    assert score.idf1 == pytest.approx(2 * 12 / 40)
    assert score.mota == pytest.approx(1 - 2 / 20)


def test_somebody_lost_and_found_as_somebody_else_by_hand() -> None:
    # True: 10 frames. Predicted: 1 in four of them, nobody in two, 2 in four; 3 is a ghost of three frames.
    score = _score(["aaaaaaaaaa"], ["aaaa......", "......aaaa", "..zzz....."])
    assert (score.truth, score.predicted, score.same, score.found) == (10, 11, 4, 8)
    assert (score.switches, score.fragments) == (1, 1)
    assert score.idf1 == pytest.approx(2 * 4 / 21)
    assert (score.id_precision, score.id_recall) == (pytest.approx(4 / 11), pytest.approx(4 / 10))
    assert score.mota == pytest.approx(1 - (2 + 3 + 1) / 10)


def test_a_match_lasts_while_it_is_good_even_if_another_is_better() -> None:
    truth, predicted = np.ones((1, 3), bool), np.ones((2, 3), bool)
    similarity = np.array([[[0.9, 0.6, 0.6], [0.0, 0.8, 0.8]]])
    assert score_identities(similarity, truth, predicted).switches == 0
    assert score_identities(similarity, truth, predicted, least=0.7).switches == 1


def test_scores_of_clips_add_up_and_nobody_is_no_error() -> None:
    one, other = _score(["aa"], ["aa"]), _score(["aaaa"], ["...."])
    assert (one + other).idf1 == pytest.approx(2 * 2 / 8)
    empty = score_identities(np.zeros((0, 0, 4)), np.zeros((0, 4), bool), np.zeros((0, 4), bool))
    assert empty == IdentityScore()
