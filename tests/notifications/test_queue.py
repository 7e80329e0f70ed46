"""Messages come into the queue once, as their people want them, and are sent, tried again, or dropped with a reason."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.core import clock
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound, Refused
from ohmstead.core.events import Event
from ohmstead.core.money import Money
from ohmstead.notifications import queries, service, store, templates
from ohmstead.notifications.model import PreferencesChange, Recipient
from ohmstead.notifications.ports import Gone
from ohmstead.notifications.templates import MessageWords
from tests.notifications.network import BASE, SECRET, Harbour, at
from tests.notifications.post import Browser
from tests.notifications.test_push_and_sms import text64


@pytest.fixture
def still() -> Iterator[list[datetime]]:
    """A clock that stands, and is moved by setting its only element."""
    now = [at("2026-03-02T23:00:00")]
    clock.set_source(lambda: now[0])
    yield now
    clock.set_source(None)


async def prefers(harbour: Harbour, driver_id: UUID, **change: object) -> None:
    async with harbour.pool.acquire() as conn, conn.transaction():
        await service.set_preferences(conn, harbour.party_id, driver_id, PreferencesChange(**change))  # type: ignore[arg-type]


async def test_one_thing_is_told_once_however_often_it_is_asked_for(harbour: Harbour) -> None:
    robin = await harbour.driver()
    first = await harbour.tells("charging_complete", robin, energy=23_450)
    assert len(first) == 1
    assert await harbour.tells("charging_complete", robin, energy=99_999) == []
    assert len(await harbour.tells("charging_complete", robin, key="2")) == 1
    assert await harbour.sends() == 2
    assert await harbour.tells("charging_complete", robin) == []
    assert await harbour.sends() == 0
    assert len(harbour.email.letters) == 2


async def test_asked_for_by_many_at_once_it_is_told_once(harbour: Harbour) -> None:
    robin = await harbour.driver()
    made = await asyncio.gather(
        *(harbour.tells("debt_opened", robin, amount=Money(Decimal(3), "EUR")) for _ in range(8))
    )
    assert sum(len(one) for one in made) == 1
    sent = await asyncio.gather(*(harbour.sender().drain() for _ in range(4)))
    assert sum(sent) == 1
    assert len(harbour.email.letters) == 1


async def test_a_device_more_does_not_bring_old_messages_again(harbour: Harbour) -> None:
    robin, browser = await harbour.driver(), Browser()
    await harbour.tells("debt_opened", robin)
    await harbour.subscribes(robin, "https://push.example/1", text64(browser.point), text64(browser.auth))
    assert await harbour.tells("debt_opened", robin) == []
    assert len(await harbour.tells("debt_opened", robin, key="2")) == 2


async def test_a_letter_is_in_its_drivers_language_and_leads_to_us(harbour: Harbour) -> None:
    robin = await harbour.driver(language="de")
    await harbour.tells(
        "charging_complete",
        robin,
        energy=Decimal(23_450),
        total=Money(Decimal("12.40"), "EUR"),
        link="/drive/s/x",
    )
    await harbour.sends()
    (letter,) = harbour.email.letters
    text = letter.text.replace("\u00a0", " ")
    assert "23,45 kWh" in text
    assert "12,40 €" in text
    assert f"{BASE}/drive/s/x" in text
    assert letter.unsubscribe_url is not None
    assert letter.unsubscribe_url in text
    (row,) = await harbour.rows()
    assert (row["status"], row["body"]) == ("sent", letter.text)


async def test_what_is_turned_off_is_not_told_even_if_it_waits(harbour: Harbour) -> None:
    robin = await harbour.driver()
    await harbour.tells("charging_complete", robin, key="waits")
    await prefers(harbour, robin, channels={"charging_complete": []})
    assert await harbour.tells("charging_complete", robin, key="later") == []
    await harbour.sends()
    assert await harbour.told() == [("charging_complete", "email", "turned_off")]
    assert not harbour.email.letters


async def test_preferences_say_what_counts_and_refuse_nonsense(harbour: Harbour) -> None:
    robin = await harbour.driver()
    async with harbour.pool.acquire() as conn, conn.transaction():
        before = await service.get_preferences(conn, harbour.party_id, robin)
        assert (before.version, before.channels["charging_started"]) == (0, ["push"])
        assert "sign_in_code" not in before.channels
        change = PreferencesChange(
            channels={"charging_started": ["email", "email", "sms"]}, quiet_from_minute=0, quiet_until_minute=360
        )
        after = await service.set_preferences(conn, harbour.party_id, robin, change)
        assert (after.version, after.channels["charging_started"]) == (1, ["email", "sms"])
        assert after.channels["idle_fee"] == before.channels["idle_fee"]
        nothing = await service.set_preferences(conn, harbour.party_id, robin, PreferencesChange())
        assert (nothing.quiet_until_minute, nothing.version) == (360, 2)
        for change, error in (
            (PreferencesChange(channels={"nonsense": []}), Invalid),
            (PreferencesChange(channels={"sign_in_code": []}), Invalid),
            (PreferencesChange(quiet_from_minute=None), Invalid),
            (PreferencesChange(time_zone="Mars/Base"), Invalid),
        ):
            with pytest.raises(error):
                await service.set_preferences(conn, harbour.party_id, robin, change)
        with pytest.raises(Conflict):
            await service.set_preferences(conn, harbour.party_id, robin, PreferencesChange(), if_version=1)
        with pytest.raises(NotFound):
            await service.get_preferences(conn, UUID(int=1), robin)


async def test_the_night_is_quiet_for_what_can_wait(harbour: Harbour, still: list[datetime]) -> None:
    robin = await harbour.driver(phone="+431")
    await prefers(harbour, robin, quiet_from_minute=22 * 60, quiet_until_minute=7 * 60)
    await harbour.tells("receipt_issued", robin)
    await harbour.tells("plug_free", robin)
    await harbour.tells("nearly_full", robin)
    await harbour.sends()
    assert [one.kind for one in harbour.email.letters] == ["plug_free"]
    still[0] = at("2026-03-03T06:00:00")  # seven on the wall of Berlin
    await harbour.sends()
    assert {one.kind for one in harbour.email.letters} == {"plug_free", "receipt_issued"}
    assert len(harbour.email.letters) == 2


async def test_a_failure_is_tried_again_later_and_later_and_kept_in_the_log(
    harbour: Harbour, still: list[datetime]
) -> None:
    robin = await harbour.driver()
    await harbour.tells("receipt_issued", robin)
    harbour.email.fails = [ExternalFailure("450 4.2.0 Greylisted"), ExternalFailure("421 Too busy")]
    await harbour.sends()
    assert (await harbour.rows())[0]["status"] == "queued"
    assert await harbour.sends() == 0  # not before its time
    for minutes in (1, 2):
        still[0] += timedelta(minutes=minutes)
        await harbour.sends()
    ((row,),) = (await harbour.rows(),)
    assert (row["status"], row["n_tries"]) == ("sent", 3)
    async with harbour.pool.acquire() as conn:
        found = await queries.get_notification(conn, harbour.party_id, row["notification_id"])
    assert [one.error or one.answer for one in found.attempts] == ["250 taken", "421 Too busy", "450 4.2.0 Greylisted"]


async def test_a_refusal_for_good_ends_it_and_it_can_be_sent_again_by_hand(harbour: Harbour) -> None:
    robin = await harbour.driver()
    (made,) = await harbour.tells("receipt_issued", robin)
    harbour.email.fails = [ExternalFailure("550 No such user", permanent=True)]
    await harbour.sends()
    assert await harbour.told() == [("receipt_issued", "email", "refused")]
    async with harbour.pool.acquire() as conn, conn.transaction():
        assert (await service.resend(conn, harbour.party_id, made)).status == "queued"
        with pytest.raises(Refused):
            await service.resend(conn, harbour.party_id, made)
        with pytest.raises(NotFound):
            await service.resend(conn, UUID(int=1), made)
    await harbour.sends()
    assert await harbour.told() == [("receipt_issued", "email", "sent")]
    (letter,) = harbour.email.letters
    assert letter.notification_id == made


async def test_without_a_channel_messages_are_kept_and_say_so(harbour: Harbour) -> None:
    robin = await harbour.driver()
    (made,) = await harbour.tells("receipt_issued", robin, number="R-1")
    await harbour.sender(push=harbour.push).drain()
    (row,) = await harbour.rows()
    assert (row["status"], row["reason"]) == ("dropped", "no_channel")
    assert "R-1" in row["body"]
    async with harbour.pool.acquire() as conn, conn.transaction():
        await service.resend(conn, harbour.party_id, made)
    await harbour.sends()
    assert len(harbour.email.letters) == 1


async def test_a_code_that_cannot_be_sent_can_be_looked_up_as_long_as_it_is_good(
    harbour: Harbour, still: list[datetime]
) -> None:
    robin = await harbour.driver()
    (unsent,) = await harbour.tells("sign_in_code", robin, code="123456", minutes=10)
    await harbour.sender(push=harbour.push).drain()
    (sent,) = await harbour.tells("sign_in_code", robin, key="another", code="654321", minutes=10)
    await harbour.sends()
    (receipt,) = await harbour.tells("receipt_issued", robin, number="R-1")
    await harbour.sender(push=harbour.push).drain()

    async def found(notification_id: UUID, party_id: UUID = harbour.party_id) -> str | None:
        async with harbour.pool.acquire() as conn:
            return await queries.find_code(conn, party_id, notification_id, still[0])

    assert [await found(one) for one in (unsent, sent, receipt)] == ["123456", None, None]
    assert await found(unsent, UUID(int=1)) is None
    still[0] += timedelta(hours=1)
    assert await found(unsent) is None


async def test_what_comes_too_late_is_not_told(harbour: Harbour, still: list[datetime]) -> None:
    robin = await harbour.driver()
    await harbour.tells("plug_free", robin)
    still[0] += timedelta(minutes=11)
    await harbour.sends()
    assert await harbour.told() == [("plug_free", "email", "too_late")]
    assert not harbour.email.letters


async def test_a_browser_that_is_gone_is_forgotten(harbour: Harbour) -> None:
    robin, browser = await harbour.driver(None), Browser()
    await harbour.subscribes(robin, "https://push.example/1", text64(browser.point), text64(browser.auth))
    await harbour.tells("charging_started", robin)
    harbour.push.fails = [Gone("410")]
    await harbour.sends()
    assert await harbour.told() == [("charging_started", "push", "refused")]
    async with harbour.pool.acquire() as conn:
        assert (await service.get_preferences(conn, harbour.party_id, robin)).n_devices == 0


async def test_a_browser_is_whoevers_signed_in_with_it_and_ten_are_enough(harbour: Harbour) -> None:
    robin, alex, browser = await harbour.driver(), await harbour.driver(), Browser()
    point, auth = text64(browser.point), text64(browser.auth)
    await harbour.subscribes(robin, "https://push.example/1", point, auth)
    await harbour.subscribes(alex, "https://push.example/1", point, auth)
    for n in range(2, 14):
        await harbour.subscribes(alex, f"https://push.example/{n}", point, auth)
    async with harbour.pool.acquire() as conn:
        assert (await service.get_preferences(conn, harbour.party_id, robin)).n_devices == 0
        assert (await service.get_preferences(conn, harbour.party_id, alex)).n_devices == 10
    for bad in ({"point": text64(b"\x04" * 65)}, {"auth": text64(b"x" * 15)}):
        with pytest.raises(Invalid):
            await harbour.subscribes(robin, "https://push.example/9", **{"point": point, "auth": auth, **bad})


async def test_the_push_key_is_made_once_and_sealed(harbour: Harbour) -> None:
    async def key(secret: bytes = SECRET) -> str:
        async with harbour.pool.acquire() as conn, conn.transaction():
            return await service.vapid_public_key(conn, secret)

    keys = await asyncio.gather(*(key() for _ in range(4)))
    assert len(set(keys)) == 1
    sealed = await harbour.pool.fetchval("select sealed from push_key")
    assert b"PRIVATE" not in sealed
    with pytest.raises(ExternalFailure, match="another OHMSTEAD_SECRET_KEY"):
        await key(b"o" * 32)


async def test_a_code_is_kept_no_longer_than_it_takes(harbour: Harbour) -> None:
    guest = Recipient(email="new@example.com", language="de")
    (made,) = await harbour.tells("sign_in_code", guest, code="482913", minutes=10)
    await harbour.sends()
    (letter,) = harbour.email.letters
    assert "482913" in letter.text
    assert letter.unsubscribe_url is None
    row = await harbour.pool.fetchrow("select n::text as all from notification n")
    assert row is not None
    assert "482913" not in row["all"]
    async with harbour.pool.acquire() as conn, conn.transaction():
        with pytest.raises(Refused, match="secret"):
            await service.resend(conn, harbour.party_id, made)


async def test_an_erased_driver_is_in_no_message(harbour: Harbour) -> None:
    robin, browser = await harbour.driver("erase.me@example.com"), Browser()
    await harbour.subscribes(robin, "https://push.example/1", text64(browser.point), text64(browser.auth))
    await prefers(harbour, robin, channels={"card_used": []})
    await harbour.tells("receipt_issued", robin, number="R-77")
    await harbour.sends()
    assert await harbour.told() == [("receipt_issued", "email", "sent")]
    await harbour.tells("debt_opened", robin)
    event = Event("DriverErased", f"driver/{robin}", {"driver_id": str(robin)}, harbour.party_id)
    async with harbour.pool.acquire() as conn, conn.transaction():
        await service.forget_drivers(conn, [event])
    for table in ("notification", "notification_attempt", "push_subscription", "notification_preference"):
        text = str([row["all"] for row in await harbour.pool.fetch(f"select x::text as all from {table} x")])
        assert not any(word in text for word in ("erase.me", "R-77", "push.example")), table
    assert [row["status"] for row in await harbour.rows()] == ["sent", "dropped", "dropped"]


async def test_a_driver_who_is_erased_while_a_mail_is_on_its_way_is_in_no_message(harbour: Harbour) -> None:
    robin = await harbour.driver("erase.me@example.com")
    await harbour.tells("receipt_issued", robin, number="R-77")
    await harbour.tells("charging_complete", robin, number="R-77", plug="R-77")
    harbour.email.slow_s = 0.5
    harbour.email.fails = [ExternalFailure("550 erase.me@example.com is not here", permanent=True)]
    sending = asyncio.create_task(harbour.sender().drain())
    await asyncio.sleep(0.2)
    event = Event("DriverErased", f"driver/{robin}", {"driver_id": str(robin)}, harbour.party_id)
    async with harbour.pool.acquire() as conn, conn.transaction():
        await service.forget_drivers(conn, [event])
    await sending
    for table in ("notification", "notification_attempt"):
        text = str([row["all"] for row in await harbour.pool.fetch(f"select x::text as all from {table} x")])
        assert not any(word in text for word in ("erase.me", "R-77")), table
    assert {row["reason"] for row in await harbour.rows()} == {"erased"}


async def test_to_whom_a_code_went_is_forgotten_after_a_day(harbour: Harbour, still: list[datetime]) -> None:
    robin = await harbour.driver()
    harbour.email.fails = [ExternalFailure("550 new@example.com is not here", permanent=True)]
    await harbour.tells("sign_in_code", Recipient(email="new@example.com"), code="482913")
    await harbour.sends()
    await harbour.tells("receipt_issued", robin)
    still[0] += timedelta(hours=23)
    await harbour.tells("sign_in_code", Recipient(email="waits@example.com"), key="2", code="482914")
    addresses = "select array_agg(address order by address) from notification"
    async with harbour.pool.acquire() as conn:
        await service.drop_old(conn)
        assert await conn.fetchval(addresses) == ["new@example.com", "robin@example.com", "waits@example.com"]
        still[0] += timedelta(hours=2)
        await service.drop_old(conn)
        assert await conn.fetchval(addresses) == ["robin@example.com", "waits@example.com", None]
        assert "new@" not in str(await conn.fetch("select a::text from notification_attempt a"))


async def test_own_words_are_used_and_bad_ones_do_not_silence_anybody(harbour: Harbour) -> None:
    from ohmstead.accounts import access

    robin, actor = await harbour.driver(), access.system(harbour.party_id)
    async with harbour.pool.acquire() as conn, conn.transaction():
        words = MessageWords(subject="Done, {{ name }}", body="{{ energy }}!\n\n[Go]({{ link }})")
        made = await templates.put_template(conn, actor, "charging_complete", "en", words)
        assert made.is_own
        shown = await templates.preview(conn, harbour.party_id, "charging_complete", "en")
        assert shown.subject == "Done, Robin"
        with pytest.raises(Invalid, match="no variable"):
            await templates.put_template(
                conn, actor, "charging_complete", "en", MessageWords(subject="{{ x }}", body="y")
            )
        with pytest.raises(NotFound):
            await templates.get_template(conn, harbour.party_id, "charging_complete", "xx")
    await harbour.tells("charging_complete", robin, energy=1000)
    await harbour.sends()
    await harbour.pool.execute("update notification_template set body = '{{ energy.x() }}'")
    await harbour.tells("charging_complete", robin, key="2", energy=1000)
    await harbour.sends()
    first, second = harbour.email.letters
    assert first.subject == "Done, Robin"
    assert "1.00" in first.text
    assert second.subject.startswith("Charging complete")
    async with harbour.pool.acquire() as conn, conn.transaction():
        assert not (await templates.reset_template(conn, actor, "charging_complete", "en")).is_own


async def test_a_worker_that_died_leaves_its_message_to_another(harbour: Harbour, still: list[datetime]) -> None:
    robin = await harbour.driver()
    (made,) = await harbour.tells("receipt_issued", robin)
    async with harbour.pool.acquire() as conn:
        assert len(await store.claim(conn, 10, clock.now(), timedelta(seconds=90))) == 1
    assert await harbour.sends() == 0
    still[0] += timedelta(seconds=91)
    assert await harbour.sends() == 1
    assert [one.notification_id for one in harbour.email.letters] == [made]


async def test_old_messages_are_forgotten(harbour: Harbour, still: list[datetime]) -> None:
    robin = await harbour.driver()
    await harbour.tells("receipt_issued", robin)
    still[0] += timedelta(days=91)
    await harbour.tells("receipt_issued", robin, key="2")
    async with harbour.pool.acquire() as conn:
        assert await service.drop_old(conn) == 1
    assert len(await harbour.rows()) == 1


async def test_mails_are_turned_off_one_kind_or_all_and_the_rest_stays(harbour: Harbour) -> None:
    robin = await harbour.driver()
    async with harbour.pool.acquire() as conn, conn.transaction():
        assert await service.turn_off(conn, harbour.party_id, robin, "idle_fee") == ["idle_fee"]
        after = await service.get_preferences(conn, harbour.party_id, robin)
        assert (after.channels["idle_fee"], after.channels["stopped_early"]) == (["push"], ["push", "email"])
        await service.turn_off(conn, harbour.party_id, robin, None)
        after = await service.get_preferences(conn, harbour.party_id, robin)
        assert not any("email" in channels for channels in after.channels.values())
        with pytest.raises(Refused):
            await service.turn_off(conn, harbour.party_id, robin, "debt_opened")
    # Push was the only channel left, and there is no device: it does not come by mail instead.
    await harbour.tells("charging_complete", robin)
    await harbour.sends()
    assert not harbour.email.letters
