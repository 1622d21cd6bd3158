# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of the API, version 1. `guard.Guard` stands before them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from ..models import shipped_models
from . import choices, models
from .events import job_events
from .failures import ApiError, from_exception
from .service import Service
from .store import TAKE
from .uploads import PendingUpload

#: What is said in OpenAPI of every route.
FAILURES: dict[int | str, dict[str, Any]] = {
    "default": {"model": models.FailureAnswer, "description": "What went wrong, in one sentence"}
}
Id = Annotated[str, Path(description="As the service gave it", max_length=64)]
Client = Annotated[str, Path(description="Chosen by the client, once for each of its processes", max_length=100)]
_NAMES = {400: "bad_request", 404: "not_found", 405: "bad_request", 413: "too_large", 429: "too_many"}


def create_app(service: Service | None, version: str) -> FastAPI:
    """The application. service: None to describe it only."""
    app = FastAPI(
        title="Video Mocap",
        version=version,
        summary="Footage of people in, takes out",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses=FAILURES,
        redirect_slashes=False,
    )
    app.add_exception_handler(ApiError, _failed)
    app.add_exception_handler(OSError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    if service is not None:
        app.state.service = service
    for add in (_about, _clients, _uploads, _jobs, _results):
        add(app)
    # The token is asked for by the guard, before any route; the description says so.
    describe = app.openapi

    def with_token() -> dict[str, Any]:
        schema = describe()
        schema.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"token": []}]
        return schema

    app.openapi = with_token  # type: ignore[method-assign]
    return app


def _service(request: Request) -> Service:
    return request.app.state.service


def _about(app: FastAPI) -> None:
    shipped, detectors = shipped_models(), choices.detectors()

    @app.get("/v1/openapi.json", tags=["service"], summary="This description")
    async def description() -> dict[str, Any]:
        return app.openapi()

    @app.get("/v1/status", tags=["service"], summary="What the service is and can")
    async def status(request: Request) -> models.Status:
        service = _service(request)
        limits = {name: int(value) for name, value in asdict(service.limits).items()}
        return models.Status(
            name="video-mocap",
            version=service.version,
            api=1,
            device=service.jobs.device,
            detectors=detectors,
            lifters=choices.lifters(shipped),
            qualities=choices.qualities(),
            jobs=models.Counts(queued=len(service.jobs.waiting()), running=int(service.jobs.running is not None)),
            limits=limits,
            accepts_paths=service.accepts_paths,
        )

    @app.get("/v1/models", tags=["service"], summary="Weights: those that are here and those that can be fetched")
    async def catalogue() -> models.Catalogue:
        return models.Catalogue(models=choices.weights(shipped))

    @app.post("/v1/stop", status_code=202, tags=["service"], summary="End the service; jobs go on at its next start")
    async def stop(request: Request) -> models.Stopping:
        _service(request).stopping.set()
        return models.Stopping()


def _clients(app: FastAPI) -> None:
    @app.put("/v1/clients/{client}", tags=["clients"], summary="Say that a client is there")
    async def renew(request: Request, client: Client, body: models.ClientName) -> models.Lease:  # noqa: ARG001
        leases = _service(request).leases
        leases.renew(client)
        return models.Lease(lease=leases.seconds)

    @app.delete("/v1/clients/{client}", status_code=204, tags=["clients"], summary="Say that a client goes")
    async def release(request: Request, client: Client) -> None:
        _service(request).leases.release(client)


def _uploads(app: FastAPI) -> None:
    @app.post("/v1/uploads", status_code=201, tags=["uploads"], summary="Begin an upload")
    async def begin(request: Request, body: models.NewUpload) -> models.Upload:
        service = _service(request)
        return _upload(service, service.uploads.create([(file.name, file.size) for file in body.files]))

    @app.get("/v1/uploads/{id}", tags=["uploads"], summary="How much of it is there")
    async def look(request: Request, id: Id) -> models.Upload:
        service = _service(request)
        return _upload(service, service.uploads.get(id))

    raw = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}

    @app.put("/v1/uploads/{id}/{number}", tags=["uploads"], summary="Send a piece of a file", openapi_extra=raw)
    async def send(request: Request, id: Id, number: int, offset: Annotated[int, Query(ge=0)]) -> models.Received:
        uploads = _service(request).uploads
        there = await uploads.write(uploads.get(id), number, offset, request.stream())
        return models.Received(received=there)

    @app.delete("/v1/uploads/{id}", status_code=204, tags=["uploads"], summary="Give an upload up")
    async def give_up(request: Request, id: Id) -> None:
        uploads = _service(request).uploads
        uploads.delete(uploads.get(id))


