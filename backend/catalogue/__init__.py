# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue: weights that others publish, their terms, and how they are fetched and kept."""
