"""Every action, field, value and error code of every version is told in plain words, and nothing breaks them."""

import json

import pytest

from ohmstead.core.log import REDACTED
from ohmstead.ocpp.rpc import ErrorCode, Version, spelled
from ohmstead.reports.wire import official
from ohmstead.reports.wire.differences import between
from ohmstead.reports.wire.explain import about_action, about_error, about_field, about_value, action_words, explain

VERSIONS = tuple(official.FOLDERS)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_action_field_and_value_has_words(version: str) -> None:
    actions = official.actions(version)
    assert len(actions) >= {"1.6": 35, "2.0.1": 60, "2.1": 85}[version]
    silent = []
    for action in actions:
        words = action_words(version, action)
        assert words is not None
        silent += [action] if not about_action(action) else []
        for field in (*words.request, *words.answer):
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
    from ohmstead.reports.wire.explain import _words

    assert set(_words("actions")) == known
    assert set(_words("fields")) == names
    assert all(words[-1] not in ".:" for words in _words("values").values())


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
