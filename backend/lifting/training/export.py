# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a training run into weights: half precision, with what a confidence means and whom to thank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.optimize import isotonic_regression

from ....rigging.joints import COCO17
from ...training.course import LAST
from ..checkpoint import save_checkpoint
from ..sidecar import Sidecar
from .motion import MotionSet
from .networks import build_network
from .settings import OUTPUTS, Settings, settings_from
from .train import read_run
from .validation import sampled_errors

ACKNOWLEDGEMENTS = (
    "Trained on motion captured by Carnegie Mellon University (the data used in this project was obtained from "
    "mocap.cs.cmu.edu; the database was created with funding from NSF EIA-0196217) and by the SNU Movement Research "
    "Lab: VSports (Copyright 2020 Jehee Lee), TillingPatch and ys2010 (Copyright 2019 Jehee Lee), "
    "InteractiveAnimation (Copyright 2019 Kyungho Lee), Apache-2.0; TimeCriticalResponse (Copyright 2020 NCSOFT "
    "Corporation and SNU R&D Foundation), BSD-3-Clause; DataDrivenBipedController (Copyright 2013 Yoonsang Lee), MIT. "
    "The motion was converted, cut, completed and given other body proportions."
)
#: A joint's confidence is the probability that it lies within so many metres of the truth, both from the pelvis.
NEAR = 0.1
_KNOTS = 16


def calibrate(log_errors: np.ndarray, errors: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What an expected error means as a probability to be within `NEAR`.

    log_errors, errors: (N,) the logarithm of expected errors, and the true ones, metres. Returns the knots (logarithms
    of metres, increasing) and the probabilities at them (not increasing), by isotonic regression over all N.
    """
    order = np.argsort(log_errors)
    fitted = isotonic_regression((errors[order] < NEAR).astype(np.float64), increasing=False).x
    groups = np.array_split(np.arange(len(order)), _KNOTS)
    knots = [float(np.mean(log_errors[order][group])) for group in groups]
    values = [float(np.mean(fitted[group])) for group in groups]
    return tuple(round(knot, 4) for knot in knots), tuple(round(value, 4) for value in values)


def export(run: Path, output: Path, version: str, validation: MotionSet) -> Sidecar:
    """Write the averaged weights of a run as `output` (.safetensors) with its sidecar.

    validation: people that the run has not seen; on them confidences are calibrated.
    Raises UserError if there is no run or the files cannot be written.
    """
    state = read_run(run / LAST)
    settings = settings_from(state["settings"])
    model = build_network(settings).to(validation.device)
    model.load_state_dict(state["average"])
    model = model.half().float().eval()
    knots, values = calibrate(*sampled_errors(model.with_errors, validation, settings, seed=2))
    return save_checkpoint(output, model.half(), _sidecar(settings, version, knots, values))


def _sidecar(settings: Settings, version: str, knots: tuple[float, ...], values: tuple[float, ...]) -> Sidecar:
    return Sidecar(
        name=settings.name,
        version=version,
        joints_in=COCO17.names,
        joints_out=OUTPUTS,
        normalisation="person",
        features=3,
        causal=settings.network.causal,
        fps=settings.data.fps,
        licence="CC BY 4.0",
        trained_on="CMU and SNU motion capture, virtual cameras, a detector's noise as measured",
        acknowledgements=ACKNOWLEDGEMENTS,
        confidence_knots=knots,
        confidence_values=values,
    )
