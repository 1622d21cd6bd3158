# SPDX-License-Identifier: GPL-3.0-or-later
"""All weights that there are or can be had, and their terms: those that came with the project, and the catalogue's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .catalogue.entries import Entry, find_entry, read_catalogue
from .catalogue.store import is_here, place_of, read_receipt
from .detection.base import DETECTORS
from .errors import UserError
from .lifting.sidecar import Sidecar, file_sha256, read_sidecar

#: Weights lie beside the stage that uses them, as X.safetensors with its sidecar X.json.
ROOT = Path(__file__).parent
#: The lifter that is used unless another one is chosen, and what it is called then.
DEFAULT_WEIGHTS = ROOT / "lifting" / "weights" / "temporal-coco17-take26.safetensors"
DEFAULT = "default"


@dataclass(frozen=True)
class Model:
    """Weights in a file.

    path: of the weights. sidecar: their identity and terms, or None if it cannot be read. problem: what is wrong with
    them in one sentence, empty if nothing is.
    """

    path: Path
    sidecar: Sidecar | None
    problem: str


@dataclass(frozen=True)
class Listed:
    """A line of the list of weights, JSON-able.

    name: to ask for it by. kind: lifter or detector. summary, licence, licence_url, source: for people. bytes: exact if
    it is here or known, else roughly. sha256: empty while unknown. here: whether it can be used now; path: where then,
    else empty. non_commercial: its licence has to be accepted. problem: what is wrong with it, empty if nothing.
    """

    name: str
    kind: str
    summary: str
    licence: str
    licence_url: str
    source: str
    bytes: int
    sha256: str
    here: bool
    path: str
    non_commercial: bool
    problem: str


def shipped_models(root: Path = ROOT / "lifting") -> list[Model]:
    """All lifters' weights below `root`, checked against the hash in their sidecars.

    Weights that nobody chooses, like those of contacts, are a part of the program: their model card is beside them.
    """
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


def list_models(shipped: Sequence[Model] | None = None) -> list[Listed]:
    """Everything: the default first, then what else came with the project, then the catalogue in its order.

    shipped: what came with the project, where that was looked at before.
    """
    own = sorted(shipped_models() if shipped is None else shipped, key=lambda model: model.path != DEFAULT_WEIGHTS)
    return [*map(_shipped, own), *map(_listed, read_catalogue())]


def find_lifter(name: str) -> Path:
    """The weights that `--lifter` names: "default", a name of the list, or a path.

    Raises UserError if it is in the list, but not a lifter, or not here yet; whether a path leads to weights is seen
    when they are opened.
    """
    if name == DEFAULT:
        return DEFAULT_WEIGHTS
    entry = find_entry(name)
    if entry is None:
        own = _own()
        if name not in own and not Path(name).suffix and not Path(name).exists():
            raise UserError(f"there is no lifter {name}; give a path or one of: {', '.join(lifter_names())}")
        return own.get(name, Path(name))
    if entry.kind != "lifter":
        raise UserError(f"{entry.name} is no lifter, but for a {entry.kind}; 'video-mocap models' lists the lifters")
    if not is_here(entry):
        raise UserError(
            f"the lifter {entry.name} is not here yet ({entry.megabytes} MB, {entry.licence}); "
            f"'video-mocap models get {entry.name}' fetches it"
        )
    return place_of(entry)


def lifter_names() -> tuple[str, ...]:
    """What `find_lifter` knows besides paths, here or not."""
    return (DEFAULT, *_own(), *(entry.name for entry in read_catalogue() if entry.kind == "lifter"))


def usable_detectors() -> tuple[str, ...]:
    """The detectors that a capture can be told by name now: they carry their weights, or their weights are here."""
    entries = {name: find_entry(row.weights) for name, row in DETECTORS.items() if row.weights}
    return tuple(name for name in DETECTORS if name not in entries or ((entry := entries[name]) and is_here(entry)))


def _own() -> dict[str, Path]:
    return {path.stem: path for path in sorted(DEFAULT_WEIGHTS.parent.glob("*.safetensors"))}


def _shipped(model: Model) -> Listed:
    about = model.sidecar
    summary = "came with Video Mocap"
    if about is not None:
        summary = f"{len(about.joints_in)} keypoints in, {len(about.joints_out)} outputs; {summary}"
    return Listed(
        name=DEFAULT if model.path == DEFAULT_WEIGHTS else model.path.stem,
        kind="lifter",
        summary=f"{model.path.stem} {about.version if about else ''}: {summary}",
        licence=about.licence if about else "unknown",
        licence_url="",
        source="Video Mocap",
        bytes=model.path.stat().st_size,
        sha256=about.sha256 if about else "",
        here=not model.problem,
        path=str(model.path),
        non_commercial=False,
        problem=model.problem,
    )


def _listed(entry: Entry) -> Listed:
    here = is_here(entry)
    receipt = read_receipt(entry) if here else None
    return Listed(
        name=entry.name,
        kind=entry.kind,
        summary=entry.summary,
        licence=entry.licence,
        licence_url=entry.licence_url,
        source=entry.source,
        bytes=receipt.bytes if receipt else entry.bytes or entry.megabytes * 1_000_000,
        sha256=receipt.sha256 if receipt else entry.sha256,
        here=here,
        path=str(place_of(entry)) if here else "",
        non_commercial=entry.non_commercial,
        problem="",
    )
