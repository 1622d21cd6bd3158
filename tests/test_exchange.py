# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading other programs' keypoints: formats, frame numbers, people, joint sets, confidences, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_mocap.backend.errors import UserError
from video_mocap.backend.exchange.formats import recognise
from video_mocap.backend.exchange.importing import ImportOptions, convert, import_keypoints
from video_mocap.backend.exchange.joint_sets import SETS, set_of
from video_mocap.backend.exchange.look import frame_numbers
from video_mocap.backend.exchange.names import our_name, set_by_names
from video_mocap.backend.keypoints import Keypoints
from video_mocap.backend.tracking.gaps import FILLED
from video_mocap.backend.tracking.stitch import suggestions_of
from video_mocap.rigging.joints import COCO17, KEYPOINTS

SIZE = (1280, 720)
OPTIONS = ImportOptions(fps=25.0, image_size=SIZE)
#: Where COCO's 17 points of somebody 300 pixels tall lie around the middle of their hips.
UPRIGHT = np.array(
    [
        *([0, -160], [8, -168], [-8, -168], [16, -162], [-16, -162], [40, -120], [-40, -120], [50, -60], [-50, -60]),
        *([55, 0], [-55, 0], [25, 0], [-25, 0], [27, 70], [-27, 70], [28, 140], [-28, 140]),
    ],
    float,
)


def person(x: float, y: float = 300.0, confidence: float = 0.8) -> np.ndarray:
    """(17, 3) COCO points of somebody who stands at x, y."""
    return np.column_stack([UPRIGHT + np.array([x, y]), np.full(17, confidence)])


def on(joint_set: str, coco: np.ndarray) -> np.ndarray:
    """(K, 3) the same person on another set; points that COCO lacks stand beside the hips."""
    rows = {name: row for row, name in enumerate(COCO17.names)}
    beside = coco[rows["left_hip"]] + [3, 5, 0]
    return np.array([coco[rows[name]] if name in rows else beside for name in SETS[joint_set].names])


def flat(points: np.ndarray) -> list[float]:
    return [float(value) for value in points.reshape(-1)]


