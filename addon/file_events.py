# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Undo, save and load: what is under way steps aside, and takes find the file that asked for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import session

if TYPE_CHECKING:
    from .capture.origin import Origin


def _waiting() -> list[Origin]:
    state = session.get()
    return [*state.origins.values(), *state.arrived]


@bpy.app.handlers.persistent
def _before_change(*_arguments: object) -> None:
    """Undo, redo and save: nothing half-made may be in the file."""
    for chore, _ in session.get().chores:
        chore.interrupt()


@bpy.app.handlers.persistent
def _after_change(*_arguments: object) -> None:
    for chore, _ in session.get().chores:
        chore.start()


#: Who waited in the file that is being left, with what `Origin.left` changes of it: the load may fail.
_leaving: list[tuple[Origin, bool, int]] = []


@bpy.app.handlers.persistent
def _before_load(*_arguments: object) -> None:
    """Another file comes: what is under way waits for its own."""
    state = session.get()
    for chore, origin in state.chores:
        chore.give_up()
        if origin is not None and not chore.works_on:
            state.arrived.append(origin)
    state.chores.clear()
    _leaving[:] = [(origin, origin.lost, origin.scene_uid) for origin in _waiting()]
    for origin, _, _ in _leaving:
        origin.left()


@bpy.app.handlers.persistent
def _after_load(*_arguments: object) -> None:
    from .capture import arrival

    _leaving.clear()
    session.take_files.forget()
    _remember_file()
    arrival.welcome()


@bpy.app.handlers.persistent
def _after_failed_load(*_arguments: object) -> None:
    """The file that was open is open still."""
    from .capture import arrival

    for origin, lost, scene_uid in _leaving:
        origin.lost, origin.scene_uid = lost, scene_uid
    _leaving.clear()
    arrival.welcome()


_open_file = ""


def _remember_file() -> None:
    global _open_file
    # While Blender starts, add-ons see no file.
    _open_file = getattr(bpy.data, "filepath", "")


@bpy.app.handlers.persistent
def _after_save(*_arguments: object) -> None:
    """Saved under a new name: who waits in this file follows it."""
    if bpy.data.filepath != _open_file:
        for origin in _waiting():
            if not origin.lost and origin.file == _open_file:
                origin.file = bpy.data.filepath
    _remember_file()
    _after_change()


_HANDLERS = {
    "undo_pre": _before_change,
    "undo_post": _after_change,
    "redo_pre": _before_change,
    "redo_post": _after_change,
    "save_pre": _before_change,
    "save_post": _after_save,
    "save_post_fail": _after_change,
    "load_pre": _before_load,
    "load_post": _after_load,
    "load_post_fail": _after_failed_load,
}


def register() -> None:
    """Follow what happens to the open file."""
    _remember_file()
    for name, handler in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Follow it no longer."""
    for name, handler in _HANDLERS.items():
        handlers = getattr(bpy.app.handlers, name)
        if handler in handlers:
            handlers.remove(handler)
    _leaving.clear()
