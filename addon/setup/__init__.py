# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the capture engine from inside Blender: what it takes, doing it, finding out what is broken, undoing it.

Nothing here imports bpy. The work itself is done by `build.py setup` in a process of its own, which survives Blender;
this package starts it, follows it through two small files and says in words how it stands.
"""
