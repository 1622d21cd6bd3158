# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's body found by names of every convention, by its shape, and by both; what is no body is refused."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.retarget.mapping import IncompleteMappingError, Mapping, map_rig, with_corrections
from video_mocap.rigging.retarget.presets import parse_preset, shipped_presets
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.retarget.slots import REQUIRED, SLOTS

sys.path.insert(0, str(Path(__file__).parent))

from humanoids import NAMINGS, Naming, driven, humanoid, quadruped, renamed
from rigs import SLOTS as MADE
from rigs import make_rig, turn

CHANGES: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "lower case": str.lower,
    "prefix": lambda name: f"hero_{name}",
    "namespace": lambda name: f"char1:{name}",
    "duplicate": lambda name: f"{name}.001",
    "ending": lambda name: f"{name}_jnt",
}
#: Bodies of tests wear what is not in a truth: a bone on the floor, and what turns the pelvis alone.
BESIDES = ("root", "pelvis")


def body(mapping: Mapping) -> dict[str, str]:
    return {slot: bone for slot, bone in mapping.slots.items() if slot not in BESIDES}


def shuffled(rig: Rig, seed: int = 1) -> tuple[Rig, dict[str, str]]:
    """The rig with names that mean nothing, and old name -> new."""
    numbers = np.random.default_rng(seed).permutation(len(rig.bones))
    names = {bone.name: f"n{number:05d}" for bone, number in zip(rig.bones, numbers, strict=True)}
    return renamed(rig, names.__getitem__), names


@pytest.mark.parametrize("kind", NAMINGS)
@pytest.mark.parametrize("extras", [False, True], ids=["bare", "dressed"])
def test_every_convention(kind: str, extras: bool) -> None:
    preset, naming = NAMINGS[kind]
    rig, truth = humanoid(naming, extras=extras)
    mapping = map_rig(rig)
    assert body(mapping) == truth
    assert not mapping.notes
    assert set(mapping.unmapped) == set(SLOTS) - set(truth) - set(BESIDES)
    if preset not in ("plain_parts", "plain_joints"):
        assert mapping.preset == preset
        assert mapping.score >= 0.99


@pytest.mark.parametrize("kind", NAMINGS)
@pytest.mark.parametrize("change", CHANGES)
def test_names_written_otherwise(kind: str, change: str) -> None:
    rig, truth = humanoid(NAMINGS[kind][1], extras=True)
    edit = CHANGES[change]
    if len({edit(bone.name) for bone in rig.bones}) < len(rig.bones):
        pytest.skip("two bones would have one name")
    assert body(map_rig(renamed(rig, edit))) == {slot: edit(bone) for slot, bone in truth.items()}


@pytest.mark.parametrize("kind", ["mixamo", "unreal 4", "rigify, exported", "mmd", "plain, side last"])
def test_a_number_of_its_own_behind_every_name(kind: str) -> None:
    """As files from model sites have it: `LeftArm_08`, `Head_06`."""
    rig, truth = humanoid(NAMINGS[kind][1])
    numbers = {bone.name: f"{bone.name}_{row:02d}" for row, bone in enumerate(rig.bones)}
    mapping = map_rig(renamed(rig, numbers.__getitem__))
    assert body(mapping) == {slot: numbers[bone] for slot, bone in truth.items()}
    assert mapping.preset == map_rig(rig).preset


def test_makers_names_whose_signs_were_lost() -> None:
    rig, truth = humanoid(NAMINGS["biped"][1])

    def lost(name: str) -> str:
        return f"ValveBiped{name}".replace(" ", "_")

    mapping = map_rig(renamed(rig, lost))
    assert body(mapping) == {slot: lost(bone) for slot, bone in truth.items()}
    assert mapping.preset == "biped"


@pytest.mark.parametrize("kind", ["mixamo", "rigify, exported", "biped", "auto-rig pro, exported"])
def test_signs_that_a_file_format_does_not_know(kind: str) -> None:
    """FBX of old writes a sign of a name as its number: `shoulderFBXASC046L`."""
    rig, truth = humanoid(NAMINGS[kind][1])

    def escaped(name: str) -> str:
        return "".join(sign if sign.isalnum() or sign == "_" else f"FBXASC{ord(sign):03d}" for sign in name)

    mapping = map_rig(renamed(rig, escaped))
    assert body(mapping) == {slot: escaped(bone) for slot, bone in truth.items()}
    assert mapping.score >= 0.75


