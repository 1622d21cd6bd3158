# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifters for tests: files as others publish them, and our own weights cut down to what others give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from video_mocap.backend.lifting.checkpoint import load_checkpoint, save_checkpoint
from video_mocap.backend.lifting.network import Architecture, TemporalModel
from video_mocap.backend.models import DEFAULT_WEIGHTS
from video_mocap.rigging.joints import H36M17


def random_model(widths: tuple[int, ...] = (3, 3, 3), channels: int = 16) -> TemporalModel:
    """A network with VideoPose3D's inputs and outputs that has learned nothing."""
    torch.manual_seed(len(widths))
    model = TemporalModel(Architecture(17, 2, 17, widths, channels=channels))
    # About as large as a person, so that it can be put before a camera.
    with torch.no_grad():
        model.shrink.weight *= 0.1
        model.shrink.bias.copy_(torch.from_numpy(STANDING).float().flatten())
    return model


#: Somebody who stands, metres in camera axes relative to the pelvis, in the order of H36M-17.
STANDING = np.array(
    [
        *((0, 0, 0), (-0.13, 0, 0), (-0.14, 0.43, 0), (-0.14, 0.85, 0.05)),
        *((0.13, 0, 0), (0.14, 0.43, 0), (0.14, 0.85, 0.05)),
        *((0, -0.25, 0), (0, -0.5, 0), (0, -0.58, -0.05), (0, -0.7, 0)),
        *((0.17, -0.47, 0), (0.25, -0.2, 0), (0.27, 0.05, -0.1)),
        *((-0.17, -0.47, 0), (-0.25, -0.2, 0), (-0.27, 0.05, -0.1)),
    ]
)


def videopose3d(path: Path, model: TemporalModel, legacy: bool = False, **more: object) -> Path:
    """A file as VideoPose3D's training writes it, generator of the shuffling included."""
    content = {
        "epoch": 80,
        "lr": np.float64(1e-3),
        "random_state": np.random.RandomState(1234),
        "optimizer": torch.optim.Adam(model.parameters(), amsgrad=True).state_dict(),
        "model_pos": model.state_dict(),
        "model_traj": None,
        "random_state_semi": None,
        **more,
    }
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def mmpose(path: Path, model: TemporalModel, head: str = "head", **more: torch.Tensor) -> Path:
    """The same network in mmpose's layout, whose last layer was called differently once; more: tensors beside it."""
    renamed = dict(more)
    for key, value in model.state_dict().items():
        part, *rest = key.split(".")
        if part.startswith("expand"):
            new = f"backbone.expand_conv.{part[7:]}.{rest[0]}"
        elif part == "shrink":
            new = f"{head}.conv.{rest[0]}"
        else:
            block, which = divmod(int(rest[0]), 2)
            new = f"backbone.tcn_blocks.{block}.conv{which + 1}.0.{part[7:]}.{rest[1]}"
        renamed[new] = value
    torch.save({"meta": {"version": "x"}, "state_dict": renamed}, path)
    return path


def without_feet(path: Path) -> Path:
    """Our own weights, but only the 17 joints that published ones give, and no up."""
    whole = load_checkpoint(DEFAULT_WEIGHTS)
    rows = [whole.sidecar.joints_out.index(name) for name in H36M17.names]
    state = dict(whole.state)
    for key in {"shrink.weight", "shrink.bias", "direct.weight"} & state.keys():
        state[key] = torch.cat([state[key][3 * row : 3 * row + 3] for row in rows])
    architecture = replace(whole.architecture, joints_out=len(rows))
    if "error.weight" in state:  # one for each of the first joints
        state |= {key: state[key][: len(rows)] for key in ("error.weight", "error.bias")}
        architecture = replace(architecture, error_outputs=len(rows))
    model = TemporalModel(architecture)
    model.load_state_dict(state)
    save_checkpoint(path, model, replace(whole.sidecar, name="without-feet", joints_out=H36M17.names))
    return path
