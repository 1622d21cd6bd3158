# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion from BVH files of any kind, and the way there and back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.bvh import bvh_text
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.bvh_read import read_bvh
from video_mocap.rigging.retarget.bvh_source import bvh_source
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.retarget import retarget
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.rotations import SEGMENTS
from video_mocap.rigging.skeleton import Skeleton
from video_mocap.rigging.solve import posed_joints, solve

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, take_of, walk

OWN = {name: name for name in SEGMENTS}


def own(_rig: Rig) -> Mapping[str, str]:
    return OWN


def rig_of(skeleton: Skeleton) -> Rig:
    """The person's own skeleton as somebody's armature."""
    bones = []
    for row, name in enumerate(skeleton.names):
        rest = np.eye(4)
        rest[:3, :3], rest[:3, 3] = skeleton.frames[row], skeleton.heads[row]
        length = float(np.linalg.norm(skeleton.tails[row] - skeleton.heads[row]))
        bones.append(Bone(name, skeleton.parents[row], rest, length))
    return Rig("own", tuple(bones), np.eye(4))


def clip_of(name: str) -> tuple[np.ndarray, float]:
    return (walk(), 24.0) if name == "walk" else library_clip(name)


@pytest.mark.parametrize("name", ["walk", "cmu_135_04", "cmu_127_02"])
def test_there_and_back_is_the_same_place(name: str) -> None:
    """BVH -> positions -> action of a rig of the same proportions: every joint is within 1 mm of the file's."""
    joints, fps = clip_of(name)
    motion = solve(take_of(joints[None], fps), 1)
    text = bvh_text(motion)
    bvh = read_bvh(text, "a.bvh")
    rig = rig_of(motion.skeleton)
    done = retarget(bvh_source(text, "a.bvh", own), rig, OWN, Options(keys="source", feet=False))
    wanted = 0.01 * bvh.places @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    names = list(bvh.names)
    found = np.stack(
        [np.broadcast_to(done.poser.pose(rig.rows[one])[:, :3, 3], wanted[:, 0].shape) for one in names], 1
    )
    away = found - wanted
    # Where the floor is, the file does not say.
    away[..., 2] -= np.median(away[..., 2])
    assert np.linalg.norm(away, axis=-1).max(0) == pytest.approx(np.zeros(len(names)), abs=0.001)


def test_positions_and_directions_are_those_of_the_file() -> None:
    joints, fps = clip_of("cmu_135_04")
    motion = solve(take_of(joints[None], fps), 1)
    source = bvh_source(bvh_text(motion), "a.bvh", own)
    wanted = posed_joints(motion)
    rows = {name: TAKE.index(name) for name in TAKE.names}
    for side in ("left_", "right_"):
        for first, second in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
            limb = [one[:, rows[side + second]] - one[:, rows[side + first]] for one in (wanted, source.joints)]
            assert np.abs(limb[0] - limb[1]).max() < 1e-4
    away = (wanted - source.joints)[:, rows["pelvis"]]
    assert np.ptp(away, axis=0) == pytest.approx(np.zeros(3), abs=1e-4)


def turned_file(text: str, scale: float) -> str:
    """The same motion in another unit."""
    lines = []
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == "OFFSET":
            line = "OFFSET " + " ".join(str(float(word) * scale) for word in words[1:])
        elif len(words) > 6 and words[0].lstrip("-").replace(".", "").isdigit():
            values = [float(word) for word in words]
            line = " ".join(str(value) for value in [*(scale * value for value in values[:3]), *values[3:]])
        lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize("scale", [1.0, 0.01, 1 / 2.54, 10.0, 3.0])
def test_the_unit_of_a_file_is_found_out(scale: float) -> None:
    motion = solve(take_of(walk()[None], 24.0), 1)
    first = bvh_source(bvh_text(motion), "a.bvh", own)
    other = bvh_source(turned_file(bvh_text(motion), scale), "b.bvh", own)
    ratio = np.linalg.norm(other.joints[0, 10] - other.joints[0, 0]) / np.linalg.norm(
        first.joints[0, 10] - first.joints[0, 0]
    )
    assert ratio == pytest.approx(1.0, rel=0.1)


def test_a_rest_pose_that_nobody_stands_in_is_replaced_by_a_frame_of_the_motion() -> None:
    """Some programs write every bone along one axis and leave the body to the rotations."""
    motion = solve(take_of(walk()[None], 24.0), 1)
    text = bvh_text(motion)
    straight = bvh_source(text, "a.bvh", own)
    bvh = read_bvh(text, "a.bvh")
    flat = _along_x(bvh.names, bvh.parents, bvh.offsets, bvh.turns, bvh.places, bvh.tips)
    found = bvh_source(flat, "b.bvh", own)
    limbs = [
        TAKE.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle", "elbow", "wrist")
    ]
    gap = (found.joints - straight.joints)[:, limbs]
    assert np.linalg.norm(gap - gap.mean((0, 1)), axis=-1).max() < 0.02


