# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of weights: fetched from a server on loopback that misbehaves in every way, or from a folder."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from video_mocap.backend import cli
from video_mocap.backend.catalogue import download as download_module
from video_mocap.backend.catalogue.download import Wanted, download
from video_mocap.backend.catalogue.entries import Entry, read_catalogue
from video_mocap.backend.catalogue.fetch import fetch
from video_mocap.backend.catalogue.store import FOLDER_VARIABLE, is_here, read_receipt
from video_mocap.backend.errors import Cancelled, UserError
from video_mocap.backend.files import locked
from video_mocap.backend.progress import Progress, Step
from video_mocap.rigging.take import read_take

sys.path.insert(0, str(Path(__file__).parent))
from lifters import mmpose, random_model

CONTENT = np.random.default_rng(4).bytes(1_000_000)
TRUTH = Path(__file__).resolve().parents[1] / "sample" / "sample_truth.take.npz"
Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next behaviour, the last one again and again."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:  # noqa: N802, as the server calls it
        asked = self.server.asked
        asked.append(self.headers.get("Range"))
        script = self.server.script
        script[min(len(asked), len(script)) - 1](self)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def start(self) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(found[1]) if found else 0

    def give(self, status: int, body: bytes, sent: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body[:sent])


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Behaviour] = [well]
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/x.bin"


def well(handler: Handler) -> None:
    start = handler.start()
    if handler.headers.get("If-Range") not in (None, '"one"'):
        start = 0
    if start >= len(CONTENT):
        handler.give(416, b"", Content_Range=f"bytes */{len(CONTENT)}")
    elif start:
        content_range = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        handler.give(206, CONTENT[start:], Content_Range=content_range, ETag='"one"')
    else:
        handler.give(200, CONTENT, ETag='"one"')


def breaking_off_after(count: int) -> Behaviour:
    def behave(handler: Handler) -> None:
        start = handler.start()
        headers = {"ETag": '"one"'} | ({"Content_Range": f"bytes {start}-999999/1000000"} if start else {})
        handler.give(206 if start else 200, CONTENT[start:], count, **headers)

    return behave


def ignoring_ranges(handler: Handler) -> None:
    handler.give(200, CONTENT)


def answering(status: int) -> Behaviour:
    return lambda handler: handler.give(status, b"no")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr(download_module, "_PAUSE", 0.0)
    return tmp_path / "models"


def entry_at(server: Server, **more: object) -> Entry:
    entry = Entry(
        "x", "detector", "", "x.bin", server.url, "nobody", 1, "CC0-1.0", "", sha256=hashlib.sha256(CONTENT).hexdigest()
    )
    return replace(entry, **more)  # type: ignore[arg-type]


def get(entry: Entry, accepted: bool = False, progress: Progress | None = None) -> Path:
    return fetch(entry, accepted, None, progress or Progress()).path


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_file_comes_with_progress_and_is_noted(server: Server, folder: Path) -> None:
    steps: list[Step] = []
    entry = entry_at(server)
    path = get(entry, progress=Progress(steps.append))
    assert path.read_bytes() == CONTENT
    assert (steps[0].done, steps[-1].done, steps[-1].total, steps[-1].unit) == (0, 1, 1, "MB")
    receipt = read_receipt(entry)
    assert receipt is not None
    assert (receipt.bytes, receipt.sha256, receipt.url) == (len(CONTENT), entry.sha256, server.url)
    assert left(folder) == ["x.bin", "x.bin.fetched"]
    assert get(entry) == path  # no second request
    assert server.asked == [None]


def test_what_was_broken_off_goes_on_by_itself(server: Server, folder: Path) -> None:
    server.script = [breaking_off_after(300_000), breaking_off_after(200_000), answering(503), well]
    assert get(entry_at(server)).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=500000-", "bytes=500000-"]
    assert left(folder) == ["x.bin", "x.bin.fetched"]


def test_what_keeps_breaking_off_is_said_and_kept_for_the_next_time(server: Server, folder: Path) -> None:
    server.script = [breaking_off_after(300_000), breaking_off_after(0)]
    with pytest.raises(UserError, match=r"broken off 4 times .*; try again, 0\.3 MB are kept"):
        get(entry_at(server))
    assert not is_here(entry_at(server))
    assert left(folder) == ["x.bin.part", "x.bin.part.tag"]
    server.script = [well]
    assert get(entry_at(server)).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=300000-"


def test_cancelling_keeps_what_has_come(server: Server, folder: Path) -> None:
    steps: list[Step] = []
    with pytest.raises(Cancelled):
        get(entry_at(server), progress=Progress(steps.append, lambda: len(steps) > 2))
    assert left(folder) == ["x.bin.part", "x.bin.part.tag"]
    assert get(entry_at(server)).read_bytes() == CONTENT
    assert server.asked[-1] != "bytes=0-"
    assert server.asked[-1] is not None


