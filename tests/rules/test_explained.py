"""Every action, field, value and error code of every version is told in plain words, and nothing breaks them."""

import json
import re
from importlib import resources
from typing import Any

import pytest

from ohmstead.core.language import ENGLISH, languages, speaking
from ohmstead.core.log import REDACTED
from ohmstead.ocpp.rpc import ErrorCode, Version, spelled
from ohmstead.reports.wire import explain as explaining
from ohmstead.reports.wire import official
from ohmstead.reports.wire.differences import between
from ohmstead.reports.wire.explain import (
    about_action,
    about_error,
    about_field,
    about_value,
    action_words,
    explain,
    words,
)

VERSIONS = tuple(official.FOLDERS)
KINDS = ("actions", "errors", "fields", "values")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_action_field_and_value_has_words(version: str) -> None:
    actions = official.actions(version)
    assert len(actions) >= {"1.6": 35, "2.0.1": 60, "2.1": 85}[version]
    silent = []
    for action in actions:
        told = action_words(version, action)
        assert told is not None
        silent += [action] if not about_action(action) else []
        for field in (*told.request, *told.answer):
            silent += [f"{action}.{field.name}"] if not field.about else []
            silent += [f"{action}.{field.name}={value}" for value, means in field.values.items() if not means]
    assert silent == []


@pytest.mark.parametrize("version", Version)
def test_every_error_code_has_words_in_the_versions_spelling(version: Version) -> None:
    assert [code for code in ErrorCode if not about_error(spelled(code, version))] == []


def test_words_are_not_kept_for_what_there_is_not() -> None:
    known = {action for version in VERSIONS for action in official.actions(version)}
    names = set()
    for version in VERSIONS:
        for action in official.actions(version):
            for is_response in (False, True):
                names |= {
                    name for name, _ in official.nodes(official.schema(version, action, is_response=is_response) or {})
                }
    assert set(words("actions", ENGLISH)) == known
    assert set(words("fields", ENGLISH)) == names


def lines_of(code: str, kind: str) -> list[str]:
    file = resources.files("ohmstead.reports.wire").joinpath("words", f"{kind}.{code}.txt")
    return file.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("code", languages())
@pytest.mark.parametrize("kind", KINDS)
def test_every_language_has_the_words_that_english_has(code: str, kind: str) -> None:
    english, told = words(kind, ENGLISH), words(kind, code)
    # Line by line, so that a file can be read beside another and says nothing twice.
    assert [line.partition(": ")[0] for line in lines_of(code, kind)] == list(english) == list(told)
    wrong = [text for text in told.values() if text != text.strip() or (text[-1] == ".") is (kind == "values")]
    wrong += [text for name, text in told.items() if code_in(text) != code_in(english[name])]
    assert wrong == []


def code_in(text: str) -> list[str]:
    return sorted(re.findall(r"`[^`]*`", text))


def test_a_word_that_a_language_lacks_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"actions": {"Reset": "Redémarre."}, "values": {"Local": "sur place"}}
    monkeypatch.setattr(explaining, "spoken", lambda: "fr")
    monkeypatch.setattr(explaining, "words", lambda of, code: few.get(of, {}) if code == "fr" else words(of, code))
    monkeypatch.setattr(explaining, "_told", explaining._told.__wrapped__)
    assert about_action("Reset") == "Redémarre."
    assert about_action("Heartbeat") == words("actions", ENGLISH)["Heartbeat"]
    assert about_value("chargingLimitSource", "Local") == "sur place"
    # Its own sense in this field, rather than a language's word for another.
    assert about_value("reason", "Local") == "the driver ended it at the station"
    assert words("actions", "fr") == {}


