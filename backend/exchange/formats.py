# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of other programs' formats, and which of them a file or folder is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..progress import Progress
from .look import Look, look_at
from .people import ForeignPeople
from .writing import Export


@dataclass(frozen=True)
class FormatEntry:
    """A row of the table of formats.

    module: the module of this package, imported only on use, that has `recognises(look) -> bool`,
    `read(look, joint_set, progress) -> ForeignPeople`, `WRITES`, the names of the joint sets that it can write, the
    usual one first, and `writer(path, export) -> list[Path]`, what it wrote; recognises and read only where `reads`.
    title: what it is, in words. suffix: of what is written, "" for a folder.
    """

    module: str
    title: str
    suffix: str
    writer: str = "write"
    reads: bool = True


#: A new format is one file of this package and one line here; of those that recognise a file the first one reads it.
FORMATS: dict[str, FormatEntry] = {
    "openpose": FormatEntry("openpose", "a folder of OpenPose JSON files", ""),
    "coco": FormatEntry("coco", "COCO annotations or results", ".json"),
    "coco-results": FormatEntry("coco", "COCO results", ".json", "write_results", reads=False),
    "mmpose": FormatEntry("mmpose", "predictions of MMPose or RTMLib", ".json"),
    "alphapose": FormatEntry("alphapose", "AlphaPose results", ".json"),
    "deeplabcut": FormatEntry("deeplabcut", "a DeepLabCut .csv", ".csv"),
    "sports2d": FormatEntry("sports2d", "the .trc files of Sports2D in pixels", ""),
}
READ = tuple(name for name, entry in FORMATS.items() if entry.reads)


def recognise(path: Path) -> tuple[str, Look]:
    """The format of what lies at `path`. Raises UserError if it is none of the table."""
    look = look_at(path)
    for name in READ:
        recognises: Callable[[Look], bool] = _part_of(name, "recognises")
        if recognises(look):
            return name, look
    if not look.content:
        raise UserError(f"there is nobody in {path}")
    titles = ", ".join(FORMATS[name].title for name in READ)
    raise UserError(f"{path} is in no format known here: {titles}")


def read(path: Path, name: str | None, joint_set: str | None, progress: Progress) -> tuple[str, ForeignPeople]:
    """The format and the people of a file or folder.

    name: of the format, None to find it out. joint_set: name in `joint_sets.SETS`, None to find it out.
    Raises UserError, Cancelled.
    """
    if name is None:
        name, look = recognise(path)
    else:
        look = look_at(path)
        recognises: Callable[[Look], bool] = _part_of(name, "recognises")
        if name not in READ or not recognises(look):
            raise UserError(f"{path} is not {FORMATS[name].title}; leave --format out to find out what it is")
    reader: Callable[[Look, str | None, Progress], ForeignPeople] = _part_of(name, "read")
    return name, reader(look, joint_set, progress)


def writes(name: str) -> tuple[str, ...]:
    """Names of the joint sets that a format can be written with, the usual one first."""
    return _part_of(name, "WRITES")


def write(name: str, path: Path, export: Export) -> list[Path]:
    """Write a file or folder of a format, whole or not at all; gives what was written. Raises UserError."""
    writer: Callable[[Path, Export], list[Path]] = _part_of(name, FORMATS[name].writer)
    return writer(path, export)


def _part_of(name: str, part: str) -> Any:
    if name not in FORMATS:
        raise UserError(f"there is no format {name!r}; choose one of: {', '.join(FORMATS)}")
    return getattr(import_module(f".{FORMATS[name].module}", __package__), part)
