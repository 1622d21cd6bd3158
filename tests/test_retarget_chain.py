# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain from a person's motion to keys: times, gaps, influence, loops, fewer keys, the report."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video_mocap.rigging.joints import TAKE
from video_mocap.rigging.retarget.contacts import find_contacts, standing
from video_mocap.rigging.retarget.curves import Curve, euler_angles, euler_matrix
from video_mocap.rigging.retarget.editing import influenced
from video_mocap.rigging.retarget.options import Options
from video_mocap.rigging.retarget.pose import Poser
from video_mocap.rigging.retarget.report import slide
from video_mocap.rigging.retarget.retarget import Retargeted, retarget
from video_mocap.rigging.retarget.riding import OBJECT
from video_mocap.rigging.retarget.rig import Bone, Rig
from video_mocap.rigging.retarget.source import take_source
from video_mocap.rigging.retarget.transfer import Channels, Source, person_leg, transfer

sys.path.insert(0, str(Path(__file__).parent))
from motion_samples import library_clip, take_of, walk
from rigs import SLOTS, make_rig, turn


def source(frames: int = 48, fps: float = 24.0) -> Source:
    return take_source(take_of(walk(frames, fps)[None], fps), 1)


def curve(done: Retargeted, bone: str, path: str = "rotation_quaternion") -> np.ndarray:
    return next(key for key in done.keys if key.curve.bone == bone and key.curve.path == path).values


def posed(done: Retargeted, rig: Rig, frames: np.ndarray) -> Poser:
    """The rig as its keys put it at scene frames."""
    poser = Poser(rig)
    for key in done.keys:
        values, row = key.evaluate(frames), rig.rows[key.curve.bone]
        if key.curve.path == "location":
            poser.put(row, None, values)
        else:
            poser.put(row, key.curve.rotations(values))
    return poser


def wrists(poser: Poser, rig: Rig) -> np.ndarray:
    return np.stack([rig.to_world(poser.pose(rig.rows[SLOTS[f"hand.{side}"]])[:, :3, 3]) for side in "LR"], 1)


def test_keys_lie_on_whole_frames_of_the_scene_at_the_motions_speed() -> None:
    done = retarget(source(48, 24.0), make_rig(), SLOTS, Options(scene_fps=30.0, start_frame=11))
    assert done.frames.tolist() == list(range(11, 71))
    path = curve(done, "b_hips", "location")
    speed = np.linalg.norm(path[-1] - path[0]) / ((done.frames[-1] - done.frames[0]) / 30.0)
    assert speed == pytest.approx(1.2 * 0.98, rel=0.05)


def test_source_keys_are_the_sources_own_frames() -> None:
    done = retarget(source(48, 25.0), make_rig(), SLOTS, Options(scene_fps=24.0, keys="source"))
    assert np.allclose(done.frames, 1 + np.arange(48) / 25 * 24)


def test_frames_in_which_nobody_was_seen_have_no_keys() -> None:
    joints = walk(48)
    joints[20:30] = np.nan
    done = retarget(take_source(take_of(joints[None], 24.0), 1), make_rig(), SLOTS)
    assert done.frames.tolist() == [*range(1, 21), *range(31, 49)]
    assert all(np.isfinite(key.values).all() for key in done.keys)


def test_trimmed_motion_stays_at_its_time() -> None:
    whole = retarget(source(), make_rig(), SLOTS, Options(feet=False))
    part = retarget(source(), make_rig(), SLOTS, Options(feet=False, trim=(0.5, 1.0)))
    assert part.frames.tolist() == list(range(13, 26))
    assert np.allclose(curve(part, "b_thigh.L"), curve(whole, "b_thigh.L")[12:25], atol=1e-3)


