# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A camera of a scene, animated or solved, as a known camera for a capture."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from typing import Any

import bpy
import numpy as np

from ...rigging.blender.blocks import Block, GoneError
from ...rigging.blender.units import metres_per_unit
from ...rigging.camera_path import CameraPath
from .clip_lens import distortion_of, intrinsics_of
from .footage import FootageChoice

#: Seconds of work in a piece.
_PIECE = 0.01
#: A lens that changes by more than this share is a zoom; two pictures of shapes that differ by more are not the same.
_SAME_LENS, _SAME_SHAPE = 1e-4, 0.01


def sample_camera(
    scene: bpy.types.Scene, camera: bpy.types.Object, choice: FootageChoice
) -> Generator[float, None, CameraPath]:
    """The camera at the frames of the footage, as the user sees them in this scene.

    A generator: each step is at most about 20 ms, unless what moves the camera takes longer to evaluate, and yields the
    progress, 0..1; its value is the path. Animation, parents, constraints (a solved clip's too) and drivers count; the
    scene's current frame stays. Raises ValueError, in one sentence, for a camera that no capture can use: a zoom, no
    perspective, another picture shape than the footage's, a clip that is not solved, or whose distortion is not known.
    """
    name, size = camera.name, _size(scene, choice)
    _check(scene, camera, size)
    frames, times = _moments(scene, camera, choice)
    blocks = Block("scenes", scene), Block("objects", camera)
    poses, lenses = np.empty((len(frames), 4, 4)), np.empty((len(frames), 3))
    intrinsics, distortion = _intrinsics(scene, camera, size), _distortion(scene, camera, size)
    unit = metres_per_unit(scene)
    done = 0
    while done < len(frames):
        try:
            done = _evaluate(blocks[0].get(), blocks[1].get(), frames, done, poses, lenses)
        except (GoneError, ReferenceError):
            raise ValueError(f'The camera "{name}" was removed or undone under way; try again') from None
        yield done / len(frames)
    if (np.abs(np.ptp(lenses, axis=0)) > _SAME_LENS * np.maximum(1.0, np.abs(lenses[0]))).any():
        raise ValueError(f'The camera "{name}" zooms or shifts; use one whose lens stays the same during the footage')
    return CameraPath(times, size, intrinsics, _world_to_camera(poses, unit), distortion)


def _moments(scene: bpy.types.Scene, camera: bpy.types.Object, choice: FootageChoice) -> tuple[np.ndarray, np.ndarray]:
    """Scene frames (N,) and seconds of the footage (N,) at which to look at the camera."""
    fps = choice.scene_fps
    low = choice.start or 0.0
    last = float(scene.frame_end) if choice.end is None else choice.frame_at(choice.end)
    if choice.end is None and choice.clip:
        clip = bpy.data.movieclips.get(choice.clip)
        last = choice.start_frame + clip.frame_duration - 1 if clip is not None else last
    first = np.floor(choice.frame_at(low))
    frames = np.arange(first, max(first, np.ceil(last)) + 1)
    if not _moves(camera):
        frames = frames[:1]
    return frames, (frames - choice.start_frame) / fps


def _moves(camera: bpy.types.Object) -> bool:
    """Whether anything but time itself may move a camera or change its lens."""
    animated = [camera.animation_data, camera.data.animation_data]
    return any(one is not None for one in animated) or camera.parent is not None or len(camera.constraints) > 0


def _evaluate(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    frames: np.ndarray,
    done: int,
    poses: np.ndarray,
    lenses: np.ndarray,
) -> int:
    """Fill poses (N, 4, 4) and lenses (N, 3) from row `done` on for a piece of time; how many are done then.

    In a scene of its own that lives for this piece, so that only the camera and what moves it is evaluated and the
    user's scene stays where it is.
    """
    aside = bpy.data.scenes.new("Video Mocap")
    try:
        aside.render.fps, aside.render.fps_base = scene.render.fps, scene.render.fps_base
        aside.active_clip = scene.active_clip
        aside.camera = camera
        aside.collection.objects.link(camera)
        ends = time.perf_counter() + _PIECE
        while done < len(frames) and time.perf_counter() < ends:
            whole = int(np.floor(frames[done]))
            aside.frame_set(whole, subframe=float(frames[done] - whole))
            found = camera.evaluated_get(aside.view_layers[0].depsgraph)
            poses[done] = np.array(found.matrix_world)
            lenses[done] = found.data.lens / _sensor(found.data), found.data.shift_x, found.data.shift_y
            done += 1
    finally:
        bpy.data.scenes.remove(aside)
    return done


