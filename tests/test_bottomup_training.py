# SPDX-License-Identifier: GPL-3.0-or-later
"""Training a detector: labelled pictures are read as they are, runs go on as if never stopped, weights detect."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from video_mocap.backend import cli
from video_mocap.backend.detection.base import BatchDetector, create_detector, describe_detector
from video_mocap.backend.detection.bottomup.decode import likely
from video_mocap.backend.detection.bottomup.fields import COCO_LAYOUT, to_cells
from video_mocap.backend.detection.bottomup.finder import padded, resized
from video_mocap.backend.detection.bottomup.residual import ResidualTrunk
from video_mocap.backend.detection.bottomup.training.export import export
from video_mocap.backend.detection.bottomup.training.pictures import PictureSet, read_pictures
from video_mocap.backend.detection.bottomup.training.samples import Batch, make_sample
from video_mocap.backend.detection.bottomup.training.settings import DataSettings, LossSettings, Settings, settings_from
from video_mocap.backend.detection.bottomup.training.train import Run, maps_loss, train
from video_mocap.backend.detection.bottomup.training.validation import match, oks_to
from video_mocap.backend.detection.bottomup.weights import read_card
from video_mocap.backend.detection.convert import joint_set_of
from video_mocap.backend.errors import Cancelled, UserError
from video_mocap.backend.grouping.affinity import sigmas_of
from video_mocap.backend.grouping.people import group_people
from video_mocap.backend.progress import Progress
from video_mocap.rigging.joints import COCO17

LABELLED = Path(__file__).resolve().parents[2] / "shared" / "footage" / "labelled"
STILL = {"zoom": 0.0, "person": 0.0, "shift": 0.0, "turn": 0.0, "mirror": 0.0, "colour": 0.0, "blur": 0.0}
TINY = {"trunk": "fpn", "depth": 18, "width": 8, "channels": 32}
#: Somebody who stands before the camera, in persons' heights, y down.
STANDING = np.array(
    [
        (0, -0.42), (0.02, -0.44), (-0.02, -0.44), (0.04, -0.43), (-0.04, -0.43), (0.11, -0.33), (-0.11, -0.33),
        (0.15, -0.16), (-0.15, -0.16), (0.16, -0.02), (-0.16, -0.02), (0.06, 0.0), (-0.06, 0.0), (0.07, 0.24),
        (-0.07, 0.24), (0.07, 0.47), (-0.07, 0.47),
    ]
)  # fmt: skip


def figure(image: np.ndarray, x: float, y: float, height: float) -> list[float]:
    """Draw somebody whose every joint has a colour of its own, and give COCO's keypoints."""
    points = STANDING * height + (x, y)
    for row, point in enumerate(points):
        colour = tuple(float(v) for v in np.random.default_rng(row).integers(0, 256, 3))
        cv2.circle(image, (round(16 * point[0] - 8), round(16 * point[1] - 8)), 48, colour, -1, cv2.LINE_AA, 4)
    return np.c_[points, np.full(17, 2)].ravel().tolist()


def labelled(folder: Path, count: int = 3, **changes: Any) -> Path:
    """A folder of pictures of 96 x 80 pixels with one or two people, and their labels."""
    folder.mkdir(parents=True)
    images, annotations = [], []
    for number in range(count):
        image = np.full((80, 96, 3), 200, np.uint8)
        for place, x in enumerate((28.3, 70.6)[: 1 + number % 2]):
            keypoints = figure(image, x, 38.4 + 2 * number, 60)
            box = {"bbox": [x - 12, 8, 24, 62], "area": 900}
            annotations.append(
                {"id": 10 * number + place, "image_id": number, "category_id": 1, "iscrowd": 0, "keypoints": keypoints}
                | box
                | changes
            )
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 80})
    category = {"id": 1, "name": "person", "keypoints": list(COCO17.names)}
    data = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(data))
    return folder


def settings(**schedule: Any) -> Settings:
    values = {"steps": 4, "batch": 2, "warmup": 1, "average": 3, "look": 2}
    return settings_from({"network": TINY, "data": {"size": 128, **STILL}, "schedule": {**values, **schedule}})


def new_run(folder: Path, pictures: PictureSet, made: Settings | None = None) -> Run:
    return Run(folder, made or settings(), pictures, torch.device("cpu"))


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in run.average.state_dict().items()}


