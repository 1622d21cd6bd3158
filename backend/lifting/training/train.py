# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the shipped lifter.

    python -m video_mocap.backend.lifting.training.train --motion MOTION_LIBRARY --output RUN_FOLDER

The motion library has folders `train` and `val`. The run can be stopped and started again: it goes on from
RUN_FOLDER/last.pt. The same seed gives the same samples. RUN_FOLDER/weights.pt holds the result,
RUN_FOLDER/log.txt the course.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ....rigging.joints import COCO17, TAKE
from ..network import Architecture, StridedTemporalModel, TemporalModel
from .motion import MotionSet, load_motion
from .samples import Batch, make_batch


@dataclass(frozen=True)
class Settings:
    """steps: optimiser steps in all. batch: windows a step, each of one receptive field. fps: of the lifter, Hz.

    One output frame from each of many windows taught far more per second of computing than many neighbouring frames
    from few windows did.
    """

    steps: int = 8000
    batch: int = 512
    fps: float = 30.0
    channels: int = 512
    widths: tuple[int, ...] = (3, 3, 3, 3)
    dropout: float = 0.1
    rate: float = 1e-3
    seed: int = 1

    @property
    def architecture(self) -> Architecture:
        """COCO-17 with confidence in; the take's joints and, as one more, the direction of up, out."""
        return Architecture(17, 3, len(TAKE) + 1, self.widths, channels=self.channels, dropout=self.dropout)


def position_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """Mean distance per joint, metres, of root-relative poses (VideoPose3D's loss)."""
    return (predicted - truth).norm(dim=-1).mean()


def loss_of(output: Tensor, batch: Batch) -> Tensor:
    """Position, metres, and the length of the difference of the unit vectors of up, weighed as 0.1 m."""
    joints = output[:, :, : len(TAKE)]
    up = (output[:, :, len(TAKE)] - batch.up).norm(dim=-1).mean()
    return position_error(joints - joints[:, :, :1], batch.joints) + 0.1 * up


def validate(weights: nn.Module, motion: MotionSet, settings: Settings, noise: bool) -> dict[str, float]:
    """MPJPE and velocity error in mm and mm a frame, tilt in degrees, over fixed windows of the validation motion."""
    model = TemporalModel(settings.architecture)
    model.load_state_dict(weights.state_dict())
    model.eval()
    generator = torch.Generator().manual_seed(12345)
    context = model.architecture.receptive_field - 1
    sums = torch.zeros(3)
    rounds = 6
    with torch.no_grad():
        for _ in range(rounds):
            batch = make_batch(motion, 64, 48, context, settings.fps, generator, noise)
            out = model(batch.inputs)
            joints = out[:, :, : len(TAKE)] - out[:, :, :1]
            up = torch.nn.functional.normalize(out[:, :, len(TAKE)], dim=-1)
            cosine = (up * batch.up).sum(-1).clamp(-1, 1)
            velocity = (joints.diff(dim=1) - batch.joints.diff(dim=1)).norm(dim=-1).mean()
            sums += torch.stack(
                [1000 * position_error(joints, batch.joints), 1000 * velocity, torch.rad2deg(cosine.acos()).mean()]
            )
    return dict(zip(("mpjpe_mm", "velocity_mm", "tilt_degrees"), (sums / rounds).tolist(), strict=True))


def train(motion_folder: Path, output: Path, settings: Settings, minutes: float, initial: Path | None = None) -> None:
    """Run or go on with a training; stops after `minutes`, leaving a checkpoint that a later call continues.

    initial: the `weights.pt` of an earlier run that a new run starts from.
    """
    output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    model = StridedTemporalModel(settings.architecture)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.rate, amsgrad=True)
    training, validation = load_motion(motion_folder / "train"), load_motion(motion_folder / "val")
    if initial is not None:
        model.load_state_dict(torch.load(initial, weights_only=True))
    step, last = 0, output / "last.pt"
    if last.exists():
        state = torch.load(last, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = int(state["step"])

    def draw(number: int) -> Batch:
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + number)
        context = settings.architecture.receptive_field - 1
        return make_batch(training, settings.batch, 1, context, settings.fps, generator)

    started, running = time.monotonic(), 0.0
    with ThreadPoolExecutor(1) as pool, (output / "log.txt").open("a") as log:
        pending = pool.submit(draw, step)
        while step < settings.steps and time.monotonic() - started < 60 * minutes:
            batch = pending.result()
            pending = pool.submit(draw, step + 1)
            progress = step / settings.steps
            warmup = min(1.0, (step + 1) / 200)
            optimizer.param_groups[0]["lr"] = (
                settings.rate * warmup * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
            )
            model.set_bn_momentum(0.1 * math.exp(-progress * math.log(100)))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                out = model(batch.inputs)
            loss = loss_of(out.float(), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            running = loss.item() if step == 1 else 0.98 * running + 0.02 * loss.item()
            if step % 250 == 0 or step == settings.steps:
                exact, noisy = (validate(model, validation, settings, noise) for noise in (False, True))
                line = f"step {step} minutes {(time.monotonic() - started) / 60:.1f} loss {running:.4f}"
                for name, scores in (("exact", exact), ("noisy", noisy)):
                    line += f" | {name} " + " ".join(f"{key} {value:.1f}" for key, value in scores.items())
                print(line, flush=True)
                log.write(line + "\n")
                log.flush()
                _save(last, model, optimizer, step, settings)
        _save(last, model, optimizer, step, settings)
        torch.save(model.state_dict(), output / "weights.pt")


def _save(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, settings: Settings) -> None:
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "settings": asdict(settings),
        "joints_in": list(COCO17.names),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def main() -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(description="Train the lifter on a motion library.")
    parser.add_argument("--motion", type=Path, required=True, help="folder with train/ and val/")
    parser.add_argument("--output", type=Path, required=True, help="folder of this run; an existing one goes on")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--minutes", type=float, default=24 * 60.0, help="stop after this time, ready to go on")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--rate", type=float, default=Settings.rate, help="learning rate at its peak")
    parser.add_argument("--initial", type=Path, help="weights.pt of an earlier run to start from")
    arguments = parser.parse_args()
    settings = Settings(steps=arguments.steps, seed=arguments.seed, rate=arguments.rate)
    train(arguments.motion, arguments.output, settings, arguments.minutes, arguments.initial)


if __name__ == "__main__":
    main()
