# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose networks of MediaPipe 0.10.21 (Apache-2.0), on Pythons for which that release has no wheel.

They are data: the wheel for another Python is fetched from the package registry like any other, and two files of it are
unpacked into the environment, where `backend/detection/mediapipe_bundle.py` looks for them.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from .common import BuildError

if TYPE_CHECKING:
    from .environment import Environment

PLACE = Path("share", "video_mocap", "mediapipe")
#: Files of the wheel and their SHA-256.
NETWORKS = {
    "modules/pose_detection/pose_detection.tflite": "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "modules/pose_landmark/pose_landmark_full.tflite": (
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
    ),
}
#: The wheel to take them from: they are the same in all of them.
WHEEL = (
    "--only-binary=:all:",
    "--no-deps",
    "--implementation=cp",
    "--python-version=3.12",
    "--abi=cp312",
    "--platform=manylinux_2_28_x86_64",
    "-r",
    "requirements/networks.txt",
)


def unpack(environment: Environment) -> None:
    """Fetch the wheel and put the networks into the environment, whole and checked. Raises BuildError."""
    environment.temporary.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(environment.temporary)) as folder:
        environment.pip("the pose networks", ("download", *WHEEL, "--dest", folder))
        for wheel in Path(folder).glob("*.whl"):
            extract(wheel, environment.folder / PLACE)


def extract(wheel: Path, target: Path) -> None:
    """Write the networks of a wheel below `target`. Raises BuildError if they are not the ones that are wanted."""
    with zipfile.ZipFile(str(wheel)) as archive:
        for name, wanted in NETWORKS.items():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            fresh = place.with_name(place.name + ".new")
            try:
                with archive.open("mediapipe/" + name) as source, fresh.open("wb") as file:
                    shutil.copyfileobj(source, file)
            except (KeyError, zipfile.BadZipFile) as error:
                raise BuildError(f"{wheel.name} does not hold the pose networks ({error}); run this again") from None
            if hashlib.sha256(fresh.read_bytes()).hexdigest() != wanted:
                raise BuildError(f"the pose networks in {wheel.name} are damaged; run this again")
            fresh.replace(place)
