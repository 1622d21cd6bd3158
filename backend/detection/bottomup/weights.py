# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of a bottom-up network: `X.safetensors`, and beside it `X.json`, which says what they are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from ...errors import UserError
from ...files import whole_file
from ...lifting.checkpoint import read_weights
from ...lifting.sidecar import file_sha256
from .fields import Layout, limbs_of
from .network import Architecture, Network, architecture_of, build_network, plain

KIND = "bottomup"


@dataclass(frozen=True)
class Card:
    """Identity and terms of weights.

    network: as `network.plain`. names: (K,) joints. size: pixels of the longer side of a picture. licence, trained_on:
    texts for the user. foreground: of the loss, see `decode.likely`. sha256: of the weights' file.
    """

    name: str
    version: str
    network: dict[str, Any]
    names: tuple[str, ...]
    size: int
    licence: str
    trained_on: str
    foreground: float = 0.0
    sha256: str = ""
    kind: str = KIND

    @property
    def layout(self) -> Layout:
        """What the network's maps mean."""
        return Layout(self.names, limbs_of(self.names))

    @property
    def architecture(self) -> Architecture:
        """Raises ValueError, in one sentence."""
        return architecture_of(self.network)


def read_card(path: Path) -> Card:
    """What is said beside the weights at `path`. Raises UserError, in one sentence, if nothing is or it cannot be."""
    beside = path.with_suffix(".json")
    if not path.is_file():
        raise UserError(f"the weights {path} {'are a folder' if path.is_dir() else 'do not exist'}")
    try:
        data = json.loads(beside.read_text(encoding="utf-8"))
        if data.get("kind") != KIND:
            raise UserError(f"{path} holds no detector: {beside.name} describes other weights")
        data["names"] = tuple(map(str, data["names"]))
        card = Card(**data)
        if (
            card.architecture.outputs != card.layout.maps
            or card.size < 64
            or card.size % 64
            or not card.foreground >= 0
        ):
            raise ValueError("its numbers do not fit together")
    except OSError:
        raise UserError(f"{path} needs {beside.name} beside it, which 'video-mocap train export' writes") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{beside} does not describe a detector's weights: {error}") from None
    return card


def open_network(path: Path, card: Card, device: torch.device) -> Network:
    """The network, ready for use. Raises UserError, in one sentence, if the weights are not those of the card."""
    state, _, sha256 = read_weights(path, has_sidecar=False)
    if card.sha256 and sha256 != card.sha256:
        raise UserError(f"{path} is not the file that its .json describes: it is damaged or only partly downloaded")
    network = build_network(card.architecture)
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError:
        raise UserError(f"{path} does not hold the network that its .json describes") from None
    return network.to(device).float().eval().requires_grad_(False)


def save_network(path: Path, network: Network, card: Card) -> Card:
    """Write weights and card, each whole or not at all; gives the card with the hash. Raises UserError."""
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    with whole_file(path) as weights, whole_file(path.with_suffix(".json")) as text:
        save_file(state, weights)
        card = replace(card, network=plain(network.architecture), sha256=file_sha256(weights))
        text.write_text(json.dumps(asdict(card), indent=1) + "\n", encoding="utf-8")
    return card
