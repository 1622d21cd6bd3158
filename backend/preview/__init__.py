# SPDX-License-Identifier: GPL-3.0-or-later
"""Preview: a video that shows what was captured, the footage with skeletons on it beside a 3D view of the take."""

from __future__ import annotations

from .compose import draw_frame
from .view import View, fit_view
from .write import write_preview

__all__ = ["View", "draw_frame", "fit_view", "write_preview"]
