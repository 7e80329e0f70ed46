"""A run as a whole: deterministic, a believable city, a fleet that remembers, real sockets."""

import asyncio
import base64
import ssl
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from ohmstead.core.errors import ExternalFailure, Invalid
from ohmstead.ocpp import rpc, schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.simulator import city, memory
from ohmstead.simulator.fleet import Fleet
from ohmstead.simulator.memory import Memory
from ohmstead.simulator.plan import StationPlan, Token
from ohmstead.simulator.provision import provision
from ohmstead.simulator.transport import Unreachable, WebSocketDialer, tls_context
from ohmstead.simulator.world import Options, World
from tests.simulator.csms import Csms, virtual_now, virtually
from tests.simulator.stories import VERSIONS, Planned, make_station, make_world, registers, starts, until_ended

NIGHT = datetime(2026, 3, 4, 2, tzinfo=UTC)


def run_city(seed: str, *, hours: float = 2, quirks: tuple[str, ...] = ()) -> Csms:
    """A small city with trouble in it, lived through in virtual time."""
    csms = Csms()

    async def story() -> None:
        plans = city.build(12, city.CityOptions(seed=seed))
        options = Options(
            seed=seed, faults_per_day=6, offline_per_day=6, quirks=quirks, sample_interval_s=600, speed=2, job_step_s=1
        )
        world = World(
            csms, options, demand=city.CityDemand(2), tokens=city.tokens(60, seed), nonce="n-", now=virtual_now
        )
        await Fleet(plans, world, per_s=10).run(hours * 3600)
        assert not {kind for kind in world.tally.errors if kind.startswith(("simulator", "given_up", "bad"))}

    virtually(story)
    return csms


def test_two_runs_with_the_same_seed_say_exactly_the_same() -> None:
    first, second, other = run_city("42"), run_city("42"), run_city("43")
    assert len(first.heard) > 200
    assert first.frames == second.frames
    assert first.frames != other.frames
    assert first.problems == []


def test_a_city_under_way_charges_at_once_and_all_its_messages_are_valid() -> None:
    csms = run_city("7", hours=1)
    first_minute = [h for h in csms.heard if h.at_s < 60]
    begun = [h for h in first_minute if h.action == "StartTransaction" or h.payload.get("eventType") == "Started"]
    assert len(begun) >= 3
    assert csms.problems == []


def test_the_city_is_believable() -> None:
    plans = city.build(120, city.CityOptions())
    assert len({plan.station_id for plan in plans}) == 120
    assert Counter(plan.version for plan in plans) == {"1.6": 40, "2.0.1": 40, "2.1": 40}
    assert len({plan.location for plan in plans}) == 25
    assert 0.1 < sum(plan.evses[0].is_dc for plan in plans) / 120 < 0.4
    assert plans == city.build(120, city.CityOptions())
    spread = [
        max(getattr(p, axis) for p in plans) - min(getattr(p, axis) for p in plans)
        for axis in ("latitude", "longitude")
    ]
    assert all(0.02 < degrees < 0.12 for degrees in spread)
    assert len(city.build(3000, city.CityOptions())) == 3000
    assert len(city.build(1, city.CityOptions())) == 1


def test_people_come_when_people_come() -> None:
    def occupied(kind: str, at: datetime) -> float:
        plans = [p for p in city.build(400, city.CityOptions()) if p.kind == kind]
        demand = city.CityDemand()
        visits = [
            demand.first_visit(plan, evse, Random(f"{plan.station_id}{evse.number}{at}"), at)
            for plan in plans
            for evse in plan.evses
        ]
        return sum(visit is not None for visit in visits) / len(visits)

    noon, evening = NIGHT + timedelta(hours=9), NIGHT + timedelta(hours=19)
    assert occupied("workplace", noon) > 0.35
    assert occupied("workplace", noon) > 3 * occupied("workplace", NIGHT)
    assert occupied("residential", NIGHT) > 0.3
    assert occupied("supermarket", evening - timedelta(hours=3)) > 3 * occupied("supermarket", NIGHT)


def test_the_past_overlaps_nowhere_and_stays_within_what_an_outlet_can_give() -> None:
    plans = city.build(60, city.CityOptions())
    sessions = list(city.history(plans, city.tokens(240, "1"), days=14, seed="1", until=NIGHT))
    assert sessions == list(city.history(plans, city.tokens(240, "1"), days=14, seed="1", until=NIGHT))
    assert len(sessions) > 1000
    by_outlet: dict[Any, datetime] = {}
    by_card: dict[Any, datetime] = {}
    for session in sessions:
        assert NIGHT - timedelta(days=14) <= session.plugged_at < session.unplugged_at < NIGHT
        for last, key in ((by_outlet, (session.station, session.evse)), (by_card, session.token)):
            assert last.get(key, session.plugged_at) <= session.plugged_at
            last[key] = session.unplugged_at
        stay_h = (session.unplugged_at - session.plugged_at).total_seconds() / 3600
        assert session.max_power_w is not None
        assert 0 < session.energy_wh <= session.max_power_w * stay_h + 1


