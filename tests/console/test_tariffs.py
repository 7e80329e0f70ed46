"""Tariffs in the console: written as a form or as JSON, seen in words and examples, given to places, tried on the past."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.console import tariff_form
from ohmstead.console.forms import Form
from ohmstead.reports.service import zone_of
from ohmstead.tariffs.model import DAYS, Tariff
from ohmstead.ui import prices
from tests.api.door import Front
from tests.console.town import Town
from tests.console.visitor import Page, Visitor, sign_in
from tests.stories.network import Network

VIENNA = zone_of("Europe/Vienna")
DAY_AND_NIGHT: dict[str, Any] = {
    "name": "Day and night",
    "currency": "EUR",
    "tax_included": "NO",
    "vat": "20",
    "kwh": "0,49",
    "start_fee": "1",
    "n_windows": "1",
    "w0_from": "22:00",
    "w0_until": "06:00",
    "w0_kwh": "0.29",
    "idle_minute": "0.10",
    "idle_grace": "30",
    "idle_most": "12",
}


def a_form(**fields: Any) -> Form:
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    return Form(texts, {name: value for name, value in fields.items() if isinstance(value, list)}, None)


def read(**fields: Any) -> Tariff:
    found = tariff_form.read(a_form(**fields), VIENNA)
    assert found.errors == {}
    assert found.tariff is not None
    return found.tariff


async def made(visitor: Visitor, **fields: Any) -> str:
    """A tariff; its path."""
    answer = await visitor.sends("/tariffs/new", expect=303, **{**DAY_AND_NIGHT, **fields})
    return str(answer.answer.headers["location"])


async def backdated(visitor: Visitor) -> None:
    """All of them always were: sessions of tests began before the test did."""
    for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
        await visitor.network.pool.execute(
            f"update {column} = '2020-01-01Z' where party_id = $1", visitor.network.party_id
        )


# ----------------------------------------------------------------------------------------------------------- the form


def test_the_form_says_a_tariff_and_the_tariff_says_the_form() -> None:
    tariff = read(**DAY_AND_NIGHT, w0_days=["SATURDAY", "SUNDAY"], valid_from="2026-03-01T08:00", max_price="50")
    night, usual = tariff.elements
    assert night.restrictions is not None
    assert (night.restrictions.start_time, night.restrictions.day_of_week) == ("22:00", ["SATURDAY", "SUNDAY"])
    assert [(one.type, one.price) for one in usual.price_components] == [
        ("ENERGY", Decimal("0.49")),
        ("FLAT", Decimal(1)),
    ]
    again = tariff_form.fields_of(tariff, VIENNA)
    assert again is not None
    assert tariff_form.read(Form(*again, None), VIENNA).tariff == tariff


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kwh": "abc"}, "kwh"),
        ({"kwh": "-1"}, "kwh"),
        ({"kwh": "NaN"}, "kwh"),
        ({"kwh": "1e999999"}, "kwh"),
        ({"kwh": "", "start_fee": "", "w0_kwh": ""}, "kwh"),
        ({"w0_kwh": "9999"}, "w0_kwh"),
        ({"w0_until": "22:00"}, "w0_until"),
        ({"w0_from": "99:00"}, "w0_from"),
        ({"w0_from": "", "w0_until": ""}, "w0_from"),
        ({"currency": "QQQ"}, "currency"),
        ({"currency": "EURO"}, "currency"),
        ({"vat": "200"}, "vat"),
        ({"tax_included": "X"}, "tax_included"),
        ({"idle_grace": "1.5"}, "idle_grace"),
        ({"idle_minute": ""}, "idle_minute"),
        ({"idle_most": "-1"}, "idle_most"),
        ({"max_price": "1", "min_price": "2"}, "max_price"),
        ({"max_per_day": "0.001"}, "max_per_day"),
        ({"valid_from": "soon"}, "valid_from"),
        ({"valid_from": "2026-03-02T00:00", "valid_until": "2026-03-01T00:00"}, "valid_until"),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(change: dict[str, str], field: str) -> None:
    found = tariff_form.read(a_form(**{**DAY_AND_NIGHT, **change}), VIENNA)
    assert (found.tariff, next(iter(found.errors))) == (None, field)


@pytest.mark.parametrize(
    "more",
    [
        {"tariff_alt_text": [{"language": "en", "text": "Cheap at night"}]},
        {"adjustments": [{"name": "Gold", "percent": -10, "plans": ["GOLD"]}]},
        {"elements": [{"price_components": [{"type": "ENERGY", "price": "0.4", "step_size": 100}]}]},
        {"elements": [{"price_components": [{"type": "ENERGY", "price": 1}], "restrictions": {"min_kwh": 10}}]},
        {
            "elements": [
                {"price_components": [{"type": "ENERGY", "price": 1, "market": {"series": "X", "floor": None}}]}
            ]
        },
        {"min_price": {"before_taxes": 1, "after_taxes": 2}},
    ],
)
def test_what_the_form_cannot_say_stays_json_and_loses_nothing(more: dict[str, Any]) -> None:
    rules = {"currency": "EUR", "elements": [{"price_components": [{"type": "ENERGY", "price": 1}]}]} | more
    tariff = msgspec.convert(rules, Tariff, strict=False)
    assert tariff_form.fields_of(tariff, VIENNA) is None
    assert read(json=tariff_form.as_json(tariff)) == tariff


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "json"),
        ("[" * 50_000, "json"),
        ("[" * 200_000, "json"),
        ('{"currency": "EUR"}', "elements"),
        ('{"currency": "EUR", "elements": [], "x": 1}', "elements"),
        (
            '{"currency": "EUR", "elements": [{"price_components": [{"type": "ENERGY", "price": -1}]}]}',
            "elements.0.price_com",
        ),
    ],
)
def test_json_that_does_not_fit_is_said_with_its_place(text: str, field: str) -> None:
    found = tariff_form.read(a_form(json=text), VIENNA)
    assert found.tariff is None
    assert next(iter(found.errors)).startswith(field)


_money = st.one_of(st.just(""), st.decimals(0, 50, places=2).map(str))
_time = st.one_of(st.just(""), st.times().map(lambda t: t.strftime("%H:%M")))


@given(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("kwh", "hour", "start_fee", "parking_hour", "w0_kwh", "w0_hour", "w1_kwh", "vat"), _money),
            **dict.fromkeys(("w0_from", "w0_until", "w1_from", "w1_until"), _time),
            **dict.fromkeys(("idle_minute", "max_price", "min_price", "max_per_day"), _money),
            "tax_included": st.sampled_from(["NO", "YES", "N/A"]),
            "type": st.sampled_from(["", "REGULAR", "AD_HOC_PAYMENT"]),
        }
    ),
    st.lists(st.sampled_from(DAYS), unique=True),
)
def test_whatever_the_form_says_it_says_again_or_stays_json(fields: dict[str, str], days: list[str]) -> None:
    form = Form({**fields, "currency": "EUR", "n_windows": "2"}, {"w1_days": days}, None)
    found = tariff_form.read(form, VIENNA)
    assert bool(found.errors) == (found.tariff is None)
    if found.tariff is None:
        return
    assert read(json=tariff_form.as_json(found.tariff)) == found.tariff
    drawn = tariff_form.fields_of(found.tariff, VIENNA)
    if drawn is not None:
        assert tariff_form.read(Form(*drawn, None), VIENNA).tariff == found.tariff
    week = prices.price_week(found.tariff, datetime(2026, 3, 9).date())
    for _name, _y, blocks in week.days:
        assert sum(block.width for block in blocks) in range(24 * 30 - len(blocks), 24 * 30 + 1)
    assert prices.price_lines(found.tariff)


def test_a_row_that_is_left_out_moves_those_after_it_up() -> None:
    form = a_form(n_windows="3", w0_kwh="0", w1_kwh="1", w2_kwh="2", w2_days=["MONDAY"], kwh="3")
    left = tariff_form.without_row(form, 1)
    assert (left.fields["n_windows"], left.fields["w0_kwh"], left.fields["w1_kwh"]) == ("2", "0", "2")
    assert left.many["w1_days"] == ["MONDAY"]


# ---------------------------------------------------------------------------------------------------------- the words


def test_words_come_in_the_order_of_the_regulation_with_what_taxes_make_of_them() -> None:
    lines = prices.price_lines(read(**DAY_AND_NIGHT, hour="6", max_price="50"))
    assert [line.group for line in lines] == ["kwh", "kwh", "minute", "minute", "session", "other"]
    assert (lines[0].price, lines[0].taxes, lines[0].when) == (
        "0.29 EUR per kWh",
        "and 20 % VAT: 0.348 EUR",
        "22:00 to 06:00",
    )
    assert lines[2].price == "0.10 EUR per minute (6.00 EUR per hour)"
    assert "after 30 minutes for free" in lines[3].when


def test_what_counts_now_depends_on_the_clock_of_the_wall() -> None:
    tariff = read(**DAY_AND_NIGHT)
    by_hour = {hour: prices.lines_at(tariff, datetime(2026, 3, 11, hour))[0].price for hour in (5, 6, 21, 22)}
    assert by_hour == {
        5: "0.29 EUR per kWh",
        6: "0.49 EUR per kWh",
        21: "0.49 EUR per kWh",
        22: "0.29 EUR per kWh",
    }


# ---------------------------------------------------------------------------------------------------------- the pages


async def test_without_a_tariff_the_page_says_what_one_is(visitor: Visitor) -> None:
    page = await visitor.opens("/tariffs")
    assert page.heading == "No tariff: charging costs nothing."
    assert "Sessions keep the version they began with." in page.text
    assert "/tariffs/new" in page.html


async def test_a_tariff_is_published_listed_and_explained_with_examples(noon: datetime, visitor: Visitor) -> None:
    path = await made(visitor)
    page = await visitor.opens(path)
    assert (
        page.heading
        == "Day and night: 0.29–0.49 EUR per kWh, 0.10 EUR per minute once the car is full, 1.00 EUR per session"
    )
    # 20 kWh × 0.49 + 1.00, and 20 %; two hours more: 90 minutes × 0.10 on top.
    totals = [one.text for one in page.all("b", class_="total")]
    assert totals[0] == "12.96 EUR"
    assert totals[3] == "23.76 EUR"
    assert "applies nowhere yet" in page.text
    (row,) = (await visitor.opens("/tariffs?show=unused")).rows()
    assert "0.29–0.49 EUR" in row
    assert "Day and night" not in (await visitor.opens("/tariffs?show=used")).text
    assert "Day and night" in (await visitor.opens("/tariffs?q=night")).text
    table = (await visitor.client.get("/tariffs.csv")).content.decode("utf-8-sig").splitlines()
    assert table[0].startswith("tariff_id,name,currency,kwh,")
    assert len(table) == 2


async def test_a_form_that_does_not_fit_keeps_what_was_typed(visitor: Visitor) -> None:
    page = await visitor.sends("/tariffs/new", expect=422, **{**DAY_AND_NIGHT, "w0_kwh": "x"})
    (field,) = page.all("input", name="w0_kwh")
    assert (field.attributes["value"], field.attributes["aria-invalid"]) == ("x", "true")
    await made(visitor)
    taken = await visitor.sends("/tariffs/new", expect=422, **DAY_AND_NIGHT)
    assert "there is a tariff Day and night already" in taken.text


async def test_rows_of_hours_are_added_and_left_out_and_the_form_becomes_json_and_back(visitor: Visitor) -> None:
    page = await visitor.sends("/tariffs/new", do="add-window", **DAY_AND_NIGHT)
    assert [f.attributes["name"] for f in page.all("input", type="time")][:4] == [
        "w0_from",
        "w0_until",
        "w1_from",
        "w1_until",
    ]
    page = await visitor.sends("/tariffs/new", do="drop-window:0", **DAY_AND_NIGHT)
    assert [f.attributes["name"] for f in page.all("input", type="time")] == ["idle_from", "idle_until"]
    page = await visitor.sends("/tariffs/new", do="as-json", **DAY_AND_NIGHT)
    (area,) = page.all("textarea")
    back = await visitor.sends("/tariffs/new", do="as-form", json=area.text, name="Day and night")
    assert [f.attributes["value"] for f in back.all("input", name="w0_kwh")] == ["0.29"]


async def test_who_was_slower_sees_both_versions_and_loses_nothing(visitor: Visitor) -> None:
    path = await made(visitor)
    await visitor.sends(f"{path}/edit", expect=303, version="1", **{**DAY_AND_NIGHT, "kwh": "0.59"})
    page = await visitor.sends(f"{path}/edit", expect=409, version="1", **{**DAY_AND_NIGHT, "kwh": "0.69"})
    assert "Somebody changed this while you did" in page.text
    assert "A kWh 0.69 0.59" in page.text
    (kwh,) = page.all("input", name="kwh")
    (version,) = page.all("input", name="version")
    assert (kwh.attributes["value"], version.attributes["value"]) == ("0.69", "2")
    await visitor.sends(f"{path}/edit", expect=303, version="2", **{**DAY_AND_NIGHT, "kwh": "0.69"})
    page = await visitor.opens(path)
    assert "0.59 EUR per kWh" in page.text  # gone in version 3, new in version 2
    assert "This is version 1" in (await visitor.opens(f"{path}?version=1")).text
    await visitor.opens(f"{path}?version=9", expect=404)


async def test_the_preview_follows_the_form_and_an_unfinished_one_is_no_error(visitor: Visitor) -> None:
    page = await visitor.sends("/tariffs/preview", **{**DAY_AND_NIGHT, "kwh": "1.00"})
    assert next(page.all("b", class_="total")).text == "25.20 EUR"
    page = await visitor.sends("/tariffs/preview", **{**DAY_AND_NIGHT, "kwh": "1.x"})
    assert "The examples come once the form makes a tariff." in page.text
    page = await visitor.sends("/tariffs/preview", json='{"currency": "EUR"}')
    assert "elements" in page.text


async def test_a_tariff_is_given_to_places_and_the_page_says_which_one_applies_and_why(
    noon: datetime, visitor: Visitor
) -> None:
    town = Town(visitor.network, noon)
    place = await town.location("Harbour")
    station = await town.station("ST", connectors=2, location_id=place)
    everywhere, here = await made(visitor, name="Everywhere"), await made(visitor, name="Here", kwh="0.39")
    await visitor.sends(f"{everywhere}/assign", expect=303)
    await visitor.sends(f"{here}/assign", expect=303, station_id=station, evse_number="2")
    await backdated(visitor)
    again = await visitor.sends(f"{here}/assign", expect=422, station_id=station, evse_number="2")
    assert "it is assigned there already" in again.text
    wrong = await visitor.sends(f"{here}/assign", expect=422, station_id="NOBODY")
    assert next(wrong.all("input", name="station_id")).attributes["aria-invalid"] == "true"
    await visitor.sends(f"{here}/assign", expect=422, evse_number="x")
    page = await visitor.opens(f"/tariffs/applies?station={station}&evse=2")
    assert page.heading == "Here applies."
    assert [row.split()[0] for row in page.rows()][:2] == ["Here", "Everywhere"]
    assert (await visitor.opens(f"/tariffs/applies?station={station}&evse=1")).heading == "Everywhere applies."
    for path in (f"/stations/{station}", f"/locations/{place}"):
        page = await visitor.opens(path)
        assert "What charging costs now" in page.text
        assert "0.39 EUR per kWh" in page.text
        assert "0.49 EUR per kWh" in page.text
    forms = [form.attributes.get("action", "") for form in (await visitor.opens(here)).all("form")]
    (form,) = [action for action in forms if action.endswith("/end")]
    await visitor.sends(form, expect=303)
    await visitor.sends(form, expect=303)
    assert "applies nowhere yet" in (await visitor.opens(here)).text


async def test_a_session_tells_what_it_cost_line_by_line(noon: datetime, visitor: Visitor) -> None:
    town = Town(visitor.network, noon)
    station = await town.station("ST", location_id=await town.location("Harbour"))
    session = await town.session(station, begins=3, ends=2, wh=10_000, settled_at=town.ago(1))
    assert "What did it cost?" not in (await visitor.opens(f"/sessions/{session}")).text
    path = await made(visitor)
    await visitor.sends(f"{path}/assign", expect=303)
    await backdated(visitor)
    page = await visitor.opens(f"/sessions/{session}")
    assert "What did it cost?" in page.text
    assert "10.000 kWh 0.49 EUR per kWh 20 % 4.90 EUR" in page.text
    assert "In all 7.08 EUR" in page.text
    assert f"{path}?version=1" in page.html


async def test_a_trial_says_what_would_have_come_in(noon: datetime, visitor: Visitor) -> None:
    path = await made(visitor)
    asked = await visitor.sends("/tariffs/trials", expect=303, tariff_id=path.rpartition("/")[2])
    where = asked.answer.headers["location"]
    assert "What would we have earned?" in (await visitor.opens(where)).text

    async def is_done() -> bool:
        return "No session was settled in this time." in (await visitor.opens(where)).text

    await visitor.network.until(is_done, "the trial is done")
    month = f"{noon:%Y-%m}"
    again = await visitor.sends("/tariffs/trials", expect=303, simulation_id=where.rpartition("/")[2], month=month)
    page = await visitor.opens(again.answer.headers["location"])
    assert where in page.html, "the one before is found again"
    assert "selected" in next(page.all("option", value=month)).attributes
    await visitor.sends("/tariffs/trials", expect=422, simulation_id=where.rpartition("/")[2], month="2026-13")
    await visitor.sends("/tariffs/trials", expect=303, **{**DAY_AND_NIGHT, "kwh": "0.99"})
    await visitor.sends("/tariffs/trials", expect=422, **{**DAY_AND_NIGHT, "kwh": "x"})


async def test_who_may_only_read_sees_and_changes_nothing(
    front: Front, visitor: Visitor, network: Network, client: httpx.AsyncClient
) -> None:
    path = await made(visitor)
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        reader = await sign_in(front, network, other, role="read_only")
        page = await reader.opens(path)
        assert "Let it apply" not in page.text
        await reader.opens(f"{path}/edit", expect=403)
        await reader.opens("/tariffs/new", expect=403)
        for place in (f"{path}/edit", f"{path}/assign", "/tariffs/new", "/tariffs/preview", "/tariffs/trials"):
            await reader.sends(place, expect=403, **DAY_AND_NIGHT)


async def test_strangers_find_no_tariff_of_others(visitor: Visitor, stranger: Visitor) -> None:
    path = await made(visitor)
    tariff_id = UUID(path.rpartition("/")[2])
    for place in (path, f"{path}/edit"):
        await stranger.opens(place, expect=404)
    for place in (f"{path}/edit", f"{path}/assign"):
        await stranger.sends(place, expect=404, **DAY_AND_NIGHT)
    await stranger.sends("/tariffs/trials", expect=404, tariff_id=str(tariff_id))
    asked = await visitor.sends("/tariffs/trials", expect=303, tariff_id=str(tariff_id))
    where = asked.answer.headers["location"]
    await stranger.opens(where, expect=404)
    await stranger.sends("/tariffs/trials", expect=404, simulation_id=where.rpartition("/")[2])
    assert str(tariff_id) not in (await stranger.opens("/tariffs")).html


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_instants_at_the_ends_of_time_break_no_page(visitor: Visitor, at: str) -> None:
    side = "end_date_time" if at.startswith("0001") else "start_date_time"
    rules = {"currency": "EUR", side: at, "elements": [{"price_components": [{"type": "ENERGY", "price": 1}]}]}
    text = msgspec.json.encode(rules).decode()
    answer = await visitor.sends("/tariffs/new", expect=303, name="Far", json=text)
    path = answer.answer.headers["location"]
    for place in (path, f"{path}/edit", f"{path}/edit?as=json", "/tariffs", "/tariffs.csv"):
        await visitor.opens(place)


async def test_a_station_that_there_is_not_is_said_at_the_field(visitor: Visitor) -> None:
    page = await visitor.opens("/tariffs/applies?station=NOBODY", expect=404)
    assert next(page.all("input", name="station")).attributes["aria-invalid"] == "true"


async def test_hostile_names_stay_words(visitor: Visitor) -> None:
    hostile = '"><script>alert(1)</script>'
    path = await made(visitor, name=hostile)
    for place in (path, f"{path}/edit", f"{path}/edit?as=json", "/tariffs"):
        assert "<script>alert" not in (await visitor.opens(place)).html
    answer = await visitor.client.post(
        "/tariffs/new", data={"csrf_token": visitor.csrf_token, "name": "x", "json": f"</textarea>{hostile}"}
    )
    assert "<script>alert" not in Page(answer).html
