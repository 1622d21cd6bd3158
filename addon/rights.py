# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What may not be changed, in words: linked scenes and takes, and takes that are being changed already."""

from __future__ import annotations

import bpy

from . import session
from .properties import TakeItem, active_person, active_take


def refusal(scene: bpy.types.Scene) -> str:
    """Why nothing can be added to a scene; empty if it can."""
    if scene.library is not None:
        return "This scene is linked from another file: make it local, or work in that file"
    if scene.override_library is not None:
        return "This scene is a library override: make it local, or work in the file that it comes from"
    return ""


def take_refusal(scene: bpy.types.Scene, shown: bool = True) -> str:
    """Why the active take cannot be changed; empty if it can. shown: its objects are needed."""
    problem = refusal(scene)
    if problem:
        return problem
    item = active_take(scene)
    if item is None:
        return "Choose a take in the list"
    if item.collection is None:
        return "This take has no objects any more: press Add to Scene" if shown else ""
    if item.collection.library is not None:
        return "This take is linked from another file: make the change in that file"
    if item.collection.override_library is not None:
        return "This take is a library override: make the change in the file that it comes from"
    if session.get().busy_with(item.collection.name):
        return "This take is being changed: wait a moment"
    return ""


def person_refusal(scene: bpy.types.Scene, others: bool = False) -> str:
    """Why the active person cannot be changed; empty if they can. others: another person is needed too."""
    problem = take_refusal(scene)
    if problem:
        return problem
    item = active_take(scene)
    assert item is not None
    if active_person(item) is None:
        return "Choose a person in the list"
    return "This take has only one person" if others and len(item.people) < 2 else ""


def is_in_scene(item: TakeItem, scene: bpy.types.Scene) -> bool:
    """Whether a take's objects are in the scene."""
    return item.collection is not None and item.collection in scene.collection.children_recursive
