# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures that are the user's to fix."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can act on; the message is one clear sentence, shown without a traceback.

    The command line prints it on stderr and exits with status 1.
    """


class Cancelled(Exception):  # noqa: N818 - as in concurrent.futures
    """The user stopped the work (Ctrl-C, Cancel in the panel). Exit status 130."""
