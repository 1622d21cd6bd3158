# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters whose limbs end with the forearm and the shin."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.ends import with_ends
from video_mocap.rigging.retarget.mapping import IncompleteMappingError, map_rig
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.retarget import retarget
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.retarget.source import take_source
from video_mocap.rigging.vectors import unit

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, take_of, walk
from rigs import SLOTS, make_rig

GONE = tuple(f"{part}.{side}" for part in ("hand", "foot", "toe") for side in "LR")
ENDS = [slot for slot in GONE if not slot.startswith("toe")]


def short(**how: object) -> tuple[Rig, dict[str, str]]:
    """A rig without hands and feet, its bones called by their slots."""
    rig = make_rig(seed=2, knees=8, elbows=8, without=GONE, **how)  # type: ignore[arg-type]
    names = {bone: slot for slot, bone in SLOTS.items()}
    bones = tuple(replace(bone, name=names[bone.name]) for bone in rig.bones)
    return replace(rig, bones=bones), {slot: slot for slot in SLOTS if slot not in GONE and slot in names.values()}


def test_they_are_mapped_and_what_is_missing_is_said() -> None:
    mapping = map_rig(short()[0])
    assert mapping.missing == ()
    assert set(mapping.ended) == set(ENDS) <= set(mapping.unmapped)
    assert not set(ENDS) & set(mapping.slots)
    assert set(mapping.slots.values()) <= {bone.name for bone in short()[0].bones}
    assert mapping.notes == (
        "No bones for hands: the arms end where the forearms do",
        "No bones for feet: the legs end where the shins do",
    )


def test_tails_that_say_nothing_are_not_believed() -> None:
    rig, slots = short()
    beside = np.eye(4)
    beside[:3, :3] = [[0, 1, 0], [1, 0, 0], [0, 0, -1]]
    bones = tuple(replace(bone, rest=bone.rest @ beside) if bone.name == "forearm.L" else bone for bone in rig.bones)
    odd = replace(rig, bones=bones)
    assert "hand.L" not in with_ends(odd, slots)[1]
    with pytest.raises(IncompleteMappingError, match="taken for left hand;"):
        map_rig(odd)
    with pytest.raises(ValueError, match="has no bone for left hand"):
        retarget(take_source(take_of(walk()[None], 24.0), 1), odd, slots)


@pytest.mark.parametrize(("name", "taken"), [("thing", False), ("sword", True)])
def test_a_bone_that_lies_there_is_for_the_user_to_say(name: str, taken: bool) -> None:
    """A hand may hang from the root; what is held in a hand says nothing."""
    rig, slots = short()
    row = rig.rows["forearm.L"]
    rest = rig.bones[row].rest.copy()
    rest[:3, 3] += 0.95 * rig.bones[row].length * rest[:3, 1]
    held = replace(rig, bones=(*rig.bones, Bone(name, 0, rest, 0.1)))
    assert ("hand.L" in with_ends(held, slots)[1]) == taken


@pytest.mark.parametrize("keys", ["scene", "reduced"])
def test_limbs_follow_the_person_to_their_ends(keys: str) -> None:
    rig, slots = short()
    source = take_source(take_of(walk()[None], 24.0), 1)
    done = retarget(source, rig, slots, Options(keys=keys, feet=False))
    assert {f"{part}.{side}" for part in ("forearm", "shin") for side in "LR"} <= set(done.report.limbs)
    assert done.report.error[1] < 0.05
    assert {key.curve.bone for key in done.keys} <= set(rig.rows)
    assert set(GONE) <= set(done.report.unmapped)
    assert done.report.limited is None


def test_a_whole_rig_moves_the_same_above_its_hands_and_feet() -> None:
    source = take_source(take_of(walk()[None], 24.0), 1)
    rig, slots = short()
    whole = make_rig(seed=2, knees=8, elbows=8)
    poses = []
    for one, names in ((rig, slots), (whole, SLOTS)):
        poser = retarget(source, one, names, Options(feet=False, limits=True)).poser
        knees = [poser.pose(poser.rig.rows[names[f"{part}.L"]])[:, :3, 3] for part in ("thigh", "shin", "forearm")]
        poses.append([unit(knees[1] - knees[0]), unit(knees[2] - knees[0])])
    assert np.allclose(poses[0], poses[1], atol=2e-3)


def test_legs_stand_where_their_shins_end() -> None:
    joints, fps = library_clip("tilling_s23_normal", source="snu_tillingpatch")
    source = take_source(take_of(joints[None, :120], fps), 1)
    rig, slots = short()

    def ankles(lock: bool) -> np.ndarray:
        """(2, F, 3) where the shins end."""
        poser = retarget(source, rig, slots, Options(feet=lock, scene_fps=fps)).poser
        rows = [rig.rows[f"shin.{side}"] for side in "LR"]
        return np.array([rig.to_world((poser.pose(r) @ [0, rig.bones[r].length, 0, 1])[:, :3]) for r in rows])

    free, locked = (
        np.linalg.norm(np.diff(ankles(lock), axis=1), axis=-1).min(0).mean() * fps for lock in (False, True)
    )
    assert locked < 0.5 * free
    assert 0.0 < ankles(True)[..., 2].min() < 0.12
