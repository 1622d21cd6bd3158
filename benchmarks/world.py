# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of a capture: validation motion through virtual cameras, before and after refinement.

    python benchmarks/world.py MOTION_LIBRARY [--clips 24] [--focal right 0.7 0.85 1.2 1.4 unknown]
                               [--camera static panning untold] [--ablate TERM ...] [--by-kind] [--json FILE]
    python benchmarks/world.py --compare OLD.jsonl NEW.jsonl

MOTION_LIBRARY has a folder `val`: people and motion that the lifter was not trained on (`world_clips.py`). Each clip is
up to 8 s at 30 frames a second with the measured noise of a detector, which now and then loses the person: such frames
count for steadiness and for the floor, not for accuracy. "before" is the lifter's pose at the root, with
the level that the lifter votes for and the floor under the lowest feet; "after" what the refinement makes of it.
Focal length: told rightly, told so many times too long, or not told ("unknown"). Of a panning camera the background's
movement is exact, as if it had been followed without an error; "untold" is a panning camera that is taken for one that
stands still. --ablate: with the standard deviation
of a term of the refinement's options a thousand times as large, so that it says nothing.

Lengths are in mm, means over the clips:

- MPJPE and P-MPJPE over the take's 26 joints and Human3.6M's 17, from the pelvis, in camera axes;
- world: mean distance of the joints in the world, after one turn about the vertical and one shift on the floor for the
  whole clip, since a capture chooses the origin and the heading of its world; level, floor and scale are not aligned;
- path: error of the pelvis's path after one similarity over the clip;
- tilt: degrees between the take's up and the true one, and focal: error of the focal length, medians over the clips;
- jitter (third difference) and acceleration (second) of the joints in the world, ratios to the truth's, medians;
- slide: mm/s of feet while the true ones stand (slower than 0.1 m/s, below 0.1 m), and the truth's own behind;
- off floor: how much higher or lower than the truth's such feet are; below: mean depth of the deepest joint under the
  floor, and the truth's own behind;
- bones: standard deviation of a bone's length over its mean;
- worse: share of the clips whose MPJPE (26) is more than 2 % larger than before.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from video_mocap.backend import pipeline
from video_mocap.backend.background.turning import motion_of
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.lifting.lifter import Lifter
from video_mocap.backend.progress import Progress
from video_mocap.backend.refinement.refine import Options
from video_mocap.backend.stages.lifting import choose_lens, lift_people
from video_mocap.backend.stages.people import Person, place_people
from video_mocap.backend.stages.refinement import refine_people
from video_mocap.backend.stages.turning import how_it_turned, turned_lens
from video_mocap.backend.world.contacts import FOOT_ROWS
from video_mocap.backend.world.ground import Ground, mean_up, world_from_camera
from world_clips import Clip, load_clips
from world_measures import HEADER, cells, measures

FOCALS = ("right", "0.7", "0.85", "1.2", "1.4", "unknown")
CAMERAS = ("static", "panning", "untold")
_ABLATED = 1000.0
#: Numbers among the refinement's options that are no term's standard deviation.
_NO_TERMS = ("outlier", "slide")


@dataclass(frozen=True)
class Chain:
    """Lifters with and without their mirror image, and the refinement's options by the name of a stage."""

    lifter: Lifter
    draft: Lifter
    variants: dict[str, Options]


def told(clip: Clip, camera: str, focal: str) -> Keypoints:
    """The clip's keypoints with what is said about its lens and how its camera turned."""
    keypoints, true = clip.keypoints, clip.camera.intrinsics
    if camera == "panning":
        turns = clip.camera.rotation @ clip.camera.rotation[0].T
        keypoints = replace(keypoints, background=motion_of(turns, true, clip.camera.size))
    if focal == "unknown":
        return keypoints
    factor = 1.0 if focal == "right" else float(focal)
    scale = np.array([[factor, 1, 1], [1, factor, 1], [1, 1, 1]])
    return replace(keypoints, intrinsics=true * scale)


def stages(clip: Clip, camera: str, focal: str, chain: Chain) -> Iterator[tuple[str, dict[str, float]]]:
    """Names and measures of what a capture has before refinement, and after every variant of it."""
    keypoints = told(clip, camera, focal)
    turning = how_it_turned(keypoints, "auto")
    lens = turned_lens(choose_lens(keypoints, None, None, "keypoints file"), turning, keypoints.image_size)
    lifted = lift_people(keypoints, lens, chain.lifter, lambda: chain.draft, Progress(), turning.matrices)
    intrinsics = lifted.lens.intrinsics
    turns = turning.matrices(intrinsics)

    def measured(joints: np.ndarray, world_to_camera: np.ndarray) -> dict[str, float]:
        found = measures(joints, world_to_camera, clip)
        return {**found, "focal_error": 100 * abs(intrinsics[0, 0] / clip.camera.focal - 1)}

    yield "before", measured(*_unrefined(place_people(keypoints, lifted)[0], turns))
    for name, options in chain.variants.items():
        people = place_people(keypoints, lifted)
        world = refine_people(people, keypoints, intrinsics, options, None, Progress(), turns)
        yield name, measured(world.joints[0], world.world_to_camera)


