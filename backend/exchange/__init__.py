# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints of other programs: reading their files, and writing them. `formats.py` lists them."""
