# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding packages whose installation was cut off."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from .common import say


def drop_half_installed(sites: Iterable[Path]) -> None:
    """Forget distributions whose installation was cut off, so that pip installs them again.

    pip trusts any `.dist-info` folder; it writes INSTALLER after the last file of a package.
    """
    for site in sites:
        for leftover in site.glob("~*"):
            shutil.rmtree(str(leftover), ignore_errors=True)
        for metadata in site.glob("*.dist-info"):
            if not is_complete(site, metadata):
                say(f"  {metadata.name[:-10]} is only half installed: again")
                shutil.rmtree(str(metadata))


def is_complete(site: Path, metadata: Path) -> bool:
    """Whether every file that a distribution's RECORD lists lies in `site` with the size it should have."""
    try:
        record = (metadata / "RECORD").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    if not (metadata / "INSTALLER").exists():
        return False
    for line in record:
        # A path may hold commas (then it is quoted); hash and size are the last two fields and never do.
        name, _, size = line.rsplit(",", 2) if line.count(",") >= 2 else (line, "", "")
        if not size or name.endswith(".pyc"):
            continue
        try:
            if (site / name.strip('"')).stat().st_size != int(size):
                return False
        except OSError:
            return False
    return True
