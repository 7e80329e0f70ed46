"""A stranger at a plug: pays in the sandbox, charges, and can look at every cent; and what goes wrong on the way."""

from decimal import Decimal
from typing import Any

from ohmstead.tariffs.model import IdleFee
from ohmstead.web import MOST_BEGINNINGS
from tests.driver.visitor import VAT, Visitor, has_plug, offers, per_kwh, plug_path, public_place
from tests.stories.patience import until
from tests.stories.station import Station


async def a_plug(visitor: Visitor, version: str = "2.1") -> Station:
    """A fast one, whose clock is right."""
    network = visitor.network
    await offers(network, per_kwh("0.50"))
    place = await public_place(network)
    station = await network.station(version, location_id=place, hours_ago=0, rated_w=150_000)
    await has_plug(network, station, "IEC_62196_T2_COMBO")
    return station


async def begins(visitor: Visitor, station: Station, **fields: Any) -> str:
    """To the provider's page; gives its path."""
    begun = await visitor.sends(plug_path(station), expect=303, way="guest", **fields)
    return begun.answer.headers["location"].removeprefix(visitor.front.url)


async def pays(visitor: Visitor, page: str, card: str = "good") -> str:
    """On the provider's page, and back from it; gives the address of the charge."""
    paid = await visitor.client.post(page, data={"card": card})
    back = paid.headers["location"].removeprefix(visitor.front.url)
    assert back.startswith("/drive/back/"), back
    done = await visitor.client.get(back)
    assert done.status_code == 303, done.text
    return str(done.headers["location"])


async def shows(visitor: Visitor, path: str, text: str) -> None:
    async def look() -> bool:
        return text in (await visitor.opens(path)).text

    try:
        await until(look, f"{path} says {text!r}", patience_s=20)
    except AssertionError as error:
        rows = await visitor.network.pool.fetch("select kind, status, error_text, answer, parameters from command")
        raise AssertionError(f"{error}: {[dict(r) for r in rows]}") from error


async def test_a_stranger_pays_charges_and_reads_every_cent(visitor: Visitor, another: Visitor) -> None:
    station = await a_plug(visitor)
    page = await visitor.opens(plug_path(station))
    assert "Hold €20.00 and start" in page.text
    charge = await pays(visitor, await begins(visitor, station, email=visitor.mailbox("guest")))
    await shows(visitor, charge, "Up to €20.00 is covered.")
    await station.delivers(wh=10_000, over="4m")
    await shows(visitor, charge, "10.00 kWh")
    await shows(visitor, charge, "€6.00")
    # Somebody else sees a busy plug, and no way to this charge.
    page = await another.opens(plug_path(station))
    assert "Somebody is charging here" in page.text
    await visitor.sends(f"{charge}/stop", expect=303)
    await shows(visitor, charge, "€6.00 is taken; €14.00 of the hold is let go.")
    page = await visitor.opens(charge)
    assert page.heading == "Charged 10.00 kWh"
    assert "10.000 kWh × €0.50 per kWh" in page.text
    assert "20 % VAT on €5.00 €1.00" in page.text
    await shows(visitor, charge, "Receipt")
    page = await visitor.opens(charge)
    receipt = next(one.attributes["href"] for one in page.all("a") if one.attributes["href"].startswith("/documents/"))
    document = await another.opens(receipt)
    assert "6.00" in document.text


async def test_what_staying_costs_is_told_while_it_charges(visitor: Visitor) -> None:
    network = visitor.network
    fee = IdleFee(price_per_minute=Decimal("0.10"), grace_minutes=10, max_amount=Decimal(12), taxes=VAT)
    await offers(network, per_kwh("0.50", idle_fee=fee))
    station = await network.station("2.1", location_id=await public_place(network), hours_ago=0, rated_w=150_000)
    await has_plug(network, station, "IEC_62196_T2_COMBO")
    charge = await pays(visitor, await begins(visitor, station))
    told = "Staying plugged in, per minute: €0.12 after it ends, first 10 min free, at most €14.40."
    await shows(visitor, charge, told)


async def test_two_at_one_plug_one_pays(visitor: Visitor, another: Visitor) -> None:
    station = await a_plug(visitor)
    await begins(visitor, station)
    page = await another.sends(plug_path(station), expect=409, way="guest")
    assert "somebody else is paying" in page.text.lower()


