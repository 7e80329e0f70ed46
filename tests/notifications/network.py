"""A party with a station and drivers, and what is told to them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.accounts import access
from ohmstead.core import clock
from ohmstead.core.db import Pool, Row
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.notifications import noticing, service
from ohmstead.notifications.delivering import Deliverer
from ohmstead.notifications.model import Channel, NewSubscription, Recipient
from ohmstead.notifications.ports import Carrier, Letter
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import NewTariffAssignment, TariffDraft

SECRET = b"k" * 32
BASE = "https://charge.example.com"


@dataclass
class Carried:
    """A channel that keeps what it carries; `fails` with these, one after the other."""

    letters: list[Letter] = field(default_factory=list)
    fails: list[ExternalFailure] = field(default_factory=list)
    slow_s: float = 0

    async def carry(self, letter: Letter) -> str:
        await asyncio.sleep(self.slow_s)
        if self.fails:
            raise self.fails.pop(0)
        self.letters.append(letter)
        return "250 taken"


@dataclass
class Harbour:
    """`tells`: puts a message into the queue; `happens`: lets a fact be noticed; `sends`: what is due."""

    pool: Pool
    party_id: UUID = field(default_factory=new_id)
    location_id: UUID = field(default_factory=new_id)
    station_id: str = ""
    email: Carried = field(default_factory=Carried)
    sms: Carried = field(default_factory=Carried)
    push: Carried = field(default_factory=Carried)
    n_events: int = 0

    async def opens(self, language: str = "en") -> Harbour:
        code = self.party_id.hex[-8:]
        self.station_id = f"ST-{code}"
        await self.pool.execute(
            "insert into party (party_id, name, country_code, party_code, time_zone, language)"
            " values ($1, 'Harbour Power', 'DE', $2, 'Europe/Berlin', $3)",
            self.party_id,
            code,
            language,
        )
        await self.pool.execute(
            "insert into location (location_id, party_id, name, country, time_zone)"
            " values ($1, $2, 'Quay', 'DEU', 'Europe/Berlin')",
            self.location_id,
            self.party_id,
        )
        await self.builds(self.station_id)
        return self

    async def builds(self, station_id: str, n_evses: int = 1, status: str = "available") -> None:
        """A station that is connected."""
        await self.pool.execute(
            "insert into gateway (gateway_id, address) values ($1, 'test') on conflict do nothing", self.party_id
        )
        await self.pool.execute(
            "insert into station (station_id, party_id, location_id, registration, gateway_id, connected_at)"
            " values ($1, $2, $3, 'accepted', $2, now())",
            station_id,
            self.party_id,
            self.location_id,
        )
        for n in range(1, n_evses + 1):
            await self.pool.execute("insert into evse (station_id, evse_number) values ($1, $2)", station_id, n)
            await self.pool.execute(
                "insert into connector (station_id, evse_number, connector_number, status, status_at)"
                " values ($1, $2, 1, $3, now())",
                station_id,
                n,
                status,
            )

    async def driver(self, email: str | None = "robin@example.com", *, card: str = "", **more: Any) -> UUID:
        """A driver, with a card if it is named."""
        driver_id, language = new_id(), more.pop("language", None)
        await self.pool.execute(
            "insert into driver (driver_id, party_id, name, email, phone, language, phone_confirmed_at)"
            " values ($1, $2, $3, $4, $5, $6, case when $7 then now() end)",
            driver_id,
            self.party_id,
            more.get("name", "Robin"),
            email,
            more.get("phone"),
            language,
            "phone" in more and more.get("is_confirmed", True),
        )
        if card:
            await self.pool.execute(
                "insert into token (token_id, party_id, uid, driver_id) values ($1, $2, $3, $4)",
                new_id(),
                self.party_id,
                card,
                driver_id,
            )
            await self.pool.execute(
                "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, lower($3), '2020-01-01Z')"
                " on conflict do nothing",
                self.party_id,
                driver_id,
                card,
            )
        return driver_id

    async def session(self, card: str, **more: Any) -> UUID:
        """One that goes on."""
        now = more.pop("now", clock.now())
        row: dict[str, Any] = {
            "session_id": (session_id := new_id()), "party_id": self.party_id, "station_id": self.station_id,
            "location_id": self.location_id, "evse_number": 1, "transaction_id": session_id.hex[-12:],
            "ocpp_version": "2.0.1", "status": "active", "charging_state": "charging",
            "started_at": now - timedelta(minutes=30), "last_event_at": now, "first_received_at": now,
            "updated_at": now, "energy_wh": Decimal(23_450), "energy_source": "register", "token_uid": card,
            "token_type": "ISO14443", "power_w": Decimal(11_000),
        }  # fmt: skip
        row |= more
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.pool.execute(f"insert into session ({', '.join(row)}) values ({places})", *row.values())
        return session_id

    async def offers(self, tariff: Tariff) -> None:
        """A tariff that applies everywhere, and always did."""
        actor = access.system(self.party_id)
        async with self.pool.acquire() as conn, conn.transaction():
            made = await tariffs.create_tariff(conn, actor, TariffDraft(name="Quay", tariff=tariff))
            await tariffs.assign(conn, actor, NewTariffAssignment(tariff_id=made.tariff_id))
        for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
            await self.pool.execute(f"update {column} = '2020-01-01Z' where tariff_id = $1", made.tariff_id)

    async def tells(self, kind: str, to: Recipient | UUID, key: str = "1", **data: Any) -> list[UUID]:
        recipient = Recipient(driver_id=to) if isinstance(to, UUID) else to
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.queue(conn, self.party_id, kind=kind, to=recipient, data=data, key=key)

    async def happens(self, fact: str, /, **payload: Any) -> None:
        self.n_events += 1
        event = Event(fact, f"test/{self.n_events}", payload, self.party_id, self.n_events, clock.now())
        async with self.pool.acquire() as conn, conn.transaction():
            await noticing.notice(conn, [event])

    async def subscribes(self, driver_id: UUID, endpoint: str, point: str, auth: str) -> UUID:
        given = NewSubscription(endpoint=endpoint, p256dh=point, auth=auth, device="Test")
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.subscribe_push(conn, self.party_id, driver_id, given)

    def sender(self, **carriers: Carrier) -> Deliverer:
        """Whoever sends, over these channels or those that keep what they carry."""
        given: dict[Channel, Carrier] = carriers or {  # type: ignore[assignment]
            "email": self.email,
            "sms": self.sms,
            "push": self.push,
        }
        return Deliverer(self.pool, given, secret=SECRET, base_url=BASE)

    async def sends(self) -> int:
        n = await self.sender().drain()
        # They are sent side by side; tests look at them in the order of the queue.
        for channel in (self.email, self.sms, self.push):
            channel.letters.sort(key=lambda letter: letter.notification_id)
        return n

    async def rows(self) -> list[Row]:
        return await self.pool.fetch(
            "select kind, channel, status, reason, address, driver_id, language, subject, body, data, n_tries, next_at,"
            " expires_at, notification_id, key from notification where party_id = $1 order by created_at, notification_id",
            self.party_id,
        )

    async def told(self) -> list[tuple[str, str, str]]:
        """Kind, channel, and how far it is."""
        return [(row["kind"], row["channel"], row["reason"] or row["status"]) for row in await self.rows()]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def until(what: Any, within_s: float = 10) -> Any:
    """Wait until something is true."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        if found := await what():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come")
