"""What a price costs: whole sessions of 30 periods, and one more sample of a running one, with and without a plan, on one core.

`./ohmstead bench pricing`. Aims: 5,000 sessions per core-second, 50 µs for an update with its total.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bench._figures import console, machine, told
from ohmstead.billing.paying.payers import OfPlans
from ohmstead.billing.plans.reckoning import Left
from ohmstead.core.ids import new_id
from ohmstead.sessions.model import ChargingPeriod
from ohmstead.tariffs.model import (
    IdleFee,
    MarketLink,
    PriceComponent,
    PriceLimit,
    Tariff,
    TariffElement,
    TariffRestrictions,
    TariffTax,
)
from ohmstead.tariffs.pricing import (
    MarketPrices,
    Meter,
    Plan,
    Stretch,
    as_json,
    break_down,
    from_json,
    price,
    total_of,
)

VAT = [TariffTax(percentage=Decimal(19))]
N_PERIODS = 30
START = datetime(2026, 3, 2, 20, tzinfo=UTC)


def _energy(price_kwh: str, **market: object) -> PriceComponent:
    return PriceComponent(type="ENERGY", price=Decimal(price_kwh), taxes=VAT, **market)  # type: ignore[arg-type]


PLAIN = Tariff(currency="EUR", elements=[TariffElement(price_components=[_energy("0.49")])])
DAY_AND_NIGHT = Tariff(
    currency="EUR",
    elements=[
        TariffElement(
            price_components=[PriceComponent(type="FLAT", price=Decimal("0.35"), taxes=VAT)],
        ),
        TariffElement(
            price_components=[_energy("0.29"), PriceComponent(type="TIME", price=Decimal("0.60"), taxes=VAT)],
            restrictions=TariffRestrictions(start_time="22:00", end_time="06:00"),
        ),
        TariffElement(
            price_components=[
                _energy("0.49"),
                PriceComponent(type="TIME", price=Decimal("1.20"), step_size=60, taxes=VAT),
                PriceComponent(type="PARKING_TIME", price=Decimal("3.00"), step_size=300, taxes=VAT),
            ]
        ),
    ],
    idle_fee=IdleFee(price_per_minute=Decimal("0.10"), grace_minutes=15, taxes=VAT),
    max_price=PriceLimit(before_taxes=Decimal(60)),
)
BY_MARKET = Tariff(
    currency="EUR",
    elements=[
        TariffElement(
            price_components=[
                _energy("0.40", market=MarketLink(series="DAY", factor=Decimal("1.05"), adder=Decimal("0.12")))
            ]
        )
    ],
)


def sessions_of(n: int) -> list[list[Stretch]]:
    """Different sessions of 30 periods of five minutes: 24 of charging, then idle."""
    found = []
    for number in range(n):
        at = START + timedelta(minutes=number % 1440)
        stretches = []
        for period in range(N_PERIODS):
            kind = "charging" if period < 24 else "idle"
            energy = Decimal(900 + (number * 7 + period * 13) % 500) if kind == "charging" else Decimal(0)
            end = at + timedelta(minutes=5)
            stretches.append(Stretch(started_at=at, ended_at=end, kind=kind, energy_wh=energy))  # type: ignore[arg-type]
            at = end
        found.append(stretches)
    return found


def measure_plan(tariff: Tariff, n: int) -> float:
    """µs of an update with its total, less what a plan's fee has paid for."""
    plan, zone = Plan(tariff, ZoneInfo("Europe/Berlin")), ZoneInfo("Europe/Berlin")
    rounds = max(1, n // 20)
    grant = OfPlans(START, zone, [Left("Plus", {START.date().replace(day=1): (new_id(), Decimal(9_000))})])
    updates = 0
    began = time.process_time()
    for session in sessions_of(rounds):
        meter, energy = Meter.begin(plan, session[0].started_at), Decimal(0)
        for stretch in session:
            meter.add(stretch)
            energy += stretch.energy_wh
            grant.borders(stretch.ended_at)
            periods = [ChargingPeriod(START, START, "charging", energy)]
            total_of(plan, meter.tally, given=grant.concession(periods))
            updates += 1
    return (time.process_time() - began) / updates * 1e6


def measure(name: str, tariff: Tariff, n: int) -> tuple[str, float, float, float]:
    """(name, sessions per CPU second, µs of an update with its total, µs of one whose tally is read and kept)."""
    plan = Plan(tariff, ZoneInfo("Europe/Berlin"))
    quarter = timedelta(minutes=15)
    market = {
        "DAY": MarketPrices.of(
            [(START + i * quarter, START + (i + 1) * quarter, Decimal(i % 40) / 100) for i in range(200)]
        )
    }
    sessions = sessions_of(n)
    for session in sessions[:100]:
        price(plan, session, market=market)
    began = time.process_time()
    for session in sessions:
        price(plan, session, market=market)
    whole = n / (time.process_time() - began)

    # Sessions of their own, all within the series: a market that is silent would be quicker.
    running, rounds = sessions[: max(1, n // 20)], max(1, n // 20)
    began = time.process_time()
    for session in running:
        meter = Meter.begin(plan, session[0].started_at, market)
        for stretch in session:
            meter.add(stretch)
            total_of(plan, meter.tally)
    update_us = (time.process_time() - began) / (rounds * N_PERIODS) * 1e6

    meter = Meter.begin(plan, sessions[0][0].started_at, market)
    for stretch in sessions[0][:23]:
        meter.add(stretch)
    kept = as_json(meter.tally)
    began = time.process_time()
    for _ in range(n // 4):
        meter = Meter(plan, from_json(kept), market)
        meter.add(sessions[0][23])
        break_down(plan, meter.tally)
        as_json(meter.tally)
    kept_us = (time.process_time() - began) / (n // 4) * 1e6
    return name, whole, update_us, kept_us


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=4000)
    args = parser.parse_args()
    console.print(told(machine()), highlight=False)
    for name, tariff in (("a price a kWh", PLAIN), ("day and night", DAY_AND_NIGHT), ("market", BY_MARKET)):
        _, whole, update, kept = measure(name, tariff, args.sessions)
        console.print(
            f"{name}: {whole:,.0f} sessions/core-s, update with total {update:.1f} µs,"
            f" with energy in a plan {measure_plan(tariff, args.sessions):.1f} µs,"
            f" kept tally read, added to, explained, kept {kept:.1f} µs",
            highlight=False,
        )


if __name__ == "__main__":
    main()
