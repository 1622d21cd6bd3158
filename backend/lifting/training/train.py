# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a lifter: steps, checkpoints, going on after a stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import UserError
from ...progress import Progress
from ...training.course import Course, follow, read_state
from ...training.pace import blend, memory_at, rate_at
from .footage import Footage
from .losses import total_loss
from .motion import MotionSet
from .networks import Network, build_network
from .samples import Batch, make_batch
from .settings import ScheduleSettings, Settings, plain, settings_from
from .validation import Scores, validate
from .variety import by_rarity

#: Steps between two looks at the validation motion.
LOOK = 500
#: Batches between two uses of one.
_APART = 40


class Run(Course[Network, Batch]):
    """A lifter's training.

    folder: holds `last.pt`; settings: must be those that the folder's run was begun with.
    initial: weights (a state of the network) that a new run starts from; what it does not know starts at random.
    footage: people without truth, as many windows a step as of the motion.
    Raises UserError if the folder holds another run or a damaged one.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        motion: MotionSet,
        initial: dict[str, Tensor] | None = None,
        footage: Footage | None = None,
    ) -> None:
        super().__init__(folder, settings.schedule.steps)
        self.settings, self._footage = settings, footage
        self._motion = by_rarity(motion, settings.data.rare) if settings.data.rare > 0 else motion
        schedule = settings.schedule
        if footage is not None and schedule.frames != 1:
            raise UserError("training with footage needs schedule.frames = 1")
        torch.manual_seed(schedule.seed)  # of the weights
        self.model = build_network(settings, schedule.frames == 1).to(motion.device)
        if initial is not None:
            self.model.load_state_dict(_grown(initial, self.model.state_dict()))
        #: The moving average of the weights: what is validated and exported.
        self.average = build_network(settings, schedule.frames == 1).to(motion.device).requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=schedule.rate, amsgrad=True)
        self._resume()

    def _about(self) -> dict[str, Any]:
        return {"settings": plain(self.settings)}

    def _read(self, path: Path) -> dict[str, Any]:
        return read_run(path)

    def _batches(self, pool: ThreadPoolExecutor) -> Callable[[int], Batch]:
        ahead = pool if self._motion.device.type == "cpu" else None
        return _Drawn(self._draw, ahead, self.settings.schedule).batch

    def scores(self, validation: MotionSet) -> dict[str, Scores]:
        """Of the averaged weights, by the noise of what they are given."""
        return {name: validate(self.average, validation, self.settings, name) for name in ("none", "measured")}

    def _draw(self, number: int) -> Batch:
        settings, schedule = self.settings, self.settings.schedule
        generator = torch.Generator(self._motion.device).manual_seed(schedule.seed * 1_000_003 + number)
        network = self.model.architecture
        return make_batch(
            self._motion, schedule.batch, schedule.frames, network.padding, generator, settings.data, network.causal
        )

    def _learn(self, batch: Batch) -> float:
        schedule = self.settings.schedule
        torch.manual_seed(schedule.seed * 1_000_003 + self.step)  # of dropout: a run that goes on has the same
        rate = rate_at(self.step, schedule.steps, schedule.rate, schedule.last_rate, schedule.warmup)
        self._optimizer.param_groups[0]["lr"] = rate
        # VideoPose3D's decay of the batch normalisation's momentum, 0.1 to 0.001.
        self.model.set_bn_momentum(0.1 * math.exp(-self.step / schedule.steps * math.log(100)))
        seen, inputs = None, batch.inputs
        if self._footage is not None and self.step >= schedule.warmup:
            generator = torch.Generator(self._motion.device).manual_seed(schedule.seed * 999_983 + self.step)
            seen = self._footage.draw(schedule.batch, generator)
            inputs = torch.cat([inputs, seen.inputs])
        with torch.autocast(self._motion.device.type, dtype=torch.bfloat16):
            output, log_errors = self.model.with_errors(inputs)
        output, log_errors, count = output.float(), log_errors.float(), len(batch.inputs)
        loss = total_loss(output[:count], log_errors[:count], batch, self.settings.loss)
        if self._footage is not None and seen is not None:
            loss = loss + self.settings.loss.footage * self._footage.loss(output[count:], seen, batch.joints)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        blend(self.average, self.model, memory_at(self.step, schedule.average))
        return float(loss.detach())


class _Drawn:
    """The batches that steps learn from: they depend on a step's number alone, also when a run goes on.

    With `reuse` R a new batch is drawn every R steps, and steps between learn again from one of `_APART` or more
    batches before. pool: draws the next one meanwhile; None draws when asked (a GPU draws in its own stream of work,
    where a second thread would only contend for it).
    """

    def __init__(
        self, draw: Callable[[int], Batch], pool: ThreadPoolExecutor | None, schedule: ScheduleSettings
    ) -> None:
        self._draw, self._pool, self._reuse = draw, pool, schedule.reuse
        self._known: dict[int, Future[Batch]] = {}

    def batch(self, step: int) -> Batch:
        newest, again = divmod(step, self._reuse)
        self._ask(newest)
        if self._pool is not None:
            self._ask(newest + 1)
        wanted = newest - again * _APART
        # The first steps have nothing older to come back to.
        wanted = newest if wanted < 0 else wanted
        self._ask(wanted)
        for old in [number for number in self._known if number < newest - (self._reuse - 1) * _APART]:
            del self._known[old]
        return self._known[wanted].result()

    def _ask(self, number: int) -> None:
        if number in self._known:
            return
        if self._pool is not None:
            self._known[number] = self._pool.submit(self._draw, number)
        else:
            self._known[number] = Future()
            self._known[number].set_result(self._draw(number))


def read_run(path: Path) -> dict[str, Any]:
    """The state of a run. Raises UserError if there is none or it is damaged."""
    return read_state(path, lambda state: settings_from(state["settings"]), "a training run")


def train(
    run: Run, validation: MotionSet, minutes: float, say: Callable[[str], None], progress: Progress
) -> dict[str, Scores]:
    """Go on with a run for so many minutes; the course goes to `say` and to `log.txt` in its folder, in lines.

    Returns the last scores; none if no step was made. Raises Cancelled after saving.
    """

    def score() -> tuple[dict[str, Scores], str]:
        scores = run.scores(validation)
        return scores, " | ".join(f"noise {noise}: {each}" for noise, each in scores.items())

    return follow(run, LOOK, score, minutes, say, progress) or {}


def _grown(known: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Known weights in a network that may have more outputs, and what it has beside at random."""
    state = {}
    for key, random in wanted.items():
        value = random.clone()
        if key in known:
            old = known[key].to(value.device, value.dtype)
            if old.ndim == 0:
                value = old
            elif old.shape[1:] == value.shape[1:] and len(old) <= len(value):
                value[: len(old)] = old
            else:
                raise UserError(f"the weights to start from are of another network ({key} is {tuple(old.shape)})")
        state[key] = value
    return state
