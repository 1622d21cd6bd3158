# SPDX-License-Identifier: GPL-3.0-or-later
"""What `build.py` does: finding a Python, environments, the package registry, the extension.

It imports nothing but the standard library, and nothing of the product, and runs on any Python from 3.8 on: it is there
before anything is installed, in a checkout as well as in an installed extension, whose folder may be read-only.
"""
