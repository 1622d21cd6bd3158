# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment that is repaired, not trusted: what is missing or outdated is done again, nothing is twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from . import detectron2, lock, networks, product
from .common import ROOT, WINDOWS, BuildError, clean_environment, product_version, read_json, refusal, say, write_whole
from .pip import Meter, PipResult, run_pip
from .pythons import SUPPORTED, Python, find_python, probe, suitable
from .records import drop_half_installed
from .sizes import announce
from .state import State
from .steps import DETECTRON2, NETWORKS, PIP, PRODUCT, RUNTIME, Step

#: Our own files in an environment's folder; anything else in a folder without a pyvenv.cfg is somebody's.
OURS = (lock.NAME, "setup.json", "setup.log", "temporary")


class Environment:
    """The virtual environment of a checkout, or of an extension.

    `setup.json` inside it is written after each finished step and holds what the step was made from, so an interrupted
    or outdated environment is seen and only what is missing is done again.
    """

    def __init__(
        self,
        root: Path = ROOT,
        folder: Path | None = None,
        minors: Sequence[int] = SUPPORTED,
        preferred: str | None = None,
        offline: Path | None = None,
        state: Path | None = None,
    ) -> None:
        """root: the product's folder. folder: the environment's, `.venv` in root if None. preferred: the Python to make
        it with, if it fits `minors`. offline: a folder of wheels instead of the registry. state: see `State`."""
        self.root = root
        self.folder = folder or root / ".venv"
        self.minors = tuple(minors)
        self.preferred = preferred
        self.offline = offline
        self.scripts = self.folder / ("Scripts" if WINDOWS else "bin")
        self.python = self.scripts / ("python.exe" if WINDOWS else "python")
        self.stamp = self.folder / "setup.json"
        self.log = self.folder / "setup.log"
        self.temporary = self.folder / "temporary"
        self.state = State(state, product_version(root))
        #: Where detectron2's source lies, if it is wanted and is not to be fetched.
        self.detectron2: Path | None = None
        #: Another set-up holds the folder; what the state file says is its.
        self.refused = False
        self._lock = lock.Lock(self.folder)

    def script(self, name: str) -> str:
        return str(self.scripts / (name + (".exe" if WINDOWS else "")))

    @property
    def sites(self) -> list[Path]:
        """Where packages lie in it."""
        return [*self.folder.glob("lib/python3.*/site-packages"), *self.folder.glob("Lib/site-packages")]

    def key(self, step: Step, python: Python) -> str:
        """What a step is made from: its arguments, its input files, the Python version, where things lie."""
        places = (str(self.folder), str(self.root) if step.moves else "")
        digest = hashlib.sha256(repr((step.pip, python.version, places)).encode())
        for name in step.inputs:
            for path in product.files_of(self.root / name):
                digest.update(path.relative_to(self.root).as_posix().encode() + b"\0")
                digest.update(path.read_bytes())
        return digest.hexdigest()

    def finished(self) -> dict[str, str]:
        """The steps that were done to their end, with what they were made from."""
        return read_json(self.stamp)

    def missing(self, steps: Sequence[Step], python: Python | None = None) -> list[Step]:
        """The steps still to do; all of them if the environment's Python does not run or is not a supported one."""
        python = python or self.installed()
        if python is None:
            return list(steps)
        finished = self.finished()
        needed = [step for step in steps if not step.minors or python.version[1] in step.minors]
        return [step for step in needed if finished.get(step.name) != self.key(step, python)]

    def setup(self, steps: Sequence[Step]) -> bool:
        """Do what is missing of `steps`; True if there was anything to do. Raises BuildError, OSError."""
        if not self.missing(steps):
            return False
        try:
            self._lock.acquire()
        except BuildError:
            self.refused = True
            raise
        try:
            self._do(steps)
        except (BuildError, OSError, KeyboardInterrupt) as error:
            self.tell_failure(error)
            raise
        finally:
            shutil.rmtree(str(self.temporary), ignore_errors=True)
            self._lock.release()
        return True

    def tell_failure(self, error: BaseException) -> None:
        """Put why it ended into the state file, for whoever follows it."""
        if isinstance(error, KeyboardInterrupt):
            self.state.fail("the set-up was interrupted; run it again to go on")
        else:
            self.state.fail(refusal(error) if isinstance(error, OSError) else str(error))

    def _do(self, steps: Sequence[Step]) -> None:
        shutil.rmtree(str(self.temporary), ignore_errors=True)
        self.state.begin(0, len(steps), "making the environment", 0.0, 0.01)
        python = self._usable() or self._create()
        todo = self.missing(steps, python)
        if RUNTIME in todo:
            announce(self.folder, python, steps, fresh=RUNTIME.name not in self.finished(), offline=self.offline)
        drop_half_installed(self.sites)
        whole = sum(step.weight for step in todo) + 0.02
        start = 0.01
        for number, step in enumerate(todo, 1):
            began = time.monotonic()
            share = 0.97 * step.weight / whole
            self.state.begin(number, len(todo), step.name, start, share)
            say(f"[{number}/{len(todo)}] installing {step.name}")
            self._stamp(step, None)
            self._install(step)
            self._stamp(step, self.key(step, python))
            start += share
            self.state.advance(1.0, now=True)
            say(f"[{number}/{len(todo)}] {step.name}: done in {time.monotonic() - began:.0f} s")

    def _stamp(self, step: Step, key: str | None) -> None:
        stamp = {name: value for name, value in self.finished().items() if name != step.name}
        if key is not None:
            stamp[step.name] = key
        write_whole(self.stamp, json.dumps(stamp, indent=1))

    def _install(self, step: Step) -> None:
        if step is NETWORKS:
            networks.unpack(self)
        elif step is PRODUCT:
            product.install(self)
        elif step is DETECTRON2:
            detectron2.install(self, self.detectron2)
        else:
            self.pip(step.name, ("install", *step.pip), self.meter(step))

    def meter(self, step: Step) -> Meter:
        """What follows pip through a step."""
        raw = step is not PIP and PIP.name in self.finished()  # older ones do not know it
        return Meter(self.state.advance, raw, lambda: sum(1 for s in self.sites for _ in s.glob("*.dist-info")))

    def pip(self, what: str, arguments: Sequence[str], meter: Meter | None = None) -> PipResult:
        """Run pip in it, from the registry or the folder of wheels. Raises BuildError if it fails."""
        source: tuple[str, ...] = ()
        if self.offline is not None:
            source = ("--no-index", "--find-links", str(self.offline))
        bar = meter.options if meter else ("--progress-bar=off",)
        command = [*arguments[:1], *source, *bar, *arguments[1:]]
        try:
            result = run_pip(self.python, command, self.log, self.root, self.temporary, self._lock, meter)
        finally:
            if meter:
                meter.close()
        result.check(what, self.offline)
        return result

    def installed(self) -> Python | None:
        """The environment's Python, None if it does not run or is not a supported one."""
        python = probe([str(self.python)])
        good = python is not None and python.version[0] == 3 and python.version[1] in self.minors
        return python if good else None

    def _usable(self) -> Python | None:
        python = self.installed()
        if python is None:
            return None
        with_pip = subprocess.run(
            [str(self.python), "-m", "pip", "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )
        return python if with_pip.returncode == 0 else None

    def _create(self) -> Python:
        strange = [path for path in self.folder.iterdir() if path.name not in OURS] if self.folder.is_dir() else []
        if strange and not (self.folder / "pyvenv.cfg").exists():
            raise BuildError(f"{self.folder} is in the way and is no Python environment; move it away")
        reason = ""
        for base in suitable(self.minors, self.preferred):
            if not base.can_make_environments:
                continue
            say(f"making {self.folder} with {base.name} ({base.executable})")
            self._clear()
            made = self._lock.start(
                [base.executable, "-m", "venv", str(self.folder)],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=clean_environment(),
            )
            try:
                told = made.communicate()[0].decode(errors="replace").strip().splitlines()
            except BaseException:
                self._lock.stop(made)
                raise
            python = self._usable() if made.returncode == 0 else None
            if python is not None:
                return python
            reason = reason or (told or ["no message"])[-1]
            say(f"  that Python cannot make it: {reason}")
        if reason:
            raise BuildError(f"the environment could not be made: {reason}")
        find_python(self.minors, self.preferred)  # says how to get one
        raise BuildError("the environment could not be made")

    def _clear(self) -> None:
        """Empty the folder, but for the lock that is held in it; what was installed is forgotten first."""
        with contextlib.suppress(FileNotFoundError):
            self.stamp.unlink()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "pyvenv.cfg").touch()  # whatever is left if this is cut off is known as ours
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(str(path))
            elif path.name not in (lock.NAME, "pyvenv.cfg", self.log.name):
                path.unlink()