def test_a_part_of_no_influence_has_no_keys_and_half_is_half_the_way() -> None:
    rig = make_rig()
    options = Options(feet=False, influence={"arm.L": 0.0, "arm.R": 0.5})
    done, full = retarget(source(), rig, SLOTS, options), retarget(source(), rig, SLOTS, Options(feet=False))
    keyed = {key.curve.bone for key in done.keys}
    assert not keyed & {"b_shoulder.L", "b_upper_arm.L", "b_forearm.L", "b_hand.L"}
    half, whole = curve(done, "b_upper_arm.R"), curve(full, "b_upper_arm.R")
    assert np.allclose(2 * np.arccos(np.abs(half[:, 0])), np.arccos(np.abs(whole[:, 0])), atol=1e-6)
    assert "upper_arm.R" not in done.report.limbs


def test_a_loop_ends_as_it_begins_and_is_itself_in_the_middle() -> None:
    plain = retarget(source(55), make_rig(), SLOTS, Options(feet=False))
    done = retarget(source(55), make_rig(), SLOTS, Options(feet=False, loop=True))
    for key, was in zip(done.keys, plain.keys, strict=True):
        turned = key.curve.path != "location"
        same = abs(key.values[0] @ key.values[-1]) if turned else 1.0
        assert same == pytest.approx(1.0, abs=1e-9)
        assert np.allclose(key.values[27], was.values[27], atol=1e-9) or not turned


def test_fewer_keys_stay_within_the_bound_at_every_joint() -> None:
    rig = make_rig(arms_down=40.0, seed=3)
    full = retarget(source(96), rig, SLOTS)
    few = retarget(source(96), rig, SLOTS, Options(keys="reduced", tolerance=5.0))
    away = np.linalg.norm(wrists(posed(few, rig, full.frames), rig) - wrists(full.poser, rig), axis=-1)
    assert away.max() < 0.0051
    assert few.report.keys < 0.6 * few.report.all_keys
    assert few.reduced


def test_the_bound_is_in_metres_on_a_rig_in_centimetres() -> None:
    world = np.diag([0.01, 0.01, 0.01, 1.0])
    rig = make_rig(scale=100.0, world=world)
    full = retarget(source(48), rig, SLOTS)
    few = retarget(source(48), rig, SLOTS, Options(keys="reduced", tolerance=5.0))
    away = np.linalg.norm(wrists(posed(few, rig, full.frames), rig) - wrists(full.poser, rig), axis=-1)
    assert 0.0001 < away.max() < 0.0051


@pytest.mark.parametrize("method", ["one euro", "savitzky-golay", "butterworth"])
def test_smoothing_calms_the_motion_and_feet_still_stand(method: str) -> None:
    joints = walk(72) + np.random.default_rng(1).normal(size=(72, len(TAKE), 3)) * 0.008
    raw = take_source(take_of(joints[None], 24.0), 1)
    raw = replace(raw, contacts=source(72).contacts)
    given = raw.joints.copy()
    rig = make_rig(arms_down=40.0)
    plain, calm = (retarget(raw, rig, SLOTS, Options(smoothing=one, strength=0.5)) for one in ("none", method))
    jitter = [np.abs(np.diff(wrists(done.poser, rig), 3, axis=0)).mean() for done in (plain, calm)]
    assert jitter[1] < 0.6 * jitter[0]
    assert calm.report.slide[2] < 15
    assert max(calm.report.limbs["upper_arm.L"]) < 0.2
    away = np.linalg.norm(wrists(calm.poser, rig) - wrists(plain.poser, rig), axis=-1)
    assert away.mean() < 0.03
    assert np.array_equal(raw.joints, given)


