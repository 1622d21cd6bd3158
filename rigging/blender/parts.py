# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What belongs to a take in a .blend: stored on its collection, so that it is found again after reload and undo.

The collection's custom properties: `TAKE` (the take's metadata, JSON), `FILE` (path of the take file, relative to the
.blend if it can be), `RATE` (Hz, of the scene when the keys were written), `TAKE_RATE` (Hz, of the footage), `START`
(scene frame of the footage's first frame) and `PARTS`: pointers to every data-block that was made, by what it is
("rig 1", "body 1", "action 1", "camera", "clip"). Pointers follow renames and are emptied when a data-block goes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from .body import MATERIAL

TAKE, FILE, RATE, TAKE_RATE, START, PARTS = (
    f"video_mocap_{name}" for name in ("take", "file", "rate", "take_rate", "start_frame", "parts")
)
#: On a rig: the person's id.
PERSON = "video_mocap_person"

_EDITORS = (bpy.types.Screen, bpy.types.WindowManager, bpy.types.WorkSpace)


@dataclass(frozen=True)
class TakeObjects:
    """What shows a take in a scene. Hold none of these over time: undo and reload replace data-blocks.

    rigs: armature object by the person's id. camera, clip: None where they were deleted or never there.
    warnings: what could not be done, a sentence each.
    """

    collection: bpy.types.Collection
    rigs: dict[int, bpy.types.Object]
    camera: bpy.types.Object | None
    clip: bpy.types.MovieClip | None
    warnings: tuple[str, ...] = ()


def add_part(collection: bpy.types.Collection, key: str, block: bpy.types.ID) -> None:
    """Remember a data-block as made for the take."""
    collection[PARTS][key] = block


def parts(collection: bpy.types.Collection) -> dict[str, Any]:
    """The data-blocks that were made for the take and still exist, by what they are."""
    stored = collection.get(PARTS)
    found = dict(stored.items()) if stored is not None else {}
    return {key: block for key, block in found.items() if isinstance(block, bpy.types.ID)}


def take_collections(scene: bpy.types.Scene) -> list[bpy.types.Collection]:
    """The collections of takes in a scene."""
    return [found for found in scene.collection.children_recursive if PARTS in found]


def take_objects(collection: bpy.types.Collection, warnings: Iterable[str] = ()) -> TakeObjects:
    """What still shows a take; objects that were deleted from every scene are left out."""
    found = parts(collection)
    rigs = {
        int(block[PERSON]): block
        for key, block in found.items()
        if key.startswith("rig ") and PERSON in block and block.users_scene
    }
    camera = found.get("camera")
    if camera is not None and not camera.users_scene:
        camera = None
    return TakeObjects(collection, rigs, camera, _clip(camera), tuple(warnings))


def _clip(camera: bpy.types.Object | None) -> bpy.types.MovieClip | None:
    images = camera.data.background_images if camera is not None else ()
    return next((image.clip for image in images if image.source == "MOVIE_CLIP" and image.clip is not None), None)


def check_local(thing: bpy.types.ID, what: str) -> None:
    """ValueError, in one sentence, for something that lies in another file."""
    if thing.library is not None:
        name = bpy.path.basename(thing.library.filepath)
        raise ValueError(f"{what} is linked from {name}; make the change in that file, or make it local first")
    if thing.override_library is not None:
        raise ValueError(f"{what} is a library override; make the change in the file that it comes from")


def remove_take(collection: bpy.types.Collection) -> None:
    """Remove what `add_take` made, and nothing else.

    What the user put into the collection moves to where the collection was; what they parented to a rig stays in place;
    an action, mesh, material or clip that something else uses stays. Raises ValueError, in one sentence, and changes
    nothing, if the collection is linked, overridden or no take's.
    """
    check_local(collection, f'the collection "{collection.name}"')
    if PARTS not in collection:
        raise ValueError(f'the collection "{collection.name}" is no take of Video Mocap')
    found = parts(collection)
    objects = [block for block in found.values() if isinstance(block, bpy.types.Object)]
    for block in found.values():
        check_local(block, f'"{block.name}"')
    _leave_modes(objects)
    _keep_children_in_place(objects)
    _move_out(collection, objects)
    # A body's material is another body's too; a mesh that the user gave one of ours keeps it.
    materials = [found for found in bpy.data.materials if MATERIAL in found and found.library is None]
    rest = [block for block in found.values() if not isinstance(block, bpy.types.Object)]
    bpy.data.batch_remove(objects)
    bpy.data.collections.remove(collection)
    # Cameras before the clips behind them, meshes before their materials.
    for clips in (False, True):
        kind = [block for block in rest if isinstance(block, bpy.types.MovieClip) == clips]
        bpy.data.batch_remove([block for block in kind if _is_orphan(block)])
    bpy.data.batch_remove([block for block in materials if block.users == 0])


def _leave_modes(objects: list[bpy.types.Object]) -> None:
    """Blender cannot remove an object in the middle of editing it."""
    for scene in bpy.data.scenes:
        for layer in scene.view_layers:
            active = layer.objects.active
            if active in objects and active.mode != "OBJECT":
                with bpy.context.temp_override(scene=scene, view_layer=layer, active_object=active, object=active):
                    bpy.ops.object.mode_set(mode="OBJECT")


def _keep_children_in_place(objects: list[bpy.types.Object]) -> None:
    for found in bpy.data.objects:
        if found.parent in objects and found not in objects and found.library is None:
            place = found.matrix_world.copy()
            found.parent = None
            found.matrix_world = place


def _move_out(collection: bpy.types.Collection, ours: list[bpy.types.Object]) -> None:
    kept = [found for found in collection.objects if found not in ours]
    children = list(collection.children)
    for above in _parents(collection):
        for found in kept:
            with contextlib.suppress(RuntimeError):  # it is there already
                above.objects.link(found)
        for child in children:
            with contextlib.suppress(RuntimeError):
                above.children.link(child)


def _parents(collection: bpy.types.Collection) -> Iterator[bpy.types.Collection]:
    for above in [*(scene.collection for scene in bpy.data.scenes), *bpy.data.collections]:
        if above.library is None and collection in above.children[:]:
            yield above


def _is_orphan(block: bpy.types.ID) -> bool:
    """Whether nothing but an open editor uses a data-block."""
    if not isinstance(block, bpy.types.MovieClip):
        return block.users == 0
    # A clip that was loaded by its path counts one user too many, which is nobody.
    users = bpy.data.user_map(subset=[block]).get(block, set())
    return not block.use_fake_user and all(isinstance(user, _EDITORS) for user in users)
