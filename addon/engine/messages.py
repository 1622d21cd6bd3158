# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into an `Engine` and the messages that come out of it, for the main thread to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .footage import Footage
from .protocol import Address, Job


@dataclass(frozen=True)
class Configuration:
    """Which service an `Engine` talks to.

    mode: "local" finds or starts the service of this machine, "remote" only talks to `address`.
    python: the capture environment's interpreter; data: the service's folder (both only for "local").
    client_name: what other users of the service read as our name.
    timeout: s that any one answer may take.
    """

    mode: Literal["local", "remote"]
    python: Path
    data: Path
    address: Address | None = None
    client_name: str = "Blender"
    timeout: float = 10.0


@dataclass(frozen=True)
class CaptureRequest:
    """One capture.

    take_path: where the take goes, whole or not at all; None leaves it with the service until `Engine.collect`.
    camera: a `.camera.npz`. options: CaptureOptions of the pipeline as plain values, without the camera.
    tag: anything short that tells the add-on later whose job this is; it comes back in every job.
    """

    footage: Footage
    take_path: Path | None = None
    camera: Path | None = None
    options: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Connected:
    """The service answers. Comes again after every reconnection and restart. status: GET /v1/status."""

    status: dict[str, Any]


@dataclass(frozen=True)
class Disconnected:
    """The service does not answer. retrying: whether we go on trying by ourselves; else `connect()` tries again."""

    sentence: str
    retrying: bool = False


@dataclass(frozen=True)
class JobsListed:
    """Everything that the service has, newest last; after every connection and `refresh()`."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class JobChanged:
    """A job as it is now.

    kind: "upload" (not yet a job of the service: `job` has its keys, state "uploading", the id that `capture()`
    returned and the same tag), "created", "changed", "final" (done, failed or cancelled) or "gone" (take it out of
    the list: an upload that became a job or ended, or a job that was deleted).
    request: the id that `capture()` returned, for jobs of this Engine.
    """

    job: Job
    kind: Literal["upload", "created", "changed", "final", "gone"]
    request: str | None = None


@dataclass(frozen=True)
class ResultReady:
    """The take lies at `path`, whole. Once per job and path."""

    job_id: str
    path: Path


@dataclass(frozen=True)
class Failed:
    """Something that the user asked for did not work. job_id: the job's or request's id, if it was about one."""

    sentence: str
    job_id: str | None = None


Message = Connected | Disconnected | JobsListed | JobChanged | ResultReady | Failed
