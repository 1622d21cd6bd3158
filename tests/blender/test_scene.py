# SPDX-License-Identifier: GPL-3.0-or-later
"""A take added to a scene of the user's, in pieces; found again; removed."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from motion_samples import take_of, walk  # noqa: E402
from video_mocap.rigging.blender.add import add_take  # noqa: E402
from video_mocap.rigging.blender.parts import (  # noqa: E402
    FILE,
    RATE,
    START,
    remove_take,
    take_collections,
    take_objects,
)
from video_mocap.rigging.joints import TAKE  # noqa: E402
from video_mocap.rigging.people import rename_person  # noqa: E402
from video_mocap.rigging.take import Take  # noqa: E402

#: Every list of data-blocks that adding a take may put something into.
LISTS = ("objects", "armatures", "meshes", "cameras", "actions", "materials", "movieclips", "collections", "scenes")


@pytest.fixture
def scene() -> bpy.types.Scene:
    bpy.ops.wm.read_homefile(use_empty=False, use_factory_startup=True)
    bpy.context.scene.render.fps = 24
    return bpy.context.scene


def finish(pieces):
    """Run a generator to its end; its value."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def two_people(frames: int = 48) -> Take:
    return take_of(np.stack([walk(frames), walk(frames) + np.array([1.0, 0.3, 0])]), 24.0)


def contents() -> dict[str, set[str]]:
    return {kind: {block.name for block in getattr(bpy.data, kind)} for kind in LISTS}


def hips(scene, rig, frame: int) -> np.ndarray:
    scene.frame_set(frame)
    graph = bpy.context.evaluated_depsgraph_get()
    found = rig.evaluated_get(graph)
    return np.array(found.matrix_world @ found.pose.bones["hips"].head)


def test_everything_of_the_take_is_in_its_collection_and_moves_as_it_did(scene) -> None:
    take = rename_person(two_people(), 2, "Anna")
    made = finish(add_take(scene, take, "walk", take_file="//walk.take.npz"))
    assert made.collection.name == "Take walk"
    assert made.collection in scene.collection.children[:]
    assert {number: rig.name for number, rig in made.rigs.items()} == {1: "Person 1", 2: "Anna"}
    assert made.camera.users_scene == (scene,)
    assert (made.collection[FILE], made.collection[RATE], made.collection[START]) == ("//walk.take.npz", 24, 1)
    for row, number in enumerate((1, 2)):
        for frame in (1, 17, 48):
            expected = take.joints[row, frame - 1, TAKE.index("pelvis")]
            assert hips(scene, made.rigs[number], frame) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("mode", ["OBJECT", "EDIT", "SCULPT", "VERTEX_PAINT"])
def test_what_the_user_had_is_untouched(scene, mode: str) -> None:
    cube, light = bpy.data.objects["Cube"], bpy.data.objects["Light"]
    light.select_set(True)
    light.keyframe_insert("location", frame=3)
    bpy.ops.object.mode_set(mode=mode)
    scene.frame_set(7)

    def had():
        render, layer = scene.render, bpy.context.view_layer
        return (
            [render.fps, render.fps_base, render.resolution_x, render.pixel_aspect_y, scene.frame_start],
            [scene.frame_end, scene.frame_current, scene.camera.name, scene.world.name, scene.active_clip],
            [layer.objects.active.name, cube.mode, bpy.context.scene.name, layer.active_layer_collection.name],
            sorted(found.name for found in bpy.context.view_layer.objects if found.select_get()),
            bpy.context.mode, scene.unit_settings.system, light.animation_data.action.name,
        )  # fmt: skip

    before = had()
    finish(add_take(scene, two_people(), "walk"))
    assert had() == before


def test_a_scene_that_is_not_shown_gets_the_take_too(scene) -> None:
    other = bpy.data.scenes.new("Other")
    other.render.fps = 30
    made = finish(add_take(other, two_people(), "walk"))
    assert made.collection in other.collection.children[:]
    assert not set(made.rigs.values()) & set(scene.objects)
    assert made.collection[RATE] == 30
    assert bpy.context.scene == scene


