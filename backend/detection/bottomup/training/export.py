# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn a training run into weights, in half precision."""

from __future__ import annotations

from pathlib import Path

from ....training.course import LAST
from ..fields import Layout, limbs_of
from ..network import build_network, plain
from ..weights import Card, save_network
from .settings import architecture, settings_from
from .train import read_run


def export(run: Path, output: Path, version: str) -> Card:
    """Write the averaged weights of a run as `output` (.safetensors) and what they are beside it.

    Raises UserError if there is no run or the files cannot be written.
    """
    state = read_run(run / LAST)
    settings = settings_from(state["settings"])
    names = tuple(state["names"])
    made = architecture(settings, Layout(names, limbs_of(names)).maps)
    network = build_network(made)
    network.load_state_dict(state["average"])
    card = Card(
        name=settings.name,
        version=version,
        network=plain(made),
        names=names,
        size=settings.data.size,
        licence=settings.licence,
        trained_on=f"labelled pictures, {state['step']} steps of {settings.schedule.batch}",
        foreground=settings.loss.foreground,
    )
    return save_network(output, network.half(), card)
