# SPDX-License-Identifier: GPL-3.0-or-later
"""The keypoints of a take, read in a thread: drawing asks for them and never waits. No bpy."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...rigging.take import FileFormatError, read_take

#: Seconds after which a take on disk is looked at again; drawing asks many times a second.
_LOOK_AGAIN = 1.0


@dataclass(frozen=True, eq=False)
class Keypoints:
    """What the overlay needs of a take.

    times: (F,) seconds from the first frame of the footage. fps: nominal rate, Hz. image_size: width, height in pixels.
    names: (K,). person_ids: (P,). values: (P, F, K, 3) x, y in pixels, confidence.
    """

    times: np.ndarray
    fps: float
    image_size: tuple[float, float]
    names: tuple[str, ...]
    person_ids: tuple[int, ...]
    values: np.ndarray


def read_keypoints(path: Path) -> Keypoints:
    """The keypoints of a take file. Raises FileFormatError, FileNotFoundError or OSError."""
    take = read_take(path)
    return Keypoints(
        times=take.times,
        fps=take.fps,
        image_size=(float(take.image_size[0]), float(take.image_size[1])),
        names=take.keypoint_names,
        person_ids=tuple(int(person) for person in take.person_ids),
        values=take.keypoints,
    )


class KeypointCache:
    """The keypoints of the take last asked for.

    `get` returns at once with what is known; a thread looks at the file (at most once a second) and reads it again when
    it has another size or time stamp. One take is kept.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: str | None = None
        self._stamp: tuple[int, int] | None = None
        self._keypoints: Keypoints | None = None
        self._looked = -_LOOK_AGAIN
        self._news = False
        self._worker: threading.Thread | None = None

    def get(self, path: str) -> Keypoints | None:
        """The keypoints of the take at `path`, None while they are being read or where they cannot be."""
        with self._lock:
            if path != self._path:
                self._path, self._stamp, self._keypoints, self._looked = path, None, None, -_LOOK_AGAIN
            idle = self._worker is None or not self._worker.is_alive()
            if path and idle and time.monotonic() - self._looked >= _LOOK_AGAIN:
                self._looked = time.monotonic()
                self._worker = threading.Thread(target=self._look, args=(path, self._stamp), daemon=True)
                self._worker.start()
            return self._keypoints

    @property
    def busy(self) -> bool:
        """A thread is looking at a file."""
        worker = self._worker
        return worker is not None and worker.is_alive()

    def take_news(self) -> bool:
        """Something was read, or is gone, since this was asked last."""
        with self._lock:
            news, self._news = self._news, False
            return news

    def clear(self) -> None:
        """Forget everything; a thread that is still reading finds that nobody waits for it."""
        with self._lock:
            self._path, self._stamp, self._keypoints, self._looked = None, None, None, -_LOOK_AGAIN

    def look_again(self) -> None:
        """The file may have changed just now: look at the next `get`."""
        with self._lock:
            self._looked = -_LOOK_AGAIN

    def _look(self, path: str, known: tuple[int, int] | None) -> None:
        stamp, keypoints = known, None
        try:
            found = Path(path).stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != known:
                keypoints = read_keypoints(Path(path))
        except (OSError, FileFormatError, MemoryError):
            # The list of takes says what is wrong with a take; here there is just nothing to draw.
            keypoints = None
            if stamp == known:
                stamp = None
        with self._lock:
            if path == self._path and stamp != known:
                self._stamp, self._keypoints, self._news = stamp, keypoints, True
