# SPDX-License-Identifier: GPL-3.0-or-later
"""Another program's people to keypoints of ours: time, people, joint set, confidences, and what had to be assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...rigging.joints import KEYPOINTS
from ..errors import UserError
from ..keypoints import Keypoints
from ..lifting.confidence import mean_point
from ..progress import Progress
from ..tracking.finish import finish_tracks
from . import formats
from .cleaning import clean
from .identities import identify
from .joint_sets import ForeignSet
from .people import ForeignPeople

#: Frames of a clip for every one that a file has; beyond that they are single pictures.
_SPARSEST, _SPARE = 50, 1000
#: Frames from which on a regular spacing of their numbers is one, not chance.
_LEAST_FRAMES = 5


@dataclass(frozen=True)
class ImportOptions:
    """What the user says where files do not.

    format: name in `formats.FORMATS`. joint_set: name in `joint_sets.SETS`. fps: of the footage, Hz. image_size: width,
    height in pixels. first_frame: number of the footage's first frame in the files. max_persons: keep the most
    prominent people only. footage: name of the video. correct_sides: exchange left and right where they jump. Short
    gaps are filled and stitches suggested in any case, as where people are detected.
    """

    format: str | None = None
    joint_set: str | None = None
    fps: float | None = None
    image_size: tuple[int, int] | None = None
    first_frame: int | None = None
    max_persons: int | None = None
    footage: str | None = None
    correct_sides: bool = False


def import_keypoints(path: str | Path, options: ImportOptions, progress: Progress | None = None) -> Keypoints:
    """Read another program's keypoints.

    Gives the people on the `KEYPOINTS` set, and behind it the points of theirs that it lacks; `source` says what is
    missing, made of others or left out (`conversion`), and holds a warning for everything that was assumed.
    Raises UserError, in one sentence, if the files are damaged, contradict themselves or leave open what has to be
    known; Cancelled if progress says so.
    """
    name, foreign = formats.read(Path(path), options.format, options.joint_set, progress or Progress())
    fps, size = _known(foreign, options, path)
    numbers, first, step, warnings = _frames(foreign, options.first_frame, path)
    cleaned = clean(foreign.frames, size, str(path))
    tracked = identify(cleaned.frames, foreign, numbers, fps, options.max_persons)
    points, joint_names, conversion = convert(tracked.keypoints, foreign.joints)
    times = (np.array(numbers, np.float64) - first) / fps
    warnings = [*foreign.warnings, *cleaned.warnings, *warnings, *tracked.warnings, *_said(conversion, foreign.joints)]
    whole = finish_tracks(
        points, times, tracked.person_ids, joint_names, tracked.suggestions, sides=options.correct_sides
    )
    if whole.exchanged:
        warnings.append(f"left and right were exchanged in {whole.exchanged} frames of a person")
    source: dict[str, object] = {
        "name": "imported",
        "file": Path(path).name,
        "format": name,
        "conversion": conversion,
        "first_frame": first,
        "footage": options.footage,
        "warnings": warnings,
        "tracking": whole.note,
    }
    if tracked.names:
        source["persons"] = {str(identity): person for identity, person in tracked.names.items()}
    return Keypoints(
        fps=fps / step,
        times=times,
        image_size=size,
        keypoint_names=joint_names,
        person_ids=tracked.person_ids,
        keypoints=whole.keypoints.astype(np.float32),
        source=source,
    )


def convert(keypoints: np.ndarray, joints: ForeignSet) -> tuple[np.ndarray, tuple[str, ...], dict[str, object]]:
    """(P, F, K, 3) points of a set to (P, F, 23 + extra, 3), their names, and what became of which.

    First those of `KEYPOINTS`, then what the set has besides, such as pelvis and small toes. A point that is made of
    others is their mean, as sure as the least sure of them; it is missing where one of them is.
    """
    extra = [name for name in joints.names if name and name not in KEYPOINTS]
    names = (*KEYPOINTS.names, *extra)
    out = np.full((*keypoints.shape[:2], len(names), 3), np.nan)
    out[..., 2] = 0.0
    for column, name in enumerate(names):
        if name in joints.names:
            out[:, :, column] = keypoints[:, :, joints.names.index(name)]
        elif name in joints.made:
            out[:, :, column] = mean_point(keypoints[:, :, list(joints.made[name])])
    conversion: dict[str, object] = {
        "joint_set": joints.name,
        "missing": [name for name in names if name not in joints.names and name not in joints.made],
        "made": {name: list(rows) for name, rows in joints.made.items()},
        "ignored": sum(1 for row, name in enumerate(joints.names) if not name and not _is_used(row, joints)),
    }
    return out, names, conversion


def _is_used(row: int, joints: ForeignSet) -> bool:
    return any(row in rows for rows in joints.made.values())


def _said(conversion: Mapping[str, object], joints: ForeignSet) -> list[str]:
    """What a user has to know of the conversion, one sentence each."""
    missing, made = conversion["missing"], conversion["made"]
    said = []
    if isinstance(missing, list) and missing:
        said.append(f"missing in every frame, since they are not among {joints.title}: {', '.join(missing)}")
    if made:
        said.append(f"made of others, as their mean: {', '.join(joints.made)}")
    return said


def _known(foreign: ForeignPeople, options: ImportOptions, path: str | Path) -> tuple[float, tuple[int, int]]:
    """Rate and picture size, as said or as in the file. Raises UserError if one of them is open or contradicted."""
    fps, size = options.fps or foreign.fps, options.image_size or foreign.image_size
    lacking = [
        text
        for text, value in (
            ("the frame rate (--fps 25)", fps),
            ("the size of the picture (--size 1920x1080)", size),
        )
        if value is None
    ]
    if fps is None or size is None:
        raise UserError(f"{path} does not say {' and '.join(lacking)}: say it, or name the footage with --video")
    if foreign.image_size is not None and size != foreign.image_size:
        stated = "x".join(str(side) for side in foreign.image_size)
        raise UserError(f"{path} is of pictures of {stated} pixels, not {size[0]}x{size[1]}")
    return fps, size


def _frames(foreign: ForeignPeople, said: int | None, path: str | Path) -> tuple[list[int], int, int, list[str]]:
    """Numbers of all frames, that of the footage's first, the step between them, and what was assumed.

    Frames that files leave out had nobody in them; only where all numbers are multiples apart there are no frames
    between. Raises UserError if they are no clip.
    """
    present = sorted(foreign.frames)
    steps = [after - before for before, after in pairwise(present)]
    step = math.gcd(*steps) if len(present) >= _LEAST_FRAMES else 1
    if (present[-1] - present[0]) // step > _SPARSEST * len(present) + _SPARE:
        raise UserError(
            f"{path} is no clip: it has {len(present)} frames with numbers from {present[0]} to {present[-1]}"
        )
    numbers = list(range(present[0], present[-1] + 1, step))
    default = foreign.first if foreign.first is not None else present[0]
    first = default if said is None else said
    if first > present[0]:
        raise UserError(f"{path} begins with frame {present[0]}, so frame {first} cannot be the footage's first")
    warnings = []
    if said is None and present[0] not in (0, 1):
        warnings.append(
            f"the files begin with frame {present[0]}, and frame {first} is taken for the footage's first "
            "(--first-frame says otherwise)"
        )
    if step > 1:
        warnings.append(f"the files have every {step}. frame of the footage only")
    return numbers, first, step, warnings
