"""A document as UN/CEFACT Cross Industry Invoice, profile EN 16931 of Factur-X and ZUGFeRD. Pure."""

from __future__ import annotations

from datetime import date
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

PROFILE: Final = "urn:cen.eu:en16931:2017"
_NAMES: Final = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}


def written(invoice: Invoice) -> bytes:
    """The XML of a document that can be told (`electronic.fault_of`)."""
    root = etree.Element(_tag("rsm:CrossIndustryInvoice"), nsmap=_NAMES)
    context = _add(root, "rsm:ExchangedDocumentContext")
    _add(_add(context, "ram:GuidelineSpecifiedDocumentContextParameter"), "ram:ID", PROFILE)
    _document(root, invoice)
    trade = _add(root, "rsm:SupplyChainTradeTransaction")
    for line in lines_of(invoice):
        _line(trade, line)
    _agreement(trade, invoice)
    delivery = _add(trade, "ram:ApplicableHeaderTradeDelivery")
    if invoice.to_on is not None:
        event = _add(delivery, "ram:ActualDeliverySupplyChainEvent")
        _day(_add(event, "ram:OccurrenceDateTime"), invoice.to_on)
    _settlement(trade, invoice)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_NAMES[prefix]}}}{local}"


def _add(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, _tag(name), attributes)
    made.text = clean(text) if text is not None else None
    return made


def _given(parent: etree._Element, name: str, text: str, **attributes: str) -> None:
    if text:
        _add(parent, name, text, **attributes)


def _day(parent: etree._Element, day: date, kind: str = "udt") -> None:
    _add(parent, f"{kind}:DateTimeString", f"{day:%Y%m%d}", format="102")


def _document(root: etree._Element, invoice: Invoice) -> None:
    document = _add(root, "rsm:ExchangedDocument")
    _add(document, "ram:ID", invoice.number)
    _add(document, "ram:TypeCode", TYPES[invoice.kind])
    _day(_add(document, "ram:IssueDateTime"), invoice.issued_on)
    for note in notes_of(invoice):
        _add(_add(document, "ram:IncludedNote"), "ram:Content", note)


