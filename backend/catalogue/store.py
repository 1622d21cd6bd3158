# SPDX-License-Identifier: GPL-3.0-or-later
"""Where fetched weights are kept, and which of them are there."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import UserError
from ..files import whole_file
from .entries import Entry

#: Names another folder for fetched weights.
FOLDER_VARIABLE = "VIDEO_MOCAP_MODELS"


@dataclass(frozen=True)
class Receipt:
    """What was fetched. bytes, sha256: of the file. url: where from. licence: what was said, and accepted, then."""

    name: str
    url: str
    bytes: int
    sha256: str
    licence: str


def models_folder() -> Path:
    """The folder of fetched weights; it need not be there."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen).absolute() if chosen else Path.home() / ".video-mocap" / "models"


def place_of(entry: Entry) -> Path:
    """Where the entry's file lies once it is fetched."""
    return models_folder() / entry.file


def is_here(entry: Entry) -> bool:
    """Whether the file was fetched whole. Looks at its size, not at its content."""
    receipt = read_receipt(entry)
    try:
        return receipt is not None and place_of(entry).stat().st_size == receipt.bytes
    except OSError:
        return False


def read_receipt(entry: Entry) -> Receipt | None:
    """What was noted when the entry was fetched; None if it was not, or the note is damaged."""
    try:
        noted = json.loads(_receipt_path(entry).read_text(encoding="utf-8"))
        return Receipt(**noted)
    except (OSError, ValueError, TypeError):
        return None


def write_receipt(entry: Entry, receipt: Receipt) -> None:
    """Note what was fetched. Raises UserError."""
    with whole_file(_receipt_path(entry)) as temporary:
        temporary.write_text(json.dumps(asdict(receipt), indent=1) + "\n", encoding="utf-8")


def make_folder() -> Path:
    """The folder of fetched weights, made if need be. Raises UserError if it cannot be."""
    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder {folder} cannot be made: {error.strerror or error}; set {FOLDER_VARIABLE} to another"
        ) from None
    return folder


def _receipt_path(entry: Entry) -> Path:
    return models_folder() / f"{entry.file}.fetched"