@pytest.mark.parametrize("kind", NAMINGS)
@pytest.mark.parametrize("extras", [False, True], ids=["bare", "dressed"])
def test_names_that_mean_nothing(kind: str, extras: bool) -> None:
    """By shape alone, among hair, a skirt, wings, a tail and a sword in one hand."""
    naming = NAMINGS[kind][1]
    rig, truth = humanoid(naming, extras=extras)
    other, names = shuffled(rig)
    mapping = map_rig(other)
    assert mapping.preset == ""
    assert any("shape" in note for note in mapping.notes)
    found = body(mapping)
    if naming.clavicles_from_neck:  # only its name tells that neck from a chest
        limbs = [slot for slot in truth if slot.endswith((".L", ".R"))]
        assert {slot: found[slot] for slot in limbs} == {slot: names[truth[slot]] for slot in limbs}
        return
    assert found == {slot: names[bone] for slot, bone in truth.items()}


def test_every_shipped_table_has_a_rig_in_these_tests() -> None:
    tried = {preset for preset, _ in NAMINGS.values()}
    # On real rigs of test_mapping_rigs.py; plain_joints is general words besides.
    assert {preset.name for preset in shipped_presets()} - tried == {"rigify", "makehuman"}


@pytest.mark.parametrize("kind", ["unreal 5", "character creator", "genesis 8", "auto-rig pro", "rigify, exported"])
def test_root_and_pelvis(kind: str) -> None:
    naming = NAMINGS[kind][1]
    mapping = map_rig(humanoid(naming)[0])
    assert mapping.slots.get("root", "") == naming.root
    assert mapping.slots.get("pelvis", "") == naming.pelvis


def test_a_bone_on_the_floor_is_the_root_whatever_its_name() -> None:
    rig, _ = humanoid(NAMINGS["unreal 4"][1])
    other, names = shuffled(rig)
    assert map_rig(other).slots["root"] == names["root"]


POSES = [
    {},
    {"arms_down": 45.0, "elbows": 30.0},
    {"arms_down": 80.0, "knees": 12.0},
    {"seed": 3, "axes": "random"},
    {"seed": 5, "leg_scale": 0.5},
    {"seed": 6, "leg_scale": 2.0},
    {"scale": 100.0},
    {"arms_down": -60.0, "elbows": 60.0, "knees": 25.0},
    {"without": ("toe.L", "toe.R", "shoulder.L", "shoulder.R", "neck")},
    {"without": ("spine",)},
]


@pytest.mark.parametrize("options", POSES)
@pytest.mark.parametrize("meaning", [True, False], ids=["named", "nameless"])
def test_rest_poses_and_proportions(options: dict, meaning: bool) -> None:
    rig = make_rig(**options)
    truth = {slot: bone for slot, bone in MADE.items() if bone in rig.rows}
    if meaning:
        assert body(map_rig(rig)) == truth
        return
    other, names = shuffled(rig)
    found = map_rig(other).slots
    assert {slot: found.get(slot) for slot in truth} == {slot: names[bone] for slot, bone in truth.items()}


def placed(rotation: np.ndarray, scale: float = 1.0, mirror: bool = False) -> np.ndarray:
    world = np.eye(4)
    world[:3, :3] = scale * rotation @ np.diag([-1.0 if mirror else 1.0, 1, 1])
    world[:3, 3] = (3, -2, 1)
    return world


@pytest.mark.parametrize(
    "rotation",
    [turn("z", 90), turn("z", 180), turn("z", 37), turn("x", -90), turn("x", 90) @ turn("z", 70)],
    ids=["quarter", "half", "any", "lying", "lying turned"],
)
@pytest.mark.parametrize("meaning", [True, False], ids=["named", "nameless"])
def test_a_figure_that_is_turned_keeps_its_sides(rotation: np.ndarray, meaning: bool) -> None:
    rig = replace(make_rig(arms_down=40.0), world=placed(rotation, 0.01))
    other, names = (rig, {bone.name: bone.name for bone in rig.bones}) if meaning else shuffled(rig)
    mapping = map_rig(other)
    assert body(mapping) == {slot: names[bone] for slot, bone in MADE.items()}


def exchanged(name: str) -> str:
    return name[:-2] + {".L": ".R", ".R": ".L"}.get(name[-2:], name[-2:])


def test_names_with_left_and_right_exchanged() -> None:
    """The character's left is where its left is; the note says that the names say otherwise."""
    rig = renamed(make_rig(arms_down=30.0), exchanged)
    mapping = map_rig(rig)
    assert body(mapping) == {slot: exchanged(bone) for slot, bone in MADE.items()}
    assert any("exchanged" in note for note in mapping.notes)


