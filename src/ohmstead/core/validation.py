"""What msgspec says of input that does not fit, taken apart: where it is, and what is wrong, for people."""

from __future__ import annotations

import re

import msgspec

_AT = re.compile(r"^(?P<text>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_NAMED = re.compile(r"field `([^`]+)`")


def fault_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """(dotted path of the field, or "" for the whole; what is wrong)."""
    match = _AT.match(str(error))
    text, path = (match["text"], match["path"] or "") if match else (str(error), "")
    field = path.lstrip(".")
    if (named := _NAMED.search(text)) is not None:
        field = f"{field}.{named[1]}".lstrip(".")
    if "matching regex" in text:
        text = "has characters or a length that are not allowed here"
    return field, text.replace("`", "")
