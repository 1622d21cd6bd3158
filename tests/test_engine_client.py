# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's client against a real service over good and bad lines, and against servers that are none of ours."""

from __future__ import annotations

import errno
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from video_mocap.addon.engine import Address, Client, EngineError, Footage
from video_mocap.addon.engine.client import Submission
from video_mocap.addon.engine.errors import cannot_write
from video_mocap.addon.engine.events import Event, parse
from video_mocap.addon.engine.transfers import Upload
from video_mocap.backend.footage.images import find_sequence

sys.path.insert(0, str(Path(__file__).parent))
from engine_bench import Proxy, answering, status
from service_process import SAMPLE_TAKE, ServiceProcess


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    process = ServiceProcess(tmp_path_factory.mktemp("client") / "data")
    yield process
    process.stop()


@pytest.fixture(scope="module")
def done(service: ServiceProcess) -> str:
    """A job that is done."""
    job = client_of(service).submit(Footage((SAMPLE_TAKE,)), tag="done")
    service.wait(job["id"], "done", seconds=90)
    return job["id"]


@pytest.fixture
def proxy(service: ServiceProcess) -> Iterator[Proxy]:
    made = Proxy(service.port)
    yield made
    made.close()


def client_of(service: ServiceProcess, port: int | None = None, timeout: float = 10.0, **more: bool) -> Client:
    return Client(Address(f"http://127.0.0.1:{port or service.port}", service.token), timeout, **more)


def failure(client: Client) -> EngineError:
    with pytest.raises(EngineError) as caught:
        client.status()
    assert caught.value.message.endswith(".")
    return caught.value


def test_status_and_lease(service: ServiceProcess) -> None:
    client = client_of(service)
    assert client.status()["api"] == 1
    assert client.renew("abc", "A Blender") is None
    client.release("abc")


def test_wrong_token(service: ServiceProcess) -> None:
    error = failure(Client(Address(f"http://127.0.0.1:{service.port}", "nonsense")))
    assert (error.code, error.message) == (
        "unauthorized",
        "The token is wrong: copy it again from the machine that runs the engine.",
    )
    assert failure(Client(Address(f"http://127.0.0.1:{service.port}", "a\nb"))).code == "unauthorized"
    assert failure(Client(Address(f"http://127.0.0.1:{service.port}", "日本"))).code == "unauthorized"


def test_nobody_listens() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        assert failure(Client(Address(f"http://127.0.0.1:{listener.getsockname()[1]}", "t"))).code == "refused"


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://", "ftp://a", "http://a:99999", "http://[::1", "http://no.invalid"]
)
def test_an_address_that_is_none(url: str) -> None:
    assert failure(Client(Address(url, "t"))).code == "address"


def test_another_version_of_the_protocol() -> None:
    with answering(200, status(api=2)) as port:
        error = failure(Client(Address(f"http://127.0.0.1:{port}", "t")))
    assert error.code == "wrong_version"
    assert error.message.startswith("The capture engine is version 2 of the protocol and this add-on speaks 1: ")
    with answering(404, '{"error": {"code": "wrong_version", "message": "m"}}') as port:
        assert failure(Client(Address(f"http://127.0.0.1:{port}", "t"))).code == "wrong_version"


@pytest.mark.parametrize(
    ("code", "body"), [(200, "<html>"), (200, "[]"), (200, "{}"), (404, "no"), (500, "{}"), (302, "")]
)
def test_somebody_elses_server(code: int, body: str) -> None:
    with answering(code, body) as port:
        assert failure(Client(Address(f"http://127.0.0.1:{port}", "t"))).code == "not_an_engine"


def test_no_http_at_all() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def greet() -> None:
            with listener.accept()[0] as line:
                line.sendall(b"220 mail.example ESMTP\r\n")
                line.recv(1000)

        thread = threading.Thread(target=greet)
        thread.start()
        error = failure(Client(Address(f"http://127.0.0.1:{listener.getsockname()[1]}", "t")))
        thread.join()
    assert error.code == "not_an_engine"