def test_a_motion_without_the_ends_of_the_body_is_put_on_a_rig() -> None:
    """What a lifter of Human3.6M's 17 joints gives; ankles said when feet stand."""
    ends = ("heel", "toe", "hand", "nose", "ear")
    joints = walk(48)
    joints[:, [row for row, name in enumerate(TAKE.names) if name.endswith(ends)]] = np.nan
    whole = source(48)
    bare = replace(take_source(take_of(joints[None], 24.0), 1), contacts=whole.contacts)
    rig = make_rig(arms_down=40.0)
    done, full = retarget(bare, rig, SLOTS), retarget(whole, rig, SLOTS)
    assert all(np.isfinite(key.values).all() for key in done.keys)
    assert done.report.slide[0] is None
    assert full.report.slide[0] is not None
    assert done.report.slide[2] < 15
    assert "in the source" not in " ".join(done.report.lines())
    assert max(done.report.limbs["shin.L"]) < 1.3 * max(full.report.limbs["shin.L"])


def rooted(world: np.ndarray) -> Rig:
    """A rig whose hips hang from a bone on the floor."""
    rig = make_rig(arms_down=40.0, seed=3, scale=100.0, world=world)
    moved = tuple(replace(bone, parent=bone.parent + 1) for bone in rig.bones)
    rest = np.eye(4)
    rest[:3, :3] = turn("x", 90.0)
    return Rig(rig.name, (Bone("master", -1, rest, 1.0, rotation_mode="XYZ"), *moved), rig.world)


def placed() -> np.ndarray:
    world = np.eye(4)
    world[:3, :3] = 0.01 * turn("z", 50.0)
    world[:3, 3] = [1.0, 2.0, 0.0]
    return world


@pytest.mark.parametrize("keys", ["scene", "reduced"])
def test_a_root_bone_or_the_object_carries_the_same_figure(keys: str) -> None:
    rig, slots = rooted(placed()), {**SLOTS, "root": "master"}
    plain = wrists(retarget(source(), rig, slots, Options(scene_fps=30.0)).poser, rig)
    by_root = retarget(source(), rig, slots, Options(scene_fps=30.0, root="root", keys=keys))
    assert np.linalg.norm(wrists(posed(by_root, rig, by_root.frames), rig) - plain, axis=-1).max() < 0.0052
    assert np.ptp(curve(by_root, "master", "location") * rig.size, axis=0).max() > 1.0
    by_object = retarget(source(), rig, slots, Options(scene_fps=30.0, root="object", keys=keys))
    assert np.ptp(curve(by_object, "b_hips", "location") * rig.size, axis=0).max() < 0.15
    assert max(by_object.report.error) == pytest.approx(max(by_root.report.error), abs=0.05)
    location, rotation = (
        next(key for key in by_object.keys if key.curve.bone == OBJECT and key.curve.path == path)
        for path in ("location", "rotation_euler")
    )
    seen = Retargeted(
        tuple(key for key in by_object.keys if key.curve.bone),
        *(getattr(by_object, name) for name in ("frames", "times", "poser", "source", "report", "reduced")),
    )
    local = posed(seen, rig, by_object.frames)
    hands = np.stack([local.pose(rig.rows[SLOTS[f"hand.{side}"]])[:, :3, 3] for side in "LR"], 1) * rig.size
    turns = rotation.curve.rotations(rotation.evaluate(by_object.frames))
    found = np.einsum("fij,fbj->fbi", turns, hands) + location.evaluate(by_object.frames)[:, None]
    assert np.linalg.norm(found - plain, axis=-1).max() < 0.0052


def test_in_place_the_figure_stays_and_its_feet_are_judged_where_they_stood() -> None:
    rig = make_rig(arms_down=40.0)
    done = retarget(source(), rig, SLOTS, Options(root="in place"))
    assert np.ptp(curve(done, "b_hips", "location"), axis=0).max() < 0.15
    assert done.report.slide[2] < 15


def test_a_loop_with_a_root_goes_on_through_the_world() -> None:
    rig, slots = rooted(placed()), {**SLOTS, "root": "master"}
    done = retarget(source(55), rig, slots, Options(root="root", loop=True))
    path = curve(done, "master", "location") * rig.size
    assert np.linalg.norm(path[-1] - path[0]) > 1.5
    assert abs(curve(done, "b_hips")[0] @ curve(done, "b_hips")[-1]) == pytest.approx(1.0, abs=1e-9)


