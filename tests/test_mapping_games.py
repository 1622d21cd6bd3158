# SPDX-License-Identifier: GPL-3.0-or-later
"""Skeletons as games have them: exported from control rigs whose constraints are gone, few bones, many legs."""

from __future__ import annotations

import numpy as np
import pytest
from video_mocap.rigging.retarget.mapping import IncompleteMappingError, map_rig
from video_mocap.rigging.retarget.rig import Bone, Rig

Place = tuple[float, float, float]
ARMS: dict[str, tuple[str, Place]] = {
    "Shoulder": ("Torso", (0.08, 0.0, 1.4)),
    "UpperArm": ("Shoulder", (0.16, 0.0, 1.42)),
    "LowerArm": ("UpperArm", (0.42, 0.01, 1.42)),
}
TRUNK: dict[str, tuple[str, Place]] = {
    "Abdomen": ("Hips", (0, 0, 1.05)), "Torso": ("Abdomen", (0, 0, 1.2)), "Neck": ("Torso", (0, 0, 1.45)),
    "Head": ("Neck", (0, 0, 1.55)),
}  # fmt: skip


def rig_of(bones: dict[str, tuple[str, Place]]) -> Rig:
    """bones: name -> (parent's name, place); a name with .L stands for both sides."""
    both: dict[str, tuple[str, Place]] = {}
    for name, (parent, (x, y, z)) in bones.items():
        if not name.endswith(".L"):
            both[name] = (parent, (x, y, z))
            continue
        both[name] = (parent, (x, y, z))
        both[name[:-1] + "R"] = (parent[:-1] + "R" if parent.endswith(".L") else parent, (-x, y, z))
    rows = {name: row for row, name in enumerate(both)}
    made = []
    for name, (parent, place) in both.items():
        rest = np.eye(4)
        rest[:3, 3] = place
        made.append(Bone(name, rows[parent] if parent else -1, rest, 0.1))
    return Rig("hero", tuple(made), np.eye(4))


def arms(**hands: tuple[str, Place]) -> dict[str, tuple[str, Place]]:
    found = {}
    for name, (parent, place) in {**ARMS, **hands}.items():
        found[f"{name}.L"] = (f"{parent}.L" if parent in {*ARMS, *hands} else parent, place)
    return found


def legs(carrier: str, foot: str) -> dict[str, tuple[str, Place]]:
    return {
        "UpperLeg.L": (carrier, (0.1, 0, 0.95)),
        "LowerLeg.L": ("UpperLeg.L", (0.1, -0.03, 0.5)),
        "Foot.L": (foot, (0.1, 0.02, 0.08)),
    }


def test_hips_are_the_bone_that_carries_trunk_and_legs() -> None:
    """`Hips` below which hangs the trunk alone turns the pelvis; the bone above it carries everything."""
    bones = {"Root": ("", (0, 0, 0)), "Body": ("Root", (0, -0.05, 0.97)), "Hips": ("Body", (0, 0, 0.93)), **TRUNK}
    slots = map_rig(rig_of({**bones, **arms(Hand=("LowerArm", (0.68, 0, 1.42))), **legs("Body", "LowerLeg.L")})).slots
    assert (slots["hips"], slots["pelvis"], slots["root"]) == ("Body", "Hips", "Root")
    assert (slots["spine"], slots["chest"]) == ("Abdomen", "Torso")


def test_a_torso_from_which_the_arms_hang_is_the_chest() -> None:
    """And no pelvis, although general words take a torso for hips."""
    bones = {"body": ("", (0, 0, 0.97)), "torso": ("body", (0, 0, 1.25)), "head": ("torso", (0, 0, 1.5))}
    limbs = {
        "arm1.L": ("torso", (0.16, 0, 1.42)), "arm2.L": ("arm1.L", (0.42, 0.01, 1.42)),
        "hand.L": ("arm2.L", (0.68, 0, 1.42)), "leg1.L": ("body", (0.1, 0, 0.95)),
        "leg2.L": ("leg1.L", (0.1, -0.03, 0.5)), "foot.L": ("leg2.L", (0.1, 0.02, 0.08)),
    }  # fmt: skip
    slots = map_rig(rig_of({**bones, **limbs})).slots
    assert (slots["hips"], slots["chest"], slots["head"]) == ("body", "torso", "head")
    assert "pelvis" not in slots


