"""Signed readings of settled sessions: verdicts, pinned keys, and what they keep from being billed."""

from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from ohmstead.billing.cdrs import ocpi, queries
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.sessions.pricing.store import list_sessions
from ohmstead.sessions.settling.service import settle
from ohmstead.sessions.signed import service as signed
from ohmstead.sessions.signed.model import NewMeterKey
from tests.billing.network import AT, Business
from tests.rules.test_signed import SigningMeter


async def charged(business: Business, *texts: bytes, key: str | None = None, wh: int = 5000, evse: int = 1) -> UUID:
    """A session that ended, with what its meter signed."""
    session_id = await business.session(wh, settled_at=None, evse_number=evse)
    for n, text in enumerate(texts):
        await business.pool.execute(
            "insert into signed_reading (session_id, sampled_at, context, measurand, digest, encoding, public_key, data)"
            " values ($1, $2, 'Transaction.Begin', 'Energy.Active.Import.Register', $3, 'OCMF', $4, $5)",
            session_id,
            AT + timedelta(minutes=n),
            sha256(text).digest(),
            key,
            text,
        )
    return session_id


async def settles(business: Business, session_id: UUID) -> Any:
    async with business.pool.acquire() as conn, conn.transaction():
        await signed.check(conn, await list_sessions(conn, [session_id]))
        return await signed.find_verdict(conn, business.party_id, session_id)


async def registers(business: Business, key: str, evse: int = 1) -> None:
    async with business.pool.acquire() as conn, conn.transaction():
        await signed.register_key(
            conn, business.actor, business.station_id, NewMeterKey(evse_number=evse, public_key=key)
        )


async def wants(business: Business, doubt: Any) -> None:
    async with business.pool.acquire() as conn, conn.transaction():
        await signed.set_policy(conn, business.actor, doubt)


async def signals(business: Business) -> list[str]:
    rows = await business.pool.fetch("select kind from security_signal where party_id = $1", business.party_id)
    return [row["kind"] for row in rows]


async def test_a_session_is_verified_with_the_key_that_came_first_and_it_is_pinned(business: Business) -> None:
    meter = SigningMeter()
    texts = [meter.signs("B", "100.0"), meter.signs("E", "105.0", 60)]
    found = await settles(business, await charged(business, *texts, key=meter.key))
    assert (found.verdict, found.reasons, found.n_readings, found.energy_wh) == ("verified", [], 2, Decimal(5000))
    async with business.pool.acquire() as conn:
        (pinned,) = await signed.list_keys(conn, business.party_id, business.station_id)
    assert (pinned.public_key, pinned.source, pinned.curve, pinned.evse_number) == (
        meter.key,
        "message",
        "secp256r1",
        1,
    )
    assert await signals(business) == []


async def test_another_key_later_is_a_signal_and_proves_nothing(business: Business) -> None:
    meter, thief = SigningMeter(), SigningMeter()
    await settles(
        business, await charged(business, meter.signs("B", "1.0"), meter.signs("E", "6.0", 60), key=meter.key)
    )
    session_id = await charged(business, thief.signs("B", "1.0"), thief.signs("E", "6.0", 60), key=thief.key)
    found = await settles(business, session_id)
    assert (found.verdict, found.reasons) == ("failed", ["the signature is not the meter's"])
    assert await signals(business) == ["meter_key_changed"]
    facts = await business.pool.fetch("select payload from outbox where kind = 'SignedReadingsFailed'")
    assert [row["payload"]["session_id"] for row in facts] == [str(session_id)]
    # A new meter is told by a person; then its key counts.
    await registers(business, thief.key)
    again = await charged(business, thief.signs("B", "7.0"), thief.signs("E", "12.0", 60), key=thief.key)
    assert (await settles(business, again)).verdict == "verified"


async def test_a_registered_key_serves_stations_that_send_none(business: Business) -> None:
    meter = SigningMeter()
    first = await charged(business, meter.signs("B", "1.0"), meter.signs("E", "6.0", 60))
    assert (await settles(business, first)).verdict == "no_key"
    await registers(business, meter.key, evse=0)
    second = await charged(business, meter.signs("B", "6.0"), meter.signs("E", "11.0", 60))
    assert (await settles(business, second)).verdict == "verified"


