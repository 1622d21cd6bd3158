# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportInvalidTypeForm=false, reportAttributeAccessIssue=false, reportMissingImports=false
"""What is saved in the .blend: the choices for a capture and the takes of a scene (`scene.video_mocap`)."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import session
from .property_tools import RELATIVE, Quiet
from .retarget.settings import CLASSES as RETARGET_CLASSES
from .retarget.settings import RetargetSettings
from .shot_properties import ShotSettings

SOURCES = (
    ("FILE", "File", "A video, or an image sequence on disk"),
    ("CLIP", "Movie Clip", "A movie clip of this file"),
    ("STRIP", "Strip", "A movie or image strip of the video sequencer"),
)
QUALITIES = (
    ("draft", "Draft", "Half the time: for a first look, and for one person who is well seen"),
    ("standard", "Standard", "Looks closely enough for several people who hide each other"),
    (
        "thorough",
        "Thorough",
        "Also finds people of 50 to 80 pixels, and searches more often; takes up to three times as long",
    ),
)
ROOTS = (
    ("agreed", "Agreed", "By least squares and by the network, weighed by how well they fit"),
    ("linear", "Least Squares", "By exact linear least squares"),
    ("mehta", "Ratio of Spreads", "By the ratio of the spreads of pose and picture (Mehta et al.)"),
    ("ratio", "Scale", "By the scale from picture to pose (Véges and Lőrincz)"),
    ("search", "Search", "By the depth whose back-projection looks most like the pose"),
    ("rootnet", "Box", "By the size of the person in the picture; only for people who stand upright"),
    ("pnp", "Rigid Pose", "By the pose as a rigid thing that may turn"),
    ("network", "Network", "By the lifter's own network alone"),
)
DEVICES = (
    ("auto", "Automatic", "The graphics card if there is one that can be used"),
    ("cpu", "Processor", "Never the graphics card"),
    ("cuda", "Graphics Card", "An NVIDIA graphics card"),
)


def _choices(what: str, text: str) -> list[str]:
    """Names that the engine says can be chosen, as far as it has been asked; any other text may be typed too."""
    names = [str(choice["name"]) for choice in (session.get().status or {}).get(what, [])]
    return [name for name in names if text.lower() in name.lower()]


def _lifter_names(_settings: SceneSettings, _context: bpy.types.Context, text: str) -> list[str]:
    return _choices("lifters", text)


def _detector_names(_settings: SceneSettings, _context: bpy.types.Context, text: str) -> list[str]:
    return _choices("detectors", text)


def _strip_names(settings: SceneSettings, _context: bpy.types.Context, text: str) -> list[str]:
    editor = settings.id_data.sequence_editor
    if editor is None:
        return []
    # Blender 4.4 renamed sequences to strips.
    strips = editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all
    names = sorted(strip.name for strip in strips if strip.type in {"MOVIE", "IMAGE"})
    return [name for name in names if text.lower() in name.lower()]


#: Names set in here were not typed by the user: nothing is renamed because of them.
untouched = Quiet()


def _take_renamed(item: TakeItem, _context: bpy.types.Context) -> None:
    if not untouched and item.collection is not None and item.collection.library is None:
        item.collection.name = f"Take {item.name}"


def _person_renamed(person: PersonItem, _context: bpy.types.Context) -> None:
    if not untouched and person.rig is not None and person.rig.library is None:
        person.rig.name = person.name


class PersonItem(bpy.types.PropertyGroup):
    """One person of a take."""

    person_id: IntProperty(name="Number", description="The person's number in the take")
    # No longer than what rigging.people takes.
    name: StringProperty(name="Name", description="The person's name", maxlen=40, update=_person_renamed)
    rig: PointerProperty(name="Armature", type=bpy.types.Object)
    confidence: FloatProperty(name="Confidence", description="How sure the capture is of this person", min=0, max=1)


class OrderItem(bpy.types.PropertyGroup):
    """A joint that is nearer to the camera than another one, as the user sees it. Names are those of take joints."""

    nearer: StringProperty(name="Nearer", description="The joint that is nearer to the camera")
    farther: StringProperty(name="Farther", description="The joint that is farther from the camera")
    first: FloatProperty(name="From", description="Since when, in seconds from the footage's first frame")
    last: FloatProperty(name="To", description="Until when, in seconds from the footage's first frame")
    person_id: IntProperty(name="Person", description="Whose joints; -1: everybody's", default=-1)


class TakeItem(bpy.types.PropertyGroup):
    """One take of a scene and what shows it there."""

    name: StringProperty(name="Name", description="The take's name", maxlen=50, update=_take_renamed)
    filepath: StringProperty(name="File", description="The take's file", subtype="FILE_PATH", options=RELATIVE)
    collection: PointerProperty(name="Collection", type=bpy.types.Collection)
    fps: FloatProperty(name="Frame Rate", description="Frames per second of the footage")
    frames: IntProperty(name="Frames", description="Number of captured frames")
    footage: StringProperty(name="Footage", description="What was captured", subtype="FILE_PATH", options=RELATIVE)
    clip: StringProperty(name="Clip", description="The movie clip that was captured, if it was one")
    lifter: StringProperty(name="Lifter", description="What turned the picture's points into 3D")
    people: CollectionProperty(type=PersonItem)
    active_person: IntProperty(name="Person", description="The person that is shown and edited")
    in_front: CollectionProperty(type=OrderItem)
    warnings: StringProperty(name="Warnings", description="What the capture could not be sure of")


class SceneSettings(ShotSettings, bpy.types.PropertyGroup):
    """The choices for a capture, and the takes of this scene."""

    footage_source: EnumProperty(name="Source", description="Where the footage comes from", items=SOURCES)
    footage_path: StringProperty(
        name="Footage", description="A video, or one image of a sequence", subtype="FILE_PATH", options=RELATIVE
    )
    clip: PointerProperty(name="Clip", description="The movie clip to capture", type=bpy.types.MovieClip)
    strip: StringProperty(
        name="Strip", description="The movie or image strip to capture", search=_strip_names, search_options={"SORT"}
    )
    use_range: BoolProperty(name="Range", description="Capture only a part of the footage", default=False)
    start: FloatProperty(
        name="Start", description="Where the capture starts, in seconds from the start of the footage", min=0, step=10
    )
    end: FloatProperty(
        name="End",
        description="Where the capture ends, in seconds from the start of the footage; 0: at its end",
        min=0,
        step=10,
    )
    limit_people: BoolProperty(
        name="Limit People", description="Keep only the people that are seen best", default=False
    )
    max_persons: IntProperty(name="People", description="How many people to keep at most", min=1, max=99, default=1)
    quality: EnumProperty(
        name="Quality", description="How closely the capture looks at the footage", items=QUALITIES, default="standard"
    )
    smoothing: FloatProperty(
        name="Smoothing",
        description="Above 1 the motion gets smoother, below 1 quick moves keep more of their snap",
        min=0.25,
        max=4,
        default=1,
        step=5,
    )
    detector: StringProperty(
        name="Detector",
        description="What finds people in the picture",
        default="mediapipe",
        search=_detector_names,
        search_options={"SUGGESTION"},
    )
    lifter: StringProperty(
        name="Lifter",
        description="What turns the picture's points into 3D: one that the engine has, or the file of its weights",
        default="default",
        search=_lifter_names,
        search_options={"SUGGESTION"},
    )
    adapt_to_person: BoolProperty(
        name="Adapt to Person",
        description="The lifter learns from each person's own points; kept where points held back say that it helps",
    )
    root: EnumProperty(name="Depth", description="How the distance of people from the camera is found", items=ROOTS)
    device: EnumProperty(name="Device", description="What the capture runs on", items=DEVICES, default="auto")
    takes: CollectionProperty(type=TakeItem)
    active_take: IntProperty(name="Take", description="The take that is shown and edited")
    retarget: PointerProperty(type=RetargetSettings)
    show_overlay: BoolProperty(name="Keypoints", description="Draw what was found over the footage", default=True)
    overlay_confidence: FloatProperty(
        name="Minimum Confidence",
        description="Points that the capture is less sure of are not drawn",
        subtype="FACTOR",
        min=0,
        max=1,
        default=0.1,
    )


CLASSES = (*RETARGET_CLASSES, PersonItem, OrderItem, TakeItem, SceneSettings)


def active_take(scene: bpy.types.Scene) -> Any:
    """The TakeItem that is chosen in the scene's list, or None."""
    settings = scene.video_mocap
    return settings.takes[settings.active_take] if 0 <= settings.active_take < len(settings.takes) else None


def active_person(take: TakeItem) -> Any:
    """The PersonItem that is chosen in the take's list, or None."""
    return take.people[take.active_person] if 0 <= take.active_person < len(take.people) else None


def start_frame(take: TakeItem) -> int:
    """The scene frame on which the footage of a take begins."""
    return int(take.collection.get("video_mocap_start_frame", 1)) if take.collection is not None else 1


def register() -> None:
    """Declare the classes and `scene.video_mocap`."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.video_mocap = PointerProperty(type=SceneSettings)


def unregister() -> None:
    """Take them back; what is saved in .blend files stays there."""
    del bpy.types.Scene.video_mocap
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