def test_a_service_that_stalls(service: ServiceProcess, proxy: Proxy) -> None:
    proxy.stall.set()
    began = time.monotonic()
    error = failure(client_of(service, proxy.port, timeout=0.3))
    assert error.code == "timeout"
    assert 0.3 <= time.monotonic() - began < 2


def test_abort_ends_calls_in_other_threads(service: ServiceProcess, proxy: Proxy) -> None:
    proxy.stall.set()
    client = client_of(service, proxy.port, timeout=60)
    codes = []
    thread = threading.Thread(target=lambda: codes.append(failure(client).code))
    thread.start()
    while not client._wire._sockets:
        time.sleep(0.01)
    client.abort()
    thread.join(2)
    assert codes == ["closed"]
    assert failure(client).code == "closed"


def test_event_stream() -> None:
    lines = b": hello\n\nid: 7\ndata: {\ndata: }\n\nevent: x\n\nid:8\r\ndata:b\r\n\r\nid: 9\ndata: cut off".splitlines(
        True
    )
    assert list(parse(lines)) == [Event("7", "{\n}"), Event("8", "b")]


def test_events_and_result(service: ServiceProcess, done: str, tmp_path: Path) -> None:
    client = client_of(service)
    assert [job["state"] for job in client.events(done)] == ["done"]
    target = tmp_path / "new folder" / "Täke 1.take.npz"
    client.result(done, target)
    assert target.read_bytes() == service.raw("GET", f"/v1/jobs/{done}/result")[1]
    assert [file.name for file in target.parent.iterdir()] == [target.name]


def test_a_result_that_is_cut_off_leaves_no_file(
    service: ServiceProcess, proxy: Proxy, done: str, tmp_path: Path
) -> None:
    client, target = client_of(service, proxy.port), tmp_path / "x.take.npz"
    target.write_bytes(b"the take of before")
    proxy.cut_down = 20_000
    with pytest.raises(EngineError) as caught:
        client.result(done, target)
    assert (caught.value.code, proxy.cuts) == ("lost", 1)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"the take of before"]
    client.result(done, target)
    assert target.stat().st_size > 20_000


