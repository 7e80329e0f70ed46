"""Pages of locations, read as a browser would: numbers, both versions of a conflict, files, stickers, onboarding."""

import base64
from datetime import datetime

from tests.api.pictures import a_png
from tests.console.town import Town
from tests.console.visitor import Visitor

FORM = {"name": "Harbour Park", "time_zone": "Europe/Vienna", "access": "public", "charges_when_closed": "yes"}


async def a_place(visitor: Visitor, noon: datetime) -> tuple[Town, str, str]:
    town = Town(visitor.network, noon)
    place = str(await town.location("Harbour Park"))
    busy = await town.station("BUSY", connectors=2, location_id=place)
    await town.session(busy, begins=26, ends=25, wh=9_000, evse_number=2, location_id=place)
    await town.session(busy, begins=0.5, ends=None, wh=2_500, location_id=place, power_w=11_000)
    return town, place, busy


async def test_the_list_and_the_page_tell_how_a_site_does(visitor: Visitor, noon: datetime) -> None:
    town, place, busy = await a_place(visitor, noon)
    broken = await town.station("BROKEN", location_id=await town.location("North", 48.3, 16.5))
    await town.fault(broken)
    await town.location("<b>Bare</b> =1+1")
    page = await visitor.opens("/locations?sort=trouble")
    assert page.heading == "1 location has a station unreachable or out of order, of 3."
    first, *_, park = page.rows()
    assert first.startswith("North")
    assert "1 out of order" in first
    assert "2.500 kWh 11.50 kWh" in park
    assert [row.split()[0] for row in (await visitor.opens("/locations?show=empty")).rows()] == ["<b>Bare</b>"]
    assert len((await visitor.opens("/locations?q=harbour")).rows()) == 1
    assert "<b>Bare" not in page.html
    page = await visitor.opens(f"/locations/{place}")
    assert page.heading == "Harbour Park: all well, 1 of 2 charging."
    stats = [stat.text for stat in page.all("a", class_="stat")]
    assert "11" in stats[0]
    assert "2.500 kWh 1 session" in " ".join(stats[1].split())
    assert "11.50 kWh 2 sessions" in " ".join(stats[2].split())
    assert busy in page.text
    table = (await visitor.opens("/locations/export?format=csv")).answer.content.decode("utf-8-sig")
    assert table.count("\r\n") == 4
    assert (await visitor.opens("/locations/export?format=xlsx&q=North")).answer.content.startswith(b"PK")


async def test_a_conflict_shows_both_versions_and_loses_nothing(visitor: Visitor) -> None:
    made = await visitor.sends("/locations/new", expect=303, **FORM)
    path = made.answer.headers["location"]
    await visitor.sends(f"{path}/edit", expect=303, version="1", **FORM, city="Graz")
    late = await visitor.sends(
        f"{path}/edit", expect=409, version="1", **FORM, city="Linz", opening="Mo-Fr 07:00-22:00"
    )
    assert "Somebody else changed it meanwhile." in late.heading
    assert "City Graz Linz" in late.text
    assert next(late.all("input", id="city")).attributes["value"] == "Linz"
    assert next(late.all("input", name="version")).attributes["value"] == "2"
    await visitor.sends(f"{path}/edit", expect=303, version="2", **FORM, city="Linz", opening="Mo-Fr 07:00-22:00")
    assert "Mo-Fr 07:00-22:00" in (await visitor.opens(path)).text
    wrong = await visitor.sends(f"{path}/edit", expect=422, version="3", **FORM, opening="Mo 22:00-07:00", owner="Me")
    assert "ends before it begins" in wrong.text
    assert next(wrong.all("input", id="owner")).attributes["value"] == "Me"


async def test_a_location_with_stations_stays_and_says_why(visitor: Visitor, stranger: Visitor, noon: datetime) -> None:
    _, place, busy = await a_place(visitor, noon)
    kept = await visitor.sends(f"/locations/{place}/delete", expect=422)
    assert "1 stations in service are at this location" in kept.text
    for path in ("", "/edit", "/power"):
        await stranger.opens(f"/locations/{place}{path}", expect=404)
    await stranger.opens(f"/stations/{busy}/outlets", expect=404)
    await stranger.sends(f"/locations/{place}/delete", expect=404)
    await stranger.sends(f"/locations/{place}/power", expect=404, version="1", do="add:")
    assert (await stranger.opens("/locations")).rows()[0].startswith("A location is a place")


async def test_a_tree_that_cannot_be_loses_nothing_typed(visitor: Visitor) -> None:
    made = await visitor.sends("/locations/new", expect=303, **FORM)
    path = made.answer.headers["location"] + "/power"
    page = await visitor.sends(path, version="1", do="add:")
    grid = next(page.all("input", name="circuits")).attributes["value"]
    fields = {"circuits": grid, f"name.{grid}": "Main", f"limit_a.{grid}": "100", f"phases.{grid}": "3"}
    page = await visitor.sends(path, version="2", do=f"add:{grid}", **fields)
    grid, below = next(page.all("input", name="circuits")).attributes["value"].split()
    fields |= {"circuits": f"{grid} {below}", f"name.{below}": "Row", f"limit_a.{below}": "120"}
    fields |= {f"phases.{below}": "3", f"parent_id.{below}": grid}
    wrong = await visitor.sends(path, expect=422, version="3", do="save", **fields)
    assert "more than the 100 A of Main, which feeds it" in wrong.text
    assert next(wrong.all("input", name=f"limit_a.{below}")).attributes["value"] == "120"
    late = await visitor.sends(path, expect=409, version="2", do="save", **fields | {f"limit_a.{below}": "32"})
    assert "Circuit: limit, A 100 32" in late.text
    await visitor.sends(path, expect=422, version="3", do="undo", undo="[{}]")
    gone = await visitor.sends(path, version="3", do=f"delete:{grid}", **fields | {f"limit_a.{below}": "32"})
    undo = next(gone.all("input", name="undo")).attributes["value"]
    back = await visitor.sends(path, version="4", do="undo", undo=undo)
    assert next(back.all("input", name=f"limit_a.{below}")).attributes["value"] == "32"


