# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing other programs' formats, and the commands `import`, `export` and `lift` on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend import cli
from video_mocap.backend.errors import UserError
from video_mocap.backend.exchange import formats
from video_mocap.backend.exchange.exporting import export_file, on_set
from video_mocap.backend.exchange.importing import ImportOptions, import_keypoints
from video_mocap.backend.exchange.joint_sets import SETS
from video_mocap.backend.keypoints import Keypoints, read_keypoints, write_keypoints
from video_mocap.rigging.joints import COCO17, KEYPOINTS

SIZE = (1280, 720)
SAMPLE = Path(__file__).resolve().parents[1] / "sample" / "sample_truth.take.npz"
CASES = [(name, joint_set) for name in formats.FORMATS for joint_set in formats.writes(name)]


def people(names: tuple[str, ...], ids: tuple[int, ...] = (2, 5), frames: int = 9) -> Keypoints:
    """People with numbers as detectors give them, some points and some frames missing; everybody in the first frame."""
    random = np.random.default_rng(4)
    points = np.empty((len(ids), frames, len(names), 3), np.float32)
    points[..., :2] = random.uniform(30, 700, points[..., :2].shape)
    points[..., 2] = random.uniform(0.1, 1, points.shape[:3])
    points[random.uniform(size=points.shape[:3]) < 0.2] = (np.nan, np.nan, 0)
    points[1, 4] = (np.nan, np.nan, 0)
    points[:, 0, 0] = (100.125, 200.25, 1.0)
    times = np.arange(frames) / 24
    return Keypoints(24.0, times, SIZE, names, np.array(ids), points, source={"persons": {"2": "Anna"}})


def exported(keypoints: Keypoints, folder: Path, name: str, joint_set: str | None = None) -> Path:
    write_keypoints(folder / "clip.keypoints.npz", keypoints)
    target = folder / f"out{formats.FORMATS[name].suffix}"
    export_file(folder / "clip.keypoints.npz", target, name, joint_set, None)
    return target


@pytest.mark.parametrize(("name", "joint_set"), CASES)
def test_round_trip_is_exact(tmp_path: Path, name: str, joint_set: str) -> None:
    """What is written and read again is the same to the last bit of a float32, with the same people.

    What is filled when it is read again, the one frame without the second person, is flagged.
    """
    names = tuple(dict.fromkeys((*KEYPOINTS.names, *SETS[joint_set].names)))
    source = people(names)
    path = exported(source, tmp_path, name, joint_set)
    again = import_keypoints(path, ImportOptions(fps=24.0, image_size=SIZE))
    assert again.person_ids.tolist() == [2, 5]
    assert again.times == pytest.approx(source.times)
    assert again.source["tracking"] == {"filled": {"5": [[4, 4]]}, "suggestions": []}
    seen = np.ones(source.keypoints.shape[:2], bool)
    seen[1, 4] = False
    for point in SETS[joint_set].names:
        expected = source.keypoints[:, :, names.index(point)].copy()
        if name == "sports2d":
            expected[..., 2] = expected[..., 2] > 0  # it has no confidences
        found = again.keypoints[:, :, again.keypoint_names.index(point)]
        np.testing.assert_array_equal(found[seen], expected[seen])


def test_points_that_are_not_there_are_made_or_missing() -> None:
    """The middle of the hips of SEED_SYSTEMS's fixture; never the mean with a point that is missing."""
    points = np.full((1, 2, 17, 3), np.nan)
    points[..., 2] = 0
    points[0, 0, COCO17.index("left_hip")], points[0, 0, COCO17.index("right_hip")] = [130, -10, 0.9], [-130, 10, 0.4]
    shoulders = ([150, -450, 0.8], [-150, -450, 0.7])
    points[0, 0, COCO17.index("left_shoulder")], points[0, 0, COCO17.index("right_shoulder")] = shoulders
    points[0, 1, COCO17.index("left_hip")] = [130, -10, 0.9]
    out, warnings = on_set(points, COCO17.names, SETS["body-25"])
    assert out[0, 0, 8] == pytest.approx([0, 0, 0.4])
    assert out[0, 0, 1] == pytest.approx([0, -450, 0.7])
    assert (out[0, 1, 8] == 0).all()
    assert len(warnings) == 2
    assert "left_small_toe" in warnings[1]


