"""A telephone number counts once a code that was sent there was typed in: no message goes to a stranger before."""

import re
from datetime import timedelta
from uuid import UUID

import pytest

from ohmstead.accounts import access
from ohmstead.accounts.access import TooManyAttempts
from ohmstead.accounts.signin.proofs import Seals
from ohmstead.core import clock
from ohmstead.core.errors import Refused
from ohmstead.core.events import NUDGE
from ohmstead.core.ids import new_id
from ohmstead.drivers import service as drivers
from ohmstead.drivers.model import DriverChange, NewDriver
from ohmstead.drivers.phones import service as phones
from ohmstead.drivers.signin import codes
from ohmstead.notifications import service as notifications
from ohmstead.notifications.model import PreferencesChange, Recipient
from tests.api.door import problem
from tests.driver.test_signing_in import a_station
from tests.driver.visitor import Visitor
from tests.notifications.post import ShortMessages
from tests.stories.patience import until

NUMBER = "+43 (664) 123-4567"
SENT_TO = "+436641234567"


async def comes_in(visitor: Visitor, phone: str = "") -> UUID:
    """Somebody with an account, who told a number."""
    await visitor.signs_in(visitor.mailbox("ada"), at=await a_station(visitor.network))
    if phone:
        page = await visitor.sends("/drive/me/profile", expect=303, name="Ada", phone=phone, language="en")
        assert page.answer.headers["location"] == "/drive/me/phone"
    return await visitor.driver_id()


async def texted(sms: ShortMessages, number: str = SENT_TO) -> str:
    """The latest code that came to a number; nobody reads it twice."""
    found: list[str] = []

    async def came() -> bool:
        for told in [one for one in sms.heard if one[0] == number]:
            if code := re.search(r"\b\d{6}\b", told[1]):
                found.append(code[0])
                sms.heard.remove(told)
        return bool(found)

    await until(came, f"a code is texted to {number}", patience_s=15)
    return found[-1]


async def is_confirmed(visitor: Visitor) -> bool:
    found = await visitor.network.pool.fetchval(
        "select phone_confirmed_at is not null from driver where driver_id = $1", await visitor.driver_id()
    )
    return bool(found)


async def passes(visitor: Visitor, seconds: int = 40) -> None:
    """For the limits, so much time."""
    await visitor.network.pool.execute(
        "update driver_phone_code set created_at = created_at - make_interval(secs => $1)", seconds
    )


async def test_a_number_is_confirmed_by_the_code_that_came_there(visitor: Visitor, sms: ShortMessages) -> None:
    await comes_in(visitor, NUMBER)
    page = await visitor.opens("/drive/me/phone")
    assert (page.heading, NUMBER in page.text) == ("Is this your number?", True)
    for path in ("/drive/home", "/drive/me", "/drive/me/profile", "/drive/me/alerts"):
        assert "Confirm your number" in (await visitor.opens(path)).text, path
    await visitor.sends("/drive/me/phone/code", expect=303)
    page = await visitor.opens("/drive/me/phone")
    assert page.heading == "A code is on its way"
    code = await texted(sms)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    page = await visitor.sends("/drive/me/phone", expect=403, code=wrong)
    assert "This code is not right" in page.text
    assert not await is_confirmed(visitor)
    done = await visitor.sends("/drive/me/phone", expect=303, code=f" {code[:3]} {code[3:]} ")
    assert "Your number is confirmed." in (await visitor.opens(done.answer.headers["location"])).text
    assert await is_confirmed(visitor)
    for path in ("/drive/home", "/drive/me", "/drive/me/profile", "/drive/me/alerts"):
        assert "Confirm your number" not in (await visitor.opens(path)).text, path
    assert (await visitor.opens("/drive/me/phone")).heading == "Your number is confirmed."
    await visitor.sends("/drive/me/phone/code", expect=409)
    audit = await visitor.network.pool.fetch(
        "select action, detail::text from audit_entry where object = $1", f"driver/{await visitor.driver_id()}"
    )
    assert "driver.phone_confirmed" in [row["action"] for row in audit]
    assert "1234567" not in str([dict(row) for row in audit])


