# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as a zip, and an index beside it that makes a folder on any web server a repository for Blender."""

from __future__ import annotations

import subprocess
import tempfile
import zipfile
from pathlib import Path

from .common import BuildError, clean_environment
from .environment import Environment

#: What the extension holds at its top; anything else there is a stray file of the checkout.
PACKAGED = {
    "blender_manifest.toml",
    "__init__.py",
    "LICENSE",
    "README.md",
    "addon",
    "backend",
    "build.py",
    "installation",
    "pyproject.toml",
    "requirements",
    "rigging",
}
INDEX = ("index.json", "index.html")


def extension_tool(environment: Environment) -> str | None:
    """Blender's own extension builder, from the bpy package; None without bpy."""
    for site in environment.sites:
        for found in site.glob("bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return str(found)
    return None


def package(environment: Environment, destination: Path | None = None) -> list[Path]:
    """Make `dist/video_mocap-VERSION.zip` and `dist/index.json`, `index.html`, by Blender's own tool, checked.

    The index lists this one version and names the zip by its place beside it. destination: another folder than `dist`.
    Returns the files, the zip first.
    Raises BuildError.
    """
    tool = extension_tool(environment)
    if tool is None:
        raise BuildError("packaging needs Blender's extension builder, which comes with bpy: set up with Python 3.11")
    destination = destination or environment.root / "dist"
    destination.mkdir(exist_ok=True)

    def call(what: str, *arguments: str) -> None:
        made = subprocess.run(
            [str(environment.python), str(tool), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
        )
        if made.returncode != 0:
            raise BuildError(f"{what}: {made.stdout.decode(errors='replace').strip()}")

    with tempfile.TemporaryDirectory(dir=str(destination)) as folder:
        call("the extension was not built", "build", "--source-dir", str(environment.root), "--output-dir", folder)
        archives = list(Path(folder).glob("*.zip"))
        if len(archives) != 1:
            raise BuildError(f"the extension was not built: {len(archives)} archives came out")
        check_contents(archives[0])
        call("the extension is not valid", "validate", str(archives[0]))
        call("the repository's index was not made", "server-generate", "--repo-dir", folder, "--html")
        made = [archives[0], *(path for path in (Path(folder) / name for name in INDEX) if path.exists())]
        for path in made:
            path.chmod(0o644)  # for a web server
            path.replace(destination / path.name)
    return [destination / path.name for path in made]


def check_contents(archive: Path) -> None:
    """Raises BuildError if files of developers, or of a user's work, got into the zip."""
    with zipfile.ZipFile(str(archive)) as opened:
        names = opened.namelist()
    strays = {name.split("/")[0] for name in names} - PACKAGED
    strays |= {name for name in names if "__pycache__" in name or name.endswith((".pyc", ".npz", ".blend1"))}
    if strays:
        raise BuildError(f"files that do not belong into the extension: {', '.join(sorted(strays))}; move them away")