def put(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def openpose(folder: Path, frames: dict[int, list[np.ndarray]], name: str = "clip_{:012d}_keypoints.json") -> Path:
    for number, people in frames.items():
        listed = [{"person_id": [-1], "pose_keypoints_2d": flat(points)} for points in people]
        put(folder / name.format(number), {"version": 1.3, "people": listed})
    return folder


def points_of(keypoints: Keypoints, name: str, row: int = 0) -> np.ndarray:
    return keypoints.keypoints[row, :, keypoints.keypoint_names.index(name)]


def warned(keypoints: Keypoints, text: str) -> bool:
    warnings = keypoints.source["warnings"]
    assert isinstance(warnings, list)
    return any(text in warning for warning in warnings)


def test_openpose_body_25(tmp_path: Path) -> None:
    frames = {number: [on("body-25", person(100 + 4 * number))] for number in range(12)}
    found = import_keypoints(openpose(tmp_path / "json", frames), OPTIONS)
    assert found.keypoint_names[:23] == KEYPOINTS.names
    assert found.times == pytest.approx(np.arange(12) / 25)
    assert points_of(found, "left_wrist")[3] == pytest.approx([100 + 12 + 55, 300, 0.8])
    assert points_of(found, "right_shoulder")[0] == pytest.approx([60, 180, 0.8])
    assert (points_of(found, "left_hand")[:, 2] == 0).all()
    assert np.isnan(points_of(found, "left_hand")[:, :2]).all()
    assert found.source["conversion"]["missing"] == ["left_hand", "right_hand"]  # type: ignore[index]
    assert warned(found, "not among OpenPose's BODY_25: left_hand, right_hand")


def test_the_hand_of_openpose_is_a_knuckle(tmp_path: Path) -> None:
    folder = openpose(tmp_path / "json", {number: [on("body-25", person(300))] for number in range(6)})
    for file in sorted(folder.iterdir()):
        content = json.loads(file.read_text())
        hand = [[400.0 + finger, 310.0, 0.5] for finger in range(21)]
        content["people"][0]["hand_left_keypoints_2d"] = [value for point in hand for value in point]
        content["people"][0]["face_keypoints_2d"] = [1.0, 2.0, 0.9] * 70
        put(file, content)
    found = import_keypoints(folder, OPTIONS)
    assert points_of(found, "left_hand")[0] == pytest.approx([409, 310, 0.5])
    assert (points_of(found, "right_hand")[:, 2] == 0).all()


def test_missing_files_are_frames_without_people_and_numbers_begin_anywhere(tmp_path: Path) -> None:
    numbers = [1, 2, 3, 5, 6, 8, 9]
    found = import_keypoints(openpose(tmp_path / "a", {n: [on("coco-18", person(200))] for n in numbers}), OPTIONS)
    assert len(found.times) == 9
    assert found.times[0] == 0.0
    assert (points_of(found, "nose")[:, 2] > FILLED).tolist() == [n in numbers for n in range(1, 10)]
    late = openpose(tmp_path / "b", {n: [on("coco-18", person(200))] for n in range(50, 60)})
    found = import_keypoints(late, OPTIONS)
    assert found.times[0] == pytest.approx(2.0)
    assert warned(found, "begin with frame 50")
    said = ImportOptions(fps=25.0, image_size=SIZE, first_frame=50)
    assert import_keypoints(late, said).times[0] == 0.0
    with pytest.raises(UserError, match="frame 51 cannot be"):
        import_keypoints(late, ImportOptions(fps=25.0, image_size=SIZE, first_frame=51))


def test_every_fifth_frame(tmp_path: Path) -> None:
    found = import_keypoints(
        openpose(tmp_path / "a", {n: [on("coco-18", person(200))] for n in range(0, 50, 5)}), OPTIONS
    )
    assert found.times == pytest.approx(np.arange(10) / 5)
    assert found.fps == pytest.approx(5)
    assert warned(found, "every 5. frame")


def test_people_who_change_places_in_the_list_are_tracked(tmp_path: Path) -> None:
    left, right = [[on("body-25", person(x + n)) for n in range(30)] for x in (200.0, 700.0)]
    frames = {n: [left[n], right[n]] if n % 3 else [right[n], left[n]] for n in range(30)}
    found = import_keypoints(openpose(tmp_path / "json", frames), OPTIONS)
    assert len(found.person_ids) == 2
    for row in range(2):
        nose = points_of(found, "nose", row)[:, 0]
        assert np.diff(nose) == pytest.approx(np.ones(29), abs=1e-3)
    assert warned(found, "tracked")


def test_people_of_pose2sim_keep_their_place(tmp_path: Path) -> None:
    gone = np.full((26, 3), np.nan)
    frames = {n: [on("halpe-26", person(200)), on("halpe-26", person(700)) if n > 5 else gone] for n in range(12)}
    found = import_keypoints(openpose(tmp_path / "json", frames, "cam01_{:06d}.json"), OPTIONS)
    assert found.person_ids.tolist() == [1, 2]
    assert (points_of(found, "nose", 1)[:, 2] > 0).tolist() == [n > 5 for n in range(12)]
    assert "head_top" in found.keypoint_names


def alphapose(people: dict[int, list[tuple[int, np.ndarray]]], name: str = "{}.jpg") -> list[dict[str, Any]]:
    return [
        {"image_id": name.format(n), "category_id": 1, "keypoints": flat(points), "score": 2.9, "idx": [float(who)]}
        for n, listed in people.items()
        for who, points in listed
    ]


def test_alphapose_keeps_its_people_and_clips_its_confidences(tmp_path: Path) -> None:
    frames = {n: [(7, person(300, confidence=1.3)), (3, person(800))][:: 1 if n % 2 else -1] for n in range(2, 10)}
    found = import_keypoints(put(tmp_path / "alphapose-results.json", alphapose(frames)), OPTIONS)
    assert found.person_ids.tolist() == [3, 7]
    assert found.times[0] == pytest.approx(2 / 25), "frames without people are not in the file, and it counts from 0"
    assert points_of(found, "nose", 1)[0].tolist() == [300, 140, 1]
    assert warned(found, "up to 1.3")


def test_alphapose_with_one_identity_for_everybody_is_tracked(tmp_path: Path) -> None:
    frames = {n: [(0, person(300)), (0, person(800))] for n in range(10)}
    found = import_keypoints(put(tmp_path / "a.json", alphapose(frames)), OPTIONS)
    assert len(found.person_ids) == 2
    assert warned(found, "same identity")


@pytest.mark.parametrize("key", ["people", "bodies"])
def test_alphapose_by_picture(tmp_path: Path, key: str) -> None:
    point = {"people": "pose_keypoints_2d", "bodies": "joints"}[key]
    content = {f"{n}.jpg": {"version": "0.3", key: [{point: flat(on("coco-18", person(400)))}]} for n in range(8)}
    path = put(tmp_path / "a.json", content)
    assert recognise(path)[0] == "alphapose"
    assert points_of(import_keypoints(path, OPTIONS), "left_ankle")[0] == pytest.approx([428, 440, 0.8])


def coco_annotations(visibility: float = 2) -> dict[str, Any]:
    points = person(400)
    points[:, 2] = visibility
    points[0] = 0
    return {
        "images": [{"id": 90 + n, "file_name": f"f_{n:04d}.jpg", "width": 1280, "height": 720} for n in range(1, 9)],
        "annotations": [
            {"id": n, "image_id": 90 + n, "category_id": 1, "keypoints": flat(points), "track_id": 4}
            for n in range(1, 8)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17.names)}],
    }


