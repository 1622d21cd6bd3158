# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity F1, switches and fragments of tracking people who cross, with and without what they wear.

    python benchmarks/tracking.py MOTION_LIBRARY [--split val] [--sequences 40] [--seconds 10] [--fit] [--speed]

Sequences are made by `crossings.py`. A predicted person may be a true one where their keypoint similarity (sides
ignored) reaches 0.5; predictions on people who are there but hardly to be seen count neither way. "perfect" gives every
detection to the person it is on: what no tracker can better; "boxes alone" is the plainest of trackers, which assigns
people to where somebody was last, frame by frame. --fit prints the coefficients of `tracking.links` that the
sequences give (take --split train). --speed times 30 people in a frame.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crossings import FPS, Sequence, make_sequences
from scipy.optimize import linear_sum_assignment, minimize
from video_mocap.backend.detection.base import person_boxes
from video_mocap.backend.detection.looks import overlap
from video_mocap.backend.evaluation.identities import IdentityScore, score_identities
from video_mocap.backend.grouping.affinity import oks, sigmas_of
from video_mocap.backend.tracking import links
from video_mocap.backend.tracking.appearance import colour_distance, colours_of
from video_mocap.backend.tracking.pieces import Piece, cut
from video_mocap.backend.tracking.sides import correct_sides
from video_mocap.backend.tracking.tracker import Tracker
from video_mocap.rigging.joints import COCO17

_SIGMAS = sigmas_of(COCO17.names)


@dataclass(frozen=True)
class Case:
    """A sequence, and the (M, 2, BINS) colours of the people of its F frames."""

    sequence: Sequence
    colours: list[np.ndarray]

    def tracked(self, coloured: bool) -> Tracker:
        """A tracker that has seen all frames."""
        tracker = Tracker(COCO17.names)
        for frame, (people, colours) in enumerate(zip(self.sequence.detections, self.colours, strict=True)):
            tracker.update(people, frame / FPS, colours if coloured else None)
        return tracker


def similarity(truth: np.ndarray, people: np.ndarray) -> np.ndarray:
    """(T, M) keypoint similarity, sides ignored, of (T, 17, 2) true and (M, 17, 3) found people."""
    known = np.isfinite(truth).all((1, 2))
    exact = np.concatenate([truth, np.ones((*truth.shape[:2], 1))], -1)
    exact[~known] = (np.nan, np.nan, 0)
    return np.maximum(oks(exact, people, _SIGMAS), oks(exact, people[:, COCO17.mirror], _SIGMAS))


def score(sequence: Sequence, keypoints: np.ndarray) -> IdentityScore:
    """Of (P, F, 17, 3) tracks in one sequence."""
    there = (keypoints[..., 2] > 0).any(-1)
    same = np.zeros((len(sequence.truth), *there.shape))
    for frame in range(there.shape[1]):
        rows = np.flatnonzero(there[:, frame])
        same[:, rows, frame] = similarity(sequence.truth[:, frame], keypoints[rows, frame].astype(float))
    good = same >= 0.5
    hardly = (good & ~sequence.present[:, None]).any(0) & ~(good & sequence.present[:, None]).any(0)
    return score_identities(same, sequence.present, there & ~hardly)


def perfect(sequence: Sequence) -> np.ndarray:
    """(T, F, 17, 3): every detection with the person it is on."""
    out = np.full((*sequence.truth.shape[:3], 3), np.nan)
    out[..., 2] = 0
    for frame, people in enumerate(sequence.detections):
        same = similarity(sequence.truth[:, frame], people)
        for row, column in zip(*linear_sum_assignment(-same), strict=True):
            if same[row, column] > 0.3:
                out[row, frame] = people[column]
    return out


def plain(sequence: Sequence, least: float = 0.3, memory: float = 1.0) -> np.ndarray:
    """(P, F, 17, 3): people assigned, frame by frame, to whose last box overlaps by `least` (Hungarian algorithm).

    Nobody is waited for longer than `memory` seconds; who was seen in fewer than 12 frames is left out.
    """
    tracks: list[dict[int, np.ndarray]] = []
    for frame, people in enumerate(sequence.detections):
        waiting = [track for track in tracks if frame - max(track) <= memory * FPS]
        last = np.array([track[max(track)] for track in waiting]).reshape(-1, 17, 3)
        same = np.nan_to_num(overlap(person_boxes(last), person_boxes(people)))
        taken = [(row, column) for row, column in zip(*linear_sum_assignment(-same), strict=True)]
        owner = {int(column): waiting[row] for row, column in taken if same[row, column] >= least}
        for column, person in enumerate(people):
            if column not in owner:
                owner[column] = {}
                tracks.append(owner[column])
            owner[column][frame] = person
    tracks = [track for track in tracks if len(track) >= 12]
    out = np.full((len(tracks), len(sequence.detections), 17, 3), np.nan)
    out[..., 2] = 0
    for row, track in enumerate(tracks):
        out[row, list(track)] = list(track.values())
    return out


def sides_wrong(sequence: Sequence, repaired: bool) -> float:
    """Share of found arms and legs whose left is the right, of perfect tracks."""
    tracks, wrong, found = perfect(sequence), 0, 0
    times = np.arange(tracks.shape[1]) / FPS
    for truth, person in zip(sequence.truth, tracks, strict=True):
        points = correct_sides(person, times, COCO17.mirror, COCO17.names)[0] if repaired else person
        for part in (slice(5, 11), slice(11, 17)):
            straight = np.linalg.norm(points[:, part, :2] - truth[:, part], axis=-1)
            crossed = np.linalg.norm(points[:, COCO17.mirror][:, part, :2] - truth[:, part], axis=-1)
            known = np.isfinite(straight + crossed)
            some = known.sum(-1) >= 4
            wrong += int((np.where(known, crossed - straight, 0).sum(-1)[some] < 0).sum())
            found += int(some.sum())
    return wrong / max(found, 1)


