# SPDX-License-Identifier: GPL-3.0-or-later
"""Where networks run."""

from __future__ import annotations

import torch

from ..errors import UserError

DEVICES = ("auto", "cpu", "cuda")


def pick_device(name: str = "auto") -> torch.device:
    """The device called "auto" (a CUDA GPU where there is one), "cpu" or "cuda"; UserError if it is not there."""
    if name not in DEVICES:
        raise UserError(f"the device must be one of {', '.join(DEVICES)}, not {name}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("no CUDA GPU is available to PyTorch here; use the device auto or cpu")
    return torch.device("cuda" if available and name != "cpu" else "cpu")