def test_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    known = read_pictures(labelled(tmp_path / "some"))
    assert known.layout == COCO_LAYOUT
    assert [len(picture.people) for picture in known.pictures] == [1, 2, 1]
    assert known.pictures[0].people[0, 0, :2] == pytest.approx(STANDING[0] * 60 + (28.3, 38.4))
    assert known.pictures[0].read().shape == (80, 96, 3)


def test_people_without_keypoints_and_crowds_are_ignored(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "some")
    data = json.loads((folder / "annotations.json").read_text())
    data["annotations"][1] |= {"iscrowd": 1}
    data["annotations"].append(
        {"id": 99, "image_id": 0, "category_id": 1, "iscrowd": 0, "keypoints": [0] * 51, "bbox": [60, 10, 20, 40]}
    )
    (folder / "annotations.json").write_text(json.dumps(data))
    first, second = read_pictures(folder).pictures[:2]
    assert first.ignored.tolist() == [[60, 10, 20, 40]]
    assert len(second.people) == len(second.ignored) == 1
    counts = make_sample(first, COCO_LAYOUT, settings().data, np.random.default_rng(0))[2]
    assert counts.shape == (1, 32, 32)
    assert counts[0, 12, 23] == 0
    assert counts[0, 12, 10] == 1


@pytest.mark.skipif(not LABELLED.is_dir(), reason="the labelled stills are not here")
def test_real_labels_are_read() -> None:
    known = read_pictures(LABELLED)
    assert known.layout == COCO_LAYOUT
    assert sum(len(picture.people) for picture in known.pictures) > 15
    for picture in known.pictures:
        height, width = picture.read().shape[:2]
        seen = picture.people[picture.people[..., 2] > 0]
        assert (seen[:, :2] > -2).all()
        assert (seen[:, :2] < (width + 2, height + 2)).all()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "annotations.json").unlink(), "has no labels"),
        (lambda folder: (folder / "1.png").unlink(), "names the picture 1.png, which is not in"),
        (lambda folder: (folder / "annotations.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "annotations.json").write_text("[]"), "is not in COCO's keypoint format"),
        (lambda folder: (folder / "annotations.json").write_text('{"categories": []}'), "keypoint format"),
    ],
)
def test_labels_that_are_none_are_refused_in_words(tmp_path: Path, spoil: Any, says: str) -> None:
    folder = labelled(tmp_path / "some")
    spoil(folder)
    with pytest.raises(UserError, match=says):
        read_pictures(folder)


def test_a_still_sample_is_what_the_detector_sees(tmp_path: Path) -> None:
    picture = read_pictures(labelled(tmp_path / "some")).pictures[1]
    drawn, maps, _ = make_sample(picture, COCO_LAYOUT, settings().data, np.random.default_rng(0))
    seen, _ = padded(resized(picture.read(), 128 / 96), 128)
    assert np.abs(drawn.astype(int) - seen).max() == 0
    assert maps.shape == (COCO_LAYOUT.maps, 32, 32)


@pytest.mark.parametrize("seed", range(4))
def test_varied_samples_keep_joints_where_they_are(tmp_path: Path, seed: int) -> None:
    picture = read_pictures(labelled(tmp_path / "some")).pictures[0]
    varied = replace(DataSettings(), size=256, colour=0.0, blur=0.0, sigma=1.0)
    drawn, maps, _ = make_sample(picture, COCO_LAYOUT, varied, np.random.default_rng(seed))
    for row, heat in enumerate(maps[:17]):
        if row < 5 or heat.max() < 0.8:  # the face's dots hide each other
            continue
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        # Mirrored, a picture's left is its right: the colour tells which joint was painted there.
        wanted = {int(v) for v in (row, COCO17.mirror[row])}
        around = drawn[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].reshape(-1, 3).astype(int)
        off = {one: np.abs(around - np.random.default_rng(one).integers(0, 256, 3)).max(1).min() for one in range(17)}
        assert min(off, key=lambda one: off[one]) in wanted


def test_what_is_not_labelled_costs_nothing() -> None:
    maps, counts = torch.zeros(1, 6, 4, 4), torch.ones(1, 1, 4, 4)
    counts[..., 0] = 0
    guess = torch.zeros(1, 6, 4, 4)
    guess[..., 0] = 3
    batch = Batch(torch.zeros(0), maps, counts)
    assert float(maps_loss([guess], batch, 2, LossSettings())) == 0
    guess[0, 1, 2, 2] = 1
    assert float(maps_loss([guess, guess], batch, 2, LossSettings())) == pytest.approx(2 / 12)


