# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as the add-on uses it, with a real service: captures arrive whatever happens on the way."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from video_mocap.addon.engine import (
    Address,
    CaptureRequest,
    Configuration,
    Connected,
    Disconnected,
    Failed,
    Footage,
    JobChanged,
    JobsListed,
    ResultReady,
    errors,
    link,
)
from video_mocap.addon.engine.client import Client
from video_mocap.addon.engine.engine import Engine
from video_mocap.addon.engine.processes import kill
from video_mocap.rigging.take import read_take

sys.path.insert(0, str(Path(__file__).parent))
from engine_bench import Listener, Proxy, engine, our_threads, processes_of, until
from service_process import SAMPLE, SAMPLE_TAKE, ServiceProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    process = ServiceProcess(tmp_path_factory.mktemp("engine") / "data")
    process.warm()
    yield process
    process.stop()


@pytest.fixture
def proxy(service: ServiceProcess) -> Iterator[Proxy]:
    made = Proxy(service.port)
    yield made
    made.close()


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "service"
    yield folder
    for pid in processes_of(folder):
        kill(pid)


def remote(service: ServiceProcess, port: int | None = None, token: str = "", timeout: float = 10.0) -> Configuration:
    address = Address(f"http://127.0.0.1:{port or service.port}", token or service.token)
    return Configuration("remote", Path(), Path(), address, timeout=timeout)


def relift(path: Path | None, tag: str = "t") -> CaptureRequest:
    """The quickest of captures: nothing is detected."""
    return CaptureRequest(Footage((SAMPLE_TAKE,)), path, label="Sample", tag=tag)


def big_file(folder: Path, size: int = 30_000_000) -> Footage:
    """Something to upload that is no video."""
    file = folder / "big.mp4"
    with file.open("wb") as output:
        output.truncate(size)
    return Footage((file,))


def test_a_capture_on_another_machine(service: ServiceProcess, tmp_path: Path) -> None:
    path = tmp_path / "takes" / "Sample.take.npz"
    with engine(remote(service)) as blender:
        request = blender.engine.capture(relift(path, "mine"))
        ready = blender.wait(ResultReady)
        assert ready.path == path
        assert len(read_take(path).person_ids) == 1
        changes = blender.of(JobChanged)
        kinds = [change.kind for change in changes]
        assert kinds[0] == "upload"
        assert set(kinds[: kinds.index("created")]) == {"upload", "gone"}
        assert kinds.count("created") == kinds.count("final") == kinds.count("gone") == 1
        assert {change.request for change in changes} == {request}
        assert {change.job["tag"] for change in changes} == {"mine"}
        stages = [change.job["stage"] for change in changes if change.job["state"] == "running"]
        assert "refinement" in stages
        assert changes[-1].job["state"] == "done"

        blender.engine.discard(ready.job_id)
        blender.wait(JobChanged, kind="gone")
        assert service.ask("GET", f"/v1/jobs/{ready.job_id}")[0] == 404
        assert path.exists()
        assert len(blender.of(ResultReady)) == 1


