# SPDX-License-Identifier: GPL-3.0-or-later
"""What people really hand in, through the command line: one clear sentence, the right status, nothing left behind."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from video_mocap.backend import cli
from video_mocap.backend.commands import checks
from video_mocap.backend.keypoints import Keypoints, read_keypoints, write_keypoints
from video_mocap.backend.lifting.network import Architecture, TemporalModel
from video_mocap.backend.models import DEFAULT_WEIGHTS
from video_mocap.rigging.joints import KEYPOINTS

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
CLIP = SAMPLE / "sample.mp4"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail with one sentence, status 1 and no new file; returns the sentence."""
    before = sorted(Path.cwd().rglob("*"))
    capsys.readouterr()
    status = cli.main(list(arguments))
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("video-mocap: ")]
    assert status == 1, captured.err
    assert captured.out == ""
    assert len(lines) == 1, captured.err
    assert captured.err.splitlines()[-1] == lines[0]
    assert "Traceback" not in captured.err
    assert "unexpected" not in captured.err
    assert sorted(Path.cwd().rglob("*")) == before
    return lines[0].removeprefix("video-mocap: ")


# --- footage ---


@pytest.mark.parametrize("command", ["capture", "detect"])
def test_footage_that_is_not_there(command: str, capsys) -> None:
    assert fails(capsys, command, "none.mp4") == "none.mp4 does not exist"


def test_empty_file(folder: Path, capsys) -> None:
    (folder / "empty.mp4").touch()
    assert fails(capsys, "capture", "empty.mp4") == "empty.mp4 is empty"


def test_text_that_is_called_mp4(folder: Path, capsys) -> None:
    (folder / "text.mp4").write_text("not a video at all\n" * 100)
    assert "text.mp4" in fails(capsys, "capture", "text.mp4")


def test_folder_without_images(folder: Path, capsys) -> None:
    (folder / "frames").mkdir()
    (folder / "frames" / "notes.txt").write_text("no image")
    assert "frames" in fails(capsys, "capture", "frames")


def images(folder: Path, count: int, size: tuple[int, int]) -> None:
    folder.mkdir()
    grey = np.random.default_rng(1).integers(90, 110, (size[1], size[0], 3), dtype=np.uint8)
    for number in range(count):
        Image.fromarray(grey).save(folder / f"{number:04d}.jpg")


@pytest.mark.parametrize(("count", "size"), [(5, (320, 240)), (1, (320, 240)), (5, (8, 240)), (1, (7680, 4320))])
def test_nobody_in_any_frame(folder: Path, capsys, count: int, size: tuple[int, int]) -> None:
    images(folder / "wall", count, size)
    sentence = fails(capsys, "capture", "wall")
    assert "wall" in sentence or "person" in sentence or "people" in sentence or "nobody" in sentence.lower()


@pytest.mark.parametrize(("seen", "count", "status"), [(3, 30, 1), (1, 1, 0)])
def test_a_person_in_few_frames(folder: Path, capsys, seen: int, count: int, status: int) -> None:
    """Three frames among thirty are no motion; a single picture is a pose, and detected as one."""
    (folder / "clip").mkdir()
    with av.open(str(CLIP)) as container:
        for number, frame in zip(range(seen), container.decode(video=0), strict=False):
            frame.to_image().save(folder / "clip" / f"{number:04d}.png")
            size = (frame.width, frame.height)
    for number in range(seen, count):
        Image.new("RGB", size, (100, 100, 100)).save(folder / "clip" / f"{number:04d}.png")
    if status:
        assert f"{seen} of {count} frames" in fails(capsys, "detect", "clip")
    else:
        assert cli.main(["detect", "clip"]) == 0
        assert read_keypoints(folder / "clip.keypoints.npz").keypoints.shape[:2] == (1, 1)


def test_truncated_video_without_its_index(folder: Path, capsys) -> None:
    """The sample has its index in front; a file that has it at its end loses it."""
    data = CLIP.read_bytes()
    (folder / "cut.mp4").write_bytes(data[: len(data) // 50])
    assert "cut.mp4" in fails(capsys, "capture", "cut.mp4")


def test_start_after_the_end_of_the_footage(capsys) -> None:
    assert "start" in fails(capsys, "detect", str(CLIP), "--start", "9999").lower()


def test_unknown_detector(folder: Path, capsys) -> None:
    images(folder / "wall", 2, (64, 64))
    assert "crystal ball" in fails(capsys, "detect", "wall", "--detector", "crystal ball")


# --- outputs ---


@pytest.fixture
def clip(folder: Path) -> str:
    (folder / "clip.mp4").write_bytes(b"x" * 100)
    return "clip.mp4"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-o", "out.mov"], "must end in .blend or .fbx or .bvh"),
        (["-o", "no such folder/out.blend"], "no such folder does not exist"),
        (["--take", "out.txt"], "must end in .npz"),
        (["--preview", "out.gif"], "must end in .mp4"),
        (["--preview", "clip.mp4"], "named twice"),
        (["-o", "."], "must end in"),
    ],
)
def test_outputs_that_cannot_be(clip: str, options: list[str], expected: str, capsys) -> None:
    assert expected in fails(capsys, "capture", clip, *options)


