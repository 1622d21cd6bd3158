# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads in pieces: UPLOADS/ID/upload.json and footage/; what is on disk is what has been received.

File names of clients are kept as text; on disk a file is called after its number and its kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .failures import ApiError
from .folder import write_private
from .limits import SPARE_BYTES, Limits
from .store import FOOTAGE

log = logging.getLogger("video_mocap.server")
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts"}
    | {".wmv", ".flv", ".3gp", ".ogv", ".mxf", ".dv"}
)
ARRAYS = (".take.npz", ".keypoints.npz", ".camera.npz")
#: Bytes gathered before they are written.
_PIECE = 512 * 1024


@dataclass(frozen=True)
class ExpectedFile:
    """name: the client's. size: bytes. stored: the name on disk."""

    name: str
    size: int
    stored: str


@dataclass(frozen=True)
class PendingUpload:
    """An upload that no job has taken yet."""

    id: str
    folder: Path
    files: tuple[ExpectedFile, ...]

    def path(self, number: int) -> Path:
        """Where a file lies."""
        return self.folder / FOOTAGE / self.files[number].stored

    def received(self, number: int) -> int:
        """Bytes of it that are there."""
        try:
            return self.path(number).stat().st_size
        except FileNotFoundError:
            return 0

    def complete(self) -> bool:
        """Whether everything is there."""
        return all(self.received(number) == file.size for number, file in enumerate(self.files))


