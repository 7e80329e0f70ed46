"""Templates are carried out by themselves: on connecting, on a change, with patience after a refusal, and audited."""

from typing import Any
from uuid import UUID

from ohmstead.accounts import access
from ohmstead.core import clock
from ohmstead.stations.device import queries, store, templates
from ohmstead.stations.device.queries import StationDrift, TemplateView
from ohmstead.stations.device.templates import NewTemplate, TemplateChange
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_device import has, history, spoken


async def new_template(network: Network, version: str, values: dict[str, str], **more: Any) -> TemplateView:
    """A template for the stations of one version, in the words of that version."""
    given: dict[str, Any] = {"name": "Site rules", **more}
    new = NewTemplate(
        generation="1.6" if version == "1.6" else "2.x",
        variables={spoken(version, name): value for name, value in values.items()},
        **given,
    )
    async with network.pool.acquire() as conn, conn.transaction():
        return await templates.create_template(conn, access.system(network.party_id), new)


async def drift_of(network: Network, station: Station) -> StationDrift:
    async with network.pool.acquire() as conn:
        return await queries.station_drift(conn, network.party_id, station.station_id)


async def states(network: Network, station: Station) -> dict[str, str]:
    return {item.name.rpartition(".")[2]: item.state for item in (await drift_of(network, station)).items}


async def is_done(network: Network, station: Station, result: str, duty: str = "templates") -> None:
    """Until the duty ended so, with nothing asked for since. What was sent may have been found the same once more."""
    results = ("sent", "same") if result == "sent" else (result,)

    async def look() -> bool:
        row = await network.pool.fetchrow(
            "select result, due_at is null or due_at > now() + interval '0.5 seconds' as is_over from upkeep"
            " where station_id = $1 and duty = $2 and taken_until is null",
            station.station_id,
            duty,
        )
        return row is not None and row["is_over"] and row["result"] in results

    await network.until(look, f"{duty} of {station.station_id} is {result}")


def asked(station: Station, *actions: str) -> list[Payload]:
    return [payload for _, action, payload in station.wire.heard if action in actions]


SET = ("SetVariables", "ChangeConfiguration")


async def test_a_station_that_connects_is_brought_to_what_its_templates_want(network: Network, version: str) -> None:
    template = await new_template(network, version, {"HeartbeatInterval": "60", "RetryBackOffWaitMinimum": "30"})
    station = await network.station(version, boots=False)
    values = {"HeartbeatInterval": "300", "RetryBackOffWaitMinimum": "30.0"}
    has(station, values)
    await station.boots()
    await is_done(network, station, "same")
    assert values["HeartbeatInterval"] == "60"
    # What was right already is left alone.
    assert "RetryBackOffWaitMinimum" not in str(asked(station, *SET))
    assert set((await states(network, station)).values()) == {"same"}
    [change] = await history(network, station)
    assert (change.new_value, change.caused_by) == ("60", f"template:{template.template_id}")
    [entry] = await network.rows(
        "select * from audit_entry where party_id = $1 and action = 'station.configured'", network.party_id
    )
    assert entry.detail["set"] == [spoken(version, "HeartbeatInterval")]
    assert UUID(entry.detail["command_id"]) == change.command_id


