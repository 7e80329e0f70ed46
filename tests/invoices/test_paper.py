"""Documents as PDF/A-3: what is inside, and what stands on them."""

import hashlib
import io
import json
from decimal import Decimal
from itertools import combinations
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
from lxml import etree
from msgspec.structs import replace
from pypdf import PdfReader

from ohmstead.billing.invoices.exchange import electronic
from ohmstead.billing.invoices.model import Address, Bank, Buyer, DocumentLine, Invoice, PaymentNote, Seller
from ohmstead.billing.invoices.paper import pdf
from ohmstead.billing.invoices.paper.fonts import FONTS_DIR
from ohmstead.billing.invoices.paper.sheet import sheet_of
from tests.invoices.made_up import ADA, VAT, breakdown, cdr, document, line, usual
from tests.invoices.office import SELLER


def receipt(language: str = "en", **more: Any) -> Invoice:
    buyer = Buyer(customer=ADA.customer, name="Żaneta Ångström Ελένη Юлия", language=language)
    paid = [PaymentNote(amount=Decimal("13.25"), kind="card", brand="Visa", last4="4242")]
    return document([cdr(breakdown(usual()))], buyer=buyer, payments=paid, **more)


def opened(made: Invoice) -> PdfReader:
    return PdfReader(io.BytesIO(pdf.draw(made)))


def test_the_data_are_inside_as_they_are_outside() -> None:
    made = receipt()
    reader = opened(made)
    (inside,) = reader.attachments["factur-x.xml"]
    assert inside == electronic.xml_of(made, "cii")
    root: Any = reader.trailer["/Root"]
    (attached,) = root["/AF"]
    assert attached.get_object()["/AFRelationship"] == "/Alternative"


@pytest.mark.parametrize("has_data", [True, False])
def test_it_is_what_pdf_a_3b_asks_for_as_far_as_can_be_looked_at_here(has_data: bool) -> None:
    made = receipt() if has_data else receipt(seller=Seller(legal_name="Harbour", address=SELLER.address))
    assert (electronic.fault_of(made) is None) == has_data
    raw = pdf.draw(made)
    reader = PdfReader(io.BytesIO(raw))
    assert raw.startswith(b"%PDF-1.")
    assert all(byte > 127 for byte in raw.splitlines()[1][1:5]), "a comment of four bytes above 127"
    root: Any = reader.trailer["/Root"]
    assert len(reader.trailer["/ID"]) == 2  # type: ignore[arg-type]
    assert "/Encrypt" not in reader.trailer
    xmp = root["/Metadata"].get_data().decode()
    assert "/Filter" not in root["/Metadata"]
    for said in ("<pdfaid:part>3</pdfaid:part>", "<pdfaid:conformance>B</pdfaid:conformance>", made.number):
        assert said in xmp
    assert ("<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>" in xmp) == has_data
    assert str(reader.metadata.title) in xmp  # type: ignore[union-attr]
    (intent,) = root["/OutputIntents"]
    intent = intent.get_object()
    assert intent["/S"] == "/GTS_PDFA1"
    profile = intent["/DestOutputProfile"].get_object().get_data()
    assert profile[36:40] == b"acsp"
    assert profile[12:20] == b"mntrRGB "
    assert int.from_bytes(profile[:4], "big") == len(profile)
    assert root["/Lang"] == "en"
    _fonts_are_inside(reader)
    assert "/JavaScript" not in root.get("/Names", {})
    assert "/AA" not in root
    assert "/OpenAction" not in root


def _fonts_are_inside(reader: PdfReader) -> None:
    seen = 0
    for page in reader.pages:
        fonts: Any = page["/Resources"]["/Font"]  # type: ignore[index]
        for name in fonts:
            font = fonts[name].get_object()
            descriptor = font["/FontDescriptor"].get_object()
            assert "/FontFile2" in descriptor, "embedded"
            assert "+DejaVuSansCondensed" in font["/BaseFont"], "the letters that are used, no more"
            assert "/ToUnicode" in font, "text can be copied"
            n = font["/LastChar"] - font["/FirstChar"] + 1
            assert len(font["/Widths"]) == n
            seen += 1
        resources: Any = page["/Resources"]
        assert "/XObject" not in resources, "no pictures, which could see through"
    assert seen >= 2


