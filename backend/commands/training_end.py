# SPDX-License-Identifier: GPL-3.0-or-later
"""What every `video-mocap train` says when it ends, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .console import Console


def say_how_far(console: Console, run: Path, step: int, total: int, **more: object) -> int:
    """Report `step` of `total` steps of the training in folder `run`, and what else there is; the exit status."""
    console.close()
    state = "finished" if step >= total else f"stopped after {step} of {total} steps; the same command goes on"
    console.result({"run": str(run), "steps": step, "of": total, **more}, [f"{run}: {state}"])
    return 0
