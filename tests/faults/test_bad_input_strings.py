"""Hostile texts in every free text field, and stations that reach for what is not theirs."""

from decimal import Decimal
from typing import Any

import pytest

from ohmstead.ocpp.rpc import ErrorCode, Version, spelled
from tests.gateway.payloads import inbound_actions, valid
from tests.gateway.running import House
from tests.gateway.wire import BOOT, VERSIONS, Station, connected

V16, V201, V21 = VERSIONS
AT = "2026-11-01T08:00:00Z"
LATER = "2026-11-01T09:00:00Z"

STORABLE = {
    "right_to_left": "\u202egnp.exe",
    "html": "<img src=x onerror=a()>",
    "sql": "'; drop table t;--",
    "formula": "=cmd|' /C calc'!A0",
    "template": "{{7*7}}${7*7}%s%n",
    "beyond_the_plane": "🔌🚗" * 4,
    "control": "a\u0001\u001b[31m\u0085b",
    "nonsense_escapes": "\\u0000 \\x00 \\ud800",
    "zero_width": "\u200b\u200d\ufeff\u2028",
    "newline": "one\r\nX-Header: two",
    "blank": " ",
}


def _filled_with(hostile: str) -> Any:
    def fill(name: str, longest: int | None) -> str:
        return hostile[: min(longest or 200, 200)] or "x"

    return fill


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_hostile_text_in_every_field_of_every_message_is_taken_or_refused_never_our_error(
    version: Version, house: House
) -> None:
    wrong = {}
    async with _booted(house, version) as station:
        for name, hostile in STORABLE.items():
            for action in inbound_actions(version):
                answer = await station.ask(action, valid(version, action, _filled_with(hostile)))
                # 1.6 wants some of these texts to be numbers or instants: those it may refuse.
                if answer[0] == 4 and answer[2] == ErrorCode.INTERNAL_ERROR:
                    wrong[name, action] = answer
        await station.beat()
    assert wrong == {}


def _booted(house: House, version: Version, name: str = "CP-1") -> Any:
    class Entering:
        async def __aenter__(self) -> Station:
            await house.station(name)
            self.socket = connected(house, name, version, boots=True)
            return await self.socket.__aenter__()

        async def __aexit__(self, *about: Any) -> None:
            await self.socket.__aexit__(*about)

    return Entering()


@pytest.mark.parametrize("hostile", list(STORABLE.values()), ids=list(STORABLE))
async def test_a_hostile_text_is_kept_as_it_came(hostile: str, house: House) -> None:
    text = hostile[:20]
    async with _booted(house, V16) as station:
        boot = {"chargePointVendor": text, "chargePointModel": text, "firmwareVersion": hostile[:50]}
        await station.tell("BootNotification", boot)
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Faulted", "info": hostile[:50]}
        await station.tell("StatusNotification", status)
        await station.tell("DataTransfer", {"vendorId": "v", "data": hostile})
        start = {"connectorId": 1, "idTag": text, "meterStart": 0, "timestamp": AT}
        await station.tell("StartTransaction", start)
    row = await house.row("CP-1")
    assert (row["vendor"], row["model"], row["firmware_version"]) == (text, text, hostile[:50])
    assert await house.pool.fetchval("select info from connector") == hostile[:50]
    assert await house.pool.fetchval("select payload->>'data' from station_record") == hostile
    assert await house.pool.fetchval("select token_uid from session") == text


@pytest.mark.parametrize("unstorable", ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff\\ud800", "\\ud83d"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_text_that_no_database_takes_is_a_format_violation(
    unstorable: str, version: Version, house: House
) -> None:
    async with _booted(house, version) as station:
        answer = await station.answer_to(f'[2,"a","DataTransfer",{{"vendorId":"v","data":"{unstorable}"}}]')
        assert answer is not None
        assert answer[:3] == [4, "a", spelled(ErrorCode.FORMAT_VIOLATION, version)]
    assert await house.pool.fetchval("select count(*) from station_record") == 0