def test_coco_annotations_say_their_size_and_visibility(tmp_path: Path) -> None:
    content = coco_annotations()
    content["annotations"][0]["keypoints"][5] = 1
    found = import_keypoints(put(tmp_path / "a.json", content), ImportOptions(fps=25.0))
    assert found.image_size == SIZE
    assert found.person_ids.tolist() == [4]
    assert len(found.times) == 8
    assert (points_of(found, "nose")[:, 2] == 0).all()
    assert points_of(found, "left_eye")[:2, 2].tolist() == [0.5, 1.0]
    assert warned(found, "visibilities")
    with pytest.raises(UserError, match="1280x720 pixels, not 640x480"):
        import_keypoints(tmp_path / "a.json", ImportOptions(fps=25.0, image_size=(640, 480)))


def test_coco_results_are_tracked(tmp_path: Path) -> None:
    content = [
        {"image_id": n, "category_id": 1, "keypoints": flat(person(x)), "score": 0.9}
        for n in range(12)
        for x in ((300, 900) if n % 2 else (900, 300))
    ]
    found = import_keypoints(put(tmp_path / "a.json", content), OPTIONS)
    assert len(found.person_ids) == 2
    assert np.ptp(points_of(found, "nose")[:, 0]) == 0


def mmpose_frames(first: int = 0) -> list[dict[str, Any]]:
    points = person(500, confidence=1.1)
    instance = {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist(), "bbox": [[0, 0, 9, 9]]}
    return [{"frame_id": first + n, "instances": [instance]} for n in range(8)]


def test_mmpose(tmp_path: Path) -> None:
    found = import_keypoints(put(tmp_path / "video.json", mmpose_frames()), OPTIONS)
    assert points_of(found, "left_knee")[0] == pytest.approx([527, 370, 1])
    names = {str(row): name for row, name in enumerate(COCO17.names)}
    content = {"meta_info": {"keypoint_id2name": names}, "instance_info": mmpose_frames(first=1)}
    demo = import_keypoints(put(tmp_path / "demo.json", content), OPTIONS)
    assert demo.times[0] == 0.0, "MMPose's demos count from 1"
    np.testing.assert_array_equal(demo.keypoints, found.keypoints)
    for number, frame in enumerate(mmpose_frames()):
        put(tmp_path / "pictures" / f"p{number:03d}.json", frame["instances"])
    assert len(import_keypoints(tmp_path / "pictures", OPTIONS).times) == 8


def test_mmpose_in_space_is_no_2d(tmp_path: Path) -> None:
    instance = {"keypoints": (person(500) / 900).tolist(), "keypoint_scores": [0.9] * 17}
    frames = [{"frame_id": number, "instances": [instance]} for number in range(8)]
    with pytest.raises(UserError, match="points in space"):
        import_keypoints(put(tmp_path / "a.json", frames), OPTIONS)


