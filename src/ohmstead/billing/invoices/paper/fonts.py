"""Fonts that documents carry in them: DejaVu Sans Condensed, which has the letters of nearly all who write in columns. Pure."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

import ohmstead.core

PLAIN: Final = "DejaVu"
BOLD: Final = "DejaVu-Bold"
FONTS_DIR: Final = Path(ohmstead.core.__file__).parent / "fonts"


@cache
def registered() -> tuple[str, str]:
    """The names by which they are drawn with: plain and bold. The files are read once."""
    pdfmetrics.registerFont(TTFont(PLAIN, FONTS_DIR / "DejaVuSansCondensed.ttf"))
    pdfmetrics.registerFont(TTFont(BOLD, FONTS_DIR / "DejaVuSansCondensed-Bold.ttf"))
    return PLAIN, BOLD
