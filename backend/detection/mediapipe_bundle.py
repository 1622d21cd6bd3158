# SPDX-License-Identifier: GPL-3.0-or-later
"""The two networks that MediaPipe's wheel carries, and MediaPipe's own chain of them.

The product drives the networks itself (`blazepose`). MediaPipe's pose landmarker for several people is what that is
compared with, in the tests and in `benchmarks/people_found.py`: a `.task` bundle, a stored zip of the person finder and
of the landmark network with metadata that say how to normalise its input, built in memory.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mediapipe
import numpy as np

from ..errors import UserError

FINDER = "modules/pose_detection/pose_detection.tflite"
LANDMARKS = "modules/pose_landmark/pose_landmark_full.tflite"
#: Where `build.py setup` unpacks the networks of mediapipe 0.10.21 on Pythons for which only later wheels exist.
UNPACKED = Path(sys.prefix) / "share" / "video_mocap" / "mediapipe"


def read_networks() -> tuple[bytes, bytes]:
    """The person finder and the landmark network of mediapipe 0.10.21 (Apache-2.0): out of its installed wheel, or
    from where the set-up unpacked them.

    Raises UserError if they are in neither place.
    """
    for root in (Path(mediapipe.__file__).parent, UNPACKED):
        try:
            return (root / FINDER).read_bytes(), (root / LANDMARKS).read_bytes()
        except OSError:
            continue
    version = getattr(mediapipe, "__version__", "of unknown version")
    raise UserError(f"mediapipe {version} does not carry its pose networks; run the set-up again") from None


def weights_hash(networks: tuple[bytes, bytes]) -> str:
    """SHA-256 of both networks, one after the other."""
    return hashlib.sha256(networks[0] + networks[1]).hexdigest()


def build_bundle(networks: tuple[bytes, bytes]) -> bytes:
    """The `.task` bundle of the two networks. The landmark network takes pixels / 255 (mean 0, deviation 255)."""
    finder, landmarks = networks
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr("pose_detector.tflite", finder)
        bundle.writestr("pose_landmarks_detector.tflite", describe(landmarks, mean=0.0, deviation=255.0))
    return file.getvalue()


def describe(network: bytes, mean: float, deviation: float) -> bytes:
    """The TFLite network with metadata that say that it takes a picture with (pixels - mean) / deviation.

    Written through the flatbuffers schemas, which every mediapipe carries; its own writer of metadata needs native code
    that the wheels from 0.10.30 on lack.
    """
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as described
    from mediapipe.tasks.metadata import schema_py_generated as tflite

    unit = described.ProcessUnitT()
    unit.optionsType = described.ProcessUnitOptions.NormalizationOptions
    unit.options = described.NormalizationOptionsT()
    unit.options.mean, unit.options.std = [mean], [deviation]
    picture = described.TensorMetadataT()
    picture.name = "image"
    picture.content = described.ContentT()
    picture.content.contentPropertiesType = described.ContentProperties.ImageProperties
    picture.content.contentProperties = described.ImagePropertiesT()
    picture.content.contentProperties.colorSpace = described.ColorSpaceType.RGB
    picture.processUnits = [unit]
    graph = described.SubGraphMetadataT()
    graph.inputTensorMetadata = [picture]
    metadata = described.ModelMetadataT()
    metadata.subgraphMetadata = [graph]
    metadata.minParserVersion = "1.0.0"
    packed = flatbuffers.Builder(0)
    packed.Finish(metadata.Pack(packed), b"M001")

    model = tflite.ModelT.InitFromObj(tflite.Model.GetRootAsModel(network, 0))
    buffer = tflite.BufferT()
    buffer.data = list(packed.Output())
    entry = tflite.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    whole = flatbuffers.Builder(len(network))
    whole.Finish(model.Pack(whole), b"TFL3")
    return bytes(whole.Output())


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what native code writes to file descriptor 2 nowhere, for as long as the block runs.

    MediaPipe greets with half a dozen lines about its delegates, which no setting of its own turns off.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):  # there may be no stderr at all, as in Blender on Windows
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


class Landmarker:
    """One instance of MediaPipe's landmarker for still pictures: without a memory, so the same picture always gives
    the same people. Not to be used from two threads at once."""

    def __init__(self, bundle: bytes, max_persons: int, threshold: float) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=bundle),
            running_mode=vision.RunningMode.IMAGE,
            num_poses=max_persons,
            min_pose_detection_confidence=threshold,
            min_pose_presence_confidence=threshold,
        )
        self._landmarker: Any = vision.PoseLandmarker.create_from_options(options)
        self(np.zeros((48, 64, 3), np.uint8))  # loads lazily, and says so on stderr

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(M, 33, 4): x, y as fractions of width and height, visibility, presence, of the people in an RGB picture."""
        picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        people = self._landmarker.detect(picture).pose_landmarks
        rows = [[(p.x, p.y, p.visibility, p.presence) for p in person] for person in people]
        return np.array(rows, np.float64).reshape(-1, 33, 4)

    def close(self) -> None:
        """Release the graph."""
        self._landmarker.close()
