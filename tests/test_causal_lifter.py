# SPDX-License-Identifier: GPL-3.0-or-later
"""The causal lifter that comes with Video Mocap: what it says of a frame does not depend on what comes after it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend import pipeline
from video_mocap.rigging.joints import COCO17

sys.path.insert(0, str(Path(__file__).parent))
from filmed_people import CAMERA, WIDTH, Filmed, relative, someone_walking

CAUSAL = "temporal-causal-coco17-take26"


@pytest.fixture(scope="module")
def walker() -> Filmed:
    return someone_walking(3.0, 30.0)


def lift(name: str, person: Filmed, frames: int) -> np.ndarray:
    """(frames, 26, 3) metres, from the first frames of a recording alone."""
    lifter = pipeline.open_lifter(pipeline.CaptureOptions(lifter=name, device="cpu"))
    track, times = person.keypoints[:frames], person.times[:frames]
    return lifter.lift(track, COCO17.names, times, CAMERA, (WIDTH, WIDTH)).joints


def test_what_comes_later_changes_nothing(walker: Filmed) -> None:
    whole, cut = (lift(CAUSAL, walker, frames) for frames in (90, 60))
    assert np.abs(whole[:60] - cut).max() < 1e-4


def test_the_usual_lifter_does_look_ahead(walker: Filmed) -> None:
    whole, cut = (lift("default", walker, frames) for frames in (90, 60))
    assert np.abs(whole[:60] - cut).max() > 1e-3


def test_it_is_a_lifter_to_be_used(walker: Filmed) -> None:
    joints = lift(CAUSAL, walker, 90)
    assert np.linalg.norm(joints - relative(walker.joints), axis=-1).mean() < 0.1