async def test_a_change_of_the_template_reaches_stations_that_are_connected(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    values = {"HeartbeatInterval": "300"}
    has(station, values)
    template = await new_template(network, version, {"HeartbeatInterval": "60"})
    await is_done(network, station, "same")
    change = TemplateChange(variables={spoken(version, "HeartbeatInterval"): "90"})
    async with network.pool.acquire() as conn, conn.transaction():
        await templates.change_template(conn, access.system(network.party_id), template.template_id, change)

    async def is_changed() -> bool:
        return values["HeartbeatInterval"] == "90"

    await network.until(is_changed, "the new value arrives")


async def test_who_opted_out_is_left_alone(network: Network, version: str) -> None:
    station = await network.station(version, boots=False)
    values = {"HeartbeatInterval": "300"}
    has(station, values)
    await network.pool.execute("update station set takes_templates = false where station_id = $1", station.station_id)
    await new_template(network, version, {"HeartbeatInterval": "60"})
    await station.boots()
    await is_done(network, station, "nothing")
    assert values == {"HeartbeatInterval": "300"}
    assert asked(station, *SET) == []
    # What it would be is still shown.
    found = await drift_of(network, station)
    assert (found.takes_templates, found.templates, len(found.items)) == (False, ["Site rules"], 1)


async def test_a_refused_value_is_not_sent_again_at_once_and_the_others_are_not_held_up(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    values = {"HeartbeatInterval": "300", "MessageTimeout": "30"}
    has(station, values)

    def one_by_one(payload: Payload) -> Payload:
        results = []
        for wanted in payload["setVariableData"]:
            is_good = wanted["variable"]["name"] == "MessageTimeout"
            if is_good:
                values["MessageTimeout"] = wanted["attributeValue"]
            results.append(
                {
                    "attributeStatus": "Accepted" if is_good else "Rejected",
                    "component": wanted["component"],
                    "variable": wanted["variable"],
                }
            )
        return {"setVariableResult": results}

    def key_by_key(payload: Payload) -> Payload:
        if payload["key"] != "MessageTimeout":
            return {"status": "Rejected"}
        values["MessageTimeout"] = payload["value"]
        return {"status": "Accepted"}

    station.answers |= {"SetVariables": one_by_one, "ChangeConfiguration": key_by_key}
    await new_template(network, version, {"HeartbeatInterval": "60", "MessageTimeout": "20"})
    await is_done(network, station, "refused")
    assert values["MessageTimeout"] == "20"
    assert await states(network, station) == {"HeartbeatInterval": "refused", "MessageTimeout": "same"}
    [refused] = [item for item in (await drift_of(network, station)).items if item.state == "refused"]
    assert refused.reason == "Rejected"
    assert refused.retry_at is not None
    assert 500 < (refused.retry_at - clock.now()).total_seconds() <= 600
    n_sent = len(asked(station, *SET))
    await station.boots()
    await is_done(network, station, "refused")
    assert len(asked(station, *SET)) == n_sent
    # Somebody who asks for it now gets it now.
    async with network.pool.acquire() as conn, conn.transaction():
        await templates.reconcile_now(conn, access.system(network.party_id), station.station_id)

    async def is_asked_again() -> bool:
        return len(asked(station, *SET)) > n_sent

    await network.until(is_asked_again, "it is tried again")


async def test_a_value_that_needs_a_restart_is_not_set_twice_and_restarts_only_who_may(
    network: Network, version: str
) -> None:
    station = await silent_station(network, version)
    has(station, {"HeartbeatInterval": "300"}, answer="RebootRequired")
    template = await new_template(network, version, {"HeartbeatInterval": "60"})
    await is_done(network, station, "waits_for_restart")
    assert await states(network, station) == {"HeartbeatInterval": "waits_for_restart"}
    assert (len(asked(station, *SET)), asked(station, "Reset")) == (1, [])
    # While somebody charges it is not restarted either.
    await station.tells_status(1, "occupied")
    async with network.pool.acquire() as conn, conn.transaction():
        actor = access.system(network.party_id)
        await templates.change_template(conn, actor, template.template_id, TemplateChange(resets_on_idle=True))

    async def knows_it_is_busy() -> bool:
        text = "select text from upkeep where station_id = $1 and duty = 'templates'"
        return "in use" in (await network.pool.fetchval(text, station.station_id) or "")

    await network.until(knows_it_is_busy, "the restart waits for the car")
    assert (len(asked(station, *SET)), asked(station, "Reset")) == (1, [])
    await station.tells_status(1, "available")
    await network.pool.execute("update upkeep set due_at = now() where station_id = $1", station.station_id)
    assert (await station.hears("Reset"))["type"] == ("Soft" if version == "1.6" else "OnIdle")


async def test_no_more_is_sent_at_once_than_the_station_takes(network: Network, version2: str) -> None:
    station = await silent_station(network, version2)
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value)"
        " values ($1, 'DeviceDataCtrlr', 'ItemsPerMessage[SetVariables]', '2')",
        station.station_id,
    )
    values = {f"V{n}": "old" for n in range(5)}
    has(station, values)
    await new_template(network, version2, dict.fromkeys(values, "new"))
    await is_done(network, station, "same")
    assert set(values.values()) == {"new"}
    assert [len(payload["setVariableData"]) for payload in asked(station, "SetVariables")] == [2, 2, 1]