def test_hips_stay_what_they_are_called_where_only_a_root_on_the_floor_carries_all() -> None:
    bones = {"Root": ("", (0, 0, 0)), "Hips": ("Root", (0, 0, 0.97)), **TRUNK}
    slots = map_rig(rig_of({**bones, **arms(Hand=("LowerArm", (0.68, 0, 1.42))), **legs("Root", "Root")})).slots
    assert (slots["hips"], slots["root"]) == ("Hips", "Root")
    assert (slots["thigh.L"], slots["foot.R"]) == ("UpperLeg.L", "Foot.R")


@pytest.mark.parametrize(
    ("hands", "wanted"),
    [
        ({"Palm": ("LowerArm", (0.68, 0, 1.42)), "Mitten": ("Palm", (0.76, 0, 1.42)),
          "Thumb": ("LowerArm", (0.66, -0.05, 1.42))}, "Palm"),
        ({"Palm1": ("LowerArm", (0.68, 0, 1.42)), "Index": ("Palm1", (0.783, -0.04, 1.42)),
          "Palm2": ("LowerArm", (0.68, 0, 1.42)), "Middle": ("Palm2", (0.78, 0, 1.42)),
          "Palm3": ("LowerArm", (0.68, 0, 1.42)), "Ring": ("Palm3", (0.74, 0.04, 1.42))}, "Palm2"),
        ({"Thumb1": ("LowerArm", (0.68, 0, 1.42)), "Thumb2": ("Thumb1", (0.69, -0.06, 1.42)),
          "Middle1": ("LowerArm", (0.68, 0, 1.42)), "Middle2": ("Middle1", (0.77, 0, 1.42))}, "Middle1"),
        ({"Fist": ("LowerArm", (0.68, 0, 1.42)), "LowerArmTwist": ("LowerArm", (0.55, 0, 1.42)),
          "Sword": ("LowerArm", (0.68, -0.9, 1.42))}, "Fist"),
    ],
    ids=["palm", "palms", "fingers only", "fist"],
)  # fmt: skip
def test_a_hand_of_any_name_is_what_the_forearm_leads_to(hands: dict[str, tuple[str, Place]], wanted: str) -> None:
    """Feet hang from the root, as where a leg's inverse kinematics was left behind: no shape of a whole body helps."""
    bones = {"Root": ("", (0, 0, 0)), "Hips": ("Root", (0, 0, 0.97)), **TRUNK}
    mapping = map_rig(rig_of({**bones, **arms(**hands), **legs("Hips", "Root")}))
    assert (mapping.slots["hand.L"], mapping.slots["hand.R"]) == (f"{wanted}.L", f"{wanted}.R")
    assert any("hand.L" in note for note in mapping.notes)


def test_a_forearm_without_anything_behind_it_is_said() -> None:
    bones = {"Root": ("", (0, 0, 0)), "Hips": ("Root", (0, 0, 0.97)), **TRUNK}
    with pytest.raises(IncompleteMappingError, match="taken for hands;"):
        map_rig(rig_of({**bones, **arms(), **legs("Hips", "LowerLeg.L")}))


def spider(leg: str) -> Rig:
    bones: dict[str, tuple[str, Place]] = {"Body": ("", (0, 0.1, 1.45)), "Abdomen": ("Body", (0, 0.87, 0.86))}
    ways = {
        "A": ((0.55, -0.3, 0.68), (1.08, -1.2, 1.23), (1.5, -2.1, 0.8)),
        "B": ((0.5, -0.1, 0.64), (1.37, -0.6, 1.84), (2.4, -1.5, 0.9)),
        "C": ((0.44, 0.17, 0.62), (1.46, 0.55, 1.64), (2.56, 0.95, 0.9)),
        "D": ((0.38, 0.4, 0.65), (1.08, 1.06, 1.2), (1.73, 1.75, 0.75)),
    }
    for name, places in ways.items():
        parent = "Body"
        for link, place in enumerate(places):
            bones[f"{name}{leg}{link}.L"] = (parent, place)
            parent = f"{name}{leg}{link}.L"
    return rig_of(bones)


@pytest.mark.parametrize("leg", ["Leg", "Bone"])
def test_a_spider_is_no_humanoid(leg: str) -> None:
    with pytest.raises(ValueError, match=r"legs|no humanoid"):
        map_rig(spider(leg))


