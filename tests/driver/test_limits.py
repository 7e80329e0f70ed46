"""What a charge may cost at most: the driver's own limit, and what is held for it; both are told on its page before it ends."""

from ohmstead.accounts import access
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.model import NewPayingMethod
from tests.driver.test_guests import a_plug, begins, pays, shows
from tests.driver.visitor import Visitor, plug_path


async def test_a_guest_is_told_before_what_is_held_is_used_and_the_charge_ends_there(visitor: Visitor) -> None:
    station = await a_plug(visitor, "2.0.1")
    charge = await pays(visitor, await begins(visitor, station))
    await shows(visitor, charge, "Up to €20.00 is covered.")
    await station.delivers(wh=20_000, over="8m")
    await shows(visitor, charge, "€12.00")
    assert "nearly used" not in (await visitor.opens(charge)).text
    await station.delivers(wh=11_000, over="5m")
    await shows(visitor, charge, "€20.00 is covered, and nearly used: the charge ends there.")
    await station.delivers(wh=3_000, over="2m")
    await shows(visitor, charge, "It ended at the amount that was covered.")
    assert (await visitor.opens(charge)).heading == "Charged 34.00 kWh"


async def test_a_drivers_own_limit_is_told_can_be_raised_and_ends_the_charge(visitor: Visitor) -> None:
    station = await a_plug(visitor, "2.0.1")
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    actor = access.system(visitor.network.party_id)
    async with visitor.network.pool.acquire() as conn, conn.transaction():
        on_account = NewPayingMethod(kind="invoice")
        await paying.set_method(conn, actor, on_account, driver_id=await visitor.driver_id())
    await visitor.sends("/drive/me/alerts/limit", expect=303, amount="6")
    begun = await visitor.sends(plug_path(station), expect=303, way="account")
    charge = begun.answer.headers["location"]
    await station.delivers(wh=9_500, over="4m")
    await shows(visitor, charge, "It nearly costs €6.00, your own limit: the charge ends there.")
    await visitor.sends("/drive/me/alerts/limit", expect=303, amount="7,50")
    assert "your own limit" not in (await visitor.opens(charge)).text
    await station.delivers(wh=3_500, over="2m")
    await shows(visitor, charge, "It ended at your own limit of €7.50.")


async def test_absurd_limits_are_refused_and_none_is_none(visitor: Visitor) -> None:
    station = await a_plug(visitor)
    await visitor.signs_in(visitor.mailbox("ada"), at=station.station_id)
    path = "/drive/me/alerts/limit"
    for amount in ("0", "-5", "NaN", "Infinity", "1e9", "5.005", "abc", "1" * 50):
        page = await visitor.sends(path, expect=422, amount=amount)
        assert next(page.all("input", name="amount")).attributes["value"] == amount[:20]
        assert next(page.all("p", id="amount-error")).text
    kept = "select count(*) from driver_price_limit where party_id = $1"
    assert await visitor.network.pool.fetchval(kept, visitor.network.party_id) == 0
    await visitor.sends(path, expect=303, amount="12.5")
    page = await visitor.opens("/drive/me/alerts")
    assert next(page.all("input", name="amount")).attributes["value"] == "12.50"
    assert "In EUR" in page.text
    await visitor.sends(path, expect=303, amount="")
    await visitor.sends(path, expect=303, amount="")
    assert await visitor.network.pool.fetchval(kept, visitor.network.party_id) == 0
    await visitor.sends(path, expect=303, amount="9")
    await visitor.sends("/drive/me/data/erase", sure="yes")
    assert await visitor.network.pool.fetchval(kept, visitor.network.party_id) == 0
