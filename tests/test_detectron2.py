# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoint R-CNN of detectron2: on the library itself where it is installed, on a recording of it everywhere.

The recording (`keypoint_rcnn.py`) is of a network with random weights, since trained ones cannot be had here: it shows
what the library gives and where it puts it, not how well people are found.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from video_mocap.backend import cli, doctor
from video_mocap.backend.catalogue.entries import find_entry
from video_mocap.backend.catalogue.store import FOLDER_VARIABLE, Receipt, place_of, write_receipt
from video_mocap.backend.detection import detectron2 as adapter
from video_mocap.backend.detection import detectron2_installation as installation
from video_mocap.backend.detection import detectron2_network as network
from video_mocap.backend.detection.base import BOX_FILL, BatchDetector, create_detector, describe_detector
from video_mocap.backend.detection.detectron2_heatmaps import keypoints_of, peaks
from video_mocap.backend.errors import UserError
from video_mocap.backend.footage import FootageInfo, Frame
from video_mocap.backend.grouping.affinity import sigmas_of
from video_mocap.backend.models import usable_detectors
from video_mocap.backend.observe import observe
from video_mocap.rigging.joints import COCO17

sys.path.insert(0, str(Path(__file__).parent))
import keypoint_rcnn

SIGMAS = sigmas_of(COCO17.names)
WEIGHTS = "keypoint-rcnn-r50"
SIDE = 56
BODY = slice(5, None)  # without the face, whose points are placed more strictly


def decoded(boxes: Any, logits: Any, scores: Any = None) -> np.ndarray:
    boxes = torch.tensor(np.asarray(boxes, np.float32))
    scores = torch.ones(len(boxes)) if scores is None else torch.tensor(np.asarray(scores, np.float32))
    return keypoints_of(boxes, scores, torch.tensor(np.asarray(logits, np.float32)), SIGMAS)


def bump(x: float, y: float, width: float = 1.5, height: float = 12.0) -> np.ndarray:
    """(56, 56) logits of a keypoint at x, y in cells from the corner: a paraboloid, as of a normal distribution."""
    middles = np.arange(SIDE) + 0.5
    return height - ((middles[None] - x) ** 2 + (middles[:, None] - y) ** 2) / (2 * width**2)


def same(one: np.ndarray) -> np.ndarray:
    """(1, 17, 56, 56): one map for every keypoint."""
    return np.broadcast_to(one, (1, 17, SIDE, SIDE))


