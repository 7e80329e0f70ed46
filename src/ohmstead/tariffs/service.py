"""What people decide about tariffs. Every change is audited and recorded as an event; the edge opens the transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.texts import checked
from ohmstead.tariffs import queries, store
from ohmstead.tariffs.checking import faults_of
from ohmstead.tariffs.choosing import Candidate, choose
from ohmstead.tariffs.currencies import CURRENCIES
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import (
    ApplicableTariff,
    ConsideredTariff,
    KeptTariff,
    NewPriceSeries,
    NewTariffAssignment,
    Place,
    SeriesPrices,
    TariffAssignment,
    TariffDraft,
)


def check(tariff: Tariff, field: str = "tariff") -> None:
    """Raises Invalid at the first thing that is wrong, with all of them in its text."""
    faults = faults_of(tariff)
    if faults:
        first = faults[0]
        more = "".join(f"; {field}.{fault.field}: {fault.text}" for fault in faults[1:5])
        raise Invalid(first.text + more, field=f"{field}.{first.field}")
    for place, text in _texts(tariff):
        if checked(text, f"{field}.{place}") != text:
            raise Invalid("begins or ends with spaces, or is not in composed form", field=f"{field}.{place}")


def _texts(tariff: Tariff) -> Iterator[tuple[str, str]]:
    """What people will read of it."""
    for n, one in enumerate(tariff.adjustments):
        yield f"adjustments.{n}.name", one.name
    for n, text in enumerate(tariff.tariff_alt_text):
        yield f"tariff_alt_text.{n}.text", text.text
    for n, element in enumerate(tariff.elements):
        for m, component in enumerate(element.price_components):
            for k, tax in enumerate(component.taxes):
                yield f"elements.{n}.price_components.{m}.taxes.{k}.name", tax.name


async def check_series(conn: Connection, party_id: UUID, tariff: Tariff) -> None:
    """Raises Invalid where a price follows a series that there is not, or one in another currency."""
    names = series_of(tariff)
    found = await store.find_currencies(conn, party_id, names) if names else {}
    for n, element in enumerate(tariff.elements):
        for m, component in enumerate(element.price_components):
            if component.market is None:
                continue
            field = f"tariff.elements.{n}.price_components.{m}.market.series"
            currency = found.get(component.market.series)
            if currency is None:
                raise Invalid("there is no such price series", field=field)
            if currency != tariff.currency:
                raise Invalid(f"the series is in {currency}", field=field)


async def create_tariff(conn: Connection, actor: Actor, given: TariffDraft) -> KeptTariff:
    """Publish a tariff. Raises Invalid, and Conflict when the name is taken."""
    check(given.tariff)
    await check_series(conn, actor.party_id, given.tariff)
    name, tariff_id = checked(given.name, "name"), new_id()
    if not name:
        raise Invalid("may not be empty", field="name")
    if not await store.insert_tariff(conn, actor.party_id, tariff_id, name):
        raise _taken(name)
    await _publish(conn, actor, tariff_id, name, 1, given.tariff)
    return await queries.get_tariff(conn, actor.party_id, tariff_id)


async def replace_tariff(
    conn: Connection, actor: Actor, tariff_id: UUID, given: TariffDraft, if_version: int | None = None
) -> KeptTariff:
    """Publish a new version: for sessions that begin from now on.

    Raises NotFound, Invalid, Conflict when it is not in the version `if_version` or the name is taken.
    """
    before = await queries.get_tariff(conn, actor.party_id, tariff_id)
    check(given.tariff)
    await check_series(conn, actor.party_id, given.tariff)
    name = checked(given.name, "name")
    if not name:
        raise Invalid("may not be empty", field="name")
    if given.tariff.currency != before.tariff.currency:
        raise Invalid(f"stays {before.tariff.currency}: make another tariff", field="tariff.currency")
    if name != before.name and await store.has_name(conn, actor.party_id, name, tariff_id):
        raise _taken(name)
    version = await store.raise_version(conn, actor.party_id, tariff_id, name, if_version)
    if version is None:
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    await _publish(conn, actor, tariff_id, name, version, given.tariff)
    return await queries.get_tariff(conn, actor.party_id, tariff_id)


async def assign(conn: Connection, actor: Actor, given: NewTariffAssignment) -> TariffAssignment:
    """From now on, for sessions that begin. Raises Invalid, and Conflict when it is assigned there already."""
    if given.location_id is not None and given.station_id is not None:
        raise Invalid("a station is at its location: name one of both", field="location_id")
    if given.evse_number is not None and given.station_id is None:
        raise Invalid("is of a station: name it", field="station_id")
    if given.connector_number is not None and given.evse_number is None:
        raise Invalid("is of an EVSE: name it", field="evse_number")
    if given.group_uid is not None and not checked(given.group_uid, "group_uid"):
        raise Invalid("may not be empty", field="group_uid")
    if (field := await store.lacks_place(conn, actor.party_id, given)) is not None:
        raise Invalid("there is no such thing", field=field)
    assignment_id = new_id()
    if not await store.insert_assignment(conn, actor.party_id, assignment_id, given, clock.now(), actor.actor_id):
        raise Conflict("it is assigned there already", code="taken")
    found = await queries.get_assignment(conn, actor.party_id, assignment_id)
    await _note(conn, actor, "TariffAssigned", found.tariff_id, _told(found))
    return found


async def made_up(conn: Connection, actor: Actor, given: TariffDraft, since: datetime) -> None:
    """For networks that are made up: a tariff that applies everywhere and has since then, unless there is one already."""
    if await queries.list_tariffs(conn, actor.party_id, limit=1):
        return
    made = await create_tariff(conn, actor, given)
    await assign(conn, actor, NewTariffAssignment(tariff_id=made.tariff_id))
    await store.date_back(conn, actor.party_id, made.tariff_id, since)


async def unassign(conn: Connection, actor: Actor, assignment_id: UUID) -> None:
    """From now on. Sessions that began with it keep it. Raises NotFound, and Conflict when it ended already."""
    found = await queries.get_assignment(conn, actor.party_id, assignment_id)
    if await store.end_assignment(conn, actor.party_id, assignment_id, clock.now(), actor.actor_id) is None:
        raise Conflict("it has ended already", code="over")
    await _note(conn, actor, "TariffUnassigned", found.tariff_id, _told(found))


async def create_series(conn: Connection, actor: Actor, given: NewPriceSeries) -> None:
    """Raises Invalid, and Conflict when the name is taken."""
    if given.currency not in CURRENCIES:
        raise Invalid("no currency that people pay with (ISO 4217)", field="currency")
    if not await store.insert_series(conn, actor.party_id, given.name, given.currency):
        raise Conflict(f"there is a series {given.name} already", code="taken")
    await accounts.audit(
        conn, actor, "price_series.created", f"price_series/{given.name}", {"currency": given.currency}
    )


async def write_series(conn: Connection, actor: Actor, name: str, given: SeriesPrices) -> None:
    """Write prices of a market. Raises Invalid, NotFound, and Conflict when the series has another currency."""
    for number, one in enumerate(given.prices):
        price = one.price_kwh
        if not price.is_finite() or (price and not -9 < price.adjusted() < 7) or abs(price) > Decimal(1_000_000):
            raise Invalid("is to be a number up to a million", field=f"prices.{number}.price_kwh")
        if (places := price.normalize().as_tuple().exponent) and isinstance(places, int) and places < -8:
            raise Invalid("at most 8 decimals", field=f"prices.{number}.price_kwh")
        if one.ends_at <= one.starts_at:
            raise Invalid("ends before it begins", field=f"prices.{number}.ends_at")
    for before, after in pairwise(sorted(given.prices, key=lambda one: one.starts_at)):
        if after.starts_at < before.ends_at:
            raise Invalid(f"two intervals overlap at {after.starts_at.isoformat()}", field="prices")
    currency = await store.touch_series(conn, actor.party_id, name)
    if currency is None:
        raise NotFound(f"no price series {name}")
    if currency != given.currency:
        raise Conflict(f"the series is in {currency}", code="other_currency")
    await store.write_prices(conn, actor.party_id, name, given.prices)
    await accounts.audit(conn, actor, "price_series.written", f"price_series/{name}", {"n_prices": len(given.prices)})


async def applicable(conn: Connection, place: Place) -> ApplicableTariff:
    """Which tariff applies somewhere, and why. Of a station that is not the party's nothing is known."""
    location_id = place.location_id or await store.find_location_id(conn, place.party_id, place.station_id)
    there = Place(**{name: getattr(place, name) for name in place.__struct_fields__} | {"location_id": location_id})
    ((chosen, considered),) = await choose_all(conn, place.party_id, [there])
    zones = await store.find_zones(conn, place.party_id, [location_id] if location_id else [])
    return ApplicableTariff(
        station_id=place.station_id,
        at=place.at,
        time_zone=zones.get(location_id, "UTC") if location_id else "UTC",
        applies=next((one for one in considered if one.verdict == "applies"), None),
        tariff=chosen.tariff if chosen else None,
        considered=considered,
    )


