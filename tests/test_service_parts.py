# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's parts, each for itself: estimates, leases, records, the data folder, names of uploads."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path

import pytest
from video_mocap.backend.errors import UserError
from video_mocap.backend.footage.images import SUFFIXES, sequence_times
from video_mocap.backend.pipeline import QUALITIES, CaptureOptions
from video_mocap.backend.server import uploads
from video_mocap.backend.server.app import create_app
from video_mocap.backend.server.choices import qualities
from video_mocap.backend.server.estimate import Costs, Estimate
from video_mocap.backend.server.failures import ApiError
from video_mocap.backend.server.folder import DataFolder
from video_mocap.backend.server.guard import LOCAL_NAMES, Guard
from video_mocap.backend.server.leases import Leases
from video_mocap.backend.server.limits import Limits
from video_mocap.backend.server.models import Job, Options
from video_mocap.backend.server.record import DamagedRecordError, JobRecord, load_record
from video_mocap.backend.server.run import is_loopback
from video_mocap.backend.server.store import JobStore

DESCRIPTION = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def test_options_are_those_of_the_pipeline() -> None:
    wire = {name: field.default for name, field in Options.model_fields.items()}
    assert wire == {item.name: item.default for item in fields(CaptureOptions) if item.name != "camera"}
    assert tuple(qualities()) == QUALITIES


def test_the_committed_description_is_the_service_s() -> None:
    made = create_app(None, "0").openapi()
    made["info"]["version"] = json.loads(DESCRIPTION.read_text("utf-8"))["info"]["version"]
    assert json.loads(DESCRIPTION.read_text("utf-8")) == made, "run python -m video_mocap.backend.server.describe"


# Estimates.


def run_through(estimate: Estimate, frames: int, per_frame: float, start: float) -> float:
    """Detection of so many frames at that pace; returns the time at its end."""
    for done in range(1, frames + 1):
        start += per_frame
        estimate.report("detection", done, frames, start)
    return start


def test_rate_and_time_left_are_what_was_seen(tmp_path: Path) -> None:
    costs = Costs(tmp_path / "costs.json")
    estimate = Estimate(costs, 0.0)
    estimate.report("footage", 0, 1, 0.0)
    assert estimate.rate(0.0) is None
    assert estimate.seconds_left(0.0) is None
    now = run_through(estimate, 50, 0.2, 5.0)  # five seconds of loading are in no rate
    assert estimate.rate(now) == pytest.approx(5.0, rel=0.05)
    estimate.report("detection", 50, 100, now)
    later = 100 * (costs.seconds["lifting"] + costs.seconds["refinement"])
    assert estimate.seconds_left(now) == pytest.approx(50 / 5 + later, rel=0.05)


def test_a_rate_falls_when_nothing_comes(tmp_path: Path) -> None:
    estimate = Estimate(Costs(tmp_path / "c"), 0.0)
    now = run_through(estimate, 20, 0.1, 0.0)
    assert estimate.rate(now + 10) < 0.3 * estimate.rate(now)  # type: ignore[operator]


def test_the_fraction_never_falls_and_is_not_1_before_the_end(tmp_path: Path) -> None:
    estimate = Estimate(Costs(tmp_path / "c"), 0.0)
    seen = []
    now = 0.0
    for done in range(1, 101):
        now += 0.01 if done < 50 else 0.5  # much slower than it began
        estimate.report("detection", done, 100, now)
        seen.append(estimate.fraction(now))
    estimate.report("lifting", 0, 1, now)
    seen.append(estimate.fraction(now))
    estimate.report("refinement", 2, 2, now + 60)
    seen.append(estimate.fraction(now + 60))
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1] < 1


def test_costs_are_learnt_and_kept_but_not_of_what_was_reused(tmp_path: Path) -> None:
    file = tmp_path / "costs.json"
    costs = Costs(file)
    before = costs.seconds["lifting"]
    estimate = Estimate(costs, 0.0)
    estimate.report("detection", 100, 100, 0.0)
    estimate.report("lifting", 0, 1, 10.0)
    estimate.report("refinement", 0, 1, 10.0 + 1000 * before)
    estimate.finish(100.0, reused=["detection"])
    assert costs.seconds["lifting"] == pytest.approx(0.5 * before + 5 * before)
    assert Costs(file).seconds == costs.seconds
    assert costs.seconds["detection"] == Costs(tmp_path / "none").seconds["detection"]


@pytest.mark.parametrize("text", ["", "[]", '{"detection": "x"}', '{"detection": NaN}', '{"detection": -1.0}'])
def test_damaged_costs_are_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "c").write_text(text)
    assert Costs(tmp_path / "c").seconds == Costs(tmp_path / "none").seconds


# Leases.


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_ends_when_nobody_renews() -> None:
    clock = Clock()
    leases = Leases(5.0, clock)
    for second in range(30):
        clock.now = float(second)
        if second < 20:
            leases.renew("a" if second % 2 else "b")
        assert leases.expired() == (second > 24)