@pytest.fixture(scope="module")
def recording() -> dict[str, np.ndarray]:
    with np.load(keypoint_rcnn.RECORDING, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def agree(ours: np.ndarray, theirs: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N, 17) bool: within half a cell, or half a pixel where that is more: the library looks at whole pixels only."""
    cell = np.maximum((boxes[:, 2:] - boxes[:, :2]) / SIDE, 1)
    return (np.abs(ours[..., :2] - theirs[..., :2]) / cell[:, None]).max(-1) < 0.5


def test_keypoints_are_where_the_library_puts_them(recording: dict[str, np.ndarray]) -> None:
    """Random maps have several peaks of nearly one height: where another was chosen it is hardly lower."""
    assert recording["heatmaps"].shape == (2, 17, SIDE, SIDE)
    found = decoded(recording["boxes"], recording["heatmaps"])
    near = agree(found, recording["keypoints"], recording["boxes"])
    assert near.mean() > 0.6
    _, highest = peaks(torch.tensor(recording["heatmaps"].astype(np.float32)))
    lower = recording["keypoints"][..., 2] - highest.numpy()
    assert lower.max() < 1  # of logits whose highest is 5 and more
    mirrored = decoded(recording["boxes"], recording["heatmaps"][..., ::-1])
    assert agree(mirrored, recording["keypoints"], recording["boxes"]).mean() < 0.2


@pytest.mark.parametrize(("x", "y"), [(28.0, 28.0), (10.3, 40.8), (0.5, 55.5), (31.0, 7.25)])
def test_a_peak_is_found_within_a_part_of_a_cell(x: float, y: float) -> None:
    """A box of 112 x 224 pixels from (100, 50): cells of 2 x 4 pixels."""
    found = decoded([[100, 50, 212, 274]], same(bump(x, y)))
    np.testing.assert_allclose(found[0, :, 0], 100 + 2 * x, atol=2 * 0.01)
    np.testing.assert_allclose(found[0, :, 1], 50 + 4 * y, atol=4 * 0.01)


def test_confidence_is_high_only_where_all_speaks_for_it() -> None:
    box = [[0, 0, 100, 200]]
    sure = decoded(box, same(bump(20, 30)))[0, :, 2]
    assert (sure > 0.55).all()
    assert (sure[BODY] > 0.85).all()
    assert (sure <= 1).all()
    blunt = decoded(box, same(bump(20, 30, width=8)))[0, :, 2]
    assert (blunt < 0.6 * sure).all()
    double = decoded(box, same(np.maximum(bump(20, 10), bump(20, 45))))[0, :, 2]
    np.testing.assert_allclose(double, sure / 2, rtol=0.1)
    np.testing.assert_allclose(decoded(box, same(bump(20, 30)), [0.3])[0, :, 2], 0.3 * sure, rtol=1e-4)
    absent = decoded(box, same(bump(20, 30, height=-4)))[0, :, 2]
    assert (absent < 0.1).all()


def test_confidence_does_not_depend_on_the_size_in_pixels_and_strict_joints_need_sharper_peaks() -> None:
    small = decoded([[0, 0, 30, 60]], same(bump(20, 30)))[0, :, 2]
    large = decoded([[0, 0, 600, 1200]], same(bump(20, 30)))[0, :, 2]
    np.testing.assert_allclose(small, large, atol=1e-5)
    assert small[COCO17.index("left_eye")] < small[COCO17.index("left_hip")]


def test_the_networks_last_doubling_moves_no_peak() -> None:
    """28 x 28 logits of a normal distribution, doubled by linear interpolation as the network does it."""
    middles = np.arange(28) * 2 + 1.0
    for x, y in ((20.0, 31.0), (20.5, 31.2), (21.0, 30.4), (20.8, 30.7)):
        small = -((middles[None] - x) ** 2 + (middles[:, None] - y) ** 2) / 8
        doubled = torch.nn.functional.interpolate(torch.tensor(small)[None, None], scale_factor=2, mode="bilinear")
        place, _ = peaks(doubled)
        np.testing.assert_allclose(place[0, 0].numpy(), (x, y), atol=0.1)


def test_nobody_is_nobody() -> None:
    assert decoded(np.zeros((0, 4)), np.zeros((0, 17, SIDE, SIDE))).shape == (0, 17, 3)


class _Scripted:
    """Stands for the network: says the same of every picture, at most `most` at once."""

    def __init__(self, said: network.Proposals, most: int = 99) -> None:
        self.said, self.most = said, most
        self.sizes: list[int] = []

    def look(self, images: Sequence[np.ndarray]) -> list[network.Proposals]:
        self.sizes.append(len(images))
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [self.said] * len(images)


def detector_of(boxes: Any, scores: Any, logits: Any, most: int = 99) -> tuple[Any, _Scripted]:
    tensors = [torch.tensor(np.asarray(each, np.float32)) for each in (boxes, scores, logits)]
    scripted = _Scripted(network.Proposals(*tensors), most)
    return adapter.KeypointRCNNDetector(scripted, 8, {"name": "scripted"}), scripted  # type: ignore[arg-type]


def test_every_keypoint_of_every_proposal_is_a_candidate(recording: dict[str, np.ndarray]) -> None:
    detector, _ = detector_of(recording["boxes"], recording["scores"], recording["heatmaps"])
    assert isinstance(detector, BatchDetector)
    found = detector.detect(keypoint_rcnn.picture(), 0.0)
    assert len(found) == 2 * 17
    assert sorted(set(found.instances.tolist())) == [0, 1]
    assert np.bincount(found.kinds).tolist() == [2] * 17
    sides = recording["boxes"][:, 2:] - recording["boxes"][:, :2]
    np.testing.assert_allclose(found.scales, np.sqrt(BOX_FILL * sides.prod(-1))[found.instances], rtol=1e-5)


def test_too_little_memory_makes_smaller_batches(recording: dict[str, np.ndarray]) -> None:
    detector, scripted = detector_of(recording["boxes"], recording["scores"], recording["heatmaps"], most=3)
    images = [keypoint_rcnn.picture()] * 8
    assert len(detector.detect_many(images, range(8))) == 8
    assert scripted.sizes == [8, 4, 2, 2, 4, 2, 2]
    assert detector.batch == 2
    scripted.most = 0
    with pytest.raises(UserError, match="too little free memory for a single picture; use the device cpu"):
        detector.detect_many(images, range(8))


def test_the_batch_fits_the_memory() -> None:
    assert [adapter.batch_size(free, 1e9) for free in (0, 1e9, 9e9, 1e12)] == [1, 1, 4, 16]


def _standing(x: float, height: float = 200.0) -> np.ndarray:
    """(17, 2) pixels: a person seen from the front, centred at x, feet at y = 260."""
    across = [0, 3, -3, 7, -7, 22, -22, 28, -28, 30, -30, 14, -14, 15, -15, 15, -15]
    up = [185, 190, 190, 188, 188, 165, 165, 130, 130, 98, 98, 100, 100, 52, 52, 8, 8]
    return np.stack([x + np.array(across) * height / 200, 260 - np.array(up) * height / 200], -1)


def test_overlapping_proposals_become_the_people_that_are_there() -> None:
    """Two people side by side, three boxes each, one of them cut off, one unsure; and a box of nobody."""
    people = [_standing(100), _standing(150)]
    rng = np.random.default_rng(2)
    boxes, scores, maps = [], [], []
    for person in people:
        for score in (0.98, 0.6, 0.08):
            low, high = person.min(0) - 12, person.max(0) + 12
            box = np.concatenate([low, high]) + rng.normal(0, 4, 4)
            cells = (person - box[:2]) / (box[2:] - box[:2]) * SIDE
            boxes.append(box)
            scores.append(score)
            maps.append([bump(*cell, height=12 if score > 0.5 else 7) for cell in cells])
    boxes.append(np.array([220, 20, 300, 200]))
    scores.append(0.06)
    maps.append([bump(*rng.uniform(5, 50, 2), width=4, height=4) for _ in range(17)])
    detector, _ = detector_of(boxes, scores, maps)
    info = FootageInfo(Path("clip.mp4"), 320, 280, 10.0, 10, 1.0, "video", "h264")
    frames = (Frame(row, row / 10, np.zeros((280, 320, 3), np.uint8)) for row in range(10))
    keypoints = observe(frames, info, detector)
    assert len(keypoints.person_ids) == 2
    found = keypoints.keypoints[:, :, :17]
    found = found[np.argsort(found[:, 0, 0, 0])]
    for row, person in enumerate(people):
        assert np.abs(found[row, :, :, :2] - person).max() < 2.5  # pixels; cells are 1.5 x 4
        assert found[row][:, BODY, 2].min() > 0.65


class _Found(SimpleNamespace):
    def __len__(self) -> int:
        return 1


class _Stub(torch.nn.Module):
    """Has the parts of the library's network; in 16-bit numbers its features are infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.halves: list[bool] = []
        boxes = SimpleNamespace(tensor=torch.tensor([[2.0, 4.0, 8.0, 16.0]]))
        self.found = _Found(pred_boxes=boxes, scores=torch.tensor([0.5]))
        self.roi_heads = _StubHeads(self.found)

    def preprocess_image(self, given: list[dict[str, torch.Tensor]]) -> SimpleNamespace:
        tensor = torch.stack([each["image"] for each in given])
        return SimpleNamespace(tensor=tensor, image_sizes=[tuple(tensor.shape[2:])] * len(given))

    def backbone(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        self.halves.append(torch.is_autocast_enabled("cpu"))
        return {"p2": pictures * (torch.inf if self.halves[-1] else 1.0)}

    def proposal_generator(self, *_: object) -> tuple[None, None]:
        return None, None


class _StubHeads(torch.nn.Module):
    keypoint_in_features = ("p2",)
    keypoint_head = SimpleNamespace(layers=lambda pooled: pooled)

    def __init__(self, found: _Found) -> None:
        super().__init__()
        self.found = found

    def forward(self, *_: object) -> tuple[list[_Found], None]:
        return [self.found], None

    def keypoint_pooler(self, *_: object) -> torch.Tensor:
        return torch.zeros(1, 17, SIDE, SIDE)


def test_numbers_too_large_for_16_bits_are_computed_in_32_from_then_on() -> None:
    model = _Stub()
    network_ = network.KeypointRCNN(model, torch.device("cpu"), True, 40, 80, half=True)
    image = np.full((10, 20, 3), 9, np.uint8)
    for _ in range(2):
        found = network_.look([image])[0]
    assert model.halves == [True, False, False]
    assert found.boxes.tolist() == [[0.5, 1, 2, 4]]


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(480, 640, (800, 1067)), (1080, 1920, (750, 1333)), (1920, 1080, (1333, 750)), (2, 3000, (1, 1333))],
)
def test_the_size_that_is_looked_at(height: int, width: int, expected: tuple[int, int]) -> None:
    assert network.network_size(height, width, 800, 1333) == expected


