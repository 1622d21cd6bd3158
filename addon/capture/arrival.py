# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A capture is done: its take goes into the scene that asked for it, or waits until that scene is there again."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import session
from ..chores import Chore
from . import collect, request
from .origin import Origin


def expect(job_id: str, scene: bpy.types.Scene) -> Origin:
    """From now on the take of a job goes into `scene`."""
    state = session.get()
    job = state.jobs[job_id]
    tag = state.tag_of(job_id)
    origin = state.origins.get(tag)
    if origin is None:
        name = job["label"] or Path(job["footage"]["name"]).stem
        origin = Origin(name, request.new_take_path(name, state.promised()), look_for_footage=True)
        state.origins[tag] = origin
    state.stuck.discard(job_id)
    origin.take_scene(scene)
    return origin


def arrived(job_id: str, path: Path) -> None:
    """The take of a job lies at `path`."""
    state = session.get()
    origin = state.origins.get(state.tag_of(job_id))
    if origin is None:
        return
    origin.take_path = path
    if origin.is_here():
        add_to_scene(origin, job_id)
    else:
        state.arrived.append(origin)
        state.note = f"{origin.name} is finished: add it to this scene, or open the file that asked for it"


def add_to_scene(origin: Origin, job_id: str = "") -> Chore:
    """Read a take and build it in the scene that `origin` names. job_id: of the engine, which then may forget it."""

    def finished(problem: str | None) -> None:
        state = session.get()
        tag = next((tag for tag, known in state.origins.items() if known is origin), "")
        if problem is not None:
            state.problem = problem
            if tag:
                state.arrived.append(origin)
            return
        state.note = f"{origin.name} is in the scene"
        state.origins.pop(tag, None)
        job = job_id or next((key for key, job in state.jobs.items() if tag and job["tag"] == tag), "")
        if job and state.engine is not None:
            state.engine.discard(job)
            session.attend()

    return collect.bring(origin, f"Add Take {origin.name}", finished)


def bring_back(origin: Origin, entry: collect.Entry) -> Chore:
    """Build a take of the list anew whose objects are gone."""

    def finished(problem: str | None) -> None:
        if problem is not None:
            session.get().problem = problem

    return collect.bring(origin, f"Add Take {origin.name}", finished, entry)


def name_of(path: Path) -> str:
    """What a take is called after its file."""
    return path.name.removesuffix(".npz").removesuffix(".take") or "take"


def welcome() -> None:
    """A file was opened: takes that it asked for and that came meanwhile go into it."""
    state = session.get()
    for origin in [origin for origin in state.arrived if origin.is_here()]:
        state.arrived.remove(origin)
        add_to_scene(origin)
