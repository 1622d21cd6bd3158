# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion library with its contacts beside it: clips of people of one size, and when their feet stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ....rigging.joints import TAKE
from ...lifting.training.motion import MotionSet, load_motion, proportions
from ..contacts import FOOT_ROWS
from .labels import resting_heights, true_contacts

FEET = tuple(TAKE.names[row] for row in FOOT_ROWS)


@dataclass(frozen=True)
class Library:
    """Clips of C people, N rows in all.

    motion: every person of `CANONICAL_SIZE`, metres, floor at 0. clips, subjects: (C,) names. stands, floor: (N, 4)
    bool, which of `FEET` stand, and which of those on the floor.
    """

    motion: MotionSet
    clips: tuple[str, ...]
    subjects: tuple[str, ...]
    stands: np.ndarray
    floor: np.ndarray


def load_library(folder: Path) -> Library:
    """Read a folder of the motion library (`train` or `val`). Raises UserError as `load_motion` does."""
    motion = load_motion(folder)
    clips, subjects = [], []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as data:
            count = len(data["clip_start"])
            # A library of one's own may do without names: its clips are then of one person a file.
            clips += [str(n) for n in data["clip_name"]] if "clip_name" in data else [path.stem] * count
            subjects += [str(n) for n in data["clip_subject"]] if "clip_subject" in data else [path.stem] * count
    generator = torch.Generator()
    feet, pelvis = motion.rows(FEET), motion.names.index("pelvis")
    parts = [slice(int(a), int(a + b)) for a, b in zip(motion.start, motion.length, strict=True)]
    for part in parts:
        clip = motion.positions[part]
        # Without a spread of proportions the matrix is a factor.
        clip *= float(proportions(clip[:1], motion.names, generator, 0.0)[0, 0, 0])
    points = motion.positions[:, feet].numpy()
    rates = motion.fps.tolist()
    found = np.stack([resting_heights(points[part], rate) for part, rate in zip(parts, rates, strict=True)])
    stands, floor = np.zeros(points.shape[:2], bool), np.zeros(points.shape[:2], bool)
    usual = {subject: _usual(found[[each == subject for each in subjects]]) for subject in set(subjects)}
    for part, rate, subject in zip(parts, rates, subjects, strict=True):
        rest = resting_heights(points[part], rate, usual[subject])
        hips = motion.positions[part, pelvis].numpy()
        stands[part], floor[part] = true_contacts(points[part], hips, rate, rest)
    return Library(motion, tuple(clips), tuple(subjects), stands, floor)


def _usual(heights: np.ndarray) -> np.ndarray:
    known = np.isfinite(heights)
    return np.array([np.median(h[k]) if k.any() else 0.02 for h, k in zip(heights.T, known.T, strict=True)])


def drawn_from(library: Library, wanted: Callable[[str, str], bool]) -> np.ndarray:
    """(C,) bool: the clips that `wanted` says yes to, by clip and subject."""
    return np.array([wanted(clip, subject) for clip, subject in zip(library.clips, library.subjects, strict=True)])
