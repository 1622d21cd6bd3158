# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights of a VideoPose3D network as a mapping: unwrapped, renamed, and what architecture they imply.

Layouts known: VideoPose3D's own (`model_pos` of its training checkpoints), any `state_dict`/`module.` wrapping of it,
and mmpose's (`backbone.tcn_blocks.*`, `head.conv.*`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from .network import Architecture

_WRAPPERS = ("model_pos", "state_dict", "model")
_PREFIX = "module."
_MMPOSE = (
    (re.compile(r"backbone\.expand_conv\.conv\.(.+)"), lambda m: f"expand_conv.{m[1]}"),
    (re.compile(r"backbone\.expand_conv\.bn\.(.+)"), lambda m: f"expand_bn.{m[1]}"),
    (
        re.compile(r"backbone\.tcn_blocks\.(\d+)\.conv([12])\.0\.(conv|bn)\.(.+)"),
        lambda m: f"layers_{m[3]}.{2 * int(m[1]) + int(m[2]) - 1}.{m[4]}",
    ),
    (re.compile(r"(?:keypoint_)?head\.conv\.(.+)"), lambda m: f"shrink.{m[1]}"),
)
#: mmpose's second network (root trajectory) of semi-supervised checkpoints; the product's root comes from geometry.
_MMPOSE_OTHER = ("traj_backbone.", "traj_head.")


def unwrap(loaded: Any) -> dict[str, Tensor]:
    """The named tensors of whatever a checkpoint file held, under VideoPose3D's names.

    Raises UserError if there is no VideoPose3D network in it.
    """
    state = loaded
    while isinstance(state, Mapping) and (key := next((k for k in _WRAPPERS if isinstance(state.get(k), Mapping)), "")):
        state = state[key]
    if not isinstance(state, Mapping) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError("holds no network weights")
    named = {str(key).removeprefix(_PREFIX): value for key, value in state.items()}
    if "backbone.expand_conv.conv.weight" in named:
        named = {_renamed(k): v for k, v in named.items() if not k.startswith(_MMPOSE_OTHER)}
    # Checkpoints of the first PyTorch versions lack this counter, which inference does not use.
    for key in [key for key in named if key.endswith(".running_var")]:
        named.setdefault(key.removesuffix("running_var") + "num_batches_tracked", torch.tensor(0))
    return named


def _renamed(key: str) -> str:
    for pattern, name in _MMPOSE:
        if match := pattern.fullmatch(key):
            return name(match)
    return key


def infer_architecture(
    state: Mapping[str, Tensor], widths: Sequence[int] | None = None, features: int | None = None, causal: bool = False
) -> Architecture:
    """Read the architecture off the shapes of the weights.

    widths: filter widths that the caller asks for, or None. features: numbers per input joint if known, else guessed:
    2 where that gives a plausible number of joints, else 3. causal: not in the weights, so it is passed on.
    Kernels that follow exactly the dense pattern ((w - 1) times the frames seen so far, plus 1) are read as dense.
    Raises UserError, in one sentence, if the weights are of another network or of other widths than asked for.
    """
    kernels, inputs, channels, outputs = _kernels(state)
    dense = _dense_widths(kernels)
    if dense is not None and widths is not None and tuple(widths) == kernels:
        dense = None  # ambiguous shapes: the caller knows
    found = dense or kernels
    if any(width % 2 == 0 for width in found):
        raise UserError(f"has even filter widths {_listed(found)}, which no VideoPose3D network has")
    if widths is not None and tuple(widths) != found:
        raise UserError(
            f"checkpoint is a {prod(found)}-frame network (filter widths {_listed(found)}); "
            f"you asked for {_listed(widths)} ({prod(widths)} frames)"
        )
    features = features or _guess_features(inputs)
    if inputs % features:
        raise UserError(f"has {inputs} input numbers per frame, which are not {features} for each joint")
    return Architecture(
        joints_in=inputs // features,
        features=features,
        joints_out=outputs // 3,
        widths=found,
        causal=causal,
        channels=channels,
        dense=dense is not None,
        direct="direct.weight" in state,
        error_outputs=len(state["error.weight"]) if "error.weight" in state else 0,
    )


def _kernels(state: Mapping[str, Tensor]) -> tuple[tuple[int, ...], int, int, int]:
    """Kernel widths, input numbers, channels, output numbers. Raises UserError if it is another network."""
    expand, shrink = state.get("expand_conv.weight"), state.get("shrink.weight")
    if expand is None or shrink is None or expand.ndim != 3 or shrink.ndim != 3 or shrink.shape[0] % 3:
        some = ", ".join(list(state)[:3])
        raise UserError(f"is not a VideoPose3D network (its tensors are {some}, ...)")
    layers = sum(bool(re.fullmatch(r"layers_conv\.\d+\.weight", key)) for key in state)
    wide = [state.get(f"layers_conv.{2 * level}.weight") for level in range((layers + 1) // 2)]
    if layers % 2 or any(weight is None or weight.ndim != 3 for weight in wide):
        raise UserError("is not a complete VideoPose3D network (convolution layers are missing)")
    kernels = (int(expand.shape[2]), *(int(weight.shape[2]) for weight in wide if weight is not None))
    return kernels, int(expand.shape[1]), int(expand.shape[0]), int(shrink.shape[0])


def _dense_widths(kernels: tuple[int, ...]) -> tuple[int, ...] | None:
    """Widths if the kernels can only come from the dense ablation, None if they are the widths themselves."""
    widths = [kernels[0]]
    for kernel in kernels[1:]:
        width, rest = divmod(kernel - 1, prod(widths))
        if rest or width % 2:
            return None
        widths.append(width + 1)
    return None if tuple(widths) == kernels else tuple(widths)


def _guess_features(inputs: int) -> int:
    """2 or 3: body joint sets have up to 33 points (48 numbers are 24 x 2, 78 are 26 x 3)."""
    return 2 if inputs % 2 == 0 and inputs // 2 <= 33 else 3


def _listed(widths: Sequence[int]) -> str:
    return ",".join(str(width) for width in widths)
