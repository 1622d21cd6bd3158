# SPDX-License-Identifier: GPL-3.0-or-later
"""People who cross before virtual cameras: captured players of one world, seen by a detector that errs, and pictures.

Players hide each other (limbs and trunks as capsules); who is hidden is found seldom or in part, hidden points at times
jump to whoever is in front, detections of one place are merged, some are missed, some are of nobody. What one detected
keypoint gets wrong is the training's `detector_noise`. The pictures are coarse, only as good as colours need: people
are drawn as limbs in clothes of their own, at times those of a team, before a background, with shade and grain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from retargeting import library
from video_mocap.backend.detection.base import person_boxes
from video_mocap.backend.detection.looks import overlap
from video_mocap.backend.grouping.affinity import oks, sigmas_of
from video_mocap.backend.lifting.training.detector_noise import add_noise
from video_mocap.backend.lifting.training.occlusion import occluded
from video_mocap.rigging.joints import COCO17

FPS, WIDTH, HEIGHT = 30.0, 640, 360
_LIMB, _TALL = 0.07, 1.65  # metres: half a limb's thickness, a person's height as far as keypoints see it
_SIGMAS = sigmas_of(COCO17.names)
#: (from, to, radius in metres, what it wears), drawn in this order.
_PARTS = (
    ("left_hip", "left_knee", 0.08, "legs"), ("right_hip", "right_knee", 0.08, "legs"),
    ("left_knee", "left_ankle", 0.06, "shins"), ("right_knee", "right_ankle", 0.06, "shins"),
    ("left_shoulder", "left_hip", 0.1, "top"), ("right_shoulder", "right_hip", 0.1, "top"),
    ("left_shoulder", "right_hip", 0.1, "top"), ("left_shoulder", "left_elbow", 0.05, "top"),
    ("right_shoulder", "right_elbow", 0.05, "top"), ("left_elbow", "left_wrist", 0.045, "arms"),
    ("right_elbow", "right_wrist", 0.045, "arms"), ("left_ear", "right_ear", 0.11, "head"),
)  # fmt: skip
_ENDS = [(COCO17.index(a), COCO17.index(b)) for a, b, _, _ in _PARTS]
_RADII = np.array([radius for _, _, radius, _ in _PARTS])
#: Clothes as people wear them, RGB: much that is dark or grey, some of it colourful.
_CLOTHES = np.array([
    [25, 25, 28], [60, 60, 65], [120, 120, 122], [225, 225, 220], [30, 40, 75], [70, 90, 130], [150, 30, 35],
    [190, 60, 50], [40, 100, 60], [110, 120, 70], [200, 170, 60], [130, 90, 60], [190, 175, 150], [120, 60, 120],
    [60, 140, 170], [215, 130, 150],
], float)  # fmt: skip
_SKIN = np.array([[235, 195, 170], [205, 160, 125], [150, 105, 75], [90, 60, 45]], float)
_HAIR = np.array([[30, 25, 22], [80, 55, 40], [150, 115, 75], [150, 150, 150]], float)


@dataclass
class Sequence:
    """T people over F frames in a picture of WIDTH x HEIGHT.

    truth: (T, F, 17, 2) pixels. present: (T, F) bool, who is to be seen: at least half of the keypoints in the picture
    and four of them not behind others. depth: (T, F) metres. detections: F of (M, 17, 3). colours: T of a colour for
    each kind of part. crossings: how many times two people's boxes met by a third of their union.
    """

    name: str
    truth: np.ndarray
    present: np.ndarray
    depth: np.ndarray
    scale: np.ndarray
    detections: list[np.ndarray]
    colours: list[dict[str, np.ndarray]]
    crossings: int
    seed: int

    def pictures(self) -> Iterator[np.ndarray]:
        """(HEIGHT, WIDTH, 3) uint8 RGB of every frame."""
        random = np.random.default_rng(self.seed)
        tones = 0.7 * random.uniform(40, 200, (6, 9, 1)) + 0.3 * random.uniform(40, 200, (6, 9, 3))
        wall = cv2.resize(tones.astype(np.float32), (WIDTH, HEIGHT))
        light = cv2.resize(random.uniform(0.7, 1.25, (2, 3, 1)).astype(np.float32), (WIDTH, HEIGHT))[..., None]
        grain = random.normal(0, 9, (HEIGHT, WIDTH, 3)).astype(np.float32)
        for frame in range(len(self.detections)):
            picture = wall.copy()
            for person in np.argsort(-self.depth[:, frame]):
                if np.isfinite(self.truth[person, frame]).all():
                    self._draw(picture, person, frame)
            picture = cv2.GaussianBlur(picture, (0, 0), 0.7)
            noise = np.roll(grain, int(random.integers(grain.size)), axis=(0, 1))
            yield np.clip(picture * light + noise, 0, 255).astype(np.uint8)

    def _draw(self, picture: np.ndarray, person: int, frame: int) -> None:
        points = np.clip(self.truth[person, frame], -2000, 4000)
        for (a, b), (_, _, radius, part) in zip(_ENDS, _PARTS, strict=True):
            colour = self.colours[person][part]
            ends = [(int(x), int(y)) for x, y in points[[a, b]]]
            width = max(1, round(2 * radius * self.scale[person, frame]))
            cv2.line(picture, ends[0], ends[1], tuple(colour * (0.9 if a % 2 else 1.0)), width, cv2.LINE_AA)


def make_sequences(
    folder: Path, split: str, count: int, seconds: float, least_crossings: int = 1, seed: int = 0
) -> list[Sequence]:
    """`count` sequences from the multi-player takes of the motion library; each depends on its number only."""
    reader = library(folder)
    takes: dict[str, list[Any]] = defaultdict(list)
    for clip in reader.load_file(folder / split / "snu_vsports.npz"):
        takes[clip.take].append(reader.resample(clip, FPS))
    takes = {name: clips for name, clips in takes.items() if len({clip.player for clip in clips}) > 1}
    names = sorted(takes)
    made: list[Sequence] = []
    number = 0
    while len(made) < count:
        random = np.random.default_rng([seed, number])
        name = names[int(random.integers(len(names)))]
        sequence = _film(name, takes[name], round(seconds * FPS), random, 1000 * seed + number)
        if sequence is not None and sequence.crossings >= least_crossings:
            made.append(sequence)
        number += 1
    return made


def _film(name: str, clips: list[Any], frames: int, random: np.random.Generator, seed: int) -> Sequence | None:
    """One camera before one stretch of a take; None if fewer than two people are to be seen."""
    rows = clips[0].positions.shape[1]
    coco = np.array([_library_row(joint) for joint in COCO17.names])
    last = max(clip.take_start + len(clip.positions) for clip in clips)
    start = int(random.integers(30, max(31, last - frames)))
    players = sorted({clip.player for clip in clips})
    world = np.full((len(players), frames, rows, 3), np.nan)
    for clip in clips:
        low, high = max(start, clip.take_start), min(start + frames, clip.take_start + len(clip.positions))
        if high > low:
            part = clip.positions[low - clip.take_start : high - clip.take_start]
            world[players.index(clip.player), low - start : high - start] = part
    world = world[np.isfinite(world).any((1, 2, 3))]
    if len(world) < 2:
        return None
    world = _resized(world, random)
    rotation, centre, focal = _camera(world, random)
    seen = np.einsum("fij,tfkj->tfki", rotation, world[:, :, coco] - centre)
    depth = seen[..., 2]
    seen[(depth < 0.5).any(-1)] = np.nan
    truth = focal * seen[..., :2] / seen[..., 2:] + np.array([WIDTH, HEIGHT]) / 2
    middle = np.nanmean(np.where(np.isfinite(seen[..., 2]), depth, np.nan)[..., [5, 6, 11, 12]], -1)
    scale = focal / middle
    outside = ~((truth > 0) & (truth < [WIDTH, HEIGHT])).all(-1)
    behind = _behind_others(truth, seen[..., 2], scale)
    present = ((~outside).mean(-1) >= 0.5) & ((~outside & ~behind).sum(-1) >= 4)
    if (present.sum(-1) >= frames / 4).sum() < 2 or np.median(scale[present]) * _TALL > 0.95 * HEIGHT:
        return None
    detections = _detect(truth, seen[..., 2], scale, behind, outside, seed, random)
    crossings = _crossings(truth, present)
    colours = _dress(len(world), random)
    return Sequence(
        f"{name} at {start / FPS:.1f} s", truth, present, middle, scale, detections, colours, crossings, seed
    )


def _library_row(joint: str) -> int:
    from motion_library import JOINT_INDEX  # found by `library`

    return JOINT_INDEX[joint]


def _resized(world: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The players as taller or shorter people."""
    factor = random.uniform(0.88, 1.08, len(world))[:, None, None, None]
    ground = world[:, :, :1] * [1, 1, 0]
    return ground + factor * (world - ground)


