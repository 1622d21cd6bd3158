# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder with every wheel that a set-up needs, for machines without a network."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import networks
from .common import ROOT, BuildError, product_version, read_json, say, write_whole
from .environment import Environment
from .pip import Meter
from .pythons import SUPPORTED
from .steps import DETECTOR, NETWORKS, PIP, RUNTIME

LIST = "video_mocap_wheels.json"
WORK = ".download"  # an environment for the time of the download


def download(folder: Path, minors: Sequence[int] = SUPPORTED, preferred: str | None = None) -> None:
    """Fill a folder. What is there already is not fetched again. minors: the Python 3 versions to choose from; a wheel
    is for one of them and for the kind of machine that this runs on. Raises BuildError, OSError."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    work = Environment(ROOT, folder / WORK, minors, preferred)
    try:
        work.setup([PIP])
        python = work.installed()
        if python is None:
            raise BuildError(f"{work.folder} does not work; remove it, then run this again")
        machine = f"{platform.system()} {platform.machine()}"
        say(f"fetching the wheels for {python.short} on {machine} into {folder}")
        say(
            "  about 0.5 GB with the CPU build of PyTorch; on Linux the public registry gives the CUDA build, 3 GB more"
        )
        for step in (PIP, RUNTIME, DETECTOR, NETWORKS):
            if step.minors and python.version[1] not in step.minors:
                continue
            say(f"  {step.name}")
            options = networks.WHEEL if step is NETWORKS else tuple(o for o in step.pip if o != "--upgrade")
            arguments = ("download", "--find-links", str(folder), *options, "--dest", str(folder))
            work.pip(step.name, arguments, Meter(lambda _: None))
        known = read_json(folder / LIST).get("pythons", [])
        pythons = sorted({*(known if isinstance(known, list) else []), python.short})
        content = {"version": product_version(), "pythons": pythons, "machine": machine}
        write_whole(folder / LIST, json.dumps(content, indent=1))
    finally:
        shutil.rmtree(str(work.folder), ignore_errors=True)
    size = sum(path.stat().st_size for path in folder.glob("*.whl"))
    say(f"{folder} holds {len(list(folder.glob('*.whl')))} wheels, {size / 1e9:.1f} GB; use it with --offline {folder}")


def check_offline(folder: Path, minors: Sequence[int] = SUPPORTED) -> tuple[int, ...]:
    """The Python 3 versions that a folder of wheels serves. Raises BuildError if it cannot be used."""
    if not folder.is_dir():
        raise BuildError(f"{folder} is no folder; choose the one that 'build.py download' filled")
    if next(folder.glob("*.whl"), None) is None:
        raise BuildError(f"{folder} holds no wheels; fill it with 'build.py download' on a machine with a connection")
    known = read_json(folder / LIST)
    machine = f"{platform.system()} {platform.machine()}"
    if known and known.get("machine", machine) != machine:
        raise BuildError(f"the wheels in {folder} are for {known['machine']}, and this is {machine}")
    pythons = known.get("pythons")
    if not isinstance(pythons, list):
        return tuple(minors)
    fitting = tuple(minor for minor in minors if f"3.{minor}" in pythons)
    if not fitting:
        raise BuildError(
            f"the wheels in {folder} are for Python {', '.join(map(str, pythons))}, which is not supported"
        )
    return fitting
