# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights this installation carries, and their terms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import UserError
from .lifting.sidecar import Sidecar, file_sha256, read_sidecar

#: Weights lie beside the stage that uses them, as X.safetensors with its sidecar X.json.
ROOT = Path(__file__).parent


@dataclass(frozen=True)
class Model:
    """Weights in a file.

    path: of the weights. sidecar: their identity and terms, or None if it cannot be read. problem: what is wrong with
    them in one sentence, empty if nothing is.
    """

    path: Path
    sidecar: Sidecar | None
    problem: str


def shipped_models(root: Path = ROOT) -> list[Model]:
    """All weights below `root`, checked against the hash in their sidecars."""
    return [check_model(path) for path in sorted(root.rglob("*.safetensors"))]


def check_model(path: Path) -> Model:
    """Read a weights file's sidecar and compare its hash."""
    try:
        sidecar = read_sidecar(path.with_suffix(".json"))
    except UserError as error:
        return Model(path, None, str(error))
    if sidecar.sha256 and sidecar.sha256 != file_sha256(path):
        return Model(path, sidecar, f"{path} is damaged: its sha256 is not the one in {path.with_suffix('.json').name}")
    return Model(path, sidecar, "")
