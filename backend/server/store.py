# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on disk: JOBS/ID/job.json with the footage, the camera and the take beside it.

A job's folder appears whole (a rename) and its job.json is replaced whole, so a service that is killed at any moment
finds every job it has promised, in a state that it was in.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
from pathlib import Path

from .folder import write_private
from .limits import Limits
from .record import FINAL, DamagedRecordError, JobRecord, load_record

log = logging.getLogger("video_mocap.server")
TAKE, CAMERA, RECORD, FOOTAGE = "take.npz", "camera.npz", "job.json", "footage"


class JobStore:
    """The jobs of one data folder, `jobs` by id in the order in which they were made.

    damaged: where folders that hold no readable job are set aside.
    """

    def __init__(self, root: Path, damaged: Path, limits: Limits) -> None:
        self.root, self._damaged, self._limits = root, damaged, limits
        self.jobs: dict[str, JobRecord] = {}
        self._load()

    def folder(self, job: JobRecord) -> Path:
        """Where a job lives; its id is ours, so this is always inside."""
        return self.root / job.id

    def take(self, job: JobRecord) -> Path:
        """Its take, which is there when it is done."""
        return self.folder(job) / TAKE

    def camera(self, job: JobRecord) -> Path:
        """Its known camera, if it has one."""
        return self.folder(job) / CAMERA

    def footage(self, job: JobRecord) -> Path:
        """The footage: where the client said, or what was uploaded: a file, or the folder of a sequence."""
        if job.source is not None:
            return Path(job.source)
        folder = self.folder(job) / FOOTAGE
        files = [file for file in folder.iterdir() if not file.name.startswith(".")]
        return files[0] if len(files) == 1 else folder

    def create(self, job: JobRecord, camera: Path | None, uploaded: Path | None) -> None:
        """Make the job's folder, out of the folder of an upload if there is one; it appears in one step.

        camera: a file to be copied. Raises OSError; then the upload is as it was.
        """
        staging = uploaded or self.root / f".new-{job.id}"
        try:
            staging.mkdir(mode=0o700, exist_ok=True)
            if camera is not None:
                shutil.copyfile(camera, staging / CAMERA)
            job.touch()
            write_private(staging / RECORD, job.dump())
            staging.rename(self.folder(job))
        except OSError:
            if uploaded is None:
                shutil.rmtree(staging, ignore_errors=True)
            raise
        self.jobs[job.id] = job

    def save(self, job: JobRecord) -> None:
        """Write what must survive. A full disk is no reason to stop: memory is right, and the next change writes."""
        try:
            write_private(self.folder(job) / RECORD, job.dump())
        except OSError as error:
            log.warning("job %s cannot be written: %s", job.id, error.strerror or error)

    def forget(self, job: JobRecord) -> None:
        """Clients no longer see it; `remove` frees its disk."""
        self.jobs.pop(job.id, None)
        job.deleted = True
        self.save(job)

    def remove(self, job: JobRecord) -> None:
        """Delete everything the job has on disk."""
        self.jobs.pop(job.id, None)
        # job.json goes last, so that what cannot be removed now is removed at the next start.
        folder = self.folder(job)
        for path in list(folder.iterdir()) if folder.is_dir() else []:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != RECORD:
                with contextlib.suppress(OSError):
                    path.unlink()
        shutil.rmtree(folder, ignore_errors=True)

    def prune(self) -> None:
        """Remove the oldest finished jobs beyond what the limits keep."""
        finished = sorted((job for job in self.jobs.values() if job.state in FINAL), key=lambda job: job.finished or "")
        sizes = {job.id: folder_bytes(self.folder(job)) for job in finished}
        while finished and (len(finished) > self._limits.finished or sum(sizes.values()) > self._limits.finished_bytes):
            if len(finished) == 1:  # the last one is what somebody waits for, however large
                break
            oldest = finished.pop(0)
            sizes.pop(oldest.id)
            log.info("job %s is removed: more finished jobs than are kept", oldest.id)
            self.remove(oldest)

    def _load(self) -> None:
        found = []
        for folder in sorted(self.root.iterdir()):
            if folder.name.startswith(".") or not folder.is_dir():
                _discard(folder)
                continue
            try:
                found.append(load_record((folder / RECORD).read_text("utf-8"), folder.name))
            except (DamagedRecordError, OSError, UnicodeDecodeError) as error:
                self._set_aside(folder, error)
        for job in sorted(found, key=lambda job: (job.created, job.order)):
            if job.deleted:
                self.remove(job)
                continue
            for leftover in self.folder(job).glob(".*"):
                _discard(leftover)
            if job.state == "running":
                job.state = "queued"
                job.touch()
                self.save(job)
            self.jobs[job.id] = job

    def _set_aside(self, folder: Path, error: Exception) -> None:
        aside = self._damaged / f"{folder.name}-{secrets.token_hex(3)}"
        log.warning("the job in %s is damaged and set aside in %s: %s", folder, aside, error)
        try:
            self._damaged.mkdir(mode=0o700, exist_ok=True)
            folder.rename(aside)
        except OSError as problem:
            log.warning("%s cannot be set aside: %s", folder, problem.strerror or problem)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