def _camera(world: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """(F, 3, 3) world to camera, (3,) its place, its focal length in pixels; a third of them turn."""
    frames = world.shape[1]
    middle = np.nanmedian(world[:, :, 0], (0, 1))
    reach = np.nanpercentile(np.linalg.norm(world[:, :, 0] - middle, axis=-1), 80)
    distance = max(np.exp(random.uniform(np.log(4.0), np.log(12.0))), 1.5 + reach)
    height = random.uniform(0.5, 5.0) if random.random() < 0.3 else np.clip(random.normal(1.6, 0.4), 0.5, 3)
    azimuth = random.uniform(-np.pi, np.pi)
    centre = middle + np.array([distance * np.cos(azimuth), distance * np.sin(azimuth), height - middle[2]])
    focal = WIDTH * np.exp(random.uniform(np.log(0.7), np.log(1.8)))
    aim = middle - centre
    time = np.arange(frames) / FPS
    turning = random.uniform(0.03, 0.2) if random.random() < 0.35 else 0.0
    yaw = np.arctan2(aim[1], aim[0]) + turning * np.sin(2 * np.pi * time / random.uniform(3, 8))
    pitch = np.arctan2(aim[2], np.linalg.norm(aim[:2])) + random.normal(0, 0.03) + 0 * time
    forward = np.stack([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)], -1)
    right = np.stack([np.sin(yaw), -np.cos(yaw), 0 * yaw], -1)
    return np.stack([right, np.cross(forward, right), forward], 1), centre, float(focal)


