"""Reads the examples in tests/prices/*.txt: a tariff, a session, the lines and totals that are expected.

# What it shows
tariff EUR                          (… including taxes | untaxed)
  element from 17:00 to 20:00 on MON TUE      restrictions of the components below it; none: bare `element`
    ENERGY 0.25 step 500 tax 10               per kWh, per hour, once
  at most 10 and 11 with taxes | at least 0.50 | at most 15 a day
  idle 0.10 after 30 min from 07:00 to 22:00 at most 12 step 60 tax 20       per minute
  adjust "Members" -10 % on ENERGY plan GOLD | adjust "Coupon" -1 once coupon X | adjust "Green" 0.02 a kWh
market DAY 2026-01-05T10:00 60 0.12 0.08      UTC start, minutes of an interval, prices
payer plan GOLD group FLEET coupon X
zone Europe/Berlin
start 2026-01-05 09:00                        on the wall of the zone; a Z at the end: UTC
  charging 150 min 20 kWh at 6 kW at 16 A
lines
  ENERGY 20 kWh x 0.25 = 5.00
total 5.00 + 0.50 = 5.50
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ohmstead.tariffs.model import (
    DAYS,
    IdleFee,
    MarketLink,
    PriceComponent,
    PriceLimit,
    Tariff,
    TariffAdjustment,
    TariffElement,
    TariffRestrictions,
    TariffTax,
)
from ohmstead.tariffs.pricing import CostBreakdown, CostLine, MarketPrices, Payer, Stretch

FOLDER = Path(__file__).parent
_SHORT = {day[:3]: day for day in DAYS}
_UNITS = {"kWh": "kwh", "kW": "power", "A": "current", "min": "duration"}


@dataclass
class Example:
    """One example of a file."""

    name: str
    currency: str = ""
    tax_included: str = "NO"
    elements: list[tuple[TariffRestrictions | None, list[PriceComponent]]] = field(default_factory=list)
    rules: dict[str, Any] = field(default_factory=dict)
    market: dict[str, MarketPrices] = field(default_factory=dict)
    payer: dict[str, list[str]] = field(default_factory=dict)
    zone: str = "Europe/Berlin"
    at: datetime | None = None
    stretches: list[Stretch] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    total: str = ""

    @property
    def tariff(self) -> Tariff:
        return Tariff(
            currency=self.currency,
            tax_included=self.tax_included,  # type: ignore[arg-type]
            elements=[TariffElement(restrictions=r, price_components=found) for r, found in self.elements],
            **self.rules,
        )

    @property
    def who(self) -> Payer:
        return Payer(**{f"{name}s": values for name, values in self.payer.items()})


def examples() -> list[Example]:
    """Those of all files."""
    found: list[Example] = []
    for path in sorted(FOLDER.glob("*.txt")):
        part = ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("#"):
                found.append(Example(f"{path.stem}: {line[1:].strip()}"))
                continue
            if not line.strip():
                continue
            try:
                part = _take(found[-1], line, part)
            except (ValueError, KeyError, IndexError, StopIteration) as error:
                raise ValueError(f"{path.name}:{number}: {line}") from error
    return found


def _take(example: Example, line: str, part: str) -> str:
    words = shlex.split(line)
    head, rest = words[0], words[1:]
    if not line.startswith(" "):
        if head == "tariff":
            example.currency = rest[0]
            example.tax_included = {"including": "YES", "untaxed": "N/A"}.get(rest[1] if rest[1:] else "", "NO")
        elif head == "market":
            example.market[rest[0]] = _market(rest[1:])
        elif head == "payer":
            for kind, name in zip(rest[::2], rest[1::2], strict=True):
                example.payer.setdefault(kind, []).append(name)
        elif head == "zone":
            example.zone = rest[0]
        elif head == "start":
            zone = UTC if rest[1].endswith("Z") else ZoneInfo(example.zone)
            example.at = datetime.fromisoformat(f"{rest[0]}T{rest[1].rstrip('Z')}").replace(tzinfo=zone).astimezone(UTC)
        elif head == "total":
            example.total = " ".join(rest)
        elif head != "lines":
            raise ValueError(head)
        return head
    if part == "tariff":
        _rule(example, head, rest)
    elif part == "start":
        _stretch(example, head, rest)
    else:
        example.lines.append(" ".join(words))
    return part


def _rule(example: Example, head: str, rest: list[str]) -> None:
    if head == "element":
        example.elements.append((_restrictions(rest) if rest else None, []))
    elif head == "idle":
        example.rules["idle_fee"] = _idle(rest)
    elif head == "adjust":
        example.rules.setdefault("adjustments", []).append(_adjustment(rest))
    elif head == "at" and rest[-1] == "day":
        example.rules["max_per_day"] = Decimal(rest[1])
    elif head == "at":
        name = {"most": "max_price", "least": "min_price"}[rest[0]]
        after = Decimal(rest[3]) if rest[2:] else None
        example.rules[name] = PriceLimit(before_taxes=Decimal(rest[1]), after_taxes=after)
    else:
        values = dict(zip(rest[1::2], rest[2::2], strict=True))
        market = None
        if "market" in values:
            numbers = {name: Decimal(values[name]) for name in ("factor", "adder", "floor", "cap") if name in values}
            market = MarketLink(series=values["market"], **numbers)
        component = PriceComponent(
            type=head,  # type: ignore[arg-type]
            price=Decimal(rest[0]),
            step_size=int(values.get("step", 1)),
            taxes=_taxes(values.get("tax")),
            market=market,
        )
        example.elements[-1][1].append(component)


def _taxes(text: str | None) -> list[TariffTax]:
    """`10`, or `GST:5,PST:7`."""
    parts = [one.rpartition(":") for one in text.split(",")] if text else []
    return [TariffTax(percentage=Decimal(rate), name=name or "VAT") for name, _, rate in parts]


def _restrictions(words: list[str]) -> TariffRestrictions:
    values: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("reserved", "expired"):
            values["reservation"] = {"reserved": "RESERVATION", "expired": "RESERVATION_EXPIRES"}[word]
        elif word == "on":
            while rest and rest[0] in _SHORT:
                values.setdefault("day_of_week", []).append(_SHORT[rest.pop(0)])
        elif word == "since":
            values["start_date"] = date.fromisoformat(rest.pop(0))
        elif word == "before":
            values["end_date"] = date.fromisoformat(rest.pop(0))
        elif word == "to" or ":" in rest[0]:
            values["end_time" if word == "to" else "start_time"] = rest.pop(0)
        else:
            number, unit = Decimal(rest.pop(0)), rest.pop(0)
            side = {"from": "min", "below": "max"}[word]
            values[f"{side}_{_UNITS[unit]}"] = int(number * 60) if unit == "min" else number
    return TariffRestrictions(**values)


def _idle(rest: list[str]) -> IdleFee:
    values: dict[str, Any] = {"price_per_minute": Decimal(rest.pop(0))}
    while rest:
        word = rest.pop(0)
        if word == "after":
            values["grace_minutes"] = int(rest.pop(0))
            rest.pop(0)
        elif word in ("from", "to"):
            values["start_time" if word == "from" else "end_time"] = rest.pop(0)
        elif word == "at":
            rest.pop(0)
            values["max_amount"] = Decimal(rest.pop(0))
        elif word == "step":
            values["step_size"] = int(rest.pop(0))
        else:
            values["taxes"] = _taxes(rest.pop(0))
    return IdleFee(**values)


def _adjustment(rest: list[str]) -> TariffAdjustment:
    name, number = rest.pop(0), Decimal(rest.pop(0))
    values: dict[str, Any] = {}
    while rest:
        word = rest.pop(0)
        if word in ("%", "once"):
            values["percent" if word == "%" else "per_session"] = number
        elif word == "a":
            rest.pop(0)
            values["per_kwh"] = number
        elif word == "on":
            values.setdefault("dimensions", []).append(rest.pop(0))
        else:
            values.setdefault(f"{word}s", []).append(rest.pop(0))
    return TariffAdjustment(name=name, **values)


def _market(rest: list[str]) -> MarketPrices:
    start, span = datetime.fromisoformat(rest[0]).replace(tzinfo=UTC), timedelta(minutes=int(rest[1]))
    rows = [(start + n * span, start + (n + 1) * span, Decimal(text)) for n, text in enumerate(rest[2:]) if text != "-"]
    return MarketPrices.of(rows)


def _stretch(example: Example, head: str, rest: list[str]) -> None:
    values: dict[str, Any] = {}
    start = example.stretches[-1].ended_at if example.stretches else example.at
    assert start is not None
    words = iter(rest)
    end = start
    for word in words:
        if word == "at":
            number, unit = Decimal(next(words)), next(words)
            values["power_w" if unit == "kW" else "current_a"] = number * 1000 if unit == "kW" else number
            continue
        number, unit = Decimal(word), next(words)
        if unit == "kWh":
            values["energy_wh"] = number * 1000
        else:
            end += timedelta(seconds=int(number * {"min": 60, "h": 3600, "s": 1}[unit]))
    example.stretches.append(Stretch(started_at=start, ended_at=end, kind=head, **values))  # type: ignore[arg-type]


def written(line: CostLine) -> str:
    """A line as the files have it: times in minutes, rules of lines without a quantity by their name."""
    if line.quantity is None or line.unit_price is None:
        return f"{line.kind} = {line.amount}"
    quantity = {"kWh": f"{_plain(line.quantity)} kWh", "1": _plain(line.quantity)}.get(str(line.unit))
    if quantity is None:
        quantity = f"{_plain(line.quantity / 60)} min"
    return f"{line.kind} {quantity} x {_plain(line.unit_price)} = {line.amount}"


def total_written(cost: CostBreakdown) -> str:
    """`before + taxes = total`."""
    return f"{cost.before_taxes} + {cost.total - cost.before_taxes} = {cost.total}"


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
