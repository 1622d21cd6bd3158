# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the contact network: film captures, learn from them, write the weights. Goes on where it was stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save as tensors_to_bytes
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ...errors import UserError
from ...files import whole_file
from ...lifting.lifter import Lifter
from ...lifting.sidecar import file_sha256
from ...lifting.training.export import ACKNOWLEDGEMENTS
from ...lifting.training.variety import by_rarity
from ...progress import Progress
from ...training.pace import rate_at
from ..contact_network import CHANNELS, DILATIONS, OUTPUTS, WIDTH
from ..foot_features import COUNT, RATE
from .captures import Capture, Filming, film_contacts, read_captures, save_captures
from .examples import Examples, examples_of
from .library import Library, drawn_from, load_library
from .settings import Settings, plain

LAST, STAGE = "contacts.pt", "training"
#: Steps between two saves; every so manieth capture is not learned from, so that the log can say how it goes.
_SAVE, _KEPT_BACK = 500, 12
#: Of the loss: what the feet stand on beside whether they stand.
_FLOOR = 0.5
_WARMUP, _LAST_RATE = 100, 0.01


class Trained(nn.Module):
    """The network as it learns; `contact_network.ContactNetwork` is what a capture runs."""

    mean: Tensor
    scale: Tensor

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(COUNT))
        self.register_buffer("scale", torch.ones(COUNT))
        sizes = (COUNT, *[CHANNELS] * len(DILATIONS))
        layers = [nn.Conv1d(a, CHANNELS, WIDTH, dilation=d) for a, d in zip(sizes, DILATIONS, strict=False)]
        self.layers = nn.ModuleList([*layers, nn.Conv1d(CHANNELS, OUTPUTS, 1)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, G, 3) of features (B, G, COUNT)."""
        x = ((features - self.mean) / self.scale).transpose(1, 2)
        for layer, dilation in zip(self.layers[:-1], DILATIONS, strict=True):
            reach = dilation * (WIDTH // 2)
            x = self.dropout(torch.relu(layer(nn.functional.pad(x, (reach, reach), mode="replicate"))))
        return self.layers[-1](x).transpose(1, 2)


def train(
    folder: Path, settings: Settings, motion: Path, lifter: Lifter, minutes: float, say: Callable[[str], None],
    progress: Progress,
) -> int:  # fmt: skip
    """Begin or go on in `folder`; the steps that are done, `settings.learning.steps` of them when it is finished.

    motion: a motion library, with a folder `train`. Raises UserError, Cancelled.
    """
    until = time.monotonic() + 60 * minutes
    state = read_run(folder) if (folder / LAST).exists() else None
    if state is not None and state["settings"] != plain(settings):
        raise UserError(f"{folder} holds a run with other settings: choose another folder for this one")
    captures = _captures(folder, settings, motion, lifter, until, progress)
    if captures is None:
        return 0
    examples = examples_of(captures, settings.learning, settings.seed)
    say(f"{len(captures)} captures, {len(examples.features)} feet, {examples.stands.mean():.0%} of their frames stand")
    return _learn(folder, settings, examples, state, until, say, progress)


def read_run(folder: Path) -> dict[str, Any]:
    """The saved state of a run. Raises UserError if there is none or it is damaged."""
    try:
        state = torch.load(folder / LAST, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{folder} holds no training of contacts that has begun to learn") from None
    except Exception as error:  # whatever a damaged file makes of the reader
        raise UserError(f"{folder / LAST} is damaged ({type(error).__name__}): delete it to begin anew") from None
    return state


def export(folder: Path, output: Path, version: str) -> dict[str, Any]:
    """Write the weights of a finished run as `output` (.safetensors) with their sidecar, which is returned.

    Raises UserError if the run is not finished or the files cannot be written.
    """
    state = read_run(folder)
    total = int(state["settings"]["learning"]["steps"])
    if state["step"] < total:
        raise UserError(f"{folder} has done {state['step']} of {total} steps: go on with it first")
    with whole_file(output) as path:
        path.write_bytes(tensors_to_bytes({name: value.numpy() for name, value in state["model"].items()}))
    sidecar = {
        "name": state["settings"]["name"],
        "version": version,
        "what": "contacts of heels and toes from lifted motion and its picture",
        "features": COUNT,
        "fps": RATE,
        "licence": "CC BY 4.0",
        "trained_on": "CMU and SNU motion capture, virtual cameras, a detector's noise as measured",
        "held_out": list(state["settings"]["captures"]["held_out"]),
        "sha256": file_sha256(output),
        "acknowledgements": ACKNOWLEDGEMENTS,
    }
    with whole_file(output.with_suffix(".json")) as path:
        path.write_text(json.dumps(sidecar, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return sidecar


def _captures(
    folder: Path, settings: Settings, motion: Path, lifter: Lifter, until: float, progress: Progress
) -> list[Capture] | None:
    """Those that the run needs, filmed if they are not there yet; None if time is up before."""
    chosen, out = settings.captures, []
    batches = -(-chosen.count // chosen.batch)
    library: Library | None = None
    rare: Library | None = None
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(batches):
        progress.step("captures", number * chosen.batch, chosen.count)
        path = folder / f"captures-{number:03d}.npz"
        if not path.exists():
            if time.monotonic() > until:
                return None
            if library is None or rare is None:
                library = load_library(motion / "train")
                rare = replace(library, motion=by_rarity(library.motion, chosen.rare))
            save_captures(path, _film(number, settings, library, rare, lifter))
        out += read_captures(path)
    return out


def _film(number: int, settings: Settings, library: Library, rare: Library, lifter: Lifter) -> list[Capture]:
    """One file's captures, all of one rate."""
    chosen = settings.captures
    wanted = drawn_from(library, lambda _, subject: subject not in chosen.held_out)
    first, out = number * chosen.batch, []
    for each in range(first, min(first + chosen.batch, chosen.count)):
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + each)
        noise = "none" if chosen.exact and each % chosen.exact == 0 else "measured"
        rate, refine = float(chosen.rates[number % len(chosen.rates)]), each % chosen.refined == 0
        filming = Filming(rate, chosen.seconds, noise, chosen.focal, None, refine)
        found = film_contacts(library if each % 2 else rare, wanted, lifter, filming, generator)
        if found is not None:
            out.append(found)
    if not out:
        raise UserError("nobody could be captured: the captures of this training are too short or too few")
    return out


