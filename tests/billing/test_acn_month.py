"""A month of real sessions is billed, and every cent of it is found again: books, CDRs, invoices and the list agree.

With the sessions of `../shared/data` where they are present, else with sessions made here.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from ohmstead.core.db import Pool
from ohmstead.core.ids import new_id
from ohmstead.tariffs.model import IdleFee, PriceComponent, Tariff, TariffElement, TariffRestrictions, TariffTax
from tests.invoices.office import Office

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "acn-caltech-2019.csv"
MOST = 1500
UNTIL = datetime(2019, 5, 31, 22, tzinfo=UTC)  # the end of May, where the books are kept
POWER_W = 6600
VAT = [TariffTax(percentage=Decimal("19"))]


@dataclass(frozen=True)
class Past:
    """A session as it was: plugged, charged, left."""

    station: str
    started_at: datetime
    ended_at: datetime
    energy_wh: int
    token: str


def past() -> list[Past]:
    if REAL.is_file():
        with REAL.open(newline="") as file:
            rows = [
                Past(
                    row["station"],
                    datetime.fromisoformat(row["plugged_at"]),
                    datetime.fromisoformat(row["unplugged_at"]),
                    int(row["energy_wh"]),
                    row["token"],
                )
                for row in csv.DictReader(file)
            ]
        return [row for row in rows if row.ended_at < UNTIL][:MOST]
    chance = Random(7)
    rows = []
    for n in range(400):
        at = datetime(2019, 5, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(0, 30 * 1440))
        long = chance.choice((0, 1, 30, 200, 700))
        rows.append(
            Past(f"P-{n % 20}", at, at + timedelta(minutes=long), chance.choice((0, 40, 5000, 22_222)), f"T{n % 50}")
        )
    return rows


def tariff() -> Tariff:
    """By day and by night, a start fee, and a fee for staying; three decimals of a kWh make every cent a rounded one."""
    energy = [PriceComponent(type="ENERGY", price=Decimal("0.395"), taxes=VAT)]
    night = TariffRestrictions(start_time="22:00", end_time="06:00")
    return Tariff(
        currency="USD",
        elements=[
            TariffElement(price_components=[PriceComponent(type="FLAT", price=Decimal("0.49"), taxes=VAT)]),
            TariffElement(
                price_components=[PriceComponent(type="ENERGY", price=Decimal("0.219"), taxes=VAT)], restrictions=night
            ),
            TariffElement(price_components=energy),
        ],
        idle_fee=IdleFee(price_per_minute=Decimal("0.02"), grace_minutes=60, max_amount=Decimal(6), taxes=VAT),
    )


async def as_settled(business: Office, rows: Sequence[Past]) -> list[UUID]:
    """As sessions stand when the worker is done with them: charging at full power, then parked."""
    ids = [new_id() for _ in rows]
    stations = sorted({row.station for row in rows})
    await business.pool.executemany(
        "insert into station (station_id, party_id, location_id, registration) values ($1, $2, $3, 'accepted')",
        [(f"{name}-{business.station_id}", business.party_id, business.location_id) for name in stations],
    )
    sessions: list[tuple[Any, ...]] = []
    periods: list[tuple[Any, ...]] = []
    for session_id, row in zip(ids, rows, strict=True):
        needs = timedelta(seconds=row.energy_wh * 3600 / POWER_W)
        full_at = min(row.started_at + needs, row.ended_at)
        sessions.append(
            (session_id, business.party_id, f"{row.station}-{business.station_id}", business.location_id, session_id.hex,
             row.started_at, row.ended_at, Decimal(row.energy_wh), row.token)
        )  # fmt: skip
        if full_at > row.started_at:
            periods.append((session_id, row.started_at, full_at, "charging", Decimal(row.energy_wh)))
        if row.ended_at > full_at:
            rest = Decimal(0) if full_at > row.started_at else Decimal(row.energy_wh)
            periods.append((session_id, full_at, row.ended_at, "suspended_ev", rest))
    await business.pool.executemany(
        "insert into session (session_id, party_id, station_id, location_id, evse_number, transaction_id, ocpp_version,"
        " status, started_at, ended_at, last_event_at, first_received_at, updated_at, settled_at, energy_wh, energy_source,"
        " token_uid) values ($1, $2, $3, $4, 1, $5, '2.0.1', 'completed', $6, $7, $7, $6, $7, $7, $8, 'register', $9)",
        sessions,
    )
    await business.pool.executemany("insert into charging_period values ($1, $2, $3, $4, $5)", periods)
    return ids


async def test_a_month_is_billed_to_the_cent(db: Pool) -> None:
    business = Office(db)
    await business.founded(tariff())
    await business.opened()
    for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
        await db.execute(f"update {column} = '2010-01-01Z'")
    rows = past()
    for token in sorted({row.token for row in rows}):
        await business.driver(token, token)
    await db.execute("update token_holding set from_at = '2010-01-01Z'")
    ids = await as_settled(business, rows)
    for start in range(0, len(ids), 200):
        await business.settles(*ids[start : start + 200])
    await business.settles(*ids[:200])  # told again: nothing is billed twice

    cdrs = await db.fetch("select session_id, before_taxes, total from cdr where party_id = $1", business.party_id)
    listed = await business.unbillable()
    assert {row["session_id"] for row in cdrs} | set(listed) == set(ids)
    assert len(cdrs) + len(listed) == len(ids)
    assert len(cdrs) > len(ids) / 2

    balances = await business.balances()
    of = {
        kind: sum((amount for code, amount in balances.items() if code.startswith(f"{kind}:")), Decimal(0))
        for kind in ("receivable", "revenue", "tax", "rounding")
    }
    assert of["receivable"] == sum(row["total"] for row in cdrs)
    assert -of["revenue"] == sum(row["before_taxes"] for row in cdrs)
    assert -of["tax"] == sum(row["total"] - row["before_taxes"] for row in cdrs)
    assert (sum(of.values()), of["rounding"]) == (0, 0)
    assert await business.faults() == []

    # What is on the list would have brought in nothing but what a person may still decide to bill.
    assert {reason for reason, _ in listed.values()} <= {"no_energy", "too_short", "implausible", "price_unknown"}
    ran = await business.runs("2019-05")
    assert (ran.status, ran.problems) == ("done", [])
    invoices = await db.fetch("select total, before_taxes, kind from invoice where party_id = $1", business.party_id)
    assert {row["kind"] for row in invoices} == {"invoice"}
    assert sum(row["total"] for row in invoices) == of["receivable"]
    assert sum(row["before_taxes"] for row in invoices) == -of["revenue"]
    on_documents = await db.fetchval("select count(distinct cdr_id) from invoice_cdr")
    assert on_documents == sum(row["total"] != 0 for row in cdrs)
    assert await business.faults() == []
    await business.closes("2019-05")
    assert await business.faults() == []
