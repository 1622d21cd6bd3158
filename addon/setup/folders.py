# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything of the extension lies, below the one folder that Blender gives it for its user's data."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

#: The root of the installed extension: build.py, the manifest and the code. It may be read-only.
EXTENSION = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Folders:
    """root: `bpy.utils.extension_path_user(PACKAGE)`. Nothing is made here."""

    root: Path

    @property
    def environment(self) -> Path:
        """The virtual environment of the capture engine."""
        return self.root / "environment"

    @property
    def service(self) -> Path:
        """The data folder of the service: jobs, cached stages."""
        return self.root / "service"

    @property
    def takes(self) -> Path:
        """Takes of .blend files that were never saved."""
        return self.root / "takes"

    @property
    def setup(self) -> Path:
        return self.root / "setup"

    @property
    def state(self) -> Path:
        """What the set-up process says about itself."""
        return self.setup / "state.json"

    @property
    def process(self) -> Path:
        """What we know about the set-up process that was started last."""
        return self.setup / "process.json"

    @property
    def log(self) -> Path:
        return self.setup / "setup.log"


@functools.cache
def extension_version(extension: Path = EXTENSION) -> str:
    """The version that the manifest names."""
    with (extension / "blender_manifest.toml").open("rb") as file:
        return str(tomllib.load(file)["version"])