def test_a_receipt_says_all_that_weights_and_measures_ask_for() -> None:
    """kWh, unit prices, time and fees apart, total, power and AC or DC, begin and end, outlet, seller."""
    text = " ".join(opened(receipt()).pages[0].extract_text().split())
    text = text.replace("\u00a0", " ")
    for said in (
        "Receipt", "R-2026-000042", "20.000 kWh", "0.49 EUR/kWh", "9.80 EUR", "0:12:20 h", "0.10 EUR/min", "1.23 EUR",
        "Start fee", "Members −10 %", "−0.98 EUR", "13.25 EUR", "AC · 22.0 kW", "231 V", "21.5 kW", "02 Mar 2026, 11:00:00 CET",
        "02 Mar 2026, 12:12:20 CET", "HARBOUR-01*1", "Harbour car park", "Quay 1", "1,234.567 kWh", "1,254.567 kWh",
        "2, all verified", "Harbour Power B.V.", "NL123456789B01", "21 %", "Card Visa ••4242", "Żaneta", "Ελένη", "Юлия",
    ):  # fmt: skip
        assert said in text, said
    assert "04A2B3C4D5" not in text, "a card's number is as good as a key"


def test_where_prices_have_taxes_in_them_rows_show_these_prices() -> None:
    made = document([cdr(breakdown([line("ENERGY", "9.80", unit="kWh", quantity=Decimal(20), unit_price=Decimal("0.49"),
                                         price_per="kWh")], includes_taxes=True))])  # fmt: skip
    sheet = sheet_of(made)
    assert [row.amount for row in sheet.rows] == ["9.80\u00a0EUR"]
    assert sheet.grand[1] == "9.80\u00a0EUR"
    assert sheet.columns[-1] == "Amount with tax"
    assert sheet.taxes == [("VAT 21\u00a0%", "8.10\u00a0EUR", "1.70\u00a0EUR")]


def test_a_month_of_many_sessions_goes_over_pages_and_loses_none() -> None:
    made = document([cdr(breakdown(usual()), n) for n in range(60)], "invoice")
    reader = opened(made)
    n_pages = len(reader.pages)
    assert n_pages > 5
    texts = [page.extract_text() for page in reader.pages]
    assert sum(text.count("HARBOUR-01*1") for text in texts) == 60
    assert all(f"Page {n} of {n_pages}" in text for n, text in enumerate(texts, start=1))
    assert "795.0" in texts[-1].replace(",", "")


def test_it_can_be_drawn_by_another_program() -> None:
    picture = pypdfium2.PdfDocument(pdf.draw(receipt()))[0].render(scale=1).to_pil()
    assert picture.size == (596, 842)
    dark = sum(picture.convert("L").histogram()[:128])
    assert 2_000 < dark < 60_000, "something is written, and not everywhere"


def test_nothing_of_what_others_wrote_breaks_a_document() -> None:
    odd = "<b>&amp;\u202e\x07{n}" + "x" * 300
    made = document([cdr(breakdown([line("ADJUSTMENT", "1", rule=odd)]))], buyer=Buyer(customer="driver:x", name=odd))
    assert len(opened(made).pages) >= 1
    told = "".join(etree.fromstring(electronic.xml_of(made, "cii")).itertext())
    assert odd.replace("\x07", "") in told


def test_what_cannot_be_seen_leaves_no_boxes() -> None:
    made = document([cdr(breakdown([line("ADJUSTMENT", "1", rule="a\tb\x07c\u200bd\u202ee\u00adf")]))])
    assert "a bcdef" in opened(made).pages[0].extract_text()


# As long as names of companies, streets and banks get in Germany, and a word that no line holds.
LONG = "Hafenstrom Ladeinfrastruktur- und Energiedienstleistungsgesellschaft mbH & Co. KG"
LONGER = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft e. G."
WORDY = Seller(
    legal_name=LONG,
    trade_name="Hafenstrom",
    address=Address(
        lines=["Hafenstraße 1", "Haus 3", "2. OG"], postal_code="20457", city="Hamburg", state="Hamburg", country="DE"
    ),
    vat_id="DE123456789",
    tax_number="27/123/45678",
    registration="Amtsgericht Hamburg, HRB 123456; persönlich haftend: Hafenstrom Verwaltungs-GmbH, HRB 654321",
    bank=Bank(holder=LONG, iban="DE02120300000000202051", bic="BYLADEM1001", name="Deutsche Kreditbank Berlin"),
    contact="Abrechnung",
    email="abrechnung@hafenstrom.example",
    phone="+49 40 1234567",
    website="https://hafenstrom.example/rechnungen",
    no_tax_reason="Steuerfrei als Leistung eines Kleinunternehmers nach § 19 des Umsatzsteuergesetzes",
)


