# SPDX-License-Identifier: GPL-3.0-or-later
"""A take against truths of both kinds, beside the independent scorer of the development material."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend.errors import UserError
from video_mocap.backend.evaluation.evaluate import evaluate, report
from video_mocap.backend.evaluation.measures import MEASURES
from video_mocap.backend.evaluation.truth import canonical_name, read_truth
from video_mocap.backend.files import save_arrays
from video_mocap.rigging.joints import COCO17, TAKE
from video_mocap.rigging.take import Take, take_arrays

SHARED = Path(__file__).resolve().parents[2] / "shared"
SCORER = SHARED / "tools" / "score_take.py"
TRUTH = SHARED / "footage" / "truth_single_refined.npz"
CAMERA = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
#: World Z up, camera 4 m away at height 1.2 m looking along +Y.
LOOK = np.array([[1.0, 0, 0, 0], [0, 0, -1, 1.2], [0, 1, 0, 4], [0, 0, 0, 1]])

STANDING = {
    "pelvis": (0, 0, 0.95),
    "hip": (0.1, 0, 0.93),
    "knee": (0.11, -0.03, 0.5),
    "ankle": (0.12, 0.02, 0.09),
    "shoulder": (0.18, 0, 1.42),
    "elbow": (0.25, 0.04, 1.13),
    "wrist": (0.28, -0.05, 0.88),
    "heel": (0.12, 0.06, 0.03),
    "toe": (0.13, -0.14, 0.02),
    "hand": (0.29, -0.07, 0.8),
    "ear": (0.07, 0, 1.62),
}
MIDDLE = {"spine": (0, 0, 1.2), "thorax": (0, 0, 1.43), "neck": (0, 0, 1.5), "head_top": (0, 0, 1.75)}
STANDING |= MIDDLE | {"nose": (0, -0.1, 1.6)}


def motion(times, phase=0.0, place=(0.0, 0.0)):
    """(F, 26, 3) somebody who walks on the spot along a line, feet standing half of the time."""
    pose = np.array([STANDING[n.split("_", 1)[1] if n.startswith(("left", "right")) else n] for n in TAKE.names])
    pose[[n.startswith("right") for n in TAKE.names]] *= [-1, 1, 1]
    out = np.repeat(pose[None], len(times), 0)
    out[..., :2] += place
    for row, name in enumerate(TAKE.names):
        swing = np.sin(2 * np.pi * times + phase + (np.pi if name.startswith("right") else 0))
        if name.endswith(("ankle", "heel", "toe")):
            out[:, row, 2] += 0.12 * np.clip(swing, 0, None)
        else:
            out[:, row] += 0.08 * swing[:, None] * np.array([0.3, 1, 0.2]) * (1 + row / 26)
    return out


def take_of(times, people, fps=30.0, camera=LOOK, intrinsics=CAMERA, keypoints=None):
    people = np.asarray(people)
    frames = len(times)
    names = COCO17.names if keypoints is not None else ("nose",)
    if keypoints is None:
        keypoints = np.full((len(people), frames, 1, 3), [np.nan, np.nan, 0])
    return Take(
        fps=fps,
        times=times,
        image_size=np.array([1280, 720]),
        intrinsics=intrinsics,
        world_to_camera=np.reshape(camera, (-1, 4, 4)),
        joint_names=TAKE.names,
        joint_parents=TAKE.parents,
        person_ids=np.arange(len(people)),
        joints=people,
        joints_confidence=np.isfinite(people).all(-1).astype(float),
        keypoint_names=names,
        keypoints=keypoints,
        contacts=np.zeros((len(people), frames, 4)),
    )


def save_truth(path, people, fps, cameras=1):
    turned = np.repeat(LOOK[None], cameras, 0)
    turned[:, 0, 3] += np.arange(cameras)
    save_arrays(
        path,
        {
            "fps": np.array(fps),
            "joint_names": np.array(TAKE.names),
            "joints_world": np.asarray(people, np.float32),
            "intrinsics": np.repeat(CAMERA[None], cameras, 0),
            "distortion": np.zeros((cameras, 5)),
            "world_to_camera": turned,
            "image_size": np.array([[1280, 720]] * cameras),
        },
    )
    return path


def test_the_truth_itself_has_no_error(tmp_path):
    times = np.arange(60) / 30
    people = [motion(times), motion(times, 1.0, (1.0, 0.5))]
    take = take_of(times, people[::-1])
    for path in (tmp_path / "truth.npz", tmp_path / "truth.take.npz"):
        if path.name == "truth.npz":
            save_truth(path, people, 30.0)
        else:
            save_arrays(path, take_arrays(take_of(times, people)))
        result = evaluate(take, path)
        assert [p["take_person"] for p in result["persons"]] == [1, 0]
        for person in result["persons"]:
            assert person["coverage"] == 1
            assert person["jitter_ratio"] == pytest.approx(1, abs=1e-3)
            assert person["pck3d_150_percent"] == 100
            assert person["path_scale"] == pytest.approx(1, abs=1e-4)
            for key in (
                "p_mpjpe_mm",
                "mpjpe_mm",
                "p_mpjpe_feet_mm",
                "mrpe_mm",
                "gravity_tilt_degrees",
                "mpjve_mm_frame",
            ):
                assert person[key] == pytest.approx(0, abs=1e-2), key
        json.dumps(result, allow_nan=False)


def test_known_errors(tmp_path):
    """A take in its own tilted, moved world with a person who is 5 % too large: each measure says its own thing."""
    times = np.arange(60) / 30
    truth = motion(times)
    tilt = np.radians(4)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = turn, [1, 2, 0]
    camera = LOOK @ np.linalg.inv(world)  # sees exactly what the true camera sees
    joints = truth @ turn.T + world[:3, 3]
    plain = evaluate(take_of(times, [joints], camera=camera), save_truth(tmp_path / "t.npz", [truth], 30.0))
    person = plain["persons"][0]
    assert person["gravity_tilt_degrees"] == pytest.approx(4, abs=1e-3)
    for key in ("mpjpe_mm", "p_mpjpe_mm", "mrpe_mm", "path_rigid_mm"):
        assert person[key] == pytest.approx(0, abs=1e-2), key
    centre = np.linalg.inv(camera)[:3, 3]
    large = evaluate(take_of(times, [1.05 * (joints - centre) + centre], camera=camera), tmp_path / "t.npz")["persons"][
        0
    ]
    assert large["p_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert large["n_mpjpe_mm"] == pytest.approx(0, abs=1e-2)
    assert large["path_scale"] == pytest.approx(1 / 1.05, abs=1e-4)
    depth = 4 + truth[:, [TAKE.index("left_hip"), TAKE.index("right_hip")], 1].mean()
    assert large["mrpe_depth_mm"] == pytest.approx(50 * depth, rel=1e-3)


def test_heels_and_toes_apart_and_acceleration_beside_the_truths_own(tmp_path):
    times = np.arange(60) / 30
    truth = motion(times)
    path = save_truth(tmp_path / "t.npz", [truth], 30.0)
    taken = truth.copy()
    taken[:, [TAKE.index("left_toe"), TAKE.index("right_toe")], 1] += 0.03
    person = evaluate(take_of(times, [taken]), path)["persons"][0]
    assert person["p_mpjpe_toes_mm"] == pytest.approx(30, abs=0.01)
    assert person["p_mpjpe_heels_mm"] == pytest.approx(0, abs=0.01)
    assert person["p_mpjpe_feet_mm"] == pytest.approx(15, abs=0.01)
    assert person["accel_error_ratio"] == pytest.approx(0, abs=1e-3)
    still = np.repeat(truth[:1], 60, axis=0)  # leaves out all of the truth's acceleration, but not more
    assert evaluate(take_of(times, [still]), path)["persons"][0]["accel_error_ratio"] == pytest.approx(1, abs=1e-3)


def test_other_rates_late_starts_and_absences(tmp_path):
    truth_times, times = np.arange(120) / 60, 0.5 + np.arange(30) / 24
    joints = motion(times)
    joints[10:16] = np.nan
    result = evaluate(take_of(times, [joints], fps=24.0), save_truth(tmp_path / "t.npz", [motion(truth_times)], 60.0))
    person = result["persons"][0]
    seen = (truth_times >= times[0] - 1e-3) & (truth_times <= times[-1] + 1e-3)
    hidden = (truth_times > times[9] + 1e-3) & (truth_times < times[16] - 1e-3)
    assert person["coverage"] == pytest.approx((seen & ~hidden).mean())
    assert person["mpjpe_mm"] < 2
    stranger = evaluate(take_of(times[:3], [joints[:3]], fps=24.0), tmp_path / "t.npz")["persons"][0]
    assert stranger["coverage"] < 0.1


def test_nobody_matches(tmp_path):
    times = np.arange(30) / 30
    path = save_truth(tmp_path / "t.npz", [motion(times), motion(times, 2.0)], 30.0)
    result = evaluate(take_of(times, [motion(times)]), path)
    assert [p["take_person"] for p in result["persons"]] == [0, None]
    assert result["persons"][1]["coverage"] == 0
    assert "nobody in the take" in report(result)
    empty = evaluate(take_of(times, np.zeros((0, 30, 26, 3)), keypoints=np.zeros((0, 30, 17, 3))), path)
    assert [p["take_person"] for p in empty["persons"]] == [None, None]


def test_keypoints_and_reprojection(tmp_path):
    times = np.arange(30) / 30
    joints = motion(times)
    rows = [TAKE.index(name) if name in TAKE else 0 for name in COCO17.names]
    seen = joints[:, rows] @ LOOK[:3, :3].T + LOOK[:3, 3]
    pixels = seen[..., :2] / seen[..., 2:] * 1000 + [640, 360]
    keypoints = np.concatenate([pixels + np.array([6, 8]), np.full((30, 17, 1), 0.7)], axis=-1)
    keypoints[:, [COCO17.index("left_eye"), COCO17.index("right_eye")]] = [np.nan, np.nan, 0]
    result = evaluate(
        take_of(times, [joints], keypoints=keypoints[None]), save_truth(tmp_path / "t.npz", [joints], 30.0)
    )
    person = result["persons"][0]
    assert person["reprojection_rms_px"] == pytest.approx(10, abs=0.01)
    height = np.ptp((joints @ LOOK[:3, :3].T + LOOK[:3, 3])[..., 1] / (joints[..., 1] + 4), axis=1).mean() * 1000
    assert person["image_error_relative"] == pytest.approx(10 / height, rel=0.01)


def test_every_number_is_explained(tmp_path):
    times = np.arange(30) / 30
    result = evaluate(take_of(times, [motion(times)]), save_truth(tmp_path / "t.npz", [motion(times)], 30.0))
    numbers = set(result["persons"][0]) - {"truth_person", "take_person", "frames", "foot_still_samples"}
    assert numbers == set(MEASURES) == set(result["measures"])
    line = next(line for line in report(result).splitlines() if " P-MPJPE " in line)
    assert all(word in line for word in ("mm", "12 body joints", "similarity per frame, no reflection"))


def test_camera_of_a_recording_with_several(tmp_path):
    times = np.arange(30) / 30
    path = save_truth(tmp_path / "t.npz", [motion(times)], 30.0, cameras=3)
    take = take_of(times, [motion(times)])
    with pytest.raises(UserError, match=r"has 3 cameras: say which one .* \(0 to 2\)"):
        evaluate(take, path)
    with pytest.raises(UserError, match="cameras 0 to 2, not 3"):
        evaluate(take, path, camera=3)
    assert evaluate(take, path, camera=0)["persons"][0]["mrpe_mm"] == pytest.approx(0, abs=1e-2)
    assert evaluate(take, path, camera=1)["persons"][0]["mrpe_mm"] == pytest.approx(1000, rel=1e-3)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 but no more", {"a": np.zeros(2)}, {"joints_world": None}])
def test_bad_truth_files(content, tmp_path):
    path = tmp_path / "t.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == {"joints_world": None}:
        with np.load(save_truth(path, [motion(np.arange(30) / 30)], 30.0)) as data:
            arrays = dict(data)
        save_arrays(path, arrays | {"joints_world": arrays["joints_world"][..., :2]})
    elif content is not None:
        save_arrays(path, content)
    with pytest.raises(UserError) as error:
        read_truth(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RHip", "right_hip"),
        ("hip.L", "left_hip"),
        ("mixamorig:RightToeBase", "right_toe"),
        ("left_big_toe", "left_toe"),
        ("left_foot_index", "left_toe"),
        ("LSmallToe", "left_small_toe"),
        ("Head", "head_top"),
        ("pelvis", "pelvis"),
    ],
)
def test_loose_joint_names(name, expected):
    assert canonical_name(name) == expected


def scorer():
    if not SCORER.exists():
        pytest.skip("the independent scorer is not here")
    spec = importlib.util.spec_from_file_location("score_take", SCORER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SAME = {
    "coverage": "coverage",
    "p_mpjpe": "p_mpjpe_mm",
    "p_mpjpe_feet": "p_mpjpe_feet_mm",
    "n_mpjpe": "n_mpjpe_mm",
    "mpjpe_root_camera": "mpjpe_mm",
    "jitter_m_s3": "jitter_m_s3",
    "truth_jitter_m_s3": "truth_jitter_m_s3",
    "jitter_world_m_s3": "jitter_world_m_s3",
    "jitter_world_ratio": "jitter_world_ratio",
    "accel_mm_frame2": "accel_mm_frame2",
    "bone_cv_percent": "bone_cv_percent",
    "truth_bone_cv_percent": "truth_bone_cv_percent",
    "trajectory_similarity": "path_similarity_mm",
    "trajectory_rigid": "path_rigid_mm",
    "trajectory_scale": "path_scale",
    "root_camera_error": "mrpe_mm",
    "gravity_tilt_degrees": "gravity_tilt_degrees",
    "foot_sliding_mm_s": "foot_sliding_mm_s",
    "truth_foot_speed_mm_s": "truth_foot_speed_mm_s",
    "foot_still_samples": "foot_still_samples",
}


def compare(take, path, camera):
    with np.load(path) as truth:
        arrays = take_arrays(take) | {"keypoints_2d": take.keypoints[..., :2]}
        # The scorer reads 2D under the joints' names.
        rows = [take.keypoint_names.index(n) if n in take.keypoint_names else -1 for n in take.joint_names]
        arrays["keypoints_2d"] = np.where(np.array(rows)[:, None] < 0, np.nan, take.keypoints[:, :, rows, :2])
        theirs = scorer().score({k: truth[k] for k in truth.files}, camera, arrays)["persons"]
    ours = evaluate(take, path, camera)["persons"]
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a["take_person"] == b["take_person"]
        for key, own in SAME.items():
            assert a[own] == pytest.approx(b[key], rel=0.01), key
        assert a["image_error_relative"] == pytest.approx(b["image"]["mean_error_rel"], rel=0.01)
        assert a["image_pck_005_percent"] / 100 == pytest.approx(b["image"]["pck_0.05"], rel=0.01)


def noisy_take(joints, times, fps, camera, intrinsics, seed):
    """A take with every kind of fault: noise, drift, scale, tilt, absences, noisy 2D."""
    random = np.random.default_rng(seed)
    seen = joints @ camera[:3, :3].T + camera[:3, 3]
    rows = [TAKE.index(name) if name in TAKE else 0 for name in COCO17.names]
    pixels = seen[..., :2] / seen[..., 2:] * intrinsics[0, 0] + intrinsics[:2, 2]
    keypoints = np.concatenate([pixels[:, :, rows], np.full((*seen.shape[:2], 17, 1), 0.8)], axis=-1)
    keypoints[..., :2] += random.normal(0, 15, keypoints[..., :2].shape)
    keypoints[..., 2] = np.where(np.isfinite(keypoints[..., 0]), 0.8, 0)
    joints = 1.04 * joints + random.normal(0, 0.02, joints.shape)
    joints = joints + np.linspace(0, 0.3, len(times))[:, None, None] * [1, 0.2, 0]
    joints[:, 20:23] = np.nan
    tilted = camera.copy()
    c, s = np.cos(0.05), np.sin(0.05)
    tilted[:3, :3] = camera[:3, :3] @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return take_of(times, joints, fps, tilted, intrinsics, keypoints)


def test_agrees_with_the_independent_scorer(tmp_path):
    truth_times, times = np.arange(150) / 50, 0.2 + np.arange(70) / 30
    places = [(0.0, (0.0, 0.0)), (1.3, (1.0, 0.4)), (2.6, (-1.0, 0.8))]
    truths = np.stack([motion(truth_times, *p) for p in places])
    path = save_truth(tmp_path / "t.npz", truths, 50.0, cameras=2)
    takes = np.stack([motion(times, *p) for p in places[::-1]])
    compare(noisy_take(takes, times, 30.0, LOOK, CAMERA, 0), path, 0)


def test_agrees_with_the_independent_scorer_on_a_recording():
    if not TRUTH.exists():
        pytest.skip("the recorded truth is not here")
    with np.load(TRUTH) as truth:
        names = [canonical_name(str(n)) for n in truth["joint_names"]]
        joints = np.full((1, 100, len(TAKE), 3), np.nan)
        for column, name in enumerate(TAKE.names):
            if name in names:
                joints[:, :, column] = truth["joints_world"][:, :, names.index(name)]
        camera, intrinsics = truth["world_to_camera"][2], truth["intrinsics"][2]
    for step in (1, 2):
        times = np.arange(100)[::step] / 60
        take = noisy_take(joints[:, ::step], times, 60.0 / step, camera, intrinsics, step)
        compare(take, TRUTH, 2)
        moving = replace(take, world_to_camera=np.repeat(take.world_to_camera, len(times), 0))
        assert evaluate(moving, TRUTH, 2)["persons"] == evaluate(take, TRUTH, 2)["persons"]
