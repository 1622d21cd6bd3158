# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user sees to be in front in a take: a list kept with the take, used when it is lifted or refined again."""

from __future__ import annotations

from typing import Any

from ...rigging.take import Take
from ..properties import OrderItem, TakeItem
from .texts import Order, orders_of


def option(item: TakeItem) -> dict[str, str]:
    """The list of a take as the option of a capture; nothing for an empty list."""
    text = ";".join(str(order_of(row)) for row in item.in_front)
    return {"in_front": text} if text else {}


def order_of(row: OrderItem) -> Order:
    """A row of the list."""
    return Order(row.nearer, row.farther, row.first, row.last, None if row.person_id < 0 else row.person_id)


def add(item: TakeItem, order: Order) -> None:
    """Put another one into the list."""
    row = item.in_front.add()
    row.nearer, row.farther, row.first, row.last = order.nearer, order.farther, order.first, order.last
    row.person_id = -1 if order.person is None else order.person


def take_over(item: TakeItem, take: Take) -> None:
    """Make the list of a take that is new in the scene what the take was made with."""
    options: Any = take.metadata.get("options")
    try:
        found = orders_of(options.get("in_front", "")) if isinstance(options, dict) else []
    except ValueError:
        found = []
    item.in_front.clear()
    for order in found:
        add(item, order)
