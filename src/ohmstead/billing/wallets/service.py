"""Wallets: what is in them, what they pay, what people decide about them. The edge opens the transaction.

What is in a wallet is what the ledger says. Whoever takes or holds some of it holds the wallet's row until then, so that no
two take the same; where the ledger is written as well, its end is held first (as billing does), never the other way round.
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from msgspec.structs import replace

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.holding import service as holding
from ohmstead.billing.holding.model import of_wallet
from ohmstead.billing.holding.reckoning import Funds, payable
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import (
    Entry,
    Posting,
    amount_of,
    exact_minor,
    fees,
    receivable,
    wallet,
)
from ohmstead.billing.wallets import store
from ohmstead.billing.wallets.model import AutoTopUp, Due, DueKind, Row, Wallet, WalletBalance, WalletChange
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money, minor_units
from ohmstead.core.texts import checked

MOST = Decimal(1_000_000)


async def open_wallet(conn: Connection, actor: Actor, driver_id: UUID) -> Wallet:
    """A wallet in the party's currency; the one there is, where there is one. Raises NotFound for no driver of theirs."""
    if await store.open_wallet(conn, actor.party_id, driver_id):
        await accounts.audit(conn, actor, "wallet.opened", f"driver/{driver_id}")
    return await get_wallet(conn, actor.party_id, driver_id)


async def find_wallet(conn: Connection, party_id: UUID, driver_id: UUID) -> Wallet | None:
    row = await store.find(conn, party_id, driver_id)
    if row is None:
        return None
    funds = await funds_of(conn, row)
    whole = row.currency
    return Wallet(
        driver_id=driver_id,
        party_id=party_id,
        currency=whole,
        balance=amount_of(funds.balance, whole),
        held=amount_of(funds.held, whole),
        due=amount_of(funds.due, whole),
        available=amount_of(funds.available, whole),
        credit_limit=row.credit_limit,
        auto_top_up=_auto_of(row),
        auto_failed_at=row.auto_failed_at,
        version=row.version,
        opened_at=row.opened_at,
    )


async def get_wallet(conn: Connection, party_id: UUID, driver_id: UUID) -> Wallet:
    """Raises NotFound."""
    found = await find_wallet(conn, party_id, driver_id)
    if found is None:
        raise NotFound(f"driver {driver_id} has no wallet")
    return found


async def balance(conn: Connection, party_id: UUID, driver_id: UUID, currency: str | None = None) -> WalletBalance:
    """What a wallet has; nothing at all where there is none, or it is in another currency.

    Raises NotFound where neither a wallet nor a currency is known.
    """
    found = await find_wallet(conn, party_id, driver_id)
    if found is None or (currency is not None and found.currency != currency):
        if currency is None:
            raise NotFound(f"driver {driver_id} has no wallet")
        return WalletBalance(currency=currency, balance=Decimal(0), held=Decimal(0), available=Decimal(0))
    return WalletBalance(currency=found.currency, balance=found.balance, held=found.held, available=found.available)


async def hold(conn: Connection, party_id: UUID, driver_id: UUID) -> Row | None:
    """The wallet; nobody else takes or holds any of it until the transaction ends."""
    return await store.find(conn, party_id, driver_id, is_held=True)


async def look(conn: Connection, party_id: UUID, driver_id: UUID) -> Row | None:
    """The wallet as it is, for looking only."""
    return await store.find(conn, party_id, driver_id)


async def funds_of(conn: Connection, row: Row, but_not: UUID | None = None) -> Funds:
    """What a wallet has, in minor units of its currency. `but_not`: a hold that does not count."""
    found = await store.balances(conn, row.party_id, [row.driver_id])
    holds = await holding.list_holds(conn, row.party_id, [of_wallet(row.driver_id)])
    dues = await store.dues_of(conn, row.party_id, [row.driver_id])
    return Funds(
        balance=found.get((row.driver_id, row.currency), 0),
        credit_limit=minor_down(row.credit_limit, row.currency),
        held=holding.total(holds, but_not),
        due=dues.get(row.driver_id, 0),
    )