# ---- what belongs to others ------------------------------------------------------------------------------------------


def _sample(register_wh: int, at: str) -> dict[str, Any]:
    return {"timestamp": at, "sampledValue": [{"value": str(register_wh), "context": "Sample.Periodic"}]}


async def test_a_1_6_station_cannot_end_or_meter_anothers_session(house: House) -> None:
    async with _booted(house, V16, "VICTIM") as victim, _booted(house, V16, "THIEF") as thief:
        start = {"connectorId": 1, "idTag": "AA", "meterStart": 1000, "timestamp": AT}
        number = (await victim.tell("StartTransaction", start))["transactionId"]
        [before] = await _sessions(house)
        metered = {"connectorId": 1, "transactionId": number, "meterValue": [_sample(99_000, LATER)]}
        assert await thief.tell("MeterValues", metered) == {}
        stop = {"transactionId": number, "meterStop": 99_000, "timestamp": LATER, "idTag": "AA"}
        assert "idTagInfo" in await thief.tell("StopTransaction", stop)
        [stolen, mine] = await _sessions(house)
        assert mine == before
        assert (stolen["station_id"], stolen["is_orphan"]) == ("THIEF", True)
        assert "foreign_transaction" in stolen["anomalies"]
        told = "select count(*) from outbox where kind = 'ForeignTransactionReported'"
        assert await house.pool.fetchval(told) == 1
        # The victim itself goes on as if nothing had been.
        await victim.tell("StopTransaction", stop | {"meterStop": 4000})
        [_, mine] = await _sessions(house)
        assert (mine["status"], mine["energy_wh"]) == ("completed", Decimal(3000))


@pytest.mark.parametrize("version", [V201, V21])
async def test_a_2_x_station_cannot_touch_anothers_transaction_of_the_same_id(version: Version, house: House) -> None:
    def event(kind: str, seq_no: int, register_wh: int, at: str) -> dict[str, Any]:
        value = {"value": register_wh, "context": "Sample.Periodic"}
        return {
            "eventType": kind,
            "timestamp": at,
            "triggerReason": "MeterValuePeriodic",
            "seqNo": seq_no,
            "evse": {"id": 1, "connectorId": 1},
            "transactionInfo": {"transactionId": "tx-1"},
            "meterValue": [{"timestamp": at, "sampledValue": [value]}],
        }

    async with _booted(house, version, "VICTIM") as victim, _booted(house, version, "THIEF") as thief:
        await victim.tell("TransactionEvent", event("Started", 0, 1000, AT))
        [before] = await _sessions(house)
        await thief.tell("TransactionEvent", event("Updated", 1, 99_000, LATER))
        await thief.tell("TransactionEvent", event("Ended", 2, 99_000, LATER))
        [stolen, mine] = await _sessions(house)
        assert stolen["station_id"] == "THIEF"
        assert mine == before
        await victim.tell("TransactionEvent", event("Ended", 1, 4000, LATER))
        [_, mine] = await _sessions(house)
        assert (mine["status"], mine["energy_wh"]) == ("completed", Decimal(3000))


async def _sessions(house: House) -> list[dict[str, Any]]:
    return [dict(row) for row in await house.pool.fetch("select * from session order by station_id")]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_that_names_another_in_its_boot_changes_only_itself(version: Version, house: House) -> None:
    async with _booted(house, version, "VICTIM") as victim, _booted(house, version, "THIEF") as thief:
        claim: dict[str, Any] = (
            BOOT[version] | {"chargeBoxSerialNumber": "VICTIM"}
            if version is V16
            else BOOT[version] | {"chargingStation": {"vendorName": "Evil", "model": "M", "serialNumber": "VICTIM"}}
        )
        await thief.tell("BootNotification", claim)
        await victim.beat()
        assert (await house.row("THIEF"))["serial_number"] == "VICTIM"
        assert (await house.row("VICTIM"))["serial_number"] is None
        assert (await house.row("VICTIM"))["vendor"] == "Vendor"
