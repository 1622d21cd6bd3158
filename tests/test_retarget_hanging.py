# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs whose feet or thighs hang from something else than the body move like those on which they hang from it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.hanging import hung
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.retarget import Retargeted, retarget
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.retarget.source import take_source

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import take_of, walk
from rigs import SLOTS, make_rig


def with_root(rig: Rig, loose: tuple[str, ...] = ()) -> Rig:
    """The rig on a bone on the floor, from which the bones of some slots hang as well."""
    apart = {SLOTS[slot] for slot in loose}
    bones = [Bone("floor", -1, np.eye(4), 0.3)]
    for bone in rig.bones:
        bones.append(replace(bone, parent=0 if bone.name in apart else bone.parent + 1))
    return replace(rig, bones=tuple(bones))


def heads(done: Retargeted) -> np.ndarray:
    """(F, B, 3) of the mapped bones."""
    rig = done.poser.rig
    frames = len(done.frames)
    return np.stack(
        [np.broadcast_to(done.poser.pose(rig.rows[name])[:, :3, 3], (frames, 3)) for name in SLOTS.values()], 1
    )


LOOSE = [("foot.L", "foot.R"), ("thigh.L", "thigh.R"), ("foot.L", "foot.R", "thigh.L", "thigh.R", "neck", "hand.L")]


@pytest.mark.parametrize("loose", LOOSE, ids=["feet", "thighs", "many"])
@pytest.mark.parametrize("root", ["hips", "root", "object"])
def test_parts_that_hang_elsewhere_go_with_the_body(loose: tuple[str, ...], root: str) -> None:
    person = take_source(take_of(walk()[None], 24.0), 1)
    slots, options = {**SLOTS, "root": "floor"}, Options(root=root)
    rig = make_rig(seed=3, knees=8)
    whole = retarget(person, with_root(rig), slots, options)
    apart = retarget(person, with_root(rig, loose), slots, options)
    assert heads(apart) == pytest.approx(heads(whole), abs=1e-6)
    for slot, errors in whole.report.limbs.items():
        assert apart.report.limbs[slot] == pytest.approx(errors, abs=1e-3)
    assert apart.report.slide == pytest.approx(whole.report.slide, abs=0.1)
    keyed = {key.curve.bone for key in apart.keys if key.curve.path == "location"}
    assert keyed >= {SLOTS[slot] for slot in loose}


def test_where_an_earlier_action_left_them_does_not_matter() -> None:
    person = take_source(take_of(walk()[None], 24.0), 1)
    slots = {**SLOTS, "root": "floor"}
    rig = with_root(make_rig(seed=3, knees=8), LOOSE[0])
    away = np.eye(4)
    away[:3, 3] = 0.3, 0.1, -0.2
    left = {SLOTS["foot.L"], SLOTS["foot.R"]}
    lying = replace(rig, bones=tuple(replace(b, basis=away if b.name in left else None) for b in rig.bones))
    assert heads(retarget(person, lying, slots)) == pytest.approx(heads(retarget(person, rig, slots)), abs=1e-6)


def test_few_keys_are_enough_for_them() -> None:
    person = take_source(take_of(walk()[None], 24.0), 1)
    slots = {**SLOTS, "root": "floor"}
    done = retarget(person, with_root(make_rig(seed=3, knees=8), LOOSE[1]), slots, Options(keys="reduced"))
    assert done.report.keys < 0.6 * done.report.all_keys


def test_a_whole_body_stays_as_it_is() -> None:
    rig = with_root(make_rig(seed=3))
    assert hung(rig, SLOTS) is rig


@pytest.mark.parametrize("root", ["hips", "root", "object"])
def test_hips_that_are_connected_to_the_bone_above_are_carried_by_it(root: str) -> None:
    """Blender takes no notice of the location of a connected bone."""
    person = take_source(take_of(walk()[None], 24.0), 1)
    slots, options = {**SLOTS, "root": "floor"}, Options(root=root)
    free = with_root(make_rig(seed=3, knees=8))
    stuck = replace(free, bones=tuple(replace(b, connected=b.name == SLOTS["hips"]) for b in free.bones))
    carried = retarget(person, stuck, slots, options)
    assert heads(carried) == pytest.approx(heads(retarget(person, free, slots, options)), abs=1e-6)
    keyed = {key.curve.bone for key in carried.keys if key.curve.path == "location"}
    assert SLOTS["hips"] not in keyed
    assert "floor" in keyed