def test_a_mirrored_object() -> None:
    rig = replace(make_rig(arms_down=30.0), world=placed(np.eye(3), mirror=True))
    mapping = map_rig(rig)
    assert mapping.slots["thigh.L"] == MADE["thigh.R"]
    assert mapping.slots["hand.R"] == MADE["hand.L"]


def test_no_feet_but_bent_knees_say_where_the_front_is() -> None:
    rig = shuffled(make_rig(knees=10.0, elbows=10.0, without=("toe.L", "toe.R"), seed=2, axes="random"))
    mapping = map_rig(rig[0])
    assert mapping.slots["thigh.L"] == rig[1][MADE["thigh.L"]]
    assert not any("-Y" in note for note in mapping.notes)


def with_bone(rig: Rig, name: str, parent: str, away: tuple[float, float, float]) -> Rig:
    row = rig.rows[parent]
    rest = np.eye(4)
    rest[:3, 3] = rig.bones[row].rest[:3, 3] + away
    return replace(rig, bones=(*rig.bones, Bone(name, row, rest, 0.05)))


def test_heels_are_no_toes() -> None:
    """A foot from which only a heel hangs does not look backwards."""
    rig = make_rig(without=("toe.L", "toe.R"))
    for side in "LR":
        rig = with_bone(rig, f"heel.02.{side}", MADE[f"foot.{side}"], (0, 0.08, -0.05))
    mapping = map_rig(rig)
    assert mapping.slots["thigh.L"] == MADE["thigh.L"]
    assert not mapping.notes


def test_names_are_believed_where_feet_and_knees_disagree() -> None:
    rig = make_rig(knees=15.0, elbows=15.0, without=("toe.L", "toe.R"))
    for side in "LR":
        rig = with_bone(rig, f"spur_{side}", MADE[f"foot.{side}"], (0, 0.15, -0.05))
    assert map_rig(rig).slots["thigh.L"] == MADE["thigh.L"]


def test_inverse_kinematics_bones_of_a_game_are_no_limbs() -> None:
    rig, truth = humanoid(NAMINGS["unreal 5"][1])
    rig = with_bone(rig, "ik_foot_root", "root", (0, 0, 0))
    rig = with_bone(rig, "ik_hand_root", "root", (0, 0, 0))
    for part, root in (("foot", "ik_foot_root"), ("hand", "ik_hand_root")):
        for side in "lr":
            place = rig.bones[rig.rows[f"{part}_{side}"]].rest[:3, 3]
            rig = with_bone(rig, f"ik_{part}_{side}", root, tuple(place))
    assert body(map_rig(rig)) == truth
    other, names = shuffled(rig)
    assert body(map_rig(other)) == {slot: names[bone] for slot, bone in truth.items()}


def test_nothing_says_where_the_front_is() -> None:
    """Straight limbs and no feet: -Y is guessed, and said."""
    rig = make_rig(without=("toe.L", "toe.R"))
    flat = [replace(bone, length=1e-6) for bone in rig.bones]
    straight = [replace(bone, rest=_at(bone.rest, y=0.0)) for bone in flat]
    other, names = shuffled(replace(rig, bones=tuple(straight)))
    mapping = map_rig(other)
    assert mapping.slots["thigh.L"] == names[MADE["thigh.L"]]
    assert any("-Y" in note for note in mapping.notes)


def _at(rest: np.ndarray, y: float) -> np.ndarray:
    moved = rest.copy()
    moved[1, 3] = y
    return moved


def test_names_for_some_and_shape_for_the_rest() -> None:
    rig, truth = humanoid(NAMINGS["mixamo"][1])
    lost = {truth[f"{part}.{side}"]: f"x{part}{side}" for part in ("upper_arm", "forearm") for side in "LR"}
    mapping = map_rig(renamed(rig, lambda name: lost.get(name, name)))
    assert body(mapping) == {slot: lost.get(bone, bone) for slot, bone in truth.items()}
    assert mapping.preset == "mixamo"
    assert any("upper_arm.L" in note for note in mapping.notes)
    assert mapping.score < 0.95


def test_general_words_fill_what_a_table_lacks() -> None:
    rig, truth = humanoid(NAMINGS["unreal 4"][1])
    other = {"calf_l": "shin_l", "calf_r": "shin_r", "lowerarm_l": "forearm_l", "lowerarm_r": "forearm_r"}
    mapping = map_rig(renamed(rig, lambda name: other.get(name, name)))
    assert body(mapping) == {slot: other.get(bone, bone) for slot, bone in truth.items()}


