"""PostgreSQL: the pool and its codecs. Edges open transactions; nobody else commits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:  # generic for the type checker only; Litestar resolves handlers' annotations as the program starts
    Pool = asyncpg.Pool
Row: TypeAlias = asyncpg.Record

CONNECT_WITHIN_S = 10.0

# A plan is kept as long as its connection. One made while a table was nearly empty walks it, and goes on to when the
# table has a million rows.
_BY_KEY = dict.fromkeys(("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan"), "off")

_json_encoder = msgspec.json.Encoder()


def to_json(value: Any) -> str:
    """JSON text of structs, dicts, Decimals (as strings), datetimes: what goes into a jsonb parameter."""
    return _json_encoder.encode(value).decode()


def _jsonb_text(value: Any) -> str:
    # Callers on the hot path pass JSON text they encoded themselves.
    return value if isinstance(value, str) else to_json(value)


@asynccontextmanager
async def trial(conn: Connection, *, is_kept: bool) -> AsyncIterator[None]:
    """A transaction of which nothing stays unless `is_kept`: what would be done can be told without doing it."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    except BaseException:
        await transaction.rollback()
        raise
    await (transaction.commit() if is_kept else transaction.rollback())


async def _prepare(conn: Any) -> None:
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=_jsonb_text, decoder=msgspec.json.decode, schema="pg_catalog")


class _Pooled(asyncpg.Connection):
    """A connection that goes back to its pool without a round trip.

    Nothing of ours outlives its transaction: no session settings, no listening, no session locks. What a caller left
    open is still rolled back.
    """

    def get_reset_query(self) -> str:
        return ""


async def connect_pool(
    database_url: str,
    *,
    size: int = 8,
    name: str = "ohmstead",
    command_timeout_s: float = 30,
    plans: Literal["auto", "force_generic_plan", "force_custom_plan"] = "auto",
    is_by_key: bool = False,
) -> Pool:
    """A pool of `size` connections. A unit of work has one, passed along: it never asks for a second one.

    `plans`: whether a statement is planned anew for its parameters: never where all are batches of rows, always where
    they leave out conditions (`$2 is null or …`), for which one plan for all can be a thousand times slower.
    `is_by_key`: all statements find their rows by key. Then none is planned as a walk over a whole table, however small
    the table was when its statistics were made.

    A statement that takes longer than `command_timeout_s` raises TimeoutError. Where nothing comes back at all, since the
    network swallows it, that takes twice as long, and the connection is given up.
    """
    return await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=size,
        init=_prepare,
        command_timeout=command_timeout_s,
        timeout=CONNECT_WITHIN_S,
        max_inactive_connection_lifetime=300,
        connection_class=_Pooled,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            "jit": "off",
            "plan_cache_mode": plans,
            **(_BY_KEY if is_by_key else {}),
        },
    )


async def connect_one(
    database_url: str, *, name: str = "ohmstead", command_timeout_s: float | None = None
) -> asyncpg.Connection[asyncpg.Record]:
    """A single connection outside any pool (migrations, LISTEN, tools)."""
    conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        database_url,
        command_timeout=command_timeout_s,
        server_settings={"application_name": name, "timezone": "UTC", "jit": "off"},
    )
    await _prepare(conn)
    return conn
