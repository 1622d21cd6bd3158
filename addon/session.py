# SPDX-License-Identifier: GPL-3.0-or-later
# The bpy package carries no types.
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false
"""What this Blender process knows of the capture engine and of what is under way; nothing of it is saved.

Blender's own data never lies here but by name: files are loaded, undone and deleted while captures go on.
"""

from __future__ import annotations

import atexit
import queue
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import preferences, pump
from .chores import Chore
from .take_files import Loaded, TakeFiles

if TYPE_CHECKING:
    from .capture.origin import Origin
    from .engine import Engine, Message
    from .engine.footage import Footage

#: Seconds for which messages are looked for after the engine was asked for something.
_ATTENTION = 15.0
FINAL = ("done", "failed", "cancelled")


class NotReadyError(Exception):
    """There is no engine to ask; the message is one sentence that says what to do."""


@dataclass
class Session:
    """What goes on.

    jobs: of the engine, by id, oldest first. listed: all of them are known. stuck: ids of those with which something
    did not work. origins: who wants the take of a job, by the job's tag. requests: tags of captures by what the engine
    calls them before they are jobs. status: of the engine while it answers. problem, note: what went wrong last, and
    what went well, one sentence. chores: changes to the file that go on, with who gets a take from them. arrived: takes
    whose scene was closed before they came.
    """

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    status: dict[str, Any] | None = None
    problem: str | None = None
    note: str | None = None
    listed: bool = False
    chores: list[tuple[Chore, Origin | None]] = field(default_factory=list)
    arrived: list[Origin] = field(default_factory=list)
    stuck: set[str] = field(default_factory=set)
    requests: dict[str, str] = field(default_factory=dict)
    engine: Engine | None = None
    configuration: object = None
    attentive_until: float = 0.0

    def live(self) -> list[dict[str, Any]]:
        """Jobs that wait or run."""
        return [job for job in self.jobs.values() if job["state"] not in FINAL]

    def ended(self) -> list[dict[str, Any]]:
        """Jobs that came to an end and still lie with the engine: failed, cancelled, or not fetched."""
        return [job for job in self.jobs.values() if job["state"] in FINAL and not self._is_coming(job)]

    def given_up(self) -> list[dict[str, Any]]:
        """Those of the ended that failed or were cancelled."""
        return [job for job in self.ended() if job["state"] != "done"]

    def repeated(self, done: dict[str, Any]) -> set[str]:
        """Ids of earlier captures of the same footage under the same label that failed or were cancelled."""
        ids = list(self.jobs)
        earlier = ids[: ids.index(done["id"])] if done["id"] in ids else []
        return {job["id"] for job in self.given_up() if job["id"] in earlier and _subject(job) == _subject(done)}

    def coming(self) -> bool:
        """Whether something is on its way that was asked for: a capture that has no job yet, a take that is done."""
        with_jobs = {self.tag_of(job["id"]) for job in self.jobs.values()}
        asked = self.engine is not None and self.problem is None
        return any(
            tag not in with_jobs and asked for tag, origin in self.origins.items() if origin not in self.arrived
        ) or any(
            self._is_coming(job) and self.origins[self.tag_of(job["id"])] not in self.arrived
            for job in self.jobs.values()
        )

    def _is_coming(self, job: dict[str, Any]) -> bool:
        """Done, and its take is being fetched or brought into a scene by itself."""
        origin = self.origins.get(self.tag_of(job["id"]))
        return job["state"] == "done" and origin is not None and job["id"] not in self.stuck

    def tag_of(self, job_id: str) -> str:
        """What tells whose a job is; jobs of others, which have no tag of ours, are told by their id."""
        return self.jobs.get(job_id, {}).get("tag") or job_id

    def is_over(self, tag: str) -> bool:
        """Whether nothing more comes of a capture of ours by itself: it is in its scene, or it failed."""
        origin = self.origins.get(tag)
        if origin is None or origin in self.arrived:
            return True
        if any(known is origin for _, known in self.chores):
            return False
        jobs = [job for job in self.jobs.values() if (job["tag"] or job["id"]) == tag]
        if not jobs:
            return self.problem is not None
        return all(job["id"] in self.stuck or job["state"] in ("failed", "cancelled") for job in jobs)

    def promised(self) -> set[Path]:
        """Where takes will be written that do not exist yet."""
        return {origin.take_path for origin in self.origins.values()}

    def chores_of(self, place: str) -> list[Chore]:
        """Changes to the file that go on and that the panel `place` shows."""
        return [chore for chore, _ in self.chores if chore.place == place and not chore.ended]

    def busy_with(self, collection: str) -> bool:
        """Whether the take of a collection (its name) is being changed."""
        return any(collection in chore.works_on and not chore.ended for chore, _ in self.chores)


def _subject(job: dict[str, Any]) -> tuple[Any, ...]:
    """What a job captures and for whom."""
    options = job.get("options") or {}
    footage = (job.get("footage") or {}).get("name")
    return job.get("label"), footage, job.get("client"), options.get("start"), options.get("end")


_session = Session()
#: Takes whose numbers the panels show.
take_files = TakeFiles()
#: Whether one of them was being read when somebody looked last.
_awaited = False


