# SPDX-License-Identifier: GPL-3.0-or-later
"""What a second capture does not do again; and that whatever happens to the cache, the capture goes on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.backend import files
from video_mocap.backend.cache import StageCache, footage_identity, key_of
from video_mocap.backend.errors import Cancelled
from video_mocap.backend.keypoints import keypoints_from_arrays
from video_mocap.backend.lifting.lifter import Lifted
from video_mocap.backend.pipeline import CaptureOptions, capture, write_take
from video_mocap.backend.progress import Progress, Step
from video_mocap.backend.stages.lifting import Lens, LiftedPeople, lifted_arrays, lifted_from_arrays
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.take import Take, take_arrays

SAMPLE = Path(__file__).resolve().parents[1] / "sample" / "sample.mp4"
WEIGHTS = Path(__file__).resolve().parents[1] / "backend" / "lifting" / "weights" / "temporal-coco17-take26.safetensors"
#: Six frames of the sample.
OPTIONS = CaptureOptions(start=0.5, end=0.69)


def reused(source: Path, options: CaptureOptions, cache: StageCache, **more) -> tuple[Take, list[str]]:
    """A capture, and which of its stages came from the cache."""
    steps: list[Step] = []
    take = capture(source, options, Progress(steps.append), cache, **more)
    return take, [step.stage for step in steps if step.reused]


def looks_at(source: Path, options: CaptureOptions, cache: StageCache, **more) -> bool:
    """Whether a capture would detect; it is stopped at the first frame."""
    steps: list[Step] = []

    def detecting() -> bool:
        return any(step.stage == "detection" and step.done and not step.reused for step in steps)

    with contextlib.suppress(Cancelled):
        capture(source, options, Progress(steps.append, detecting), cache, **more)
    return detecting()


def same(a: Take, b: Take, but: tuple[str, ...] = ()) -> None:
    for key, value in take_arrays(a).items():
        if key not in but:
            np.testing.assert_array_equal(value, take_arrays(b)[key], err_msg=key)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Take]:
    """Footage, a cache folder that has seen it, and the take."""
    folder = tmp_path_factory.mktemp("cache")
    video = folder / "clip.mp4"
    shutil.copy(SAMPLE, video)
    return video, folder / "cache", capture(video, OPTIONS, None, StageCache(folder / "cache"))


@pytest.fixture
def ready(filled: tuple[Path, Path, Take], tmp_path: Path) -> tuple[Path, StageCache, Take]:
    """The same with a copy of the cache that the test may damage."""
    video, folder, take = filled
    shutil.copytree(folder, tmp_path / "cache")
    return video, StageCache(tmp_path / "cache"), take


def test_the_same_capture_reuses_both_stages_and_is_the_same(ready: tuple[Path, StageCache, Take]) -> None:
    video, cache, take = ready
    again, stages = reused(video, OPTIONS, cache)
    assert stages == ["detection", "lifting"]
    same(again, take)


def test_with_and_without_a_cache_the_take_is_the_same(ready: tuple[Path, StageCache, Take]) -> None:
    video, _, take = ready
    same(capture(video, OPTIONS), take)


def test_another_smoothing_does_not_lift_again(ready: tuple[Path, StageCache, Take]) -> None:
    video, cache, take = ready
    other, stages = reused(video, replace(OPTIONS, smoothing=3.0), cache)
    assert stages == ["detection", "lifting"]
    assert not np.array_equal(other.joints, take.joints)


def test_another_lifter_does_not_detect_again(ready: tuple[Path, StageCache, Take], tmp_path: Path) -> None:
    video, cache, _ = ready
    weights = tmp_path / "other.safetensors"
    shutil.copy(WEIGHTS, weights)
    sidecar = json.loads(WEIGHTS.with_suffix(".json").read_text())
    weights.with_suffix(".json").write_text(json.dumps(sidecar | {"name": "other"}))
    _, stages = reused(video, replace(OPTIONS, lifter=str(weights)), cache)
    assert stages == ["detection"]


@pytest.mark.parametrize("change", [{"end": 1.1}, {"max_persons": 1}, {"quality": "draft"}])
def test_what_changes_detection_detects_again(ready: tuple[Path, StageCache, Take], change: dict) -> None:
    video, cache, _ = ready
    assert looks_at(video, replace(OPTIONS, **change), cache)
    assert not looks_at(video, OPTIONS, cache)


def test_changed_footage_is_looked_at_again(ready: tuple[Path, StageCache, Take], tmp_path: Path) -> None:
    video, cache, _ = ready
    copy = tmp_path / "copy.mp4"
    shutil.copy(video, copy)
    assert looks_at(copy, OPTIONS, cache)
    before = video.stat()
    os.utime(video, (1, 1))
    assert looks_at(video, OPTIONS, cache)
    os.utime(video, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not looks_at(video, OPTIONS, cache)


def test_footage_may_be_known_by_its_content(ready: tuple[Path, StageCache, Take], tmp_path: Path) -> None:
    video, cache, take = ready
    capture(video, OPTIONS, None, cache, identity="sha")
    moved = tmp_path / "moved.mp4"
    shutil.copy(video, moved)
    again, stages = reused(moved, OPTIONS, cache, identity="sha")
    assert stages == ["detection", "lifting"]
    assert again.metadata["footage"] == "moved.mp4"
    same(again, take, but=("metadata",))


def test_identity_of_an_image_sequence_changes_with_any_image(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"frame{number}.png").write_bytes(b"x")
    before = footage_identity(tmp_path)
    assert footage_identity(tmp_path / "frame1.png") == before
    (tmp_path / "frame2.png").write_bytes(b"yy")
    assert footage_identity(tmp_path) != before


def test_a_take_is_refined_again_without_lifting(ready: tuple[Path, StageCache, Take], tmp_path: Path) -> None:
    _, cache, take = ready
    file = tmp_path / "x.take.npz"
    write_take(file, take)
    again, stages = reused(file, OPTIONS, cache)
    assert stages == ["lifting"]
    same(again, take)


def flip(content: bytes) -> bytes:
    """One byte in the middle is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def test_damaged_results_are_made_again(ready: tuple[Path, StageCache, Take]) -> None:
    video, cache, take = ready
    for file in cache.folder.iterdir():
        file.write_bytes(flip(file.read_bytes()))
    again, stages = reused(video, OPTIONS, cache)
    assert stages == []
    same(again, take)
    assert reused(video, OPTIONS, cache)[1] == ["detection", "lifting"]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "one array", "other arrays", "wrong shapes"])