def _behind_others(truth: np.ndarray, depth: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(T, F, 17) bool: keypoints behind a limb or the trunk of somebody else."""
    behind = np.zeros(depth.shape, bool)
    for front in range(len(truth)):
        for person in range(len(truth)):
            if person == front:
                continue
            for (a, b), radius in zip(_ENDS, _RADII, strict=True):
                start, along = truth[front, :, None, a], truth[front, :, None, b] - truth[front, :, None, a]
                t = ((truth[person] - start) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9)
                t = np.clip(t, 0, 1)
                near = np.linalg.norm(truth[person] - start - t[..., None] * along, axis=-1)
                nearer = depth[front, :, a, None] * (1 - t) + depth[front, :, b, None] * t < depth[person] - 0.1
                behind[person] |= (near < radius * scale[front, :, None]) & nearer
    return behind


def _detect(
    truth: np.ndarray,
    depth: np.ndarray,
    scale: np.ndarray,
    behind: np.ndarray,
    outside: np.ndarray,
    seed: int,
    random: np.random.Generator,
) -> list[np.ndarray]:
    """F of (M, 17, 3): what a detector gives."""
    people, frames = truth.shape[:2]
    there = np.isfinite(truth).all((2, 3))
    filled = np.nan_to_num(truth)
    size = np.where(there, scale * _TALL, 100.0)
    generator = torch.Generator().manual_seed(seed)
    own = occluded(
        torch.tensor(filled / size[..., None, None]), torch.tensor(np.nan_to_num(depth)),
        torch.tensor(np.full(size.shape, _LIMB / _TALL)),
    ).numpy()  # fmt: skip
    noisy = add_noise(
        torch.tensor(filled, dtype=torch.float32), torch.tensor(size, dtype=torch.float32),
        torch.tensor(own | behind), torch.tensor(outside), FPS, generator,
        pixels=torch.tensor(np.nanmedian(np.where(there, size, np.nan), 1), dtype=torch.float32),
    ).numpy().astype(float)  # fmt: skip
    noisy[noisy[..., 2] <= 0] = (np.nan, np.nan, 0)
    covered = behind.mean(-1)
    luck = _lasting(random, (people, frames), 0.3)
    found = there & (covered < 0.62 + 0.15 * luck) & ((~outside).mean(-1) > 0.4)
    found &= _lasting(random, (people, frames), 0.2) < 1.9
    taken = (_lasting(random, (people, frames), 0.3) > 0.8) & (covered > 0.3)
    for person, frame in zip(*np.nonzero(taken & found), strict=True):
        _take_over(noisy, person, frame, behind, depth)
    ghosts = _ghosts(noisy, found, random)
    frames_of: list[np.ndarray] = []
    for frame in range(frames):
        here = [noisy[person, frame] for person in np.flatnonzero(found[:, frame])]
        here += [ghost for ghost, times in ghosts if times[0] <= frame < times[1]]
        kept = _merged(np.array(here).reshape(-1, 17, 3))
        frames_of.append(kept[random.permutation(len(kept))])
    return frames_of


def _take_over(noisy: np.ndarray, person: int, frame: int, behind: np.ndarray, depth: np.ndarray) -> None:
    """Hidden points jump to the same point of the nearest person in front."""
    mine = np.nanmean(noisy[person, frame, :, :2], 0)
    others = [o for o in range(len(noisy)) if o != person and depth[o, frame].mean() < depth[person, frame].mean()]
    away = [np.linalg.norm(np.nanmean(noisy[o, frame, :, :2], 0) - mine) for o in others]
    if others and np.isfinite(away).any():
        front = others[int(np.nanargmin(away))]
        noisy[person, frame, behind[person, frame]] = noisy[front, frame, behind[person, frame]]


def _ghosts(noisy: np.ndarray, found: np.ndarray, random: np.random.Generator) -> list[tuple[np.ndarray, tuple]]:
    """Nobodies: for a moment a still, doubtful figure somewhere."""
    ghosts = []
    for _ in range(random.poisson(1.5)):
        person, frame = (rows[int(random.integers(found.sum()))] for rows in np.nonzero(found))
        ghost = noisy[person, frame].copy()
        ghost[:, :2] += random.uniform(-0.4, 0.4, 2) * [WIDTH, HEIGHT]
        ghost[:, 2] *= 0.5
        start = int(random.integers(found.shape[1]))
        ghosts.append((ghost, (start, start + int(random.integers(1, 20)))))
    return ghosts


def _merged(people: np.ndarray) -> np.ndarray:
    """The surer of detections that are of one place, as grouping leaves them."""
    kept: list[int] = []
    same = oks(people, people, _SIGMAS) > 0.6
    for row in np.argsort(-people[..., 2].sum(-1), kind="stable"):
        if (people[row, :, 2] > 0).sum() >= 4 and not same[row, kept].any():
            kept.append(int(row))
    return people[kept]


def _lasting(random: np.random.Generator, shape: tuple[int, int], seconds: float) -> np.ndarray:
    """Unit normal noise that lasts."""
    radius = round(3 * seconds * FPS)
    window = np.exp(-((np.arange(-radius, radius + 1) / (seconds * FPS)) ** 2))
    window /= np.linalg.norm(window)
    white = random.standard_normal((shape[0], shape[1] + 2 * radius))
    return np.stack([np.convolve(row, window, "valid") for row in white])


def _crossings(truth: np.ndarray, present: np.ndarray) -> int:
    """How many times two people's boxes meet by a third of their union."""
    points = np.concatenate([truth, np.ones_like(truth[..., :1])], -1)
    points[~np.isfinite(truth).all(-1)] = (np.nan, np.nan, 0)
    meet = np.zeros((len(truth), len(truth), truth.shape[1]), bool)
    for frame in range(truth.shape[1]):
        boxes = person_boxes(points[:, frame])
        meet[..., frame] = np.nan_to_num(overlap(boxes, boxes)) > 1 / 3
    meet &= present[:, None] | present[None]
    pairs = meet[np.triu_indices(len(truth), 1)]
    return int((np.diff(pairs.astype(int), axis=-1, prepend=0) == 1).sum())


def _dress(people: int, random: np.random.Generator) -> list[dict[str, np.ndarray]]:
    """Clothes; in a third of the sequences two people wear the same top, in half of those the same legs too."""
    tops, legs = (_CLOTHES[random.choice(len(_CLOTHES), people)] for _ in range(2))
    team = random.random()
    if team < 1 / 3:
        tops[1] = tops[0]
    if team < 1 / 6:
        legs[1] = legs[0]
    dressed = []
    for top, leg in zip(tops, legs, strict=True):
        skin, hair = _SKIN[random.integers(len(_SKIN))], _HAIR[random.integers(len(_HAIR))]
        shorts, sleeves = random.random() < 0.3, random.random() < 0.5
        vary = random.normal(0, 10, (2, 3))
        dressed.append({
            "top": np.clip(top + vary[0], 0, 255), "legs": np.clip(leg + vary[1], 0, 255),
            "shins": skin if shorts else np.clip(leg + vary[1], 0, 255),
            "arms": np.clip(top + vary[0], 0, 255) if sleeves else skin, "head": (skin + hair) / 2,
        })  # fmt: skip
    return dressed
