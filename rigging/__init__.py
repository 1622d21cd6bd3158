# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion and the rig: shared by the backend and by Blender. Only `rigging.blender` imports bpy."""
