"""Telling people: messages into the queue, what they choose, their devices, watches and favourites. The edge opens the
transaction; sending is the worker's (`delivering`).
"""

from __future__ import annotations

import base64
import zoneinfo
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec import UNSET, Struct

from ohmstead.core import clock, metrics
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event
from ohmstead.core.ids import new_id
from ohmstead.core.language import ENGLISH, languages
from ohmstead.notifications import choosing, queries, store
from ohmstead.notifications.choosing import Planned, Quiet, Reach
from ohmstead.notifications.kinds import KINDS, Kind
from ohmstead.notifications.model import (
    Attachment,
    Channel,
    NewSubscription,
    Notification,
    Order,
    PlugWatch,
    Preferences,
    PreferencesChange,
    Recipient,
)
from ohmstead.notifications.store import NewRow
from ohmstead.notifications.vault import Vault

KEPT_FOR: Final = timedelta(days=90)
CODES_TO_FOR: Final = timedelta(days=1)
WATCHES_FOR: Final = timedelta(hours=2)
MOST_WATCHES: Final = 20
MOST_FOLLOWED: Final = 200
_DROPPED_AT_ONCE: Final = 5000


# ------------------------------------------------------------------------------------------------------------ telling


async def queue(
    conn: Connection,
    party_id: UUID,
    *,
    kind: str,
    to: Recipient,
    data: dict[str, Any],
    key: str,
    attachments: Sequence[Attachment] = (),
    time_zone: str | None = None,
) -> list[UUID]:
    """Put what becomes of one thing to tell into the queue: a message for each channel; the worker sends them.

    `key` names the thing: asked for again, nothing new comes of it. Values of `data` are those of kinds.VARIABLES, as JSON
    or as Money, datetime, Decimal. Returns the ids of new messages: none where the person does not want any, or was told.
    Raises Invalid for an unknown kind.
    """
    order = Order(kind=kind, to=to, data=data, key=key, attachments=tuple(attachments), time_zone=time_zone)
    return await queue_all(conn, party_id, [order])


async def queue_all(conn: Connection, party_id: UUID, orders: Sequence[Order]) -> list[UUID]:
    """The same for many at once."""
    if not orders:
        return []
    now = clock.now()
    party = await store.get_party(conn, party_id)
    drivers = await store.list_reach(conn, party_id, [one.to.driver_id for one in orders if one.to.driver_id])
    asked = [one.to.operator_id for one in orders if one.to.operator_id]
    operators = await store.list_operators(conn, party_id, asked) if asked else {}
    keys = [_key(one) for one in orders]
    # Not only the unique key, which counts channels one by one: whoever adds a channel is not told old things over it.
    told = await store.list_told(conn, party_id, keys)
    rows: list[NewRow] = []
    for order, key in zip(orders, keys, strict=True):
        if key in told:
            continue
        kind = _kind(order.kind)
        driver = drivers.get(order.to.driver_id) if order.to.driver_id else None
        operator = operators.get(order.to.operator_id) if order.to.operator_id else None
        reach = _reach(order, driver, operator, party)
        if reach is None:
            continue
        language = _language(order.to.language or (driver["language"] if driver else party["language"]))
        name = driver["name"] if driver else operator["name"] if operator else ""
        data = {"name": name, "network": party["name"], **_plain(order.data)}
        zone = order.time_zone or party["time_zone"]
        rows.extend(
            _row(party_id, order, key, planned, data, language, zone, now)
            for planned in choosing.choose(kind, reach, now, order.since)
        )
    made = await store.insert_notifications(conn, rows) if rows else []
    fresh = set(made)
    for row in rows:
        if row.notification_id in fresh:
            metrics.notifications_queued.labels(row.kind, row.channel).inc()
    return made


async def resend(conn: Connection, party_id: UUID, notification_id: UUID) -> Notification:
    """Send a message again that is over, the same to the same. Raises NotFound, and Refused while it is in the queue, and
    for codes: they are kept nowhere.
    """
    found = (await queries.get_notification(conn, party_id, notification_id)).notification
    kind = KINDS.get(found.kind)
    if kind is None or kind.secret:
        raise Refused("this message held a secret, and cannot be sent again")
    if found.reason == "erased":
        raise Refused("this driver was erased", code="erased")
    now = clock.now()
    if not await store.put_back(conn, party_id, notification_id, now, now + kind.useful_for):
        raise Refused("it is in the queue already")
    return (await queries.get_notification(conn, party_id, notification_id)).notification


