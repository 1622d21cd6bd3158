# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a bottom-up detector: steps, checkpoints, going on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....errors import UserError
from ....progress import Progress
from ....training.course import LAST, Course, follow, read_state
from ....training.pace import blend, memory_at, rate_at
from ..decode import DecodeOptions
from ..finder import Finder
from ..network import Network, build_network
from .pictures import Picture, PictureSet
from .samples import Batch, make_batch
from .settings import LossSettings, Settings, architecture, settings_from
from .validation import Scores, validate

KIND = "detector"
#: The longest step a gradient may ask for.
_LONGEST = 5.0
#: Batches that are drawn meanwhile.
_AHEAD = 4


def maps_loss(stages: Sequence[Tensor], batch: Batch, joints: int, settings: LossSettings) -> Tensor:
    """Squared error of the maps, summed over them and over the stages (S04, S25), mean over the cells that count.

    Cells where a joint or a limb is weigh more by `foreground`, which is why a heatmap's value is no likelihood
    (`decode.likely`); fields by `fields`.
    """
    target = batch.maps
    limbs = target[:, joints:].unflatten(1, (-1, 2)).norm(dim=2).repeat_interleave(2, 1)
    weight = 1 + settings.foreground * torch.cat([target[:, :joints], limbs], 1)
    weight[:, joints:] *= settings.fields
    weight = weight * batch.counts
    cells = batch.counts.sum().clamp(min=1)
    return sum(((stage.float() - target) ** 2 * weight).sum() / cells for stage in stages)  # type: ignore[return-value]


class Run(Course[Network, Batch]):
    """A detector's training.

    folder: holds `last.pt`; settings: must be those that the folder's run was begun with, pictures of the same joints.
    initial: a state that a new run starts from; what of the network it does not fit starts at random.
    Raises UserError if the folder holds another run or a damaged one.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        pictures: PictureSet,
        device: torch.device,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(folder, settings.schedule.steps)
        self.settings, self.layout = settings, pictures.layout
        self._pictures, self._device = pictures.pictures, device
        schedule = settings.schedule
        torch.manual_seed(schedule.seed)  # of the weights
        made = architecture(settings, pictures.layout.maps)
        # A fifth less time a step than with the channels apart.
        self.model = build_network(made).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if initial is not None:
            _start_from(self.model, initial)
        #: The moving average of the weights: what is validated and exported.
        self.average = build_network(made).to(device).eval().requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
        self._resume()

    def _about(self) -> dict[str, Any]:
        return {"kind": KIND, "settings": asdict(self.settings), "names": list(self.layout.names)}

    def _read(self, path: Path) -> dict[str, Any]:
        return read_run(path)

    def _batches(self, pool: ThreadPoolExecutor) -> Callable[[int], Batch]:
        ahead: dict[int, Future[Batch]] = {}

        def batch(step: int) -> Batch:
            for number in range(step, min(step + _AHEAD, self.steps)):
                if number not in ahead:
                    ahead[number] = pool.submit(self._draw, number)
            return ahead.pop(step).result()

        return batch

    def scores(self, pictures: Sequence[Picture]) -> Scores:
        """Of the averaged weights, on at most so many pictures as the settings say, spread over all."""
        most = min(len(pictures), self.settings.schedule.looked)
        rows = np.linspace(0, len(pictures) - 1, most).round().astype(int)
        options = DecodeOptions(foreground=self.settings.loss.foreground)
        finder = Finder(self.average, self.layout, self.settings.data.size, options=options)
        return validate(finder, self.layout.names, [pictures[row] for row in rows])

    def _draw(self, number: int) -> Batch:
        """The batch of a step: it depends on the seed and the step's number alone. Every round all are drawn once."""
        schedule, count = self.settings.schedule, len(self._pictures)
        places = range(number * schedule.batch, (number + 1) * schedule.batch)
        orders = {place // count for place in places}
        order = {one: np.random.default_rng([schedule.seed, 0, one]).permutation(count) for one in orders}
        chosen = [self._pictures[order[place // count][place % count]] for place in places]
        random = np.random.default_rng([schedule.seed, 1, number])
        return make_batch(chosen, self.layout, self.settings.data, random)

    def _learn(self, batch: Batch) -> float:
        s = self.settings.schedule
        self._optimizer.param_groups[0]["lr"] = rate_at(self.step, s.steps, s.rate, s.last_rate, s.warmup)
        batch = batch.to(self._device)
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._device.type == "cuda"):
            stages = self.model(batch.pictures)
        loss = maps_loss(stages, batch, len(self.layout.names), self.settings.loss)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _LONGEST)
        self._optimizer.step()
        blend(self.average, self.model, memory_at(self.step, s.average))
        return float(loss.detach())


def _start_from(model: torch.nn.Module, initial: Mapping[str, Any]) -> None:
    """Take what fits of weights: of a network like this one, or of a published trunk. UserError if nothing does."""
    own, known = model.state_dict(), {}
    state = initial.get("state_dict", initial) if isinstance(initial, Mapping) else {}
    for key, value in state.items():
        key = key.removeprefix("module.")
        for name in (key, f"trunk.{key}"):
            if isinstance(value, Tensor) and name in own and value.shape == own[name].shape:
                known[name] = value.to(own[name].dtype)
    if not known:
        raise UserError("the weights to start from are of another network: none of their tensors fits")
    model.load_state_dict({**own, **known})


def is_detector_run(folder: Path) -> bool:
    """Whether the folder holds a training of a detector (and not of a lifter)."""
    try:
        return torch.load(folder / LAST, map_location="cpu", weights_only=True, mmap=True).get("kind") == KIND
    except Exception:  # none is there, or a damaged one, of which its reader says so
        return False


def read_run(path: Path) -> dict[str, Any]:
    """The state of a run. Raises UserError if there is none or it is damaged."""

    def check(state: dict[str, Any]) -> None:
        if state["kind"] != KIND:
            raise ValueError(state["kind"])
        settings_from(state["settings"])

    return read_state(path, check, "a detector's training")


def train(
    run: Run,
    looked_at: tuple[str, Sequence[Picture]],
    minutes: float,
    say: Callable[[str], None],
    progress: Progress,
) -> Scores | None:
    """Go on with a run for so many minutes; the course goes to `say` and to `log.txt` in its folder, in lines.

    looked_at: what to call the pictures that are scored now and then, and these. Returns the last scores, None if there
    was no look. Raises Cancelled after saving.
    """
    name, pictures = looked_at

    def score() -> tuple[Scores, str]:
        scores = run.scores(pictures)
        return scores, f"{name}: {scores}"

    return follow(run, run.settings.schedule.look, score, minutes, say, progress)