async def choose_all(
    conn: Connection, party_id: UUID, places: Sequence[Place]
) -> list[tuple[Candidate | None, list[ConsideredTariff]]]:
    """For each place of a party what applies there."""
    found = await store.list_candidates(conn, places, party_id)
    return [choose(place, candidates) for place, candidates in zip(places, found, strict=True)]


async def choose_anywhere(conn: Connection, places: Sequence[Place]) -> list[Candidate | None]:
    """For each place, whichever party's it is, what applies there: for those to whom all parties' prices are told."""
    found = await store.list_candidates_anywhere(conn, places)
    return [choose(place, candidates)[0] for place, candidates in zip(places, found, strict=True)]


async def find_zones(conn: Connection, party_id: UUID, location_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The time zones of a party's locations."""
    return await store.find_zones(conn, party_id, location_ids)


def series_of(tariff: Tariff) -> set[str]:
    """The price series that a tariff follows."""
    return {one.market.series for element in tariff.elements for one in element.price_components if one.market}


async def _publish(conn: Connection, actor: Actor, tariff_id: UUID, name: str, version: int, tariff: Tariff) -> None:
    await store.insert_version(conn, actor.party_id, tariff_id, version, tariff, clock.now(), actor.actor_id)
    detail = {"name": name, "version": version, "currency": tariff.currency}
    await _note(conn, actor, "TariffPublished", tariff_id, detail)


def _told(assignment: TariffAssignment) -> dict[str, Any]:
    fields = ("assignment_id", "level", "location_id", "station_id", "evse_number", "connector_number", "group_uid")
    return {name: getattr(assignment, name) for name in fields}


async def _note(conn: Connection, actor: Actor, kind: str, tariff_id: UUID, detail: dict[str, Any]) -> None:
    subject = f"tariff/{tariff_id}"
    await accounts.audit(conn, actor, f"tariff.{kind.removeprefix('Tariff').lower()}", subject, detail)
    payload = {"tariff_id": tariff_id, "by": actor.actor_id, **detail}
    await record(conn, [Event(kind=kind, subject=subject, party_id=actor.party_id, payload=payload)])


def _taken(name: str) -> Conflict:
    return Conflict(f"there is a tariff {name} already", code="taken")
