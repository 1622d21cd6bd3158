# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""The draw handlers: keypoints over the footage in camera views and clip editors.

Drawing never waits and never raises: what is not there yet is drawn when it is. Batches are made anew only when the
frame, the view or the take changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from . import source
from .geometry import Triangles, people_triangles
from .keypoints import KeypointCache, Keypoints
from .legend import legend_size, legend_texts, legend_triangles
from .mapping import Placement, nearest_row

#: Regions whose batches are kept; more than anybody has open.
_MOST_REGIONS = 16
_FONT_SIZE = 12.0


@dataclass
class _Drawn:
    """What was drawn last in a region: under which key, the batch, and (text, x, y of its start in region pixels)."""

    key: object
    batch: Any
    texts: list[tuple[str, float, float]]


_cache = KeypointCache()
_drawn: dict[tuple[str, int], _Drawn] = {}
_handlers: list[tuple[Any, Any]] = []


def add_handlers() -> None:
    """Draw from now on."""
    for space, function in ((bpy.types.SpaceView3D, _in_view_3d), (bpy.types.SpaceClipEditor, _in_clip_editor)):
        _handlers.append((space, space.draw_handler_add(function, (), "WINDOW", "POST_PIXEL")))


def remove_handlers() -> None:
    """Draw no more, and leave nothing behind."""
    while _handlers:
        space, handler = _handlers.pop()
        space.draw_handler_remove(handler, "WINDOW")
    if bpy.app.timers.is_registered(_when_read):
        bpy.app.timers.unregister(_when_read)
    _drawn.clear()
    _cache.clear()


def refresh() -> None:
    """Somebody wrote a take or changed the list: look at the file again and draw everything anew."""
    _cache.look_again()
    _redraw()


def _in_view_3d() -> None:
    context = bpy.context
    scene, space, region = context.scene, context.space_data, context.region
    item = source.active_take(scene)
    view = context.region_data
    if item is None or view is None or view.view_perspective != "CAMERA" or not space.overlay.show_overlays:
        return
    camera = source.take_camera(item)
    if camera is None or source.view_camera(space, scene) != camera:
        return
    keypoints = _keypoints(item)
    if keypoints is None:
        return
    clip, _ = source.footage_behind(camera)
    moment = (
        source.clip_moment(clip, scene.frame_current, keypoints.fps)
        if clip is not None
        else source.scene_moment(scene, int(item.collection.get("video_mocap_start_frame", 1)))
    )
    placement = source.place_in_camera_view(region, view, camera, scene, keypoints.image_size)
    _draw("VIEW_3D", item, keypoints, moment, placement)


def _in_clip_editor() -> None:
    context = bpy.context
    space, region = context.space_data, context.region
    item = source.active_take(context.scene)
    overlay = getattr(space, "overlay", None)
    if overlay is not None and not overlay.show_overlays:
        return
    if item is None or space.view != "CLIP" or space.clip is None or not source.is_footage_of(space.clip, item):
        return
    keypoints = _keypoints(item)
    if keypoints is None:
        return
    moment = source.clip_moment(space.clip, space.clip_user.frame_current, keypoints.fps)
    _draw("CLIP_EDITOR", item, keypoints, moment, source.place_in_clip_editor(region, keypoints.image_size))


def _keypoints(item: Any) -> Keypoints | None:
    keypoints = _cache.get(source.take_file(item))
    if _cache.busy and not bpy.app.timers.is_registered(_when_read):
        bpy.app.timers.register(_when_read, first_interval=0.05)
    return keypoints


def _when_read() -> float | None:
    """A timer: draw again once the thread has read the take."""
    if _cache.busy:
        return 0.05
    if _cache.take_news():
        _redraw()
    return None


def _redraw() -> None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "CLIP_EDITOR"}:
                for region in area.regions:
                    if region.type == "WINDOW":
                        region.tag_redraw()


