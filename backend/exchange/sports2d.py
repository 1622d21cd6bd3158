# SPDX-License-Identifier: GPL-3.0-or-later
"""Sports2D's `NAME_Sports2D_px_person00.trc`: the points of a person in pixels, a file each, without confidences.

(Its files in metres, `_m_`, are no longer 2D keypoints. The JSON that Pose2Sim writes is OpenPose's.) A `.trc` has five
head lines: type, names and values of rate and numbers, markers, axes; then frame, time and x, y, z of every marker,
separated by tabs. Described in Sports2D's README and OpenSim's documentation (Marker (.trc) files).
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..progress import Progress
from .joint_sets import set_named
from .look import Look, read_text
from .names import set_by_names
from .people import ForeignPeople
from .writing import Export, fresh_folder, numbers_of, write_text

#: Sets that can be written, the usual one first.
WRITES = ("halpe-26", "coco-17")
_PERSON = re.compile(r"person_?(\d+)$", re.IGNORECASE)
_METRES = re.compile(r"_m(_|$)")
#: Markers in metres stay below this, keypoints in pixels do not.
_LEAST_PIXELS = 20.0
#: Frames a second; beyond it is no rate.
_FASTEST = 1e5
_MIDDLES = {"pelvis": "Hip", "thorax": "Neck", "head_top": "Head", "nose": "Nose"}


def recognises(look: Look) -> bool:
    """Whether this is it."""
    return look.suffix == ".trc"


def read(look: Look, joint_set: str | None, progress: Progress) -> ForeignPeople:
    """Raises UserError."""
    files = [file for file in look.files if not _METRES.search(file.stem)]
    if not files:
        raise UserError(f"{look.path} is in metres: name the files of Sports2D that are in pixels (_px_)")
    first = _person(files[0])
    markers, rate, contradicted = first.markers, first.rate, first.contradicted
    frames: dict[int, list[np.ndarray]] = {}
    identities: dict[int, list[Hashable]] = {}
    for done, file in enumerate(files):
        progress.step("reading", done, len(files), "files")
        person = _person(file)
        if (person.markers, person.rate) != (markers, rate):
            raise UserError(f"{file} has other markers or another rate than {files[0].name}: name one person's file")
        contradicted = contradicted or person.contradicted
        match = _PERSON.search(file.stem)
        for number, points in zip(person.numbers, person.points, strict=True):
            seen = frames.setdefault(number, [])
            if points[:, 2].any():
                seen.append(points)
                identities.setdefault(number, []).append(int(match[1]) if match else done)
    progress.step("reading", len(files), len(files), "files")
    where = str(look.path)
    joints, warnings = (set_named(joint_set), []) if joint_set else set_by_names(markers, where)
    if len(joints.names) != len(markers):
        raise UserError(f"{where} has {len(markers)} markers, but {joints.name} has {len(joints.names)}")
    nobody = np.zeros((0, len(markers), 3))
    arrays = {number: np.stack(people) if people else nobody for number, people in frames.items()}
    who: dict[int, list[Hashable]] = {number: identities.get(number, []) for number in arrays}
    warnings = [*warnings, "the files have no confidences: every point that is there counts as certain"]
    if contradicted:
        warnings.append(f"the files' times are not those of their rate: {rate:g} frames a second are taken for true")
    return ForeignPeople(joints, arrays, who, 0, fps=rate, warnings=warnings)


def write(path: Path, export: Export) -> list[Path]:
    """A folder with a file for every person; confidences are lost. Raises UserError."""
    markers = [_marker(name) for name in export.joints.names]
    axes = [f"{axis}{row}" for row in range(1, len(markers) + 1) for axis in "XYZ"]
    count, rate = len(export.frame_numbers), f"{export.fps:.10g}"
    with fresh_folder(path) as folder:
        for identity, person in zip(export.person_ids, export.keypoints, strict=True):
            file = f"{export.name}_Sports2D_px_person{int(identity):02d}.trc"
            lines = [
                f"PathFileType\t4\t(X/Y/Z)\t{file}",
                "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
                f"{rate}\t{rate}\t{count}\t{len(markers)}\tm\t{rate}\t0\t{count}",  # of pixels, too: as Sports2D does
                "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t\t",
                "\t\t" + "\t".join(axes),
            ]
            for number, points in zip(export.frame_numbers, person, strict=True):
                cells = [_cells(point) for point in points]
                lines.append("\t".join([str(number), f"{number / export.fps:.10g}", *cells]))
            write_text(folder / file, "\n".join(lines) + "\n")
    return [path]


def _cells(point: np.ndarray) -> str:
    return "\t".join([*(str(value) for value in numbers_of(point[:2])), "0.0"]) if point[2] > 0 else "\t\t"


def _marker(name: str) -> str:
    """`left_small_toe` to LSmallToe, as Sports2D calls its markers; its BigToe is our toe."""
    side, _, part = name.partition("_")
    if side not in ("left", "right"):
        return _MIDDLES.get(name, name)
    part = {"toe": "big_toe"}.get(part, part)
    return side[0].upper() + "".join(word.capitalize() for word in part.split("_"))


@dataclass(frozen=True)
class _Person:
    """markers; rate: Hz; numbers: of the frames, from the video's first; points: (F, K, 3); contradicted: whether the
    times of the frames are others than the rate makes them."""

    markers: tuple[str, ...]
    rate: float
    numbers: list[int]
    points: np.ndarray
    contradicted: bool


def _person(file: Path) -> _Person:
    """A file. Raises UserError."""
    lines = [line.rstrip("\r").split("\t") for line in read_text(file).split("\n")]
    try:
        rate = float(lines[2][0])
        markers = tuple(cell.strip() for cell in lines[3][2:] if cell.strip())
        data = [line for line in lines[5:] if line[0].strip()]
        width = 2 + 3 * len(markers)
        cells = [[float(cell) if cell.strip() else np.nan for cell in (line + [""] * width)[:width]] for line in data]
    except (IndexError, ValueError) as error:
        raise UserError(f"{file} is no .trc file or is damaged ({error})") from None
    values = np.array(cells).reshape(-1, width)
    known = bool(len(values) and markers) and np.isfinite([rate, *values[:, :2].ravel()]).all()
    if not known or not 0 < rate < _FASTEST:
        raise UserError(f"{file} lacks markers, frames, their times or a frame rate")
    points = values[:, 2:].reshape(len(values), len(markers), 3)
    if np.nanmax(np.abs(points[..., 2]), initial=0.0) > 1e-6:
        raise UserError(f"{file} holds points in space: name a file with keypoints in pixels")
    if (
        np.nanmax(np.abs(points[..., :2]), initial=_LEAST_PIXELS if not np.isfinite(points).any() else 0)
        < _LEAST_PIXELS
    ):
        raise UserError(f"{file} is in metres: name the file of Sports2D that is in pixels (_px_)")
    seen = np.isfinite(points[..., :2]).all(-1) & (points[..., :2] != 0).any(-1)
    points[..., 2] = seen
    counted = np.round(values[:, 0] - values[0, 0]).astype(int)
    if (np.diff(counted) <= 0).any():
        raise UserError(f"{file} has frames that are not in order")
    # Frames are counted from the first that was looked at, times from the beginning of the video.
    numbers = counted + round(values[0, 1] * rate)
    late = abs((values[-1, 1] - values[0, 1]) * rate - counted[-1]) > 1.5
    return _Person(markers, rate, [int(number) for number in numbers], points, late)
