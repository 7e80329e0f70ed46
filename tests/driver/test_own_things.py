"""What drivers do on their pages: cards, PIN, cars, alerts, history, data to take along, and being forgotten."""

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from ohmstead.accounts import access
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.model import NewPayingMethod
from ohmstead.core.ids import new_id
from ohmstead.notifications import service as notifications
from ohmstead.notifications.model import PreferencesChange
from tests.console.town import Town
from tests.console.visitor import sign_in
from tests.driver.test_every_page import a_drivers_life
from tests.driver.visitor import Visitor, has_plug, offers, per_kwh, plug_path, public_place
from tests.stories.patience import until


async def test_a_card_is_given_to_who_has_just_charged_with_it(visitor: Visitor) -> None:
    network = visitor.network
    station = await network.station("2.0.1", location_id=await public_place(network))
    await network.token("04AABBCC11")
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    page = await visitor.sends("/drive/me/cards", expect=409, number="04AABBCC11")
    refusal = "cannot tell that this card is yours"
    assert refusal in page.text
    page = await visitor.sends("/drive/me/cards", expect=409, number="04FFFFFFFF")
    assert refusal in page.text
    await station.plugs_in()
    await station.presents("04AABBCC11")
    await visitor.sends("/drive/me/cards", expect=303, number="04 aa bb cc 11")
    page = await visitor.opens("/drive/me/cards")
    assert "…CC11" in page.text
    # It is held now: nobody else gets it the same way.
    holder = await network.pool.fetchval(
        "select driver_id from token where uid = '04AABBCC11' and party_id = $1", network.party_id
    )
    assert holder == await visitor.driver_id()
    since = await network.pool.fetchval("select from_at from token_holding where uid_key = '04aabbcc11'")
    assert since.year > 2020


async def test_a_lost_card_begins_nothing_any_more(visitor: Visitor) -> None:
    await a_drivers_life(visitor)
    page = await visitor.opens("/drive/me/cards")
    (path,) = [one.attributes["action"] for one in page.all("form") if one.attributes["action"].endswith("/lost")]
    await visitor.sends(path, expect=303)
    page = await visitor.opens("/drive/me/cards?done=lost")
    assert "blocked" in page.text
    sql = "select status from token where uid = '04A224F9C2' and party_id = $1"
    assert await visitor.network.pool.fetchval(sql, visitor.network.party_id) == "blocked"


async def test_a_pin_is_shown_once(visitor: Visitor) -> None:
    network = visitor.network
    station = await network.station("2.0.1", location_id=await public_place(network))
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    page = await visitor.sends("/drive/me/pin")
    pin = next(page.all("p", class_="total")).text.strip()
    assert len(pin) == 8
    assert pin not in (await visitor.opens("/drive/me/cards")).text
    assert await network.pool.fetchval("select count(*) from token where uid = $1 and type = 'KeyCode'", pin) == 1
    await visitor.sends("/drive/me/pin", do="remove")
    assert await network.pool.fetchval("select count(*) from token where uid = $1", pin) == 0


async def test_the_wallet_is_filled_and_pays(visitor: Visitor) -> None:
    network = visitor.network
    await offers(network, per_kwh("0.50"))
    place = await public_place(network)
    station = await network.station("2.0.1", location_id=place, hours_ago=0, rated_w=150_000)
    await has_plug(network, station, "IEC_62196_T2_COMBO")
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    asked = await visitor.sends("/drive/me/money/top-up", expect=303, amount="50")
    provider = asked.answer.headers["location"].removeprefix(visitor.front.url)
    paid = await visitor.client.post(provider, data={"card": "good"})
    await visitor.client.get(paid.headers["location"].removeprefix(visitor.front.url))

    async def is_in() -> bool:
        return (await visitor.opens("/drive/me/money")).heading == "€50.00 to spend"

    await until(is_in, "the money is in the wallet", patience_s=20)
    page = await visitor.opens(plug_path(station))
    assert "€50.00 to spend" in page.text
    done = await visitor.sends(plug_path(station), expect=303, way="account")
    charge = done.answer.headers["location"]
    await station.delivers(wh=10_000, over="4m")

    async def costs() -> bool:
        return "€6.00" in (await visitor.opens(charge)).text

    await until(costs, "the page says what it costs", patience_s=20)
    assert "1 car is charging" in (await visitor.opens("/drive/home")).text
    await visitor.sends(f"{charge}/stop", expect=303)

    async def is_paid() -> bool:
        return (await visitor.opens("/drive/me/money")).heading == "€44.00 to spend"

    await until(is_paid, "the wallet has paid", patience_s=20)
    assert "€6.00" in (await visitor.opens("/drive/history")).text
    # What goes on and is not billed yet makes no kWh cheaper.
    uid = await network.pool.fetchval("select uid from token where driver_id = $1", await visitor.driver_id())
    traits: dict[str, Any] = {"token_uid": uid, "location_id": place, "settled_at": None}
    await Town(network, datetime.now(UTC)).session(station.station_id, begins=0.1, ends=None, wh=20_000, **traits)
    page = await visitor.opens("/drive/history")
    assert "In twelve months 30.00 kWh" in page.text
    assert "A kWh cost €0.60" in page.text