def test_a_server_that_ignores_ranges_sends_all_of_it_again(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "x.bin.part").write_bytes(CONTENT[:400_000])
    server.script = [ignoring_ranges]
    assert get(entry_at(server)).read_bytes() == CONTENT
    assert server.asked == ["bytes=400000-"]


def test_another_file_on_the_server_by_now_begins_anew(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "x.bin.part").write_bytes(b"\0" * 400_000)
    (folder / "x.bin.part.tag").write_text('"before"')
    assert get(entry_at(server)).read_bytes() == CONTENT


def test_halves_of_different_files_are_not_put_together(server: Server, folder: Path) -> None:
    """Without a hash and without a tag nothing would tell."""
    folder.mkdir()
    (folder / "x.bin.part").write_bytes(b"\0" * 400_000)
    assert get(entry_at(server, sha256="")).read_bytes() == CONTENT
    assert server.asked == [None]
    (folder / "z.bin.part").write_bytes(CONTENT[:400_000])
    (folder / "z.bin.part.tag").write_text('"one"')
    assert get(entry_at(server, sha256="", file="z.bin")).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=400000-"


def test_a_part_that_is_the_whole_file_is_taken(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "x.bin.part").write_bytes(CONTENT)
    assert get(entry_at(server)).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000000-"]  # answered 416


def test_a_part_that_is_longer_than_the_file_begins_anew(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "x.bin.part").write_bytes(CONTENT + b"more")
    assert get(entry_at(server)).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000004-", None]


def test_a_wrong_place_to_go_on_from_is_not_trusted(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "x.bin.part").write_bytes(CONTENT[:400_000])
    server.script = [lambda h: h.give(206, CONTENT, Content_Range="bytes 0-999999/1000000")]
    assert get(entry_at(server)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "more", "message"),
    [
        (answering(404), {}, "the server answered 404"),
        (answering(403), {}, "the server answered 403"),
        (answering(416), {}, "the server answered 416"),
        (answering(500), {}, "broken off 4 times .the server answered 500"),
        (lambda h: h.give(200, CONTENT[:-1] + b"x"), {}, "its sha256 is another one"),
        (lambda h: h.give(200, CONTENT[:999]), {"sha256": ""}, "it has 0.0 MB where about 1 are expected"),
        (lambda h: h.give(200, CONTENT[:999]), {"bytes": 1_000_000}, "has 999 bytes, but 1000000 are expected"),
        (lambda h: h.give(200, CONTENT * 2), {"bytes": 1_000_000}, "has 2000000 bytes, but 1000000 are expected"),
        (lambda h: h.give(200, CONTENT, Content_Length="1000001"), {}, "broken off 4 times .after 1000000 of 1000001"),
        (lambda h: h.give(200, b"<html>", Content_Type="text/html; charset=x"), {}, "gives a web page, not a file"),
        (lambda h: h.connection.close(), {}, "broken off 4 times"),
        (lambda h: h.wfile.write(b"nonsense\r\n\r\n"), {}, "broken off 4 times"),
        (lambda h: h.give(302, b"", Location=h.path), {}, "cannot be fetched: the server answered 302"),
    ],
)
def test_a_server_that_misbehaves(
    server: Server, folder: Path, behaviour: Behaviour, more: dict[str, object], message: str
) -> None:
    server.script = [behaviour]
    with pytest.raises(UserError, match=message) as caught:
        get(entry_at(server, **more))
    assert "\n" not in str(caught.value)
    assert not is_here(entry_at(server))
    assert "x.bin" not in left(folder)


@pytest.mark.usefixtures("folder")
def test_more_than_was_announced_is_not_read_and_no_end_is_no_file(server: Server, tmp_path: Path) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT * 2)

    server.script = [endless]
    with pytest.raises(UserError, match="more than the 1000000 bytes"):
        get(entry_at(server, bytes=1_000_000))
    server.script = [lambda h: h.give(200, CONTENT + b"x" * 9, Content_Length="1000000")]
    download(Wanted(server.url, tmp_path / "part"), Progress())
    assert (tmp_path / "part").read_bytes() == CONTENT


@pytest.mark.usefixtures("folder")
def test_nobody_there(server: Server) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match=r"broken off 4 times .*refused"):
        get(entry_at(server))


def test_a_non_commercial_licence_is_said_before_a_byte_is_fetched(server: Server, folder: Path) -> None:
    entry = entry_at(server, licence="CC BY-NC 4.0", non_commercial=True)
    with pytest.raises(UserError, match="CC BY-NC 4.0.*non-commercial.*--accept-licence"):
        get(entry)
    assert server.asked == []
    assert not folder.exists()
    assert get(entry, accepted=True).exists()


