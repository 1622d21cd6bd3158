# SPDX-License-Identifier: GPL-3.0-or-later
"""How the network that finds contacts is trained; never imported by a capture."""
