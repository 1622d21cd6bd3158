# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes baked to files, and the files opened again in Blender (in a process of its own, as bpy needs)."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_mocap.backend.bake import bake
from video_mocap.backend.errors import Cancelled, UserError
from video_mocap.backend.files import save_arrays
from video_mocap.backend.progress import Progress
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.solve import forward_kinematics, solve
from video_mocap.rigging.take import Take, take_arrays

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import camera_at, library_clip, take_of, walk

needs_bpy = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="the bpy package is not installed")

#: Run in the child: `open` a .blend or import the rest, then print what is there as JSON.
_INSPECT = """
import json, os, sys
import bpy
from bpy_extras.object_utils import world_to_camera_view
path, frames = sys.argv[1], json.loads(sys.argv[2])
if path.endswith(".blend"):
    bpy.ops.wm.open_mainfile(filepath=path)
else:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if path.endswith(".fbx"):
        bpy.ops.import_scene.fbx(filepath=path)
    else:
        bpy.ops.import_anim.bvh(filepath=path, global_scale=0.01)
scene = bpy.context.scene
rigs = sorted((o for o in bpy.data.objects if o.type == "ARMATURE"), key=lambda o: o.name)
found = {
    "fps": scene.render.fps / scene.render.fps_base, "range": [scene.frame_start, scene.frame_end],
    "resolution": [scene.render.resolution_x, scene.render.resolution_y], "rigs": [r.name for r in rigs],
    "collections": [c.name for c in scene.collection.children], "heads": {}, "screen": {}, "body": {},
    "clips": [[c.filepath, c.frame_start, c.source, c.frame_duration] for c in bpy.data.movieclips],
    "camera": scene.camera.name if scene.camera else None,
    "roll": {b.name: [list(b.matrix_local.col[0])[:3], list(b.matrix_local.col[2])[:3]] for b in rigs[0].data.bones},
    "metadata": scene.collection.children[0].get("video_mocap_take") if scene.collection.children else None,
}
if scene.camera and scene.camera.data.background_images:
    image = scene.camera.data.background_images[0]
    found["background"] = [scene.camera.data.show_background_images, image.source, image.clip is not None]
views = [a.spaces.active.region_3d for s in bpy.data.screens for a in s.areas if a.type == "VIEW_3D"]
meshes = [o for o in bpy.data.objects if o.type == "MESH"]
found["opens"] = {
    "modes": [r.mode for r in rigs], "active": bpy.context.view_layer.objects.active.name, "frame": scene.frame_current,
    "collection": bpy.context.view_layer.active_layer_collection.name,
    "views": sorted({(v.view_perspective, round(v.view_camera_zoom, 1)) for v in views}),
    "body": sorted({(m.show_transparent, round(s.material.diffuse_color[3], 2)) for m in meshes
                    for s in m.material_slots}),
    "rigs": sorted({(r.show_in_front, r.data.display_type) for r in rigs}),
    "colours": {b.name: b.color.palette for b in rigs[0].data.bones},
}
action = rigs[0].animation_data.action
if hasattr(action, "slots"):
    found["slots"] = len(action.slots)
    found["bags"] = [len(s.channelbags) for l in action.layers for s in l.strips]
    curves = action.layers[0].strips[0].channelbags[0].fcurves
else:
    curves = action.fcurves
found["keys"] = sorted({len(c.keyframe_points) for c in curves})
found["curves"] = len(curves)
found["first_keys"] = [p.co[0] for p in curves[0].keyframe_points][:30]
for frame in frames:
    whole = int(frame // 1)
    scene.frame_set(whole, subframe=frame - whole)
    places = [{b.name: list((r.matrix_world @ b.matrix).translation) for b in r.pose.bones} for r in rigs]
    found["heads"][str(frame)] = places
    if scene.camera:
        from mathutils import Vector
        found["screen"][str(frame)] = [
            {n: list(world_to_camera_view(scene, scene.camera, Vector(p)))[:2] for n, p in one.items()}
            for one in places]
    bodies = [o for o in bpy.data.objects if o.type == "MESH"]
    graph = bpy.context.evaluated_depsgraph_get()
    found["body"][str(frame)] = [
        [list(o.matrix_world @ v.co) for v in o.evaluated_get(graph).data.vertices] for o in bodies[:1]]
print("FOUND" + json.dumps(found))
sys.stdout.flush()
os._exit(0)
"""