@pytest.mark.usefixtures("folder")
def test_a_file_that_changed_later_is_noticed(server: Server) -> None:
    path = get(entry_at(server))
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(UserError, match="is not the file that was fetched"):
        get(entry_at(server))
    path.write_bytes(CONTENT[:-1])
    assert not is_here(entry_at(server))


def test_two_at_once(server: Server, folder: Path) -> None:
    folder.mkdir()
    with locked(folder / "x.bin.lock", ""), pytest.raises(UserError, match="fetched by somebody else"):
        get(entry_at(server))
    assert get(entry_at(server)).exists()


def test_the_catalogue_holds_what_it_should() -> None:
    entries = read_catalogue()
    assert len({entry.name for entry in entries}) == len({entry.file for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.url.startswith("https://")
        assert entry.non_commercial == ("NC" in entry.licence or "research" in entry.licence)
    assert sum(entry.kind == "detector" for entry in entries) == 3


# The command.


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder with a file as large as the real one, called as the server calls it."""
    entry = next(entry for entry in read_catalogue() if entry.name == "mmpose-videopose3d-h36m17-27")
    (tmp_path / "elsewhere").mkdir()
    mmpose(tmp_path / "elsewhere" / entry.file, random_model((3, 3, 3), channels=1024))
    return tmp_path / "elsewhere"


def test_from_a_folder_to_a_take_by_its_name(folder: Path, published: Path, tmp_path: Path, capsys) -> None:
    name = "mmpose-videopose3d-h36m17-27"
    lift = ["lift", str(TRUTH), "-o", str(tmp_path / "x.take.npz"), "--lifter", name]
    assert cli.main(lift) == 1
    assert "is not here yet (34 MB" in capsys.readouterr().err
    get_it = ["models", "get", name, "--offline", str(published)]
    assert cli.main(get_it) == 1
    assert "--accept-licence" in capsys.readouterr().err
    assert cli.main([*get_it, "--accept-licence", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["before"], said["verified"]) == (False, False)
    assert cli.main(["models", "path", name]) == 0
    assert capsys.readouterr().out.strip() == said["path"] == str(folder / Path(said["path"]).name)
    assert cli.main(get_it) == 0  # here already: nothing to accept
    assert "was here already" in capsys.readouterr().out
    assert cli.main(["models", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)["weights"]}
    assert (listed[name]["here"], listed[name]["sha256"]) == (True, said["sha256"])
    assert not listed["videopose3d-coco17-243"]["here"]
    assert listed["default"]["here"]
    assert cli.main(lift) == 0
    lifting = read_take(tmp_path / "x.take.npz").metadata["stages"]["lifting"]
    assert lifting["weights"] == f"{name} unknown"
    assert "research only" in lifting["licence"]
    assert "pelvis" in lifting["converted"]


@pytest.mark.usefixtures("folder")
def test_a_licence_is_asked_at_a_terminal(published: Path, monkeypatch, capsys) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    get_it = ["models", "get", "mmpose-videopose3d-h36m17-27", "--offline", str(published)]
    for answer, status in (("no\n", 1), ("", 1), ("Yes\n", 0)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert cli.main(get_it) == status
        assert "non-commercial use only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["models", "get"], 2, "get needs a NAME"),
        (["models", "list", "--accept-licence"], 2, "are for get"),
        (["models", "get", "nothing"], 1, "there are no weights called nothing"),
        (["models", "get", "default"], 1, "came with Video Mocap"),
        (["models", "path", "nothing"], 1, "there are no weights called nothing"),
        (["models", "path", "keypoint-rcnn-r50"], 1, "is not here yet"),
        (["models", "get", "keypoint-rcnn-r50", "--offline", "."], 1, "does not hold keypoint_rcnn_R_50_FPN_3x.pkl"),
        (["lift", str(TRUTH), "-o", "x.take.npz", "--lifter", "keypoint-rcnn-r50"], 1, "is no lifter"),
        (["lift", str(TRUTH), "-o", "x.take.npz", "--lifter", "nobody"], 1, "give a path or one of: default"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_is_said(tmp_path: Path, monkeypatch, capsys, arguments, status, message) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == status
    assert message in capsys.readouterr().err


def test_weights_that_are_too_small_to_be_them(folder: Path, tmp_path: Path, capsys) -> None:
    torch.save({}, tmp_path / "pretrained_h36m_cpn.bin")
    arguments = ["models", "get", "videopose3d-h36m17-243", "--offline", str(tmp_path), "--accept-licence"]
    assert cli.main(arguments) == 1
    assert "is not the file that is expected" in capsys.readouterr().err
    assert left(folder) == []