def test_a_controller_beside_a_skeleton_that_has_lost_its_constraints() -> None:
    """`LeftFootCtrl` stands where `LeftFoot` does and carries nothing."""
    rig, truth = humanoid(NAMINGS["mixamo, no prefix"][1])
    feet = [replace(rig.bones[rig.rows[truth[f"foot.{side}"]]], parent=-1) for side in "LR"]
    beside = [replace(bone, name=f"{bone.name}Ctrl") for bone in feet]
    shifted = [replace(bone, parent=bone.parent + 2 if bone.parent >= 0 else -1) for bone in rig.bones]
    toes = {truth[f"toe.{side}"]: truth[f"toe.{side}"].replace("ToeBase", "Toes") for side in "LR"}
    mapping = map_rig(renamed(Rig("hero", (*beside, *shifted), np.eye(4)), lambda name: toes.get(name, name)))
    assert body(mapping) == {slot: toes.get(bone, bone) for slot, bone in truth.items()}


def test_the_controls_of_a_control_rig_and_not_its_deforming_bones() -> None:
    rig, truth = humanoid(NAMINGS["plain, side last"][1], seed=None)
    controls = [replace(bone, name=f"CTRL_{bone.name}", deform=False) for bone in rig.bones]
    deform = [replace(b, parent=b.parent + len(rig.bones) if b.parent >= 0 else -1) for b in rig.bones]
    both = Rig("hero", (*controls, *deform), np.eye(4))
    both = driven(both, {bone.name: f"CTRL_{bone.name}" for bone in rig.bones})
    assert body(map_rig(both)) == {slot: f"CTRL_{bone}" for slot, bone in truth.items()}
    other, names = shuffled(both)
    found = map_rig(other).slots
    assert {slot: found[slot] for slot in REQUIRED} == {slot: names[f"CTRL_{truth[slot]}"] for slot in REQUIRED}


def chain_of(count: int, way: tuple[float, float, float] = (0, 0, 0.2), name: str = "Bone") -> Rig:
    bones = []
    for number in range(count):
        rest = np.eye(4)
        rest[:3, 3] = number * np.array(way)
        bones.append(Bone(f"{name}.{number:03d}", number - 1, rest, 0.2))
    return Rig("prop", tuple(bones), np.eye(4))


def face() -> Rig:
    places = {"head": (0, 0, 1.6), "jaw": (0, -0.05, 1.55), "chin": (0, -0.1, 1.5)}
    for side, sign in (("L", 1), ("R", -1)):
        places |= {f"{part}.{side}": (sign * x, -0.1, z) for part, x, z in (
            ("eye", 0.03, 1.65), ("brow", 0.04, 1.68), ("lip", 0.02, 1.55), ("cheek", 0.05, 1.6), ("ear", 0.08, 1.62)
        )}  # fmt: skip
    bones = []
    for number, (name, place) in enumerate(places.items()):
        rest = np.eye(4)
        rest[:3, 3] = place
        bones.append(Bone(name, 0 if number else -1, rest, 0.02))
    return Rig("face", tuple(bones), np.eye(4))


def one_limb() -> Rig:
    rig, truth = humanoid(NAMINGS["mixamo"][1])
    keep = [truth[f"{part}.L"] for part in ("shoulder", "upper_arm", "forearm", "hand")]
    kept = [rig.bones[rig.rows[name]] for name in keep]
    return Rig("arm", tuple(replace(bone, parent=number - 1) for number, bone in enumerate(kept)), np.eye(4))