def test_a_take_may_be_exported(tmp_path: Path) -> None:
    done = export_file(SAMPLE, tmp_path / "out", "openpose", None, None)
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) == done.frames
    assert files[3].name == "sample_truth_000000000003_keypoints.json"
    assert len(json.loads(files[3].read_text())["people"][0]["pose_keypoints_2d"]) == 75


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    write_keypoints(tmp_path / "a.keypoints.npz", people(KEYPOINTS.names))
    source = tmp_path / "a.keypoints.npz"
    with pytest.raises(UserError, match="choose one of: coco-17, halpe-26"):
        export_file(source, tmp_path / "a.json", "alphapose", "body-25", None)
    with pytest.raises(UserError, match="no person 9 .* there are: 2, 5"):
        export_file(source, tmp_path / "a.json", "alphapose", None, [9])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UserError, match="not an empty folder"):
        export_file(source, tmp_path / "full", "openpose", None, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keypoints.npz", "full"], "nothing is left over"


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from video_mocap.backend.exchange import openpose

    written: list[Path] = []

    def fail(path: Path, content: object) -> None:
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        path.write_text(json.dumps(content))
        written.append(path)

    monkeypatch.setattr(openpose, "write_json", fail)
    with pytest.raises(UserError, match="No space left"):
        exported(people(KEYPOINTS.names), tmp_path, "openpose")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.keypoints.npz"]


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = exported(people(KEYPOINTS.names), tmp_path, "alphapose")
    output = tmp_path / "again.keypoints.npz"
    said = ["import", str(source), "-o", str(output), "--fps", "24", "--size", "1280x720", "--json"]
    assert cli.main(said) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["format"], summary["joint_set"], summary["persons"]) == ("alphapose", "coco-17", [2, 5])
    assert read_keypoints(output).image_size == SIZE
    target = tmp_path / "mm.json"
    assert cli.main(["export", str(output), "--format", "mmpose", "-o", str(target), "--person", "5"]) == 0
    assert "wrote" in capsys.readouterr().out
    assert {
        person["track_id"] for frame in json.loads(target.read_text())["instance_info"] for person in frame["instances"]
    } == {5}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["import", "a.json", "-o", "b.npz"], 1, "does not say the frame rate"),
        (["import", "a.json", "-o", "b.npz", "--fps", "25", "--size", "big"], 2, "such as 1920x1080"),
        (["import", "a.json", "-o", "b.npz", "--fps", "25", "--video", "a.mp4"], 2, "leave out --fps"),
        (["import", "a.json", "-o", "b.npz", "--fps", "0"], 2, "frames a second"),
        (["export", "b.keypoints.npz", "--format", "bvh"], 1, "there is no format 'bvh'"),
        (["lift", "b.keypoints.npz", "-o", "c.npz", "--fps", "25"], 1, "--fps is for other programs' keypoints"),
        (["capture", "a.json", "-o", "c.bvh"], 1, "'video-mocap lift a.json --video VIDEO'"),
        (["detect", "a.json", "-o", "c.npz"], 1, "no footage"),
    ],
)
def test_wrong_usage(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    exported(people(KEYPOINTS.names), tmp_path, "alphapose").rename("a.json")
    write_keypoints("b.keypoints.npz", people(KEYPOINTS.names))
    before = sorted(tmp_path.iterdir())
    assert cli.main(arguments) == status
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_lift_takes_another_programs_keypoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an import of its own; what was assumed stands in the take."""
    write_keypoints(tmp_path / "a.keypoints.npz", sample_keypoints())
    export_file(tmp_path / "a.keypoints.npz", tmp_path / "a.csv", "deeplabcut", None, None)
    said = [str(tmp_path / "a.csv"), "--fps", "30", "--size", "720x540", "--fov", "60"]
    assert cli.main(["lift", *said, "-o", str(tmp_path / "a.take.npz"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["persons"] == [1]
    assert any("left_heel" in warning for warning in summary["warnings"])


def sample_keypoints() -> Keypoints:
    """The first second of the sample's truth, as keypoints."""
    from video_mocap.backend.stages.source import read_source

    whole = read_source(SAMPLE).keypoints
    return Keypoints(
        whole.fps, whole.times[:30], whole.image_size, whole.keypoint_names, whole.person_ids, whole.keypoints[:, :30]
    )
