# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wear, as colour histograms of two regions: trunk with upper arms, and legs.

Pixels are sampled along limbs and across the trunk while the frame is at hand, at places that are fixed mixtures of a
person's keypoints. A histogram has `BINS` soft bins: eight hues, each dark and light, and six greys; a dull pixel
counts among both, so that noise and light do not move it from one bin to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from ..detection.base import person_boxes

HUES, GREYS = 8, 6
BINS = 2 * HUES + GREYS
#: Saturation (Lab chroma) at which a pixel is as much a colour as a grey.
_DULL = 14.0
#: Confidence from which keypoints say where a person's clothes are.
_LEAST = 0.3
_TOP, _LEGS = 0, 1
#: Distance beyond which nobody is one person: people on footage differ by 0.28 and more, one from themselves by 0.03.
_OTHER_CLOTHES = 0.25


@lru_cache(maxsize=8)
def _places(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(S, K) shares of the keypoints in each sampled place, and (S,) its region."""
    rows = {name: row for row, name in enumerate(names)}
    shares: list[np.ndarray] = []
    regions: list[int] = []

    def add(region: int, **parts: float) -> None:
        if all(name in rows for name in parts):
            share = np.zeros(len(names))
            for name, part in parts.items():
                share[rows[name]] = part
            shares.append(share)
            regions.append(region)

    for down in np.linspace(0.08, 0.92, 7):
        for across in np.linspace(0.1, 0.9, 5):
            add(
                _TOP,
                left_shoulder=(1 - down) * (1 - across),
                right_shoulder=(1 - down) * across,
                left_hip=down * (1 - across),
                right_hip=down * across,
            )
    for side in ("left", "right"):
        for along in np.linspace(0.1, 0.7, 4):
            add(_TOP, **{f"{side}_shoulder": 1 - along, f"{side}_elbow": along})
        for along in np.linspace(0.1, 1.0, 8):
            add(_LEGS, **{f"{side}_hip": 1 - along, f"{side}_knee": along})
        for along in np.linspace(0.2, 0.8, 4):
            add(_LEGS, **{f"{side}_knee": 1 - along, f"{side}_ankle": along})
    return np.array(shares).reshape(-1, len(names)), np.array(regions, int)


def colours_of(image: np.ndarray, people: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(M, 2, BINS) histograms of trunk and legs of (M, K, 3) people; they sum to the number of pixels looked at.

    image: (H, W, 3) uint8 RGB. Places within the trunk of somebody else of the frame do not count: who is in front is
    not known here.
    """
    shares, regions = _places(tuple(names))
    out = np.zeros((len(people), 2, BINS), np.float32)
    if not len(people) or not len(shares):
        return out
    sure = (people[..., 2] >= _LEAST) & np.isfinite(people[..., :2]).all(-1)
    places = shares @ np.where(sure[..., None], people[..., :2], 0.0)
    pixels = np.floor(places).astype(int)
    seen = ~(~sure @ (shares.T > 0)) & (pixels >= 0).all(-1) & (pixels < [image.shape[1], image.shape[0]]).all(-1)
    seen &= ~_within_others(places, people, names)
    person, place = np.nonzero(seen)
    if len(person):
        x, y = pixels[person, place].T
        weights = _binned(image[y, x])
        flat = (2 * person + regions[place])[:, None] * BINS + np.arange(BINS)
        out.reshape(-1)[:] = np.bincount(flat.ravel(), weights.ravel(), out.size)
    return out


def _within_others(places: np.ndarray, people: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(M, S) bool: is a place in the box around somebody else's shoulders and hips?"""
    trunk = [row for row, name in enumerate(names) if name.endswith(("_shoulder", "_hip"))]
    boxes = person_boxes(people[:, trunk])
    inside = (places[:, :, None] >= boxes[:, :2]) & (places[:, :, None] <= boxes[:, 2:])
    inside = inside.all(-1)
    inside[np.arange(len(people)), :, np.arange(len(people))] = False
    return inside.any(-1)


def _binned(pixels: np.ndarray) -> np.ndarray:
    """(N, BINS) shares of (N, 3) uint8 RGB pixels in the bins."""
    lab = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    colourful = chroma**2 / (chroma**2 + _DULL**2)
    out = np.zeros((len(pixels), BINS))
    rows = np.arange(len(pixels))
    hue = np.arctan2(lab[:, 2], lab[:, 1]) / (2 * np.pi) * HUES % HUES
    light = np.clip((lab[:, 0] - 30) / 40, 0, 1)
    first = np.floor(hue).astype(int) % HUES
    for bin_, near in ((first, 1 - (hue - np.floor(hue))), ((first + 1) % HUES, hue - np.floor(hue))):
        out[rows, bin_] += colourful * near * (1 - light)
        out[rows, HUES + bin_] += colourful * near * light
    grey = np.clip(lab[:, 0] / 100, 0, 1) * (GREYS - 1)
    low = np.minimum(np.floor(grey).astype(int), GREYS - 2)
    out[rows, 2 * HUES + low] += (1 - colourful) * (1 - (grey - low))
    out[rows, 2 * HUES + low + 1] += (1 - colourful) * (grey - low)
    return out


def colour_distance(some: np.ndarray, others: np.ndarray, least: float = 20.0) -> np.ndarray:
    """(A, B) distance of histograms (A, 2, BINS) and (B, 2, BINS), 0 alike to 1; NaN where too little was seen.

    1 minus the Bhattacharyya coefficient, mean of the regions of which both saw at least `least` pixels.
    """
    pixels, other_pixels = some.sum(-1), others.sum(-1)
    roots = np.sqrt(some / np.maximum(pixels, 1e-9)[..., None])
    other_roots = np.sqrt(others / np.maximum(other_pixels, 1e-9)[..., None])
    apart = 1 - np.einsum("arb,crb->acr", roots, other_roots)
    known = (pixels[:, None] >= least) & (other_pixels[None] >= least)
    mean = (apart * known).sum(-1) / np.maximum(known.sum(-1), 1)
    return np.where(known.any(-1), np.clip(mean, 0, 1), np.nan)


def changes_clothes(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether (2, BINS) colours are those of two people; not where too little was seen."""
    distance = colour_distance(before[None], after[None])[0, 0]
    return bool(np.isfinite(distance) and distance > _OTHER_CLOTHES)
