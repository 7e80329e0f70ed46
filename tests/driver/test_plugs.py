"""The page behind the code at a plug: what it costs, whether it is free, and what there is to do."""

import base64
import hashlib
import re
from decimal import Decimal

from ohmstead.tariffs.model import IdleFee
from tests.driver.visitor import Visitor, has_plug, offers, per_kwh, plug_path, public_place


async def test_a_plug_tells_its_price_in_afirs_order_before_anybody_signs_in(visitor: Visitor) -> None:
    network = visitor.network
    await offers(network, per_kwh("0.49", idle_fee=IdleFee(price_per_minute=Decimal("0.20"), grace_minutes=10)))
    station = await network.station("2.0.1", location_id=await public_place(network))
    await has_plug(network, station)
    page = await visitor.opens(plug_path(station))
    assert page.heading == "Plug 1, Type 2"
    price = next(page.all("section", class_="price")).text
    order = [price.index(word) for word in ("€0.588", "per kWh", "Per minute", "Per session")]
    assert order == sorted(order)
    assert "none while charging" in price
    assert "€0.20 after it ends, first 10 min free" in price
    assert "10 kWh at 22 kW, 27 min" in price
    assert "20 % VAT included" in page.text
    assert "Free" in next(page.all("span", class_="pill")).text
    assert "Hold €" in page.text


async def test_a_sticker_leads_to_the_same_page_without_a_detour(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6", location_id=await public_place(visitor.network))
    await has_plug(visitor.network, station)
    page = await visitor.opens(f"/drive/e/{station.station_id}*1")
    assert page.heading == "Plug 1, Type 2"


async def test_what_is_no_plug_is_said_clearly(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6")
    for path in (
        plug_path("NOWHERE"),
        plug_path(station, 2),
        f"/drive/c/{station.station_id}/x",
        f"/drive/c/{station.station_id}/0",
        f"/drive/e/{station.station_id}",
        "/drive/e/%3Cscript%3E*1",
        f"/drive/c/{'A' * 300}/1",
    ):
        page = await visitor.opens(path, expect=404)
        assert "<script>" not in page.html.replace('<script src="', "")
        assert "Check the number on the sticker" in page.text, path


async def test_a_plug_out_of_service_names_others_near(visitor: Visitor) -> None:
    network = visitor.network
    broken = await network.station("2.0.1", "BROKEN", location_id=await public_place(network, "North"))
    await has_plug(network, broken)
    await network.pool.execute("update connector set status = 'faulted' where station_id = $1", broken.station_id)
    near = await public_place(network, "South", latitude=48.30)
    fine = await network.station("2.0.1", "FINE", location_id=near)
    await has_plug(network, fine)
    page = await visitor.opens(plug_path(broken))
    assert "This plug is out of service." in page.text
    assert "South" in page.text
    assert "Hold €" not in page.text
    assert not list(page.all("form", method="post"))


async def test_somebody_elses_charge_is_told_and_shown_to_nobody(visitor: Visitor) -> None:
    network = visitor.network
    await offers(network, per_kwh("0.49"))
    await network.token("CARD")
    station = await network.station("2.0.1", location_id=await public_place(network))
    await station.plugs_in()
    await station.presents("CARD")
    await station.delivers(wh=2_000, over="10m")
    page = await visitor.opens(plug_path(station))
    assert "Somebody is charging here" in page.text
    assert "/drive/s/" not in page.html
    assert "CARD" not in page.html


async def test_free_charging_begins_with_one_press_and_ends_with_two(visitor: Visitor) -> None:
    network = visitor.network
    await offers(network, per_kwh("0"))
    station = await network.station("2.0.1", location_id=await public_place(network))
    await station.plugs_in()
    path = plug_path(station)
    page = await visitor.opens(path)
    assert "Free" in next(page.all("section", class_="price")).text
    done = await visitor.sends(path, expect=303, way="free")
    charge = done.answer.headers["location"]
    assert charge.startswith("/drive/s/")
    await station.delivers(wh=3_000, over="20m")
    page = await visitor.opens(charge)
    assert "3.000 kWh" in page.text
    assert "€0.00" in page.text
    # Whoever scans the code again is led to their own charge, others are not.
    assert "See your charge" in (await visitor.opens(path)).text
    stopped = await visitor.sends(f"{charge}/stop", expect=303)
    assert stopped.answer.headers["location"] == f"{charge}?why=stopping"

    async def is_told() -> bool:
        return (await visitor.opens(charge)).heading == "Charged 3.000 kWh"

    await network.until(is_told, "what was charged is told")


async def test_nobody_unknown_begins_where_no_tariff_says_what_it_costs(visitor: Visitor) -> None:
    station = await visitor.network.station("2.0.1", location_id=await public_place(visitor.network))
    await has_plug(visitor.network, station)
    page = await visitor.opens(plug_path(station))
    assert "No price yet" in next(page.all("section", class_="price")).text
    assert "Sign in to charge" in page.text
    for way in ("free", "guest"):
        await visitor.sends(plug_path(station), expect=409, way=way)
    commands = "select count(*) from command where station_id = $1 and kind = 'remote_start'"
    assert await visitor.network.pool.fetchval(commands, station.station_id) == 0


async def test_a_start_that_the_station_refuses_is_told_on_the_plugs_page(visitor: Visitor) -> None:
    network = visitor.network
    await offers(network, per_kwh("0"))
    station = await network.station("2.0.1", location_id=await public_place(network))
    await has_plug(network, station)
    station.answers["RequestStartTransaction"] = lambda _payload: {"status": "Rejected"}
    page = await visitor.sends(plug_path(station), expect=409, way="free")
    assert "The station says no." in page.text
    await station.leaves()
    page = await visitor.sends(plug_path(station), expect=409, way="free")
    assert "not offered" in page.text or "cannot be reached" in page.text


async def test_pages_for_everybody_may_be_kept_a_moment_and_others_never(visitor: Visitor) -> None:
    station = await visitor.network.station("1.6", location_id=await public_place(visitor.network))
    await has_plug(visitor.network, station)
    answer = await visitor.client.get(plug_path(station))
    assert answer.headers["cache-control"] == "public, max-age=5"
    assert answer.headers["content-encoding"] == "gzip"
    assert "Cookie" in answer.headers["vary"]
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    answer = await visitor.client.get(plug_path(station))
    assert answer.headers["cache-control"] == "no-store"
    assert "content-encoding" not in answer.headers


async def test_a_plug_page_is_small(visitor: Visitor) -> None:
    await offers(visitor.network, per_kwh("0.49"))
    station = await visitor.network.station("1.6", location_id=await public_place(visitor.network))
    await has_plug(visitor.network, station)
    headers = {"Accept-Encoding": "gzip"}
    async with visitor.client.stream("GET", plug_path(station), headers=headers) as answer:
        page = b"".join([piece async for piece in answer.aiter_raw()])
    opened = await visitor.opens(plug_path(station))
    # One round trip: the style is in the page, by the hash that the policy names. At 400 kbit/s with 400 ms a round trip,
    # what is left of a second is 30,000 bytes, headers and all; half of it is for the phone's own work.
    assert len(page) < 15_000, len(page)
    assert not [link for link in opened.all("link") if link.attributes.get("rel") == "stylesheet"]
    (style,) = re.findall("<style>(.*?)</style>", opened.html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'self' 'sha256-{digest}';" in opened.answer.headers["content-security-policy"]
    assert opened.html.count("<script") == 1
    assert "style=" not in opened.html