async def test_keys_are_registered_by_people_and_written_down(business: Business) -> None:
    meter, newer = SigningMeter(), SigningMeter()
    await registers(business, meter.key)
    with pytest.raises(Conflict):
        await registers(business, meter.key)
    with pytest.raises(Invalid):
        await registers(business, "no key")
    await registers(business, newer.key)
    async with business.pool.acquire() as conn:
        keys = await signed.list_keys(conn, business.party_id, business.station_id)
        with pytest.raises(NotFound):
            async with conn.transaction():
                await signed.register_key(
                    conn, business.actor, "NOBODYS", NewMeterKey(evse_number=1, public_key=meter.key)
                )
    assert [(key.public_key, key.until_at is None) for key in keys] == [(newer.key, True), (meter.key, False)]
    actions = await business.pool.fetch("select action from audit_entry where party_id = $1", business.party_id)
    assert [row["action"] for row in actions].count("meter_key.registered") == 2


async def test_a_session_that_its_meter_does_not_prove_is_not_billed_if_the_party_says_so(business: Business) -> None:
    meter = SigningMeter()
    proved = await charged(business, meter.signs("B", "1.0"), meter.signs("E", "6.0", 60), key=meter.key)
    forged = await charged(
        business, meter.signs("B", "6.0"), meter.signs("E", "11.0", 60).replace(b"11.0", b"12.0"), key=meter.key
    )
    silent = await charged(business)
    for session_id in (proved, forged, silent):
        await settles(business, session_id)
        await business.pool.execute("update session set settled_at = now() where session_id = $1", session_id)
    await wants(business, "failed")
    await registers(business, meter.key)
    await business.settles(proved, forged, silent)
    assert {cdr.session_id for cdr in await business.cdrs()} == {proved, silent}
    assert await business.unbillable() == {forged: ("implausible", None)}
    # What is asked of meters with a registered key is asked of no others.
    await wants(business, "missing")
    elsewhere = await charged(business, evse=2)
    here = await charged(business)
    for session_id in (elsewhere, here):
        await business.pool.execute("update session set settled_at = now() where session_id = $1", session_id)
    await business.settles(elsewhere, here)
    assert set(await business.unbillable()) == {forged, here}
    await business.decides(here, "bill")
    assert await business.faults() == []


async def test_readings_are_told_byte_for_byte_and_go_with_the_cdr(business: Business) -> None:
    meter = SigningMeter()
    texts = [meter.signs("B", "1.0") + b"\r\n", meter.signs("E", "6.0", 60)]
    session_id = await charged(business, *texts, key=meter.key)
    async with business.pool.acquire() as conn:
        before = await signed.readings_of(conn, business.party_id, session_id)
        assert await signed.find_verdict(conn, business.party_id, session_id) is None
    await settles(business, session_id)
    async with business.pool.acquire() as conn:
        after = await signed.readings_of(conn, business.party_id, session_id)
        assert await signed.readings_of(conn, UUID(int=0), session_id) == []
    assert [one.raw for one in before] == [one.raw for one in after] == texts
    assert [(one.verdict, one.reading_wh) for one in after] == [
        ("verified", Decimal(1000)),
        ("verified", Decimal(6000)),
    ]
    assert [one.verdict for one in before] == ["verified", "verified"]
    await business.pool.execute("update session set settled_at = now() where session_id = $1", session_id)
    await business.settles(session_id)
    (cdr,) = await business.cdrs()
    async with business.pool.acquire() as conn:
        _, _, version = await queries.get_owner(conn, business.party_id, cdr)
    found = ocpi.cdr_object(cdr, "NL", "ABC", version.tariff, signed=after).signed_data
    assert found is not None
    assert (found["encoding_method"], found["public_key"]) == ("OCMF", meter.key)
    assert [(v["nature"], v["signed_data"]) for v in found["signed_values"]] == [
        ("Start", texts[0].decode().strip()),
        ("End", texts[1].decode()),
    ]


async def test_settling_looks_at_what_was_signed(business: Business) -> None:
    meter = SigningMeter()
    session_id = await charged(business, meter.signs("B", "1.0"), key=meter.key)
    async with business.pool.acquire() as conn, conn.transaction():
        await conn.execute("delete from charging_period where session_id = $1", session_id)
        await settle(conn, [session_id])
        found = await signed.find_verdict(conn, business.party_id, session_id)
    assert found is not None
    assert found.verdict == "failed"
    assert "no signed reading ends it" in found.reasons


async def test_a_key_among_the_stations_settings_is_taken_where_none_came(business: Business) -> None:
    meter, other = SigningMeter(), SigningMeter()
    for component, variable, key in (("", "MeterPublicKey1", meter.key), ("FiscalMetering@2", "PublicKey", other.key)):
        await business.pool.execute(
            "insert into station_variable (station_id, component, variable, value) values ($1, $2, $3, $4)",
            business.station_id,
            component,
            variable,
            key,
        )
    for evse, one in ((1, meter), (2, other)):
        session_id = await charged(business, one.signs("B", "1.0"), one.signs("E", "6.0", 60), evse=evse)
        assert (await settles(business, session_id)).verdict == "verified"