def test_whatever_is_wrong_with_a_file_it_is_not_there(ready: tuple[Path, StageCache, Take], damage: str) -> None:
    _, cache, _ = ready
    for stage, parse in (
        ("detection", lambda arrays: keypoints_from_arrays(arrays, "")),
        ("lifting", lambda arrays: lifted_from_arrays(arrays, 1, 6)),
    ):
        (file,) = cache.folder.glob(f"{stage}-*.npz")
        key = file.stem.removeprefix(f"{stage}-")
        assert cache.get(stage, key, parse) is not None
        content = file.read_bytes()
        with np.load(file) as data:
            arrays = dict(data)
        if damage == "one array":
            with file.open("wb") as opened:
                np.save(opened, np.zeros(3))
        elif damage == "other arrays":
            np.savez(file, joints=np.zeros(3))
        elif damage == "wrong shapes":
            np.savez(file, **{name: value[..., :1] if value.ndim > 1 else value for name, value in arrays.items()})
        else:
            damaged = {"empty": b"", "cut": content[: len(content) // 2], "flipped": flip(content), "text": b"no npz"}
            file.write_bytes(damaged[damage])
        assert cache.get(stage, key, parse) is None
        assert not file.exists()


def test_a_cancelled_stage_leaves_nothing(tmp_path: Path) -> None:
    steps: list[Step] = []
    progress = Progress(steps.append, lambda: sum(step.stage == "detection" for step in steps) >= 3)
    with pytest.raises(Cancelled):
        capture(SAMPLE, OPTIONS, progress, StageCache(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


def test_a_full_disk_costs_a_warning_and_not_the_capture(
    ready: tuple[Path, StageCache, Take], monkeypatch: pytest.MonkeyPatch
) -> None:
    video, cache, take = ready
    shutil.rmtree(cache.folder)

    def full(file, **_arrays) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.np, "savez_compressed", full)
    again = capture(video, OPTIONS, None, cache)
    same(again, take, but=("metadata",))
    assert [text for text in again.metadata["warnings"] if "could not be kept" in text and "No space left" in text]
    assert list(cache.folder.iterdir()) == []


def test_a_cache_folder_that_is_a_file_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    assert "could not be kept" in str(StageCache(tmp_path / "cache").put("lifting", "a", {"x": np.zeros(2)}))
    assert StageCache(tmp_path / "cache").get("lifting", "a", dict) is None


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    cache = StageCache(tmp_path, most_bytes=25_000)
    noise = {"x": np.random.default_rng(0).bytes(10_000)}
    arrays = {"x": np.frombuffer(noise["x"], np.uint8)}
    for age, key in ((30, "a"), (20, "b")):
        cache.put("lifting", key, arrays)
        os.utime(tmp_path / f"lifting-{key}.npz", (1e9 - age, 1e9 - age))
    assert cache.get("lifting", "a", dict) is not None  # used: now younger than b
    killed = tmp_path / ".lifting-x.abc.npz"
    killed.write_bytes(b"half")
    os.utime(killed, (1e9, 1e9))
    assert cache.put("lifting", "c", arrays) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lifting-a.npz", "lifting-c.npz"]


def test_keys_differ_with_values_types_and_order() -> None:
    parts = [["a"], [np.zeros(3)], [np.zeros(3, np.float32)], [np.zeros((3, 1))], [1, 2], [2, 1], [12], [None]]
    assert len({key_of(*part) for part in parts}) == len(parts)
    assert key_of({"a": 1, "b": 2}, np.ones(2)) == key_of({"b": 2, "a": 1}, np.ones(2))


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    code = (
        "import sys; import numpy as np; from video_mocap.backend.cache import StageCache\n"
        "cache = StageCache(sys.argv[1], most_bytes=60_000)\n"
        "rng = np.random.default_rng(int(sys.argv[2]))\n"
        "for turn in range(150):\n"
        "    key = str(rng.integers(6)); value = np.full(2000, int(key)) + np.arange(2000)\n"
        "    found = cache.get('lifting', key, lambda arrays: arrays['x'])\n"
        "    assert found is None or np.array_equal(found, value), found\n"
        "    assert cache.put('lifting', key, {'x': value}) is None\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), seed], stderr=subprocess.PIPE, text=True)
        for seed in "12"
    ]
    problems = [worker.communicate(timeout=120)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], problems
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_lifted_people_come_back_with_their_roots_or_without() -> None:
    joints, confidence, three = np.ones((6, len(TAKE), 3)), np.ones((6, len(TAKE))), np.arange(18.0).reshape(6, 3)
    with_root = Lifted(TAKE.names, joints, confidence, None, ("a",), three)
    without = Lifted(TAKE.names, joints, confidence, three, ())
    arrays = lifted_arrays(LiftedPeople((with_root, without), Lens(np.eye(3), "said")))
    one, other = lifted_from_arrays(arrays, 2, 6).people
    np.testing.assert_array_equal(one.root, three)
    np.testing.assert_array_equal(other.up, three)
    assert one.up is None
    assert other.root is None
    assert one.warnings == ("a",)
    with pytest.raises(ValueError, match="shapes"):
        lifted_from_arrays({**arrays, "root": arrays["root"][:1]}, 2, 6)
