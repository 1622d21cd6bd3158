# SPDX-License-Identifier: GPL-3.0-or-later
"""A take has nobody before they are first seen and after they are seen last; in between it bridges."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from video_mocap.backend import pipeline

sys.path.insert(0, str(Path(__file__).parent))
from filmed_people import someone_walking


def test_frames_before_the_first_and_after_the_last_look_are_missing() -> None:
    recording = someone_walking(2.0, 30.0).recording()
    frames, seen = len(recording.times), np.zeros(len(recording.times), dtype=bool)
    seen[8 : frames - 6] = True
    seen[25:31] = False
    keypoints = np.where(seen[None, :, None, None], recording.keypoints, [np.nan, np.nan, 0])
    take = pipeline.lift(replace(recording, keypoints=keypoints), pipeline.CaptureOptions(device="cpu"))
    there = np.isfinite(take.joints[0]).all((1, 2))
    np.testing.assert_array_equal(np.flatnonzero(there), np.arange(8, frames - 6))
    assert (take.joints_confidence[0, ~there] == 0).all()
    assert (take.contacts[0, ~there] == 0).all()
