"""A WHERE clause put together from fixed pieces, with values as parameters: plans fit the filters really used."""

from __future__ import annotations

from typing import Any


class Conditions:
    """`c = Conditions(); c.add("party_id = {}", party_id)`; then `c.sql` and `*c.values`. Pieces are never input."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.values: list[Any] = []

    def add(self, piece: str, *values: Any) -> None:
        """One more condition; each `{}` in it becomes the parameter that holds the next of `values`."""
        self._pieces.append("(" + piece.format(*(self.parameter(value) for value in values)) + ")")

    def add_given(self, piece: str, value: Any) -> None:
        """The same, when `value` is not None."""
        if value is not None:
            self.add(piece, value)

    def parameter(self, value: Any) -> str:
        """The name of a parameter that holds `value`, to be used after WHERE too."""
        self.values.append(value)
        return f"${len(self.values)}"

    @property
    def sql(self) -> str:
        return " and ".join(self._pieces) if self._pieces else "true"


def like(text: str) -> str:
    """A pattern for `like` that finds `text` anywhere, with its own wildcards taken as they are written."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
