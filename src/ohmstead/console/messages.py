"""The message log: what was asked, in short, what was answered, and how fast. The sentences are pure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import Struct

from ohmstead.accounts.access import Actor
from ohmstead.console import feed
from ohmstead.console.exports import csv_response
from ohmstead.console.frame import ActorIn, PageRequest, PoolIn, opened
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.core.language import _
from ohmstead.reports.pages.queries import find_station
from ohmstead.reports.wire import queries
from ohmstead.reports.wire.queries import LogFilter
from ohmstead.ui import figures
from ohmstead.ui.templating import View, page

PAGE = 40
FIRST = 14
EXPORTED = 20_000
PIECE = 500
FILTERS = ("direction", "action", "log", "slow", "find", "from", "to")
SLOW_IN_US, SLOW_OUT_US = 1_000_000, 5_000_000
_REFUSALS = """
Rejected Failed NotSupported UnlockFailed Faulted NotImplemented UnknownVendorId UnknownMessageId Invalid Blocked
ConcurrentTx Unknown Expired VersionMismatch UnknownComponent UnknownVariable
"""
REFUSALS = frozenset(_REFUSALS.split())
COLUMNS = (
    "received_at",
    "direction",
    "version",
    "action",
    "message_id",
    "payload",
    "answer_kind",
    "answer",
    "error_code",
    "latency_us",
)


class Exchange(Struct, frozen=True, kw_only=True):
    """A line of the log. `key` finds it again; `tone` and `icon` go with the answer's word."""

    received_at: datetime
    key: str
    message_id: str
    direction: str
    action: str
    short: str
    tone: str
    icon: str
    answer_word: str
    latency: str
    payload: str | None
    answer: str | None
    version: str


