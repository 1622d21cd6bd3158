# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's data folder: one service at a time, private files, its token and its address."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import IO, Any

from ..errors import UserError
from ..files import hold

TOKEN_VARIABLE = "VIDEO_MOCAP_TOKEN"
#: What a token that somebody chose must have at least, for a service that other machines reach.
LEAST_TOKEN = 16


class DataFolder:
    """An open data folder, held by an OS lock until `close` or the end of the process, however that comes.

    Raises UserError if it cannot be made or written, or another service holds it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        try:
            for folder in (self.root, self.jobs, self.uploads, self.cache):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock: IO[bytes] = (self.root / "lock").open("ab")
        except OSError as error:
            raise _cannot(self.root, error) from None
        try:
            hold(self._lock)
        except OSError:
            self._lock.close()
            raise UserError(
                f"another service works in {self.root} already; use that one, or another folder with --data"
            ) from None
        try:
            (self.root / ".try").write_bytes(b"1")
            (self.root / ".try").unlink()
        except OSError as error:
            self._lock.close()
            raise _cannot(self.root, error) from None

    @property
    def jobs(self) -> Path:
        """A folder for each job."""
        return self.root / "jobs"

    @property
    def uploads(self) -> Path:
        """A folder for each upload that no job has taken yet."""
        return self.root / "uploads"

    @property
    def cache(self) -> Path:
        """Stages that need not be computed again."""
        return self.root / "cache"

    def token(self) -> str:
        """The token that clients must show: from the environment, else the one kept here, else a new one, kept."""
        chosen = os.environ.pop(TOKEN_VARIABLE, None)  # not for the worker's environment
        if chosen is not None:
            if not _is_token(chosen):
                raise UserError(f"{TOKEN_VARIABLE} must be ASCII without spaces, and not empty")
            return chosen
        file = self.root / "token"
        try:
            kept = file.read_text("ascii").strip()
            file.chmod(0o600)
            if _is_token(kept):
                return kept
        except (OSError, UnicodeDecodeError):
            pass
        token = secrets.token_urlsafe(32)
        write_private(file, token + "\n")
        return token

    def announce(self, facts: dict[str, Any]) -> None:
        """Write server.json: where the service is, for clients on this machine."""
        write_private(self.root / "server.json", json.dumps(facts, indent=1) + "\n")

    def close(self) -> None:
        """Take the address back and let go of the folder."""
        with contextlib.suppress(OSError):
            (self.root / "server.json").unlink(missing_ok=True)
        self._lock.close()


def write_private(path: Path, text: str) -> None:
    """A file that only its owner can read, whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _cannot(root: Path, error: OSError) -> UserError:
    return UserError(
        f"the data folder {root} cannot be used: {error.strerror or error}; choose another one with --data"
    )
