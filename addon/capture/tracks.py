# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""Tracks that the user selected in a clip editor as points of the captured picture."""

from __future__ import annotations

from pathlib import Path

import bpy

from .footage import IMAGES_FPS, resolve


def selected_pair(scene: bpy.types.Scene, clip: bpy.types.MovieClip | None) -> str:
    """Where two selected tracks of a clip are in the first captured frame, or where they are first after or last before
    it: "X,Y,X,Y" in pixels from the top left corner.

    Raises ValueError, in one sentence, if the clip is not what is captured or if not two tracks are selected.
    """
    if clip is None:
        raise ValueError("Open the footage in this clip editor, and select two tracks")
    settings = scene.video_mocap
    found = resolve(scene)
    if settings.footage_source == "CLIP" and settings.clip != clip:
        raise ValueError(f'The footage is the clip "{settings.clip.name}": show that one in this clip editor')
    if Path(bpy.path.abspath(clip.filepath, library=clip.library)) not in found.files:
        raise ValueError("This clip editor shows other footage than what is captured; open that one here")
    chosen = [track for track in clip.tracking.objects.active.tracks if track.select]
    if len(chosen) != 2:
        raise ValueError(f"Select two tracks, not {len(chosen)}: their places in the first captured frame are taken")
    start = found.start if found.start is not None else settings.start if settings.use_range else 0.0
    first = 1 - clip.frame_offset + round(start * (clip.fps if clip.source == "MOVIE" else IMAGES_FPS))
    points = [_place(track, first) for track in chosen]
    width, height = clip.size
    return ",".join(f"{x * width:.1f},{(1 - y) * height:.1f}" for x, y in points)


def _place(track: bpy.types.MovieTrackingTrack, frame: int) -> tuple[float, float]:
    """Where a track is, 0..1 from the bottom left corner. frame: of the clip, from 1."""
    marker = track.markers.find_frame(frame, exact=False)
    return marker.co[0] + track.offset[0], marker.co[1] + track.offset[1]