def _draw(editor: str, item: Any, keypoints: Keypoints, moment: float, placement: Placement | None) -> None:
    """Everything of one region."""
    context = bpy.context
    row = nearest_row(keypoints.times, moment, keypoints.fps)
    if placement is None:
        return
    unit = context.preferences.system.ui_scale
    least = float(context.scene.video_mocap.overlay_confidence)
    names = {person.person_id: person.name for person in item.people}
    legend = _legend_place(context.area, context.region, unit)
    key = (keypoints, row, placement, unit, least, legend, tuple(names.items()))
    place = (editor, context.region.as_pointer())
    drawn = _drawn.get(place)
    if drawn is None or drawn.key != key:
        if len(_drawn) >= _MOST_REGIONS:
            _drawn.clear()
        drawn = _drawn[place] = _build(key, keypoints, row, placement, unit, least, names, legend)
    gpu.state.blend_set("ALPHA")
    shader = gpu.shader.from_builtin("SMOOTH_COLOR")
    shader.bind()
    drawn.batch.draw(shader)
    gpu.state.blend_set("NONE")
    _write_texts(drawn.texts, unit)


def _build(
    key: object,
    keypoints: Keypoints,
    row: int | None,
    placement: Placement,
    unit: float,
    least: float,
    names: dict[int, str],
    legend: tuple[float, float],
) -> _Drawn:
    values = keypoints.values[:, row] if row is not None else keypoints.values[:0, 0]
    points, confidence = placement(values[..., :2]), values[..., 2]
    people = people_triangles(points, confidence, keypoints.names, least, unit)
    triangles = legend_triangles(legend, unit, people)
    texts = [(text, x - share * _width(text, unit), y) for text, share, x, y in legend_texts(legend, unit)]
    for person, person_points in zip(keypoints.person_ids, points, strict=False):
        seen = person_points[np.isfinite(person_points).all(-1)]
        if len(seen) and len(keypoints.person_ids) > 1:
            name = names.get(person) or f"Person {person}"
            low, high = seen.min(0), seen.max(0)
            # The eyes are the highest keypoints: a name goes over the top of the head.
            above = high[1] + 0.1 * (high - low).max() + 5 * unit
            texts.append((name, float(low[0] + high[0] - _width(name, unit)) / 2, float(above)))
    return _Drawn(key, _batch(triangles), texts)


def _width(text: str, unit: float) -> float:
    blf.size(0, _FONT_SIZE * unit)
    return blf.dimensions(0, text)[0]


def _batch(triangles: Triangles) -> Any:
    shader = gpu.shader.from_builtin("SMOOTH_COLOR")
    content = {"pos": triangles.positions, "color": triangles.colors}
    return batch_for_shader(shader, "TRIS", content, indices=triangles.indices)


def _legend_place(area: bpy.types.Area, region: bpy.types.Region, unit: float) -> tuple[float, float]:
    """(left, bottom) of the legend: at the bottom right, beside a sidebar that lies over the region."""
    width, _ = legend_size(unit)
    right = region.x + region.width
    for other in area.regions:
        over = other.type == "UI" and other.width > 1 and other.x > region.x + region.width / 2
        if over and other.x < right:
            right = other.x
    lift = 14 if area.type == "VIEW_3D" else 44  # the clip editor's bar of cached frames
    return right - region.x - width - 14 * unit, lift * unit


def _write_texts(texts: list[tuple[str, float, float]], unit: float) -> None:
    """Texts that start at (x, y), region pixels."""
    # One size and a narrow shadow: other shadows and every change of size cost a millisecond without a graphics card.
    font = 0
    blf.size(font, _FONT_SIZE * unit)
    blf.enable(font, blf.SHADOW)
    blf.shadow(font, 3, 0.0, 0.0, 0.0, 0.9)
    blf.shadow_offset(font, 1, -1)
    blf.color(font, 1.0, 1.0, 1.0, 0.95)
    for text, x, y in texts:
        blf.position(font, x, y, 0)
        blf.draw(font, text)
    blf.disable(font, blf.SHADOW)