async def test_a_pass_opens_no_later_charge_of_the_same_driver(visitor: Visitor) -> None:
    network = visitor.network
    await offers(network, per_kwh("0.50"))
    station = await network.station("2.0.1", location_id=await public_place(network), hours_ago=0, rated_w=150_000)
    await has_plug(network, station, "IEC_62196_T2_COMBO")
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    async with network.pool.acquire() as conn, conn.transaction():
        on_account = NewPayingMethod(kind="invoice")
        await paying.set_method(conn, access.system(network.party_id), on_account, driver_id=await visitor.driver_id())
    done = await visitor.sends(plug_path(station), expect=303, way="account")
    charge = done.answer.headers["location"]
    await station.delivers(wh=5_000, over="2m")

    async def goes_on() -> bool:
        return "5.000 kWh" in (await visitor.opens(charge)).text

    await until(goes_on, "the page shows the charge", patience_s=20)
    # As if that start had come to nothing, and this charge were one that the driver began an hour later.
    await network.pool.execute(
        "update command set session_id = null, requested_at = requested_at - interval '1 hour' where party_id = $1",
        network.party_id,
    )
    page = await visitor.opens(charge)
    assert page.heading == "It did not start"
    assert "kWh" not in page.text


async def test_absurd_amounts_are_refused_where_they_are_typed(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6", location_id=await public_place(visitor.network))
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    for amount in ("-5", "0", "NaN", "1e99", "5.005", "abc", "", "1" * 50):
        page = await visitor.sends("/drive/me/money/top-up", expect=422, amount=amount)
        assert next(page.all("div", class_="failed")).text


async def test_alerts_are_chosen_by_box(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6", location_id=await public_place(visitor.network))
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    fields: dict[str, Any] = {"on:charging_started:email": "1", "quiet_from": "22:00", "quiet_until": "06:30"}
    await visitor.sends("/drive/me/alerts", expect=303, **fields)
    page = await visitor.opens("/drive/me/alerts")
    ticked = {one.attributes["name"] for one in page.all("input", type="checkbox") if "checked" in one.attributes}
    assert ticked == {"on:charging_started:email"}
    assert next(page.all("input", name="quiet_until")).attributes["value"] == "06:30"
    typed = {"on:plug_free:push": "1", "quiet_from": "22:00", "quiet_until": "x"}
    page = await visitor.sends("/drive/me/alerts", expect=422, **typed)
    ticked = {one.attributes["name"] for one in page.all("input", type="checkbox") if "checked" in one.attributes}
    assert ticked == {"on:plug_free:push"}  # nothing that was typed is lost
    times = {name: next(page.all("input", name=name)).attributes for name in ("quiet_from", "quiet_until")}
    assert [times[name]["value"] for name in times] == ["22:00", "x"]
    assert [name for name in times if "aria-invalid" in times[name]] == ["quiet_until"]
    assert "Is to be a time, as 22:00." in page.text
    await visitor.sends("/drive/me/alerts", expect=422, quiet_from="25:00", quiet_until="x")
    await visitor.sends("/drive/me/alerts", expect=422, quiet_from="\u00b22:00", quiet_until="06:30")
    bad = await visitor.client.post(
        "/drive/me/push", json={"endpoint": "file:///x"}, headers={"X-CSRF-Token": visitor.csrf_token}
    )
    assert bad.status_code == 422


async def test_what_has_no_box_stays_as_it_was_chosen(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no SMS are sent there is no box for them; the network may send them again tomorrow."""
    state = visitor.front.app.state
    monkeypatch.setattr(state, "settings", msgspec.structs.replace(state.settings, sms_url=None))
    station = await visitor.network.station("1.6", location_id=await public_place(visitor.network))
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    driver_id, party_id = await visitor.driver_id(), visitor.network.party_id
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        wanted = PreferencesChange(channels={"plug_free": ["sms"]})
        await notifications.set_preferences(conn, party_id, driver_id, wanted)
    page = await visitor.opens("/drive/me/alerts")
    names = {one.attributes["name"].rpartition(":")[2] for one in page.all("input", type="checkbox")}
    assert names == {"email", "push"}
    await visitor.sends("/drive/me/alerts", expect=303, **{"on:plug_free:push": "1"})
    async with visitor.network.pool.acquire() as conn:
        kept = await notifications.get_preferences(conn, party_id, driver_id)
    assert kept.channels["plug_free"] == ["sms", "push"]


async def test_who_charges_already_is_told_before_a_second_plug_begins(visitor: Visitor) -> None:
    network = visitor.network
    await offers(network, per_kwh("0.50"))
    place = await public_place(network)
    traits: dict[str, Any] = {"location_id": place, "hours_ago": 0, "rated_w": 150_000}
    first = await network.station("2.0.1", f"QUAY-1-{network.suffix}", **traits)
    second = await network.station("2.0.1", f"QUAY-2-{network.suffix}", **traits)
    await visitor.signs_in(visitor.mailbox("ada"), at=first.station_id)
    async with network.pool.acquire() as conn, conn.transaction():
        on_account = NewPayingMethod(kind="invoice")
        await paying.set_method(conn, access.system(network.party_id), on_account, driver_id=await visitor.driver_id())
    done = await visitor.sends(plug_path(first), expect=303, way="account")
    await first.delivers(wh=5_000, over="2m")

    async def goes_on() -> bool:
        return "5.000 kWh" in (await visitor.opens(done.answer.headers["location"])).text

    await until(goes_on, "the first charge goes on", patience_s=20)
    await has_plug(network, second, "IEC_62196_T2_COMBO")
    page = await visitor.sends(plug_path(second), expect=409, way="account")
    assert "You charge at another plug already: end that first, or use a charge card here." in page.text
    assert await network.pool.fetchval("select count(*) from command where station_id = $1", second.station_id) == 0


async def test_history_says_what_a_hundred_kilometres_cost_only_where_it_can(visitor: Visitor) -> None:
    await a_drivers_life(visitor)
    page = await visitor.opens("/drive/history")
    assert "CO₂ of the electricity" in page.text
    assert "100 km with" not in page.text  # nothing was billed yet: no price, no guess
    assert len(list(page.all("a", class_="item"))) == 11
    for before in ("x", "0001-01-01T00:00:00+14:00_" + "0" * 32, "9999-12-31T23:59:59-12:00_" + "0" * 32):
        await visitor.opens(f"/drive/history?before={quote(before)}")


async def test_all_data_can_be_taken_along(visitor: Visitor) -> None:
    await a_drivers_life(visitor)
    await visitor.sends("/drive/me/pin")
    pin = await visitor.network.pool.fetchval(
        "select uid from token where driver_id = $1 and type = 'KeyCode'", await visitor.driver_id()
    )
    answer = await visitor.client.get("/drive/me/data/export")
    assert answer.headers["cache-control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {"data.json", "sessions.csv", "cards.csv", "cars.csv"} <= set(archive.namelist())
        known = json.loads(archive.read("data.json"))
        assert known["driver"]["email"] == visitor.mailbox("robin")
        assert len(known["sessions"]) == 11
        assert len(archive.read("sessions.csv").decode().splitlines()) == 12
        assert not any(pin.encode() in archive.read(name) for name in archive.namelist())


async def test_who_is_forgotten_is_gone_everywhere_but_in_the_books(visitor: Visitor) -> None:
    network = visitor.network
    station = await network.station("1.6", location_id=await public_place(network))
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    driver = await visitor.driver_id()
    await visitor.sends("/drive/me/cars", expect=303, name="Blue one")
    await visitor.sends("/drive/me/data/erase", expect=409)
    page = await visitor.sends("/drive/me/data/erase", sure="yes")
    assert page.heading == "You are forgotten here"
    assert (await visitor.client.get("/drive/me")).status_code == 303
    for table in ("driver_session", "driver_passkey", "driver_car"):
        assert await network.pool.fetchval(f"select count(*) from {table} where driver_id = $1", driver) == 0
    row = await network.pool.fetchrow("select name, email, status from driver where driver_id = $1", driver)
    assert row is not None
    assert (row["name"], row["email"], row["status"]) == ("", None, "erased")


async def test_who_charges_cannot_be_forgotten_meanwhile(visitor: Visitor) -> None:
    await a_drivers_life(visitor)
    page = await visitor.sends("/drive/me/data/erase", expect=409, sure="yes")
    assert "when that is over" in page.text
    assert (await visitor.opens("/drive/me")).heading.startswith("robin")


async def test_who_is_asked_for_money_is_written_to_and_pays_at_the_address(visitor: Visitor) -> None:
    network = visitor.network
    station = await network.station("1.6", location_id=await public_place(network))
    email = visitor.mailbox("ada")
    await visitor.signs_in(email, at=station.station_id)
    driver_id = await visitor.driver_id()
    debt_id = new_id()
    await network.pool.execute(
        "insert into payment_debt (debt_id, party_id, customer, currency, amount, reason, opened_at)"
        " values ($1, $2, $3, 'EUR', 7.5, 'declined', now())",
        debt_id,
        network.party_id,
        f"driver:{driver_id}",
    )
    path = f"/drivers/{driver_id}/money"
    async with httpx.AsyncClient(base_url=visitor.front.url, timeout=30) as client:
        operator = await sign_in(visitor.front, network, client)
        await operator.sends(f"{path}/wallet", expect=303)
        for wrong in ("", "0", "-3", "x", "0.001"):
            page = await operator.sends(f"{path}/ask", ask_amount=wrong, once="1", expect=422)
            assert [e.attributes["id"] for e in page.all("span", role="alert")] == ["ask_amount-error"], wrong
        for _ in range(2):
            await operator.sends(f"{path}/ask", ask_amount="20", once="1", expect=303)
            await operator.sends(f"{path}/debts/{debt_id}/ask", expect=303)
        await operator.sends(f"{path}/debts/{new_id()}/ask", expect=409)
        page = await operator.opens(path)
        asked = [e.attributes["data-copy"] for e in page.all("button") if "/due" in e.attributes.get("data-copy", "")]
        assert len(asked) == 2, "each is asked for once, however often somebody presses"
        for amount, done in (("€20.00", "€20.00 to spend"), ("€7.50", "")):
            mail = await visitor.mail_to(email, f"asks for {amount}")
            (body,) = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
            address = next(one for one in asked if one in body.get_content()).removeprefix(visitor.front.url)
            # Whoever has the address can pay; they need not be signed in.
            async with httpx.AsyncClient(base_url=visitor.front.url, timeout=30) as phone:
                assert f"Pay {amount}" in (await phone.get(address)).text
                leads = await phone.post(address)
                assert leads.status_code == 303
                paid = await phone.post(
                    leads.headers["location"].removeprefix(visitor.front.url), data={"card": "good"}
                )
                assert f"{amount} is paid" in (await phone.get(paid.headers["location"])).text
                assert (await phone.post(address)).headers["location"] == address
            if done:

                async def is_in(done: str = done) -> bool:
                    return (await visitor.opens("/drive/me/money")).heading == done

                await until(is_in, "the money is in the wallet", patience_s=20)

        async def is_settled() -> bool:
            return (
                "of 7.50" not in (await operator.opens(path)).text
                and "A debt of" not in (await operator.opens(path)).text
            )

        await until(is_settled, "the debt is settled", patience_s=20)
        assert "What they were asked for" not in (await operator.opens(path)).text
        await operator.sends(f"{path}/debts/{debt_id}/ask", expect=409)


async def test_what_is_too_small_for_a_card_is_told_and_asks_for_nothing(visitor: Visitor) -> None:
    network = visitor.network
    station = await network.station("1.6", location_id=await public_place(network))
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    driver_id = await visitor.driver_id()
    await network.pool.execute(
        "insert into payment_debt (debt_id, party_id, customer, currency, amount, reason, opened_at)"
        " values ($1, $2, $3, 'EUR', 0.3, 'amount_too_small', now())",
        new_id(),
        network.party_id,
        f"driver:{driver_id}",
    )
    page = await visitor.opens("/drive/me/money")
    assert "€0.30 is still open: less than a card can be charged." in page.text
    assert "Pay now" not in page.text
    async with httpx.AsyncClient(base_url=visitor.front.url, timeout=30) as client:
        operator = await sign_in(visitor.front, network, client)
        page = await operator.opens(f"/drivers/{driver_id}/money")
        assert "less than a card can be charged. It is taken together with what comes next." in page.text
        assert "Ask them for" not in page.text
        page = await operator.opens("/exceptions/debts")
        assert "Open: is taken with what comes next" in page.text