@pytest.mark.parametrize(
    ("version", "action", "payload", "answer", "told"),
    [
        (
            "1.6",
            "StopTransaction",
            {"meterStop": 1500, "reason": "Local"},
            {"idTagInfo": {"status": "Accepted"}},
            [
                "Eine Ladestation mit OCPP 1.6 meldet, dass eine Transaktion beendet ist, mit dem letzten Zählerstand.",
                "Der Zählerstand am Ende, in Wh.",
                "der Fahrer hat es an der Ladestation beendet",
                "ja: es ist erledigt oder wird erledigt",
            ],
        ),
        (
            "2.0.1",
            "Reset",
            {"type": "OnIdle", "evseId": 1},
            {"status": "Scheduled"},
            [
                "Bittet die Ladestation oder eine EVSE, neu zu starten.",
                "Die Nummer einer EVSE, ab 1; 0 ist die ganze Ladestation.",
                "sobald nichts mehr geladen wird",
                "es geschieht später",
            ],
        ),
        (
            "2.1",
            "BatterySwap",
            {"eventType": "BatteryOutTimeout", "batteryData": [{"soC": 80}]},
            {"customData": {"vendorId": "us"}},
            [
                "Die Ladestation meldet, dass Batterien eingesetzt oder entnommen wurden, mit Ladestand und Zustand.",
                "niemand hat die Batterie rechtzeitig entnommen",
                "Ladestand, in Prozent.",
                "Wessen eigene Nachricht oder Daten es sind.",
            ],
        ),
    ],
)
def test_a_message_is_told_in_german(
    version: str, action: str, payload: dict[str, Any], answer: dict[str, Any], told: list[str]
) -> None:
    asked = (version, action, json.dumps(payload), json.dumps(answer))
    english, before = explain(*asked), action_words(version, action)
    with speaking("de"):
        german, one = explain(*asked), action_words(version, action)
        assert explain(version, action, "{}", None, "timeout").error == words("errors", "de")["timeout"]
    said = [german.about, *(text for field in (*german.request, *german.answer) for text in (field.about, field.means))]
    assert [text for text in told if text not in said] == []
    # Kept for each language by itself.
    assert one is not None
    assert one.about == german.about
    assert (explain(*asked), action_words(version, action)) == (english, before)
    assert english.about == words("actions", ENGLISH)[action]


def test_a_message_is_told_field_by_field() -> None:
    payload = {
        "eventType": "Ended",
        "triggerReason": "RemoteStop",
        "transactionInfo": {"transactionId": "T1", "stoppedReason": "Remote"},
        "meterValue": [
            {"timestamp": "2026-03-02T09:00:00Z", "sampledValue": [{"value": 1.5, "context": "Transaction.End"}]}
        ],
        "colour": "green",
    }
    told = explain("2.0.1", "TransactionEvent", json.dumps(payload), '{"totalCost": 3.2}')
    by_path = {one.path: one for one in told.request}
    assert by_path["eventType"].means == "the transaction has ended"
    assert by_path["transactionInfo.stoppedReason"].means == "it was ended from afar"
    assert by_path["transactionInfo"].value is None
    assert by_path["meterValue[0].sampledValue[0].context"].means == "when the transaction ended"
    assert by_path["meterValue[0].sampledValue[0].value"].value == "1.5"
    assert (by_path["colour"].about, by_path["colour"].means) == (None, None)
    assert told.answer[0].about == about_field("totalCost")
    assert explain("1.6", "Nonsense", "{}", None, "NotImplemented").error == about_error("NotImplemented")
    assert about_value("status", REDACTED) is None


@pytest.mark.parametrize("text", [None, "", "[", "[]", '"x"', "{" * 5000, '{"a": ' * 900 + "1" + "}" * 900, "\ud800"])
def test_anything_at_all_may_come(text: str | None) -> None:
    told = explain("2.1", "TransactionEvent", text, text)
    assert len(told.request) <= 400
    assert between(text, text) == []


def test_what_changed_since_the_one_before_is_found() -> None:
    before = json.dumps({"a": 1, "b": {"c": [1, 2]}, "gone": None})
    after = json.dumps({"a": 1, "b": {"c": [1, 3, 4]}, "new": "x"})
    assert [(c.path, c.what, c.before, c.after) for c in between(before, after)] == [
        ("b.c[1]", "changed", "2", "3"),
        ("b.c[2]", "added", None, "4"),
        ("new", "added", None, '"x"'),
        ("gone", "removed", "null", None),
    ]
