# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file says about the lens it was filmed with.

Phones write the focal length "in 35 mm film": of a lens that shows as much on a picture of 36 x 24 mm. Photographs
carry it as EXIF tag 0xA405, Apple's videos as `com.apple.quicktime.camera.focal_length.35mm_equivalent`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping

_KEY = "focal_length.35mm_equivalent"
#: EXIF: the tag of the table with the camera's settings, that of the focal length in 35 mm film, and short integers.
_SETTINGS, _FOCAL_35MM, _SHORT = 0x8769, 0xA405, 3
#: Focal lengths, mm, that cameras have.
_PLAUSIBLE = (5.0, 2000.0)


def focal_in_metadata(*tables: Mapping[str, str]) -> float | None:
    """Millimetres in 35 mm film that a video's metadata name, or None."""
    for table in tables:
        for key, value in table.items():
            if key.lower().endswith(_KEY):
                return _plausible(value)
    return None


def focal_in_jpeg(data: bytes) -> float | None:
    """Millimetres in 35 mm film that a JPEG's EXIF data name, or None; whatever is damaged is not there."""
    try:
        for marker, part in _segments(data):
            if marker == 0xE1 and part.startswith(b"Exif\0\0"):
                return _in_tiff(part[6:])
    except (struct.error, IndexError):
        pass
    return None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    while data[:2] == b"\xff\xd8" and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield data[at + 1], data[at + 4 : at + 2 + length]
        at += 2 + length


def _in_tiff(data: bytes) -> float | None:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return None
    table = struct.unpack_from(f"{order}I", data, 4)[0]
    for wanted in (_SETTINGS, _FOCAL_35MM):
        count = struct.unpack_from(f"{order}H", data, table)[0]
        entries = [struct.unpack_from(f"{order}HHI", data, table + 2 + 12 * row) for row in range(count)]
        row = next((row for row, (tag, _, _) in enumerate(entries) if tag == wanted), None)
        if row is None:
            return None
        kind = "H" if entries[row][1] == _SHORT else "I"
        table = struct.unpack_from(f"{order}{kind}", data, table + 2 + 12 * row + 8)[0]
    return _plausible(table)


def _plausible(value: object) -> float | None:
    try:
        millimetres = float(str(value))
    except ValueError:
        return None
    return millimetres if math.isfinite(millimetres) and _PLAUSIBLE[0] <= millimetres <= _PLAUSIBLE[1] else None
