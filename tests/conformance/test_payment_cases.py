"""Cases of payment, cost and limits that OCPP 2.1 added: on the wire and kept."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ohmstead.core.errors import Conflict, ExternalFailure
from ohmstead.core.money import Money
from ohmstead.sessions.payments import service as payments
from ohmstead.sessions.payments import settling, totp
from ohmstead.sessions.payments.model import NewSetup, NewStart, Refusal, Scan, WebPayment
from ohmstead.sessions.payments.ports import Settled
from ohmstead.sessions.terms import Terms
from ohmstead.stations import orders as o
from ohmstead.stations.orders import Command, SessionLimit
from tests.conformance.dealing import Dealing, Provider, dealing, dealing_house, reckoned
from tests.conformance.judged import Charge, asked, signals_of
from tests.conformance.test_v21_cases import NIGHT, NIGHT_ON_THE_WIRE
from tests.stories.station import Payload, Station

__all__ = ["dealing", "dealing_house"]


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


async def authorizes(station: Station, uid: str) -> Payload:
    return await station.says("Authorize", {"idToken": {"idToken": uid, "type": "ISO14443"}})


# ------------------------------------------------------------------------------------------------------ prepaid cards


async def test_tc_c_103_a_prepaid_card_is_told_its_credit_and_charges_no_further(dealing: Dealing) -> None:
    await dealing.network.token("PRE1")
    dealing.book.terms["PRE1"] = Terms(credit=eur("12.345"))
    station = await dealing.station()
    info = (await authorizes(station, "PRE1"))["idTokenInfo"]
    assert (info["status"], info["personalMessage"]) == ("Accepted", {"format": "UTF8", "content": "12.35 EUR"})
    # Not to be kept by the station: it is another answer after every session.
    assert datetime.fromisoformat(info["cacheExpiryDateTime"]) <= datetime.now(UTC)
    charge = Charge(station)
    answer = await charge.tells("Started", "Authorized", uid="PRE1", wh=1_000)
    assert (answer["idTokenInfo"]["status"], answer["transactionLimit"]) == ("Accepted", {"maxCost": 12.35})
    session = await dealing.network.session_of(station)
    assert (session.status, session.limit_ours) == ("active", {"max_cost": "12.35"})


async def test_tc_c_104_a_prepaid_card_without_credit_begins_nothing_and_still_ends_what_it_began(
    dealing: Dealing,
) -> None:
    await dealing.network.token("PRE2")
    dealing.book.terms["PRE2"] = Terms(credit=eur("5"))
    charge, _ = await dealing.charge(uid="PRE2")
    dealing.book.terms["PRE2"] = Terms(credit=eur("0.004"))
    # The card has a session: it may be shown to end it.
    assert (await authorizes(charge.station, "PRE2"))["idTokenInfo"]["status"] == "Accepted"
    ended = await charge.tells("Ended", "StopAuthorized", uid="PRE2", reason="Local", wh=2_000)
    assert ended["idTokenInfo"]["status"] == "Accepted"
    assert (await authorizes(charge.station, "PRE2"))["idTokenInfo"]["status"] == "NoCredit"
    again = Charge(charge.station, "tx-2")
    answer = await again.tells("Started", "Authorized", uid="PRE2", wh=2_000)
    assert answer["idTokenInfo"]["status"] == "NoCredit"
    assert "transactionLimit" not in answer
    first, second = await dealing.network.sessions_of(charge.station)
    assert (first.status, first.authorization_status) == ("completed", "accepted")
    assert (second.status, second.authorization_status) == ("pending", "no_credit")


# ------------------------------------------------------------------------------------------------ payment terminals


async def test_tc_c_108_a_vat_number_is_checked(dealing: Dealing) -> None:
    station = await dealing.station()
    good = {"vatNumber": "DE123456789", "evseId": 1}
    company = {"name": "Fleet GmbH", "address1": "Quay 1", "city": "Bremen", "country": "DE"}
    assert await station.says("VatNumberValidation", good) == {**good, "status": "Accepted", "company": company}
    answer = await station.says("VatNumberValidation", {"vatNumber": "DE987654321"})
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidNumber")


def settlement(status: str, amount: float, **fields: Any) -> Payload:
    when = "2026-06-01T12:00:00Z"
    return {"pspRef": "PSP-1", "status": status, "settlementAmount": amount, "settlementTime": when, **fields}


async def kept(dealing: Dealing, station: Station) -> list[tuple[str, str, str]]:
    rows = await dealing.network.rows(
        "select status, amount, settled_by from settlement where station_id = $1 order by settlement_id",
        station.station_id,
    )
    return [(row.status, str(row.amount), row.settled_by) for row in rows]


async def facts(dealing: Dealing, station: Station) -> list[str]:
    rows = await dealing.network.rows(
        "select kind from outbox where subject = $1 and kind in ('PaymentSettled', 'SettlementFailed') order by event_id",
        f"station/{station.station_id}",
    )
    return [row.kind for row in rows]


async def test_tc_c_113_a_payment_that_is_cancelled_after_the_start_costs_nothing(dealing: Dealing) -> None:
    charge, begun = await dealing.charge(uid="PSP-1", token_type="DirectPayment")
    assert begun == {"idTokenInfo": {"status": "Accepted"}, "totalCost": 0}
    ended = await charge.tells("Ended", "StopAuthorized", reason="Local", wh=1_000)
    assert ended == {"totalCost": 0}
    assert await charge.station.says("NotifySettlement", settlement("Canceled", 0, transactionId="tx-1")) == {}
    session = await dealing.network.session_of(charge.station)
    assert (session.status, session.token_type, session.energy_wh) == ("completed", "DirectPayment", 0)
    assert await kept(dealing, charge.station) == [("canceled", "0", "station")]


@pytest.mark.parametrize(
    ("word", "amount", "status", "fact"),
    [
        pytest.param("Settled", 2.5, "settled", "PaymentSettled", id="tc_c_118"),
        pytest.param("Failed", 0, "failed", "SettlementFailed", id="tc_c_119"),
        pytest.param("Rejected", 0, "rejected", "SettlementFailed", id="tc_c_120"),
    ],
)
async def test_tc_c_118_and_119_and_120_the_station_settles_or_tells_why_not(
    dealing: Dealing, word: str, amount: float, status: str, fact: str
) -> None:
    charge, begun = await dealing.charge(uid="PSP-1", token_type="DirectPayment")
    assert begun == {"idTokenInfo": {"status": "Accepted"}, "totalCost": 0}
    assert await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=6_000) == {"totalCost": 2.5}
    told = settlement(word, amount, transactionId="tx-1")
    for _ in range(2):  # the answer was lost: it is said once more
        assert await charge.station.says("NotifySettlement", told) == {}
    assert await kept(dealing, charge.station) == [(status, str(amount), "station")]
    assert await facts(dealing, charge.station) == [fact]


async def test_tc_c_117_we_settle_what_the_session_cost_once(dealing: Dealing) -> None:
    charge, begun = await dealing.charge(uid="PSP-1", token_type="DirectPayment")
    assert begun == {"idTokenInfo": {"status": "Accepted"}, "totalCost": 0}
    network, station = dealing.network, charge.station
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value)"
        " values ($1, 'PaymentCtrlr', 'SettlementByCSMS', 'true')",
        station.station_id,
    )
    assert await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=6_000) == {"totalCost": 2.5}
    session = await network.session_of(station)
    job = {"session_id": str(session.session_id)}
    silent = Provider()
    with pytest.raises(ExternalFailure):
        await settling.settle(network.pool, silent, dealing.costs, job)
    assert await kept(dealing, station) == []
    provider = Provider(Settled(status="settled", receipt_url="https://receipts.example/1"))
    for _ in range(2):
        await settling.settle(network.pool, provider, dealing.costs, job)
    assert provider.asked == [("PSP-1", eur("2.50"))]
    assert await kept(dealing, station) == [("settled", "2.50", "us")]
    assert await facts(dealing, station) == ["PaymentSettled"]


async def test_one_payment_pays_for_one_session_at_a_time(dealing: Dealing) -> None:
    charge, begun = await dealing.charge(uid="PSP-1", token_type="DirectPayment")
    assert begun == {"idTokenInfo": {"status": "Accepted"}, "totalCost": 0}
    second = Charge(charge.station, "tx-2", evse_number=2)
    answer = await second.tells("Started", "Authorized", uid="PSP-1", token_type="DirectPayment", wh=5)
    assert answer["idTokenInfo"]["status"] == "ConcurrentTx"


async def begun_remotely(
    dealing: Dealing, limit: SessionLimit | None, uid: str = "PSP-9", token_type: str = "DirectPayment"
) -> tuple[Charge, Payload]:
    """A remote start, and what the first event of its session was answered."""
    station = await dealing.station()
    order = o.RemoteStart(token_uid=uid, token_type=token_type, evse_number=1, limit=limit)
    command = await dealing.network.orders(station, order)
    return await follows(station, command, uid, token_type)


async def follows(station: Station, command: Command, uid: str, token_type: str) -> tuple[Charge, Payload]:
    number = command.parameters["remote_start_id"]
    wanted = {"idToken": {"idToken": uid, "type": token_type}, "remoteStartId": number, "evseId": 1}
    assert (command.status, asked(station)[-1]) == ("accepted", ("RequestStartTransaction", wanted))
    charge = Charge(station)
    info = {"remoteStartId": number}
    answer = await charge.tells("Started", "RemoteStart", uid=uid, token_type=token_type, info=info, wh=1_000)
    assert answer["idTokenInfo"] == {"status": "Accepted"}
    return charge, answer


async def test_tc_c_125_a_payment_terminal_starts_and_we_reckon(dealing: Dealing) -> None:
    charge, answer = await begun_remotely(dealing, SessionLimit(max_cost=Decimal(20)))
    assert answer["transactionLimit"] == {"maxCost": 20}
    running = await charge.tells("Updated", "MeterValuePeriodic", state="Charging", wh=5_000)
    assert running == {"totalCost": 2}
    assert await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=10_000) == {"totalCost": 4.5}
    session = await dealing.network.session_of(charge.station)
    assert (session.status, session.token_uid, session.energy_wh) == ("completed", "PSP-9", 9_000)


async def test_tc_c_126_and_i_122_and_e_108_a_station_that_reckons_is_told_no_cost_and_its_own_is_kept(
    dealing: Dealing,
) -> None:
    charge, _ = await begun_remotely(dealing, None)
    limit = {"transactionLimit": {"maxCost": 5.0}}
    assert await charge.tells("Updated", "LimitSet", info=limit, costDetails=reckoned("0", energy_wh=0)) == {}
    running = charge.event("Updated", "RunningCost", wh=5_000, costDetails=reckoned("2.42", energy_wh=4_000))
    reached = charge.event(
        "Updated", "CostLimitReached", state="SuspendedEVSE", costDetails=reckoned("5", energy_wh=9_000)
    )
    assert await charge.station.says("TransactionEvent", reached) == {}
    assert await charge.station.says("TransactionEvent", running) == {}  # it was overtaken, and changes nothing
    row = "select total, currency, details, failure from station_cost where station_id = $1"
    [cost] = await dealing.network.rows(row, charge.station.station_id)
    assert (str(cost.total), cost.currency, cost.failure) == ("5.0", "EUR", None)
    last = reckoned("5.1", energy_wh=9_100, failure="the clock was set")
    assert (
        await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=10_100, costDetails=last) == {}
    )
    [cost] = await dealing.network.rows(row, charge.station.station_id)
    assert (cost.failure, cost.details["totalUsage"]["energy"]) == ("the clock was set", 9_100)
    session = await dealing.network.session_of(charge.station)
    assert (session.status, session.limit_station) == ("completed", {"max_cost": "5.0"})
    assert await dealing.told(charge) == [("limit_set", {"max_cost": "5.0"}), ("limit_reached", {"limit": "cost"})]


# ----------------------------------------------------------------------------------------------------------- QR codes

TEMPLATE = "https://pay.example.com/{chargingstationid}/{evse}/{totp}/{version}"
PEPPER = b"p" * 32


async def shows_codes(dealing: Dealing) -> tuple[Station, dict[str, str]]:
    """A station that shows QR codes, and what it was told about them."""
    network, station = dealing.network, await dealing.station()
    told: dict[str, str] = {}

    def takes(payload: Payload) -> Payload:
        data = payload["setVariableData"]
        told.update({one["variable"]["name"]: one["attributeValue"] for one in data})
        names = [{"component": one["component"], "variable": one["variable"]} for one in data]
        return {"setVariableResult": [{"attributeStatus": "Accepted", **name} for name in names]}

    station.answers["SetVariables"] = takes
    await payments.set_up(
        network.pool,
        network.house.desk,
        PEPPER,
        party_id=network.party_id,
        station_id=station.station_id,
        given=NewSetup(url_template=TEMPLATE),
        requested_by="operator:story",
    )
    return station, told


def shown(told: dict[str, str], at: datetime) -> str:
    """The password that the station shows."""
    return totp.password(told["SharedSecret"], int(at.timestamp()) // int(told["ValidityTime"]), int(told["Length"]))


async def scans(dealing: Dealing, station: Station, at: datetime, password: str, **said: Any) -> WebPayment | Refusal:
    given = {"station_id": station.station_id, "evse_number": 1, "totp": password, **said}
    async with dealing.network.pool.acquire() as conn, conn.transaction():
        return await payments.scan(conn, PEPPER, dealing.network.party_id, Scan(**given), at)


async def test_tc_c_131_a_qr_code_leads_to_one_paid_session_with_the_drivers_limits(dealing: Dealing) -> None:
    station, told = await shows_codes(dealing)
    network, now = dealing.network, datetime.now(UTC)
    assert (told["URLTemplate"], told["TOTPVersion"], told["Enabled"]) == (TEMPLATE, "v1", "true")
    # The secret is kept nowhere.
    stored = await network.rows(
        "select parameters::text as text from command where station_id = $1", station.station_id
    )
    assert stored
    assert told["SharedSecret"] not in str(stored)
    limit = SessionLimit(max_energy_wh=Decimal(8_000), max_cost=Decimal(30))
    payment = await scans(dealing, station, now, shown(told, now), limit=limit)
    assert isinstance(payment, WebPayment)
    station.answers["NotifyWebPaymentStarted"] = {}
    await payments.announce(network.house.desk, payment, "operator:story")
    assert asked(station)[-1] == ("NotifyWebPaymentStarted", {"evseId": 1, "timeout": 300})
    start = (network.pool, network.house.desk, network.party_id, payment.web_payment_id)
    authorized = NewStart(psp_ref="PSP-WEB", limit=SessionLimit(max_cost=Decimal(25)))
    command = await payments.start(*start, authorized, "operator:story")
    with pytest.raises(Conflict):
        await payments.start(*start, authorized, "operator:story")
    charge, answer = await follows(station, command, "PSP-WEB", "DirectPayment")
    assert answer["transactionLimit"] == {"maxCost": 25, "maxEnergy": 8000}
    assert await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=5_000) == {"totalCost": 2}
    session = await network.session_of(station)
    provider = Provider(Settled(status="settled"))
    await settling.settle(network.pool, provider, dealing.costs, {"session_id": str(session.session_id)})
    assert provider.asked == [("PSP-WEB", eur("2.00"))]


def why_of(found: WebPayment | Refusal) -> str:
    assert isinstance(found, Refusal)
    return found.why


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"station_id": "ELSEWHERE"}, "not_set_up"),
        ({"evse_number": 7}, "unknown_evse"),
        ({"version": "v2"}, "unknown_version"),
    ],
)
async def test_tc_c_132_a_qr_code_with_wrong_parameters_is_refused(
    dealing: Dealing, said: dict[str, Any], why: str
) -> None:
    station, told = await shows_codes(dealing)
    now = datetime.now(UTC)
    refused = await scans(dealing, station, now, shown(told, now), **said)
    assert why_of(refused) == why
    assert [action for action, _ in asked(station)] == ["SetVariables"]
    assert await dealing.network.rows("select from web_payment where station_id = $1", station.station_id) == []


async def test_tc_c_133_a_wrong_an_old_and_a_used_password_are_refused_and_security_hears_of_it(
    dealing: Dealing,
) -> None:
    station, told = await shows_codes(dealing)
    now = datetime.now(UTC)
    good, other = shown(told, now), shown({**told, "SharedSecret": "x"}, now)
    tried = [
        ("short", now, "password_form"),
        ("ñ" * 8, now, "password_form"),
        (other, now, "password_wrong"),
        (shown(told, now - timedelta(minutes=3)), now, "password_wrong"),
        (shown(told, now + timedelta(minutes=3)), now, "password_wrong"),
    ]
    for password, at, why in tried:
        refused = await scans(dealing, station, at, password)
        assert why_of(refused) == why, password
    # The driver took a moment, and the station shows the next one already.
    assert isinstance(await scans(dealing, station, now + timedelta(seconds=60), good), WebPayment)
    refused = await scans(dealing, station, now + timedelta(seconds=61), good)
    assert why_of(refused) == "password_used"
    later = now + timedelta(minutes=2)
    refused = await scans(dealing, station, later, shown(told, later))
    assert why_of(refused) == "being_paid"
    assert isinstance(
        await scans(dealing, station, now + timedelta(minutes=7), shown(told, now + timedelta(minutes=7))), WebPayment
    )
    assert await signals_of(dealing.network, station) == ["web_payment_refused"] * 6
    assert [action for action, _ in asked(station)] == ["SetVariables"]


# ------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("limit", "wire", "trigger", "which"),
    [
        pytest.param({"max_cost": Decimal(3)}, {"maxCost": 3}, "CostLimitReached", "cost", id="tc_e_109"),
        pytest.param(
            {"max_energy_wh": Decimal(6000)}, {"maxEnergy": 6000}, "EnergyLimitReached", "energy", id="tc_e_110"
        ),
        pytest.param({"max_time_s": 1800}, {"maxTime": 1800}, "TimeLimitReached", "time", id="tc_e_111"),
        pytest.param({"max_soc_percent": 80}, {"maxSoC": 80}, "SoCLimitReached", "soc", id="soc"),
    ],
)
async def test_tc_e_109_and_110_and_111_we_limit_a_session_and_say_so_once(
    dealing: Dealing, limit: dict[str, Any], wire: Payload, trigger: str, which: str
) -> None:
    await dealing.network.token("TAG1")
    station = await dealing.station()
    order = o.RemoteStart(token_uid="TAG1", evse_number=1, limit=SessionLimit(**limit))
    command = await dealing.network.orders(station, order)
    charge, answer = await follows(station, command, "TAG1", "ISO14443")
    assert answer["transactionLimit"] == wire
    said = station.wire.said[-1]
    again = await station.says(said[1], said[2])  # the answer was lost: the same event once more
    assert again["transactionLimit"] == wire
    taken = await charge.tells("Updated", "LimitSet", state="Charging", info={"transactionLimit": wire})
    assert "transactionLimit" not in taken
    reached = await charge.tells("Updated", trigger, state="SuspendedEVSE", wh=7_000)
    assert reached == {"totalCost": 3}
    await charge.tells("Ended", "EVCommunicationLost", reason="EVDisconnected", wh=7_000)
    session = await dealing.network.session_of(station)
    assert (session.status, session.energy_wh, session.limit_ours) == ("completed", 6_000, session.limit_station)
    assert [kind for kind, _ in await dealing.told(charge)] == ["limit_set", "limit_reached"]
    assert (await dealing.told(charge))[-1] == ("limit_reached", {"limit": which})


async def test_tc_e_102_of_both_sides_limits_the_stricter_ones_hold(dealing: Dealing) -> None:
    await dealing.network.token("TAG1")
    dealing.book.terms["TAG1"] = Terms(limit=SessionLimit(max_energy_wh=Decimal(5_000), max_time_s=3600))
    station = await dealing.station()
    charge = Charge(station)
    drivers = {"transactionLimit": {"maxTime": 1800, "maxSoC": 80}}
    begun = await charge.tells("Started", "Authorized", uid="TAG1", wh=1_000, info=drivers)
    # Ours does not loosen what the driver chose, and is silent about what it does not limit.
    assert begun["transactionLimit"] == {"maxEnergy": 5000, "maxTime": 1800}
    both = {"transactionLimit": {"maxEnergy": 5000, "maxTime": 1800, "maxSoC": 80}}
    assert "transactionLimit" not in await charge.tells("Updated", "LimitSet", info=both)
    # The driver thinks better of it.
    lower = {"transactionLimit": {"maxEnergy": 2000, "maxTime": 1800, "maxSoC": 80}}
    assert "transactionLimit" not in await charge.tells("Updated", "LimitSet", info=lower)
    session = await dealing.network.session_of(station)
    assert session.limit_station == {"max_energy_wh": "2000", "max_time_s": 1800, "max_soc_percent": 80}
    assert session.limit_ours == {"max_energy_wh": "5000", "max_time_s": 3600}


# ------------------------------------------------------------------------------------------- tariff and language


async def test_tc_i_109_and_o_101_a_driver_has_a_tariff_and_a_language_of_their_own(dealing: Dealing) -> None:
    await dealing.network.token("TAG1", language="de-AT")
    dealing.book.terms["TAG1"] = Terms(tariff=NIGHT)
    station = await dealing.station()
    answer = await authorizes(station, "TAG1")
    assert answer == {"idTokenInfo": {"status": "Accepted", "language1": "de-AT"}, "tariff": NIGHT_ON_THE_WIRE}
    order = o.SetDisplayMessage(
        message_id=5,
        text=o.Text(content="Welcome", language="en"),
        texts=(o.Text(content="Willkommen", language="de"),),
    )
    command = await dealing.network.orders(station, order)
    shown_texts = asked(station)[-1][1]["message"]
    assert shown_texts["message"] == {"format": "UTF8", "content": "Welcome", "language": "en"}
    assert shown_texts["messageExtra"] == [{"format": "UTF8", "content": "Willkommen", "language": "de"}]
    assert command.status == "accepted"
    # 2.0.1 has no tariffs in stations.
    old = await dealing.network.station("2.0.1", "OLD")
    assert await authorizes(old, "TAG1") == {"idTokenInfo": {"status": "Accepted", "language1": "de-AT"}}
