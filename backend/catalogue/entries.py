# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue as data: `catalogue.toml`, read and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

KINDS = ("lifter", "detector")
_FILE = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True)
class Entry:
    """Weights that can be fetched; `catalogue.toml` says what each field means.

    bytes: 0 where it is not known. sha256: hexadecimal, empty where it is not known.
    Raises ValueError if a field cannot be so.
    """

    name: str
    kind: str
    summary: str
    file: str
    url: str
    source: str
    megabytes: int
    licence: str
    licence_url: str
    non_commercial: bool = False
    bytes: int = 0
    sha256: str = ""
    joints_in: str = ""
    fps: float = 0.0
    trained_on: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.name}: kind must be one of {', '.join(KINDS)}, not {self.kind}")
        if Path(self.file).name != self.file or not self.file:
            raise ValueError(f"{self.name}: file must be a name without folders")
        if self.kind == "lifter" and not (self.joints_in and self.fps):
            raise ValueError(f"{self.name}: a lifter needs joints_in and fps")


@cache
def read_catalogue(path: Path = _FILE) -> tuple[Entry, ...]:
    """All entries in the order of the file. Raises ValueError if one lacks something or has something unknown."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {item.name for item in fields(Entry)}
    for name, table in tables.items():
        if unknown := sorted(table.keys() - known):
            raise ValueError(f"{name}: there is no field {unknown[0]}")
    try:
        return tuple(Entry(name=name, **table) for name, table in tables.items())
    except TypeError as error:
        raise ValueError(str(error)) from None


def find_entry(name: str) -> Entry | None:
    """The entry called `name`, or None."""
    return next((entry for entry in read_catalogue() if entry.name == name), None)
