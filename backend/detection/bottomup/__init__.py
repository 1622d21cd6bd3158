# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that finds all joints of a picture at once, and fields that say which of them belong together."""
