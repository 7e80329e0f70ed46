"""A party with a station and a tariff, and sessions that are settled, as the database has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from ohmstead.accounts import access
from ohmstead.accounts.access import Actor
from ohmstead.billing import verifying
from ohmstead.billing.cdrs import queries, service
from ohmstead.billing.cdrs.model import Cdr, CdrCredit, CreditOrder, DecidedSession, ReduceOrder, UnbillableDecision
from ohmstead.billing.ledger import queries as books
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.queries import AccountFilter
from ohmstead.billing.refunds import service as refunds
from ohmstead.billing.refunds.model import Reduced
from ohmstead.core.db import Pool
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import PriceComponent, Tariff, TariffElement, TariffTax
from ohmstead.tariffs.records import NewTariffAssignment, TariffDraft

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
VAT = TariffTax(percentage=Decimal(21))


def per_kwh(price: str, currency: str = "EUR", **more: Any) -> Tariff:
    component = PriceComponent(type="ENERGY", price=Decimal(price), taxes=[VAT])
    return Tariff(currency=currency, elements=[TariffElement(price_components=[component])], **more)


@dataclass
class Business:
    """Sessions are billed, credited, decided about, for one party."""

    pool: Pool
    party_id: UUID = field(default_factory=new_id)
    location_id: UUID = field(default_factory=new_id)
    station_id: str = ""

    @property
    def actor(self) -> Actor:
        return access.system(self.party_id)

    async def founded(self, tariff: Tariff | None = None) -> Self:
        code = self.party_id.hex[-8:]
        self.station_id = f"ST-{code}"
        await self.pool.execute(
            "insert into party (party_id, name, country_code, party_code, time_zone)"
            " values ($1, 'Harbour', 'NL', $2, 'Europe/Amsterdam')",
            self.party_id,
            code,
        )
        await self.pool.execute(
            "insert into location (location_id, party_id, name, country, time_zone)"
            " values ($1, $2, 'Quay', 'NLD', 'Europe/Amsterdam')",
            self.location_id,
            self.party_id,
        )
        await self.pool.execute(
            "insert into station (station_id, party_id, location_id, registration) values ($1, $2, $3, 'accepted')",
            self.station_id,
            self.party_id,
            self.location_id,
        )
        if tariff is not None:
            await self.offers(tariff)
        return self

    async def offers(self, tariff: Tariff, name: str = "Quay") -> UUID:
        """A tariff that applies everywhere, and always did."""
        async with self.pool.acquire() as conn, conn.transaction():
            made = await tariffs.create_tariff(conn, self.actor, TariffDraft(name=name, tariff=tariff))
            await tariffs.assign(conn, self.actor, NewTariffAssignment(tariff_id=made.tariff_id))
        for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
            await self.pool.execute(f"update {column} = '2020-01-01Z' where tariff_id = $1", made.tariff_id)
        return made.tariff_id

    async def session(self, wh: int = 20_000, started_at: datetime = AT, minutes: int = 60, **more: Any) -> UUID:
        """One that is over and settled."""
        ended_at = started_at + timedelta(minutes=minutes)
        row: dict[str, Any] = {
            "session_id": (session_id := new_id()), "party_id": self.party_id, "station_id": self.station_id,
            "location_id": self.location_id, "evse_number": 1, "transaction_id": session_id.hex[-12:],
            "ocpp_version": "2.0.1", "status": "completed", "started_at": started_at, "ended_at": ended_at,
            "last_event_at": ended_at, "first_received_at": started_at, "updated_at": ended_at, "settled_at": ended_at,
            "energy_wh": Decimal(wh), "energy_source": "register", "charging_s": minutes * 60, "idle_s": 0,
        }  # fmt: skip
        row |= more
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.pool.execute(f"insert into session ({', '.join(row)}) values ({places})", *row.values())
        await self.pool.execute(
            "insert into charging_period values ($1, $2, $3, 'charging', $4)",
            session_id,
            started_at,
            ended_at,
            Decimal(wh),
        )
        return session_id

    async def becomes(self, session_id: UUID, wh: int) -> None:
        """Late news: it delivered something else."""
        await self.pool.execute("update session set energy_wh = $2 where session_id = $1", session_id, Decimal(wh))
        await self.pool.execute(
            "update charging_period set energy_wh = $2 where session_id = $1", session_id, Decimal(wh)
        )

    async def settles(self, *session_ids: UUID) -> None:
        """As the outbox tells it."""
        told = [
            Event("SessionSettled", f"session/{one}", {"session_id": str(one)}, party_id=self.party_id)
            for one in session_ids
        ]
        async with self.pool.acquire() as conn, conn.transaction():
            await service.notice_settled(conn, told)

    async def credits(self, cdr_id: UUID, *, again: bool = False) -> CdrCredit:
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.credit(conn, self.actor, cdr_id, CreditOrder(reason="wrong", bill_again=again))

    async def reduces(self, cdr_id: UUID, amount: str | None = None, **more: Any) -> Reduced:
        wanted = Decimal(amount) if amount is not None else None
        async with self.pool.acquire() as conn, conn.transaction():
            given = ReduceOrder(reason="The charger was slow", amount=wanted, **more)
            return await refunds.reduce(conn, self.actor, cdr_id, given)

    async def decides(self, session_id: UUID, decision: Any) -> DecidedSession:
        async with self.pool.acquire() as conn, conn.transaction():
            given = UnbillableDecision(decision=decision, note="because")
            return await service.decide(conn, self.actor, session_id, given)

    async def closes(self, month: str) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            await ledger.lock(conn, self.actor, month)

    async def cdrs(self) -> list[Cdr]:
        """Oldest first."""
        async with self.pool.acquire() as conn:
            found = await queries.list_cdrs(conn, self.actor.scope, queries.CdrFilter(), limit=1000)
        return found[::-1]

    async def unbillable(self) -> dict[UUID, tuple[str, str | None]]:
        """Reason and decision."""
        async with self.pool.acquire() as conn:
            found = await queries.list_unbillable(conn, self.actor.scope, queries.UnbillableFilter(), limit=1000)
        return {one.session_id: (one.reason, one.decision) for one in found}

    async def balances(self, **wanted: Any) -> dict[str, Decimal]:
        """By code; those that are nothing left out."""
        async with self.pool.acquire() as conn:
            found = await books.list_accounts(conn, self.party_id, AccountFilter(**wanted), limit=1000)
        return {one.code: one.balance for one in found if one.balance}

    async def faults(self) -> list[str]:
        """What `ledger verify` says."""
        async with self.pool.acquire() as conn:
            return [fault.text for fault in (await verifying.verify(conn, self.party_id)).faults]
