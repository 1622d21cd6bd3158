# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage as files: one video (or keypoints, or take), or the images of a sequence in their order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import EngineError, cannot_read

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Footage:
    """files: one file, or the images of a sequence in order."""

    files: tuple[Path, ...]

    @classmethod
    def of(cls, path: Path) -> Footage:
        """Footage for what a user chose: a file, a folder of images, or one image of a numbered sequence.

        Raises EngineError ("file") if there is no such file or the folder holds no image. Reads the folder: for
        worker threads, or for small folders.
        """
        try:
            if path.is_dir():
                files = _images(path)
                if not files:
                    raise EngineError("file", f"The folder {path} holds no images: choose another one.")
                return cls(tuple(files))
            path.stat()
            return cls(tuple(_siblings(path) or [path]))
        except OSError as error:
            raise cannot_read(path, error) from None

    def path_for_service(self) -> Path | None:
        """The one path by which a service on the same machine finds exactly these files; None if there is none."""
        first = self.files[0]
        if len(self.files) == 1 and not first.is_dir():
            return first
        try:
            if _siblings(first) == list(self.files):
                return first
            return first.parent if _images(first.parent) == list(self.files) else None
        except OSError:
            return None


def _images(folder: Path) -> list[Path]:
    return sorted((file for file in folder.iterdir() if _is_image(file)), key=_natural)


def _siblings(path: Path) -> list[Path]:
    """The images whose names differ from the path's only in the number at the end; empty if it has none."""
    numbered = re.fullmatch(r"(.*?)(\d+)", path.stem)
    if numbered is None or path.suffix.lower() not in IMAGES:
        return []
    name = re.compile(re.escape(numbered[1]) + r"\d+" + re.escape(path.suffix))
    return sorted((file for file in path.parent.iterdir() if name.fullmatch(file.name)), key=_natural)


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGES and not file.name.startswith(".") and file.is_file()


def _natural(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    """frame2 before frame10; the name itself settles frame2 against frame02. The service sorts the same way."""
    parts = _NUMBER.split(file.name.lower())
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts], file.name