async def wants_sms(visitor: Visitor, *kinds: str) -> None:
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        change = PreferencesChange(channels={kind: ["sms"] for kind in kinds})
        await notifications.set_preferences(conn, visitor.network.party_id, await visitor.driver_id(), change)


async def is_told(visitor: Visitor, kind: str = "station_back", **more: str) -> str:
    """A message of a kind that they want by SMS is due; what became of it."""
    network = visitor.network
    async with network.pool.acquire() as conn, conn.transaction():
        (made,) = await notifications.queue(
            conn,
            network.party_id,
            kind=kind,
            to=Recipient(driver_id=await visitor.driver_id()),
            data={"station": "ST-1", "location": "Quay", "at": clock.now(), **more},
            key=str(new_id()),
        )
    return await ends(visitor, made)


async def ends(visitor: Visitor, notification_id: UUID) -> str:
    found: list[str] = []

    async def is_over() -> bool:
        row = await visitor.network.pool.fetchrow(
            "select status, reason from notification where notification_id = $1", notification_id
        )
        assert row is not None
        found[:] = [row["reason"] or row["status"]]
        return row["status"] not in ("queued", "sending")

    await visitor.front.house.bus.publish(NUDGE, {})
    await until(is_over, "the message is sent or dropped", patience_s=15)
    return found[0]


async def confirms(visitor: Visitor, sms: ShortMessages, number: str = SENT_TO) -> None:
    await visitor.sends("/drive/me/phone/code", expect=303)
    await visitor.sends("/drive/me/phone", expect=303, code=await texted(sms, number))


async def test_nothing_goes_to_a_number_before_it_is_confirmed_nor_to_another_one_after(
    visitor: Visitor, sms: ShortMessages
) -> None:
    await comes_in(visitor, NUMBER)
    await wants_sms(visitor, "station_back", "station_out")
    assert await is_told(visitor) == "no_address"
    await confirms(visitor, sms)
    assert await is_told(visitor) == "sent"
    assert [number for number, _ in sms.heard if number == SENT_TO] == [SENT_TO]
    # The number of somebody else, written over the confirmed one.
    stranger = "+43 664 9999999"
    await visitor.sends("/drive/me/profile", expect=303, name="Ada", phone=stranger, language="en")
    assert not await is_confirmed(visitor)
    assert await is_told(visitor) == "no_address"
    # And back again: what was confirmed once may have changed hands.
    await visitor.sends("/drive/me/profile", expect=303, name="Ada", phone=NUMBER, language="en")
    assert not await is_confirmed(visitor)
    assert not [text for number, text in sms.heard if number == "+436649999999"]


async def test_what_waited_for_a_number_that_is_another_one_by_now_goes_nowhere(
    visitor: Visitor, sms: ShortMessages
) -> None:
    await comes_in(visitor, NUMBER)
    await wants_sms(visitor, "station_back")
    await confirms(visitor, sms)
    sms.heard.clear()
    network = visitor.network
    async with network.pool.acquire() as conn, conn.transaction():
        (made,) = await notifications.queue(
            conn,
            network.party_id,
            kind="station_back",
            to=Recipient(driver_id=await visitor.driver_id()),
            data={"station": "ST-1", "location": "Quay", "at": clock.now()},
            key="waits",
        )
        change = DriverChange(phone="+43 664 7777777")
        await drivers.change_driver(conn, access.system(network.party_id), await visitor.driver_id(), change)
    assert await ends(visitor, made) == "no_address"
    assert sms.heard == []


async def test_a_code_is_for_the_number_that_it_was_sent_to(visitor: Visitor, sms: ShortMessages) -> None:
    await comes_in(visitor, NUMBER)
    await visitor.sends("/drive/me/phone/code", expect=303)
    code = await texted(sms)
    await visitor.sends("/drive/me/profile", expect=303, name="Ada", phone="+43 664 9999999", language="en")
    assert (await visitor.opens("/drive/me/phone")).heading == "Is this your number?"
    await visitor.sends("/drive/me/phone", expect=403, code=code)
    assert not await is_confirmed(visitor)


