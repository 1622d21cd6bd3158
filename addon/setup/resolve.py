# SPDX-License-Identifier: GPL-3.0-or-later
"""The one question that the rest of the add-on asks here: which capture engine is to be used?"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ..engine import Address, Configuration
from .diagnosis import glance
from .environment import python_of
from .folders import Folders
from .runner import Setup

#: The choices of the preference `engine`.
LOCAL, EXISTING, REMOTE = "LOCAL", "EXISTING", "REMOTE"
WHERE = "Preferences > Add-ons > Video Mocap"
ALLOW = 'Switch on "Allow Online Access" in Preferences > System > Network first.'
NOT_ALLOWED = "Blender was started with online access off: start it without --offline-mode first."
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Preferences(Protocol):
    """What is asked of the add-on's preferences. online_problem: why the network may not be used, None if it may."""

    engine: str
    existing: str
    url: str
    token: str

    def folders(self) -> Folders: ...
    def online_problem(self) -> str | None: ...


def engine_configuration(preferences: Preferences) -> Configuration | str:
    """What to start or to connect to; a sentence that says what to do when there is nothing. Only looks at files."""
    folders = preferences.folders()
    name = f"Blender on {platform.node() or 'a computer'}"
    if preferences.engine == REMOTE:
        problem = remote_problem(preferences)
        if problem is not None:
            return problem
        address = Address(preferences.url.strip().rstrip("/"), preferences.token.strip())
        return Configuration("remote", Path(), folders.service, address, name)
    if preferences.engine == EXISTING:
        if not preferences.existing.strip():
            return f"Choose the existing environment in {WHERE}."
        place = existing_place(preferences)
        python = python_of(place)
        if not python.is_file():
            return f"{place} holds no Python: choose another environment in {WHERE}."
        return Configuration("local", python, folders.service, None, name)
    problem = local_problem(folders)
    if problem is not None:
        return problem
    return Configuration("local", python_of(folders.environment), folders.service, None, name)


def existing_place(preferences: Preferences) -> Path:
    """The environment, or its Python, that the user named."""
    return Path(preferences.existing.strip()).expanduser()


def local_problem(folders: Folders) -> str | None:
    """Why the environment that the set-up makes cannot be used now, as far as looking can tell."""
    state = Setup(folders).state()
    if state.running:
        step = f" (step {state.step} of {state.steps})" if state.step else ""
        return f"The capture engine is being set up{step}: wait until it is done."
    if state.error:
        return _there(state.error)
    problem = glance(folders.environment)
    return None if problem is None else _there(problem)


def _there(sentence: str) -> str:
    return f"{sentence.rstrip('.')} ({WHERE})."


def remote_problem(preferences: Preferences) -> str | None:
    """Why another machine cannot be asked, without asking it."""
    url = preferences.url.strip()
    if not url:
        return f"Enter the address of the other machine in {WHERE}."
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and (parts.port is None or parts.port > 0) and not parts.query
    except ValueError:
        good = False
        parts = None
    if not good or parts is None:
        return f"{url} is no address of a machine: enter one such as http://192.168.1.20:8000 in {WHERE}."
    if not preferences.token.strip():
        return f"Enter the token of the other machine's service in {WHERE}; 'video-mocap serve' says where it lies."
    return None if parts.hostname in _LOOPBACK else preferences.online_problem()


def is_unencrypted(url: str) -> bool:
    """Whether token and footage would travel openly through a network."""
    try:
        parts = urlsplit(url.strip())
        return parts.scheme == "http" and parts.hostname not in _LOOPBACK
    except ValueError:
        return False