def pairs(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """(N, 10) features of possible links and (N,) whether they are true, with and without colours."""
    pieces = [piece for piece in cut(case.tracked(True).tracklets) if not piece.scrap]
    owners = [_owner(case.sequence, piece) for piece in pieces]
    starts, ends = ([piece.tracklet.end(first) for piece in pieces] for first in (True, False))
    worn = links.worn(pieces)
    rows, true = [], []
    for row, end in enumerate(ends):
        later = np.flatnonzero([links.may_follow(pieces, row, other) for other in range(len(pieces))])
        same = [other for other in later if owners[other] == owners[row] >= 0]
        following = min(same, key=lambda other: starts[other].time, default=None)
        later = np.array([other for other in later if other == following or other not in same], int)
        if len(later):
            followed = np.array([links.followed(pieces, row, other) for other in later])
            distance = colour_distance(worn[row : row + 1], worn[later])[0]
            for known in (distance, np.full(len(later), np.nan)):
                rows.append(links.features(end, [starts[other] for other in later], known, followed))
                true.append(later == following)
    return np.concatenate(rows), np.concatenate(true)


def _owner(sequence: Sequence, piece: Piece) -> int:
    """The true person on whom most of a piece is; -1 for nobody."""
    votes: Counter[int] = Counter()
    for frame, person in zip(piece.tracklet.frames, piece.tracklet.people, strict=True):
        same = similarity(sequence.truth[:, frame], person[None].astype(float))[:, 0]
        votes[int(same.argmax()) if same.max() > 0.3 else -1] += 1
    return votes.most_common(1)[0][0]


def fit(cases: list[Case]) -> np.ndarray:
    """(10,) coefficients of the logistic regression, by maximum likelihood with a trace of a prior."""
    found = [pairs(case) for case in cases]
    values, true = np.concatenate([x for x, _ in found]), np.concatenate([y for _, y in found]).astype(float)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        z = values @ weights
        slope = values.T @ (1 / (1 + np.exp(-z)) - true) + 0.02 * weights
        return float(np.logaddexp(0, z).sum() - (true * z).sum() + 0.01 * (weights**2).sum()), slope

    return minimize(loss, np.zeros(values.shape[1]), jac=True).x


def speed(people: int = 30, frames: int = 100) -> tuple[float, float]:
    """Milliseconds of processor time a frame: of colours, of tracking."""
    random = np.random.default_rng(0)
    shape, places = random.uniform(-40, 40, (people, 17, 2)), random.uniform(100, 900, (people, 1, 2))
    ways, image = random.normal(0, 3, (people, 1, 2)), random.integers(0, 255, (1000, 1000, 3), np.uint8)
    tracker, spent = Tracker(COCO17.names), [0.0, 0.0]
    for frame in range(frames):
        points = places + shape + frame * ways + random.normal(0, 1, shape.shape)
        here = np.concatenate([points, np.full((people, 17, 1), 0.9)], -1)[random.permutation(people)]
        begin = time.process_time()
        colours = colours_of(image, here, COCO17.names)
        middle = time.process_time()
        tracker.update(here, frame / FPS, colours)
        spent = [spent[0] + middle - begin, spent[1] + time.process_time() - middle]
    begin = time.process_time()
    tracker.finish()
    spent[1] += time.process_time() - begin
    return 1e3 * spent[0] / frames, 1e3 * spent[1] / frames


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path)
    parser.add_argument("--split", choices=("train", "val"), default="val")
    parser.add_argument("--sequences", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    if arguments.speed:
        print("30 people: colours {:.2f} ms, tracking {:.2f} ms a frame".format(*speed()))
        return
    seed = 0 if arguments.split == "val" else 1
    made = make_sequences(arguments.motion, arguments.split, arguments.sequences, arguments.seconds, seed=seed)
    cases = [Case(sequence, _colours(sequence)) for sequence in made]
    if arguments.fit:
        print(np.round(fit(cases), 2).tolist())
        return
    print(f"{len(made)} sequences, {sum(sequence.crossings for sequence in made)} crossings\n")
    print("| | IDF1 | switches | fragments | MOTA |\n|---|---|---|---|---|")
    rows = {
        "boxes alone": [plain(case.sequence) for case in cases],
        "without colours": [case.tracked(False).finish().keypoints for case in cases],
        "with colours": [case.tracked(True).finish().keypoints for case in cases],
        "perfect": [perfect(case.sequence) for case in cases],
    }
    for name, tracks in rows.items():
        total = sum((score(case.sequence, each) for case, each in zip(cases, tracks, strict=True)), IdentityScore())
        print(f"| {name} | {total.idf1:.3f} | {total.switches} | {total.fragments} | {total.mota:.3f} |")
    shares = [100 * np.mean([sides_wrong(each, repaired) for each in made]) for repaired in (False, True)]
    print("\nsides wrong: {:.2f} % of arms and legs, repaired {:.2f} %".format(*shares))


def _colours(sequence: Sequence) -> list[np.ndarray]:
    seen = zip(sequence.pictures(), sequence.detections, strict=True)
    return [colours_of(picture, people, COCO17.names) for picture, people in seen]


if __name__ == "__main__":
    main()
