"""The kinds of places in the simulated city, when people come to them, and the invented names on the map."""

from msgspec import Struct


class PlaceKind(Struct, frozen=True):
    """A kind of place. `visits_per_day` per outlet; hourly weights for working days and weekends (24 each).

    `stay_h`: median and spread (σ of the logarithm) of the stay. `fill` scales what cars need. `dc_share`: how many of
    its stations are DC. `outlets`: outlets per station and their weights.
    """

    name: str
    visits_per_day: float
    weekday: tuple[int, ...]
    weekend: tuple[int, ...]
    stay_h: tuple[float, float]
    fill: float
    dc_share: float
    ac_power_w: tuple[int, ...]
    dc_power_w: tuple[int, ...]
    outlets: tuple[int, ...]
    card_leaves: float = 0.3

    def weight_at(self, weekday: int, hour: int) -> float:
        """Arrivals in this hour compared with the average hour of a working day (weekday 0 is Monday)."""
        curve = self.weekend if weekday >= 5 else self.weekday
        return curve[hour] * 24 / sum(self.weekday)


_OFFICE = (0, 0, 0, 0, 0, 1, 4, 12, 14, 8, 3, 2, 3, 4, 2, 1, 1, 1, 0, 0, 0, 0, 0, 0)
_OFFICE_FREE = (0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
_HOME = (1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 6, 10, 12, 10, 7, 5, 3, 2)
_HOME_FREE = (1, 1, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 4, 4, 4, 5, 6, 7, 8, 7, 5, 4, 3, 2)
_SHOP = (0, 0, 0, 0, 0, 0, 1, 3, 5, 7, 8, 8, 7, 7, 7, 8, 10, 12, 10, 7, 3, 1, 0, 0)
_SHOP_FREE = (0, 0, 0, 0, 0, 0, 0, 2, 6, 10, 13, 14, 13, 12, 12, 11, 9, 7, 4, 2, 0, 0, 0, 0)
_TRANSIT = (1, 1, 1, 1, 1, 2, 4, 7, 7, 6, 6, 7, 8, 7, 7, 8, 9, 10, 9, 7, 5, 4, 3, 2)
_TRANSIT_FREE = (2, 1, 1, 1, 1, 1, 2, 3, 5, 8, 10, 11, 11, 10, 10, 10, 10, 9, 8, 6, 5, 4, 3, 2)
_DEPOT = (2, 1, 0, 0, 1, 2, 1, 0, 0, 1, 2, 3, 4, 4, 5, 7, 10, 12, 10, 7, 5, 4, 3, 3)
_DEPOT_FREE = (1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 2, 2, 1, 1, 1, 1)
_OUT = (1, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 5, 4, 4, 4, 5, 7, 9, 9, 7, 5, 3, 2)

KINDS = {
    kind.name: kind
    for kind in (
        PlaceKind("workplace", 2.2, _OFFICE, _OFFICE_FREE, (6.5, 0.35), 0.75, 0.0, (11_000, 22_000), (), (2, 2, 1), 0.2),
        PlaceKind("residential", 1.8, _HOME, _HOME_FREE, (9.5, 0.45), 0.9, 0.0, (7_400, 11_000, 11_000), (), (1, 2), 0.1),
        PlaceKind("supermarket", 4.0, _SHOP, _SHOP_FREE, (0.7, 0.4), 0.45, 0.5, (22_000,), (50_000, 75_000, 150_000), (1, 2)),
        PlaceKind("hub", 7.0, _TRANSIT, _TRANSIT_FREE, (0.5, 0.35), 0.85, 1.0, (22_000,), (150_000, 300_000, 350_000), (1, 2)),
        PlaceKind("depot", 2.4, _DEPOT, _DEPOT_FREE, (8.0, 0.4), 1.0, 0.3, (22_000,), (50_000, 100_000), (1, 2), 0.05),
        PlaceKind("car_park", 3.0, _SHOP, _SHOP_FREE, (2.6, 0.5), 0.6, 0.1, (11_000, 22_000), (50_000,), (2, 2, 1)),
        PlaceKind("street", 3.0, _HOME, _OUT, (3.2, 0.7), 0.7, 0.0, (11_000, 11_000, 22_000), (), (1, 2)),
        PlaceKind("leisure", 3.0, _OUT, _OUT, (2.1, 0.4), 0.55, 0.15, (11_000, 22_000), (50_000,), (1, 2)),
    )
}  # fmt: skip


class Site(Struct, frozen=True):
    """A location of the city: where it lies (thousandths of a degree from the centre) and its share of the stations."""

    name: str
    kind: str
    north: float
    east: float
    share: int


# An invented town. Nothing here is the name of a company or a person.
CITY = "Ohmstead"
CENTRE = (52.4012, 9.1186)
TIME_ZONE = "Europe/Berlin"
SITES = (
    Site("Market Square", "street", 0.4, 0.6, 6),
    Site("Central Station Car Park", "car_park", 4.1, -2.3, 9),
    Site("Old Harbour Quay", "leisure", 6.8, 7.9, 4),
    Site("Ring Road Charging Hub", "hub", -15.4, 11.2, 6),
    Site("Motorway Junction East", "hub", 3.2, 34.0, 6),
    Site("Motorway Junction West", "hub", -6.1, -31.5, 4),
    Site("Northgate Shopping Centre", "supermarket", 17.9, 4.4, 5),
    Site("Southfield Supermarket", "supermarket", -13.1, -7.3, 3),
    Site("Millbrook Supermarket", "supermarket", 2.5, 16.8, 3),
    Site("Science Park North", "workplace", 22.6, -9.8, 9),
    Site("City Hall", "workplace", -0.9, -1.9, 3),
    Site("Riverside Business Park", "workplace", -9.2, 19.5, 7),
    Site("University Campus", "workplace", 11.7, -15.2, 7),
    Site("General Hospital", "workplace", -5.7, -14.4, 5),
    Site("Bus Depot", "depot", -19.0, -3.6, 4),
    Site("Municipal Works Yard", "depot", -17.2, 24.1, 4),
    Site("Parcel Depot", "depot", 12.8, 27.3, 3),
    Site("Lindenstraat", "residential", 7.4, -6.7, 4),
    Site("Orchard Row", "residential", -8.3, 5.9, 4),
    Site("Kastanienallee", "residential", 9.6, 12.1, 4),
    Site("Weavers' Lane", "residential", -3.8, 9.3, 3),
    Site("Vineyard Hill", "residential", 19.8, 14.9, 3),
    Site("Swimming Baths", "leisure", -11.6, 14.3, 3),
    Site("Stadium", "leisure", 14.9, 20.6, 5),
    Site("Theatre Garage", "car_park", 1.7, 3.5, 6),
)  # fmt: skip

# Stations as one buys them: maker, AC model, DC model; invented, too.
MAKERS = (
    ("Nordvolt", "NV Wall 22", "NV Tower 150"),
    ("Amperio", "Post Duo", "Rapid C"),
    ("Kestrel Power", "KP-22", "KP-DC"),
    ("Lumenetz", "Saeule 2", "Schnell 300"),
)
FIRMWARE = ("1.4.2", "1.5.0", "2.0.3", "2.1.0")
