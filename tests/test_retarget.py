# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's motion on rigs of every kind: limbs point where the person's do, whatever the bones' axes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.rig import Rig
from video_mocap.rigging.retarget.transfer import Source, Transfer, hip_joints, person_leg, transfer
from video_mocap.rigging.rotations import segment_rotations
from video_mocap.rigging.vectors import unit

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, walk
from rigs import SLOTS, adult, make_rig, turn

LIMBS = {
    "upper_arm": ("forearm", "shoulder", "elbow"),
    "forearm": ("hand", "elbow", "wrist"),
    "thigh": ("shin", "hip", "knee"),
    "shin": ("foot", "knee", "ankle"),
}


def source_of(joints: np.ndarray, fps: float = 24.0) -> Source:
    seen = np.isfinite(joints).all(-1).astype(float)
    return Source(joints, seen, np.arange(len(joints)) / fps)


def head(moved: Transfer, slot: str) -> np.ndarray:
    rig = moved.poser.rig
    return rig.to_world(moved.poser.pose(rig.rows[SLOTS[slot]])[:, :3, 3])


def limb_directions(moved: Transfer) -> np.ndarray:
    """(F, 8, 3) unit vectors along the rig's limbs, world."""
    pairs = [(f"{a}.{side}", f"{b[0]}.{side}") for a, b in LIMBS.items() for side in "LR"]
    return np.stack([unit(head(moved, end) - head(moved, start)) for start, end in pairs], 1)


