# SPDX-License-Identifier: GPL-3.0-or-later
"""The background of the footage, and what it says about how the camera turned."""
