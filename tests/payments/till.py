"""A party whose guests pay: its station, its tariff, the sandbox, and a worker that is asked to work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, cast
from uuid import UUID

from ohmstead.adapters.payments.sandbox.adapter import SandboxProvider
from ohmstead.billing.paying import settling
from ohmstead.billing.payments import queries, service
from ohmstead.billing.payments.hosted import HostedPage
from ohmstead.billing.payments.model import (
    AdHoc,
    Debt,
    Dispute,
    NewAdHoc,
    NewPayment,
    Payment,
    Purpose,
    RefundOrder,
    StoredMethod,
)
from ohmstead.billing.payments.ports import PaymentProvider, Providers
from ohmstead.billing.payments.queries import DebtFilter
from ohmstead.billing.payments.runner import Runner
from ohmstead.billing.payments.webhooks import service as webhooks
from ohmstead.billing.refunds import service as refunding
from ohmstead.core import clock
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import Command, Order, RemoteStart
from tests.billing.network import Business

SECRET = b"s" * 32
RETURN_URL = "http://127.0.0.1/drive/paid/{payment_id}"


class Clock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def passes(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Station:
    """What a station is told, and says to it. `status` of a command."""

    says: str = "accepted"
    asked: list[Order] = field(default_factory=list)

    async def send(self, order: Order, *, party_id: UUID, station_id: str, requested_by: str, **_: Any) -> Command:
        self.asked.append(order)
        return Command(
            command_id=new_id(),
            party_id=party_id,
            station_id=station_id,
            kind="remote_start",
            action=None,
            parameters={},
            status=cast("Any", self.says),
            requested_by=requested_by,
            requested_at=clock.now(),
            expires_at=None,
        )

    @property
    def starts(self) -> list[RemoteStart]:
        return [one for one in self.asked if isinstance(one, RemoteStart)]


class Outside(Protocol):
    """Where people pay: the sandbox's own side, or the double of Stripe."""

    async def pay(self, ref: str, card: str) -> object: ...

    async def deliver(self, door: Any) -> int: ...


