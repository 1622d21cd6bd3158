# SPDX-License-Identifier: GPL-3.0-or-later
"""Any failure as one sentence for the user."""

from __future__ import annotations

import errno

from ..errors import UserError

HINT = "run it again with --debug for the traceback"


def sentence(error: BaseException) -> str:
    """What went wrong, on one line, for stderr. What the user cannot act on ends with a hint at --debug."""
    if isinstance(error, UserError) or type(error).__name__ == "FileFormatError":
        return _one_line(str(error))
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("video_mocap"):
        return f"the Python package {error.name} is not installed; 'python3 build.py setup' installs what is missing"
    if isinstance(error, MemoryError):
        return "there is not enough memory; a shorter stretch (--start, --end) or smaller footage needs less"
    if type(error).__name__ == "OutOfMemoryError":
        return "the GPU has not enough memory; --device cpu works without it"
    return f"unexpected {type(error).__name__}: {_one_line(str(error)) or 'no message'}; {HINT}"


def _system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename is not None else ""
    if error.errno == errno.ENOSPC:
        return f"{where}the disk is full"
    if error.errno is None:
        return _one_line(str(error)) or type(error).__name__
    return f"{where}{error.strerror or error}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