def test_a_run_that_stopped_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    known = read_pictures(labelled(tmp_path / "some"))
    varied = replace(settings(), data=replace(DataSettings(), size=128))
    whole = new_run(tmp_path / "whole", known, varied)
    losses = list(whole.go_on())
    assert len(losses) == 4
    first = new_run(tmp_path / "parts", known, varied)
    list(first.go_on(lambda: first.step >= 2))
    again = new_run(tmp_path / "parts", known, varied)
    assert again.step == 2
    assert list(again.go_on()) == losses[2:]
    for key, value in weights_of(whole).items():
        assert torch.equal(value, weights_of(again)[key]), key
    with pytest.raises(UserError, match="other settings"):
        new_run(tmp_path / "parts", known, settings(steps=5))


def test_a_cancelled_run_is_saved(tmp_path: Path) -> None:
    known = read_pictures(labelled(tmp_path / "some"))
    run = new_run(tmp_path / "run", known)
    stop = Progress(cancelled=lambda: run.step >= 1)
    with pytest.raises(Cancelled):
        train(run, ("learned pictures", known.pictures), 1e9, lambda _: None, stop)
    assert new_run(tmp_path / "run", known).step == 1


@pytest.mark.parametrize("foreground", [0.0, 1.0, 10.0])
def test_what_the_loss_asks_for_says_how_likely_a_joint_is(foreground: float) -> None:
    """A joint that is there in one picture of ten is a tenth likely, however much joints weigh."""
    maps = torch.zeros(10, COCO_LAYOUT.maps, 1, 1)
    maps[0, 0] = 1
    batch = Batch(torch.zeros(10, 3, 4, 4), maps, torch.ones(10, 1, 1, 1))
    guesses = np.linspace(0, 1, 1001)
    losses = []
    for guess in guesses:
        given = torch.zeros_like(maps)
        given[:, 0] = guess
        losses.append(float(maps_loss([given], batch, 17, LossSettings(foreground=foreground))))
    best = guesses[np.argmin(losses)]
    assert likely(best, foreground) == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize("network", [TINY, {"trunk": "hourglass", "stacks": 1, "channels": 32}])
def test_a_few_pictures_are_learned(tmp_path: Path, network: dict[str, Any]) -> None:
    """Not by heart, which takes minutes: far enough that it is no accident."""
    known = read_pictures(labelled(tmp_path / "some", 2))
    schedule = {"steps": 24, "batch": 2, "rate": 5e-3, "warmup": 3, "average": 5, "decay": 0.0}
    made = settings_from({"network": network, "data": {"size": 64, **STILL}, "schedule": schedule})
    losses = list(new_run(tmp_path / "run", known, made).go_on())
    assert np.mean(losses[-3:]) < 0.5 * losses[0]


def test_a_run_starts_from_a_published_trunk(tmp_path: Path) -> None:
    known = read_pictures(labelled(tmp_path / "some", 1))
    trunk = {f"module.{key}": value for key, value in ResidualTrunk(18, 8).state_dict().items()}
    for published in ({key.removeprefix("module."): value for key, value in trunk.items()}, {"state_dict": trunk}):
        run = Run(tmp_path / "run", settings(), known, torch.device("cpu"), published)
        for kept in (run.model, run.average):
            assert torch.equal(kept.state_dict()["trunk.layer3.0.conv1.weight"], trunk["module.layer3.0.conv1.weight"])
    with pytest.raises(UserError, match="of another network"):
        Run(tmp_path / "run", settings(), known, torch.device("cpu"), {"conv1.weight": torch.zeros(3)})


def test_weights_come_out_and_detect(tmp_path: Path) -> None:
    known = read_pictures(labelled(tmp_path / "some"))
    run = new_run(tmp_path / "run", known)
    list(run.go_on())
    weights = tmp_path / "mine.safetensors"
    card = export(tmp_path / "run", weights, "7")
    assert read_card(weights) == card
    assert (card.version, card.size, card.names) == ("7", 128, COCO17.names)
    assert card.foreground == settings().loss.foreground > 0
    detector = create_detector(str(weights), 2, "standard", "cpu")
    assert isinstance(detector, BatchDetector)
    assert describe_detector(str(weights)) == detector.source
    assert detector.source["weights_sha256"] == card.sha256
    image = known.pictures[1].read()
    found = detector.detect_many([image, image[::-1].copy()], [0.0, 0.1])
    assert len(found) == 2
    assert group_people(found[0], joint_set_of(detector.names)).shape[1:] == (17, 3)
    detector.close()
    weights.write_bytes(weights.read_bytes()[:-4] + b"abcd")
    with pytest.raises(UserError, match="damaged"):
        create_detector(str(weights), 2)


