# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether detectron2 can be used here, and if not, what stands in the way and what to do.

What the detector uses of detectron2 is Python: its C++ and CUDA operations (rotated boxes, deformable convolution, fast
evaluation) are not among it, and those that it needs come from torchvision. So neither a compiler nor a CUDA toolkit is
needed, but a torchvision built for the very torch that is installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec

SETUP = "run 'python3 build.py setup --with detectron2'"
#: torchvision's releases say which torch they were built for only in what they require.
_REQUIRED_TORCH = re.compile(r"torch\s*\(?==\s*([\d.]+)")
_MODULES = ("detectron2.config", "detectron2.modeling")


@dataclass(frozen=True)
class Problem:
    """text: what is wrong. todo: what to do about it. Both without a full stop."""

    text: str
    todo: str


def problem() -> Problem | None:
    """What keeps detectron2 from being used, the first thing found; None if nothing does. Imports it: seconds."""
    return absence() or _vision() or _library()


def absence() -> Problem | None:
    """What is not installed at all; None if everything is there. Imports nothing."""
    lacking = [name for name in ("torchvision", "detectron2") if find_spec(name) is None]
    if not lacking:
        return None
    return Problem(f"{' and '.join(lacking)} {'are' if len(lacking) > 1 else 'is'} not installed", SETUP)


def _vision() -> Problem | None:
    """torchvision's operations are compiled against one torch, and for CUDA or not."""
    import torch

    release = torch.__version__.partition("+")[0]
    wanted = required_torch()
    if wanted and wanted != release:
        return Problem(
            f"torchvision {_version('torchvision')} was built for torch {wanted}, but torch {release} is installed",
            f"{SETUP}, which puts the matching one in its place and leaves torch alone",
        )
    try:
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        import_module("torchvision.ops").nms(boxes, boxes[:, 0], 0.5)
        if torch.cuda.is_available():
            import_module("torchvision.ops").nms(boxes.cuda(), boxes[:, 0].cuda(), 0.5)
    except Exception as error:  # an import that half works can raise anything
        kind = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU alone"
        return Problem(
            f"torchvision {_version('torchvision')} does not run beside torch {torch.__version__}, which is built for "
            f"{kind} ({_one_line(error)})",
            f"install the torchvision that PyTorch's own installation page gives for torch {release} and {kind}, "
            "with pip's --no-deps",
        )
    return None


def _library() -> Problem | None:
    try:
        for module in _MODULES:
            import_module(module)
    except ModuleNotFoundError as error:
        return Problem(f"detectron2 needs the package {error.name}, which is not installed", SETUP)
    except Exception as error:  # compiled parts built for another torch, among others
        text = f"detectron2 cannot be imported ({_one_line(error)})"
        return Problem(text, f"remove it ('pip uninstall detectron2'), then {SETUP}")
    return None


def required_torch() -> str:
    """The release of torch that the installed torchvision was built for, empty if it does not say."""
    try:
        wanted = metadata.requires("torchvision") or []
    except metadata.PackageNotFoundError:
        return ""
    found = [match[1] for match in map(_REQUIRED_TORCH.match, wanted) if match]
    return found[0] if found else ""


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
