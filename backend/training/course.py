# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a training: steps, checkpoints, going on after a stop, looks at how it goes."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import nn

from ..errors import UserError
from ..files import whole_file
from ..progress import Progress

LAST, LOG = "last.pt", "log.txt"

B = TypeVar("B")
S = TypeVar("S")
M = TypeVar("M", bound=nn.Module)


class Course(ABC, Generic[M, B]):
    """A training that can stop after any step and go on later as if it had not.

    A kind of training makes `model`, `average` (the moving average of the weights: what is validated and exported) and
    `_optimizer`, calls `_resume`, and says what its steps are. folder: holds `last.pt`. steps: of the whole training.
    """

    #: Threads that draw batches and learn.
    threads: ClassVar[int] = 2
    model: M
    average: M
    _optimizer: torch.optim.Optimizer

    def __init__(self, folder: Path, steps: int) -> None:
        self.folder, self.steps, self.step = folder, steps, 0

    @abstractmethod
    def _about(self) -> dict[str, Any]:
        """What the run is, plain: settings and such, which must be the same for it to go on."""

    @abstractmethod
    def _read(self, path: Path) -> dict[str, Any]:
        """A checked state. Raises UserError if there is none or it is damaged."""

    @abstractmethod
    def _batches(self, pool: ThreadPoolExecutor) -> Callable[[int], B]:
        """What gives the batch of a step, which depends on the step's number alone."""

    @abstractmethod
    def _learn(self, batch: B) -> float:
        """Do a step; its loss."""

    def _resume(self) -> None:
        """Go on with the folder's run, if it holds one. Raises UserError if that is another or damaged."""
        path = self.folder / LAST
        if not path.exists():
            return
        state = self._read(path)
        if any(state.get(key) != value for key, value in self._about().items()):
            raise UserError(f"{path} is of a run with other settings: choose another folder for this one")
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self._optimizer.load_state_dict(state["optimizer"])
        except (KeyError, RuntimeError, ValueError):
            raise UserError(f"{path} is not of this version: choose another folder, or delete it") from None
        self.step = int(state["step"])

    def go_on(self, stop: Callable[[], bool] = lambda: False) -> Iterator[float]:
        """Train to the end, or until `stop`; gives the loss of each step, and saves the run when left."""
        self.model.train()
        try:
            with ThreadPoolExecutor(self.threads) as pool:
                batch = self._batches(pool)
                while self.step < self.steps and not stop():
                    drawn = batch(self.step)
                    # In a thread of its own a step is whole whenever somebody presses Ctrl-C.
                    learning = pool.submit(self._learn, drawn)
                    try:
                        learning.result()
                    finally:
                        loss = learning.result()
                        self.step += 1
                    yield loss
        finally:
            self.save()

    def save(self) -> None:
        """Write the run's state, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            **self._about(),
            "step": self.step,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        with whole_file(self.folder / LAST) as path:
            torch.save(state, path)


def read_state(path: Path, check: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
    """The state of a run. check: fails, in any way, if it is of another kind; what: of the sentence.

    Raises UserError if there is none, it is damaged or of another kind.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        check(state)
    except FileNotFoundError:
        raise UserError(f"there is no training run in {path.parent}") from None
    except Exception:  # a damaged pickle can fail in any way
        raise UserError(f"{path} is not the state of {what}, or is damaged") from None
    return state


def follow(
    run: Course[Any, Any],
    look: int,
    score: Callable[[], tuple[S, str]],
    minutes: float,
    say: Callable[[str], None],
    progress: Progress,
) -> S | None:
    """Go on with a run for so many minutes; the course goes to `say` and to `log.txt` in its folder, in lines.

    look: steps between two looks. score: what a look gives, and the same as a text. Returns the last scores, None if
    there was no look. Raises Cancelled after saving.
    """
    began, smooth, scores = time.monotonic(), 0.0, None
    run.folder.mkdir(parents=True, exist_ok=True)
    progress.step("training", run.step, run.steps)
    with (run.folder / LOG).open("a", encoding="utf-8") as log:
        for loss in run.go_on(lambda: time.monotonic() - began > 60 * minutes):
            smooth = loss if smooth == 0.0 else 0.98 * smooth + 0.02 * loss
            progress.step("training", run.step, run.steps)
            if run.step % look == 0 or run.step == run.steps:
                run.save()
                scores, text = score()
                passed = (time.monotonic() - began) / 60
                line = f"step {run.step} after {passed:.1f} min, loss {smooth:.4f} | {text}"
                say(line)
                log.write(line + "\n")
                log.flush()
    return scores
