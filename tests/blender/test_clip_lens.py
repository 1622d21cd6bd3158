# SPDX-License-Identifier: GPL-3.0-or-later
"""A movie clip's lens as an OpenCV one: held against Blender's own solver, which must see through the same lens."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from blender_footage import finish, solved_clip, write_movie  # noqa: E402
from video_mocap.addon.capture.camera import sample_camera  # noqa: E402
from video_mocap.addon.capture.clip_lens import clip_lens, distortion_of, is_distorted  # noqa: E402
from video_mocap.addon.capture.footage import FootageChoice  # noqa: E402

SIZE, FOCAL = (320, 180), 250.0
BENT = {
    "POLYNOMIAL": ({"k1": -0.2, "k2": 0.08, "k3": -0.02}, (-0.2, 0.08, 0.0, 0.0, -0.02)),
    "BROWN": (
        {"brown_k1": -0.2, "brown_k2": 0.08, "brown_k3": -0.02, "brown_p1": 0.08, "brown_p2": -0.05},
        (-0.2, 0.08, 0.05, 0.08, -0.02),
    ),
}


def opencv(k1: float, k2: float, p1: float, p2: float, k3: float) -> Callable[[np.ndarray], np.ndarray]:
    """OpenCV's lens (Brown, 1966), which is not in every Blender's Python."""

    def bend(points: np.ndarray) -> np.ndarray:
        x, y = points.T
        r = x * x + y * y
        radial = 1 + r * (k1 + r * (k2 + r * k3))
        u = x * radial + 2 * p1 * x * y + p2 * (r + 2 * x * x)
        v = y * radial + p1 * (r + 2 * y * y) + 2 * p2 * x * y
        return np.stack([u, v], 1)

    return bend


@pytest.fixture(autouse=True)
def _empty() -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movie(tmp_path_factory.mktemp("movie"), 40, 30, SIZE)


@pytest.fixture
def clip(movie: Path) -> bpy.types.MovieClip:
    return bpy.data.movieclips.load(str(movie))


@pytest.mark.parametrize("model", list(BENT))
def test_blender_s_solver_sees_through_the_same_lens(model: str, movie: Path) -> None:
    """Markers bent as OpenCV bends them fit what Blender solves with the clip's own numbers, and only those."""
    lens, coefficients = BENT[model]
    clip = solved_clip(movie, SIZE, FOCAL, opencv(*coefficients), {"distortion_model": model, **lens})
    assert distortion_of(clip) == pytest.approx(coefficients)
    right = clip.tracking.reconstruction.average_error
    assert right < 0.005
    for name in [name for name in lens if name.startswith("brown_p")]:  # signs and order are easily taken wrongly
        turned = {**lens, name: -lens[name]}
        other = solved_clip(movie, SIZE, FOCAL, opencv(*coefficients), {"distortion_model": model, **turned})
        assert other.tracking.reconstruction.average_error > 10 * right


def test_a_solved_camera_brings_its_distortion(movie: Path) -> None:
    lens, coefficients = BENT["POLYNOMIAL"]
    clip = solved_clip(movie, SIZE, FOCAL, opencv(*coefficients), {"distortion_model": "POLYNOMIAL", **lens})
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    constraint = camera.constraints.new("CAMERA_SOLVER")
    constraint.use_active_clip, constraint.clip = False, clip
    choice = FootageChoice((), Path(), "clip", end=1.0, size=SIZE, clip=clip.name, start_frame=7, scene_fps=30.0)
    path = finish(sample_camera(scene, camera, choice))
    assert path.distortion == pytest.approx(coefficients)
    assert len(path.times) > 30
    moved = path.world_to_camera[:, :3, 3]
    assert np.ptp(moved, axis=0).max() > 0.01, "there is a pose for every frame"
    clip.tracking.camera.distortion_model, clip.tracking.camera.division_k1 = "DIVISION", 0.1
    with pytest.raises(ValueError, match="does not know the distortion model Division"):
        finish(sample_camera(scene, camera, choice))


def test_a_straight_lens_has_no_distortion(clip: bpy.types.MovieClip) -> None:
    assert not is_distorted(clip)
    found = clip_lens(clip)
    assert (found.distortion, found.note) == (None, None)
    assert found.focal_length == pytest.approx(clip.tracking.camera.focal_length_pixels)


@pytest.mark.parametrize(
    ("lens", "sentence"),
    [
        ({"distortion_model": "DIVISION", "division_k1": 0.1}, "choose Polynomial or Brown"),
        ({"distortion_model": "NUKE", "nuke_k2": 0.1}, "distortion model Nuke"),
        ({"distortion_model": "BROWN", "brown_k4": 0.1}, "knows no k4"),
        ({"pixel_aspect": 1.5}, "not square"),
    ],
)
def test_a_lens_that_a_capture_cannot_have_is_told(clip: bpy.types.MovieClip, lens: dict, sentence: str) -> None:
    for name, value in lens.items():
        setattr(clip.tracking.camera, name, value)
    with pytest.raises(ValueError, match=sentence) as told:
        clip_lens(clip)
    assert "\n" not in str(told.value)


def test_coefficients_of_a_model_that_is_not_chosen_do_not_count(clip: bpy.types.MovieClip) -> None:
    clip.tracking.camera.division_k1 = 0.1
    assert clip_lens(clip).distortion is None


def test_an_optical_centre_off_the_middle_is_told(clip: bpy.types.MovieClip) -> None:
    clip.tracking.camera.principal_point_pixels = (180.0, 90.0)
    assert "optical centre" in (clip_lens(clip).note or "")
