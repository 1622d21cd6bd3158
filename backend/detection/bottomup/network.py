# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks there are, what they are given and what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .hourglass import STEMS, HourglassArchitecture, StackedHourglass
from .residual import DEPTHS, ResidualArchitecture, ResidualPyramid

Network = StackedHourglass | ResidualPyramid
Architecture = HourglassArchitecture | ResidualArchitecture
#: Pixels of the picture per cell of the maps, along each axis.
STRIDE = 4
TRUNKS: dict[str, tuple[Callable[..., Architecture], Callable[[Any], Network]]] = {
    "hourglass": (HourglassArchitecture, StackedHourglass),
    "fpn": (ResidualArchitecture, ResidualPyramid),
}


def build_network(architecture: Architecture) -> Network:
    """The network with random weights."""
    if isinstance(architecture, HourglassArchitecture):
        return StackedHourglass(architecture)
    return ResidualPyramid(architecture)


def architecture_of(values: dict[str, Any]) -> Architecture:
    """The reverse of `plain`. Raises ValueError, in one sentence, if there is no such network."""
    values = dict(values)
    trunk = values.pop("trunk", None)
    if trunk not in TRUNKS:
        raise ValueError(f"the trunk must be one of {', '.join(TRUNKS)}, not {trunk}")
    try:
        architecture = TRUNKS[trunk][0](**values)
    except TypeError as error:
        raise ValueError(f"there is no such {trunk} network ({error})") from None
    for name, value in asdict(architecture).items():
        if name != "stem" and (type(value) is not int or value < 1):
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    if isinstance(architecture, ResidualArchitecture) and architecture.depth not in DEPTHS:
        raise ValueError(f"depth must be one of {', '.join(map(str, DEPTHS))}, not {architecture.depth}")
    if isinstance(architecture, HourglassArchitecture):
        if architecture.stem not in STEMS:
            raise ValueError(f"stem must be one of {', '.join(STEMS)}, not {architecture.stem!r}")
        if architecture.channels % 4:
            raise ValueError(f"channels must be divisible by 4, not {architecture.channels}")
    return architecture


def plain(architecture: Architecture) -> dict[str, Any]:
    """JSON-able values that tell the network."""
    trunk = "hourglass" if isinstance(architecture, HourglassArchitecture) else "fpn"
    return {"trunk": trunk, **asdict(architecture)}


def to_input(pictures: np.ndarray, device: torch.device | None = None) -> Tensor:
    """(B, H, W, 3) uint8 RGB to the (B, 3, H, W) float32 that networks take, about -2 to 2."""
    given = torch.from_numpy(np.ascontiguousarray(pictures)).to(device)
    return ((given.float() / 255 - 0.5) / 0.25).permute(0, 3, 1, 2).contiguous()