def test_without_a_lease_nothing_ends() -> None:
    clock = Clock()
    leases = Leases(None, clock)
    clock.now = 1e6
    assert not leases.expired()


def test_a_suspended_machine_costs_no_lease() -> None:
    clock = Clock()
    leases = Leases(5.0, clock)
    leases.renew("a")
    clock.now = 3600.0
    assert not leases.expired()


def test_the_number_of_clients_is_limited() -> None:
    leases = Leases(5.0, Clock())
    for number in range(64):
        leases.renew(str(number))
    leases.renew("0")
    with pytest.raises(ApiError, match="64 clients"):
        leases.renew("one more")


# Records and the store.


def test_a_record_survives_its_file() -> None:
    job = JobRecord("ab", "walk.mp4", {"end": 1.0}, source="/a", warnings=["x"], message="m", attempts=1)
    job.touch()
    assert load_record(job.dump(), "ab") == job


def test_a_wire_job_is_a_job() -> None:
    Job(**JobRecord("ab" * 16, "walk.mp4", {}).wire(0))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda text: text.replace('"queued"', '"resting"'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text.replace('"options": {}', '"options": 3'),
        lambda text: text.replace('"warnings": []', '"warnings": "x"'),
        lambda text: text.replace('"id": "ab"', '"id": "cd"'),
        lambda text: text.replace('"source": null', '"source": {}'),
    ],
)
def test_a_damaged_record_is_noticed(damage) -> None:
    with pytest.raises(DamagedRecordError):
        load_record(damage(JobRecord("ab", "walk.mp4", {}).dump()), "ab")


def open_store(root: Path, limits: Limits | None = None) -> JobStore:
    (root / "jobs").mkdir(exist_ok=True)
    return JobStore(root / "jobs", root / "damaged", limits or Limits())


