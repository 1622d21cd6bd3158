# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP service: jobs on disk, one worker process that captures, and what clients may ask."""
