# SPDX-License-Identifier: GPL-3.0-or-later
"""What this installation can be asked for, without importing anything heavy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from ..detection.base import DETECTORS
from ..models import Listed, Model, list_models, usable_detectors
from .models import Choice, Options, Weights


def detectors() -> list[Choice]:
    """The detectors that need no more weights."""
    return [Choice(name=name, licence=DETECTORS[name].licence, non_commercial=False) for name in usable_detectors()]


def lifters(shipped: Sequence[Model]) -> list[Choice]:
    """The lifters that are here now: those that came with the installation, looked at before, and fetched ones."""
    return [
        Choice(name=each.name, licence=each.licence, non_commercial=each.non_commercial)
        for each in list_models(shipped)
        if each.kind == "lifter" and each.here
    ]


def weights(shipped: Sequence[Model]) -> list[Weights]:
    """All of the catalogue, here or not, as `video-mocap models list` shows it."""
    return [_described(each) for each in list_models(shipped)]


def _described(each: Listed) -> Weights:
    return Weights(**{name: getattr(each, name) for name in Weights.model_fields})


def qualities() -> list[str]:
    """Names of the presets, from quick to thorough."""
    return list(get_args(Options.model_fields["quality"].annotation))
