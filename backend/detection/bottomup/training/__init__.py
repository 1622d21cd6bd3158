# SPDX-License-Identifier: GPL-3.0-or-later
"""Training the bottom-up network on pictures with labelled people. A capture never imports it."""
