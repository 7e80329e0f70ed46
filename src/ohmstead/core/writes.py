"""Many rooms' writes in one statement: each gives its share, and they are sent together.

A statement has a price of its own on both ends of the wire, larger than that of the row it writes. A batch of messages
therefore reads what it needs, decides, and writes once; that one statement is also the transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ohmstead.core.db import Connection, Row

_PARAMETER = re.compile(r"\$(\d+)")
_MOST_TEXTS = 200


class Write(msgspec.Struct):
    """A share: `ctes` are data-modifying queries `name as (…), …` with parameters $1 to $n, which are `arguments`.

    `outcome` are named columns about them for the row that write_all gives. Names must not clash between shares; shares
    of one statement do not see each other's rows.
    """

    ctes: str
    arguments: Sequence[Any]
    outcome: str = ""


def records(parameter: int, columns: Mapping[str, str]) -> str:
    """Rows of named and typed columns out of one parameter made by `to_rows`, known as u.

    One text for all rows is cheaper on both ends of the wire than an array for each of many columns.
    """
    return f"json_to_recordset(${parameter}::json) as u ({', '.join(f'{name} {sql}' for name, sql in columns.items())})"


def to_rows(rows: Sequence[msgspec.Struct]) -> str:
    """Structs as the parameter that `records` reads: their fields are the columns."""
    return _encode(rows).decode()


_encode = msgspec.json.Encoder().encode


async def write_all(conn: Connection, writes: Sequence[Write]) -> Row | None:
    """Do all of it or, when anything in it fails, nothing; gives the row of outcomes. Nothing to write: None."""
    if not writes:
        return None
    key = tuple(w.ctes for w in writes)
    text = _texts.get(key)
    if text is None:
        if len(_texts) >= _MOST_TEXTS:
            _texts.clear()
        text = _texts[key] = _together(writes)
    return await conn.fetchrow(text, *(argument for w in writes for argument in w.arguments))


_texts: dict[tuple[str, ...], str] = {}


def _together(writes: Sequence[Write]) -> str:
    n_before = 0
    ctes, outcomes = [], []
    for write in writes:

        def renumbered(match: re.Match[str], by: int = n_before) -> str:
            return f"${int(match[1]) + by}"

        ctes.append(_PARAMETER.sub(renumbered, write.ctes))
        if write.outcome:
            outcomes.append(_PARAMETER.sub(renumbered, write.outcome))
        n_before += len(write.arguments)
    return f"with {', '.join(ctes)} select {', '.join(outcomes) or '1 as written'}"