async def set_auto_top_up(
    conn: Connection, actor: Actor, driver_id: UUID, given: AutoTopUp | None, if_version: int | None = None
) -> Wallet:
    """Top up by itself from now on, or no more. Raises NotFound, Invalid, Conflict when not in the version `if_version`.

    Whose the stored card is, is looked at when it is used.
    """
    row = await _held(conn, actor.party_id, driver_id)
    if given is not None:
        if not (0 <= given.below <= MOST):
            raise Invalid("from 0 to a million", field="below")
        if not (0 < given.amount <= MOST):
            raise Invalid("more than nothing, up to a million", field="amount")
        exact_minor(given.amount, row.currency)
        exact_minor(given.below, row.currency)
    values = {
        "auto_below": given.below if given else None,
        "auto_amount": given.amount if given else None,
        "auto_method": given.method_id if given else None,
        "auto_failed_at": None,
    }
    if not await store.change(conn, actor.party_id, driver_id, values, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    await accounts.audit(conn, actor, "wallet.auto_top_up_set", f"driver/{driver_id}", {"is_on": given is not None})
    return await get_wallet(conn, actor.party_id, driver_id)


async def stop_filling(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """Whoever is erased has no card charged any more: their wallet fills itself no longer."""
    await store.change(conn, party_id, driver_id, {"auto_below": None, "auto_amount": None, "auto_method": None})


async def set_credit_limit(
    conn: Connection, actor: Actor, driver_id: UUID, limit: Decimal, if_version: int | None = None
) -> Wallet:
    """How far below nothing it may go. Raises NotFound, Invalid, Conflict."""
    row = await _held(conn, actor.party_id, driver_id)
    if not 0 <= limit <= MOST:
        raise Invalid("from 0 to a million", field="credit_limit")
    exact_minor(limit, row.currency)
    if not await store.change(conn, actor.party_id, driver_id, {"credit_limit": limit}, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    was, now = {"credit_limit": str(row.credit_limit)}, {"credit_limit": str(limit)}
    await accounts.audit(conn, actor, "wallet.credit_limit_set", f"driver/{driver_id}", before=was, after=now)
    return await get_wallet(conn, actor.party_id, driver_id)


async def adjust(conn: Connection, actor: Actor, driver_id: UUID, given: WalletChange, *, key: str = "") -> Wallet:
    """Give goodwill to a driver, or take some back, with a reason. Its own entry, against `fees:goodwill`.

    `key`: the same one does it once. Raises NotFound, Invalid, and Refused where less than nothing would be left.
    """
    reason = checked(given.reason, "reason", has_lines=True)
    if not reason:
        raise Invalid("say why", field="reason")
    await ledger.hold(conn, actor.party_id)
    row = await _held(conn, actor.party_id, driver_id)
    if given.currency != row.currency:
        raise Invalid(f"the wallet is in {row.currency}", field="currency")
    minor = exact_minor(given.amount, row.currency)
    if minor == 0 or abs(given.amount) > MOST:
        raise Invalid("something, up to a million", field="amount")
    funds = await funds_of(conn, row)
    if minor < 0 and -minor > funds.available:
        raise Refused("that is more than there is to spend", code="no_credit")
    adjustment_id = key or str(new_id())
    postings = (
        Posting(fees("goodwill", row.currency), given.amount),
        Posting(wallet(driver_id, row.currency), -given.amount),
    )
    await _post(
        conn,
        actor.party_id,
        actor.actor_id,
        f"wallet_adjustment:{adjustment_id}",
        "wallet_adjustment",
        reason,
        postings,
    )
    detail: dict[str, object] = {"amount": format(given.amount, "f"), "currency": row.currency, "reason": reason}
    await accounts.audit(conn, actor, "wallet.adjusted", f"driver/{driver_id}", detail)
    if minor > 0:
        await pay_dues(conn, row)
    return await get_wallet(conn, actor.party_id, driver_id)


async def owe(
    conn: Connection, party_id: UUID, driver_id: UUID, kind: DueKind, ref_id: UUID, amount: Money
) -> Money | None:
    """A wallet is to pay a bill of its driver: it does as far as it can, and the rest when something comes in.

    Told twice, it is once. Returns what it paid by now; None where the wallet cannot pay that: there is none, or it is in
    another currency. The caller holds the party's books.
    """
    row = await hold(conn, party_id, driver_id)
    if row is None or row.currency != amount.currency:
        return None
    if amount.minor() > 0:
        due = Due(
            due_id=new_id(),
            driver_id=driver_id,
            kind=kind,
            ref_id=ref_id,
            currency=row.currency,
            due_minor=amount.minor(),
            paid_minor=0,
            n_paid=0,
        )
        await store.insert_due(conn, party_id, due, clock.now())
        await pay_dues(conn, row)
    kept = await store.find_due(conn, party_id, kind, ref_id)
    return Money.from_minor(kept.paid_minor if kept else 0, row.currency)


async def pay_dues(conn: Connection, row: Row) -> None:
    """Pay what is to be paid, the oldest first, as far as there is money. The caller holds books and wallet."""
    funds = await funds_of(conn, row)
    for due in await store.list_open_dues(conn, row.party_id, row.driver_id):
        part = payable(funds, due.due_minor - due.paid_minor)
        if part <= 0 or due.currency != row.currency:
            continue
        amount = amount_of(part, row.currency)
        postings = (
            Posting(wallet(row.driver_id, row.currency), amount),
            Posting(receivable(f"driver:{row.driver_id}", row.currency), -amount),
        )
        key = f"wallet_payment:{due.due_id}:{due.n_paid + 1}"
        text = f"{'CDR' if due.kind == 'cdr' else 'Plan fee'} {due.ref_id}"
        await _post(conn, row.party_id, "system", key, "wallet_payment", text, postings)
        await store.note_paid(conn, row.party_id, due.due_id, part)
        funds = replace(funds, balance=funds.balance - part)
    await tell_if_low(conn, row)


async def take_back(conn: Connection, party_id: UUID, kind: DueKind, ref_id: UUID) -> None:
    """A bill that a wallet paid, or was to pay, was taken back: what was paid goes back in. Told twice, it is once."""
    due = await store.find_due(conn, party_id, kind, ref_id)
    if due is None:
        return
    row = await hold(conn, party_id, due.driver_id)
    assert row is not None
    due = await store.find_due(conn, party_id, kind, ref_id)
    assert due is not None
    if due.paid_minor:
        amount = amount_of(due.paid_minor, due.currency)
        postings = (
            Posting(receivable(f"driver:{due.driver_id}", due.currency), amount),
            Posting(wallet(due.driver_id, due.currency), -amount),
        )
        text = f"{'CDR' if kind == 'cdr' else 'Plan fee'} {ref_id}"
        await _post(conn, party_id, "system", f"wallet_credit:{due.due_id}", "wallet_credit", text, postings)
    await store.close_due(conn, party_id, due.due_id)
    await pay_dues(conn, row)


async def tell_if_low(conn: Connection, row: Row) -> None:
    """Once, when less is left to spend than the threshold of the automatic top-up, or than nothing at all."""
    funds = await funds_of(conn, row)
    threshold = minor_down(row.auto_below, row.currency) if row.auto_below is not None else 1
    is_low = funds.available < threshold
    fresh = await store.find(conn, row.party_id, row.driver_id)
    if fresh is None or is_low == fresh.low_told:
        return
    await store.change(conn, row.party_id, row.driver_id, {"low_told": is_low})
    if is_low:
        payload = {
            "driver_id": str(row.driver_id),
            "currency": row.currency,
            "available": format(amount_of(funds.available, row.currency), "f"),
        }
        await record(conn, [Event("WalletLow", f"driver/{row.driver_id}", payload, party_id=row.party_id)])


def minor_down(amount: Decimal, currency: str) -> int:
    """In whole minor units; what is beyond them does not count."""
    return int(amount.scaleb(minor_units(currency)))


async def _held(conn: Connection, party_id: UUID, driver_id: UUID) -> Row:
    row = await hold(conn, party_id, driver_id)
    if row is None:
        raise NotFound(f"driver {driver_id} has no wallet")
    return row


async def _post(
    conn: Connection, party_id: UUID, by: str, key: str, kind: str, text: str, postings: tuple[Posting, ...]
) -> None:
    time_zone = await ledger.hold(conn, party_id)
    entry = Entry(key=key, kind=kind, text=text, wanted_on=ledger.day_of(clock.now(), time_zone), postings=postings)
    await ledger.post_all(conn, party_id, by, [entry])


def _auto_of(row: Row) -> AutoTopUp | None:
    if row.auto_below is None or row.auto_amount is None or row.auto_method is None:
        return None
    return AutoTopUp(below=row.auto_below, amount=row.auto_amount, method_id=row.auto_method)
