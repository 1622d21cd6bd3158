# SPDX-License-Identifier: GPL-3.0-or-later
"""From the choices in the panel to a motion on the animator's own character."""
