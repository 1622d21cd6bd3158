# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Data-blocks over time: work in pieces may not hold on to them, because undo, delete and load replace or free them."""

from __future__ import annotations

from typing import Any

import bpy


class GoneError(Exception):
    """What work in pieces was working on is not there any more."""


class Block:
    """A data-block to be looked up again: by its number, which is unique in a session and survives undo and rename."""

    def __init__(self, kind: str, block: bpy.types.ID) -> None:
        """kind: name of its list in bpy.data, such as "objects"."""
        self._kind, self._name, self._number = kind, block.name, block.session_uid

    def get(self) -> Any:
        """The data-block. Raises GoneError."""
        blocks = getattr(bpy.data, self._kind)
        found = blocks.get(self._name)
        if found is not None and found.session_uid == self._number:
            return found
        for found in blocks:
            if found.session_uid == self._number:
                self._name = found.name
                return found
        raise GoneError
