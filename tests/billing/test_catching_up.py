"""Sessions from before a version that bills, and sessions that no tariff applied to, are billed afterwards."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from ohmstead.billing.cdrs import queries, service
from ohmstead.billing.cdrs.model import DecidedSession, UnbillableDecision
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.sessions.pricing import service as prices
from tests.billing.network import Business, per_kwh


async def catches_up(business: Business, limit: int = 2) -> int:
    after: UUID | None = None
    done = 0
    while True:
        async with business.pool.acquire() as conn, conn.transaction():
            after, n = await service.catch_up(conn, business.party_id, after, limit)
        done += n
        if after is None:
            return done


async def decides(
    business: Business, session_id: UUID, tariff_id: UUID | None, decision: str = "bill"
) -> DecidedSession:
    async with business.pool.acquire() as conn, conn.transaction():
        given = UnbillableDecision(decision=decision, note="agreed", tariff_id=tariff_id)  # type: ignore[arg-type]
        return await service.decide(conn, business.actor, session_id, given)


async def test_what_settled_before_is_billed_once(business: Business) -> None:
    sessions = [await business.session() for _ in range(5)]
    empty = await business.session(wh=0)
    await business.settles(sessions[0])
    assert await catches_up(business) == 5
    assert await catches_up(business) == 0
    assert {cdr.session_id for cdr in await business.cdrs()} == set(sessions)
    assert await business.unbillable() == {empty: ("no_energy", None)}
    assert await business.faults() == []


async def test_a_session_without_a_tariff_is_given_one_and_billed(db: Pool) -> None:
    business = await Business(db).founded()
    session_id = await business.session()
    await business.settles(session_id)
    assert await business.unbillable() == {session_id: ("no_tariff", None)}
    tariff_id = await business.offers(per_kwh("0.30"))
    with pytest.raises(NotFound):
        await decides(business, session_id, uuid4())
    with pytest.raises(Invalid):
        await decides(business, session_id, tariff_id, "never")
    decided = await decides(business, session_id, tariff_id)
    assert decided.cdr is not None
    assert (decided.cdr.tariff_id, decided.cdr.before_taxes, decided.cdr.total) == (
        tariff_id,
        Decimal(6),
        Decimal("7.26"),
    )
    # Told again, it stays so, and nobody gives it another.
    await business.settles(session_id)
    assert len(await business.cdrs()) == 1
    async with db.acquire() as conn:
        with pytest.raises(Conflict):
            await prices.give_tariff(conn, business.party_id, session_id, await business.offers(per_kwh("9")))
    (entry,) = await db.fetch(
        "select detail from audit_entry where party_id = $1 and action = 'session.billing_decided'", business.party_id
    )
    assert entry["detail"]["tariff_id"] == str(tariff_id)
    assert await business.faults() == []


async def test_a_session_with_a_tariff_is_given_no_other(business: Business) -> None:
    session_id = await business.session(minutes=0, wh=10)
    await business.settles(session_id)
    with pytest.raises(Conflict):
        await decides(business, session_id, await business.offers(per_kwh("9")))
    assert await business.cdrs() == []


async def test_how_a_session_was_authorised_is_told_as_it_was(business: Business) -> None:
    asked = await business.session(authorization_status="accepted")
    offline = await business.session(authorization_status="accepted", is_offline=True)
    ordered = await business.session(authorization_status="accepted", remote_start_id=7)
    nobody = await business.session()
    started = await business.session(ocpp_version="1.6", authorization_status="accepted")
    await business.pool.execute(
        "insert into command (command_id, party_id, station_id, kind, parameters, status, requested_by, requested_at,"
        " session_id) values ($1, $2, $3, 'remote_start', '{}', 'accepted', 'x', now(), $4)",
        uuid4(),
        business.party_id,
        business.station_id,
        started,
    )
    async with business.pool.acquire() as conn:
        found = [
            await queries.find_auth_method(conn, business.party_id, one)
            for one in (asked, offline, ordered, nobody, started)
        ]
    assert found == ["AUTH_REQUEST", "WHITELIST", "COMMAND", "WHITELIST", "COMMAND"]
