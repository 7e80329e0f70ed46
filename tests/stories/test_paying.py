"""Drivers pay in the way they like: prepaid, by their company, with a plan, by PIN, at the station's terminal."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from ohmstead.accounts import access
from ohmstead.billing.companies import service as companies
from ohmstead.billing.companies.model import NewCompany, NewCompanyMember
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Entry, Posting, psp_clearing, wallet
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.covers import CoverTerms
from ohmstead.billing.paying.model import NewPayingMethod, PayingPolicyChange
from ohmstead.billing.plans import service as plans
from ohmstead.billing.plans.model import NewPlan
from ohmstead.billing.wallets import service as wallets
from ohmstead.core.db import Pool
from ohmstead.core.ids import new_id
from ohmstead.drivers import pins
from tests.stories.network import Installation, Network
from tests.stories.station import Station
from tests.stories.test_priced_sessions import has_tariff

NET = {
    "currency": "EUR",
    "tax_included": "N/A",
    "elements": [{"price_components": [{"type": "ENERGY", "price": "0.50"}]}],
}
LESS = {"name": "Members", "percent": "-20", "plans": ["PLUS"]}
REFUSED = {"1.6": "Invalid", "2.0.1": "NoCredit", "2.1": "NoCredit"}


@pytest.fixture(scope="module")
async def paying_house(installation: Installation, _pool: tuple[Pool, str]) -> AsyncIterator[Installation]:
    """One more gateway, which asks who pays."""
    house = Installation(installation.settings, installation.pool, installation.bus, terms=CoverTerms())
    door = await house.open_door()
    yield house
    await door.close()


@pytest.fixture
async def network(paying_house: Installation) -> AsyncIterator[Network]:
    network = await Network(paying_house).found()
    yield network
    for station in network.stations:
        await station.leaves()


async def driver(network: Network, uid: str = "TAG1", **more: Any) -> UUID:
    """Somebody with a card that they have had for long."""
    driver_id = new_id()
    await network.pool.execute(
        "insert into driver (driver_id, party_id, name) values ($1, $2, 'Ada')", driver_id, network.party_id
    )
    await network.token(uid, driver_id=driver_id, **more)
    await network.pool.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, $3, '2020-01-01Z')",
        network.party_id,
        driver_id,
        uid.lower(),
    )
    return driver_id


async def tops_up(network: Network, driver_id: UUID, amount: str) -> None:
    postings = (
        Posting(psp_clearing("sandbox", "EUR"), Decimal(amount)),
        Posting(wallet(driver_id, "EUR"), -Decimal(amount)),
    )
    entry = Entry(key=str(new_id()), kind="top_up", text="", wanted_on=datetime.now(UTC).date(), postings=postings)
    async with network.pool.acquire() as conn, conn.transaction():
        await ledger.post_all(conn, network.party_id, "system", [entry])


async def cdr_of(network: Network, station: Station) -> SimpleNamespace:
    """The bill of the station's session, once it is there and all that pays for it has heard of it."""

    async def is_billed() -> bool:
        found = await network.pool.fetchval(
            "select exists (select from cdr where station_id = $1) and not exists (select from outbox o join outbox_cursor c"
            " on o.xid >= c.window_to or (o.xid >= c.window_from and o.event_id > c.done_event_id)"
            " where c.consumer = 'paying.cdrs' and o.kind = 'CdrCreated')",
            station.station_id,
        )
        return bool(found)

    await network.until(is_billed, "the session is billed and paid")
    (cdr,) = await network.rows("select * from cdr where station_id = $1", station.station_id)
    return cdr


async def test_a_prepaid_driver_is_refused_without_credit_starts_with_it_and_pays(
    network: Network, version: str
) -> None:
    await has_tariff(network, NET)
    station = await network.station(version)
    driver_id, actor = await driver(network), access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        await paying.set_method(conn, actor, NewPayingMethod(kind="wallet"), driver_id=driver_id)
    await station.plugs_in()
    assert await station.presents("TAG1") == REFUSED[version]
    assert await station.starts_anyway("TAG1") == REFUSED[version]
    assert await network.rows("select * from cover_hold where party_id = $1", network.party_id) == []
    await station.unplugs()
    await tops_up(network, driver_id, "50")
    await station.plugs_in()
    assert await station.presents("TAG1") == "Accepted"
    (hold,) = await network.rows("select * from cover_hold where party_id = $1", network.party_id)
    assert hold.amount_minor == 2000
    await station.delivers(wh=10_000, over="30m")
    await station.presents("TAG1")
    await station.unplugs()

    async def is_paid() -> bool:
        async with network.pool.acquire() as conn:
            found = await wallets.get_wallet(conn, network.party_id, driver_id)
        return (found.balance, found.held, found.due) == (Decimal(45), Decimal(0), Decimal(0))

    await network.until(is_paid, "the wallet has paid")
    covers = await network.rows("select kind, source from session_cover where party_id = $1", network.party_id)
    assert {(one.kind, one.source) for one in covers} <= {("wallet", "driver"), ("refused", "driver")}


