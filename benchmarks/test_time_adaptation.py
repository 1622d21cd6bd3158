# SPDX-License-Identifier: GPL-3.0-or-later
"""What `--adapt-to-person` brings: a lifter fitted to each clip's own keypoints, on validation motion with truth.

    python benchmarks/test_time_adaptation.py MOTION_LIBRARY [--clips 12] [--only KIND ...] [--lifted] [--anyhow]

Clips are those of `world.py` before cameras that stand still, with the measured noise of a detector and the right focal
length, and where the lifter is further from what it knows: people of unusual proportions, a camera at the height of the
knee and one at 4.5 m, another detector's noise (other places of hips, shoulders and knees, more jitter, confidences
that say nothing), and a lifter with a fault (one arm 15 cm beside itself). MPJPE / P-MPJPE over 26 joints, mm, as
lifted and after refinement; held back: mean error of joints held back, mm beyond noise, all clips; accepted, and worse
by more than 2 % in MPJPE as lifted and refined: shares of the clips. s: processor seconds for 1000 frames, one thread.
--lifted leaves the refinement out; --anyhow takes every adapted lifter, to see what the judgement is worth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import world_clips
from torch import Tensor
from torch.nn.functional import normalize
from video_mocap.backend.evaluation.metrics import mean, mpjpe, p_mpjpe
from video_mocap.backend.lifting.adaptation import person as adapting
from video_mocap.backend.lifting.temporal import TemporalLifter
from video_mocap.backend.lifting.training.camera import VirtualCameras
from video_mocap.backend.models import DEFAULT_WEIGHTS
from video_mocap.backend.progress import Progress
from video_mocap.backend.refinement.refine import Options
from video_mocap.backend.stages.lifting import LiftedPeople, choose_lens, lift_people
from video_mocap.backend.stages.people import place_people
from video_mocap.backend.stages.refinement import refine_people
from world_clips import Clip, load_clips
from world_measures import WORSE, measures

KINDS = ("usual", "proportions", "low camera", "high camera", "other noise", "faulty lifter")
_PROPORTIONS, _LOW, _HIGH = 0.15, 0.4, 4.5
#: Of the other noise, in parts of the person's size: COCO-17 rows and how far down they are seen, and jitter.
_ELSEWHERE = (((5, 6), 0.03), ((11, 12), -0.04), ((13, 14), 0.03))
_JITTER = 0.01
_FAULT = {"left_elbow": (0.15, 0.0, 0.0), "left_wrist": (0.15, 0.1, 0.0)}


@dataclass(frozen=True)
class Result:
    """Of one clip: (MPJPE, P-MPJPE) as lifted and refined, each before and after; what was said; processor seconds."""

    lifted: tuple[tuple[float, float], tuple[float, float]]
    refined: tuple[tuple[float, float], tuple[float, float]] | None
    report: dict[str, Any]
    seconds: float
    frames: int


@contextmanager
def scenes(kind: str) -> Iterator[None]:
    """Clips loaded within are of this kind."""
    own: dict[str, Callable[..., Any]] = {}
    if kind == "proportions":
        usual = world_clips.proportions
        own["proportions"] = lambda pose, names, generator, _: usual(pose, names, generator, _PROPORTIONS)
    if kind in ("low camera", "high camera"):
        own["sample_cameras"] = lambda root, generator: _at_height(root, generator, _LOW if kind[0] == "l" else _HIGH)
    if kind == "other noise":
        own["add_noise"] = _other_noise
    with ExitStack() as stack:
        for name, value in own.items():
            stack.enter_context(mock.patch.object(world_clips, name, value))
        yield


_cameras, _noise = world_clips.sample_cameras, world_clips.add_noise


def _at_height(root: Tensor, generator: torch.Generator, height: float) -> VirtualCameras:
    """The cameras of training at another height, aimed at the middle of the path."""
    drawn = _cameras(root, generator)
    position = drawn.position.clone()
    position[:, 2] = height
    forward = normalize(root.mean(1) - position, dim=-1)
    right = normalize(torch.stack([forward[:, 1], -forward[:, 0], torch.zeros_like(forward[:, 0])], dim=-1), dim=-1)
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
    return replace(drawn, position=position, rotation=rotation)


def _other_noise(image: Tensor, size: Tensor, *rest: Any, **more: Any) -> Tensor:
    points = _noise(image, size, *rest, **more)
    off = _JITTER * torch.randn(image.shape, generator=torch.Generator().manual_seed(5))
    for rows, down in _ELSEWHERE:
        off[:, :, list(rows), 1] += down
    seen = points[..., 2:] > 0
    moved = points[..., :2] + off * size[..., None, None]
    return torch.where(seen, torch.cat([moved, torch.full_like(points[..., 2:], 0.9)], dim=-1), points)


def lifter_of(kind: str) -> TemporalLifter:
    """The shipped one, averaged with its mirror image as in a capture; with a fault where that is the kind."""
    lifter = TemporalLifter.from_file(DEFAULT_WEIGHTS, flip=True)
    if kind != "faulty lifter":
        return lifter
    state = {name: value.float().clone() for name, value in lifter.checkpoint.state.items()}
    for name, metres in _FAULT.items():
        row = 3 * lifter.checkpoint.sidecar.joints_out.index(name)
        state["shrink.bias"][row : row + 3] += torch.tensor(metres)
    return lifter.with_weights(state)


def tried(clip: Clip, lifter: TemporalLifter, refining: bool) -> Result:
    """Lift a clip without and with adapting."""
    keypoints = replace(clip.keypoints, intrinsics=clip.camera.intrinsics)
    lens = choose_lens(keypoints, None, None, "known")
    both, seconds = [], [0.0, 0.0]
    for adapt in (False, True):
        begin = time.process_time()
        both.append(lift_people(keypoints, lens, lifter, lambda: lifter, Progress(), adapt=adapt))
        seconds[adapt] = time.process_time() - begin
    lifted = tuple(_lifted_errors(clip, people) for people in both)
    report, refined = dict(both[1].people[0].adaptation or {}), None
    if refining:
        before = _refined_errors(clip, both[0])
        refined = before, _refined_errors(clip, both[1]) if report["accepted"] else before
    return Result(lifted, refined, report, seconds[1] - seconds[0], len(clip.joints))  # type: ignore[arg-type]


def _lifted_errors(clip: Clip, people: LiftedPeople) -> tuple[float, float]:
    truth = np.where(clip.detected[:, None, None], clip.joints, np.nan) @ clip.camera.rotation[0].T
    truth, joints = truth - truth[:, :1], people.people[0].joints
    return 1000 * mean(mpjpe(joints, truth)), 1000 * mean(p_mpjpe(joints, truth))


def _refined_errors(clip: Clip, people: LiftedPeople) -> tuple[float, float]:
    placed = place_people(clip.keypoints, people)
    world = refine_people(placed, clip.keypoints, people.lens.intrinsics, Options(), None, Progress(), None)
    found = measures(world.joints[0], world.world_to_camera, clip)
    return found["mpjpe"], found["p_mpjpe"]


def line(kind: str, results: list[Result]) -> str:
    """Of the table."""
    cells = [kind, str(len(results))]
    worse = []
    for stage in ("lifted", "refined"):
        numbers = [getattr(result, stage) for result in results]
        if any(each is None for each in numbers):
            cells.append("-")
            continue
        values = np.array(numbers)  # clips, before and after, MPJPE and P-MPJPE
        cells.append(" to ".join(f"{a:.1f} / {b:.1f}" for a, b in values.mean(0)))
        worse.append(f"{100 * np.mean(values[:, 1, 0] > WORSE * values[:, 0, 0]):.0f} %")
    held = [r.report["held_back_error_mm"] for r in results if "held_back_error_mm" in r.report]
    ends = [f"{np.mean([each[when] for each in held]):.1f}" for when in ("before", "after") if held]
    cells.append(" to ".join(ends) or "-")
    cells.append(f"{100 * np.mean([r.report['accepted'] for r in results]):.0f} %")
    cells.append(" / ".join(worse))
    kept = [r.report["frames_kept_as_before"] / r.frames for r in results if r.report["accepted"]]
    cells.append(f"{100 * np.mean(kept):.0f} %" if kept else "-")
    cells.append(f"{1000 * sum(r.seconds for r in results) / sum(r.frames for r in results):.1f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What adapting the lifter to each person brings.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--lifted", action="store_true", help="without refinement, which takes most of the time")
    parser.add_argument("--anyhow", action="store_true", help="accept every adapted lifter")
    parser.add_argument("--each", action="store_true", help="a line for every clip too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    titles = ("clips", "lifted", "refined", "held back", "accepted", "worse", "frames kept", "s")
    print(f"| {'kind'} | {' | '.join(titles)} |\n|{'---|' * (len(titles) + 1)}", flush=True)
    if arguments.anyhow:
        usual = adapting.adapt

        def accepted(*given: Any, **more: Any) -> Any:
            fitted, judgement = usual(*given, **more)
            return fitted, replace(judgement, accepted=np.isfinite(judgement.before))

        adapting.adapt = accepted
    for kind in arguments.only:
        with scenes(kind):
            clips = load_clips(arguments.motion, arguments.clips, False)
        lifter, results = lifter_of(kind), []
        for clip in clips:
            results.append(tried(clip, lifter, not arguments.lifted))
            if arguments.each:
                print(line(f"{kind}: {clip.name}", results[-1:]), flush=True)
        print(line(kind, results), flush=True)


if __name__ == "__main__":
    main()
