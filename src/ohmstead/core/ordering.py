"""Lists in the order somebody asks for: `name` upwards, `-name` downwards; equal ones by their id."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from ohmstead.core.conditions import Conditions


class Column(Struct, frozen=True):
    """What a list can be sorted by. `field`: the value's name in an item; `shape`: what of it is compared, as
    `lower({})`; `kept_as`: a column that holds just that already, with an index."""

    field: str
    type: Any = str
    shape: str = "{}"
    kept_as: str | None = None

    @property
    def expression(self) -> str:
        """What is compared, of a row."""
        return self.kept_as or self.shape.format(self.field)


class Order(Struct, frozen=True):
    """A column and a direction; `tie` is the id by which equal ones are told apart."""

    column: Column
    is_descending: bool
    tie: str

    @property
    def sql(self) -> str:
        """For ORDER BY."""
        way = " desc" if self.is_descending else ""
        return f"{self.column.expression}{way}, {self.tie}{way}"

    def after(self, where: Conditions, last: tuple[Any, UUID] | None) -> None:
        """Only what comes after `last`: its value and id."""
        if last is None:
            return
        kind = "timestamptz" if self.column.type is datetime else "text"
        compared = self.column.shape.format("{}::" + kind)
        sign = "<" if self.is_descending else ">"
        where.add(f"({self.column.expression}, {self.tie}) {sign} ({compared}, {{}}::uuid)", *last)

    def key_of(self, item: Any) -> tuple[Any, UUID]:
        """What `after` takes, read off an item."""
        return getattr(item, self.column.field), getattr(item, self.tie)


def ordered(columns: Mapping[str, Column], wanted: str, tie: str) -> Order:
    """The order that a name means; the names are checked before (KeyError)."""
    return Order(columns[wanted.removeprefix("-")], wanted.startswith("-"), tie)
