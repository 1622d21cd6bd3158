# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement of a clip against its 2D: synthetic people whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from video_mocap.backend.camera import project
from video_mocap.backend.refinement.banded import NormalEquations
from video_mocap.backend.refinement.body import keypoint_rows, measure_links
from video_mocap.backend.refinement.evidence import Evidence, Options
from video_mocap.backend.refinement.refine import refine, worse_frames
from video_mocap.backend.refinement.stretches import place, stretches
from video_mocap.rigging.joints import H36M17, KEYPOINTS, TAKE

K = np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])
FPS = 30.0
#: Hardly smoothed.
LOOSE = replace(Options(), acceleration=200.0, ray_acceleration=200.0, root_ray_acceleration=200.0)
REST = {
    "pelvis": (0, 0, 0),
    "spine": (0, -0.23, 0.01),
    "thorax": (0, -0.48, 0.02),
    "neck": (0, -0.56, 0.02),
    "head_top": (0, -0.80, -0.02),
    "nose": (0, -0.66, -0.12),
    "left_ear": (0.07, -0.68, 0),
    "left_shoulder": (0.17, -0.46, 0.02),
    "left_elbow": (0.24, -0.20, 0.05),
    "left_wrist": (0.26, 0.02, -0.06),
    "left_hand": (0.26, 0.10, -0.09),
    "left_hip": (0.1, 0, 0),
    "left_knee": (0.11, 0.42, -0.04),
    "left_ankle": (0.11, 0.82, 0.02),
    "left_heel": (0.11, 0.88, 0.07),
    "left_toe": (0.12, 0.88, -0.15),
}


def rest_pose() -> np.ndarray:
    """(26, 3) metres, camera axes, facing the camera; the person's left is at +x."""
    mirrored = {"right" + name[4:]: (-x, y, z) for name, (x, y, z) in REST.items() if name.startswith("left")}
    return np.array([{**REST, **mirrored}[name] for name in TAKE.names], dtype=float)


def turning_person(frames: int = 90) -> np.ndarray:
    """(F, 26, 3) metres, camera axes: a person who turns, sways and swings the arms, 4 m away."""
    time = np.arange(frames) / FPS
    pose = np.repeat(rest_pose()[None], frames, axis=0)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = TAKE.index(f"{side}_shoulder")
        arm = [TAKE.index(f"{side}_{part}") for part in ("elbow", "wrist", "hand")]
        swing = sign * 0.8 * np.sin(2 * np.pi * 0.7 * time)
        pose[:, arm] = pose[:, [shoulder]] + turn(pose[:, arm] - pose[:, [shoulder]], swing, 0)
    pose = turn(pose, 0.9 * np.sin(2 * np.pi * 0.25 * time), 1)
    return pose + np.stack([0.3 * np.sin(time), np.zeros(frames), 4 + 0.2 * time], axis=-1)[:, None]


def turn(points: np.ndarray, angle: np.ndarray, axis: int) -> np.ndarray:
    """Turn (F, N, 3) by (F,) radians about a coordinate axis."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    out = points.copy()
    out[..., a], out[..., b] = c * points[..., a] - s * points[..., b], s * points[..., a] + c * points[..., b]
    return out


def observed(truth: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """(F, 23, 3) keypoints of the truth; eyes, which no take joint is, are missing."""
    rng = np.random.default_rng(seed)
    out = np.zeros((len(truth), len(KEYPOINTS), 3))
    out[..., :2] = np.nan
    for row, name in enumerate(KEYPOINTS.names):
        if name in TAKE:
            pixels = project(truth[:, TAKE.index(name)], K)
            out[:, row, :2] = pixels + rng.normal(0, noise, pixels.shape) if noise else pixels
            out[:, row, 2] = 1
    return out


def wrong_lift(truth: np.ndarray, metres: float) -> np.ndarray:
    """Root-relative truth with slow errors, three times larger in depth, as lifters make them."""
    rng = np.random.default_rng(1)
    error = gaussian_filter1d(rng.normal(size=truth.shape), 8, axis=0)
    out = truth - truth[:, :1] + metres * error / error.std() * np.array([0.5, 0.5, 1.5])
    return out - out[:, :1]


def evidence_of(truth: np.ndarray, keypoints: np.ndarray, lifted: np.ndarray) -> Evidence:
    frames = len(truth)
    links = measure_links(np.where(np.isfinite(lifted), truth, np.nan), np.ones((frames, len(TAKE))))
    trust = np.ones((frames, len(TAKE)))
    return Evidence(np.arange(frames) / FPS, keypoints, KEYPOINTS.names, K, lifted, trust, links)


def relative_error(joints: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance, metres, with the pelvis aligned."""
    return float(np.linalg.norm((joints - joints[:, :1]) - (truth - truth[:, :1]), axis=-1).mean())


