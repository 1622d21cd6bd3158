# SPDX-License-Identifier: GPL-3.0-or-later
"""The default lifter: a temporal convolutional network (VideoPose3D) on the resampled track of one person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ...rigging.joints import mirror_rows
from .checkpoint import Checkpoint, build_model, load_checkpoint
from .confidence import calibrated_confidence, output_confidence, select_keypoints
from .device import pick_device
from .inference import FoldedModel
from .lifter import Lifted, LifterInfo
from .normalise import person, screen
from .resampling import fill_missing, interpolate, lifter_times, resample_track

#: Names in a checkpoint's output that are no joints: the direction of world up, and the pelvis's place.
UP, ROOT = "up", "root"
#: Output frames per run of the network: bounds the memory of a long clip (some 100 MB for 512 channels); a whole number
#: of tiles of `inference.py` at 81 frames.
CHUNK = 3348
#: What the logarithm of depth times size can be: people whose keypoints spread over 2 cm to 20 m.
_LOG_SPREAD = (-4.0, 3.0)


@dataclass(frozen=True)
class Normalised:
    """What a network is given of T frames.

    inputs: (T, K, 3). to_camera: (T, 3, 3) turns its camera axes into the real ones. size: (T,) what one unit of the
    picture is as a tangent, or None where that says nothing about a person.
    """

    inputs: Tensor
    to_camera: Tensor
    size: Tensor | None = None


#: (track (T, K, 3) pixels, intrinsics (3, 3), image size, fps, whether to know past frames only).
Normaliser = Callable[[Tensor, Tensor, tuple[int, int], float, bool], Normalised]


def _screen(track: Tensor, intrinsics: Tensor, image_size: tuple[int, int], fps: float, causal: bool) -> Normalised:
    del intrinsics, fps, causal
    identity = torch.eye(3, dtype=track.dtype).expand(len(track), 3, 3)
    return Normalised(screen(track, *image_size), identity)


def _person(track: Tensor, intrinsics: Tensor, image_size: tuple[int, int], fps: float, causal: bool) -> Normalised:
    del image_size
    followed = person(track[None], intrinsics[None], fps, causal)
    return Normalised(followed.inputs[0], followed.rotation[0].transpose(-1, -2), followed.size[0])


NORMALISERS: Mapping[str, Normaliser] = {"screen": _screen, "person": _person}


class TemporalLifter:
    """Lifts with the weights of a checkpoint.

    device: "auto", "cpu" or "cuda". flip: average with the lifted mirror image (twice the work, slightly better).
    chunk: output frames per run of the network; the result does not depend on it.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "auto", flip: bool = False, chunk: int = CHUNK) -> None:
        sidecar = checkpoint.sidecar
        self.checkpoint = checkpoint
        self.device = pick_device(device)
        self._network = self._arranged(build_model(checkpoint, self.device))
        self._normalise = NORMALISERS[sidecar.normalisation]
        self._flip = flip
        self._chunk = chunk
        self._outputs = sidecar.joints_out
        # Said in sizes of the person in the picture, which only that normalisation measures.
        self._knows_root = ROOT in sidecar.joints_out and sidecar.normalisation == "person"
        self._causal = sidecar.causal
        self._calibration = (sidecar.confidence_knots, sidecar.confidence_values)
        # Expected errors without a calibration mean nothing.
        self._tells_errors = bool(sidecar.confidence_knots) and checkpoint.architecture.error_outputs > 0
        self.info = LifterInfo(
            name="temporal",
            weights=f"{sidecar.name} {sidecar.version}",
            sha256=checkpoint.sha256,
            needs=sidecar.joints_in,
            fps=sidecar.fps,
            needs_camera=sidecar.normalisation == "person",
            gives=tuple(name for name in sidecar.joints_out if name not in (UP, ROOT)),
            gives_up=UP in sidecar.joints_out,
            licence=sidecar.licence,
            acknowledgements=sidecar.acknowledgements,
            warnings=checkpoint.warnings,
        )

    @classmethod
    def from_file(cls, path: str | Path, device: str = "auto", flip: bool = False) -> TemporalLifter:
        """Open a checkpoint. Raises UserError, in one sentence, if that is not possible."""
        return cls(load_checkpoint(path), device, flip)

    def with_weights(self, state: Mapping[str, Tensor]) -> Self:
        """The same lifter with other numbers in its weights; this one stays as it is.

        state: named tensors, all those of the checkpoint, in its shapes.
        """
        checkpoint = replace(self.checkpoint, state=dict(state))
        other = type(self)(checkpoint, self.device.type, self._flip, self._chunk)
        other.info = self.info
        return other

    def _arranged(self, model: Any) -> Any:
        """The network as it runs, with `FoldedModel`'s ways."""
        return FoldedModel(model)

    def look(
        self, track: np.ndarray, times: np.ndarray, intrinsics: np.ndarray, image_size: tuple[int, int]
    ) -> tuple[np.ndarray, Normalised]:
        """What the network is given of a track: the instants (G,) at which it looks, seconds, and its input there.

        track: (F, K, 3) of `info.needs`, pixels and confidence, without missing points (`fill_missing`). times: (F,).
        """
        grid = lifter_times(times, self.info.fps)
        at_rate = resample_track(track, times, grid, bridge=not self._causal)
        lens = torch.from_numpy(np.asarray(intrinsics, np.float64)).float()
        return grid, self._normalise(torch.from_numpy(at_rate).float(), lens, image_size, self.info.fps, self._causal)

    def lift(
        self,
        keypoints: np.ndarray,
        names: tuple[str, ...],
        times: np.ndarray,
        intrinsics: np.ndarray,
        image_size: tuple[int, int],
    ) -> Lifted:
        """See `Lifter.lift`."""
        info = self.info
        track, warnings = select_keypoints(keypoints, names, info.needs)
        times = np.asarray(times, np.float64)
        track = fill_missing(track, times)
        confidence = output_confidence(track[..., 2], info.needs, times, info.gives) if len(times) else np.zeros((0, 0))
        if not confidence.any():
            return self._nothing(len(times), warnings)
        grid, seen = self.look(track, times, intrinsics, image_size)
        output, log_errors = self._run(seen.inputs)
        output = output.double()
        if self._knows_root and seen.size is not None:
            row = self._outputs.index(ROOT)
            output[:, row] = pelvis_place(output[:, row], seen.size.double())
        output = output @ seen.to_camera.double().transpose(-1, -2)
        columns = interpolate(output.flatten(1).numpy(), grid, times).reshape(len(times), -1, 3)
        columns[~confidence.any(axis=1)] = np.nan
        if log_errors.shape[1]:
            near = np.interp(interpolate(log_errors.double().numpy(), grid, times), *self._calibration)
            confidence = calibrated_confidence(near, track[..., 2], confidence)
        rows = [self._outputs.index(name) for name in info.gives]
        joints = columns[:, rows]
        if "pelvis" in info.gives:
            joints = joints - joints[:, [info.gives.index("pelvis")]]
        up = None
        if info.gives_up:
            up = columns[:, self._outputs.index(UP)]
            up = up / np.linalg.norm(up, axis=-1, keepdims=True)
        root = columns[:, self._outputs.index(ROOT)] if self._knows_root else None
        return Lifted(info.gives, joints, confidence, up, (*info.warnings, *warnings), root)

    def _nothing(self, frames: int, warnings: tuple[str, ...]) -> Lifted:
        joints = len(self.info.gives)
        nowhere = np.full((frames, 3), np.nan)
        up, root = (nowhere if known else None for known in (self.info.gives_up, self._knows_root))
        unknown = np.full((frames, joints, 3), np.nan)
        return Lifted(self.info.gives, unknown, np.zeros((frames, joints)), up, warnings, root)

    def _run(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised (T, K, 3) to the network's output (T, J, 3) and the logarithms of expected errors (T, E)."""
        x = inputs[..., : self._network.architecture.features]
        out, told = self._lift(x)
        if self._flip:
            mirrored = x[:, torch.from_numpy(mirror_rows(self.info.needs))].clone()
            mirrored[..., 0] *= -1
            other, other_told = self._lift(mirrored)
            other = other[:, torch.from_numpy(mirror_rows(self._outputs))]
            other[..., 0] *= -1
            sides = torch.from_numpy(mirror_rows(self.info.gives)[: told.shape[1]])
            out, told = (out + other) / 2, (told + other_told[:, sides]) / 2
        return out, told

    def _lift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        columns = run_in_chunks(self._network, x, self._network.architecture.padding, self._chunk, self.device)
        count = 3 * len(self._outputs)
        told = columns[:, count:] if self._tells_errors else columns[:, :0]
        return columns[:, :count].unflatten(1, (-1, 3)), told


def pelvis_place(root: Tensor, size: Tensor) -> Tensor:
    """A network's root (T, 3), as of `training.samples.Batch`, to the pelvis (T, 3) in its camera axes, metres.

    size: (T,) the person's spread in the picture, as a tangent.
    """
    depth = torch.exp(root[:, 2].clamp(*_LOG_SPREAD)) / size
    return depth[:, None] * torch.cat([root[:, :2] * size[:, None], torch.ones_like(root[:, :1])], dim=1)


def run_in_chunks(
    lift: Callable[[Tensor], Tensor], inputs: Tensor, padding: tuple[int, int], chunk: int, device: torch.device
) -> Tensor:
    """One output frame per input frame, (T, ...) to (T, ...), the same for every chunk size.

    lift: (T + context, ...) to (T, ...). padding: frames that it looks at before and after. The ends are padded
    with copies of the first and last frame (zeros would be points in the middle of the picture).
    """
    left, right = padding
    padded = torch.cat(
        [inputs[:1].expand(left, *inputs.shape[1:]), inputs, inputs[-1:].expand(right, *inputs.shape[1:])]
    )
    outputs = []
    for start in range(0, len(inputs), chunk):
        window = padded[start : min(start + chunk, len(inputs)) + left + right]
        outputs.append(lift(window.to(device)).cpu())
    return torch.cat(outputs)
