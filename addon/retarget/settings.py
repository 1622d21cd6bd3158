# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""The choices for a retargeting, saved in the .blend (`scene.video_mocap.retarget`)."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...rigging.retarget.options import Options
from ..property_tools import RELATIVE, Quiet


def _built(option: str, items: tuple[tuple[str, str, str], ...]) -> list[tuple[str, str, str, int]]:
    """Those of the items that the retargeting can do. Their numbers are in files: they stay when more come."""
    found = []
    for number, item in enumerate(items):
        try:
            wanted: dict[str, Any] = {option: chosen(item[0])}
            Options(**wanted).check()
        except ValueError:
            continue
        found.append((*item, number))
    return found


def chosen(identifier: str) -> str:
    """An item of a list here as `rigging.retarget.options.Options` calls it."""
    special = {"SAVITZKY_GOLAY": "savitzky-golay"}
    return special.get(identifier, identifier.lower().replace("_", " "))


SOURCES = (
    ("TAKE", "Take", "The person that is chosen in the take that is chosen"),
    ("ARMATURE", "Armature", "An animated armature of this file, as it moves in the viewport"),
    ("BVH", "BVH File", "A motion capture file"),
)
KEYS = (
    ("SCENE", "Every Frame", "A key on every frame of the scene"),
    ("SOURCE", "As Captured", "A key for every frame of the footage, also between frames of the scene"),
    ("REDUCED", "Reduced", "As few keys as keep every joint within the tolerance, with smooth curves between them"),
)
ROOTS = _built(
    "root",
    (
        ("HIPS", "Hips", "The hips carry the character through space"),
        ("ROOT", "Root Bone", "The root bone carries the character over the floor; the hips do the rest"),
        ("OBJECT", "Object", "The armature object moves over the floor; the hips do the rest"),
        ("IN_PLACE", "In Place", "The character stays where it is"),
    ),
)
LIMBS = _built(
    "limbs",
    (
        ("FK", "FK", "Bones are turned"),
        ("IK", "IK", "Targets of hands and feet are moved, where the character has them"),
        ("BOTH", "Both", "Both get keys, and the character stands on FK"),
    ),
)
SMOOTHING = _built(
    "smoothing",
    (
        ("NONE", "None", "The motion as it was captured"),
        ("ONE_EURO", "One Euro", "Calms what is slow and keeps what is fast"),
        ("SAVITZKY_GOLAY", "Savitzky-Golay", "Keeps the height of peaks"),
        ("BUTTERWORTH", "Butterworth", "Removes what is quicker than people move"),
    ),
)
ACTIONS = (
    ("NEW", "New Action", "The action that the character has stays in the file"),
    ("REPLACE", "Replace", "The curves that the character's action has for these bones are replaced"),
    ("NLA", "NLA Track", "A muted track of the NLA editor; what the character does stays as it is"),
)
#: Property -> part of the body as `rigging.retarget.options.PARTS` calls it.
INFLUENCES = {
    "hips": "hips", "spine": "spine", "head": "head",
    "arm_left": "arm.L", "arm_right": "arm.R", "leg_left": "leg.L", "leg_right": "leg.R",
}  # fmt: skip

#: What is set in here was not chosen by the user: nothing follows from it.
filling = Quiet()


def _is_character(settings: RetargetSettings, thing: bpy.types.Object) -> bool:
    if thing.type != "ARMATURE":
        return False
    takes = settings.id_data.video_mocap.takes
    return all(person.rig != thing for item in takes for person in item.people)


def _is_armature(_settings: RetargetSettings, thing: bpy.types.Object) -> bool:
    return thing.type == "ARMATURE"


def _target_chosen(settings: RetargetSettings, _context: bpy.types.Context) -> None:
    if not filling:
        from . import mapping

        mapping.target_chosen(settings.id_data)


def _bone_chosen(item: SlotItem, _context: bpy.types.Context) -> None:
    """A bone that is given to a slot is taken from the slot that had it."""
    if filling or not item.bone:
        return
    with filling:
        for other in item.id_data.video_mocap.retarget.slots:
            if other.bone == item.bone and other.name != item.name:
                other.bone = ""


