"""Settled sessions become CDRs once, and are corrected by credits."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from ohmstead.accounts import access
from ohmstead.accounts.scope import Scope
from ohmstead.billing.cdrs import queries, service
from ohmstead.billing.cdrs.model import CdrKind, UnbillableDecision
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event
from ohmstead.sessions.erasing.service import erase_driver
from tests.billing.network import AT, Business, per_kwh


async def kinds(business: Business) -> list[tuple[CdrKind, int, str]]:
    return [(one.kind, one.version, str(one.total)) for one in await business.cdrs()]


async def test_a_settled_session_is_billed_once_however_often_it_is_told(business: Business) -> None:
    session_id = await business.session()
    await business.settles(session_id, session_id)
    await business.settles(session_id)
    (cdr,) = await business.cdrs()
    assert (cdr.session_id, cdr.version, cdr.kind, cdr.before_taxes, cdr.total) == (
        session_id,
        1,
        "charge",
        Decimal("9.80"),
        Decimal("11.86"),
    )
    assert (cdr.place.country, cdr.place.name, cdr.energy_wh, cdr.tariff_version) == (
        "NL",
        "Quay",
        Decimal(20_000),
        1,
    )
    assert [line.kind for line in cdr.cost.lines] == ["ENERGY"]
    assert await business.balances() == {
        "receivable:nobody": Decimal("11.86"),
        "revenue:energy": Decimal("-9.80"),
        "tax:NL:VAT:21": Decimal("-2.06"),
    }
    assert await business.faults() == []
    told = await business.pool.fetch("select kind, payload from outbox where kind like 'Cdr%'")
    assert [(row["kind"], row["payload"]["total"]) for row in told] == [("CdrCreated", "11.86")]


async def test_two_workers_at_once_bill_a_session_once(business: Business) -> None:
    sessions = [await business.session(1000 * n) for n in range(1, 6)]
    await asyncio.gather(*(business.settles(*sessions) for _ in range(4)))
    assert len(await business.cdrs()) == 5
    assert await business.faults() == []


async def test_late_news_credit_a_cdr_and_make_a_new_one(business: Business) -> None:
    session_id = await business.session()
    await business.settles(session_id)
    await business.becomes(session_id, 10_000)
    await business.settles(session_id)
    await business.settles(session_id)
    first, credit, second = await business.cdrs()
    assert await kinds(business) == [("charge", 1, "11.86"), ("credit", 1, "-11.86"), ("charge", 2, "5.93")]
    assert (credit.credits_id, second.replaces_id, first.credited_by) == (first.cdr_id, first.cdr_id, credit.cdr_id)
    assert (await business.balances())["receivable:nobody"] == Decimal("5.93")
    assert await business.faults() == []


async def test_late_news_that_leave_doubt_credit_a_cdr_and_ask(business: Business) -> None:
    session_id = await business.session()
    await business.settles(session_id)
    await business.becomes(session_id, 0)
    await business.settles(session_id)
    await business.settles(session_id)
    assert await kinds(business) == [("charge", 1, "11.86"), ("credit", 1, "-11.86")]
    assert await business.unbillable() == {session_id: ("no_energy", None)}
    await business.becomes(session_id, 20_000)
    await business.settles(session_id)
    assert (await kinds(business))[2:] == [("charge", 2, "11.86")]
    assert await business.unbillable() == {}
    assert await business.faults() == []


async def test_a_tariff_that_is_changed_later_changes_no_bill(business: Business) -> None:
    session_id = await business.session()
    await business.settles(session_id)
    await business.offers(per_kwh("9"), "Other")
    await business.settles(session_id)
    assert await kinds(business) == [("charge", 1, "11.86")]


async def test_a_cdr_that_is_credited_by_hand_stays_so(business: Business) -> None:
    session_id = await business.session()
    await business.settles(session_id)
    (cdr,) = await business.cdrs()
    made = await business.credits(cdr.cdr_id)
    assert (made.credit.total, made.credit.credits_id, made.replacement) == (Decimal("-11.86"), cdr.cdr_id, None)
    assert await business.balances() == {}
    assert await business.unbillable() == {session_id: ("credited", "never")}
    await business.becomes(session_id, 5_000)
    await business.settles(session_id)
    assert len(await business.cdrs()) == 2
    with pytest.raises(Conflict, match="already"):
        await business.credits(cdr.cdr_id)
    with pytest.raises(Refused, match="a credit"):
        await business.credits(made.credit.cdr_id)
    with pytest.raises(NotFound):
        await business.credits(session_id)
    # Another decision brings it back, as it is now.
    decided = await business.decides(session_id, "bill")
    assert decided.cdr is not None
    assert (decided.cdr.version, decided.cdr.replaces_id, decided.cdr.total) == (2, cdr.cdr_id, Decimal("2.96"))
    with pytest.raises(Conflict, match="billed"):
        await business.decides(session_id, "never")
    assert await business.faults() == []


async def test_a_cdr_is_credited_and_billed_again_in_one_step(business: Business) -> None:
    session_id = await business.session()
    await business.settles(session_id)
    await business.becomes(session_id, 10_000)
    (cdr,) = await business.cdrs()
    made = await business.credits(cdr.cdr_id, again=True)
    assert made.replacement is not None
    assert (made.replacement.version, made.replacement.replaces_id) == (2, cdr.cdr_id)
    assert await kinds(business) == [("charge", 1, "11.86"), ("credit", 1, "-11.86"), ("charge", 2, "5.93")]
    await business.settles(session_id)
    assert len(await business.cdrs()) == 3
    assert await business.faults() == []


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("too_short", {"wh": 50, "ended_at": AT + timedelta(seconds=40)}),
        ("no_energy", {"wh": 0}),
        ("implausible", {"anomalies": ["clock_wrong"]}),
        ("orphan", {"is_orphan": True, "status": "invalid"}),
    ],
)
async def test_what_gives_reason_to_doubt_waits_for_a_person(
    business: Business, reason: str, values: dict[str, Any]
) -> None:
    session_id = await business.session(**values)
    await business.settles(session_id)
    assert await business.unbillable() == {session_id: (reason, None)}
    assert await business.cdrs() == []
    never = await business.decides(session_id, "never")
    assert (never.cdr, never.session.decision, never.session.note) == (None, "never", "because")
    await business.settles(session_id)
    assert await business.cdrs() == []
    billed = await business.decides(session_id, "bill")
    assert billed.cdr is not None
    await business.settles(session_id)
    assert len(await business.cdrs()) == 1, "the decision stands whatever there is to doubt"
    assert await business.unbillable() == {session_id: (reason, "bill")}
    entries = await business.pool.fetch(
        "select action, changes from audit_entry where object like 'session/%' order by entry_id"
    )
    assert [row["changes"]["decision"]["after"] for row in entries] == ["never", "bill"]
    assert await business.faults() == []


async def test_a_station_on_trial_and_a_place_without_tariff_bill_nothing(business: Business) -> None:
    await business.pool.execute("update station set is_lab = true where station_id = $1", business.station_id)
    session_id = await business.session()
    await business.settles(session_id)
    assert await business.unbillable() == {session_id: ("test", None)}
    other = await Business(business.pool).founded()
    session_id = await other.session()
    await other.settles(session_id)
    assert await other.unbillable() == {session_id: ("no_tariff", None)}
    with pytest.raises(Refused, match="no tariff"):
        await other.decides(session_id, "bill")
    with pytest.raises(NotFound):
        await business.decides(session_id, "bill")


async def test_a_session_that_cannot_be_priced_holds_up_no_other(business: Business) -> None:
    good, bad = await business.session(), await business.session()
    await business.settles(good)
    await business.pool.execute("delete from charging_period where session_id = $1", bad)
    await business.pool.execute(
        "insert into session_tariff select $2, party_id, tariff_id, version, assignment_id, 'Nowhere/Else'"
        " from session_tariff where session_id = $1",
        good,
        bad,
    )
    third = await business.session()
    await business.settles(bad, third)
    assert {one.session_id for one in await business.cdrs()} == {good, third}
    assert await business.unbillable() == {bad: ("price_unknown", None)}


async def test_nothing_is_said_without_a_reason(business: Business) -> None:
    session_id = await business.session(0)
    await business.settles(session_id)
    async with business.pool.acquire() as conn:
        given = UnbillableDecision(decision="never", note=" \n ")
        with pytest.raises(Invalid, match="why"):
            await service.decide(conn, business.actor, session_id, given)


async def test_who_holds_the_token_owes_and_an_erased_driver_is_nobody(business: Business) -> None:
    pool, driver_id, token_id = business.pool, UUID(int=7), UUID(int=8)
    await pool.execute(
        "insert into token (token_id, party_id, uid, contract_id) values ($1, $2, 'CARD', 'NL-X')",
        token_id,
        business.party_id,
    )
    await pool.execute(
        "insert into driver (driver_id, party_id, name) values ($1, $2, 'Ada')", driver_id, business.party_id
    )
    await pool.execute(
        "insert into token_holding (party_id, driver_id, uid_key, from_at) values ($1, $2, 'card', '2026-01-01Z')",
        business.party_id,
        driver_id,
    )
    before = await business.session(token_uid="CARD", token_id=token_id, started_at=AT - timedelta(days=90))
    session_id = await business.session(token_uid="CARD", token_id=token_id, token_type="ISO14443")
    await business.settles(before, session_id)
    assert [one.customer for one in await business.cdrs()] == [f"token:{token_id}", f"driver:{driver_id}"]
    assert (await business.cdrs())[1].token.contract_id == "NL-X"
    async with pool.acquire() as conn, conn.transaction():
        erased = await erase_driver(conn, access.system(business.party_id), driver_id)
        fact = Event("DriverErased", f"driver/{driver_id}", {"driver_id": str(driver_id)}, party_id=business.party_id)
        await service.notice_erased(conn, [fact])
    token = (await business.cdrs())[1].token
    assert (token.uid, token.token_id, token.contract_id) == (erased.pseudonym, None, None)
    assert await business.faults() == []


@pytest.mark.parametrize(
    "statement",
    [
        "update cdr set total = 1",
        "update cdr set token_uid = 'other'",
        "update cdr set token_uid = 'erased-x', token_id = null, contract_id = null, total = 1",
        "update cdr set content = '{}'",
        "delete from cdr",
    ],
)
async def test_a_cdr_is_never_changed_not_by_a_slip_either(business: Business, statement: str) -> None:
    await business.settles(await business.session())
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="never changed"):
        await business.pool.execute(statement)


async def test_people_of_other_locations_see_nothing_of_this_one(business: Business) -> None:
    await business.settles(await business.session(), await business.session(0))
    async with business.pool.acquire() as conn:
        for places, n in [((business.location_id,), 1), ((UUID(int=1),), 0), ((), 0)]:
            scope = Scope(business.party_id, places)
            assert len(await queries.list_cdrs(conn, scope, queries.CdrFilter())) == n
            assert len(await queries.list_unbillable(conn, scope, queries.UnbillableFilter())) == n
