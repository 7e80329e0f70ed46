"""Public certification cases of group I (tariff and cost), 2.0.1 and 2.1, with a tariff of one line in pricing's place."""

from tests.stories.network import Installation, Network
from tests.stories.test_costs import PerKwh, charging, ended, priced, priced_house, tells_running

__all__ = ["priced", "priced_house"]


async def test_tc_i_01_the_running_cost_is_shown(
    priced: Network,
    priced_house: tuple[Installation, PerKwh],
    version2: str,
) -> None:
    station = await charging(priced, version2)
    await station.delivers(wh=3000, over="15m")
    await tells_running(priced, priced_house[1])
    heard = await station.hears("CostUpdated")
    assert heard == {"totalCost": 1.5, "transactionId": station.transactions[1].id}
    [told] = await priced.rows(
        "select c.* from cost_told c join session s using (session_id) where s.station_id = $1", station.station_id
    )
    assert (str(told.amount), told.currency, told.is_final) == ("1.50", "EUR", False)


async def test_tc_i_02_the_total_cost_is_told_at_the_end(
    priced: Network,
    version2: str,
) -> None:
    station = await charging(priced, version2)
    await station.delivers(wh=9000, over="1h")
    assert await ended(station) == {"totalCost": 4.5}
    session = await priced.session_of(station)
    assert (session.status, session.energy_wh) == ("completed", 9000)
