"""What sessions brought in is what their CDRs come to: after every bill, credit and reduction, by day, place and currency."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from ohmstead import migrations
from ohmstead.accounts.scope import Scope
from ohmstead.core.db import Pool
from ohmstead.core.errors import NotFound
from ohmstead.core.ids import new_id
from ohmstead.reports.revenue.model import Revenue, RevenueIn
from ohmstead.reports.revenue.service import count_anew, revenue
from ohmstead.reports.usage.model import Subject
from ohmstead.reports.usage.periods import Comparison, UsagePeriod
from tests.billing.network import Business, per_kwh

D = Decimal
MIGRATIONS = Path(migrations.__path__[0])
MARCH = UsagePeriod("month", date(2026, 3, 1), date(2026, 3, 31))


@pytest.fixture
async def business(db: Pool) -> Business:
    """A kWh costs 0.50, before 21 % VAT; walls are Amsterdam's."""
    return await Business(db).founded(per_kwh("0.50"))


async def report(
    business: Business,
    period: UsagePeriod = MARCH,
    subject: Subject | None = None,
    compare: Comparison = "none",
    locations: Sequence[UUID] | None = None,
) -> Revenue:
    scope = Scope(business.party_id, tuple(locations) if locations is not None else None)
    async with business.pool.acquire() as conn:
        return await revenue(conn, scope, subject or Subject(), period, compare)


def sums(found: RevenueIn) -> tuple[int, Decimal, Decimal]:
    return found.earned.n_cdrs, found.earned.before_taxes, found.earned.total


async def test_it_is_what_cdrs_come_to_whatever_becomes_of_them(business: Business) -> None:
    sessions = [await business.session(wh=wh) for wh in (20_000, 10_000, 8_000)]
    await business.settles(*sessions)
    (euros,) = (await report(business)).currencies
    assert (euros.currency, sums(euros)) == ("EUR", (3, D("19.00"), D("22.99")))
    first, second, _ = await business.cdrs()
    await business.credits(first.cdr_id)
    await business.reduces(second.cdr_id, "1.21")
    await business.becomes(sessions[2], 12_000)
    await business.settles(sessions[2])
    cdrs = await business.cdrs()
    (euros,) = (await report(business)).currencies
    assert sums(euros) == (2, sum(one.before_taxes for one in cdrs), sum(one.total for one in cdrs))
    assert sums(euros) == (2, D("10.00"), D("12.10"))
    assert await business.faults() == []


async def test_it_stands_on_the_day_and_in_the_hour_in_which_the_session_began(business: Business) -> None:
    # 23:30 on the 9th in UTC is half past midnight of the 10th in Amsterdam.
    night = await business.session(wh=2_000, started_at=datetime(2026, 3, 9, 23, 30, tzinfo=UTC))
    noon = await business.session(wh=4_000, started_at=datetime(2026, 3, 10, 11, tzinfo=UTC))
    late = await business.session(wh=6_000, started_at=datetime(2026, 3, 10, 23, 30, tzinfo=UTC))
    before = await business.session(wh=1_000, started_at=datetime(2026, 2, 10, 11, tzinfo=UTC))
    await business.settles(night, noon, late, before)
    (euros,) = (await report(business, compare="before")).currencies
    by_day = {bar.begins: bar.earned.before_taxes for bar in euros.bars if bar.earned.n_cdrs}
    assert by_day == {"2026-03-10": D("3.00"), "2026-03-11": D("3.00")}
    assert (len(euros.bars), len(euros.compared_bars)) == (31, 28)
    assert euros.compared is not None
    assert (euros.compared.n_cdrs, euros.compared.before_taxes) == (1, D("0.50"))
    assert {b.begins: b.earned.total for b in euros.compared_bars if b.earned.n_cdrs} == {"2026-02-10": D("0.61")}
    day = UsagePeriod("day", date(2026, 3, 10), date(2026, 3, 10))
    (euros,) = (await report(business, day)).currencies
    by_hour = {bar.begins: bar.earned.before_taxes for bar in euros.bars if bar.earned.n_cdrs}
    assert by_hour == {"2026-03-10T00:00": D("1.00"), "2026-03-10T12:00": D("2.00")}
    assert (len(euros.bars), sums(euros)[1]) == (24, D("3.00"))
    year = UsagePeriod("year", date(2026, 1, 1), date(2026, 12, 31))
    (euros,) = (await report(business, year)).currencies
    by_month = {bar.begins: bar.earned.before_taxes for bar in euros.bars if bar.earned.n_cdrs}
    assert by_month == {"2026-02-01": D("0.50"), "2026-03-01": D("6.00")}