def limb_errors(moved: Transfer, joints: np.ndarray) -> np.ndarray:
    """(F, 8) degrees between the rig's limbs and the person's."""
    wanted = []
    for _, first, second in LIMBS.values():
        for prefix in ("left_", "right_"):
            wanted.append(unit(joints[:, TAKE.index(prefix + second)] - joints[:, TAKE.index(prefix + first)]))
    cosine = (limb_directions(moved) * np.stack(wanted, 1)).sum(-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def placed(x: float = 0.0, about_z: float = 0.0, about_x: float = 0.0, scale: float = 1.0) -> np.ndarray:
    world = np.eye(4)
    world[:3, :3] = scale * turn("z", about_z) @ turn("x", about_x)
    world[0, 3] = x
    return world


RIGS = {
    "T-pose": {},
    "A-pose": {"arms_down": 48.0, "elbows": 40.0, "knees": 7.0},
    "random rolls": {"seed": 1, "arms_down": 30.0},
    "random axes": {"seed": 2, "axes": "random", "arms_down": 48.0, "elbows": 20.0},
    "scaled and turned object": {"seed": 3, "world": placed(2.0, about_z=70.0, scale=0.01), "scale": 100.0},
    "file with Y up": {"seed": 4, "world": placed(about_x=37.0), "arms_down": 20.0},
    "no shoulders, no toes, no neck": {"seed": 5, "without": ("shoulder.L", "shoulder.R", "toe.L", "toe.R", "neck")},
    "long legs": {"seed": 6, "leg_scale": 1.6},
}


@pytest.mark.parametrize("kind", RIGS)
def test_limbs_point_where_the_persons_do(kind: str) -> None:
    joints = walk()
    rig = make_rig(**RIGS[kind])
    moved = transfer(source_of(joints), rig, _slots(rig))
    assert limb_errors(moved, joints).max() < 0.05


def _slots(rig: Rig) -> dict[str, str]:
    return {slot: name for slot, name in SLOTS.items() if name in rig.rows}


@pytest.mark.parametrize("clip", ["cmu_135_04", "cmu_127_02"])
def test_fighting_and_vaulting_on_an_a_pose(clip: str) -> None:
    joints, fps = library_clip(clip)
    rig = make_rig(**RIGS["A-pose"], seed=7)
    moved = transfer(source_of(joints, fps), rig, SLOTS)
    errors = limb_errors(moved, joints)
    assert errors.mean() < 0.1
    assert np.percentile(errors, 99) < 0.5


def test_rolls_and_axes_change_nothing_that_is_seen() -> None:
    joints = walk()
    directions = [
        limb_directions(transfer(source_of(joints), make_rig(seed=seed, axes=axes, arms_down=48.0, elbows=25.0), SLOTS))
        for seed, axes in ((None, "blender"), (11, "blender"), (12, "random"), (13, "random"))
    ]
    for other in directions[1:]:
        assert np.degrees(np.arccos(np.clip((directions[0] * other).sum(-1), -1, 1))).max() < 0.1


def test_the_rest_pose_of_a_person_leaves_a_rig_of_the_same_rest_alone() -> None:
    joints = np.repeat(adult().joints[None], 5, 0)
    moved = transfer(source_of(joints), make_rig(seed=3), SLOTS)
    for row in moved.order:
        channel = moved.poser.channel(row)[:, :3, :3]
        angle = np.degrees(np.arccos(np.clip((np.trace(channel, axis1=1, axis2=2) - 1) / 2, -1, 1)))
        # What a rig does not show of a face or a heel is an adult's, not this person's.
        assert angle.max() < (6.0 if "foot" in moved.poser.rig.bones[row].name else 2.0), moved.poser.rig.bones[
            row
        ].name


def test_the_hips_go_the_persons_way_by_the_length_of_the_legs() -> None:
    joints = walk()
    rig = make_rig(seed=1, leg_scale=1.5, world=placed(3.0, about_z=40.0))
    source = source_of(joints)
    moved = transfer(source, rig, SLOTS)
    assert moved.scale == pytest.approx(moved.anatomy.leg / person_leg(source))
    assert moved.scale == pytest.approx(1.5, rel=0.01)
    hips = hip_joints(moved.poser, SLOTS)
    assert np.abs(hips - (moved.scale * joints[:, 0] + [3.0, 0, 0])).max() < 1e-6


def test_a_whole_turn_has_no_flip() -> None:
    frames = 96
    still = walk(2)[0]
    turned = np.stack([(turn("z", 360 * f / (frames - 1)) @ still.T).T for f in range(frames)])
    moved = transfer(source_of(turned), make_rig(seed=9, axes="random", arms_down=48.0), SLOTS)
    for row in moved.order:
        pose = moved.poser.pose(row)[:, :3, :3]
        step = np.swapaxes(pose[:-1], -1, -2) @ pose[1:]
        angle = np.degrees(np.arccos(np.clip((np.trace(step, axis1=1, axis2=2) - 1) / 2, -1, 1)))
        assert angle.max() < 1.5 * 360 / (frames - 1)


def test_knees_and_elbows_bend_in_the_plane_of_their_rest_hinge() -> None:
    joints, fps = library_clip("cmu_135_04")
    rig = make_rig(seed=21, arms_down=48.0, elbows=40.0, knees=7.0)
    source = source_of(joints, fps)
    moved = transfer(source, rig, SLOTS)
    rest = moved.anatomy.frames
    worst = []
    for upper, lower, side in (("upper_arm", "forearm", "L"), ("thigh", "shin", "R")):
        rows = [rig.rows[SLOTS[f"{part}.{side}"]] for part in (upper, lower)]
        bend = segment_rotations(joints)
        a, b = bend[f"{upper}.{side}"][:, :, 1], bend[f"{lower}.{side}"][:, :, 1]
        bent = np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))
        carried = (
            moved.poser.pose(rows[0])[:, :3, :3] @ rig.bones[rows[0]].rest[:3, :3].T @ rest[f"{upper}.{side}"][0, :, 0]
        )
        normal = unit(np.cross(a, b))
        angle = np.degrees(np.arccos(np.clip((normal * carried).sum(-1), -1, 1)))
        worst.append(np.percentile(angle[(bent > 30) & (bent < 150)], 95))
    assert max(worst) < 12.0


def test_a_rig_without_legs_is_refused_in_a_sentence() -> None:
    slots = {slot: name for slot, name in SLOTS.items() if not slot.startswith("shin")}
    with pytest.raises(ValueError, match="test rig has no bone for shins"):
        transfer(source_of(walk()), make_rig(), slots)
