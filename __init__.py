# SPDX-License-Identifier: GPL-3.0-or-later
"""Video Mocap: footage of people in, keyframes on an animator's own rig out.

This folder is two things at once: the root of the Blender extension (`register` and `unregister` below) and the
installed distribution `video_mocap` of the capture environment. Nothing heavy is imported here.
"""


def register() -> None:
    """Blender calls this when the extension is enabled."""
    from . import addon

    addon.register()


def unregister() -> None:
    """Blender calls this when the extension is disabled."""
    from . import addon

    addon.unregister()