async def test_places_and_currencies_stand_apart_and_whoever_sees_some_places_sees_theirs(business: Business) -> None:
    other = new_id()
    await business.pool.execute(
        "insert into location (location_id, party_id, name, country, time_zone)"
        " values ($1, $2, 'Hill', 'CHE', 'Europe/Zurich')",
        other,
        business.party_id,
    )
    await business.settles(await business.session(wh=20_000))
    await business.settles(await business.session(wh=2_000, location_id=None))
    tariff = await business.offers(per_kwh("1.00", "CHF"), "Francs")
    await business.pool.execute(
        "update tariff_assignment set level = 'location', location_id = $2 where tariff_id = $1", tariff, other
    )
    await business.settles(await business.session(wh=3_000, location_id=other))
    found = await report(business)
    assert [(one.currency, sums(one)[:2]) for one in found.currencies] == [
        ("EUR", (2, D("11.00"))),
        ("CHF", (1, D("3.00"))),
    ]
    euros, francs = found.currencies
    assert [(p.name, p.location_id, p.earned.before_taxes) for p in euros.places] == [
        ("Quay", business.location_id, D("10.00")),
        ("Without a location", None, D("1.00")),
    ]
    assert [(p.name, p.earned.total) for p in francs.places] == [("Hill", D("3.63"))]
    here = await report(business, subject=Subject(location_id=business.location_id))
    assert [(p.station_id, p.earned.before_taxes) for p in here.currencies[0].places] == [
        (business.station_id, D("10.00"))
    ]
    alone = await report(business, subject=Subject(station_id=business.station_id))
    assert [sums(one)[1] for one in alone.currencies] == [D("11.00"), D("3.00")]
    assert [one.places for one in alone.currencies] == [[], []]
    of_hill = await report(business, locations=[other])
    assert [(one.currency, sums(one)[1]) for one in of_hill.currencies] == [("CHF", D("3.00"))]
    assert (await report(business, locations=[])).currencies == []
    with pytest.raises(NotFound):
        await report(business, subject=Subject(location_id=business.location_id), locations=[other])


async def test_another_party_sees_nothing_of_it(business: Business, db: Pool) -> None:
    await business.settles(await business.session())
    stranger = await Business(db).founded()
    assert (await report(stranger)).currencies == []
    with pytest.raises(NotFound):
        await report(stranger, subject=Subject(location_id=business.location_id))


async def test_counted_anew_it_is_what_the_trigger_counted(business: Business) -> None:
    """By the migration, for what was billed before, and by the command."""
    for wh in (20_000, 10_000):
        await business.settles(await business.session(wh=wh))
    first, _ = await business.cdrs()
    await business.credits(first.cdr_id, again=True)
    await business.settles(await business.session(wh=700, location_id=None))
    text = (MIGRATIONS / "0048_revenue.sql").read_text()
    statement = next(part for part in text.split(";\n") if part.strip().startswith("insert into revenue_day (party_id"))
    rows = "select * from revenue_day order by level, location_id, station_id, day, currency"
    async with business.pool.acquire() as conn:
        kept = [tuple(row) for row in await conn.fetch(rows)]
        await conn.execute("delete from revenue_day")
        await conn.execute(statement)
        assert [tuple(row) for row in await conn.fetch(rows)] == kept
        await conn.execute("update revenue_day set total = 1 where level = 'party'")
        async with conn.transaction():
            await count_anew(conn)
        assert [tuple(row) for row in await conn.fetch(rows)] == kept
    assert len(kept) == 5
