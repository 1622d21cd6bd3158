# SPDX-License-Identifier: GPL-3.0-or-later
"""The lifters there are. A new one is a file that gives a `Lifter` and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .lifter import Lifter
from .temporal import TemporalLifter

#: Name to a function of the weights' path, the device and whether to average with the mirror image.
LIFTERS: Mapping[str, Callable[[Path, str, bool], Lifter]] = {
    "temporal": TemporalLifter.from_file,
}
