"""What the cases of charging profiles, negotiation and energy both ways say and look up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ohmstead.smartcharging import queries
from ohmstead.smartcharging.model import HeldProfile
from ohmstead.stations import orders as o
from ohmstead.stations.commands import Command
from tests.conformance.judged import asked
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_profiles import charging_station, gives

PROFILES = ("SetChargingProfile", "UpdateDynamicSchedule")


def period(start_s: int = 0, **values: Any) -> o.Period:
    """A period whose numbers may be plain ones."""
    exact = {name: Decimal(str(v)) if type(v) in (int, float) else v for name, v in values.items()}
    return o.Period(start_s=start_s, **exact)


def given(*periods: o.Period, unit: Any = "W", schedule: dict[str, Any] | None = None, **fields: Any) -> Any:
    """A profile of these periods; an absolute one begins a minute ago."""
    whole: dict[str, Any] = {"profile_id": 0, "purpose": "session_default", "timing": "absolute", **fields}
    begins = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    starts_at = begins if whole["timing"] in ("absolute", "recurring") else None
    one = o.Schedule(rate_unit=unit, periods=periods, starts_at=starts_at, **(schedule or {}))
    return o.ChargingProfile(schedules=(one,), **whole)


def for_session(station: Station, *periods: o.Period, **fields: Any) -> Any:
    """A profile for the session that goes on."""
    transaction_id = str(station.transactions[1].id)
    return given(*periods, purpose="session", transaction_id=transaction_id, **fields)


async def told(network: Network, station: Station, profile: Any, evse_number: int = 1) -> tuple[HeldProfile, Payload]:
    """Give it to the station: what we say that it holds, and what it was sent."""
    held, command = await gives(network, station, profile, evse_number)
    assert command.status == "accepted"
    heard = (await station.hears("SetChargingProfile"))["chargingProfile"]
    assert (heard["id"], held.status) == (held.profile.profile_id, "held")
    return held, heard


async def needs_kept(network: Network, station: Station) -> Any:
    """The latest that a car asked for."""
    async with network.pool.acquire() as conn:
        return (await queries.list_needs(conn, network.party_id, station.station_id))[0]


def sent(station: Station) -> list[tuple[str, Payload]]:
    """Profiles and updates that the station was sent so far."""
    return [(action, payload) for action, payload in asked(station) if action in PROFILES]


async def sends(network: Network, station: Station, n: int) -> tuple[str, Payload]:
    """Until the station was sent `n` profiles and updates; the latest, once it is what counts."""

    async def is_planned() -> bool:
        return len(sent(station)) >= n and (await needs_kept(network, station)).status == "planned"

    await network.until(is_planned, f"{n} profiles were sent")
    assert len(sent(station)) == n
    return sent(station)[-1]


def needs(way: str = "AC_three_phase", *, hours: float | None = 8, wh: int | None = 20_000, **more: Any) -> Payload:
    """What a car of ISO 15118-20 asks for; `more` in the protocol's own words."""
    asked_for: Payload = {"requestedEnergyTransfer": way, **more}
    if hours is not None:
        asked_for["departureTime"] = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    if "BPT" in way:
        asked_for["v2xChargingParameters"] = {"maxChargePower": 11_000, "maxDischargePower": 5000, **_target(wh)}
    elif wh is not None:
        asked_for["acChargingParameters"] = {
            "energyAmount": wh,
            "evMinCurrent": 6,
            "evMaxCurrent": 32,
            "evMaxVoltage": 400,
        }
    return {"evseId": 1, "chargingNeeds": asked_for}


def _target(wh: int | None) -> Payload:
    return {} if wh is None else {"evTargetEnergyRequest": wh}


def chosen(watts: float, **more: Any) -> Payload:
    """A schedule that a car chose: so many watts for an hour."""
    schedule = {
        "id": 1,
        "chargingRateUnit": "W",
        "duration": 3600,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": watts}],
    }
    return {"evseId": 1, "timeBase": datetime.now(UTC).isoformat(), "chargingSchedule": schedule, **more}


async def charging_car(network: Network, **token: Any) -> Station:
    """A 2.1 station with a session of a token with these limits."""
    if not token:
        return await charging_station(network, "2.1")
    station = await network.station("2.1", hours_ago=0)
    await network.token("TAG1", **token)
    await station.plugs_in()
    assert await station.presents("TAG1") == "Accepted"
    return station


async def changes_mode(network: Network, station: Station, mode: str) -> list[Any]:
    """The station says in which mode it runs now; the modes that its session went through."""
    going_on = station.transactions[1]
    station.passes("1m")
    payload = {
        "eventType": "Updated",
        "timestamp": station.at.isoformat(),
        "triggerReason": "OperationModeChanged",
        "seqNo": going_on.seq_no,
        "transactionInfo": {"transactionId": going_on.id, "operationMode": mode},
        "evse": {"id": 1, "connectorId": 1},
    }
    going_on.seq_no += 1
    assert await station.says("TransactionEvent", payload) == {}
    events = await network.events_of(await network.session_of(station))
    return [event.detail["mode"] for event in events if event.kind == "operation_mode_changed"]


async def updates(network: Network, station: Station, profile_id: int, limits: o.Limits) -> Command:
    """New values for a dynamic profile, as an operator gives them."""
    return await network.orders(station, o.UpdateSchedule(profile_id=profile_id, limits=limits))
