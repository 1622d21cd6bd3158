# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion onto any humanoid armature; nothing here knows Blender."""