async def test_a_file_is_rehearsed_then_taken(visitor: Visitor) -> None:
    table = b"name,city,latitude\nOne,Graz,\nTwo,Linz,48\n"
    files = {"file": ("sites.csv", table)}
    headers = {"X-CSRF-Token": visitor.csrf_token}
    answer = await visitor.client.post("/locations/import", files=files, headers=headers)
    assert "This would create 1 location and change 0; <em>1 row cannot be taken</em>" in answer.text
    assert "latitude and longitude belong together" in answer.text
    assert len((await visitor.opens("/locations?q=One")).rows()) == 1
    assert "No location fits" in (await visitor.opens("/locations?q=One")).text
    kept = base64.b64encode(table).decode()
    done = await visitor.sends("/locations/import", kept=kept)
    assert "1 created, 0 changed, 0 as they were, 1 failed" in done.heading
    assert "Graz" in (await visitor.opens("/locations?q=One")).text
    await visitor.sends("/locations/import", expect=422, kept="***")


async def test_stickers_are_previewed_as_they_are_printed(visitor: Visitor, noon: datetime) -> None:
    _, place, busy = await a_place(visitor, noon)
    page = await visitor.opens(f"/stickers?location={place}&sheet=a4_2x4&skip=7&phone=112")
    assert page.heading == "2 stickers on 2 pages."
    assert f"/drive/e/{busy}*1" in page.text
    assert page.html.count('class="head"') == 1
    pdf = await visitor.client.get(f"/stickers.pdf?location={place}&sheet=a4_2x4&skip=7")
    assert pdf.content.startswith(b"%PDF-")
    assert (await visitor.client.get("/stickers.pdf?station=NONE")).status_code == 303
    assert "nothing to print" in (await visitor.opens("/stickers?station=NONE")).text


async def test_a_photo_goes_up_and_is_shown(visitor: Visitor, noon: datetime) -> None:
    _, place, _ = await a_place(visitor, noon)
    headers = {"X-CSRF-Token": visitor.csrf_token}
    sent = await visitor.client.post(
        f"/locations/{place}/photos", files={"photo": ("../x.png", a_png())}, headers=headers
    )
    assert sent.status_code == 303
    page = await visitor.opens(f"/locations/{place}")
    (image,) = page.all("img")
    got = await visitor.client.get(image.attributes["src"])
    assert got.headers["content-type"] == "image/jpeg"
    await visitor.sends(image.attributes["src"], expect=303, do="alt", alt="The gate")
    assert next((await visitor.opens(f"/locations/{place}")).all("img")).attributes["alt"] == "The gate"
    bad = await visitor.client.post(f"/locations/{place}/photos", files={"photo": ("x.png", b"no")}, headers=headers)
    assert bad.status_code == 422
    assert "not a photo" in bad.text


async def test_a_station_that_waits_is_adopted_with_place_and_outlets_or_turned_away(
    visitor: Visitor, noon: datetime
) -> None:
    town = Town(visitor.network, noon)
    first = await town.station("FIRST", registration="pending", vendor="Acme", model="One")
    second = await town.station("SECOND", registration="pending")
    page = await visitor.opens("/onboarding")
    assert page.heading == "2 stations wait for you."
    form = await visitor.opens(f"/onboarding/{first}")
    assert "Acme" in form.text
    bad = await visitor.sends(f"/onboarding/{first}", expect=422, do="adopt", **{"evse.1.kw": "much", "name": "Left"})
    assert "a number of kilowatts" in bad.text
    assert next(bad.all("input", id="name")).attributes["value"] == "Left"
    made = await visitor.sends(
        f"/onboarding/{first}",
        do="adopt",
        new_location="Depot",
        name="Left",
        **{"evse.1.type": "DC", "evse.1.kw": "150", "evse.1.reference": "7A"},
    )
    assert "Note its password now" in made.heading
    await visitor.sends(f"/onboarding/{second}", expect=303, do="reject", reason="not ours")
    row = await visitor.network.pool.fetchrow(
        "select s.registration, l.name, e.max_power_w, e.physical_reference from station s join location l"
        " using (location_id) join evse e using (station_id) where s.station_id = $1",
        first,
    )
    assert tuple(row or ()) == ("accepted", "Depot", 150_000, "7A")
    assert (await visitor.opens("/onboarding")).heading == "Nobody waits."
    outlets = await visitor.sends(f"/stations/{first}/outlets", do="add:1", **{"evse.1.kw": "150"})
    assert "plug.1.1.standard" in outlets.html
