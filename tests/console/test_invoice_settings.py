"""Settings → Invoices: who sells, and how documents are numbered."""

from typing import Any

from tests.console.visitor import Visitor

FIELDS: dict[str, Any] = {
    "legal_name": "Harbour Power B.V.",
    "trade_name": "Harbour <b>Power</b>",
    "line1": "Quay 1",
    "postal_code": "3011 AB",
    "city": "Rotterdam",
    "country": "nl",
    "vat_id": "NL 123456789 B01",
    "vat_ids": "DE DE123456789",
    "iban": "NL91 ABNA 0417 1643 00",
    "payment_days": "30",
    "makes_statements": "yes",
}


async def test_a_seller_is_set_up_and_what_is_wrong_is_said_where_it_is(visitor: Visitor, stranger: Visitor) -> None:
    page = await visitor.opens("/settings/invoices")
    assert "Invoices cannot be made yet." in page.text
    version = next(page.all("input", name="version")).attributes["value"]
    wrong = await visitor.sends(
        "/settings/invoices", **FIELDS | {"iban": "NL92ABNA0417164300"}, version=version, expect=422
    )
    assert "check digits" in wrong.text
    assert 'value="Harbour Power B.V."' in wrong.html, "nothing of a form is lost"
    for field, value in (("country", "XXX"), ("payment_days", "soon"), ("vat_ids", "DE"), ("email", "nowhere")):
        refused = await visitor.sends("/settings/invoices", **FIELDS | {field: value}, version=version, expect=422)
        at = next(e for e in refused.elements if e.attributes.get("name") == field)
        assert at.attributes.get("aria-invalid") == "true", field
    await visitor.sends("/settings/invoices", **FIELDS, version=version, expect=303)
    page = await visitor.opens("/settings/invoices")
    assert page.heading == "Harbour Power B.V."
    assert "Harbour <b>Power</b>" in next(page.all("input", name="trade_name")).attributes["value"]
    assert next(page.all("input", name="iban")).attributes["value"] == "NL91ABNA0417164300"
    stale = await visitor.sends("/settings/invoices", **FIELDS, version=version, expect=422)
    assert "somebody changed this" in stale.text.lower()
    assert "Harbour Power B.V." in (await visitor.opens("/settings")).text
    assert "Invoices cannot be made yet." in (await stranger.opens("/settings/invoices")).text, "another party's"


async def test_numbers_are_written_as_the_party_wants_and_never_clash(visitor: Visitor) -> None:
    same = await visitor.sends("/settings/invoices/numbers", format_receipt="I-{year}-{n:06}", expect=422)
    assert "two kinds of documents" in same.text
    await visitor.sends("/settings/invoices/numbers", format_receipt="HP {n:04}", expect=303)
    assert "Next: HP 0001" in (await visitor.opens("/settings/invoices")).text
