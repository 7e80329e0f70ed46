"""A form drawn from a JSON schema: fields to fill in, parts to add and take away, and the JSON that comes of it. Pure.

What stands in the form travels as flat text: `v:path` a value, `c:path=word` a ticked word, `n:path` how many items a list
has, `o:path` that a part which may be left out is there, `k:path` the name in a row of names and values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from ohmstead.core.language import _, grouped, p_
from ohmstead.core.log import REDACTED
from ohmstead.reports.wire.official import resolved

Kind: TypeAlias = Literal[
    "text", "long", "whole", "number", "choice", "choices", "truth", "instant", "json", "part", "list", "pairs"
]
Schema: TypeAlias = Mapping[str, Any]
Fields: TypeAlias = Mapping[str, str]

MOST_ITEMS: Final = 1024
DEEPEST: Final = 12
LONG: Final = 300
# How "nothing at all" is written where leaving it out means something else.
NOTHING: Final = "null"
_NULL: Final = object()
# A vendor's own additions have no schema: they are written as JSON.
NOT_DRAWN: Final = frozenset(("kind", "customData"))
# The contexts of names of fields and of words to choose: they mean here what they need not mean elsewhere.
FIELD: Final = "field of an order"
CHOICE: Final = "choice in an order"
_UNITS: Final = {
    "_s": "s", "_wh": "Wh", "_w": "W", "_a": "A", "_percent": "%", "_v": "V", "_hz": "Hz", "_bytes": "bytes",
}  # fmt: skip


class Node(Struct, kw_only=True):
    """A field as it is drawn. `path`: its place in the JSON; `parts`: of a part its fields, of a list its items."""

    path: str
    label: str
    kind: Kind
    is_needed: bool
    help: str = ""
    unit: str = ""
    choices: list[tuple[str, str]] = []
    bounds: str = ""
    usual: str = ""
    value: str = ""
    name: str = ""
    error: str = ""
    parts: list[Node] = []
    is_there: bool = True
    is_full: bool = False
    is_item: bool = False


class Words:
    """How fields are called and explained: as they are spelled, without more. Others say more."""

    def label(self, name: str) -> str:
        return name

    def help(self, name: str, schema: Schema) -> str:
        return ""

    def choice(self, name: str, value: str) -> str:
        return value


class OrderWords(Words):
    """For orders of ours: names in words, the help that stands at their types."""

    def label(self, name: str) -> str:
        return p_(FIELD, label_of(name))

    def help(self, name: str, schema: Schema) -> str:
        return _(help_of(schema))

    def choice(self, name: str, value: str) -> str:
        return p_(CHOICE, value.replace("_", " "))


def label_of(name: str) -> str:
    """The name of a field of ours in English words, without its unit."""
    for ending in _UNITS:
        name = name.removesuffix(ending)
    words = re.sub(r" id(s?)\b", r" number\1", name.removeprefix("is_").replace("_", " ").replace("evse", "EVSE"))
    return words[:1].upper() + words[1:]


def help_of(schema: Schema) -> str:
    """What is said about a field in its schema."""
    return " ".join(str(schema.get("description", "")).replace("`", "").split())


def texts_in(whole: Schema) -> Iterator[tuple[str | None, str]]:
    """(context, English) of what the form of an order of ours says beside the order's own name: for the catalogues."""
    order = resolved(whole, whole)
    for part in whole["$defs"].values():
        yield from _texts_at(part if part is not order else {**part, "description": ""})


