# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network settings mean."""

from __future__ import annotations

from ....rigging.joints import COCO17, TAKE
from ..linear import LinearArchitecture, LinearModel
from ..network import Architecture, StridedTemporalModel, TemporalModel
from .settings import OUTPUTS, Settings

Network = TemporalModel | StridedTemporalModel | LinearModel


def architecture_of(settings: Settings) -> Architecture | LinearArchitecture:
    """COCO-17 with confidence in; the take's joints, up and the root out, and an expected error per joint."""
    n = settings.network
    if n.kind == "linear":
        return LinearArchitecture(
            len(COCO17),
            3,
            len(OUTPUTS),
            channels=n.channels,
            dropout=n.dropout,
            error_outputs=len(TAKE),
            causal=n.causal,
        )
    return Architecture(
        joints_in=len(COCO17),
        features=3,
        joints_out=len(OUTPUTS),
        widths=n.widths,
        causal=n.causal,
        channels=n.channels,
        dropout=n.dropout,
        direct=n.direct,
        error_outputs=len(TAKE),
    )


def build_network(settings: Settings, strided: bool = False) -> Network:
    """The network with random weights. strided: the form of the temporal one that learns one frame of each window."""
    architecture = architecture_of(settings)
    if isinstance(architecture, LinearArchitecture):
        return LinearModel(architecture)
    return StridedTemporalModel(architecture) if strided else TemporalModel(architecture)
