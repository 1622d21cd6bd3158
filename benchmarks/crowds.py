# SPDX-License-Identifier: GPL-3.0-or-later
"""Crowded pictures in which everybody is known: cut-out people before empty rooms.

    python benchmarks/crowds.py CUTOUTS OUTPUT [--pictures 30] [--backgrounds VIDEO_OR_PICTURE ...]

CUTOUTS is what `crowd_cutouts.py` made. Backgrounds are more pictures with nobody in them (of a video the first).
People are 50 to 400 pixels tall, the smaller stand behind the taller. Writes images and `labels.json` for
`people_found.py`; people of whom less than half is to be seen are labelled `iscrowd`: they need not be found, and may.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

SMALLEST, TALLEST = 50, 400
MOST = 14


def background(paths: list[Path], random: np.random.Generator) -> np.ndarray:
    """A random one, (H, W, 3) BGR."""
    path = paths[random.integers(len(paths))]
    image = cv2.imread(str(path))
    if image is None:
        image = cv2.VideoCapture(str(path)).read()[1]
    scale = random.uniform(0.75, 1.5) * 960 / image.shape[1]
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return image[:, ::-1].copy() if random.random() < 0.5 else image


def figure(folder: Path, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random cut-out, (H, W, 4) BGRA without its empty edges, and its (17, 2) keypoints in it."""
    numbers = sorted(path.stem for path in folder.glob("[0-9][0-9][0-9].npz"))
    number = numbers[random.integers(len(numbers))]
    with np.load(folder / f"{number}.npz") as data:
        row = int(random.integers(len(data["points"])))
        points = data["points"][row]
    image = cv2.imread(str(folder / f"{number}_{row}.png"), cv2.IMREAD_UNCHANGED)
    x, y, w, h = cv2.boundingRect((image[..., 3] > 0).astype(np.uint8))
    return image[y : y + h, x : x + w], points - [x, y]


def paste(image: np.ndarray, person: np.ndarray, left: int, top: int) -> np.ndarray:
    """Draw a person into the picture; gives (H, W) where they are."""
    mask = np.zeros(image.shape[:2], np.float32)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + person.shape[1], image.shape[1]), min(top + person.shape[0], image.shape[0])
    part = person[y0 - top : y1 - top, x0 - left : x1 - left]
    share = part[..., 3:].astype(np.float32) / 255
    image[y0:y1, x0:x1] = (part[..., :3] * share + image[y0:y1, x0:x1] * (1 - share)).round().astype(np.uint8)
    mask[y0:y1, x0:x1] = share[..., 0]
    return mask > 0.5


def crowd(number: int, folder: Path, backgrounds: list[Path]) -> tuple[np.ndarray, list[dict[str, object]]]:
    """The picture of that number and its people."""
    random = np.random.default_rng(number)
    image = background(backgrounds, random)
    height, width = image.shape[:2]
    heights = np.sort(np.exp(random.uniform(np.log(SMALLEST), np.log(TALLEST), random.integers(1, MOST + 1))))
    people, masks = [], []
    for tall in heights:
        person, points = figure(folder, random)
        scale = tall / max(person.shape[:2])
        small = cv2.resize(person, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        left = int(random.uniform(-0.1 * small.shape[1], width - 0.9 * small.shape[1]))
        top = int(random.uniform(0, max(height - small.shape[0], 1)))
        mask = paste(image, small, left, top)
        masks = [np.asarray(other & ~mask) for other in masks] + [mask]
        people.append((points * scale + [left, top], small.shape, left, top, (small[..., 3] > 127).sum()))
    labels = []
    for mask, (points, shape, left, top, area) in zip(masks, people, strict=True):
        keypoints = np.concatenate([points, np.full((17, 1), 2.0)], 1)
        keypoints[((points < 0) | (points >= [width, height])).any(1)] = 0
        bbox = [left, top, shape[1], shape[0]]
        hidden = int(mask.sum() < 0.5 * area)
        labels.append(
            {"keypoints": keypoints.round(2).ravel().tolist(), "bbox": bbox, "area": int(area), "iscrowd": hidden}
        )
    blur, grain = random.choice([0.0, 0.6]), random.uniform(0, 6)
    image = cv2.GaussianBlur(image, (0, 0), blur) if blur else image
    return (image + grain * random.standard_normal(image.shape)).clip(0, 255).astype(np.uint8), labels


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cutouts", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--backgrounds", nargs="*", type=Path, default=[])
    arguments = parser.parse_args()
    backgrounds = [*sorted(arguments.cutouts.glob("room_*.png")), *arguments.backgrounds]
    (arguments.output / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number in range(arguments.first, arguments.first + arguments.pictures):
        image, people = crowd(number, arguments.cutouts, backgrounds)
        name = f"{number:03d}.jpg"
        cv2.imwrite(str(arguments.output / "images" / name), image, [cv2.IMWRITE_JPEG_QUALITY, 88])
        images.append({"id": number, "file_name": name, "width": image.shape[1], "height": image.shape[0]})
        annotations += [{"image_id": number, "id": len(annotations) + row, **one} for row, one in enumerate(people)]
    info = {"description": "made crowds", "complete": True}
    text = json.dumps({"info": info, "images": images, "annotations": annotations})
    (arguments.output / "labels.json").write_text(text)


if __name__ == "__main__":
    main()
