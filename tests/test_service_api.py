# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of a real service on loopback: who may come in, what is taken, jobs from their queue to their result."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from video_mocap.rigging.take import read_take

sys.path.insert(0, str(Path(__file__).parent))
from service_process import SAMPLE, ServiceProcess, serving, short_take, until

DESCRIPTION = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"
ROUTES = [
    (method.upper(), re.sub(r"\{number\}", "0", re.sub(r"\{(id|client)\}", "0" * 32, path)))
    for path, methods in json.loads(DESCRIPTION.read_text("utf-8"))["paths"].items()
    for method in methods
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with serving(tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_take(tmp_path_factory.mktemp("take"))


@pytest.fixture(autouse=True)
def _no_jobs_stay(service: ServiceProcess) -> Iterator[None]:
    yield
    for job in service.ask("GET", "/v1/jobs")[1]["jobs"]:
        service.ask("DELETE", f"/v1/jobs/{job['id']}")
    until(lambda: service.ask("GET", "/v1/status")[1]["jobs"] == {"queued": 0, "running": 0})


def code(answer: tuple[int, dict]) -> tuple[int, str]:
    status, body = answer
    assert "\n" not in body["error"]["message"]
    return status, body["error"]["code"]


# Who may come in.


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[f"{method} {path}" for method, path in ROUTES])
@pytest.mark.parametrize("shown", [None, "Bearer wrong", "Bearer ", "Basic {}", "{}", "bearer {}x", "Bearer {} "])
def test_every_route_wants_the_token(service: ServiceProcess, method: str, path: str, shown: str | None) -> None:
    if shown == "Bearer {} ":
        shown = None  # a space at the end is no part of a header
    headers = {} if shown is None else {"Authorization": shown.format(service.token)}
    status, body, more = service.raw(method, path, headers=headers)
    assert (status, json.loads(body)["error"]["code"]) == (401, "unauthorized")
    assert more["www-authenticate"] == "Bearer"
    assert service.token not in body.decode()


def test_another_version_is_named(service: ServiceProcess) -> None:
    for path in ("/v2/status", "/v0", "/v99999999999999999999/jobs"):
        status, body = service.ask("GET", path)
        assert code((status, body)) == (404, "wrong_version")
        assert "version 1" in body["error"]["message"]


def test_an_unknown_address_and_a_wrong_method(service: ServiceProcess) -> None:
    assert code(service.ask("GET", "/v1/nothing")) == (404, "not_found")
    assert code(service.ask("GET", "/docs")) == (404, "not_found")
    assert code(service.ask("PATCH", "/v1/status")) == (400, "bad_request")


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "evil:80", "", "127.0.0.1@evil"])
def test_only_its_own_address_is_answered(service: ServiceProcess, host: str) -> None:
    status, body, _ = service.raw("GET", "/v1/status", headers={**service.headers(), "Host": host})
    assert (status, json.loads(body)["error"]["code"]) == (403, "forbidden")
    status, _, _ = service.raw("GET", "/v1/status", headers={**service.headers(), "Host": "localhost:1234"})
    assert status == 200


def test_status_and_description(service: ServiceProcess) -> None:
    status, body = service.ask("GET", "/v1/status")
    assert (status, body["name"], body["api"], body["accepts_paths"]) == (200, "video-mocap", 1, True)
    assert {"name": "mediapipe", "licence": "Apache-2.0", "non_commercial": False} in body["detectors"]
    assert body["lifters"][0]["name"] == "default"
    described = service.ask("GET", "/v1/openapi.json")[1]
    assert described["paths"] == json.loads(DESCRIPTION.read_text("utf-8"))["paths"]


# What is taken.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"footage": {"path": 3}}',
        b'{"footage": {}}',
        b'{"footage": {"path": "/a", "upload": "00000000000000000000000000000000"}}',
        b'{"footage": {"path": "relative.mp4"}}',
        b'{"footage": {"path": "/there/is/nothing.mp4"}}',
        b'{"footage": {"path": "/dev/zero"}}',
        b'{"footage": {"path": "/a\\u0000b"}}',
        b'{"footage": {"upload": "../../../../etc/passwd"}}',
        b'{"footage": {"path": "SAMPLE"}, "options": {"quality": "best"}}',
        b'{"footage": {"path": "SAMPLE"}, "options": {"max_persons": 0}}',
        b'{"footage": {"path": "SAMPLE"}, "options": {"start": NaN}}',
        b'{"footage": {"path": "SAMPLE"}, "options": {"start": 2, "end": 1}}',
        b'{"footage": {"path": "SAMPLE"}, "options": {"fov": 50, "focal_length": 900}}',
        b'{"footage": {"path": "SAMPLE"}, "options": {"detector": "os"}}',
        b'{"footage": {"path": "SAMPLE"}, "options": {"lifter": "relative"}}',
        b'{"footage": {"path": "SAMPLE"}, "options": {"bogus": 1}}',
        b'{"footage": {"path": "SAMPLE"}, "camera": {"path": "SAMPLE"}}',
        b'{"footage": {"path": "SAMPLE"}, "label": "\\ud800"}',
        b'{"footage": {"path": "SAMPLE"}, "label": ' + json.dumps("x" * 1000).encode() + b"}",
        b"[" * 100_000,
    ],
)
def test_a_bad_request_is_said_in_one_sentence(service: ServiceProcess, body: bytes) -> None:
    asked = body.replace(b"SAMPLE", str(SAMPLE).encode())
    headers = {**service.headers(), "Content-Type": "application/json"}
    status, text, _ = service.raw("POST", "/v1/jobs", asked, headers)
    assert code((status, json.loads(text))) == (400, "bad_request")
    assert service.ask("GET", "/v1/jobs") == (200, {"jobs": []})


