# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's changes as server-sent events: always its latest state, however far behind the reader is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from .jobs import JobQueue
from .record import FINAL, JobRecord

#: At most so many events a second.
MOST_PER_SECOND = 10
#: Seconds between two signs of life.
COMMENT = 5.0


async def job_events(jobs: JobQueue, job: JobRecord, after: int, stopping: asyncio.Event) -> AsyncIterator[str]:
    """Events of `job` from the revision `after` on, until it has ended or is deleted, or the service stops.

    The next state is looked up only when the reader has taken the one before, so a stalled reader costs nothing.
    """
    told = after
    with jobs.watching(job) as changed:
        while not stopping.is_set() and job.id in jobs.store.jobs:
            changed.clear()
            if job.revision != told:
                told = job.revision
                yield f"id: {told}\ndata: {json.dumps(jobs.wire(job))}\n\n"
            if job.state in FINAL:
                if job.revision == told:
                    return
                continue
            try:
                await asyncio.wait_for(changed.wait(), COMMENT)
            except TimeoutError:
                yield ": still here\n\n"
            else:
                await asyncio.sleep(0 if job.state in FINAL else 1 / MOST_PER_SECOND)
