"""What people decide about a site's circuits and photos. The edge opens the transaction, unless it says otherwise."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.stations import queries as stations
from ohmstead.stations.files import service as files
from ohmstead.stations.files.ports import Storage
from ohmstead.stations.sites import pictures, queries, store, tree
from ohmstead.stations.sites.model import Circuit, Photo, PhotoChange, PowerTree
from ohmstead.stations.sites.stickers import MOST_STICKERS, Sticker, StickerFilter, address, evse_id

MOST_PHOTOS = 20


async def get_tree(conn: Connection, party_id: UUID, location_id: UUID) -> PowerTree:
    """Raises NotFound."""
    location = await stations.get_location(conn, party_id, location_id)
    circuits = await queries.list_circuits(conn, party_id, location_id)
    ratings = await queries.station_ratings(conn, party_id, location_id)
    ordered = tree.in_order(circuits, ratings)
    placed = {station_id for one in circuits for station_id in one.station_ids}
    return PowerTree(
        location_id=location_id,
        version=location.version,
        circuits=ordered,
        doubts=tree.doubts(ordered, ratings),
        unplaced=[station_id for station_id in ratings if station_id not in placed],
    )


async def change_tree(
    conn: Connection, actor: Actor, location_id: UUID, circuits: Sequence[Circuit], if_version: int | None = None
) -> PowerTree:
    """The power tree is this, whole. Raises NotFound, Invalid, and Conflict when the location is not in `if_version`."""
    await stations.get_location(conn, actor.party_id, location_id)
    if not await store.touch_location(conn, actor.party_id, location_id, if_version):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    ratings = await queries.station_ratings(conn, actor.party_id, location_id)
    tree.check(circuits, frozenset(ratings))
    if not await store.replace_circuits(conn, actor.party_id, location_id, circuits):
        raise Invalid("an id is in use elsewhere", "circuits")
    await store.place_stations(conn, actor.party_id, location_id, circuits)
    said = [{"name": one.name, "limit_a": str(one.limit_a), "stations": one.station_ids} for one in circuits]
    await _note(conn, actor, location_id, {"power_tree": said})
    return await get_tree(conn, actor.party_id, location_id)


async def add_photo(pool: Pool, storage: Storage, actor: Actor, location_id: UUID, data: bytes, alt: str = "") -> Photo:
    """Keep a photo, drawn anew without what a camera wrote into it; in transactions of its own.

    Raises NotFound, Invalid for what is no photo, Refused when there are many already.
    """
    async with pool.acquire() as conn:
        await stations.get_location(conn, actor.party_id, location_id)
        if len(await queries.list_photos(conn, actor.party_id, location_id)) >= MOST_PHOTOS:
            raise Refused(f"there are {MOST_PHOTOS} photos already: delete one first")
    drawn = await asyncio.to_thread(pictures.redrawn, data)
    sha256 = hashlib.sha256(drawn.data).hexdigest()
    with tempfile.TemporaryDirectory(prefix="ohmstead-photo-") as name:
        path = Path(name) / "photo.jpg"
        await asyncio.to_thread(path.write_bytes, drawn.data)
        await storage.keep(path, sha256)
    async with pool.acquire() as conn, conn.transaction():
        if not await store.touch_location(conn, actor.party_id, location_id, None):
            await stations.get_location(conn, actor.party_id, location_id)
        present = await queries.list_photos(conn, actor.party_id, location_id)
        photo = Photo(
            photo_id=new_id(),
            location_id=location_id,
            position=len(present) + 1,
            alt=alt,
            sha256=sha256,
            width=drawn.width,
            height=drawn.height,
            size_bytes=len(drawn.data),
            created_at=clock.now(),
        )
        await store.insert_photo(conn, actor.party_id, photo)
        await _note(conn, actor, location_id, {"photo_added": str(photo.photo_id)})
    return photo


async def change_photo(conn: Connection, actor: Actor, location_id: UUID, photo_id: UUID, given: PhotoChange) -> Photo:
    """Raises NotFound."""
    photo = await queries.get_photo(conn, actor.party_id, location_id, photo_id)
    if given.alt is not None:
        await store.describe_photo(conn, actor.party_id, photo_id, given.alt)
    if given.position is not None and given.position != photo.position:
        order = [one.photo_id for one in await queries.list_photos(conn, actor.party_id, location_id)]
        order.remove(photo_id)
        order.insert(given.position - 1, photo_id)
        await store.order_photos(conn, actor.party_id, order)
    await store.touch_location(conn, actor.party_id, location_id, None)
    await _note(conn, actor, location_id, {"photo_changed": str(photo_id)})
    return await queries.get_photo(conn, actor.party_id, location_id, photo_id)


async def delete_photo(pool: Pool, storage: Storage, actor: Actor, location_id: UUID, photo_id: UUID) -> None:
    """Its bytes go too, once nobody has the same; in transactions of its own. Raises NotFound."""
    async with pool.acquire() as conn, conn.transaction():
        photo = await queries.get_photo(conn, actor.party_id, location_id, photo_id)
        await store.delete_photo(conn, actor.party_id, photo_id)
        left = await queries.list_photos(conn, actor.party_id, location_id)
        await store.order_photos(conn, actor.party_id, [one.photo_id for one in left])
        await store.touch_location(conn, actor.party_id, location_id, None)
        await _note(conn, actor, location_id, {"photo_deleted": str(photo_id)})
    await drop_contents(pool, storage, [photo.sha256])


async def drop_contents(pool: Pool, storage: Storage, sha256s: Sequence[str]) -> None:
    """After the commit: photos that nobody has any more leave the file store."""
    async with pool.acquire() as conn:
        for sha256 in await files.unreferenced(conn, sha256s):
            await storage.drop(sha256)


async def _note(conn: Connection, actor: Actor, location_id: UUID, detail: dict[str, Any]) -> None:
    subject = f"location/{location_id}"
    await accounts.audit(conn, actor, "location.changed", subject, detail)
    payload = {"location_id": location_id, "by": actor.actor_id, **detail}
    await record(conn, [Event(kind="LocationChanged", subject=subject, party_id=actor.party_id, payload=payload)])


async def list_stickers(
    conn: Connection, party_id: UUID, location_id: UUID | None, wanted: StickerFilter, public_url: str
) -> list[Sticker]:
    """One for each EVSE that is wanted. Raises NotFound when there is none, Invalid for more than a file should have."""
    if location_id is not None:
        await stations.get_location(conn, party_id, location_id)
    found = await queries.list_sticker_rows(conn, party_id, location_id, wanted.station, MOST_STICKERS + 1)
    if len(found) > MOST_STICKERS:
        raise Invalid(f"more than {MOST_STICKERS} stickers: choose a location, or stations", "station")
    if not found:
        raise NotFound("no EVSE of an accepted station fits: there is nothing to print")
    return [
        Sticker(
            evse_id=evse_id(row["station_id"], row["evse_number"]),
            url=address(public_url, row["station_id"], row["evse_number"]),
            place=row["place"],
            help_phone=wanted.phone or row["help_phone"],
        )
        for row in found
    ]