def test_rtmlib(tmp_path: Path) -> None:
    both = np.stack([person(300), person(900)])
    frames = [{"frame_id": n, "keypoints": both[..., :2].tolist(), "scores": both[..., 2].tolist()} for n in range(12)]
    found = import_keypoints(put(tmp_path / "a.json", frames), OPTIONS)
    assert sorted(points_of(found, "nose", row)[0, 0] for row in range(2)) == [300, 900]


def deeplabcut(individuals: list[str], parts: list[str], rows: list[list[Any]], likelihood: bool = True) -> str:
    kinds = ["x", "y", "likelihood"] if likelihood else ["x", "y"]
    columns = [(who, part, kind) for who in individuals for part in parts for kind in kinds]
    lines = [["scorer", *("net" for _ in columns)]]
    if individuals != [""]:
        lines.append(["individuals", *(who for who, _, _ in columns)])
    lines.append(["bodyparts", *(part for _, part, _ in columns)])
    lines.append(["coords", *(kind for _, _, kind in columns)])
    return "\n".join(",".join(str(cell) for cell in line) for line in [*lines, *rows]) + "\n"


def test_deeplabcut_single(tmp_path: Path) -> None:
    parts = ["RShoulder", "shoulder_left", "Left Hip", "r_hip", "tail"]
    rows = [[n, 10 + n, 20, 0.9, 30, 20, 0.8, 30, 60, 0.7, "", "", "", 5, 5, 1] for n in range(3)]
    found = import_keypoints(put(tmp_path / "a.csv", deeplabcut([""], parts, rows)), OPTIONS)
    assert points_of(found, "right_shoulder")[:, 0].tolist() == [10, 11, 12]
    assert points_of(found, "left_shoulder")[0] == pytest.approx([30, 20, 0.8])
    assert (points_of(found, "right_hip")[:, 2] == 0).all()
    assert warned(found, "tail")


def test_deeplabcut_people_keep_their_names(tmp_path: Path) -> None:
    parts = list(COCO17.names)
    rows = [[n, *flat(person(300)), *(flat(person(900)) if n else [""] * 51)] for n in range(4)]
    found = import_keypoints(put(tmp_path / "a.csv", deeplabcut(["anna", "ben"], parts, rows)), OPTIONS)
    assert found.person_ids.tolist() == [1, 2]
    assert found.source["persons"] == {"1": "anna", "2": "ben"}
    assert (points_of(found, "nose", 1)[:, 2] > 0).tolist() == [False, True, True, True]
    numbered = put(tmp_path / "b.csv", deeplabcut(["individual4", "individual2"], parts, rows))
    assert import_keypoints(numbered, OPTIONS).person_ids.tolist() == [2, 4]


def test_deeplabcut_labels_of_pictures(tmp_path: Path) -> None:
    parts = ["ankle1", "knee1", "hip1", "hip2", "chin"]
    rows = [["labeled-data", "clip", f"img{n:03d}.png", *[100 + n, 200] * 5] for n in (7, 8, 9)]
    text = deeplabcut([""], parts, rows, likelihood=False)
    text = "\n".join(
        line.replace(",", ",,,", 1) if line[0] in "sbc" and not line.startswith("labeled") else line
        for line in text.splitlines()
    )
    found = import_keypoints(put(tmp_path / "CollectedData.csv", text), OPTIONS)
    assert points_of(found, "right_ankle")[:, 0].tolist() == [107, 108, 109]
    assert found.times[0] == 0.0
    assert warned(found, "no likelihoods")
    assert warned(found, "person's right")


def trc(points: np.ndarray, names: list[str], rate: float = 30.0, first: float = 0.0) -> str:
    head = ["PathFileType\t4\t(X/Y/Z)\tx.trc", "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits"]
    head += [
        f"{rate}\t{rate}\t{len(points)}\t{len(names)}\tm",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t\t",
        "\t\tX1",
    ]
    lines = []
    for row, frame in enumerate(points):
        cells = ["\t".join(["", "", ""] if np.isnan(x) else [repr(float(x)), repr(float(y)), "0.0"]) for x, y in frame]
        lines.append("\t".join([str(row), str(first + row / rate), *cells]))
    return "\n".join([*head, *lines]) + "\n"


