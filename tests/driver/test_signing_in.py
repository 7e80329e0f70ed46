"""Drivers sign in by six digits from their mailbox: nobody else does, nobody is led elsewhere, nobody learns who is known."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ohmstead.accounts import access
from ohmstead.accounts.access import TooManyAttempts
from ohmstead.core import clock
from ohmstead.core.events import NUDGE
from ohmstead.drivers import service as drivers
from ohmstead.drivers.model import DriverChange, NewDriver
from ohmstead.drivers.signin import codes
from ohmstead.drivers.signin import service as signin
from tests.driver.visitor import Visitor, has_plug, offers, per_kwh, plug_path, public_place
from tests.notifications.post import Browser
from tests.notifications.test_push_and_sms import text64
from tests.stories.network import Network
from tests.stories.patience import until


async def a_station(network: Network) -> str:
    station = await network.station("1.6", location_id=await public_place(network))
    await has_plug(network, station)
    return station.station_id


async def asks(visitor: Visitor, email: str, at: str) -> str:
    page = await visitor.sends("/drive/sign-in", email=email, at=at)
    return next(page.all("input", name="code_id")).attributes["value"]


async def test_the_first_time_makes_an_account_that_pays_before_it_charges(visitor: Visitor) -> None:
    await offers(visitor.network, per_kwh("0.50"))
    station = await a_station(visitor.network)
    await visitor.signs_in(visitor.mailbox("ada"), at=station)
    page = await visitor.opens("/drive/home")
    assert "My wallet" in page.text
    assert "€0.00 to spend" in page.text
    page = await visitor.opens(plug_path(station))
    assert "Your wallet is empty: top it up, or store a card." in page.text


async def test_a_confirmed_mailbox_is_the_driver_whom_operators_wrote_down(visitor: Visitor) -> None:
    network = visitor.network
    email = visitor.mailbox("Grace").replace("example", "Example")
    async with network.pool.acquire() as conn, conn.transaction():
        known = await drivers.create_driver(
            conn,
            access.system(network.party_id),
            NewDriver(name="Grace", email=email),
        )
    await visitor.signs_in(visitor.mailbox("grace"), at=await a_station(network))
    assert await visitor.driver_id() == known.driver_id
    assert (await visitor.opens("/drive/me")).heading == "Grace"


async def test_a_code_is_good_once_for_ten_minutes_and_five_tries(visitor: Visitor, another: Visitor) -> None:
    station = await a_station(visitor.network)
    code_id = await asks(visitor, visitor.mailbox("ada"), station)
    code = await visitor.code_of(visitor.mailbox("ada"))
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    page = await visitor.sends("/drive/sign-in/code", expect=403, code_id=code_id, code=wrong)
    assert "this code is not right" in page.text.lower()
    spaced = f" {code[:3]} {code[3:]} "
    await visitor.sends("/drive/sign-in/code", expect=303, code_id=code_id, code=spaced)
    await another.sends("/drive/sign-in/code", expect=403, code_id=code_id, code=code)
    await visitor.network.pool.execute("update driver_sign_in_code set created_at = created_at - interval '1 minute'")
    code_id = await asks(another, visitor.mailbox("eve"), station)
    code = await another.code_of(visitor.mailbox("eve"))
    for _ in range(5):
        await another.sends(
            "/drive/sign-in/code", expect=403, code_id=code_id, code=wrong if wrong != code else "000000"
        )
    await another.sends("/drive/sign-in/code", expect=403, code_id=code_id, code=code)
    code_id = await asks(another, visitor.mailbox("late"), station)
    code = await another.code_of(visitor.mailbox("late"))
    late = clock.now() + timedelta(minutes=11)
    clock.set_source(lambda: late)
    try:
        await another.sends("/drive/sign-in/code", expect=403, code_id=code_id, code=code)
    finally:
        clock.set_source(None)


async def test_nobody_waits_for_a_mail_where_none_can_be_sent(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    station, email = await a_station(visitor.network), visitor.mailbox("trial")
    page = await visitor.sends("/drive/sign-in", email=email, at=station)
    assert "The code is on its way" in page.text
    assert email in page.text
    state = visitor.front.app.state
    monkeypatch.setattr(state, "settings", msgspec.structs.replace(state.settings, smtp_url=None))
    await visitor.network.pool.execute("delete from driver_sign_in_code")
    page = await visitor.sends("/drive/sign-in", email=email, at=station)
    assert "on its way" not in page.text
    assert "No mail server is set up here yet, so no mail comes." in page.text


async def test_nobody_floods_a_mailbox(visitor: Visitor) -> None:
    station = await a_station(visitor.network)
    await asks(visitor, visitor.mailbox("ada"), station)
    page = await visitor.sends("/drive/sign-in", expect=429, email=visitor.mailbox("ada"), at=station)
    assert "a code was sent a moment ago" in page.text.lower()
    for _ in range(5):
        await visitor.network.pool.execute("update driver_sign_in_code set created_at = created_at - interval '40 s'")
        await asks(visitor, visitor.mailbox("ADA"), station)
    await visitor.network.pool.execute("update driver_sign_in_code set created_at = created_at - interval '40 s'")
    page = await visitor.sends("/drive/sign-in", expect=429, email=visitor.mailbox("ada"), at=station)
    assert "too many codes" in page.text.lower()


async def test_a_mailbox_at_whose_codes_somebody_guesses_gets_longer_ones(visitor: Visitor) -> None:
    network, email = visitor.network, visitor.mailbox("ada")
    async with network.pool.acquire() as conn, conn.transaction():
        seals = visitor.front.app.state.sign_in_desk.seals
        for n in range(4):
            now = clock.now() - timedelta(hours=8 - n)
            sent = await signin.begin_code(conn, seals, network.party_id, email.upper(), f"192.0.2.{n}")
            assert len(sent.code) == 6
            wrong = "1" * 6 if sent.code != "1" * 6 else "2" * 6
            for _ in range(5):
                assert await signin.try_code(conn, seals, sent.code_id, wrong) is None
            await conn.execute("update driver_sign_in_code set created_at = $1 where code_id = $2", now, sent.code_id)
        sent = await signin.begin_code(conn, seals, network.party_id, email, "192.0.2.9")
        assert len(sent.code) == 8
        spaced = f"{sent.code[:4]} {sent.code[4:]}"
        assert await signin.try_code(conn, seals, sent.code_id, spaced) == (network.party_id, email)


async def test_a_connections_many_addresses_are_one(visitor: Visitor) -> None:
    network = visitor.network
    async with network.pool.acquire() as conn, conn.transaction():
        seals = visitor.front.app.state.sign_in_desk.seals
        for n in range(codes.MOST_PER_ADDRESS):
            await signin.begin_code(conn, seals, network.party_id, visitor.mailbox(f"m{n}"), f"2001:db8:7:7::{n:x}")
        with pytest.raises(TooManyAttempts):
            await signin.begin_code(conn, seals, network.party_id, visitor.mailbox("more"), "2001:db8:7:7:ffff::1")
        await signin.begin_code(conn, seals, network.party_id, visitor.mailbox("more"), "2001:db8:7:8::1")


async def test_what_comes_with_the_form_leads_nowhere_else(visitor: Visitor) -> None:
    station = await a_station(visitor.network)
    for target in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/stations",
        "/drivel",
        "javascript:x",
    ):
        page = await visitor.opens(f"/drive/sign-in?next={target}")
        assert {one.attributes["value"] for one in page.all("input", name="next")} == {"/drive/home"}, target
    code_id = await asks(visitor, visitor.mailbox("ada"), station)
    code = await visitor.code_of(visitor.mailbox("ada"))
    done = await visitor.sends(
        "/drive/sign-in/code", expect=303, code_id=code_id, code=code, next="https://evil.example/drive"
    )
    assert done.answer.headers["location"].startswith("/drive/")


async def test_another_site_signs_nobody_in(visitor: Visitor) -> None:
    station = await a_station(visitor.network)
    code_id = await asks(visitor, visitor.mailbox("mallory"), station)
    fields = {"code_id": code_id, "code": await visitor.code_of(visitor.mailbox("mallory"))}
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    answer = await visitor.client.post("/drive/sign-in/code", data=fields, headers=elsewhere)
    assert answer.status_code == 403
    assert not visitor.client.cookies
    answer = await visitor.client.post("/drive/sign-in", data={"email": visitor.mailbox("ada")}, headers=elsewhere)
    assert answer.status_code == 403
    await visitor.sends("/drive/sign-in/code", expect=303, **fields)


async def test_hostile_forms_are_answered_politely(visitor: Visitor) -> None:
    for email in ("", "x", "a@b\r\nBcc: c@d", "a@" + "b" * 300, "\u202e@x.y z"):
        page = await visitor.sends("/drive/sign-in", expect=422, email=email)
        assert "six digits" not in page.heading.lower()
    page = await visitor.sends("/drive/sign-in", email="<script>@x")
    assert "<script>@" not in page.html
    for code_id in ("", "x", "00000000-0000-0000-0000-000000000000", "a" * 9000):
        await visitor.sends("/drive/sign-in/code", expect=403, code_id=code_id, code="123456")
    answer = await visitor.client.post("/drive/sign-in/passkey", json={"rawId": 5, "response": []})
    assert answer.status_code in (403, 409)
    answer = await visitor.client.post(
        "/drive/sign-in/passkey", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422


async def test_what_caches_may_keep_for_everybody_holds_nothing_of_who_is_signed_in(visitor: Visitor) -> None:
    station = await a_station(visitor.network)
    await visitor.signs_in(visitor.mailbox("ada"), at=station)
    for path in ("/drive", "/drive/offline", "/drive/manifest.webmanifest", "/drive/sw.js", plug_path(station)):
        answer = await visitor.client.get(path)
        assert answer.status_code == 200
        for secret in (visitor.csrf_token, visitor.mailbox("ada")):
            assert "public" not in answer.headers["cache-control"] or secret not in answer.text, path


async def test_a_session_ends_where_its_driver_says(visitor: Visitor, another: Visitor) -> None:
    station = await a_station(visitor.network)
    await visitor.signs_in(visitor.mailbox("ada"), at=station)
    await visitor.network.pool.execute("update driver_sign_in_code set created_at = created_at - interval '1 minute'")
    await another.signs_in(visitor.mailbox("ada"), at=station)
    page = await visitor.opens("/drive/me/profile")
    (ends,) = [one.attributes["action"] for one in page.all("form") if "/browsers/" in one.attributes.get("action", "")]
    await visitor.sends(ends, expect=303)
    answer = await another.client.get("/drive/home")
    assert answer.headers["location"] == "/drive/sign-in?next=/drive/home"
    await visitor.sends("/drive/sign-out", expect=303)
    answer = await visitor.client.get("/drive/me")
    assert answer.status_code == 303


async def test_a_telephone_that_is_signed_out_from_elsewhere_is_told_nothing_more(
    visitor: Visitor, another: Visitor
) -> None:
    station, email = await a_station(visitor.network), visitor.mailbox("ada")
    await visitor.signs_in(email, at=station)
    await visitor.network.pool.execute("update driver_sign_in_code set created_at = created_at - interval '1 minute'")
    await another.signs_in(email, at=station)
    browser = Browser()
    keys = {"p256dh": text64(browser.point), "auth": text64(browser.auth)}
    for who, name in ((visitor, "mine"), (another, "lost")):
        told = await who.client.post(
            "/drive/me/push",
            json={"endpoint": f"https://push.example/{name}-{who.network.suffix}", "keys": keys},
            headers={"X-CSRF-Token": who.csrf_token},
        )
        assert told.status_code == 200, told.text
    page = await visitor.opens("/drive/me/profile")
    (ends,) = [one.attributes["action"] for one in page.all("form") if "/browsers/" in one.attributes.get("action", "")]
    await visitor.sends(ends, expect=303)
    left = await visitor.network.pool.fetch(
        "select endpoint from push_subscription where party_id = $1", visitor.network.party_id
    )
    assert [row["endpoint"] for row in left] == [f"https://push.example/mine-{visitor.network.suffix}"]


async def test_who_gets_another_address_is_signed_out_everywhere(visitor: Visitor) -> None:
    network, browser = visitor.network, Browser()
    await visitor.signs_in(visitor.mailbox("ada"), at=await a_station(network))
    driver_id, actor = await visitor.driver_id(), access.system(network.party_id)
    keys = {"p256dh": text64(browser.point), "auth": text64(browser.auth)}
    told = await visitor.client.post(
        "/drive/me/push",
        json={"endpoint": f"https://push.example/{network.suffix}", "keys": keys},
        headers={"X-CSRF-Token": visitor.csrf_token},
    )
    assert told.status_code == 200, told.text

    async def becomes(**change: Any) -> None:
        async with network.pool.acquire() as conn, conn.transaction():
            await drivers.change_driver(conn, actor, driver_id, DriverChange(**change))

    await becomes(name="Ada L.", email=visitor.mailbox("ada").upper())
    await visitor.opens("/drive/me")
    await becomes(email=visitor.mailbox("ada.l"))
    assert (await visitor.client.get("/drive/me")).status_code == 303
    await network.house.bus.publish(NUDGE, {})
    subscriptions = "select count(*) from push_subscription where driver_id = $1"

    async def is_forgotten() -> bool:
        return bool(await network.pool.fetchval(subscriptions, driver_id) == 0)

    await until(is_forgotten, "the browser is told nothing more", patience_s=20)


async def test_forms_of_drivers_show_the_pages_token(visitor: Visitor) -> None:
    await visitor.signs_in(visitor.mailbox("ada"), at=await a_station(visitor.network))
    await visitor.sends("/drive/me/cars", expect=403, token=False, name="Blue")
    await visitor.sends("/drive/me/cars", expect=403, token=False, name="Blue", csrf_token="x")
    await visitor.sends("/drive/me/cars", expect=303, name="Blue")


async def test_an_operator_is_nobody_here_and_a_driver_nobody_there(visitor: Visitor) -> None:
    await visitor.signs_in(visitor.mailbox("ada"), at=await a_station(visitor.network))
    for path in ("/", "/stations", "/api/v1/stations"):
        answer = await visitor.client.get(path)
        assert answer.status_code in (303, 401), path
