# SPDX-License-Identifier: GPL-3.0-or-later
"""Image sequences: a folder of images, or one image that names its numbered siblings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError
from .frames import FootageInfo, Frame
from .lens import focal_in_jpeg

#: What an image sequence plays at unless told otherwise: film's rate, Hz.
DEFAULT_FPS = 24.0
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})

_NUMBER = re.compile(r"(\d+)")


def find_sequence(path: Path) -> list[Path] | None:
    """The images of the sequence that `path` stands for, in natural order; None if `path` is no image.

    A folder gives all images in it. An image whose name ends in a number gives every image of its folder that has
    the same name but for that number; any other image stands for itself.
    Raises UserError if the folder holds no image.
    """
    try:
        if path.is_dir():
            images = sorted((file for file in path.iterdir() if _is_image(file)), key=_natural)
            if not images:
                raise UserError(f"the folder {path} holds no images ({', '.join(sorted(SUFFIXES))})")
            return images
        if path.suffix.lower() not in SUFFIXES:
            return None
        stem = re.fullmatch(r"(.*?)(\d+)", path.stem)
        if stem is None:
            return [path]
        sibling = re.compile(re.escape(stem[1]) + r"\d+" + re.escape(path.suffix))
        return sorted((file for file in path.parent.iterdir() if sibling.fullmatch(file.name)), key=_natural)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def probe_images(path: Path, images: list[Path], fps: float) -> FootageInfo:
    """Facts about a sequence; reads its first image. Raises UserError if that is no image."""
    height, width = _read(images[0]).shape[:2]
    times = sequence_times(images, fps)
    codec = images[0].suffix.lower().lstrip(".")
    focal = focal_in_jpeg(images[0].read_bytes()) if codec in ("jpg", "jpeg") else None
    return FootageInfo(path, width, height, fps, len(images), times[-1] + 1 / fps, "images", codec, focal)


def read_images(images: list[Path], fps: float, start: float, end: float, warnings: list[str]) -> Iterator[Frame]:
    """Stream the images with start <= time < end (seconds); see `read.read_frames`.

    Raises UserError naming the file that is no image or differs in size from the first one.
    """
    size: tuple[int, ...] | None = None
    times = sequence_times(images, fps)
    if times[-1] > (len(images) - 0.5) / fps:
        warnings.append(f"{images[0].parent} lacks images of the sequence; the times of the others are kept")
    if start > times[-1]:
        raise UserError(f"the start ({start:g} s) lies beyond the last image ({times[-1]:g} s)")
    for index, (file, time) in enumerate(zip(images, times, strict=True)):
        if not start <= time < end:
            continue
        image = _read(file)
        if size is not None and image.shape != size:
            raise UserError(
                f"{file} is {image.shape[1]} x {image.shape[0]} pixels, "
                f"but the images before it are {size[1]} x {size[0]}"
            )
        size = image.shape
        yield Frame(index, time, image)


def sequence_times(images: list[Path], fps: float) -> list[float]:
    """Seconds of each image from the first.

    Taken from the numbers that end the names where they count frames (increasing, at least half of them there), so
    that a missing image leaves a gap instead of speeding up the motion; else from the order.
    """
    numbers = [int(found[-1]) if (found := _NUMBER.findall(file.stem)) else -1 for file in images]
    count = len(images)
    increasing = all(after > before for before, after in pairwise(numbers))
    if numbers[0] < 0 or not increasing or numbers[-1] - numbers[0] + 1 > 2 * count:
        return [index / fps for index in range(count)]
    return [(number - numbers[0]) / fps for number in numbers]


def _read(file: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned as its EXIF data says. Raises UserError if the file is no image."""
    try:
        # Not cv2.imread: on Windows it cannot open names outside the code page.
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:
        image = None
    if image is None:
        raise UserError(f"{file} is not an image, or is damaged")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


def _natural(file: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which frame2 comes before frame10; the name itself settles frame2 against frame02."""
    parts = _NUMBER.split(file.name.lower())
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts], file.name
