# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as the curves of its people and its camera, ready for `rigging.blender`. No bpy: this may run in a thread."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import quaternions
from .people import person_name
from .skeleton import Motion, Skeleton
from .solve import solve
from .take import Take
from .timing import on_whole_frames, scene_frames


@dataclass(frozen=True)
class Channel:
    """One animated property. path: RNA path from the object. values: (F, C), a curve for each column."""

    path: str
    group: str
    values: np.ndarray


@dataclass(frozen=True)
class Animation:
    """Keys of an object: frames (F,) of the scene, and its channels."""

    frames: np.ndarray
    channels: tuple[Channel, ...]

    def scaled(self, path: str, factor: float) -> Animation:
        """The same with the values of one channel multiplied."""
        channels = [replace(one, values=one.values * factor) if one.path == path else one for one in self.channels]
        return replace(self, channels=tuple(channels))


@dataclass(frozen=True)
class PreparedPerson:
    """One person. seen: in words, in how many frames of the take they were seen."""

    person: int
    name: str
    skeleton: Skeleton
    animation: Animation
    seen: str


@dataclass(frozen=True)
class Prepared:
    """A take for a scene that runs at `fps` Hz and shows the footage's first frame at `start_frame`.

    camera: the camera's keys if it moves.
    """

    take: Take
    fps: float
    start_frame: int
    people: tuple[PreparedPerson, ...]
    camera: Animation | None


def prepare(take: Take, fps: float, start_frame: int = 1, people: list[int] | None = None) -> Prepared:
    """Solve a take's people (all who were seen, or those with the ids `people`) for a scene that runs at `fps` Hz.

    Raises ValueError, in one sentence, if nobody is left or a person is not in the take or was never seen.
    """
    ids = seen_people(take) if people is None else people
    if not ids:
        raise ValueError("the take has nobody in it")
    poses = camera_poses(take)
    return Prepared(
        take=take,
        fps=fps,
        start_frame=start_frame,
        people=tuple(_person(take, person, fps, start_frame) for person in ids),
        camera=camera_animation(poses, take.times, fps, start_frame) if len(poses) > 1 else None,
    )


def seen_people(take: Take) -> list[int]:
    """Ids of the people whose pelvis is known in at least one frame."""
    if "pelvis" not in take.joint_names:
        return []
    seen = (take.joints_confidence[:, :, take.joint_names.index("pelvis")] > 0).any(1)
    return [int(person) for person, found in zip(take.person_ids, seen, strict=True) if found]


def motion_animation(motion: Motion, fps: float, start_frame: int = 1) -> Animation:
    """Keys for the armature of the motion's skeleton: on every whole frame in which the person was seen."""
    motion = on_whole_frames(motion, fps, start_frame)
    seen, skeleton = motion.observed, motion.skeleton
    channels = []
    for row, bone in enumerate(skeleton.names):
        path = f'pose.bones["{bone}"].'
        if skeleton.parents[row] < 0:
            location = motion.root_translation[seen] @ skeleton.frames[row]
            channels.append(Channel(path + "location", bone, location))
        channels.append(Channel(path + "rotation_quaternion", bone, motion.rotations[seen, row]))
    return Animation(scene_frames(motion.times, fps, start_frame)[seen], tuple(channels))


def _person(take: Take, person: int, fps: float, start_frame: int) -> PreparedPerson:
    motion = solve(take, person)
    seen = f"{int(motion.observed.sum())} of {len(motion.observed)} frames"
    animation = motion_animation(motion, fps, start_frame)
    return PreparedPerson(person, person_name(take, person), motion.skeleton, animation, seen)


def camera_poses(take: Take) -> np.ndarray:
    """(1 or F, 4, 4) camera to world, in Blender's camera axes: x right, y up, looking along -z."""
    return np.linalg.inv(take.world_to_camera) @ np.diag([1.0, -1, -1, 1])


def camera_animation(poses: np.ndarray, times: np.ndarray, fps: float, start_frame: int = 1) -> Animation:
    """Keys of a camera with poses (F, 4, 4) at times (F,), at the footage's own frames, whole or not.

    They are what is known; between two of them a handheld camera does what it likes.
    """
    turns = quaternions.continuous(quaternions.from_matrix(poses[:, :3, :3]))
    channels = (
        Channel("location", "Camera", poses[:, :3, 3]),
        Channel("rotation_quaternion", "Camera", turns),
    )
    return Animation(scene_frames(times, fps, start_frame), channels)
