# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The choices in the panel as options of a retargeting, and options back into the panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bpy

from ...rigging.blender.rate import scene_rate
from ...rigging.blender.units import metres_per_unit
from ...rigging.retarget.options import Options
from ...rigging.retarget.settings import options_of, table_of
from .settings import INFLUENCES, chosen

#: Fields of `Options` that are lists in the panel, and those that are the same there.
_LISTS = ("keys", "smoothing", "root", "limbs", "action")
_SAME = ("tolerance", "strength", "feet", "limits", "loop", "scale")


def options(scene: bpy.types.Scene, name: str = "", start_frame: int = 1) -> Options:
    """What the choices come to. Raises ValueError, in one sentence, where they cannot be."""
    settings, metres = scene.video_mocap.retarget, metres_per_unit(scene)
    trim = (settings.trim_start or None, settings.trim_end or None) if settings.use_trim else (None, None)
    found = Options(
        scene_fps=scene_rate(scene),
        start_frame=start_frame,
        name=name,
        influence={part: getattr(settings, one) for one, part in INFLUENCES.items() if getattr(settings, one) < 1},
        trim=trim,
        offset=(metres * settings.offset[0], metres * settings.offset[1], metres * settings.offset[2]),
        **{option: chosen(getattr(settings, option)) for option in _LISTS},
        **{option: getattr(settings, option) for option in _SAME},
    )
    found.check()
    return found


def table(scene: bpy.types.Scene) -> dict[str, Any]:
    """The choices as `[retarget]` of a settings file. Raises ValueError, in one sentence, where they cannot be."""
    return table_of(options(scene))


def apply_table(scene: bpy.types.Scene, given: Mapping[str, Any]) -> None:
    """Set the choices to those of a table, which must be good; what it leaves out gets its default."""
    settings, wanted, metres = scene.video_mocap.retarget, options_of(given), metres_per_unit(scene)
    for option in _LISTS:
        setattr(settings, option, getattr(wanted, option).upper().replace(" ", "_").replace("-", "_"))
    for option in _SAME:
        setattr(settings, option, getattr(wanted, option))
    for name, part in INFLUENCES.items():
        setattr(settings, name, wanted.part_influence_of(part))
    settings.offset = [one / metres for one in wanted.offset]
    start, end = wanted.trim
    settings.use_trim = start is not None or end is not None
    settings.trim_start, settings.trim_end = start or 0.0, end or 0.0
