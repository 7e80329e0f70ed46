"""What stands on a document, as texts and in its order: the page and the PDF are drawn from the same. Pure."""

from __future__ import annotations

from msgspec import Struct

from ohmstead.billing.invoices.model import (
    DocumentContent,
    DocumentLine,
    DocumentPart,
    Invoice,
    PaymentNote,
    Seller,
    Signatures,
)
from ohmstead.billing.invoices.paper import words
from ohmstead.billing.invoices.taxation import seller_vat_id
from ohmstead.core.language import _, n_, speaking

Pair = tuple[str, str]


class Row(Struct, frozen=True):
    """One price: what, how much of it, at what price, its tax, what it comes to."""

    what: str
    quantity: str
    unit_price: str
    tax: str
    amount: str


class Block(Struct, frozen=True, kw_only=True):
    """A session, a fee or a document: what it is, small facts about it, its rows, what it comes to."""

    head: str
    amount: str
    facts: list[str] = []
    rows: list[Row] = []


class Sheet(Struct, frozen=True, kw_only=True):
    """All of it."""

    language: str
    title: str
    number: str
    brand: str
    sender: str
    seller: list[str]
    buyer: list[str]
    facts: list[Pair]
    details: list[Pair]
    columns: tuple[str, str, str, str, str]
    blocks: list[Block]
    rows: list[Row]
    taxes: list[tuple[str, str, str]]
    tax_columns: tuple[str, str, str]
    totals: list[Pair]
    grand: Pair
    notes: list[str]
    payment: list[Pair]
    foot: list[list[str]]
    page: str
    is_paid: bool


def sheet_of(invoice: Invoice) -> Sheet:
    """A document in its buyer's language."""
    with speaking(invoice.content.buyer.language):
        return _sheet(invoice)


def _sheet(invoice: Invoice) -> Sheet:
    content, currency = invoice.content, invoice.currency
    seller = content.seller
    is_single = len(content.lines) == 1 and content.lines[0].kind == "session"
    shows_gross = bool(content.lines) and all(line.includes_taxes for line in content.lines) and _is_taxed(content)
    blocks = [] if is_single else [_block(line, content, currency, shows_gross) for line in content.lines]
    return Sheet(
        language=content.buyer.language,
        title=words.title(invoice.kind),
        number=invoice.number,
        brand=seller.trade_name or seller.legal_name,
        sender=" · ".join([seller.legal_name, *words.address_lines(seller.address, with_country=False)]),
        seller=[seller.legal_name, *words.address_lines(seller.address, with_country=True)],
        buyer=_buyer(content),
        facts=_facts(invoice),
        details=_details(content.lines[0], content) if is_single else [],
        columns=_columns(invoice, shows_gross),
        blocks=blocks,
        rows=[_row(part, currency, shows_gross) for part in content.lines[0].parts] if is_single else [],
        taxes=[
            (
                f"{words.tax_name(tax.name)} {words.percent(tax.percentage)}" if not tax.reason else _(tax.reason),
                words.money(tax.base, currency),
                words.money(tax.amount, currency),
            )
            for tax in content.taxes
        ],
        tax_columns=(_("Tax"), _("Without tax"), _("Tax due")),
        totals=_totals(content, currency),
        grand=_grand(invoice),
        notes=_notes(invoice),
        payment=_payment(invoice),
        foot=_foot(seller, content.tax_country),
        page=_("Page %(n)s of %(all)s", n="{n}", all="{all}"),
        is_paid=content.totals.open <= 0 and invoice.kind in ("receipt", "invoice"),
    )


def _columns(invoice: Invoice, shows_gross: bool) -> tuple[str, str, str, str, str]:
    """Heads; a statement lists documents, which have no quantities, prices and taxes there."""
    if invoice.kind == "statement":
        return _("What"), "", "", "", _("Amount with tax")
    return _("What"), _("Quantity"), _("Unit price"), _("Tax"), _("Amount with tax") if shows_gross else _("Amount")


def _is_taxed(content: DocumentContent) -> bool:
    return content.treatment == "standard" and content.totals.tax != 0


