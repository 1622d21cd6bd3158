# SPDX-License-Identifier: GPL-3.0-or-later
"""Height and smoothing, and captures that start from keypoints or an earlier take instead of footage."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend import cli
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.commands import options
from video_mocap.backend.errors import UserError
from video_mocap.backend.keypoints import Keypoints, read_keypoints, write_keypoints
from video_mocap.backend.pipeline import CaptureOptions, capture, lift, lift_file, write_take
from video_mocap.backend.root.table import ROOTS
from video_mocap.backend.server.models import Options
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.rotations import segment_rotations
from video_mocap.rigging.skeleton import rest_skeleton
from video_mocap.rigging.take import Take, read_take, take_arrays

sys.path.insert(0, str(Path(__file__).parent))
from lifters import without_feet

TRUTH = Path(__file__).resolve().parents[1] / "sample" / "sample_truth.take.npz"


@pytest.fixture(scope="module")
def keypoints() -> Keypoints:
    """Two people, the second beside the first, for two seconds; what a detector would say of itself."""
    truth = read_take(TRUTH)
    first = truth.keypoints[:, :60].astype(np.float32)
    source = {"name": "someone's", "version": "3", "footage": "dance.mp4", "warnings": ["the film is scratched"]}
    size = (int(truth.image_size[0]), int(truth.image_size[1]))
    return Keypoints(
        truth.fps,
        truth.times[:60],
        size,
        truth.keypoint_names,
        np.array([4, 7]),
        np.concatenate([first, first + np.array([120, 0, 0], np.float32)]),
        source=source,
    )


@pytest.fixture(scope="module")
def take(keypoints: Keypoints) -> Take:
    return lift(keypoints, CaptureOptions(fov=60))


def tall(take: Take, person: int) -> float:
    """Standing height, metres, of the person's rig."""
    joints = take.joints[person].astype(float)
    return float(rest_skeleton(joints, segment_rotations(joints)).joints[TAKE.index("head_top"), 2])


def test_the_height_of_the_first_person_scales_everything(keypoints: Keypoints, take: Take) -> None:
    small = lift(keypoints, CaptureOptions(fov=60, height=1.2))
    assert tall(small, 0) == pytest.approx(1.2, abs=0.005)
    assert tall(small, 1) / tall(take, 1) == pytest.approx(1.2 / tall(take, 0), rel=0.01)
    camera, before = (np.linalg.inv(each.world_to_camera[0])[:3, 3] for each in (small, take))
    np.testing.assert_allclose(camera, before * 1.2 / tall(take, 0), rtol=0.01, atol=0.01)
    pixels, expected = (
        project(to_camera(each.joints[0].astype(float), each.world_to_camera), each.intrinsics)
        for each in (small, take)
    )
    np.testing.assert_allclose(pixels, expected, atol=0.1)
    np.testing.assert_array_equal(small.contacts, take.contacts)


def test_smoothing_takes_more_or_less_of_the_shaking_away(keypoints: Keypoints) -> None:
    shaking = keypoints.keypoints.copy()
    shaking[..., :2] += np.random.default_rng(2).normal(0, 2, shaking[..., :2].shape)
    shaken = replace(keypoints, keypoints=shaking)
    jerk = [
        np.abs(np.diff(lift(shaken, CaptureOptions(fov=60, smoothing=factor)).joints, 3, axis=1)).mean()
        for factor in (0.25, 1.0, 4.0)
    ]
    assert jerk[0] > 2 * jerk[1] > 4 * jerk[2]


