# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes from disk, read in a thread: panels ask for them and never wait. No bpy."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..rigging.people import joint_confidence
from ..rigging.take import FileFormatError, Take, read_take
from .take_report import TakeReport, take_report

#: Takes kept in memory; a long one has some 20 MB.
_MOST = 3


@dataclass(frozen=True)
class Loaded:
    """A take as read, or the sentence that says why it cannot be.

    mean: (P, J) confidence 0..1 of each joint of each person, over the frames that show them. report: how good it is.
    """

    take: Take | None
    mean: np.ndarray
    problem: str | None = None
    report: TakeReport | None = None

    def row(self, person_id: int) -> int | None:
        """The row of a person in the take's arrays; None if the take has no such person."""
        ids = [int(number) for number in self.take.person_ids] if self.take is not None else []
        return ids.index(person_id) if person_id in ids else None


def load(path: Path) -> Loaded:
    """Read a take; never raises."""
    try:
        take = read_take(path)
    except FileNotFoundError:
        return Loaded(None, np.zeros((0, 0)), f"{path} is not there any more")
    except (FileFormatError, OSError, MemoryError) as error:
        return Loaded(None, np.zeros((0, 0)), " ".join(str(error).split()) or "the take does not fit into memory")
    return loaded(take)


def loaded(take: Take) -> Loaded:
    """What the panels show of a take."""
    people = [list(joint_confidence(take, int(person)).values()) for person in take.person_ids]
    mean = np.array(people).reshape(len(people), len(take.joint_names))
    return Loaded(take, mean, report=take_report(take))


class TakeFiles:
    """The takes that were asked for last."""

    def __init__(self) -> None:
        """Nothing is read before somebody asks."""
        self._loaded: OrderedDict[Path, Loaded] = OrderedDict()
        self._asked: dict[Path, object] = {}
        self._lock = threading.Lock()

    def get(self, path: Path) -> Loaded | None:
        """The take, or None while it is being read."""
        with self._lock:
            if path in self._loaded:
                self._loaded.move_to_end(path)
                return self._loaded[path]
            if path in self._asked:
                return None
            asked = self._asked[path] = object()
        threading.Thread(target=self._read, args=(path, asked), name="video_mocap take", daemon=True).start()
        return None

    def keep(self, path: Path, take: Loaded) -> None:
        """Show a take that was read already."""
        with self._lock:
            self._asked.pop(path, None)
            self._loaded[path] = take
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._loaded) > _MOST:
            self._loaded.popitem(last=False)

    @property
    def reading(self) -> bool:
        """Whether something that was asked for is still on its way."""
        return bool(self._asked)

    def forget(self, path: Path | None = None) -> None:
        """Read a take (None: every one) again when it is asked for next."""
        with self._lock:
            for known in [path] if path is not None else list(self._loaded):
                self._loaded.pop(known, None)
            for asked in [path] if path is not None else list(self._asked):
                self._asked.pop(asked, None)

    def _read(self, path: Path, asked: object) -> None:
        found = load(path)
        with self._lock:
            # Not what was forgotten meanwhile: the file is another one now.
            if self._asked.get(path) is asked:
                del self._asked[path]
                self._loaded[path] = found
                self._drop_oldest()