def _buyer(content: DocumentContent) -> list[str]:
    buyer = content.buyer
    found = [
        buyer.name,
        *words.address_lines(buyer.address, with_country=buyer.address.country != content.seller.address.country),
    ]
    if buyer.vat_id:
        found.append(_("VAT id %(id)s", id=buyer.vat_id))
    return [one for one in found if one] or [_("Guest")]


def _facts(invoice: Invoice) -> list[Pair]:
    content = invoice.content
    found = [(_("Number"), invoice.number), (_("Date"), words.day(invoice.issued_on))]
    if content.corrects:
        found.append((_("Corrects"), content.corrects))
    if invoice.from_on is not None and invoice.to_on is not None and len(content.lines) != 1:
        found.append((_("Period"), f"{words.day(invoice.from_on)} – {words.day(invoice.to_on)}"))
    elif invoice.to_on is not None:
        found.append((_("Delivered on"), words.day(invoice.to_on)))
    if invoice.due_on is not None and content.totals.open > 0:
        found.append((_("Due on"), words.day(invoice.due_on)))
    if content.buyer.reference:
        found.append((_("Your reference"), content.buyer.reference))
    return found


def _details(line: DocumentLine, content: DocumentContent) -> list[Pair]:
    """All that a receipt must tell of a session (NIST handbook 44, 3.40; California CCR 4 §4002.11)."""
    place = line.place
    zone = place.time_zone if place is not None else content.time_zone
    found: list[Pair] = []
    if place is not None:
        found.append(
            (_("Place"), ", ".join(one for one in (place.name, place.address, place.postal_code, place.city) if one))
        )
        found.append((_("Outlet"), words.outlet(line)))
        kind = " · ".join(one for one in (place.current_type or "", words.power(place.max_power_w)) if one)
        found.append((_("Current and highest power"), kind))
    if line.voltage_v is not None:
        found.append((_("Highest voltage measured"), f"{words.figure(line.voltage_v, 0)}{words.SPACE}V"))
    if line.peak_power_w:
        found.append((_("Highest power measured"), words.power(line.peak_power_w)))
    if line.started_at is not None and line.ended_at is not None:
        found.append((_("Charging began"), words.moment(line.started_at, zone, with_zone=True)))
        found.append((_("Charging ended"), words.moment(line.ended_at, zone, with_zone=True)))
        found.append((_("Duration"), words.span(int((line.ended_at - line.started_at).total_seconds()))))
    found.append((_("Energy"), words.energy(line.energy_wh)))
    if line.register_start_wh is not None and line.register_end_wh is not None:
        found.append((_("Meter at the beginning"), words.energy(line.register_start_wh)))
        found.append((_("Meter at the end"), words.energy(line.register_end_wh)))
    if line.signatures is not None and line.signatures.n:
        found.append((_("Signed readings"), signed(line.signatures)))
    found.append((_("Charged with"), line.token))
    found.append((_("Session"), str(line.session_id)))
    return [(name, value) for name, value in found if value]


def signed(signatures: Signatures) -> str:
    """How the meter's signatures were judged."""
    if signatures.n_failed:
        return _("%(n)s, of which %(bad)s could not be verified", n=signatures.n, bad=signatures.n_failed)
    if signatures.n_verified == signatures.n:
        return n_("%(n)s, verified", "%(n)s, all verified", signatures.n)
    return _("%(n)s, of which %(good)s are verified", n=signatures.n, good=signatures.n_verified)


def _row(part: DocumentPart, currency: str, shows_gross: bool) -> Row:
    amount = part.listed if shows_gross and part.listed is not None else part.amount
    return Row(
        what=words.part_name(part),
        quantity=words.quantity(part),
        unit_price=words.unit_price(part, currency),
        tax=words.percent(part.percentage) if part.category in ("S", "Z") else "",
        amount=words.money(amount, currency),
    )