def test_exact_evidence_stays_exact() -> None:
    truth = turning_person()
    result = refine(evidence_of(truth, observed(truth), truth - truth[:, :1]), truth, LOOSE)
    assert np.linalg.norm(result - truth, axis=-1).max() < 0.002


def test_noise_is_removed_without_moving_the_person() -> None:
    truth = turning_person()
    lifted = wrong_lift(truth, 0.05)
    keypoints = observed(truth, noise=3.0)
    start = place(lifted, keypoints, KEYPOINTS.names, K)
    assert start is not None
    result = refine(evidence_of(truth, keypoints, lifted), start)
    assert relative_error(result, truth) < 0.85 * relative_error(lifted, truth)
    assert np.linalg.norm(result[:, 0] - truth[:, 0], axis=-1).mean() < 0.25
    shake = [np.abs(np.diff(x, 3, axis=0)).mean() for x in (start, result)]
    assert shake[1] < 0.3 * shake[0]


def test_bones_keep_their_length() -> None:
    truth = turning_person()
    lifted = wrong_lift(truth, 0.05)
    evidence = evidence_of(truth, observed(truth, noise=3.0), lifted)
    result = refine(evidence, lifted + truth[:, :1])
    links = evidence.links
    length = np.linalg.norm(result[:, links.second] - result[:, links.first], axis=-1)[:, : len(TAKE.bones)]
    assert (length.std(0) / length.mean(0)).max() < 1e-9


def test_an_outlier_does_not_pull() -> None:
    truth = turning_person()
    clean, lifted = observed(truth), truth - truth[:, :1]
    spoilt = clean.copy()
    wrist = KEYPOINTS.index("left_wrist")
    spoilt[40:44, wrist, :2] += 150
    result = [
        refine(evidence_of(truth, points, lifted), truth)[:, TAKE.index("left_wrist")] for points in (clean, spoilt)
    ]
    assert np.linalg.norm(result[1] - result[0], axis=-1).max() < 0.04


def test_feet_that_stand_do_not_move() -> None:
    truth = turning_person()
    lifted = wrong_lift(truth, 0.04)
    evidence = evidence_of(truth, observed(truth, noise=3.0), lifted)
    contacts = np.zeros((len(truth), 4))
    contacts[20:50, 0] = 1.0
    standing = replace(evidence, contacts=contacts)
    heel = TAKE.index("left_heel")
    free, held = (refine(e, lifted + truth[:, :1])[21:49, heel] for e in (evidence, standing))
    assert (
        np.linalg.norm(np.diff(held, axis=0), axis=-1).mean()
        < 0.1 * np.linalg.norm(np.diff(free, axis=0), axis=-1).mean()
    )


def test_a_foot_that_walks_is_let_go_by_who_says_that_it_stands() -> None:
    truth = turning_person()
    walking = truth + np.linspace(0, 3.0, len(truth))[:, None, None] * np.array([1.0, 0, 0])
    evidence = evidence_of(walking, observed(walking, noise=3.0), wrong_lift(walking, 0.04))
    contacts = np.zeros((len(truth), 4))
    contacts[30:40] = 1.0
    free, held = (refine(each, walking) for each in (evidence, replace(evidence, contacts=contacts)))
    assert np.linalg.norm(held[:, 0] - free[:, 0], axis=-1).max() < 0.1


