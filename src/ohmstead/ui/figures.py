"""Numbers and times as people read them: four significant digits, units apart, spans in words."""

from __future__ import annotations

from datetime import date as date_type
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TypeAlias

from ohmstead.core.language import N_, _, grouped, month, weekday

Number: TypeAlias = int | float | Decimal

NONE = "–"


def number(value: Number | None, digits: int = 0) -> str:
    """With thousands separators and a fixed number of decimals."""
    return NONE if value is None else grouped(f"{value:,.{digits}f}")


def significant(value: Number) -> str:
    """About four digits that matter: 9.870, 27.84, 138.4, 1,284. Zero is 0."""
    size = abs(float(value))
    if size < 0.0005:
        return "0"
    digits = 3 if size < 9.9995 else 2 if size < 99.995 else 1 if size < 999.95 else 0
    return grouped(f"{float(value):,.{digits}f}")


def energy(energy_wh: Number | None) -> tuple[str, str]:
    """Wh as (number, unit): kWh, from 10 MWh on MWh."""
    if energy_wh is None:
        return NONE, "kWh"
    if abs(float(energy_wh)) >= 10_000_000:
        return significant(float(energy_wh) / 1e6), "MWh"
    return significant(float(energy_wh) / 1e3), "kWh"


def power(power_w: Number | None) -> tuple[str, str]:
    """W as (number, unit): kW with one decimal (two below 10, none from 1,000 on), from 10 MW on MW."""
    if power_w is None:
        return NONE, "kW"
    kilowatts = float(power_w) / 1e3
    if abs(kilowatts) >= 10_000:
        return grouped(f"{kilowatts / 1e3:,.2f}"), "MW"
    if abs(kilowatts) < 0.005:
        return "0", "kW"
    digits = 2 if abs(kilowatts) < 9.995 else 1 if abs(kilowatts) < 999.95 else 0
    return grouped(f"{kilowatts:,.{digits}f}"), "kW"


def size(n_bytes: int | None) -> str:
    """Bytes as people say them: 753 B, 2.6 kB, 48.2 MB, 1.3 GB."""
    if n_bytes is None:
        return NONE
    value, unit = float(n_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return grouped(f"{value:,.0f}" if unit == "B" or value >= 99.95 else f"{value:,.1f}") + f" {unit}"


def percent(value: Number | None) -> str:
    return NONE if value is None else f"{float(value):.0f} %"


def span(seconds: float | timedelta | None) -> str:
    """A stretch of time in its two largest units: 40 s, 34 min, 2 h 45 min, 3 d 4 h, 40 d."""
    if seconds is None:
        return NONE
    total = int(max(0, seconds.total_seconds() if isinstance(seconds, timedelta) else seconds))
    if total < 60:
        return f"{total} s"
    minutes, hours, days = total // 60 % 60, total // 3600 % 24, total // 86400
    if total < 3600:
        return f"{minutes} min"
    if days == 0:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{days} d {hours} h" if days < 7 and hours else f"{days} d"


def latency(microseconds: int | None) -> str:
    """How long an answer took: 0.4 ms, 6 ms, 2,311 ms."""
    if microseconds is None:
        return ""
    milliseconds = microseconds / 1000
    return grouped(f"{milliseconds:.1f}" if milliseconds < 1 else f"{milliseconds:,.0f}") + " ms"


# The order of an instant's parts: a language changes it in its catalogue. The scripts of pages use the same.
DAY = N_("%(weekday)s %(day)s %(month)s")
DATE = N_("%(day)s %(month)s")
DATE_WITH_YEAR = N_("%(day)s %(month)s %(year)s")
LONG_DATE = N_("%(weekday)s %(day)s %(month)s %(year)s")
FULL = N_("%(weekday)s %(day)s %(month)s %(year)s, %(time)s %(zone)s")


def clock(at: datetime, zone: tzinfo, form: str = "minute", now: datetime | None = None) -> str:
    """An instant on the wall of `zone`: `clock`, `minute`, `milli`, `day`, `full`.

    Form `short`: the time today, with the day otherwise. What console.js makes of `data-form` must be the same.
    """
    local = at.astimezone(zone)
    if form == "minute":
        return local.strftime("%H:%M")
    if form in ("clock", "milli"):
        text = local.strftime("%H:%M:%S")
        return f"{text}.{local.microsecond // 1000:03d}" if form == "milli" else text
    if form == "short":
        today = now.astimezone(zone).date() if now else None
        if local.date() == today:
            return local.strftime("%H:%M")
        is_this_year = today is not None and local.year == today.year
        return f"{date(local, with_year=not is_this_year)} {local:%H:%M}"
    parts = {**_parts(local), "time": local.strftime("%H:%M:%S"), "zone": local.tzname() or ""}
    return _(DAY, **parts) if form == "day" else _(FULL, **parts)


def _parts(day: date_type) -> dict[str, str]:
    return {
        "weekday": weekday(day.weekday()),
        "day": f"{day.day:02d}",
        "month": month(day.month),
        "year": str(day.year),
    }


def date(day: date_type, *, with_year: bool = True) -> str:
    """A day as people write it."""
    return _(DATE_WITH_YEAR if with_year else DATE, **_parts(day))


def long_date(day: date_type) -> str:
    """A day with its names written out."""
    names = {"weekday": weekday(day.weekday(), is_long=True), "month": month(day.month, is_long=True)}
    return _(LONG_DATE, **_parts(day) | names)


def within(word: str) -> str:
    """A word of a table (its `N_`) as it stands within a sentence: it begins with a small letter."""
    told = _(word)
    return told[:1].lower() + told[1:]


def plural(count: int, one: str, many: str | None = None) -> str:
    """1 station, 2 stations."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
