#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door for people, CI and the Blender extension: setup, download, capture, test, package.

Runs on any Python from 3.8 on with nothing but its standard library, on Linux, macOS and Windows. What the commands do
is in `installation/`; every one may be repeated or interrupted at any time.
"""

import sys

sys.dont_write_bytecode = True  # the folder may be an installed extension, which stays as it is

if sys.version_info < (3, 8):  # noqa: UP036
    sys.exit("build.py: Python 3.8 or newer is needed to run this; install Python 3.11")

from installation.door import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
