"""Every day: what providers say moved on our account with them, against the books, against CDRs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Entry, amount_of
from ohmstead.billing.payments import bookings, queries
from ohmstead.billing.payments.ports import BalanceLine, PaymentProvider, Providers
from ohmstead.billing.payments.reconciling import store
from ohmstead.billing.payments.reconciling.store import Found
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.events import Event, record
from ohmstead.core.log import logger

# A provider may put what happened late into its statement a little later still.
OVERLAP: Final = timedelta(days=3)
FIRST: Final = timedelta(days=90)
# So long a capture may take to be in its statement.
SETTLES_WITHIN: Final = timedelta(days=2)
_BY = "system"
_BETWEEN: Final = ("unknown_at_ours", "missing_at_provider", "amount", "refund", "clearing")

log = logger("ohmstead.payments")


async def reconcile(pool: Pool, providers: Providers) -> int:
    """Compare all providers' statements since the last time with the books and the CDRs; how many differences are open.

    Fees and payouts are booked from the statements. May run any number of times.
    """
    n_open = 0
    parties: set[UUID] = set()
    for name in providers.names:
        parties |= set(await _take_statement(pool, providers.get(name), name))
    for party_id in sorted(parties):
        async with pool.acquire() as conn, conn.transaction():
            n_new = 0
            for name in providers.names:
                n_new += await _compare(conn, party_id, name)
            n_new += await _compare_cdrs(conn, party_id)
            n_here = await store.count_open(conn, party_id)
            if n_new:
                payload = {"n_new": n_new, "n_open": n_here}
                await record(conn, [Event("PaymentDifferenceFound", "payment_difference", payload, party_id=party_id)])
            n_open += n_here
    return n_open


async def _take_statement(pool: Pool, provider: PaymentProvider, name: str) -> list[UUID]:
    """Lines of the statement that are new, with what is booked for them; the parties that have payments there."""
    now = clock.now()
    async with pool.acquire() as conn:
        until = await store.find_until(conn, name)
    since = until - OVERLAP if until is not None else now - FIRST
    lines = await provider.list_balance(since, now)
    async with pool.acquire() as conn, conn.transaction():
        owner = await store.find_owner(conn)
        matched = await store.match_lines(conn, name, lines)
        rows = []
        for line in lines:
            party_id, payment_id = matched.get(line.payment_ref or "", (owner, None))
            if party_id is not None:
                rows.append((line, party_id, payment_id))
        new = set(await store.insert_lines(conn, name, rows))
        await _book(conn, name, [(line, party_id) for line, party_id, _ in rows if line.ref in new])
        await store.set_until(conn, name, now, now)
        return await store.list_parties(conn, name)


async def _book(conn: Connection, provider: str, lines: Sequence[tuple[BalanceLine, UUID]]) -> None:
    """Fees and payouts."""
    entries: dict[UUID, list[Entry]] = defaultdict(list)
    for line, party_id in lines:
        zone = await queries.find_time_zone(conn, party_id)
        entries[party_id] += bookings.of_line(provider, line, ledger.day_of(line.at, zone))
    for party_id in sorted(entries):
        if entries[party_id]:
            await ledger.post_all(conn, party_id, _BY, entries[party_id])


async def _compare(conn: Connection, party_id: UUID, provider: str) -> int:
    """What a provider's statement and the books say of a party's payments; how many differences are new."""
    found = [
        Found(
            key=f"line:{provider}:{row['ref']}",
            kind="unknown_at_ours",
            provider=provider,
            payment_id=None,
            cdr_id=None,
            currency=row["currency"],
            expected=Decimal(0),
            found=row["gross"],
            text=f"{row['kind']} of {row['at']:%Y-%m-%d} that is of no payment of ours: {row['text'] or row['ref']}",
        )
        for row in await store.list_unknown(conn, party_id, provider)
    ]
    for row in await store.list_unequal(conn, party_id, provider, clock.now() - SETTLES_WITHIN):
        found += _unequal(row, provider)
    for row in await store.list_clearing(conn, party_id, provider):
        booked = amount_of(int(row["minor"]), row["currency"])
        if booked != row["net"] and not found:
            found.append(
                Found(
                    key=f"clearing:{provider}:{row['currency']}",
                    kind="clearing",
                    provider=provider,
                    payment_id=None,
                    cdr_id=None,
                    currency=row["currency"],
                    expected=booked,
                    found=row["net"],
                    text="what the books and the statement leave on the account differ; captures of the last days may be"
                    " on their way",
                )
            )
    n_new = await store.put(conn, party_id, found, clock.now())
    await store.leave_only(conn, party_id, provider, _BETWEEN, [one.key for one in found])
    return n_new


def _unequal(row: Row, provider: str) -> list[Found]:
    found = []
    if row["captured"] != row["charged"]:
        kind = "amount" if row["is_told"] and row["charged"] else "missing_at_provider"
        text = {
            "amount": "captured here otherwise than in the provider's statement",
            "missing_at_provider": "captured here, and not in the provider's statement",
        }[kind]
        found.append(_of_payment(row, provider, kind, row["captured"], row["charged"], text))
    if row["refunded"] != row["given_back"]:
        text = "given back here otherwise than in the provider's statement"
        found.append(_of_payment(row, provider, "refund", row["refunded"], row["given_back"], text))
    return found


def _of_payment(row: Row, provider: str, kind: str, expected: Decimal, seen: Decimal, text: str) -> Found:
    return Found(
        key=f"{kind}:{row['payment_id']}",
        kind=kind,
        provider=provider,
        payment_id=row["payment_id"],
        cdr_id=row["cdr_id"],
        currency=row["currency"],
        expected=expected,
        found=seen,
        text=text,
    )


async def _compare_cdrs(conn: Connection, party_id: UUID) -> int:
    """Guests' CDRs against what was paid for them and what is owed; how many differences are new."""
    found = [
        Found(
            key=f"uncovered:{row['payment_id']}",
            kind="uncovered",
            provider=None,
            payment_id=row["payment_id"],
            cdr_id=row["cdr_id"],
            currency=row["currency"],
            expected=row["due"],
            found=row["kept"] + row["owed"],
            text="the CDRs come to something else than what was paid and is owed",
        )
        for row in await store.list_uncovered(conn, party_id)
    ]
    n_new = await store.put(conn, party_id, found, clock.now())
    await store.leave_only(conn, party_id, None, ("uncovered",), [one.key for one in found])
    return n_new
