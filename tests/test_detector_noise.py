# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated detector: what was measured comes out again, its parts do what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from video_mocap.backend.lifting.training import noise_numbers as noise
from video_mocap.backend.lifting.training.detector_noise import add_noise
from video_mocap.backend.lifting.training.noise_calibrate import simulate
from video_mocap.backend.lifting.training.noise_measure import measure
from video_mocap.backend.lifting.training.noise_statistics import (
    KIND_OF,
    Recording,
    basis,
    bias_map,
    clean,
    summary,
)
from video_mocap.backend.lifting.training.occlusion import occluded
from video_mocap.rigging.joints import COCO17

#: Somebody who stands before the camera, in persons' sizes, y down.
STANDING = np.array(
    [
        (0, -0.42), (0.02, -0.44), (-0.02, -0.44), (0.04, -0.43), (-0.04, -0.43), (0.11, -0.33), (-0.11, -0.33),
        (0.15, -0.16), (-0.15, -0.16), (0.16, -0.02), (-0.16, -0.02), (0.06, 0.0), (-0.06, 0.0), (0.07, 0.24),
        (-0.07, 0.24), (0.07, 0.47), (-0.07, 0.47),
    ]
)  # fmt: skip


def people(count: int, frames: int = 111, fps: float = 30.0) -> torch.Tensor:
    """(B, T, 17, 2) people who sway, size 1."""
    time = torch.arange(frames)[None, :, None, None] / fps
    phase = 6 * torch.rand(count, 1, 17, 2, generator=torch.Generator().manual_seed(3))
    return torch.tensor(STANDING, dtype=torch.float32) + 0.03 * torch.sin(2.5 * time + phase)


def noisy(true: torch.Tensor, state: str = "seen", seed: int = 0, **options: object) -> np.ndarray:
    """Simulated keypoints of people of size 1."""
    flags = [torch.full(true.shape[:3], state == name) for name in ("hidden", "outside")]
    generator = torch.Generator().manual_seed(seed)
    return add_noise(true, torch.ones(true.shape[:2]), *flags, 30.0, generator, **options).numpy()  # type: ignore


@pytest.fixture(scope="module")
def as_measured() -> dict[str, np.ndarray]:
    """Windows of people of 170 pixels as the data file says, by state; and the truth."""
    true = people(160)
    unswapped = replace(noise.load_noise(), swap=torch.tensor([0.0, 0.1, 0.1]))
    options = {"measured": unswapped, "spread": noise.AS_MEASURED, "pixels": torch.full((160,), 170.0)}
    return {"true": true.numpy()} | {state: noisy(true, state, **options) for state in ("seen", "hidden", "outside")}


def errors(found: np.ndarray, true: np.ndarray, numbers: noise.Noise) -> np.ndarray:
    """Errors without the bias, missing keypoints NaN."""
    bias = np.einsum("jk,btkx->btjx", numbers.bias.numpy(), true)
    return np.where(found[..., 2:] > 0, found[..., :2] - true - bias, np.nan)


def test_the_parts_of_the_error_are_as_large_as_the_data_file_says(as_measured: dict[str, np.ndarray]) -> None:
    numbers = noise.load_noise()
    error = errors(as_measured["seen"], as_measured["true"], numbers)
    found = np.sqrt(np.nanmean(error**2, axis=(0, 1, 3)))
    # A window's level is log-normal.
    level = np.exp(float(numbers.pixels[0] + numbers.pixels[1] * np.log(170 / 300)) + float(numbers.skill[0]) ** 2)
    assert found == pytest.approx(level * np.linalg.norm(numbers.deviation.numpy(), axis=1), rel=0.25)
    lasting = np.nanmean(error[:, 8:] * error[:, :-8], axis=(0, 1, 3)) / found**2
    slow = (numbers.deviation[:, :3].square().sum(1) / numbers.deviation.square().sum(1)).numpy()
    assert np.corrcoef(lasting, slow)[0, 1] > 0.6


def test_hidden_joints_are_worse_by_the_measured_factor(as_measured: dict[str, np.ndarray]) -> None:
    numbers = noise.load_noise()
    spread = {
        state: np.nanmedian(np.abs(errors(as_measured[state], as_measured["true"], numbers)), axis=(0, 1, 3))
        for state in ("seen", "hidden")
    }
    ratio = spread["hidden"] / spread["seen"]
    low, high = numbers.gain[1].numpy().min(0), numbers.gain[1].numpy().max(0)
    assert (ratio > 0.8 * low).all()
    assert (ratio < 1.25 * high).all()


@pytest.mark.parametrize("state", ["seen", "hidden"])
def test_confidences_have_the_measured_quantiles_and_know_of_the_error(
    as_measured: dict[str, np.ndarray], state: str
) -> None:
    numbers = noise.load_noise()
    found = as_measured[state]
    row = ("seen", "hidden").index(state)
    knee, wrist = COCO17.index("left_knee"), COCO17.index("left_wrist")
    for joint in (knee, wrist):
        sure = found[:, :, joint, 2]
        middle = float(numbers.levels[row, joint, 8])
        assert np.median(sure[sure > 0]) == pytest.approx(middle, abs=0.2)
        length = np.linalg.norm(errors(found, as_measured["true"], numbers)[:, :, joint], axis=-1)
        known = np.isfinite(length)
        quarter = np.quantile(sure[known], [0.25, 0.75])
        assert np.median(length[known & (sure <= quarter[0])]) > np.median(length[known & (sure >= quarter[1])])


