# SPDX-License-Identifier: GPL-3.0-or-later
"""What an environment is made of, in the order in which it is installed."""

from __future__ import annotations

from dataclasses import dataclass

BINARY = "--only-binary=:all:"  # nothing is compiled on a user's machine


@dataclass(frozen=True)
class Step:
    """One part of an environment. pip: its arguments after `install`. inputs: files and folders of the product whose
    change means that it must run again. weight: its share of the time. minors: the Python 3 versions that need it,
    empty for all. moves: whether the place of the product's folder matters."""

    name: str
    pip: tuple[str, ...]
    inputs: tuple[str, ...]
    weight: float = 0.05
    minors: tuple[int, ...] = ()
    moves: bool = False


def _requirements(name: str, file: str, *options: str, weight: float = 0.05, minors: tuple[int, ...] = ()) -> Step:
    return Step(name, (BINARY, *options, "-r", file), (file,), weight, minors)


#: What the installed product is made from.
PRODUCT_FILES = ("pyproject.toml", "LICENSE", "README.md", "__init__.py", "addon", "backend", "rigging")

PIP = _requirements("pip", "requirements/pip.txt", "--upgrade", weight=0.02)
RUNTIME = _requirements("packages", "requirements/runtime.txt", weight=0.8)
BLENDER = _requirements("Blender as a Python module", "requirements/blender.txt", weight=0.2, minors=(11, 13))
DETECTOR = _requirements("detector", "requirements/detector.txt", "--no-deps")
NETWORKS = Step("networks", (), ("requirements/networks.txt",), minors=(13,))
PRODUCT = Step("video_mocap", (), PRODUCT_FILES)
CHECKOUT = Step("video_mocap", ("--no-deps", "--no-build-isolation", "-e", "."), ("pyproject.toml",), moves=True)
DEVELOPMENT = _requirements("development tools", "requirements/development.txt")

#: Only where somebody asks for it. Two of its packages have no wheels: they are Python, nothing is compiled.
DETECTRON2_NEEDS = _requirements(
    "packages of detectron2",
    "requirements/detectron2.txt",
    "--no-deps",
    "--no-build-isolation",
    "--no-binary=fvcore,antlr4-python3-runtime",
)
DETECTRON2 = Step("detectron2", (), ("requirements/detectron2.txt",), weight=0.02)
DETECTRON2_STEPS = (DETECTRON2_NEEDS, DETECTRON2)

#: The environment of the extension: outside its folder, which an update wipes; the product is copied into it.
EXTENSION_STEPS = (PIP, RUNTIME, DETECTOR, NETWORKS, PRODUCT)
#: The environment of a checkout, which is installed into it as it lies there.
CAPTURE_STEPS = (PIP, RUNTIME, BLENDER, DETECTOR, NETWORKS, CHECKOUT)
TEST_STEPS = (*CAPTURE_STEPS, DEVELOPMENT)


def blender_steps(version: str) -> tuple[Step, ...]:
    """The environment that tests run in on one version of Blender, as 5.2."""
    return (PIP, _requirements(f"Blender {version}", f"requirements/blender-{version}.txt", weight=0.9), CHECKOUT)
