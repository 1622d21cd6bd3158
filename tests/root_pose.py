# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose, root and camera of the root's specification."""

from __future__ import annotations

import numpy as np
from video_mocap.backend.camera import project

# Millimetres, Human3.6M's 17 joints, camera axes.
POSE = np.fromstring(
    "0 0 0 -130 10 0 -140 450 30 -150 890 60 130 -10 0 140 440 -40 150 880 -80 0 -230 10 0 -480 20 0 -560 -60 "
    "0 -680 0 150 -450 20 300 -250 60 320 -20 -100 -150 -450 20 -320 -280 0 -380 -50 -200",
    sep=" ",
).reshape(17, 3)
ROOT = np.array([300.0, -100.0, 4500.0])
CAMERA = np.diag([1145.0, 1145.0, 1.0])
ONES = np.ones((1, 17))


def pixels(pose=POSE, root=ROOT, camera=CAMERA):
    return project(pose + root, camera)
