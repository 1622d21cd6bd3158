# SPDX-License-Identifier: GPL-3.0-or-later
"""Outside Blender: footage to take. Never imports bpy. See docs/architecture.md."""