async def forget_drivers(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `DriverErased`: nothing that was sent, or chosen, tells of them."""
    by_party: dict[UUID, list[UUID]] = defaultdict(list)
    for event in found:
        if event.party_id is not None:
            by_party[event.party_id].append(UUID(event.payload["driver_id"]))
    for party_id in sorted(by_party):
        await store.erase(conn, party_id, by_party[party_id])


async def forget_browsers(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `DriverChanged`: who has another address is signed out, and told nothing where they were in."""
    for event in found:
        if event.party_id is not None and "email" in event.payload.get("fields", ()):
            await store.delete_ended(conn, event.party_id, UUID(str(event.payload["driver_id"])))


async def forget_secrets(pool: Pool) -> None:
    """Codes that could not be sent, and are good no longer."""
    async with pool.acquire() as conn:
        for kind in KINDS.values():
            if kind.secret:
                await store.forget_secrets(conn, kind.name, kind.secret, clock.now())


async def drop_old(conn: Connection) -> int:
    """Forget messages of more than ninety days ago, and to whom codes went after a day: an address that may be nobody's
    driver is found by no erasure. Returns how many messages.
    """
    n, before = 0, clock.now() - KEPT_FOR
    while dropped := await store.drop_old(conn, before, _DROPPED_AT_ONCE):
        n += dropped
    await store.drop_watches(conn, before)
    secret = [kind.name for kind in KINDS.values() if kind.secret]
    await store.forget_addresses(conn, secret, before, clock.now() - CODES_TO_FOR)
    return n


# -------------------------------------------------------------------------------------------------------- preferences


async def get_preferences(conn: Connection, party_id: UUID, driver_id: UUID) -> Preferences:
    """Raises NotFound."""
    return await queries.get_preferences(conn, party_id, driver_id)


async def set_preferences(
    conn: Connection, party_id: UUID, driver_id: UUID, given: PreferencesChange, if_version: int | None = None
) -> Preferences:
    """What is left out stays. Raises NotFound, Invalid, and Conflict when not in the version `if_version`."""
    before = await queries.get_preferences(conn, party_id, driver_id)
    wanted = given.channels if isinstance(given.channels, dict) else {}
    if unknown := choosing.unknown_kinds(list(wanted)):
        raise Invalid(f"nobody chooses about {unknown[0][:60]}", field="channels")
    chosen = await queries.find_chosen(conn, party_id, driver_id)
    chosen |= {kind: list(dict.fromkeys(channels)) for kind, channels in wanted.items()}
    rest = {
        name: getattr(before, name) if (value := getattr(given, name)) is UNSET else value
        for name in ("quiet_from_minute", "quiet_until_minute", "time_zone")
    }
    if (rest["quiet_from_minute"] is None) != (rest["quiet_until_minute"] is None):
        raise Invalid("quiet hours have a beginning and an end", field="quiet_until_minute")
    if rest["time_zone"] is not None and rest["time_zone"] not in zoneinfo.available_timezones():
        raise Invalid("no such time zone", field="time_zone")
    now = clock.now()
    if not await store.put_preference(
        conn, party_id, driver_id, channels=chosen, if_version=if_version, now=now, **rest
    ):
        raise Conflict("it has changed since you read it: read it again", is_stale=True)
    return await queries.get_preferences(conn, party_id, driver_id)


async def turn_off(conn: Connection, party_id: UUID, driver_id: UUID, kind: str | None) -> list[str]:
    """No more mails of a kind, or (None) of any that can be turned off; other channels stay. Returns which kinds.

    Raises NotFound, and Refused for a kind that cannot be turned off.
    """
    if kind is not None and (kind not in KINDS or not KINDS[kind].is_optional):
        raise Refused("this message cannot be turned off")
    before = await queries.get_preferences(conn, party_id, driver_id)
    kinds = [kind] if kind is not None else sorted(before.channels)
    channels: dict[str, list[Channel]] = {
        name: [one for one in before.channels[name] if one != "email"] for name in kinds
    }
    await set_preferences(conn, party_id, driver_id, PreferencesChange(channels=channels))
    return kinds


async def set_operator_kinds(conn: Connection, party_id: UUID, operator_id: UUID, kinds: Sequence[str]) -> list[str]:
    """Of what an operator is told by e-mail. Raises Invalid for unknown ones."""
    for kind in kinds:
        if kind not in KINDS or KINDS[kind].theme != "operators":
            raise Invalid(f"operators are not told of {kind[:60]}", field="kinds")
    await store.put_operator(conn, party_id, operator_id, kinds, clock.now())
    return await queries.list_operator_kinds(conn, party_id, operator_id)


# ------------------------------------------------------------------------------------------------------------- devices


class PushKey(Struct, frozen=True):
    """The installation's VAPID key: the public one as browsers take it (base64url), the private one as PEM."""

    public: str
    private_pem: bytes


async def push_key(conn: Connection, secret: bytes) -> PushKey:
    """Made when it is asked for first. Raises ExternalFailure when it was sealed under another secret."""
    row = await store.find_push_key(conn)
    if row is None:
        key, key_id = ec.generate_private_key(ec.SECP256R1()), new_id()
        public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        text = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
        await store.insert_push_key(conn, key_id, text, Vault(secret).seal(pem, key_id), clock.now())
        row = await store.find_push_key(conn)
        assert row is not None
    return PushKey(row["public_key"], Vault(secret).open(row["sealed"], row["push_key_id"]))


async def vapid_public_key(conn: Connection, secret: bytes) -> str:
    """What `PushManager.subscribe` takes as `applicationServerKey`, in base64url."""
    return (await push_key(conn, secret)).public


async def subscribe_push(
    conn: Connection, party_id: UUID, driver_id: UUID, given: NewSubscription, session_id: UUID | None = None
) -> UUID:
    """A browser takes push messages for a driver from now on; of more than ten the oldest is forgotten. `session_id`: how
    they are signed in there.

    Raises NotFound, and Invalid for keys that are none.
    """
    await queries.get_preferences(conn, party_id, driver_id)
    try:
        point, auth = _unbase64(given.p256dh), _unbase64(given.auth)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise Invalid("no key of a browser", field="p256dh") from None
    if len(auth) != 16:
        raise Invalid("not 16 bytes", field="auth")
    return await store.put_subscription(
        conn,
        party_id,
        driver_id,
        new_id(),
        given.endpoint,
        given.p256dh.rstrip("="),
        given.auth.rstrip("="),
        given.device,
        clock.now(),
        session_id,
    )


async def unsubscribe_push(conn: Connection, party_id: UUID, driver_id: UUID, endpoint: str) -> bool:
    """False when it was none."""
    return await store.delete_subscription(conn, party_id, driver_id, endpoint)


async def forget_ended_browsers(conn: Connection, party_id: UUID, driver_id: UUID) -> None:
    """The driver was signed out somewhere: a telephone that was lost is told nothing more."""
    await store.delete_ended(conn, party_id, driver_id)


# ------------------------------------------------------------------------------------------------- watches, favourites


async def watch_plug(
    conn: Connection,
    party_id: UUID,
    driver_id: UUID,
    *,
    location_id: UUID | None = None,
    station_id: str | None = None,
    evse_number: int | None = None,
    lasts: timedelta = WATCHES_FOR,
) -> PlugWatch:
    """Tell a driver, once, when a plug is free: of a location, a station, or one outlet of it.

    Raises NotFound, Invalid, and Refused when one is free now (code `free`) or they wait for too many.
    """
    if (location_id is None) == (station_id is None) or (evse_number is not None and station_id is None):
        raise Invalid("a location, or a station with or without an outlet", field="station_id")
    if not await queries.is_place(conn, party_id, location_id, station_id):
        raise NotFound(f"no location {location_id}" if location_id else f"no station {station_id}")
    await queries.get_preferences(conn, party_id, driver_id)
    free = await queries.list_free(
        conn, party_id, [location_id] if location_id else [], [station_id] if station_id else []
    )
    if any(evse_number is None or row["evse_number"] == evse_number for row in free):
        raise Refused("a plug is free now", code="free")
    now = clock.now()
    waiting = await queries.list_watches(conn, party_id, driver_id, now)
    if len(waiting) >= MOST_WATCHES:
        raise Refused("you wait for too many plugs already")
    watch_id = await store.insert_watch(
        conn, party_id, driver_id, new_id(), location_id, station_id, evse_number, now, now + lasts
    )
    found = await queries.list_watches(conn, party_id, driver_id, now)
    return next(one for one in found if one.watch_id == watch_id)


async def unwatch_plug(conn: Connection, party_id: UUID, driver_id: UUID, watch_id: UUID) -> bool:
    """False when there was no such watch."""
    return await store.delete_watch(conn, party_id, driver_id, watch_id)


async def follow_place(
    conn: Connection, party_id: UUID, driver_id: UUID, *, location_id: UUID | None = None, station_id: str | None = None
) -> None:
    """A favourite: its driver is told when it is out of service, and when it works again. Raises NotFound, Invalid,
    Refused when there are too many.
    """
    if (location_id is None) == (station_id is None):
        raise Invalid("a location or a station", field="station_id")
    if not await queries.is_place(conn, party_id, location_id, station_id):
        raise NotFound(f"no location {location_id}" if location_id else f"no station {station_id}")
    await queries.get_preferences(conn, party_id, driver_id)
    if len(await queries.list_followed(conn, party_id, driver_id)) >= MOST_FOLLOWED:
        raise Refused("you have too many favourites already")
    await store.put_follow(conn, party_id, driver_id, location_id, station_id, clock.now())


async def unfollow_place(
    conn: Connection, party_id: UUID, driver_id: UUID, *, location_id: UUID | None = None, station_id: str | None = None
) -> bool:
    """False when it was none."""
    return await store.delete_follow(conn, party_id, driver_id, location_id, station_id)


# ---------------------------------------------------------------------------------------------------------- plumbing


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise Invalid(f"no such message: {name[:60]}", field="kind")
    return KINDS[name]


def _key(order: Order) -> str:
    return f"{order.kind}:{order.key}"[:300]


def reach_of(driver: Row, zone: str) -> Reach:
    """How a driver can be reached, as `store.list_reach` gives them: by SMS once they confirmed their number."""
    quiet = None
    if driver["quiet_from_minute"] is not None and driver["quiet_from_minute"] != driver["quiet_until_minute"]:
        quiet = Quiet(driver["quiet_from_minute"], driver["quiet_until_minute"], _zone(driver["quiet_zone"] or zone))
    return Reach(
        email=driver["email"],
        phone=driver["phone"],
        devices=driver["devices"],
        chosen=driver["channels"] or {},
        quiet=quiet,
    )


def _reach(order: Order, driver: Row | None, operator: Row | None, party: Row) -> Reach | None:
    to = order.to
    if to.operator_id is not None:
        return Reach(email=operator["email"], is_written_to=True) if operator else None
    if to.driver_id is None:
        if to.email is None and to.phone is None:
            return None
        is_asked_for = _kind(order.kind).theme == "account"
        return Reach(email=to.email, phone=to.phone, is_guest=not is_asked_for, is_written_to=is_asked_for)
    if driver is None or driver["status"] == "erased":
        return None
    reach = reach_of(driver, order.time_zone or driver["time_zone"])
    if to.email is not None or to.phone is not None:
        return Reach(email=to.email, phone=to.phone, chosen=reach.chosen, quiet=reach.quiet, is_written_to=True)
    return reach


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _language(wanted: str | None) -> str:
    code = (wanted or ENGLISH).split("-")[0].lower()
    return code if code in languages() else ENGLISH


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(data)
    return plain


def _row(
    party_id: UUID,
    order: Order,
    key: str,
    planned: Planned,
    data: dict[str, Any],
    language: str,
    zone: str,
    now: datetime,
) -> NewRow:
    hidden = KINDS[order.kind].secret if planned.dropped else ()
    return NewRow(
        notification_id=new_id(),
        party_id=party_id,
        kind=order.kind,
        key=key,
        channel=planned.channel,
        target=planned.target,
        driver_id=order.to.driver_id,
        operator_id=order.to.operator_id,
        address=planned.address,
        language=language,
        time_zone=zone,
        data={name: value for name, value in data.items() if name not in hidden},
        attachments=order.attachments,
        status="dropped" if planned.dropped else "queued",
        reason=planned.dropped,
        next_at=planned.next_at,
        expires_at=planned.expires_at,
        created_at=now,
        finished_at=now if planned.dropped else None,
    )


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
