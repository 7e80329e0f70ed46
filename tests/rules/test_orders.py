"""Every order in every version: what leaves is valid by the official schema, or there is a reason why it cannot leave."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.core.errors import Invalid, Refused
from ohmstead.ocpp import schemas
from ohmstead.ocpp.outgoing import Outgoing
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v2 import outbound as outbound2
from ohmstead.ocpp.v16 import messages as v16
from ohmstead.ocpp.v16 import outbound as outbound16
from ohmstead.stations import orders as o
from ohmstead.stations import rules
from ohmstead.stations.capabilities import VERSIONS, capabilities, why_not
from ohmstead.stations.features import Features
from tests.rules.order_examples import ALL, EXAMPLES, NOW, profile, schedule
from tests.stories.least_payload import least


def calls(order: o.Order, version: str, **features: Any) -> list[Outgoing]:
    calls_for = outbound16.calls_for if version == "1.6" else outbound2.calls_for
    return calls_for(order, "ST-1", Features(version=version, **features))


def tried(order: o.Order, version: str) -> tuple[list[Outgoing], str | None]:
    """The calls, or why there are none."""
    try:
        rules.check_at(order, Features(version=version))
        return calls(order, version), None
    except (Invalid, Refused) as refused:
        return [], refused.text


def said(order: o.Order, version: str, **features: Any) -> list[tuple[str, Any]]:
    return [(call.action, json.loads(call.payload)) for call in calls(order, version, **features)]


def name(order: Any) -> str:
    return o.kind_of(order)


def test_there_is_an_example_of_every_kind() -> None:
    assert set(EXAMPLES) == set(o.KINDS.values())
    for kind, examples in EXAMPLES.items():
        assert all(type(order) is kind for order in examples)


@pytest.mark.parametrize("order", ALL, ids=name)
def test_an_order_survives_its_row(order: o.Order) -> None:
    stored = json.loads(msgspec.json.encode(o.parameters_of(order)))
    assert o.order_from(o.kind_of(order), stored) == order
    rules.check(order, NOW)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("order", ALL, ids=name)
def test_what_leaves_is_valid_by_the_versions_official_schema(order: o.Order, version: str) -> None:
    is_least = order is EXAMPLES[type(order)][0]
    if isinstance(order, o.Raw):
        return
    reason = why_not(type(order), version)
    sent, refusal = tried(o.numbered(order), version)
    if refusal is not None:
        assert reason in (None, refusal)
        assert reason is not None or not is_least, f"the least one must be possible: {refusal}"
        assert version in refusal
        return
    assert reason is None
    assert sent
    to_station = (v16 if version == "1.6" else v2).TO_STATION
    for call in sent:
        assert call.action in to_station
        faults = schemas.violations(Version(version), call.action, call.payload)
        # Fields that a version lacks are refused by its schema, by name; nothing else may be wrong with an example.
        assert faults == [] or (
            not is_least and version == "2.0.1" and all("unknown" in f or "none of" in f for f in faults)
        )


@pytest.mark.parametrize(("version", "n"), [("1.6", 26), ("2.0.1", 40), ("2.1", 55)])
def test_every_message_to_a_station_can_be_had_by_a_neutral_order(version: str, n: int) -> None:
    reached: set[str] = set()
    for order in ALL:
        if isinstance(order, o.Raw):
            continue
        try:
            reached |= {call.action for call in calls(order, version)}
        except Refused:
            continue
    wanted = (v16 if version == "1.6" else v2).TO_STATION & schemas.actions(Version(version))
    assert len(wanted) == n
    assert wanted - reached == set()


@pytest.mark.parametrize("version", VERSIONS)
def test_capabilities_tell_of_every_kind(version: str) -> None:
    told = capabilities(version)
    assert [one.kind for one in told] == sorted(o.KINDS)
    assert all(one.is_possible == (one.reason is None) for one in told)
    impossible = {one.kind: one.reason for one in told if not one.is_possible}
    assert len(impossible) == {"1.6": 31, "2.0.1": 15, "2.1": 0}[version]
    if version == "1.6":
        assert impossible["set_display_message"] == "OCPP 1.6 has no display messages"


def test_nothing_can_be_told_of_a_station_that_never_came() -> None:
    assert not any(one.is_possible for one in capabilities(None))


@pytest.mark.parametrize(
    ("kind", "version", "lacks"),
    [(o.Reserve, "1.6", "reservations"), (o.SetProfile, "2.0.1", "smart_charging"), (o.GetTariffs, "2.1", "tariffs")],
)
def test_what_a_station_reported_to_lack_is_refused(kind: type[Any], version: str, lacks: Any) -> None:
    with pytest.raises(Refused, match="this station reported that it has no"):
        calls(EXAMPLES[kind][0], version, lacks=frozenset((lacks,)))


# ------------------------------------------------------------------------------------------ answers


@pytest.mark.parametrize("version", VERSIONS)
def test_every_word_of_an_answer_means_that_it_was_done_or_that_it_was_not(version: str) -> None:
    """No answer of any message is without meaning, and a refusal is always told in the station's own word."""
    good = {"Accepted", "AcceptedCanceled", "Scheduled", "Unlocked", "Unpublished", "RebootRequired"}
    nothing_there = {"EmptyResultSet", "NoProfiles", "NotFound", "Unknown", "NoTariff", "NoFirmware"}
    for order in ALL:
        if isinstance(order, o.Raw):
            continue
        try:
            sent = calls(order, version)[0]
        except Refused:
            continue
        schema = schemas.request_schema(Version(version), sent.action, is_response=True)
        status = schema["properties"].get("status")
        answer = least(version, sent.action, is_response=True)
        for word in _words(status, schema) or [None]:
            payload = json.dumps(answer | ({"status": word} if word else {})).encode()
            result = sent.read(schemas.decode(Version(version), sent.action, payload, is_response=True))
            if word in good:
                assert result.status == "accepted", (sent.action, word)
            elif word is not None and result.status == "accepted":
                assert word in nothing_there, (sent.action, word)
                assert result.text is not None
            elif word is not None:
                assert word in str(result.text)


