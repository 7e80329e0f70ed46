"""What msgspec says of input that does not fit, taken apart: where it is, and what is wrong, for people."""

from __future__ import annotations

import re

import msgspec

_AT = re.compile(r"^(?P<text>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_NUMBER = re.compile(r"Expected (?:int|float|decimal) (>=|<=|>|<) (-?[\d.]+)$")
_LENGTH = re.compile(r"Expected (str|array|object) of length (>=|<=) (\d+)$")
_KIND = re.compile(r"Expected (\w+), got (\w+)$")
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "str": "text",
    "bool": "true or false",
    "datetime": "an instant, as 2026-03-01T08:00:00Z",
    "array": "a list",
    "object": "an object",
    "uuid": "an id",
}
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
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


def in_words(text: str) -> str:
    """What is wrong, as `fault_of` says it, for people who see a form: `at least 1`, not `Expected int >= 1`."""
    if (number := _NUMBER.match(text)) is not None:
        return f"{_BOUNDS[number[1]]} {number[2]}"
    if (length := _LENGTH.match(text)) is not None:
        if (length[2], length[3]) == (">=", "1"):
            return "may not be empty"
        return f"{_BOUNDS[length[2]]} {length[3]} {'characters' if length[1] == 'str' else 'items'}"
    if (kind := _KIND.match(text)) is not None:
        return f"is to be {_KINDS.get(kind[1], kind[1])}"
    return text