@pytest.mark.parametrize("fps", [24.0, 25.0, 30000 / 1001, 60.0, 11.7, 119.88])
@pytest.mark.parametrize("start_frame", [1, 101, -20])
def test_motion_keeps_its_true_time_at_any_rate(scene, fps: float, start_frame: int) -> None:
    scene.render.fps, scene.render.fps_base = round(fps), round(fps) / fps
    take = two_people()
    made = finish(add_take(scene, take, "walk", start_frame=start_frame))
    path = take.joints[0, :, TAKE.index("pelvis")]
    last = int(np.floor(start_frame + take.times[-1] * fps))
    for frame in {start_frame, (start_frame + last) // 2, last}:
        seconds = (frame - start_frame) / (scene.render.fps / scene.render.fps_base)
        expected = [np.interp(seconds, take.times, path[:, axis]) for axis in range(3)]
        assert hips(scene, made.rigs[1], frame) == pytest.approx(expected, abs=2e-3)


def test_pieces_are_short_however_long_the_take(scene) -> None:
    joints = np.concatenate([walk(480)] * 10)
    take = take_of(np.stack([joints, joints + 1.0]), 24.0)
    moving = np.repeat(take.world_to_camera, len(take.times), 0)
    longest = []
    for number in range(6):  # the best of six: machines are noisy
        pieces = add_take(scene, replace(take, world_to_camera=moving), f"walk {number}")
        spent, progress = [], []
        while True:
            # The processor's time of this thread: other programs and the preparing thread do not count.
            begin = time.thread_time()
            try:
                progress.append(next(pieces))
            except StopIteration as end:
                remove_take(end.value.collection)
                break
            spent.append(time.thread_time() - begin)
        longest.append(max(spent))
        if longest[-1] < 0.05:
            break
    assert min(longest) < 0.05
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert len(progress) > 10


@pytest.mark.parametrize("after", [3, 8, 12])
def test_undo_under_way_leaves_nothing_and_says_so(scene, after: int) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = contents()
    pieces = add_take(scene, take_of(np.stack([np.concatenate([walk(480)] * 6)] * 2), 24.0), "walk")
    _steps_of_work(pieces, after)
    bpy.ops.ed.undo_push(message="the user moved something")
    bpy.ops.ed.undo()
    with pytest.raises(ValueError, match="undone under way"):
        finish(pieces)
    assert contents() == before


@pytest.mark.parametrize("after", [1, 3, 8])
def test_another_file_loaded_under_way_is_left_alone(scene, after: int) -> None:
    pieces = add_take(scene, two_people(), "walk")
    _steps_of_work(pieces, after)
    bpy.ops.wm.read_homefile(use_empty=False, use_factory_startup=True)
    before = contents()
    with pytest.raises(ValueError, match="undone under way"):
        finish(pieces)
    assert contents() == before


@pytest.mark.parametrize(
    ("kind", "name"),
    [("scenes", "Other"), ("objects", "Person 1"), ("collections", "Take walk"), ("actions", "walk Person 1")],
)
@pytest.mark.usefixtures("scene")
def test_a_scene_or_a_part_that_goes_under_way_leaves_nothing(kind: str, name: str) -> None:
    before = contents()
    other = bpy.data.scenes.new("Other")
    pieces = add_take(other, take_of(np.concatenate([walk(480)] * 6)[None], 24.0), "walk")
    _steps_of_work(pieces, 4)
    blocks = getattr(bpy.data, kind)
    blocks.remove(blocks[name])
    with pytest.raises(ValueError, match="undone under way"):
        finish(pieces)
    if kind != "scenes":
        bpy.data.scenes.remove(other)
    # Materials without users go with the next save.
    left = {key: names - before[key] for key, names in contents().items() if key != "materials"}
    assert not any(left.values())


def test_closing_the_generator_leaves_nothing(scene) -> None:
    before = contents()
    pieces = add_take(scene, two_people(), "walk")
    _steps_of_work(pieces, 4)
    assert contents() != before
    pieces.close()
    assert contents() == before


def test_undo_and_redo_of_a_whole_take(scene) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = contents()
    finish(add_take(scene, two_people(), "walk"))
    bpy.ops.ed.undo_push(message="Add take")
    with_take = contents()
    bpy.ops.ed.undo()
    assert contents() == before
    bpy.ops.ed.redo()
    assert contents() == with_take
    [collection] = take_collections(bpy.context.scene)
    remove_take(collection)
    assert contents() == before


def test_the_take_is_found_again_after_reload_and_renames(scene, tmp_path: Path) -> None:
    made = finish(add_take(scene, two_people(), "walk", start_frame=5))
    made.rigs[2].name, made.collection.name = "Hero", "Shot 3"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    [collection] = take_collections(bpy.context.scene)
    found = take_objects(collection)
    assert {number: rig.name for number, rig in found.rigs.items()} == {1: "Person 1", 2: "Hero"}
    assert found.camera.type == "CAMERA"
    assert collection[START] == 5


def test_removing_takes_exactly_what_was_made(scene) -> None:
    bpy.data.materials.new("Body L")
    before = contents()
    first = finish(add_take(scene, two_people(), "walk"))
    once = contents()
    second = finish(add_take(scene, two_people(), "walk"))
    remove_take(second.collection)
    assert contents() == once
    bpy.context.view_layer.objects.active = first.rigs[1]
    bpy.ops.object.mode_set(mode="EDIT")
    remove_take(first.collection)
    assert contents() == before


def test_removing_keeps_what_the_user_added(scene) -> None:
    made = finish(add_take(scene, two_people(), "walk"))
    prop = bpy.data.objects.new("Prop", bpy.data.meshes["Cube"])
    made.collection.objects.link(prop)
    prop.parent = made.rigs[1]
    prop.location = (1, 2, 3)
    copy = made.rigs[1].copy()
    copy.name = "Mine"
    made.collection.objects.link(copy)
    action = made.rigs[2].animation_data.action
    action.use_fake_user = True
    own = bpy.data.collections.new("Own")
    made.collection.children.link(own)
    bpy.context.view_layer.update()
    remove_take(made.collection)
    assert {"Prop", "Mine"} <= {found.name for found in scene.collection.objects}
    assert own in scene.collection.children[:]
    bpy.context.view_layer.update()
    assert prop.matrix_world.translation[:] == pytest.approx((1, 2, 3))
    assert action in bpy.data.actions[:]
    assert copy.data is not None
    assert not {"Person 2", "Footage camera"} & {found.name for found in bpy.data.objects}


def test_linked_takes_and_scenes_are_refused_in_one_sentence(scene, tmp_path: Path) -> None:
    finish(add_take(scene, two_people(), "walk"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "shot.blend"), link=True) as (_, wanted):
        wanted.collections, wanted.scenes = ["Take walk"], ["Scene"]
    linked, foreign = wanted.collections[0], wanted.scenes[0]
    before = contents()
    with pytest.raises(ValueError, match=r"is linked from shot\.blend"):
        remove_take(linked)
    with pytest.raises(ValueError, match=r"is linked from shot\.blend"):
        finish(add_take(foreign, two_people(), "walk"))
    assert contents() == before
    bpy.context.scene.collection.children.link(linked)
    override = linked.override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    with pytest.raises(ValueError, match="is a library override"):
        remove_take(override)


def test_nobody_to_show_is_one_sentence_and_leaves_nothing(scene) -> None:
    take = two_people()
    take.joints_confidence[:] = 0
    before = contents()
    with pytest.raises(ValueError, match="nobody"):
        finish(add_take(scene, take, "walk"))
    assert contents() == before


def _steps_of_work(pieces, count: int) -> None:
    """Step until the take is prepared, then `count` pieces."""
    while next(pieces) == 0.0 and not any(found.name.startswith("Take") for found in bpy.data.collections):
        pass
    for _ in range(count - 1):
        next(pieces)
