# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as the service keeps it, in memory and in job.json."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

STATES = ("queued", "running", "done", "failed", "cancelled")
FINAL = ("done", "failed", "cancelled")
#: How far a job is; known only while it runs, not worth a place on disk.
_FLEETING = ("stage", "done", "total", "unit", "rate", "seconds_left", "fraction", "stopping")


class DamagedRecordError(ValueError):
    """What stands in a job.json is no job."""


@dataclass
class JobRecord:
    """One job. Its wire form is `models.Job`; here is what clients do not see.

    source: absolute path of the footage, or None if it lies in the job's folder. name: of the footage, for people.
    order: place in the queue, seconds since 1970. upload: the upload it was made from. asked: the request, to know it
    again. attempts: how often the worker died at it. deleted: to be removed as soon as the worker lets go of it.
    stopping: somebody pressed cancel.
    """

    id: str
    name: str
    options: dict[str, Any]
    source: str | None = None
    camera: bool = False
    label: str = ""
    tag: str = ""
    client: str = ""
    state: str = "queued"
    message: str | None = None
    warnings: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    created: str = field(default_factory=lambda: now())
    finished: str | None = None
    revision: int = 0
    order: float = field(default_factory=time.time)
    upload: str | None = None
    asked: str = ""
    attempts: int = 0
    deleted: bool = False
    stage: str | None = None
    done: int = 0
    total: int | None = None
    unit: str = "frames"
    rate: float | None = None
    seconds_left: float | None = None
    fraction: float | None = None
    stopping: bool = False

    def touch(self) -> None:
        """A new revision: larger than any before, also than those that a killed service no longer knows."""
        self.revision = max(self.revision + 1, time.time_ns() // 1_000_000)

    def forget_progress(self) -> None:
        """As if it had not begun."""
        self.stage, self.done, self.total, self.unit = None, 0, None, "frames"
        self.rate = self.seconds_left = self.fraction = None
        self.stopping = False

    def wire(self, position: int) -> dict[str, Any]:
        """The job as clients see it, JSON-able. position: jobs ahead of it."""
        hidden = {"name", "source", "camera", "order", "upload", "asked", "attempts", "deleted", "stopping"}
        shown = {item.name: getattr(self, item.name) for item in fields(self) if item.name not in hidden}
        return {**shown, "position": position, "footage": {"name": self.name}}

    def dump(self) -> str:
        """The text of job.json."""
        kept = {name: value for name, value in asdict(self).items() if name not in _FLEETING}
        return json.dumps({"format": "video-mocap job", "version": 1, **kept}, indent=1)


def load_record(text: str, identity: str) -> JobRecord:
    """The job of a job.json in the folder called `identity`. Raises DamagedRecordError."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise DamagedRecordError(f"it is no JSON ({error})") from None
    if not isinstance(data, dict) or data.get("format") != "video-mocap job" or data.get("version") != 1:
        raise DamagedRecordError("it is no job of this version")
    known = {item.name for item in fields(JobRecord)} - set(_FLEETING)
    try:
        record = JobRecord(**{name: value for name, value in data.items() if name in known})
    except TypeError as error:
        raise DamagedRecordError(f"it is not whole ({error})") from None
    _check(record, identity)
    return record


def _check(record: JobRecord, identity: str) -> None:
    blank = JobRecord("", "", {})
    for item in fields(JobRecord):
        value, example = getattr(record, item.name), getattr(blank, item.name)
        fits = isinstance(value, type(example)) or (isinstance(example, float) and isinstance(value, int))
        if example is not None and not fits:
            raise DamagedRecordError(f"its {item.name} is {type(value).__name__}")
        if example is None and not isinstance(value, str | int | float | None):
            raise DamagedRecordError(f"its {item.name} is {type(value).__name__}")
    if record.id != identity or record.state not in STATES:
        raise DamagedRecordError("it belongs to another job, or its state is unknown")


def now() -> str:
    """ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
