# SPDX-License-Identifier: GPL-3.0-or-later
"""The service killed, starved and refused: nothing is lost, nothing is half-written, the next try works."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from video_mocap.backend.server.record import load_record
from video_mocap.rigging.take import read_take

sys.path.insert(0, str(Path(__file__).parent))
from service_process import FINAL, SAMPLE, ServiceProcess, alive, serve_command, serving, short_take, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
#: The stages of a job in their order; None before the first.
ORDER = (None, "footage", "detection", "lifting", "refinement")


# kill -9 of the service, at ten different moments.


class Phoenix:
    """A service on one data folder that is killed and started again, from test to test."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.take = short_take(data.parent)
        self.service = ServiceProcess(data)
        self.ranges = 0

    def kill_and_restart(self, workers: list[int] | None = None) -> ServiceProcess:
        self.service.kill(workers)
        nothing_half_written(self.data)
        self.service = ServiceProcess(self.data)
        return self.service

    def new_range(self, seconds: float = 0.35) -> dict[str, Any]:
        """A range of the sample that no stage has been kept of."""
        self.ranges += 1
        return {"start": 0.1 * self.ranges, "end": 0.1 * self.ranges + seconds}


@pytest.fixture(scope="module")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    phoenix = Phoenix(tmp_path_factory.mktemp("phoenix") / "data")
    yield phoenix
    phoenix.service.kill()


def nothing_half_written(data: Path) -> None:
    """Whatever the service left is whole: every job's record, every take."""
    for folder in (data / "jobs").iterdir():
        if not folder.name.startswith("."):
            load_record((folder / "job.json").read_text(), folder.name)
    for take in data.glob("jobs/*/take.npz"):
        read_take(take)
    json.loads((data / "server.json").read_text())


def result_of(service: ServiceProcess, identity: str, folder: Path) -> bytes:
    """The take of a job that is done, and is a take."""
    done = service.wait(identity)
    assert done["state"] == "done", done["message"]
    status, take, _ = service.raw("GET", f"/v1/jobs/{identity}/result")
    assert status == 200
    (folder / "result.take.npz").write_bytes(take)
    read_take(folder / "result.take.npz")
    return take


def reach(service: ServiceProcess, identity: str, stage: str, done: int = 0) -> dict[str, Any]:
    """The job as soon as it is that far (or further: it may be quick)."""

    def there() -> dict[str, Any] | None:
        job = service.job(identity)
        at, wanted = ORDER.index(job["stage"]), ORDER.index(stage)
        far = at > wanted or (at == wanted and job["done"] >= done) or job["state"] in FINAL
        return job if far else None

    return until(there, 30, every=0.003)


@pytest.mark.parametrize(
    ("stage", "done"),
    [("footage", 0), ("detection", 1), ("detection", 5), ("lifting", 0), ("refinement", 0)],
)
@linux
def test_killed_in_a_stage(phoenix: Phoenix, tmp_path: Path, stage: str, done: int) -> None:
    before = list(ORDER[2 : ORDER.index(stage)])
    for seconds in (0.4, 0.8, 1.6, 2.4):
        phoenix.service.warm()
        workers = phoenix.service.workers()
        job = phoenix.service.submit(**phoenix.new_range(seconds))
        reached = reach(phoenix.service, job["id"], stage, done)
        service = phoenix.kill_and_restart(workers)
        if reached["stage"] != stage or reached["state"] != "running":
            continue
        assert service.job(job["id"])["revision"] > reached["revision"], "whoever follows it sees that it goes on"
        result_of(service, job["id"], tmp_path)
        reused = service.job(job["id"])["reused"]
        assert reused[: len(before)] == before, "what was done is not done again"
        if reused == before:
            return
    pytest.fail(f"{stage} was over before every kill")


@linux
def test_killed_right_after_a_job_was_taken(phoenix: Phoenix, tmp_path: Path) -> None:
    job = phoenix.service.submit(**phoenix.new_range())
    result_of(phoenix.kill_and_restart(), job["id"], tmp_path)


