# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the product by copying it: the extension's own folder may be read-only and is wiped by updates."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .steps import PRODUCT_FILES

if TYPE_CHECKING:
    from .environment import Environment

IGNORED = ("__pycache__",)


def files_of(path: Path) -> Iterator[Path]:
    """The file itself, or all files below a folder that belong to the product, in a fixed order; none if missing."""
    if path.is_file():
        yield path
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            if child.name not in IGNORED and not child.name.endswith((".pyc", ".egg-info")):
                yield from files_of(child)


def copy(root: Path, target: Path, names: Sequence[str] = PRODUCT_FILES) -> None:
    """Copy the product's files, without the permissions they have: the original may be read-only."""
    for name in names:
        for path in files_of(root / name):
            place = target / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(path), str(place))


def install(environment: Environment) -> None:
    """Build the product from a copy and install it as a proper distribution with its command. Raises BuildError."""
    environment.temporary.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(environment.temporary)) as folder:
        copy(environment.root, Path(folder))
        options = ("--no-deps", "--no-build-isolation", "--force-reinstall", "--no-index")
        environment.pip("video_mocap", ("install", *options, folder))
