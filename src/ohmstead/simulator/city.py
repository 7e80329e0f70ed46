"""A believable city: where its stations stand, who comes when, and what happened there in the past weeks."""

import heapq
import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from msgspec import Struct

from ohmstead.simulator import places
from ohmstead.simulator.past import PastSession
from ohmstead.simulator.places import KINDS, PlaceKind, Site
from ohmstead.simulator.plan import VERSIONS, EvsePlan, StationPlan, Token, Visit
from ohmstead.simulator.visits import car_for

_ZONE = ZoneInfo(places.TIME_ZONE)
_HORIZON_H = 24 * 14
# Somebody who has just left is not followed at once: the next car has to find the place.
_TURNOVER_S = 240.0


class CityOptions(Struct, frozen=True):
    """How the city is built. `dc_share` None: as each kind of place has it."""

    seed: str = "1"
    versions: tuple[str, ...] = VERSIONS
    dc_share: float | None = None
    prefix: str = "OHM-"


def build(n_stations: int, options: CityOptions) -> list[StationPlan]:
    """The stations, the same for the same options. Large numbers repeat the sites with a number to their names."""
    plans: list[StationPlan] = []
    rounds = max(1, math.ceil(n_stations / 240))
    for round_index in range(rounds):
        wanted = n_stations // rounds + (round_index < n_stations % rounds)
        for site, count in _spread(wanted):
            for index in range(count):
                plans.append(_station(site, round_index, index, len(plans) + 1, options))
    return plans


def _spread(n_stations: int) -> list[tuple[Site, int]]:
    """Stations by site: by largest remainder of the shares, and no site without one while they last."""
    sites = places.SITES[: max(1, min(len(places.SITES), n_stations))]
    total = sum(site.share for site in sites)
    exact = [n_stations * site.share / total for site in sites]
    counts = [max(1, int(x)) for x in exact]
    by_remainder = sorted(range(len(sites)), key=lambda i: (int(exact[i]) - exact[i], i))
    for step in range(abs(n_stations - sum(counts)) * len(sites)):
        missing = n_stations - sum(counts)
        if missing == 0:
            break
        index = by_remainder[step % len(sites)]
        if missing > 0:
            counts[index] += 1
        elif counts[index] > 1:
            counts[index] -= 1
    return list(zip(sites, counts, strict=True))


def _station(site: Site, round_index: int, index: int, number: int, options: CityOptions) -> StationPlan:
    random = Random(f"{options.seed}/build/{number}")
    kind = KINDS[site.kind]
    share = kind.dc_share if options.dc_share is None else options.dc_share
    is_dc = random.random() < share
    power_w = random.choice(kind.dc_power_w or (50_000, 150_000)) if is_dc else random.choice(kind.ac_power_w)
    phases = 1 if power_w == 7_400 else 3
    standard = "IEC_62196_T2_COMBO" if is_dc else "IEC_62196_T2"
    n_outlets = random.choice(kind.outlets)
    maker, ac_model, dc_model = random.choice(places.MAKERS)
    suffix = f" {round_index + 1}" if round_index else ""
    north = site.north + random.gauss(0, 0.35) + round_index * 3.1
    east = site.east + random.gauss(0, 0.5) - round_index * 2.3
    return StationPlan(
        station_id=f"{options.prefix}{number:04d}",
        version=options.versions[(number - 1) % len(options.versions)],
        evses=tuple(
            EvsePlan(n + 1, is_dc=is_dc, max_power_w=power_w, phases=phases, standard=standard)
            for n in range(n_outlets)
        ),
        location=site.name + suffix,
        kind=site.kind,
        name=f"{site.name}{suffix} {index + 1}",
        city=places.CITY,
        latitude=round(places.CENTRE[0] + north / 1000, 6),
        longitude=round(places.CENTRE[1] + east / 1000, 6),
        vendor=maker,
        model=dc_model if is_dc else ac_model,
        serial_number=f"{maker[:2].upper()}{random.randrange(10**7):07d}",
        firmware_version=random.choice(places.FIRMWARE),
        tx_start_point=random.choice(("EVConnected", "Authorized", "Authorized", "PowerPathClosed")),
    )


def tokens(count: int, seed: str) -> list[Token]:
    """Cards: UIDs of four or seven bytes as readers print them, all different."""
    random = Random(f"{seed}/tokens")
    uids: dict[str, None] = {}
    while len(uids) < count:
        uids[random.randbytes(random.choice((4, 7, 7))).hex().upper()] = None
    return [Token(uid) for uid in uids]


