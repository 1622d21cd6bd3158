# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of whether confidences are the probabilities that they say."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from video_mocap.backend.evaluation.metrics import calibration_error, reliability
from video_mocap.backend.lifting.training.export import NEAR

_SIZE, _MARGIN = 520, 60
_INK, _GRID, _BARS, _DOTS = (40, 40, 40), (225, 225, 225), (230, 205, 180), (170, 90, 30)


def draw(path: Path, confidence: np.ndarray, near: np.ndarray, title: str) -> None:
    """A reliability diagram: dots of the tenths, on the diagonal where confidences are right; bars of their shares.

    confidence: (N,) 0..1 of joints. near: (N,) bool, whether they are within `NEAR` of the truth.
    """
    picture = np.full((_SIZE + 2 * _MARGIN, _SIZE + 2 * _MARGIN, 3), 255, np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return round(_MARGIN + _SIZE * x), round(_MARGIN + _SIZE * (1 - y))

    def text(words: str, place: tuple[int, int]) -> None:
        cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)

    rows = reliability(confidence, near)
    for share, told, _ in rows:
        left = min(int(10 * told), 9) / 10
        cv2.rectangle(picture, at(left + 0.01, share), at(left + 0.09, 0), _BARS, -1)
    for tick in range(0, 11, 2):
        cv2.line(picture, at(tick / 10, 0), at(tick / 10, 1), _GRID, 1)
        cv2.line(picture, at(0, tick / 10), at(1, tick / 10), _GRID, 1)
        x, y = at(tick / 10, 0)
        text(f"{tick / 10:.1f}", (x - 12, y + 20))
        x, y = at(0, tick / 10)
        text(f"{tick / 10:.1f}", (x - 32, y + 5))
    cv2.rectangle(picture, at(0, 1), at(1, 0), _INK, 1)
    cv2.line(picture, at(0, 0), at(1, 1), _INK, 1, cv2.LINE_AA)
    points = [at(told, true) for _, told, true in rows]
    cv2.polylines(picture, [np.array(points)], False, _DOTS, 2, cv2.LINE_AA)
    for point in points:
        cv2.circle(picture, point, 5, _DOTS, -1, cv2.LINE_AA)
    text(f"{title}: expected calibration error {calibration_error(confidence, near):.3f}", (_MARGIN, 34))
    text("confidence (bars: share of the joints)", (_MARGIN + 140, _SIZE + _MARGIN + 44))
    text(f"share within {100 * NEAR:.0f} cm", (10, 54))
    if not cv2.imwrite(str(path), picture):
        raise SystemExit(f"cannot write {path}")