@pytest.mark.parametrize(
    ("rig", "said"),
    [
        (Rig("nothing", (), np.eye(4)), "has no bones"),
        (chain_of(1), "no humanoid"),
        (chain_of(30), "no humanoid"),
        (face(), "no humanoid"),
        (one_limb(), "no humanoid"),
        (quadruped(), "four legs"),
        (shuffled(quadruped())[0], "four legs"),
    ],
    ids=["empty", "one bone", "chain", "face", "arm", "dog", "nameless dog"],
)
def test_what_is_no_humanoid_is_refused(rig: Rig, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refusal:
        map_rig(rig)
    assert rig.name in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_dog_whose_bones_are_called_as_a_persons() -> None:
    names = {"pelvis": "hips", "skull": "head"}
    for side in "LR":
        names |= {f"hind_{part}.{side}": f"{part}.{side}" for part in ("thigh", "shin", "foot", "toe")}
        arm = zip(("thigh", "shin", "foot"), ("upper_arm", "forearm", "hand"), strict=True)
        names |= {f"fore_{part}.{side}": f"{name}.{side}" for part, name in arm}
    with pytest.raises(ValueError, match="four legs"):
        map_rig(quadruped(names))


def test_a_body_without_a_hand_is_named_and_can_be_completed() -> None:
    rig, truth = humanoid(NAMINGS["vrm"][1])
    lost = truth["hand.R"]
    bones = tuple(replace(bone, parent=bone.parent) for bone in rig.bones if bone.name != lost)
    rows = {bone.name: row for row, bone in enumerate(bones)}
    parents = {bone.name: rig.bones[bone.parent].name for bone in rig.bones if bone.parent >= 0}
    bones = tuple(replace(b, parent=rows.get(parents.get(b.name, ""), -1)) for b in bones)
    with pytest.raises(IncompleteMappingError, match="taken for right hand;") as refusal:
        map_rig(replace(rig, bones=bones))
    partial = refusal.value.mapping
    assert partial.missing == ("hand.R",)
    assert with_corrections(partial, {"hand.R": "hook"}).missing == ()


def test_corrections() -> None:
    rig, truth = humanoid(NAMINGS["mixamo"][1])
    mapping = map_rig(rig)
    better = with_corrections(mapping, {"toe.L": None, "chest": truth["spine.1"]})
    assert "toe.L" not in better.slots
    assert "toe.L" in better.unmapped
    assert better.slots["chest"] == truth["spine.1"]
    assert "spine.1" not in better.slots
    assert any("spine.1" in note for note in better.notes)
    assert mapping.slots["toe.L"] == truth["toe.L"]
    with pytest.raises(ValueError, match="no slot called tail"):
        with_corrections(mapping, {"tail": "Tail0"})
    with pytest.raises(ValueError, match="two slots"):
        with_corrections(mapping, {"toe.L": "a", "toe.R": "a"})


def test_the_users_own_table_comes_first() -> None:
    rig, truth = humanoid(NAMINGS["mixamo"][1])
    own = dict(truth) | {"chest": truth["spine.1"]}
    own.pop("spine.1")
    own.pop("toe.L")
    mine = parse_preset({"slots": own}, "mine", "mine.toml")
    mapping = map_rig(rig, (*shipped_presets(), mine))
    assert mapping.preset == "mine"
    assert mapping.slots == own


def test_the_one_table_that_was_asked_for_must_fit() -> None:
    mine = parse_preset({"title": "My hero", "slots": {slot: f"my {slot}" for slot in REQUIRED}}, "mine", "mine.toml")
    with pytest.raises(ValueError, match=r"no bone called my hips.*preset My hero"):
        map_rig(humanoid(NAMINGS["mixamo"][1])[0], (mine,))


def test_the_users_table_of_another_rig_is_not_taken() -> None:
    mine = parse_preset({"slots": {slot: f"my {slot}" for slot in REQUIRED}}, "mine", "mine.toml")
    mapping = map_rig(humanoid(NAMINGS["mixamo"][1])[0], (*shipped_presets(), mine))
    assert mapping.preset == "mixamo"


def crowd(count: int) -> Rig:
    """A suit's skeleton among so many bones of a face."""
    rig, _ = humanoid(NAMINGS["unreal 5"][1], extras=True)
    bones = list(rig.bones)
    for number in range(count - len(bones)):
        rest = np.eye(4)
        rest[:3, 3] = np.random.default_rng(number).normal((0, 0, 1.65), 0.08)
        bones.append(Bone(f"face_{number}", rig.rows["head"], rest, 0.01))
    return replace(rig, bones=tuple(bones))


def seconds(rig: Rig) -> float:
    """The processor's, to map a rig that nothing is remembered of."""
    spent = []
    for _ in range(5):
        fresh = replace(rig)
        start = time.process_time()
        map_rig(fresh)
        spent.append(time.process_time() - start)
    return min(spent)


@pytest.mark.parametrize("names", ["by names", "by shape"])
def test_a_crowd_of_bones_costs_no_more_than_its_number(names: str) -> None:
    """Four times the bones, some twice the work; 700 take 15 to 60 ms, as a click may."""
    few, many = (rig if names == "by names" else shuffled(rig)[0] for rig in (crowd(175), crowd(700)))
    map_rig(few)
    assert seconds(many) < 4 * seconds(few)


def test_a_naming_of_ones_own() -> None:
    """Sanity of the tests' own rigs: names that only the shape can tell apart from nothing."""
    naming = Naming("a", ("b", "c"), ("d",), "e", {"thigh": "f_l", "shin": "g_l", "foot": "h_l", "upper_arm": "i_l",
                    "forearm": "j_l", "hand": "k_l"}, lambda name: name.replace("_l", "_r"))  # fmt: skip
    rig, truth = humanoid(naming)
    assert body(map_rig(rig)) == truth