@linux
def test_killed_with_jobs_in_the_queue(phoenix: Phoenix, tmp_path: Path) -> None:
    jobs = [phoenix.service.submit(**phoenix.new_range()), *(phoenix.service.submit(phoenix.take) for _ in range(2))]
    phoenix.service.ask("POST", f"/v1/jobs/{jobs[1]['id']}/cancel")
    service = phoenix.kill_and_restart()
    listed = [job["id"] for job in service.ask("GET", "/v1/jobs")[1]["jobs"]]
    assert listed[-3:] == [job["id"] for job in jobs]
    assert service.job(jobs[1]["id"])["state"] == "cancelled"
    result_of(service, jobs[0]["id"], tmp_path)
    result_of(service, jobs[2]["id"], tmp_path)


@linux
def test_killed_during_an_upload(phoenix: Phoenix, tmp_path: Path) -> None:
    content = phoenix.take.read_bytes()
    asked = {"files": [{"name": "x.take.npz", "size": len(content)}]}
    upload = phoenix.service.ask("POST", "/v1/uploads", asked)[1]
    with socket.create_connection(("127.0.0.1", phoenix.service.port)) as client:
        head = (
            f"PUT /v1/uploads/{upload['id']}/0?offset=0 HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {phoenix.service.token}\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        client.sendall(head.encode() + content[: len(content) // 2])
        service = phoenix.kill_and_restart()
    there = service.ask("GET", f"/v1/uploads/{upload['id']}")[1]["files"][0]["received"]
    assert there <= len(content) // 2
    status, answer = service.ask("PUT", f"/v1/uploads/{upload['id']}/0?offset={there}", content[there:])
    assert (status, answer) == (200, {"received": len(content)})
    status, job = service.ask("POST", "/v1/jobs", {"footage": {"upload": upload["id"]}})
    assert status == 201
    result_of(service, job["id"], tmp_path)


@linux
def test_killed_between_the_upload_and_its_job(phoenix: Phoenix, tmp_path: Path) -> None:
    """The upload is there; and where the kill came before the answer, the same request gives the same job."""
    content = phoenix.take.read_bytes()
    asked = {"files": [{"name": "x.take.npz", "size": len(content)}]}
    upload = phoenix.service.ask("POST", "/v1/uploads", asked)[1]
    phoenix.service.ask("PUT", f"/v1/uploads/{upload['id']}/0?offset=0", content)
    # What a job that did not come to its rename leaves in the upload.
    (phoenix.data / "uploads" / upload["id"] / "job.json").write_text('{"half')
    service = phoenix.kill_and_restart()
    request = {"footage": {"upload": upload["id"]}, "tag": "once"}
    status, job = service.ask("POST", "/v1/jobs", request)
    assert status == 201
    service = phoenix.kill_and_restart()
    assert service.ask("POST", "/v1/jobs", request)[1]["id"] == job["id"]
    result_of(service, job["id"], tmp_path)


@linux
def test_killed_after_the_take_and_before_the_word(phoenix: Phoenix, tmp_path: Path) -> None:
    """The take is on disk; whether the service still noted it or not, it is not captured again."""
    job = phoenix.service.submit(**phoenix.new_range())
    take = phoenix.data / "jobs" / job["id"] / "take.npz"
    until(take.exists, 30, every=0.001)
    service = phoenix.kill_and_restart()
    written = take.read_bytes()
    assert result_of(service, job["id"], tmp_path) == written

    # The same again, for certain on the worse side of that moment.
    record = phoenix.data / "jobs" / job["id"] / "job.json"
    phoenix.service.kill()
    record.write_text(record.read_text().replace('"state": "done"', '"state": "running"'))
    stamp = take.stat().st_mtime_ns
    phoenix.service = service = ServiceProcess(phoenix.data)
    assert service.job(job["id"])["state"] in ("queued", "running", "done")
    assert result_of(service, job["id"], tmp_path) == written
    assert take.stat().st_mtime_ns == stamp
    assert service.job(job["id"])["warnings"], "they are in the take"


@linux
def test_killed_while_the_result_is_fetched(phoenix: Phoenix, tmp_path: Path) -> None:
    job = phoenix.service.submit(phoenix.take)
    whole = result_of(phoenix.service, job["id"], tmp_path)
    connection = phoenix.service.connection()
    connection.request("GET", f"/v1/jobs/{job['id']}/result", headers=phoenix.service.headers())
    answer = connection.getresponse()
    first, etag = answer.read(1000), answer.getheader("etag")
    service = phoenix.kill_and_restart()
    connection.close()
    headers = {**service.headers(), "Range": "bytes=1000-", "If-Range": etag or ""}
    status, rest, _ = service.raw("GET", f"/v1/jobs/{job['id']}/result", headers=headers)
    assert status == 206
    assert first + rest == whole


# The worker.


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_take(tmp_path_factory.mktemp("take"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with serving(tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@linux
def test_a_killed_worker_is_replaced_and_the_job_goes_on(service: ServiceProcess, tmp_path: Path) -> None:
    service.warm()
    (worker,) = service.workers()
    job = service.submit(end=0.8)
    reach(service, job["id"], "detection", 3)
    os.kill(worker, signal.SIGKILL)
    begun_anew = until(lambda: (now := service.job(job["id"]))["stage"] is None and now, every=0.003)
    assert begun_anew["state"] not in FINAL
    result_of(service, job["id"], tmp_path)
    assert service.job(job["id"])["reused"] == []
    assert worker not in service.workers()


@linux
def test_a_job_that_kills_its_worker_fails_and_lets_the_others_live(
    service: ServiceProcess, take: Path, tmp_path: Path
) -> None:
    job = service.submit()
    other = service.submit(take)
    for _ in range(2):
        reach(service, job["id"], "detection", 1)
        worker = service.workers()[0]
        os.kill(worker, signal.SIGKILL)
        until(lambda worker=worker: worker not in service.workers())
        until(lambda: service.job(job["id"])["state"] == "failed" or service.job(job["id"])["stage"] is None)
    failed = service.wait(job["id"])
    assert failed["state"] == "failed"
    assert "memory" in failed["message"]
    result_of(service, other["id"], tmp_path)
    assert service.ask("POST", f"/v1/jobs/{job['id']}/resume")[1]["state"] in ("queued", "running")
    service.ask("DELETE", f"/v1/jobs/{job['id']}")


@linux
def test_a_worker_that_does_not_stop_is_killed(service: ServiceProcess, take: Path, tmp_path: Path) -> None:
    service.warm()
    job = service.submit()
    reach(service, job["id"], "detection", 1)
    os.kill(service.workers()[0], signal.SIGSTOP)
    begun = time.monotonic()
    assert service.ask("POST", f"/v1/jobs/{job['id']}/cancel")[1]["message"] == "stopping"
    assert service.wait(job["id"])["state"] == "cancelled"
    assert 4.5 < time.monotonic() - begun < 7
    result_of(service, service.submit(take)["id"], tmp_path)


# A clean end.


@linux
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stop"])
def test_it_ends_cleanly_within_three_seconds(tmp_path: Path, how: str) -> None:
    with serving(tmp_path / "data") as service:
        service.warm()
        job = service.submit()
        reach(service, job["id"], "detection", 1)
        events = service.events(job["id"])
        next(events)
        stalled = socket.create_connection(("127.0.0.1", service.port))
        stalled.sendall(b"GET /v1/st")
        workers = service.workers()
        begun = time.monotonic()
        if how == "stop":
            assert service.ask("POST", "/v1/stop") == (202, {"stopping": True})
        else:
            service.process.send_signal(getattr(signal, how))
        assert service.process.wait(10) == 0
        assert time.monotonic() - begun < 3
        assert not any(alive(pid) for pid in workers)
        stalled.close()
        assert service.process.stderr is not None
        assert service.process.stderr.read() == ""
        assert not (service.data / "server.json").exists()
        record = load_record((service.data / "jobs" / job["id"] / "job.json").read_text(), job["id"])
        assert record.state == "queued"


def test_it_ends_when_nobody_renews_its_lease(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--lease", "1.5") as service:
        assert service.ask("PUT", "/v1/clients/one", {"name": "Blender"}) == (200, {"lease": 1.5})
        for _ in range(6):
            time.sleep(0.5)
            assert service.ask("PUT", "/v1/clients/two", {})[0] == 200
        assert service.ask("DELETE", "/v1/clients/two")[0] == 204
        begun = time.monotonic()
        assert service.process.wait(10) == 0
        assert 0.5 < time.monotonic() - begun < 5


# What keeps it from beginning.


def refused(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """What it says when it does not begin: one sentence, status 1."""
    done = subprocess.run(
        serve_command(*arguments), capture_output=True, text=True, timeout=30, env={**os.environ, **(environment or {})}
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = refused("--data", str(tmp_path / "data"), "--port", str(other.getsockname()[1]))
    assert "cannot listen on 127.0.0.1 port" in said
    assert not (tmp_path / "data" / "server.json").exists()


def test_a_second_service_on_the_same_folder(service: ServiceProcess) -> None:
    before = (service.data / "server.json").read_text()
    assert "another service works in" in refused("--data", str(service.data))
    assert (service.data / "server.json").read_text() == before
    assert service.ask("GET", "/v1/status")[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_addresses_need_a_word(tmp_path: Path, host: str) -> None:
    assert "--allow-remote" in refused("--data", str(tmp_path / "d"), "--host", host)
    assert not (tmp_path / "d").exists()


def test_a_short_token_is_not_for_other_machines(tmp_path: Path) -> None:
    environment = {"VIDEO_MOCAP_TOKEN": "secret"}
    said = refused("--data", str(tmp_path / "d"), "--host", "0.0.0.0", "--allow-remote", environment=environment)
    assert "token of 16 characters" in said


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    for host in ("192.0.2.1", "no such host"):
        assert host in refused("--data", str(tmp_path / "d"), "--host", host, "--allow-remote")


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    assert "another one with --data" in refused("--data", str(tmp_path / "data"))


@pytest.fixture
def as_nobody() -> list[str]:
    """How to run something that permissions apply to."""
    if not hasattr(os, "geteuid"):
        pytest.skip("POSIX permissions")
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("permissions do not apply to root, and there is no setpriv")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def test_a_folder_without_permission(tmp_path: Path, as_nobody: list[str]) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    command = [*as_nobody, *serve_command("--data", str(tmp_path / "data"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "cannot be used: Permission denied" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# A full disk.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or shutil.which("mount") is None
        or subprocess.run(command, capture_output=True).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    file = folder / "filler"
    with file.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(b"0" * 4096)
        except OSError:
            pass
        out.truncate(max(file.stat().st_size - leave, 0))
    return file


def full_disk(service: ServiceProcess, take: Path, filler: Callable[[], Path], tmp_path: Path) -> None:
    """A job on a disk that fills up fails in a sentence; with room again it goes on; another job can be taken."""
    job = service.submit(take)
    file = filler()
    failed = service.wait(job["id"])
    assert failed["state"] == "failed"
    assert "disk is full" in failed["message"]
    status, body = service.ask("POST", "/v1/uploads", {"files": [{"name": "a.mp4", "size": 5}]})
    assert (status, body["error"]["code"]) == (507, "disk_full")
    status, body = service.ask("POST", "/v1/jobs", {"footage": {"path": str(SAMPLE)}})
    assert (status, body["error"]["code"]) == (507, "disk_full")
    assert list(service.data.glob("jobs/*/take.npz")) == []
    file.unlink()
    assert service.ask("POST", f"/v1/jobs/{job['id']}/resume")[0] == 200
    result_of(service, job["id"], tmp_path)
    assert len(list((service.data / "jobs").iterdir())) == 1


def test_a_disk_that_fills_up(small_disk: Path, take: Path, tmp_path: Path) -> None:
    with serving(small_disk / "data") as service:
        full_disk(service, take, lambda: fill(small_disk), tmp_path)
        assert service.stop() == 0
