"""What charges that everybody knows would cost under a tariff: worked examples, beside its prices in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.language import N_, _
from ohmstead.tariffs import previewing
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.previewing import PreviewStretch, TariffPreview
from ohmstead.tariffs.pricing import CostBreakdown
from ohmstead.ui import prices
from ohmstead.ui.prices import PriceLine, PriceWeek

_HOUR_S = 3600
_AHEAD = timedelta(days=3650)


class Example(Struct, frozen=True):
    """A charge that is made up. `kwh` at `kw`, from `hour` o'clock on a Wednesday; then it stays for `stays_s`."""

    name: str
    about: str
    hour: int
    kwh: int
    kw: int
    stays_s: int = 0


# 12 hours in all at night; what the car needs is in it after 40/11 of one.
_NIGHT_S = 12 * _HOUR_S - 40 * _HOUR_S // 11
EXAMPLES = (
    Example(N_("By day"), N_("20 kWh at 11 kW, from 10:00"), 10, 20, 11),
    Example(N_("Fast"), N_("40 kWh at 150 kW, from 12:00"), 12, 40, 150),
    Example(N_("Overnight"), N_("12 hours from 20:00, in them 40 kWh at 11 kW"), 20, 40, 11, _NIGHT_S),
    Example(N_("Stays too long"), N_("20 kWh at 11 kW from 14:00, then 2 hours more"), 14, 20, 11, 2 * _HOUR_S),
)


class Worked(Struct, frozen=True):
    """An example with its price."""

    example: Example
    cost: CostBreakdown


class TariffShown(Struct, frozen=True, kw_only=True):
    """A tariff as pages show it."""

    tariff: Tariff
    lines: list[PriceLine]
    week: PriceWeek
    worked: list[Worked]
    day: date


async def shown(conn: Connection, party_id: UUID, tariff: Tariff, zone: ZoneInfo) -> TariffShown:
    """A tariff in words, as a week, and with worked examples. Raises Invalid for one that could not be kept."""
    day = _wednesday(tariff, zone)
    return TariffShown(
        tariff=tariff,
        lines=prices.price_lines(tariff),
        week=prices.price_week(tariff, day - timedelta(days=2)),
        worked=[Worked(one, await _cost(conn, party_id, tariff, zone, one, day)) for one in EXAMPLES],
        day=day,
    )


def _wednesday(tariff: Tariff, zone: ZoneInfo) -> date:
    """The next one on which the tariff is valid; of a tariff that follows a market the last one, whose prices are known."""
    at = clock.now()
    # Years in which nobody can reckon (previewing has bounds) have no examples of their own.
    if tariff.start_date_time is not None and at < tariff.start_date_time < at + _AHEAD:
        at = tariff.start_date_time
    today = at.astimezone(zone).date()
    if tariffs.series_of(tariff):
        return today - timedelta(days=(today.weekday() - 2) % 7 or 7)
    return today + timedelta(days=(2 - today.weekday()) % 7)


async def _cost(
    conn: Connection, party_id: UUID, tariff: Tariff, zone: ZoneInfo, one: Example, day: date
) -> CostBreakdown:
    charging_s = one.kwh * _HOUR_S // one.kw
    stretches = [
        PreviewStretch(duration_s=charging_s, energy_wh=Decimal(one.kwh * 1000), power_w=Decimal(one.kw * 1000))
    ]
    if one.stays_s:
        stretches.append(PreviewStretch(duration_s=one.stays_s, kind="idle"))
    wanted = TariffPreview(
        tariff=tariff,
        started_at=datetime.combine(day, time(one.hour), zone),
        time_zone=zone.key,
        stretches=stretches,
    )
    return await previewing.preview(conn, party_id, wanted)


def changes(new: Tariff, old: Tariff | None) -> list[tuple[str, str]]:
    """What a version says that the one before did not (`+`), and what it no longer says (`−`)."""
    if old is None:
        return []
    after, before = _told(new), _told(old)
    return [("−", line) for line in before if line not in after] + [("+", line) for line in after if line not in before]


def _told(tariff: Tariff) -> Sequence[str]:
    lines = [
        ", ".join(part for part in (f"{line.what}: {line.price}", line.when, line.taxes) if part)
        for line in prices.price_lines(tariff)
    ]
    if tariff.start_date_time is not None:
        lines.append(_("valid from %(at)s", at=tariff.start_date_time.isoformat(" ", "minutes")))
    if tariff.end_date_time is not None:
        lines.append(_("valid until %(at)s", at=tariff.end_date_time.isoformat(" ", "minutes")))
    if tariff.type is not None:
        lines.append(tariff.type)
    return lines + [f"{one.language}: {one.text}" for one in tariff.tariff_alt_text]
