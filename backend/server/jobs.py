# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue: which job runs, what the worker says of it, who wants to know. Lives on the event loop's thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Any

from .estimate import Costs, Estimate
from .failures import ApiError
from .limits import Limits
from .record import FINAL, JobRecord, now
from .store import JobStore
from .worker_process import WorkerProcess

log = logging.getLogger("video_mocap.server")
#: A job at which the worker died so often is not tried again by itself.
MOST_ATTEMPTS = 2
#: Starts of the worker that fail one after the other until jobs are told so.
MOST_STARTS = 3


class JobQueue:
    """Runs the store's jobs one after the other in a worker process.

    device: what the worker computes on, None until it is warm. cache: the folder for stages that are kept.
    """

    def __init__(self, store: JobStore, limits: Limits, root: Path, cache: Path) -> None:
        self.store, self._limits, self._cache = store, limits, cache
        self.device: str | None = None
        self.running: JobRecord | None = None
        self._worker = WorkerProcess(root / "worker.log", self._heard, self._worker_ended)
        self._ready = self._closing = False
        self._failed_starts = 0
        self._costs = Costs(root / "costs.json")
        self._estimate = Estimate(self._costs, 0.0)
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the worker, so that it is warm when the first job comes."""
        self._spawn(self._start_worker(0.0))
        self._spawn(self._tick())

    async def close(self) -> None:
        """Stop; the running job goes back into the queue and goes on at the next start."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        if (job := self.running) is not None:
            self.running = None
            job.state = "cancelled" if job.stopping else "queued"
            self._changed(job, save=True)
        await self._worker.close()
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.set()

    # What clients ask for.

    def add(self, job: JobRecord, camera: Path | None, uploaded: Path | None) -> None:
        """Take a new job. Raises ApiError, OSError."""
        self.check_room()
        self.store.create(job, camera, uploaded)
        self._next()

    def check_room(self) -> None:
        """Raises ApiError if so many jobs wait that no more are taken."""
        if len(self.waiting()) >= self._limits.queued:
            raise ApiError(
                "too_many", f"{self._limits.queued} jobs wait already; cancel one, or wait for one to finish"
            )

    def cancel(self, job: JobRecord) -> None:
        """Stop it, or take it out of the queue. A job that has ended stays as it is."""
        if job is self.running:
            if not job.stopping:
                job.stopping = True
                job.message = "stopping"
                self._worker.send({"do": "cancel", "id": job.id})
                asyncio.get_running_loop().call_later(self._limits.cancel_seconds, self._lose_patience, job)
                self._changed(job)
        elif job.state == "queued":
            self._end(job, "cancelled", None)

    def resume(self, job: JobRecord) -> None:
        """Put a failed or cancelled job back into the queue. Raises ApiError if it is done."""
        if job.state == "done":
            raise ApiError("conflict", "this job is done; there is nothing to go on with")
        if job.state in FINAL:
            self.check_room()
            job.state, job.message, job.finished, job.attempts = "queued", None, None, 0
            job.order = time.time()
            job.forget_progress()
            self._changed(job, save=True)
            self._next()

    def delete(self, job: JobRecord) -> None:
        """Remove it with everything it has on disk; if it runs, as soon as it has stopped."""
        if job is self.running:
            self.cancel(job)
            self.store.forget(job)
        else:
            self.store.remove(job)
        self._positions_changed()
        self._wake(job)

    def waiting(self) -> list[JobRecord]:
        """Queued jobs, the next one first."""
        return sorted((job for job in self.store.jobs.values() if job.state == "queued"), key=lambda job: job.order)

    def wire(self, job: JobRecord) -> dict[str, Any]:
        """The job as clients see it."""
        ahead = 0
        if job.state == "queued":
            ahead = self.waiting().index(job) + (self.running is not None)
        return job.wire(ahead)

    @contextlib.contextmanager
    def watching(self, job: JobRecord):
        """An event that is set whenever the job changes."""
        event = asyncio.Event()
        watchers = self._watchers.setdefault(job.id, set())
        watchers.add(event)
        try:
            yield event
        finally:
            watchers.discard(event)
            if not watchers:
                self._watchers.pop(job.id, None)

    # What the worker says.

    def _heard(self, message: dict[str, Any]) -> None:
        if message["say"] == "ready":
            self.device, self._ready, self._failed_starts = message["device"], True, 0
            self._next()
            return
        job = self.running
        if job is None or message.get("id") != job.id:
            return
        if message["say"] == "progress":
            job.stage, job.done, job.total, job.unit = (message[key] for key in ("stage", "done", "total", "unit"))
            self._estimate.report(message["stage"], message["done"], message["total"], time.monotonic())
            self._measure(job)
        elif message["say"] == "reused":
            job.reused = [*(stage for stage in job.reused if stage != message["stage"]), message["stage"]]
            self._changed(job)
        elif message["say"] == "done":
            job.warnings = message["warnings"]
            self._estimate.finish(time.monotonic(), job.reused)
            job.fraction, job.seconds_left = 1.0, 0.0
            self._end(job, "done", None)
        elif message["say"] == "failed":
            self._end(job, "failed", message["message"])
        else:
            self._end(job, "cancelled", None)

    def _worker_ended(self, how: str) -> None:
        was_ready, self._ready = self._ready, False
        if self._closing:
            return
        if not was_ready:
            self._failed_starts += 1
        job = self.running
        if job is not None and (job.stopping or job.deleted):
            self._end(job, "cancelled", None)
        elif job is not None:
            log.warning("the worker ended (%s) at job %s", how, job.id)
            job.attempts += 1
            if job.attempts < MOST_ATTEMPTS:
                self.running = None
                job.state = "queued"
                job.forget_progress()
                self._changed(job, save=True)
            else:
                self._end(
                    job,
                    "failed",
                    f"the capture's process died twice ({how}), which is mostly for want of memory; a shorter stretch "
                    "or smaller footage needs less",
                )
        self._spawn(self._start_worker(min(2.0**self._failed_starts - 1, 30.0)))

    async def _start_worker(self, after: float) -> None:
        if self._failed_starts >= MOST_STARTS:
            words = self._worker.last_words()
            for job in self.waiting():
                self._end(job, "failed", f"the capture's process does not start: {words or 'it says no reason'}")
        await asyncio.sleep(after)
        try:
            await self._worker.start()
        except OSError as error:
            log.warning("the worker cannot be started: %s", error)
            self._worker_ended(error.strerror or "no process")

    # The queue.

    def _next(self) -> None:
        if self._closing or not self._ready or self.running is not None:
            return
        job = next(iter(self.waiting()), None)
        if job is None:
            return
        job.state, job.message, job.reused = "running", None, []
        job.forget_progress()
        self.running = job
        self._estimate = Estimate(self._costs, time.monotonic())
        try:
            request = self._request(job)
        except OSError:
            self._end(job, "failed", "the footage of this job is gone from the service's data folder")
            return
        self._worker.send(request)
        self._changed(job, save=True)
        self._positions_changed()

    def _request(self, job: JobRecord) -> dict[str, Any]:
        footage = self.store.footage(job)
        uploaded = job.source is None and not footage.name.endswith(".npz")
        return {
            "do": "capture",
            "id": job.id,
            "source": str(footage),
            "name": job.name if uploaded else None,
            "take": str(self.store.take(job)),
            "camera": str(self.store.camera(job)) if job.camera else None,
            "options": job.options,
            "cache": str(self._cache),
            "cache_bytes": self._limits.cache_bytes,
        }

    def _end(self, job: JobRecord, state: str, message: str | None) -> None:
        if self.running is job:
            self.running = None
        job.state, job.message, job.finished = state, message, now()
        job.rate, job.stopping = None, False
        if state != "done":
            job.seconds_left = job.fraction = None
        if job.deleted:
            self.store.remove(job)
            self._wake(job)
        else:
            self._changed(job, save=True)
            self.store.prune()
        self._positions_changed()
        self._next()

    def _lose_patience(self, job: JobRecord) -> None:
        if self.running is job and job.stopping:
            log.info("job %s does not stop; its process is killed", job.id)
            self._worker.kill()

    def _positions_changed(self) -> None:
        for job in self.waiting():
            self._changed(job)

    def _changed(self, job: JobRecord, save: bool = False) -> None:
        job.touch()
        if save:
            self.store.save(job)
        self._wake(job)

    def _wake(self, job: JobRecord) -> None:
        for watcher in self._watchers.get(job.id, ()):
            watcher.set()

    def _measure(self, job: JobRecord) -> None:
        instant = time.monotonic()
        job.rate = self._estimate.rate(instant)
        job.seconds_left = self._estimate.seconds_left(instant)
        job.fraction = self._estimate.fraction(instant)
        self._changed(job)

    async def _tick(self) -> None:
        """Time goes on also where the worker reports nothing."""
        while True:
            await asyncio.sleep(1.0)
            if self.running is not None and self.running.stage is not None:
                self._measure(self.running)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