class CityDemand:
    """Arrivals by kind of place and hour of the week. A faster world has as many more of them in the same time."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def first_visit(self, plan: StationPlan, evse: EvsePlan, random: Random, at: datetime) -> Visit | None:
        """The car that would be there if the city had been living all along: the past two days are looked at."""
        cursor = at - timedelta(hours=48)
        while (visit := self._draw(plan, evse, random, cursor, 1.0)) is not None and visit.arrives_at <= at:
            leaves_at = visit.arrives_at + timedelta(seconds=visit.stay_s)
            if leaves_at > at + timedelta(minutes=2):
                left_s = (leaves_at - at).total_seconds()
                return Visit(
                    arrives_at=at,
                    stay_s=left_s,
                    car=car_for(evse, random, left_s, speed=self._speed, fill=KINDS[plan.kind].fill),
                    token=None,
                    leaves_by_card=visit.leaves_by_card,
                    is_underway=True,
                )
            cursor = leaves_at + timedelta(seconds=_TURNOVER_S)
        return None

    def next_visit(self, plan: StationPlan, evse: EvsePlan, random: Random, at: datetime) -> Visit | None:
        """The next arrival after `at`."""
        return self._draw(plan, evse, random, at + timedelta(seconds=_TURNOVER_S), self._speed)

    def _draw(self, plan: StationPlan, evse: EvsePlan, random: Random, after: datetime, speed: float) -> Visit | None:
        kind = KINDS.get(plan.kind) or KINDS["street"]
        arrives_at = arrival(kind, random, after)
        if arrives_at is None:
            return None
        stay_s = stay(kind, random)
        return Visit(
            arrives_at=arrives_at,
            stay_s=stay_s,
            car=car_for(evse, random, stay_s, speed=speed, fill=kind.fill),
            token=None,
            is_card_first=random.random() < 0.35,
            leaves_by_card=random.random() < kind.card_leaves,
        )


def arrival(kind: PlaceKind, random: Random, after: datetime) -> datetime | None:
    """The next arrival of a Poisson process whose rate follows the hour of the week; None: none in two weeks."""
    left = random.expovariate(1.0)
    cursor = after
    for _ in range(_HORIZON_H):
        local = cursor.astimezone(_ZONE)
        rate = kind.visits_per_day / 24 * kind.weight_at(local.weekday(), local.hour)
        remaining_h = 1 - (local.minute * 60 + local.second + local.microsecond / 1e6) / 3600
        if rate * remaining_h > left:
            return cursor + timedelta(hours=left / rate)
        left -= rate * remaining_h
        cursor += timedelta(hours=remaining_h)
    return None


def stay(kind: PlaceKind, random: Random) -> float:
    """How long a car stays, in seconds: log-normal around the kind's median, between 6 minutes and 30 hours."""
    median_h, spread = kind.stay_h
    return min(30 * 3600.0, max(360.0, median_h * 3600 * math.exp(random.gauss(0, spread))))


def history(
    plans: Iterable[StationPlan], cards: list[Token], *, days: int, seed: str, until: datetime
) -> Iterator[PastSession]:
    """What happened in the `days` before `until`, in the order it began. No outlet and no card is used twice at once."""
    random = Random(f"{seed}/history")
    busy: dict[str, datetime] = {}
    for session in heapq.merge(
        *(_of_evse(plan, evse, days, seed, until) for plan in plans for evse in plan.evses),
        key=lambda s: (s.plugged_at, s.station, s.evse),
    ):
        card = _free_card(cards, busy, random, session.plugged_at)
        if card is not None:
            busy[card] = session.unplugged_at
            yield PastSession(
                session.station,
                session.plugged_at,
                session.unplugged_at,
                session.energy_wh,
                card,
                session.evse,
                session.max_power_w,
            )


def _free_card(cards: list[Token], busy: dict[str, datetime], random: Random, at: datetime) -> str | None:
    index = random.randrange(len(cards))
    for step in range(len(cards)):
        uid = cards[(index + step) % len(cards)].uid
        if busy.get(uid, at) <= at:
            return uid
    return None


def _of_evse(plan: StationPlan, evse: EvsePlan, days: int, seed: str, until: datetime) -> Iterator[PastSession]:
    random = Random(f"{seed}/history/{plan.station_id}/{evse.number}")
    kind = KINDS.get(plan.kind) or KINDS["street"]
    cursor = until.replace(microsecond=0) - timedelta(days=days)
    while True:
        at = arrival(kind, random, cursor)
        if at is None:
            return
        at = at.replace(microsecond=0)
        stay_s = int(stay(kind, random))
        unplugged_at = at + timedelta(seconds=stay_s)
        if unplugged_at >= until:
            return
        car = car_for(evse, random, stay_s, fill=kind.fill)
        power_w = car.model.dc_power_w * 0.7 if evse.is_dc else car.model.ac_power_w
        power_w = min(power_w, evse.max_power_w)
        energy_wh = round(min(car.missing_wh, power_w * stay_s / 3600))
        yield PastSession(plan.station_id, at, unplugged_at, energy_wh, "", evse.number, round(power_w))
        cursor = unplugged_at + timedelta(seconds=_TURNOVER_S)
