"""Symbols drawn into the page itself: on the driver's pages nothing that is seen at first waits for another request."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from markupsafe import Markup

SYMBOLS = Path(__file__).parent / "static" / "drive-icons.svg"
_SYMBOL = re.compile(r'<symbol id="i-([a-z]+)">(.*?)</symbol>')


@cache
def _symbols() -> dict[str, str]:
    return dict(_SYMBOL.findall(SYMBOLS.read_text()))


@cache
def symbol(name: str, css: str = "") -> Markup:
    """A symbol of drive-icons.svg; always beside a word, hence hidden from screen readers."""
    text = '<svg class="icon{}" viewBox="0 0 16 16" aria-hidden="true">{}</svg>'
    return Markup(text).format(f" {css}" if css else "", Markup(_symbols()[name]))  # noqa: S704  (our own file)
