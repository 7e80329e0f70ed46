"""What an order of any kind is made of, in words, and a beginning to fill in; read off the orders' own types. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct, inspect

from ohmstead.core.language import N_, _, grouped, spoken
from ohmstead.stations import orders

DEEPEST = 4
# The kinds of orders as `called` says them.
CALLED = (
    N_("Remote start"),
    N_("Remote stop"),
    N_("Transaction status"),
    N_("Set profile"),
    N_("Clear profiles"),
    N_("Get profiles"),
    N_("Composite schedule"),
    N_("Update schedule"),
    N_("Use priority charging"),
    N_("Signal frequency reserve"),
    N_("Allow energy transfer"),
    N_("Reset"),
    N_("Unlock"),
    N_("Set availability"),
    N_("Trigger"),
    N_("Clear cache"),
    N_("Data transfer"),
    N_("Get variables"),
    N_("Set variables"),
    N_("Base report"),
    N_("Custom report"),
    N_("Set monitoring base"),
    N_("Set monitoring level"),
    N_("Set monitors"),
    N_("Clear monitors"),
    N_("Monitoring report"),
    N_("Adjust event stream"),
    N_("Get event streams"),
    N_("Set network profile"),
    N_("Get log"),
    N_("Get diagnostics"),
    N_("Update firmware"),
    N_("Publish firmware"),
    N_("Unpublish firmware"),
    N_("Install certificate"),
    N_("Delete certificate"),
    N_("List certificates"),
    N_("Deliver certificate"),
    N_("Customer information"),
    N_("Get local list version"),
    N_("Send local list"),
    N_("Reserve"),
    N_("Cancel reservation"),
    N_("Set display message"),
    N_("Get display messages"),
    N_("Clear display message"),
    N_("Update cost"),
    N_("Set default tariff"),
    N_("Get tariffs"),
    N_("Clear tariffs"),
    N_("Change session tariff"),
    N_("Request battery swap"),
    N_("Announce web payment"),
    N_("Set der control"),
    N_("Get der controls"),
    N_("Clear der controls"),
    N_("Raw"),
)


class Field(Struct, frozen=True):
    """A field of an order. `name`: dotted, `[]` where there are several; `takes`: what may stand there."""

    name: str
    takes: str
    is_needed: bool
    about: str = ""


def fields(kind: str) -> tuple[Field, ...]:
    """Every field of a kind of order, parts of parts included. Raises KeyError for a kind that does not exist."""
    return _fields_in(kind, spoken())


@cache
def _fields_in(kind: str, _language: str) -> tuple[Field, ...]:
    return tuple(_fields(_struct(kind), "", 0))


def called(kind: str) -> str:
    """A kind of order for people."""
    return _(kind.replace("_", " ").capitalize())


def about(kind: str) -> str:
    """What an order of this kind does, in a sentence. Raises KeyError."""
    return _(told_of(kind))


def told_of(kind: str) -> str:
    """The same in English: the first paragraph of what stands at its type. Raises KeyError."""
    first = (orders.KINDS[kind].__doc__ or "").partition("\n\n")[0]
    return " ".join(first.replace("`", "").split())


@cache
def beginning(kind: str) -> str:
    """The JSON of an order with what it needs, to be filled in. Raises KeyError."""
    return msgspec.json.format(msgspec.json.encode({"kind": kind, **_needed(_struct(kind))}), indent=2).decode()


def picked(given: Mapping[str, str]) -> dict[str, str]:
    """The form's fields; a kind that was just picked brings its beginning along."""
    kind = given.get("pick", "")
    return {**given, "order": beginning(kind)} if kind in orders.KINDS else dict(given)


def kind_in(text: str) -> str | None:
    """The kind that an order's JSON names, as far as it can be read."""
    try:
        found = msgspec.json.decode(text.encode(errors="replace"))
    except (msgspec.DecodeError, RecursionError):
        return None
    kind = found.get("kind") if isinstance(found, dict) else None
    return kind if isinstance(kind, str) and kind in orders.KINDS else None


def _struct(kind: str) -> inspect.StructType:
    found = inspect.type_info(orders.KINDS[kind])
    assert isinstance(found, inspect.StructType)
    return found


def _fields(struct: inspect.StructType, above: str, depth: int) -> Iterator[Field]:
    for field in struct.fields:
        kind, more = _bare(field.type)
        name = above + field.encode_name
        inner, suffix = _inner(kind)
        yield Field(name, _words(kind), field.required, _(more))
        if isinstance(inner, inspect.StructType) and depth < DEEPEST:
            yield from _fields(inner, f"{name}{suffix}.", depth + 1)


def _bare(kind: inspect.Type) -> tuple[inspect.Type, str]:
    """The type without what is said about it, and that; null beside another type says only that it may be left out."""
    said = ""
    while True:
        if isinstance(kind, inspect.Metadata):
            said = said or (kind.extra_json_schema or {}).get("description", "")
            kind = kind.type
        elif isinstance(kind, inspect.UnionType) and len(others := _given(kind)) == 1:
            kind = others[0]
        else:
            return kind, said


def _given(kind: inspect.UnionType) -> list[inspect.Type]:
    return [one for one in kind.types if not isinstance(one, inspect.NoneType)]


def _inner(kind: inspect.Type) -> tuple[inspect.Type, str]:
    if isinstance(kind, inspect.CollectionType):
        return _bare(kind.item_type)[0], "[]"
    return kind, ""


def _words(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.LiteralType):
        return " | ".join(str(value) for value in kind.values)
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        low, high = kind.ge, kind.le
        if low is None and high is None:
            return _("number")
        return _("number, %(low)s to %(high)s", low=_bound(low), high=_bound(high))
    if isinstance(kind, inspect.StrType):
        return _("text, up to %(most)s", most=kind.max_length) if kind.max_length else _("text")
    if isinstance(kind, inspect.CollectionType):
        return _("list of %(what)s", what=_words(_bare(kind.item_type)[0]))
    if isinstance(kind, inspect.UnionType):
        return _(" or ").join(_words(_bare(one)[0]) for one in _given(kind))
    return next((_(words) for type_, words in _WORDS if isinstance(kind, type_)), _("value"))


def _bound(value: float | None) -> str:
    return "…" if value is None else grouped(f"{value:,}")


_WORDS: tuple[tuple[type[inspect.Type], str], ...] = (
    (inspect.BoolType, "true | false"),
    (inspect.DecimalType, N_("number")),
    (inspect.DateTimeType, N_("instant, as 2026-03-01T08:00:00Z")),
    (inspect.DictType, N_("names with values")),
    (inspect.StructType, N_("object")),
    (inspect.UUIDType, N_("id")),
)


def _needed(struct: inspect.StructType) -> dict[str, Any]:
    return {field.encode_name: _blank(field.type) for field in struct.fields if field.required}


def _blank(kind: inspect.Type) -> Any:
    """What stands there until somebody fills it in: mostly nothing, so that it cannot be sent by mistake."""
    kind = _bare(kind)[0]
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.IntType):
        return max(kind.ge or 0, 0)
    if isinstance(kind, inspect.StructType):
        return _needed(kind)
    if isinstance(kind, inspect.CollectionType):
        inner = _inner(kind)[0]
        return [_blank(inner)] if isinstance(inner, inspect.StructType) else []
    simple: dict[type, Any] = {
        inspect.BoolType: False,
        inspect.DecimalType: 0,
        inspect.FloatType: 0,
        inspect.DictType: {},
    }
    return simple.get(type(kind), "")