async def test_nobody_keeps_all_plugs_from_others(visitor: Visitor, another: Visitor) -> None:
    station = await a_plug(visitor)
    beginnings = visitor.front.app.state.beginnings
    for _ in range(MOST_BEGINNINGS - 1):
        beginnings.failed("127.0.0.1")
    await begins(visitor, station)
    page = await another.sends(plug_path(station), expect=429, way="guest")
    assert "too many charges were begun from your address" in page.text.lower()


async def test_who_does_not_pay_is_told_and_can_begin_again(visitor: Visitor) -> None:
    station = await a_plug(visitor)
    page = await begins(visitor, station)
    opened = await visitor.opens(page)
    back = next(one.attributes["href"] for one in opened.all("a") if "/drive/back/" in one.attributes.get("href", ""))
    done = await visitor.client.get(back.removeprefix(visitor.front.url))
    charge = done.headers["location"]
    shown = await visitor.opens(charge)
    assert shown.heading == "Waiting for your payment"
    assert list(shown.all("a", href=f"{charge}/pay"))
    again = await visitor.client.get(f"{charge}/pay")
    assert again.headers["location"].removeprefix(visitor.front.url) == page


async def test_who_left_the_payment_finds_it_again_at_the_plug(visitor: Visitor, another: Visitor) -> None:
    station = await a_plug(visitor)
    page = await begins(visitor, station)
    plug = await visitor.opens(plug_path(station))
    assert "Your payment for this plug is not made yet." in plug.text
    assert "Hold €20.00 and start" not in plug.text
    (way_on,) = [one.attributes["href"] for one in plug.all("a") if one.attributes["href"].endswith("/pay")]
    again = await visitor.client.get(way_on)
    assert again.headers["location"].removeprefix(visitor.front.url) == page
    # A page from before leads to the same payment, not to a second one; for others the plug is taken.
    pressed = await visitor.sends(plug_path(station), expect=303, way="guest")
    assert pressed.answer.headers["location"] == way_on
    assert "Your payment" not in (await another.opens(plug_path(station))).text
    charge = await pays(visitor, page)
    await shows(visitor, charge, "Up to €20.00 is covered.")
    assert "Your payment for this plug" not in (await visitor.opens(plug_path(station))).text


async def test_the_way_back_opens_nothing_in_another_browser(visitor: Visitor, another: Visitor) -> None:
    station = await a_plug(visitor)
    page = await begins(visitor, station)
    paid = await visitor.client.post(page, data={"card": "good"})
    back = paid.headers["location"].removeprefix(visitor.front.url)
    lost = await another.opens(back, expect=404)
    assert "/drive/s/" not in lost.html


async def test_a_station_that_says_no_costs_nothing(visitor: Visitor) -> None:
    station = await a_plug(visitor)
    station.answers["RequestStartTransaction"] = {"status": "Rejected"}
    charge = await pays(visitor, await begins(visitor, station))
    await shows(visitor, charge, "The station said no. What was held is let go; nothing is taken.")
    page = await visitor.opens(charge)
    assert page.heading == "It did not start", page.text
    assert list(page.all("a", href=plug_path(station)))


async def test_an_address_that_is_no_mailbox_is_refused_before_anything_is_held(visitor: Visitor) -> None:
    station = await a_plug(visitor)
    page = await visitor.sends(plug_path(station), expect=422, way="guest", email="no mail")
    assert "Is to be an e-mail address, as name@example.com." in page.text
    assert (
        await visitor.network.pool.fetchval(
            "select count(*) from payment where party_id = $1", visitor.network.party_id
        )
        == 0
    )


async def test_ways_that_are_not_offered_are_not_taken(visitor: Visitor) -> None:
    station = await a_plug(visitor)
    for way in ("free", "", "x" * 5000):
        page = await visitor.sends(plug_path(station), expect=409, way=way)
        assert "not offered" in page.text
    # Who pays by their account is asked who they are.
    page = await visitor.sends(plug_path(station), expect=303, way="account")
    assert page.answer.headers["location"] == "/drive/sign-in"
    begun = "select count(*) from command where party_id = $1"
    assert await visitor.network.pool.fetchval(begun, visitor.network.party_id) == 0


async def test_another_site_cannot_press_the_button(visitor: Visitor) -> None:
    station = await a_plug(visitor)
    answer = await visitor.client.post(
        plug_path(station), data={"way": "guest"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
