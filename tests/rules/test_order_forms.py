"""Forms drawn from schemas: every order can be filled in, comes out as it went in, and says at which field it is wrong."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ohmstead.console import order_form, schema_form
from ohmstead.console.order_form import order_in, schema_of
from ohmstead.console.schema_form import Node, changed, fields_of
from ohmstead.core.log import REDACTED
from ohmstead.stations import orders
from ohmstead.stations.capabilities import capabilities
from tests.rules.order_examples import ALL

VIENNA = ZoneInfo("Europe/Vienna")


def form_of(order: orders.OrderForm) -> dict[str, str]:
    kind = orders.kind_of(order)
    schema = schema_of("order", kind, "2.1")
    assert schema is not None
    given = msgspec.json.decode(msgspec.json.encode(order))
    return {"kind": "order", "pick": kind, **fields_of(schema, given, VIENNA)}


def unordered(value: Any) -> Any:
    """With lists of ticked words in one order: they are sets."""
    value = msgspec.to_builtins(value)

    def sorted_words(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: sorted_words(inner) for key, inner in one.items()}
        if isinstance(one, list | tuple):
            items = [sorted_words(inner) for inner in one]
            return sorted(items) if items and all(isinstance(item, str) for item in items) else items
        return datetime.fromisoformat(one).timestamp() if isinstance(one, str) and "T" in one and ":" in one else one

    return sorted_words(value)


def paths(nodes: list[Node]) -> list[str]:
    return [path for node in nodes for path in (node.path, *paths(node.parts))]


@pytest.mark.parametrize("order", [o for o in ALL if not isinstance(o, orders.Raw)], ids=orders.kind_of)
def test_an_order_in_a_form_comes_out_as_it_went_in(order: Any) -> None:
    fields = form_of(order)
    assert unordered(order_in(fields, "2.1", VIENNA)) == unordered((order, {}))
    form = order_form.opened(fields, "2.1", capabilities("2.1"), zone=VIENNA)
    drawn = set(paths(form.nodes))
    assert {key[2:].partition("=")[0] for key in fields if key[1:2] == ":"} <= drawn
    # By hand and back again: nothing is lost either.
    text = order_form.json_of(fields, "2.1", VIENNA)
    back = order_in(order_form.fields_in("order", text, "", "2.1", VIENNA), "2.1", VIENNA)
    assert unordered(back) == unordered((order, {}))


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_every_message_of_a_version_and_every_order_can_be_drawn(version: str) -> None:
    for kind in ("order", "raw"):
        for group in order_form.offers(version, capabilities(version), kind):
            for offer in group.offers:
                assert offer.about, offer.key
                form = order_form.opened({"kind": kind, "pick": offer.key}, version, [], zone=VIENNA)
                assert form.mode == "form", offer.key
    n = sum(len(group.offers) for group in order_form.offers(version, [], "order"))
    assert n == len(orders.KINDS) - 1


@pytest.mark.parametrize(
    ("pick", "fields", "faults"),
    [
        ("reset", {"v:how": "gently", "v:evse_number": "0"}, {"how", "evse_number"}),
        ("unlock", {}, {"evse_number"}),
        ("unlock", {"v:evse_number": "1.5"}, {"evse_number"}),
        ("unlock", {"v:evse_number": "1e400"}, {"evse_number"}),
        ("set_variables", {"n:values": "2", "k:values[0]": "A", "k:values[1]": "A"}, {"values[1]"}),
        ("set_monitors", {"n:monitors": "0"}, {"monitors"}),
        ("update_firmware", {"v:url": "x" * 2001, "v:retrieve_at": "soon"}, {"url", "retrieve_at"}),
        ("set_profile", {"n:profile.schedules": "1"}, {"profile.schedules[0].rate_unit", "evse_number"}),
        ("data_transfer", {"v:vendor_id": "me", "v:data": "{"}, {"data"}),
        ("no_such", {}, {""}),
    ],
)
def test_each_field_that_is_wrong_is_named(pick: str, fields: dict[str, str], faults: set[str]) -> None:
    order, errors = order_in({"kind": "order", "pick": pick, **fields}, "2.1", VIENNA)
    assert order is None
    assert faults <= set(errors)


def test_parts_come_and_go_and_the_others_stay() -> None:
    fields = {
        "n:a": "2",
        "v:a[0].x": "first",
        "v:a[1].x": "second",
        "n:a[1].b": "1",
        "v:a[1].b[0]": "deep",
        "v:ab": "other",
    }
    more = changed(fields, "add:a")
    assert more["n:a"] == "3"
    less = changed(more, "drop:a[0]")
    assert less == {"n:a": "2", "v:a[0].x": "second", "n:a[0].b": "1", "v:a[0].b[0]": "deep", "v:ab": "other"}
    assert changed({"o:p": "1", "v:p.x": "1", "c:p=w": "1", "v:pq": "2"}, "drop:p") == {"v:pq": "2"}
    assert changed({}, "add:p") == {"o:p": "1"}
    for odd in ("", "drop", "drop:a[x]", "add:", "drop:a[99999999999999999999]", "nonsense:a"):
        assert changed(fields, odd)["v:ab"] == "other"


def test_a_raw_message_is_drawn_with_the_words_of_ocpp() -> None:
    form = order_form.opened({"kind": "raw", "pick": "Reset"}, "1.6", [], zone=VIENNA)
    (kind,) = form.nodes
    assert (kind.label, kind.kind, kind.is_needed) == ("type", "choice", True)
    assert ("Hard", "Hard: at once") in kind.choices
    assert form.consequence
    order, errors = order_in({"kind": "raw", "pick": "Reset", "v:type": "Hard"}, "1.6", VIENNA)
    assert (order, errors) == (orders.Raw(action="Reset", payload={"type": "Hard"}), {})


def test_what_was_blotted_out_is_not_sent_again_and_instants_are_on_the_wall() -> None:
    schema = schema_of("order", "set_variables", "2.1")
    assert schema is not None
    assert fields_of(schema, {"values": {"Key": REDACTED}}, VIENNA)["v:values[0]"] == ""
    fields = {"kind": "order", "pick": "get_log", "v:url": "https://x.example/", "v:since": "2026-07-01T10:00"}
    order, _ = order_in(fields, "2.1", VIENNA)
    assert isinstance(order, orders.GetLog)
    assert order.since is not None
    assert order.since.isoformat() == "2026-07-01T10:00:00+02:00"
    assert schema_form.unit_of("retry_after_s") == "s"