@get("/stations/{station_id:str}/messages")
async def messages(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Response[str]:
    """Lines of the log: the newest, those `after` one, or the page `before` one; with `count`, only how many."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "messages:read")
        if await find_station(conn, actor.party_id, station_id) is None:
            raise NotFound(f"no station {station_id}")
        after = _instant(view, "after")
        if view.query["count"] and after is not None:
            n = await queries.count_messages(conn, actor.party_id, station_id, filter_of(view), after=after)
            return Response(str(n), media_type="text/plain")
        lines = await log_lines(conn, actor, station_id, view)
    return page(
        request,
        "station/log_rows.html",
        lines=lines,
        station_id=station_id,
        more=next_page(view, lines),
        kept=kept(view),
    )


@get("/stations/{station_id:str}/messages.csv")
async def messages_csv(
    request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]
) -> Response[bytes]:
    """The log as filtered, newest first."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "messages:read")
        if await find_station(conn, actor.party_id, station_id) is None:
            raise NotFound(f"no station {station_id}")
        rows = await queries.list_messages(conn, actor.party_id, station_id, filter_of(view), limit=EXPORTED)
    return csv_response("messages", COLUMNS, ([row[name] for name in COLUMNS] for row in rows))


@get("/stations/{station_id:str}/messages.jsonl")
async def messages_jsonl(request: PageRequest, pool: PoolIn, actor: ActorIn, station_id: FromPath[str]) -> Stream:
    """The log as filtered, all of it, newest first: an object a line, read and sent in pieces."""
    async with pool.acquire() as conn:
        view = await opened(request, conn, actor, "messages:read")
        if await find_station(conn, actor.party_id, station_id) is None:
            raise NotFound(f"no station {station_id}")
    wanted = filter_of(view)

    async def lines() -> AsyncIterator[bytes]:
        before: datetime | None = None
        while True:
            async with pool.acquire() as conn:
                rows = await queries.list_messages(conn, actor.party_id, station_id, wanted, before=before, limit=PIECE)
            if rows:
                yield b"".join(msgspec.json.encode({"station_id": station_id, **row}) + b"\n" for row in rows)
            if len(rows) < PIECE:
                return
            before = rows[-1]["received_at"]

    headers = {"Content-Disposition": 'attachment; filename="messages.jsonl"'}
    return Stream(lines(), media_type="application/x-ndjson", headers=headers)


async def log_lines(conn: Connection, actor: Actor, station_id: str, view: View, limit: int = PAGE) -> list[Exchange]:
    """The lines that the address asks for."""
    rows = await queries.list_messages(
        conn,
        actor.party_id,
        station_id,
        filter_of(view),
        after=_instant(view, "after"),
        before=_instant(view, "before"),
        limit=limit,
    )
    return [exchange(row) for row in rows]


def next_page(view: View, lines: list[Exchange], limit: int = PAGE) -> datetime | None:
    """Where older lines begin; None when these are the last, or only the newest were wanted."""
    return lines[-1].received_at if len(lines) == limit and "after" not in view.query else None


def kept(view: View) -> dict[str, str]:
    """The filters as the address has them, to be carried along."""
    return {name: view.query[name] for name in FILTERS if view.query[name]}


def filter_of(view: View) -> LogFilter:
    """The filters of the address. What makes no sense there filters nothing."""
    query = view.query
    outcome = query["log"]
    slow = query["slow"]
    return LogFilter(
        direction=query["direction"] if query["direction"] in ("in", "out") else "",
        action=query["action"][:60],
        outcome=outcome if outcome in ("failed", "errors", "unanswered") else "",  # type: ignore[arg-type]
        text=query["find"].strip()[:100],
        slower_than_us=int(slow) * 1000 if slow.isascii() and slow.isdigit() and int(slow) <= 600_000 else None,
        since=moment(query["from"], view.zone),
        until=moment(query["to"], view.zone),
    )


def moment(text: str, zone: tzinfo) -> datetime | None:
    """An instant as an address or a form has it, without a zone meant on the wall of `zone`; None for what is none."""
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+"))
        at = at if at.tzinfo else at.replace(tzinfo=zone)
        return at if 1970 < at.year < 2200 else None
    except ValueError:
        return None


def _instant(view: View, name: str) -> datetime | None:
    return feed.instant(view.query[name].replace(" ", "+"))


def exchange(row: Mapping[str, Any]) -> Exchange:
    """A line from its row."""
    tone, icon, word = _answer(row)
    return Exchange(
        received_at=row["received_at"],
        key=f"{row['received_at'].isoformat()}|{row['message_id']}",
        message_id=row["message_id"],
        direction=row["direction"],
        action=row["action"],
        short=in_short(row["action"], row["payload"]),
        tone=tone,
        icon=icon,
        answer_word=word,
        latency=figures.latency(row["latency_us"]),
        payload=row["payload"],
        answer=row["answer"],
        version=row["version"],
    )


def _answer(row: Mapping[str, Any]) -> tuple[str, str, str]:
    kind, latency_us = row["answer_kind"], row["latency_us"] or 0
    if kind == "error":
        return "failed", "failed", row["error_code"] or _("error")
    if kind == "none":
        return "attention", "attention", _("no answer")
    if kind is None:
        is_old = datetime.now(row["received_at"].tzinfo) - row["received_at"] > timedelta(minutes=2)
        return ("attention", "attention", _("no answer")) if is_old else ("working", "hand", _("waiting"))
    word = _status_of(row["answer"]) or _("answered")
    if word in REFUSALS:
        return "failed", "failed", word
    if latency_us > (SLOW_IN_US if row["direction"] == "in" else SLOW_OUT_US):
        return "attention", "attention", _("slow: %(answer)s", answer=word)
    return "ok", "ok", word


def _status_of(text: str | None) -> str | None:
    answer = _decoded(text)
    if not isinstance(answer, dict):
        return None
    for holder in (answer, answer.get("idTagInfo"), answer.get("idTokenInfo")):
        if isinstance(holder, dict) and isinstance(holder.get("status"), str):
            return str(holder["status"])
    return None


def _decoded(text: str | None) -> Any:
    if not text or len(text) > 100_000:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def in_short(action: str, text: str | None) -> str:
    """The few facts of a message that a person looks for first."""
    payload = _decoded(text)
    if not isinstance(payload, dict):
        return ""
    parts = [_where(payload), *_WORDS.get(action, _anything)(payload)]
    words = ", ".join(str(part) for part in parts[1:] if part not in (None, ""))
    return f"{parts[0]}: {words}" if parts[0] and words else str(parts[0] or words)


def _where(payload: dict[str, Any]) -> str:
    evse = payload.get("evse")
    number = payload.get("evseId", payload.get("connectorId", evse.get("id") if isinstance(evse, dict) else None))
    return str(number) if isinstance(number, int) and number > 0 else ""


def _anything(payload: dict[str, Any]) -> list[Any]:
    return [v for k, v in payload.items() if isinstance(v, str | int | float) and k not in ("evseId", "connectorId")][
        :3
    ]


def _status(payload: dict[str, Any]) -> list[Any]:
    error = payload.get("errorCode")
    return [
        payload.get("status", payload.get("connectorStatus")),
        error if error != "NoError" else None,
        payload.get("info"),
    ]


def _readings(payload: dict[str, Any]) -> list[Any]:
    values = payload.get("meterValue")
    if not isinstance(values, list) or not values or not isinstance(values[-1], dict):
        return []
    power, energy, soc = None, None, None
    for sampled in values[-1].get("sampledValue") or []:
        if not isinstance(sampled, dict) or sampled.get("phase"):
            continue
        measurand = sampled.get("measurand", "Energy.Active.Import.Register")
        amount = feed.decimal(sampled.get("value"))
        if amount is None:
            continue
        if sampled.get("unit") in ("kW", "kWh"):
            amount *= 1000
        unit = sampled.get("unitOfMeasure")
        if isinstance(unit, dict):
            amount *= Decimal(10) ** (unit.get("multiplier") or 0)
            amount *= 1000 if unit.get("unit") in ("kW", "kWh") else 1
        if measurand == "Power.Active.Import":
            power = " ".join(figures.power(amount))
        elif measurand == "Energy.Active.Import.Register":
            energy = " ".join(figures.energy(amount))
        elif measurand == "SoC":
            soc = figures.percent(amount)
    return [power, energy, soc]


def _transaction(payload: dict[str, Any]) -> list[Any]:
    info = payload.get("transactionInfo")
    state = info.get("chargingState") if isinstance(info, dict) else None
    return [payload.get("eventType"), state, *_readings(payload)]


def _token(payload: dict[str, Any]) -> list[Any]:
    token = payload.get("idToken")
    return [payload.get("idTag", token.get("idToken") if isinstance(token, dict) else None)]


def _boot(payload: dict[str, Any]) -> list[Any]:
    station = payload.get("chargingStation")
    source = station if isinstance(station, dict) else payload
    return [
        source.get("vendorName", source.get("chargePointVendor")),
        source.get("model", source.get("chargePointModel")),
        source.get("firmwareVersion"),
        payload.get("reason"),
    ]


def _stop(payload: dict[str, Any]) -> list[Any]:
    return [
        _("transaction %(number)s", number=payload.get("transactionId")),
        _("register %(value)s Wh", value=payload.get("meterStop")),
        payload.get("reason"),
    ]


_WORDS: dict[str, Callable[[dict[str, Any]], list[Any]]] = {
    "StatusNotification": _status,
    "MeterValues": _readings,
    "TransactionEvent": _transaction,
    "Authorize": _token,
    "StartTransaction": lambda p: [*_token(p), _("register %(value)s Wh", value=p.get("meterStart"))],
    "StopTransaction": _stop,
    "BootNotification": _boot,
    "Heartbeat": lambda _p: [],
    "GetConfiguration": lambda p: p.get("key") or [_("everything")],
    "ChangeConfiguration": lambda p: [p.get("key"), p.get("value")],
}
