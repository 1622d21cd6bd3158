# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""A take into a scene of the user's, in pieces that Blender's interface does not feel.

Everything is built aside, linked to no scene; the last piece links it all. Between two pieces the user may undo, delete
or load a file: nothing of Blender's is held from one piece to the next (`blocks`), and a count on the collection tells
when undo took pieces back.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import bpy

from ..aside import aside
from ..prepare import Animation, Prepared, PreparedPerson, prepare
from ..take import Take
from .action import curve_holder, new_action, write_curve
from .armature import build_armature
from .blocks import Block, GoneError
from .body import build_body
from .camera import build_camera
from .footage import drive as drive_clip
from .footage import fit_footage, is_in_step, keep_in_step, load_footage, show_footage
from .parts import (
    FILE,
    PARTS,
    PERSON,
    RATE,
    START,
    TAKE,
    TAKE_RATE,
    TakeObjects,
    add_part,
    check_local,
    remove_take,
    take_objects,
)
from .rate import scene_rate, update_view_layer
from .units import metres_per_unit

#: Seconds after which a piece ends.
_PIECE = 0.008
#: On the collection while it is being built: how many pieces are done.
_DONE = "video_mocap_pieces"

#: Lists of bpy.data by the type of what is made for a take.
_LISTS = {"OBJECT": "objects", "ARMATURE": "armatures", "MESH": "meshes", "CAMERA": "cameras", "ACTION": "actions"}
_LISTS |= {"MOVIECLIP": "movieclips"}

Footage = Path | bpy.types.MovieClip | None


def add_take(
    scene: bpy.types.Scene,
    take: Take | Prepared,
    name: str,
    footage: Footage = None,
    start_frame: int = 1,
    *,
    take_file: str = "",
) -> Generator[float, None, TakeObjects]:
    """Add a take to a scene: a collection "Take NAME" with everybody's armature and body, and the footage's camera.

    A generator: each step is at most about 20 ms of work and yields the progress, 0..1; its value is what was made.
    take: a Take is prepared in a thread meanwhile; what is `Prepared` must be for this scene's rate and start_frame.
    footage: a video, an image of a sequence, or a movie clip, which is used as it is if it is in step at the scene's
    rate and loaded a second time otherwise. start_frame: the scene frame of the footage's first frame.
    take_file: where the take's file is, as the .blend should hold it.

    The scene's rate, range, resolution, camera, mode, active object and selection stay as they are. Raises ValueError,
    in one sentence, if there is nobody to show, the scene cannot be changed, or the work was undone under way; nothing
    is left in the file then, nor if the generator is closed. Footage that cannot be shown is a warning.
    """
    check_local(scene, f'the scene "{scene.name}"')
    home, fps = Block("scenes", scene), scene_rate(scene)
    clip = Block("movieclips", footage) if isinstance(footage, bpy.types.MovieClip) else footage
    prepared = (yield from aside(lambda: prepare(take, fps, start_frame))) if isinstance(take, Take) else take
    build = _Build(home, prepared, name, clip, take_file)
    try:
        yield from _step_safely(build)
        return take_objects(build.collection.get(), build.warnings)
    except (GoneError, ReferenceError):
        build.discard()
        raise ValueError(f"adding the take {name} was undone under way; add it again") from None
    except BaseException:
        build.discard()
        raise


def _step_safely(build: _Build) -> Iterator[float]:
    for done, progress in enumerate(build.pieces()):
        build.collection.get()[_DONE] = done
        yield progress
        if build.collection.get().get(_DONE) != done:
            raise GoneError
    del build.collection.get()[_DONE]


