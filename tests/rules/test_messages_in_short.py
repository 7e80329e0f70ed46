"""The message log's few facts, and the feed's sentences; neither trusts what a station sends."""

import json
from typing import Any

import pytest

from ohmstead.console import feed, messages

SAMPLES_16 = [
    {"value": "138.4", "measurand": "Power.Active.Import", "unit": "kW"},
    {"value": "27840"},
    {"value": "12", "phase": "L1"},
    {"value": "58", "measurand": "SoC", "unit": "Percent"},
]
SAMPLES_2 = [
    {"value": 19070, "unitOfMeasure": {"unit": "Wh"}},
    {"value": 6.14, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W", "multiplier": 4}},
]


@pytest.mark.parametrize(
    ("action", "payload", "words"),
    [
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": [{"sampledValue": SAMPLES_16}]},
            "1: 138.4 kW, 27.84 kWh, 58 %",
        ),
        (
            "TransactionEvent",
            {
                "eventType": "Updated",
                "evse": {"id": 2},
                "transactionInfo": {"chargingState": "Charging"},
                "meterValue": [{"sampledValue": SAMPLES_2}],
            },
            "2: Updated, Charging, 61.4 kW, 19.07 kWh",
        ),
        (
            "StatusNotification",
            {"connectorId": 3, "status": "Faulted", "errorCode": "GroundFailure"},
            "3: Faulted, GroundFailure",
        ),
        ("StatusNotification", {"connectorId": 3, "status": "Available", "errorCode": "NoError"}, "3: Available"),
        ("StatusNotification", {"evseId": 1, "connectorId": 2, "connectorStatus": "Occupied"}, "1: Occupied"),
        ("Authorize", {"idToken": {"idToken": "04A2", "type": "ISO14443"}}, "04A2"),
        (
            "StopTransaction",
            {"transactionId": 7, "meterStop": 1200, "reason": "Local"},
            "transaction 7, register 1200 Wh, Local",
        ),
        ("UnlockConnector", {"connectorId": 2}, "2"),
        ("Heartbeat", {}, ""),
    ],
)
def test_a_message_is_told_in_few_words(action: str, payload: dict[str, Any], words: str) -> None:
    assert messages.in_short(action, json.dumps(payload)) == words


@pytest.mark.parametrize(
    "action", ["MeterValues", "TransactionEvent", "StatusNotification", "BootNotification", "Authorize"]
)
@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "[]",
        "{",
        "7",
        '{"meterValue": 3}',
        '{"meterValue": [null]}',
        '{"meterValue": [{"sampledValue": [7]}]}',
        '{"meterValue": [{"sampledValue": [{"value": "NaN"}, {"value": null}]}]}',
        '{"evse": 3, "connectorId": "x"}',
        '{"idToken": 5, "chargingStation": 6, "transactionInfo": []}',
        "[" * 5000,
    ],
)
def test_odd_payloads_are_shown_and_break_nothing(action: str, payload: str) -> None:
    assert isinstance(messages.in_short(action, payload), str)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("ev_disconnected", "the car was unplugged"),
        ("superseded", "the next session began"),
        ("odd_thing", "odd thing"),
        (None, ""),
    ],
)
def test_why_a_session_ended_is_told_in_words(reason: str | None, words: str) -> None:
    assert feed.stop_reason(reason) == words


@pytest.mark.parametrize(
    "event", [{}, {"station_id": 3}, {"station_id": "S"}, {"station_id": "S", "at": "yesterday", "kind": "connection"}]
)
def test_news_without_place_or_time_make_no_line(event: dict[str, Any]) -> None:
    assert feed.of_news(event) is None