def _unrefined(person: Person, turns: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """A placed person in a world of the lifter's level: joints (F, 26, 3) and world to camera (1 or F, 4, 4).

    turns: (F, 4, 4) from the first frame's camera axes to every frame's, or None.
    """
    turns = np.eye(4)[None] if turns is None else turns
    still = turns[:, :3, :3]
    positions, votes = person.positions @ still, person.lifted.up
    votes = np.zeros((0, 3)) if votes is None else (votes[:, None] @ still)[:, 0]
    up = mean_up(votes, person.lifted.confidence.mean(-1))
    lowest = (positions[:, FOOT_ROWS] @ up).min(1)
    ground = Ground(up, -float(np.nanpercentile(lowest, 20)), np.ones(1))
    to_world = world_from_camera(ground, np.nanmean(positions[:, 0], axis=0))
    return positions @ to_world[:3, :3].T + to_world[:3, 3], turns @ np.linalg.inv(to_world)


def variants(ablate: Sequence[str]) -> dict[str, Options]:
    """The usual options, and those without each of the terms. Raises SystemExit for a term that there is not."""
    usual = Options()
    terms = [name for name, value in vars(usual).items() if isinstance(value, float) and name not in _NO_TERMS]
    unknown = [term for term in ablate if term not in terms]
    if unknown:
        raise SystemExit(f"there is no term {unknown[0]}; choose of: {', '.join(terms)}")
    without = {f"without {term}": replace(usual, **{term: _ABLATED * getattr(usual, term)}) for term in ablate}
    return {"after": usual, **without}


def run(clips: Sequence[Clip], camera: str, focals: Sequence[str], chain: Chain, by_kind: bool) -> list[dict[str, Any]]:
    """Print the lines of a camera; what was measured of every clip, with its name and kind."""
    rows: list[dict[str, Any]] = []
    for focal in focals:
        found = defaultdict(list)
        for clip in clips:
            for stage, values in stages(clip, camera, focal, chain):
                found[stage].append((clip, values))
                rows.append({"clip": clip.name, "kind": clip.kind, "camera": camera, "focal": focal, "stage": stage})
                rows[-1].update({name: round(value, 4) for name, value in values.items()})
        kinds = dict.fromkeys(clip.kind for clip in clips) if by_kind else [None]
        for kind in kinds:
            before = [values for clip, values in found["before"] if kind in (None, clip.kind)]
            for stage, measured in found.items():
                these = [values for clip, values in measured if kind in (None, clip.kind)]
                line = cells(before if stage == "before" else these, before)
                print(f"| {kind or camera} | {focal} | {stage} | {' | '.join(line)} |", flush=True)
    return rows


def compare(old: Path, new: Path) -> None:
    """Print what changed between two files of `--json`, over the clips that both have."""
    tables = []
    for path in (old, new):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        tables.append({tuple(row[k] for k in ("clip", "camera", "focal", "stage")): row for row in rows})
    both = [key for key in tables[0] if key in tables[1]]
    print("| camera | focal | stage | measure | old | new | change | standard error | smaller in |")
    print("|---|---|---|---|---|---|---|---|---|")
    for group in dict.fromkeys(key[1:] for key in both):
        keys = [key for key in both if key[1:] == group]
        for name, kind in tables[0][keys[0]].items():
            if not isinstance(kind, float):
                continue
            a, b = (np.array([table[key][name] for key in keys]) for table in tables)
            if np.array_equal(a, b, equal_nan=True):
                continue
            change = b - a
            error = np.nanstd(change) / np.sqrt(len(keys))
            numbers = f"{np.nanmean(a):.2f} | {np.nanmean(b):.2f} | {np.nanmean(change):+.2f} | {error:.2f}"
            print(f"| {' | '.join(group)} | {name} | {numbers} | {int((change < 0).sum())} of {len(keys)} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="The world of a capture, before and after refinement.")
    parser.add_argument("motion", type=Path, nargs="?")
    parser.add_argument("--clips", type=int, default=24, help="per camera, at most")
    parser.add_argument("--focal", nargs="+", default=FOCALS, help="right, unknown, or factors on the true one")
    parser.add_argument("--camera", nargs="+", default=CAMERAS, choices=CAMERAS)
    parser.add_argument("--ablate", nargs="+", default=(), metavar="TERM", help="of the refinement's options")
    parser.add_argument("--by-kind", action="store_true", help="a line for every kind of motion")
    parser.add_argument("--lifter", default="default", help="a name or weights")
    parser.add_argument("--json", type=Path, help="also write what was measured of every clip, a line each")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("OLD", "NEW"), help="two files of --json")
    arguments = parser.parse_args()
    if arguments.compare:
        compare(*arguments.compare)
        return
    options = pipeline.CaptureOptions(lifter=arguments.lifter)
    chain = Chain(pipeline.open_lifter(options), pipeline.open_lifter(options, flip=False), variants(arguments.ablate))
    print(f"| camera | focal length | stage | {' | '.join(HEADER)} |\n|{'---|' * (3 + len(HEADER))}", flush=True)
    rows = []
    for camera in arguments.camera:
        clips = load_clips(arguments.motion, arguments.clips, camera != "static")
        # A turning camera that a capture takes for one that stands still is wrong whatever the focal length.
        focals = arguments.focal[:1] if camera == "untold" else arguments.focal
        rows += run(clips, camera, focals, chain, arguments.by_kind)
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