def _along_x(names, parents, offsets, turns, places, tips) -> str:
    """The same motion with every offset along x."""

    def onto_x(vector: np.ndarray) -> np.ndarray:
        """A rotation that takes x to `vector`."""
        way = vector / np.linalg.norm(vector)
        other = np.eye(3)[np.abs(way).argmin()]
        side = np.cross(way, other)
        side /= np.linalg.norm(side)
        return np.stack([way, side, np.cross(way, side)], -1)

    count = len(names)
    carry = []
    for row in range(count):
        below = [child for child in range(count) if parents[child] == row and np.linalg.norm(offsets[child]) > 1e-6]
        end = offsets[below[0]] if below else tips[row]
        carry.append(onto_x(end) if np.isfinite(end).all() and np.linalg.norm(end) > 1e-6 else np.eye(3))
    new = [turns[:, row] @ carry[row] for row in range(count)]
    lines, order = ["HIERARCHY"], []

    def write(row: int, depth: int) -> None:
        order.append(row)
        offset = np.zeros(3) if parents[row] < 0 else carry[parents[row]].T @ offsets[row]
        lines.append(f"{'ROOT' if parents[row] < 0 else 'JOINT'} {names[row]} {{ OFFSET {' '.join(map(str, offset))}")
        lines.append(
            f"CHANNELS {'6 Xposition Yposition Zposition' if parents[row] < 0 else '3'} Zrotation Xrotation Yrotation"
        )
        children = [child for child in range(count) if parents[child] == row]
        for child in children:
            write(child, depth + 1)
        if not children:
            tip = carry[row].T @ tips[row]
            lines.append(f"End Site {{ OFFSET {' '.join(map(str, tip))} }}")
        lines.append("}")

    write(0, 0)
    frames = len(places)
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {1 / 24}"]
    for frame in range(frames):
        values = [*places[frame, 0]]
        for row in order:
            above = np.eye(3) if parents[row] < 0 else new[parents[row]][frame]
            local = above.T @ new[row][frame]
            x = np.arcsin(np.clip(local[2, 1], -1, 1))
            z, y = np.arctan2(-local[0, 1], local[1, 1]), np.arctan2(-local[2, 0], local[2, 2])
            values += np.degrees([z, x, y]).tolist()
        lines.append(" ".join(map(str, values)))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no BVH file"),
        ("HIERARCHY ROOT a { OFFSET 0 0 0", "no BVH file"),
        ("HIERARCHY ROOT a { OFFSET 0 0 MOTION Frames: 1 Frame Time: 1", "does not hold together"),
        ("HIERARCHY ROOT a { OFFSET 0 0 nan CHANNELS 0 } MOTION Frames: 1 Frame Time: 1 0", "does not hold together"),
        ("HIERARCHY ROOT a { OFFSET 0 0 0 CHANNELS 1 Xrotation } MOTION Frames: 5 Frame Time: .1 1 2", "cut off"),
        ("HIERARCHY ROOT a { OFFSET 0 0 0 CHANNELS 1 Xrotation } MOTION Frames: 2 Frame Time: 0 1 2", "no numbers"),
        ("HIERARCHY ROOT a { OFFSET 0 0 0 CHANNELS 1 Xrotation } MOTION Frames: two", "not Frames, Frame Time"),
        ("HIERARCHY ROOT a { OFFSET 0 0 0 CHANNELS 1 Wrotation } MOTION Frames: 1 Frame Time: 1 1", "hold together"),
    ],
)
def test_broken_files_are_a_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read_bvh(text, "x.bvh")
    assert str(caught.value).startswith("x.bvh")


def carried(text: str, numbers: str, aside: float) -> str:
    """A BVH file of ours below one more root, which stands in the origin; the body is `aside` along z.

    numbers: the new root's channels, x, y, z and degrees about z, x, y.
    """
    head, motion = text.split("MOTION")
    above = "ROOT world {\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
    body = head.split("HIERARCHY", 1)[1].replace("ROOT", "JOINT", 1)
    lines = motion.strip().splitlines()
    moved = []
    for line in lines[2:]:
        values = line.split()
        values[2] = str(float(values[2]) + aside)
        moved.append(f"{numbers} " + " ".join(values))
    return f"HIERARCHY\n{above}{body}}}\nMOTION\n" + "\n".join([*lines[:2], *moved])


def test_a_root_in_the_origin_says_nothing_of_which_way_is_up() -> None:
    """The body walks far from it, and its own rest pose is nobody's."""
    text = bvh_text(solve(take_of(walk()[None], 24.0), 1))
    bvh = read_bvh(text, "a.bvh")
    flat = _along_x(bvh.names, bvh.parents, bvh.offsets, bvh.turns, bvh.places, bvh.tips)
    plain, other = bvh_source(flat, "a.bvh", own), bvh_source(carried(flat, "0 0 0 0 0 0", 1500), "b.bvh", own)
    assert other.joints[..., 2] == pytest.approx(plain.joints[..., 2], abs=0.002)


def test_y_is_up_at_rest_and_z_in_the_motion() -> None:
    text = bvh_text(solve(take_of(walk()[None], 24.0), 1))
    plain, other = bvh_source(text, "a.bvh", own), bvh_source(carried(text, "0 0 0 0 90 0", 0), "b.bvh", own)
    assert other.joints[..., 2] == pytest.approx(plain.joints[..., 2], abs=0.002)


def test_somebody_who_lies_all_the_time_lies() -> None:
    joints = walk()
    joints[..., :2] -= joints[:, TAKE.index("pelvis"), None, :2]
    text = bvh_text(solve(take_of(joints[None], 24.0), 1))
    lying = bvh_source(carried(text, "0 30 500 0 90 0", 0.0), "a.bvh", own)
    assert lying.joints[:, TAKE.index("head_top"), 2].max() < 0.8
