# SPDX-License-Identifier: GPL-3.0-or-later
"""What this installation can be asked for, without importing anything heavy."""

from __future__ import annotations

from typing import get_args

from ..detection.base import DETECTORS
from ..models import shipped_models
from .models import Choice, Options


def detectors() -> list[Choice]:
    """The table of detectors."""
    return [Choice(name=name, licence=entry.licence) for name, entry in DETECTORS.items()]


def lifters() -> list[Choice]:
    """The weights that came with the installation: "default" is the first one's name in a capture's options."""
    found = [model for model in shipped_models() if model.sidecar is not None]
    return [
        Choice(name="default" if number == 0 else str(model.path), licence=model.sidecar.licence)
        for number, model in enumerate(found)
        if model.sidecar is not None
    ]


def lifter_names() -> frozenset[str]:
    """Of those."""
    return frozenset(choice.name for choice in lifters())


def qualities() -> list[str]:
    """Names of the presets, from quick to thorough."""
    return list(get_args(Options.model_fields["quality"].annotation))