def test_a_rig_without_a_root_bone_is_told_so() -> None:
    with pytest.raises(ValueError, match="no bone mapped as root; choose another kind"):
        retarget(source(), make_rig(), SLOTS, Options(root="root"))


def test_an_offset_moves_the_figure_through_the_world() -> None:
    rig = make_rig(scale=100.0, world=np.diag([0.01, 0.01, 0.01, 1.0]))
    plain = retarget(source(), rig, SLOTS)
    moved = retarget(source(), rig, SLOTS, Options(offset=(1.0, -2.0, 0.0)))
    assert np.allclose(wrists(moved.poser, rig) - wrists(plain.poser, rig), [1.0, -2.0, 0.0], atol=1e-6)


def test_the_report_measures_limbs_feet_and_what_was_not_seen() -> None:
    done = retarget(source(), make_rig(leg_scale=1.6), SLOTS)
    assert set(done.report.limbs) == {
        f"{part}.{side}" for part in ("upper_arm", "forearm", "thigh", "shin") for side in "LR"
    }
    assert max(done.report.limbs["upper_arm.L"]) < 0.1
    assert done.report.slide[2] < 15
    text = "\n".join(done.report.lines())
    assert "forearms turn about themselves" in text
    joints = walk()
    for name in ("left_hand", "right_hand", "nose", "left_ear", "right_ear"):
        joints[:, TAKE.index(name)] = np.nan
    blind = retarget(take_source(take_of(joints[None], 24.0), 1), make_rig(), SLOTS)
    said = "\n".join(blind.report.unobserved)
    assert "hands were not seen" in said
    assert "face was not seen" in said


def test_a_limb_that_goes_elsewhere_is_in_the_report() -> None:
    """The report is measured, not hoped: a rig with a wrong mapping shows it."""
    crossed = dict(SLOTS)
    crossed["hand.L"], crossed["hand.R"] = crossed["hand.R"], crossed["hand.L"]
    done = retarget(source(), make_rig(arms_down=60.0), crossed)
    assert done.report.error[0] > 5


