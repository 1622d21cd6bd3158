# SPDX-License-Identifier: GPL-3.0-or-later
"""The bottom-up network: its trunks are those of the papers, its maps come back as the joints they were made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from video_mocap.backend.detection.bottomup.decode import DecodeOptions, decode, find_peaks, score_limbs
from video_mocap.backend.detection.bottomup.fields import (
    COCO_LAYOUT,
    Layout,
    limbs_of,
    target_maps,
    to_cells,
    to_pixels,
)
from video_mocap.backend.detection.bottomup.finder import Finder, padded
from video_mocap.backend.detection.bottomup.hourglass import HourglassArchitecture, StackedHourglass
from video_mocap.backend.detection.bottomup.network import architecture_of, build_network, plain
from video_mocap.backend.detection.bottomup.residual import ResidualArchitecture, ResidualPyramid, ResidualTrunk
from video_mocap.backend.grouping.people import group_people
from video_mocap.rigging.joints import COCO17, KEYPOINTS

#: Somebody who stands before the camera, in persons' heights, y down.
STANDING = np.array(
    [
        (0, -0.42), (0.02, -0.44), (-0.02, -0.44), (0.04, -0.43), (-0.04, -0.43), (0.11, -0.33), (-0.11, -0.33),
        (0.15, -0.16), (-0.15, -0.16), (0.16, -0.02), (-0.16, -0.02), (0.06, 0.0), (-0.06, 0.0), (0.07, 0.24),
        (-0.07, 0.24), (0.07, 0.47), (-0.07, 0.47),
    ]
)  # fmt: skip


def standing(x: float, y: float, height: float) -> np.ndarray:
    """(17, 3) somebody in cells, all joints seen."""
    return np.concatenate([STANDING * height + (x, y), np.full((17, 1), 2.0)], 1)


def fill(network: nn.Module) -> nn.Module:
    """The numbers that the golden outputs were made with: cosines by the sorted names of the tensors."""
    state = network.state_dict()
    for k, name in enumerate(sorted(state)):
        value = state[name]
        c = torch.cos(0.37 * torch.arange(value.numel(), dtype=torch.float64) + 0.11 * k).reshape(value.shape)
        if name.endswith("running_mean") or name.endswith("num_batches_tracked"):
            c = torch.zeros_like(c)
        elif name.endswith("running_var"):
            c = torch.ones_like(c)
        elif value.ndim >= 2:
            c = c / np.sqrt(value.numel() / len(value))
        else:
            c = 1 + 0.1 * c if name.endswith("weight") else 0.1 * c
        state[name] = c.to(value.dtype)
    network.load_state_dict(state)
    return network.eval()


def sines(*shape: int) -> torch.Tensor:
    return torch.sin(0.1 * torch.arange(int(np.prod(shape)), dtype=torch.float64)).reshape(shape)


def assert_golden(output: torch.Tensor, first: tuple[float, ...], last: float, total: float, absolute: float) -> None:
    flat = output.detach().flatten()
    assert flat[: len(first)].tolist() == pytest.approx(first, abs=2e-8)
    assert float(flat[-1]) == pytest.approx(last, abs=2e-8)
    assert float(flat.sum()) == pytest.approx(total, abs=1e-6)
    assert float(flat.abs().sum()) == pytest.approx(absolute, abs=1e-6)


@pytest.mark.parametrize(
    ("stacks", "blocks", "stem", "parameters"),
    [
        (1, 1, "port", 3_586_960), (2, 1, "port", 6_730_912), (4, 1, "port", 13_018_816), (8, 1, "port", 25_594_624),
        (1, 4, "port", 12_597_136), (2, 4, "port", 24_751_264), (8, 4, "port", 97_676_032),
        (1, 1, "paper", 3_426_448), (2, 1, "paper", 6_570_400), (8, 1, "paper", 25_434_112),
    ],
)  # fmt: skip
def test_hourglasses_have_the_published_number_of_parameters(
    stacks: int, blocks: int, stem: str, parameters: int
) -> None:
    with torch.device("meta"):
        network = StackedHourglass(HourglassArchitecture(16, stacks, blocks, stem=stem))
    assert sum(value.numel() for value in network.parameters()) == parameters
    tensors = {(2, 1): 684, (8, 1): 2526}.get((stacks, blocks))
    assert tensors is None or len(network.state_dict()) == tensors
    assert ("layer2.0.downsample.0.weight" in network.state_dict()) == (stem == "port")


def test_an_hourglass_computes_what_the_published_one_does() -> None:
    network = fill(StackedHourglass(HourglassArchitecture(16)).double())
    with torch.no_grad():
        first, second = network(sines(1, 3, 64, 64))
    assert first.shape == second.shape == (1, 16, 16, 16)
    assert_golden(first, (-2.248386934, -2.248305375, -2.248270338), -0.027714984, -837.396587619, 7951.512861591)
    assert_golden(
        second, (-46.114605273, -46.111922271, -46.109325206), -32.566916651, -27815.980506592, 127297.388616167
    )


@pytest.mark.parametrize(("depth", "parameters"), [(50, 23_508_032), (101, 42_500_160), (152, 58_143_808)])
def test_residual_trunks_have_the_published_number_of_parameters(depth: int, parameters: int) -> None:
    with torch.device("meta"):
        trunk = ResidualTrunk(depth)
    assert sum(value.numel() for value in trunk.parameters()) == parameters


class PoseResNet(ResidualTrunk):
    """Xiao, Wu and Wei's head (ECCV 2018) on our trunk: its published outputs tell of the trunk's."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth)
        parts: list[nn.Module] = []
        for before in (self.widths[-1], 256, 256):
            parts += [nn.ConvTranspose2d(before, 256, 4, 2, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU()]
        self.deconv_layers = nn.Sequential(*parts)
        self.final_layer = nn.Conv2d(256, 16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.final_layer(self.deconv_layers(super().forward(x)[-1]))


@pytest.mark.parametrize(
    ("depth", "first", "last", "total", "absolute"),
    [
        (18, (0.223510883, 0.222406877, 0.221496763), 0.008321174, 140.527355728, 1060.898507975),
        (50, (0.223509997, 0.222424357, 0.221455202), 0.008299386, 140.515560251, 1060.877852772),
    ],
)
def test_residual_trunks_compute_what_the_published_ones_do(
    depth: int, first: tuple[float, ...], last: float, total: float, absolute: float
) -> None:
    network = fill(PoseResNet(depth).double())
    with torch.no_grad():
        output = network(sines(1, 3, 64, 64))
    assert_golden(output, first, last, total, absolute)


@pytest.mark.parametrize(
    "architecture",
    [ResidualArchitecture(55, 18, 8, 16), HourglassArchitecture(55, 2, 1, 16)],
)
def test_both_trunks_give_all_maps_at_a_quarter(architecture: ResidualArchitecture | HourglassArchitecture) -> None:
    network = build_network(architecture_of(plain(architecture)))
    assert isinstance(network, ResidualPyramid | StackedHourglass)
    assert network.architecture == architecture
    assert network(torch.zeros(2, 3, 64, 128))[-1].shape == (2, 55, 16, 32)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"trunk": "tree", "outputs": 3}, "trunk must be one of hourglass, fpn"),
        ({"trunk": "fpn", "outputs": 3, "depth": 51}, "depth must be one of 18"),
        ({"trunk": "fpn", "outputs": 3, "stacks": 2}, "no such fpn network"),
        ({"trunk": "hourglass", "outputs": 3, "channels": 30}, "divisible by 4"),
        ({"trunk": "hourglass", "outputs": 3, "stacks": 0}, "stacks must be a whole number"),
    ],
)
def test_impossible_networks_are_refused_in_words(values: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        architecture_of(values)


def test_maps_come_back_as_the_joints_they_were_made_of() -> None:
    random = np.random.default_rng(4)
    person = np.concatenate([random.uniform(6, 58, (17, 2)), np.full((17, 1), 2.0)], 1)
    person[3, 2] = 0
    maps = target_maps(person[None], (64, 64), COCO_LAYOUT)
    assert maps.shape == (COCO_LAYOUT.maps, 64, 64)
    found = decode(maps, COCO_LAYOUT)
    assert sorted(found.kinds) == [row for row in range(17) if row != 3]
    away = np.abs(to_cells(found.positions) - person[found.kinds, :2])
    # The logarithm of a Gaussian is a parabola: between cells, too, nothing is lost but precision.
    assert away.max() < 1e-3
    assert found.confidence == pytest.approx(np.ones(16), abs=1e-3)
    assert (found.instances == -1).all()
    assert to_pixels(to_cells(person)) == pytest.approx(person)


def test_an_unlikely_peak_is_no_candidate() -> None:
    """A value of 0.55 is one case in ten where the loss weighed joints eleven times; below that is nobody."""
    heat = np.zeros((1, 12, 12), np.float32)
    heat[0, 3, 3], heat[0, 8, 8] = 0.5, 0.9
    cells, values, _ = find_peaks(heat, DecodeOptions(foreground=10))
    assert cells.tolist() == [[8, 8]]
    assert values == pytest.approx([0.9])
    assert find_peaks(heat, DecodeOptions())[1] == pytest.approx([0.9, 0.5])


def test_a_flat_top_is_one_peak_and_the_border_has_peaks() -> None:
    heat = np.zeros((1, 8, 8), np.float32)
    heat[0, 2, 3:5] = heat[0, 0, 0] = heat[0, 7, 7] = 0.5
    cells, values, kinds = find_peaks(heat, DecodeOptions())
    assert len(cells) == len(values) == len(kinds) == 3
    assert sorted(map(tuple, cells.tolist())) == [(0, 0), (3.5, 2), (7, 7)]
    assert not len(find_peaks(heat, DecodeOptions(peak=0.6))[0])
    assert len(find_peaks(heat, DecodeOptions(most=2))[0]) == 2


def test_a_limb_is_scored_as_published() -> None:
    field = np.zeros((2, 50, 50), np.float32)
    field[0, 8:13] = 1
    cells, kinds = np.array([[10.0, 10], [40, 10]]), np.array([0, 1])
    limb = score_limbs(field, cells, kinds, (0, 1), DecodeOptions())
    assert limb.pairs.tolist() == [[0, 1]]
    assert limb.score == pytest.approx([0.8333], abs=1e-4)
    assert limb.accepted.all()
    back = score_limbs(field, cells, kinds, (1, 0), DecodeOptions())
    assert back.score == pytest.approx([-1.1667], abs=1e-4)
    assert not back.accepted.any()


def test_a_limb_across_the_field_has_too_few_hits() -> None:
    field = np.zeros((2, 200, 50), np.float32)
    field[0, 8:13] = 1
    limb = score_limbs(field, np.array([[10.0, 10], [40, 40]]), np.array([0, 1]), (0, 1), DecodeOptions())
    assert limb.score[0] > 0
    assert not limb.accepted.any()


def test_links_tell_people_apart_who_stand_in_each_other() -> None:
    people = np.stack([standing(60, 60, 70), standing(66, 62, 70), standing(140, 60, 40)])
    maps = target_maps(people, (128, 192), COCO_LAYOUT)
    found = decode(maps, COCO_LAYOUT)
    assert found.links is not None
    owner = [
        int(np.argmin(np.linalg.norm(people[:, kind, :2] - cell, axis=-1)))
        for kind, cell in zip(found.kinds, to_cells(found.positions), strict=True)
    ]
    first, second = found.links[:, :2].astype(int).T
    same = np.array(owner)[first] == np.array(owner)[second]
    assert found.links[same, 2].mean() > 0.8
    apart = {(owner[a], owner[b]) for a, b in zip(first, second, strict=True)} - {(0, 0), (1, 1), (2, 2)}
    assert (0, 2) in apart
    distant = ~same & np.array([2 in (owner[a], owner[b]) for a, b in zip(first, second, strict=True)])
    assert found.links[distant, 2].max() < 0.5


def test_candidates_are_grouped_to_the_people_they_are_of() -> None:
    people = np.stack([standing(40, 60, 70), standing(110, 62, 70), standing(160, 60, 40)])
    grouped = group_people(decode(target_maps(people, (128, 192), COCO_LAYOUT), COCO_LAYOUT), COCO17)
    assert len(grouped) == 3
    for person in people:
        away = np.linalg.norm(to_cells(grouped[..., :2]) - person[:, :2], axis=-1)
        assert away.max(1).min() < 0.01


def test_scales_are_those_of_people() -> None:
    maps = target_maps(np.stack([standing(60, 60, 70), standing(140, 60, 35)]), (128, 192), COCO_LAYOUT)
    found = decode(maps, COCO_LAYOUT)
    large, small = (found.scales[to_cells(found.positions)[:, 0] < 100], found.scales[found.positions[:, 0] > 400])
    assert large.max() == pytest.approx(large.min())
    assert large.mean() == pytest.approx(2 * small.mean(), rel=0.02)


def test_an_empty_picture_has_no_candidates() -> None:
    found = decode(np.zeros((COCO_LAYOUT.maps, 16, 16), np.float32), COCO_LAYOUT)
    assert len(found) == 0
    assert found.links is not None
    assert found.links.shape == (0, 3)
    assert group_people(found, COCO17).shape == (0, 17, 3)


def test_the_mirror_image_has_the_mirrored_maps() -> None:
    person = standing(30, 32, 50)
    person[7, :2] += (5, -8)
    width = 64
    turned = person[COCO17.mirror].copy()
    turned[:, 0] = width - 1 - turned[:, 0]
    maps = target_maps(person[None], (64, width), COCO_LAYOUT)
    mirrored = target_maps(turned[None], (64, width), COCO_LAYOUT)
    assert COCO_LAYOUT.mirrored(mirrored) == pytest.approx(maps, abs=1e-5)
    with pytest.raises(ValueError, match="not there"):
        Layout(("nose",), ((0, 1),))
    with pytest.raises(ValueError, match="of one side without"):
        Layout(("left_hip", "right_hip", "left_knee"), ((0, 2),))


def test_feet_and_hands_have_limbs_too() -> None:
    assert len(COCO_LAYOUT.limbs) == 19
    assert len(limbs_of(KEYPOINTS.names)) == 25


class Bright(nn.Module):
    """Stands for a network: its one map is how bright the picture is."""

    multiple = 32

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [nn.functional.avg_pool2d(x[:, 1:2], 4) * 0.25 + 0.5]


@pytest.mark.parametrize(("width", "height", "mirrored"), [(320, 200, False), (200, 320, True), (640, 480, True)])
def test_a_finder_gives_pixels_of_the_picture_whatever_its_size(width: int, height: int, mirrored: bool) -> None:
    layout = Layout(("nose",), ())
    y, x = np.mgrid[:height, :width] + 0.5
    spot = (0.7 * width, 0.3 * height)
    radius = 8 * max(width, height) / 256
    blob = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * radius**2))
    image = np.repeat(np.round(255 * blob)[..., None], 3, 2).astype(np.uint8)

    finder = Finder(Bright(), layout, 256, mirrored, DecodeOptions(peak=0.7))  # type: ignore[arg-type]
    for found in finder.find([image, image]):
        assert len(found) == 1
        assert found.positions[0] == pytest.approx(spot, abs=0.01 * max(width, height))


def test_padding_puts_the_picture_in_the_middle() -> None:
    image = np.zeros((40, 64, 3), np.uint8)
    larger, corner = padded(image, 32)
    assert larger.shape == (64, 64, 3)
    assert corner.tolist() == [0, 12]
    assert (larger[12:52] == 0).all()
    assert (larger[:12] == 128).all()