def test_frames_that_meet_the_picture_worse_than_the_start_are_told() -> None:
    truth = turning_person()
    evidence = evidence_of(truth, observed(truth), truth - truth[:, :1])
    moved = truth.copy()
    moved[40:45, TAKE.index("left_knee")] += [0.15, 0, 0]
    assert np.flatnonzero(worse_frames(evidence, truth, moved, Options())).tolist() == list(range(40, 45))
    assert not worse_frames(evidence, moved, truth, Options()).any()


def test_windows_do_not_show() -> None:
    truth = turning_person(200)
    lifted = wrong_lift(truth, 0.05)
    evidence = evidence_of(truth, observed(truth, noise=3.0), lifted)
    whole, cut = (
        refine(evidence, lifted + truth[:, :1], replace(Options(), window=window, overlap=40)) for window in (400, 90)
    )
    assert np.linalg.norm(whole - cut, axis=-1).mean() < 0.005
    assert np.abs(np.diff(cut, 2, axis=0)).max() < 1.5 * np.abs(np.diff(whole, 2, axis=0)).max()


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_very_short_clips(frames: int) -> None:
    truth = turning_person(frames)
    result = refine(evidence_of(truth, observed(truth), truth - truth[:, :1]), truth)
    assert np.linalg.norm(result - truth, axis=-1).max() < 0.03


def test_joints_that_the_lifter_does_not_give_stay_missing_and_pull_at_nothing() -> None:
    truth = turning_person(60)
    lifted, start = truth - truth[:, :1], truth.copy()
    lifted[:, len(H36M17) :] = start[:, len(H36M17) :] = np.nan
    result = refine(evidence_of(truth, observed(truth), lifted), start, LOOSE)
    assert np.isnan(result[:, len(H36M17) :]).all()
    assert np.linalg.norm(result - truth, axis=-1)[:, : len(H36M17)].max() < 0.005


def test_a_person_without_ends_is_as_large_as_with_them() -> None:
    truth = turning_person(10)
    whole = measure_links(truth, np.ones(truth.shape[:2]))
    truth[:, len(H36M17) :] = np.nan
    assert measure_links(truth, np.ones(truth.shape[:2])).size == pytest.approx(whole.size, rel=0.08)


def test_uneven_times_change_little() -> None:
    truth = turning_person(120)
    keep = np.sort(np.random.default_rng(3).choice(120, 90, replace=False))
    evidence = evidence_of(truth, observed(truth), truth - truth[:, :1])
    uneven = replace(evidence.part(slice(None)), times=evidence.times[keep], keypoints=evidence.keypoints[keep])
    uneven = replace(uneven, lifted=evidence.lifted[keep], trust=evidence.trust[keep])
    assert np.linalg.norm(refine(uneven, truth[keep]) - truth[keep], axis=-1).mean() < 0.02


