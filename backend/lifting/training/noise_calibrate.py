# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise drawn for people whose truth is known, and numbers that make it as large as the measured one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .detector_noise import add_noise
from .noise_confidence import confidences
from .noise_numbers import AS_MEASURED, Noise, Spread, noise_of
from .noise_statistics import KIND_OF, Cleaned, Recording, clean, summary


def simulate(
    recordings: Sequence[Recording], noise: Noise, spread: Spread = AS_MEASURED, copies: int = 1, seed: int = 0
) -> list[Recording]:
    """The same people before a detector of which only `noise` is known; `copies` times each."""
    generator = torch.Generator().manual_seed(seed)
    out = []
    for recording in [*recordings] * copies:
        hidden, outside = (torch.tensor(flag)[None] for flag in (recording.hidden, recording.outside))
        known = recording.true.copy()
        known[:, :5] = np.where(np.isfinite(known[:, :5]), known[:, :5], known[:, :1])  # a face without eyes and ears
        true = torch.tensor(np.nan_to_num(known), dtype=torch.float32)[None]
        pixels = torch.tensor([recording.pixels], dtype=torch.float32)
        size = torch.ones(true.shape[:2])
        found = add_noise(true, size, hidden, outside, recording.fps, generator, noise, spread, pixels)
        detected = found[0].numpy().astype(float)
        detected[detected[..., 2] <= 0] = (np.nan, np.nan, 0)
        out.append(replace(recording, detected=detected))
    return out


def calibrate(numbers: dict[str, Any], recordings: Sequence[Recording], rounds: int = 4) -> dict[str, Any]:
    """The numbers changed until noise drawn from them has the measured summary on the same motion.

    What a state, a joint's speed, heavy tails and the size of a person each do to the noise is measured one at a time,
    so together they come out up to a third too loud.
    """
    aim = summary(recordings)
    tables = {name: np.array(numbers[name]) for name in ("deviation", "rank", "error")}
    for seed in range(rounds):
        drawn = simulate(recordings, noise_of({**numbers, **tables}), copies=8, seed=seed)
        ratio = np.clip(aim / np.where(np.abs(now := summary(drawn)) > 1e-6, now, np.nan), 0.5, 2)
        ratio = np.where(np.isfinite(ratio), ratio, 1.0)[KIND_OF]
        deviation = tables["deviation"]
        deviation[:, 0] *= ratio[:, 0]
        deviation[:, 1:3] *= ratio[:, [1]]
        deviation[:, 3:] *= ratio[:, [2]]
        wanted = tables["rank"] + 0.7 * (aim - now)[KIND_OF, 6]
        tables["rank"] = np.clip(np.nan_to_num(wanted), 0, 0.95)
        # What counts as a large error is what is large among the simulated ones.
        tables["error"] = confidences(drawn, *_noise_in(drawn, numbers))[0]
    return {**numbers, **{name: table.tolist() for name, table in tables.items()}}


def _noise_in(recordings: Sequence[Recording], numbers: dict[str, Any]) -> tuple[list[Cleaned], list[np.ndarray]]:
    """Simulated recordings cleaned, and their errors without the bias."""
    found, bias = [clean(recording) for recording in recordings], np.array(numbers["bias"])
    return found, [
        one.error - np.einsum("jk,fkx->fjx", bias, np.nan_to_num(recording.true))
        for recording, one in zip(recordings, found, strict=True)
    ]