async def test_a_company_driver_charges_and_the_company_owes_it(network: Network, version: str) -> None:
    await has_tariff(network, NET)
    station = await network.station(version)
    driver_id, actor = await driver(network), access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        await paying.change_policy(conn, actor, PayingPolicyChange(without_method="refuse"))
    await station.plugs_in()
    assert await station.presents("TAG1") == REFUSED[version]
    async with network.pool.acquire() as conn, conn.transaction():
        made = await companies.create_company(conn, actor, NewCompany(name="Fleet", limit_per_month=Decimal(100)))
        await companies.add_member(conn, actor, made.company_id, NewCompanyMember(driver_id=driver_id))
    assert await station.presents("TAG1") == "Accepted"
    await station.delivers(wh=10_000, over="30m")
    await station.unplugs()
    cdr = await cdr_of(network, station)
    assert (cdr.customer, cdr.total) == (f"company:{made.company_id}", Decimal(5))
    assert await network.rows("select * from cover_hold where party_id = $1", network.party_id) == []


async def test_a_subscriber_has_member_prices_and_energy_in_the_fee(network: Network) -> None:
    await has_tariff(network, NET | {"adjustments": [LESS]})
    driver_id, actor = await driver(network), access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        plan = await plans.create_plan(
            conn, actor, NewPlan(name="Plus", label="PLUS", monthly_fee=Decimal(31), included_kwh=Decimal(31))
        )
        await plans.subscribe(conn, actor, driver_id, plan.plan_id)
        # Stations of stories begin sessions hours before the story does: the plan was there, too.
        await conn.execute(
            "update subscription set started_at = now() - interval '40 days' where party_id = $1", network.party_id
        )
        left = await conn.fetchval("select sum(included_wh) from plan_charge where party_id = $1", network.party_id)
    station = await network.station("2.1", hours_ago=0.5 if datetime.now(UTC).hour else 0.01)
    await station.plugs_in()
    assert await station.presents("TAG1") == "Accepted"
    await station.delivers(wh=int(left) + 10_000, over="30m")
    await station.unplugs()
    cdr = await cdr_of(network, station)
    assert cdr.customer == f"driver:{driver_id}"
    rules = [line["rule"] for line in cdr.content["cost"]["lines"]]
    assert rules[1] == "Members"
    assert rules[2].startswith("Included in the plan Plus: ")


async def test_a_pin_begins_a_session_and_guesses_are_locked_out(network: Network, version2: str) -> None:
    station = await network.station(version2, token_type="KeyCode")
    driver_id, actor = await driver(network), access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        made = await pins.reset_pin(conn, actor, driver_id)
    await station.plugs_in()
    assert await station.presents("00000000") == "Unknown"
    assert await station.presents(made.pin) == "Accepted"
    await station.delivers(wh=1000, over="10m")
    await station.unplugs()
    for n in range(4):
        assert await station.presents(f"0000000{n}") == "Unknown"
    assert await station.presents("11111111") == "Blocked"
    assert await station.presents(made.pin) == "Blocked"
    signals = await network.rows("select kind from security_signal where station_id = $1", station.station_id)
    assert sorted(one.kind for one in signals) == ["pin_locked", *["pin_wrong"] * 5]
    await network.pool.execute("update security_signal set at = at - interval '16 minutes'")
    async with network.pool.acquire() as conn, conn.transaction():
        again = await pins.reset_pin(conn, actor, driver_id)
    assert await station.presents(made.pin) == "Unknown"
    assert await station.presents(again.pin) == "Accepted"
    told = await network.rows(
        "select payload::text as said from outbox where party_id = $1 and kind like 'Token%'", network.party_id
    )
    assert not any(made.pin in one.said or again.pin in one.said for one in told)


async def test_a_terminal_has_settled_what_was_charged(network: Network) -> None:
    await has_tariff(network, NET)
    async with network.pool.acquire() as conn, conn.transaction():
        await paying.change_policy(conn, access.system(network.party_id), PayingPolicyChange(without_method="refuse"))
    station = await network.station("2.1", token_type="DirectPayment")
    await station.plugs_in()
    assert await station.starts_anyway("PSP-4711") == "Accepted"
    transaction_id = station.transactions[1].id
    await station.delivers(wh=10_000, over="30m")
    await station.unplugs()
    payload = {
        "pspRef": "PSP-4711",
        "status": "Settled",
        "settlementAmount": 5.0,
        "settlementTime": (station.at + timedelta(minutes=1)).isoformat(),
        "transactionId": transaction_id,
    }
    assert await station.says("NotifySettlement", payload) == {}
    await cdr_of(network, station)

    async def is_settled() -> bool:
        rows = await network.rows(
            "select a.code, sum(p.amount_minor) as minor from ledger_account a join ledger_posting p using (account_id)"
            " where a.party_id = $1 group by a.code",
            network.party_id,
        )
        return {one.code: one.minor for one in rows if one.minor} == {
            "psp_clearing:terminal": 500,
            "revenue:energy": -500,
        }

    await network.until(is_settled, "the terminal's money is on its way")