def test_a_step_is_the_least_squares_solution() -> None:
    rng = np.random.default_rng(5)
    frames, joints, size = 5, 3, 4
    unknown = frames * joints * 3
    equations = NormalEquations(frames, joints)
    rows, wanted = [], []

    def selector(frame: int, joint: int) -> np.ndarray:
        out = np.zeros((3, unknown))
        at = (frame * joints + joint) * 3
        out[:, at : at + 3] = np.eye(3)
        return out

    target = rng.normal(size=(frames, joints, 3))
    root = rng.normal(size=(frames, joints, 3, 3)) + 2 * np.eye(3)
    normal = root.swapaxes(-1, -2) @ root
    equations.points(np.arange(joints), normal, (normal @ target[..., None])[..., 0])
    difference = rng.normal(size=(frames, 1, 3))
    equations.differences(np.array([0]), np.array([2]), np.tile(4 * np.eye(3), (frames, 1, 1, 1)), 4 * difference)
    factors = np.tile([1.0, -2.5, 1.5], (frames - 2, 1))
    equations.bends(factors, np.tile(9 * np.eye(3), (frames - 2, joints, 1, 1)))
    equations.steps(np.tile(np.eye(3), (frames - 1, joints, 1, 1)))
    sums, of_sums = rng.normal(size=(frames, 2, 3)), rng.normal(size=frames)
    equations.sums(np.array([0, 1]), sums, of_sums, np.full(frames, 16.0))
    for f in range(frames):
        for j in range(joints):
            rows.append(root[f, j] @ selector(f, j))
            wanted.append(root[f, j] @ target[f, j])
            if f + 1 < frames:
                rows.append(selector(f + 1, j) - selector(f, j))
                wanted.append(np.zeros(3))
            if f + 2 < frames:
                rows.append(3 * (selector(f, j) - 2.5 * selector(f + 1, j) + 1.5 * selector(f + 2, j)))
                wanted.append(np.zeros(3))
        row = sums[f, 0] @ selector(f, 0) + sums[f, 1] @ selector(f, 1)
        rows += [2 * (selector(f, 2) - selector(f, 0)), 4 * row[None]]
        wanted += [2 * difference[f, 0], 4 * of_sums[f : f + 1]]
    matrix, right = np.concatenate(rows), np.concatenate(wanted)
    at, derivative = rng.normal(size=(frames, joints, 3)), rng.normal(size=(frames, joints, 3, size))
    spread = np.zeros((unknown, frames * size))
    for f in range(frames):
        spread[f * joints * 3 : (f + 1) * joints * 3, f * size : (f + 1) * size] = derivative[f].reshape(-1, size)
    expected = np.linalg.lstsq(matrix @ spread, right - matrix @ at.ravel(), rcond=None)[0].reshape(frames, size)
    np.testing.assert_allclose(equations.step(at, derivative, 0.0), expected, atol=1e-8)
    held = equations.step(at, derivative, 0.0, held=2)
    assert np.abs(held[:2]).max() < 1e-6 < np.abs(held[2:]).max()
    cost = [((matrix @ x - right) ** 2).sum() for x in (at.ravel(), target.ravel())]
    assert equations.value(at) - equations.value(target) == pytest.approx(cost[0] - cost[1])


def test_stretches() -> None:
    present = np.array([0, 1, 1, 0, 1, 0, 1, 1, 1], bool)
    assert stretches(present, 2) == [slice(1, 3), slice(6, 9)]


def test_place_bridges_frames_without_keypoints_and_gives_none_where_nothing_is_seen() -> None:
    truth = turning_person(30)
    keypoints = observed(truth)
    keypoints[10:13] = (np.nan, np.nan, 0)
    placed = place(truth - truth[:, :1], keypoints, KEYPOINTS.names, K)
    assert placed is not None
    assert np.linalg.norm(placed - truth, axis=-1).max() < 0.02
    keypoints[:] = (np.nan, np.nan, 0)
    assert place(truth - truth[:, :1], keypoints, KEYPOINTS.names, K) is None


def test_a_learned_root_helps_where_keypoints_are_poor_and_cannot_hurt_where_they_are_good() -> None:
    truth = turning_person(60)
    lifted = truth - truth[:, :1]

    def error(keypoints: np.ndarray, learned: np.ndarray | None) -> float:
        placed = place(lifted, keypoints, KEYPOINTS.names, K, learned)
        assert placed is not None
        return float(np.abs(placed[:, 0, 2] / truth[:, 0, 2] - 1).mean())

    good, poor = observed(truth), observed(truth, noise=30.0)
    known = truth[:, 0] * 1.02
    assert error(poor, known) < 0.6 * error(poor, None)
    assert error(good, known) < 0.005
    assert error(observed(truth, noise=3.0), 3 * truth[:, 0]) < 0.01
    # the lifter says nothing of a person whom nobody sees: neighbours do
    good[20:30] = (np.nan, np.nan, 0)
    wild = known.copy()
    wild[20:30] *= 3
    assert error(good, wild) < 0.005
    assert error(good, np.full((60, 3), np.nan)) == error(good, None)


def test_keypoints_without_feet_are_enough() -> None:
    rows, joints, looseness = keypoint_rows(KEYPOINTS.names[:17])
    assert [KEYPOINTS.names[row] for row in rows] == [TAKE.names[joint] for joint in joints]
    assert len(rows) == 15
    assert (looseness >= 1).all()
