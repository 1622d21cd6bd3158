# SPDX-License-Identifier: GPL-3.0-or-later
"""A Biovision hierarchy file (.bvh) of anybody's: its skeleton and how it moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "xyz")
_MOST_JOINTS = 2000


@dataclass(frozen=True)
class Bvh:
    """names, parents: (B,) joints, parents first, -1 for a root. offsets: (B, 3) from the parent, in the file's units.
    tips: (B, 3) of end sites from their joint, NaN without one. turns: (F, B, 3, 3) out of the rest pose, in the file's
    axes. places: (F, B, 3). times: (F,) seconds."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    tips: np.ndarray
    turns: np.ndarray
    places: np.ndarray
    times: np.ndarray


def read_bvh(text: str, file: str) -> Bvh:
    """Raises ValueError, one sentence beginning with `file`, for what is no whole BVH file."""
    head, found, rest = text.partition("MOTION")
    if "HIERARCHY" not in head or not found:
        raise ValueError(f"{file} is no BVH file: it has no HIERARCHY and MOTION")
    names, parents, offsets, tips, channels = _hierarchy(head.split("HIERARCHY", 1)[1].split(), file)
    values, step = _motion(rest.split(), sum(map(len, channels)), file)
    turns, places = _pose(parents, offsets, channels, values)
    times = np.arange(len(values)) * step
    return Bvh(tuple(names), tuple(parents), np.array(offsets), np.array(tips), turns, places, times)


def _hierarchy(
    tokens: list[str], file: str
) -> tuple[list[str], list[int], list[list[float]], list[list[float]], list[list[str]]]:
    names: list[str] = []
    parents, offsets, tips, channels = [], [], [], []
    stack: list[int] = []
    site, at = False, 0
    broken = ValueError(f"{file} is broken: its HIERARCHY does not hold together")

    def numbers(first: int) -> list[float]:
        try:
            found = [float(token) for token in tokens[first : first + 3]]
        except ValueError:
            raise broken from None
        if len(found) < 3 or not np.isfinite(found).all():
            raise broken
        return found

    while at < len(tokens):
        word = tokens[at].upper()
        if word in ("ROOT", "JOINT"):
            # Names may have spaces.
            end = next((one for one in range(at + 1, len(tokens)) if tokens[one] == "{"), None)
            if end is None or len(names) >= _MOST_JOINTS or (word == "JOINT") != bool(stack):
                raise broken
            names.append(" ".join(tokens[at + 1 : end]) or f"joint {len(names)}")
            parents.append(stack[-1] if stack else -1)
            offsets.append([0.0, 0, 0])
            tips.append([np.nan] * 3)
            channels.append([])
            stack.append(len(names) - 1)
            at = end + 1
        elif word == "END":
            at = next((one for one in range(at, len(tokens)) if tokens[one] == "{"), len(tokens)) + 1
            site = True
        elif word == "OFFSET" and stack:
            (tips if site else offsets)[stack[-1]] = numbers(at + 1)
            at += 4
        elif word == "CHANNELS" and stack and not site:
            count = int(tokens[at + 1]) if at + 1 < len(tokens) and tokens[at + 1].isdigit() else -1
            kinds = [token.lower() for token in tokens[at + 2 : at + 2 + count]]
            if not 0 <= count <= 6 or len(kinds) < count or not set(kinds) <= set(_CHANNELS):
                raise broken
            channels[stack[-1]] = kinds
            at += 2 + count
        elif word == "}" and (site or stack):
            if site:
                site = False
            else:
                stack.pop()
            at += 1
        else:
            raise broken
    if stack or not names:
        raise broken
    return names, parents, offsets, tips, channels


def _motion(tokens: list[str], width: int, file: str) -> tuple[np.ndarray, float]:
    """(F, width) values and the seconds of a frame."""
    try:
        lowered = [token.lower() for token in tokens[:5]]
        if lowered[0] != "frames:" or lowered[2:4] != ["frame", "time:"]:
            raise ValueError
        count, step = int(lowered[1]), float(lowered[4])
        values = np.array(tokens[5:], np.float64)
    except (ValueError, IndexError):
        raise ValueError(f"{file} is broken: its MOTION is not Frames, Frame Time and numbers") from None
    if count < 1 or width < 1 or len(values) < count * width:
        raise ValueError(f"{file} is cut off: it has {len(values)} of {count * width} values")
    if not (step > 0 and np.isfinite(step) and np.isfinite(values).all()):
        raise ValueError(f"{file} is broken: it has values or a frame time that are no numbers")
    return values[: count * width].reshape(count, width), step


def _pose(
    parents: list[int], offsets: list[list[float]], channels: list[list[str]], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    frames = len(values)
    turns = np.tile(np.eye(3), (frames, len(parents), 1, 1))
    places = np.zeros((frames, len(parents), 3))
    column = 0
    for row, parent in enumerate(parents):
        local, offset = np.tile(np.eye(3), (frames, 1, 1)), np.tile(np.array(offsets[row]), (frames, 1))
        moved = False
        for kind in channels[row]:
            given, axis = values[:, column], "xyz".index(kind[0])
            column += 1
            if kind.endswith("position"):
                if not moved:
                    # Position channels take the place of the offset.
                    offset, moved = np.zeros((frames, 3)), True
                offset[:, axis] = given
            else:
                local = local @ about(axis, np.radians(given))
        if parent < 0:
            turns[:, row], places[:, row] = local, offset
        else:
            turns[:, row] = turns[:, parent] @ local
            places[:, row] = places[:, parent] + (turns[:, parent] @ offset[..., None])[..., 0]
    return turns, places


def about(axis: int, angles: np.ndarray) -> np.ndarray:
    """(F, 3, 3) turns about a coordinate axis, 0 to 2, by angles (F,), radians."""
    matrix = np.zeros((len(angles), 3, 3))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1
    matrix[:, a, a] = matrix[:, b, b] = np.cos(angles)
    matrix[:, b, a], matrix[:, a, b] = np.sin(angles), -np.sin(angles)
    return matrix
