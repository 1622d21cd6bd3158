# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a running service holds, and making jobs of what clients send."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from ..detection.base import DETECTORS
from ..errors import UserError
from ..models import find_lifter, lifter_names
from .failures import ApiError
from .folder import DataFolder
from .jobs import JobQueue
from .leases import Leases
from .limits import Limits
from .models import NewJob, Source
from .record import JobRecord
from .store import JobStore
from .uploads import ARRAYS, PendingUpload, Uploads

CAMERA_SUFFIX = ".camera.npz"


@dataclass
class Service:
    """One service. accepts_paths: whether clients are on this machine. stopping: set once it is to end."""

    limits: Limits
    jobs: JobQueue
    uploads: Uploads
    leases: Leases
    accepts_paths: bool
    version: str
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0

    def job(self, identity: str) -> JobRecord:
        """Raises ApiError not_found."""
        job = self.jobs.store.jobs.get(identity)
        if job is None:
            raise ApiError("not_found", "there is no such job; it was deleted, or the service keeps no more of them")
        return job

    async def submit(self, asked: NewJob) -> JobRecord:
        """Make a job. The same request for the same upload gives the same job: its answer may have been lost.

        Raises ApiError, OSError.
        """
        text = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
        before = self._made_from(asked.footage.upload)
        if before is not None and before.asked == text:
            return before
        self.jobs.check_room()
        _check(asked)
        self._check_lifter(asked.options.lifter)
        job = JobRecord(
            id=secrets.token_hex(16),
            name="",
            options=asked.options.model_dump(),
            label=asked.label,
            tag=asked.tag,
            client=asked.client,
            camera=asked.camera is not None,
            asked=text,
        )
        upload = self._use_footage(asked.footage, job)
        camera = self._camera(asked.camera) if asked.camera else None
        self.jobs.add(job, camera[0] if camera else None, upload.folder if upload else None)
        if camera and camera[1]:
            self.uploads.delete(camera[1])
        return job

    def _made_from(self, upload: str | None) -> JobRecord | None:
        return next((job for job in self.jobs.store.jobs.values() if upload and job.upload == upload), None)

    def _use_footage(self, source: Source, job: JobRecord) -> PendingUpload | None:
        """Fill in the job's footage; returns the upload that becomes its folder."""
        if (found := self._upload(source)) is not None:
            first = found.files[0].name.replace("\\", "/").rpartition("/")[2]
            job.name, job.upload = first, found.id
            if first.lower().endswith(CAMERA_SUFFIX):
                raise ApiError("bad_request", "this upload is a camera, not footage")
            return found
        path = self._path(source)
        if path.suffix.lower() == ".npz" and not path.name.lower().endswith(ARRAYS[:2]):
            raise ApiError("bad_request", f"{path} is neither footage nor a .take.npz or .keypoints.npz")
        job.name, job.source = path.name, str(path)
        return None

    def _camera(self, source: Source) -> tuple[Path, PendingUpload | None]:
        """The camera file and the upload that it is in."""
        found = self._upload(source)
        path = found.path(0) if found else self._path(source)
        if not path.name.lower().endswith(CAMERA_SUFFIX) or not path.is_file():
            raise ApiError("bad_request", f"a known camera is a {CAMERA_SUFFIX} file; this is another one")
        if path.stat().st_size > self.limits.camera_bytes:
            raise ApiError("too_large", f"a camera may have {self.limits.camera_bytes} bytes, this one has more")
        return path, found

    def _check_lifter(self, lifter: str) -> None:
        """Weights are a file of this machine too: from other machines only those that have a name."""
        if lifter in lifter_names():
            try:
                find_lifter(lifter)
            except UserError as error:
                raise ApiError("bad_request", str(error)) from None
            return
        path = self._path(Source(path=lifter))
        if not path.is_file():
            raise ApiError("bad_request", f"{path} is no file of weights")

    def _upload(self, source: Source) -> PendingUpload | None:
        if (source.path is None) == (source.upload is None):
            raise ApiError("bad_request", "give either the path or the upload of a file, not both and not none")
        if source.upload is None:
            return None
        found = self.uploads.get(source.upload)
        if not found.complete() or self.uploads.writing(found):
            raise ApiError("conflict", "this upload is not complete yet; send the rest first")
        return found

    def _path(self, source: Source) -> Path:
        """The path of something to read on this machine. Raises ApiError."""
        if not self.accepts_paths:
            raise ApiError("forbidden", "this service is used from other machines and takes uploads, not paths")
        if source.path is None or "\0" in source.path or not os.path.isabs(source.path):  # noqa: PTH117
            raise ApiError("bad_request", "the path must be absolute")
        path = Path(os.path.normpath(source.path))
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise ApiError("bad_request", f"{path} cannot be read: {error.strerror or error}") from None
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise ApiError("bad_request", f"{path} is neither a file nor a folder of images")
        if not os.access(path, os.R_OK):
            raise ApiError("bad_request", f"{path} cannot be read: permission denied")
        return path


def _check(asked: NewJob) -> None:
    """What can be said at once should not wait for its turn in the queue. Raises ApiError."""
    options = asked.options
    if options.end is not None and options.end <= (options.start or 0):
        raise ApiError("bad_request", "the end of the range must lie after its start")
    known = [options.focal_length is not None, options.fov is not None, options.focal_mm is not None]
    known.append(asked.camera is not None)
    if sum(known) > 1:
        raise ApiError("bad_request", "give at most one of the focal length, the field of view and the camera")
    if options.detector not in DETECTORS:
        raise ApiError("bad_request", f"there is no detector {options.detector!r}; choose one of the status's")


def open_service(folder: DataFolder, limits: Limits, lease: float | None, local: bool, version: str) -> Service:
    """The service of an open data folder. Raises OSError."""
    store = JobStore(folder.jobs, folder.root / "damaged", limits)
    store.prune()
    jobs = JobQueue(store, limits, folder.root, folder.cache)
    return Service(limits, jobs, Uploads(folder.uploads, limits), Leases(lease), local, version)
