# SPDX-License-Identifier: GPL-3.0-or-later
"""Humanoids for tests, named as rigs of the world are: what hangs from what, twist bones, fingers, helpers, extras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from video_mocap.rigging.retarget.rig import Bone, Constraint, Rig

#: Places of a person of 1.75 m in an A-pose that faces -Y: the left side and the middle, metres.
PLACES = {
    "root": (0, 0, 0), "hips": (0, 0, 0.95), "head": (0, -0.01, 1.56),
    "shoulder": (0.03, 0, 1.42), "upper_arm": (0.18, 0.01, 1.42), "forearm": (0.37, 0.02, 1.23),
    "hand": (0.54, -0.03, 1.06), "thigh": (0.09, 0, 0.92), "shin": (0.1, -0.01, 0.5), "foot": (0.1, 0.02, 0.09),
    "toe": (0.1, -0.11, 0.02), "toe_end": (0.1, -0.18, 0.01),
}  # fmt: skip
FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")


@dataclass(frozen=True)
class Naming:
    """Names of a kind of rig: the middle, the left side, what is beside. Truth is what a mapping must find.

    left: slot stem -> name. right: makes a right name of a left one. trunk, neck: from above the hips up. root: on the
    floor. pelvis: between hips and thighs. inline: stem -> bone in the middle of that limb's part, in the line. twist:
    stem -> bone beside the line. finger: pattern with {} for the finger and {} for the number.
    """

    hips: str
    trunk: tuple[str, ...]
    neck: tuple[str, ...]
    head: str
    left: dict[str, str]
    right: Callable[[str], str]
    root: str = ""
    pelvis: str = ""
    hip_joint: str = ""
    inline: dict[str, str] = field(default_factory=dict)
    twist: dict[str, str] = field(default_factory=dict)
    finger: str = ""
    clavicles_from_neck: bool = False


def swap(*pairs: tuple[str, str]) -> Callable[[str], str]:
    """A function that replaces the first of these texts that is in a name."""

    def right(name: str) -> str:
        for left, other in pairs:
            if left in name:
                return name.replace(left, other, 1)
        raise AssertionError(f"{name} has no side")

    return right


def _limbs(names: str, start: str = "") -> dict[str, str]:
    parts = ("shoulder", "upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
    return {part: start + name for part, name in zip(parts, names.split(), strict=True) if name != "-"}


_WORD = swap(("Left", "Right"))
_HIK = _limbs("LeftShoulder LeftArm LeftForeArm LeftHand LeftUpLeg LeftLeg LeftFoot LeftToeBase")
_DOT = swap((".L", ".R"), (".l", ".r"))
_BLENDER = _limbs("shoulder.L upper_arm.L forearm.L hand.L thigh.L shin.L foot.L toe.L")
_UE = _limbs("clavicle_l upperarm_l lowerarm_l hand_l thigh_l calf_l foot_l ball_l")
_UE_TWIST = {"upper_arm": "upperarm_twist_01_l", "forearm": "lowerarm_twist_01_l", "thigh": "thigh_twist_01_l"}


def _numbers(pattern: str, count: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in range(1, count + 1))


#: (name of the preset, names)
NAMINGS: dict[str, tuple[str, Naming]] = {
    "mixamo": ("mixamo", Naming(
        "mixamorig:Hips", ("mixamorig:Spine", "mixamorig:Spine1", "mixamorig:Spine2"), ("mixamorig:Neck",),
        "mixamorig:Head", {part: f"mixamorig:{name}" for part, name in _HIK.items()}, _WORD,
        finger="mixamorig:LeftHand{}{}")),
    "mixamo, no prefix": ("mixamo", Naming("Hips", ("Spine", "Spine1", "Spine2"), ("Neck",), "Head", _HIK, _WORD)),
    "mixamo1": ("mixamo", Naming(
        "mixamorig1:Hips", ("mixamorig1:Spine", "mixamorig1:Spine1", "mixamorig1:Spine2"), ("mixamorig1:Neck",),
        "mixamorig1:Head", {part: f"mixamorig1:{name}" for part, name in _HIK.items()}, _WORD)),
    "unreal 4": ("unreal", Naming(
        "pelvis", _numbers("spine_{:02d}", 3), ("neck_01",), "head", _UE, swap(("_l", "_r")), root="root",
        twist=_UE_TWIST, finger="{}_0{}_l")),
    "unreal 5": ("unreal", Naming(
        "pelvis", _numbers("spine_{:02d}", 5), ("neck_01", "neck_02"), "head", _UE, swap(("_l", "_r")), root="root",
        twist=_UE_TWIST, finger="{}_0{}_l")),
    "vroid": ("vroid", Naming(
        "J_Bip_C_Hips", ("J_Bip_C_Spine", "J_Bip_C_Chest", "J_Bip_C_UpperChest"), ("J_Bip_C_Neck",), "J_Bip_C_Head",
        _limbs("Shoulder UpperArm LowerArm Hand UpperLeg LowerLeg Foot ToeBase", "J_Bip_L_"),
        swap(("_L_", "_R_")), root="Root", finger="J_Bip_L_{}{}")),
    "vrm": ("vrm", Naming(
        "hips", ("spine", "chest", "upperChest"), ("neck",), "head",
        _limbs("leftShoulder leftUpperArm leftLowerArm leftHand leftUpperLeg leftLowerLeg leftFoot leftToes"),
        swap(("left", "right")))),
    "auto-rig pro, exported": ("auto_rig_pro_export", Naming(
        "root.x", _numbers("spine_{:02d}.x", 3), ("neck.x",), "head.x",
        _limbs("shoulder.l arm_stretch.l forearm_stretch.l hand.l thigh_stretch.l leg_stretch.l foot.l toes_01.l"),
        _DOT, twist={"upper_arm": "arm_twist.l", "forearm": "forearm_twist.l", "thigh": "thigh_twist.l"},
        finger="{}{}.l")),
    "auto-rig pro": ("auto_rig_pro", Naming(
        "c_root_master.x", _numbers("c_spine_{:02d}.x", 3), ("c_neck.x",), "c_head.x",
        _limbs("c_shoulder.l c_arm_fk.l c_forearm_fk.l c_hand_fk.l c_thigh_fk.l c_leg_fk.l c_foot_fk.l c_toes_fk.l"),
        _DOT, root="c_traj", pelvis="c_root.x", finger="c_{}{}.l")),
    "cmu": ("cmu", Naming(
        "Hips", ("LowerBack", "Spine", "Spine1"), ("Neck", "Neck1"), "Head", _HIK, swap(("Left", "Right"), ("L", "R")),
        hip_joint="LHipJoint", finger="LeftHand{}{}")),
    "motionbuilder": ("motionbuilder", Naming(
        "Hips", ("Spine", "Spine1", "Spine2", "Spine3"), ("Neck", "Neck1"), "Head", _HIK, _WORD, root="Reference",
        twist={"upper_arm": "LeftArmRoll", "thigh": "LeftUpLegRoll"}, finger="LeftHand{}{}")),
    "smpl": ("smpl", Naming(
        "pelvis", _numbers("spine{}", 3), ("neck",), "head",
        _limbs("left_collar left_shoulder left_elbow left_wrist left_hip left_knee left_ankle left_foot"),
        swap(("left", "right")), root="root", finger="left_{}{}")),
    "smpl, short": ("smpl_short", Naming(
        "Pelvis", _numbers("Spine{}", 3), ("Neck",), "Head",
        _limbs("L_Collar L_Shoulder L_Elbow L_Wrist L_Hip L_Knee L_Ankle L_Foot"), swap(("L_", "R_")))),
    "genesis 8": ("daz_genesis8", Naming(
        "hip", ("abdomenLower", "abdomenUpper", "chestLower", "chestUpper"), ("neckLower", "neckUpper"), "head",
        _limbs("lCollar lShldrBend lForearmBend lHand lThighBend lShin lFoot lToe"), swap(("l", "r")), pelvis="pelvis",
        inline={"upper_arm": "lShldrTwist", "forearm": "lForearmTwist", "thigh": "lThighTwist"}, finger="l{}{}")),
    "genesis 9": ("daz_genesis9", Naming(
        "hip", _numbers("spine{}", 4), ("neck1", "neck2"), "head",
        _limbs("l_shoulder l_upperarm l_forearm l_hand l_thigh l_shin l_foot l_toes"), swap(("l_", "r_")),
        pelvis="pelvis", twist={"upper_arm": "l_upperarmtwist1", "forearm": "l_forearmtwist1"}, finger="l_{}{}")),
    "genesis 2": ("daz_genesis2", Naming(
        "hip", ("abdomen", "abdomen2", "chest"), ("neck",), "head",
        _limbs("lCollar lShldr lForeArm lHand lThigh lShin lFoot lToe"), swap(("l", "r")), pelvis="pelvis",
        finger="l{}{}")),
    "biped": ("biped", Naming(
        "Bip01 Pelvis", ("Bip01 Spine", "Bip01 Spine1", "Bip01 Spine2"), ("Bip01 Neck",), "Bip01 Head",
        {part: name.replace("_", " ") for part, name in _limbs(
            "Bip01_L_Clavicle Bip01_L_UpperArm Bip01_L_Forearm Bip01_L_Hand Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot "
            "Bip01_L_Toe0").items()}, swap((" L ", " R ")), finger="Bip01 L {}{}", clavicles_from_neck=True)),
    "character creator": ("character_creator", Naming(
        "CC_Base_Hip", ("CC_Base_Waist", "CC_Base_Spine01", "CC_Base_Spine02"),
        ("CC_Base_NeckTwist01", "CC_Base_NeckTwist02"), "CC_Base_Head",
        _limbs("Clavicle Upperarm Forearm Hand Thigh Calf Foot ToeBase", "CC_Base_L_"),
        swap(("_L_", "_R_")), root="CC_Base_BoneRoot", pelvis="CC_Base_Pelvis",
        twist={"upper_arm": "CC_Base_L_UpperarmTwist01", "thigh": "CC_Base_L_ThighTwist01"}, finger="CC_Base_L_{}{}")),
    "rigify metarig": ("rigify_metarig", Naming(
        "spine", ("spine.001", "spine.002", "spine.003"), ("spine.004", "spine.005"), "spine.006", _BLENDER, _DOT,
        finger="f_{}.0{}.L")),
    "rigify, exported": ("rigify_deform", Naming(
        "DEF-spine", ("DEF-spine.001", "DEF-spine.002", "DEF-spine.003"), ("DEF-spine.004", "DEF-spine.005"),
        "DEF-spine.006", {part: f"DEF-{name}" for part, name in _BLENDER.items()}, _DOT, root="root",
        inline={part: f"DEF-{_BLENDER[part]}.001" for part in ("upper_arm", "forearm", "thigh", "shin")})),
    "video mocap": ("video_mocap", Naming("hips", ("spine", "chest"), ("neck",), "head", _BLENDER, _DOT)),
    "rokoko": ("rokoko", Naming(
        "Hips", _numbers("Spine{}", 4), ("Neck",), "Head",
        _limbs("LeftShoulder LeftArm LeftForeArm LeftHand LeftThigh LeftShin LeftFoot LeftToe"), _WORD,
        finger="LeftFinger{}{}")),
    "xsens": ("xsens", Naming(
        "Pelvis", ("L5", "L3", "T12", "T8"), ("Neck",), "Head",
        _limbs("LeftShoulder LeftUpperArm LeftForeArm LeftHand LeftUpperLeg LeftLowerLeg LeftFoot LeftToe"), _WORD)),
    "xsens bvh": ("xsens_bvh", Naming(
        "Hips", ("Chest", "Chest2", "Chest3", "Chest4"), ("Neck",), "Head",
        _limbs("LeftCollar LeftShoulder LeftElbow LeftWrist LeftHip LeftKnee LeftAnkle LeftToe"), _WORD)),
    "vrchat": ("vrchat", Naming(
        "Hips", ("Spine", "Chest"), ("Neck",), "Head",
        {part: f"Left {name}" for part, name in _limbs("shoulder arm elbow wrist leg knee ankle toe").items()}, _WORD,
        finger="{}Finger{}_Left")),
    "optitrack": ("optitrack", Naming(
        "Hip", ("Ab", "Chest"), ("Neck",), "Head",
        _limbs("LShoulder LUArm LFArm LHand LThigh LShin LFoot LToe"), swap(("L", "R")))),
    "mixamo, no colon": ("mixamo", Naming(
        "mixamorigHips", ("mixamorigSpine", "mixamorigSpine1", "mixamorigSpine2"), ("mixamorigNeck",),
        "mixamorigHead", {part: f"mixamorig{name}" for part, name in _HIK.items()}, _WORD,
        finger="mixamorigLeftHand{}{}")),
    "freemocap": ("freemocap", Naming(
        "pelvis", ("spine", "spine.001"), ("neck",), "face",
        _limbs("shoulder.L upper_arm.L forearm.L hand.L thigh.L shin.L foot.L -"), _DOT, hip_joint="pelvis.L")),
    "mmd": ("mmd", Naming("センター", ("上半身", "上半身2"), ("首",), "頭",
        _limbs("左肩 左腕 左ひじ 左手首 左足 左ひざ 左足首 左つま先"), swap(("左", "右")), root="全ての親")),
    "plain, side last": ("plain_parts", Naming(
        "Pelvis", ("Torso", "UpperBody"), ("Neck",), "Head",
        _limbs("Clavicle_L UpperArm_L LowerArm_L Hand_L UpperLeg_L LowerLeg_L Foot_L Toes_L"), swap(("_L", "_R")))),
    "plain, side first": ("plain_parts", Naming(
        "hip", ("belly", "chest"), ("neck",), "head",
        _limbs("left_collar left_arm left_elbow left_wrist left_thigh left_knee left_foot left_toe"),
        swap(("left", "right")))),
    "plain, joints and feet": ("plain_joints", Naming(
        "hip", ("abdomen", "chest"), ("neck",), "head",
        _limbs("lcollar lshoulder lelbow lhand lhip lknee lfoot -"), swap(("l", "r")), hip_joint="lbuttock")),
    "plain, clavicle and shoulder": ("plain_parts", Naming(
        "Hips", _numbers("Spine_{:02d}", 3), ("Neck",), "Head",
        _limbs("Clavicle_L Shoulder_L Elbow_L Hand_L UpperLeg_L LowerLeg_L Ankle_L Ball_L"), swap(("_L", "_R")),
        root="Root")),
    "plain, named twice": ("plain_parts", Naming(
        "Hips", ("SpineLower", "SpineMiddle", "SpineUpper", "Chest"), ("Neck",), "Head",
        _limbs("LeftShoulder LeftArmUpper LeftArmLower LeftHandWrist LeftLegUpper LeftLegLower LeftFootAnkle "
               "LeftFootBall"), _WORD, root="Root", finger="LeftHand{}{}")),
    "plain, counted joints": ("plain_parts", Naming(
        "hips_joint", _numbers("spine_{}_joint", 7), _numbers("neck_{}_joint", 4), "head_joint",
        _limbs("left_shoulder_1_joint left_arm_joint left_forearm_joint left_hand_joint left_upLeg_joint "
               "left_leg_joint left_foot_joint left_toes_joint"), swap(("left", "right")), root="root")),
    "plain, bones of anatomy": ("plain_parts", Naming(
        "root", ("lowerback", "upperback", "thorax"), ("lowerneck", "upperneck"), "head",
        _limbs("lclavicle lhumerus lradius lhand lfemur ltibia lfoot ltoes"), swap(("l", "r")), hip_joint="lhipjoint")),
    "plain, hips called root": ("plain_joints", Naming(
        "Root_M", ("Spine1_M", "Spine2_M", "Chest_M"), ("Neck_M",), "Head_M",
        _limbs("Scapula_L Shoulder_L Elbow_L Wrist_L Hip_L Knee_L Ankle_L Toes_L"), swap(("_L", "_R")))),
    "plain, collar and shoulder": ("plain_parts", Naming(
        "Hips", ("Abdomen", "Chest"), ("Neck",), "Head",
        {part: f"Left {name}" for part, name in
         _limbs("Collar Shoulder Forearm Hand Thigh Shin Foot Toe").items()}, _WORD)),
    "plain, decorated": ("plain_parts", Naming(
        "hips_jnt", ("spineA_jnt", "spineB_jnt"), ("neck_jnt",), "head_jnt",
        _limbs("L_clav_jnt L_upperArm_jnt L_foreArm_jnt L_hand_jnt L_upLeg_jnt L_lowLeg_jnt L_foot_jnt L_toe_jnt"),
        swap(("L_", "R_")))),
}  # fmt: skip


def humanoid(
    naming: Naming, seed: int | None = 0, height: float = 1.0, extras: bool = False
) -> tuple[Rig, dict[str, str]]:
    """(rig, slot -> bone). seed: of random bone axes, None for axes along the bones.

    extras: a tail, hair, a skirt, wings, a sword.
    """
    made = _Maker(naming, extras)
    chance = np.random.default_rng(seed)
    bones = []
    rows: dict[str, int] = {}
    for name, (parent, place) in made.bones.items():
        rest = np.eye(4)
        if seed is not None:
            axes = np.linalg.qr(chance.normal(size=(3, 3)))[0]
            axes[:, 0] *= np.sign(np.linalg.det(axes))
            rest[:3, :3] = axes
        else:
            ends = [np.array(at) for above, at in made.bones.values() if above == name]
            way = (ends[0] if ends else np.add(place, (0, 0, 0.05))) - np.array(place)
            size = np.linalg.norm(way)
            y = way / size if size > 1e-9 else np.array([0, 0, 1.0])
            x = np.cross(y, (0.3, 0.9, 0.2))
            x /= np.linalg.norm(x)
            rest[:3, :3] = np.stack([x, y, np.cross(x, y)], axis=1)
        rest[:3, 3] = height * np.array(place)
        rows[name] = len(bones)
        bones.append(Bone(name, rows[parent] if parent else -1, rest, 0.05 * height))
    return Rig("hero", tuple(bones), np.eye(4)), made.truth


class _Maker:
    """Bones in order: name -> (parent's name, place)."""

    def __init__(self, naming: Naming, extras: bool) -> None:
        self.naming = naming
        self.bones: dict[str, tuple[str, tuple[float, ...]]] = {}
        self.truth: dict[str, str] = {}
        n = naming
        if n.root:
            self.add(n.root, "", PLACES["root"])
        self.add(n.hips, n.root, PLACES["hips"], "hips")
        legs = n.hips
        if n.pelvis:
            self.add(n.pelvis, n.hips, (0, 0.01, 0.96))
            legs = n.pelvis
        above = n.hips
        for number, name in enumerate(n.trunk):
            slot = "chest" if number == len(n.trunk) - 1 else "spine" if number == 0 else f"spine.{number}"
            self.add(name, above, (0, 0.01, 1.0 + 0.3 * number / max(len(n.trunk) - 1, 1)), slot)
            above = name
        chest = above
        for number, name in enumerate(n.neck):
            self.add(name, above, (0, 0.01, 1.46 + 0.1 * number / len(n.neck)), f"neck.{number}" if number else "neck")
            above = name
        self.add(n.head, above, PLACES["head"], "head")
        for side, sign in (("L", 1.0), ("R", -1.0)):
            self.leg(legs, side, sign)
            self.arm(n.neck[0] if n.clavicles_from_neck else chest, side, sign)
        if extras:
            self.extras(chest, n.head)

    def add(self, name: str, parent: str, place: tuple[float, ...], slot: str = "") -> None:
        assert name not in self.bones, name
        self.bones[name] = (parent, place)
        if slot:
            self.truth[slot] = name

    def side(self, name: str, side: str) -> str:
        return name if side == "L" else self.naming.right(name)

    def limb(self, parent: str, parts: tuple[str, ...], side: str, sign: float) -> str:
        n = self.naming
        for number, part in enumerate(parts):
            if part not in n.left:
                continue
            x, y, z = PLACES[part]
            name = self.side(n.left[part], side)
            self.add(name, parent, (sign * x, y, z), f"{part}.{side}")
            parent = name
            if number + 1 < len(parts):
                middle = (np.array(PLACES[part]) + np.array(PLACES[parts[number + 1]])) / 2 * (sign, 1, 1)
                if part in n.inline:
                    parent = self.side(n.inline[part], side)
                    self.add(parent, name, tuple(middle))
                if part in n.twist:
                    self.add(self.side(n.twist[part], side), name, tuple(middle))
        return parent

    def leg(self, parent: str, side: str, sign: float) -> None:
        if self.naming.hip_joint:
            name = self.side(self.naming.hip_joint, side)
            self.add(name, parent, PLACES["hips"])
            parent = name
        end = self.limb(parent, ("thigh", "shin", "foot", "toe"), side, sign)
        if "toe" in self.naming.left:
            x, y, z = PLACES["toe_end"]
            self.add(f"{end}_end", end, (sign * x, y, z))

    def arm(self, parent: str, side: str, sign: float) -> None:
        hand = self.limb(parent, ("shoulder", "upper_arm", "forearm", "hand"), side, sign)
        if not self.naming.finger:
            return
        for number, finger in enumerate(FINGERS):
            above = hand
            for link in (1, 2, 3):
                name = self.side(self.naming.finger.format(finger, link), side)
                reach = 0.07 * (1 if finger != "Thumb" else 0.4) + 0.03 * (link - 1)
                self.add(name, above, (sign * (0.54 + 0.7 * reach), -0.05 + 0.02 * number, 1.06 - 0.7 * reach))
                above = name

    def extras(self, chest: str, head: str) -> None:
        above = self.naming.hips
        for number in range(6):
            self.add(f"Tail{number}", above, (0, 0.1 + 0.1 * number, 0.95))
            above = f"Tail{number}"
        for strand in range(4):
            above = head
            for number in range(5):
                self.add(f"Hair_{strand}_{number}", above, (0.1 * (strand - 1.5), 0.1, 1.6 - 0.15 * number))
                above = f"Hair_{strand}_{number}"
        for strand in range(6):
            above = self.naming.hips
            for number in range(4):
                angle = strand * np.pi / 3 + 0.2
                place = (0.2 * np.cos(angle), 0.2 * np.sin(angle), 0.9 - 0.2 * number)
                self.add(f"Skirt_{strand}_{number}", above, place)
                above = f"Skirt_{strand}_{number}"
        for side, sign in (("l", 1), ("r", -1)):
            above = chest
            for number in range(5):
                self.add(f"Wing_{number}_{side}", above, (sign * (0.1 + 0.25 * number), 0.1, 1.4 + 0.1 * number))
                above = f"Wing_{number}_{side}"
        self.add("Sword", self.truth["hand.R"], (-0.6, -0.1, 1.0))
        self.add("Sword_tip", "Sword", (-0.6, -1.1, 1.0))


def renamed(rig: Rig, change: Callable[[str], str]) -> Rig:
    """The same rig with other names."""
    return replace(rig, bones=tuple(replace(bone, name=change(bone.name)) for bone in rig.bones))


def quadruped(names: dict[str, str] | None = None) -> Rig:
    """A dog: trunk along y, four legs to one floor. names: of its bones."""
    places: list[tuple[str, str, tuple[float, float, float]]] = [("pelvis", "", (0, 0.35, 0.6))]
    above = "pelvis"
    for number in range(3):
        places.append((f"back{number}", above, (0, 0.2 - 0.25 * number, 0.62)))
        above = f"back{number}"
    places += [("neck", above, (0, -0.45, 0.7)), ("skull", "neck", (0, -0.6, 0.85))]
    for number in range(4):
        places.append((f"tail{number}", f"tail{number - 1}" if number else "pelvis", (0, 0.45 + 0.12 * number, 0.6)))
    for side, sign in (("L", 1), ("R", -1)):
        for end, hub, y in (("hind", "pelvis", 0.35), ("fore", above, -0.35)):
            parent = hub
            for part, dy, z in (("thigh", 0, 0.55), ("shin", 0.05, 0.35), ("foot", 0.0, 0.1), ("toe", -0.06, 0.02)):
                places.append((f"{end}_{part}.{side}", parent, (0.1 * sign, y + dy, z)))
                parent = f"{end}_{part}.{side}"
    rows: dict[str, int] = {}
    bones = []
    for name, parent, place in places:
        rest = np.eye(4)
        rest[:3, 3] = place
        rows[name] = len(bones)
        bones.append(Bone((names or {}).get(name, name), rows[parent] if parent else -1, rest, 0.05))
    return Rig("dog", tuple(bones), np.eye(4))


def driven(rig: Rig, pairs: dict[str, str]) -> Rig:
    """The rig with bones that copy others: bone -> what it copies."""
    constraints = {bone: Constraint("COPY_TRANSFORMS", ((rig.rows[other], 1.0),)) for bone, other in pairs.items()}
    bones = [replace(b, constraints=(constraints[b.name],)) if b.name in constraints else b for b in rig.bones]
    return replace(rig, bones=tuple(bones))