def _texts_at(schema: Schema) -> Iterator[tuple[str | None, str]]:
    if said := help_of(schema):
        yield None, said
    for word in schema.get("enum", ()):
        yield CHOICE, str(word).replace("_", " ")
    for name, field in schema.get("properties", {}).items():
        if name not in NOT_DRAWN:
            yield FIELD, label_of(name)
            yield from _texts_at(field)
    for inner in (*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from _texts_at(inner)


def unit_of(name: str) -> str:
    """The unit that a name of ours ends in."""
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


# ---------------------------------------------------------------------------------------------------- from schema to form


def bare(schema: Schema, whole: Schema) -> tuple[dict[str, Any], bool]:
    """The schema without null beside it, references followed; and whether null was there."""
    found = dict(resolved(schema, whole))
    if "$ref" in schema and "description" in schema:
        found["description"] = schema["description"]
    others = [one for one in found.get("anyOf", []) if one.get("type") != "null"]
    if "anyOf" not in found:
        return found, False
    has_null = len(others) < len(found["anyOf"])
    if others and all("enum" in one for one in others):
        return {**found, "enum": [word for one in others for word in one["enum"]]}, has_null
    if len(others) != 1:
        return {key: value for key, value in found.items() if key != "anyOf"}, has_null
    inner = bare(others[0], whole)[0]
    return {**inner, **{key: found[key] for key in ("description", "default") if found.get(key) is not None}}, has_null


def may_be_nothing(given: Schema, whole: Schema) -> bool:
    """Whether null means something else than leaving it out."""
    schema, has_null = bare(given, whole)
    return has_null and schema.get("default") is not None


def kind_of(schema: Schema, whole: Schema) -> Kind:
    """How a field with this schema is drawn."""
    kind = schema.get("type")
    if "enum" in schema:
        return "choice"
    if kind == "object":
        if "properties" in schema:
            return "part"
        return "pairs" if schema.get("additionalProperties") == {"type": "string"} else "json"
    if kind == "array":
        return "choices" if "enum" in bare(schema.get("items", {}), whole)[0] else "list"
    if kind == "boolean":
        return "truth"
    if kind == "integer":
        return "whole"
    if kind == "number" or schema.get("format") == "decimal":
        return "number"
    if kind == "string":
        if schema.get("format") == "date-time":
            return "instant"
        return "long" if schema.get("maxLength", 0) > LONG else "text"
    return "json"


def drawn(whole: Schema, fields: Fields, words: Words, errors: Mapping[str, str]) -> list[Node]:
    """The fields of a message or an order, filled in as `fields` say; `errors` by path."""
    return list(_parts(resolved(whole, whole), whole, "", fields, words, errors, 0))


def _parts(
    schema: Schema, whole: Schema, above: str, fields: Fields, words: Words, errors: Mapping[str, str], depth: int
) -> Iterator[Node]:
    needed = schema.get("required", [])
    names = [name for name in schema["properties"] if name not in NOT_DRAWN]
    for name in sorted(names, key=lambda name: name not in needed):
        path = f"{above}.{name}" if above else name
        yield _node(schema["properties"][name], whole, path, name, name in needed, fields, words, errors, depth)


def _node(
    given: Schema,
    whole: Schema,
    path: str,
    name: str,
    is_needed: bool,
    fields: Fields,
    words: Words,
    errors: Mapping[str, str],
    depth: int,
) -> Node:
    schema = bare(given, whole)[0]
    kind: Kind = kind_of(schema, whole) if depth < DEEPEST else "json"
    node = Node(
        path=path,
        label=words.label(name),
        kind=kind,
        is_needed=is_needed,
        help=words.help(name, schema),
        unit=unit_of(name) if kind in ("whole", "number") else "",
        bounds=_bounds(schema, kind),
        usual=_usual(schema, name, words),
        value=fields.get(f"v:{path}", ""),
        error=errors.get(path, ""),
    )
    if kind == "choice":
        node.choices = [(str(word), words.choice(name, str(word))) for word in schema["enum"]]
        if may_be_nothing(given, whole):
            node.choices.append((NOTHING, _("nothing at all")))
    elif kind == "choices":
        offered = bare(schema["items"], whole)[0]["enum"]
        node.choices = [(word, words.choice(name, word)) for word in offered]
        node.value = " ".join(word for word in offered if fields.get(f"c:{path}={word}"))
    elif kind == "part":
        node.is_there = is_needed or fields.get(f"o:{path}") == "1"
        if node.is_there:
            node.parts = list(_parts(schema, whole, path, fields, words, errors, depth + 1))
    elif kind in ("list", "pairs"):
        n = count(fields, path, schema, is_needed)
        node.is_full = n >= schema.get("maxItems", MOST_ITEMS)
        for index in range(n):
            item = f"{path}[{index}]"
            inner = schema["items"] if kind == "list" else {"type": "string"}
            one = _node(inner, whole, item, name, True, fields, words, errors, depth + 1)
            one.label, one.is_item = f"{index + 1}", True
            one.name = fields.get(f"k:{item}", "")
            node.parts.append(one)
    return node


def count(fields: Fields, path: str, schema: Schema, is_needed: bool) -> int:
    """How many items a list shows; one that is needed begins with as many as it must have."""
    text = fields.get(f"n:{path}", "")
    if text.isascii() and text.isdigit():
        return min(int(text[:6]), MOST_ITEMS)
    return max(int(schema.get("minItems", 1)), 1) if is_needed else 0


def _bounds(schema: Schema, kind: Kind) -> str:
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if kind in ("whole", "number"):
        if low is not None and low > -2_147_483_648 and high is not None and high < 2_147_483_647:
            return _("%(low)s to %(high)s", low=_grouped(low), high=_grouped(high))
        if low is not None and low > -2_147_483_648:
            return _("at least %(least)s", least=_grouped(low))
        return _("at most %(most)s", most=_grouped(high)) if high is not None and high < 2_147_483_647 else ""
    if kind in ("text", "long") and schema.get("maxLength"):
        return _("up to %(most)s characters", most=_grouped(schema["maxLength"]))
    if kind in ("list", "pairs") and schema.get("maxItems"):
        return _("at most %(most)s", most=_grouped(schema["maxItems"]))
    return ""


def _grouped(value: float) -> str:
    return grouped(f"{value:,}")


def _usual(schema: Schema, name: str, words: Words) -> str:
    usual = schema.get("default")
    if usual in (None, "", [], {}) or isinstance(usual, list | dict):
        return ""
    return {True: _("yes"), False: _("no")}[usual] if isinstance(usual, bool) else words.choice(name, str(usual))


# ------------------------------------------------------------------------------------------------------ parts come and go


def changed(fields: Fields, do: str) -> dict[str, str]:
    """The fields after `add:path` or `drop:path`; what stands in the others stays."""
    what, _, path = do.partition(":")
    found = dict(fields)
    if what == "add":
        if f"n:{path}" in found:
            n = found[f"n:{path}"]
            found[f"n:{path}"] = str(min(int(n) + 1 if n.isascii() and n.isdigit() else 1, MOST_ITEMS))
        else:
            found[f"o:{path}"] = "1"
    elif what == "drop" and path.endswith("]"):
        found = _without_item(found, path)
    elif what == "drop":
        found = {key: text for key, text in found.items() if not _is_within(key, path)}
    return found


def _is_within(key: str, path: str) -> bool:
    rest = key[2:]
    return key[1:2] == ":" and rest.startswith(path) and rest[len(path) : len(path) + 1] in ("", ".", "[", "=")


def _without_item(fields: Fields, path: str) -> dict[str, str]:
    holder, _, number = path[:-1].rpartition("[")
    if not (number.isascii() and number.isdigit()):
        return dict(fields)
    gone, found = int(number), {}
    for key, text in fields.items():
        rest = key[2:]
        if key[1:2] == ":" and rest.startswith(f"{holder}["):
            index, _, tail = rest[len(holder) + 1 :].partition("]")
            if index.isdigit() and int(index) == gone:
                continue
            if index.isdigit() and int(index) > gone:
                key = f"{key[:2]}{holder}[{int(index) - 1}]{tail}"
        found[key] = text
    n = found.get(f"n:{holder}", "")
    if n.isascii() and n.isdigit():
        found[f"n:{holder}"] = str(max(int(n) - 1, 0))
    return found


# ------------------------------------------------------------------------------------------------------- from form to JSON


def filled(whole: Schema, fields: Fields, zone: tzinfo) -> tuple[dict[str, Any], dict[str, str]]:
    """(the JSON, what is wrong by path). Instants without a zone are meant on the wall of `zone`."""
    errors: dict[str, str] = {}
    return _object(resolved(whole, whole), whole, "", fields, zone, errors), errors


def _object(
    schema: Schema, whole: Schema, above: str, fields: Fields, zone: tzinfo, errors: dict[str, str]
) -> dict[str, Any]:
    found = {}
    for name, given in schema["properties"].items():
        if name in NOT_DRAWN:
            continue
        path = f"{above}.{name}" if above else name
        value = _value(given, whole, path, name in schema.get("required", []), fields, zone, errors)
        if value is not None:
            found[name] = None if value is _NULL else value
    return found


def _value(
    given: Schema, whole: Schema, path: str, is_needed: bool, fields: Fields, zone: tzinfo, errors: dict[str, str]
) -> Any:
    schema = bare(given, whole)[0]
    kind = kind_of(schema, whole) if path.count(".") < DEEPEST else "json"
    if kind == "part":
        if not is_needed and fields.get(f"o:{path}") != "1":
            return None
        return _object(schema, whole, path, fields, zone, errors)
    if kind == "choices":
        ticked = [word for word in bare(schema["items"], whole)[0]["enum"] if fields.get(f"c:{path}={word}")]
        if is_needed and not ticked and schema.get("minItems"):
            errors[path] = _("Choose at least one.")
        return ticked if ticked or is_needed else None
    if kind == "list":
        return _list(schema, whole, path, is_needed, fields, zone, errors)
    if kind == "pairs":
        return _pairs(path, count(fields, path, schema, is_needed), fields, errors) or ({} if is_needed else None)
    text = fields.get(f"v:{path}", "")
    if kind not in ("text", "long"):
        text = text.strip()
    if not text:
        if is_needed:
            errors[path] = _("It is needed.")
        return None
    if text == NOTHING and kind == "choice" and may_be_nothing(given, whole):
        return _NULL
    try:
        return _leaf(text, kind, schema, zone)
    except ValueError as error:
        errors[path] = str(error)
        return None


def _list(
    schema: Schema, whole: Schema, path: str, is_needed: bool, fields: Fields, zone: tzinfo, errors: dict[str, str]
) -> list[Any] | None:
    n = count(fields, path, schema, is_needed)
    items = [_value(schema["items"], whole, f"{path}[{i}]", True, fields, zone, errors) for i in range(n)]
    if n < schema.get("minItems", 0) and (is_needed or n):
        errors[path] = _("At least %(least)s.", least=schema["minItems"])
    if n > schema.get("maxItems", MOST_ITEMS):
        errors[path] = _("At most %(most)s.", most=schema["maxItems"])
    return items if items or is_needed else None


def _pairs(path: str, n: int, fields: Fields, errors: dict[str, str]) -> dict[str, str]:
    found = {}
    for index in range(n):
        item = f"{path}[{index}]"
        name = fields.get(f"k:{item}", "").strip()
        if not name:
            errors[item] = _("A name is needed.")
        elif name in found:
            errors[item] = _("This name stands there twice.")
        else:
            found[name] = fields.get(f"v:{item}", "")
    return found


def _leaf(text: str, kind: Kind, schema: Schema, zone: tzinfo) -> Any:
    """Raises ValueError with what is wrong."""
    if kind == "choice":
        return _chosen(text, schema["enum"])
    if kind == "truth":
        if text not in ("true", "false"):
            raise ValueError(_("Yes or no."))
        return text == "true"
    if kind in ("whole", "number"):
        return _number(text, kind, schema)
    if kind == "instant":
        return _instant(text, zone)
    if kind == "json":
        try:
            return msgspec.json.decode(text.encode())
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            raise ValueError(_("Not JSON: %(error)s", error=error)) from None
    if len(text) > schema.get("maxLength", len(text)):
        raise ValueError(_("At most %(most)s characters; these are %(n)s.", most=schema["maxLength"], n=len(text)))
    if len(text) < schema.get("minLength", 0):
        raise ValueError(_("At least %(least)s characters.", least=schema["minLength"]))
    return text


def _chosen(text: str, words: list[Any]) -> Any:
    for word in words:
        if str(word) == text:
            return word
    raise ValueError(_("None of the words that may stand here."))


def _number(text: str, kind: Kind, schema: Schema) -> int | float | str:
    try:
        value = Decimal(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except InvalidOperation:
        raise ValueError(_("A whole number.") if kind == "whole" else _("A number.")) from None
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise ValueError(_("A number."))
    if kind == "whole" and value != value.to_integral_value():
        raise ValueError(_("A whole number."))
    low, high, above = (schema.get(bound) for bound in ("minimum", "maximum", "exclusiveMinimum"))
    if low is not None and value < Decimal(str(low)):
        raise ValueError(_("At least %(least)s.", least=_grouped(low)))
    if high is not None and value > Decimal(str(high)):
        raise ValueError(_("At most %(most)s.", most=_grouped(high)))
    if above is not None and value <= Decimal(str(above)):
        raise ValueError(_("More than %(least)s.", least=_grouped(above)))
    if schema.get("format") == "decimal":
        return format(value, "f")
    return int(value) if value == value.to_integral_value() else float(value)


def _instant(text: str, zone: tzinfo) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_("An instant, as 2026-03-01T08:00.")) from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()


# ------------------------------------------------------------------------------------------------------- from JSON to form


def fields_of(whole: Schema, value: Any, zone: tzinfo) -> dict[str, str]:
    """The form that gives this JSON, as far as the schema knows its fields; what was blotted out is left empty."""
    found: dict[str, str] = {}
    if isinstance(value, dict):
        _spread(resolved(whole, whole), whole, "", value, zone, found)
    return found


def _spread(
    schema: Schema, whole: Schema, above: str, value: dict[str, Any], zone: tzinfo, found: dict[str, str]
) -> None:
    for name, given in schema.get("properties", {}).items():
        if name in NOT_DRAWN or name not in value:
            continue
        if value[name] is None:
            if may_be_nothing(given, whole):
                found[f"v:{above}.{name}" if above else f"v:{name}"] = NOTHING
            continue
        _spread_one(given, whole, f"{above}.{name}" if above else name, value[name], zone, found)


def _spread_one(given: Schema, whole: Schema, path: str, value: Any, zone: tzinfo, found: dict[str, str]) -> None:
    schema = bare(given, whole)[0]
    kind = kind_of(schema, whole)
    if kind == "part" and isinstance(value, dict):
        found[f"o:{path}"] = "1"
        _spread(schema, whole, path, value, zone, found)
    elif kind == "choices" and isinstance(value, list):
        found.update({f"c:{path}={word}": "1" for word in value})
    elif kind == "list" and isinstance(value, list):
        found[f"n:{path}"] = str(len(value))
        for index, item in enumerate(value[:MOST_ITEMS]):
            _spread_one(schema["items"], whole, f"{path}[{index}]", item, zone, found)
    elif kind == "pairs" and isinstance(value, dict):
        found[f"n:{path}"] = str(len(value))
        for index, (name, text) in enumerate(value.items()):
            found[f"k:{path}[{index}]"] = str(name)
            found[f"v:{path}[{index}]"] = "" if text == REDACTED else str(text)
    elif value != REDACTED:
        found[f"v:{path}"] = _text(value, kind, zone)


def _text(value: Any, kind: Kind, zone: tzinfo) -> str:
    if kind == "instant" and isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return value
        return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds") if at.tzinfo else value
    if isinstance(value, str) and kind != "json":
        return value
    return msgspec.json.encode(value).decode()
