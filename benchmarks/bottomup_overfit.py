# SPDX-License-Identifier: GPL-3.0-or-later
"""Does training work? A small bottom-up network learns a few pictures by heart and has to find everybody in them.

    python benchmarks/bottomup_overfit.py PICTURES RUN [--count 32] [--trunk fpn] [--size 192] [--steps 2000]
        [--minutes M] [--device auto]

PICTURES: a COCO file or folder, as made by `training_pictures.py`. The pictures are not varied. RUN is a folder; a run
that is there goes on. Ends with the weights as users get them: written, read again, run as a detector, grouped; people
by their height as the network sees them. Beside them what exact maps give: a network cannot do better. The detector is
given the pictures in the grey squares that they were learned in, and as they are: who learns unvaried pictures learns
the grey by heart as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from video_mocap.backend.detection.base import Candidates, Detector, create_detector
from video_mocap.backend.detection.bottomup.decode import decode
from video_mocap.backend.detection.bottomup.fields import COCO_LAYOUT
from video_mocap.backend.detection.bottomup.finder import FILL
from video_mocap.backend.detection.bottomup.training.export import export
from video_mocap.backend.detection.bottomup.training.pictures import Picture, read_pictures
from video_mocap.backend.detection.bottomup.training.samples import make_sample
from video_mocap.backend.detection.bottomup.training.settings import DataSettings, settings_from
from video_mocap.backend.detection.bottomup.training.train import Run, train
from video_mocap.backend.detection.bottomup.training.validation import grouped, match, oks_to
from video_mocap.backend.grouping.affinity import sigmas_of
from video_mocap.backend.lifting.device import pick_device
from video_mocap.backend.progress import Progress
from video_mocap.rigging.joints import COCO17

NETWORKS = {
    "fpn": {"trunk": "fpn", "depth": 18, "width": 16, "channels": 48},
    "hourglass": {"trunk": "hourglass", "stacks": 2, "blocks": 1, "channels": 48},
}
STILL = {"zoom": 0.0, "person": 0.0, "shift": 0.0, "turn": 0.0, "mirror": 0.0, "colour": 0.0, "blur": 0.0}
#: Heights, pixels as the network sees them, that people are counted by.
HEIGHTS = (0, 20, 40, 80, 10_000)


def report(name: str, find: Callable[[Picture], Candidates], pictures: Sequence[Picture], size: int) -> None:
    """Print what grouping makes of the candidates that `find` gives, in the picture's pixels."""
    joints, sigmas = COCO17, sigmas_of(COCO17.names)
    similarities, heights, extra, errors = [], [], 0, []
    for picture in pictures:
        people = grouped(find(picture), joints)
        similarity = oks_to(picture.people, picture.areas, people, sigmas)
        truth, found = match(similarity)
        best = np.zeros(len(picture.people))
        best[truth] = similarity[truth, found]
        similarities.append(best)
        extra += len(people) - int((best > 0.5).sum())
        scale = size / max(picture.read().shape[:2])
        labelled = np.where(picture.people[..., 2:] > 0, picture.people[..., :2], np.nan)
        heights.append(scale * (np.nanmax(labelled[..., 1], 1) - np.nanmin(labelled[..., 1], 1)))
        away = scale * np.linalg.norm(labelled[truth] - people[found][..., :2], axis=-1)
        errors.append(away[best[truth] > 0.5].ravel())
    similarity, height, error = (np.concatenate(each) for each in (similarities, heights, errors))
    error = error[np.isfinite(error)]
    print(f"{name}: {len(similarity)} people in {len(pictures)} pictures, {extra} found who are nobody")
    for low, high in ((HEIGHTS[0], HEIGHTS[-1]), *pairwise(HEIGHTS)):
        some = similarity[(height >= low) & (height < high)]
        if len(some):
            print(
                f"  {low} to {high} px: {len(some)} people, OKS > 0.5 {(some > 0.5).mean():.3f}, "
                f"> 0.75 {(some > 0.75).mean():.3f}, mean OKS {some.mean():.3f}"
            )
    if len(error):
        print(f"  their keypoints: median error {np.median(error):.2f} px, 90 % {np.quantile(error, 0.9):.2f} px")


def exact(picture: Picture, settings: DataSettings) -> Candidates:
    """Candidates of the maps that the network should give: what is lost to the maps' size and to grouping."""
    image, maps, _ = make_sample(picture, COCO_LAYOUT, settings, np.random.default_rng(0))
    found = decode(maps, COCO_LAYOUT)
    height, width = picture.read().shape[:2]
    scale = settings.size / max(height, width)
    corner = np.floor((np.array(image.shape[1::-1]) - np.round(scale * np.array([width, height]))) / 2)
    found.positions[:] = (found.positions - corner) / scale
    found.scales[:] = found.scales / scale
    return found


def in_square(detector: Detector, picture: Picture) -> Candidates:
    """What the detector finds where the picture is in the middle of a grey square, as when it was learned."""
    image = picture.read()
    height, width = image.shape[:2]
    x, y = (max(height, width) - width) // 2, (max(height, width) - height) // 2
    square = np.full((max(height, width), max(height, width), 3), FILL, np.uint8)
    square[y : y + height, x : x + width] = image
    found = detector.detect(square, 0.0)
    found.positions[:] -= (x, y)
    return found


def main() -> None:
    """Read the arguments, train, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--trunk", choices=list(NETWORKS), default="fpn")
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    known = read_pictures(arguments.pictures)
    known = replace(known, pictures=known.pictures[: arguments.count])
    schedule = {
        "steps": arguments.steps, "batch": arguments.batch, "rate": 2e-3, "warmup": 50, "average": 100,
        "decay": 0.0, "look": 250, "looked": arguments.count,
    }  # fmt: skip
    settings = settings_from(
        {
            "name": "overfit", "network": NETWORKS[arguments.trunk], "schedule": schedule,
            "data": {"size": arguments.size, "sigma": 1.0, **STILL},
        }
    )  # fmt: skip
    device = pick_device(arguments.device)
    run = Run(arguments.run, settings, known, device)
    parameters = sum(value.numel() for value in run.model.parameters())
    print(f"{arguments.trunk}, {parameters / 1e6:.2f} million parameters, {len(known.pictures)} pictures", flush=True)
    train(run, ("learned pictures", known.pictures), arguments.minutes, lambda x: print(x, flush=True), Progress())
    weights = arguments.run / "weights.safetensors"
    export(arguments.run, weights, "1")
    report("exact maps", lambda picture: exact(picture, settings.data), known.pictures, arguments.size)
    # Looked at once: what was learned by heart was not learned in a mirror.
    detector = create_detector(str(weights), 8, "draft", arguments.device)
    report("the network", lambda picture: in_square(detector, picture), known.pictures, arguments.size)
    as_is = "the network, without the grey"
    report(as_is, lambda picture: detector.detect(picture.read(), 0.0), known.pictures, arguments.size)


if __name__ == "__main__":
    main()