def test_sports2d(tmp_path: Path) -> None:
    names = ["Hip", "RHip", "LHip", "RKnee", "LBigToe", "Neck"]
    walk = np.array([[[100.0 + n, 50 * row + 100] for row in range(6)] for n in range(5)])
    walk[2, 3] = np.nan
    put(tmp_path / "clip_Sports2D_px_person00.trc", trc(walk, names, first=1.0))
    put(tmp_path / "clip_Sports2D_px_person01.trc", trc(walk + 300, names, first=1.0))
    put(tmp_path / "clip_Sports2D_m_person00.trc", trc(walk / 400, names))
    found = import_keypoints(tmp_path, ImportOptions(image_size=SIZE))
    assert found.fps == 30
    assert found.times[0] == pytest.approx(1.0), "Sports2D's times are those of the video"
    assert found.person_ids.tolist() == [0, 1]
    assert points_of(found, "left_toe")[0].tolist() == [100, 300, 1]
    assert points_of(found, "right_knee")[:, 2].tolist() == [1, 1, 0, 1, 1]
    assert warned(found, "no confidences")
    with pytest.raises(UserError, match="in metres"):
        import_keypoints(tmp_path / "clip_Sports2D_m_person00.trc", OPTIONS)


def test_mediapipe_hands_are_made_of_knuckles() -> None:
    joints = SETS["mediapipe-33"]
    points = np.zeros((1, 1, 33, 3))
    points[0, 0, 19], points[0, 0, 17] = [10, 20, 0.9], [30, 40, 0.4]
    points[0, 0, 27] = [5, 6, 0.3]
    out, names, conversion = convert(points, joints)
    assert out[0, 0, names.index("left_hand")].tolist() == [20, 30, 0.4]
    assert np.isnan(out[0, 0, names.index("right_hand"), :2]).all()
    assert out[0, 0, names.index("left_ankle")].tolist() == [5, 6, 0.3]
    assert conversion["made"] == {"left_hand": [19, 17], "right_hand": [20, 18]}


@pytest.mark.parametrize(
    ("joint_set", "rows"),
    [
        ("body-25", {1: "thorax", 8: "pelvis", 11: "right_ankle", 15: "right_eye", 19: "left_toe", 24: "right_heel"}),
        ("coco-18", {1: "thorax", 8: "right_hip", 13: "left_ankle", 14: "right_eye", 17: "left_ear"}),
        ("halpe-26", {17: "head_top", 18: "thorax", 19: "pelvis", 21: "right_toe", 24: "left_heel"}),
        ("coco-133", {17: "left_toe", 19: "left_heel", 22: "right_heel", 100: "left_hand", 121: "right_hand"}),
        ("body-25b", {17: "neck", 18: "head_top", 19: "left_toe", 22: "right_toe"}),
        ("mpii-16", {0: "right_ankle", 6: "pelvis", 8: "neck", 9: "head_top", 10: "right_wrist", 15: "left_wrist"}),
        ("aic-14", {0: "right_shoulder", 5: "left_wrist", 8: "right_ankle", 12: "head_top"}),
    ],
)
def test_joint_sets(joint_set: str, rows: dict[int, str]) -> None:
    names = SETS[joint_set].names
    assert {row: names[row] for row in rows} == rows
    given = [name for name in names if name]
    assert len(set(given)) == len(given)
    assert f"-{len(names)}" in joint_set


