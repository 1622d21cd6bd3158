# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped lifter gives the same motion at every frame rate, and sensible poses for clips of a frame or a few."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend import pipeline
from video_mocap.backend.camera import to_camera
from video_mocap.backend.lifting import temporal
from video_mocap.backend.lifting.lifter import Lifter
from video_mocap.backend.lifting.resampling import interpolate

sys.path.insert(0, str(Path(__file__).parent))
from filmed_people import Filmed, film_people, lifted, pops, relative, someone_walking

RATES = (15, 24, 25, 50, 60, 120)
#: A rate that all of them and 30 divide, so that all see the same moments of one motion.
FINE, SECONDS = 600.0, 4.0
#: Metres between the motion at 30 Hz and at another rate: on average, and all but the worst in a hundred.
MEAN, MOST = 0.005, 0.025
#: Metres by which the worst pop at another rate is worse than at 30 Hz.
POP = 0.02


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    return pipeline.open_lifter(pipeline.CaptureOptions(device="cpu"))


@pytest.fixture(scope="module")
def library() -> list[Filmed]:
    return film_people(8, SECONDS, FINE, seed=31)


@pytest.fixture(scope="module")
def walker() -> list[Filmed]:
    return [someone_walking(SECONDS, FINE)]


@pytest.fixture(params=["walker", "library"])
def people(request: pytest.FixtureRequest) -> list[Filmed]:
    return request.getfixturevalue(request.param)


def at_rate(person: Filmed, fps: float) -> Filmed:
    """The same motion, filmed at another rate."""
    step = round(FINE / fps)
    return Filmed(fps, person.keypoints[::step], person.joints[::step])


def differences(joints: np.ndarray, other: Filmed, usual: np.ndarray, at_30: Filmed) -> np.ndarray:
    """Metres between joints (F, 26, 3) of `other` and those at 30 Hz, at the moments of `other`."""
    inside = other.times <= at_30.times[-1]
    wanted = interpolate(usual.reshape(len(usual), -1), at_30.times, other.times[inside])
    return np.linalg.norm(joints[inside] - wanted.reshape(-1, *joints.shape[1:]), axis=-1)


def same(found: list[np.ndarray]) -> bool:
    apart = np.concatenate([each.ravel() for each in found])
    print(f"mean {apart.mean():.4f}, 99 % {np.quantile(apart, 0.99):.4f}, most {apart.max():.4f} m")
    return bool(apart.mean() < MEAN and np.quantile(apart, 0.99) < MOST)


def compared(rate: float, people: list[Filmed], lifter: Lifter) -> tuple[list[np.ndarray], list[float]]:
    """Of the lifter alone, of every person: `differences`, and how much worse the worst pop is."""
    found, popped = [], []
    for person in people:
        at_30, other = at_rate(person, 30), at_rate(person, rate)
        usual, joints = (lifted(lifter, each.keypoints, each.fps) for each in (at_30, other))
        found.append(differences(joints, other, usual, at_30))
        worst = [
            pops(*each).max() for each in ((joints, relative(other.joints), rate), (usual, relative(at_30.joints), 30))
        ]
        popped.append(worst[0] - worst[1])
    return found, popped


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_gives_the_same_motion(rate: float, people: list[Filmed], lifter: Lifter) -> None:
    found, popped = compared(rate, people, lifter)
    assert same(found)
    assert max(popped) < POP


@pytest.mark.parametrize("rate", [15, 60])
def test_it_would_not_without_resampling(
    rate: float, people: list[Filmed], lifter: Lifter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporal, "lifter_times", lambda times, _fps: times)
    assert not same(compared(rate, people, lifter)[0])


def captured(person: Filmed) -> np.ndarray:
    """(F, 26, 3) metres in camera axes from the pelvis, after every stage."""
    take = pipeline.lift(person.recording(), pipeline.CaptureOptions(device="cpu"))
    assert np.isfinite(take.joints).all()
    return relative(to_camera(take.joints[0].astype(np.float64), take.world_to_camera))


def test_every_rate_gives_the_same_capture(walker: list[Filmed]) -> None:
    person = Filmed(FINE, walker[0].keypoints[:1200], walker[0].joints[:1200])
    at_30 = at_rate(person, 30)
    usual = captured(at_30)
    for rate in (15, 24, 60):
        other = at_rate(person, rate)
        assert same([differences(captured(other), other, usual, at_30)])


@pytest.mark.parametrize("frames", [1, 2, 5, 20])
def test_short_clips_are_lifted_almost_as_well(frames: int, people: list[Filmed], lifter: Lifter) -> None:
    """Beside the same frames of a clip that is longer than what the network sees."""
    errors = []
    for person in people:
        filmed = at_rate(person, 30)
        part = slice(60, 60 + frames)
        truth = relative(filmed.joints)[part]
        whole, short = (lifted(lifter, filmed.keypoints, 30.0)[part], lifted(lifter, filmed.keypoints[part], 30.0))
        errors.append([np.linalg.norm(each - truth, axis=-1).mean() for each in (whole, short)])
    print(np.round(errors, 3).tolist())
    usual, short = np.mean(errors, axis=0)
    assert short < 1.35 * usual + 0.005


@pytest.mark.parametrize("frames", [1, 2, 5, 20])
def test_short_clips_are_captured(frames: int, walker: list[Filmed]) -> None:
    filmed = at_rate(walker[0], 30)
    joints = captured(Filmed(30.0, filmed.keypoints[:frames], filmed.joints[:frames]))
    assert np.linalg.norm(joints - relative(filmed.joints)[:frames], axis=-1).mean() < 0.15
