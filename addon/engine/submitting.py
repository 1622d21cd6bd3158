# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to a job: files travel if they have to, a cut line is waited for, nothing is submitted twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from . import errors
from .errors import EngineError
from .jobs import JobWatch, Post, persist
from .link import Link
from .messages import CaptureRequest, JobChanged
from .protocol import Job

if TYPE_CHECKING:
    from .client import Client, Submission

#: s between two reports about an upload.
_REPORT = 0.1


def submit(
    identity: str, request: CaptureRequest, cancelled: Callable[[], bool], link: Link, watch: JobWatch, post: Post
) -> None:
    """Make a job of a request and have it followed. identity: what the request is called while it is no job yet.

    For a thread of its own. Raises EngineError.
    """
    from .client import Submission

    upload = _Upload(identity, request, post)
    submission: Submission | None = None
    try:
        upload.report(0, None)
        submission = Submission(link.local is not None, request.footage, request.camera)
        sending = submission
        persist(link, lambda client: sending.send(client, upload.report, cancelled), cancelled)
        _create(submission, request, identity, link, watch, cancelled, upload.end)
    except EngineError as error:
        if submission is not None and submission.sends and error.code != "closed":
            with suppress(EngineError):
                submission.forget(link.wait(0, _never, 0.0)[0])
        raise
    finally:
        upload.end()


def _create(
    submission: Submission,
    request: CaptureRequest,
    identity: str,
    link: Link,
    watch: JobWatch,
    cancelled: Callable[[], bool],
    created: Callable[[], None],
) -> None:
    attempts = 0

    def create(client: Client) -> Job:
        nonlocal attempts
        attempts += 1
        with watch.listing:
            job = watch.lost(client, request.tag) if attempts > 1 else None
            if job is None:
                job = submission.create(client, request.options, request.label, request.tag)
            created()
            watch.created(job, identity, request.take_path)
            return job

    if cancelled():
        raise errors.cancelled()
    job = persist(link, create, _never)
    if cancelled():
        # Pressed while the answer was on its way.
        persist(link, lambda client: client.cancel(job["id"]), _never)


class _Upload:
    """A capture that is no job yet, shown as if it were one."""

    def __init__(self, identity: str, request: CaptureRequest, post: Post) -> None:
        self._post, self._last, self._ended = post, 0.0, False
        files = request.footage.files
        self._job: Job = {
            "id": identity,
            "label": request.label,
            "tag": request.tag,
            "client": "",
            "state": "uploading",
            "stage": "upload",
            "unit": "bytes",
            "rate": None,
            "seconds_left": None,
            "position": 0,
            "message": None,
            "warnings": [],
            "revision": 0,
            "created": None,
            "finished": None,
            "footage": {"name": files[0].name if files else ""},
            "options": dict(request.options),
            "reused": [],
        }
        self._began = time.monotonic()
        self._from: int | None = None

    def report(self, done: int, total: int | None) -> None:
        """So many bytes are there."""
        instant = time.monotonic()
        if instant - self._last < _REPORT and done != total:
            return
        self._last = instant
        if total is not None and self._from is None:
            self._began, self._from = instant, done
        rate = None
        if self._from is not None and instant - self._began > 1.0:
            rate = max(0.0, (done - self._from) / (instant - self._began))
        now: Job = {
            "done": done,
            "total": total,
            "fraction": done / total if total else None,
            "rate": rate,
            "seconds_left": (total - done) / rate if rate and total else None,
        }
        self._post(JobChanged(self._job | now, "upload", self._job["id"]))

    def end(self) -> None:
        """It became a job, or nothing."""
        if not self._ended:
            self._ended = True
            self._post(JobChanged(self._job, "gone", self._job["id"]))


def _never() -> bool:
    return False