def _line(trade: etree._Element, line: ELine) -> None:
    item = _add(trade, "ram:IncludedSupplyChainTradeLineItem")
    document = _add(item, "ram:AssociatedDocumentLineDocument")
    _add(document, "ram:LineID", line.line_id)
    if line.note:
        _add(_add(document, "ram:IncludedNote"), "ram:Content", line.note)
    _add(_add(item, "ram:SpecifiedTradeProduct"), "ram:Name", line.name)
    price = _add(_add(item, "ram:SpecifiedLineTradeAgreement"), "ram:NetPriceProductTradePrice")
    _add(price, "ram:ChargeAmount", number(line.price))
    if line.base != 1:
        _add(price, "ram:BasisQuantity", number(line.base), unitCode=line.unit)
    delivery = _add(item, "ram:SpecifiedLineTradeDelivery")
    _add(delivery, "ram:BilledQuantity", number(line.quantity), unitCode=line.unit)
    settlement = _add(item, "ram:SpecifiedLineTradeSettlement")
    tax = _add(settlement, "ram:ApplicableTradeTax")
    _add(tax, "ram:TypeCode", "VAT")
    _add(tax, "ram:CategoryCode", line.category)
    _add(tax, "ram:RateApplicablePercent", number(line.percentage))
    _period(settlement, line.from_on, line.to_on)
    for one in line.allowances:
        less = _add(settlement, "ram:SpecifiedTradeAllowanceCharge")
        _add(_add(less, "ram:ChargeIndicator"), "udt:Indicator", "false")
        _add(less, "ram:ActualAmount", amount(one.amount))
        _add(less, "ram:Reason", one.reason)
    summed = _add(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation")
    _add(summed, "ram:LineTotalAmount", amount(line.amount))


def _period(parent: etree._Element, from_on: date | None, to_on: date | None) -> None:
    if from_on is None or to_on is None:
        return
    period = _add(parent, "ram:BillingSpecifiedPeriod")
    _day(_add(period, "ram:StartDateTime"), from_on)
    _day(_add(period, "ram:EndDateTime"), to_on)


def _agreement(trade: etree._Element, invoice: Invoice) -> None:
    content = invoice.content
    agreement = _add(trade, "ram:ApplicableHeaderTradeAgreement")
    _given(agreement, "ram:BuyerReference", content.buyer.reference)
    _seller(agreement, content.seller, content.tax_country)
    buyer = _add(agreement, "ram:BuyerTradeParty")
    _add(buyer, "ram:Name", buyer_name(content.buyer))
    _address(buyer, content.buyer.address, buyer_country(content))
    _mailbox(buyer, content.buyer.email)
    if content.buyer.vat_id:
        _add(_add(buyer, "ram:SpecifiedTaxRegistration"), "ram:ID", content.buyer.vat_id, schemeID="VA")


def _seller(agreement: etree._Element, seller: Seller, tax_country: str) -> None:
    party = _add(agreement, "ram:SellerTradeParty")
    _add(party, "ram:Name", seller.legal_name)
    if seller.registration or seller.trade_name:
        legal = _add(party, "ram:SpecifiedLegalOrganization")
        _given(legal, "ram:ID", seller.registration)
        _given(legal, "ram:TradingBusinessName", seller.trade_name)
    if seller.contact or seller.phone or seller.email:
        contact = _add(party, "ram:DefinedTradeContact")
        _given(contact, "ram:PersonName", seller.contact)
        if seller.phone:
            _add(_add(contact, "ram:TelephoneUniversalCommunication"), "ram:CompleteNumber", seller.phone)
        if seller.email:
            _add(_add(contact, "ram:EmailURIUniversalCommunication"), "ram:URIID", seller.email)
    _address(party, seller.address, seller.address.country)
    _mailbox(party, seller.email)
    for scheme, value in (("VA", seller_vat_id(seller, tax_country)), ("FC", seller.tax_number)):
        if value:
            _add(_add(party, "ram:SpecifiedTaxRegistration"), "ram:ID", value, schemeID=scheme)


def _address(party: etree._Element, address: Address, country: str) -> None:
    postal = _add(party, "ram:PostalTradeAddress")
    _given(postal, "ram:PostcodeCode", address.postal_code)
    for name, line in zip(("LineOne", "LineTwo", "LineThree"), address.lines, strict=False):
        _given(postal, f"ram:{name}", line)
    _given(postal, "ram:CityName", address.city)
    _add(postal, "ram:CountryID", country)
    _given(postal, "ram:CountrySubDivisionName", address.state)


def _mailbox(party: etree._Element, email: str) -> None:
    if email:
        _add(_add(party, "ram:URIUniversalCommunication"), "ram:URIID", email, schemeID="EM")


def _settlement(trade: etree._Element, invoice: Invoice) -> None:
    content, totals = invoice.content, invoice.content.totals
    settlement = _add(trade, "ram:ApplicableHeaderTradeSettlement")
    _add(settlement, "ram:PaymentReference", invoice.number)
    _add(settlement, "ram:InvoiceCurrencyCode", invoice.currency)
    _means(settlement, invoice)
    for tax in content.taxes:
        one = _add(settlement, "ram:ApplicableTradeTax")
        _add(one, "ram:CalculatedAmount", amount(tax.amount))
        _add(one, "ram:TypeCode", "VAT")
        if tax.category in ("AE", "E", "O"):
            _add(one, "ram:ExemptionReason", _(tax.reason))
        _add(one, "ram:BasisAmount", amount(tax.base))
        _add(one, "ram:CategoryCode", tax.category)
        _given(one, "ram:ExemptionReasonCode", exemption_code(tax.category))
        _add(one, "ram:RateApplicablePercent", number(tax.percentage))
    _period(settlement, invoice.from_on, invoice.to_on)
    terms = _add(settlement, "ram:SpecifiedTradePaymentTerms")
    _add(terms, "ram:Description", terms_of(invoice))
    if invoice.due_on is not None:
        _day(_add(terms, "ram:DueDateDateTime"), invoice.due_on)
    summed = _add(settlement, "ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    _add(summed, "ram:LineTotalAmount", amount(totals.before_taxes))
    _add(summed, "ram:TaxBasisTotalAmount", amount(totals.before_taxes))
    _add(summed, "ram:TaxTotalAmount", amount(totals.tax), currencyID=invoice.currency)
    if totals.rounding:
        _add(summed, "ram:RoundingAmount", amount(totals.rounding))
    _add(summed, "ram:GrandTotalAmount", amount(totals.total))
    if totals.paid:
        _add(summed, "ram:TotalPrepaidAmount", amount(totals.paid))
    _add(summed, "ram:DuePayableAmount", amount(totals.open))
    if content.corrects:
        before = _add(settlement, "ram:InvoiceReferencedDocument")
        _add(before, "ram:IssuerAssignedID", content.corrects)
        if content.corrects_on is not None:
            _day(_add(before, "ram:FormattedIssueDateTime"), content.corrects_on, "qdt")


def _means(settlement: etree._Element, invoice: Invoice) -> None:
    bank = invoice.content.seller.bank
    code = means_code(invoice)
    if not code:
        return
    means = _add(settlement, "ram:SpecifiedTradeSettlementPaymentMeans")
    _add(means, "ram:TypeCode", code)
    card = card_of(invoice)
    if code == "48" and card is not None:
        _add(_add(means, "ram:ApplicableTradeSettlementFinancialCard"), "ram:ID", card.last4)
    if code in TRANSFERS:
        account = _add(means, "ram:PayeePartyCreditorFinancialAccount")
        _add(account, "ram:IBANID", bank.iban)
        _given(account, "ram:AccountName", bank.holder)
        if bank.bic:
            _add(_add(means, "ram:PayeeSpecifiedCreditorFinancialInstitution"), "ram:BICID", bank.bic)