def test_published_weights_are_read_without_running_anything(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    arrays = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32(2)}
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "somebody"}, protocol=2))
    state = network.read_weights(path)
    assert state["a.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert state["b"].item() == 2
    path.write_bytes(pickle.dumps({"model": {"a": Path("x")}}))
    with pytest.raises(UserError, match=r"does not hold weights of detectron2 \(it asks for pathlib\.\w+\): delete it"):
        network.read_weights(path)
    path.write_bytes(b"\x80\x02}q\x00X\x05")
    with pytest.raises(UserError, match="does not hold weights"):
        network.read_weights(path)
    with pytest.raises(UserError, match="cannot read .*absent"):
        network.read_weights(tmp_path / "absent.pkl")


class _Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(2, 3)
        self.register_buffer("pixel_mean", torch.full((3,), 7.0))


def test_weights_of_another_network_are_refused() -> None:
    model = _Small()
    good = {"head.weight": torch.ones(3, 2), "head.bias": torch.ones(3), "pixel_std": torch.ones(3)}
    network.fill(model, good, Path("x.pkl"))
    assert model.head.weight.min() == 1
    assert model.get_buffer("pixel_mean").tolist() == [7, 7, 7]
    for change in ({"head.weight": torch.ones(2, 2)}, {"other": torch.ones(1)}):
        with pytest.raises(UserError, match=r"x\.pkl holds the weights of another network \((head|other)"):
            network.fill(model, {**good, **change}, Path("x.pkl"))
    del good["head.bias"]
    with pytest.raises(UserError, match=r"head\.bias does not fit"):
        network.fill(model, good, Path("x.pkl"))


def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(installation, "find_spec", lambda _: None)
    for ask in (lambda: create_detector("detectron2", 2), lambda: describe_detector("detectron2-x101")):
        with pytest.raises(UserError) as caught:
            ask()
        assert str(caught.value) == (
            "the detector detectron2 cannot be used: torchvision and detectron2 are not installed; "
            "run 'python3 build.py setup --with detectron2'"
        )
    monkeypatch.setattr(installation, "find_spec", lambda _: "here")
    with pytest.raises(UserError) as caught:
        describe_detector("detectron2-r101")
    assert str(caught.value) == (
        "the weights keypoint-rcnn-r101 of the detector detectron2 are not here yet (313 MB, CC BY-SA 3.0); "
        "'video-mocap models get keypoint-rcnn-r101' fetches them"
    )


def test_a_torchvision_for_another_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda _: "here")
    monkeypatch.setattr(installation.metadata, "requires", lambda _: ["numpy", "torch (==1.2.3)", "pillow>=5"])
    monkeypatch.setattr(installation.metadata, "version", lambda _: "0.4")
    found = installation.problem()
    assert found is not None
    release = torch.__version__.partition("+")[0]
    assert found.text == f"torchvision 0.4 was built for torch 1.2.3, but torch {release} is installed"
    assert "--with detectron2" in found.todo
    monkeypatch.setattr(installation.metadata, "requires", lambda _: [f"torch=={release}"])
    monkeypatch.setitem(sys.modules, "torchvision.ops", None)
    found = installation.problem()
    assert found is not None
    assert found.text.startswith(f"torchvision 0.4 does not run beside torch {torch.__version__}, which is built for")


