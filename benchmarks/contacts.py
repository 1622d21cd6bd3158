# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts of heels and toes in captures of validation motion: the network's against the rule "slow and low".

    python benchmarks/contacts.py MOTION_LIBRARY [--captures 80] [--climbing 24] [--weights FILE] [--keep FOLDER]

Captures of 5 s at 30 frames a second before random still cameras, with exact keypoints or the measured noise of a
detector, focal length known, half of the people with heels and toes among their keypoints, once refined. Half of the
moments are drawn by how rare they are. "climbing" are steps, ladders and a stool of CMU's subject 14 in the folder
`train`: the contact network has not seen that person, the lifter has. Truth is read off the true motion
(`backend/world/training/labels.py`). Both are given the same floor, which the capture found.

- F1, precision and recall of the four points over all frames, and of heels and toes;
- off by: frames between a true beginning or end of a contact and the nearest found one, median and 90th percentile, of
  those within a third of a second; found: their share;
- air: share of the points called standing in frames of a flight: no point stands, all are 10 cm above the floor or
  more, and the pelvis falls or rises ever slower, at least as fast as half of gravity makes it;
- floor, else: of true contacts that were found, the share rightly said to be on the floor, or on something else, of
  captures with a second of standing on the floor, without which nobody can tell (the rule knows only the floor);
- calibration: expected error of the probabilities over ten bins.

By kind of motion, told by the truth of each frame: lying (trunk nearer to level than upright), low (pelvis below 0.6 m:
sitting, crouching), climbing (a foot stands on something else than the floor within a second), air (as above), running
(pelvis faster than 2 m/s), walking (0.4 to 2), standing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from video_mocap.backend import pipeline
from video_mocap.backend.evaluation.metrics import calibration_error
from video_mocap.backend.lifting.training.variety import by_rarity
from video_mocap.backend.world.contact_network import ContactNetwork, network_of
from video_mocap.backend.world.contacts import (
    FOOT_ROWS,
    Contacts,
    contact_probability,
    find_contacts,
    middle_of_feet,
    resting_weight,
)
from video_mocap.backend.world.foot_features import FootEvidence, feet_shown
from video_mocap.backend.world.ground import fit_ground, mean_up
from video_mocap.backend.world.training.captures import (
    KEYPOINTS,
    Capture,
    Filming,
    film_contacts,
    read_captures,
    save_captures,
)
from video_mocap.backend.world.training.library import Library, drawn_from, load_library
from video_mocap.backend.world.training.settings import HELD_OUT
from video_mocap.rigging.joints import TAKE

FPS, SEED = 30.0, 1
#: CMU 14: up and down steps, a ladder, and sitting on a stool with the feet on its rung.
CLIMBING = tuple(f"cmu_14_{number}" for number in (21, 22, 23, 27, 28, 29, 33, 34, 35))
KINDS = ("standing", "walking", "running", "air", "low", "lying", "climbing")
_MATCHED = 10  # frames
_FALLS = 4.9  # m/s^2
_PELVIS, _THORAX = TAKE.index("pelvis"), TAKE.index("thorax")
Finder = Callable[[FootEvidence], Contacts]


@dataclass(frozen=True)
class Judged:
    """Frames of all captures, one after the other: (N, 4) truth and found, (N,) kinds, the events' errors and their
    number, and (N,) whether the capture shows where the floor is."""

    stands: np.ndarray
    floor: np.ndarray
    found: Contacts
    kinds: np.ndarray
    off: np.ndarray
    events: int
    told: np.ndarray


def evidence_of(capture: Capture) -> FootEvidence:
    """What the refinement stage knows of the feet after its first round, with the floor that it finds."""
    up = mean_up(capture.up, capture.lifted_confidence.mean(-1))
    positions = capture.refined
    shown, sure = feet_shown(positions, capture.keypoints, KEYPOINTS, capture.intrinsics)
    feet = positions[:, FOOT_ROWS]
    ground = fit_ground(up, [middle_of_feet(feet)], [resting_weight(feet, capture.times, up)])
    if not np.isfinite(ground.height):
        ground = replace(ground, height=-float(np.percentile(feet @ ground.up, 2)))
    floor = -ground.height / float(ground.sizes[0])
    return FootEvidence(capture.times, positions, shown, sure, np.zeros(3), ground.up, floor)


