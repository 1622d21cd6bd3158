# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a motion can be seen in the motion: bones that stretch, joints that shake, feet that slide.

Letters: F frames, J joints. Joints are metres, world, Z up, floor at 0; NaN where nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SIDES = ("left", "right")
_LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
#: The bones whose lengths are looked at, and the joints whose shaking is.
LIMB_BONES = tuple((f"{side}_{a}", f"{side}_{b}") for a, b in _LIMBS for side in _SIDES)
BODY = (
    "pelvis",
    *(f"{side}_{part}" for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in _SIDES),
)
#: What may stand, in the order of a take's contacts: a foot that a lifter does not give stands by its ankle.
_FEET = (
    ("left_heel", "left_ankle"),
    ("left_toe", "left_ankle"),
    ("right_heel", "right_ankle"),
    ("right_toe", "right_ankle"),
)
#: Half of the window, seconds, in which the motion of a joint is taken for a parabola; fewest frames in it.
_HALF, _LEAST = 0.1, 5
#: A contact of which the take is surer than this stands.
_STANDS = 0.5
#: Half of the span, seconds, over which the speed of a foot is taken: that of single frames would be their noise.
_STRIDE = 1 / 30


def columns(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Rows of those of `wanted` that are among `names`."""
    return [names.index(name) for name in wanted if name in names]


def bone_variation(joints: np.ndarray, names: Sequence[str]) -> float:
    """Standard deviation over mean of the length of a limb's bone, mean of the 8 limb bones; NaN without any.

    joints: (F, J, 3).
    """
    found = []
    for first, second in LIMB_BONES:
        if first in names and second in names:
            length = np.linalg.norm(joints[:, names.index(first)] - joints[:, names.index(second)], axis=-1)
            length = length[np.isfinite(length)]
            if len(length) > 2 and length.mean() > 0:
                found.append(length.std() / length.mean())
    return float(np.mean(found)) if found else float("nan")


def shaking(joints: np.ndarray, times: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """How far the joints of the body are off a smooth path, and how fast they are: (F,) metres, (F,) m/s.

    Both are root mean squares over the joints; NaN at ends and gaps. joints: (F, J, 3). times: (F,) seconds. The smooth
    path is, for each frame, the parabola that fits the tenth of a second on either side best, near frames counting most
    (local regression; Cleveland, JASA 74, 1979). So it is a length, and nearly the same at any frame rate: the 50th,
    90th and 95th percentile of frames of the motion library are 0.5, 2.3 and 3.2 to 3.5 mm at 24, 30 and 60 frames a
    second. NaN for footage of fewer than 21 frames a second.
    """
    shaken, speed = np.full(len(times), np.nan), np.full(len(times), np.nan)
    body = columns(names, BODY)
    step = float(np.median(np.diff(times))) if len(times) > 1 else np.inf
    half = int(np.ceil(_HALF / step)) - 1 if step < np.inf else 0
    if not body or 2 * half + 1 < _LEAST or len(times) <= 2 * half:
        return shaken, speed
    weights = _parabola(times, half)
    count = len(times) - 2 * half
    middle = slice(half, half + count)
    off = joints[middle][:, body].astype(np.float64)
    for row in range(2 * half + 1):
        off -= weights[:, row, None, None] * joints[row : row + count][:, body]
    way = joints[2 * half :][:, body] - joints[:count][:, body]
    shaken[middle] = _root_mean_square(off)
    speed[middle] = _root_mean_square(way) / (times[2 * half :] - times[:count])
    return shaken, speed


def usual_shaking(speed: np.ndarray) -> np.ndarray:
    """(F,) metres that people who move so fast, (F,) m/s, are off a smooth path, without any noise.

    Least squares of logarithms over the motion library's validation motion at 30 frames a second; at 24 and 60 it is
    the same within a tenth at 1 m/s. Never less than a third of a millimetre, which nobody sees.
    """
    return 0.00075 * np.maximum(speed, 0.4) ** 0.83


def _root_mean_square(vectors: np.ndarray) -> np.ndarray:
    """(F,) of the lengths of (F, J, 3); NaN where fewer than half of the joints are known."""
    squared = (vectors**2).sum(-1)
    known = np.isfinite(squared)
    mean = np.where(known, squared, 0.0).sum(-1) / np.maximum(known.sum(-1), 1)
    return np.where(known.sum(-1) >= squared.shape[1] / 2, np.sqrt(mean), np.nan)


def _parabola(times: np.ndarray, half: int) -> np.ndarray:
    """(F - 2 half, 2 half + 1) weights of the frames around each that give the best parabola's value at it.

    NaN where times are so uneven that too few frames are near.
    """
    count = len(times) - 2 * half
    offsets = np.stack([times[row : row + count] for row in range(2 * half + 1)], 1) - times[half : half + count, None]
    offsets /= _HALF
    nearness = np.maximum(0.0, 1 - np.abs(offsets) ** 3) ** 3
    powers = offsets[..., None] ** np.arange(3)
    weighted = (nearness[..., None] * powers).swapaxes(1, 2)
    normal = weighted @ powers
    enough = (nearness > 0).sum(1) >= _LEAST
    normal[~enough] = np.eye(3)
    return np.where(enough[:, None], np.linalg.solve(normal, weighted)[:, 0], np.nan)


def foot_slide(
    joints: np.ndarray, contacts: np.ndarray, times: np.ndarray, names: Sequence[str]
) -> tuple[float, float]:
    """(mean speed over the floor, m/s, of heels and toes while they stand; seconds that one of them stands).

    joints: (F, J, 3). contacts: (F, 4) probability. times: (F,) seconds. NaN where nothing ever stands.
    """
    if len(times) < 3:
        return float("nan"), 0.0
    reach = max(1, round(_STRIDE / float(np.median(np.diff(times)))))
    count = len(times) - 2 * reach
    speeds = []
    standing = np.zeros(max(count, 0), bool)
    for column, choices in enumerate(_FEET):
        row = next((row for row in columns(names, choices) if np.isfinite(joints[:, row]).any()), None)
        if row is None or count < 1:
            continue
        stands = contacts[:, column] > _STANDS
        still = np.all([stands[shift : shift + count] for shift in range(2 * reach + 1)], axis=0)
        way = joints[2 * reach :, row, :2] - joints[:count, row, :2]
        speed = np.linalg.norm(way, axis=-1) / (times[2 * reach :] - times[:count])
        still &= np.isfinite(speed)
        speeds.append(speed[still])
        standing |= still
    found = np.concatenate(speeds) if speeds else np.zeros(0)
    return (float(found.mean()) if len(found) else float("nan")), float(standing.sum() * np.median(np.diff(times)))


def below_floor(joints: np.ndarray) -> np.ndarray:
    """(F,) metres that the lowest joint of each frame lies below the floor; 0 above it, NaN where nothing is known."""
    height = joints[..., 2]
    known = np.isfinite(height)
    lowest = np.where(known, height, np.inf).min(-1)
    return np.where(known.any(-1), np.maximum(0.0, -lowest), np.nan)
