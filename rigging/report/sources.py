# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a take's camera and world come from: what was given, what was measured, what was guessed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..take import Take

#: Beginnings of what a take calls the source of a focal length, a level, a floor or a scale that nobody gave.
_GUESSED = ("assumed", "estimated", "lifted", "posture", "guess")
#: A camera that moves and turns by less than this (metres, radians) stands still.
_STILL = 1e-4


def camera(take: Take) -> dict[str, Any]:
    """Focal length, field of view, where they come from, and whether the camera moves; motion: what was found of that,
    where somebody looked."""
    focal, width = float(take.intrinsics[0, 0]), float(take.image_size[0])
    found: dict[str, Any] = {
        "focal_length_px": round(focal, 1),
        "field_of_view_degrees": round(float(np.degrees(2 * np.arctan(width / 2 / focal))), 1),
        "focal_length": _text(take.metadata.get("focal_length")),
        "moving": _moves(take.world_to_camera),
    }
    motion = _text(take.metadata.get("camera_motion"))
    found |= {} if motion is None else {"motion": motion}
    return found | _certainty(take.metadata.get("focal_length_certainty"))


def world(take: Take) -> dict[str, Any]:
    """Where level, floor and scale come from: for each a source, and how sure it is where the stages say so."""
    options, stages = (_table(take.metadata.get(key)) for key in ("options", "stages"))
    stage = _table(stages.get("world"))
    name = _text(stage.get("name"))
    known = name == "known camera"
    scale = "known camera" if known else "height given" if options.get("height") else "assumed" if name else None
    usual = {"level": name, "floor": "known camera" if known else "standing feet" if name else None, "scale": scale}
    return {key: _said(stage.get(key), source) for key, source in usual.items()}


def guessed(camera_of: dict[str, Any], world_of: dict[str, Any]) -> list[str]:
    """Which of focal_length and scale nobody gave or measured: what an animator may know better."""
    sources = {"focal_length": camera_of["focal_length"], "scale": world_of["scale"]["source"]}
    return [key for key, source in sources.items() if source and source.startswith(_GUESSED)]


def _said(value: object, usual: str | None) -> dict[str, Any]:
    """What a stage says of itself, as a text or a table with `source` and perhaps `certainty`; else what is usual."""
    said = _table(value)
    return {"source": _text(value) or _text(said.get("source")) or usual} | _certainty(said.get("certainty"))


def _certainty(value: object) -> dict[str, Any]:
    return {"certainty": value} if isinstance(value, int | float | str) else {}


def _moves(matrices: np.ndarray) -> bool:
    centres = -np.einsum("fji,fj->fi", matrices[:, :3, :3], matrices[:, :3, 3])
    turned = np.abs(matrices[:, :3, :3] - matrices[:1, :3, :3]).max()
    return bool(turned > _STILL or np.abs(centres - centres[:1]).max() > _STILL)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