def test_output_that_is_a_folder(clip: str, folder: Path, capsys) -> None:
    (folder / "out.blend").mkdir()
    assert fails(capsys, "capture", clip, "-o", "out.blend") == "out.blend is a folder"


def test_a_file_of_the_users_own_is_not_replaced_unasked(clip: str, folder: Path, capsys) -> None:
    (folder / "clip.blend").write_text("my scene")
    assert "choose a name with -o" in fails(capsys, "capture", clip)
    assert (folder / "clip.blend").read_text() == "my scene"


def test_full_disk_is_seen_before_the_work(clip: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    assert "the disk is full" in fails(capsys, "detect", clip)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_cannot_be_written(clip: str, folder: Path, capsys) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    assert "cannot write locked/out.blend" in fails(capsys, "capture", clip, "-o", "locked/out.blend")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write")
def test_folder_that_nobody_can_write(clip: str, capsys) -> None:
    assert "cannot write" in fails(capsys, "detect", clip, "-o", "/proc/self/x.keypoints.npz")


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_disk_that_fills_up_while_writing(folder: Path) -> None:
    """The size of a file is limited to 4 kB, so that writing the result fails in the middle."""
    code = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from video_mocap.backend.commands import lift\n"
        "from video_mocap.backend.files import save_arrays\n"
        "from video_mocap.backend import cli\n"
        "def write(arguments, console):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "    save_arrays('out.npz', {'x': np.random.default_rng(0).random(10000)})\n"
        "lift.run = write\n"
        "sys.exit(cli.main(['lift', 'x']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("video-mocap: cannot write out.npz: ")
    assert done.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []


# --- keypoints and takes ---


def keypoints_file(path: Path, frames: int = 20, **changes: object) -> Path:
    """A person who stands still, as arrays that a test may spoil."""
    person = np.zeros((1, frames, len(KEYPOINTS), 3), np.float32)
    person[..., 0] = np.linspace(280, 360, len(KEYPOINTS))
    person[..., 1] = np.linspace(60, 420, len(KEYPOINTS))
    person[..., 2] = 0.9
    write_keypoints(
        path,
        Keypoints(30.0, np.arange(frames) / 30, (640, 480), KEYPOINTS.names, np.array([0]), person),
    )
    with np.load(path) as data:
        arrays = dict(data)
    arrays.update({key: np.asarray(value) for key, value in changes.items()})
    np.savez(path, **arrays)
    return path


NAN = np.full((1, 20, len(KEYPOINTS), 3), 0.5, np.float32)
NAN[0, 3, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"keypoints": NAN}, "no finite position"),
        ({"keypoints": np.ones((1, 20, 5, 3), np.float32)}, "shape (1, 20, 5, 3)"),
        ({"keypoints": np.ones((20, 3), np.float32)}, "shape (20, 3)"),
        ({"version": 9}, "version 9"),
        ({"format": "something"}, "neither a video-mocap keypoints file nor a video-mocap take file"),
        ({"version": "one"}, "version one"),
        ({"keypoints": "points"}, "keypoints must hold numbers"),
        ({"keypoint_names": ["nose"] * len(KEYPOINTS)}, "two keypoints have the same name"),
        ({"fps": [30, 30]}, "fps has shape (2,)"),
        ({"keypoints": np.zeros((1, 20, len(KEYPOINTS), 3), np.float32)}, "nobody was seen"),
        ({"person_ids": np.zeros(0), "keypoints": np.zeros((0, 20, len(KEYPOINTS), 3))}, "nobody was seen"),
        ({"times": np.zeros(20)}, "increasing"),
        ({"fps": -1.0}, "fps"),
        ({"intrinsics": np.zeros((2, 2))}, "intrinsics"),
    ],
)
def test_keypoints_that_are_wrong(folder: Path, capsys, changes: dict[str, object], expected: str) -> None:
    keypoints_file(folder / "bad.keypoints.npz", **changes)
    assert expected in fails(capsys, "lift", "bad.keypoints.npz")


def take_file(path: Path, **changes: object) -> Path:
    """The sample's truth with some arrays spoilt."""
    with np.load(SAMPLE / "sample_truth.take.npz") as data:
        arrays = dict(data)
    arrays.update({key: np.asarray(value) for key, value in changes.items()})
    np.savez(path, **arrays)
    return path