def test_smoothing_1_is_the_default(keypoints: Keypoints, take: Take) -> None:
    same = lift(keypoints, CaptureOptions(fov=60, smoothing=1.0, height=None))
    np.testing.assert_array_equal(same.joints, take.joints)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"height": 0.0}, "height must lie between"),
        ({"height": float("nan")}, "height must lie between"),
        ({"smoothing": 5.0}, "smoothing must lie between"),
        ({"smoothing": float("nan")}, "smoothing must lie between"),
        ({"root": "guessed"}, "choose one of: agreed, linear, mehta"),
        ({"quality": "high"}, "choose one of: draft, standard, thorough"),
        ({"camera": "x.camera.npz", "focal_length": 900.0}, "knows its focal length"),
    ],
)
def test_impossible_options_are_told(keypoints: Keypoints, wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        lift(keypoints, CaptureOptions(**wrong))


def test_another_root_puts_people_elsewhere(keypoints: Keypoints, take: Take) -> None:
    other = lift(keypoints, CaptureOptions(fov=60, root="rootnet"))
    assert take.metadata["stages"]["root"]["name"] == "agreed"
    assert other.metadata["stages"]["root"]["name"] == "rootnet"
    assert np.abs(other.joints - take.joints).max() > 1e-3  # repeatable: without the option not even a bit differs


def test_a_root_that_the_lifter_does_not_know_is_told(keypoints: Keypoints, tmp_path: Path) -> None:
    lifter = str(without_feet(tmp_path / "x.safetensors"))
    with pytest.raises(UserError, match="choose another root"):
        lift(keypoints, CaptureOptions(lifter=lifter, root="network", fov=60))


def test_the_command_line_and_the_service_offer_every_root() -> None:
    assert ROOTS == options.ROOTS
    assert Options.model_json_schema()["properties"]["root"]["enum"] == list(ROOTS)


def test_a_keypoints_file_keeps_where_its_keypoints_come_from(keypoints: Keypoints, tmp_path: Path) -> None:
    file = tmp_path / "x.keypoints.npz"
    write_keypoints(file, keypoints)
    assert read_keypoints(file).source == keypoints.source
    take = capture(file, CaptureOptions(fov=60))
    assert take.metadata["footage"] == "dance.mp4"
    assert take.metadata["stages"]["detection"]["name"] == "someone's"
    assert take.metadata["warnings"] == ["the film is scratched"]


def test_a_keypoints_file_without_metadata_is_an_imported_one(keypoints: Keypoints, tmp_path: Path) -> None:
    write_keypoints(tmp_path / "x.npz", keypoints)
    with np.load(tmp_path / "x.npz") as data:
        arrays = {name: data[name] for name in data.files if name != "metadata"}
    np.savez(tmp_path / "x.npz", **arrays)
    assert read_keypoints(tmp_path / "x.npz").source == {"name": "imported", "file": "x.npz"}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"warnings": "many"}', "list of sentences"),
        ('{"footage": 3}', "must be a name"),
    ],
)
def test_wrong_metadata_is_told(keypoints: Keypoints, tmp_path: Path, metadata: str, message: str) -> None:
    file = tmp_path / "x.npz"
    write_keypoints(file, keypoints)
    with np.load(file) as data:
        arrays = dict(data)
    np.savez(file, **{**arrays, "metadata": np.array(metadata)})
    with pytest.raises(UserError, match=message) as caught:
        read_keypoints(file)
    assert str(file) in str(caught.value)


def test_lifting_a_take_again_gives_the_same_take(take: Take, tmp_path: Path) -> None:
    file = tmp_path / "x.take.npz"
    named = replace(take, metadata={**take.metadata, "persons": {"4": "Anna", "9": "nobody", "7": 3}})
    write_take(file, named)
    again = lift_file(file, CaptureOptions())
    for key in ("joints", "person_ids", "keypoints", "intrinsics", "contacts", "times"):
        np.testing.assert_array_equal(take_arrays(again)[key], take_arrays(take)[key], err_msg=key)
    assert again.metadata["persons"] == {"4": "Anna"}
    for key in ("footage", "focal_length", "stages", "warnings"):
        assert again.metadata[key] == take.metadata[key], key


def test_a_take_that_knows_nothing_of_itself_is_lifted(take: Take, tmp_path: Path) -> None:
    for metadata in ({}, {"stages": 3, "persons": ["Anna"], "footage": 1}):
        write_take(tmp_path / "x.npz", replace(take, metadata=metadata))
        again = lift_file(tmp_path / "x.npz", CaptureOptions())
        assert again.metadata["stages"]["detection"]["name"] == "imported"
        assert "persons" not in again.metadata


def test_capture_of_what_is_no_footage_and_no_file_of_ours(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", format="something", x=np.zeros(3))
    with pytest.raises(UserError, match="neither a video-mocap keypoints file nor a video-mocap take file"):
        capture(tmp_path / "x.npz", CaptureOptions())
    with pytest.raises(UserError, match="does not exist"):
        capture(tmp_path / "nowhere.npz", CaptureOptions())


def test_the_command_lifts_a_take_with_options_of_a_settings_file(take: Take, tmp_path: Path, capsys) -> None:
    source, output = tmp_path / "x.take.npz", tmp_path / "y.take.npz"
    write_take(source, take)
    (tmp_path / "shot.toml").write_text("height = 1.5\nsmoothing = 2\n")
    arguments = ["lift", str(source), "-o", str(output), "--settings", str(tmp_path / "shot.toml"), "--json"]
    assert cli.main([*arguments, "--smoothing", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["persons"] == [4, 7]
    options = read_take(output).metadata["options"]
    assert (options["height"], options["smoothing"]) == (1.5, 3.0)
    assert cli.main(["lift", str(source), "-o", str(source)]) == 1
    assert "named twice" in capsys.readouterr().err


def test_commands_know_what_is_not_theirs(take: Take, tmp_path: Path, capsys) -> None:
    source = tmp_path / "x.take.npz"
    write_take(source, take)
    assert cli.main(["capture", str(source)]) == 1
    assert "is no footage; 'video-mocap lift'" in capsys.readouterr().err
    assert cli.main(["lift", str(source), "-o", str(tmp_path / "y.npz"), "--camera", str(source)]) == 1
    assert "is not a video-mocap camera file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x.take.npz"]
