"""What the demo shows as under way is made with the demo's own key."""

from ohmstead.app import DEMO_SCOPES
from ohmstead.simulator import scenes
from ohmstead.simulator.plan import EvsePlan, StationPlan, Token
from tests.api.door import Front
from tests.stories.network import Network

TARIFF = {"currency": "EUR", "elements": [{"price_components": [{"type": "ENERGY", "price": 0.49}]}]}


async def test_every_scene_is_set_with_what_the_demos_key_may(front: Front) -> None:
    network = await Network(front.house).found()
    async with front.visitor(network, "admin") as owner:
        plans = []
        for version in ("1.6", "2.0.1", "2.1"):
            station = await network.station(version, f"DEMO{len(plans)}")
            evses = (EvsePlan(1), EvsePlan(2))
            plans.append(StationPlan(station.station_id, version, evses))
        place = await owner.posts("/locations", {"name": "Theatre Garage"})
        await owner.patches(f"/stations/{plans[0].station_id}", {"location_id": place["location_id"]})
        cards = [Token("CARD1"), Token("CARD2")]
        for card in cards:
            await owner.posts("/tokens", {"uid": card.uid}, expect=201)
        key = await front.new_key(network, *DEMO_SCOPES)
        assert await scenes.prepare(front.url, key) == []
        assert await scenes.play(front.url, key, plans, cards) == []
        furnished = await owner.gets(f"/locations/{place['location_id']}")
        assert furnished["parking_type"] == "parking_garage"
        assert furnished["opening"]["weekly"][6]["since"] == "05:30"
        tree = await owner.gets(f"/locations/{place['location_id']}/power-tree")
        assert [(c["name"], c["depth"], c["station_ids"]) for c in tree["circuits"]] == [
            ("Grid connection", 0, []),
            ("Row 1", 1, [plans[0].station_id]),
        ]
        assert {t["name"] for t in (await owner.gets("/templates"))["items"]} == {"Livelier stations", "Short queues"}
        assert len((await owner.gets("/reservations"))["items"]) == 2
        assert [r["name"] for r in (await owner.gets("/rollouts"))["items"]] == ["Simulated stations 2.2.0"]
        assert len((await owner.gets("/bulk-commands"))["items"]) == 2
        assert len((await owner.gets("/logs"))["items"]) == 2
        (ending,) = (await owner.gets("/certificates", expires_within_days=30))["items"]
        assert ending["subject"] == "CN=Demo Mobility Contract Root"
    for station in network.stations:
        await station.leaves()


async def test_who_pays_and_what_the_books_hold_is_set_with_what_the_demos_key_may(front: Front) -> None:
    network = await Network(front.house).found()
    async with front.visitor(network, "admin") as owner:
        for n in range(20):
            await owner.posts("/tokens", {"uid": f"CARD{n}", "label": f"Card {n}"}, expect=201)
        await owner.posts("/locations", {"name": "Theatre Garage"})
        await owner.posts("/tariffs", {"name": "Everywhere", "tariff": TARIFF}, expect=201)
        key = await front.new_key(network, *DEMO_SCOPES)
        for _again in range(2):
            assert await scenes.prepare(front.url, key) == []
        (company,) = (await owner.gets("/companies"))["items"]
        assert len((await owner.gets(f"/companies/{company['company_id']}/members"))["items"]) == 8
        drivers = (await owner.gets("/drivers"))["items"]
        assert len(drivers) == 7
        assert all(driver["n_tokens"] == 1 for driver in drivers)
        assert await scenes.keep_books(front.url, key) == []
        assert [one["name"] for one in (await owner.gets("/plans"))["items"]] == ["Commuter"]
        assert (await owner.gets("/invoice-seller"))["missing"] == []
        runs = (await owner.gets("/invoice-runs"))["items"]
        assert {run["kind"] for run in runs} == {"customers", "hosts"}
        assert {run["status"] for run in runs} == {"done"}
