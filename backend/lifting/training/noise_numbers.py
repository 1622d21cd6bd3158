# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured of a detector, as tensors, and how far training strays from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MEASURED = Path(__file__).with_name("detector_noise.json")
#: Time constants of the parts of the error that last, seconds; the first two are called slow, the last one quick.
SECONDS = (0.9, 0.3, 0.1)


@dataclass(frozen=True)
class Spread:
    """How far windows lie around the measurement: standard deviations of logarithms, and shares of windows.

    skill: of all noise of a window, beside what the measurement itself varies. balance: of its slow against its quick
    part. bias: of the factor on the detector's bias. flat: share of windows whose confidence says nothing. patchy:
    share of detectors that give no keypoint where others give one of little confidence. cut: share of windows filmed
    from the waist up. swapped: least share of windows with exchanged sides.
    """

    skill: float = 0.35
    balance: float = 0.3
    bias: float = 0.6
    flat: float = 0.15
    patchy: float = 0.35
    cut: float = 0.06
    swapped: float = 0.08


#: Windows exactly as measured.
AS_MEASURED = Spread(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Noise:
    """Measured numbers as tensors of one device; joints are COCO-17's, states are seen, hidden, outside.

    bias: (17, 17) systematic error, a linear map of the true keypoints. deviation: (17, 5) of offset, `SECONDS` and of
    what is new in every frame, for joints that are seen. gain: (3, 2, 17) factor on slow and quick parts by state.
    together: (2, 17, 17) roots of the correlations between joints, slow and quick. tail: (2, 17) deviation in time of
    the logarithm of slow and quick noise. skill: (2,) the same over recordings, of all noise and of quick noise
    besides. pixels: (2,) logarithm of the noise at 300 pixels and its slope over the logarithm of the person's size.
    speed: factor on the quick part for a size a second. error: (3, 17, 2) mean and deviation of the logarithm of the
    error. levels: (3, 17, L) quantiles of confidence. rank: (3, 17) correlation of confidence with a small error.
    constant: (2,) share of confidence's variance between recordings, and within but lasting. missing: (3, 17) share of
    keypoints not given. lost, swap: (3,) share of 3 s recordings in which the person is lost, or sides are exchanged,
    share of their frames, seconds of a run.
    """

    bias: Tensor
    deviation: Tensor
    gain: Tensor
    together: Tensor
    tail: Tensor
    skill: Tensor
    pixels: Tensor
    speed: Tensor
    error: Tensor
    levels: Tensor
    rank: Tensor
    constant: Tensor
    missing: Tensor
    lost: Tensor
    swap: Tensor


def load_noise(path: Path = MEASURED, device: torch.device | str = "cpu") -> Noise:
    """The numbers in a file. Raises OSError, ValueError or KeyError if it is not such a file."""
    return noise_of(json.loads(path.read_text()), device)


def noise_of(numbers: Mapping[str, Any], device: torch.device | str = "cpu") -> Noise:
    """The same from lists. Raises KeyError if one is missing."""
    return Noise(
        **{name: torch.tensor(numbers[name], device=device, dtype=torch.float32) for name in Noise.__annotations__}
    )


@lru_cache(maxsize=4)
def measured_noise(device: str) -> Noise:
    """The numbers of this package on a device, read once."""
    return load_noise(MEASURED, device)
