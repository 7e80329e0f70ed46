"""A document as UBL 2.1: EN 16931, and XRechnung where it has all that Germany wants beside. Pure."""

from __future__ import annotations

from typing import Final

from lxml import etree

from ohmstead.billing.invoices.exchange.lines import ELine, lines_of
from ohmstead.billing.invoices.exchange.said import (
    TRANSFERS,
    TYPES,
    amount,
    buyer_country,
    buyer_name,
    card_of,
    clean,
    exemption_code,
    means_code,
    notes_of,
    number,
    terms_of,
)
from ohmstead.billing.invoices.model import Address, Invoice, Seller
from ohmstead.billing.invoices.taxation import seller_vat_id
from ohmstead.core.language import _

CORE: Final = "urn:cen.eu:en16931:2017"
XRECHNUNG: Final = f"{CORE}#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
PROCESS: Final = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_CAC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
_CBC: Final = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"


def written(invoice: Invoice) -> bytes:
    """The XML of a document that can be told (`electronic.fault_of`)."""
    is_credit = invoice.kind == "credit_note"
    name = "CreditNote" if is_credit else "Invoice"
    own = f"urn:oasis:names:specification:ubl:schema:xsd:{name}-2"
    root = etree.Element(f"{{{own}}}{name}", nsmap={None: own, "cac": _CAC, "cbc": _CBC})
    _add(root, "CustomizationID", XRECHNUNG if is_xrechnung(invoice) else CORE)
    _add(root, "ProfileID", PROCESS)
    _add(root, "ID", invoice.number)
    _add(root, "IssueDate", invoice.issued_on.isoformat())
    if invoice.due_on is not None and not is_credit:
        _add(root, "DueDate", invoice.due_on.isoformat())
    _add(root, "CreditNoteTypeCode" if is_credit else "InvoiceTypeCode", TYPES[invoice.kind])
    _add(root, "Note", "\n".join(notes_of(invoice)))
    _add(root, "DocumentCurrencyCode", invoice.currency)
    if invoice.content.buyer.reference:
        _add(root, "BuyerReference", invoice.content.buyer.reference)
    _period(root, invoice.from_on, invoice.to_on)
    _corrected(root, invoice)
    _parties(root, invoice)
    if invoice.to_on is not None:
        _add(_node(root, "Delivery"), "ActualDeliveryDate", invoice.to_on.isoformat())
    _means(root, invoice)
    _add(_node(root, "PaymentTerms"), "Note", terms_of(invoice))
    _taxes(root, invoice)
    _totals(root, invoice)
    for line in lines_of(invoice):
        _line(root, line, invoice.currency, is_credit=is_credit)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def is_xrechnung(invoice: Invoice) -> bool:
    """Has it what XRechnung 3.0 asks for beyond EN 16931: a reference, whom to ask, how to pay, where both are?"""
    seller, buyer = invoice.content.seller, invoice.content.buyer
    wanted = (
        buyer.reference,
        buyer.email,
        buyer.address.city,
        buyer.address.postal_code,
        seller.contact,
        seller.phone,
        seller.email,
        seller.address.city,
        seller.address.postal_code,
        means_code(invoice),
    )
    return all(wanted)


def _node(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_CAC}}}{name}")


def _add(parent: etree._Element, name: str, text: str, **attributes: str) -> None:
    made = etree.SubElement(parent, f"{{{_CBC}}}{name}", attributes)
    made.text = clean(text)


def _given(parent: etree._Element, name: str, text: str) -> None:
    if text:
        _add(parent, name, text)


def _period(parent: etree._Element, from_on: object, to_on: object) -> None:
    if from_on is None or to_on is None:
        return
    period = _node(parent, "InvoicePeriod")
    _add(period, "StartDate", str(from_on))
    _add(period, "EndDate", str(to_on))


def _corrected(root: etree._Element, invoice: Invoice) -> None:
    if not invoice.content.corrects:
        return
    before = _node(_node(root, "BillingReference"), "InvoiceDocumentReference")
    _add(before, "ID", invoice.content.corrects)
    if invoice.content.corrects_on is not None:
        _add(before, "IssueDate", invoice.content.corrects_on.isoformat())


def _parties(root: etree._Element, invoice: Invoice) -> None:
    content = invoice.content
    _seller(_node(_node(root, "AccountingSupplierParty"), "Party"), content.seller, content.tax_country)
    buyer = _node(_node(root, "AccountingCustomerParty"), "Party")
    if content.buyer.email:
        _add(buyer, "EndpointID", content.buyer.email, schemeID="EM")
    _address(buyer, content.buyer.address, buyer_country(content))
    if content.buyer.vat_id:
        _tax_id(buyer, content.buyer.vat_id, "VAT")
    _add(_node(buyer, "PartyLegalEntity"), "RegistrationName", buyer_name(content.buyer))


