# SPDX-License-Identifier: GPL-3.0-or-later
"""How the shipped lifter was made. Never imported by a capture."""
