# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads to a real service: in pieces, cut off, continued, wrong in every way."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from service_process import SAMPLE_TAKE, ServiceProcess, serving, short_take, until

CONTENT = SAMPLE_TAKE.read_bytes()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with serving(tmp_path_factory.mktemp("service") / "data", "--max-upload-gb", "0.01") as running:
        yield running


def begin(service: ServiceProcess, *files: tuple[str, int]) -> dict[str, Any]:
    asked = {"files": [{"name": name, "size": size} for name, size in files]}
    status, upload = service.ask("POST", "/v1/uploads", asked)
    assert status == 201, upload
    return upload


def send(service: ServiceProcess, upload: dict[str, Any], piece: bytes, offset: int, number: int = 0) -> tuple:
    return service.ask("PUT", f"/v1/uploads/{upload['id']}/{number}?offset={offset}", piece)


def code(answer: tuple[int, dict]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


def received(service: ServiceProcess, upload: dict[str, Any]) -> list[int]:
    return [file["received"] for file in service.ask("GET", f"/v1/uploads/{upload['id']}")[1]["files"]]


def cut_off(service: ServiceProcess, upload: dict[str, Any], piece: bytes, promised: int, offset: int = 0):
    """A request that promises more than it sends; the open connection."""
    client = socket.create_connection(("127.0.0.1", service.port))
    head = (
        f"PUT /v1/uploads/{upload['id']}/0?offset={offset} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {service.token}\r\nContent-Length: {promised}\r\n\r\n"
    )
    client.sendall(head.encode() + piece)
    return client


def test_an_upload_that_is_cut_off_goes_on_and_becomes_a_job(service: ServiceProcess, tmp_path: Path) -> None:
    content = short_take(tmp_path).read_bytes()
    upload = begin(service, ("../../My Take.take.npz", len(content)))
    assert send(service, upload, content[:1000], 0) == (200, {"received": 1000})
    cut_off(service, upload, content[1000:1500], len(content) - 1000, 1000).close()
    until(lambda: received(service, upload) != [1000])
    there = received(service, upload)[0]
    assert there == 1500
    status, wrong = send(service, upload, content[1000:], 1000)
    assert (status, wrong["error"]["code"], wrong["received"]) == (409, "conflict", there)
    asked = {"footage": {"upload": upload["id"]}, "label": "x"}
    assert code(service.ask("POST", "/v1/jobs", asked)) == (409, "conflict"), "not complete yet"
    assert send(service, upload, content[there:], there) == (200, {"received": len(content)})

    status, job = service.ask("POST", "/v1/jobs", asked)
    assert (status, job["footage"]) == (201, {"name": "My Take.take.npz"})
    status, same = service.ask("POST", "/v1/jobs", asked)
    assert (status, same["id"]) == (201, job["id"]), "the same request again, because its answer was lost"
    assert code(service.ask("POST", "/v1/jobs", {**asked, "label": "y"})) == (404, "not_found")
    assert code(service.ask("GET", f"/v1/uploads/{upload['id']}")) == (404, "not_found")
    kept = [str(path.relative_to(service.data)) for path in service.data.rglob("*.npz")]
    assert f"jobs/{job['id']}/footage/00000000.take.npz" in kept
    assert service.wait(job["id"])["state"] == "done"


def test_a_second_request_takes_over_from_one_that_hangs(service: ServiceProcess) -> None:
    upload = begin(service, ("a.take.npz", len(CONTENT)))
    hanging = cut_off(service, upload, b"", len(CONTENT))
    assert send(service, upload, CONTENT[:5000], 0) == (200, {"received": 5000})
    hanging.sendall(b"x" * 100_000)
    hanging.close()
    assert send(service, upload, CONTENT[5000:], 5000) == (200, {"received": len(CONTENT)})
    stored = service.data / "uploads" / upload["id"] / "footage" / "00000000.take.npz"
    assert stored.read_bytes() == CONTENT


def test_pieces_that_are_too_much(service: ServiceProcess) -> None:
    upload = begin(service, ("a.mp4", 9_000_000))
    assert code(send(service, upload, b"0" * 8_500_000, 0)) == (413, "too_large")
    there = received(service, upload)[0]
    # As much as came in whole writes: anything up to the limit of a piece, as the network cuts it.
    assert there <= 8 * 1024 * 1024 < 8_500_000
    assert send(service, upload, b"0" * (8_500_000 - there), there)[0] == 200
    assert code(send(service, upload, b"0" * 500_001, 8_500_000)) == (413, "too_large")
    assert received(service, upload)[0] <= 9_000_000
    assert code(send(service, upload, b"0", 0, number=1)) == (404, "not_found")
    assert code(send(service, upload, b"0", -1)) == (400, "bad_request")
    assert service.ask("DELETE", f"/v1/uploads/{upload['id']}")[0] == 204
    assert code(send(service, upload, b"0", 0)) == (404, "not_found")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], (400, "bad_request")),
        ([{"name": "a.mp4", "size": 0}], (400, "bad_request")),
        ([{"name": "a.mp4", "size": -5}], (400, "bad_request")),
        ([{"name": "a.sh", "size": 5}], (400, "bad_request")),
        ([{"name": "a.mp4", "size": 5, "path": "/etc"}], (400, "bad_request")),
        ([{"name": "a.mp4", "size": 5}, {"name": "b.mp4", "size": 5}], (400, "bad_request")),
        ([{"name": "a.mp4", "size": 10_000_001}], (413, "too_large")),
        ([{"name": "a.png", "size": 1}] * 20_001, (413, "too_large")),
        ([{"name": "a.mp4", "size": 10**30}], (413, "too_large")),
    ],
)
def test_uploads_that_are_refused(service: ServiceProcess, files: list[dict], expected: tuple[int, str]) -> None:
    assert code(service.ask("POST", "/v1/uploads", {"files": files})) == expected


