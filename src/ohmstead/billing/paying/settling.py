"""CDRs are paid for by what covers their sessions. Consumers of the outbox: everything in here may be told twice.

A wallet pays at once, as far as it can; a stored card is charged without its owner; a terminal has settled already, and its
money is on the way; companies, partners and who pays on account wait for their invoices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ohmstead.billing.holding import service as holding
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Entry, Posting, exact_minor, psp_clearing, receivable
from ohmstead.billing.paying import store
from ohmstead.billing.paying.covering import cover_of
from ohmstead.billing.paying.model import Cover, SessionCover
from ohmstead.billing.payments import service as payments
from ohmstead.billing.plans import service as plans
from ohmstead.billing.wallets import service as wallets
from ohmstead.billing.wallets import topping
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import Event
from ohmstead.core.log import logger
from ohmstead.core.money import Money

log = logger("ohmstead.paying")


class Bill(Struct, frozen=True, kw_only=True):
    """A charge, as far as it matters to who pays it."""

    cdr_id: UUID
    session_id: UUID
    customer: str
    currency: str
    total: Decimal
    ended_at: datetime
    is_credited: bool


async def notice_cdrs(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `CdrCreated` and `CdrCredited`."""
    by_party: dict[UUID, list[Event]] = defaultdict(list)
    for event in found:
        if event.party_id is not None:
            by_party[event.party_id].append(event)
    for party_id, events in sorted(by_party.items()):
        await ledger.hold(conn, party_id)
        sessions = sorted({UUID(event.payload["session_id"]) for event in events})
        covers = await store.list_covers(conn, party_id, sessions)
        bills = await store.list_bills(conn, party_id, [UUID(e.payload["cdr_id"]) for e in events])
        for event in events:
            cover = covers.get(UUID(event.payload["session_id"]))
            bill = bills.get(UUID(event.payload["cdr_id"]))
            if event.kind == "CdrCredited":
                await wallets.take_back(conn, party_id, "cdr", UUID(event.payload["credits_id"]))
            elif bill is not None:
                await _settle(conn, party_id, Bill(**bill), cover)


async def _settle(conn: Connection, party_id: UUID, bill: Bill, cover: SessionCover | None) -> None:
    await holding.let_go(conn, party_id, [bill.session_id])
    if bill.total <= 0 or cover is None:
        return
    amount = Money(bill.total, bill.currency)
    if cover.kind == "wallet" and cover.ref is not None:
        paid = await wallets.owe(conn, party_id, UUID(cover.ref), "cdr", bill.cdr_id, amount)
        if paid is None:
            log.warning("wallet_cannot_pay", cdr_id=str(bill.cdr_id), currency=bill.currency)
        await topping.top_up_if_low(conn, party_id, UUID(cover.ref))
    elif cover.kind == "card" and cover.ref is not None and not bill.is_credited:
        await _charge_card(conn, party_id, bill, UUID(cover.ref), amount)
    elif cover.kind == "terminal":
        await settle_terminals(conn, party_id, [bill])


async def _charge_card(conn: Connection, party_id: UUID, bill: Bill, method_id: UUID, amount: Money) -> None:
    if await payments.is_charged(conn, party_id, bill.session_id):
        return
    try:
        async with conn.transaction():
            await payments.charge_off_session(
                conn,
                party_id,
                method_id,
                "session",
                amount,
                f"cdr:{bill.cdr_id}",
                customer=bill.customer,
                session_id=bill.session_id,
                cdr_id=bill.cdr_id,
            )
    except (NotFound, Conflict, Invalid) as error:
        # The card was removed while its session went on: it stays on account, and the next invoice asks for it.
        log.warning("card_not_charged", cdr_id=str(bill.cdr_id), error=error.text)


async def settle_terminals(conn: Connection, party_id: UUID, bills: Sequence[Bill]) -> None:
    """What terminals took of their sessions is on its way to us, and not owed any more; each settlement once."""
    by_session = {bill.session_id: bill for bill in bills}
    entries = []
    for row in await store.list_settlements(conn, party_id, list(by_session)):
        bill = by_session[row["session_id"]]
        currency = row["currency"] or bill.currency
        amount: Decimal = Money(row["amount"], currency).rounded().amount
        if amount <= 0 or not exact_minor(amount, currency):
            continue
        time_zone = await ledger.hold(conn, party_id)
        entries.append(
            Entry(
                key=f"settlement:{row['settlement_id']}",
                kind="terminal_payment",
                text=f"Settlement {row['settlement_id']}",
                wanted_on=ledger.day_of(row["settled_at"], time_zone),
                postings=(
                    Posting(psp_clearing("terminal", currency), amount),
                    Posting(receivable(bill.customer, currency), -amount),
                ),
            )
        )
    if entries:
        await ledger.post_all(conn, party_id, "system", entries)


async def notice_settlements(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `PaymentSettled`: a terminal told of it after its session was billed."""
    by_party: dict[UUID, list[tuple[str, str]]] = defaultdict(list)
    for event in found:
        if event.party_id is not None and event.payload.get("transaction_id"):
            by_party[event.party_id].append((event.payload["station_id"], event.payload["transaction_id"]))
    for party_id, transactions in sorted(by_party.items()):
        await ledger.hold(conn, party_id)
        sessions = await store.sessions_of_transactions(conn, party_id, transactions)
        covers = await store.list_covers(conn, party_id, sessions)
        terminals = [one for one, cover in covers.items() if cover.kind == "terminal"]
        bills = await store.list_bills_of_sessions(conn, party_id, terminals)
        await settle_terminals(conn, party_id, [Bill(**bill) for bill in bills.values()])


async def notice_fees(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `PlanCharged`: the fee is paid as its driver's sessions are."""
    for event in found:
        if event.party_id is None:
            continue
        party_id, driver_id = event.party_id, UUID(event.payload["driver_id"])
        amount = Money(Decimal(event.payload["total"]), event.payload["currency"])
        charge_id = UUID(event.payload["plan_charge_id"])
        known = await store.look_up_driver(conn, party_id, driver_id)
        if known is None or amount.amount <= 0:
            continue
        # Who owes for something else owes this as well: it is asked for all the same.
        cover = cover_of(replace(known.asked, is_in_debt=False))
        await _pay_fee(conn, party_id, driver_id, charge_id, amount, cover)


async def _pay_fee(
    conn: Connection, party_id: UUID, driver_id: UUID, charge_id: UUID, amount: Money, cover: Cover
) -> None:
    if cover.kind == "wallet":
        await ledger.hold(conn, party_id)
        await wallets.owe(conn, party_id, driver_id, "plan_fee", charge_id, amount)
        await topping.top_up_if_low(conn, party_id, driver_id)
    elif cover.kind == "card" and cover.ref is not None:
        try:
            async with conn.transaction():
                await payments.charge_off_session(
                    conn,
                    party_id,
                    UUID(cover.ref),
                    "plan_fee",
                    amount,
                    f"plan_fee:{charge_id}",
                    customer=f"driver:{driver_id}",
                )
        except (NotFound, Conflict, Invalid) as error:
            log.warning("card_not_charged", plan_charge_id=str(charge_id), error=error.text)


async def notice_erased(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `DriverErased`: they have no plan, no company and no way of paying any more, and providers
    forget them.
    """
    for event in found:
        if event.party_id is not None:
            driver_id = UUID(event.payload["driver_id"])
            await plans.end_of_driver(conn, event.party_id, driver_id)
            await wallets.stop_filling(conn, event.party_id, driver_id)
            await store.delete_methods_of_driver(conn, event.party_id, [driver_id])
            await payments.forget_driver(conn, event.party_id, driver_id)
