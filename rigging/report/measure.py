# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a take: a pure function of it, JSON-able, kept in `metadata["report"]`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..take import Take
from . import sources
from .person import person_report

KEY = "report"
#: Raised whenever its numbers change what they mean: earlier reports are then made anew.
_VERSION = 1


def report(take: Take) -> dict[str, Any]:
    """The numbers of everybody, and where camera and world come from; docs/architecture.md says what each one is."""
    camera, world = sources.camera(take), sources.world(take)
    return {
        "version": _VERSION,
        "persons": {str(int(person)): person_report(take, row) for row, person in enumerate(take.person_ids)},
        "camera": camera,
        "world": world,
        "guessed": sources.guessed(camera, world),
    }


def with_report(take: Take) -> Take:
    """The take with its report in the metadata."""
    return replace(take, metadata={**take.metadata, KEY: report(take)})


def report_of(take: Take) -> dict[str, Any]:
    """The report that a take brought; a new one if it brought none, or one of other people or of another version."""
    kept = take.metadata.get(KEY)
    if not isinstance(kept, dict) or kept.get("version") != _VERSION:
        return report(take)
    ids = {str(int(person)) for person in take.person_ids}
    return kept if set(kept.get("persons") or ()) == ids else report(take)