def rule(evidence: FootEvidence) -> Contacts:
    """The contacts of slow and low feet."""
    assert evidence.floor is not None
    feet = evidence.positions[:, FOOT_ROWS]
    stands = contact_probability(feet, evidence.times, evidence.up, evidence.floor)
    return Contacts(stands, np.ones_like(stands))


def kinds_of(capture: Capture) -> np.ndarray:
    """(F,) the kind of motion of every frame, a row of `KINDS`."""
    truth, fps = capture.truth, 1 / float(np.median(np.diff(capture.times)))
    trunk = truth[:, _THORAX] - truth[:, _PELVIS]
    speed = np.linalg.norm(np.gradient(truth[:, _PELVIS, :2], 1 / fps, axis=0), axis=-1)
    elsewhere = (capture.stands & ~capture.floor).any(1).astype(np.uint8)
    kinds = np.where(speed < 0.4, 0, np.where(speed < 2.0, 1, 2))
    height = gaussian_filter1d(truth[:, _PELVIS, 2], 1.0, mode="nearest")
    falls = np.gradient(np.gradient(height, 1 / fps), 1 / fps) < -_FALLS
    airborne = falls & ~capture.stands.any(1) & (truth[:, FOOT_ROWS, 2].min(1) > 0.10)
    kinds[airborne] = 3
    kinds[truth[:, _PELVIS, 2] < 0.6] = 4
    kinds[trunk[:, 2] < 0.5 * np.linalg.norm(trunk, axis=-1)] = 5
    kinds[maximum_filter1d(elsewhere, 2 * round(fps) + 1) > 0] = 6
    return kinds


def judge(captures: list[Capture], finder: Finder) -> Judged:
    """Everything that a finder finds in captures."""
    found = [finder(evidence_of(capture)) for capture in captures]
    off, events = [], 0
    for capture, contacts in zip(captures, found, strict=True):
        for column in range(4):
            errors, count = event_errors(capture.stands[:, column], contacts.stands[:, column] > 0.5)
            off.append(errors)
            events += count
    return Judged(
        np.concatenate([capture.stands for capture in captures]),
        np.concatenate([capture.floor for capture in captures]),
        Contacts(
            np.concatenate([contacts.stands for contacts in found]),
            np.concatenate([contacts.on_floor for contacts in found]),
        ),
        np.concatenate([kinds_of(capture) for capture in captures]),
        np.concatenate(off),
        events,
        np.concatenate([np.full(len(each.times), each.floor.any(1).sum() >= FPS) for each in captures]),
    )


def event_errors(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, int]:
    """Frames by which beginnings and ends in (F,) bool are found too late, of those matched; and how many there are."""
    errors, count = [], 0
    for way in (1, -1):
        true, told = (np.flatnonzero(np.diff(each.astype(np.int8)) == way) for each in (truth, found))
        count += len(true)
        for event in true:
            near = told[np.abs(told - event) <= _MATCHED]
            if len(near):
                errors.append(float(near[np.argmin(np.abs(near - event))] - event))
    return np.array(errors), count


def scores(truth: np.ndarray, found: np.ndarray) -> tuple[float, float, float]:
    """F1, precision and recall in per cent; NaN where there is nothing."""
    both = float((truth & found).sum())
    precision = 100 * both / found.sum() if found.any() else float("nan")
    recall = 100 * both / truth.sum() if truth.any() else float("nan")
    return (200 * both / (truth.sum() + found.sum()) if truth.any() else float("nan")), precision, recall