def test_killed_in_mid_job_the_take_still_arrives(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "take.npz"
    with engine(Configuration("local", Path(sys.executable), data)) as blender:
        request = CaptureRequest(Footage((SAMPLE,)), path, options={"end": 1.0, "quality": "draft"})
        blender.engine.capture(request)
        until(lambda: [change for change in blender.of(JobChanged) if change.job.get("stage") == "detection"], 60)
        service = [pid for pid in processes_of(data) if b"\0serve\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        kill(service[0])
        ready = blender.wait(ResultReady, seconds=120)
        assert ready.path == path
        assert read_take(path).joints.shape[1] > 10
        assert not blender.of(Failed)
        assert not blender.of(Disconnected)
        assert len({change.job["id"] for change in blender.of(JobChanged) if change.kind == "created"}) == 1
        blender.engine.close(stop_backend=True)
        until(lambda: not processes_of(data), 1)
    assert our_threads() == []


def test_an_upload_that_is_cut_off_goes_on(service: ServiceProcess, proxy: Proxy, tmp_path: Path) -> None:
    footage = big_file(tmp_path)
    with engine(remote(service, proxy.port)) as blender:
        proxy.cut_up = 20_000_000
        blender.engine.capture(CaptureRequest(footage, tmp_path / "x.take.npz"))
        # It is no video, so the job fails; what matters here is that it became one.
        final = blender.wait(JobChanged, kind="final")
        assert proxy.cuts == 1
        assert proxy.sent_up < 45_000_000
        assert final.job["state"] == "failed"
        failed = blender.wait(Failed)
        assert (failed.job_id, failed.sentence) == (final.job["id"], final.job["message"])
        blender.engine.discard(final.job["id"])
        blender.wait(JobChanged, kind="gone")


def test_the_failures_of_others_are_theirs(service: ServiceProcess, tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no video")
    request = CaptureRequest(Footage((tmp_path / "no.mp4",)), tmp_path / "x.take.npz")
    with engine(remote(service)) as ours, engine(remote(service)) as theirs:
        for blender in (ours, theirs):
            blender.engine.connect()
            blender.wait(JobsListed)
        theirs.engine.capture(request)
        job_id = theirs.wait(Failed).job_id
        ours.engine.refresh()
        assert [job["state"] for job in ours.wait(JobsListed).jobs if job["id"] == job_id] == ["failed"]
        assert not ours.of(Failed)


def test_a_job_whose_answer_was_lost_is_not_made_twice(service: ServiceProcess, proxy: Proxy, tmp_path: Path) -> None:
    before = len(service.ask("GET", "/v1/jobs")[1]["jobs"])
    with engine(remote(service, proxy.port)) as blender:
        blender.engine.connect()
        blender.wait(JobsListed)
        proxy.eat_answer = b"POST /v1/jobs"
        blender.engine.capture(relift(tmp_path / "x.take.npz", "once"))
        blender.wait(ResultReady)
        assert proxy.cuts == 1
    assert len(service.ask("GET", "/v1/jobs")[1]["jobs"]) == before + 1


def test_a_result_that_is_cut_off_is_fetched_again(service: ServiceProcess, proxy: Proxy, tmp_path: Path) -> None:
    path = tmp_path / "x.take.npz"
    with engine(remote(service, proxy.port)) as blender:
        proxy.cut_down = 30_000
        blender.engine.capture(relift(path))
        ready = blender.wait(ResultReady)
        assert proxy.cuts == 1
        assert path.read_bytes() == service.raw("GET", f"/v1/jobs/{ready.job_id}/result")[1]
        assert list(tmp_path.iterdir()) == [path]


def test_a_take_that_cannot_be_written_is_collected_later(service: ServiceProcess, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x.take.npz"
    with engine(remote(service)) as blender:
        blender.engine.capture(relift(path))
        failed = blender.wait(Failed)
        assert "need not be captured again" in failed.sentence
        assert failed.job_id is not None
        revision = service.job(failed.job_id)["revision"]

        blender.engine.collect(failed.job_id)
        assert blender.wait(Failed).job_id == failed.job_id
        (tmp_path / "file").unlink()
        blender.engine.collect(failed.job_id)
        assert blender.wait(ResultReady).path == path
        assert read_take(path).fps > 0
        blender.engine.collect(failed.job_id, tmp_path / "other.take.npz")
        assert blender.wait(ResultReady).path == tmp_path / "other.take.npz"
    assert service.job(failed.job_id)["revision"] == revision, "nothing was captured again"


def test_what_went_on_without_blender_is_listed_and_collected(service: ServiceProcess, tmp_path: Path) -> None:
    with engine(remote(service)) as before:
        before.engine.capture(relift(None, "yesterday"))
        job = before.wait(JobChanged, kind="created").job
    with engine(remote(service)) as after:
        after.engine.connect()
        listed = after.wait(JobsListed)
        assert [known["tag"] for known in listed.jobs if known["id"] == job["id"]] == ["yesterday"]
        after.engine.collect(job["id"], tmp_path / "x.take.npz")
        assert after.wait(ResultReady).job_id == job["id"]
        after.engine.refresh()
        assert after.wait(JobsListed).jobs[-1]["state"] == "done"
        assert len(after.of(ResultReady)) == 1


def test_cancel_and_resume(service: ServiceProcess, tmp_path: Path) -> None:
    with engine(remote(service)) as blender:
        blender.engine.capture(relift(tmp_path / "x.take.npz"))
        job = blender.wait(JobChanged, kind="created").job
        blender.engine.cancel(job["id"])
        assert blender.wait(JobChanged, kind="final").job["state"] == "cancelled"
        blender.engine.resume(job["id"])
        assert blender.wait(JobChanged, kind="final").job["state"] == "done"
        blender.wait(ResultReady)


def test_cancel_while_uploading(service: ServiceProcess, tmp_path: Path) -> None:
    with engine(remote(service)) as blender:
        blender.engine.connect()
        blender.wait(JobsListed)
        jobs = service.ask("GET", "/v1/jobs")
        request = blender.engine.capture(CaptureRequest(big_file(tmp_path, 500_000_000), tmp_path / "x.take.npz"))
        until(lambda: [change for change in blender.of(JobChanged) if change.job["done"]])
        blender.engine.cancel(request)
        assert blender.wait(JobChanged, kind="gone").job["id"] == request
        assert not blender.of(Failed)
    assert service.ask("GET", "/v1/jobs") == jobs
    until(lambda: not list((service.data / "uploads").iterdir()))


def test_the_network_goes_and_comes(service: ServiceProcess, proxy: Proxy, tmp_path: Path) -> None:
    with engine(remote(service, proxy.port)) as blender:
        blender.engine.connect()
        blender.wait(JobsListed)
        proxy.down()
        blender.engine.refresh()
        told = blender.wait(Disconnected)
        assert told.retrying
        blender.engine.capture(relift(tmp_path / "x.take.npz"))
        proxy.up()
        blender.wait(Connected)
        blender.wait(ResultReady)
        assert len(blender.of(Disconnected)) == 1


def test_a_wrong_token_is_told_and_not_tried_again(service: ServiceProcess, tmp_path: Path) -> None:
    with engine(remote(service, token="wrong")) as blender:
        request = blender.engine.capture(relift(tmp_path / "x.take.npz"))
        failed = blender.wait(Failed, seconds=5)
        assert failed.sentence == "The token is wrong: copy it again from the machine that runs the engine."
        assert failed.job_id == request
        told = blender.of(Disconnected)
        assert [(each.sentence, each.retrying) for each in told] == [(failed.sentence, False)]
        assert [change.kind for change in blender.of(JobChanged)] == ["upload", "gone"]


def test_a_stalled_service_never_blocks_the_caller(service: ServiceProcess, proxy: Proxy, tmp_path: Path) -> None:
    made = Engine(remote(service, proxy.port, timeout=1.0))
    blender = Listener(made)
    made.connect()
    blender.wait(JobsListed)
    proxy.stall.set()
    slowest = 0.0
    for _ in range(5):
        for call in (
            made.connect,
            made.refresh,
            lambda: made.capture(relift(tmp_path / "x.take.npz")),
            lambda: made.cancel("0" * 32),
            lambda: made.resume("0" * 32),
            lambda: made.discard("0" * 32),
            lambda: made.collect("0" * 32, tmp_path / "y.take.npz"),
        ):
            began = time.perf_counter()
            call()
            slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 0.5  # a call that waited for the service would have taken its timeout of a second
    told = blender.wait(Disconnected, seconds=15)
    assert "does not answer in time" in told.sentence
    assert told.retrying
    began = time.monotonic()
    made.close()
    assert time.monotonic() - began < 3  # 2 s, and what a busy machine adds
    until(lambda: not our_threads(), 2)
    assert list(tmp_path.iterdir()) == []


def test_after_closing_nothing_happens(service: ServiceProcess, tmp_path: Path) -> None:
    with engine(remote(service)) as blender:
        pass
    blender.engine.connect()
    blender.engine.capture(relift(tmp_path / "x.take.npz"))
    blender.engine.cancel("x")
    blender.engine.refresh()
    blender.engine.close()
    assert our_threads() == []
    assert blender.drain() == []


def test_no_thread_is_left_over(service: ServiceProcess) -> None:
    before = threading.active_count()
    for _ in range(20):
        with engine(remote(service)) as blender:
            blender.engine.connect()
            blender.wait(Connected, seconds=10)
        assert our_threads() == []
    assert threading.active_count() <= before


def test_the_lease_is_renewed_and_given_back(
    service: ServiceProcess, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "RENEWAL", 0.1)
    with engine(remote(service, proxy.port)) as blender:
        blender.engine.connect()
        blender.wait(JobsListed)
        until(lambda: sum(request.startswith(b"PUT /v1/clients/") for request in proxy.requests) > 3)
    # Not "the last one": each line has its own thread in the proxy.
    assert any(request.startswith(b"DELETE /v1/clients/") for request in proxy.requests)


def test_the_lease_is_given_back_when_closing_breaks_a_renewal_off(
    service: ServiceProcess, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "RENEWAL", 0.05)
    renewing = threading.Event()
    with engine(remote(service, proxy.port)) as blender:

        def stuck(*_: object) -> None:
            renewing.set()
            blender.engine._link.closing.wait(10)
            raise errors.closed()

        blender.engine.connect()
        blender.wait(JobsListed)
        monkeypatch.setattr(Client, "renew", stuck)
        assert renewing.wait(10)
    assert any(request.startswith(b"DELETE /v1/clients/") for request in proxy.requests)