def _world_to_camera(poses: np.ndarray, unit: float) -> np.ndarray:
    """(N, 4, 4) camera to world, Blender's axes and units, perhaps with scale -> OpenCV's axes, metres, none."""
    turned = poses[:, :3, :3] / np.linalg.norm(poses[:, :3, :3], axis=1, keepdims=True)
    rotation = np.swapaxes(turned @ np.diag([1.0, -1, -1]), 1, 2)
    out = np.tile(np.eye(4), (len(poses), 1, 1))
    out[:, :3, :3] = rotation
    out[:, :3, 3] = -np.einsum("nij,nj->ni", rotation, poses[:, :3, 3] * unit)
    return out


def _size(scene: bpy.types.Scene, choice: FootageChoice) -> tuple[int, int]:
    """Width and height of the footage; of the scene's picture where the footage's is not known without opening it."""
    if choice.size is not None:
        return choice.size
    for clip in bpy.data.movieclips:
        if clip.filepath and bpy.path.abspath(clip.filepath, library=clip.library) == str(choice.path):
            return int(clip.size[0]), int(clip.size[1])
    return _probe(choice) or (scene.render.resolution_x, scene.render.resolution_y)


def _probe(choice: FootageChoice) -> tuple[int, int] | None:
    """Let Blender open the footage for a moment: it decodes one picture."""
    try:
        clip = bpy.data.movieclips.load(str(choice.files[0]))
    except RuntimeError:
        return None
    try:
        width, height = (int(side) for side in clip.size)
    finally:
        bpy.data.movieclips.remove(clip)
    return (width, height) if width and height else None


def _check(scene: bpy.types.Scene, camera: bpy.types.Object, size: tuple[int, int]) -> None:
    if camera.type != "CAMERA" or camera.data.type != "PERSP":
        raise ValueError(f'"{camera.name}" is no perspective camera; choose one')
    for constraint in _solvers(camera):
        clip = _solved_clip(scene, constraint)
        if clip is None or not clip.tracking.reconstruction.is_valid:
            raise ValueError(f'The clip that moves "{camera.name}" is not solved; press Solve Camera Motion first')
    render = scene.render
    stored = render.resolution_x / render.resolution_y
    shown = stored * render.pixel_aspect_x / render.pixel_aspect_y
    if min(abs(one * size[1] / size[0] - 1) for one in (stored, shown)) > _SAME_SHAPE:
        raise ValueError(
            f"The scene's picture has another shape than the footage; set its resolution to {size[0]} x {size[1]}"
        )


def _solvers(camera: bpy.types.Object) -> Iterator[Any]:
    return (found for found in camera.constraints if found.type == "CAMERA_SOLVER" and not found.mute)


def _solved_clip(scene: bpy.types.Scene, constraint: Any) -> bpy.types.MovieClip | None:
    return scene.active_clip if constraint.use_active_clip else constraint.clip


def _clip_of(scene: bpy.types.Scene, camera: bpy.types.Object, size: tuple[int, int]) -> bpy.types.MovieClip | None:
    """The clip of that size whose solution moves the camera."""
    clips = (_solved_clip(scene, constraint) for constraint in _solvers(camera))
    return next((clip for clip in clips if clip is not None and tuple(int(side) for side in clip.size) == size), None)


def _distortion(scene: bpy.types.Scene, camera: bpy.types.Object, size: tuple[int, int]) -> np.ndarray | None:
    """(5,) of the lens that was solved with the camera; None where none was, or nothing is bent."""
    clip = _clip_of(scene, camera, size)
    found = distortion_of(clip) if clip is not None else None
    return None if found is None else np.array(found)


def _sensor(data: bpy.types.Camera) -> float:
    return data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width


def _intrinsics(scene: bpy.types.Scene, camera: bpy.types.Object, size: tuple[int, int]) -> np.ndarray:
    """(3, 3) in pixels of the footage: the solved lens where a solved clip of that size moves the camera, else the
    object's."""
    clip = _clip_of(scene, camera, size)
    if clip is not None:
        return intrinsics_of(clip)
    render, data = scene.render, camera.data
    aspect = render.pixel_aspect_x / render.pixel_aspect_y
    wide = render.resolution_x * aspect >= render.resolution_y
    horizontal = data.sensor_fit == "HORIZONTAL" or (data.sensor_fit == "AUTO" and wide)
    # The side of the picture that the sensor spans, in pixels as wide as the render's.
    span = float(render.resolution_x if horizontal else render.resolution_y / aspect)
    focal = data.lens * span / _sensor(data)
    centre = render.resolution_x / 2 - data.shift_x * span, render.resolution_y / 2 + data.shift_y * span * aspect
    matrix = np.array([[focal, 0, centre[0]], [0, focal * aspect, centre[1]], [0, 0, 1.0]])
    scale = size[0] / render.resolution_x, size[1] / render.resolution_y
    return np.diag([*scale, 1.0]) @ matrix