def test_the_joint_set_can_be_said(tmp_path: Path) -> None:
    folder = openpose(tmp_path / "a", {n: [on("body-25b", person(300))] for n in range(6)})
    said = ImportOptions(fps=25.0, image_size=SIZE, joint_set="body-25b")
    assert points_of(import_keypoints(folder, said), "left_wrist")[0] == pytest.approx([355, 300, 0.8])
    with pytest.raises(UserError, match="25 keypoints a person, but coco-17 has 17"):
        import_keypoints(folder, ImportOptions(fps=25.0, image_size=SIZE, joint_set="coco-17"))
    with pytest.raises(UserError, match="19 keypoints a person, which is none"):
        set_of(19, None, "x")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        *(("LBigToe", "left_toe"), ("Rknee", "right_knee"), ("left_wrist", "left_wrist"), ("RHip", "right_hip")),
        *(("Left Knee", "left_knee"), ("lknee", "left_knee"), ("elbow.L", "left_elbow"), ("leftear", "left_ear")),
        *(("shoulderR", "right_shoulder"), ("CHip", "pelvis"), ("Neck", "thorax"), ("nose", "nose"), ("snout", "")),
        *(("hip1", "right_hip"), ("L_F_Wrist", ""), ("tail", ""), ("Nose", "nose")),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    assert our_name(theirs) == ours


def test_two_names_for_one_point() -> None:
    with pytest.raises(UserError, match="left_toe and LBigToe of x would both be left_toe"):
        set_by_names(["LHip", "RHip", "LKnee", "RKnee", "left_toe", "LBigToe"], "x")


def test_parts_of_the_picture_become_pixels(tmp_path: Path) -> None:
    small = on("body-25", person(640)) / [1280, 720, 1]
    found = import_keypoints(openpose(tmp_path / "a", {n: [small] for n in range(6)}), OPTIONS)
    assert points_of(found, "nose")[0] == pytest.approx([640, 140, 0.8])
    assert warned(found, "parts of the picture")


def test_the_most_prominent_people_are_kept(tmp_path: Path) -> None:
    frames = {n: [(1, person(300, confidence=0.4)), (2, person(900, confidence=0.9))] for n in range(6)}
    path = put(tmp_path / "a.json", alphapose(frames))
    found = import_keypoints(path, ImportOptions(fps=25.0, image_size=SIZE, max_persons=1))
    assert found.person_ids.tolist() == [2]


def test_sides_are_corrected_when_asked_for(tmp_path: Path) -> None:
    mirrored = person(400)[COCO17.mirror]
    frames = {n: [(1, mirrored if n in (10, 11, 12) else person(400))] for n in range(30)}
    path = put(tmp_path / "a.json", alphapose(frames))
    assert np.ptp(points_of(import_keypoints(path, OPTIONS), "left_knee")[:, 0]) == 54, "an import changes nothing"
    found = import_keypoints(path, ImportOptions(fps=25.0, image_size=SIZE, correct_sides=True))
    assert np.ptp(points_of(found, "left_knee")[:, 0]) == 0
    assert warned(found, "in 3 frames")


def test_short_gaps_are_filled_and_flagged_and_long_ones_are_left(tmp_path: Path) -> None:
    frames = {n: [(4, person(400 + 2 * n))] for n in range(60) if n not in (10, 11, 12) and not 30 <= n < 45}
    found = import_keypoints(put(tmp_path / "a.json", alphapose(frames)), OPTIONS)
    nose = points_of(found, "nose")
    np.testing.assert_allclose(nose[10:13, 0], [420, 422, 424])
    np.testing.assert_allclose(nose[10:13, 2], FILLED)
    assert np.isnan(nose[30:45, :2]).all()
    assert found.source["tracking"] == {"filled": {"4": [[10, 12]]}, "suggestions": []}


@pytest.mark.parametrize(("back", "suggested"), [(35, [[1, 9]]), (300, [])])
def test_who_comes_back_soon_under_another_name_may_be_the_same(
    tmp_path: Path, back: int, suggested: list[list[int]]
) -> None:
    frames = {n: [(5, person(1000))] for n in range(back + 20)}
    for n, listed in frames.items():
        if n < 20 or n >= back:
            listed.append((1 if n < 20 else 9, person(300 + 2 * min(n, 60))))
    found = import_keypoints(put(tmp_path / "a.json", alphapose(frames)), OPTIONS)
    assert found.person_ids.tolist() == [1, 5, 9]
    assert [each["persons"] for each in suggestions_of(found)] == suggested