def test_a_rat_whose_fore_legs_are_folded_is_no_humanoid() -> None:
    """The paws hang by inverse kinematics from the root, so that the chains in the body end well above the floor."""
    rat = rig_of({
        "Body": ("", (0, 0, 0.9)), "Back": ("Body", (0, 0.6, 1.0)), "Shoulders": ("Body", (0, -0.33, 1.3)),
        "Neck": ("Shoulders", (0, -0.77, 1.36)), "Head": ("Neck", (0, -1.3, 1.4)),
        "FrontLeg.L": ("Body", (0.13, -0.45, 1.1)), "FrontUpLeg.L": ("FrontLeg.L", (0.42, -0.45, 1.1)),
        "FrontLowLeg.L": ("FrontUpLeg.L", (0.42, -0.54, 0.34)),
        "BackLeg.L": ("Body", (0.19, 0.75, 1.22)), "BackUpLeg.L": ("BackLeg.L", (0.52, 0.75, 1.22)),
        "BackLowLeg.L": ("BackUpLeg.L", (0.52, 1.29, 0.93)),
    })  # fmt: skip
    with pytest.raises(ValueError, match="legs"):
        map_rig(rat)


def test_bones_that_do_not_lie_like_a_body_are_refused() -> None:
    """Names of a whole body, limbs of centimetres, shoulders as far from the hips as a house is high."""
    bones = {"Root": ("", (0, 0, 0)), "Hips": ("Root", (0, 0, 0.97)), **TRUNK}
    far = arms(Hand=("LowerArm", (0.68, 0, 1.42)))
    lifted = {name: (parent, (x, y, z + 40)) for name, (parent, (x, y, z)) in far.items()}
    with pytest.raises(ValueError, match="rest pose"):
        map_rig(rig_of({**bones, **lifted, **legs("Hips", "LowerLeg.L")}))


def test_a_spine_that_is_folded() -> None:
    """Up, down to the pelvis and up again: the bones that go back carry nothing of their own."""
    bones = {
        "Pelvis": ("", (0, 0, 0.97)), "Spine1": ("Pelvis", (0, 0, 1.05)), "Spine2": ("Spine1", (0, 0, 0.97)),
        "Torso": ("Spine2", (0, 0, 1.05)), "Spine3": ("Torso", (0, 0, 1.25)), "Spine4": ("Spine3", (0, 0, 1.05)),
        "Chest": ("Spine4", (0, 0, 1.25)), "Neck": ("Chest", (0, 0, 1.45)), "Head": ("Neck", (0, 0, 1.55)),
    }  # fmt: skip
    limbs = {**arms(Hand=("LowerArm", (0.68, 0, 1.42))), **legs("Pelvis", "LowerLeg.L")}
    limbs["Shoulder.L"] = ("Chest", limbs["Shoulder.L"][1])
    slots = map_rig(rig_of({**bones, **limbs})).slots
    assert [slots[slot] for slot in ("hips", "spine", "chest", "neck", "head")] == [
        "Pelvis", "Torso", "Chest", "Neck", "Head",
    ]  # fmt: skip


def test_an_arm_whose_bones_are_counted_from_the_hand_up() -> None:
    bones = {"Hips": ("", (0, 0, 0.97)), **TRUNK, **legs("Hips", "LowerLeg.L")}
    places = ((0.16, 0, 1.42), (0.42, 0.01, 1.3), (0.62, -0.03, 1.2))
    for side, sign, numbers in (("L", 1, (4, 3, 2)), ("R", -1, (1, 2, 3))):
        parent = "Torso"
        for number, (x, y, z) in zip(numbers, places, strict=True):
            bones[f"arm_{side}_{number}"] = (parent, (sign * x, y, z))
            parent = f"arm_{side}_{number}"
    slots = map_rig(rig_of(bones)).slots
    assert [slots[f"{part}.L"] for part in ("upper_arm", "forearm", "hand")] == ["arm_L_4", "arm_L_3", "arm_L_2"]
    assert [slots[f"{part}.R"] for part in ("upper_arm", "forearm", "hand")] == ["arm_R_1", "arm_R_2", "arm_R_3"]


def test_a_shape_that_contradicts_the_names_is_refused() -> None:
    """Hands that float beside a body are no arms, however long the chains of their fingers are."""
    bones = {
        "body": ("", (0, 0, 0.97)), "chest": ("body", (0, 0, 1.3)), "hat": ("chest", (0, 0, 1.5)),
        "brim": ("hat", (0, 0, 1.6)),
    }  # fmt: skip
    for end, hub, places in (
        ("hand", "chest", ((0.2, 0, 1.3), (0.45, 0, 1.3), (0.65, 0, 1.3))),
        ("foot", "body", ((0.1, 0, 0.9), (0.1, -0.03, 0.5), (0.1, 0, 0.1), (0.1, -0.1, 0.02))),
    ):
        parent = hub
        for number, place in enumerate(places):
            bones[f"{end}_{number}.L"] = (parent, place)
            parent = f"{end}_{number}.L"
    with pytest.raises(ValueError, match="map it by hand"):
        map_rig(rig_of(bones))
