"""A simulated 2.1 station keeps to the limit of a transaction, and tells it."""

from typing import Any

import pytest

from tests.simulator.csms import Csms, virtually
from tests.simulator.stories import Planned, make_station, make_world, starts, until_ended

REGISTER = "Energy.Active.Import.Register"


def lived_through(limit: dict[str, Any], *, costs: tuple[float, ...] = (), is_dc: bool = False) -> list[dict[str, Any]]:
    """The events of a transaction of an hour whose start was answered with a limit."""
    csms = Csms()
    csms.limit, csms.costs = limit, list(costs)

    async def story() -> None:
        world = make_world(csms, demand=Planned((10, 3600, 30_000), is_dc=is_dc), sample_interval_s=60)
        starts(make_station("2.1", world))
        await until_ended(csms, "2.1")

    virtually(story)
    assert csms.problems == []
    return csms.of("TransactionEvent")


def register_of(event: dict[str, Any]) -> float:
    (value,) = [v["value"] for v in event["meterValue"][0]["sampledValue"] if v["measurand"] == REGISTER]
    return float(value)


@pytest.mark.parametrize(
    ("limit", "costs", "trigger"),
    [
        ({"maxEnergy": 1500}, (), "EnergyLimitReached"),
        ({"maxTime": 900}, (), "TimeLimitReached"),
        ({"maxCost": 2.5}, (0, 1, 2, 2.6), "CostLimitReached"),
    ],
)
def test_at_its_limit_a_transaction_is_suspended_and_takes_nothing_more(
    limit: dict[str, Any], costs: tuple[float, ...], trigger: str
) -> None:
    events = lived_through(limit, costs=costs)
    told = [e for e in events if e["triggerReason"] == "LimitSet"]
    assert [e["transactionInfo"]["transactionLimit"] for e in told] == [limit]
    (reached,) = [e for e in events if e["triggerReason"] == trigger]
    assert reached["transactionInfo"]["chargingState"] == "SuspendedEVSE"
    assert events[-1]["eventType"] == "Ended"
    delivered = register_of(events[-1]) - register_of(events[0])
    assert register_of(events[-1]) - register_of(reached) <= 1
    assert delivered > 0
    if "maxEnergy" in limit:
        assert delivered == pytest.approx(1500, abs=15)


def test_a_limit_that_is_never_reached_changes_nothing() -> None:
    events = lived_through({"maxEnergy": 1_000_000, "maxTime": 100_000})
    assert not [e for e in events if e["triggerReason"].endswith("LimitReached")]
