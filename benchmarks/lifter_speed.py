# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames a second of the lifter's network, three ways with the same weights and the same output.

    python benchmarks/lifter_speed.py [--lifter NAME_OR_WEIGHTS] [--frames 10000] [--threads 2] [--device cpu]

naive: the original design run as its demo suggests, a padded window of one receptive field per output frame. plain: the
whole clip in one pass of dilated convolutions (`Conv1d`), batch normalisation after each, float32. ours: what a capture
runs. Rounds are interleaved and the best of each counts, so that a busy machine is equally unfair to all. The naive way
is timed on 200 frames and reckoned up. Memory: the peak of a process that lifts one and four times the frames.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv1d
from video_mocap.backend.lifting.checkpoint import build_model, load_checkpoint
from video_mocap.backend.lifting.inference import FoldedModel
from video_mocap.backend.lifting.network import TemporalModel
from video_mocap.backend.lifting.temporal import CHUNK, run_in_chunks
from video_mocap.backend.models import find_lifter

NAIVE_FRAMES = 200


def padded(x: Tensor, model: TemporalModel) -> Tensor:
    """(T, ...) with the ends repeated, so that every frame has its context."""
    left, right = model.architecture.padding
    return torch.cat([x[:1].expand(left, *x.shape[1:]), x, x[-1:].expand(right, *x.shape[1:])])


def naive(model: TemporalModel, x: Tensor) -> Tensor:
    """A window per frame."""
    field, whole = model.architecture.receptive_field, padded(x, model)
    return torch.cat([plain_pass(model, whole[first : first + field]) for first in range(len(x))])


def plain(model: TemporalModel, x: Tensor) -> Tensor:
    """One pass."""
    return plain_pass(model, padded(x, model))


def plain_pass(model: TemporalModel, x: Tensor) -> Tensor:
    """(T, K, features) to (T - field + 1, 3 J) as the paper's code does it."""
    y = x.flatten(1).T[None]
    y = torch.relu(model.expand_bn(conv1d(y, model.expand_conv.weight)))
    dilation = model.architecture.widths[0]
    for level, width in enumerate(model.architecture.widths[1:]):
        wide, narrow = model.layers_conv[2 * level], model.layers_conv[2 * level + 1]
        pad = (width - 1) * dilation // 2
        kept = y[:, :, pad : y.shape[2] - pad]
        y = torch.relu(model.layers_bn[2 * level](conv1d(y, wide.weight, dilation=dilation)))  # type: ignore[arg-type]
        y = kept + torch.relu(model.layers_bn[2 * level + 1](conv1d(y, narrow.weight)))  # type: ignore[arg-type]
        dilation *= width
    return model.shrink(y)[0].T


def ours(model: TemporalModel, device: torch.device) -> Callable[[Tensor], Tensor]:
    """What a capture runs, but for the mirror image."""
    folded = FoldedModel(model)
    return lambda x: run_in_chunks(folded, x, model.architecture.padding, CHUNK, device)


def timed(run: Callable[[], Tensor], device: torch.device) -> float:
    """Seconds."""
    began = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def memory(lifter: str, frames: int) -> float:
    """Peak MB of a process that lifts so many frames."""
    code = [sys.executable, __file__, "--lifter", lifter, "--frames", str(frames), "--memory"]
    return float(subprocess.run(code, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Speed of the lifter's network.")
    parser.add_argument("--lifter", default="default", help="a name or weights")
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    torch.set_num_threads(arguments.threads)
    model = build_model(load_checkpoint(find_lifter(arguments.lifter)), device).float()
    x = torch.randn(arguments.frames, 17, 3, generator=torch.Generator().manual_seed(0)).to(device) * 0.5
    run_ours = ours(model, device)
    with torch.no_grad():
        if arguments.memory:
            run_ours(x)
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            return
        count = model.architecture.joints_out * 3
        difference = (plain(model, x).cpu() - run_ours(x)[:, :count]).abs().max()
        some = x[:NAIVE_FRAMES]
        ways = {"naive": lambda: naive(model, some), "plain": lambda: plain(model, x), "ours": lambda: run_ours(x)}
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(arguments.rounds):
            for name, way in ways.items():
                best[name] = min(best[name], timed(way, device))
    best["naive"] *= arguments.frames / NAIVE_FRAMES
    print(f"{arguments.frames} frames, {arguments.threads} threads, {device}; largest difference {difference:.1e} m")
    for name, seconds in best.items():
        print(f"{name}: {seconds:.3f} s, {arguments.frames / seconds:.0f} frames/s, {seconds / best['ours']:.1f}")
    if device.type == "cpu":
        one, four = (memory(arguments.lifter, factor * arguments.frames) for factor in (1, 4))
        print(f"memory: {one:.0f} MB for {arguments.frames} frames, {four:.0f} MB for four times as many")


if __name__ == "__main__":
    main()