class Uploads:
    """The uploads of a data folder; they survive the service."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root, self._limits = root, limits
        self._writers: dict[tuple[str, int], object] = {}
        self.expire()

    def create(self, files: list[tuple[str, int]]) -> PendingUpload:
        """Begin an upload of (name, size) files. Raises ApiError, OSError."""
        if len(files) > self._limits.upload_files:
            raise ApiError("too_large", f"an upload may have {self._limits.upload_files} files, this one has more")
        total = sum(size for _, size in files)
        if total > self._limits.upload_bytes:
            raise ApiError("too_large", f"an upload may have {self._limits.upload_bytes} bytes, this one has {total}")
        expected = expected_files(files)
        if sum(1 for _ in self._root.iterdir()) >= self._limits.uploads:
            raise ApiError("too_many", "too many uploads wait for their job; finish or delete one first")
        if total + SPARE_BYTES > shutil.disk_usage(self._root).free:
            raise ApiError("disk_full", "the disk of the service has no room for this upload; free some space there")
        upload = PendingUpload(secrets.token_hex(16), Path(), expected)
        staging = self._root / f".new-{upload.id}"
        try:
            (staging / FOOTAGE).mkdir(mode=0o700, parents=True)
            listed = [{"name": file.name, "size": file.size} for file in expected]
            write_private(staging / "upload.json", json.dumps({"files": listed}))
            staging.rename(self._root / upload.id)
        except OSError:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        return self.get(upload.id)

    def get(self, identity: str) -> PendingUpload:
        """Raises ApiError not_found."""
        folder = self._root / identity
        try:
            if not re.fullmatch(r"[0-9a-f]{32}", identity):
                raise KeyError
            data = json.loads((folder / "upload.json").read_text("utf-8"))
            files = expected_files([(file["name"], file["size"]) for file in data["files"]])
        except (OSError, ValueError, KeyError, TypeError):
            raise ApiError("not_found", "there is no such upload; it was used, deleted or too old") from None
        return PendingUpload(identity, folder, files)

    def delete(self, upload: PendingUpload) -> None:
        """Remove it and what has been received."""
        gone = self._root / f".gone-{upload.id}"
        with contextlib.suppress(OSError):
            upload.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    async def write(self, upload: PendingUpload, number: int, offset: int, body: AsyncIterator[bytes]) -> int:
        """Append a request's body to a file; returns the bytes that are there then. Raises ApiError, OSError.

        A second request for the same file takes over: the first one may hang on a connection that is long dead.
        """
        if not 0 <= number < len(upload.files):
            raise ApiError("not_found", f"this upload has {len(upload.files)} files, counted from 0")
        ticket = object()
        key = (upload.id, number)
        self._writers[key] = ticket
        there = upload.received(number)
        if offset != there:
            raise ApiError("conflict", f"{there} bytes are there; go on from there", {"received": there})
        limit = min(upload.files[number].size, offset + self._limits.chunk_bytes)
        try:
            pieces = _gathered(body)
            async for piece in pieces:
                if there + len(piece) > limit:
                    raise ApiError("too_large", "these are more bytes than a piece or the file may have")
                if self._writers.get(key) is not ticket:
                    raise ApiError("conflict", "another request goes on with this file", {"received": there})
                there = await asyncio.shield(asyncio.to_thread(_append, upload.path(number), there, piece))
        finally:
            if self._writers.get(key) is ticket:
                del self._writers[key]
        return there

    def writing(self, upload: PendingUpload) -> bool:
        """Whether a request is sending one of its files right now."""
        return any(identity == upload.id for identity, _ in self._writers)

    def expire(self) -> None:
        """Remove what was begun and abandoned."""
        for folder in list(self._root.iterdir()):
            try:
                newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
            except OSError:
                continue
            if folder.name.startswith(".") or time.time() - newest > self._limits.upload_seconds:
                log.info("upload %s is removed: nobody went on with it", folder.name)
                shutil.rmtree(folder, ignore_errors=True)


def expected_files(files: list[tuple[str, int]]) -> tuple[ExpectedFile, ...]:
    """Where the files of an upload go. Raises ApiError if they are of no kind that footage has."""
    kinds = [_kind(name) for name, _ in files]
    for (name, _), kind in zip(files, kinds, strict=True):
        if kind not in IMAGES and (kind not in VIDEOS | set(ARRAYS) or len(files) > 1):
            what = "several files must be images of a sequence" if len(files) > 1 else "this is no kind of footage"
            raise ApiError("bad_request", f"{what}: {name[-100:]!r}")
    numbers = _numbers([name for name, _ in files])
    return tuple(
        ExpectedFile(name, size, f"{number:08d}{kind}")
        for (name, size), kind, number in zip(files, kinds, numbers, strict=True)
    )


def _kind(name: str) -> str:
    lower = name.lower()
    compound = next((suffix for suffix in ARRAYS if lower.endswith(suffix)), None)
    return compound or os.path.splitext(lower)[1]  # noqa: PTH122 - a text, not a path


def _numbers(names: list[str]) -> list[int]:
    """What the files are counted by: the numbers in their names where those count frames, so that gaps stay gaps.

    The same rule as `footage.images.sequence_times`.
    """
    found = [re.findall(r"\d+", os.path.splitext(name)[0]) for name in names]  # noqa: PTH122
    numbers = [int(digits[-1][:18]) if digits else -1 for digits in found]
    increasing = all(after > before for before, after in pairwise(numbers))
    if numbers[0] < 0 or not increasing or numbers[-1] - numbers[0] + 1 > 2 * len(names):
        return list(range(len(names)))
    return [number - numbers[0] for number in numbers]


async def _gathered(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in fewer pieces; what came before a cut is given too."""
    piece = bytearray()
    try:
        async for part in body:
            piece += part
            if len(piece) >= _PIECE:
                yield bytes(piece)
                piece.clear()
    except Exception as cut:
        if piece:
            yield bytes(piece)
        raise cut
    if piece:
        yield bytes(piece)


def _append(path: Path, there: int, piece: bytes) -> int:
    """Write at the end, which must be at `there`; returns where the end is then. Raises ApiError, OSError."""
    try:
        with path.open("r+b" if there else "ab") as file:
            found = os.fstat(file.fileno()).st_size
            if found != there:
                # The last bytes of a connection that was cut may come after the client asked what is there.
                raise ApiError("conflict", "another request goes on with this file", {"received": found})
            file.seek(there)
            file.write(piece)
    except FileNotFoundError:
        raise ApiError("not_found", "there is no such upload any more; it was used or deleted") from None
    return there + len(piece)