def wordy(language: str, **more: Any) -> Buyer:
    address = replace(WORDY.address, country="AT")
    made = Buyer(customer="driver:x", name=LONGER, address=address, vat_id="ATU12345678", language=language)
    return replace(made, reference="04011000-1234512345-06 / Kostenstelle 4711, Fuhrpark und Reisen", **more)


def crowded(kind: Any, language: str, n: int) -> Invoice:
    lines = [*usual(), line("ADJUSTMENT", "-0.10", (), rule="Rabatt für treue Mitglieder unserer Genossenschaft " * 2)]
    cdrs = [cdr(breakdown(lines), k) for k in range(n)]
    return document(cdrs, kind, buyer=wordy(language), seller=WORDY)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    ("kind", "n"), [("receipt", 1), ("invoice", 1), ("invoice", 7), ("invoice", 8), ("invoice", 9)]
)
def test_nothing_is_written_over_another_thing_or_off_the_page(kind: Any, n: int, language: str) -> None:
    for page in pypdfium2.PdfDocument(pdf.draw(crowded(kind, language, n))):
        boxes = [one.get_bounds() for one in page.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_TEXT])]
        assert len(boxes) > 10
        for left, bottom, right, top in boxes:
            assert 50 < left < right < 545
            assert 15 < bottom < top < 810
        for one, other in combinations(boxes, 2):
            apart_x = max(one[0], other[0]) - min(one[2], other[2])
            apart_y = max(one[1], other[1]) - min(one[3], other[3])
            assert apart_x > 0 or apart_y > -0.5, (kind, n, one, other)


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_law_wants_is_never_cut(language: str) -> None:
    """Full names and addresses of both, VAT ids, the register, why there is no tax, where to pay to."""
    told = "".join("".join(page.extract_text() for page in opened(crowded("invoice", language, 2)).pages).split())
    wanted = [LONG, LONGER, "Hafenstraße 1", "20457 Hamburg", "2. OG", "DE123456789", "ATU12345678", "27/123/45678",
              WORDY.registration, WORDY.no_tax_reason, "DE02 1203 0000 0000 2020 51", "BYLADEM1001", WORDY.bank.name,
              "Kostenstelle 4711, Fuhrpark und Reisen", "Austria" if language == "en" else "Österreich"]  # fmt: skip
    for said in wanted:
        assert "".join(said.split()) in told, said


def test_labels_and_ids_stay_whole() -> None:
    made = receipt()
    told = opened(made).pages[0].extract_text()
    assert "Current and highest power" in told
    assert str(made.content.lines[0].session_id) in told
    assert "…" not in told.replace("…C4D5", ""), "of a card its end is told"


def test_columns_have_heads_only_where_rows_follow() -> None:
    def heads(n: int) -> list[bool]:
        texts = [
            page.extract_text()
            for page in opened(document([cdr(breakdown(usual()), k) for k in range(n)], "invoice")).pages
        ]
        assert "Unit price" in texts[0]
        return [("Unit price" in text) == ("HARBOUR-01*1" in text) for text in texts]

    assert all(all(heads(n)) for n in range(2, 16)), "also where the sums begin a page of their own"


def test_vendored_fonts_are_those_of_the_manifest() -> None:
    manifest = json.loads((FONTS_DIR / "manifest.json").read_text())
    known = {"manifest.json"}
    for package in manifest["packages"]:
        assert all(package[name] for name in ("name", "version", "license"))
        for name, file in package["files"].items():
            assert hashlib.sha256((FONTS_DIR / name).read_bytes()).hexdigest() == file["sha256"]
            known.add(name)
    assert {path.name for path in FONTS_DIR.iterdir()} == known


def test_a_statement_lists_what_documents_come_to_and_has_no_columns_of_prices() -> None:
    made = document([cdr(breakdown(usual()))])
    listed = [DocumentLine(kind="document", before_taxes=Decimal("11.05"), total=Decimal("13.25"), text="Receipt 1")]
    sheet = sheet_of(replace(made, kind="statement", content=replace(made.content, lines=listed, has_vat=False)))
    assert [block.amount for block in sheet.blocks] == ["13.25\u00a0EUR"]
    assert sheet.columns == ("What", "", "", "", "Amount with tax")


def test_languages_change_the_words_and_not_the_amounts() -> None:
    english, german = sheet_of(receipt()), sheet_of(receipt("de"))
    assert english.rows[0].amount == "9.80\u00a0EUR"
    assert german.rows[0].amount == "9,80\u00a0EUR"
    assert german.rows[0].what == "Energie"
    assert sheet_of(receipt("xx")).rows[0].what == "Energy"
    assert german.taxes[0][0].startswith("USt.")
    assert VAT.name in english.taxes[0][0]
