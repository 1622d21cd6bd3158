# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""From a take file to objects in a scene and an entry in its list."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rigging.blender.add import add_take
from ...rigging.blender.parts import TakeObjects, check_local, remove_take
from ...rigging.people import person_confidence, person_name, rename_person
from ...rigging.report.measure import with_report
from ...rigging.take import Take, read_take
from .. import files, properties, session
from ..chores import Chore
from ..overlay.source import take_file
from ..properties import SceneSettings, TakeItem
from ..take_files import Loaded, loaded
from . import orders
from .origin import Origin
from .request import stored_path

#: From a take to a changed one, in a thread. Raises ValueError with one sentence.
Edit = Callable[[Take], Take]


@dataclass(frozen=True)
class Entry:
    """An entry of a scene's list, by what it says: its file as stored, and its collection's name (empty: none)."""

    filepath: str
    collection: str = ""

    @classmethod
    def of(cls, item: TakeItem) -> Entry:
        """What tells an entry from the others."""
        return cls(item.filepath, item.collection.name if item.collection is not None else "")

    def find(self, settings: SceneSettings) -> int | None:
        """Its number in the list; None if it is gone."""
        return next((number for number, item in enumerate(settings.takes) if Entry.of(item) == self), None)


def bring(
    origin: Origin, undo: str, finished: Callable[[str | None], None] | None = None, entry: Entry | None = None
) -> Chore:
    """Read the take at origin.take_path and build it in the scene that `origin` names.

    entry: the one that is filled; without, there is a new one at the end of the list.
    """

    def read() -> tuple[Loaded, dict[int, float]]:
        take = named(read_take(origin.take_path), origin.names)
        if origin.look_for_footage:
            origin.footage = _footage_beside(origin.take_path, take)
        return _for_panels(take)

    def build(found: tuple[Loaded, dict[int, float]]) -> Generator[Any, Any, None]:
        yield from _build(origin, *found, entry)

    chore = Chore(f"Adding {origin.name}", undo, read, build, finished=finished)
    session.do(chore, origin)
    return chore


def rewrite(origin: Origin, source: Path, edit: Edit, entry: Entry, undo: str) -> Chore:
    """Change a take: read it from `source`, write the edited one to origin.take_path, show it where the old one was.

    The old file stays, so that Undo leads back to it.
    """
    written: list[Path] = []

    def make() -> tuple[Loaded, dict[int, float]]:
        take = with_report(edit(named(read_take(source), origin.names)))
        files.write_take(origin.take_path, take)
        written.append(origin.take_path)
        # The edit may have exchanged names; from here on they are the take's.
        origin.names = {}
        return _for_panels(take)

    def build(found: tuple[Loaded, dict[int, float]]) -> Generator[Any, Any, None]:
        yield from _build(origin, *found, entry)

    def finished(problem: str | None) -> None:
        if problem is not None:
            for path in written:
                path.unlink(missing_ok=True)
            session.get().problem = problem

    chore = Chore(undo, undo, make, build, (entry.collection,), finished)
    session.do(chore, origin)
    return chore


def _footage_beside(path: Path, take: Take) -> str:
    """The footage that a take names, where it lies beside the take's file or one folder up."""
    name = take.metadata.get("footage")
    if not isinstance(name, str) or not name or Path(name).name != name:
        return ""
    return next((str(folder / name) for folder in (path.parent, path.parent.parent) if (folder / name).is_file()), "")


def named(take: Take, names: dict[int, str]) -> Take:
    """The take with the names that the user gave; those that it cannot take stay as they were."""
    for person, name in names.items():
        if person in take.person_ids and person_name(take, person) != name:
            try:
                take = rename_person(take, person, name)
            except ValueError:
                continue
    return take


def _for_panels(take: Take) -> tuple[Loaded, dict[int, float]]:
    return loaded(take), {int(number): person_confidence(take, int(number)) for number in take.person_ids}


def _build(
    origin: Origin, found: Loaded, confidence: dict[int, float], entry: Entry | None
) -> Generator[Any, Any, None]:
    take = found.take
    assert take is not None
    number = entry.find(origin.find_scene().video_mocap) if entry is not None else None
    if entry is not None and entry.collection and number is not None:
        check_local(origin.find_scene().video_mocap.takes[number].collection, "this take")
    objects = yield from add_take(
        origin.find_scene(),
        take,
        origin.name,
        origin.find_footage(),
        origin.start_frame,
        take_file=stored_path(origin.take_path),
    )
    settings = origin.find_scene().video_mocap
    number = entry.find(settings) if entry is not None else None
    if number is None:
        orders.take_over(settings.takes.add(), take)
        number = len(settings.takes) - 1
    settings.active_take = number
    item = settings.takes[number]
    old = item.collection
    fill_item(item, origin, take, objects, confidence)
    session.take_files.keep(Path(take_file(item)), found)
    if old is not None:
        name = old.name
        remove_take(old)
        objects.collection.name = name


def fill_item(item: TakeItem, origin: Origin, take: Take, objects: TakeObjects, confidence: dict[int, float]) -> None:
    """Make an entry of a scene's list say what is in the take and what shows it."""
    options = take.metadata.get("options")
    warnings = take.metadata.get("warnings")
    with properties.untouched:
        item.name = origin.name
        item.filepath = stored_path(origin.take_path)
        item.collection = objects.collection
        item.fps, item.frames = float(take.fps), len(take.times)
        item.footage = stored_path(Path(origin.footage)) if origin.footage else ""
        item.clip = origin.clip
        item.lifter = str((options if isinstance(options, dict) else {}).get("lifter") or "default")
        told = [*(warnings if isinstance(warnings, list) else []), *objects.warnings]
        item.warnings = "\n".join(str(warning) for warning in told)
        item.people.clear()
        for number in take.person_ids:
            person = item.people.add()
            person.person_id = int(number)
            person.name = person_name(take, int(number))
            person.rig = objects.rigs.get(int(number))
            person.confidence = confidence[int(number)]
        item.active_person = min(item.active_person, max(len(item.people) - 1, 0))
