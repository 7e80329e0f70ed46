"""Forms that people fill in: what came, and what does not fit at which field."""

from __future__ import annotations

from collections.abc import Collection
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
    """Without the token and without files; spaces around texts do not count."""
    fields: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str) and name != "csrf_token":
            fields[name] = value.strip()
            many.setdefault(name, []).append(value.strip())
    version = fields.get("version", "")
    return Form(fields, many, int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None)


def faults_of(error: msgspec.ValidationError | Invalid, fields: Collection[str]) -> dict[str, str]:
    """What is wrong at which of the form's fields; what belongs to none of them stands at the first."""
    name, text = (error.field, error.text) if isinstance(error, Invalid) else fault_of(error)
    name = name.partition(".")[0].partition("[")[0]
    first = next(iter(fields))
    return {name if name in fields else first: in_words(text)}