def test_euler_bones_get_euler_curves() -> None:
    rig = make_rig(seed=4)
    rig = replace(rig, bones=tuple(replace(bone, rotation_mode="ZXY") for bone in rig.bones))
    done = retarget(source(), rig, SLOTS)
    found = next(key.curve for key in done.keys if key.curve.bone == "b_thigh.L")
    assert isinstance(found, Curve)
    assert (found.path, found.order, found.values.shape[1]) == ("rotation_euler", "ZXY", 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(keys="few"), "keys is 'few'; choose one of scene, source, reduced"),
        (Options(influence={"tail": 1.0}), "no part called tail"),
        (Options(trim=(2.0, 1.0)), "the end must come after the start"),
        (Options(trim=(50.0, None)), "the trimmed part"),
        (Options(scene_fps=0.0), "above 0"),
        (Options(smoothing="gaussian"), "smoothing is 'gaussian'; choose one of none, one euro"),
        (Options(smoothing="butterworth", strength=2.0), "from 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(options: Options, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        retarget(source(), make_rig(), SLOTS, options)


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
@pytest.mark.parametrize("quarter", [1, -1])
def test_a_stop_at_the_quarter_turn_is_still_the_same_rotation_without_jumps(order: str, quarter: int) -> None:
    angles = np.cumsum(np.random.default_rng(1).normal(size=(300, 3)) * 0.1, 0)
    middle = "XYZ".index(order[1])
    angles[100:120, middle] = quarter * np.pi / 2
    wanted = euler_matrix(angles, order)
    found = euler_angles(wanted, order)
    assert np.abs(euler_matrix(found, order) - wanted).max() < 1e-9
    assert np.abs(np.diff(found[:100], axis=0)).max() < 1.0


def test_shoulders_are_where_the_rig_has_them_when_the_persons_are_at_rest() -> None:
    """Captures differ by 40 degrees in where the thorax lies between the shoulders; a character must not shrug."""
    rig = make_rig(arms_down=48.0)
    heights = []
    for lower in (0.0, 0.06):
        joints = walk()
        joints[:, TAKE.index("thorax")] -= [0, 0, lower]
        moved = retarget(take_source(take_of(joints[None], 24.0), 1), rig, SLOTS, Options(feet=False)).poser
        head = [moved.pose(rig.rows[SLOTS[name]])[:, :3, 3] for name in ("chest", "upper_arm.L")]
        heights.append(np.median(head[1][:, 2] - head[0][:, 2]))
    assert heights[1] == pytest.approx(heights[0], abs=0.004)
    rest = rig.heads[rig.rows[SLOTS["upper_arm.L"]], 2] - rig.heads[rig.rows[SLOTS["chest"]], 2]
    assert heights[0] == pytest.approx(rest, abs=0.02)


def test_bones_without_a_slot_go_with_the_limb_that_carries_them() -> None:
    rig = make_rig()
    turned = np.tile([0.0, 1.0, 0.0, 0.0], (3, 1))
    found = influenced(
        Channels(np.arange(3.0), {SLOTS["forearm.L"]: turned, SLOTS["hand.L"]: turned, SLOTS["shin.L"]: turned}),
        rig,
        {"forearm.L": SLOTS["forearm.L"], "thigh.L": SLOTS["thigh.L"]},
        lambda slot: 0.0 if slot.startswith("forearm") else 1.0,
    )
    assert set(found.rotations) == {SLOTS["shin.L"]}


def test_the_way_is_longer_by_the_scale_and_the_figure_as_high() -> None:
    rig = make_rig()
    one, twice = (retarget(source(), rig, SLOTS, Options(feet=False, scale=scale)) for scale in (1.0, 2.0))
    hips = [rig.to_world(done.poser.pose(rig.rows["b_hips"])[:, :3, 3]) for done in (one, twice)]
    assert np.allclose(hips[1][:, :2], 2 * hips[0][:, :2], atol=1e-6)
    assert np.allclose(hips[1][:, 2], hips[0][:, 2], atol=1e-9)
    assert twice.report.error[1] < 1e-4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scale": 0.0}, "scale"),
        ({"offset": (0.0, float("nan"), 0.0)}, "offset"),
        ({"influence": {"head": 1.5}}, "influence of head"),
        ({"influence": {"tail": 0.5}}, "no part called tail"),
        ({"keys": "reduced", "tolerance": float("inf")}, "tolerance"),
        ({"scene_fps": float("nan")}, "frame rate"),
    ],
)
def test_options_that_cannot_be_are_a_sentence(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Options(**wrong).check()


def test_the_reports_slide_is_what_is_left_of_it_with_fewer_keys() -> None:
    """Keys left out move standing feet by up to the tolerance: the report says so, not what was meant."""
    joints, fps = library_clip("cmu_07_01", "train")
    rig = make_rig()
    person = take_source(take_of(joints[None], fps), 1)
    every, few, fine = (
        retarget(person, rig, SLOTS, Options(scene_fps=30.0, keys=keys, tolerance=tolerance))
        for keys, tolerance in (("scene", 5.0), ("reduced", 5.0), ("reduced", 0.1))
    )
    assert every.report.slide[2] < 5
    stands = standing(find_contacts(person.joints, person.times, person_leg(person)), person.times)
    rows = np.abs(person.times[:, None] - few.times).argmin(0)
    moved = replace(transfer(person, rig, SLOTS), poser=posed(few, rig, few.frames))
    assert few.report.slide[2] == pytest.approx(slide(moved, SLOTS, stands[rows], few.times), rel=0.02)
    assert few.report.slide[2] > 5 * every.report.slide[2]
    assert fine.report.slide[2] < 0.3 * few.report.slide[2]