def fetched(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> str:
    """Put a file where the catalogue keeps the weights; its sha256 as it is noted there."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    entry = find_entry(WEIGHTS)
    assert entry is not None
    place_of(entry).write_bytes(content)
    write_receipt(entry, Receipt(entry.name, entry.url, len(content), "5" * 64, entry.licence))
    return "5" * 64


def test_its_source_names_weights_and_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = fetched(tmp_path, monkeypatch, b"x")
    monkeypatch.setattr(installation, "find_spec", lambda _: "here")
    source = describe_detector("detectron2")
    assert {
        "licence": "CC BY-SA 3.0",
        "weights_sha256": sha256,
        "name": f"detectron2 {WEIGHTS}",
    }.items() <= source.items()


def test_doctor_and_the_list_say_what_is_left_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(installation, "problem", lambda: installation.Problem("it is broken", "mend it"))
    found = doctor.check_detectron2()
    assert (found.state, found.text, found.todo) == ("optional", "it is broken", "mend it")
    monkeypatch.setattr(installation, "problem", lambda: None)
    found = doctor.check_detectron2()
    assert found.state == "optional"
    assert found.todo == "'video-mocap models get keypoint-rcnn-r50' fetches them (237 MB, CC BY-SA 3.0)"
    assert cli.main(["models"]) == 0
    assert "detectron2: needs the weights keypoint-rcnn-r50, CC BY-SA 3.0" in capsys.readouterr().out
    fetched(tmp_path, monkeypatch, b"x")
    assert doctor.check_detectron2().text.endswith("weights for detectron2")
    assert "detectron2" in usable_detectors()
    assert "detectron2-r101" not in usable_detectors()


def test_the_licence_of_weights_is_said_before_they_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    assert cli.main(["models", "get", WEIGHTS, "--offline", str(tmp_path)]) == 1
    licence, failure = capsys.readouterr().err.splitlines()
    assert licence == f"{WEIGHTS} is under CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/)"
    assert "does not hold keypoint_rcnn_R_50_FPN_3x.pkl" in failure


# --- On the library itself -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> tuple[Any, Any]:
    """(settings, network with random weights) of the library."""
    wrong = installation.problem()
    if wrong is not None:
        pytest.skip(f"detectron2 cannot be used here: {wrong.text}")
    return keypoint_rcnn.random_network()


@pytest.fixture(scope="module")
def said(real: tuple[Any, Any]) -> dict[str, np.ndarray]:
    return keypoint_rcnn.by_the_library(*real, keypoint_rcnn.picture())


@pytest.fixture(scope="module")
def ours(real: tuple[Any, Any], said: dict[str, np.ndarray]) -> network.KeypointRCNN:
    """On the same network, once the library has said what it sees: ours leaves out its own search of keypoints."""
    del said
    return _ours(real)


def _ours(real: tuple[Any, Any], half: bool = False) -> network.KeypointRCNN:
    return network.KeypointRCNN(
        real[1], torch.device("cpu"), real[0].INPUT.FORMAT == "BGR", keypoint_rcnn.SHORT, keypoint_rcnn.LONG, half
    )


def test_the_library_still_says_what_was_recorded(
    said: dict[str, np.ndarray], recording: dict[str, np.ndarray]
) -> None:
    assert said["size"].tolist() == recording["size"].tolist()
    rows = recording["rows"]
    np.testing.assert_allclose(said["boxes"][rows], recording["boxes"], atol=0.05)
    np.testing.assert_allclose(said["heatmaps"][rows], recording["heatmaps"], atol=0.05)


def test_we_see_what_the_library_sees(ours: network.KeypointRCNN, said: dict[str, np.ndarray]) -> None:
    """The library rounds the smaller picture to whole numbers, which moves a box by some hundredths of a pixel."""
    found = ours.look([keypoint_rcnn.picture()])[0]
    away = np.abs(found.boxes.numpy()[:, None] - said["boxes"][None]).max(-1)
    match = away.argmin(1)
    assert (away.min(1) < 0.2).mean() > 0.8
    near = away.min(1) < 0.2
    np.testing.assert_allclose(found.scores.numpy()[near], said["scores"][match[near]], atol=0.01)
    apart = np.abs(found.logits.numpy()[near] - said["heatmaps"][match[near]])
    assert np.percentile(apart, 99) < 0.3  # of logits that reach from -12 to 12
    blue_first = ours.look([keypoint_rcnn.picture()[:, :, ::-1]])[0]
    assert (np.abs(blue_first.boxes.numpy()[:, None] - said["boxes"][None]).max(-1).min(1) < 0.2).mean() < 0.5


def test_a_picture_is_seen_alike_alone_and_in_a_batch(ours: network.KeypointRCNN) -> None:
    image = keypoint_rcnn.picture()
    alone, together = ours.look([image])[0], ours.look([image[::-1], image])[1]
    np.testing.assert_allclose(alone.boxes.numpy(), together.boxes.numpy(), atol=0.01)
    np.testing.assert_allclose(alone.logits.numpy(), together.logits.numpy(), atol=0.01)


def test_weights_go_from_the_catalogue_into_the_network(
    real: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {name: value.numpy() for name, value in real[1].state_dict().items()}
    fetched(tmp_path, monkeypatch, pickle.dumps({"model": arrays, "__author__": "somebody"}, protocol=2))
    monkeypatch.setitem(adapter.SIZES, "draft", (keypoint_rcnn.SHORT, keypoint_rcnn.LONG))
    detector = create_detector("detectron2", 1, "draft", "cpu")
    found = detector.detect(keypoint_rcnn.picture(), 0.0)
    detector.close()
    assert len(found)
    assert found.instances.max() < 8
