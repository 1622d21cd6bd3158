# SPDX-License-Identifier: GPL-3.0-or-later
"""Load and save the weights of a lifter without running anything that a file might carry.

Ours are `.safetensors` with a JSON sidecar. Published checkpoints (`.bin`, `.pth`, `.pt`, `.tar`) are pickles: they go
through PyTorch's weights-only unpickler, where the few other things that they hold (the NumPy generators and arrays
of a training run) become inert stand-ins, so that no code of theirs or of NumPy runs.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import UserError
from ..files import whole_file
from .network import TemporalModel
from .published import describe_published, read_notes
from .sidecar import Sidecar, file_sha256, read_sidecar, sidecar_text
from .state import infer_architecture, unwrap

PICKLES = (".bin", ".pth", ".pt", ".tar")


class Shape(Protocol):
    """What the architecture of every lifter says of itself."""

    @property
    def joints_in(self) -> int: ...

    @property
    def features(self) -> int: ...

    @property
    def joints_out(self) -> int: ...

    @property
    def causal(self) -> bool: ...


class Trained(Protocol):
    """A network that can be saved."""

    @property
    def architecture(self) -> Shape: ...

    def state_dict(self) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Checkpoint:
    """A lifter's weights, read and checked.

    architecture: what they need. state: named tensors, float32 unless the file says otherwise. sidecar: identity and
    terms. sha256: of the file. warnings: one sentence each, about what had to be assumed. network: makes a network with
    `TemporalModel`'s methods of an architecture.
    """

    architecture: Any
    state: dict[str, Tensor]
    sidecar: Sidecar
    sha256: str
    warnings: tuple[str, ...] = ()
    network: Callable[[Any], Any] = TemporalModel


class _Inert:
    """Stands for an object of a checkpoint that inference does not need: takes anything, does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


#: What published checkpoints hold beside tensors: VideoPose3D the generators of its shuffling (in the pickled forms
#: of all NumPy versions), mmpose its training log.
_ALLOWED = (
    "numpy.random.__RandomState_ctor",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._pickle.__generator_ctor",
    "numpy.random._mt19937.MT19937",
    "numpy.random.mtrand.RandomState",
    "numpy.random.bit_generator.SeedSequence",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.numeric._frombuffer",
    "numpy._core.numeric._frombuffer",
    "numpy.ndarray",
    "numpy.dtype",
    "mmengine.logging.history_buffer.HistoryBuffer",
)


def load_checkpoint(
    path: str | Path, *, joint_set: str | None = None, widths: Sequence[int] | None = None, causal: bool | None = None
) -> Checkpoint:
    """Read a lifter's weights.

    path: `.safetensors` or a published pickle; a sidecar or notes (`.json`) beside it are read if there are some.
    joint_set: the 2D joints of a published checkpoint without sidecar, "coco-17" (assumed, with a warning) or
    "h36m-17". widths, causal: what the caller expects; None takes them from the weights and the sidecar.
    Raises UserError, in one sentence, if the file is missing, damaged, unsafe, of another network or other widths.
    """
    path = Path(path)
    notes = read_notes(path)
    loaded, sidecar, sha256 = read_weights(path, has_sidecar=notes is None)
    if causal is None and notes is not None:
        causal = notes.get("causal")
    if sidecar is not None and causal is not None and causal != sidecar.causal:
        raise UserError(f"{path} is {'' if sidecar.causal else 'not '}a causal network, as its sidecar says")
    try:
        state = unwrap(loaded)
        architecture = infer_architecture(
            state, widths, sidecar.features if sidecar else None, sidecar.causal if sidecar else bool(causal)
        )
        check_tensors(TemporalModel, architecture, state)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    counts = (architecture.joints_in, architecture.features, architecture.joints_out)
    assumptions: tuple[str, ...] = ()
    if sidecar is None:
        sidecar, assumptions = describe_published(path, loaded, counts, notes or {}, joint_set, bool(causal))
    check_counts(path, architecture, sidecar)
    return Checkpoint(architecture, state, sidecar, sha256, assumptions)


