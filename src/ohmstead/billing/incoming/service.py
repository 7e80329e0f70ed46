"""Money that came in or went out by bank: taken in once, matched, booked by a person. The edge opens the transaction.

Whatever is booked for a party is booked by one transaction at a time: it holds the end of the party's ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.incoming import bookings, matching, queries, statements, store
from ohmstead.billing.incoming.documents import note_rows
from ohmstead.billing.incoming.matching import Book
from ohmstead.billing.incoming.model import (
    BankBooking,
    BankLine,
    BankLineMatch,
    BookingReversal,
    IncomingSetting,
    NewBankLine,
    NewBooking,
    OpenInvoice,
    SetAside,
    Share,
    StatementColumns,
    StatementReport,
    Told,
)
from ohmstead.billing.incoming.store import NewRow
from ohmstead.billing.invoices import sellers
from ohmstead.billing.invoices.hosts import service as hosts
from ohmstead.billing.invoices.sellers import is_iban
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import exact_minor
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.ids import new_id
from ohmstead.core.money import Money
from ohmstead.core.texts import checked

SYSTEM: Final = "system"
ZERO: Final = Decimal(0)
# So many lines of a statement are matched with documents that are read together.
_AT_ONCE: Final = 200

# ------------------------------------------------------------------------------------------------------------ settings


async def get_setting(conn: Connection, party_id: UUID) -> IncomingSetting:
    """How a party takes in what its bank tells."""
    return await store.find_setting(conn, party_id)


async def set_setting(conn: Connection, actor: Actor, given: IncomingSetting) -> IncomingSetting:
    """From now on. Raises Invalid for days of reminders that do not follow one another."""
    if given.reminder_days != sorted(set(given.reminder_days)):
        raise Invalid("each comes later than the one before", field="reminder_days")
    await store.put_setting(conn, actor.party_id, given, clock.now(), actor.actor_id)
    detail: dict[str, object] = {"books_exact": given.books_exact, "reminder_days": given.reminder_days}
    await accounts.audit(conn, actor, "incoming.set", f"party/{actor.party_id}", detail)
    return given


# --------------------------------------------------------------------------------------------------------- taking in


async def record_line(conn: Connection, actor: Actor, given: NewBankLine) -> BankLine:
    """Money that came in or went out, as a person tells it. Raises Invalid, and Conflict where the same was taken in."""
    if not exact_minor(given.amount, given.currency):
        raise Invalid("is nothing", field="amount")
    if given.payee_iban and not is_iban(given.payee_iban):
        raise Invalid("no bank has this IBAN: its check digits are wrong", field="payee_iban")
    if given.payee_iban and given.amount > 0:
        raise Invalid("only money that went out went to an account", field="payee_iban")
    zone = await ledger.hold(conn, actor.party_id)
    if given.booked_on > ledger.day_of(clock.now(), zone):
        raise Invalid("is yet to come", field="booked_on")
    told = Told(
        amount=Money(given.amount, given.currency).rounded().amount,
        currency=given.currency,
        booked_on=given.booked_on,
        payer=checked(given.payer, "payer"),
        text=" ".join(checked(given.text, "text", has_lines=True).split()),
        bank_ref=checked(given.bank_ref, "bank_ref"),
        payee_iban=given.payee_iban,
    )
    found = await _new_of(conn, actor.party_id, [(statements.key_of(told), told)])
    if not found:
        raise Conflict("the same was taken in already: a reference tells two alike apart", code="known")
    line_id = new_id()
    await store.insert_lines(conn, actor.party_id, "hand", [(line_id, *found[0])], clock.now(), actor.actor_id)
    detail: dict[str, object] = {"amount": format(told.amount, "f"), "currency": told.currency}
    await accounts.audit(conn, actor, "bank_line.recorded", f"bank_line/{line_id}", detail)
    await _book_certain(conn, actor.party_id, [line_id])
    return await queries.get_line(conn, actor.party_id, line_id)


async def import_statement(
    conn: Connection, actor: Actor, data: bytes, columns: StatementColumns | None = None
) -> StatementReport:
    """A bank's statement: camt.053, or CSV by `columns`, else by those of the last time. The same again changes nothing.

    Raises Invalid where the whole cannot be read. Rows that cannot be read are told, the others are taken in.
    """
    setting = await store.find_setting(conn, actor.party_id)
    is_xml = statements.is_xml(data)
    if is_xml:
        read = statements.read_camt(data)
    else:
        columns = columns or setting.columns
        if columns is None:
            raise Invalid("say which column is what: amount, day, payer, text", field="columns")
        read = statements.read_csv(data, columns)
        if columns != setting.columns:
            await store.put_setting(
                conn, actor.party_id, replace(setting, columns=columns), clock.now(), actor.actor_id
            )
    await ledger.hold(conn, actor.party_id)
    keyed = statements.keyed(read.lines)
    new = [(new_id(), key, told) for key, told in await _new_of(conn, actor.party_id, keyed)]
    await store.insert_lines(conn, actor.party_id, "camt" if is_xml else "csv", new, clock.now(), actor.actor_id)
    n_booked = await _book_certain(conn, actor.party_id, [line_id for line_id, _, _ in new])
    if new:
        await accounts.audit(
            conn, actor, "bank_statement.imported", f"party/{actor.party_id}", {"n_new": len(new), "n_booked": n_booked}
        )
    return StatementReport(
        n_new=len(new),
        n_known=len(read.lines) - len(new),
        n_passed_over=read.n_passed_over,
        n_booked=n_booked,
        faults=read.faults,
    )


async def _new_of(conn: Connection, party_id: UUID, keyed: Sequence[tuple[str, Told]]) -> list[tuple[str, Told]]:
    """Those that were not taken in, by key, nor by the bank's reference where one of both names no account."""
    known = await store.find_known(conn, party_id, [key for key, _ in keyed])
    rows = await store.list_by_refs(conn, party_id, sorted({told.bank_ref for _, told in keyed if told.bank_ref}))
    by_ref: dict[tuple[object, ...], set[str]] = {}
    for row in rows:
        said = (row["bank_ref"], row["amount"], row["currency"], row["booked_on"])
        by_ref.setdefault(said, set()).add(row["account"])
    found = []
    for key, told in keyed:
        accounts_of = by_ref.get((told.bank_ref, told.amount, told.currency, told.booked_on), set())
        if key not in known and not ("" in accounts_of or (accounts_of and not told.account)):
            found.append((key, told))
    return found


