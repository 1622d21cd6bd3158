# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact network: features of one foot over time to how surely its heel and toe stand, and stand on the floor.

Three temporal convolutions and a linear layer; a few matrix products, so NumPy is fast enough and nothing need be
loaded for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

WEIGHTS = Path(__file__).parent / "weights" / "contacts.safetensors"
#: Dilations of the convolutions of width 5: the network sees 21 frames, 0.7 s.
DILATIONS = (1, 2, 2)
WIDTH, CHANNELS = 5, 32
#: What it gives of a foot: logits that heel and toe stand, and that what they stand on is the floor.
OUTPUTS = 3


@dataclass(frozen=True)
class ContactNetwork:
    """mean, scale: (D,) of the features. layers: kernels (C, C', 5) with biases (C,), and (3, C, 1) with (3,)."""

    mean: np.ndarray
    scale: np.ndarray
    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    def logits(self, features: np.ndarray) -> np.ndarray:
        """(B, G, 3) of features (B, G, D)."""
        x = (features - self.mean) / self.scale
        for (kernel, bias), dilation in zip(self.layers[:-1], DILATIONS, strict=True):
            reach = dilation * (WIDTH // 2)
            padded = np.pad(x, ((0, 0), (reach, reach), (0, 0)), mode="edge")
            frames = x.shape[1]
            x = bias + sum(
                padded[:, tap * dilation : tap * dilation + frames] @ kernel[:, :, tap].T for tap in range(WIDTH)
            )
            x = np.maximum(x, 0.0)
        kernel, bias = self.layers[-1]
        return x @ kernel[:, :, 0].T + bias


def network_of(tensors: Mapping[str, np.ndarray]) -> ContactNetwork:
    """The network of tensors by name: `mean`, `scale`, `layers.N.weight`, `layers.N.bias`."""
    count = len(DILATIONS) + 1
    layers = tuple((tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"]) for i in range(count))
    return ContactNetwork(tensors["mean"], tensors["scale"], layers)


@lru_cache(1)
def shipped() -> ContactNetwork:
    """The network that the product carries."""
    return network_of(load_file(WEIGHTS))