def _block(line: DocumentLine, content: DocumentContent, currency: str, shows_gross: bool) -> Block:
    amount = words.money(line.total if shows_gross or line.kind == "document" else line.before_taxes, currency)
    if line.kind != "session":
        return Block(head=line.text, amount=amount, rows=[_row(part, currency, shows_gross) for part in line.parts])
    place = line.place
    name = (place.name or place.city) if place is not None else ""
    facts = [words.outlet(line), words.energy(line.energy_wh)]
    if line.register_start_wh is not None and line.register_end_wh is not None:
        facts.append(
            _(
                "meter %(start)s to %(end)s",
                start=words.figure(line.register_start_wh / 1000, 3),
                end=words.kwh(line.register_end_wh / 1000),
            )
        )
    if line.signatures is not None and line.signatures.n:
        facts.append(_("signed readings: %(told)s", told=signed(line.signatures)))
    if line.token:
        facts.append(line.token)
    return Block(
        head=" · ".join(one for one in (words.stretch(line, content.time_zone), name) if one),
        amount=amount,
        facts=[one for one in facts if one],
        rows=[_row(part, currency, shows_gross) for part in line.parts],
    )


def _totals(content: DocumentContent, currency: str) -> list[Pair]:
    totals = content.totals
    found = [(_("Without tax"), words.money(totals.before_taxes, currency))]
    found.append((_("Tax due"), words.money(totals.tax, currency)))
    if totals.rounding:
        found.append((_("Rounding"), words.money(totals.rounding, currency)))
    return found


def _grand(invoice: Invoice) -> Pair:
    payable = words.money(invoice.content.totals.payable, invoice.currency)
    if invoice.kind == "credit_note":
        return _("Given back"), payable
    return (_("Sum"), payable) if invoice.kind == "statement" else (_("Total"), payable)


def _notes(invoice: Invoice) -> list[str]:
    content = invoice.content
    found = []
    if content.reason:
        found.append(_("Reason: %(reason)s", reason=_(content.reason)))
    if content.treatment == "reverse_charge":
        found.append(words.reverse_charge_note())
    if content.totals.rounding:
        found.append(
            _(
                "Taxes are reckoned of the sum; what was rounded for each session comes to a little more or less: rounding."
            )
        )
    if invoice.kind == "statement":
        found.append(_("This is a list of documents that you have. It is no invoice."))
    if invoice.kind == "self_billing":
        found.append(_("Made out by the buyer for the seller (self-billing)."))
    found += [line for line in content.seller.footer.splitlines() if line]
    return found


def _payment(invoice: Invoice) -> list[Pair]:
    content, currency = invoice.content, invoice.currency
    totals = content.totals
    if invoice.kind == "statement":
        return []
    found = [(_payment_words(one), words.money(one.amount, currency)) for one in content.payments]
    if content.payments and totals.open > 0:
        found.append((_("Still open"), words.money(totals.open, currency)))
    found.append((words.terms(invoice), ""))
    bank = content.seller.bank
    if totals.open > 0 and invoice.kind == "invoice" and bank.iban:
        told = [spaced(bank.iban)] + ([f"BIC {bank.bic}"] if bank.bic else []) + ([bank.name] if bank.name else [])
        found.append(
            (_("To the account of %(holder)s", holder=bank.holder or content.seller.legal_name), ", ".join(told))
        )
    return found


def _payment_words(one: PaymentNote) -> str:
    how = _(words.PAID_BY.get(one.kind, words.PAID_BY["card"]))
    card = f" {one.brand} ••{one.last4}" if one.last4 else ""
    return _("Paid: %(how)s", how=f"{how}{card}")


def spaced(iban: str) -> str:
    """In groups of four, as it is written."""
    return " ".join(iban[n : n + 4] for n in range(0, len(iban), 4))


def _foot(seller: Seller, tax_country: str) -> list[list[str]]:
    first = [seller.legal_name, *words.address_lines(seller.address, with_country=True), seller.registration]
    ids = [_("VAT id %(id)s", id=seller_vat_id(seller, tax_country)) if seller_vat_id(seller, tax_country) else ""]
    ids.append(_("Tax number %(id)s", id=seller.tax_number) if seller.tax_number else "")
    if seller.bank.iban:
        ids += [
            f"IBAN {spaced(seller.bank.iban)}",
            f"BIC {seller.bank.bic}" if seller.bank.bic else "",
            seller.bank.name,
        ]
    reach = [seller.contact, seller.phone, seller.email, seller.website]
    return [[one for one in column if one] for column in (first, ids, reach)]