async def _book_certain(conn: Connection, party_id: UUID, line_ids: Sequence[UUID]) -> int:
    """Where the party wants it, lines that name one open document and pay exactly it are booked."""
    if not line_ids or not (await store.find_setting(conn, party_id)).books_exact:
        return 0
    n, spent = 0, set()
    for first in range(0, len(line_ids), _AT_ONCE):
        lines = [await queries.get_line(conn, party_id, line_id) for line_id in line_ids[first : first + _AT_ONCE]]
        books = await _books(conn, party_id, lines)
        for line in lines:
            found = matching.propose(told_of(line), books[line.amount < 0])
            if matching.is_certain(found) and found[0].shares[0].invoice_id not in spent:
                spent.add(found[0].shares[0].invoice_id)
                await _book(conn, party_id, line.line_id, NewBooking(shares=found[0].shares), SYSTEM)
                n += 1
    return n


# ----------------------------------------------------------------------------------------------------------- proposals


async def views_of(conn: Connection, party_id: UUID, lines: Sequence[BankLine]) -> list[BankLineMatch]:
    """Lines with what they could pay, where they are open, and what they were booked for."""
    booked = await queries.list_bookings(conn, party_id, [line.line_id for line in lines])
    books = await _books(conn, party_id, [line for line in lines if line.state == "open"])
    return [
        BankLineMatch(
            line=line,
            proposals=matching.propose(told_of(line), books[line.amount < 0]) if line.state == "open" else [],
            bookings=booked.get(line.line_id, []),
        )
        for line in lines
    ]


async def _books(conn: Connection, party_id: UUID, lines: Sequence[BankLine]) -> dict[bool, Book]:
    """What lines could pay: by True what we owe, for those that went out; by False what others owe. Read as far as needed."""
    books = {}
    if any(line.amount < 0 for line in lines):
        books[True] = Book(await store.list_owed(conn, party_id))
    came_in = [line for line in lines if line.amount > 0]
    if came_in:
        numbers = set[str]().union(*(matching.numbers_in(line.text) for line in came_in))
        amounts = {(line.currency, line.amount) for line in came_in}
        books[False] = Book(await store.list_fitting(conn, party_id, sorted(numbers), sorted(amounts)))
    return books


