"""Sheets of stickers with a QR code for each EVSE, as PDF to print. Pure.

A code leads to `<public address>/drive/e/<EVSE id>`; an EVSE's id is `<station id>*<EVSE number>`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import quote

import segno
from msgspec import Meta, Struct
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from ohmstead.core.language import N_, _

SheetName: TypeAlias = Literal["a4_3x8", "a4_3x7", "a4_2x7", "a4_2x4", "a6"]
MOST_STICKERS = 5000
_A4: Final = (210.0, 297.0)
_PAD = 2.0  # mm that printers may be off by
_QUIET = 4  # modules of white around a code (ISO/IEC 18004)
_BOLD, _PLAIN = "Helvetica-Bold", "Helvetica"


class Sheet(Struct, frozen=True, kw_only=True):
    """A sheet of labels as it is sold; lengths in mm."""

    words: str
    page: tuple[float, float] = _A4
    columns: int
    rows: int
    label: tuple[float, float]
    margin: tuple[float, float]
    gap: float = 0.0

    @property
    def n_labels(self) -> int:
        """How many there are on a page."""
        return self.columns * self.rows

    def place(self, n: int) -> tuple[float, float]:
        """Where label `n` of a page has its upper left corner, in mm from the page's."""
        row, column = divmod(n, self.columns)
        return (
            self.margin[0] + column * (self.label[0] + self.gap),
            self.margin[1] + row * self.label[1],
        )


SHEETS: Final[dict[SheetName, Sheet]] = {
    "a4_3x8": Sheet(words=N_("A4, 24 labels of 70 × 37 mm"), columns=3, rows=8, label=(70, 37), margin=(0, 0.5)),
    "a4_3x7": Sheet(
        words=N_("A4, 21 labels of 63.5 × 38.1 mm"), columns=3, rows=7, label=(63.5, 38.1), margin=(7.2, 15.1), gap=2.5
    ),
    "a4_2x7": Sheet(
        words=N_("A4, 14 labels of 99.1 × 38.1 mm"), columns=2, rows=7, label=(99.1, 38.1), margin=(4.7, 15.1), gap=2.5
    ),
    "a4_2x4": Sheet(
        words=N_("A4, 8 labels of 99.1 × 67.7 mm"), columns=2, rows=4, label=(99.1, 67.7), margin=(4.7, 13.1), gap=2.5
    ),
    "a6": Sheet(words=N_("A6, one label a page"), page=(105, 148), columns=1, rows=1, label=(105, 148), margin=(0, 0)),
}


class Sticker(Struct, frozen=True, kw_only=True):
    """What stands on one label."""

    evse_id: str
    url: str
    place: str = ""
    help_phone: str = ""


class StickerFilter(Struct, kw_only=True):
    """Which stickers, and on what."""

    station: Annotated[list[str] | None, Meta(description="For the EVSEs of these stations; nothing: of all.")] = None
    sheet: Annotated[SheetName, Meta(description="The sheet of labels, as sold.")] = "a4_3x8"
    skip: Annotated[int, Meta(ge=0, le=23, description="Labels of the first page that are used already.")] = 0
    phone: Annotated[str, Meta(max_length=30, description="Help number, instead of the location's.")] = ""


class Placed(Struct, frozen=True):
    """A sticker where it stands on its page, in mm; what a preview draws. `code`: the QR as an SVG path in modules."""

    sticker: Sticker
    x: float
    y: float
    code: str
    n_modules: int


def evse_id(station_id: str, evse_number: int) -> str:
    """As it stands on the sticker, and in the address."""
    return f"{station_id}*{evse_number}"


def address(public_url: str, station_id: str, evse_number: int) -> str:
    """Where the code leads."""
    return f"{public_url.rstrip('/')}/drive/e/{quote(evse_id(station_id, evse_number), safe='*')}"