def test_without_weights_the_detector_says_how_to_get_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIDEO_MOCAP_MODELS", str(tmp_path))
    with pytest.raises(UserError, match="train them with 'video-mocap train detector'"):
        create_detector("bottomup", 2)
    with pytest.raises(UserError, match="do not exist"):
        create_detector(str(tmp_path / "none.safetensors"), 2)
    (tmp_path / "bare.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"needs bare\.json beside it"):
        describe_detector(str(tmp_path / "bare.safetensors"))
    assert "Traceback" not in capsys.readouterr().err


def test_the_command_trains_goes_on_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures, run = labelled(tmp_path / "some"), tmp_path / "run"
    config = tmp_path / "small.toml"
    config.write_text(
        "[network]\ndepth = 18\nwidth = 8\nchannels = 16\n[data]\nsize = 64\n"
        "[schedule]\nsteps = 2\nbatch = 2\nlook = 2\n"
    )
    train_it = ["train", "detector", str(run), "--pictures", str(pictures), "--config", str(config), "--json"]
    assert cli.main([*train_it, "--validation", str(pictures / "annotations.json")]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["steps"], summary["of"]) == (2, 2)
    assert summary["scores"]["validation"]["people"] == 4
    assert "step 2 after" in (run / "log.txt").read_text()
    assert cli.main(["train", "detector", str(run), "--pictures", str(pictures)]) == 0
    assert "finished" in capsys.readouterr().out
    weights = tmp_path / "mine.safetensors"
    assert cli.main(["train", "export", str(run), "-o", str(weights)]) == 0
    assert weights.exists()
    assert weights.with_suffix(".json").exists()
    again = tmp_path / "again"
    assert cli.main([*train_it[:2], str(again), *train_it[3:], "--initial", str(weights)]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["detector", "RUN"], 2, "detector needs --pictures"),
        (["detector", "RUN", "--pictures", "none"], 1, "none does not exist"),
        (["detector", "RUN", "--motion", "x", "--pictures", "y"], 2, "--motion is for lifters"),
        (["lifter", "RUN", "--motion", "x", "--pictures", "y"], 2, "--pictures is for detector"),
        (["lifter", "RUN"], 2, "lifter needs --motion"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    tmp_path: Path, arguments: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(tmp_path / "run") if each == "RUN" else each for each in arguments]
    assert cli.main(["train", *given]) == status
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"network": {"trunk": "tree"}}, "trunk must be one of"),
        ({"data": {"size": 100}}, "multiple of 64"),
        ({"schedule": {"steps": 0}}, "steps must be more than 0"),
        ({"schedule": {"rate": "fast"}}, "schedule.rate must be a number"),
        ({"loss": {"heat": 1}}, "no setting loss.heat"),
        ({"data": 3}, "data must be a table"),
    ],
)
def test_impossible_settings_are_refused_in_words(data: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        settings_from(data)


def test_settings_come_back() -> None:
    made = settings_from({"network": {"trunk": "hourglass", "channels": 64}, "data": {"turn": 5}})
    assert settings_from(asdict(made)) == made


def test_similarity_to_labels_is_cocos() -> None:
    """Ten pixels off everywhere, area 20000: 0.776402 (nose 0.396707, hip 0.946873)."""
    truth = np.concatenate([np.random.default_rng(0).uniform(0, 300, (17, 2)), np.full((17, 1), 2.0)], 1)[None]
    found = truth + np.array([10, 0, 0])
    area, sigmas = np.array([20000.0]), sigmas_of(COCO17.names)
    assert oks_to(truth, area, found, sigmas)[0, 0] == pytest.approx(0.776402, abs=1e-6)
    for row, value in ((0, 0.396707), (11, 0.946873)):
        only = truth.copy()
        only[0, np.arange(17) != row, 2] = 0
        assert oks_to(only, area, found, sigmas)[0, 0] == pytest.approx(value, abs=1e-6)
    found[0, :9] = (np.nan, np.nan, 0)
    assert oks_to(truth, area, found, sigmas)[0, 0] < 0.5


def test_the_most_similar_are_matched_first() -> None:
    truth, found = match(np.array([[0.9, 0.8], [0.85, 0.0]]))
    assert list(zip(truth.tolist(), found.tolist(), strict=True)) == [(0, 0)]
    assert len(match(np.zeros((2, 0)))[0]) == 0
    assert to_cells(np.array([2.0, 6.0])).tolist() == [0, 1]