def test_a_body_that_is_too_large(service: ServiceProcess) -> None:
    connection = service.connection()
    connection.putrequest("POST", "/v1/jobs")
    for name, value in {**service.headers(), "Content-Length": str(10**12)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]["code"]) == (413, "too_large")
    connection.close()


@pytest.mark.parametrize("identity", ["0" * 32, "x", "..", "%2e%2e%2f%2e%2e%2ftoken", "..%2ftoken", "a" * 500])
def test_what_is_not_there(service: ServiceProcess, identity: str) -> None:
    for method, path in [("GET", "jobs/{}"), ("GET", "jobs/{}/result"), ("DELETE", "jobs/{}"), ("GET", "uploads/{}")]:
        status, body, _ = service.raw(method, "/v1/" + path.format(identity))
        assert status in (400, 404), path
        assert service.token.encode() not in body


# Jobs.


def test_from_submit_to_result(service: ServiceProcess, tmp_path: Path) -> None:
    service.warm()
    begun = time.monotonic()
    status, job = service.ask(
        "POST",
        "/v1/jobs",
        {"footage": {"path": str(SAMPLE)}, "options": {"end": 0.5}, "label": "Läufer", "tag": "t", "client": "c"},
    )
    assert status == 201
    assert (job["label"], job["tag"], job["client"], job["footage"]) == ("Läufer", "t", "c", {"name": "sample.mp4"})
    seen = []
    first = None
    for event in service.events(job["id"]):
        first = first or (time.monotonic() - begun if event["stage"] else None)
        seen.append(event)
    assert first is not None
    assert first < 1.0, "a warm worker begins at once"
    revisions = [event["revision"] for event in seen]
    assert revisions == sorted(set(revisions))
    stages = [event["stage"] for event in seen if event["stage"]]
    assert sorted(set(stages), key=stages.index)[0] in ("footage", "detection")
    assert "detection" in stages
    fractions = [event["fraction"] for event in seen if event["fraction"] is not None]
    assert fractions == sorted(fractions)
    last = seen[-1]
    assert (last["state"], last["fraction"], last["seconds_left"], last["reused"]) == ("done", 1.0, 0.0, [])
    assert last["finished"] >= last["created"]
    assert any("focal length" in warning for warning in last["warnings"])
    assert list(service.events(job["id"], after=last["revision"])) == []

    status, take, headers = service.raw("GET", f"/v1/jobs/{job['id']}/result")
    assert status == 200
    file = tmp_path / "x.take.npz"
    file.write_bytes(take)
    assert read_take(file).metadata["footage"] == "sample.mp4"
    status, part, ranged = service.raw(
        "GET",
        f"/v1/jobs/{job['id']}/result",
        headers={**service.headers(), "Range": "bytes=100-", "If-Range": headers["etag"]},
    )
    assert (status, part, ranged["etag"]) == (206, take[100:], headers["etag"])

    again = service.submit(end=0.5, smoothing=2.0)
    done = service.wait(again["id"])
    assert done["state"] == "done"
    assert "detection" in done["reused"]


def test_a_take_is_refined_again_and_a_failure_is_a_sentence(
    service: ServiceProcess, take: Path, tmp_path: Path
) -> None:
    done = service.wait(service.submit(take)["id"])
    assert (done["state"], done["message"]) == ("done", None)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 100)
    failed = service.wait(service.submit(broken)["id"])
    assert failed["state"] == "failed"
    assert "broken.mp4" in failed["message"]
    assert "Traceback" not in failed["message"]
    assert code(service.ask("GET", f"/v1/jobs/{failed['id']}/result")) == (409, "conflict")
    assert code(service.ask("POST", f"/v1/jobs/{done['id']}/resume")) == (409, "conflict")
    assert service.ask("POST", f"/v1/jobs/{failed['id']}/resume")[1]["state"] in ("queued", "running")
    assert service.wait(failed["id"])["state"] == "failed"


