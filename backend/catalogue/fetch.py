# SPDX-License-Identifier: GPL-3.0-or-later
"""Get the weights of a catalogue entry: from its server or from a folder, checked, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import locked
from ..lifting.sidecar import file_sha256
from ..progress import Progress
from .download import Wanted, download, forget
from .entries import Entry
from .store import Receipt, is_here, make_folder, place_of, read_receipt, write_receipt

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Fetched:
    """path: of the file. before: it was here already. sha256: of the file; verified: that was known beforehand."""

    path: Path
    before: bool
    sha256: str
    verified: bool


def terms(entry: Entry) -> str:
    """What somebody accepts who fetches the entry, in one sentence."""
    text = f"{entry.name} is under {entry.licence} ({entry.licence_url})"
    if entry.non_commercial:
        text += ": for non-commercial use only, and so is what is made with it"
    return text


def fetch(entry: Entry, accepted: bool, offline: Path | None, progress: Progress) -> Fetched:
    """Make the entry's file be here.

    accepted: the user accepts its licence; needed where it is non-commercial. offline: a folder that holds the file, in
    place of the network. An interrupted download goes on where it was.
    Raises UserError in one sentence, Cancelled.
    """
    if is_here(entry):
        return _checked_again(entry)
    if entry.non_commercial and not accepted:
        raise UserError(f"{terms(entry)}; add --accept-licence if you accept that")
    folder = make_folder()
    place = place_of(entry)
    part = folder / f"{entry.file}.part"
    with locked(folder / f"{entry.file}.lock", f"{entry.name} is being fetched by somebody else; wait for that"):
        if is_here(entry):
            return _checked_again(entry)
        if offline is not None:
            _copy(entry, offline, part)
        else:
            _check_room(entry, part)
            about = entry.bytes or entry.megabytes * _MEGABYTE
            download(Wanted(entry.url, part, entry.bytes, about, bool(entry.sha256)), progress)
        receipt = Receipt(entry.name, entry.url, part.stat().st_size, _verified(entry, part), entry.licence)
        try:
            part.replace(place)
        except OSError as error:
            raise UserError(f"cannot write {place}: {error.strerror or error}") from None
        write_receipt(entry, receipt)
        forget(part)
    return Fetched(place, False, receipt.sha256, bool(entry.sha256))


def _checked_again(entry: Entry) -> Fetched:
    receipt, place = read_receipt(entry), place_of(entry)
    found = file_sha256(place)
    if receipt is None or found != receipt.sha256:
        raise UserError(f"{place} is not the file that was fetched: delete it and get {entry.name} again")
    return Fetched(place, True, found, bool(entry.sha256))


def _verified(entry: Entry, part: Path) -> str:
    """The sha256 of the file. Raises UserError, and removes the file, if it is not the one that is expected."""
    size, sha256 = part.stat().st_size, file_sha256(part)
    problem = ""
    if entry.bytes and size != entry.bytes:
        problem = f"it has {size} bytes, not {entry.bytes}"
    elif entry.sha256 and sha256 != entry.sha256:
        problem = "its sha256 is another one"
    elif not entry.bytes and not 0.5 < size / (entry.megabytes * _MEGABYTE) < 4:
        # Published checkpoints may carry their optimiser, which triples them.
        problem = f"it has {size / _MEGABYTE:.1f} MB where about {entry.megabytes} are expected"
    if problem:
        forget(part)
        raise UserError(f"what came for {entry.name} is not the file that is expected ({problem}); it was removed")
    return sha256


def _copy(entry: Entry, offline: Path, part: Path) -> None:
    source = offline / entry.file
    if not source.is_file():
        source = offline / entry.url.rpartition("/")[2]
    if not source.is_file():
        raise UserError(f"{offline} does not hold {entry.file}, fetched elsewhere from {entry.url}")
    try:
        shutil.copyfile(source, part)
    except OSError as error:
        forget(part)
        raise UserError(f"cannot copy {source} to {part.parent}: {error.strerror or error}") from None


def _check_room(entry: Entry, part: Path) -> None:
    there = part.stat().st_size if part.exists() else 0
    needed = (entry.bytes or entry.megabytes * _MEGABYTE) - there
    free = shutil.disk_usage(part.parent).free
    if free < needed + 10 * _MEGABYTE:
        raise UserError(
            f"{part.parent} has {free / _MEGABYTE:.0f} MB free, but {entry.name} needs {needed / _MEGABYTE:.0f} MB"
        )
