# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator reads after a retargeting."""

from __future__ import annotations

from dataclasses import replace

from video_mocap.rigging.retarget.report import Report
from video_mocap.rigging.retarget.slots import in_words

REPORT = Report(
    limbs={"upper_arm.L": (0.5, 2.0), "upper_arm.R": (0.25, 1.0), "shin.L": (1.0, 9.0)},
    slide=(132.0, 263.0, 1.0),
    below_floor=0.0,
    unmapped=("shoulder.L", "shoulder.R", "hand.L", "neck"),
    unobserved=("the left hand was not seen: it follows the forearm",),
    keys=300,
    all_keys=1000,
    frames=(1.0, 41.0),
    warnings=("a constraint moves it",),
    checked=(0.8, 9.0),
    limited={"foot.L": (3, 1.2), "shin.R": (1, 4.0)},
)


def test_every_line_says_what_it_counts() -> None:
    assert REPORT.lines() == [
        "limbs point 0.58 degrees away from the person's on average, below 9.00 in 99 % of the frames",
        "  upper arms: left 0.50, right 0.25 degrees",
        "  shins: left 1.00 degrees (bent so that feet stand)",
        "as Blender poses the bones that move the skin: 0.80 degrees on average, 9.00 at most",
        "standing feet slide 1 mm/s (263 before they were locked, 132 in the source)",
        "joints held within their limits: left foot in 3 frames (by 1 degree at most), "
        "right shin in 1 frame (by 4 degrees at most)",
        "300 keys on frames 1 to 41, 30% of one on every frame",
        "no bones for shoulders, left hand, neck: what they do is left out",
        "the left hand was not seen: it follows the forearm",
        "warning: a constraint moves it",
    ]


def test_feet_that_were_not_locked_are_not_said_to_be() -> None:
    free = replace(REPORT, locked=False, slide=(None, 263.0, 264.0))
    assert "standing feet slide 264 mm/s (they are not locked)" in free.lines()
    free = replace(REPORT, locked=False, slide=(132.0, 263.0, 264.0))
    assert "standing feet slide 264 mm/s (132 in the source; they are not locked)" in free.lines()


def test_parts_in_words() -> None:
    assert in_words(("hand.L", "foot.L", "foot.R", "spine.1", "upper_arm.R")) == [
        "left hand",
        "feet",
        "spine 2",
        "right upper arm",
    ]
    assert in_words(("thumb.1.L",)) == ["left thumb 1"]