async def test_a_code_is_good_once_for_ten_minutes_and_five_tries(visitor: Visitor, sms: ShortMessages) -> None:
    await comes_in(visitor, NUMBER)
    await visitor.sends("/drive/me/phone/code", expect=303)
    code = await texted(sms)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(5):
        await visitor.sends("/drive/me/phone", expect=403, code=wrong)
    await visitor.sends("/drive/me/phone", expect=403, code=code)
    assert not await is_confirmed(visitor)
    await passes(visitor)
    await visitor.sends("/drive/me/phone/code", expect=303)
    code = await texted(sms)
    late = clock.now() + timedelta(minutes=11)
    clock.set_source(lambda: late)
    try:
        await visitor.sends("/drive/me/phone", expect=403, code=code)
    finally:
        clock.set_source(None)
    await passes(visitor)
    first = code
    await visitor.sends("/drive/me/phone/code", expect=303)
    code = await texted(sms)
    if first != code:
        await visitor.sends("/drive/me/phone", expect=403, code=first)
    await visitor.sends("/drive/me/phone", expect=303, code=code)
    assert await is_confirmed(visitor)
    await visitor.network.pool.execute(
        "update driver set phone_confirmed_at = null where driver_id = $1", await visitor.driver_id()
    )
    await visitor.sends("/drive/me/phone", expect=403, code=code)


async def a_driver(visitor: Visitor, phone: str) -> UUID:
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        given = NewDriver(name="Bea", phone=phone)
        return (await drivers.create_driver(conn, access.system(visitor.network.party_id), given)).driver_id


def seals_of(visitor: Visitor) -> Seals:
    seals: Seals = visitor.front.app.state.sign_in_desk.seals
    return seals


async def test_nobody_floods_a_number_however_it_is_written_nor_by_many_accounts(visitor: Visitor) -> None:
    network, seals = visitor.network, seals_of(visitor)
    writings = ["+43 664 123", "0043 664 123", "+43664123", "+43 (664) 12-3", "+43/664/123", "+43.664.123"]
    async with network.pool.acquire() as conn, conn.transaction():
        for n, writing in enumerate(writings):
            driver_id = await a_driver(visitor, writing)
            await phones.begin_code(conn, seals, network.party_id, driver_id, f"192.0.2.{n}")
            other = await a_driver(visitor, writing)
            with pytest.raises(TooManyAttempts, match="a moment ago"):
                await phones.begin_code(conn, seals, network.party_id, other, f"192.0.2.{n}")
            # Who is erased does not take along how often they asked.
            await phones.forget(conn, network.party_id, driver_id)
            await conn.execute("update driver_phone_code set created_at = created_at - interval '40 s'")
        with pytest.raises(TooManyAttempts, match="too many codes"):
            await phones.begin_code(conn, seals, network.party_id, await a_driver(visitor, writings[0]), "192.0.2.9")
        assert await conn.fetchval("select count(*) from driver_phone_code where phone <> ''") == 0


async def test_nobody_asks_for_codes_to_ever_other_numbers(visitor: Visitor) -> None:
    network, seals = visitor.network, seals_of(visitor)
    actor, driver_id = access.system(network.party_id), await a_driver(visitor, "+43 1 0")
    async with network.pool.acquire() as conn, conn.transaction():
        for n in range(codes.MOST_PER_HOUR):
            await drivers.change_driver(conn, actor, driver_id, DriverChange(phone=f"+43 1 {n}"))
            await phones.begin_code(conn, seals, network.party_id, driver_id, f"192.0.2.{n}")
            await conn.execute("update driver_phone_code set created_at = created_at - interval '40 s'")
        await drivers.change_driver(conn, actor, driver_id, DriverChange(phone="+43 1 99"))
        with pytest.raises(TooManyAttempts, match="too many codes"):
            await phones.begin_code(conn, seals, network.party_id, driver_id, "192.0.2.99")
        for n in range(codes.MOST_PER_ADDRESS):
            other = await a_driver(visitor, f"+43 2 {n}")
            await phones.begin_code(conn, seals, network.party_id, other, f"2001:db8:7:7::{n:x}")
        other = await a_driver(visitor, "+43 2 999")
        with pytest.raises(TooManyAttempts, match="too many codes"):
            await phones.begin_code(conn, seals, network.party_id, other, "2001:db8:7:7:ffff::1")
        await phones.begin_code(conn, seals, network.party_id, other, "2001:db8:7:8::1")


