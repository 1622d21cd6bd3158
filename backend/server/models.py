# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over the wire. The OpenAPI description is made from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["queued", "running", "done", "failed", "cancelled"]
Identifier = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
#: Text of a client that is shown, never a file name.
Words = Annotated[str, Field(max_length=300)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Asked(BaseModel):
    """What clients send: a field that nobody knows is a mistake, not decoration."""

    model_config = ConfigDict(extra="forbid")


class Options(Asked):
    """The capture's options; `backend.pipeline.CaptureOptions` says what they mean."""

    detector: Annotated[str, Field(max_length=100)] = "mediapipe"
    quality: Literal["draft", "standard", "thorough"] = "standard"
    max_persons: Annotated[int, Field(ge=1, le=1000)] | None = None
    start: Seconds | None = None
    end: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    focal_length: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    fov: Annotated[float, Field(gt=0, lt=180)] | None = None
    height: Annotated[float, Field(ge=0.3, le=3)] | None = None
    smoothing: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    lifter: Annotated[str, Field(max_length=4096)] = "default"
    stitch: Annotated[str, Field(max_length=1000)] = ""
    root: Literal["agreed", "linear", "mehta", "ratio", "search", "rootnet", "pnp", "network"] = "agreed"
    camera_motion: Literal["auto", "still", "turning"] = "auto"
    focal_mm: Annotated[float, Field(gt=0, lt=10_000)] | None = None
    sensor: Annotated[float, Field(gt=0, lt=10_000)] | None = None
    distortion: Annotated[str, Field(max_length=200)] = ""
    vertical: Annotated[str, Field(max_length=1000)] = ""
    floor: Annotated[str, Field(max_length=200)] = ""
    in_front: Annotated[str, Field(max_length=2000)] = ""
    adapt_to_person: bool = False


class Source(Asked):
    """Where a file is: a path on the service's machine, or an upload. Exactly one of both."""

    path: Annotated[str, Field(max_length=4096)] | None = None
    upload: Identifier | None = None


class NewJob(Asked):
    """A capture to be made. client, tag: the sender's own marks, given back with the job."""

    footage: Source
    camera: Source | None = None
    options: Options = Options()
    label: Words = ""
    client: Words = ""
    tag: Words = ""


class FootageName(BaseModel):
    """What the footage is called, for people."""

    name: str


class Job(BaseModel):
    """A job as clients see it.

    done, total, unit, rate (units per second): of the stage. fraction (0..1), seconds_left: of the whole job, null
    while unknown. position: jobs ahead of it. revision grows with every change. reused: stages taken from the cache.
    """

    id: Identifier
    label: str
    tag: str
    client: str
    state: State
    stage: str | None
    done: int
    total: int | None
    unit: str
    rate: float | None
    seconds_left: float | None
    fraction: float | None
    position: int
    message: str | None
    warnings: list[str]
    revision: int
    created: str
    finished: str | None
    footage: FootageName
    options: dict[str, Any]
    reused: list[str]


class Jobs(BaseModel):
    """All jobs, newest last."""

    jobs: list[Job]


class Choice(BaseModel):
    """Something to choose, and the licence of its weights."""

    name: str
    licence: str
    non_commercial: bool


class Weights(BaseModel):
    """Weights that are here or can be fetched by `video-mocap models get NAME` on the service's machine.

    kind: "lifter" or "detector". bytes: roughly, where it is not here. sha256: empty while unknown. problem: what is
    wrong with it, in one sentence, empty if nothing is.
    """

    name: str
    kind: str
    summary: str
    licence: str
    licence_url: str
    source: str
    bytes: int
    sha256: str
    here: bool
    non_commercial: bool
    problem: str


class Catalogue(BaseModel):
    """All weights, those of this installation first."""

    models: list[Weights]


class Counts(BaseModel):
    """How much there is to do."""

    queued: int
    running: int


class Status(BaseModel):
    """The service. device: "cpu" or "cuda (NAME)", null in the first seconds, while the worker starts."""

    name: str
    version: str
    api: int
    device: str | None
    detectors: list[Choice]
    lifters: list[Choice]
    qualities: list[str]
    jobs: Counts
    limits: dict[str, int]
    accepts_paths: bool


class ClientName(Asked):
    """Who renews a lease, for people."""

    name: Words = ""


class Lease(BaseModel):
    """lease: seconds within which it is to be renewed; null if the service runs without."""

    lease: float | None


class NewFile(Asked):
    """A file to come. name: for people and for its kind; size: bytes."""

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    size: Annotated[int, Field(ge=1)]


class NewUpload(Asked):
    """One file, or the images of a sequence in their order."""

    files: Annotated[list[NewFile], Field(min_length=1)]


class UploadFile(NewFile):
    """received: bytes that are there."""

    received: int


class Upload(BaseModel):
    """chunk_bytes: the most that one PUT takes."""

    id: Identifier
    chunk_bytes: int
    files: list[UploadFile]


class Received(BaseModel):
    """Bytes of a file that are there."""

    received: int


class Stopping(BaseModel):
    """The answer to stop."""

    stopping: bool = True


class Failure(BaseModel):
    """code: for programs. message: one sentence."""

    code: str
    message: str


class FailureAnswer(BaseModel):
    """Every answer with a status of 400 and more. received: of an upload whose offset was wrong."""

    error: Failure
    received: int | None = None