def _words(status: Any, schema: Any) -> list[str]:
    if status is None:
        return []
    if "$ref" in status:
        status = schema["definitions"][status["$ref"].rpartition("/")[2]]
    found: list[str] = status.get("enum", [])
    return found


def test_the_reason_of_a_refusal_is_told() -> None:
    [call] = calls(o.Reset(), "2.1")
    answer = {"status": "Rejected", "statusInfo": {"reasonCode": "Busy", "additionalInfo": "update running"}}
    read = schemas.decode(Version.V21, "Reset", json.dumps(answer).encode(), is_response=True)
    assert call.read(read).text == "Rejected (Busy: update running)"


def test_a_value_that_counts_after_a_restart_is_told_and_not_taken_for_the_present_one() -> None:
    order = o.SetVariables(values={"A.B": "1", "A.C": "2", "A.D": "3"})
    [call] = calls(order, "2.0.1")
    results = [
        {"attributeStatus": status, "component": {"name": "A"}, "variable": {"name": variable}}
        for variable, status in (("B", "Accepted"), ("C", "RebootRequired"))
    ]
    payload = json.dumps({"setVariableResult": results}).encode()
    result = call.read(schemas.decode(Version.V201, "SetVariables", payload, is_response=True))
    assert (result.status, result.text) == ("rejected", "A.C: RebootRequired; A.D: not answered")
    told = [(v.variable, v.value, v.is_pending) for v in result.variables]
    assert told == [("B", "1", False), ("C", "2", True)]
    [first, *_] = calls(o.SetVariables(values={"Key": "1"}), "1.6")
    answer = schemas.decode(Version.V16, "ChangeConfiguration", b'{"status":"RebootRequired"}', is_response=True)
    of_key = first.read(answer)
    assert (of_key.status, of_key.text) == ("accepted", "Key: RebootRequired")
    assert [(v.variable, v.value, v.is_pending) for v in of_key.variables] == [("Key", "1", True)]


# ------------------------------------------------------------------------------------------ several messages


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text("abcXYZ", min_size=1, max_size=40), min_size=1, max_size=30, unique=True),
    st.integers(1, 12),
    st.integers(300, 2000),
    st.sampled_from(["get_variables", "set_variables"]),
)
def test_no_message_has_more_items_or_bytes_than_the_station_takes(
    names: list[str], most_items: int, most_bytes: int, kind: str
) -> None:
    full = [f"Component.{one}" for one in names]
    order: o.Order = (
        o.GetVariables(names=tuple(full))
        if kind == "get_variables"
        else o.SetVariables(values=dict.fromkeys(full, "x"))
    )
    sent = calls(order, "2.0.1", most_items={kind: most_items}, most_bytes={kind: most_bytes})
    asked: list[str] = []
    for call in sent:
        frame = json.dumps([2, "0" * 36, call.action, json.loads(call.payload)], separators=(",", ":"))
        assert len(frame) <= most_bytes
        [items] = json.loads(call.payload).values()
        assert len(items) <= most_items
        asked += [f"{item['component']['name']}.{item['variable']['name']}" for item in items]
    assert asked == full


