# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lifter's weights cannot say about themselves: a JSON file beside them (`X.safetensors` and `X.json`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...rigging.joints import COCO17
from ..errors import UserError

#: How the network's 2D input is normalised: "screen" divides by the image's width (VideoPose3D), "person" is our own.
NORMALISATIONS = ("screen", "person")


@dataclass(frozen=True)
class Sidecar:
    """Identity and terms of a checkpoint.

    name, version: of the weights. joints_in: 2D joints the network takes, in order. joints_out: joints it gives, in
    order; names beyond a joint set are allowed (`up`: the direction of world up). normalisation: one of
    `NORMALISATIONS`. features: numbers per input joint (2: x, y; 3: with confidence). causal: past frames only.
    fps: frame rate of the training motion, Hz. licence, trained_on, acknowledgements: texts for the user.
    sha256: of the weights file, hexadecimal; empty when unknown.
    confidence_knots, confidence_values: what the network's expected errors mean, the logarithm of metres to the
    probability that a joint is within 0.1 m of the truth, both from the pelvis; empty if it tells none.
    Raises ValueError, in one sentence, if a value is not possible.
    """

    name: str
    version: str
    joints_in: tuple[str, ...]
    joints_out: tuple[str, ...]
    normalisation: str
    features: int
    causal: bool
    fps: float
    licence: str
    trained_on: str
    sha256: str = ""
    acknowledgements: str = ""
    confidence_knots: tuple[float, ...] = ()
    confidence_values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for key in ("joints_in", "joints_out"):
            names = getattr(self, key)
            if not names or len(set(names)) != len(names):
                raise ValueError(f"{key} must be a list of distinct joint names")
        if self.normalisation not in NORMALISATIONS:
            raise ValueError(f"normalisation must be one of {', '.join(NORMALISATIONS)}, not {self.normalisation!r}")
        if self.features not in (2, 3):
            raise ValueError(f"features must be 2 (x, y) or 3 (with confidence), not {self.features}")
        if self.normalisation == "person" and (self.joints_in != COCO17.names or self.features != 3):
            raise ValueError(
                f"the normalisation person is made for {COCO17.name} with confidence, not for these joints"
            )
        if not 1 <= self.fps <= 1000:
            raise ValueError(f"fps must lie between 1 and 1000, not {self.fps}")
        knots, values = self.confidence_knots, self.confidence_values
        if len(knots) != len(values) or any(b <= a for a, b in pairwise(knots)):
            raise ValueError("confidence_knots must increase, with one of confidence_values each")
        if not all(0 <= value <= 1 for value in values):
            raise ValueError("confidence_values must lie between 0 and 1")


_KINDS: dict[str, tuple[type, ...]] = {"features": (int,), "causal": (bool,), "fps": (int, float)}
_OPTIONAL = {"sha256", "acknowledgements", "confidence_knots", "confidence_values"}


def read_sidecar(path: Path) -> Sidecar:
    """Read and check a sidecar. Raises UserError, in one sentence, if it is not one; keys it does not know pass."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise UserError(f"{path} must be a JSON object with the weights' name, joints and licence")
    try:
        return Sidecar(**_checked(data))
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _checked(data: Mapping[str, Any]) -> dict[str, Any]:
    names = [field.name for field in fields(Sidecar)]
    missing = [name for name in names if name not in data and name not in _OPTIONAL]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    out: dict[str, Any] = {}
    for name in names:
        if name not in data:
            continue
        value = data[name]
        if name.startswith("confidence_"):
            if not isinstance(value, list) or not all(type(number) in (int, float) for number in value):
                raise ValueError(f"{name} must be a list of numbers")
            value = tuple(float(number) for number in value)
        elif name.startswith("joints_"):
            if not isinstance(value, list) or not all(isinstance(joint, str) for joint in value):
                raise ValueError(f"{name} must be a list of joint names")
            value = tuple(value)
        else:
            kinds = _KINDS.get(name, (str,))
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise ValueError(f"{name} must be a {kinds[-1].__name__}, not {value!r}")
        out[name] = value
    return out


def sidecar_text(sidecar: Sidecar) -> str:
    """The sidecar as JSON, the same text for the same content."""
    return json.dumps(asdict(sidecar), indent=1, ensure_ascii=False) + "\n"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal. Raises UserError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
