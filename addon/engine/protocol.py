# SPDX-License-Identifier: GPL-3.0-or-later
"""What both sides of the wire agree on, as far as this side needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: The version of the service's HTTP interface that this add-on speaks.
API = 1

#: States after which a job does not change by itself.
FINAL = frozenset({"done", "failed", "cancelled"})

#: A job as the service gives it.
Job = dict[str, Any]


@dataclass(frozen=True)
class Address:
    """Where a service listens and what it wants to hear first.

    url: `http://HOST:PORT`, https too; a path before /v1 is kept (a service behind a proxy).
    """

    url: str
    token: str = field(repr=False)


def is_final(job: Job) -> bool:
    """Whether the job has ended, well or not."""
    return job.get("state") in FINAL