def _seller(party: etree._Element, seller: Seller, tax_country: str) -> None:
    if seller.email:
        _add(party, "EndpointID", seller.email, schemeID="EM")
    if seller.trade_name:
        _add(_node(party, "PartyName"), "Name", seller.trade_name)
    _address(party, seller.address, seller.address.country)
    if vat_id := seller_vat_id(seller, tax_country):
        _tax_id(party, vat_id, "VAT")
    if seller.tax_number:
        _tax_id(party, seller.tax_number, "FC")
    legal = _node(party, "PartyLegalEntity")
    _add(legal, "RegistrationName", seller.legal_name)
    _given(legal, "CompanyID", seller.registration)
    if seller.contact or seller.phone or seller.email:
        contact = _node(party, "Contact")
        _given(contact, "Name", seller.contact)
        _given(contact, "Telephone", seller.phone)
        _given(contact, "ElectronicMail", seller.email)


def _tax_id(party: etree._Element, value: str, scheme: str) -> None:
    one = _node(party, "PartyTaxScheme")
    _add(one, "CompanyID", value)
    _add(_node(one, "TaxScheme"), "ID", scheme)


def _address(party: etree._Element, address: Address, country: str) -> None:
    postal = _node(party, "PostalAddress")
    lines = [*address.lines, "", "", ""]
    _given(postal, "StreetName", lines[0])
    _given(postal, "AdditionalStreetName", lines[1])
    _given(postal, "CityName", address.city)
    _given(postal, "PostalZone", address.postal_code)
    _given(postal, "CountrySubentity", address.state)
    if lines[2]:
        _add(_node(postal, "AddressLine"), "Line", lines[2])
    _add(_node(postal, "Country"), "IdentificationCode", country)


def _means(root: etree._Element, invoice: Invoice) -> None:
    code, bank = means_code(invoice), invoice.content.seller.bank
    if not code:
        return
    means = _node(root, "PaymentMeans")
    _add(means, "PaymentMeansCode", code)
    _add(means, "PaymentID", invoice.number)
    card = card_of(invoice)
    if code == "48" and card is not None:
        shown = _node(means, "CardAccount")
        _add(shown, "PrimaryAccountNumberID", card.last4)
        _add(shown, "NetworkID", card.brand or "NA")
    if code in TRANSFERS:
        account = _node(means, "PayeeFinancialAccount")
        _add(account, "ID", bank.iban)
        _given(account, "Name", bank.holder)
        if bank.bic:
            _add(_node(account, "FinancialInstitutionBranch"), "ID", bank.bic)


def _taxes(root: etree._Element, invoice: Invoice) -> None:
    total = _node(root, "TaxTotal")
    _add(total, "TaxAmount", amount(invoice.content.totals.tax), currencyID=invoice.currency)
    for tax in invoice.content.taxes:
        one = _node(total, "TaxSubtotal")
        _add(one, "TaxableAmount", amount(tax.base), currencyID=invoice.currency)
        _add(one, "TaxAmount", amount(tax.amount), currencyID=invoice.currency)
        category = _node(one, "TaxCategory")
        _add(category, "ID", tax.category)
        _add(category, "Percent", number(tax.percentage))
        if tax.category in ("AE", "E", "O"):
            _given(category, "TaxExemptionReasonCode", exemption_code(tax.category))
            _given(category, "TaxExemptionReason", _(tax.reason))
        _add(_node(category, "TaxScheme"), "ID", "VAT")


def _totals(root: etree._Element, invoice: Invoice) -> None:
    totals, currency = invoice.content.totals, invoice.currency
    summed = _node(root, "LegalMonetaryTotal")
    _add(summed, "LineExtensionAmount", amount(totals.before_taxes), currencyID=currency)
    _add(summed, "TaxExclusiveAmount", amount(totals.before_taxes), currencyID=currency)
    _add(summed, "TaxInclusiveAmount", amount(totals.total), currencyID=currency)
    if totals.paid:
        _add(summed, "PrepaidAmount", amount(totals.paid), currencyID=currency)
    if totals.rounding:
        _add(summed, "PayableRoundingAmount", amount(totals.rounding), currencyID=currency)
    _add(summed, "PayableAmount", amount(totals.open), currencyID=currency)


def _line(root: etree._Element, line: ELine, currency: str, *, is_credit: bool) -> None:
    one = _node(root, "CreditNoteLine" if is_credit else "InvoiceLine")
    _add(one, "ID", line.line_id)
    _given(one, "Note", line.note)
    _add(one, "CreditedQuantity" if is_credit else "InvoicedQuantity", number(line.quantity), unitCode=line.unit)
    _add(one, "LineExtensionAmount", amount(line.amount), currencyID=currency)
    _period(one, line.from_on, line.to_on)
    for less in line.allowances:
        allowance = _node(one, "AllowanceCharge")
        _add(allowance, "ChargeIndicator", "false")
        _add(allowance, "AllowanceChargeReason", less.reason)
        _add(allowance, "Amount", amount(less.amount), currencyID=currency)
    item = _node(one, "Item")
    _add(item, "Name", line.name)
    category = _node(item, "ClassifiedTaxCategory")
    _add(category, "ID", line.category)
    _add(category, "Percent", number(line.percentage))
    _add(_node(category, "TaxScheme"), "ID", "VAT")
    price = _node(one, "Price")
    _add(price, "PriceAmount", number(line.price), currencyID=currency)
    if line.base != 1:
        _add(price, "BaseQuantity", number(line.base), unitCode=line.unit)
