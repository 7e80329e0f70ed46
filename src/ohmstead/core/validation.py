"""What msgspec says of input that does not fit, taken apart: where it is, and what is wrong, for people."""

from __future__ import annotations

import re

import msgspec

from ohmstead.core.language import R_

_AT = re.compile(r"^(?P<text>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_NUMBER = re.compile(r"Expected (?:int|float|decimal) (>=|<=|>|<) (-?[\d.]+)$")
_LENGTH = re.compile(r"Expected (str|array|object) of length (>=|<=) (\d+)$")
_KIND = re.compile(r"Expected (\w+), got (\w+)$")
_KINDS = {
    "int": R_("is to be a whole number"),
    "float": R_("is to be a number"),
    "decimal": R_("is to be a number"),
    "str": R_("is to be text"),
    "bool": R_("is to be true or false"),
    "datetime": R_("is to be an instant, as 2026-03-01T08:00:00Z"),
    "array": R_("is to be a list"),
    "object": R_("is to be an object"),
    "uuid": R_("is to be an id"),
}
_BOUNDS = {
    ">=": R_("at least %(n)s"),
    "<=": R_("at most %(n)s"),
    ">": R_("more than %(n)s"),
    "<": R_("less than %(n)s"),
}
_LENGTHS = {
    ("str", ">="): R_("at least %(n)s characters"),
    ("str", "<="): R_("at most %(n)s characters"),
    ("items", ">="): R_("at least %(n)s items"),
    ("items", "<="): R_("at most %(n)s items"),
}
# What msgspec says where nobody puts it into words: in the rows of tables.
THEIRS = (
    R_("Expected %(kind)s, got %(given)s"),
    R_("Expected %(kind)s >= %(n)s"),
    R_("Expected %(kind)s <= %(n)s"),
    R_("Expected %(kind)s > %(n)s"),
    R_("Expected %(kind)s < %(n)s"),
    R_("Expected %(kind)s of length >= %(n)s"),
    R_("Expected %(kind)s of length <= %(n)s"),
    R_("Object missing required field %(name)s"),
    R_("Object contains unknown field %(name)s"),
    R_("Invalid enum value %(value)s"),
    R_("Invalid UUID"),
    R_("Invalid RFC3339 encoded datetime"),
)
_NAMED = re.compile(r"field `([^`]+)`")


def fault_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """(dotted path of the field, or "" for the whole; what is wrong)."""
    match = _AT.match(str(error))
    text, path = (match["text"], match["path"] or "") if match else (str(error), "")
    field = path.lstrip(".")
    if (named := _NAMED.search(text)) is not None:
        field = f"{field}.{named[1]}".lstrip(".")
    if "matching regex" in text:
        text = R_("has characters or a length that are not allowed here")
    return field, text.replace("`", "")


def in_words(text: str) -> str:
    """What is wrong, as `fault_of` says it, for people who see a form: `at least 1`, not `Expected int >= 1`."""
    if (number := _NUMBER.match(text)) is not None:
        return _BOUNDS[number[1]] % {"n": number[2]}
    if (length := _LENGTH.match(text)) is not None:
        if (length[2], length[3]) == (">=", "1"):
            return R_("may not be empty")
        return _LENGTHS["str" if length[1] == "str" else "items", length[2]] % {"n": length[3]}
    if (kind := _KIND.match(text)) is not None:
        return _KINDS.get(kind[1]) or f"is to be {kind[1]}"
    return text
