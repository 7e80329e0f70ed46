"""Forms that people fill in: what came, and what does not fit at which field."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from litestar import Request
from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.core.validation import fault_of, in_words


class Form(Struct, frozen=True):
    """A form as it came: fields by name, the values of those that may be there many times, and the version it was
    filled in on."""

    fields: dict[str, str]
    many: dict[str, list[str]]
    version: int | None


async def form_of(request: Request[Any, Any, Any]) -> Form:
    """Without the token and without files; spaces around texts do not count, nor does U+0000, which no database keeps."""
    fields: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str) and name != "csrf_token":
            text = value.replace("\0", "").strip()
            fields[name] = text
            many.setdefault(name, []).append(text)
    version = fields.get("version", "")
    return Form(fields, many, int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None)


def faults_of(error: msgspec.ValidationError | Invalid, fields: Collection[str]) -> dict[str, str]:
    """What is wrong at which of the form's fields; what belongs to none of them stands at the first."""
    name, text = (error.field, error.text) if isinstance(error, Invalid) else fault_of(error)
    name = name.partition(".")[0].partition("[")[0]
    first = next(iter(fields))
    return {name if name in fields else first: in_words(text)}


def decimal_in(given: Form, name: str) -> Decimal | None:
    """A number as people type it, with a comma or a point; None: the field is empty. Raises Invalid."""
    text = given.fields.get(name, "").replace(",", ".")
    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise Invalid("not a number", name) from None
    if not found.is_finite():
        raise Invalid("not a number", name)
    return found


def whole_in(given: Form, name: str) -> int | None:
    """A whole number; None: the field is empty. Raises Invalid."""
    text = given.fields.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("not a whole number", name)
    return int(text) if text else None


def day_in(given: Form, name: str) -> date | None:
    """A day; None: the field is empty. Raises Invalid."""
    text = given.fields.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid("give days as 2026-03-31", name) from None
