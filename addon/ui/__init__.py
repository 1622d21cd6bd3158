# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Panels and operators of the sidebars. (The preferences register their own.)"""

from __future__ import annotations


def _classes() -> tuple[type, ...]:
    from . import (
        capture_operators,
        capture_panels,
        clean_operators,
        footage_panels,
        in_front,
        job_operators,
        people_operators,
        report_panels,
        retarget_operators,
        retarget_panels,
        settings_operators,
        shot_operators,
        shot_panels,
        take_operators,
        take_panels,
    )

    operators = (
        capture_operators,
        job_operators,
        take_operators,
        people_operators,
        clean_operators,
        retarget_operators,
        settings_operators,
        shot_operators,
        in_front,
    )
    panels = (footage_panels, shot_panels, capture_panels, take_panels, in_front, report_panels, retarget_panels)
    return (*(cls for part in operators for cls in part.CLASSES), *(cls for part in panels for cls in part.PANELS))


def register() -> None:
    """Declare panels and operators."""
    import bpy

    for cls in _classes():
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Take them back."""
    import bpy

    for cls in reversed(_classes()):
        bpy.utils.unregister_class(cls)