def test_a_queue_keeps_its_order_and_lets_go(service: ServiceProcess, take: Path) -> None:
    service.warm()
    running = service.submit()
    waiting = [service.submit(take) for _ in range(3)]
    service.wait(running["id"], "running")
    assert [service.job(job["id"])["position"] for job in waiting] == [1, 2, 3]
    assert service.ask("GET", "/v1/status")[1]["jobs"] == {"queued": 3, "running": 1}
    status, cancelled = service.ask("POST", f"/v1/jobs/{waiting[0]['id']}/cancel")
    assert (status, cancelled["state"]) == (200, "cancelled")
    assert [service.job(job["id"])["position"] for job in waiting[1:]] == [1, 2]
    assert service.ask("DELETE", f"/v1/jobs/{waiting[1]['id']}")[0] == 204
    until(lambda: service.job(running["id"])["stage"] == "detection")
    begun = time.monotonic()
    service.ask("POST", f"/v1/jobs/{running['id']}/cancel")
    assert service.wait(running["id"])["state"] == "cancelled"
    assert time.monotonic() - begun < 4, "cancelled without being killed"
    assert service.ask("POST", f"/v1/jobs/{waiting[0]['id']}/resume")[1]["state"] in ("queued", "running")
    assert [service.wait(waiting[n]["id"])["state"] for n in (2, 0)] == ["done", "done"]
    listed = [job["id"] for job in service.ask("GET", "/v1/jobs")[1]["jobs"]]
    assert listed == [running["id"], waiting[0]["id"], waiting[2]["id"]]


def test_a_running_job_that_is_deleted_is_gone_from_the_disk(service: ServiceProcess) -> None:
    job = service.submit()
    service.wait(job["id"], "running")
    events = service.events(job["id"])
    assert next(events)["state"] == "running"
    assert service.ask("DELETE", f"/v1/jobs/{job['id']}")[0] == 204
    assert code(service.ask("GET", f"/v1/jobs/{job['id']}")) == (404, "not_found")
    for _ in events:  # the stream ends
        pass
    until(lambda: not (service.data / "jobs" / job["id"]).exists())


def test_two_clients_follow_the_same_job(service: ServiceProcess, take: Path) -> None:
    job = service.submit(take)
    ends = []
    threads = [
        threading.Thread(target=lambda: ends.append(list(service.events(job["id"]))[-1]["state"])) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ends == ["done", "done"]


# Slow clients.


def answers_quickly(service: ServiceProcess) -> bool:
    begun = time.monotonic()
    assert service.ask("GET", "/v1/status")[0] == 200
    return time.monotonic() - begun < 1.0


def test_clients_that_stall_hold_nobody_up(service: ServiceProcess) -> None:
    job = service.submit()
    head = f"GET /v1/jobs/{job['id']}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.token}\r\n"
    stalled = []
    for sent in [b"", b"GET /v1/sta", head.encode() + b"\r\n"] * 10:
        client = socket.create_connection(("127.0.0.1", service.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        client.sendall(sent)
        stalled.append(client)
    post = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.token}\r\nContent-Length: 100\r\n"
    )
    client = socket.create_connection(("127.0.0.1", service.port))
    client.sendall(post.encode() + b"\r\n{")
    stalled.append(client)
    assert all(answers_quickly(service) for _ in range(5))
    assert service.wait(job["id"], "running")
    half = stalled[1]
    half.settimeout(15)
    assert half.recv(1) == b"", "who does not finish the head of a request is cut off"
    for client in stalled:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert answers_quickly(service)


def test_following_is_limited(service: ServiceProcess) -> None:
    job = service.submit()
    following: list[http.client.HTTPConnection] = []
    try:
        for _ in range(64):
            connection = service.connection()
            connection.request("GET", f"/v1/jobs/{job['id']}/events", headers=service.headers())
            assert connection.getresponse().status == 200
            following.append(connection)
        assert code(service.ask("GET", f"/v1/jobs/{job['id']}/events")) == (429, "too_many")
    finally:
        for connection in following:
            connection.close()
    until(lambda: service.raw("GET", f"/v1/jobs/{'0' * 32}/events")[0] == 404)


def test_the_catalogue_and_lifters_by_name(service: ServiceProcess) -> None:
    listed = {each["name"]: each for each in service.ask("GET", "/v1/models")[1]["models"]}
    assert listed["default"]["here"]
    assert "path" not in listed["default"]
    published = listed["videopose3d-coco17-243"]
    if published["here"]:
        pytest.skip("somebody has fetched these weights on this machine")
    assert (published["here"], published["non_commercial"], published["licence"]) == (False, True, "CC BY-NC 4.0")
    names = [each["name"] for each in service.ask("GET", "/v1/status")[1]["lifters"]]
    assert "videopose3d-coco17-243" not in names
    body = {"footage": {"path": str(SAMPLE)}, "options": {"lifter": "videopose3d-coco17-243"}}
    status, answer = service.ask("POST", "/v1/jobs", body)
    assert (status, answer["error"]["code"]) == (400, "bad_request")
    assert "is not here yet" in answer["error"]["message"]
