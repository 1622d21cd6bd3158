# SPDX-License-Identifier: GPL-3.0-or-later
"""The lifters there are. A new one is a file that gives a `Lifter` and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from . import linear, temporal
from .lifter import Lifter


@dataclass(frozen=True)
class Kind:
    """open: makes the lifter of the weights' path, the device and whether to average with the mirror image. tensor: one
    that only its weights have."""

    open: Callable[[Path, str, bool], Lifter]
    tensor: str


#: By name. Files that no other claims are the first one's, which says what is wrong with them.
LIFTERS: Mapping[str, Kind] = {
    "temporal": Kind(temporal.TemporalLifter.from_file, "expand_conv.weight"),
    "linear": Kind(linear.LinearLifter.from_file, linear.FIRST),
}


def open_weights(path: Path, device: str, flip: bool) -> Lifter:
    """The lifter that the weights at `path` are for. flip: average with the mirror image. Raises UserError."""
    try:
        with safe_open(path, "pt") as file:
            tensors = set(file.keys())
    except (OSError, ValueError, SafetensorError):
        tensors = set()  # a pickle, or no weights at all
    kind = next((kind for kind in LIFTERS.values() if kind.tensor in tensors), LIFTERS["temporal"])
    return kind.open(path, device, flip)