def test_one_value_that_is_too_big_for_the_station_is_refused() -> None:
    order = o.SetVariables(values={"A.B": "x" * 500})
    with pytest.raises(Refused, match="takes messages of 300"):
        calls(order, "2.1", most_bytes={"set_variables": 300})


def test_1_6_is_asked_for_no_more_keys_at_once_than_it_said() -> None:
    order = o.GetVariables(names=("A", "B", "C"))
    assert said(order, "1.6", most_items={"get_variables": 2}) == [
        ("GetConfiguration", {"key": ["A", "B"]}),
        ("GetConfiguration", {"key": ["C"]}),
    ]


# ------------------------------------------------------------------------------------------ profiles


_amount = st.decimals(0, 400, places=1)
_periods = st.lists(st.tuples(st.integers(-5, 90_000), _amount), min_size=0, max_size=5).map(
    lambda items: tuple(o.Period(start_s=start, limit=limit) for start, limit in sorted(items))
)
_profiles = st.builds(
    o.ChargingProfile,
    profile_id=st.integers(-5, 100),
    stack_level=st.integers(-1, 9),
    purpose=st.sampled_from(["station_max", "external", "session_default", "session", "local_generation"]),
    timing=st.sampled_from(["absolute", "recurring", "relative", "dynamic"]),
    recurs=st.sampled_from([None, "daily"]),
    transaction_id=st.sampled_from([None, "12"]),
    schedules=st.lists(
        st.builds(
            o.Schedule,
            rate_unit=st.sampled_from(["A", "W"]),
            periods=st.just((o.Period(start_s=0, limit=Decimal(6)),)) | _periods,
            starts_at=st.sampled_from([None, NOW]),
            duration_s=st.none() | st.integers(-1, 90_000),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)


def fault_of(order: o.Order) -> Invalid | None:
    try:
        rules.check(order, NOW)
    except Invalid as invalid:
        return invalid
    return None


@settings(max_examples=300, deadline=None)
@given(_profiles, st.integers(0, 2), st.sampled_from(VERSIONS))
def test_a_profile_is_refused_by_name_or_valid_on_the_wire(
    given_profile: o.ChargingProfile, evse_number: int, version: str
) -> None:
    order = o.SetProfile(evse_number=evse_number, profile=given_profile)
    fault = fault_of(order)
    if fault is not None:
        assert fault.field
        assert fault.text.startswith(f"{fault.field}: ")
        return
    periods = [p.start_s for s in given_profile.schedules for p in s.periods]
    assert min(periods) == 0
    sent, refusal = tried(order, version)
    assert refusal is None or version != "2.1"
    for call in sent:
        assert schemas.violations(Version(version), call.action, call.payload) == []


def test_a_profile_is_said_in_each_versions_words() -> None:
    order = o.SetProfile(evse_number=1, profile=profile("session", "relative", transaction_id="77"))
    periods = [{"startPeriod": 0, "limit": 16}, {"startPeriod": 3600, "limit": 8.5}, {"startPeriod": 7200, "limit": 0}]
    assert said(order, "1.6") == [
        (
            "SetChargingProfile",
            {
                "connectorId": 1,
                "csChargingProfiles": {
                    "chargingProfileId": 7,
                    "stackLevel": 1,
                    "chargingProfilePurpose": "TxProfile",
                    "chargingProfileKind": "Relative",
                    "transactionId": 77,
                    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": periods},
                },
            },
        )
    ]
    assert said(order, "2.0.1") == [
        (
            "SetChargingProfile",
            {
                "evseId": 1,
                "chargingProfile": {
                    "id": 7,
                    "stackLevel": 1,
                    "chargingProfilePurpose": "TxProfile",
                    "chargingProfileKind": "Relative",
                    "transactionId": "77",
                    "chargingSchedule": [{"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": periods}],
                },
            },
        )
    ]


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (o.SetProfile(evse_number=0, profile=profile("session", "relative", transaction_id="1")), "evse_number"),
        (o.SetProfile(evse_number=1, profile=profile("session", "relative")), "profile.transaction_id"),
        (o.SetProfile(evse_number=1, profile=profile("external")), "profile.purpose"),
        (o.SetProfile(evse_number=1, profile=profile("station_max")), "evse_number"),
        (o.SetProfile(evse_number=1, profile=profile(stack_level=-1)), "profile.stack_level"),
        (
            o.SetProfile(evse_number=1, profile=profile(schedules=(schedule(6, starts_at=None),))),
            "profile.schedules.0.starts_at",
        ),
        (
            o.SetProfile(evse_number=1, profile=profile(schedules=(schedule(6, -1),))),
            "profile.schedules.0.periods.1.limit",
        ),
        (o.RemoteStart(token_uid="T", profile=profile()), "profile.purpose"),
        (o.RemoteStart(token_uid="T", connector_number=1), "evse_number"),
        (o.ClearProfiles(profile_id=1, stack_level=1), "profile_id"),
        (o.UpdateSchedule(profile_id=1, limits=o.Limits()), "limits"),
        (o.Trigger(message="Heart beat"), "message"),
        (o.Trigger(), "custom"),
        (o.DataTransfer(vendor_id="org.openchargealliance.costmsg", message_id="Nonsense"), "message_id"),
        (o.SetVariables(values={}), "values"),
        (o.CustomReport(), "names"),
        (o.SetNetworkProfile(slot=1, url="ws://csms.example", security_profile=2), "url"),
        (o.SetNetworkProfile(slot=1, url="https://csms.example", security_profile=1), "url"),
        (o.GetLog(url="file:///etc/passwd"), "url"),
        (o.GetLog(url="https:///nowhere"), "url"),
        (o.UpdateFirmware(url="https://h/f", retrieve_at=NOW, signature="x"), "certificate"),
        (o.PublishFirmware(url="https://h/f", checksum="xyz"), "checksum"),
        (o.InstallCertificate(use="central_root", certificate="nothing"), "certificate"),
        (o.CustomerInformation(), "token"),
        (o.CustomerInformation(is_reported=False, customer_id="C"), "is_reported"),
        (o.SendLocalList(version=0), "version"),
        (o.SendLocalList(version=1, entries=(o.ListedToken(uid="A"), o.ListedToken(uid="a"))), "entries.1.uid"),
        (o.Reserve(token=o.TokenRef(uid="A"), expires_at=NOW), "expires_at"),
        (o.UpdateCost(transaction_id="t", total_cost=Decimal(-1)), "total_cost"),
        (o.SetDefaultTariff(tariff=o.StationTariff(tariff_id="T", currency="EUR")), "tariff"),
        (o.SetDerControl(control_id="c", type="volt_var"), "curve"),
    ],
    ids=lambda value: name(value) if not isinstance(value, str) else value,
)
def test_wrong_parameters_are_refused_by_field_and_rule(order: o.Order, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check(order, NOW)
    assert refused.value.field == field
    assert refused.value.text.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("order", "features", "field"),
    [
        (o.Unlock(evse_number=3), {"outlets": {1: (1,), 2: (1,)}}, "evse_number"),
        (o.Unlock(evse_number=1, connector_number=2), {"outlets": {1: (1,)}}, "connector_number"),
        (o.SetProfile(evse_number=0, profile=profile()), {"most_stack_level": 0}, "profile.stack_level"),
        (o.SetProfile(evse_number=0, profile=profile()), {"most_periods": 2}, "profile.schedules.0.periods"),
        (
            o.SetProfile(evse_number=0, profile=profile()),
            {"rate_units": frozenset("W")},
            "profile.schedules.0.rate_unit",
        ),
        (
            o.CompositeSchedule(evse_number=0, duration_s=1, rate_unit="A"),
            {"rate_units": frozenset("W")},
            "rate_unit",
        ),
        (
            o.SendLocalList(version=1, entries=(o.ListedToken(uid="A"), o.ListedToken(uid="B"))),
            {"most_list_entries": 1},
            "entries",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_this_station_cannot_hold_is_refused_by_field_and_rule(
    order: o.Order, features: dict[str, Any], field: str
) -> None:
    rules.check(order, NOW)
    rules.check_at(order, Features(version="2.1"))
    with pytest.raises(Invalid) as refused:
        rules.check_at(order, Features(version="2.1", **features))
    assert refused.value.field == field


def test_ids_are_given_where_reports_are_known_by_them() -> None:
    made = o.numbered(o.GetProfiles())
    assert isinstance(made, o.GetProfiles)
    assert made.request_id is not None
    assert o.numbered(made) == made
    assert o.numbered(o.GetVariables(names=("A",))) == o.GetVariables(names=("A",))