def lines(judged: Judged) -> Iterator[str]:
    """Cells: all frames, then every kind."""
    found = judged.found.stands > 0.5
    heels, toes = (scores(judged.stands[:, half], found[:, half])[0] for half in (slice(0, 4, 2), slice(1, 4, 2)))
    error = np.abs(judged.off)
    told = judged.stands & found & judged.told[:, None]
    floor = (judged.found.on_floor > 0.5)[told & judged.floor].mean()
    other = (judged.found.on_floor <= 0.5)[told & ~judged.floor]
    air = found[judged.kinds == KINDS.index("air")]
    wrong = calibration_error(judged.found.stands.ravel(), judged.stands.ravel())
    f1, precision, recall = scores(judged.stands, found)
    yield (
        f"{f1:.1f} ({precision:.0f}, {recall:.0f}) | {heels:.1f} | {toes:.1f} | "
        f"{np.median(error):.0f}, {np.percentile(error, 90):.0f} | {100 * len(error) / judged.events:.0f} | "
        f"{100 * air.mean() if len(air) else float('nan'):.0f} | {100 * floor:.0f} | "
        f"{100 * other.mean() if len(other) else float('nan'):.0f} | {wrong:.3f}"
    )
    cells = []
    for kind in range(len(KINDS)):
        rows = judged.kinds == kind
        if rows.sum() < 30 or KINDS[kind] == "air":
            cells.append("-" if KINDS[kind] != "air" else f"{int(rows.sum())} frames")
            continue
        f1, precision, recall = scores(judged.stands[rows], found[rows])
        cells.append(f"{f1:.0f} ({precision:.0f}, {recall:.0f})")
    yield " | ".join(cells)


def films(motion: Path, captures: int, climbing: int, noise: str, keep: Path | None) -> dict[str, list[Capture]]:
    """Captures by the name of the set."""
    sets = {"validation": ("val", captures), "climbing": ("train", climbing)}
    out: dict[str, list[Capture]] = {}
    for name, (split, count) in sets.items():
        kept = None if keep is None else keep / f"{name}_{noise}_{count}.npz"
        if kept is None or not kept.exists():
            filmed = _filmed(load_library(motion / split), name == "climbing", count, noise)
            if kept is not None:
                save_captures(kept, filmed)
        else:
            filmed = read_captures(kept)
        out[name] = filmed
    return out


def _filmed(library: Library, climbing: bool, count: int, noise: str) -> list[Capture]:
    wanted = drawn_from(library, lambda clip, subject: clip in CLIMBING and subject in HELD_OUT if climbing else True)
    rare = replace(library, motion=by_rarity(library.motion, 1.5))
    lifter = pipeline.open_lifter(pipeline.CaptureOptions(device="cpu"))
    found = []
    for number in range(count):
        generator = torch.Generator().manual_seed(100_003 * SEED + number)
        drawn = library if number % 2 else rare
        found.append(film_contacts(drawn, wanted, lifter, Filming(FPS, noise=noise, focal=0.0), generator))
    return [capture for capture in found if capture is not None]


def finders(network: ContactNetwork | None) -> dict[str, Finder]:
    """What is compared."""
    return {"rule": rule, "network": lambda evidence: find_contacts(evidence, network)}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Contacts in captures of validation motion.")
    parser.add_argument("motion", type=Path)
    parser.add_argument("--captures", type=int, default=80)
    parser.add_argument("--climbing", type=int, default=24)
    parser.add_argument("--weights", type=Path, help="of another network than the shipped one")
    parser.add_argument("--keep", type=Path, help="folder for the captures, so that the next run need not film them")
    arguments = parser.parse_args()
    network = None if arguments.weights is None else network_of(load_file(arguments.weights))
    print("| motion | 2D | contacts | F1 (precision, recall) | heels | toes | off by | found | air | floor | else | "
          "calibration |")  # fmt: skip
    print("|---" * 12 + "|")
    kinds = []
    for noise in ("none", "measured"):
        seen = {"none": "exact", "measured": "noise"}[noise]
        for name, captures in films(
            arguments.motion, arguments.captures, arguments.climbing, noise, arguments.keep
        ).items():
            for method, finder in finders(network).items():
                whole, by_kind = lines(judge(captures, finder))
                print(f"| {name} | {seen} | {method} | {whole} |", flush=True)
                kinds.append(f"| {name} | {seen} | {method} | {by_kind} |")
    print(f"\n| motion | 2D | contacts | {' | '.join(KINDS)} |")
    print("|---" * (3 + len(KINDS)) + "|")
    print("\n".join(kinds))


if __name__ == "__main__":
    main()
