# SPDX-License-Identifier: GPL-3.0-or-later
"""The three stages of a capture whose results are kept: detection, lifting, refinement. `pipeline` runs them."""
