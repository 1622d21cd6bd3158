# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of a service: following those that live, fetching the takes of those that are wanted here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from . import errors
from .errors import EngineError
from .link import Link
from .messages import Failed, JobChanged, JobsListed, Message, ResultReady
from .protocol import Job, is_final

if TYPE_CHECKING:
    from .client import Client

#: s before something is tried again over a connection that works but for it: the first, the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0

Result = TypeVar("Result")
Post = Callable[[Message], None]
#: Runs a function with its arguments in a thread of that name.
Spawn = Callable[..., None]


def persist(link: Link, action: Callable[[Client], Result], cancelled: Callable[[], bool]) -> Result:
    """Do something over whatever connection there is, again after each cut. Raises EngineError when that cannot help.

    "cancelled" comes while waiting only: `action` sees to itself.
    """
    epoch, pause = 0, FIRST_PAUSE
    while True:
        client, epoch = link.wait(epoch, cancelled)
        try:
            return action(client)
        except EngineError as error:
            # The link breaks off the calls of a connection that it gives up.
            if not error.passing and (error.code != "closed" or link.closing.is_set()):
                raise
        link.suspect(epoch)
        link.closing.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


class JobWatch:
    """What is known here about jobs. Any thread may call it; what takes long happens in threads of its own."""

    def __init__(self, link: Link, post: Post, spawn: Spawn, client_id: str) -> None:
        self._link, self._post, self._spawn, self._id = link, post, spawn, client_id
        self._lock = threading.Lock()
        #: Held while the service's list changes through us, so that no list tells of the time before.
        self.listing = threading.Lock()
        self._told: dict[str, tuple[int, str]] = {}
        self._followed: set[str] = set()
        self._ours: dict[str, str] = {}
        #: Where takes are to go, and where they went or could not go.
        self._wanted: dict[str, Path] = {}
        self._paths: dict[str, Path] = {}

    def list_jobs(self, client: Client) -> None:
        """Tell about all jobs; follow those that live, fetch what is wanted. Raises EngineError."""
        with self.listing:
            jobs = client.jobs()
            with self._lock:
                for job in jobs:
                    self._told[job["id"]] = _mark(job)
            self._post(JobsListed(tuple(jobs)))
        for job in jobs:
            self._attend(job)

    def lost(self, client: Client, tag: str) -> Job | None:
        """A job of ours that the service made, though its answer never came. Raises EngineError."""
        for job in client.jobs():
            if job["client"] == self._id and job["tag"] == tag and job["id"] not in self._ours:
                return job
        return None

    def created(self, job: Job, request: str, path: Path | None) -> None:
        """A job that was made here. Called with `listing` held."""
        with self._lock:
            self._ours[job["id"]] = request
            if path is not None:
                self._wanted[job["id"]] = self._paths[job["id"]] = path
        self._tell(job, "created")
        self._attend(job)

    def look(self, client: Client, job_id: str) -> None:
        """Tell how a job is now, and go on following it if it lives. Raises EngineError."""
        job = client.job(job_id)
        self._tell(job)
        self._attend(job)

    def collect(self, client: Client, job_id: str, path: Path | None) -> None:
        """Fetch the take when it is done. Raises EngineError."""
        with self._lock:
            path = path or self._paths.get(job_id)
            if path is None:
                raise EngineError("file", "Nobody said where the take goes: choose a file for it.")
            self._wanted[job_id] = self._paths[job_id] = path
        self.look(client, job_id)

    def discard(self, client: Client, job_id: str) -> None:
        """Remove a job. Raises EngineError."""
        with self.listing:
            with self._lock:
                self._wanted.pop(job_id, None)
            client.delete(job_id)
            self.gone(job_id)

    def gone(self, job_id: str) -> None:
        """There is no such job any more."""
        with self._lock:
            known = self._told.pop(job_id, None)
            self._wanted.pop(job_id, None)
        if known is not None:
            self._post(JobChanged({"id": job_id}, "gone", self._ours.get(job_id)))

    def _attend(self, job: Job) -> None:
        """See to it that a job is followed, or its take fetched."""
        job_id = job["id"]
        if is_final(job):
            self._ended(job)
            return
        with self._lock:
            if job_id in self._followed:
                return
            self._followed.add(job_id)
        self._spawn("job", self._follow, job_id)

    def _follow(self, job_id: str) -> None:
        """A thread: tell how the job goes until it has ended."""
        job: Job | None = None
        try:
            job = persist(self._link, lambda client: self._follow_patiently(client, job_id), _never)
        except EngineError as error:
            if error.code == "not_found":
                self.gone(job_id)
            # Otherwise the connection is given up, which was told; the next one lists the jobs again.
        finally:
            with self._lock:
                self._followed.discard(job_id)
        if job is not None:
            self._ended(job)

    def _follow_patiently(self, client: Client, job_id: str) -> Job:
        while True:
            try:
                return self._follow_once(client, job_id)
            except EngineError as error:
                # So many streams at once the service does not give; this job has its turn later.
                if error.code != "too_many" or self._link.closing.wait(LONGEST_PAUSE):
                    raise

    def _follow_once(self, client: Client, job_id: str) -> Job:
        for job in client.events(job_id, self._told.get(job_id, (0, ""))[0]):
            self._tell(job)
            if is_final(job):
                return job
        # The stream ends early when the job is deleted or the service stops.
        job = client.job(job_id)
        self._tell(job)
        if not is_final(job):
            raise errors.lost(client.address.url)
        return job

    def _ended(self, job: Job) -> None:
        job_id = job["id"]
        with self._lock:
            path = self._wanted.pop(job_id, None) if job["state"] == "done" else None
        if path is not None:
            self._spawn("take", self._fetch, job_id, path)

    def _fetch(self, job_id: str, path: Path) -> None:
        """A thread: bring the take here, whole or not at all."""
        try:
            persist(self._link, lambda client: client.result(job_id, path), _never)
        except EngineError as error:
            if error.code == "closed":
                return
            with self._lock:
                # Nothing is wrong with the take: if only the connection was given up, the next one fetches it.
                if error.code != "file" and job_id not in self._wanted:
                    self._wanted[job_id] = path
            if error is not self._link.failure:
                self._post(Failed(error.message, job_id))
        else:
            self._post(ResultReady(job_id, path))

    def _tell(self, job: Job, kind: str = "changed") -> None:
        job_id = job["id"]
        with self._lock:
            mark = _mark(job)
            before = self._told.get(job_id)
            if before == mark and kind == "changed":
                return
            self._told[job_id] = mark
            request = self._ours.get(job_id)
            if is_final(job):
                kind = "final"
            # Inside the lock: two threads never tell an older state after a newer one.
            self._post(JobChanged(job, kind, request))  # type: ignore[arg-type]
            concerns_us = job["client"] == self._id or job_id in self._paths
        if concerns_us and job["state"] == "failed" and before is not None and before[1] != "failed":
            self._post(Failed(job.get("message") or "The capture failed: look into the service's log.", job_id))


def _mark(job: Job) -> tuple[int, str]:
    return int(job.get("revision", 0)), str(job.get("state"))


def _never() -> bool:
    return False
