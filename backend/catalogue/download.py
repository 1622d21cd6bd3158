# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch one file over HTTP: with progress, going on where an earlier try was broken off, never believed unseen."""

from __future__ import annotations

import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..progress import Progress

STAGE = "download"
_CHUNK = 1 << 18
#: Tries without a single new byte before giving up, seconds between them, and seconds without a byte.
_TRIES, _PAUSE, _TIMEOUT = 4, 1.0, 30.0
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Wanted:
    """url: what to fetch. part: the file that grows. bytes: exact size, 0 if unknown. about: bytes, roughly.
    checked: the content will be compared with a hash that is known."""

    url: str
    part: Path
    bytes: int = 0
    about: int = 0
    checked: bool = True


class _BrokenOffError(Exception):
    """The connection ended before the file did."""


def download(wanted: Wanted, progress: Progress, wait: Callable[[float], None] = time.sleep) -> None:
    """Make `wanted.part` whole; what is in it already is kept if the server can go on from there.

    On failure and on cancelling it stays, for the next time. Raises UserError in one sentence, Cancelled.
    """
    tries = 0
    while True:
        before = _size(wanted.part)
        if wanted.bytes and before == wanted.bytes:
            return
        try:
            _fetch(wanted, progress)
            return
        except _BrokenOffError as error:
            tries = 0 if _size(wanted.part) > before else tries + 1
            if tries >= _TRIES:
                kept = _size(wanted.part)
                raise UserError(
                    f"the download of {wanted.url} was broken off {_TRIES} times ({error}); try again, "
                    f"{kept / _MEGABYTE:.1f} MB are kept"
                ) from None
            wait(_PAUSE * 2**tries)


def _fetch(wanted: Wanted, progress: Progress) -> None:
    """One request. Raises _BrokenOffError if another one may go on from there."""
    start = _size(wanted.part)
    if wanted.bytes and start > wanted.bytes:
        start = 0
    marker = _marker(wanted.part) if start else ""
    if not marker and not wanted.checked:
        start = 0  # nothing would tell that the two halves are of different files
    headers = {"User-Agent": "video-mocap", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if marker:
            headers["If-Range"] = marker  # another file by now: from its beginning, please
    try:
        answer = urllib.request.urlopen(urllib.request.Request(wanted.url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:  # it has no byte after ours: what we have may be all, or of another file
            _end_of(wanted, start, error.headers.get("Content-Range", ""))
            return
        if error.code >= 500 or error.code in (408, 429):
            raise _BrokenOffError(f"the server answered {error.code}") from None
        reason = " ".join(str(error.reason).split())
        raise UserError(f"{wanted.url} cannot be fetched: the server answered {error.code} {reason}") from None
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        raise _unreachable(wanted.url, error) from None
    with answer:
        if wanted.url.startswith("https:") and not answer.url.startswith("https:"):
            raise UserError(f"{wanted.url} leads to {answer.url}, which is not encrypted: it was not fetched")
        _receive(answer, wanted, start, progress)


def _receive(answer: Any, wanted: Wanted, start: int, progress: Progress) -> None:
    kind = answer.headers.get_content_type()
    if kind == "text/html":
        raise UserError(
            f"{wanted.url} gives a web page, not a file: the network here may want a log-in, or the file has moved"
        )
    if answer.status != 206 or not _goes_on(answer, start):
        start = 0  # the server sends all of it
    announced = answer.headers.get("Content-Length", "")
    total = start + int(announced) if announced.isdigit() else 0
    if wanted.bytes and total and total != wanted.bytes:
        raise UserError(f"{wanted.url} has {total} bytes, but {wanted.bytes} are expected: it is another file")
    try:
        with wanted.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            _note(wanted.part, answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
            done = _copy(answer, file, start, total or wanted.bytes or wanted.about, wanted, progress)
    except OSError as error:
        raise UserError(f"cannot write {wanted.part}: {error.strerror or error}") from None
    if done < (total or wanted.bytes):
        raise _BrokenOffError(f"after {done} of {total or wanted.bytes} bytes")


def _copy(answer: Any, file: Any, done: int, total: int, wanted: Wanted, progress: Progress) -> int:
    """Append what comes; returns the size of the file."""
    while True:
        progress.step(STAGE, done // _MEGABYTE, max(total, done) // _MEGABYTE, "MB")
        try:
            piece = answer.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            file.flush()
            raise _BrokenOffError(str(error) or type(error).__name__) from None
        if not piece:
            progress.step(STAGE, done // _MEGABYTE, done // _MEGABYTE, "MB")
            return done
        file.write(piece)
        done += len(piece)
        if wanted.bytes and done > wanted.bytes:
            raise UserError(f"{wanted.url} gives more than the {wanted.bytes} bytes that are expected")


def _end_of(wanted: Wanted, start: int, content_range: str) -> None:
    """After 416: the file is whole if the server says that it has exactly as many bytes; else it begins anew."""
    found = re.fullmatch(r"bytes \*/(\d+)", content_range)
    if found is None or int(found[1]) != start:
        wanted.part.unlink(missing_ok=True)
        raise _BrokenOffError("the server has another file now")


def _goes_on(answer: Any, start: int) -> bool:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == start


def _unreachable(url: str, error: Exception) -> Exception:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return UserError(f"{url} cannot be fetched: its certificate is not trusted here ({reason.verify_message})")
    return _BrokenOffError(" ".join(str(reason).split()) or type(error).__name__)


def forget(part: Path) -> None:
    """Remove a file that grew, and what is noted of it."""
    part.unlink(missing_ok=True)
    _marker_path(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _marker_path(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _marker(part: Path) -> str:
    try:
        return _marker_path(part).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _note(part: Path, marker: str) -> None:
    # A weak tag does not promise the same bytes.
    _marker_path(part).write_text("" if marker.startswith("W/") else marker, encoding="utf-8")
