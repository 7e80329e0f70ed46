"""Payloads through the door: what is tolerated, what is refused with which code, and what may leave."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ohmstead.ocpp import rpc, schemas
from ohmstead.ocpp.rpc import ErrorCode, Version
from ohmstead.ocpp.schemas import SchemaError
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v16 import messages as v16

START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 100, "timestamp": "2026-01-01T00:00:00Z"}
STOP = {"transactionId": 7, "meterStop": 900, "timestamp": "2026-01-01T01:00:00Z"}
EVENT = {
    "eventType": "Started",
    "timestamp": "2026-01-01T00:00:00Z",
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "tx-1"},
}


def read(version: Version, action: str, payload: Any, notes: list[str] | None = None) -> Any:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return schemas.decode(version, action, msgspec.Raw(text), tolerated=notes)


def refusal(
    version: Version, action: str, payload: Any, *, is_response: bool = False, at_station: bool = False
) -> SchemaError:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    with pytest.raises(SchemaError) as caught:
        schemas.decode(version, action, text, is_response=is_response, at_station=at_station)
    assert len(caught.value.text) <= 255
    return caught.value


def samples(*values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": list(values)}]


# --- actions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("action", ["Nonsense", "__proto__", "../Reset", "heartbeat", "HeartbeatRequest", ""])
def test_an_unknown_action_is_not_implemented(version: Version, action: str) -> None:
    assert refusal(version, action, {}).code is ErrorCode.NOT_IMPLEMENTED
    assert schemas.explain(version, action, False, b"{}") == (
        ErrorCode.NOT_IMPLEMENTED,
        f"OCPP {version} has no action {action}",
    )
    assert schemas.violations(version, action, {}) != []
    with pytest.raises(KeyError):
        schemas.request_schema(version, action)


def test_a_call_in_the_wrong_direction_is_not_supported() -> None:
    assert refusal(Version.V16, "RemoteStartTransaction", {}).code is ErrorCode.NOT_SUPPORTED
    assert refusal(Version.V201, "RequestStartTransaction", {}).code is ErrorCode.NOT_SUPPORTED
    assert refusal(Version.V16, "Heartbeat", {}, at_station=True).code is ErrorCode.NOT_SUPPORTED
    reset = schemas.decode(Version.V16, "Reset", b'{"type":"Soft"}', at_station=True)
    assert isinstance(reset, v16.ResetRequest)


def test_an_action_of_2_1_is_not_implemented_on_2_0_1() -> None:
    for action in v2.SINCE_21_ACTIONS:
        assert refusal(Version.V201, action, {}).code is ErrorCode.NOT_IMPLEMENTED
    known = schemas.decode(Version.V21, "ClosePeriodicEventStream", b'{"id":1}')
    assert isinstance(known, v2.ClosePeriodicEventStreamRequest)


def test_an_answer_is_read_as_its_response_whoever_asked() -> None:
    answer = schemas.decode(Version.V201, "Reset", b'{"status":"Scheduled"}', is_response=True)
    assert isinstance(answer, v2.ResetResponse)
    assert refusal(Version.V201, "Reset", {"status": "Later"}, is_response=True).code is (
        ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
    )
    assert refusal(Version.V21, "NotifyPeriodicEventStream", {}, is_response=True).code is ErrorCode.NOT_SUPPORTED


# --- refused, with the right code -----------------------------------------------------------------------------------

OCCURRENCE, TYPE = ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, ErrorCode.TYPE_CONSTRAINT_VIOLATION
PROPERTY, FORMAT = ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, ErrorCode.FORMAT_VIOLATION


@pytest.mark.parametrize(
    ("version", "action", "payload", "code", "where"),
    [
        (Version.V16, "StartTransaction", {k: v for k, v in START.items() if k != "idTag"}, OCCURRENCE, "idTag"),
        (Version.V16, "StartTransaction", START | {"idTag": None}, TYPE, "idTag"),
        (Version.V16, "StartTransaction", START | {"idTag": 5}, TYPE, "idTag"),
        (Version.V16, "StartTransaction", START | {"idTag": "x" * 21}, PROPERTY, "idTag"),
        (Version.V16, "StartTransaction", START | {"connectorId": "1"}, TYPE, "connectorId"),
        (Version.V16, "StartTransaction", START | {"connectorId": -1}, PROPERTY, "connectorId"),
        (Version.V16, "StartTransaction", START | {"connectorId": 2**31}, PROPERTY, "connectorId"),
        (Version.V16, "StartTransaction", START | {"meterStart": 2**60}, PROPERTY, "meterStart"),
        (Version.V16, "StopTransaction", STOP | {"reason": "Bored"}, PROPERTY, "reason"),
        (Version.V16, "MeterValues", {"connectorId": 1, "meterValue": samples({"value": "1", "unit": "ell"})}, PROPERTY,
         "meterValue[0].sampledValue[0].unit"),
        (Version.V16, "MeterValues", {"connectorId": 1, "meterValue": samples({"unit": "Wh"})}, OCCURRENCE,
         "meterValue[0].sampledValue[0].value"),
        (Version.V201, "TransactionEvent", EVENT | {"transactionInfo": {}}, OCCURRENCE, "transactionInfo"),
        (Version.V201, "TransactionEvent", EVENT | {"seqNo": -1}, PROPERTY, "seqNo"),
        (Version.V21, "TransactionEvent", EVENT | {"seqNo": -1}, PROPERTY, "seqNo"),
        (Version.V201, "TransactionEvent", EVENT | {"evse": {"id": -1}}, PROPERTY, "evse.id"),
        (Version.V201, "TransactionEvent", EVENT | {"eventType": "Paused"}, PROPERTY, "eventType"),
        (Version.V201, "TransactionEvent", EVENT | {"offline": "yes"}, TYPE, "offline"),
        (Version.V201, "MeterValues", {"evseId": 1, "meterValue": []}, OCCURRENCE, "meterValue"),
        (Version.V201, "MeterValues", {"evseId": 1, "meterValue": {}}, OCCURRENCE, "meterValue"),
        (Version.V201, "MeterValues", {"evseId": 1, "meterValue": 1}, TYPE, "meterValue"),
        (Version.V201, "StatusNotification", [], TYPE, "payload"),
    ],
)  # fmt: skip
def test_the_code_and_the_text_name_what_is_wrong(
    version: Version, action: str, payload: Any, code: ErrorCode, where: str
) -> None:
    error = refusal(version, action, payload)
    assert error.code is code
    assert error.text.startswith(where)


@pytest.mark.parametrize(
    "number",
    ["1e400", "-1e400", "1e-400", "1e999999999", "1" * 40, "0." + "1" * 40, '"NaN"', '"sNaN"', '"Infinity"'],
)
def test_a_number_that_nothing_could_hold_is_refused(number: str) -> None:
    text = f'{{"evseId":1,"meterValue":[{{"timestamp":"t","sampledValue":[{{"value":{number}}}]}}]}}'
    error = refusal(Version.V201, "MeterValues", text.encode())
    assert error.code in (PROPERTY, TYPE)
    assert "sampledValue[0]" in error.text


def test_an_integer_of_5000_digits_is_refused() -> None:
    text = json.dumps(START).replace("100", "1" * 5000)
    assert refusal(Version.V16, "StartTransaction", text.encode()).code in (FORMAT, PROPERTY)


@pytest.mark.parametrize("text", [b"", b"{", b"nonsense", b'{"a":NaN}', b"[" * 200_000])
def test_what_is_no_json_is_a_format_violation(text: bytes) -> None:
    assert refusal(Version.V16, "Heartbeat", text).code is FORMAT
    found = schemas.explain(Version.V16, "Heartbeat", False, text)
    assert found is not None
    assert found[0] is FORMAT


def test_text_that_is_no_utf_8_is_a_format_violation() -> None:
    text = json.dumps(START).encode().replace(b"TAG1", b"\xff\xfe")
    assert refusal(Version.V16, "StartTransaction", text).code is FORMAT


def test_an_error_never_repeats_the_value() -> None:
    for payload in (START | {"idTag": "SECRET" * 9}, START | {"connectorId": "SECRET"}):
        assert "SECRET" not in refusal(Version.V16, "StartTransaction", payload).text
    wide = {"connectorId": 1, "meterValue": samples(*[{"value": "1", "unit": "SECRET"}] * 3000)}
    assert "SECRET" not in refusal(Version.V16, "MeterValues", wide).text


def test_a_megabyte_of_wrong_samples_is_refused_in_reasonable_time() -> None:
    payload = json.dumps({"evseId": 1, "meterValue": samples(*[{"value": 1, "phase": "L9"}] * 30_000)}).encode()
    started = time.perf_counter()
    assert refusal(Version.V201, "MeterValues", payload).code is PROPERTY
    assert time.perf_counter() - started < 2.0


# --- tolerated ------------------------------------------------------------------------------------------------------


def test_a_whole_number_may_be_written_with_a_fraction_of_zero() -> None:
    notes: list[str] = []
    start = read(Version.V16, "StartTransaction", START | {"connectorId": 1.0, "meterStart": 1e2}, notes)
    assert (start.connector_id, start.meter_start) == (1, 100)
    assert len(notes) == 2
    event = read(Version.V201, "TransactionEvent", EVENT | {"seqNo": 4.0})
    assert event.seq_no == 4
    assert refusal(Version.V201, "TransactionEvent", EVENT | {"seqNo": 4.5}).code is TYPE


def test_a_fraction_of_a_watt_hour_in_a_register_of_1_6_is_cut_off() -> None:
    notes: list[str] = []
    assert read(Version.V16, "StopTransaction", STOP | {"meterStop": 900.75}, notes).meter_stop == 900
    assert notes == ["meterStop: fraction of a watt-hour cut off"]


def test_a_stop_without_reason_is_read() -> None:
    notes: list[str] = []
    assert read(Version.V16, "StopTransaction", STOP, notes).reason is None
    assert notes == []


@pytest.mark.parametrize("unit", ["Celsius", "Celcius", "Hertz", "Hz", "Percent", "kWh"])
def test_units_of_1_6_in_both_spellings_are_read(unit: str) -> None:
    report = read(Version.V16, "MeterValues", {"connectorId": 1, "meterValue": samples({"value": "50", "unit": unit})})
    assert report.meter_value[0].sampled_value[0].unit == unit


def test_a_value_of_1_6_without_quotes_keeps_its_digits() -> None:
    text = json.dumps({"connectorId": 1, "meterValue": samples({"value": 1})}).replace('"value": 1', '"value": 1234.50')
    report = read(Version.V16, "MeterValues", text.encode())
    assert report.meter_value[0].sampled_value[0].value == "1234.50"
    answer = schemas.decode(
        Version.V16,
        "GetConfiguration",
        b'{"configurationKey":[{"key":"K","readonly":false,"value":300}]}',
        is_response=True,
    )
    assert isinstance(answer, v16.GetConfigurationResponse)
    assert answer.configuration_key is not None
    assert answer.configuration_key[0].value == "300"


def test_a_sample_that_does_not_fit_takes_nothing_else_with_it() -> None:
    good, bad = {"value": "7", "unit": "Wh"}, {"value": "7", "unit": "furlong"}
    notes: list[str] = []
    stop = read(Version.V16, "StopTransaction", STOP | {"transactionData": samples(good, bad) + samples(bad)}, notes)
    assert [[s.value for s in group.sampled_value] for group in stop.transaction_data] == [["7"]]
    assert notes == ["transactionData: 2 samples do not fit and were left out"]
    assert read(Version.V16, "StopTransaction", STOP | {"transactionData": samples(bad)}).transaction_data is None
    event = read(Version.V21, "TransactionEvent", EVENT | {"meterValue": samples({"value": 1}, {"value": "x"})})
    assert len(event.meter_value[0].sampled_value) == 1


def test_a_fault_beside_an_unfit_sample_is_still_a_fault() -> None:
    payload = STOP | {"reason": "Bored", "transactionData": samples({"value": "7", "unit": "furlong"})}
    assert refusal(Version.V16, "StopTransaction", payload).code is PROPERTY


def test_empty_lists_and_objects_count_as_absent_in_2_x() -> None:
    notes: list[str] = []
    event = read(Version.V201, "TransactionEvent", EVENT | {"meterValue": [], "evse": {}}, notes)
    assert (event.meter_value, event.evse) == (None, None)
    assert len(notes) == 2


def test_2_1_values_are_read_on_2_0_1() -> None:
    event = EVENT | {
        "triggerReason": "CostLimitReached",
        "idToken": {"idToken": "x" * 200, "type": "DirectPayment"},
        "transactionInfo": {"transactionId": "tx-1", "tariffId": "t"},
    }
    read_event = read(Version.V201, "TransactionEvent", event)
    assert read_event.trigger_reason == "CostLimitReached"
    assert schemas.explain(Version.V21, "TransactionEvent", False, json.dumps(event).encode()) is None
    assert schemas.explain(Version.V201, "TransactionEvent", False, json.dumps(event).encode()) is not None


def test_decimals_are_exact() -> None:
    text = json.dumps({"evseId": 1, "meterValue": samples({"value": 1})}).replace('"value": 1', '"value": 123456789.10')
    report = read(Version.V201, "MeterValues", text.encode())
    assert str(report.meter_value[0].sampled_value[0].value) == "123456789.10"
    assert b"123456789.10" in rpc.to_json(report)


def test_custom_data_is_kept_whole() -> None:
    extra = {"vendorId": "v", "deep": {"list": [1, "two", None, True]}}
    assert read(Version.V201, "Heartbeat", {"customData": extra}).custom_data == extra


# --- what may leave -------------------------------------------------------------------------------------------------


def profile(**period: Any) -> dict[str, Any]:
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "A", "startSchedule": "2026-01-01T00:00:00Z",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.3} | period],
            },
        },
    }  # fmt: skip


def test_what_the_schema_takes_may_leave() -> None:
    assert schemas.violations(Version.V16, "SetChargingProfile", profile()) == []
    assert schemas.violations(Version.V16, "Reset", v16.ResetRequest(type="Soft")) == []
    assert schemas.violations(Version.V16, "Reset", b'{"type":"Soft"}') == []
    assert schemas.violations(Version.V201, "Reset", {"status": "Accepted"}, is_response=True) == []
    limit = v2.ChargingSchedulePeriodType(start_period=0, limit=Decimal("16.35"))
    assert json.loads(rpc.to_json(limit)) == {"startPeriod": 0, "limit": 16.35}


def test_everything_wrong_with_what_would_leave_is_listed() -> None:
    found = schemas.violations(Version.V16, "SetChargingProfile", profile(limit=16.35, startPeriod="0", colour="red"))
    assert len(found) == 3
    assert any("limit" in text and "multiple" in text for text in found)
    assert any("startPeriod" in text and "integer" in text for text in found)
    assert any("colour" in text for text in found)


@pytest.mark.parametrize("instant", ["now", "2026-13-01T00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00"])
def test_instants_that_leave_are_rfc_3339(instant: str) -> None:
    payload = {"location": "ftp://files.example/fw", "retrieveDate": instant}
    assert schemas.violations(Version.V16, "UpdateFirmware", payload) == ["retrieveDate: is not a date-time"]
    payload["retrieveDate"] = "2026-01-01T00:00:00.000Z"
    assert schemas.violations(Version.V16, "UpdateFirmware", payload) == []


def test_2_1_does_not_leave_on_2_0_1() -> None:
    answer = v2.TransactionEventResponse(transaction_limit=v2.TransactionLimitType(max_energy=Decimal(1000)))
    assert schemas.violations(Version.V21, "TransactionEvent", answer, is_response=True) == []
    assert schemas.violations(Version.V201, "TransactionEvent", answer, is_response=True) == [
        "payload: unknown fields transactionLimit"
    ]
    assert schemas.violations(Version.V201, "GetTariffs", {"evseId": 1}) == ["OCPP 2.0.1 has no action GetTariffs"]


def test_what_is_no_json_does_not_leave() -> None:
    for payload in (b"{", b'{"type":NaN}', {"type": object()}):
        assert schemas.violations(Version.V16, "Reset", payload)[0].startswith("payload is not JSON")


def test_the_official_schema_of_every_action_can_be_shown() -> None:
    for version in Version:
        for action in schemas.actions(version):
            assert schemas.request_schema(version, action)["type"] == "object"
    assert "status" in schemas.request_schema(Version.V16, "Reset", is_response=True)["properties"]