def read_weights(path: Path, has_sidecar: bool = True) -> tuple[Any, Sidecar | None, str]:
    """(whatever the file holds, its sidecar if there is one, its sha256), of any network.

    has_sidecar: a file `X.json` beside `X.safetensors` is its sidecar.

    Raises UserError, in one sentence, if the file is missing, damaged, unsafe or not what its sidecar describes.
    """
    if not path.is_file():
        raise UserError(f"the checkpoint {path} {'is a folder' if path.is_dir() else 'does not exist'}")
    sha256 = file_sha256(path)
    beside = path.with_suffix(".json")
    sidecar = read_sidecar(beside) if has_sidecar and beside.exists() else None
    if sidecar is not None and sidecar.sha256 and sidecar.sha256 != sha256:
        raise UserError(f"{path} is not the file that its sidecar describes: it is damaged or only partly downloaded")
    return (_read_pickle(path) if path.suffix.lower() in PICKLES else _read_safetensors(path)), sidecar, sha256


def check_counts(path: Path, architecture: Shape, sidecar: Sidecar) -> None:
    """Raise UserError unless the sidecar names as many joints as the weights have."""
    counts = (architecture.joints_in, architecture.features, architecture.joints_out)
    if (len(sidecar.joints_in), sidecar.features, len(sidecar.joints_out)) != counts:
        raise UserError(
            f"{path} takes {counts[0]} joints with {counts[1]} numbers each and gives {counts[2]}, but its sidecar "
            f"names {len(sidecar.joints_in)} with {sidecar.features} and {len(sidecar.joints_out)}"
        )


def build_model(checkpoint: Checkpoint, device: str | torch.device = "cpu") -> Any:
    """The network of a checkpoint, ready for inference: in evaluation mode, without gradients."""
    model = checkpoint.network(checkpoint.architecture)
    model.load_state_dict(checkpoint.state, strict=True)
    return model.to(device).eval().requires_grad_(False)


def save_checkpoint(path: str | Path, model: Trained, sidecar: Sidecar) -> Sidecar:
    """Write `path` (`.safetensors`) and its sidecar, each whole or not at all; gives the sidecar with the hash.

    Raises UserError if they cannot be written; ValueError if the sidecar does not describe the model.
    """
    path = Path(path)
    a = model.architecture
    counts = (a.joints_in, a.joints_out, a.features, a.causal)
    if (len(sidecar.joints_in), len(sidecar.joints_out), sidecar.features, sidecar.causal) != counts:
        raise ValueError(f"the sidecar of {path.name} does not describe the model it is to be saved with")
    if path.suffix != ".safetensors":
        raise ValueError(f"weights are saved as .safetensors, not {path.suffix}")
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with whole_file(path) as weights, whole_file(path.with_suffix(".json")) as text:
        save_file(state, weights)
        sidecar = replace(sidecar, sha256=file_sha256(weights))
        text.write_text(sidecar_text(sidecar), encoding="utf-8")
    return sidecar


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path} is not a safetensors file, or is damaged or only partly downloaded ({error})"
        ) from None


def _read_pickle(path: Path) -> Any:
    allowed: list[Any] = [(_Inert, name) for name in _ALLOWED]
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can fail in any way; nothing of it has been run
        if named := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise UserError(
                f"{path} was not loaded because it asks to run {named[1]}, which weights never need"
            ) from None
        if isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error):
            raise UserError(f"{path} was not loaded because it asks for more than weights need") from None
        raise UserError(f"{path} is not a PyTorch checkpoint, or is damaged or only partly downloaded") from None


def check_tensors(network: Callable[[Any], Any], architecture: Shape, state: Mapping[str, Tensor]) -> None:
    """Raise UserError unless the names and shapes are those of the network and every number is finite."""
    with torch.device("meta"):
        expected = {key: tuple(value.shape) for key, value in network(architecture).state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    what = "a VideoPose3D network" if network is TemporalModel else "such a network"
    for word, keys in (("lacks", expected.keys() - found.keys()), ("has unknown", found.keys() - expected.keys())):
        if keys:
            raise UserError(f"{word} {len(keys)} tensors of {what} ({', '.join(sorted(keys)[:3])}, ...)")
    wrong = sorted(key for key in expected if expected[key] != found[key])
    if wrong:
        raise UserError(f"{wrong[0]} has shape {found[wrong[0]]}, but {expected[wrong[0]]} is needed")
    if not all(bool(torch.isfinite(value).all()) for value in state.values()):
        raise UserError("holds weights that are not finite")
