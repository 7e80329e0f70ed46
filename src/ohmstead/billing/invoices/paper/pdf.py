"""A document as PDF/A-3, drawn from its sheet, with its EN 16931 data inside where there are any. Pure."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import facturx  # type: ignore[import-untyped]
from PIL import ImageCms
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, NameObject, TextStringObject
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfdoc
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from ohmstead.billing.invoices.exchange import electronic
from ohmstead.billing.invoices.model import Invoice
from ohmstead.billing.invoices.paper.fonts import registered
from ohmstead.billing.invoices.paper.sheet import Block, Pair, Row, Sheet, sheet_of

ATTACHMENT: Final = "factur-x.xml"
_WIDTH, _HEIGHT = A4
_LEFT: Final = 20 * mm
_RIGHT: Final = _WIDTH - 20 * mm
_TOP: Final = _HEIGHT - 18 * mm
# The foot: where its last line stands, how far its lines are apart, its least height, and what is kept free above it.
_FOOT: Final = 11.2 * mm
_FOOT_STEP: Final = 3.4 * mm
_FOOT_TOP: Final = 29 * mm
_ABOVE_FOOT: Final = 9 * mm
_INK: Final = HexColor("#13201e")
_QUIET: Final = HexColor("#5b6966")
_ACCENT: Final = HexColor("#0a5f59")
_HAIR: Final = HexColor("#dfe4e2")
_TINT: Final = HexColor("#f0f6f5")
# Right edges of the columns of prices; the first begins at the left.
_QUANTITY: Final = _LEFT + 92 * mm
_PRICE: Final = _LEFT + 128 * mm
_TAX: Final = _LEFT + 143 * mm
# Where the sums begin.
_SUMS: Final = _LEFT + 100 * mm


# How much smaller a text may be drawn, so that it fits; by how little one is not too wide that was made to fit.
_SMALLER: Final = 0.75
_HAIRBREADTH: Final = 0.01
# What is no sign: controls, marks of direction, what joins or parts words unseen.
_SPACES: Final = re.compile("[\t\n\r\u2028\u2029]")
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")

# The fonts' letters are gathered for each document in what all documents share.
_FONTS: Final = threading.Lock()


def draw(invoice: Invoice) -> bytes:
    """The PDF. The same document looks the same each time; only when it was drawn differs."""
    sheet = sheet_of(invoice)
    with _FONTS:
        drawn = _Drawing(sheet).finished()
    told = {
        "author": sheet.seller[0],
        "title": f"{sheet.title} {sheet.number}",
        "subject": f"{sheet.title} {sheet.number}, {sheet.brand}",
        "keywords": "",
    }
    if electronic.fault_of(invoice) is None:
        made: bytes = facturx.generate_from_binary(
            drawn,
            electronic.xml_of(invoice, "cii"),
            flavor="factur-x",
            level="en16931",
            check_xsd=False,
            check_schematron=False,
            pdf_metadata=told,
            lang=sheet.language,
            afrelationship="alternative",
            xmp_compression=False,
        )
        return made
    return _without_data(drawn, told, sheet.language)


def _without_data(drawn: bytes, told: dict[str, str], language: str) -> bytes:
    """PDF/A-3 needs its metadata with nothing inside, too."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(drawn)))
    metadata = DecodedStreamObject()
    metadata.update({NameObject("/Type"): NameObject("/Metadata"), NameObject("/Subtype"): NameObject("/XML")})
    metadata.set_data(facturx.facturx.generate_xmp_bytes("none", "", None, told))
    root: Any = writer.root_object
    root[NameObject("/Metadata")] = writer._add_object(metadata)
    root[NameObject("/Lang")] = TextStringObject(language)
    writer.add_metadata({"/Title": told["title"], "/Author": told["author"], "/Subject": told["subject"]})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@cache
