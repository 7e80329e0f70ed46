"""Duty: a station's local authorization list as the party's tokens want it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.events import Event, record
from ohmstead.core.log import logger
from ohmstead.stations import service as stations
from ohmstead.stations.commands import Command, CommandDesk
from ohmstead.stations.device import lists, queries, store
from ohmstead.stations.device.duties import Done, unheard
from ohmstead.stations.orders import GetLocalListVersion, ListedToken, SendLocalList

log = logger("ohmstead.local_lists")

REFUSED_AGAIN_S = 600.0

# 2.x tells how many there may be as the limit of how many there are; of 1.6 the features know it.
ENTRIES = ("LocalAuthListCtrlr", "Entries")


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """A station that takes a list, and what it is known to hold."""

    station_id: str
    party_id: UUID
    location_id: UUID | None
    generation: str
    version: int | None = None
    held: dict[str, ListedToken] | None = None
    capacity: int | None = None
    most: int | None = None
    most_bytes: int | None = None


async def send_lists(conn: Connection, actor: Actor, *, is_on: bool) -> None:
    """Whether the party's stations get local lists, where a station itself says nothing else."""
    was = {"is_on": await queries.sends_local_lists(conn, actor.party_id)}
    await store.set_party_lists(conn, actor.party_id, is_on)
    now: dict[str, object] = {"is_on": is_on}
    await accounts.audit(conn, actor, "party.local_lists", f"party/{actor.party_id}", now, before=was, after=now)
    event = Event(
        kind="LocalListsChanged",
        subject=f"party/{actor.party_id}",
        party_id=actor.party_id,
        payload={"is_on": is_on, "by": actor.actor_id},
    )
    await record(conn, [event])


async def withhold(conn: Connection, station_id: str, uid: str) -> None:
    """The station forgot whose token this is; its list is to forget it as well, until somebody changes the token.

    OCPP 2.x N10: clearing a customer's data does not touch the local list, which is ours to keep.
    """
    now = clock.now()
    await store.withhold(conn, station_id, uid, now)
    await store.ask(conn, "local_list", [station_id], now)


async def reconcile(pool: Pool, desk: CommandDesk, station_id: str) -> Done:
    """The whole duty for one station."""
    async with pool.acquire() as conn:
        to = await _recipient(conn, station_id)
        tokens = await store.list_chargeable(conn, to.party_id, station_id, to.location_id) if to is not None else []
    if to is None:
        return Done("nothing", "it takes no local list")
    asked = await _send(desk, to, GetLocalListVersion())
    if (ended := unheard(asked)) is not None:
        if asked.status == "failed" and asked.error_code in ("NotSupported", "NotImplemented", "refused"):
            return Done("unsupported", asked.error_text or asked.error_code)
        return ended
    theirs = _version_in(asked.answer)
    if theirs is None or theirs < 0:
        return Done("unsupported", "the station has no local list, or none that is on")
    wanted = lists.chosen(tokens, to.generation, to.capacity)
    is_known = to.held is not None and to.version == theirs
    highest = max(theirs, to.version or 0)
    todo = lists.updates(to.held if is_known else None, highest, wanted.entries, to.most, to.most_bytes)
    held = dict(to.held or {}) if is_known else None
    for update in todo:
        done = await _update(pool, desk, to, update, held, wanted.n_left_out)
        if isinstance(done, Done):
            return done
        held = done
    return Done("same" if not todo else "sent", f"{len(wanted.entries)} tokens" + _left_out(wanted.n_left_out))


async def _recipient(conn: Connection, station_id: str) -> Recipient | None:
    row = await store.find_recipient(conn, station_id)
    if row is None:
        return None
    generation = "1.6" if row["ocpp_version"] == "1.6" else "2.x"
    takes = (await stations.list_features(conn, {station_id: row["ocpp_version"]}))[station_id]
    most_bytes = takes.most_bytes.get("send_local_list")
    entries = (await store.known_of(conn, station_id, [ENTRIES])).get(ENTRIES)
    room = entries.max_limit if entries is not None else None
    return Recipient(
        station_id=station_id,
        party_id=row["party_id"],
        location_id=row["location_id"],
        generation=generation,
        version=row["version"],
        held=_held(row["entries"]),
        capacity=int(room) if room is not None else takes.most_list_entries or None,
        most=takes.most_items.get("send_local_list"),
        most_bytes=max(most_bytes - lists.FRAME_BYTES, 1) if most_bytes else None,
    )


def _left_out(n: int) -> str:
    return f", {n} left out for want of room" if n else ""


async def _update(
    pool: Pool,
    desk: CommandDesk,
    to: Recipient,
    update: SendLocalList,
    held: dict[str, ListedToken] | None,
    n_left_out: int,
) -> Done | dict[str, ListedToken]:
    """One message; what the station holds then, or how the duty ends."""
    command = await _send(desk, to, update)
    is_taken = command.status == "accepted"
    after = lists.after(held, update)
    n_removals = sum(entry.status is None for entry in update.entries)
    async with pool.acquire() as conn, conn.transaction():
        if is_taken:
            await store.save_local_list(conn, to.station_id, update.version, after, n_left_out)
        else:
            # Whatever it holds now, the next try is a full list.
            await store.forget_local_list(conn, to.station_id)
        await accounts.audit(
            conn,
            access.system(to.party_id),
            "station.local_list_sent",
            f"station/{to.station_id}",
            {
                "command_id": str(command.command_id),
                "how": update.update,
                "version": update.version,
                "entries": len(update.entries) - n_removals,
                "removals": n_removals,
                "answer": command.error_text or command.status,
            },
        )
    if is_taken:
        return after
    if (ended := unheard(command)) is not None:
        return ended
    log.info("local_list_refused", station_id=to.station_id, answer=command.error_text)
    again = 1.0 if command.error_text == "VersionMismatch" else REFUSED_AGAIN_S
    return Done("refused", command.error_text, again, is_failure=True)


async def _send(desk: CommandDesk, to: Recipient, order: GetLocalListVersion | SendLocalList) -> Command:
    return await desk.send(order, party_id=to.party_id, station_id=to.station_id, requested_by="system:local_list")


def _held(entries: Any) -> dict[str, ListedToken] | None:
    """None also for what another version wrote down in other words: the list is sent whole, then."""
    try:
        return msgspec.convert(entries, dict[str, ListedToken] | None)
    except msgspec.ValidationError:
        return None


def _version_in(answer: Any) -> int | None:
    """The number in an answer of any version; 1.6 says -1 for no list at all."""
    if not isinstance(answer, dict):
        return None
    found = answer.get("listVersion", answer.get("versionNumber"))
    return found if isinstance(found, int) else None
