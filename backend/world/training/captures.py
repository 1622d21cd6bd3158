# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures of people whose contacts are known: filmed by virtual cameras, lifted, placed and refined as footage is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....rigging.joints import COCO17, TAKE
from ...files import save_arrays
from ...keypoints import Keypoints
from ...lifting.lifter import Lifter
from ...lifting.training.camera import sample_cameras
from ...lifting.training.detector_noise import add_noise, occluded
from ...lifting.training.motion import windows
from ...progress import Progress
from ...refinement.refine import Options
from ...stages.lifting import Lens, lift_people
from ...stages.people import place_people, refine_person
from .library import FEET, Library

#: Of the picture, pixels.
_WIDTH = 1000
#: Metres, as in `lifting.training.samples`: a limb's half thickness, a standing person's height, the nearest depth.
_LIMB, _HEIGHT, _NEAR = 0.07, 1.65, 0.3
#: Errors of heels and toes beside the ankle's, whose they share: drift and jitter, fractions of the person's size.
_DRIFT, _JITTER, _DRIFT_SECONDS = 0.010, 0.006, 0.5
#: Of a capture.
KEYPOINTS = (*COCO17.names, *FEET)
#: Rows of `FEET` with the sides exchanged.
_OTHER_SIDE = [2, 3, 0, 1]


@dataclass(frozen=True)
class Capture:
    """What a capture knows of one person over F frames, and the truth.

    times: (F,) seconds. keypoints: (F, 21, 3) pixels of COCO-17 and `FEET`; the latter missing if they are not given.
    intrinsics: (3, 3) as assumed. lifted_confidence: (F, 26). up: (F, 3) the lifter's votes. placed, refined:
    (F, 26, 3) metres, camera axes, before and after the first refinement, NaN if there was none. truth: (F, 26, 3)
    metres, true world, floor at 0. rotation: (3, 3) true world to camera. stands, floor: (F, 4) bool. clip: its number
    in the library.
    """

    times: np.ndarray
    keypoints: np.ndarray
    intrinsics: np.ndarray
    lifted_confidence: np.ndarray
    up: np.ndarray
    placed: np.ndarray
    refined: np.ndarray
    truth: np.ndarray
    rotation: np.ndarray
    stands: np.ndarray
    floor: np.ndarray
    clip: np.ndarray


@dataclass(frozen=True)
class Filming:
    """fps: Hz. seconds: of a capture. noise: "measured" or "none". focal: standard deviation of the logarithm of the
    guess at the focal length. feet: whether the detector gives heels and toes; None for half of the people. refine:
    whether to refine, which takes most of the time."""

    fps: float = 30.0
    seconds: float = 5.0
    noise: str = "measured"
    focal: float = 0.1
    feet: bool | None = None
    refine: bool = True


