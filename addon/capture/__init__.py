# SPDX-License-Identifier: GPL-3.0-or-later
"""From the choices in the panel to a capture, and from a finished capture to a take in the scene."""