class Till:
    """Guests and drivers pay; `outside` is the other side of `provider`, of the sandbox unless said otherwise."""

    def __init__(
        self,
        business: Business,
        time: Clock,
        provider: PaymentProvider | None = None,
        outside: Outside | None = None,
    ) -> None:
        self.business, self.time, self.pool = business, time, business.pool
        self.station = Station()
        self.sandbox = SandboxProvider(self.pool, SECRET, "http://127.0.0.1")
        self.provider: PaymentProvider = provider or self.sandbox
        self.outside: Outside = outside or self.sandbox
        self.providers = Providers(self.provider)
        self.runner = self.new_runner()

    def new_runner(self, providers: Providers | None = None) -> Runner:
        return Runner(self.pool, providers or self.providers, cast("CommandDesk", self.station))

    @property
    def party_id(self) -> UUID:
        return self.business.party_id

    async def opens(self, current: str = "DC") -> Till:
        await self.pool.execute(
            "insert into evse (station_id, evse_number, current_type, max_power_w) values ($1, 1, $2, 150000),"
            " ($1, 2, $2, 150000)",
            self.business.station_id,
            current,
        )
        await self.pool.execute("update station set gateway_id = $1, ocpp_version = '2.1'", new_id())
        return self

    # ------------------------------------------------------------------------------------------------------ guests

    async def guest(self, evse_number: int = 1, **more: Any) -> AdHoc:
        """Scans, and is led to where they pay."""
        given = NewAdHoc(
            party_id=self.party_id,
            station_id=self.business.station_id,
            evse_number=evse_number,
            return_url=RETURN_URL,
            **more,
        )
        return await service.begin_ad_hoc(self.pool, self.providers, given)

    async def pays(self, url: str, card: str = "good") -> None:
        await self.outside.pay(url.rpartition("/")[2], card)

    async def news(self) -> int:
        """What the provider tells comes in by the door."""

        async def door(provider: str, body: bytes, headers: Any) -> object:
            return await webhooks.take(self.pool, self.providers, provider, body, headers)

        return await self.outside.deliver(door)

    async def works(self) -> None:
        """What the sandbox tells comes in, and all that waits is done."""
        for _ in range(10):
            n = await self.news()
            await self.runner.settle_down()
            if not n:
                return

    async def holds(self, card: str = "good", evse_number: int = 1) -> Payment:
        """A guest has paid, and their session may begin."""
        begun = await self.guest(evse_number)
        await self.pays(begun.url, card)
        await self.works()
        return await self.payment(begun.payment_id)

    async def plugs_in(self, payment: Payment, started_at: datetime | None = None) -> UUID:
        """The station begins with the guest's token."""
        session_id = await self.business.session(
            started_at=started_at or self.time.at,
            status="active",
            settled_at=None,
            ended_at=None,
            token_uid=payment.token_uid,
            token_type="DirectPayment",
            evse_number=payment.evse_number,
            token_id=await self.pool.fetchval(
                "select token_id from token where party_id = $1 and uid = $2", self.party_id, payment.token_uid
            ),
        )
        await self.tells("SessionStarted", session_id)
        return session_id

    async def ends(self, session_id: UUID, wh: int = 20_000) -> None:
        """It is over, settled and billed, and the payment hears of it."""
        await self.pool.execute(
            "update session set status = 'completed', ended_at = started_at + interval '1 hour',"
            " settled_at = started_at + interval '1 hour' where session_id = $1",
            session_id,
        )
        await self.business.becomes(session_id, wh)
        await self.tells("SessionEnded", session_id)
        await self.business.settles(session_id)
        await self.hears_of_bills()

    async def tells(self, kind: str, session_id: UUID) -> None:
        event = Event(kind, f"session/{session_id}", {"session_id": str(session_id)}, party_id=self.party_id)
        async with self.pool.acquire() as conn, conn.transaction():
            await service.notice_sessions(conn, [event])

    async def hears_of_bills(self) -> None:
        """All facts about CDRs, as the outbox has them; told again they change nothing."""
        rows = await self.pool.fetch(
            "select kind, subject, payload, party_id from outbox where kind in ('CdrCreated', 'CdrCredited')"
            " order by event_id"
        )
        async with self.pool.acquire() as conn, conn.transaction():
            await service.notice_cdrs(conn, [Event(**dict(row)) for row in rows])

    async def charges_cards(self) -> None:
        """The same facts, for stored cards and wallets."""
        rows = await self.pool.fetch(
            "select kind, subject, payload, party_id from outbox where kind in ('CdrCreated', 'CdrCredited')"
            " order by event_id"
        )
        async with self.pool.acquire() as conn, conn.transaction():
            await settling.notice_cdrs(conn, [Event(**dict(row)) for row in rows])

    async def charges(self, card: str = "good", wh: int = 20_000) -> Payment:
        """A guest's whole visit, up to what is to be taken being known."""
        payment = await self.holds(card)
        await self.ends(await self.plugs_in(payment), wh)
        return await self.payment(payment.payment_id)

    # ----------------------------------------------------------------------------------------------------- drivers

    async def stores(self, driver_id: UUID, card: str = "good") -> StoredMethod:
        """A driver lets us use a card."""
        setup = await service.store_method(self.pool, self.providers, self.party_id, driver_id, RETURN_URL)
        assert setup.url is not None
        ref = setup.url.rpartition("/")[2]
        page = await self.outside.pay(ref, card)
        if isinstance(page, HostedPage) and page.state == "proof":
            await self.sandbox.prove(ref, is_them=True)
        await self.works()
        async with self.pool.acquire() as conn:
            return (await service.list_methods(conn, self.party_id, driver_id))[0]

    async def takes(
        self, method: StoredMethod, amount: str = "12.00", purpose: Purpose = "plan_fee", key: str = "k", **more: Any
    ) -> Payment:
        """From a stored card."""
        async with self.pool.acquire() as conn, conn.transaction():
            made = await service.charge_off_session(
                conn,
                self.party_id,
                method.method_id,
                purpose,
                eur(amount),
                key,
                customer=f"driver:{method.driver_id}",
                **more,
            )
        await self.works()
        return await self.payment(made.payment_id)

    async def orders(self, purpose: Purpose, customer: str, amount: str, **more: Any) -> Payment:
        given = NewPayment(purpose=purpose, customer=customer, amount=eur(amount), **more)
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.order(conn, self.party_id, given, self.providers)

    async def checks_out(self, payment: Payment, card: str = "good") -> Payment:
        page = await service.checkout(self.pool, self.providers, self.party_id, payment.payment_id, RETURN_URL)
        await self.pays(page.url, card)
        await self.works()
        return await self.payment(payment.payment_id)

    async def refunds(self, payment: Payment, amount: str | None = None) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            money = eur(amount) if amount is not None else None
            await service.refund(
                conn, self.business.actor, self.party_id, payment.payment_id, money, "The cable was broken"
            )

    async def gives_back(self, payment_id: UUID, amount: str | None = None, **more: Any) -> Payment:
        """As a person does it: what was billed for a session is reduced by it."""
        wanted = Decimal(amount) if amount is not None else None
        async with self.pool.acquire() as conn, conn.transaction():
            given = RefundOrder(reason="The charger was slow", amount=wanted, **more)
            return await refunding.refund(conn, self.business.actor, payment_id, given)

    # ---------------------------------------------------------------------------------------------------- looking

    async def payment(self, payment_id: UUID) -> Payment:
        async with self.pool.acquire() as conn:
            return await service.get_payment(conn, self.party_id, payment_id)

    async def debts(self, *, is_open: bool | None = True) -> list[Debt]:
        async with self.pool.acquire() as conn:
            return await queries.list_debts(conn, self.party_id, DebtFilter(is_open=is_open))

    async def disputes(self) -> list[Dispute]:
        async with self.pool.acquire() as conn:
            return await queries.list_disputes(conn, self.party_id)

    async def facts(self, prefix: str = "") -> list[str]:
        rows = await self.pool.fetch(
            "select kind from outbox where kind like 'Payment%' or kind like 'Debt%' order by event_id"
        )
        return [row["kind"] for row in rows if row["kind"].startswith(prefix)]

    async def balances(self) -> dict[str, Decimal]:
        return await self.business.balances()

    async def is_right(self) -> None:
        """The books say what payments do, and the sandbox has what the books say."""
        assert await self.business.faults() == []
        lines = await self.provider.list_balance(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        found = sum((line.gross for line in lines), Decimal(0))
        booked = sum((v for code, v in (await self.balances()).items() if code.startswith("psp_clearing")), Decimal(0))
        assert booked == found


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")
