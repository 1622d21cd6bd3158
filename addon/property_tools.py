# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What declarations of saved properties share."""

from __future__ import annotations

from types import TracebackType

import bpy

#: Options of a path that may be relative to the .blend; Blender wants to be told since 4.5.
RELATIVE = {"ANIMATABLE"} | ({"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set())


class Quiet:
    """Tells update functions that a value was set by us, not by the user: true inside `with`, which may be nested."""

    def __init__(self) -> None:
        self._depth = 0

    def __bool__(self) -> bool:
        return self._depth > 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
