"""What stations tell beside charging: vendors' messages, payments, batteries, VAT numbers."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from ohmstead.adapters.vat.adapter import HttpVatRegister
from ohmstead.ocpp.inquiries import Inquiries
from tests.stories.network import Installation, Network
from tests.stories.station import Payload, Station

COSTS = "org.openchargealliance.costmsg"


@pytest.mark.parametrize(
    ("vendor_id", "message_id", "data", "status"),
    [
        ("com.nobody", "Anything", "{}", "UnknownVendorId"),
        (COSTS, "Anything", "{}", "UnknownMessageId"),
        (COSTS, None, None, "UnknownMessageId"),
        (COSTS, "ConnectorUnplugged", '{"transactionId": 7, "timestamp": "2026-06-01T12:00:00Z"}', "Accepted"),
        (COSTS, "ConnectorUnplugged", "not JSON", "Rejected"),
    ],
)
async def test_vendors_messages_are_known_or_not(
    network: Network, version: str, vendor_id: str, message_id: str | None, data: str | None, status: str
) -> None:
    station = await network.station(version)
    payload = {"vendorId": vendor_id, "messageId": message_id, "data": data}
    answer = await station.says("DataTransfer", {name: value for name, value in payload.items() if value is not None})
    assert answer == {"status": status}
    [kept] = await network.rows(
        "select kind from station_record where station_id = $1 and kind = 'DataTransfer'", station.station_id
    )
    assert kept.kind == "DataTransfer"


async def test_a_settlement_is_kept_once(network: Network) -> None:
    station = await network.station("2.1")
    payload: Payload = {
        "pspRef": "P-1",
        "transactionId": "tx-1",
        "status": "Settled",
        "settlementAmount": 12.34,
        "settlementTime": "2026-06-01T12:00:00Z",
        "receiptUrl": "https://receipts.example/1",
        "vatNumber": "DE123456789",
        "vatCompany": {"name": "Fleet", "address1": "Quay 1", "city": "Bremen", "country": "Germany"},
    }
    for _ in range(2):
        assert await station.says("NotifySettlement", payload) == {}
    [kept] = await network.rows("select * from settlement where station_id = $1", station.station_id)
    assert (kept.psp_ref, str(kept.amount), kept.status, kept.transaction_id) == ("P-1", "12.34", "settled", "tx-1")
    assert (kept.vat_number, kept.vat_company["city"]) == ("DE123456789", "Bremen")
    facts = await network.rows(
        "select kind from outbox where subject = $1 and kind = 'PaymentSettled'", f"station/{station.station_id}"
    )
    assert len(facts) == 1


async def test_batteries_in_and_out_are_kept(network: Network) -> None:
    station = await network.station("2.1")
    battery = {"evseId": 1, "serialNumber": "B-1", "soC": 12.5, "soH": 98}
    token = {"idToken": "TAG1", "type": "ISO14443"}
    for event in ("BatteryIn", "BatteryOut", "BatteryIn"):
        payload = {"batteryData": [battery], "eventType": event, "idToken": token, "requestId": 3}
        assert await station.says("BatterySwap", payload) == {}
    kept = await network.rows("select * from battery_swap where station_id = $1 order by event", station.station_id)
    assert [(k.event, k.token_uid, k.batteries[0]["serialNumber"]) for k in kept] == [
        ("in", "TAG1", "B-1"),
        ("out", "TAG1", "B-1"),
    ]


# ------------------------------------------------------------------------------------------ VAT numbers


class Register:
    """A register of VAT numbers on this machine, which answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answers: dict[str, Any] = {}

    async def ask(self, request: web.Request) -> web.Response:
        country, number = request.match_info["country"], request.match_info["number"]
        self.asked.append((country, number))
        answer = self.answers.get(number, {"isValid": False, "userError": "INVALID"})
        if answer == "silence":
            await asyncio.sleep(30)
        if isinstance(answer, int):
            return web.Response(status=answer, headers={"Location": "/elsewhere"})
        return web.json_response(answer) if isinstance(answer, dict) else web.Response(text=answer)


@pytest.fixture(scope="module")
async def asked(installation: Installation) -> AsyncIterator[SimpleNamespace]:
    """A gateway that asks a register."""
    register = Register()
    app = web.Application()
    app.router.add_get("/rest-api/ms/{country}/vat/{number}", register.ask)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/rest-api"
    outside = {"inquiries": Inquiries(installation.pool, vat_register=HttpVatRegister(url, within_s=0.5))}
    house = Installation(installation.settings, installation.pool, installation.bus, **outside)
    door = await house.open_door()
    yield SimpleNamespace(house=house, register=register)
    await door.close()
    await runner.cleanup()


@pytest.fixture
async def terminal(asked: SimpleNamespace) -> AsyncIterator[Station]:
    network = await Network(asked.house).found()
    station = await network.station("2.1")
    yield station
    await station.leaves()


async def checks(station: Station, number: str) -> Payload:
    answer = await station.says("VatNumberValidation", {"vatNumber": number, "evseId": 1})
    assert (answer.pop("vatNumber"), answer.pop("evseId")) == (number, 1)
    return answer


async def test_a_number_that_the_register_knows_is_accepted_with_its_company(
    terminal: Station, asked: SimpleNamespace
) -> None:
    told = {"isValid": True, "name": "Fleet GmbH", "address": "Quay 1\n28195 Bremen", "userError": "VALID"}
    asked.register.answers["123456789"] = told
    assert await checks(terminal, "DE 123.456.789") == {
        "status": "Accepted",
        "company": {"name": "Fleet GmbH", "address1": "Quay 1", "city": "28195 Bremen", "country": "DE"},
    }
    assert asked.register.asked[-1] == ("DE", "123456789")


async def test_a_wrong_form_is_refused_without_asking(terminal: Station, asked: SimpleNamespace) -> None:
    n_asked = len(asked.register.asked)
    answer = await checks(terminal, "DE12")
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidNumber")
    assert len(asked.register.asked) == n_asked


@pytest.mark.parametrize(
    ("number", "answer", "code"),
    [
        ("111111111", {"isValid": False, "userError": "INVALID"}, "InvalidNumber"),
        ("222222222", {"isValid": False, "userError": "MS_UNAVAILABLE"}, "NotVerified"),
        ("333333333", 302, "NotVerified"),
        ("444444444", 503, "NotVerified"),
        ("555555555", "not JSON", "NotVerified"),
        ("666666666", "silence", "NotVerified"),
    ],
)
async def test_a_register_that_says_no_or_nothing_confirms_nothing(
    terminal: Station, asked: SimpleNamespace, number: str, answer: Any, code: str
) -> None:
    asked.register.answers[number] = answer
    told = await checks(terminal, f"DE{number}")
    assert (told["status"], told["statusInfo"]["reasonCode"]) == ("Rejected", code)
    # The station goes on meanwhile, and afterwards.
    assert "currentTime" in await terminal.says("Heartbeat", {})


async def test_where_no_register_is_asked_no_number_is_confirmed(network: Network) -> None:
    station = await network.station("2.1")
    answer = await checks(station, "DE123456789")
    assert (answer["status"], answer["statusInfo"]["reasonCode"]) == ("Rejected", "NotVerified")