def test_a_full_disk_leaves_no_file(service: ServiceProcess, done: str, tmp_path: Path) -> None:
    client, target = client_of(service), tmp_path / "x.take.npz"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(EngineError) as caught:
            client.result(done, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == "file"
    assert caught.value.message == cannot_write(target, OSError(errno.ENOSPC, "")).message
    assert list(tmp_path.iterdir()) == []
    client.result(done, target)


def test_a_folder_that_cannot_be(service: ServiceProcess, done: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match=r"Cannot write .*x.take.npz") as caught:
        client_of(service).result(done, tmp_path / "file" / "x.take.npz")
    assert caught.value.code == "file"


def test_an_upload_that_is_cut_off_goes_on(service: ServiceProcess, proxy: Proxy, tmp_path: Path) -> None:
    footage = tmp_path / "big.mp4"
    size = 20_000_000
    footage.write_bytes(bytes(range(256)) * (size // 256))
    size = footage.stat().st_size
    client, upload, told = client_of(service, proxy.port), Upload((footage,)), []
    proxy.cut_up = 12_000_000  # in the second chunk
    with pytest.raises(EngineError) as caught:
        client.upload(upload, lambda sent, total: told.append((sent, total)), lambda: False)
    assert caught.value.passing
    identity = upload.id
    before = len(told)
    assert client.upload(upload, lambda sent, total: told.append((sent, total)), lambda: False) == identity
    assert told[before][0] >= 8 * 1024 * 1024, "what had arrived is not sent again"
    assert told[-1] == (size, size)
    assert service.ask("GET", f"/v1/uploads/{identity}")[1]["files"][0]["received"] == size
    client.forget(upload)
    assert service.ask("GET", f"/v1/uploads/{identity}")[0] == 404


def test_an_upload_into_a_line_that_swallows_it(service: ServiceProcess, proxy: Proxy, tmp_path: Path) -> None:
    """Nobody takes the bytes: the kernel's buffers fill up, and that is that."""
    footage = tmp_path / "big.mp4"
    footage.write_bytes(bytes(40_000_000))
    client, upload = client_of(service, proxy.port, timeout=0.5), Upload((footage,))

    def report(sent: int, _: int) -> None:
        if sent > 1_000_000:
            proxy.deaf.set()

    began = time.monotonic()
    with pytest.raises(EngineError) as caught:
        client.upload(upload, report, lambda: False)
    assert caught.value.code == "timeout"
    assert time.monotonic() - began < 10
    proxy.deaf.clear()
    client.forget(upload)


def test_the_images_of_a_sequence_travel_over_one_line(service: ServiceProcess, proxy: Proxy, tmp_path: Path) -> None:
    files = tuple(tmp_path / f"shot_{number:03d}.png" for number in range(40))
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * (1000 + number))
    client, upload, told = client_of(service, proxy.port), Upload(files), []
    client.upload(upload, lambda sent, total: told.append((sent, total)), lambda: False)
    assert [request.split()[0] for request in proxy.requests] == [b"POST", b"PUT"]
    assert told[-1] == (40_780, 40_780)
    state = service.ask("GET", f"/v1/uploads/{upload.id}")[1]["files"]
    assert [file["received"] for file in state] == [file["size"] for file in state] == list(range(1000, 1040))

    files[3].write_bytes(b"rendered anew")
    before = upload.id
    client.upload(upload, lambda *_: None, lambda: False)
    assert upload.id != before
    client.forget(upload)


def test_an_upload_that_is_not_wanted_any_more(service: ServiceProcess, tmp_path: Path) -> None:
    footage = tmp_path / "big.mp4"
    footage.write_bytes(bytes(20_000_000))
    sent = [0]
    with pytest.raises(EngineError) as caught:
        client_of(service).submit(
            Footage((footage,)), progress=lambda done, _: sent.append(done), cancelled=lambda: sent[-1] > 1_000_000
        )
    assert caught.value.code == "cancelled"
    assert sent[-1] < 2_000_000


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "Cannot read .* choose the footage again"), (b"", "is empty")]
)
def test_footage_that_cannot_be_sent(
    service: ServiceProcess, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    footage = tmp_path / "a.mp4"
    if content is not None:
        footage.write_bytes(content)
    with pytest.raises(EngineError, match=sentence) as caught:
        client_of(service).submit(Footage((footage,)))
    assert caught.value.code == "file"


def test_a_refusal_is_the_services_sentence(service: ServiceProcess, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read") as caught:
        client_of(service, shares_files=True).submit(Footage((tmp_path / "none.mp4",)))
    assert caught.value.code == "bad_request"


# Footage


@pytest.fixture
def sequence(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"shot_{number}.png" for number in (8, 9, 10)]
    for file in files:
        file.write_bytes(b"x")
    (tmp_path / "notes.txt").touch()
    return files


def test_footage_is_what_the_service_takes_it_for(sequence: list[Path]) -> None:
    folder = sequence[0].parent
    for chosen in (folder, sequence[1]):
        assert list(Footage.of(chosen).files) == sequence == find_sequence(chosen)
    (folder / "cover.png").touch()
    assert list(Footage.of(folder).files) == find_sequence(folder)
    assert Footage.of(sequence[1]).path_for_service() == sequence[0]
    assert Footage.of(folder).path_for_service() == folder
    assert Footage((folder / "notes.txt",)).path_for_service() == folder / "notes.txt"


def test_a_choice_of_images_is_sent(sequence: list[Path]) -> None:
    """No path says these two and not the third."""
    chosen = Footage((sequence[0], sequence[2]))
    assert chosen.path_for_service() is None
    assert Submission(True, chosen, None).sends
    assert not Submission(True, Footage(tuple(sequence)), None).sends
    assert Submission(False, Footage(tuple(sequence)), None).sends


@pytest.mark.parametrize("name", ["none.mp4", "empty"])
def test_no_footage(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineError) as caught:
        Footage.of(tmp_path / name)
    assert caught.value.code == "file"