def test_a_damaged_job_is_set_aside_and_the_others_live(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for number in range(3):
        store.create(JobRecord(f"{number:032x}", "a.mp4", {}), None, None)
    (tmp_path / "jobs" / f"{1:032x}" / "job.json").write_text('{"half')
    (tmp_path / "jobs" / f"{2:032x}" / "job.json").unlink()
    (tmp_path / "jobs" / ".new-x").mkdir()
    (tmp_path / "jobs" / "stray file").write_text("?")
    again = open_store(tmp_path)
    assert list(again.jobs) == [f"{0:032x}"]
    assert len(list((tmp_path / "damaged").iterdir())) == 2
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [f"{0:032x}"]


def test_a_running_job_of_a_killed_service_is_queued_again_and_its_leftovers_go(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    job = JobRecord("a" * 32, "a.mp4", {}, state="running")
    store.create(job, None, None)
    (store.folder(job) / ".take.xyz.npz").write_bytes(b"half")
    again = open_store(tmp_path).jobs["a" * 32]
    assert again.state == "queued"
    assert again.revision > job.revision
    assert not (store.folder(job) / ".take.xyz.npz").exists()


def test_the_oldest_finished_jobs_go_first(tmp_path: Path) -> None:
    store = open_store(tmp_path, Limits(finished=2, finished_bytes=1_000_000))
    for number in range(4):
        job = JobRecord(f"{number:032x}", "a", {}, state="done", finished=f"2026-01-0{9 - number}", order=number)
        store.create(job, None, None)
    store.create(JobRecord("f" * 32, "a", {}), None, None)
    store.prune()
    assert set(store.jobs) == {f"{0:032x}", f"{1:032x}", "f" * 32}
    (store.folder(store.jobs[f"{1:032x}"]) / "take.npz").write_bytes(b"0" * 2_000_000)
    store.prune()
    assert set(store.jobs) == {f"{0:032x}", "f" * 32}


def test_a_job_that_cannot_be_written_leaves_the_upload_as_it_was(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    uploaded = tmp_path / "upload"
    (uploaded / "footage").mkdir(parents=True)
    with pytest.raises(OSError, match="No such file"):
        store.create(JobRecord("a" * 32, "a", {}), tmp_path / "no camera", uploaded)
    assert uploaded.exists()
    assert store.jobs == {}


# The data folder.


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_token_is_private_and_kept(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    token = folder.token()
    folder.announce({"token": token})
    assert {mode(folder.root / name) for name in ("token", "server.json")} == {0o600}
    assert mode(folder.root) == 0o700
    (folder.root / "token").chmod(0o644)
    assert folder.token() == token
    assert mode(folder.root / "token") == 0o600
    folder.close()
    assert not (folder.root / "server.json").exists()


def test_one_service_a_folder(tmp_path: Path) -> None:
    first = DataFolder(tmp_path)
    with pytest.raises(UserError, match="another service works in"):
        DataFolder(tmp_path)
    first.close()
    DataFolder(tmp_path).close()


@pytest.mark.parametrize("text", ["", "two words", "schlüssel", "a\nb"])
def test_a_token_that_no_header_can_carry_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("VIDEO_MOCAP_TOKEN", text)
    folder = DataFolder(tmp_path)
    with pytest.raises(UserError, match="VIDEO_MOCAP_TOKEN"):
        folder.token()
    folder.close()


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("localhost.example.com", False),
    ],
)
def test_which_addresses_are_this_machine_s(host: str, local: bool) -> None:
    assert is_loopback(host) == local


# The guard's clock.


def through_guard(application, receive=None, send=None) -> list[str]:
    """What became of a POST with a valid token: types of what was sent, or "aborted"."""
    seen: list[str] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/jobs",
        "headers": [(b"host", b"localhost"), (b"authorization", b"Bearer t")],
        "state": {"abort": lambda: seen.append("aborted")},
    }

    async def whole() -> dict:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def take(message: dict) -> None:
        seen.append(message["type"])

    guard = Guard(application, "t", LOCAL_NAMES, Limits(send_seconds=0.05, body_seconds=0.05))
    asyncio.run(asyncio.wait_for(guard(scope, receive or whole, send or take), 5))  # type: ignore[arg-type]
    return seen


async def answering(_: dict, receive, send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x"})


async def never(*_: object) -> dict:
    await asyncio.Event().wait()
    return {}


def test_the_guard_lets_through() -> None:
    assert through_guard(answering) == ["http.response.start", "http.response.body"]


def test_a_client_that_never_takes_its_answer_is_cut_off() -> None:
    assert through_guard(answering, send=never) == ["aborted"]


def test_a_client_that_never_ends_its_body_is_cut_off() -> None:
    async def drops() -> dict:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    assert through_guard(answering, receive=never) == ["aborted"]
    assert through_guard(answering, receive=drops) == ["aborted"]


def test_what_breaks_in_a_route_is_a_sentence_or_the_end() -> None:
    async def breaks(_: dict, receive, send) -> None:  # noqa: ARG001
        raise RuntimeError("secret detail")

    async def breaks_late(scope: dict, receive, send) -> None:
        await answering(scope, receive, send)
        raise RuntimeError

    assert through_guard(breaks) == ["http.response.start", "http.response.body"]
    assert through_guard(breaks_late)[-1] == "aborted"


# Names of uploads.


def stored(*names: str) -> list[str]:
    return [file.stored for file in uploads.expected_files([(name, 1) for name in names])]


def test_images_are_those_of_the_footage_stage() -> None:
    assert uploads.IMAGES == SUFFIXES


@pytest.mark.parametrize("name", ["../../etc/x.mp4", "/etc/passwd.mp4", "C:\\x\\y.MP4", "a\0b.mp4", "...mp4.mp4"])
def test_a_client_s_name_never_reaches_the_disk(name: str) -> None:
    assert stored(name) == ["00000000.mp4"]


@pytest.mark.parametrize("name", ["x", "x.exe", "x.mp4.sh", ".mp4", "x.npz", "x.mp4/", "job.json", "x.take.npz.py"])
def test_what_is_no_footage_is_refused(name: str) -> None:
    with pytest.raises(ApiError, match="no kind of footage"):
        stored(name)


def test_only_images_come_in_numbers() -> None:
    with pytest.raises(ApiError, match="images of a sequence"):
        stored("a.mp4", "b.mp4")


@pytest.mark.parametrize(
    "names",
    [
        ("f_0010.png", "f_0011.png", "f_0014.png"),
        ("b.png", "a.png"),
        ("x9.png", "x10.png"),
        ("1.png", "900.png"),
        ("take2_a.png", "take2_b.png"),
        ("9999999999999999999998.png", "9999999999999999999999.png"),
    ],
)
def test_a_sequence_keeps_its_order_and_its_gaps(names: tuple[str, ...]) -> None:
    renamed = stored(*names)
    assert renamed == sorted(renamed)
    if not any(len(name) > 20 for name in names):
        assert sequence_times([Path(name) for name in renamed], 24) == sequence_times([Path(n) for n in names], 24)


# A piece of an upload that arrives late.


def test_bytes_that_a_dead_request_still_brought_are_gone_on_from(tmp_path: Path) -> None:
    """The client asked how much is there, then the last bytes of the cut connection were written."""
    kept = uploads.Uploads(tmp_path, Limits())
    upload = kept.create([("a.mp4", 10)])
    upload.path(0).write_bytes(b"0123")

    async def late() -> AsyncIterator[bytes]:
        upload.path(0).write_bytes(b"012345")
        yield b"456789"

    with pytest.raises(ApiError) as caught:
        asyncio.run(kept.write(upload, 0, 4, late()))
    assert caught.value.extra == {"received": 6}
    assert upload.path(0).read_bytes() == b"012345"
