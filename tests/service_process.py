# SPDX-License-Identifier: GPL-3.0-or-later
"""A real `video-mocap serve` and the simplest client of it, for the tests of the service."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from video_mocap.backend.pipeline import write_take
from video_mocap.rigging.take import read_take

FINAL = ("done", "failed", "cancelled")
SAMPLE = Path(__file__).resolve().parents[1] / "sample" / "sample.mp4"
#: With 2D and 3D in it: nothing has to be detected.
SAMPLE_TAKE = SAMPLE.with_name("sample_truth.take.npz")


def short_take(folder: Path, frames: int = 20) -> Path:
    """The first frames of `SAMPLE_TAKE` in a folder: what is quickest to capture."""
    take = read_take(SAMPLE_TAKE)
    cut = {name: getattr(take, name)[:, :frames] for name in ("joints", "joints_confidence", "keypoints", "contacts")}
    path = folder / "short.take.npz"
    write_take(path, replace(take, times=take.times[:frames], **cut))
    return path


def serve_command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "video_mocap.backend.cli", "serve", *arguments]


def until(happened: Callable[[], Any], seconds: float = 20.0, every: float = 0.02) -> Any:
    """What `happened` returns once it is true. Fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every)
    return found


class ServiceProcess:
    """A service on loopback, started at once and ready."""

    def __init__(self, data: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.process = subprocess.Popen(
            serve_command("--data", str(data), "--json", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        self.ready = json.loads(line)
        self.port: int = self.ready["port"]
        self.token: str = json.loads((data / "server.json").read_text())["token"]

    def connection(self, timeout: float = 10.0) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers (lower case) of an answer; `headers` replace the usual ones."""
        connection = self.connection()
        try:
            connection.request(method, path, body, self.headers() if headers is None else headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer; `body`: JSON, or bytes as they are."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = {} if isinstance(body, bytes | None) else {"Content-Type": "application/json"}
        status, text, _ = self.raw(method, path, data, {**self.headers(), **kind})
        return status, json.loads(text) if text else None

    def submit(self, path: Path = SAMPLE, **options: Any) -> dict[str, Any]:
        status, job = self.ask("POST", "/v1/jobs", {"footage": {"path": str(path)}, "options": options})
        assert status == 201, job
        return job

    def job(self, identity: str) -> dict[str, Any]:
        status, job = self.ask("GET", f"/v1/jobs/{identity}")
        assert status == 200, job
        return job

    def wait(self, identity: str, *states: str, seconds: float = 40.0) -> dict[str, Any]:
        """The job once it is in one of `states` (any final one without)."""
        wanted = states or FINAL
        return until(lambda: (job := self.job(identity))["state"] in wanted and job, seconds)

    def warm(self) -> None:
        """Wait for the worker."""
        until(lambda: self.ask("GET", "/v1/status")[1]["device"])

    def events(self, identity: str, after: int = 0) -> Iterator[dict[str, Any]]:
        """Events until their stream ends."""
        connection = self.connection(timeout=20)
        try:
            connection.request("GET", f"/v1/jobs/{identity}/events?after={after}", headers=self.headers())
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            assert answer.getheader("content-type", "").startswith("text/event-stream")
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """Process ids of its children."""
        asked = ["ps", "-o", "pid=", "--ppid", str(self.process.pid)]
        return [int(word) for word in subprocess.run(asked, capture_output=True, text=True).stdout.split()]

    def kill(self, workers: list[int] | None = None) -> None:
        """kill -9, and its workers gone too. workers: if they are known, no time goes by until the kill."""
        workers = self.workers() if workers is None else workers
        self.process.kill()
        self.process.wait(10)
        self._close_pipes()
        until(lambda: not any(alive(pid) for pid in workers), 5)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(10)
        self._close_pipes()
        return status

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def alive(pid: int) -> bool:
    """Whether a process runs (one that is dead and not yet waited for does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def serving(data: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[ServiceProcess]:
    """A service for the time of a block."""
    service = ServiceProcess(data, *arguments, environment=environment)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.process.kill()
            service.process.wait(10)
        service._close_pipes()
