# SPDX-License-Identifier: GPL-3.0-or-later
"""Running pip: what it says goes to a log, how far it is to the user, why it failed into one sentence."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from .common import BuildError, clean_environment, say
from .lock import Lock

COMMON = ("--disable-pip-version-check", "--no-input", "--retries=3")
#: Bytes that a full set-up downloads, about: with PyTorch for the CPU, and with CUDA.
DOWNLOAD_CPU, DOWNLOAD_CUDA = 0.45e9, 3.2e9
DOWNLOADED = 0.6  # of a step
#: Signs of a network that does not answer, in what pip prints.
NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ConnectionResetError",
    "ReadTimeoutError",
    "Temporary failure in name resolution",
    "Connection refused",
    "Network is unreachable",
    "Connection timed out",
    "connection timed out",
    "incomplete-download",
)
UNITS = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def run_pip(
    python: Path,
    arguments: Sequence[str],
    log: Path,
    root: Path,
    temporary: Path,
    lock: Lock,
    watch: Callable[[str], None] | None = None,
) -> PipResult:
    """Run pip and return how it ended.

    root: where it runs; requirements files are named relative to it. temporary: where it unpacks; the system's own
    folder for that may be small. lock: of the folder
    that it works in. watch: gets each line.
    """
    command = [str(python), "-m", "pip", *arguments[:1], *COMMON, *arguments[1:]]
    temporary.mkdir(parents=True, exist_ok=True)
    variables: dict[str, str] = clean_environment()
    variables.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)), PYTHONUNBUFFERED="1")
    lines: list[str] = []
    with log.open("a", encoding="utf-8") as file:
        file.write(f"\n$ {' '.join(command)}\n")
        process = lock.start(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables)
        try:
            for raw in process.stdout or ():
                line = raw.decode(errors="replace").rstrip()
                if not line.startswith("Progress "):
                    lines.append(line)
                    file.write(line + "\n")
                if watch:
                    watch(line)
            status = process.wait()
        except BaseException:
            lock.stop(process)
            raise
    return PipResult(status, lines, log)


class PipResult:
    """How pip ended: its exit status, what it printed without its progress, where that is kept."""

    def __init__(self, status: int, lines: Sequence[str], log: Path) -> None:
        self.status = status
        self.lines = list(lines)
        self.log = log

    def check(self, what: str, offline: Path | None = None) -> None:
        """Raises BuildError if it failed. what: what it was to install. offline: the folder it had to do with."""
        if self.status != 0:
            raise BuildError(explain(what, self.status, self.lines, self.log, offline))


class Meter:
    """Reads pip's lines: tells large downloads, and how much of a step is done: downloading is 0..0.6 of it, unpacking
    the rest, of which pip says nothing: the packages that are there are counted."""

    def __init__(
        self, advance: Callable[[float], None], raw: bool = True, count: Callable[[], int] | None = None
    ) -> None:
        """advance: gets what is done of the step, 0..1. raw: whether this pip can tell its progress to programs. count:
        how many packages are installed."""
        self._count = count
        self._unpacked: threading.Event | None = None
        self.options = ("--progress-bar=raw",) if raw else ("--progress-bar=off",)
        self._advance = advance
        self._expected = DOWNLOAD_CPU
        self._whole = 0.0  # bytes of the files before this one
        self._current = self._size = 0.0

    def __call__(self, line: str) -> None:
        text = line.strip()
        if text.startswith("Progress "):
            numbers = re.findall(r"\d+", text)
            if len(numbers) == 2:
                self._current = float(numbers[0])
                self._tell()
        elif text.startswith(("Downloading ", "Using cached ", "Processing ")):
            self._next_file(text)
        elif text.startswith("Collecting nvidia-"):
            self._expected = DOWNLOAD_CUDA
        elif text.startswith("Installing collected packages"):
            say("  unpacking")
            self._advance(DOWNLOADED)
            self._watch_unpacking(text.count(",") + 1)

    def close(self) -> None:
        """pip has ended."""
        if self._unpacked is not None:
            self._unpacked.set()

    def _watch_unpacking(self, packages: int) -> None:
        if self._count is None:
            return
        self._unpacked = ended = threading.Event()
        count, before = self._count, self._count()

        def watch() -> None:
            while not ended.wait(0.5):
                self._advance(DOWNLOADED + (1 - DOWNLOADED) * min(1.0, max(0, count() - before) / packages))

        threading.Thread(target=watch, daemon=True).start()

    def _next_file(self, text: str) -> None:
        found = re.search(r"^(\w+) .*?([^/\\ ]+) \((\d+(?:\.\d+)?) (bytes|kB|MB|GB)\)$", text)
        size = float(found.group(3)) * UNITS[found.group(4)] if found else 0.0
        self._whole += self._size
        self._size, self._current = size, 0.0
        if found is None:
            return
        if text.startswith("Using cached "):
            self._current = size
        elif size >= 1e7:
            say(f"  downloading {found.group(2)} ({found.group(3)} {found.group(4)})")
        self._tell()

    def _tell(self) -> None:
        self._advance(DOWNLOADED * min(1.0, (self._whole + self._current) / self._expected))


def explain(what: str, status: int, lines: Sequence[str], log: Path, offline: Path | None = None) -> str:
    """Why pip failed, in one sentence that says what to do."""
    text = "\n".join(lines)
    errors = [line.strip()[len("ERROR: ") :] for line in lines if line.startswith(("ERROR: ", "error: "))]
    failed = f"{what} could not be installed:"
    lacking = re.search(r"(?:No matching distribution found for|that satisfies the requirement) ([^\s(]+)", text)
    if "No space left on device" in text or "Errno 28" in text or "Errno 122" in text:
        return f"{failed} the disk is full; make room, then run this again"
    if "ProxyError" in text or "Cannot connect to proxy" in text:
        return f"{failed} the proxy does not answer; check the proxy settings of this machine (HTTPS_PROXY), then again"
    if any(sign in text for sign in NO_NETWORK) and offline is None:
        return f"{failed} the package registry cannot be reached; check the connection, then run this again"
    if "Permission denied" in text or "Errno 13" in text or "Errno 30" in text:
        return f"{failed} the folder cannot be written (details: {log})"
    if "SSLError" in text or "CERTIFICATE_VERIFY_FAILED" in text:
        return f"{failed} the registry's certificate is not accepted; check this machine's clock and certificates"
    if status < 0:
        return f"{failed} pip was stopped by signal {-status}; run this again to go on"
    if "HASHES" in text or "has an invalid wheel" in text or "BadZipFile" in text:
        return f"{failed} a downloaded file is damaged; run this again (details: {log})"
    if lacking and offline is not None:
        return (
            f"{failed} {offline} has no wheel of {lacking.group(1)} for this Python and this kind of machine; fill it "
            "with 'build.py download' on a machine of the same kind"
        )
    if lacking:
        return f"{failed} the registry has no wheel of {lacking.group(1)} for this kind of machine (details: {log})"
    told = [line.strip() for line in lines if line.strip() and not line.startswith(("hint:", "note:", "[notice]"))]
    reason = (errors or told or ["pip gave no reason"])[-1]
    return f"{failed} {reason} (details: {log})"
