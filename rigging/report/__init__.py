# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a take is: numbers out of the take alone, without any truth, and what they mean in words."""
