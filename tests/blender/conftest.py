# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as a user has it: its zip, built from this checkout, installed and enabled in an empty profile.

`python -m pytest tests/blender` in an environment that has bpy. Nothing here looks at the profile of whoever runs it.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Blender reads these when bpy is imported, so they are set before anything can import it.
PROFILE = Path(tempfile.mkdtemp(prefix="video_mocap_blender_"))
atexit.register(shutil.rmtree, PROFILE, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("BLENDER_USER_") or name == "BLENDER_SYSTEM_RESOURCES"]:
    del os.environ[_name]
os.environ["BLENDER_USER_RESOURCES"] = str(PROFILE)

bpy = pytest.importorskip("bpy", reason="bpy is not in this environment")

MODULE = "bl_ext.user_default.video_mocap"


def _checkout_as_package() -> None:
    """Make this checkout importable as `video_mocap`, as in an environment where it is installed."""
    if importlib.util.find_spec("video_mocap") is not None:
        return
    spec = importlib.util.spec_from_file_location(
        "video_mocap", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["video_mocap"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["video_mocap"])


_checkout_as_package()


def build_extension(folder: Path) -> Path:
    """The extension's zip, made in `folder` by the builder that comes with this Blender."""
    tool = Path(bpy.utils.system_resource("SCRIPTS")) / "addons_core/bl_pkg/cli/blender_ext.py"
    command = [sys.executable, str(tool), "build", "--source-dir", str(ROOT), "--output-dir", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stdout + made.stderr
    return next(folder.glob("*.zip"))


@pytest.fixture(scope="session")
def extension_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip of this checkout."""
    return build_extension(tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="session")
def installed(extension_zip: Path) -> Iterator[str]:
    """The name of the extension's module, installed from the zip and enabled once for the whole run."""
    result = bpy.ops.extensions.package_install_files(
        filepath=str(extension_zip), repo="user_default", enable_on_install=True
    )
    assert result == {"FINISHED"}
    assert MODULE in bpy.context.preferences.addons
    yield MODULE
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture
def addon(installed: str) -> Iterator[ModuleType]:
    """The extension's module, enabled, in a new empty file; what a test left running is stopped after it."""
    if installed not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=installed)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert installed in bpy.context.preferences.addons
    yield sys.modules[installed]
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    for part in ("session", "pump"):
        module = sys.modules.get(f"{installed}.addon.{part}")
        if module is not None and hasattr(module, "reset"):
            module.reset()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember how the run ended for `pytest_unconfigure`."""
    session.config.stash[_STATUS] = int(exitstatus)


_STATUS = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End here: Blender's module crashes (4.2) or hangs (4.5) at a normal end of the process."""
    status = config.stash.get(_STATUS, None)
    if status is None or hasattr(config, "workerinput"):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    shutil.rmtree(PROFILE, ignore_errors=True)
    os._exit(status)