def _learn(
    folder: Path, settings: Settings, examples: Examples, state: dict[str, Any] | None, until: float,
    say: Callable[[str], None], progress: Progress,
) -> int:  # fmt: skip
    learning = settings.learning
    torch.manual_seed(settings.seed)
    model = Trained(learning.dropout)
    features = torch.from_numpy(examples.features)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning.rate)
    step = 0
    if state is None:
        sample = features[:: max(1, len(features) // 2000)].float()
        model.mean.copy_(sample.mean((0, 1)))
        model.scale.copy_(sample.std((0, 1)).clamp_min(0.05))
    else:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = int(state["step"])
    stands, floor, judged = (
        torch.from_numpy(each).float() for each in (examples.stands, examples.floor, examples.judged)
    )
    back = examples.capture % _KEPT_BACK == 0
    own, kept_back = (torch.from_numpy(np.flatnonzero(rows)) for rows in (~back, back))

    def save() -> None:
        content = {"settings": plain(settings), "step": step, "model": model.state_dict(),
                   "optimizer": optimizer.state_dict()}  # fmt: skip
        with whole_file(folder / LAST) as path:
            torch.save(content, path)

    def loss_of(rows: Tensor) -> Tensor:
        out = model(features[rows].float())
        where = judged[rows]
        told = binary_cross_entropy_with_logits(out[..., 2], floor[rows], reduction="none")
        standing = binary_cross_entropy_with_logits(out[..., :2], stands[rows])
        return standing + _FLOOR * (told * where).sum() / where.sum().clamp_min(1)

    try:
        while step < learning.steps and time.monotonic() < until:
            progress.step(STAGE, step, learning.steps, "steps")
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
            rows = own[torch.randint(len(own), (learning.batch,), generator=generator)]
            torch.manual_seed(settings.seed * 1_000_003 + step)  # of the dropout
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, learning.steps, learning.rate, _LAST_RATE, _WARMUP)
            model.train()
            optimizer.zero_grad()
            loss = loss_of(rows)
            loss.backward()
            optimizer.step()
            step += 1
            if step % _SAVE == 0 or step == learning.steps:
                model.eval()
                with torch.no_grad():
                    other = loss_of(kept_back).item() if len(kept_back) else float("nan")
                say(f"step {step}: loss {loss.item():.4f}, of captures kept back {other:.4f}")
                save()
    finally:
        save()
    return step
