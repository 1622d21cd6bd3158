# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Why nothing can be retargeted, in words. Looks at what is in the file only: buttons ask all the time."""

from __future__ import annotations

import bpy

from .. import session
from ..properties import active_person, active_take
from ..rights import refusal
from . import rows
from .settings import RetargetSettings


def target_problem(scene: bpy.types.Scene) -> str:
    """Why the character cannot be used; empty if it can."""
    target = scene.video_mocap.retarget.target
    problem = refusal(scene)
    if problem:
        return problem
    if target is None:
        return "Choose the armature of your character"
    if target.library is not None:
        return f"{target.name} is linked from another file: make a library override of it and choose that"
    if not target.users_scene:
        return f"{target.name} is in no scene: bring it back, or choose another character"
    if session.get().chores_of("retarget"):
        return "Wait for what is going on, or cancel it"
    return ""


def source_problem(scene: bpy.types.Scene) -> str:
    """Why there is no motion; empty if there is."""
    settings = scene.video_mocap.retarget
    if settings.source == "BVH":
        return "" if settings.bvh_path else "Choose a BVH file"
    if settings.source == "ARMATURE":
        return _armature_problem(settings)
    item = active_take(scene)
    if item is None:
        return "Capture or open a take first, or choose another Source"
    if active_person(item) is None:
        return "Choose a person in the list"
    return "" if item.filepath else "This take has no file: choose the person's armature as the source"


def _armature_problem(settings: RetargetSettings) -> str:
    moving = settings.armature
    if moving is None:
        return "Choose the armature whose motion is taken"
    if moving == settings.target:
        return "The motion and the character are one armature: choose another one"
    if not moving.users_scene:
        return f"{moving.name} is in no scene: bring it back, or choose another one"
    animation = moving.animation_data
    if animation is None or (animation.action is None and not any(track.strips for track in animation.nla_tracks)):
        return f"{moving.name} has no action: choose an armature that moves"
    return ""


def problem(scene: bpy.types.Scene) -> str:
    """Why nothing can be retargeted; empty if it can."""
    settings = scene.video_mocap.retarget
    found = source_problem(scene) or target_problem(scene) or rows.problem(settings)
    if not found and settings.use_trim and 0 < settings.trim_end <= settings.trim_start:
        found = "The trim ends before it starts: set End after Start, or to 0 for the end of the motion"
    return found
