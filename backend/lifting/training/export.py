# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a training run into the weights that ship.

    python -m video_mocap.backend.lifting.training.export --run RUN_FOLDER --version 1

Writes half-precision safetensors and their sidecar to backend/lifting/weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ....rigging.joints import COCO17, TAKE
from ..checkpoint import save_checkpoint
from ..network import TemporalModel
from ..sidecar import Sidecar
from .train import Settings

ACKNOWLEDGEMENTS = (
    "Trained on motion captured by Carnegie Mellon University (the data used in this project was obtained from "
    "mocap.cs.cmu.edu; the database was created with funding from NSF EIA-0196217) and by the SNU Movement Research "
    "Lab: VSports (Copyright 2020 Jehee Lee), TillingPatch and ys2010 (Copyright 2019 Jehee Lee), "
    "InteractiveAnimation (Copyright 2019 Kyungho Lee), Apache-2.0; TimeCriticalResponse (Copyright 2020 NCSOFT "
    "Corporation and SNU R&D Foundation), BSD-3-Clause; DataDrivenBipedController (Copyright 2013 Yoonsang Lee), MIT. "
    "The motion was converted, cut, completed and given other body proportions."
)


def export(run: Path, output: Path, version: str) -> Sidecar:
    """Write the newest state of a run as `output` (.safetensors) with its sidecar."""
    state = torch.load(run / "last.pt", weights_only=True)
    settings = Settings(**state["settings"]) if "settings" in state else Settings()
    model = TemporalModel(settings.architecture)
    model.load_state_dict(state["model"])
    sidecar = Sidecar(
        name="temporal-coco17-take26",
        version=version,
        joints_in=COCO17.names,
        joints_out=(*TAKE.names, "up"),
        normalisation="person",
        features=3,
        causal=False,
        fps=settings.fps,
        licence="CC BY 4.0",
        trained_on="CMU and SNU motion capture, virtual cameras, simulated detector noise",
        acknowledgements=ACKNOWLEDGEMENTS,
    )
    return save_checkpoint(output, model.half(), sidecar)


def main() -> None:
    """Command line of the export."""
    parser = argparse.ArgumentParser(description="Export a training run as shipped weights.")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--version", default="1")
    default = Path(__file__).parents[1] / "weights" / "temporal-coco17-take26.safetensors"
    parser.add_argument("--output", type=Path, default=default)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    print(export(arguments.run, arguments.output, arguments.version).sha256)


if __name__ == "__main__":
    main()