class SlotItem(bpy.types.PropertyGroup):
    """One part of the body and the bone that is taken for it."""

    name: StringProperty(name="Part", description="The part of the body")
    bone: StringProperty(name="Bone", description="The character's bone for this part", update=_bone_chosen)


def _influence(name: str) -> object:
    return FloatProperty(
        name=name,
        description="How much of the motion this part takes; at 0 it gets no keys",
        subtype="FACTOR",
        min=0,
        max=1,
        default=1,
    )


class RetargetSettings(bpy.types.PropertyGroup):
    """The choices for a retargeting."""

    source: EnumProperty(name="Source", description="Where the motion comes from", items=SOURCES)
    armature: PointerProperty(
        name="Armature", description="The armature whose motion is taken", type=bpy.types.Object, poll=_is_armature
    )
    bvh_path: StringProperty(
        name="BVH File", description="The motion capture file", subtype="FILE_PATH", options=RELATIVE
    )
    target: PointerProperty(
        name="Character",
        description="The armature of your character",
        type=bpy.types.Object,
        poll=_is_character,
        update=_target_chosen,
    )
    slots: CollectionProperty(type=SlotItem)
    active_slot: IntProperty(name="Part", description="The part of the body whose bone is chosen")
    preset: StringProperty(name="Preset", description="The table of names by which the bones were found")
    preset_title: StringProperty(name="Preset", description="The table of names, as people call it")
    mapping_notes: StringProperty(name="Notes", description="What there is to say about the bones that were found")
    mapping_problem: StringProperty(name="Problem", description="Why the bones were not found")
    keys: EnumProperty(name="Keys", description="Where keys are put", items=KEYS)
    tolerance: FloatProperty(
        name="Tolerance",
        description="How far a joint may be from where the motion puts it, in millimetres",
        min=0.1,
        soft_max=50,
        max=1000,
        default=5,
        precision=1,
    )
    feet: BoolProperty(name="Lock Feet", description="Feet that stand do not slide", default=True)
    limits: BoolProperty(
        name="Joint Limits",
        description="Joints turn no further than people can; motion that is meant to go there is held back, too",
        default=False,
    )
    root: EnumProperty(name="Root Motion", description="What carries the character through space", items=ROOTS)
    limbs: EnumProperty(
        name="Limbs", description="Which controls of arms and legs get keys, where a character has both", items=LIMBS
    )
    smoothing: EnumProperty(
        name="Smoothing", description="How the motion is smoothed before it is put on", items=SMOOTHING
    )
    strength: FloatProperty(
        name="Strength", description="How much it is smoothed", subtype="FACTOR", min=0, max=1, default=0.5
    )
    use_trim: BoolProperty(name="Trim", description="Take only a part of the motion", default=False)
    trim_start: FloatProperty(
        name="Start", description="Where the part starts, in seconds of the motion", min=0, step=10
    )
    trim_end: FloatProperty(
        name="End", description="Where the part ends, in seconds of the motion; 0: at its end", min=0, step=10
    )
    scale: FloatProperty(
        name="Path Scale",
        description="The way over the floor, besides what the length of the character's legs makes of it",
        min=0.01,
        soft_min=0.25,
        soft_max=4,
        max=100,
        default=1,
    )
    offset: FloatVectorProperty(
        name="Offset", description="How far the character is moved, in the world", subtype="TRANSLATION", size=3
    )
    loop: BoolProperty(name="Loop", description="The end leads back into the start", default=False)
    action: EnumProperty(name="Keys Go Into", description="What becomes of the character's action", items=ACTIONS)
    hips: _influence("Hips")
    spine: _influence("Spine")
    head: _influence("Head")
    arm_left: _influence("Left Arm")
    arm_right: _influence("Right Arm")
    leg_left: _influence("Left Leg")
    leg_right: _influence("Right Leg")
    report: StringProperty(name="Report", description="What became of the motion on the character")


CLASSES = (SlotItem, RetargetSettings)