async def test_of_two_templates_the_weightier_wins_and_the_other_is_named(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    values = {"HeartbeatInterval": "300"}
    has(station, values)
    await new_template(network, version, {"HeartbeatInterval": "60"}, name="Site", priority=5, vendor="vend*")
    await is_done(network, station, "same")
    await new_template(network, version, {"HeartbeatInterval": "90"}, name="Everybody")
    await new_template(network, version, {"HeartbeatInterval": "1"}, name="Others", priority=9, model="Elsewhere")
    [item] = (await drift_of(network, station)).items
    assert (item.desired, item.template, item.over) == ("60", "Site", ("Everybody",))
    await is_done(network, station, "same")
    assert values["HeartbeatInterval"] == "60"


async def test_a_duty_whose_worker_died_is_taken_up_by_another(network: Network, version: str) -> None:
    """kill -9: the row was taken, and nobody finished it."""
    station = await silent_station(network, version)
    await is_done(network, station, "nothing")
    values = {"HeartbeatInterval": "300"}
    has(station, values)
    await network.pool.execute(
        "insert into configuration_template (template_id, party_id, name, generation, variables)"
        " values (gen_random_uuid(), $1, 'T', $2, $3)",
        network.party_id,
        "1.6" if version == "1.6" else "2.x",
        {spoken(version, "HeartbeatInterval"): "60"},
    )
    await network.pool.execute(
        "update upkeep set due_at = now() - interval '1 minute', taken_until = now() + interval '0.3 seconds'"
        " where station_id = $1 and duty = 'templates'",
        station.station_id,
    )
    await is_done(network, station, "same")
    assert values["HeartbeatInterval"] == "60"


async def test_a_wish_that_comes_while_a_duty_is_done_is_not_lost(network: Network) -> None:
    station = await network.station("1.6")
    await station.goes_offline()
    await network.is_connected(station, False)
    now = clock.now()
    async with network.pool.acquire() as conn, conn.transaction():
        asked_n = await conn.fetchval(
            "select asked from upkeep where station_id = $1 and duty = 'templates'", station.station_id
        )
        duty = store.Duty(station.station_id, "templates", asked_n or 0, 0)
        await store.ask(conn, "templates", [station.station_id], now)
        await store.finish_duty(conn, duty, now, "same", None, None, 0)
        row = await conn.fetchrow(
            "select due_at, taken_until from upkeep where station_id = $1 and duty = 'templates'", station.station_id
        )
    assert row is not None
    assert (row["due_at"], row["taken_until"]) == (now, None)


async def test_a_station_that_knows_no_such_variable_is_told_as_incomplete(network: Network, version: str) -> None:
    station = await silent_station(network, version)
    has(station, {"Other": "1"})
    await new_template(network, version, {"HeartbeatInterval": "60"})
    await is_done(network, station, "incomplete")
    assert await states(network, station) == {"HeartbeatInterval": "unknown"}
    assert asked(station, *SET) == []


async def test_a_crowd_that_connects_at_once_is_seen_to_soon(network: Network) -> None:
    """Four hundred stations' duties, of which most have nothing to do, take a second or two, not minutes."""
    stations = [await network.station("1.6", f"C-{n}", boots=False) for n in range(2)]
    for station in stations:
        await station.boots()
    await network.pool.execute(
        "insert into station (station_id, party_id, security_profile, gateway_id)"
        " select 'crowd-' || n || $2, $1, 0, (select gateway_id from gateway limit 1) from generate_series(1, 400) n",
        network.party_id,
        network.suffix,
    )
    await network.pool.execute(
        "insert into upkeep (station_id, duty, due_at, asked) select station_id, 'templates', now(), 1 from station"
        " where party_id = $1 and station_id like 'crowd-%'",
        network.party_id,
    )

    async def are_done() -> bool:
        left = "select count(*) from upkeep join station using (station_id) where party_id = $1 and due_at <= now()"
        return await network.pool.fetchval(left, network.party_id) == 0

    await network.until(are_done, "nothing is due any more")
