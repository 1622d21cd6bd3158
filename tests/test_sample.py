# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample and its truth: they belong together, and the truth is a possible body on a floor."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from video_mocap.backend.camera import project, to_camera
from video_mocap.rigging.joints import KEYPOINTS, TAKE
from video_mocap.rigging.take import CONTACT_NAMES, Take, read_take

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
VIDEO, TRUTH = SAMPLE / "sample.mp4", SAMPLE / "sample_truth.take.npz"


@pytest.fixture(scope="module")
def truth() -> Take:
    return read_take(TRUTH)


@pytest.fixture(scope="module")
def frames() -> tuple[np.ndarray, np.ndarray]:
    """Times (F,) in seconds and pictures (F, H, W, 3) RGB."""
    with av.open(str(VIDEO)) as container:
        decoded = [(float(frame.time or 0), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    return np.array([time for time, _ in decoded]), np.array([picture for _, picture in decoded])


def _joint(truth: Take, name: str) -> np.ndarray:
    return truth.joints[0, :, TAKE.index(name)]


def test_small_enough_to_ship() -> None:
    assert VIDEO.stat().st_size + TRUTH.stat().st_size < 1_000_000


def test_truth_fits_the_clip(truth: Take, frames: tuple[np.ndarray, np.ndarray]) -> None:
    times, pictures = frames
    np.testing.assert_allclose(truth.times, times, atol=1e-3)
    assert tuple(truth.image_size) == (pictures.shape[2], pictures.shape[1])
    assert truth.joint_names == TAKE.names
    assert truth.keypoint_names == KEYPOINTS.names
    assert np.isfinite(truth.joints).all()


def test_bones_keep_their_lengths(truth: Take) -> None:
    rigid = [("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand")]
    rigid += [("ankle", "heel"), ("ankle", "toe")]
    pairs = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in rigid]
    for a, b in [*pairs, ("left_hip", "right_hip"), ("left_ear", "nose"), ("right_ear", "head_top")]:
        length = np.linalg.norm(_joint(truth, a) - _joint(truth, b), axis=-1)
        assert np.ptp(length) < 0.002, f"{a} to {b} varies by {np.ptp(length) * 1000:.1f} mm"


def test_feet_are_on_the_floor_and_stand_still(truth: Take) -> None:
    for column, name in enumerate(CONTACT_NAMES):
        track, standing = _joint(truth, name), truth.contacts[0, :, column] > 0.5
        assert 30 < standing.sum() < len(standing)
        assert track[:, 2].min() > -0.01
        assert track[standing, 2].max() < 0.06
        still = standing[1:] & standing[:-1]
        speed = np.linalg.norm(np.diff(track, axis=0)[still], axis=-1) * truth.fps
        assert np.median(speed) < 0.1
    lowest = np.min([_joint(truth, name)[:, 2] for name in CONTACT_NAMES], axis=0)
    assert lowest.max() < 0.05, "some foot is always on the floor"


def test_knees_and_elbows_bend_forwards_and_much(truth: Take) -> None:
    for side in ("left", "right"):
        hip, knee, ankle = (_joint(truth, f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        heel, toe = _joint(truth, f"{side}_heel"), _joint(truth, f"{side}_toe")
        # Seen along the shin, thigh and foot both point to the front, however far the knee is folded.
        shin = (ankle - knee) / np.linalg.norm(ankle - knee, axis=-1, keepdims=True)
        foot = (toe - heel) - ((toe - heel) * shin).sum(-1, keepdims=True) * shin
        assert (((knee - hip) * foot).sum(-1) > 0).all(), f"the {side} knee bends backwards"
        for a, b, c in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            first, middle, last = (_joint(truth, f"{side}_{name}") for name in (a, b, c))
            u, v = middle - first, last - middle
            cosine = (u * v).sum(-1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)
            assert np.ptp(np.degrees(np.arccos(cosine))) > 45


def test_keypoints_are_the_projection_and_inside_the_picture(truth: Take) -> None:
    shared = [name for name in KEYPOINTS.names if name in TAKE]
    pixels = project(to_camera(truth.joints[0], truth.world_to_camera), truth.intrinsics)
    for name in shared:
        expected = pixels[:, TAKE.index(name)]
        np.testing.assert_allclose(truth.keypoints[0, :, KEYPOINTS.index(name), :2], expected, atol=0.01)
    assert (pixels > 5).all()
    assert (pixels < truth.image_size - 5).all()
    height = np.ptp(pixels[..., 1], axis=1) / truth.image_size[1]
    assert height.min() > 0.5
    assert height.max() < 0.85


def test_the_picture_shows_what_the_truth_says(truth: Take, frames: tuple[np.ndarray, np.ndarray]) -> None:
    """The middle of a shin is where the trousers are blue, the chest where the shirt is red."""
    pixels = project(to_camera(truth.joints[0], truth.world_to_camera), truth.intrinsics)

    def colour(a: str, b: str) -> np.ndarray:
        middle = ((pixels[:, TAKE.index(a)] + pixels[:, TAKE.index(b)]) / 2).astype(int)
        return frames[1][np.arange(len(middle)), middle[:, 1], middle[:, 0]].astype(float)

    for a, b in (("left_knee", "left_ankle"), ("right_hip", "right_knee")):
        trousers = colour(a, b)
        assert (trousers[:, 2] > trousers[:, 0] + 10).mean() > 0.95
    shirt = colour("spine", "thorax")
    assert (shirt[:, 0] > shirt[:, 2] + 30).mean() > 0.9
