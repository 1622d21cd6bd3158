# SPDX-License-Identifier: GPL-3.0-or-later
"""What refinement costs: seconds and memory against the number of frames and of people, beside detection's.

    python benchmarks/refinement_cost.py MOTION_LIBRARY [--frames 1000 2000 5000 10000 20000] [--people 1 2 4]
                                         [--footage VIDEO]

MOTION_LIBRARY has a folder `val`. The motion of its clips one after the other, before a camera that stands still, with
the measured noise of a detector. Processor time of "lifting" (the lifter and the root) and of "refinement" (what
`refine_people` does with the focal length given), in a process of its own per line, whose peak memory is told less what
it had before the first frame was lifted. People are copies, so that a line differs by nothing but their number. With
--footage the processor time that the default detector takes for a thousand frames of it, everybody in it, is beside.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from pathlib import Path

import numpy as np
import torch
from video_mocap.backend import pipeline
from video_mocap.backend.detection.base import create_detector
from video_mocap.backend.footage import probe, read_frames
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.observe import MOST_PERSONS, observe
from video_mocap.backend.progress import Progress
from video_mocap.backend.refinement.refine import Options
from video_mocap.backend.stages.lifting import choose_lens, lift_people
from video_mocap.backend.stages.people import place_people
from video_mocap.backend.stages.refinement import refine_people
from world_clips import load_clips

_DETECTED = 200


def long_clip(library: Path, frames: int, people: int) -> Keypoints:
    """So many copies of a person whose motion is that of clips one after the other, and again."""
    clips = load_clips(library, 8, panning=False)
    size = clips[0].keypoints.image_size
    focal = clips[0].camera.focal
    parts = []
    for clip in clips:
        points = clip.keypoints.keypoints[0].copy()
        # Through one lens: the same lines of sight as through the clip's own.
        points[..., :2] -= 0.5 * np.array(clip.keypoints.image_size)
        points[..., :2] = points[..., :2] * focal / clip.camera.focal + 0.5 * np.array(size)
        parts.append(points[(points[..., 2] > 0).any(-1)])
    once = np.concatenate(parts)
    whole = np.tile(once, (-(-frames // len(once)), 1, 1))[:frames]
    first = clips[0].keypoints
    return Keypoints(
        first.fps,
        np.arange(frames) / first.fps,
        size,
        first.keypoint_names,
        np.arange(1, people + 1),
        np.repeat(whole[None], people, 0),
        clips[0].camera.intrinsics,
    )


def cost(library: Path, frames: int, people: int) -> tuple[float, float, float]:
    """Seconds of lifting and refinement, and MB of memory beyond what the process had before."""
    torch.set_num_threads(1)
    keypoints = long_clip(library, frames, people)
    options = pipeline.CaptureOptions()
    lifter = pipeline.open_lifter(options)
    lens = choose_lens(keypoints, None, None, "keypoints file")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    placed = place_people(keypoints, lift_people(keypoints, lens, lifter, lambda: lifter, Progress()))
    between = time.process_time()
    refine_people(placed, keypoints, lens.intrinsics, Options(), None, Progress())
    ended = time.process_time()
    return between - started, ended - between, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def detection(video: Path) -> tuple[float, int]:
    """Processor seconds of detection for a thousand frames, and how many people it followed."""
    info = probe(video)
    frames = []
    for frame in read_frames(video, None, None, warnings=[]):
        frames.append(frame)
        if len(frames) == _DETECTED:
            break
    detector = create_detector("mediapipe", MOST_PERSONS, "standard", "cpu")
    started = time.process_time()
    keypoints = observe(iter(frames), info, detector, None, Progress(), len(frames))
    seconds = time.process_time() - started
    detector.close()
    return 1000 * seconds / len(frames), len(keypoints.person_ids)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What refinement costs.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--frames", type=int, nargs="+", default=(1000, 2000, 5000, 10000, 20000))
    parser.add_argument("--people", type=int, nargs="+", default=(1, 2, 4), help="in the least of the frames")
    parser.add_argument("--footage", type=Path, help="footage for the detector")
    arguments = parser.parse_args()
    lines = [(frames, 1) for frames in arguments.frames]
    lines += [(min(arguments.frames), people) for people in arguments.people if people > 1]
    print("| frames | people | lifting, s | refinement, s | refinement, s / 1000 frames and person | memory, MB |")
    print("|---|---|---|---|---|---|")
    for frames, people in lines:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            lifting, refinement, memory = pool.apply(cost, (arguments.motion, frames, people))
        each = 1000 * refinement / (frames * people)
        print(f"| {frames} | {people} | {lifting:.1f} | {refinement:.1f} | {each:.2f} | {memory:.0f} |", flush=True)
    if arguments.footage:
        seconds, people = detection(arguments.footage)
        print(f"\ndetection: {seconds:.1f} s for 1000 frames of {arguments.footage.name}, {people} people")


if __name__ == "__main__":
    main()
