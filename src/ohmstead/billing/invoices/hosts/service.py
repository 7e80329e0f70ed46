"""Hosts, what they get where, and their statements: invoices that we write for them. The edge opens the transaction."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.cdrs.model import Cdr
from ohmstead.billing.invoices.buyers import seller_of
from ohmstead.billing.invoices.drafting import reasons_of, totals_of
from ohmstead.billing.invoices.hosts import sharing, store
from ohmstead.billing.invoices.hosts.sharing import ContractEnd, Host, HostContract, HostDetails, NewContract
from ohmstead.billing.invoices.issuing import issue
from ohmstead.billing.invoices.model import Buyer, DocumentContent, DocumentLine, Draft, Invoice
from ohmstead.billing.invoices.paper import words
from ohmstead.billing.invoices.sellers import is_iban
from ohmstead.billing.invoices.taxation import taxes_of
from ohmstead.billing.ledger import service as ledger
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.core.language import n_, speaking
from ohmstead.core.texts import checked

list_hosts = store.list_hosts
list_contracts = store.list_contracts
list_wanting = store.list_wanting


async def get_host(conn: Connection, party_id: UUID, host_id: UUID) -> Host:
    """Raises NotFound."""
    found = await store.find_host(conn, party_id, host_id)
    if found is None:
        raise NotFound(f"no host {host_id}")
    return found


async def create_host(conn: Connection, actor: Actor, given: HostDetails) -> Host:
    """Raises Invalid."""
    details = _checked(given)
    host_id = new_id()
    await store.insert_host(conn, actor.party_id, host_id, details, clock.now())
    await accounts.audit(conn, actor, "host.created", f"host/{host_id}", {"name": details.name})
    return await get_host(conn, actor.party_id, host_id)


async def change_host(
    conn: Connection, actor: Actor, host_id: UUID, given: HostDetails, if_version: int | None = None
) -> Host:
    """On statements from now on. Raises NotFound, Invalid, Conflict when somebody else changed it."""
    before = await get_host(conn, actor.party_id, host_id)
    details = _checked(given)
    if not await store.update_host(conn, actor.party_id, host_id, details, clock.now(), if_version):
        raise Conflict("somebody changed this since you read it", is_stale=True)
    await accounts.audit(
        conn, actor, "host.changed", f"host/{host_id}", before=_flat(before.details), after=_flat(details)
    )
    return await get_host(conn, actor.party_id, host_id)


async def agree(conn: Connection, actor: Actor, host_id: UUID, given: NewContract) -> HostContract:
    """A contract about a place. Raises NotFound, Invalid, Conflict where another one holds there on one of its days."""
    await get_host(conn, actor.party_id, host_id)
    if (given.share_percent is None) == (given.fee_per_kwh is None):
        raise Invalid("a share of the revenue, or a fee for a kWh: one of both", field="share_percent")
    if given.share_percent is not None and not 0 < given.share_percent <= 100:
        raise Invalid("above 0 to 100", field="share_percent")
    if given.fee_per_kwh is not None and not 0 < given.fee_per_kwh <= 1000:
        raise Invalid("above 0", field="fee_per_kwh")
    if given.until_on is not None and given.until_on <= given.from_on:
        raise Invalid("ends before it begins", field="until_on")
    # Held, so that two who agree at once see each other.
    if not await store.has_location(conn, actor.party_id, given.location_id):
        raise NotFound(f"no location {given.location_id}")
    for other in await store.list_contracts(conn, actor.party_id, location_id=given.location_id):
        begins_after = other.until_on is not None and other.until_on <= given.from_on
        ends_before = given.until_on is not None and given.until_on <= other.from_on
        if not begins_after and not ends_before:
            raise Conflict("another contract holds at this place on some of these days", code="contract_overlaps")
    contract_id = new_id()
    await store.insert_contract(conn, actor.party_id, host_id, contract_id, given, clock.now(), actor.actor_id)
    detail: dict[str, object] = {"host_id": str(host_id), "location_id": str(given.location_id)}
    await accounts.audit(conn, actor, "host.contract_agreed", f"host_contract/{contract_id}", detail)
    return await _contract(conn, actor.party_id, host_id, contract_id)


async def end(conn: Connection, actor: Actor, host_id: UUID, contract_id: UUID, given: ContractEnd) -> HostContract:
    """Let a contract end. Raises NotFound, Invalid, Refused where sessions after that day are in a statement already."""
    known = await _contract(conn, actor.party_id, host_id, contract_id)
    if given.until_on <= known.from_on:
        raise Invalid("ends before it begins", field="until_on")
    if known.until_on is not None and given.until_on > known.until_on:
        raise Refused("a contract that ends is not made longer: agree on a new one")
    # Nobody makes a statement meanwhile. What one counted and this contract no longer does would be credited to the next host.
    zone = await ledger.hold(conn, actor.party_id)
    since = words.midnight(given.until_on, zone)
    if await store.is_counted(conn, actor.party_id, host_id, known.location_id, known.currency, since):
        raise Refused("sessions after that day are in a statement already")
    await store.end_contract(conn, actor.party_id, contract_id, given.until_on)
    detail: dict[str, object] = {"until_on": given.until_on.isoformat()}
    await accounts.audit(conn, actor, "host.contract_ended", f"host_contract/{contract_id}", detail)
    return await _contract(conn, actor.party_id, host_id, contract_id)


async def _contract(conn: Connection, party_id: UUID, host_id: UUID, contract_id: UUID) -> HostContract:
    for one in await store.list_contracts(conn, party_id, host_id):
        if one.contract_id == contract_id:
            return one
    raise NotFound(f"no contract {contract_id}")


async def statement_for(
    conn: Connection, party_id: UUID, host_id: UUID, currency: str, until_on: date, *, by: str, run_id: UUID | None
) -> Invoice | None:
    """What a host gets of all sessions before a day that no statement counted yet; None where that is nothing.

    Where credits come to more than charges nothing is stated; it is counted with what comes later.
    """
    zone = await ledger.hold(conn, party_id)
    drafted = await draft_for(conn, party_id, host_id, currency, until_on, zone)
    if drafted is None:
        return None
    draft, _found = drafted
    totals = draft.content.totals
    host = await get_host(conn, party_id, host_id)
    postings = sharing.postings_for(
        host_id, draft.content.tax_country, totals.before_taxes, totals.tax, host.details, currency
    )
    key = f"host:{host_id}:{currency}:{min(draft.cdr_ids)}"
    return await issue(conn, party_id, by, key, draft, postings=postings, run_id=run_id)


async def draft_for(
    conn: Connection, party_id: UUID, host_id: UUID, currency: str, until_on: date, zone: str
) -> tuple[Draft, list[Cdr]] | None:
    """The statement to be."""
    host = await get_host(conn, party_id, host_id)
    lines: list[DocumentLine] = []
    counted: list[Cdr] = []
    first_on: date | None = None
    for contract in await store.list_contracts(conn, party_id, host_id):
        if contract.currency != currency or contract.from_on >= until_on:
            continue
        ends_on = min(until_on, contract.until_on or until_on)
        ids = await store.list_uncounted(
            conn,
            party_id,
            contract.location_id,
            currency,
            words.midnight(contract.from_on, zone),
            words.midnight(ends_on, zone),
        )
        found = await cdrs.list_by_ids(conn, party_id, ids)
        if not found:
            continue
        lines.append(_line(contract, host.details, found))
        counted += found
        begins_on = min(ledger.day_of(cdr.ended_at, zone) for cdr in found)
        first_on = min(first_on or begins_on, begins_on)
    if sum((line.before_taxes for line in lines), Decimal(0)) <= 0:
        return None
    content = await _content(conn, party_id, host_id, host.details, lines, currency, zone)
    draft = Draft(
        kind="self_billing",
        customer=f"host:{host_id}",
        currency=currency,
        content=content,
        from_on=first_on,
        to_on=until_on - timedelta(days=1),
        host_id=host_id,
        cdr_ids=[cdr.cdr_id for cdr in counted],
    )
    return draft, counted


def _line(contract: HostContract, host: HostDetails, found: list[Cdr]) -> DocumentLine:
    counted = sharing.count(found)
    with speaking(host.language):
        n = n_("%(n)s session", "%(n)s sessions", counted.n_sessions)
        told = [contract.location_name, n, words.energy(counted.energy_wh)]
        if contract.share_percent is not None:
            told.append(f"{words.percent(contract.share_percent)} × {words.money(counted.revenue, contract.currency)}")
    return sharing.line_for(contract, host, counted, ", ".join(told))


async def _content(
    conn: Connection,
    party_id: UUID,
    host_id: UUID,
    host: HostDetails,
    lines: list[DocumentLine],
    currency: str,
    zone: str,
) -> DocumentContent:
    us = await seller_of(conn, party_id)
    seller = sharing.as_seller(host)
    buyer = Buyer(
        customer=f"host:{host_id}",
        name=us.legal_name,
        address=us.address,
        vat_id=us.vat_id,
        email=us.email,
        language=host.language,
    )
    taxes = taxes_of([part for line in lines for part in line.parts], currency, reasons_of(seller))
    payable = sum((line.before_taxes for line in lines), Decimal(0)) + sum((one.amount for one in taxes), Decimal(0))
    return DocumentContent(
        seller=seller,
        buyer=buyer,
        lines=lines,
        taxes=taxes,
        totals=totals_of(lines, taxes, payable, ()),
        tax_country=seller.address.country,
        time_zone=zone,
    )


def _checked(given: HostDetails) -> HostDetails:
    if given.bank.iban and not is_iban(given.bank.iban):
        raise Invalid("no bank has this IBAN: its check digits are wrong", field="bank.iban")
    if not 0 <= given.tax_percentage <= 100:
        raise Invalid("0 to 100", field="tax_percentage")
    name = checked(given.name, "name")
    if not name:
        raise Invalid("1 to 200 characters.", field="name")
    for line in given.address.lines:
        checked(line, "address.lines")
    for field in ("registration", "tax_number", "no_tax_reason"):
        checked(getattr(given, field), field)
    return msgspec.structs.replace(given, name=name)


def _flat(details: HostDetails) -> dict[str, object]:
    return dict(msgspec.to_builtins(details))
