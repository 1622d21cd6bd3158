# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip says becomes progress and single sentences; wheels and networks from a folder are checked."""

from __future__ import annotations

import json
import platform
import zipfile
from pathlib import Path

import pytest
from video_mocap.installation import networks, wheels
from video_mocap.installation.common import BuildError
from video_mocap.installation.pip import Meter, explain
from video_mocap.installation.state import State


@pytest.mark.parametrize(
    ("status", "lines", "expected"),
    [
        (
            1,
            ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
            "disk is full",
        ),
        (
            1,
            ["WARNING: Retrying after NewConnectionError", "ERROR: No matching distribution found for av==16.1.0"],
            "cannot be reached",
        ),
        (1, ["WARNING: Retrying: ProxyError('Cannot connect to proxy.', NewConnectionError('...'))"], "proxy"),
        (1, ["ERROR: No matching distribution found for av==16.1.0"], "no wheel of av==16.1.0"),
        (1, ["ERROR: [Errno 13] Permission denied: '/x'"], "cannot be written"),
        (-9, ["Installing collected packages: bpy"], "stopped by signal 9"),
        (1, [], "no reason"),
        (1, ["error: metadata-generation-failed", "", "hint: See above for details."], "metadata-generation-failed"),
    ],
)
def test_pip_failures_are_one_sentence(status: int, lines: list[str], expected: str) -> None:
    sentence = explain("packages", status, lines, Path("setup.log"))
    assert expected in sentence
    assert "\n" not in sentence


def test_offline_a_missing_wheel_is_named_with_the_folder() -> None:
    lines = ["WARNING: Retrying after NewConnectionError", "ERROR: No matching distribution found for av==16.1.0"]
    sentence = explain("packages", 1, lines, Path("setup.log"), Path("wheels"))
    assert "wheels has no wheel of av==16.1.0" in sentence
    assert "build.py download" in sentence


def test_progress_follows_pip_and_never_falls(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    state = State(file, "1.2.3")
    state.begin(2, 4, "packages", 0.1, 0.5)
    meter = Meter(lambda done: state.advance(done, now=True))
    seen = []
    for line in [
        "Collecting torch==2.13.0",
        "Downloading torch-2.13.0-cp311-none-any.whl (192.0 MB)",
        "Progress 0 of 192000000",
        "Progress 96000000 of 192000000",
        "Collecting nvidia-cudnn-cu13==9.20 (from torch)",  # more is to come than was thought
        "Progress 192000000 of 192000000",
        "Using cached nvidia_cudnn_cu13-9.20-py3-none-any.whl (366.2 MB)",
        "Installing collected packages: nvidia-cudnn-cu13, torch",
    ]:
        meter(line)
        seen.append(json.loads(file.read_text())["fraction"])
    meter.close()
    assert seen == sorted(seen)
    assert seen[3] > seen[2]
    assert seen[-1] == pytest.approx(0.1 + 0.5 * 0.6)
    content = json.loads(file.read_text())
    assert set(content) == {"pid", "step", "steps", "name", "fraction", "error", "finished", "version"}
    assert (content["step"], content["steps"], content["name"], content["version"]) == (2, 4, "packages", "1.2.3")


def test_networks_are_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in networks.NETWORKS:
            archive.writestr("mediapipe/" + name, b"something else")
    with pytest.raises(BuildError, match="damaged"):
        networks.extract(wheel, tmp_path / "share")
    assert not list((tmp_path / "share").rglob("*.tflite"))
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mediapipe/nothing", b"")
    with pytest.raises(BuildError, match="does not hold"):
        networks.extract(wheel, tmp_path / "share")


def test_a_folder_of_wheels_says_which_pythons_it_serves(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is no folder"):
        wheels.check_offline(tmp_path / "missing")
    with pytest.raises(BuildError, match="holds no wheels"):
        wheels.check_offline(tmp_path)
    (tmp_path / "a-1-py3-none-any.whl").touch()
    assert wheels.check_offline(tmp_path, (11, 13)) == (11, 13)
    machine = f"{platform.system()} {platform.machine()}"
    (tmp_path / wheels.LIST).write_text(json.dumps({"pythons": ["3.13"], "machine": machine}))
    assert wheels.check_offline(tmp_path, (11, 13)) == (13,)
    (tmp_path / wheels.LIST).write_text(json.dumps({"pythons": ["3.13"], "machine": "Amiga"}))
    with pytest.raises(BuildError, match="are for Amiga"):
        wheels.check_offline(tmp_path, (11, 13))
