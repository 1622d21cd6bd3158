# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine has for a capture and what it lacks, each finding with what to do about it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

SETUP = "run 'python3 build.py setup'"
LEAST_FREE = 1_000_000_000
#: Debian packages of the shared libraries that OpenCV and bpy load.
DEBIAN_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libgomp.so.1": "libgomp1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    name: what was looked at. ok: whether it can be used. text: what was found. todo: what to do if it is not ok.
    required: whether a capture needs it.
    """

    name: str
    ok: bool
    text: str
    todo: str = ""
    required: bool = True

    @property
    def state(self) -> str:
        """`ok`, `missing` (a capture needs it) or `optional`."""
        return "ok" if self.ok else "missing" if self.required else "optional"


def examine(folder: Path) -> Iterator[Finding]:
    """Everything, in the order in which it is told; each finding comes as soon as it is known.

    folder: where captures would be written.
    """
    checks: list[Callable[[], Finding]] = [
        check_python,
        lambda: check_module("footage (PyAV)", "av"),
        lambda: check_module("OpenCV", "cv2"),
        lambda: check_module("SciPy", "scipy"),
        lambda: check_module("PyTorch", "torch"),
        check_gpu,
        check_mediapipe,
        check_detectron2,
        check_weights,
        check_bpy,
        check_blender,
        lambda: check_folder(folder),
    ]
    for check in checks:
        yield check()


def check_python() -> Finding:
    """Whether this Python is one that the pinned packages exist for."""
    version = platform.python_version()
    text = f"{version} on {platform.system()} {platform.machine()}, {sys.prefix}"
    return Finding("Python", sys.version_info[:2] in ((3, 11), (3, 12), (3, 13)), text, f"3.11 is needed: {SETUP}")


def check_module(name: str, module: str) -> Finding:
    """Whether a package can really be imported, shared libraries and all."""
    try:
        found = import_module(module)
    except ImportError as error:
        return Finding(name, False, _one_line(error), advice(str(error)))
    return Finding(name, True, str(getattr(found, "__version__", "")))


def advice(error: str) -> str:
    """What to do about an ImportError: install a shared library, or the package."""
    library = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object", error)
    if library is None:
        return SETUP
    package = DEBIAN_PACKAGES.get(library[1])
    return f"install the system library {library[1]}" + (f" (Debian: sudo apt install {package})" if package else "")


def check_gpu() -> Finding:
    """Whether PyTorch can use a GPU, and if not, what stands in the way."""
    name = "GPU"
    try:
        import torch
    except ImportError:
        return Finding(name, False, "PyTorch cannot be imported", SETUP, required=False)
    if torch.cuda.is_available():
        return Finding(name, True, f"{torch.cuda.get_device_name(0)}, CUDA {torch.version.cuda}", required=False)
    if torch.version.cuda is None:
        return Finding(name, False, "this PyTorch is the CPU build; captures run on the CPU", required=False)
    if shutil.which("nvidia-smi") is None:
        return Finding(
            name,
            False,
            f"PyTorch has CUDA {torch.version.cuda}, but there is no NVIDIA driver; captures run on the CPU",
            "install the driver if the machine has an NVIDIA GPU",
            required=False,
        )
    return Finding(
        name,
        False,
        f"PyTorch cannot use the NVIDIA driver with CUDA {torch.version.cuda}",
        "update the driver; until then captures run on the CPU",
        required=False,
    )


def check_mediapipe() -> Finding:
    """Whether the pose networks are there and can be read."""
    name = "detector mediapipe"
    try:
        from .detection.blazepose import BlazePose
        from .detection.mediapipe_bundle import read_networks

        BlazePose(*read_networks(), workers=1).close()
    except ImportError as error:
        return Finding(name, False, _one_line(error), advice(str(error)))
    except Exception as error:  # whatever another version of mediapipe does here, the answer is the same
        return Finding(name, False, _one_line(error), f"mediapipe 0.10.21 is needed: {SETUP}")
    return Finding(name, True, f"{_version('mediapipe')}, several people, weights in its wheel (Apache-2.0)")


def check_detectron2() -> Finding:
    """Whether the optional detector can be used: its library beside this torch, and weights for it."""
    name = "detector detectron2"
    from .catalogue.entries import find_entry
    from .catalogue.store import is_here
    from .detection.base import DETECTORS
    from .detection.detectron2_installation import problem

    wrong = problem()
    if wrong is not None:
        return Finding(name, False, wrong.text, wrong.todo, required=False)
    found = f"{_version('detectron2')} beside torchvision {_version('torchvision')}"
    wanted = {row: find_entry(entry.weights) for row, entry in DETECTORS.items() if row.startswith("detectron2")}
    here = [row for row, entry in wanted.items() if entry and is_here(entry)]
    first = wanted["detectron2"]
    if not here and first is not None:
        todo = f"'video-mocap models get {first.name}' fetches them ({first.megabytes} MB, {first.licence})"
        return Finding(name, False, f"{found}; no weights yet", todo, required=False)
    return Finding(name, True, f"{found}; weights for {', '.join(here)}", required=False)


def check_weights() -> Finding:
    """Whether there are weights for lifting, whole, and under which terms."""
    name = "weights"
    from .models import shipped_models

    models = shipped_models()
    problems = [model.problem for model in models if model.problem]
    if problems or not models:
        text = "; ".join(problems) or "there are none"
        return Finding(name, False, text, "get this project again, whole: its weights come with it")
    described = [f"{model.path.stem} ({model.sidecar.licence})" for model in models if model.sidecar]
    return Finding(name, True, ", ".join(described))


def check_bpy() -> Finding:
    """bpy writes the .blend. It is imported in a process of its own, because one that imported it may not end."""
    name = "bpy"
    if find_spec("bpy") is None:
        text = "not installed: captures give takes, but no .blend and .fbx files"
        todo = f"{SETUP} in a checkout with Python 3.11; the Blender extension does not need it"
        return Finding(name, False, text, todo, required=False)
    code = "import bpy, os, sys; print(bpy.app.version_string, flush=True); os._exit(0)"
    try:
        # Blender's own temporary folder outlives a process that ends by os._exit: put it into ours.
        with tempfile.TemporaryDirectory() as folder:
            found = subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder),
            )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, False, _one_line(error), SETUP)
    if found.returncode != 0:
        last = (found.stderr.strip().splitlines() or ["it ended without a message"])[-1]
        return Finding(name, False, last, advice(last))
    return Finding(name, True, f"Blender {found.stdout.strip().splitlines()[-1]} as a Python module")


def check_blender() -> Finding:
    """Whether a Blender to look at results with is on PATH."""
    name = "Blender"
    path = shutil.which("blender")
    if path is None:
        return Finding(name, False, "not on PATH; only looking at the result needs it", required=False)
    try:
        found = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
        return Finding(name, True, f"{found.stdout.strip().splitlines()[0]}, {path}", required=False)
    except (OSError, subprocess.SubprocessError, IndexError):
        return Finding(name, False, f"{path} does not start", "start it by hand to see why", required=False)


def check_folder(folder: Path) -> Finding:
    """Whether a capture could be written to `folder`."""
    name = "folder"
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(name, False, f"{folder}: {error.strerror or error}", "go to a folder that can be written")
    text = f"{folder} can be written, {free / 1e9:.1f} GB free"
    return Finding(name, free >= LEAST_FREE, text, "make room: a long capture may need 1 GB")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