def test_registers_and_cut_transactions_survive_in_the_state_file(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    csms = Csms()

    async def live(*visits: tuple[float, float, float], seconds: float, nonce: str) -> None:
        world = make_world(csms, demand=Planned(*visits), nonce=nonce)
        world.memory.update(memory.load(state).stations)
        world.firmware = memory.load(state).firmware
        await Fleet([StationPlan("SIM-1", "2.0.1")], world, state=state).run(seconds)

    virtually(lambda: live((10, 3600, 4000), seconds=8000, nonce="a-"))
    kept = memory.load(state).stations["SIM-1"][1]
    assert kept.open is None
    assert kept.register_mwh // 1000 == int(registers(csms, "2.0.1")[-1][1])
    virtually(lambda: live((10, 3600, 4000), seconds=1200, nonce="b-"))
    found = [value for _, value in registers(csms, "2.0.1")]
    assert found == sorted(found)
    last = csms.of("TransactionEvent")[-1]
    assert (last["eventType"], last["transactionInfo"]["stoppedReason"]) == ("Ended", "PowerLoss")
    installed = memory.load(state)
    memory.save(state, Memory(installed.stations, {}, {"SIM-1": "9.9"}))
    virtually(lambda: live(seconds=100, nonce="c-"))
    assert csms.of("BootNotification")[-1]["chargingStation"]["firmwareVersion"] == "9.9"
    assert memory.load(state).firmware == {"SIM-1": "9.9"}
    state.write_text("not json")
    with pytest.raises(Invalid):
        memory.load(state)
    memory.save(state, Memory({}))
    assert state.stat().st_mode & 0o077 == 0


# --- real sockets ---------------------------------------------------------------------------------------------------


class Gateway:
    """A CSMS on a real socket: checks names, passwords and schemas, and answers just enough."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.problems: list[str] = []
        self.authorizations: list[str] = []
        self.extensions: list[str] = []

    async def accept(self, request: web.Request) -> web.StreamResponse:
        station_id = request.match_info["station_id"]
        self.authorizations.append(request.headers.get("Authorization", ""))
        self.extensions.append(request.headers.get("Sec-WebSocket-Extensions", ""))
        if station_id.startswith("NOBODY"):
            raise web.HTTPNotFound
        ws = web.WebSocketResponse(protocols=("ocpp1.6", "ocpp2.0.1", "ocpp2.1"))
        await ws.prepare(request)
        version = Version.from_subprotocol(ws.ws_protocol or "")
        async for message in ws:
            if message.type is not WSMsgType.TEXT:
                break
            frame = rpc.parse(message.data, version)
            assert isinstance(frame, rpc.Call)
            self.heard.append((station_id, frame.action))
            self.problems += schemas.violations(version, frame.action, bytes(frame.payload))
            body: dict[str, Any] = {}
            if frame.action in ("BootNotification", "Heartbeat"):
                body["currentTime"] = "2026-03-02T08:00:00.000Z"
            if frame.action == "BootNotification":
                body |= {"status": "Accepted", "interval": 300}
            elif frame.action == "Authorize":
                body["idTagInfo" if version is Version.V16 else "idTokenInfo"] = {"status": "Accepted"}
            elif frame.action == "StartTransaction":
                body = {"transactionId": len(self.heard), "idTagInfo": {"status": "Accepted"}}
            await ws.send_str(rpc.encode_result(frame.message_id, body).decode())
        return ws


@asynccontextmanager
async def listening(gateway: Gateway, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The gateway on a port of its own; its address."""
    app = web.Application()
    app.router.add_get("/ocpp/{station_id}", gateway.accept)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield f"{'wss' if tls else 'ws'}://localhost:{port}/ocpp"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("is_compressed", [False, True])
async def test_a_fleet_of_all_versions_lives_over_real_sockets(is_compressed: bool) -> None:
    gateway = Gateway()
    async with listening(gateway) as url, WebSocketDialer(url, is_compressed=is_compressed) as dialer:
        plans = city.build(30, city.CityOptions(prefix="S-"))
        demand = Planned(*[(1, 3, 300)] * 30)
        world = World(dialer, Options(speed=100), demand=demand, tokens=city.tokens(200, "1"), nonce="x-")
        world.passwords = {plan.station_id: "a password" for plan in plans}
        await Fleet(plans, world, per_s=500).run(3)
    assert gateway.problems == []
    assert {station_id for station_id, action in gateway.heard if action == "BootNotification"} == {
        plan.station_id for plan in plans
    }
    assert {"StartTransaction", "StopTransaction", "TransactionEvent", "Authorize"} <= {a for _, a in gateway.heard}
    assert base64.b64decode(gateway.authorizations[0].partition(" ")[2]).endswith(b":a password")
    assert all(("permessage-deflate" in text) == is_compressed for text in gateway.extensions)
    assert world.tally.connected == 0
    assert world.tally.charging == 0
    assert world.tally.power_w == pytest.approx(0, abs=1e-6)
    assert world.tally.sessions_started == world.tally.sessions_ended > 0


async def test_refusals_are_told_by_their_status() -> None:
    gateway = Gateway()
    async with listening(gateway) as url, WebSocketDialer(url) as dialer:
        with pytest.raises(Unreachable) as refused:
            await dialer.dial("NOBODY-1", "1.6", None)
        assert refused.value.status == 404
    async with WebSocketDialer(url) as dialer:
        with pytest.raises(Unreachable) as away:
            await dialer.dial("SIM-1", "1.6", None)
        assert away.value.status == 0


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="TLS"):
        tls_context(tmp_path / "missing.pem", None, None)


