# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's tests (tests/blender) get a pytest process of their own: its module changes the process it lives in."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out tests/blender unless it, or a file in it, was asked for by name."""
    folder = Path(__file__).parent / "blender"
    if collection_path != folder:
        return None
    asked = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    return None if any(path == folder or folder in path.parents for path in asked) else True