def _upload(service: Service, upload: PendingUpload) -> models.Upload:
    files = [
        models.UploadFile(name=file.name, size=file.size, received=upload.received(number))
        for number, file in enumerate(upload.files)
    ]
    return models.Upload(id=upload.id, chunk_bytes=service.limits.chunk_bytes, files=files)


def _jobs(app: FastAPI) -> None:
    @app.post("/v1/jobs", status_code=201, tags=["jobs"], summary="Capture footage")
    async def submit(request: Request, body: models.NewJob) -> models.Job:
        service = _service(request)
        return models.Job(**service.jobs.wire(await service.submit(body)))

    @app.get("/v1/jobs", tags=["jobs"], summary="All jobs, newest last")
    async def listing(request: Request) -> models.Jobs:
        jobs = _service(request).jobs
        return models.Jobs(jobs=[models.Job(**jobs.wire(job)) for job in jobs.store.jobs.values()])

    @app.get("/v1/jobs/{id}", tags=["jobs"], summary="One job")
    async def show(request: Request, id: Id) -> models.Job:
        service = _service(request)
        return models.Job(**service.jobs.wire(service.job(id)))

    @app.post("/v1/jobs/{id}/cancel", tags=["jobs"], summary="Stop a job, or take it out of the queue")
    async def cancel(request: Request, id: Id) -> models.Job:
        service = _service(request)
        service.jobs.cancel(service.job(id))
        return models.Job(**service.jobs.wire(service.job(id)))

    @app.post("/v1/jobs/{id}/resume", tags=["jobs"], summary="Put a failed or cancelled job back into the queue")
    async def resume(request: Request, id: Id) -> models.Job:
        service = _service(request)
        service.jobs.resume(service.job(id))
        return models.Job(**service.jobs.wire(service.job(id)))

    @app.delete("/v1/jobs/{id}", status_code=204, tags=["jobs"], summary="Remove a job and its files")
    async def delete(request: Request, id: Id) -> None:
        service = _service(request)
        service.jobs.delete(service.job(id))


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


def _results(app: FastAPI) -> None:
    @app.get("/v1/jobs/{id}/events", response_class=EventStream, tags=["jobs"], summary="A job's changes, as they come")
    async def events(request: Request, id: Id, after: int = 0) -> Response:
        service = _service(request)
        job = service.job(id)
        if service.streams >= service.limits.streams:
            raise ApiError("too_many", f"{service.limits.streams} clients follow jobs already")

        async def counted():
            service.streams += 1
            try:
                async for event in job_events(service.jobs, job, after, service.stopping):
                    yield event
            finally:
                service.streams -= 1

        return EventStream(counted(), headers={"cache-control": "no-store"})

    binary: dict[int | str, dict[str, Any]] = {
        200: {"content": {"application/octet-stream": {}}, "description": "The take file"}
    }

    @app.get("/v1/jobs/{id}/result", response_class=FileResponse, responses=binary, tags=["jobs"], summary="The take")
    async def result(request: Request, id: Id) -> Response:
        service = _service(request)
        job = service.job(id)
        if job.state != "done":
            raise ApiError("conflict", f"this job is {job.state}; its take is there when it is done")
        file = service.jobs.store.take(job)
        if not file.is_file():
            raise ApiError("not_found", "the take of this job is gone from the service's data folder; capture again")
        return FileResponse(file, media_type="application/octet-stream", filename=TAKE)


async def _failed(_: Request, error: Exception) -> Response:
    problem = from_exception(error)
    return JSONResponse(problem.body(), problem.status)


async def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    first = problems[0] if problems else {"loc": (), "msg": "it cannot be read"}
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return await _failed(request, ApiError("bad_request", f"{where or 'the request'}: {first['msg']}{more}"))


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    known = {404: "there is nothing at this address", 405: "this address does not take that method"}
    message = known.get(status) or str(getattr(error, "detail", "")) or "the request failed"
    return await _failed(request, ApiError(_NAMES.get(status, "internal"), message))
