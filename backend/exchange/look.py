# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies at a path: which files, and enough of their content to know the format; and frame numbers in names."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError

#: Files of a folder that are opened in search of one with people in it.
_TRIED = 50
_SUFFIXES = (".json", ".csv", ".trc")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Look:
    """path: what the user named. files: the files to read, sorted by name, all of one suffix; suffix: that.

    content: of a `.json`, parsed: the first file's that holds anything; else the first file's first lines.
    """

    path: Path
    files: tuple[Path, ...]
    suffix: str
    content: Any

    def only(self) -> Any:
        """The content, of formats that are one file. Raises UserError if there are several."""
        if len(self.files) > 1:
            raise UserError(f"{self.path} holds {len(self.files)} {self.suffix} files: name one of them")
        return self.content

    @property
    def is_folder(self) -> bool:
        """Whether every file is a frame, a person or a part, rather than the one file all there is."""
        return self.path.is_dir() and len(self.files) > 1


def look_at(path: Path) -> Look:
    """What lies there. Raises UserError if there is nothing that could hold keypoints, or too much."""
    if path.is_dir():
        files = _files_in(path)
    elif path.suffix.lower() in _SUFFIXES:
        files = (path,)
    elif path.suffix.lower() in (".h5", ".pickle", ".pkl"):
        raise UserError(f"{path} cannot be read: let DeepLabCut write it as .csv (save_as_csv=True)")
    else:
        raise UserError(f"{path} is no folder and no {', '.join(_SUFFIXES)} file, so it holds no keypoints known here")
    suffix = files[0].suffix.lower()
    if suffix != ".json":
        return Look(path, files, suffix, read_text(files[0]).splitlines()[:6])
    first = read_json(files[0])
    tried = (first if file == files[0] else read_json(file) for file in files[:_TRIED])
    return Look(path, files, suffix, next((content for content in tried if _holds_people(content)), first))


def read_json(path: Path) -> Any:
    """A parsed JSON file. Raises UserError if it is damaged."""
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not JSON or is damaged ({error})") from None
    except RecursionError:
        raise UserError(f"{path} is no JSON file of keypoints") from None


def read_text(path: Path) -> str:
    """A text file. Raises UserError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text file") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def frame_numbers(names: Sequence[str], where: str) -> list[int]:
    """The number of the frame in each name: of a name's numbers the last one that is not the same everywhere.

    Raises UserError if names have no numbers, are of several sequences, or two have the same number.
    """
    stems = [re.sub(r"\.(json|jpe?g|png|bmp|tiff?|webp)\b", "", name, flags=re.IGNORECASE) for name in names]
    found = [_DIGITS.findall(stem) for stem in stems]
    shapes = {_DIGITS.sub("#", stem): name for stem, name in zip(stems, names, strict=True)}
    if len(names) == 1:
        return [int(found[0][-1]) if found[0] else 0]
    unnumbered = [name for name, digits in zip(names, found, strict=True) if not digits]
    if unnumbered:
        raise UserError(f"{where} has no frame number in {unnumbered[0]!r}: every frame needs one")
    if len(shapes) > 1:
        one, other = list(shapes.values())[:2]
        raise UserError(f"{where} holds several sequences, such as {one!r} and {other!r}: one clip at a time is needed")
    columns = list(zip(*found, strict=True))
    varying = [column for column in columns if len({int(digits) for digits in column}) > 1]
    numbers = [int(digits) for digits in (varying or columns)[-1]]
    if len(set(numbers)) < len(numbers):
        raise UserError(f"{where} has two frames of the same number, such as {_twice(numbers)}")
    return numbers


def _twice(numbers: Sequence[int]) -> int:
    return next(number for number in numbers if numbers.count(number) > 1)


def _holds_people(content: Any) -> bool:
    """Whether a parsed file says anything by which a format may be known."""
    if isinstance(content, dict) and set(content) >= {"people"}:
        return bool(content["people"])
    return bool(content)


def _files_in(folder: Path) -> tuple[Path, ...]:
    """The files of a folder, or of the only folder in it that has any; those of one suffix, .trc before .json."""
    own = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    for suffix in (".trc", ".json", ".csv"):
        files = tuple(path for path in own if path.suffix.lower() == suffix)
        if files:
            return files
    below = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    filled = [path for path in below if any(file.suffix.lower() in _SUFFIXES for file in path.iterdir())]
    if len(filled) > 1:
        raise UserError(f"{folder} holds several folders of keypoints ({_named(filled)}): name one of them")
    if not filled:
        raise UserError(f"{folder} holds no {', '.join(_SUFFIXES)} files, so no keypoints known here")
    return _files_in(filled[0])


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths[:4]) + (", ..." if len(paths) > 4 else "")
