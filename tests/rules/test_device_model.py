"""Names, trees and reports in parts: whatever the order in which they come."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.stations.device.assembly import Part, assemble
from ohmstead.stations.device.tree import Known, grown, parts_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def known(component: str, variable: str, attribute: str = "Actual", value: str = "x") -> Known:
    return Known(component=component, variable=variable, attribute=attribute, value=value, updated_at=NOW)


def part(seq_no: int | None, last: int) -> Part:
    return Part(seq_no, seq_no == last, {"reportData": [{"n": seq_no}]})


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.permutations(range(n)))), st.data())
def test_a_report_is_complete_when_all_parts_are_there_and_never_before(
    n_order: tuple[int, list[int]], data: st.DataObject
) -> None:
    n, order = n_order
    for end in range(n):
        here = [part(number, n - 1) for number in order[:end]]
        whole = assemble("NotifyReport", here)
        assert not whole.is_complete
        missing = set(range(n)) - set(order[:end])
        assert set(whole.missing) <= missing
        # Once the last is there, all that is missing is known.
        assert n - 1 not in order[:end] or set(whole.missing) == missing
    again = data.draw(st.lists(st.sampled_from(order), max_size=4))
    whole = assemble("NotifyReport", [part(number, n - 1) for number in [*order, *again]])
    assert whole.is_complete
    assert [item["n"] for item in whole.items] == list(range(n))


def test_customer_information_reads_as_one_text() -> None:
    parts = [Part(1, True, {"data": "world"}), Part(0, False, {"data": "hello "})]
    whole = assemble("NotifyCustomerInformation", parts)
    assert (whole.is_complete, whole.text) == (True, "hello world")


def test_parts_without_numbers_count_as_they_came() -> None:
    parts = [Part(None, False, {"messageInfo": [1, 2]}), Part(None, True, {"messageInfo": [3]})]
    whole = assemble("NotifyDisplayMessages", parts)
    assert (whole.is_complete, whole.items) == (True, (1, 2, 3))
    assert not assemble("NotifyDisplayMessages", parts[:1]).is_complete


def test_the_tree_goes_from_station_to_evse_to_connector() -> None:
    names = ["Connector@2.1", "EVSE@2", "ChargingStation", "Connector@1.2", "Connector@1.1", "Custom[b]", "Custom[a]"]
    nodes = grown([known(name, "Available") for name in names])
    assert [(n.name, n.instance, n.evse_number, n.connector_number) for n in nodes] == [
        ("ChargingStation", None, None, None),
        ("Connector", None, 1, 1),
        ("Connector", None, 1, 2),
        ("Connector", None, 2, 1),
        ("Custom", "a", None, None),
        ("Custom", "b", None, None),
        ("EVSE", None, 2, None),
    ]


def test_attributes_of_a_variable_stand_together() -> None:
    [node] = grown([known("C", "V[i]", "MaxSet", "9"), known("C", "V[i]", "Actual", "5"), known("C", "V[i]", "Target")])
    [variable] = node.variables
    assert (variable.name, variable.instance, variable.path) == ("V", "i", "C.V[i]")
    assert [a.attribute for a in variable.attributes] == ["Actual", "Target", "MaxSet"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("OCPPCommCtrlr.HeartbeatInterval", ("OCPPCommCtrlr", "HeartbeatInterval")),
        ("Connector@1.2.Available", ("Connector@1.2", "Available")),
        ("DeviceDataCtrlr.ItemsPerMessage[GetReport]", ("DeviceDataCtrlr", "ItemsPerMessage[GetReport]")),
        ("Comp[a.b]@1.Var[c.d]", ("Comp[a.b]@1", "Var[c.d]")),
        ("NoDot", ("", "NoDot")),
    ],
)
def test_a_name_falls_into_component_and_variable(path: str, expected: tuple[str, str]) -> None:
    assert parts_of(path, "2.x") == expected
    assert parts_of(path, "1.6") == ("", path)
