"""Drivers with cards and wallets at a business, what they begin, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Entry, Posting, psp_clearing, wallet
from ohmstead.billing.paying import covers, settling
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.covers import CoverTerms
from ohmstead.billing.paying.limits import CoverLimits
from ohmstead.billing.paying.model import NewPayingMethod, PayingMethod
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets import topping
from ohmstead.billing.wallets.model import Wallet
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.sessions.costs import CoverLimit
from ohmstead.sessions.pricing import store as pricing
from ohmstead.sessions.terms import Terms, judge
from ohmstead.tariffs.model import PriceComponent, Tariff, TariffElement
from ohmstead.tokens.model import Authorization, AuthorizationRequest
from tests.billing.network import AT, Business


def untaxed(price: str, **more: Any) -> Tariff:
    """So much a kWh."""
    component = PriceComponent(type="ENERGY", price=Decimal(price))
    return Tariff(currency="EUR", elements=[TariffElement(price_components=[component])], tax_included="N/A", **more)


@dataclass
class Customers(Business):
    """The business, and whoever charges there."""

    async def driver(self, name: str = "Ada") -> UUID:
        driver_id = new_id()
        await self.pool.execute(
            "insert into driver (driver_id, party_id, name) values ($1, $2, $3)", driver_id, self.party_id, name
        )
        return driver_id

    async def card(self, uid: str, driver_id: UUID | None = None, **more: Any) -> UUID:
        """A card that its driver has had for long."""
        token_id = new_id()
        row = {"token_id": token_id, "party_id": self.party_id, "uid": uid, "driver_id": driver_id} | more
        await self.pool.execute(
            f"insert into token ({', '.join(row)}) values ({', '.join(f'${n + 1}' for n in range(len(row)))})",
            *row.values(),
        )
        if driver_id is not None:
            await self.pool.execute(
                "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, $3, '2020-01-01Z')",
                self.party_id,
                driver_id,
                uid.lower(),
            )
        return token_id

    async def pays_with(
        self, kind: Any, *, token_id: UUID | None = None, driver_id: UUID | None = None, **more: Any
    ) -> PayingMethod:
        async with self.pool.acquire() as conn, conn.transaction():
            given = NewPayingMethod(kind=kind, **more)
            return await paying.set_method(conn, self.actor, given, token_id=token_id, driver_id=driver_id)

    async def puts_in(self, driver_id: UUID, amount: str, key: str | None = None) -> None:
        """A top-up that was captured, as payments post it."""
        cash, theirs = psp_clearing("sandbox", "EUR"), wallet(driver_id, "EUR")
        postings = (Posting(cash, Decimal(amount)), Posting(theirs, -Decimal(amount)))
        payment_id = new_id()
        entry = Entry(
            key=key or f"top_up:{payment_id}",
            kind="top_up",
            text="",
            wanted_on=clock.now().date(),
            postings=postings,
        )
        async with self.pool.acquire() as conn, conn.transaction():
            await ledger.post_all(conn, self.party_id, "system", [entry])
        payload = {
            "payment_id": str(payment_id),
            "purpose": "top_up",
            "customer": f"driver:{driver_id}",
            "amount": amount,
            "currency": "EUR",
            "session_id": None,
        }
        await self.hears("PaymentCaptured", payload)

    async def hears(self, kind: str, payload: dict[str, Any]) -> None:
        """What a consumer of the outbox is told."""
        event = Event(kind, "x", payload, party_id=self.party_id)
        handles = {
            "PaymentCaptured": topping.notice_payments,
            "PaymentFailed": topping.notice_payments,
            "PaymentRefunded": topping.notice_payments,
            "PlanCharged": settling.notice_fees,
            "PaymentSettled": settling.notice_settlements,
            "DriverErased": settling.notice_erased,
        }
        async with self.pool.acquire() as conn, conn.transaction():
            await handles[kind](conn, [event])

    async def wallet(self, driver_id: UUID) -> Wallet:
        async with self.pool.acquire() as conn:
            return await wallets.get_wallet(conn, self.party_id, driver_id)

    async def asks(
        self,
        uid: str,
        *,
        station: str | None = None,
        is_start: bool = True,
        conn: Connection | None = None,
        **more: Any,
    ) -> tuple[str, Terms | None]:
        """What a station is told of a card that is good otherwise."""
        if conn is None:
            async with self.pool.acquire() as conn:
                return await self.asks(uid, station=station, is_start=is_start, conn=conn, **more)
        row = await conn.fetchrow(
            "select token_id, type from token where party_id = $1 and uid_key = lower($2)", self.party_id, uid
        )
        request = AuthorizationRequest(
            party_id=self.party_id,
            uid=uid,
            type=row["type"] if row else more.pop("type", None),
            at=clock.now(),
            station_id=station or self.station_id,
            evse_number=1,
            is_start=is_start,
            session_id=more.pop("session_id", None),
        )
        granted = Authorization(
            status="accepted", uid=uid, type=request.type, token_id=row["token_id"] if row else None
        )
        (terms,) = await CoverTerms().terms_of(conn, [request], [granted])
        return judge(request, granted, terms, ()).status, terms

    async def begins(self, uid: str, started_at: datetime = AT, **more: Any) -> UUID:
        """A session that goes on."""
        row = await self.pool.fetchrow(
            "select token_id, type from token where party_id = $1 and uid_key = lower($2)", self.party_id, uid
        )
        known = {"token_id": row["token_id"], "token_type": row["type"]} if row else {}
        session_id = await self.session(
            wh=0, started_at=started_at, token_uid=uid, status="active", ended_at=None, settled_at=None, **known | more
        )
        async with self.pool.acquire() as conn, conn.transaction():
            told = {"session_id": str(session_id)}
            await covers.note_starts(conn, [Event("SessionStarted", "x", told, party_id=self.party_id)])
        return session_id

    async def ends(self, session_id: UUID, wh: int, minutes: int = 60) -> None:
        """It is over, settled, billed, and paid for by whoever is there to pay."""
        await self.pool.execute(
            "update session set status = 'completed', energy_wh = $2, ended_at = started_at + $3::interval,"
            " settled_at = now() where session_id = $1",
            session_id,
            Decimal(wh),
            timedelta(minutes=minutes),
        )
        await self.pool.execute(
            "update charging_period set energy_wh = $2, ended_at = started_at + $3::interval where session_id = $1",
            session_id,
            Decimal(wh),
            timedelta(minutes=minutes),
        )
        await self.settles(session_id)
        await self.pays()

    async def pays(self) -> None:
        """All facts about CDRs so far are read, some not for the first time."""
        rows = await self.pool.fetch(
            "select kind, subject, payload, party_id from outbox where kind in ('CdrCreated', 'CdrCredited')"
            " and party_id = $1 order by event_id",
            self.party_id,
        )
        async with self.pool.acquire() as conn, conn.transaction():
            await settling.notice_cdrs(
                conn, [Event(r["kind"], r["subject"], r["payload"], party_id=r["party_id"]) for r in rows]
            )

    async def costs(self, session_id: UUID, total: str, currency: str = "EUR") -> None:
        """What it costs so far, as the worker keeps it."""
        await self.pool.execute(
            "insert into session_cost (session_id, party_id, total, currency, at, seen, looked_at)"
            " values ($1, $2, $3, $4, now(), 0, now()) on conflict (session_id) do update set total = excluded.total",
            session_id,
            self.party_id,
            Decimal(total),
            currency,
        )

    async def limits(self, session_ids: Sequence[UUID]) -> list[CoverLimit | None]:
        async with self.pool.acquire() as conn:
            sessions = await pricing.list_sessions(conn, session_ids)
            return await CoverLimits().limits_of(conn, sessions)

    async def holds(self) -> list[tuple[str, int]]:
        rows = await self.pool.fetch(
            "select account, amount_minor from cover_hold where party_id = $1 order by made_at", self.party_id
        )
        return [(row["account"], row["amount_minor"]) for row in rows]
