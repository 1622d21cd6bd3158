# SPDX-License-Identifier: GPL-3.0-or-later
"""A layout for panels in Blender without a window: it takes what Blender's takes, checks the names, keeps the texts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy

_CONTAINERS = ("row", "column", "box", "split", "grid_flow", "column_flow")
_FUNCTIONS = bpy.types.UILayout.bl_rna.functions


class FakeLayout:
    """texts: of all labels, bars and buttons. props: names of properties. operators: (idname, properties set)."""

    def __init__(self, parent: FakeLayout | None = None) -> None:
        root = parent or self
        self.texts: list[str] = root.texts if parent else []
        self.props: list[str] = root.props if parent else []
        self.operators: list[tuple[str, SimpleNamespace]] = root.operators if parent else []

    def __getattr__(self, name: str) -> Any:
        if name not in _CONTAINERS:
            raise AttributeError(f"UILayout.{name} is not faked")

        def contained(**options: Any) -> FakeLayout:
            _check(name, options)
            self._say(options.get("heading", ""))
            return FakeLayout(self)

        return contained

    def _say(self, text: str) -> None:
        assert isinstance(text, str)
        if text:
            self.texts.append(text)

    def label(self, **options: Any) -> None:
        _check("label", options)
        self._say(options.get("text", ""))

    def separator(self, **options: Any) -> None:
        _check("separator", options)

    def progress(self, **options: Any) -> None:
        _check("progress", options)
        assert 0 <= options["factor"] <= 1
        self._say(options.get("text", ""))

    def prop(self, data: Any, name: str, **options: Any) -> None:
        _check("prop", options)
        assert name in data.bl_rna.properties, f"{data} has no {name}"
        self.props.append(name)
        self._say(options.get("text", data.bl_rna.properties[name].name))

    def prop_search(self, data: Any, name: str, other: Any, collection: str, **_options: Any) -> None:
        assert name in data.bl_rna.properties
        assert collection in other.bl_rna.properties

    def template_ID(self, data: Any, name: str, **_options: Any) -> None:  # noqa: N802, Blender's name
        assert name in data.bl_rna.properties

    def template_list(
        self, kind: str, _id: str, data: Any, name: str, active: Any, index: str, **_options: Any
    ) -> None:
        assert hasattr(bpy.types, kind)
        assert name in data.bl_rna.properties
        assert index in active.bl_rna.properties
        cls = getattr(bpy.types, kind)
        for item in getattr(data, name):
            cls.draw_item(SimpleNamespace(), bpy.context, FakeLayout(self), data, item, 0, active, index)

    def operator(self, idname: str, **options: Any) -> SimpleNamespace:
        _check("operator", options)
        category, name = idname.split(".")
        rna = getattr(getattr(bpy.ops, category), name).get_rna_type()
        self._say(options.get("text", rna.name))
        found = _Properties(rna)
        self.operators.append((idname, found))
        return found


class _Properties(SimpleNamespace):
    """What an operator's button sets: only what the operator has."""

    def __init__(self, rna: Any) -> None:
        object.__setattr__(self, "_known", set(rna.properties.keys()))
        super().__init__()

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self._known, f"the operator has no {name}"
        super().__setattr__(name, value)


def _check(function: str, options: dict[str, Any]) -> None:
    parameters = _FUNCTIONS[function].parameters
    for name, value in options.items():
        assert name in parameters or name == "text_ctxt", f"UILayout.{function} takes no {name}"
        if name == "icon":
            assert value in parameters["icon"].enum_items, f"there is no icon {value}"


def draw(panel: type) -> FakeLayout | None:
    """Draw a panel as Blender does; None where its poll says no."""
    if hasattr(panel, "poll") and not panel.poll(bpy.context):
        return None
    layout = FakeLayout()
    panel.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout


def our_panels() -> list[type]:
    """All panels of the extension."""
    return [
        cls
        for cls in bpy.types.Panel.__subclasses__()
        if cls.__name__.startswith("VIDEO_MOCAP_PT_") and cls.is_registered
    ]
