# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of published VideoPose3D checkpoints, which come without a sidecar.

The catalogue describes those that it lists, wherever the file lies, by its name. Of others the weights tell nothing but
counts; notes beside them (`X.json` beside `X.bin`) may say as much as is known, which is less than a sidecar has to:
`{"joints_in": "h36m-17", "causal": true, "fps": 50, "licence": "CC0-1.0", "trained_on": "my own motion"}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...rigging.joints import COCO17, H36M17
from ..errors import UserError
from .sidecar import Sidecar

#: What notes may hold.
_NOTES: Mapping[str, tuple[type, ...]] = {
    "joints_in": (str,),
    "causal": (bool,),
    "fps": (int, float),
    "licence": (str,),
    "trained_on": (str,),
}
_SETS = {joints.name: joints for joints in (COCO17, H36M17)}
_ASSUMED: Mapping[str, Any] = {"fps": 50.0, "licence": "CC BY-NC 4.0 (assumed)", "trained_on": "Human3.6M (assumed)"}


def read_notes(path: Path) -> dict[str, Any] | None:
    """The notes beside a checkpoint at `path`; None where a sidecar lies there instead, or nothing.

    Raises UserError if they say something that is not possible.
    """
    beside = path.with_suffix(".json")
    try:
        notes = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # nothing there, or what the reader of sidecars will complain about
    if not isinstance(notes, dict) or not notes or notes.keys() - _NOTES.keys():
        return None
    for key, value in notes.items():
        if not isinstance(value, _NOTES[key]) or (isinstance(value, bool) and key != "causal"):
            raise UserError(f"{beside}: {key} must be a {_NOTES[key][-1].__name__}, not {value!r}")
    if notes.get("joints_in", COCO17.name) not in _SETS:
        raise UserError(f"{beside}: joints_in must be {' or '.join(_SETS)}, not {notes['joints_in']!r}")
    if not 1 <= notes.get("fps", 50) <= 1000:
        raise UserError(f"{beside}: fps must lie between 1 and 1000, not {notes['fps']}")
    return notes


def describe_published(
    path: Path, loaded: Any, counts: tuple[int, int, int], notes: Mapping[str, Any], joint_set: str | None, causal: bool
) -> tuple[Sidecar, tuple[str, ...]]:
    """The sidecar of a published VideoPose3D checkpoint, and warnings, one sentence each, about what is assumed.

    loaded: what the file holds. counts: joints in, features, joints out, as its weights have them. notes: beside it.
    joint_set: "coco-17" or "h36m-17", the 2D joints that the network was trained on; None takes them from the notes,
    from the catalogue or from the layout (mmpose trains on Human3.6M's), or assumes COCO-17.
    Raises UserError if nothing can be assumed.
    """
    joints_in, features, joints_out = counts
    if (joints_in, joints_out) != (17, 17):
        raise UserError(
            f"{path} takes {joints_in} joints and gives {joints_out}, and weights do not say which: "
            f"describe them in {path.with_suffix('.json').name} beside it"
        )
    if joint_set is not None and joint_set not in _SETS:
        raise UserError(f"a published checkpoint takes the joints {' or '.join(_SETS)}, not {joint_set}")
    warnings = []
    known = {**_from_catalogue(path), **notes}
    if not {"fps", "licence"} <= known.keys():
        warnings.append(f"{path.name} has no sidecar: 50 frames per second and the licence CC BY-NC 4.0 are assumed")
    known.pop("causal", None)
    found = known.pop("joints_in", None)
    found = joint_set or found or (H36M17.name if _is_mmpose(loaded) else None)
    if found is None:
        warnings.append(f"{path.name} does not say which 2D joints it takes: {COCO17.name} is assumed")
    sidecar = Sidecar(
        # Two networks that differ in this alone have the same weights: the name must tell them apart.
        **{"name": path.stem, "version": "unknown, causal" if causal else "unknown", **_ASSUMED, **known},
        joints_in=_SETS[found or COCO17.name].names,
        joints_out=H36M17.names,
        normalisation="screen",
        features=features,
        causal=causal,
    )
    return sidecar, tuple(warnings)


def _from_catalogue(path: Path) -> dict[str, Any]:
    from ..catalogue.entries import read_catalogue

    for entry in read_catalogue():
        if entry.kind == "lifter" and entry.file == path.name:
            described = {"name": entry.name, "licence": entry.licence, "trained_on": entry.trained_on}
            return {**described, "joints_in": entry.joints_in, "fps": entry.fps}
    return {}


def _is_mmpose(loaded: Any) -> bool:
    state = loaded.get("state_dict", loaded) if isinstance(loaded, Mapping) else {}
    return isinstance(state, Mapping) and "backbone.expand_conv.conv.weight" in state