class _Build:
    """One take being added; `pieces` does the work."""

    def __init__(
        self, scene: Block, prepared: Prepared, name: str, footage: Path | Block | None, take_file: str
    ) -> None:
        self.warnings: list[str] = []
        self._made: list[Block] = []
        self._scene, self._prepared, self._name, self._footage = scene, prepared, name, footage
        collection = bpy.data.collections.new(f"Take {name}")
        self.collection = Block("collections", collection)
        collection[PARTS] = {}
        collection[TAKE] = json.dumps(prepared.take.metadata, sort_keys=True)
        collection[FILE] = take_file
        collection[RATE], collection[TAKE_RATE] = prepared.fps, float(prepared.take.fps)
        collection[START] = prepared.start_frame
        animations = [person.animation for person in prepared.people]
        animations += [prepared.camera] if prepared.camera else []
        # Units of the scene in a metre: what is 1.75 m tall is so by the scene's own ruler.
        self._size = 1 / metres_per_unit(scene.get())
        self._curves = sum(channel.values.shape[1] for one in animations for channel in one.channels)
        self._written = 0

    def discard(self) -> None:
        """Remove what was made, as far as it is still there."""
        with contextlib.suppress(GoneError, ReferenceError):
            remove_take(self.collection.get())
        for made in self._made:
            # Only where the user removed the collection meanwhile.
            with contextlib.suppress(GoneError):
                bpy.data.batch_remove([made.get()])

    def pieces(self) -> Iterator[float]:
        """Do the work; yields the progress after each piece."""
        yield 0.0
        for person in self._prepared.people:
            yield from self._person(person)
        yield from self._camera()
        yield from self._show()

    def _person(self, person: PreparedPerson) -> Iterator[float]:
        rig = build_armature(person.skeleton, person.name, None)
        rig.scale = [self._size] * 3
        rig[PERSON] = person.person
        rig["video_mocap_seen"] = person.seen
        self._add(f"rig {person.person}", rig)
        self._add(f"armature {person.person}", rig.data)
        block = Block("objects", rig)
        yield self._progress()
        body = build_body(block.get(), person.skeleton, None)
        self._add(f"body {person.person}", body)
        self._add(f"mesh {person.person}", body.data)
        yield self._progress()
        action = f"action {person.person}"
        yield from self._animate(block, person.animation, f"{self._name} {person.name}", action)

    def _camera(self) -> Iterator[float]:
        camera = build_camera(self._prepared.take, "Footage camera", None)
        camera.location *= self._size
        camera.data.clip_start, camera.data.clip_end = 0.01 * self._size, 1000 * self._size
        camera.data.display_size *= self._size
        self._add("camera", camera)
        self._add("camera data", camera.data)
        block = Block("objects", camera)
        yield self._progress()
        if self._prepared.camera:
            moves = self._prepared.camera.scaled("location", self._size)
            yield from self._animate(block, moves, f"{self._name} camera", "camera action")
        if self._footage is None:
            return
        try:
            clip = self._clip()
        except ValueError as error:
            self.warnings.append(f"{error}; the take has no footage behind it")
        else:
            show_footage(block.get(), clip)
            fit_footage(block.get(), self._prepared.take, self._scene.get())
        yield self._progress()

    def _clip(self) -> bpy.types.MovieClip:
        """The footage as a clip that is in step, or will be once `_show` has driven it."""
        prepared, footage = self._prepared, self._footage
        fps = float(prepared.take.fps)
        if isinstance(footage, Block):
            theirs = footage.get()
            if is_in_step(theirs, prepared.fps, fps, prepared.start_frame):
                return theirs
            footage = Path(bpy.path.abspath(theirs.filepath, library=theirs.library))
        assert footage is not None
        clip = load_footage(footage, fps)
        self._add("clip", clip)
        return clip

    def _animate(self, owner: Block, animation: Animation, name: str, key: str) -> Iterator[float]:
        new_action(owner.get(), name)
        action = owner.get().animation_data.action
        self._add(key, action)
        block = Block("actions", action)
        holder, ends = curve_holder(action), time.perf_counter() + _PIECE
        for channel in animation.channels:
            for index in range(channel.values.shape[1]):
                write_curve(holder, channel.path, index, animation.frames, channel.values[:, index], channel.group)
                self._written += 1
                if time.perf_counter() > ends:
                    del holder
                    yield self._progress()
                    holder, ends = curve_holder(block.get()), time.perf_counter() + _PIECE
        yield self._progress()

    def _show(self) -> Iterator[float]:
        """Link everything, in one piece: there is never half a take in the scene."""
        scene, collection = self._scene.get(), self.collection.get()
        for block in [made.get() for made in self._made]:
            if isinstance(block, bpy.types.Object):
                collection.objects.link(block)
        scene.collection.children.link(collection)
        clip = collection[PARTS].get("clip")
        if clip is not None:
            fps, rate = self._prepared.fps, float(self._prepared.take.fps)
            if keep_in_step(clip, fps, rate, self._prepared.start_frame):
                update_view_layer(scene)
                drive_clip(clip, fps, rate)
        yield 1.0

    def _add(self, key: str, block: bpy.types.ID) -> None:
        self._made.append(Block(_LISTS[block.id_type], block))
        add_part(self.collection.get(), key, block)

    def _progress(self) -> float:
        return 0.95 * self._written / max(1, self._curves)
