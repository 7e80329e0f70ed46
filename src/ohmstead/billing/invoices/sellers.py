"""What a party sets up for its documents: who it is, how numbers are written, what customers want on theirs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.invoices import store
from ohmstead.billing.invoices.buyers import missing_of, seller_of
from ohmstead.billing.invoices.model import CustomerDetails, DocumentKind, Seller
from ohmstead.billing.invoices.numbering import FORMATS, format_of
from ohmstead.billing.ledger import service as ledger
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import Event
from ohmstead.core.texts import checked
from ohmstead.stations.sites.countries import in_three

_UUID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_CUSTOMER: Final = re.compile(rf"(driver|company|token|payment):{_UUID}|partner:[A-Za-z0-9*._-]{{1,60}}")


class InvoiceSeller(Struct, frozen=True, kw_only=True):
    """A party as a seller."""

    seller: Seller
    missing: Annotated[list[str], Meta(description="What an invoice must say and cannot yet; no month is run before.")]
    version: Annotated[int, Meta(description="Counts changes; it is the ETag. 0: nothing was set yet.")]


class NumberRange(Struct, frozen=True, kw_only=True):
    """How documents of a kind are numbered, and how far it got."""

    kind: DocumentKind
    format: Annotated[str, Meta(description="`{n:06}`: the number, with noughts; `{year}`: begins anew each year.")]
    year: Annotated[int | None, Meta(description="Whose numbers these are; null: the numbers run on.")]
    last_number: int
    next_number: Annotated[str, Meta(description="As the next document of the kind will have it.")]


class NumberFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How numbers of a kind are to be written from now on."""

    format: Annotated[str, Meta(min_length=3, max_length=40)]


class InvoiceCustomer(Struct, frozen=True, kw_only=True):
    """What a customer wants on their documents."""

    customer: str
    details: CustomerDetails
    version: Annotated[int, Meta(description="0: nothing was set.")]


async def get_seller(conn: Connection, party_id: UUID) -> InvoiceSeller:
    """What was set; what is missing counts what comes from the party itself."""
    kept = await store.find_seller(conn, party_id)
    known = await seller_of(conn, party_id)
    return InvoiceSeller(seller=kept.content, missing=list(missing_of(known)), version=kept.version)


async def set_seller(conn: Connection, actor: Actor, given: Seller, if_version: int | None = None) -> InvoiceSeller:
    """Who a party is as a seller, on documents from now on. Raises Invalid, Conflict when somebody else changed it."""
    cleaned = _cleaned(given, Seller)
    _check_country(cleaned.address.country, "address.country")
    if cleaned.bank.iban and not is_iban(cleaned.bank.iban):
        raise Invalid("no bank has this IBAN: its check digits are wrong", field="bank.iban")
    for country, vat_id in cleaned.vat_ids.items():
        if not vat_id:
            raise Invalid("a VAT id, as NL123456789B01", field=f"vat_ids.{country}")
    before = await store.find_seller(conn, actor.party_id)
    version = await store.put_seller(conn, actor.party_id, cleaned, clock.now(), actor.actor_id, if_version)
    if version is None:
        raise Conflict("somebody changed this since you read it", is_stale=True)
    await accounts.audit(
        conn, actor, "invoices.seller_changed", "invoices/seller", before=_flat(before.content), after=_flat(cleaned)
    )
    return await get_seller(conn, actor.party_id)


async def list_ranges(conn: Connection, party_id: UUID) -> list[NumberRange]:
    """Of each kind the range in use now."""
    zone = await ledger.zone_of(conn, party_id)
    today = ledger.day_of(clock.now(), zone)
    formats = FORMATS | await store.list_formats(conn, party_id)
    last = await store.list_last_numbers(conn, party_id)
    found = []
    for kind in FORMATS:
        form = format_of(formats[kind])
        year = form.year_of(today)
        n = last.get((kind, year), 0)
        found.append(
            NumberRange(
                kind=kind,
                format=form.text,
                year=year or None,
                last_number=n,
                next_number=form.number(today, n + 1),
            )
        )
    return found


async def set_format(conn: Connection, actor: Actor, kind: DocumentKind, text: str) -> NumberRange:
    """How numbers of a kind are written from now on; the numbers of its range go on. Raises Invalid."""
    await ledger.hold(conn, actor.party_id)
    form = format_of(text)
    formats = FORMATS | await store.list_formats(conn, actor.party_id)
    for other, kept in formats.items():
        if other != kind and format_of(kept).shape == form.shape:
            raise Invalid("two kinds of documents could get the same number", field="format")
    await store.put_format(conn, actor.party_id, kind, form.text)
    await accounts.audit(
        conn,
        actor,
        "invoices.format_changed",
        f"invoices/{kind}",
        before={"format": formats[kind]},
        after={"format": form.text},
    )
    return next(one for one in await list_ranges(conn, actor.party_id) if one.kind == kind)


async def get_details(conn: Connection, party_id: UUID, customer: str) -> InvoiceCustomer:
    """Raises NotFound where there is no such customer."""
    await _check_customer(conn, party_id, customer)
    details, version = await store.find_details(conn, party_id, customer)
    return InvoiceCustomer(customer=customer, details=details, version=version)


async def set_details(conn: Connection, actor: Actor, customer: str, given: CustomerDetails) -> InvoiceCustomer:
    """What a customer wants on documents from now on. Raises NotFound, Invalid."""
    await _check_customer(conn, actor.party_id, customer)
    cleaned = _cleaned(given, CustomerDetails)
    _check_country(cleaned.address.country, "address.country")
    if cleaned.reverse_charge == "always" and not cleaned.vat_id:
        raise Invalid("who owes the tax themselves has a VAT id", field="vat_id")
    before, _version = await store.find_details(conn, actor.party_id, customer)
    await store.put_details(conn, actor.party_id, customer, cleaned, clock.now(), actor.actor_id)
    # Whose details they are stands in the thing; what they are is not for the audit log.
    changed = sorted(name for name in cleaned.__struct_fields__ if getattr(before, name) != getattr(cleaned, name))
    await accounts.audit(conn, actor, "invoices.customer_changed", f"customer/{customer}", {"fields": changed})
    return await get_details(conn, actor.party_id, customer)


async def notice_erased(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `DriverErased`: what they wanted on documents goes; documents stay, as law wants."""
    for event in found:
        if event.party_id is not None:
            await store.delete_details(conn, event.party_id, [f"driver:{event.payload['driver_id']}"])


def is_iban(text: str) -> bool:
    """Do its check digits hold (ISO 13616: modulo 97)?"""
    turned = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _check_country(country: str, field: str) -> None:
    if country and in_three(country) == country:
        raise Invalid("a country's two letters, as NL", field=field)


async def _check_customer(conn: Connection, party_id: UUID, customer: str) -> None:
    if not _CUSTOMER.fullmatch(customer) or not await store.is_customer(conn, party_id, customer):
        raise NotFound(f"no customer {customer[:80]}")


def _cleaned(given: Any, kind: Any) -> Any:
    """Without spaces around texts. Raises Invalid for what cannot be seen."""
    return msgspec.convert(_clean(msgspec.to_builtins(given), ""), kind)


def _clean(value: Any, field: str) -> Any:
    if isinstance(value, str):
        return checked(value, field)
    if isinstance(value, dict):
        return {name: _clean(one, f"{field}.{name}".strip(".")) for name, one in value.items()}
    if isinstance(value, list):
        return [one for one in (_clean(one, field) for one in value) if one != ""]
    return value


def _flat(seller: Seller) -> dict[str, object]:
    return dict(msgspec.to_builtins(seller))