async def _open_for(
    conn: Connection,
    party_id: UUID,
    *,
    is_out: bool,
    invoice_ids: Sequence[UUID] | None = None,
    numbers: Sequence[str] | None = None,
) -> list[OpenInvoice]:
    read = store.list_owed if is_out else store.list_open
    return await read(conn, party_id, invoice_ids=invoice_ids, numbers=numbers)


async def get_view(conn: Connection, party_id: UUID, line_id: UUID) -> BankLineMatch:
    """Raises NotFound."""
    (view,) = await views_of(conn, party_id, [await queries.get_line(conn, party_id, line_id)])
    return view


async def list_named_for(conn: Connection, party_id: UUID, line: BankLine, numbers: Sequence[str]) -> list[OpenInvoice]:
    """Documents of these numbers of which something is open that such a line can pay, the oldest first."""
    found = await _open_for(conn, party_id, is_out=line.amount < 0, numbers=numbers)
    return [one for one in found if one.open > 0]


def told_of(line: BankLine) -> Told:
    """What a line says."""
    return Told(
        amount=line.amount,
        currency=line.currency,
        booked_on=line.booked_on,
        payer=line.payer,
        text=line.text,
        bank_ref=line.bank_ref,
        account=line.account,
        payee_iban=line.payee_iban,
    )


# ------------------------------------------------------------------------------------------------------------- booking


async def book(conn: Connection, actor: Actor, line_id: UUID, given: NewBooking) -> BankBooking:
    """A line pays documents; the rest stays to a customer's credit, or where it went out, is owed to us by who got it.

    Raises NotFound, Conflict where it is booked or set aside, Invalid where it cannot be shared out like this.
    """
    made = await _book(conn, actor.party_id, line_id, given, actor.actor_id)
    detail: dict[str, object] = {name: format(amount, "f") for name, amount in made.customers.items()}
    await accounts.audit(conn, actor, "bank_line.booked", f"bank_line/{line_id}", detail)
    return made


async def _book(conn: Connection, party_id: UUID, line_id: UUID, given: NewBooking, by: str) -> BankBooking:
    await ledger.hold(conn, party_id)
    line = await _locked(conn, party_id, line_id)
    if line.state != "open":
        raise Conflict(
            "it is booked already" if line.state == "booked" else "it was set aside: take it up again first",
            code="over",
        )
    is_out = line.amount < 0
    wanted = [share.invoice_id for share in given.shares]
    known = {
        one.invoice_id: one
        for one in await _open_for(conn, party_id, is_out=is_out, invoice_ids=wanted)
        if one.currency == line.currency
    }
    fault = matching.fault_of(line.amount, given.shares, {key: one.open for key, one in known.items()})
    if fault is not None:
        raise Invalid(fault, field="shares")
    for share in given.shares:
        exact_minor(share.amount, line.currency)
    customers = await _customers(conn, party_id, line, given, known)
    booking_id, now = new_id(), clock.now()
    await store.insert_booking(conn, party_id, booking_id, line_id, customers, now, by)
    entry = bookings.booked(booking_id, line.currency, customers, line.booked_on, is_out=is_out)
    await ledger.post_all(conn, party_id, by, [entry])
    await store.set_state(conn, party_id, line_id, "booked", "")
    rows = [
        NewRow(
            invoice_id=share.invoice_id,
            key=f"bank:{booking_id}:{share.invoice_id}",
            amount=share.amount,
            booking_id=booking_id,
        )
        for share in given.shares
    ]
    await note_rows(conn, party_id, line.currency, line.booked_on, rows, by, is_out=is_out)
    return (await queries.list_bookings(conn, party_id, [line_id]))[line_id][0]