def first_page(stickers: Sequence[Sticker], sheet: Sheet, skip: int) -> list[Placed]:
    """The first page, for a preview."""
    placed = []
    skip %= sheet.n_labels
    for n, sticker in enumerate(stickers[: sheet.n_labels - skip], skip):
        code = _code(sticker.url)
        path = "".join(f"M{x} {y}h{width}v1h-{width}z" for x, y, width in _runs(code))
        placed.append(Placed(sticker, *sheet.place(n), path, len(code)))
    return placed


def n_pages(n_stickers: int, sheet: Sheet, skip: int) -> int:
    """How many pages it takes."""
    return -(-(n_stickers + skip % sheet.n_labels) // sheet.n_labels) if n_stickers else 0


def pdf(stickers: Sequence[Sticker], sheet: Sheet, skip: int = 0, title: str = "") -> bytes:
    """All pages."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(sheet.page[0] * mm, sheet.page[1] * mm), pageCompression=1, invariant=1)
    canvas.setTitle(title or _("Stickers"))
    canvas.setCreator("Ohmstead")
    skip %= sheet.n_labels
    for n, sticker in enumerate(stickers, skip):
        if n > skip and n % sheet.n_labels == 0:
            canvas.showPage()
        x, y = sheet.place(n % sheet.n_labels)
        _draw(canvas, sticker, sheet, x, sheet.page[1] - y - sheet.label[1])
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw(canvas: Canvas, sticker: Sticker, sheet: Sheet, x: float, y: float) -> None:
    """One label whose lower left corner is at (x, y), in mm from the page's."""
    width, height = sheet.label
    is_tall = height > width
    side = (width if is_tall else height) - 2 * _PAD
    code = _code(sticker.url)
    module = side / (len(code) + 2 * _QUIET)
    left, top = x + _PAD + _QUIET * module, y + height - _PAD - _QUIET * module
    for column, row, n in _runs(code):
        canvas.rect((left + column * module) * mm, (top - (row + 1) * module) * mm, n * module * mm, module * mm, 0, 1)
    if is_tall:
        words_x, words_y, room = left, y + height - side - 4 * _PAD, side - 2 * _QUIET * module
    else:
        words_x, words_y, room = x + _PAD + side, top - 4, width - side - 2 * _PAD
    for text, font, size in _lines(sticker):
        words_y = _text(canvas, text, font, size * (1.6 if is_tall else 1), words_x, words_y, room)


def _lines(sticker: Sticker) -> Iterator[tuple[str, str, float]]:
    yield _("Charge here"), _BOLD, 11
    yield _("Scan, or type this number:"), _PLAIN, 6.5
    yield sticker.evse_id, _BOLD, 9
    if sticker.place:
        yield sticker.place, _PLAIN, 7
    if sticker.help_phone:
        yield _("Help: %(phone)s", phone=sticker.help_phone), _BOLD, 8


def _text(canvas: Canvas, text: str, font: str, size: float, x: float, y: float, room: float) -> float:
    """Draw a text, smaller if there is no room for it, then over several lines; where the next one may stand, in mm."""
    said = text.encode("cp1252", "replace").decode("cp1252")
    while size > 5 and stringWidth(said, font, size) > room * mm:
        size -= 0.5
    line, lines = "", []
    for letter in said:
        if stringWidth(line + letter, font, size) > room * mm:
            lines.append(line)
            line = ""
        line += letter
    canvas.setFont(font, size)
    for one in [*lines, line][:3]:
        canvas.drawString(x * mm, y * mm, one.strip())
        y -= size * 0.353 * 1.25
    return y - 1


def _code(url: str) -> tuple[bytearray, ...]:
    return segno.make(url, error="m", micro=False).matrix


def _runs(code: Sequence[bytearray]) -> Iterator[tuple[int, int, int]]:
    """(column, row, how many) of the dark modules, neighbours together: fewer seams for a printer to show."""
    for row, modules in enumerate(code):
        start: int | None = None
        for column, dark in enumerate([*modules, 0]):
            if dark and start is None:
                start = column
            elif not dark and start is not None:
                yield start, row, column - start
                start = None
