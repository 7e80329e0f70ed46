"""Raising a station's security profile (1.6 SecurityProfile key, 2.x network profiles), one step after the other.

The station is admitted under both profiles until it first came with the new one; from then on the old one is refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock, jobs
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Invalid, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.stations.certificates import store
from ohmstead.stations.certificates.model import ProfileUpgrade
from ohmstead.stations.certificates.service import request_order
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import Command, Order, Reset, SetNetworkProfile, SetVariables

log = logger("ohmstead.upgrades")

JOB = "upgrade_profile"
GIVEN_UP_AFTER = timedelta(days=1)
_KNOWN_REASON = "the station did not come back with the new profile"


async def start(
    conn: Connection, actor: Actor, station_id: str, to_profile: int, *, url: str | None = None, slot: int = 2
) -> UUID:
    """Begin. `url` (where the station is to connect from now on) and `slot` are for 2.x. Raises Invalid, Refused."""
    if to_profile not in (2, 3):
        raise Invalid("a profile can be raised to 2 or 3", field="to_profile")
    if url is not None and not url.startswith("wss://"):
        raise Invalid("profiles 2 and 3 are for wss:// addresses", field="url")
    upgrade_id = new_id()
    done = await store.insert_upgrade(
        conn, actor.party_id, upgrade_id, station_id, to_profile, url, slot, actor.actor_id
    )
    if not done:
        raise Refused("no such station, or its profile is that high already, or it is being raised right now")
    await jobs.enqueue(conn, JOB, {"station_id": station_id})
    detail: dict[str, object] = {"to_profile": to_profile}
    await accounts.audit(conn, actor, "station.profile_upgrade_started", f"station/{station_id}", detail)
    return upgrade_id


async def go_on_after_certificate(conn: Connection, found: list[Event]) -> None:
    """Outbox consumer: a station got a certificate, which an upgrade may have waited for."""
    for event in found:
        if event.payload["use"] == "station":
            await jobs.enqueue(conn, JOB, {"station_id": event.payload["station_id"]})


async def go_on(pool: Pool, desk: CommandDesk, payload: Any) -> None:
    """Job: the next step of a station's upgrade, if one is under way."""
    station_id = payload["station_id"]
    async with pool.acquire() as conn, conn.transaction():
        found = await store.find_upgrade(conn, station_id)
        if found is None or found[0].status == "expected":
            return
        upgrade, version = found
        if upgrade.to_profile == 3 and not await store.has_usable(conn, station_id, clock.now()):
            await store.upgrade_is(conn, upgrade.profile_upgrade_id, "certificate")
            orders: list[Order] = [request_order("station", version)]
            is_last = False
        elif version != "1.6" and upgrade.url is None:
            await _fail(conn, upgrade, "OCPP 2.x needs the address to connect to: start it again with url")
            return
        else:
            # From here on the station may come with either.
            await store.expect_profile(conn, station_id, upgrade.to_profile)
            await store.upgrade_is(conn, upgrade.profile_upgrade_id, "expected")
            orders = _orders(upgrade, version)
            is_last = True
    for order in orders:
        command = await desk.send(
            order,
            party_id=upgrade.party_id,
            station_id=station_id,
            requested_by=upgrade.requested_by,
            timeout_s=30,
        )
        if not _is_done(command):
            # A station that obeys may be gone before it has said so.
            if (
                is_last
                and order is orders[-1]
                and command.status in ("timed_out", "failed")
                and command.error_code in (None, "connection_lost")
            ):
                return
            async with pool.acquire() as conn, conn.transaction():
                await _fail(conn, upgrade, f"{command.action or command.kind}: {command.error_text or command.status}")
            return
        if is_last and version == "1.6" and (command.error_text or "").endswith("RebootRequired"):
            orders.append(Reset(how="soft"))


def _orders(upgrade: ProfileUpgrade, version: str | None) -> list[Order]:
    if version == "1.6":
        # The station connects anew by itself once it has accepted (whitepaper §2.7).
        return [SetVariables(values={"SecurityProfile": str(upgrade.to_profile)})]
    assert upgrade.url is not None
    priority = f"{upgrade.slot}" if upgrade.slot == 1 else f"{upgrade.slot},1"
    return [
        SetNetworkProfile(slot=upgrade.slot, url=upgrade.url, security_profile=upgrade.to_profile),
        SetVariables(values={"OCPPCommCtrlr.NetworkConfigurationPriority": priority}),
        Reset(how="on_idle"),
    ]


def _is_done(command: Command) -> bool:
    return command.status == "accepted"


async def _fail(conn: Connection, upgrade: ProfileUpgrade, reason: str) -> None:
    await store.expect_profile(conn, upgrade.station_id, None)
    await store.upgrade_is(conn, upgrade.profile_upgrade_id, "failed", reason, clock.now())
    log.warning("profile_upgrade_failed", station_id=upgrade.station_id, reason=reason)


async def came_with(conn: Connection, station_id: str, party_id: UUID, profile: int) -> bool:
    """The station is here with the profile it was asked to take: the old one is good no longer."""
    if not await store.raise_profile(conn, station_id, profile):
        return False
    found = await store.find_upgrade(conn, station_id)
    if found is not None:
        await store.upgrade_is(conn, found[0].profile_upgrade_id, "done", None, clock.now())
    payload = {"station_id": station_id, "security_profile": profile}
    event = Event(kind="SecurityProfileRaised", subject=f"station/{station_id}", party_id=party_id, payload=payload)
    await record(conn, [event])
    return True


async def give_up(pool: Pool) -> int:
    """Timer: what a station did not do within a day is over; it is admitted as before."""
    at = clock.now()
    async with pool.acquire() as conn, conn.transaction():
        stuck = await store.list_stuck_upgrades(conn, at - GIVEN_UP_AFTER)
        for upgrade_id, station_id, _ in stuck:
            await store.expect_profile(conn, station_id, None)
            await store.upgrade_is(conn, upgrade_id, "failed", _KNOWN_REASON, at)
    return len(stuck)
