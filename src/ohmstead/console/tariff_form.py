"""The form of a tariff: the usual ones as fields, all others as JSON. What the fields cannot say is never lost: a tariff is
drawn only where the fields make the very same one again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from ohmstead.console.forms import Form
from ohmstead.core.language import N_, R_, _, weekday
from ohmstead.core.validation import fault_of, in_words
from ohmstead.tariffs.checking import Fault, faults_of
from ohmstead.tariffs.model import DAYS, Tariff, TariffRestrictions
from ohmstead.ui import prices

# The form's fields and what they are called.
FIELDS = {
    "name": N_("Name"),
    "currency": N_("Currency"),
    "tax_included": N_("Taxes"),
    "vat": N_("VAT in percent"),
    "kwh": N_("A kWh"),
    "hour": N_("An hour of charging"),
    "parking_hour": N_("An hour parked without charging"),
    "start_fee": N_("Start fee"),
    "idle_minute": N_("A minute of staying when full"),
    "idle_grace": N_("Minutes of it for free"),
    "idle_most": N_("The most for staying"),
    "idle_from": N_("Staying costs from"),
    "idle_until": N_("until"),
    "min_price": N_("The least for a session"),
    "max_price": N_("The most for a session"),
    "max_per_day": N_("The most in a day"),
    "type": N_("For"),
    "valid_from": N_("Sessions that begin from"),
    "valid_until": N_("Sessions that begin before"),
    "windows": N_("At certain hours"),
    "json": N_("As JSON"),
}
BEGINNING = {"currency": "EUR", "tax_included": "NO", "n_windows": "0"}
MOST_WINDOWS = 24
MOST_JSON = 100_000
_BASE = (("kwh", "ENERGY"), ("hour", "TIME"), ("parking_hour", "PARKING_TIME"), ("start_fee", "FLAT"))
_IN_WINDOW = (("kwh", "ENERGY"), ("hour", "TIME"))
_CURRENCY_OF = {"€": "EUR", "$": "USD", "£": "GBP"}


class Read(Struct, frozen=True):
    """What came of a form: the tariff, or what is wrong at which field."""

    tariff: Tariff | None
    errors: dict[str, str]


class _Numbers:
    """Decimals of a form; what is none is noted at its field."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields
        self.errors: dict[str, str] = {}

    def get(self, name: str) -> Decimal | None:
        text = self.fields.get(name, "").replace(",", ".").replace("−", "-").replace(" ", "")
        if not text:
            return None
        try:
            value = Decimal(text[:40])
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            self.errors[name] = R_("is to be a number")
            return None
        return value


def read(given: Form, zone: ZoneInfo) -> Read:
    """The tariff that a form says, in whichever way it was filled in."""
    return _read_json(given.fields["json"]) if "json" in given.fields else _read_fields(given, zone)


# ------------------------------------------------------------------------------------------------------------- fields


def n_windows(fields: Mapping[str, str]) -> int:
    """How many rows of hours the form has."""
    text = fields.get("n_windows", "0")
    return min(int(text), MOST_WINDOWS) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _read_fields(given: Form, zone: ZoneInfo) -> Read:
    fields, numbers = given.fields, _Numbers(given.fields)
    taxes = _vat(numbers)
    raw: dict[str, Any] = {
        "currency": _CURRENCY_OF.get(fields.get("currency", ""), fields.get("currency", "").upper()),
        "tax_included": fields.get("tax_included") or "NO",
        "type": fields.get("type") or None,
        "elements": [],
    }
    names: list[dict[str, str]] = []  # by element: its parts and the fields that they came from
    for row in range(n_windows(fields)):
        components = _components(numbers, _IN_WINDOW, f"w{row}_", taxes)
        if not components:
            continue
        days = [day for day in given.many.get(f"w{row}_days", []) if day in DAYS]
        rules: dict[str, Any] = {
            "start_time": fields.get(f"w{row}_from") or None,
            "end_time": fields.get(f"w{row}_until") or None,
            "day_of_week": [] if len(days) == len(DAYS) else days,
        }
        raw["elements"].append({"price_components": components, "restrictions": rules})
        names.append(_places(components, _IN_WINDOW, f"w{row}_"))
    base = _components(numbers, _BASE, "", taxes)
    if base:
        raw["elements"].append({"price_components": base})
        names.append(_places(base, _BASE, ""))
    if not raw["elements"] and not numbers.errors:
        numbers.errors["kwh"] = R_("say what something costs; 0 is for nothing")
    raw |= _extras(fields, numbers, taxes)
    for field, key in (("valid_from", "start_date_time"), ("valid_until", "end_date_time")):
        raw[key] = _instant(numbers, field, zone)
    if numbers.errors:
        return Read(None, numbers.errors)
    return _made(raw, names)


def _vat(numbers: _Numbers) -> list[dict[str, Any]]:
    rate = numbers.get("vat")
    return [] if rate is None or numbers.fields.get("tax_included") == "N/A" else [{"percentage": rate}]


