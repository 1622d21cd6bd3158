# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m video_mocap.backend.server.describe`: write docs/openapi.json, the description of the API."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from ..files import whole_file
from .app import create_app


def main() -> None:
    """Write it into the checkout that this runs from."""
    path = Path(__file__).parents[2] / "docs" / "openapi.json"
    with whole_file(path) as temporary:
        text = json.dumps(create_app(None, version("video_mocap")).openapi(), indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
