# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's settings file beside the engine's options: they share no code, so they are compared here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest
from video_mocap.addon.capture.settings_file import COMMAND_LINE_ONLY, OPTIONS
from video_mocap.addon.capture.texts import orders_of, split_floor
from video_mocap.backend.errors import UserError
from video_mocap.backend.lens import parse_distortion
from video_mocap.backend.pipeline import QUALITIES, CaptureOptions
from video_mocap.backend.refinement.order import parse_in_front
from video_mocap.backend.root.table import ROOTS
from video_mocap.backend.stages.turning import CHOICES
from video_mocap.backend.tracking.stitch import parse_stitches
from video_mocap.backend.world.given import parse_given


def test_it_has_every_option_of_a_capture() -> None:
    assert set(OPTIONS) == {item.name for item in fields(CaptureOptions)}
    assert not COMMAND_LINE_ONLY & set(OPTIONS)


@pytest.mark.parametrize(("name", "choices"), [("quality", QUALITIES), ("root", ROOTS), ("camera_motion", CHOICES)])
def test_it_has_every_choice(name: str, choices: tuple[str, ...]) -> None:
    for choice in choices:
        assert OPTIONS[name](choice) == choice
    with pytest.raises(ValueError, match=", ".join(choices)):
        OPTIONS[name]("another")


ENGINE: dict[str, Callable[[str], object]] = {
    "distortion": parse_distortion,
    "vertical": lambda text: parse_given(text, "", (1, 1)),
    "floor": lambda text: parse_given("", text, (1, 1)),
    "in_front": parse_in_front,
    "stitch": parse_stitches,
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("distortion", "-0.1,0.02,0,1e-4"),
        ("distortion", "0.1, 0.2, 0.3, 0.4, 0.5"),
        ("vertical", "1,2,3,400"),
        ("vertical", "1.5, 2 ,3,400; -8,9,10,300."),
        ("floor", "1,2,300,4 = 1.25"),
        ("in_front", "left_wrist,thorax,1.2,1.8"),
        ("in_front", "left_wrist , thorax, 1, 1, 3; nose,neck,0,2;"),
        ("stitch", "2=1, 5=3"),
    ],
)
def test_what_the_engine_reads_the_file_may_say(name: str, text: str) -> None:
    ENGINE[name](text)
    assert OPTIONS[name](text) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("distortion", "0.1,0.2,0.3"),
        ("distortion", "0.1,0.2,0.3,nan"),
        ("vertical", "1,2,3"),
        ("vertical", "1,2,3,400;"),
        ("vertical", "1e3,2,3,400"),
        ("floor", "1,2,300,4"),
        ("floor", "1,2,300,4=0"),
        ("floor", "1,2,300,4=-1"),
        ("in_front", "left_wrist,thorax,1.2"),
        ("in_front", "left_fist,thorax,1.2,1.8"),
        ("in_front", "nose,nose,1.2,1.8"),
        ("in_front", "nose,thorax,1.8,1.2"),
        ("stitch", "2=2"),
        ("stitch", "2"),
    ],
)
def test_what_the_engine_refuses_is_refused_before(name: str, text: str) -> None:
    with pytest.raises(UserError):
        ENGINE[name](text)
    with pytest.raises(ValueError, match="must"):
        OPTIONS[name](text)


def test_texts_are_read_as_the_engine_reads_them() -> None:
    (order,) = orders_of("left_wrist, thorax,1.2,1.8,3")
    assert str(order) == "left_wrist,thorax,1.200,1.800,3"
    assert parse_in_front(str(order)) == parse_in_front("left_wrist, thorax,1.2,1.8,3")
    assert split_floor(" 1,2, 300,4 = 1.25") == ("1,2, 300,4", 1.25)
