"""The worker's look at places: plugs that somebody waits for, stations that somebody follows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.language import N_
from ohmstead.notifications import queries, service, store
from ohmstead.notifications.model import Order, Recipient

PLUGS_EVERY_S: Final = 1.0
STATIONS_EVERY_S: Final = 5.0
MOST_WATCHES: Final = 2000
# A station that is away for a moment, or restarts, is not out of service.
AWAY_FOR: Final = timedelta(minutes=5)
OUT_FOR: Final = timedelta(seconds=60)

OutReason: TypeAlias = Literal["offline", "faulted", "unavailable"]
REASONS: Final[dict[OutReason, str]] = {
    "offline": N_("it is not connected"),
    "faulted": N_("it reports a fault"),
    "unavailable": N_("it is in maintenance or switched off"),
}


class Seen(Struct, frozen=True, kw_only=True):
    """A station as it is, as far as it matters here."""

    is_connected: bool
    offline_since: datetime | None
    status: str | None
    n_connectors: int
    n_out: int
    is_switched_off: bool
    changed_at: datetime | None


def out_of_service(seen: Seen, now: datetime) -> tuple[OutReason, datetime] | None:
    """Why and since when a station is of no use to anybody; None: it is of some, or was until just now. Pure."""
    if not seen.is_connected:
        since = seen.offline_since or now
        return ("offline", since) if now - since >= AWAY_FOR else None
    is_whole = seen.status in ("faulted", "unavailable")
    if not is_whole and (seen.n_connectors == 0 or seen.n_out < seen.n_connectors):
        return None
    since = seen.changed_at or now
    if now - since < OUT_FOR:
        return None
    return ("unavailable" if seen.status == "unavailable" or seen.is_switched_off else "faulted"), since


async def tell_free(pool: Pool, most: int = MOST_WATCHES) -> int:
    """Whoever waits for a plug that is free now is told, once; returns how many. `most`: at once; nobody's many watches of
    places where none gets free keep others from being looked at.
    """
    now, n, after = clock.now(), 0, None
    async with pool.acquire() as conn, conn.transaction():
        while True:
            rows = await queries.list_open_watches(conn, now, most, after)
            by_party: dict[UUID, list[Row]] = defaultdict(list)
            for row in rows:
                by_party[row["party_id"]].append(row)
            for party_id in sorted(by_party):
                n += await _tell_free(conn, party_id, by_party[party_id], now)
            if len(rows) < most:
                return n
            after = (rows[-1]["created_at"], rows[-1]["watch_id"])


async def _tell_free(conn: Connection, party_id: UUID, watches: list[Row], now: datetime) -> int:
    locations = [row["location_id"] for row in watches if row["location_id"] is not None]
    stations = [row["station_id"] for row in watches if row["station_id"] is not None]
    free = await queries.list_free(conn, party_id, locations, stations)
    matched = {row["watch_id"]: found for row in watches if (found := _match(row, free)) is not None}
    if not matched:
        return 0
    ended = set(await store.end_watches(conn, list(matched), now))
    orders = [
        Order(
            kind="plug_free",
            to=Recipient(driver_id=row["driver_id"]),
            data=_free_data(matched[row["watch_id"]]),
            key=str(row["watch_id"]),
            time_zone=matched[row["watch_id"]]["time_zone"],
        )
        for row in watches
        if row["watch_id"] in ended
    ]
    return len(await service.queue_all(conn, party_id, orders))


def _match(watch: Row, free: list[Row]) -> Row | None:
    for row in free:
        if watch["location_id"] is not None and row["location_id"] == watch["location_id"]:
            return row
        if watch["station_id"] == row["station_id"] and watch["evse_number"] in (None, row["evse_number"]):
            return row
    return None


def _free_data(row: Row) -> dict[str, Any]:
    plug = f"{row['station']} · {row['evse_number']}" if row["n_evses"] > 1 else row["station"]
    return {
        "location": row["location"] or row["station"],
        "station": row["station"],
        "plug": plug,
        "link": f"/drive/e/{row['station_id']}*{row['evse_number']}",
    }


async def tell_outages(pool: Pool) -> int:
    """Stations that went out of service, and those that are back, are told to whoever wants to know; returns how many
    messages are new.
    """
    now = clock.now()
    async with pool.acquire() as conn, conn.transaction():
        rows = await queries.list_looked_after(conn, now)
        gone: list[tuple[Row, OutReason, datetime]] = []
        back: list[Row] = []
        for row in rows:
            found = None if row["is_retired"] else out_of_service(_seen(row), now)
            if found is not None and row["out_since"] is None:
                gone.append((row, *found))
            elif row["out_since"] is not None and found is None and _is_back(row):
                back.append(row)
        if not gone and not back:
            return 0
        await store.put_outages(conn, [(row["station_id"], row["party_id"], since, why) for row, why, since in gone])
        sound_before = await queries.list_sound_locations(conn, _locations([row for row, _why, _at in gone] + back))
        await store.end_outages(conn, [row["station_id"] for row in back], now)
        n = await _tell_gone(conn, gone, sound_before, now)
        return n + await _tell_back(conn, [row for row in back if not row["is_retired"]], sound_before, now)


def _is_back(row: Row) -> bool:
    """Of use again: connected, and not all of it out. One that is only away for a moment is not back."""
    seen = _seen(row)
    is_out = seen.status in ("faulted", "unavailable") or (seen.n_connectors > 0 and seen.n_out >= seen.n_connectors)
    return bool(row["is_retired"]) or (seen.is_connected and not is_out)


async def _tell_gone(
    conn: Connection, gone: list[tuple[Row, OutReason, datetime]], sound: set[UUID], now: datetime
) -> int:
    rows = [row for row, _why, _since in gone]
    interested = await queries.list_interested(conn, [row["station_id"] for row in rows], _locations(rows), now)
    orders: dict[UUID, list[Order]] = defaultdict(list)
    for row, why, since in gone:
        key = f"{row['station_id']}:{int(since.timestamp())}"
        data = {**_station_data(row), "at": since, "reason": REASONS[why]}
        for driver_id in _whom(row, interested, sound):
            orders[row["party_id"]].append(_driver_order("station_out", row, driver_id, data, key))
        for operator_id in await store.list_asking_operators(conn, row["party_id"], "operator_station_out"):
            orders[row["party_id"]].append(_operator_order("operator_station_out", row, operator_id, data, key))
    return await _queue(conn, orders)


async def _tell_back(conn: Connection, back: list[Row], sound_before: set[UUID], now: datetime) -> int:
    interested = await queries.list_interested(conn, [row["station_id"] for row in back], _locations(back), now)
    orders: dict[UUID, list[Order]] = defaultdict(list)
    for row in back:
        key = f"{row['station_id']}:{int(row['out_since'].timestamp())}"
        data = {**_station_data(row), "at": now}
        for driver_id in _whom(row, interested, sound_before):
            orders[row["party_id"]].append(_driver_order("station_back", row, driver_id, data, key))
        for operator_id in await store.list_asking_operators(conn, row["party_id"], "operator_station_back"):
            orders[row["party_id"]].append(_operator_order("operator_station_back", row, operator_id, data, key))
    return await _queue(conn, orders)


def _whom(row: Row, interested: list[Row], sound: set[UUID]) -> list[UUID]:
    """Who follows the station; and who follows its location, when no station there is in service."""
    found = {one["driver_id"] for one in interested if one["station_id"] == row["station_id"]}
    location_id = row["location_id"]
    if location_id is not None and location_id not in sound:
        found |= {one["driver_id"] for one in interested if one["location_id"] == location_id}
    return sorted(found)


def _driver_order(kind: str, row: Row, driver_id: UUID, data: dict[str, Any], key: str) -> Order:
    link = f"/drive/l/{row['location_id']}" if row["location_id"] else "/drive"
    to = Recipient(driver_id=driver_id)
    return Order(kind=kind, to=to, data={**data, "link": link}, key=f"{key}:{driver_id}", time_zone=row["time_zone"])


def _operator_order(kind: str, row: Row, operator_id: UUID, data: dict[str, Any], key: str) -> Order:
    to = Recipient(operator_id=operator_id)
    with_link = {**data, "link": f"/stations/{row['station_id']}"}
    return Order(kind=kind, to=to, data=with_link, key=f"{key}:{operator_id}", time_zone=row["time_zone"])


async def _queue(conn: Connection, orders: dict[UUID, list[Order]]) -> int:
    return sum([len(await service.queue_all(conn, party_id, orders[party_id])) for party_id in sorted(orders)])


def _station_data(row: Row) -> dict[str, Any]:
    return {"station": row["station"], "location": row["location"]}


def _locations(rows: list[Row]) -> list[UUID]:
    return sorted({row["location_id"] for row in rows if row["location_id"] is not None})


def _seen(row: Row) -> Seen:
    return Seen(
        is_connected=row["is_connected"],
        offline_since=row["offline_since"],
        status=row["status"],
        n_connectors=row["n_connectors"],
        n_out=row["n_out"],
        is_switched_off=bool(row["is_switched_off"]),
        changed_at=max((at for at in (row["changed_at"], row["status_at"]) if at is not None), default=None),
    )
