# SPDX-License-Identifier: GPL-3.0-or-later
"""Make sample.mp4 and sample_truth.take.npz: a rendered character whose true joints and camera are known.

    python sample/make_sample.py CHARACTERS_FOLDER MOTION_FILE.npz [--output FOLDER] [--keep-frames FOLDER]

CHARACTERS_FOLDER holds mpfb_game_engine.blend; MOTION_FILE holds the CMU clips. README.md says where both come from.
The truth is what the character's own bones and skin do, not what the source motion did.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import av
import bpy
import numpy as np
import stage
from character import BONE_SEGMENTS, bone_bases, landmarks, load_character, pose, sole_vertices
from motion import face_camera, read_clip
from retarget import retarget
from video_mocap.backend.camera import project, to_camera
from video_mocap.backend.files import save_arrays, whole_file
from video_mocap.rigging.joints import KEYPOINTS, TAKE
from video_mocap.rigging.take import CONTACT_NAMES, Take, take_arrays

CHARACTER = "mpfb_game_engine.blend"
CLIP, START, FRAMES, FPS = "cmu_135_02", 438, 150, 30
#: How far the person is turned to the left of the camera on average.
TURN_DEGREES = 28.0
CAMERA = stage.CameraPlan(
    size=(720, 540), focal=740.0, location=(0.05, -3.4, 1.30), pitch_degrees=-8.0, roll_degrees=1.5
)
#: A heel or toe stands if it is no higher above its place at rest, metres, and no faster, metres a second.
STANDING_HEIGHT, STANDING_SPEED = 0.03, 0.20
ACKNOWLEDGEMENT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. "
    "The database was created with funding from NSF EIA-0196217."
)


def main() -> None:
    """Read the arguments, render, write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("characters", type=Path, help=f"folder with {CHARACTER}")
    parser.add_argument("motion", type=Path, help=f"motion library file with the clip {CLIP}")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder to write to")
    parser.add_argument("--keep-frames", type=Path, help="folder for the rendered PNG frames")
    parser.add_argument("--every", type=int, default=1, help="render only every nth frame, as a trial; writes no files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        frames = arguments.keep_frames or Path(temporary)
        frames.mkdir(parents=True, exist_ok=True)
        take = film(arguments.characters / CHARACTER, arguments.motion, frames, arguments.every)
        truth = frames if arguments.every > 1 else arguments.output
        save_arrays(truth / "sample_truth.take.npz", take_arrays(take))
        if arguments.every == 1:
            encode(sorted(frames.glob("*.png")), arguments.output / "sample.mp4")


def film(character_file: Path, motion_file: Path, folder: Path, every: int) -> Take:
    """Pose and render all frames into `folder`; returns the truth."""
    motion = face_camera(read_clip(motion_file, CLIP, START, FRAMES, FPS), TURN_DEGREES)
    character = load_character(character_file)
    resting = landmarks(character)
    rest = np.array([resting[name] for name in TAKE.names])
    soles = {side: sole_vertices(character, side) for side in ("left", "right")}
    turns, hips = retarget(motion, rest, soles)
    head = character.rest["pelvis"][:3, 3] - rest[TAKE.index("pelvis")]
    rotations = {bone: turns[segment] for bone, segment in BONE_SEGMENTS}
    bases, locations = bone_bases(character, rotations, hips + turns["hips"] @ head)
    stage.build_room()
    stage.dress(character)
    stage.set_up_workbench()
    world_to_camera = stage.place_camera(CAMERA)
    points: dict[str, list[np.ndarray]] = {name: [] for name in resting}
    for frame in range(FRAMES):
        pose(character, bases, locations, frame)
        for name, position in landmarks(character).items():
            points[name].append(position)
        if frame % every == 0:
            stage.render(folder / f"{frame:04d}.png")
    return _truth({name: np.array(track) for name, track in points.items()}, resting, world_to_camera)


def _truth(points: dict[str, np.ndarray], resting: dict[str, np.ndarray], world_to_camera: np.ndarray) -> Take:
    """points: name -> (F, 3) world; resting: the same at rest, name -> (3,)."""
    joints = np.stack([points[name] for name in TAKE.names], 1)
    seen = np.stack([points[name] for name in KEYPOINTS.names], 1)
    pixels = project(to_camera(seen, world_to_camera[None]), CAMERA.intrinsics)
    keypoints = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1)
    contacts = []
    for name in CONTACT_NAMES:
        speed = np.linalg.norm(np.gradient(points[name], axis=0), axis=-1) * FPS
        height = points[name][:, 2] - resting[name][2]
        contacts.append((height < STANDING_HEIGHT) & (speed < STANDING_SPEED))
    return Take(
        fps=float(FPS),
        times=np.arange(FRAMES) / FPS,
        image_size=np.array(CAMERA.size),
        intrinsics=CAMERA.intrinsics,
        world_to_camera=world_to_camera[None],
        joint_names=TAKE.names,
        joint_parents=TAKE.parents,
        person_ids=np.array([1]),
        joints=joints[None],
        joints_confidence=np.ones((1, *joints.shape[:2])),
        keypoint_names=KEYPOINTS.names,
        keypoints=keypoints[None],
        contacts=np.stack(contacts, -1).astype(float)[None],
        metadata={
            "footage": "sample.mp4",
            "truth": "joints are bones and skin of the posed character; keypoints are their exact projection",
            "character": {"file": CHARACTER, "source": "MPFB / MakeHuman", "licence": "CC0-1.0"},
            "motion": {
                "source": "CMU Graphics Lab Motion Capture Database",
                "clip": CLIP,
                "first_frame": START,
                "frame_rate": FPS,
                "acknowledgement": ACKNOWLEDGEMENT,
            },
            "renderer": f"Blender {bpy.app.version_string} Workbench",
        },
    )


def encode(pictures: list[Path], path: Path) -> None:
    """Write PNG pictures as an H.264 video, whole or not at all."""
    with whole_file(path) as temporary, av.open(str(temporary), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *CAMERA.size, "yuv420p"
        # One thread and no encoder settings in the stream: the same pictures give the same bytes.
        stream.options = {"crf": "19", "preset": "slow", "threads": "1"}
        for row, picture in enumerate(pictures):
            with av.open(str(picture)) as image:
                pixels = next(image.decode(video=0)).to_ndarray(format="rgb24")
            # A frame of its own: one decoded from a PNG asks to become a key frame at time 0.
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = row
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
