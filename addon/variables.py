# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of child processes: setting up, checking and running the capture engine all get the same ones."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: What Blender, its Python or its launcher set for themselves; another Python or its libraries break with it.
_FOREIGN = (
    "PYTHON",
    "LD_",
    "DYLD_",
    "OCIO",
    "SYCL_",
    "MATERIALX_",
    "PXR_",
    "BLENDER_",
    "OPENIMAGEIO_",
    "USD_",
    "__PYVENV",
)
_FOREIGN_NAMES = frozenset({"VIRTUAL_ENV", "MALLOC_PERTURB_"})


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For a child Python: the user's variables (proxies, pip's settings) without what belongs to Blender's process.

    Packages of the user outside the environment are not seen: the check would find an engine that an update breaks.
    """
    variables = {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(_FOREIGN) and name not in _FOREIGN_NAMES
    }
    variables.update(PYTHONNOUSERSITE="1", PYTHONUNBUFFERED="1", PYTHONUTF8="1", PIP_USER="0")
    return variables