async def _customers(
    conn: Connection, party_id: UUID, line: BankLine, given: NewBooking, known: dict[UUID, OpenInvoice]
) -> dict[str, Decimal]:
    customers: dict[str, Decimal] = {}
    for share in given.shares:
        customer = known[share.invoice_id].customer
        customers[customer] = customers.get(customer, ZERO) + share.amount
    rest = abs(line.amount) - sum((share.amount for share in given.shares), ZERO)
    if rest:
        customer = given.customer or (next(iter(customers)) if len(customers) == 1 else "")
        if not customer:
            raise Invalid(f"say to whose credit {rest} {line.currency} stays", field="customer")
        if customer not in customers:
            await _check_known(conn, party_id, customer)
        customers[customer] = customers.get(customer, ZERO) + rest
    return customers


async def _check_known(conn: Connection, party_id: UUID, whose: str) -> None:
    """Raises NotFound where there is nobody of that name."""
    if whose == bookings.BANK_FEES:
        return
    kind, _, ident = whose.partition(":")
    if kind != "host":
        await sellers.get_details(conn, party_id, whose)
        return
    try:
        host_id = UUID(ident)
    except ValueError:
        raise NotFound(f"no host {ident[:80]}") from None
    await hosts.get_host(conn, party_id, host_id)


async def reverse(conn: Connection, actor: Actor, line_id: UUID, given: BookingReversal) -> BankLine:
    """A booking was wrong: another entry takes it back, its documents are open again, and the line may be booked anew.

    Raises NotFound, Invalid, Conflict where it is not booked.
    """
    why = _said(given.reason, "reason")
    await ledger.hold(conn, actor.party_id)
    line = await _locked(conn, actor.party_id, line_id)
    made = (await queries.list_bookings(conn, actor.party_id, [line_id])).get(line_id, [])
    if line.state != "booked" or not made or made[0].reversed_at is not None:
        raise Conflict("it is not booked", code="over")
    booking, by = made[0], actor.actor_id
    is_out = line.amount < 0
    entry = bookings.reversed_entry(booking.booking_id, line.currency, booking.customers, line.booked_on, is_out=is_out)
    await ledger.post_all(conn, actor.party_id, by, [entry])
    await store.end_booking(conn, actor.party_id, booking.booking_id, clock.now(), by, why)
    await store.set_state(conn, actor.party_id, line_id, "open", "")
    rows = [_back(booking, share) for share in booking.shares]
    await note_rows(conn, actor.party_id, line.currency, line.booked_on, rows, by, is_out=is_out)
    await accounts.audit(conn, actor, "bank_line.reversed", f"bank_line/{line_id}", {"reason": why})
    return await queries.get_line(conn, actor.party_id, line_id)


def _back(booking: BankBooking, share: Share) -> NewRow:
    return NewRow(
        invoice_id=share.invoice_id,
        key=f"bank:{booking.booking_id}:{share.invoice_id}:reversed",
        amount=-share.amount,
        booking_id=booking.booking_id,
    )


async def set_aside(conn: Connection, actor: Actor, line_id: UUID, given: SetAside) -> BankLine:
    """It pays no document and is not booked here. Raises NotFound, Invalid, Conflict where it is booked."""
    note = _said(given.note, "note")
    line = await _locked(conn, actor.party_id, line_id)
    if line.state != "open":
        raise Conflict("it is not open", code="over")
    await store.set_state(conn, actor.party_id, line_id, "set_aside", note)
    await accounts.audit(conn, actor, "bank_line.set_aside", f"bank_line/{line_id}", {"note": note})
    return await queries.get_line(conn, actor.party_id, line_id)


async def take_up(conn: Connection, actor: Actor, line_id: UUID) -> BankLine:
    """What was set aside is open again. Raises NotFound, Conflict where it was not set aside."""
    line = await _locked(conn, actor.party_id, line_id)
    if line.state != "set_aside":
        raise Conflict("it was not set aside", code="over")
    await store.set_state(conn, actor.party_id, line_id, "open", "")
    await accounts.audit(conn, actor, "bank_line.taken_up", f"bank_line/{line_id}")
    return await queries.get_line(conn, actor.party_id, line_id)


async def _locked(conn: Connection, party_id: UUID, line_id: UUID) -> BankLine:
    line = await store.lock_line(conn, party_id, line_id)
    if line is None:
        raise NotFound(f"no bank line {line_id}")
    return line


def _said(text: str, field: str) -> str:
    why = checked(text, field, has_lines=True)
    if not why:
        raise Invalid("say why", field=field)
    return why
