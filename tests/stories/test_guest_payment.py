"""A stranger pays in the sandbox and charges, in every version of OCPP the same: hold, start, stop, bill, capture, books."""

from decimal import Decimal

from ohmstead.adapters.payments import providers_of, sandbox_of
from ohmstead.adapters.payments.sandbox.adapter import SandboxProvider
from ohmstead.billing import verifying
from ohmstead.billing.payments import service
from ohmstead.billing.payments.model import AdHoc, NewAdHoc, Payment
from tests.stories.network import Network
from tests.stories.station import Station
from tests.stories.test_priced_sessions import RULES, has_tariff


async def at_a_station(network: Network, version: str) -> tuple[Station, SandboxProvider, AdHoc]:
    """A guest at a station, led to where they pay."""
    await has_tariff(network, RULES)
    location_id = await network.location()
    station = await network.station(version, location_id=location_id, hours_ago=0)
    await network.is_connected(station)
    sandbox = sandbox_of(network.house.settings, network.pool)
    assert sandbox is not None
    providers = providers_of(network.house.settings, network.pool, sandbox)
    given = NewAdHoc(
        party_id=network.party_id,
        station_id=station.station_id,
        evse_number=1,
        return_url="http://127.0.0.1/back",
        language="de",
    )
    return station, sandbox, await service.begin_ad_hoc(network.pool, providers, given)


async def payment_of(network: Network, begun: AdHoc) -> Payment:
    async with network.pool.acquire() as conn:
        return await service.get_payment(conn, network.party_id, begun.payment_id)


async def is_state(network: Network, begun: AdHoc, state: str) -> None:
    async def look() -> bool:
        return (await payment_of(network, begun)).state == state

    await network.until(look, f"the payment is {state}")


async def test_a_stranger_pays_charges_and_is_billed_to_the_cent(network: Network, version: str) -> None:
    station, sandbox, begun = await at_a_station(network, version)
    await station.plugs_in()
    await sandbox.pay(begun.url.rpartition("/")[2], "good")
    await is_state(network, begun, "held")
    start = "RemoteStartTransaction" if version == "1.6" else "RequestStartTransaction"
    payload = await station.hears(start)
    payment = await payment_of(network, begun)
    assert payment.token_uid is not None
    assert payment.token_uid in str(payload)
    await network.is_status(station, "active")
    session = await network.session_of(station)
    assert (session.token_uid, session.authorization_status) == (payment.token_uid, "accepted")
    assert session.token_type == "DirectPayment"  # the price is the one for guests
    await station.delivers(wh=10_000, over="1h")
    await station.unplugs()
    await is_state(network, begun, "captured")
    payment = await payment_of(network, begun)
    # 5.00 for energy and 1.00 for the fee, with 20 %.
    assert (payment.captured, payment.session_id) == (Decimal("7.20"), session.session_id)
    settlements = await network.rows(
        "select amount, settled_by, status from settlement where station_id = $1", station.station_id
    )
    assert [(row.amount, row.settled_by, row.status) for row in settlements] == [(Decimal("7.20"), "us", "settled")]
    async with network.pool.acquire() as conn:
        assert (await verifying.verify(conn, network.party_id)).faults == []


async def test_a_station_that_refuses_costs_nothing_and_the_guest_is_told_why(network: Network, version: str) -> None:
    station, sandbox, begun = await at_a_station(network, version)
    start = "RemoteStartTransaction" if version == "1.6" else "RequestStartTransaction"
    station.answers[start] = {"status": "Rejected"}
    await sandbox.pay(begun.url.rpartition("/")[2], "good")
    await is_state(network, begun, "released")
    assert (await payment_of(network, begun)).failure == "start_refused"
