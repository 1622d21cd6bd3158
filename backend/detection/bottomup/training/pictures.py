# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures with labelled people, in COCO's format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .....rigging.joints import KEYPOINTS
from ....errors import UserError
from ..fields import Layout, limbs_of

_NAMES = ("annotations.json", "keypoints.json", "labels.json")


@dataclass(frozen=True)
class Picture:
    """path: of the picture. people: (P, K, 3) x, y in pixels, flag 0 not labelled, 1 hidden, 2 seen; all have some.
    areas: (P,) pixels. ignored: (M, 4) boxes x, y, width, height of people without keypoints and of crowds."""

    path: Path
    people: np.ndarray
    areas: np.ndarray
    ignored: np.ndarray

    def read(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB. Raises UserError."""
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if image is None:
            raise UserError(f"{self.path} is not a picture, or is damaged")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class PictureSet:
    """pictures: those with somebody labelled. layout: of the labels' joints. licence: of the set, in words."""

    pictures: tuple[Picture, ...]
    layout: Layout
    licence: str


def read_pictures(path: Path, folder: Path | None = None) -> PictureSet:
    """Pictures of a COCO file, or of a folder with one in it.

    folder: where the pictures are; without it they are looked for beside the file, in `images` and in `pictures`.
    Raises UserError, in one sentence, if something is missing or not what it should be.
    """
    path = _labels_in(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from None
    try:
        return _pictures(path, data, folder)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        raise UserError(f"{path} is not in COCO's keypoint format ({type(error).__name__}: {error})") from None


def _labels_in(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if not path.is_dir():
        return path
    named = [path / name for name in _NAMES if (path / name).is_file()]
    found = named[:1] or sorted(path.glob("*.json"))
    if len(found) != 1:
        what = "no labels" if not found else f"{len(found)} .json files"
        raise UserError(f"{path} has {what}; name the COCO file itself, or call it annotations.json")
    return found[0]


def _pictures(path: Path, data: Mapping[str, Any], folder: Path | None) -> PictureSet:
    category = next(one for one in data["categories"] if one.get("keypoints"))
    names = tuple(str(name) for name in category["keypoints"])
    if unknown := sorted(set(names) - set(KEYPOINTS.names)):
        raise UserError(f"{path} has a keypoint {unknown[0]}; there are {', '.join(KEYPOINTS.names)}")
    of_picture: dict[int, list[Mapping[str, Any]]] = {}
    for annotation in data["annotations"]:
        if annotation["category_id"] == category["id"]:
            of_picture.setdefault(annotation["image_id"], []).append(annotation)
    places = [folder] if folder is not None else [path.parent, path.parent / "images", path.parent / "pictures"]
    pictures = []
    for image in data["images"]:
        labels = of_picture.get(image["id"], [])
        picture = _picture(_place(str(image["file_name"]), places, path), labels, len(names))
        if len(picture.people):
            pictures.append(picture)
    if not pictures:
        raise UserError(f"{path} labels nobody's keypoints")
    licence = ", ".join(str(one.get("name", "")) for one in data.get("licenses", []))
    return PictureSet(tuple(pictures), Layout(names, limbs_of(names)), licence)


def _place(name: str, places: Sequence[Path], labels: Path) -> Path:
    found = next((place / name for place in places if (place / name).is_file()), None)
    if found is None:
        raise UserError(f"{labels} names the picture {name}, which is not in {places[0]}; say where with --images")
    return found


def _picture(path: Path, labels: Sequence[Mapping[str, Any]], joints: int) -> Picture:
    people, areas, ignored = [np.zeros((0, joints, 3))], [], [np.zeros((0, 4))]
    for label in labels:
        box = np.array(label["bbox"], float).reshape(1, 4)
        points = np.array(label.get("keypoints") or np.zeros(3 * joints), float).reshape(1, joints, 3)
        if label.get("iscrowd") or not (points[..., 2] > 0).any():
            ignored.append(box)
            continue
        people.append(points)
        areas.append(float(label.get("area") or 0.53 * box[0, 2] * box[0, 3]))
    return Picture(path, np.concatenate(people), np.array(areas), np.concatenate(ignored))