def test_a_sequence_keeps_its_gaps_and_a_camera_comes_along(service: ServiceProcess) -> None:
    sizes = [("walk_0101.PNG", 3), ("walk_0102.PNG", 3), ("walk_0104.PNG", 3)]
    upload = begin(service, *sizes)
    for number in range(3):
        assert send(service, upload, b"abc", 0, number)[0] == 200
    camera = begin(service, ("x.camera.npz", 4))
    assert send(service, camera, b"none", 0)[0] == 200
    assert code(service.ask("POST", "/v1/jobs", {"footage": {"upload": camera["id"]}})) == (400, "bad_request")
    asked = {"footage": {"upload": upload["id"]}, "camera": {"upload": upload["id"]}}
    assert code(service.ask("POST", "/v1/jobs", asked)) == (400, "bad_request")
    status, job = service.ask("POST", "/v1/jobs", {**asked, "camera": {"upload": camera["id"]}})
    assert status == 201, job
    folder = service.data / "jobs" / job["id"]
    assert sorted(path.name for path in (folder / "footage").iterdir()) == [f"{n:08d}.png" for n in (0, 1, 3)]
    assert (folder / "camera.npz").read_bytes() == b"none"
    assert code(service.ask("GET", f"/v1/uploads/{camera['id']}")) == (404, "not_found")
    failed = service.wait(job["id"])
    assert failed["state"] == "failed"
    assert failed["message"]


def test_the_number_of_uploads_is_limited(service: ServiceProcess) -> None:
    begun = []
    while (answer := service.ask("POST", "/v1/uploads", {"files": [{"name": "a.mp4", "size": 5}]}))[0] == 201:
        begun.append(answer[1]["id"])
        assert len(begun) <= 16
    assert code(answer) == (429, "too_many")
    for identity in begun:
        assert service.ask("DELETE", f"/v1/uploads/{identity}")[0] == 204


def test_a_service_that_others_reach_takes_no_paths(tmp_path: Path) -> None:
    token = {"VIDEO_MOCAP_TOKEN": "a-token-of-my-own-choosing"}
    with serving(tmp_path / "data", "--host", "0.0.0.0", "--allow-remote", environment=token) as open_one:
        assert open_one.token == token["VIDEO_MOCAP_TOKEN"]
        assert not (tmp_path / "data" / "token").exists()
        assert open_one.ask("GET", "/v1/status")[1]["accepts_paths"] is False
        for body in (
            {"footage": {"path": str(SAMPLE_TAKE)}},
            {"footage": {"path": "/nothing"}},
        ):
            assert code(open_one.ask("POST", "/v1/jobs", body)) == (403, "forbidden")
        upload = begin(open_one, ("a.take.npz", len(CONTENT)))
        assert send(open_one, upload, CONTENT, 0)[0] == 200
        body = {"footage": {"upload": upload["id"]}, "options": {"lifter": "/etc/passwd"}}
        assert code(open_one.ask("POST", "/v1/jobs", body)) == (403, "forbidden")
        status, text, _ = open_one.raw("GET", "/v1/status", headers={**open_one.headers(), "Host": "render.lan"})
        assert (status, json.loads(text)["name"]) == (200, "video-mocap")
        assert open_one.stop() == 0
