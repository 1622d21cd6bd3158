# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports point one way: addon -> rigging, backend -> rigging, and bpy stays in Blender's half."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("addon", "backend", "rigging")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Dotted names of what a file imports, ours from the checkout's root on (`rigging.take`), wherever it does so."""
    package = path.relative_to(root).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


def outside(name: str, *packages: str) -> bool:
    return not any(name == package or name.startswith(package + ".") for package in packages)


def test_relative_imports_are_resolved(tmp_path: Path) -> None:
    file = tmp_path / "backend" / "lifting" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text("import bpy.types\nfrom ...rigging.take import Take\nfrom .. import files\nfrom .y import z\n")
    assert {"bpy.types", "rigging.take", "backend.files", "backend.lifting.y"} <= set(imports(file, tmp_path))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_direction(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    found = list(imports(path))
    assert all(outside(name, "video_mocap") for name in found), "imports inside the product are relative"
    forbidden = {"addon": ["backend"], "backend": ["addon", "bpy", "bpy_extras"], "rigging": ["addon", "backend"]}
    assert [name for name in found if not outside(name, *forbidden[package])] == []
    if package == "rigging" and "blender" not in path.parts:
        assert [name for name in found if not outside(name, "bpy", "bpy_extras", "mathutils")] == []


#: A capture never needs these; `evaluate` and the training scripts do.
BESIDE = (
    "backend.evaluation",
    "backend.training",
    "backend.lifting.training",
    "backend.detection.bottomup.training",
    "backend.world.training",
)


def test_a_capture_imports_no_training_and_no_evaluation() -> None:
    """From the capture command on, through every import of ours, also those inside functions."""
    seen: set[str] = set()
    todo = ["backend.commands.capture", "backend.detection.bottomup.detector"]
    while todo:
        name = todo.pop()
        file = ROOT / Path(*name.split("."))
        path = file.with_suffix(".py") if file.with_suffix(".py").exists() else file / "__init__.py"
        if name in seen or not path.exists():
            continue
        seen.add(name)
        # A package's __init__ runs too.
        todo += [name.rpartition(".")[0]] if "." in name else []
        todo += [found for found in imports(path) if found.split(".")[0] in PACKAGES]
    assert "backend.commands.checks" in seen
    assert [name for name in seen if not outside(name, *BESIDE)] == []
