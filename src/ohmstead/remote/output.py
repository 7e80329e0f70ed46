"""Answers on a terminal: as a table, as JSON, or as lines of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

Form: TypeAlias = Literal["table", "json", "ndjson", "csv"]
FORMS: tuple[Form, ...] = ("table", "json", "ndjson", "csv")
_WIDEST = 40
# Of the many fields of a thing, these say least at a glance.
_LAST = ("party_id", "created_at", "updated_at", "version")


def show(value: Any, form: Form, console: Console, columns: Sequence[str], chosen: Sequence[str] = ()) -> None:
    """Write an answer. `columns`: the fields there are; `chosen`: those that were asked for, in that order."""
    items = value.get("items") if isinstance(value, dict) else None
    if form == "json":
        _line(console, msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
    elif form == "ndjson":
        for item in items if isinstance(items, list) else [value]:
            _line(console, msgspec.json.encode(item).decode())
    elif form == "csv":
        rows = items if isinstance(items, list) else [value]
        _line(console, _csv(rows, chosen or _fields(rows, columns)).rstrip("\n"))
    elif isinstance(items, list):
        console.print(_rows(items, chosen or _that_fit(items, _fields(items, columns), console.width)))
        if value.get("next_cursor"):
            console.print(Text(f"There are more: --all, or --cursor {value['next_cursor']}", style="dim"))
    else:
        console.print(_fields_of(value, chosen))


def _line(console: Console, text: str) -> None:
    # Not through the console's own wrapping and colours: it is for programs.
    console.file.write(text + "\n")
    console.file.flush()


def _fields(items: Sequence[Any], columns: Sequence[str]) -> list[str]:
    first = items[0] if items and isinstance(items[0], dict) else {}
    return [name for name in columns if name in first or not first] or list(first)


def _that_fit(items: Sequence[Any], fields: Sequence[str], width: int) -> list[str]:
    """As many as the terminal has room for, leaving out those that are empty everywhere."""
    filled = [name for name in fields if not items or any(_cell(item.get(name)) for item in items)]
    chosen: list[str] = []
    room = width
    for name in sorted(filled, key=lambda one: one in _LAST):
        widest = max([len(name), *(len(_cell(item.get(name))) for item in items)])
        room -= min(widest, _WIDEST) + 3
        if room < 0 and chosen:
            break
        chosen.append(name)
    return chosen


def _rows(items: Sequence[Any], columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="ellipsis", max_width=_WIDEST, no_wrap=True)
    for item in items:
        table.add_row(*(Text(_cell(item.get(column))) for column in columns))
    return table


def _fields_of(value: Any, chosen: Sequence[str]) -> Table | Text:
    if not isinstance(value, dict):
        return Text(plain(str(value)))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name in chosen or value:
        table.add_row(Text(plain(name)), Text(_cell(value.get(name))))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def plain(text: str) -> str:
    """Text from elsewhere without what would steer a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _csv(rows: Sequence[Any], columns: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = [_cell(row.get(column)) for column in columns]
        # A spreadsheet would run these as formulas.
        writer.writerow(["'" + cell if cell.startswith(("=", "+", "-", "@")) else cell for cell in cells])
    return text.getvalue()