def film_contacts(
    library: Library, wanted: np.ndarray, lifter: Lifter, filming: Filming, generator: torch.Generator
) -> Capture | None:
    """One capture of a moment drawn from the clips `wanted` (C,) bool; None if the person could not be placed."""
    motion, frames = library.motion, round(filming.seconds * filming.fps)
    clip, centre = motion.draw(1, generator)
    while not wanted[int(clip)]:
        clip, centre = motion.draw(1, generator)
    rate = motion.fps[clip] / filming.fps
    positions = windows(motion, clip, centre, rate, frames)
    last = int(motion.length[clip]) - 1
    rows = (centre.numpy() + (np.arange(frames) - frames // 2) * float(rate)).round().astype(int).clip(0, last)
    rows += int(motion.start[clip])
    stands, floor = library.stands[rows], library.floor[rows]

    def rand() -> float:
        return float(torch.rand(1, generator=generator))

    coco, take, feet = motion.rows(COCO17.names), motion.rows(TAKE.names), motion.rows(FEET)
    if rand() < 0.5:  # seen in a mirror
        positions = positions * torch.tensor([1.0, -1.0, 1.0])
        coco, take = [coco[i] for i in COCO17.mirror], [take[i] for i in TAKE.mirror]
        feet = [feet[i] for i in _OTHER_SIDE]
        stands, floor = stands[:, _OTHER_SIDE], floor[:, _OTHER_SIDE]
    cameras = sample_cameras(positions[:, :, take[0]], generator)
    seen = cameras.to_camera(positions)
    image = seen[..., :2] / seen[..., 2:].clamp_min(_NEAR)
    points = _detected(image, seen, coco, feet, cameras.half_size, filming, generator, rand)
    guess = float(np.exp(filming.focal * torch.randn(1, generator=generator).item()))
    recording = _recording(points[0].numpy().astype(np.float64), filming.fps, guess)
    lens = Lens(recording.intrinsics, "given")  # type: ignore[arg-type]
    lifted = lift_people(recording, lens, lifter, lambda: lifter, Progress())
    people = place_people(recording, lifted)
    if not people or not np.isfinite(people[0].positions).all():
        return None
    person = people[0]
    placed = person.positions.copy()
    if filming.refine:
        refine_person(person, recording, lens.intrinsics, Options())
    up = lifted.people[0].up
    return Capture(
        recording.times,
        recording.keypoints[0],
        lens.intrinsics,
        lifted.people[0].confidence,
        np.full((frames, 3), np.nan) if up is None else up,
        placed,
        person.positions if filming.refine else np.full_like(placed, np.nan),
        positions[0, :, take].numpy().astype(np.float64),
        cameras.rotation[0].numpy().astype(np.float64),
        stands,
        floor,
        np.array(int(clip)),
    )


def _detected(
    image: Tensor,
    seen: Tensor,
    coco: list[int],
    feet: list[int],
    half_size: Tensor,
    filming: Filming,
    generator: torch.Generator,
    rand: Callable[[], float],
) -> Tensor:
    """(1, F, 21, 3) tangents and confidence of COCO-17 and `FEET`, as a detector gives them."""
    size = _HEIGHT / seen[:, :, coco, 2][:, :, 11:13].mean(2).clamp_min(_NEAR)
    given = filming.feet if filming.feet is not None else rand() < 0.5
    exact = torch.cat([image, torch.ones_like(image[..., :1])], dim=-1)
    if filming.noise == "none":
        body, soles = exact[:, :, coco], exact[:, :, feet]
    else:
        hidden = occluded(image[:, :, coco], seen[:, :, coco, 2], _LIMB / seen[:, :, coco, 2][:, :, 11:13].mean(2))
        outside = (image[:, :, coco].abs() > half_size[:, None, None]).any(-1)
        body = add_noise(image[:, :, coco], size, hidden, outside, filming.fps, generator)
        ankles = [COCO17.names.index(f"{name.split('_')[0]}_ankle") for name in FEET]
        error = body[:, :, ankles, :2] - image[:, :, [coco[i] for i in ankles]]
        own = _wander(error.shape, filming, generator) * size[..., None, None]
        confidence = body[:, :, ankles, 2:] * (0.7 + 0.3 * rand())
        soles = torch.cat([image[:, :, feet] + error + own, confidence], dim=-1)
        soles = torch.where(confidence > 0, soles, torch.zeros_like(soles))
    return torch.cat([body, soles if given else torch.zeros_like(soles)], dim=2)


def _wander(shape: torch.Size, filming: Filming, generator: torch.Generator) -> Tensor:
    """(1, F, 4, 2) noise that partly lasts, fractions of the person's size."""
    white = torch.randn(2, *shape, generator=generator)
    kept = float(np.exp(-1 / (filming.fps * _DRIFT_SECONDS)))
    drift = torch.zeros(shape)
    drift[:, 0] = white[0, :, 0]
    for frame in range(1, shape[1]):
        drift[:, frame] = kept * drift[:, frame - 1] + np.sqrt(1 - kept**2) * white[0, :, frame]
    return _DRIFT * drift + _JITTER * white[1]


def _recording(points: np.ndarray, fps: float, guess: float) -> Keypoints:
    points[..., :2] = (points[..., :2] + 0.5) * _WIDTH
    points[points[..., 2] <= 0] = (np.nan, np.nan, 0)
    intrinsics = np.array([[guess * _WIDTH, 0, _WIDTH / 2], [0, guess * _WIDTH, _WIDTH / 2], [0, 0, 1.0]])
    times = np.arange(len(points)) / fps
    return Keypoints(fps, times, (_WIDTH, _WIDTH), KEYPOINTS, np.array([1]), points[None], intrinsics)


def save_captures(path: Path, captures: list[Capture]) -> None:
    """Write captures of equal length, whole or not at all. Raises UserError."""
    stacked = {field.name: np.stack([getattr(each, field.name) for each in captures]) for field in fields(Capture)}
    small = {key: value.astype(np.float32) if value.dtype == np.float64 else value for key, value in stacked.items()}
    save_arrays(path, small)


def read_captures(path: Path) -> list[Capture]:
    """The reverse, of a file that this program wrote."""
    with np.load(path, allow_pickle=False) as data:
        arrays = {field.name: data[field.name] for field in fields(Capture)}
    double = {key: value.astype(np.float64) if value.dtype == np.float32 else value for key, value in arrays.items()}
    count = len(double["clip"])
    return [Capture(**{key: value[i] for key, value in double.items()}) for i in range(count)]