async def test_a_number_at_whose_codes_somebody_guesses_gets_longer_ones(visitor: Visitor) -> None:
    network, seals = visitor.network, seals_of(visitor)
    actor = access.system(network.party_id)
    async with network.pool.acquire() as conn, conn.transaction():
        for n in range(4):
            driver_id = await a_driver(visitor, "+43 664 123")
            made = await phones.begin_code(conn, seals, network.party_id, driver_id)
            assert len(made.code) == 6
            wrong = "1" * 6 if made.code != "1" * 6 else "2" * 6
            for _ in range(5):
                assert not await phones.try_code(conn, seals, actor, driver_id, wrong)
            with pytest.raises(Refused):
                await phones.try_code(conn, seals, actor, driver_id, made.code)
            at = clock.now() - timedelta(hours=8 - n)
            await conn.execute("update driver_phone_code set created_at = $1 where code_id = $2", at, made.code_id)
        driver_id = await a_driver(visitor, "0043 664 123")
        made = await phones.begin_code(conn, seals, network.party_id, driver_id)
        assert len(made.code) == 8
        assert await phones.try_code(conn, seals, actor, driver_id, f"{made.code[:4]} {made.code[4:]}")


async def test_hostile_forms_are_answered_politely(visitor: Visitor, another: Visitor) -> None:
    await comes_in(visitor)
    assert (await visitor.opens("/drive/me/phone")).heading == "There is no number to confirm."
    await visitor.sends("/drive/me/phone/code", expect=409)
    for code in ("", "x", "\u0661\u0662\u0663\u0664\u0665\u0666", "9" * 5000, "' or 1=1 --"):
        await visitor.sends("/drive/me/phone", expect=403, code=code)
    await visitor.sends("/drive/me/profile", expect=303, name="Ada", phone="(-)", language="en")
    await visitor.sends("/drive/me/phone/code", expect=409)
    for path in ("/drive/me/phone/code", "/drive/me/phone"):
        page = await another.sends(path, expect=303, code="1")
        assert page.answer.headers["location"].startswith("/drive/sign-in")


async def test_operators_see_whether_a_number_is_confirmed_and_type_in_what_they_are_told(
    visitor: Visitor, sms: ShortMessages
) -> None:
    driver_id = await comes_in(visitor, NUMBER)
    path = f"/drivers/{driver_id}"
    async with visitor.front.visitor(visitor.network, "drivers:read", "drivers:write", "notifications:read") as api:
        assert (await api.gets(path))["phone_confirmed_at"] is None
        sent = await api.posts(f"{path}/phone-code", {}, expect=202)
        assert sent["phone"] == NUMBER
        code = await texted(sms)
        wrong = f"{(int(code) + 1) % 1_000_000:06d}"
        problem(await api.client.post(f"{path}/phone-confirmation", json={"code": wrong}), 409, "refused")
        assert (
            await visitor.network.pool.fetchval("select n_wrong from driver_phone_code where driver_id = $1", driver_id)
            == 1
        )
        done = await api.posts(f"{path}/phone-confirmation", {"code": code}, expect=200)
        assert done["phone_confirmed_at"] is not None
        assert (await api.gets(f"{path}/notification-preferences"))["phone_confirmed_at"] is not None
        changed = await api.patches(path, {"phone": "+43 664 555"})
        assert changed["phone_confirmed_at"] is None
        problem(await api.client.post(f"{path}/phone-confirmation", json={"code": code}), 409, "refused")
    async with visitor.front.visitor(visitor.network, "drivers:read") as reader:
        problem(await reader.client.post(f"{path}/phone-code", json={}), 403)


async def test_who_is_erased_leaves_no_number(visitor: Visitor, sms: ShortMessages) -> None:
    driver_id = await comes_in(visitor, NUMBER)
    await visitor.sends("/drive/me/phone/code", expect=303)
    await texted(sms)
    await visitor.sends("/drive/me/data/erase", sure="yes")
    rows = await visitor.network.pool.fetch("select * from driver_phone_code where driver_id = $1", driver_id)
    assert [row["phone"] for row in rows] == [""]
    assert "1234567" not in str([dict(row) for row in rows])
