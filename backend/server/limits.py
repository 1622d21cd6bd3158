# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of everything the service takes. One place, told to clients in the status."""

from __future__ import annotations

from dataclasses import dataclass

GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Limits:
    """Counts, bytes and seconds.

    upload_bytes: one upload, all its files together. upload_files: images of a sequence. uploads: begun and not yet
    used. upload_seconds: an upload that nobody touched for so long is removed. chunk_bytes: one PUT.
    json_bytes: a request body that is JSON. camera_bytes: a camera file. queued: jobs that wait.
    finished, finished_bytes: jobs kept after their end, the oldest go first. streams: event streams at once.
    connections: at once, of all clients. cache_bytes: stages on disk.
    header_seconds: for the head of a request. body_seconds: between two pieces of a request's body.
    send_seconds: for a client to take a piece of an answer. cancel_seconds: until a job that does not stop is killed.
    """

    upload_bytes: int = 20 * GIGABYTE
    upload_files: int = 20_000
    uploads: int = 16
    upload_seconds: float = 24 * 3600.0
    chunk_bytes: int = 8 * 1024 * 1024
    json_bytes: int = 4 * 1024 * 1024
    camera_bytes: int = 256 * 1024 * 1024
    queued: int = 100
    finished: int = 50
    finished_bytes: int = 20 * GIGABYTE
    streams: int = 64
    connections: int = 256
    cache_bytes: int = 4 * GIGABYTE
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    send_seconds: float = 30.0
    cancel_seconds: float = 5.0


#: A disk is kept from being filled to its last byte by uploads.
SPARE_BYTES = 100_000_000