def _profile() -> bytes:
    """The colours' meaning: sRGB. The date in it is nobody's: it is blotted out."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    raw[24:36] = bytes.fromhex("07ea00010001000000000000")  # 1 January 2026, 0:00
    raw[84:100] = bytes(16)
    return bytes(raw)


class _Drawing:
    """Pages, from the top down."""

    def __init__(self, sheet: Sheet, *, is_trial: bool = False) -> None:
        self._sheet = sheet
        self._is_trial = is_trial
        self._plain, self._bold = registered()
        self._out = io.BytesIO()
        # Its stubs know neither of the font nor of the document.
        given: Any = {"initialFontName": self._plain, "pageCompression": 1, "invariant": 1}
        self._canvas: Any = Canvas(self._out, pagesize=A4, **given)
        self._canvas.setTitle(f"{sheet.title} {sheet.number}")
        self._y = _TOP
        self._n = 1
        self._n_pages = 1
        self._foot_lines = [
            [piece for line in column for piece in self._wrapped(line, 6.8, 55 * mm)] for column in sheet.foot
        ]
        n_lines = max(len(column) for column in self._foot_lines)
        self._foot_top = max(_FOOT_TOP, _FOOT + 4.2 * mm + (n_lines - 1) * _FOOT_STEP)

    def finished(self) -> bytes:
        """All pages. They are laid out twice: only then it is known how many there are."""
        trial = _Drawing(self._sheet, is_trial=True)
        trial._draw()
        self._n_pages = trial._n
        self._draw()
        catalog = self._canvas._doc.Catalog
        catalog.__NoDefault__ = [*catalog.__NoDefault__, "OutputIntents"]
        catalog.OutputIntents = self._intents()
        self._canvas.save()
        return self._out.getvalue()

    def _intents(self) -> Any:
        document = self._canvas._doc
        stream = pdfdoc.PDFStream(
            pdfdoc.PDFDictionary({"N": 3, "Alternate": pdfdoc.PDFName("DeviceRGB")}),
            _profile(),
            filters=[pdfdoc.PDFZCompress],
        )
        reference = document.Reference(stream, "srgb")
        intent = pdfdoc.PDFDictionary(
            {
                "Type": pdfdoc.PDFName("OutputIntent"),
                "S": pdfdoc.PDFName("GTS_PDFA1"),
                "OutputConditionIdentifier": pdfdoc.PDFString("sRGB IEC61966-2.1"),
                "Info": pdfdoc.PDFString("sRGB IEC61966-2.1"),
                "DestOutputProfile": reference,
            }
        )
        return pdfdoc.PDFArray([intent])

    # -------------------------------------------------------------------------------------------------- the pieces

    def _draw(self) -> None:
        sheet = self._sheet
        self._head()
        if sheet.details:
            self._detail_box(sheet.details)
        self._column_heads()
        if sheet.blocks:
            for block in sheet.blocks:
                self._block(block)
        else:
            for row in sheet.rows:
                self._row(row, 0)
        self._sums()
        self._notes()
        self._foot()
        self._canvas.showPage()

    def _head(self) -> None:
        sheet = self._sheet
        self._text(_LEFT, _TOP, sheet.brand, 15, _ACCENT, bold=True, most=90 * mm)
        self._right(_RIGHT, _TOP, sheet.title, 15, _INK, bold=True)
        self._rule(_TOP - 5 * mm, _ACCENT, 1.2)
        y = _HEIGHT - 45 * mm
        self._text(_LEFT, y + 6 * mm, sheet.sender, 6.5, _QUIET, most=85 * mm)
        at = y
        for n, line in enumerate(sheet.buyer):
            for piece in self._wrapped(line, 10, 85 * mm, bold=n == 0):
                self._text(_LEFT, at, piece, 10, _INK, bold=n == 0)
                at -= 5 * mm
        low, at = at, y + 6 * mm
        for n, (name, value) in enumerate(sheet.facts):
            room = _RIGHT - _SUMS - stringWidth(name, self._plain, 8.5) - 3 * mm
            self._text(_SUMS, at, name, 8.5, _QUIET)
            for piece in self._wrapped(value, 9.5, room, bold=n == 0):
                self._right(_RIGHT, at, piece, 9.5, _INK, bold=n == 0)
                at -= 4.4 * mm
            at -= 1.6 * mm
        self._y = min(low, at + 6 * mm) - 8 * mm

    def _detail_box(self, details: Sequence[Pair]) -> None:
        """Facts about the one session, in two columns."""
        half = (len(details) + 1) // 2
        width = (_RIGHT - _LEFT) / 2
        label = 35 * mm
        heights = []
        room = width - label - 6 * mm
        # An id that fits when it is drawn smaller stays in one piece.
        wrapped = [
            [value]
            if " " not in value and stringWidth(value, self._plain, 8.5 * _SMALLER) <= room
            else self._wrapped(value, 8.5, room)
            for _name, value in details
        ]
        for n in range(half):
            cells = [wrapped[n], wrapped[n + half] if n + half < len(details) else []]
            heights.append(max(len(cell) for cell in cells) * 4 * mm + 1.4 * mm)
        height = sum(heights) + 5 * mm
        self._canvas.setFillColor(_TINT)
        self._canvas.roundRect(_LEFT, self._y - height + 4 * mm, _RIGHT - _LEFT, height, 2 * mm, stroke=0, fill=1)
        y = self._y - 1.6 * mm
        for n in range(half):
            for k, x in ((n, _LEFT + 4 * mm), (n + half, _LEFT + width + 2 * mm)):
                if k < len(details):
                    self._text(x, y, details[k][0], 8, _QUIET, most=label - 2 * mm)
                    for row, piece in enumerate(wrapped[k]):
                        self._text(x + label, y - row * 4 * mm, piece, 8.5, _INK, most=width - label - 5 * mm)
            y -= heights[n]
        self._y -= height + 5 * mm

    def _column_heads(self) -> None:
        what, quantity, price, tax, amount = self._sheet.columns
        self._text(_LEFT, self._y, what, 8, _QUIET)
        self._right(_QUANTITY, self._y, quantity, 8, _QUIET)
        self._right(_PRICE, self._y, price, 8, _QUIET)
        self._right(_TAX, self._y, tax, 8, _QUIET)
        self._right(_RIGHT, self._y, amount, 8, _QUIET)
        self._rule(self._y - 2 * mm, _INK, 0.7)
        self._y -= 7 * mm

    def _block(self, block: Block) -> None:
        facts = self._wrapped(" · ".join(block.facts), 7.5, _RIGHT - _LEFT - 32 * mm) if block.facts else []
        head = self._wrapped(block.head, 9, _RIGHT - _LEFT - 32 * mm, bold=True)
        needed = 1.8 * mm + len(head) * 4.2 * mm + len(facts) * 3.8 * mm + len(block.rows) * 4.4 * mm
        # What is too long to be kept together begins here, with its first rows at least.
        self._room(min(needed, 80 * mm) if len(block.rows) < 12 else 30 * mm)
        self._right(_RIGHT, self._y, block.amount, 9, _INK, bold=True)
        for piece in head:
            self._text(_LEFT, self._y, piece, 9, _INK, bold=True, most=_RIGHT - _LEFT - 32 * mm)
            self._y -= 4.2 * mm
        for piece in facts:
            self._text(_LEFT, self._y, piece, 7.5, _QUIET, most=_RIGHT - _LEFT - 32 * mm)
            self._y -= 3.8 * mm
        self._y -= 1 * mm
        for row in block.rows:
            self._row(row, 4 * mm, size=8, step=4.4 * mm, colour=_QUIET)
        self._rule(self._y + 1.6 * mm, _HAIR, 0.4)
        self._y -= 3.2 * mm

    def _row(self, row: Row, indent: float, size: float = 9.5, step: float = 6.2 * mm, colour: Color = _INK) -> None:
        pieces = self._wrapped(row.what, size, 60 * mm - indent)
        self._room((len(pieces) - 1) * 4.2 * mm + step + 1.6 * mm)
        self._right(_QUANTITY, self._y, row.quantity, size, colour)
        self._right(_PRICE, self._y, row.unit_price, size, colour)
        self._right(_TAX, self._y, row.tax, size, colour)
        self._right(_RIGHT, self._y, row.amount, size, colour)
        for n, piece in enumerate(pieces):
            self._text(_LEFT + indent, self._y, piece, size, colour)
            if n < len(pieces) - 1:
                self._y -= 4.2 * mm
        self._y -= step

    def _sums(self) -> None:
        sheet = self._sheet
        taxes = [(self._wrapped(name, 8.5, 31 * mm), base, amount) for name, base, amount in sheet.taxes]
        beside = sum(4.8 * mm + (len(names) - 1) * 3.8 * mm for names, _, _ in taxes) + 8 * mm
        # With what follows at once: how it is paid.
        needed = 6 * mm + max(beside, len(sheet.totals) * 5.4 * mm + 13.4 * mm) + 18 * mm
        self._room(min(needed, 110 * mm), rows_follow=False)
        self._y += 4.8 * mm if sheet.blocks else 2 * mm
        self._rule(self._y, _INK, 0.7)
        self._y -= 6 * mm
        top = self._y
        if sheet.taxes:
            for x, told in zip((_LEFT, _LEFT + 52 * mm, _LEFT + 78 * mm), sheet.tax_columns, strict=True):
                (self._text if x == _LEFT else self._right)(x, self._y, told, 7.5, _QUIET)
            for names, base, amount in taxes:
                self._y -= 4.8 * mm
                self._right(_LEFT + 52 * mm, self._y, base, 8.5, _INK)
                self._right(_LEFT + 78 * mm, self._y, amount, 8.5, _INK)
                for n, piece in enumerate(names):
                    self._y -= 3.8 * mm if n else 0
                    self._text(_LEFT, self._y, piece, 8.5, _INK)
        low = self._y
        self._y = top
        for name, value in sheet.totals:
            self._text(_SUMS, self._y, name, 9, _QUIET)
            self._right(_RIGHT - 2.5 * mm, self._y, value, 9, _INK)
            self._y -= 5.4 * mm
        self._y -= 3.4 * mm
        self._canvas.setFillColor(_TINT)
        self._canvas.roundRect(
            _SUMS - 3 * mm, self._y - 3.2 * mm, _RIGHT - _SUMS + 3 * mm, 9.8 * mm, 1.6 * mm, stroke=0, fill=1
        )
        self._text(_SUMS, self._y, sheet.grand[0], 11.5, _INK, bold=True)
        self._right(_RIGHT - 2.5 * mm, self._y, sheet.grand[1], 12.5, _ACCENT, bold=True)
        self._y = min(self._y - 10 * mm, low - 8 * mm)

    def _notes(self) -> None:
        for name, value in self._sheet.payment:
            self._payment(name, value)
        self._y -= 2 * mm
        for note in self._sheet.notes:
            for piece in self._wrapped(note, 8, _RIGHT - _LEFT):
                self._room(6 * mm, rows_follow=False)
                self._text(_LEFT, self._y, piece, 8, _QUIET)
                self._y -= 4.2 * mm

    def _payment(self, name: str, value: str) -> None:
        """What was paid or where to pay to: on one line where both fit on it."""
        width = _RIGHT - _LEFT
        taken = stringWidth(name, self._plain, 9) + stringWidth(value, self._plain, 9)
        if value and taken <= width - 6 * mm:
            self._room(8 * mm, rows_follow=False)
            self._text(_LEFT, self._y, name, 9, _INK)
            self._right(_RIGHT, self._y, value, 9, _INK)
            self._y -= 5 * mm
            return
        pieces = self._wrapped(name, 9, width) + (self._wrapped(value, 9, width) if value else [])
        self._room(len(pieces) * 4.6 * mm + 3.4 * mm, rows_follow=False)
        for piece in pieces:
            self._text(_LEFT, self._y, piece, 9, _INK)
            self._y -= 4.6 * mm

    def _foot(self) -> None:
        sheet, y = self._sheet, self._foot_top
        self._rule(y, _HAIR, 0.5)
        for column, x in zip(self._foot_lines, (_LEFT, _LEFT + 60 * mm, _LEFT + 120 * mm), strict=True):
            for n, line in enumerate(column):
                self._text(x, y - 4.2 * mm - n * _FOOT_STEP, line, 6.8, _QUIET)
        told = sheet.page.replace("{n}", str(self._n)).replace("{all}", str(self._n_pages))
        self._right(_RIGHT, 7 * mm, told, 7, _QUIET)
        self._text(_LEFT, 7 * mm, f"{sheet.title} {sheet.number}", 7, _QUIET)

    # ------------------------------------------------------------------------------------------------------ strokes

    def _room(self, needed: float, *, rows_follow: bool = True) -> None:
        """A new page, where this does not fit on this one any more; the columns have their heads where rows follow."""
        if self._y - needed >= self._foot_top + _ABOVE_FOOT:
            return
        self._foot()
        self._canvas.showPage()
        self._n += 1
        self._y = _TOP
        if rows_follow:
            self._column_heads()

    def _rule(self, y: float, colour: Color, width: float) -> None:
        self._canvas.setStrokeColor(colour)
        self._canvas.setLineWidth(width)
        self._canvas.line(_LEFT, y, _RIGHT, y)

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: Color,
        *,
        bold: bool = False,
        most: float | None = None,
    ) -> None:
        text = _seen(text)
        if self._is_trial or not text:
            return
        font = self._bold if bold else self._plain
        if most is not None:
            size = self._fitting(text, font, size, most)
            text = _cut(text, font, size, most)
        self._canvas.setFillColor(colour)
        self._canvas.setFont(font, size)
        self._canvas.drawString(x, y, text)

    def _right(self, x: float, y: float, text: str, size: float, colour: Color, *, bold: bool = False) -> None:
        text = _seen(text)
        if self._is_trial or not text:
            return
        self._canvas.setFillColor(colour)
        self._canvas.setFont(self._bold if bold else self._plain, size)
        self._canvas.drawRightString(x, y, text)

    @staticmethod
    def _fitting(text: str, font: str, size: float, most: float) -> float:
        """A little smaller, where it does not fit otherwise."""
        width = stringWidth(text, font, size)
        return size if width <= most else max(size * _SMALLER, size * most / width)

    def _wrapped(self, text: str, size: float, most: float, *, bold: bool = False) -> list[str]:
        """Lines that are no wider; a word that is wider by itself is broken where it has to be."""
        font = self._bold if bold else self._plain
        text = _seen(text)
        if stringWidth(text, font, size) <= most:
            return [text]
        found: list[str] = []
        line = ""
        for word in text.split(" "):
            longer = f"{line} {word}" if line else word
            if stringWidth(longer, font, size) <= most:
                line = longer
                continue
            if line:
                found.append(line)
            *whole, line = _broken(word, font, size, most)
            found += whole
        return [*found, line]


def _seen(text: str) -> str:
    """Without what has no sign: fonts would draw boxes."""
    return _UNSEEN.sub("", _SPACES.sub(" ", text))


def _broken(word: str, font: str, size: float, most: float) -> list[str]:
    """A word in pieces that are no wider; mostly one."""
    found = [""]
    for letter in word:
        if found[-1] and stringWidth(found[-1] + letter, font, size) > most:
            found.append("")
        found[-1] += letter
    return found


def _cut(text: str, font: str, size: float, most: float) -> str:
    if stringWidth(text, font, size) <= most + _HAIRBREADTH:
        return text
    while text and stringWidth(f"{text}…", font, size) > most:
        text = text[:-1]
    return f"{text}…"
