# SPDX-License-Identifier: GPL-3.0-or-later
"""detectron2 (Apache-2.0) for those who want it: its Python files, of one commit, made into a wheel and installed.

It is on no package registry; its own way to install it compiles C++ and CUDA against torch, which fails wherever
compiler, CUDA toolkit and torch do not fit each other. What the detector uses of it is Python, and the compiled
operations that it needs come with torchvision: so nothing is compiled, and torch is not touched.
"""

from __future__ import annotations

import hashlib
import http.client
import subprocess
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from .common import BuildError, clean_environment, say

if TYPE_CHECKING:
    from .environment import Environment

COMMIT = "02b5c4e295e990042a714712c21dc79b731e8833"
URL = "https://github.com/facebookresearch/detectron2/archive/" + COMMIT + ".zip"
#: Of the names and contents of the files that are installed, as `digest` computes it.
SHA256 = "bfcbfe93486f6cfc906928a999f3236d26c6a047da03b6689ab80da9f9cd5526"
VERSION = "0.6+" + COMMIT[:8]
LICENCE = "LICENSE"
LARGEST = 50_000_000
OPTION = "--source"

METADATA = f"""Metadata-Version: 2.1
Name: detectron2
Version: {VERSION}
Summary: The Python files of detectron2, without its compiled operations
Home-page: https://github.com/facebookresearch/detectron2
License: Apache-2.0
"""
WHEEL = "Wheel-Version: 1.0\nGenerator: video-mocap\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
#: Asked of the environment's Python; the product says what is wrong, in one sentence.
CHECK = (
    "from video_mocap.backend.detection.detectron2_installation import problem\n"
    "found = problem()\n"
    "print(f'{found.text}; {found.todo}' if found else '')"
)


def install(environment: Environment, source: Path | None) -> None:
    """Put detectron2 into an environment. source: an archive or a folder of its source, None to fetch it.

    Raises BuildError if it cannot be had, or is another version.
    """
    environment.temporary.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(environment.temporary)) as folder:
        archive = fetch(Path(folder)) if source is None else source
        files = read_source(archive)
        if digest(files) != SHA256:
            raise BuildError(f"{archive} is not detectron2 at the commit {COMMIT}, which is the one that is supported")
        wheel = make_wheel(files, Path(folder))
        options = ("--no-deps", "--no-index", "--force-reinstall")
        environment.pip("detectron2", ("install", *options, str(wheel)))


def fetch(folder: Path) -> Path:
    """The archive of the source, downloaded. Raises BuildError."""
    say(f"  from {URL}")
    place = folder / "detectron2.zip"
    try:
        request = urllib.request.Request(URL, headers={"User-Agent": "video-mocap"})
        with urllib.request.urlopen(request, timeout=60) as answer, place.open("wb") as file:
            while True:
                piece = answer.read(1 << 18)
                if not piece:
                    return place
                file.write(piece)
                if file.tell() > LARGEST:
                    raise BuildError(f"{URL} gives another file than detectron2's source")
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
        raise BuildError(
            f"the source of detectron2, which is on no package registry, cannot be fetched ({reason}); fetch {URL} "
            f"elsewhere and run this again with {OPTION} FILE"
        ) from None


def read_source(source: Path) -> dict[str, bytes]:
    """The files to install by their place, with the line ends of Unix. Raises BuildError if `source` has none."""
    files: dict[str, bytes] = {}
    try:
        if source.is_dir():
            for path in source.rglob("*"):
                place = place_of(path.relative_to(source).as_posix())
                if place is not None and path.is_file():
                    files[place] = path.read_bytes()
        else:
            with zipfile.ZipFile(str(source)) as archive:
                for name in archive.namelist():
                    place = place_of(name.partition("/")[2])  # all of it lies in one folder
                    if place is not None:
                        files[place] = archive.read(name)
    except (OSError, zipfile.BadZipFile) as error:
        raise BuildError(f"the source of detectron2 cannot be read from {source}: {error}") from None
    return {name: content.replace(b"\r\n", b"\n") for name, content in files.items()}


def place_of(name: str) -> str | None:
    """Where a file of the source is installed, None if it is not: the package's Python, and the networks' settings."""
    path = PurePosixPath(name)
    if name == LICENCE:
        return name
    if path.suffix == ".py" and path.parts[0] == "detectron2" and "configs" not in path.parts:
        return name
    if path.suffix in (".py", ".yaml") and path.parts[0] == "configs":
        return f"detectron2/model_zoo/{name}"
    return None


def digest(files: dict[str, bytes]) -> str:
    """SHA-256 of the names and contents of files."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return whole.hexdigest()


def make_wheel(files: dict[str, bytes], folder: Path) -> Path:
    """A wheel of the files, as pip installs it."""
    info = f"detectron2-{VERSION}.dist-info"
    content = {name: data for name, data in files.items() if name != LICENCE}
    content[f"{info}/{LICENCE}"] = files.get(LICENCE, b"")
    content[f"{info}/METADATA"] = METADATA.encode()
    content[f"{info}/WHEEL"] = WHEEL.encode()
    record = "".join(f"{name},,\n" for name in [*content, f"{info}/RECORD"])
    content[f"{info}/RECORD"] = record.encode()
    wheel = folder / f"detectron2-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(str(wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return wheel


def installed_torch(environment: Environment) -> list[str]:
    """The releases of torch that lie in an environment, with their kind, as `2.13.0+cpu`; one if all is well."""
    found = [path.name for site in environment.sites for path in site.glob("torch-*.dist-info")]
    return sorted(name[len("torch-") : -len(".dist-info")] for name in found)


def check(environment: Environment, torch_before: list[str]) -> None:
    """Raises BuildError if torch is another one than before, or detectron2 cannot be used."""
    after = installed_torch(environment)
    if after != torch_before:
        was, now = ", ".join(torch_before) or "not there", ", ".join(after) or "not there"
        raise BuildError(
            f"torch was {was} and now is {now}, which must not be: remove {environment.folder} and set it up again"
        )
    answer = subprocess.run(
        [str(environment.python), "-P", "-c", CHECK],
        cwd=str(environment.folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=clean_environment(),
    )
    said = answer.stdout.decode(errors="replace").strip().splitlines()
    if answer.returncode != 0 or (said and said[-1]):
        last = (said or answer.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise BuildError(f"detectron2 is installed, but cannot be used yet: {last}")