def test_neighbours_err_together(as_measured: dict[str, np.ndarray]) -> None:
    numbers = noise.load_noise()
    error = errors(as_measured["seen"], as_measured["true"], numbers)[..., 0]
    flat = error.reshape(-1, 17)
    flat = flat[np.isfinite(flat).all(1)]
    found = np.corrcoef(flat.T)
    eyes, apart = (1, 2), (1, COCO17.index("left_ankle"))
    assert found[eyes] > 0.4
    assert abs(found[apart]) < 0.25


def test_sides_are_exchanged_in_runs_and_found_again() -> None:
    true = people(200)
    spread = noise.Spread(0, 0, 0, 0, 0, 0, swapped=1.0)
    found = noisy(true, spread=spread)
    runs = []
    for window, truth in zip(found, true.numpy(), strict=True):
        flags = np.zeros(truth.shape[:2], bool)
        swapped = clean(
            Recording(truth, np.where(window[..., 2:] > 0, window, [np.nan, np.nan, 0]), flags, flags, 30.0, 300)
        ).swapped
        runs.append(swapped.any(1).sum())
    assert np.mean(np.array(runs) > 0) > 0.8
    assert max(runs) < 100


def test_what_is_missing_is_zero_and_lasts() -> None:
    found = noisy(people(100), "outside", spread=noise.Spread(patchy=1.0))
    gone = found[..., 2] == 0
    assert (found[gone] == 0).all()
    assert 0.2 < gone.mean() < 0.8
    stays = (gone[:, 1:] & gone[:, :-1]).sum() / gone[:, :-1].sum()
    assert stays > gone.mean() + 0.2
    assert np.isfinite(found).all()


def test_the_same_generator_gives_the_same_noise_and_the_unit_does_not_matter() -> None:
    true = people(6)
    first = noisy(true, seed=5)
    assert (first == noisy(true, seed=5)).all()
    flags = torch.zeros(true.shape[:3], dtype=torch.bool)
    generator = torch.Generator().manual_seed(5)
    large = add_noise(50 * true, torch.full(true.shape[:2], 50.0), flags, flags, 30.0, generator).numpy()
    assert large[..., :2] / 50 == pytest.approx(first[..., :2], abs=1e-4)


def test_small_people_are_noisier() -> None:
    true = people(60)
    small, large = (noisy(true, spread=noise.AS_MEASURED, pixels=torch.full((60,), size)) for size in (90.0, 800.0))
    away = [np.median(np.linalg.norm(found[..., :2] - true.numpy(), axis=-1)) for found in (small, large)]
    assert away[0] > 1.3 * away[1]


def test_bias_turns_with_the_body_and_is_mirrored_with_it() -> None:
    factors = np.random.default_rng(0).normal(size=(9, 5))
    bias = bias_map(factors)
    assert bias @ STANDING == pytest.approx(np.einsum("jkx,jk->jx", basis(STANDING[None])[0], factors[KIND_OF]))
    mirrored = STANDING[COCO17.mirror] * (-1, 1)
    assert bias @ mirrored == pytest.approx((bias @ STANDING)[COCO17.mirror] * (-1, 1))
    assert bias @ (STANDING + 7) == pytest.approx(bias @ STANDING)


def test_measuring_simulated_noise_gives_the_numbers_it_was_drawn_from() -> None:
    numbers = noise.load_noise()
    true = people(60, 90).numpy().astype(float)
    hidden = np.zeros(true.shape[1:3], bool)
    hidden[:, 7:11] = np.arange(90)[:, None] % 30 < 8
    empty = np.zeros((90, 17, 3))
    sizes = np.geomspace(90, 800, 60)
    plain = [
        Recording(one, empty, hidden, np.zeros_like(hidden), 30.0, size) for one, size in zip(true, sizes, strict=True)
    ]
    drawn = simulate(plain, numbers)
    again = measure(drawn)
    assert again["pixels"][1] == pytest.approx(float(numbers.pixels[1]), abs=0.2)
    assert np.array(again["bias"]) @ STANDING == pytest.approx(numbers.bias.numpy() @ STANDING, abs=0.012)
    wrist = COCO17.index("left_wrist")
    total = [np.linalg.norm(np.array(table)[wrist]) for table in (again["deviation"], numbers.deviation)]
    assert total[0] == pytest.approx(total[1], rel=0.35)
    assert np.isfinite(summary(drawn)).all()


def test_occlusion_knows_the_far_side_and_the_back_of_the_head() -> None:
    image = torch.tensor(STANDING, dtype=torch.float32)[None, None] / 3
    depth = torch.full((1, 1, 17), 3.0)
    radius = torch.full((1, 1), 0.07 / 3)
    assert not occluded(image, depth, radius).any()
    depth[:, :, :3] += 0.1  # face away from the camera
    found = occluded(image, depth, radius)[0, 0]
    assert found[:3].all()
    side = image * torch.tensor([0.05, 1.0])
    depth = torch.full((1, 1, 17), 3.0)
    depth[..., 6::2] += 0.3
    found = occluded(side, depth, radius)[0, 0]
    assert found[6]
    assert found[12]
    assert not found[5]
