# SPDX-License-Identifier: GPL-3.0-or-later
"""Grouping where it is known who is who: several players of one captured game, seen by a made camera.

    python benchmarks/grouping.py MOTION_LIBRARY [--frames 40] [--speed]

Candidates are the players' true keypoints with noise (standard deviation over the square root of the person's area),
a tenth of them missing, one in fifty false. `apart` brings the players' places together by that factor. Printed is, in
per cent of the candidates, how many end up in the person that they belong to (and how many in another's), for each
source: bare candidates; with the people of the frame before; with part affinity links, of which a fifth mislead; three
proposals for each person, a tenth of whose joints are another's. --speed prints milliseconds a frame instead.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from retargeting import library
from scipy.optimize import linear_sum_assignment
from video_mocap.backend.detection.base import Candidates, candidates_from_instances, person_scales
from video_mocap.backend.grouping.cluster import SOLVERS
from video_mocap.backend.grouping.people import GroupingOptions, group_people
from video_mocap.rigging.joints import COCO17

NOISE = (0.0, 0.03, 0.06, 0.1)
APART = (1.0, 0.5, 0.25, 0.12)
SOURCES = ("bare", "before", "links", "proposals")


@dataclass(frozen=True)
class Scene:
    """people, before: (P, 17, 3) true keypoints in pixels of a frame and of the one before."""

    people: np.ndarray
    before: np.ndarray


def games(folder: Path) -> list[list[tuple[int, np.ndarray]]]:
    """The multi-player takes of the validation motion: for each the (first frame, (F, 17, 3) metres) of its clips."""
    reader = library(folder)
    clips = [reader.resample(clip, 30.0) for clip in reader.load_file(folder / "val" / "snu_vsports.npz")]
    takes: dict[str, list[tuple[int, np.ndarray]]] = {}
    for clip in clips:
        takes.setdefault(clip.take, []).append((clip.take_start, clip.positions[:, list(reader.COCO17)].astype(float)))
    return list(takes.values())


def scenes(folder: Path, frames: int, apart: float) -> Iterator[Scene]:
    """Frames with three players or more, from random sides."""
    random = np.random.default_rng(0)
    takes = games(folder)
    while frames:
        take = takes[random.integers(len(takes))]
        frame = int(random.integers(1, max(start + len(points) for start, points in take)))
        now = [points[frame - start - 1 : frame - start + 1] for start, points in take]
        now = [pair for pair, (start, points) in zip(now, take, strict=True) if 1 <= frame - start < len(points)]
        if len(now) < 3:
            continue
        frames -= 1
        yield Scene(*_filmed(np.stack(now, 1), apart, random)[::-1])


def _filmed(world: np.ndarray, apart: float, random: np.random.Generator) -> np.ndarray:
    """(2, P, 17, 3) pixels and confidence of (2, P, 17, 3) metres; the camera stands 8 m from the nearest player."""
    roots = world[:1, :, 11:13].mean(2, keepdims=True) * [1, 1, 0]
    middle = roots.mean(1, keepdims=True)
    world = world - roots + apart * (roots - middle)
    azimuth, pitch = random.uniform(-np.pi, np.pi), random.uniform(0.0, 0.5)
    forward = np.array([np.cos(azimuth) * np.cos(pitch), np.sin(azimuth) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    seen = world @ np.stack([right, np.cross(forward, right), forward], 1)
    depth = seen[..., 2] - seen[..., 2].min() + 8.0
    pixels = 1500 * (seen[..., :2] / depth[..., None]) + 960
    return np.concatenate([pixels, np.full((*pixels.shape[:-1], 1), 0.9)], -1)


def noisy(people: np.ndarray, noise: float, random: np.random.Generator) -> np.ndarray:
    """The people as detected."""
    people = people.copy()
    people[..., :2] += noise * person_scales(people)[:, None, None] * random.standard_normal(people[..., :2].shape)
    people[..., 2] = random.uniform(0.4, 1.0, people.shape[:2])
    people[random.random(people.shape[:2]) < 0.1] = (np.nan, np.nan, 0)
    return people


def candidates_of(
    scene: Scene, source: str, noise: float, random: np.random.Generator, false: float = 0.02
) -> tuple[Candidates, np.ndarray, np.ndarray]:
    """Candidates, (N,) whose each is (-1: nobody's), and the (P, 17, 3) detected people, of whom each has one vote."""
    detected = noisy(scene.people, noise, random)
    if source == "proposals":
        looks = [noisy(scene.people, noise, random) for _ in range(3)]
        owner = np.tile(np.arange(len(detected))[:, None], (3, 17))
        proposals = np.concatenate(looks)
        places = scene.people[:, 11:13, :2].mean(1)
        away = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.diag(np.full(len(places), np.inf))
        lent = np.tile(away.argmin(1), 3)
        taken = random.random(owner.shape) < 0.1
        proposals = np.where(taken[..., None], proposals[lent], proposals)
        owner = np.where(taken, lent[:, None], owner)
        whose = owner[proposals[..., 2] > 0]
        return candidates_from_instances(proposals), whose, np.nan_to_num(np.array(looks)).max(0)
    c = candidates_from_instances(detected)
    whose, count = c.instances, round(false * len(c))
    row = random.integers(len(c), size=count)
    extra = c.positions[row] + 60 * random.standard_normal((count, 2))
    c = Candidates(
        np.concatenate([c.positions, extra]).astype(np.float32),
        np.concatenate([c.confidence, np.full(count, 0.3, np.float32)]),
        np.concatenate([c.kinds, random.integers(17, size=count)]),
        np.full(len(c) + count, -1),
        np.concatenate([c.scales, c.scales[row]]),
    )
    whose = np.concatenate([whose, np.full(count, -1)])
    order = random.permutation(len(c))
    c = Candidates(c.positions[order], c.confidence[order], c.kinds[order], c.instances[order], c.scales[order])
    whose = whose[order]
    return (replace(c, links=_links(c, whose, random)) if source == "links" else c), whose, detected


def _links(c: Candidates, whose: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(L, 3) links along the bones: of one person 0.8, else 0.15, give or take; every fifth means nothing."""
    limbs = {tuple(sorted(bone)) for bone in COCO17.bones}
    a, b = np.triu_indices(len(c), 1)
    joined = np.array([tuple(sorted(pair)) in limbs for pair in zip(c.kinds[a], c.kinds[b], strict=True)])
    a, b = a[joined], b[joined]
    near = np.linalg.norm(c.positions[a] - c.positions[b], axis=-1) < 1.2 * c.scales[a]
    a, b = a[near], b[near]
    level = np.where((whose[a] == whose[b]) & (whose[a] >= 0), 0.8, 0.15)
    level = np.where(random.random(len(a)) < 0.2, random.uniform(0, 1, len(a)), level)
    value = np.clip(level + 0.1 * random.standard_normal(len(a)), 0, 1)
    return np.stack([a, b, value], 1).astype(np.float32)


def score(people: np.ndarray, scene: Scene, c: Candidates, whose: np.ndarray) -> tuple[int, int, int]:
    """(keypoints there are, keypoints in the person they belong to, keypoints in another)."""
    votes = np.zeros((len(people), len(scene.people)), int)
    given = np.unique(np.stack([whose, c.kinds], 1)[whose >= 0], axis=0)
    for person, kind in zip(*np.nonzero(people[..., 2] > 0), strict=True):
        rows = np.flatnonzero(c.kinds == kind)
        nearest = rows[np.linalg.norm(c.positions[rows] - people[person, kind, :2], axis=-1).argmin()]
        if whose[nearest] >= 0:
            votes[person, whose[nearest]] += 1
    right = votes[linear_sum_assignment(-votes)].sum() if votes.size else 0
    return len(given), int(right), int(votes.sum() - right)


def accuracy(folder: Path, frames: int) -> None:
    """Print the curves."""
    print("source     solver      apart noise:  " + "  ".join(f"{noise:12.2f}" for noise in NOISE))
    for source in SOURCES:
        for apart in APART:
            made = list(scenes(folder, frames, apart))
            for solver in SOLVERS:
                cells = []
                for noise in NOISE:
                    random = np.random.default_rng(1)
                    total = np.zeros(3)
                    for scene in made:
                        c, whose, _ = candidates_of(scene, source, noise, random)
                        previous = noisy(scene.before, noise, random) if source == "before" else None
                        people = group_people(c, COCO17, previous, GroupingOptions(solver=solver))
                        total += score(people, scene, c, whose)
                    cells.append("{:5.1f} ({:4.1f})".format(*(100 * total[1:] / total[0])))
                print(f"{source:10} {solver:11} {apart:5.2f}         " + "  ".join(f"{cell:>12}" for cell in cells))


def speed(folder: Path) -> None:
    """Milliseconds of a frame with 30 people and about 600 candidates, a quarter of them false, the best of 20."""
    ten = [scene for scene in scenes(folder, 60, 1.0) if len(scene.people) >= 3][:10]
    people = np.concatenate([scene.people[:3] + np.array([500.0 * row, 0, 0]) for row, scene in enumerate(ten)])
    before = people + np.array([3.0, 2.0, 0])
    for source in SOURCES:
        c, _, _ = candidates_of(Scene(people, before), source, 0.03, np.random.default_rng(0), false=0.31)
        for solver in SOLVERS:
            options, best = GroupingOptions(solver=solver), np.inf
            for _ in range(20):
                began = time.process_time()
                found = group_people(c, COCO17, before if source == "before" else None, options)
                best = min(best, time.process_time() - began)
            print(f"{source:10} {solver:11} {len(c)} candidates, {len(found)} people found: {1000 * best:.1f} ms")


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("motion", type=Path)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    if arguments.speed:
        speed(arguments.motion)
    else:
        accuracy(arguments.motion, arguments.frames)


if __name__ == "__main__":
    main()
