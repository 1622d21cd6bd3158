# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that captures: `python -P -m video_mocap.backend.server.worker`.

It reads one JSON object a line from stdin and writes the same to stdout; it ends when stdin ends, so it never
outlives the service. Asked: {"do": "capture", id, source, name, take, camera, options, cache, cache_bytes},
{"do": "cancel", id}. Told: {"say": "ready", device}, {"say": "progress", id, stage, done, total, unit},
{"say": "reused", id, stage}, {"say": "done", id, warnings}, {"say": "failed", id, message}, {"say": "cancelled", id}.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..commands.failures import sentence
from ..errors import Cancelled
from ..progress import Progress, Step

if TYPE_CHECKING:
    from ...rigging.take import Take

#: Seconds between two reports of the same stage.
INTERVAL = 0.05
DISK_FULL = "the disk is full; free some space, then resume the job"


class Channel:
    """The lines to the service. Nobody else may write on its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()

    def say(self, what: str, **more: Any) -> None:
        """One line. If nobody listens any more, the process ends."""
        try:
            with self._lock:
                self._file.write(json.dumps({"say": what, **more}) + "\n")
        except OSError:
            os._exit(0)


class Inbox:
    """Requests in order, and which job is to be stopped. Read by a thread of its own: work never delays a cancel."""

    def __init__(self) -> None:
        self.jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cancelled: set[str] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def is_cancelled(self, identity: str) -> bool:
        """Whether somebody wants it to stop."""
        return identity in self._cancelled

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            request = json.loads(line)
            if request["do"] == "cancel":
                self._cancelled.add(request["id"])
            else:
                self._cancelled.discard(request["id"])
                self.jobs.put(request)
        # The service has gone, however it went; files are written whole or not at all.
        os._exit(0)


def main() -> None:
    """Warm up, then work until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the service's to handle
    channel = Channel(_own_stdout())
    inbox = Inbox()
    channel.say("ready", device=_warm_up())
    while True:
        _handle(inbox.jobs.get(), inbox, channel)


def _own_stdout() -> int:
    """Keep stdout for the channel: what libraries print goes to stderr."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def _warm_up() -> str:
    """Import what every capture needs; returns the device's name. A capture says better what does not work."""
    device = "cpu"
    try:
        import torch

        from .. import pipeline  # noqa: F401
        from ..lifting import table  # noqa: F401

        if torch.cuda.is_available():
            device = f"cuda ({torch.cuda.get_device_name(0)})"
            torch.zeros(1, device="cuda")
        import numpy as np

        from ..detection.base import create_detector

        detector = create_detector("mediapipe", 1)
        detector.detect(np.zeros((64, 64, 3), np.uint8), 0.0)
        detector.close()
    except Exception as error:
        print(f"warming up: {sentence(error)}", file=sys.stderr, flush=True)
    return device


def _handle(request: dict[str, Any], inbox: Inbox, channel: Channel) -> None:
    identity = request["id"]
    try:
        outcome = _capture(request, Reporter(identity, inbox, channel))
    except Cancelled:
        channel.say("cancelled", id=identity)
    except (Exception, KeyboardInterrupt) as error:
        if inbox.is_cancelled(identity):
            channel.say("cancelled", id=identity)
        else:
            channel.say("failed", id=identity, message=DISK_FULL if _is_full(error) else sentence(error))
    else:
        channel.say("done", id=identity, **outcome)


class Reporter:
    """A capture's progress as lines, not more of them than anybody can use."""

    def __init__(self, identity: str, inbox: Inbox, channel: Channel) -> None:
        self._identity, self._inbox, self._channel = identity, inbox, channel
        self._stage, self._last = "", 0.0
        self.progress = Progress(self._report, lambda: inbox.is_cancelled(identity))

    def _report(self, step: Step) -> None:
        now = time.monotonic()
        if step.reused:
            self._channel.say("reused", id=self._identity, stage=step.stage)
        if step.stage == self._stage and step.done != step.total and now - self._last < INTERVAL:
            return
        self._stage, self._last = step.stage, now
        self._channel.say(
            "progress", id=self._identity, stage=step.stage, done=step.done, total=step.total, unit=step.unit
        )


def _capture(request: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    from ...rigging.take import read_take
    from ..pipeline import write_take

    file = Path(request["take"])
    if file.exists():  # finished, and the service was killed before it heard of it
        for stage in ("detection", "lifting", "refinement"):
            reporter.progress.report(Step(stage, 1, 1, "steps", reused=True))
        return _outcome(read_take(file))
    reporter.progress.report(Step("footage", 0, 1, "steps"))
    take = _run(request, reporter.progress)
    # Uploads lie on disk under names of our own; a take knows what it was made from.
    if request["name"] is not None and Path(request["source"]).suffix != ".npz":
        take = replace(take, metadata={**take.metadata, "footage": request["name"]})
    if reporter.progress.cancelled():
        raise Cancelled("the capture was stopped")
    write_take(file, take)
    return _outcome(take)


def _run(request: dict[str, Any], progress: Progress) -> Take:
    """The pipeline with the service's cache."""
    from ..cache import StageCache
    from ..pipeline import CaptureOptions, capture

    options = CaptureOptions(**request["options"], camera=request["camera"])
    cache = StageCache(request["cache"], request["cache_bytes"])
    # Where an upload lies says nothing: the same footage sent again is known by what is in it.
    identity = None if request["name"] is None else _hash(Path(request["source"]), progress)
    return capture(request["source"], options, progress, cache, identity)


def _hash(footage: Path, progress: Progress) -> str:
    """sha256 of a file, or of all files of a sequence with their names, which count its frames."""
    files = sorted(footage.iterdir()) if footage.is_dir() else [footage]
    total = max(1, sum(file.stat().st_size for file in files) // 1_000_000)
    digest, read = hashlib.sha256(), 0
    for path in files:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(4_000_000):
                digest.update(block)
                read += len(block)
                progress.step("footage", min(read // 1_000_000, total), total, "MB")
    return digest.hexdigest()


def _outcome(take: Take) -> dict[str, Any]:
    return {"warnings": [str(text) for text in take.metadata.get("warnings") or []]}


def _is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind a failure, however it was wrapped."""
    full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
    while error is not None:
        if isinstance(error, OSError) and error.errno in full:
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    main()