def inspect(path: Path, frames: list[float]) -> dict[str, Any]:
    command = [sys.executable, "-c", _INSPECT, str(path), json.dumps(frames)]
    # Blender leaves its temporary folder behind when a process ends by os._exit.
    environment = os.environ | {"TMPDIR": str(path.parent)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    assert lines, done.stderr[-2000:]
    return json.loads(lines[0][5:])


def write(take: Take, folder: Path) -> Path:
    path = folder / "walk.take.npz"
    save_arrays(path, take_arrays(take))
    return path


def two_people() -> Take:
    return take_of(np.stack([walk(), walk() + np.array([1.0, 0.3, 0])]), 30000 / 1001)


def pixels_of(take: Take, points: np.ndarray, frame: int) -> np.ndarray:
    """(N, 2) pixels of world points by the take's own camera."""
    matrices = take.world_to_camera
    matrix = matrices[min(frame, len(matrices) - 1)]
    in_camera = points @ matrix[:3, :3].T + matrix[:3, 3]
    projected = in_camera @ take.intrinsics.T
    return projected[:, :2] / projected[:, 2:]


def write_video(path: Path, times: list[float]) -> None:
    """A clip of a frame at each of `times`, seconds, whose file says 24 Hz."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 24000)
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 2 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(24000 * time), Fraction(1, 24000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


#: Bones whose heads are joints of the take.
HEADS = {
    "hips": "pelvis", "thigh.L": "left_hip", "thigh.R": "right_hip", "shin.L": "left_knee", "shin.R": "right_knee",
    "foot.L": "left_ankle", "foot.R": "right_ankle", "chest": "spine", "shoulder.L": "thorax",
    "upper_arm.L": "left_shoulder", "upper_arm.R": "right_shoulder", "forearm.L": "left_elbow",
    "forearm.R": "right_elbow", "hand.L": "left_wrist", "hand.R": "right_wrist",
}  # fmt: skip


@needs_bpy
def test_blend_holds_the_take(tmp_path: Path) -> None:
    take = two_people()
    output = tmp_path / "walk.blend"
    bake(write(take, tmp_path), output)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["walk.blend", "walk.take.npz"]
    found = inspect(output, [1, 17, 48])
    assert found["fps"] == pytest.approx(30000 / 1001, abs=1e-5)
    assert found["range"] == [1, 48]
    assert found["resolution"] == [1280, 720]
    assert found["rigs"] == ["Person 1", "Person 2"]
    assert found["collections"] == ["Take walk"]
    assert found["camera"] == "Footage camera"
    assert json.loads(found["metadata"]) == {"footage": "walk"}
    assert (found["slots"], found["bags"], found["keys"], found["curves"]) == (1, [1], [48], 21 * 4 + 3)
    names, rows = list(HEADS), [TAKE.index(joint) for joint in HEADS.values()]
    for frame in (1, 17, 48):
        for person in range(2):
            heads = np.array([found["heads"][str(frame)][person][name] for name in names])
            expected = take.joints[person, frame - 1, rows]
            assert np.linalg.norm(heads - expected, axis=1).max() < 0.005
            screen = np.array([found["screen"][str(frame)][person][name] for name in names])
            pixels = np.stack([screen[:, 0] * 1280, (1 - screen[:, 1]) * 720], 1)
            assert np.abs(pixels - pixels_of(take, expected, frame - 1)).max() < 0.5


@needs_bpy
def test_bones_have_their_hinge_on_x_and_the_body_moves_with_them(tmp_path: Path) -> None:
    joints = walk()
    bake(write(take_of(joints[None], 24.0), tmp_path), tmp_path / "walk.blend")
    found = inspect(tmp_path / "walk.blend", [1, 30])
    assert found["roll"]["shin.L"][0] == pytest.approx([1, 0, 0], abs=1e-4)
    assert found["roll"]["forearm.L"][0] == pytest.approx([0, 0, -1], abs=1e-4)
    assert found["roll"]["forearm.R"][0] == pytest.approx([0, 0, 1], abs=1e-4)
    for frame in (1, 30):
        body = np.array(found["body"][str(frame)][0])
        around = joints[frame - 1]
        assert (body.min(0) > around.min(0) - 0.15).all()
        assert (body.max(0) < around.max(0) + 0.15).all()
        assert body[:, 2].min() == pytest.approx(around[:, 2].min(), abs=0.04)


@needs_bpy
def test_moving_camera_keeps_the_person_in_place(tmp_path: Path) -> None:
    take = take_of(walk()[None], 24.0)
    eyes = np.stack([np.linspace(-2, 2, 48), np.full(48, -6.0), np.full(48, 1.2)], 1)
    moving = np.stack([camera_at(eye, np.array([0, -0.5, 0.9])) for eye in eyes])
    take = replace(take, world_to_camera=moving)
    bake(write(take, tmp_path), tmp_path / "walk.blend")
    found = inspect(tmp_path / "walk.blend", [1, 25, 48])
    for frame in (1, 25, 48):
        x, y = found["screen"][str(frame)][0]["hips"]
        expected = pixels_of(take, take.joints[0, [frame - 1], 0], frame - 1)[0]
        assert [x * 1280, (1 - y) * 720] == pytest.approx(expected, abs=0.5)


@needs_bpy
def test_footage_is_behind_the_camera_by_a_relative_path(tmp_path: Path) -> None:
    footage = tmp_path / "clips" / "footage.mp4"
    footage.parent.mkdir()
    write_video(footage, [index / 24 for index in range(5)])
    bake(write(take_of(walk()[None], 24.0), tmp_path), tmp_path / "walk.blend", footage=footage)
    found = inspect(tmp_path / "walk.blend", [1])
    assert found["clips"] == [["//clips/footage.mp4", 1, "MOVIE", 5]]
    assert found["background"] == [True, "MOVIE_CLIP", True]


@needs_bpy
def test_file_opens_on_the_person_in_the_whole_picture(tmp_path: Path) -> None:
    take = two_people()
    portrait = replace(take, image_size=np.array([720, 1280]))
    for name, one in (("wide", take), ("tall", portrait)):
        bake(write(one, tmp_path), tmp_path / f"{name}.blend")
        opens = inspect(tmp_path / f"{name}.blend", [1])["opens"]
        assert opens["modes"] == ["POSE", "POSE"]
        assert (opens["active"], opens["collection"], opens["frame"]) == ("Person 1", f"Take {name}", 1)
        assert opens["rigs"] == [[True, "STICK"]]
        assert opens["body"] == [[True, 0.4]]
        assert len({opens["colours"][bone] for bone in ("chest", "hand.L", "hand.R")}) == 3
        [[perspective, found_zoom]] = opens["views"]
        assert perspective == "CAMERA"
        # At zoom z the picture takes (sqrt(2) + z / 50)^2 / 4 of the width of a view 1.5 to 1.8 times wider than high.
        width = (2**0.5 + found_zoom / 50) ** 2 / 4
        tall = one.image_size[1] / one.image_size[0]
        assert max(width, 1.5 * width * tall) < 0.95
        assert max(width, 1.8 * width * tall) > 0.85


@needs_bpy
def test_uneven_times_become_keys_on_whole_frames_at_the_true_speed_and_gaps_have_none(tmp_path: Path) -> None:
    joints = walk(24)
    joints[10:16] = np.nan
    times = np.arange(24) / 24 + np.where(np.arange(24) % 2, 0.01, 0)
    path = joints[:, 0].copy()
    bake(write(take_of(joints[None], 24.0, times), tmp_path), tmp_path / "walk.blend")
    found = inspect(tmp_path / "walk.blend", [4, 20])
    assert found["first_keys"] == [*range(1, 11), *range(17, 25)]
    assert found["range"] == [1, 24]
    for frame in (4, 20):
        expected = [np.interp((frame - 1) / 24, times, path[:, axis]) for axis in range(3)]
        assert found["heads"][str(frame)][0]["hips"] == pytest.approx(expected, abs=1e-4)


@needs_bpy
def test_scene_runs_at_the_rate_at_which_blender_plays_the_footage(tmp_path: Path) -> None:
    # 24 frames/s for a second, then 12: on average, which is the take's rate, 16.
    times = [index / 24 for index in range(24)] + [1 + index / 12 for index in range(24)]
    write_video(tmp_path / "footage.mp4", times)
    joints = walk(48)
    take = write(take_of(joints[None], 16.0, np.array(times)), tmp_path)
    assert bake(take, tmp_path / "walk.blend", footage=tmp_path / "footage.mp4") == []
    found = inspect(tmp_path / "walk.blend", [13, 49])
    assert found["fps"] == pytest.approx(24)
    assert found["range"] == [1, 71]
    assert found["heads"]["13"][0]["hips"] == pytest.approx(joints[12, 0], abs=0.001)
    # 2 s after the start is frame 36 of the footage.
    assert found["heads"]["49"][0]["hips"] == pytest.approx(joints[36, 0], abs=0.001)


@needs_bpy
def test_part_of_the_footage_keeps_its_frames(tmp_path: Path) -> None:
    write_video(tmp_path / "footage.mp4", [index / 24 for index in range(60)])
    take = write(take_of(walk(20)[None], 24.0, np.arange(30, 50) / 24), tmp_path)
    bake(take, tmp_path / "walk.blend", footage=tmp_path / "footage.mp4")
    found = inspect(tmp_path / "walk.blend", [31])
    assert (found["range"], found["opens"]["frame"]) == ([31, 50], 31)
    assert found["clips"] == [["//footage.mp4", 1, "MOVIE", 60]]
    assert found["first_keys"] == list(range(31, 51))


@needs_bpy
def test_footage_that_blender_cannot_show_costs_only_the_background(tmp_path: Path) -> None:
    footage = tmp_path / "footage.mp4"
    footage.write_text("no video", encoding="utf-8")
    [warning] = bake(write(take_of(walk()[None], 24.0), tmp_path), tmp_path / "walk.blend", footage=footage)
    assert "Blender cannot show" in warning
    assert "footage.mp4" in warning
    found = inspect(tmp_path / "walk.blend", [1])
    assert (found["clips"], found["rigs"], found.get("background")) == ([], ["Person 1"], None)


@needs_bpy
def test_image_sequence_begins_with_its_lowest_number(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(7, 13):
        cv2.imwrite(str(folder / f"image{number}.png"), np.full((48, 64, 3), number, np.uint8))
    bake(write(take_of(walk(6)[None], 24.0), tmp_path), tmp_path / "walk.blend", footage=folder)
    found = inspect(tmp_path / "walk.blend", [1])
    assert found["clips"] == [["//images/image7.png", 1, "SEQUENCE", 6]]
    assert found["fps"] == 24


@needs_bpy
@pytest.mark.parametrize("suffix", [".fbx", ".bvh"])
def test_exchange_formats_move_when_imported(tmp_path: Path, suffix: str) -> None:
    joints, fps = library_clip("cmu_127_11")
    take = take_of(joints[None, :90], fps)
    bake(write(take, tmp_path), tmp_path / f"walk{suffix}")
    found = inspect(tmp_path / f"walk{suffix}", [1, 61])
    motion = solve(take, 1)
    heads, _ = forward_kinematics(motion)
    names = motion.skeleton.names
    first, later = (np.array([found["heads"][frame][0][name] for name in names]) for frame in ("1", "61"))
    moved = later - first
    expected = heads[60] - heads[0]
    # The importers turn and place as they like; distances between joints and how far each moved stay.
    assert np.abs(np.linalg.norm(moved, axis=1) - np.linalg.norm(expected, axis=1)).max() < 0.01
    spread = np.linalg.norm(later[:, None] - later[None], axis=-1)
    assert np.abs(spread - np.linalg.norm(heads[60, :, None] - heads[60, None], axis=-1)).max() < 0.01


def test_bad_requests_are_one_sentence_and_leave_nothing(tmp_path: Path) -> None:
    take = write(two_people(), tmp_path)
    broken = tmp_path / "broken.take.npz"
    broken.write_bytes(b"no take")
    before = sorted(tmp_path.iterdir())
    for request, said in (
        ((take, tmp_path / "x.obj"), "must end in .blend, .fbx or .bvh"),
        ((take, tmp_path / "x.bvh"), "choose one of 1, 2"),
        ((take, tmp_path / "x.bvh", None, 7), "no person 7; it has 1, 2"),
        ((take, tmp_path / "x.blend", tmp_path / "absent.mp4"), "does not exist"),
        ((tmp_path / "absent.npz", tmp_path / "x.bvh"), "does not exist"),
        ((broken, tmp_path / "x.blend"), "not a video-mocap take"),
        ((take, tmp_path / "absent" / "x.bvh", None, 1), "cannot write"),
    ):
        with pytest.raises(UserError, match=said) as error:
            bake(*request)
        assert "\n" not in str(error.value)
    assert sorted(tmp_path.iterdir()) == before


@needs_bpy
def test_suffix_may_be_upper_case(tmp_path: Path) -> None:
    bake(write(take_of(walk()[None], 24.0), tmp_path), tmp_path / "WALK.FBX")
    assert (tmp_path / "WALK.FBX").read_bytes().startswith(b"Kaydara FBX Binary")


@needs_bpy
def test_failure_in_blender_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    take = take_of(walk()[None], 24.0)
    take.joints_confidence[:] = 0
    path = write(take, tmp_path)
    with pytest.raises(UserError, match="nobody"):
        bake(path, tmp_path / "x.blend")
    assert sorted(tmp_path.iterdir()) == [path]


@needs_bpy
@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
@pytest.mark.parametrize(("suffix", "reason"), [(".blend", "only a part of it"), (".fbx", "File too large")])
def test_disk_that_fills_up_is_one_sentence_and_leaves_nothing(tmp_path: Path, suffix: str, reason: str) -> None:
    """No file may grow beyond 8 kB, so that Blender, or its add-on in Python, fails in the middle of writing."""
    path = write(two_people(), tmp_path)
    code = (
        "import resource, sys\n"
        "from video_mocap.backend import cli\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "sys.exit(cli.main(['bake', *sys.argv[1:]]))\n"
    )
    command = [sys.executable, "-c", code, path.name, "-o", f"x{suffix}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"video-mocap: Blender cannot write x{suffix}: {reason}")
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == [path]


@needs_bpy
def test_cancelling_stops_and_leaves_nothing(tmp_path: Path) -> None:
    path = write(two_people(), tmp_path)
    with pytest.raises(Cancelled):
        bake(path, tmp_path / "x.blend", progress=Progress(cancelled=lambda: True))
    assert sorted(tmp_path.iterdir()) == [path]