def get() -> Session:
    """The state of this Blender process."""
    return _session


def engine() -> Engine:
    """The engine that the preferences ask for. Raises NotReadyError."""
    from .engine import Engine
    from .setup import resolve

    wanted = resolve.engine_configuration(preferences.find())
    if isinstance(wanted, str):
        raise NotReadyError(wanted)
    if _session.engine is not None and _session.configuration != wanted:
        close()
    if _session.engine is None:
        _session.engine, _session.configuration = Engine(wanted), wanted
        _session.engine.connect()
    attend()
    return _session.engine


def attend() -> None:
    """Look for messages from now on."""
    _session.attentive_until = time.monotonic() + _ATTENTION
    pump.add_source(drain)
    pump.wake()


def expect(origin: Origin) -> str:
    """Let the take of a capture that will be submitted go to `origin`; returns the tag for its job."""
    tag = secrets.token_hex(8)
    _session.origins[tag] = origin
    _session.problem = _session.note = None
    return tag


def submit(tag: str, footage: Footage, options: dict[str, Any], camera: Path | None = None) -> None:
    """Ask the engine for the capture of a tag. Raises NotReadyError."""
    from .engine import CaptureRequest

    origin = _session.origins[tag]
    identity = engine().capture(CaptureRequest(footage, origin.take_path, camera, options, origin.name, tag))
    _session.requests[identity] = tag


def discard(jobs: set[str]) -> None:
    """Let the engine forget jobs; what wanted their takes waits no longer. Raises NotReadyError."""
    for identity in jobs:
        _session.origins.pop(_session.tag_of(identity), None)
        engine().discard(identity)


def read_take(path: str) -> Loaded | None:
    """A take of a panel; None while it is being read, after which the panel is drawn again."""
    global _awaited
    found = take_files.get(Path(path))
    if found is None:
        _awaited = True
        pump.add_source(_wait_for_takes)
        pump.wake()
    return found


def _wait_for_takes() -> bool:
    global _awaited
    was, _awaited = _awaited, take_files.reading
    if was and not _awaited:
        pump.redraw()
    return _awaited


def do(chore: Chore, origin: Origin | None = None) -> None:
    """Begin a change to the file. origin: who gets a take from it."""
    _session.problem = _session.note = None
    _session.chores.append((chore, origin))
    pump.add_source(drain)
    chore.start()


def drain() -> bool:
    """Take in what the engine had to say; True while there is more to come."""
    session = _session
    busy = bool(session.chores)
    session.chores[:] = [(chore, origin) for chore, origin in session.chores if not chore.ended]
    heard = False
    while session.engine is not None:
        try:
            message = session.engine.messages.get_nowait()
        except queue.Empty:
            break
        _hear(message)
        heard = True
    if heard or busy:
        pump.redraw()
    return bool(session.live() or session.coming() or session.chores or time.monotonic() < session.attentive_until)


def _hear(message: Message) -> None:
    from . import engine as engine_package
    from .capture import arrival

    session = _session
    if isinstance(message, engine_package.Connected):
        session.status, session.problem = message.status, None
    elif isinstance(message, engine_package.Disconnected):
        session.status, session.problem = None, message.sentence
        if message.retrying:
            attend()
    elif isinstance(message, engine_package.JobsListed):
        uploads = {key: job for key, job in session.jobs.items() if job["state"] == "uploading"}
        session.listed = True
        session.jobs = uploads | {job["id"]: job for job in message.jobs}
    elif isinstance(message, engine_package.JobChanged):
        if message.kind == "gone":
            session.jobs.pop(message.job["id"], None)
        else:
            session.jobs[message.job["id"]] = message.job
            if message.job["state"] == "done" and message.job["tag"] in session.origins:
                _forget_repeated(session, message.job)
    elif isinstance(message, engine_package.ResultReady):
        arrival.arrived(message.job_id, message.path)
    elif isinstance(message, engine_package.Failed):
        session.problem = message.sentence
        if message.job_id is not None:
            session.stuck.add(message.job_id)
            # A capture that never became a job: nobody will bring its take.
            session.origins.pop(session.requests.pop(message.job_id, ""), None)


def _forget_repeated(session: Session, done: dict[str, Any]) -> None:
    if session.engine is None:
        return
    for old in session.repeated(done):
        session.origins.pop(session.tag_of(old), None)
        session.engine.discard(old)


def close(stop_backend: bool = False) -> None:
    """Let go of the engine; what it does goes on without us, as long as its lease holds."""
    leaving, _session.engine, _session.configuration, _session.status = _session.engine, None, None, None
    _session.jobs.clear()
    if leaving is not None:
        leaving.close(stop_backend)


def reset() -> None:
    """Back to how it was at the start."""
    close()
    for chore, _ in list(_session.chores):
        chore.give_up()
    _session.__init__()
    take_files.forget()


def register() -> None:
    """Let go of the engine when Blender ends."""
    atexit.register(close)


def unregister() -> None:
    """Let go of everything."""
    atexit.unregister(close)
    reset()
    pump.reset()