class Api:
    """The two bulk operations that the simulator uses."""

    def __init__(self) -> None:
        self.stations: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.keys: set[str] = set()
        self.fails = False

    async def take_stations(self, request: web.Request) -> web.Response:
        self.keys.add(request.headers["Authorization"])
        rows = [line.split(",") for line in (await request.text()).splitlines()[1:]]
        fresh = {row[0]: f"made for {row[0]}" for row in rows if row[0] not in self.stations and not row[3]}
        self.stations |= fresh | {row[0]: row[3] for row in rows if row[3]}
        failed = [{"row": 2, "field": "station_id", "error": "taken"}] if self.fails else []
        return web.json_response({"created": len(fresh), "secrets": fresh, "failed": failed})

    async def take_tokens(self, request: web.Request) -> web.Response:
        self.tokens |= {line.split(",")[0] for line in (await request.text()).splitlines()[1:]}
        return web.json_response({"created": 1, "failed": []})


async def test_stations_and_tokens_are_made_through_the_api_and_lost_passwords_replaced() -> None:
    api = Api()
    app = web.Application()
    app.router.add_post("/api/v1/stations/bulk", api.take_stations)
    app.router.add_post("/api/v1/tokens/bulk", api.take_tokens)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    plans = city.build(5, city.CityOptions())
    try:
        made = await provision(url, "key", plans, [Token("AB")], {})
        assert made.n_created == 5
        assert made.passwords == api.stations
        known = {plans[0].station_id: made.passwords[plans[0].station_id]}
        again = await provision(url, "key", plans, [Token("AB")], known)
        assert again.n_created == 0
        assert again.passwords == api.stations
        assert all(len(secret) >= 16 for secret in again.passwords.values())
        api.fails = True
        with pytest.raises(ExternalFailure, match="taken"):
            await provision(url, "key", plans, [], {})
    finally:
        await runner.cleanup()
    assert (api.tokens, api.keys) == ({"AB"}, {"Bearer key"})
    with pytest.raises(ExternalFailure):
        await provision(url, "key", plans, [], {})


def test_a_thousand_idle_stations_stay_small() -> None:
    csms = Csms(is_strict=False)

    async def story() -> float:
        plans = city.build(1000, city.CityOptions())
        world = World(csms, Options(), nonce="m-", now=virtual_now)
        tracemalloc.start()
        fleet = Fleet(plans, world, per_s=1000)
        running = asyncio.get_running_loop().create_task(fleet.run(600))
        await asyncio.sleep(500)
        csms.heard.clear()
        csms.frames.clear()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        await running
        return used / 1000

    assert virtually(story) < 40_000


@pytest.mark.parametrize("version", VERSIONS)
def test_what_breaks_down_tells_and_recovers(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        world = make_world(csms, demand=Planned((10, 7200, 30_000)), faults_per_day=60.0, seed="3")
        starts(make_station(version, world))
        await until_ended(csms, version)
        await asyncio.sleep(8000)

    virtually(story)
    assert csms.problems == []
    statuses = [p.get("status") or p["connectorStatus"] for p in csms.of("StatusNotification")]
    assert "Faulted" in statuses
    if version == "1.6":
        codes = {p["errorCode"] for p in csms.of("StatusNotification") if p["status"] == "Faulted"}
        assert codes
        assert "NoError" not in codes
    else:
        cleared = [e["eventData"][0].get("cleared") for e in csms.of("NotifyEvent")]
        assert None in cleared
        assert True in cleared
