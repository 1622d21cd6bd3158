# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between client and service: a code for programs, one sentence for people."""

from __future__ import annotations

import errno
from typing import Any

STATUS: dict[str, int] = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "wrong_version": 404,
    "conflict": 409,
    "too_large": 413,
    "too_many": 429,
    "internal": 500,
    "disk_full": 507,
}
#: No space, quota used up, larger than a file may be.
FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


class ApiError(Exception):
    """An answer that is not what the client asked for.

    code: a key of STATUS. message: one sentence. extra: what stands beside "error" in the answer.
    """

    def __init__(self, code: str, message: str, extra: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.extra = code, message, extra or {}

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {"error": {"code": self.code, "message": self.message}, **self.extra}


def from_exception(error: Exception) -> ApiError:
    """Whatever a handler raised as an answer; names of files of the service stay inside."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        return ApiError("disk_full", "the disk of the service is full; free some space there and try again")
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return ApiError("internal", f"the service cannot use its data folder: {reason}")
    return ApiError("internal", f"unexpected {type(error).__name__} in the service; its log says more")