def test_frame_numbers() -> None:
    assert frame_numbers(["cam01_000003_keypoints", "cam01_000010_keypoints"], "x") == [3, 10]
    assert frame_numbers(["a_1_v2", "a_2_v2"], "x") == [1, 2], "the number that is the same everywhere is none"
    assert frame_numbers(["9.jpg", "10.jpg"], "x") == [9, 10]
    for names, message in (
        (["a_1", "b_2"], "several sequences"),
        (["a_1", "a"], "no frame number in 'a'"),
        (["a_01", "a_1"], "two frames of the same number"),
    ):
        with pytest.raises(UserError, match=message):
            frame_numbers(names, "x")


def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path) -> None:
    good = on("body-25", person(300))

    def message(path: Path, options: ImportOptions = OPTIONS) -> str:
        with pytest.raises(UserError) as caught:
            import_keypoints(path, options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    folder = openpose(tmp_path / "a", {n: [good] for n in range(6)})
    assert "frame rate (--fps 25) and the size of the picture" in message(folder, ImportOptions())
    assert "check the size" in message(folder, ImportOptions(fps=25.0, image_size=(200, 100)))
    mixed = openpose(tmp_path / "b", {0: [good], 1: [on("coco-18", person(300))]})
    assert "mixes people of 25 and of 18 keypoints (frame 1)" in message(mixed)
    assert "nobody" in message(openpose(tmp_path / "c", {0: [], 1: []}))
    (openpose(tmp_path / "d", {0: [good], 1: [good]}) / "clip_000000000001_keypoints.json").write_text('{"peo')
    assert "damaged" in message(tmp_path / "d")
    assert "no format known" in message(put(tmp_path / "e.json", {"a": 1}))
    (tmp_path / "f" / "g").mkdir(parents=True)
    assert "holds no .json" in message(tmp_path / "f")
    for camera in ("cam1", "cam2"):
        openpose(tmp_path / "h" / camera, {0: [good]})
    assert "several folders" in message(tmp_path / "h")
    odd = put(tmp_path / "i" / "a_1.json", {"people": [{"pose_keypoints_2d": [1, 2]}]}).parent
    assert "triplets" in message(odd)
    far = put(
        tmp_path / "j.json", [{"image_id": n, "category_id": 1, "keypoints": flat(person(9))} for n in (1, 10**7)]
    )
    assert "no clip" in message(far)
    mouse = put(tmp_path / "k.csv", deeplabcut([""], ["snout", "tail"], [[0, 1, 2, 1, 3, 4, 1]]))
    assert "not those of a person" in message(mouse)
    assert "is not a DeepLabCut" in message(folder, ImportOptions(format="deeplabcut", fps=25.0, image_size=SIZE))


def test_numbers_that_are_none_are_missing_points(tmp_path: Path) -> None:
    points = flat(on("body-25", person(300)))
    points[0], points[4], points[8] = None, float("nan"), -0.5  # type: ignore[call-overload]
    for number in range(6):
        put(tmp_path / "a" / f"c_{number}.json", {"people": [{"pose_keypoints_2d": points}]})
    found = import_keypoints(tmp_path / "a", OPTIONS)
    assert (points_of(found, "nose")[:, 2] == 0).all()
    assert (points_of(found, "right_shoulder")[:, 2] == 0).all()
    assert (points_of(found, "right_elbow")[:, 2] > 0).all()
    assert warned(found, "negative")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("annotations", 3, "track_id"), 10**30),
        (("annotations", 3, "keypoints", 3), 10**30),
        (("annotations", 3, "image_id"), []),
        (("images", 3, "id"), {}),
        (("images", 3, "file_name"), f"f_{10**30}.jpg"),
        (("images", 3), None),
        (("categories", 0, "keypoints", 3), None),
    ],
)
def test_odd_values_are_refused_or_passed_over(tmp_path: Path, place: tuple[str | int, ...], value: Any) -> None:
    content: Any = coco_annotations()
    inner = content
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    try:
        found = import_keypoints(put(tmp_path / "a.json", content), ImportOptions(fps=25.0, image_size=SIZE))
    except UserError:
        return
    assert np.nanmax(found.keypoints[..., :2]) < 1280
    assert found.person_ids.max() < 10
