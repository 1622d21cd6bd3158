# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's API as methods that block: for worker threads only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import errors
from .errors import EngineError
from .events import parse
from .footage import Footage
from .protocol import API, Address, Job
from .transfers import Report, Upload, download
from .wire import Wire

NAME = "video-mocap"
#: The service says something on an event stream at least every 5 s.
SILENCE = 12.0


class Client:
    """Calls to one service, each with a time limit. Every method raises EngineError.

    timeout: s for each single wait. shares_files: whether the service runs on this machine and may be given paths.
    client: the id under which leases are renewed and jobs submitted.
    """

    def __init__(
        self, address: Address, timeout: float = 10.0, *, shares_files: bool = False, client: str = ""
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.shares_files = shares_files
        self.client = client
        self._wire = Wire(address)

    def abort(self) -> None:
        """Break off every call, now and from now on (EngineError "closed"). Does not wait."""
        self._wire.abort()

    def status(self) -> dict[str, Any]:
        """What the service is. Raises EngineError "wrong_version" or "not_an_engine" if it is none of ours."""
        status = self._wire.json("GET", "/status", timeout=self.timeout)
        if status.get("name") != NAME:
            raise errors.not_an_engine(self.address.url)
        if status.get("api") != API:
            raise errors.wrong_version(status.get("api"))
        return status

    def renew(self, client: str, name: str) -> float | None:
        """Renew our lease; the seconds within which to do it again, None if the service runs without."""
        lease = self._wire.json("PUT", f"/clients/{quote(client, safe='')}", {"name": name[:300]}, self.timeout)
        return lease.get("lease")

    def release(self, client: str) -> None:
        """Give our lease back."""
        self._wire.json("DELETE", f"/clients/{quote(client, safe='')}", timeout=self.timeout)

    def jobs(self) -> list[Job]:
        """All jobs, newest last."""
        return list(self._wire.json("GET", "/jobs", timeout=self.timeout).get("jobs", []))

    def job(self, job_id: str) -> Job:
        """One job as it is now."""
        return self._wire.json("GET", _path(job_id), timeout=self.timeout)

    def submit(
        self,
        footage: Footage,
        camera: Path | None = None,
        options: dict[str, Any] | None = None,
        label: str = "",
        tag: str = "",
        progress: Report | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Job:
        """Send what has to be sent and make a job of it. progress: bytes sent and bytes in all."""
        submission = Submission(self.shares_files, footage, camera)
        submission.send(self, progress or (lambda _sent, _total: None), cancelled or (lambda: False))
        return submission.create(self, options or {}, label, tag)

    def create(self, footage: dict[str, str], camera: dict[str, str] | None, **what: Any) -> Job:
        """POST /v1/jobs. footage, camera: {"path"} or {"upload"}. what: options, label, tag."""
        body = {"footage": footage, "camera": camera, "client": self.client, **what}
        return self._wire.json("POST", "/jobs", body, self.timeout)

    def upload(self, upload: Upload, report: Report, cancelled: Callable[[], bool]) -> str:
        """Send what is missing of an upload; its id."""
        return upload.send(self._wire, report, cancelled, self.timeout)

    def forget(self, upload: Upload) -> None:
        """Remove an upload that no job will use."""
        upload.forget(self._wire, self.timeout)

    def cancel(self, job_id: str) -> None:
        """Stop a job; it can be resumed."""
        self._wire.json("POST", f"{_path(job_id)}/cancel", timeout=self.timeout)

    def resume(self, job_id: str) -> None:
        """Queue a cancelled or failed job again."""
        self._wire.json("POST", f"{_path(job_id)}/resume", timeout=self.timeout)

    def delete(self, job_id: str) -> None:
        """Stop a job and remove it with its result."""
        self._wire.json("DELETE", _path(job_id), timeout=self.timeout)

    def events(self, job_id: str, after: int = 0) -> Iterator[Job]:
        """The job each time it changed after that revision, the last time in a final state."""
        silence = max(SILENCE, self.timeout)
        path = f"{_path(job_id)}/events?after={after}"
        with self._wire.open("GET", path, None, silence) as stream:
            for event in parse(stream):
                yield json.loads(event.data)

    def result(self, job_id: str, path: Path) -> None:
        """Write the take to `path`, whole or not at all."""
        download(self._wire, f"{_path(job_id)}/result", path, self.timeout)

    def stop(self) -> None:
        """End the service; its jobs go on at its next start."""
        self._wire.json("POST", "/stop", timeout=self.timeout)


class Submission:
    """What a job is made of on its way to the service; goes on after a failure where it stopped.

    by_path: give the service paths where they say it all, instead of sending files.
    """

    def __init__(self, by_path: bool, footage: Footage, camera: Path | None) -> None:
        if not footage.files:
            raise EngineError("file", "There is no footage: choose a file or a folder of images.")
        self._footage = _source(by_path, footage)
        self._camera = None if camera is None else _source(by_path, Footage((camera,)))

    @property
    def sends(self) -> bool:
        """Whether files travel, so that it takes time."""
        return isinstance(self._footage, Upload) or isinstance(self._camera, Upload)

    def send(self, client: Client, report: Report, cancelled: Callable[[], bool]) -> None:
        """Send what is missing. Raises EngineError; call it again to go on."""
        for source in (self._camera, self._footage):
            if isinstance(source, Upload):
                # Only the footage is worth a progress bar.
                client.upload(source, report if source is self._footage else _silent, cancelled)

    def create(self, client: Client, options: dict[str, Any], label: str, tag: str) -> Job:
        """Make the job. Raises EngineError."""
        camera = None if self._camera is None else _named(self._camera)
        return client.create(_named(self._footage), camera, options=options, label=label[:300], tag=tag)

    def forget(self, client: Client) -> None:
        """Remove what was sent. Raises EngineError."""
        for source in (self._camera, self._footage):
            if isinstance(source, Upload):
                client.forget(source)


def _source(by_path: bool, footage: Footage) -> Path | Upload:
    path = footage.path_for_service() if by_path else None
    return Upload(footage.files) if path is None else path.absolute()


def _named(source: Path | Upload) -> dict[str, str]:
    return {"path": str(source)} if isinstance(source, Path) else {"upload": str(source.id)}


def _silent(_sent: int, _total: int) -> None:
    """Nobody looks."""


def _path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"