def _components(
    numbers: _Numbers, wanted: Sequence[tuple[str, str]], prefix: str, taxes: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    found = [(kind, numbers.get(prefix + name)) for name, kind in wanted]
    return [{"type": kind, "price": price, "taxes": taxes} for kind, price in found if price is not None]


def _places(components: Sequence[Mapping[str, Any]], wanted: Sequence[tuple[str, str]], prefix: str) -> dict[str, str]:
    fields = {kind: prefix + name for name, kind in wanted}
    return {f"price_components.{n}": fields[one["type"]] for n, one in enumerate(components)} | {
        "restrictions.day_of_week": f"{prefix}days",
        "restrictions.end_time": f"{prefix}until",
        "restrictions": f"{prefix}from",
    }


def _extras(fields: Mapping[str, str], numbers: _Numbers, taxes: list[dict[str, Any]]) -> dict[str, Any]:
    """What is not said by elements."""
    found: dict[str, Any] = {}
    for name in ("min_price", "max_price"):
        value = numbers.get(name)
        found[name] = None if value is None else {"before_taxes": value}
    found["max_per_day"] = numbers.get("max_per_day")
    price, grace, most = (numbers.get(f"idle_{name}") for name in ("minute", "grace", "most"))
    if price is None:
        for name in ("grace", "most", "from", "until"):
            if fields.get(f"idle_{name}"):
                numbers.errors["idle_minute"] = R_("say what a minute costs, or leave the others empty")
        return found
    if grace is not None and (grace != grace.to_integral_value() or not 0 <= grace <= 1440):
        numbers.errors["idle_grace"] = R_("a whole number up to 1440")
        return found
    found["idle_fee"] = {
        "price_per_minute": price,
        "grace_minutes": int(grace or 0),
        "max_amount": most,
        "start_time": fields.get("idle_from") or None,
        "end_time": fields.get("idle_until") or None,
        "taxes": taxes,
    }
    return found


def _instant(numbers: _Numbers, name: str, zone: ZoneInfo) -> datetime | None:
    text = numbers.fields.get(name, "")
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        numbers.errors[name] = R_("a day and a time, as 2026-03-01 08:00")
        return None


def _made(raw: dict[str, Any], names: Sequence[Mapping[str, str]]) -> Read:
    try:
        tariff = msgspec.convert(raw, Tariff)
    except msgspec.ValidationError as error:
        path, text = fault_of(error)
        path = path.replace("[", ".").replace("]", "")
        return Read(None, {_field_of(_placed(path, raw), names): in_words(text)})
    for element in tariff.elements:
        if element.restrictions == TariffRestrictions():
            where = names[tariff.elements.index(element)]["restrictions"]
            return Read(None, {where: R_("give hours or days, or leave the row out")})
    errors: dict[str, str] = {}
    for fault in faults_of(tariff):
        errors.setdefault(_field_of(fault.field, names), fault.text)
    return Read(None if errors else tariff, errors)


def _placed(path: str, raw: Mapping[str, Any]) -> str:
    """msgspec leaves numbers out of paths (`elements[...]`): the first element that it may mean."""
    if "..." not in path:
        return path
    key = path.rpartition(".")[2]
    for n, element in enumerate(raw["elements"]):
        value = element.get("restrictions", {}).get(key)
        if value and not _is_time(value):
            return f"elements.{n}.restrictions.{key}"
    return path.replace("....", ".0.").replace("...", "0")


def _is_time(value: Any) -> bool:
    text = str(value)
    return (
        len(text) == 5
        and text[2] == ":"
        and text[:2].isdigit()
        and text[3:].isdigit()
        and text < "24:00"
        and text[3] < "6"
    )


def _field_of(path: str, names: Sequence[Mapping[str, str]]) -> str:
    """The form's field for a path in the tariff."""
    parts = path.split(".")
    if "taxes" in parts:
        return "vat"
    if parts[0] == "elements" and len(parts) > 2 and parts[1].isdigit() and int(parts[1]) < len(names):
        known, rest = names[int(parts[1])], ".".join(parts[2:])
        for beginning, field in known.items():
            if rest.startswith(beginning):
                return field
        return next(iter(known.values()))
    return {
        "idle_fee.price_per_minute": "idle_minute",
        "idle_fee.grace_minutes": "idle_grace",
        "idle_fee.max_amount": "idle_most",
        "idle_fee.start_time": "idle_from",
        "idle_fee.end_time": "idle_until",
        "start_date_time": "valid_from",
        "end_date_time": "valid_until",
    }.get(path, parts[0] if parts[0] in FIELDS else "kwh")


# --------------------------------------------------------------------------------------------------------------- JSON


def _read_json(text: str) -> Read:
    if len(text) > MOST_JSON:
        return Read(None, {"json": R_("is too long")})
    try:
        tariff = msgspec.json.decode(text, type=Tariff)
    except msgspec.ValidationError as error:
        path, said = fault_of(error)
        return Read(None, {path or "json": in_words(said)})
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return Read(None, {"json": R_("is no JSON")})
    errors: dict[str, str] = {}
    for fault in _faults(tariff):
        errors.setdefault(fault.field, fault.text)
    return Read(None if errors else tariff, errors)


def _faults(tariff: Tariff) -> list[Fault]:
    return faults_of(tariff)[:20]


_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def as_json(tariff: Tariff) -> str:
    """A tariff as it is written by hand: without what says nothing."""
    whole = _DECODER.decode(_ENCODER.encode(tariff))
    short = _ENCODER.encode(_without_nothing(whole))
    if msgspec.json.decode(short, type=Tariff) != tariff:
        short = _ENCODER.encode(tariff)
    return msgspec.json.format(short, indent=2).decode()


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        # No floor at all is something else than the one that counts where none is named.
        kept = {key: _without_nothing(one) for key, one in value.items() if key == "floor" or one not in (None, [])}
        is_tax = "percentage" in kept
        return {k: one for k, one in kept.items() if (k, one) != ("step_size", 1) and not (is_tax and one == "VAT")}
    return [_without_nothing(one) for one in value] if isinstance(value, list) else value


# ---------------------------------------------------------------------------------------------------- from a tariff


def fields_of(tariff: Tariff, zone: ZoneInfo) -> tuple[dict[str, str], dict[str, list[str]]] | None:
    """A tariff as fields (and those that may be there many times); None where fields cannot say all of it."""
    fields = {**BEGINNING, "currency": tariff.currency, "tax_included": tariff.tax_included, "type": tariff.type or ""}
    many: dict[str, list[str]] = {}
    elements = list(tariff.elements)
    if elements[-1].restrictions is None:
        for one in elements.pop().price_components:
            fields[{kind: name for name, kind in _BASE}[one.type]] = _text(one.price)
    fields["n_windows"] = str(len(elements))
    for row, element in enumerate(elements):
        r = element.restrictions
        if r is None:
            return None
        fields |= {f"w{row}_from": r.start_time or "", f"w{row}_until": r.end_time or ""}
        many[f"w{row}_days"] = list(r.day_of_week)
        for one in element.price_components:
            name = {kind: name for name, kind in _IN_WINDOW}.get(one.type)
            if name is None:
                return None
            fields[f"w{row}_{name}"] = _text(one.price)
    taxes = [tax for element in tariff.elements for one in element.price_components for tax in one.taxes]
    taxes += tariff.idle_fee.taxes if tariff.idle_fee else []
    fields["vat"] = _text(taxes[0].percentage) if taxes else ""
    fields |= _extra_fields(tariff)
    for field, at in (("valid_from", tariff.start_date_time), ("valid_until", tariff.end_date_time)):
        if prices.told_at(at) != at:
            return None
        fields[field] = at.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if at else ""
    again = _read_fields(Form({**fields, "name": "x"}, many, None), zone).tariff
    return (fields, many) if again == tariff else None


def _extra_fields(tariff: Tariff) -> dict[str, str]:
    fee = tariff.idle_fee
    found = {
        "min_price": _text(tariff.min_price.before_taxes) if tariff.min_price else "",
        "max_price": _text(tariff.max_price.before_taxes) if tariff.max_price else "",
        "max_per_day": _text(tariff.max_per_day),
    }
    if fee is not None:
        found |= {
            "idle_minute": _text(fee.price_per_minute),
            "idle_grace": str(fee.grace_minutes) if fee.grace_minutes else "",
            "idle_most": _text(fee.max_amount),
            "idle_from": fee.start_time or "",
            "idle_until": fee.end_time or "",
        }
    return found


def _text(value: Decimal | None) -> str:
    return "" if value is None else format(value, "f")


# -------------------------------------------------------------------------------------------------- what was changed


def without_row(given: Form, row: int) -> Form:
    """The form with one row of hours left out, those after it moved up."""
    n = n_windows(given.fields)
    fields = {name: value for name, value in given.fields.items() if not _row_of(name)}
    many: dict[str, list[str]] = {}
    kept = [one for one in range(n) if one != row]
    for place, one in enumerate(kept):
        for part in ("from", "until", "kwh", "hour"):
            fields[f"w{place}_{part}"] = given.fields.get(f"w{one}_{part}", "")
        many[f"w{place}_days"] = given.many.get(f"w{one}_days", [])
    fields["n_windows"] = str(len(kept))
    return Form(fields, many, given.version)


def _row_of(name: str) -> bool:
    return name[:1] == "w" and name[1:].partition("_")[0].isdigit()


def told(fields: Mapping[str, str], many: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A form as texts to be compared: its rows of hours in one."""
    rows = []
    for row in range(n_windows(fields)):
        days = [weekday(n) for n, day in enumerate(DAYS) if day in many.get(f"w{row}_days", ())]
        hours = f"{fields.get(f'w{row}_from') or '00:00'}–{fields.get(f'w{row}_until') or '24:00'}"
        prices = [fields.get(f"w{row}_kwh", ""), fields.get(f"w{row}_hour", "")]
        rows.append(" ".join([hours, *(days or [_("every day")]), *(price for price in prices if price)]))
    shown = {name: fields.get(name, "") for name in FIELDS if name != "windows"}
    return {**shown, "windows": "; ".join(rows)}