def spoilt(key: str, value: float) -> dict[str, np.ndarray]:
    """One number of an array of the sample's truth replaced."""
    with np.load(SAMPLE / "sample_truth.take.npz") as data:
        array = data[key].copy()
    array.flat[0] = value
    return {key: array}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (spoilt("joints", np.nan), "a joint of the take with a confidence above 0 has no finite position"),
        (spoilt("joints_confidence", np.nan), "joint confidences must lie between 0 and 1"),
        (spoilt("intrinsics", -1), "focal lengths"),
        (spoilt("times", np.nan), "increasing"),
        ({"joints": np.zeros((1, 2, 3))}, "joints has shape (1, 2, 3)"),
        ({"world_to_camera": np.zeros((1, 4, 4))}, "rotations and translations"),
        ({"joint_parents": np.arange(26)}, "no tree"),
        ({"joint_names": ["nose"] * 26}, "same name"),
        ({"version": 7}, "version 7"),
        ({"fps": np.nan}, "fps must be positive"),
        ({"metadata": "{"}, "not JSON"),
        ({"person_ids": 1}, "person_ids has shape ()"),
    ],
)
@pytest.mark.parametrize("command", ["bake", "evaluate"])
def test_takes_that_are_wrong(folder: Path, capsys, command: str, changes: dict[str, object], expected: str) -> None:
    take_file(folder / "bad.take.npz", **changes)
    truth = [str(SAMPLE / "sample_truth.take.npz")] if command == "evaluate" else []
    assert expected in fails(capsys, command, "bad.take.npz", *truth)


def test_damage_anywhere_in_a_file_is_one_sentence(folder: Path, capsys) -> None:
    """Bytes flipped in the archive's headers, the arrays' headers and their compressed data."""
    whole = (SAMPLE / "sample_truth.take.npz").read_bytes()
    random = np.random.default_rng(0)
    for spot in (*range(0, 60, 4), *random.integers(len(whole), size=20), *(len(whole) - np.arange(8, 88, 4))):
        damaged = bytearray(whole)
        for byte in range(spot, min(spot + 4, len(whole))):
            damaged[byte] ^= 0xA5
        (folder / "x.take.npz").write_bytes(damaged)
        assert cli.main(["evaluate", "x.take.npz", "x.take.npz"]) in (0, 1)  # some bytes mean nothing
        error = capsys.readouterr().err
        assert "unexpected" not in error
        assert error.count("\n") <= 1


# --- weights ---


def weights_file(kind: str) -> str:
    """Something that is no lifter, as `--lifter` may be given it; returns its name."""
    shipped = DEFAULT_WEIGHTS.read_bytes()
    name = {"pickle": "x.bin", "other network": "x.bin", "other joints": "x.bin"}.get(kind, "x.safetensors")
    path = Path(name)
    if kind == "empty":
        path.touch()
    elif kind == "half downloaded":
        path.write_bytes(shipped[: len(shipped) // 2])
    elif kind == "half downloaded beside its sidecar":
        path.write_bytes(shipped[: len(shipped) // 2])
        path.with_suffix(".json").write_bytes(DEFAULT_WEIGHTS.with_suffix(".json").read_bytes())
    elif kind == "folder":
        path.mkdir()
    elif kind == "pickle":
        torch.save({"model_pos": Trap()}, path)
    elif kind == "other network":
        torch.save({"model_pos": torch.nn.Linear(3, 4).state_dict()}, path)
    elif kind == "other joints":
        small = TemporalModel(Architecture(joints_in=15, features=2, joints_out=15, channels=16))
        torch.save({"model_pos": small.state_dict()}, path)
    return name


class Trap:
    """Unpickling it makes a file."""

    def __reduce__(self):
        return (Path.touch, (Path("trapped"),))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("empty", "damaged"),
        ("half downloaded", "only partly downloaded"),
        ("half downloaded beside its sidecar", "only partly downloaded"),
        ("pickle", "was not loaded because it asks"),
        ("other network", "is not a VideoPose3D network"),
        ("other joints", "takes 15 joints and gives 15"),
    ],
)
@pytest.mark.parametrize("command", ["capture", "lift"])
def test_weights_that_are_wrong(folder: Path, capsys, command: str, kind: str, expected: str) -> None:
    """Seen before the detector has begun."""
    source = str(CLIP if command == "capture" else keypoints_file(folder / "k.npz"))
    sentence = fails(capsys, command, source, "--lifter", weights_file(kind))
    assert expected in sentence
    assert "x" in sentence
    assert not (folder / "trapped").exists()


@pytest.mark.parametrize("command", ["lift", "bake", "evaluate"])
@pytest.mark.parametrize("kind", ["missing", "empty", "text", "cut", "pickle"])
def test_files_that_are_no_arrays(folder: Path, capsys, command: str, kind: str) -> None:
    path = folder / "x.npz"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("joints")
    elif kind == "cut":
        whole = keypoints_file(folder / "whole.npz").read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(print))
    truth = ["x.npz"] if command == "evaluate" else []
    assert "x.npz" in fails(capsys, command, "x.npz", *truth)


def test_a_take_is_no_keypoints_file_and_the_other_way_round(folder: Path, capsys) -> None:
    keypoints_file(folder / "k.npz")
    assert "not a video-mocap take" in fails(capsys, "bake", "k.npz")


def test_hidden_code_in_arrays_is_not_run(folder: Path, capsys) -> None:
    keypoints_file(folder / "trap.npz", keypoints=np.array([Trap()], dtype=object))
    assert "trap.npz" in fails(capsys, "lift", "trap.npz")
    assert not (folder / "trapped").exists()
