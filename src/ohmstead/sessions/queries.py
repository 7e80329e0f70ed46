"""Sessions and what belongs to them as pages and the API show them: reading only, one party at a time."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core.conditions import Conditions, like
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.sessions.model import ChargingPeriod, ChargingState, Reading, SessionEvent, Status
from ohmstead.sessions.signed.model import Verdict
from ohmstead.sessions.store import parse_reading


class SessionView(Struct, frozen=True, kw_only=True):
    """A charge as we keep it. Energies in Wh, powers in W, times by the station's clock."""

    session_id: UUID
    party_id: UUID
    station_id: str
    station_name: str
    location_id: UUID | None
    location_name: str | None
    evse_number: int | None
    connector_number: int | None
    transaction_id: Annotated[str, Meta(description="What the station calls it; unique per station only.")]
    ocpp_version: str
    status: Annotated[
        Status, Meta(description="pending: neither authorized nor charging yet; closing: its end is known.")
    ]
    charging_state: ChargingState | None
    token_uid: str | None
    token_type: str | None
    token_id: UUID | None
    token_label: str | None
    group_uid: str | None
    authorization_status: str | None
    is_offline: Annotated[bool, Meta(description="The station was offline when it began.")]
    is_orphan: Annotated[bool, Meta(description="Its start never reached us.")]
    reservation_id: int | None
    started_at: datetime
    ended_at: datetime | None
    updated_at: Annotated[datetime, Meta(description="When we last heard of it, by our clock.")]
    stop_reason: str | None
    energy_wh: Annotated[Decimal, Meta(description="Energy delivered so far, in Wh.")]
    energy_source: Annotated[
        Literal["none", "register", "interval", "power"], Meta(description="What the energy was read from.")
    ]
    register_start_wh: Decimal | None
    register_last_wh: Decimal | None
    power_w: Decimal | None
    power_at: datetime | None
    peak_power_w: Decimal | None
    soc_start_percent: Decimal | None
    soc_percent: Decimal | None
    soc_at: datetime | None
    n_samples: int
    charging_s: Annotated[int | None, Meta(description="Seconds in which energy flowed; known once settled.")]
    idle_s: Annotated[int | None, Meta(description="Seconds plugged in without energy; known once settled.")]
    anomalies: Annotated[list[str], Meta(description="What was odd about it, and was set right or left out.")]
    settled_at: Annotated[datetime | None, Meta(description="Since when nothing about it changes any more.")]
    cost: Annotated[
        Decimal | None,
        Meta(description="What it costs so far, with taxes, as reckoned some seconds ago; null: no price is known."),
    ] = None
    cost_currency: str | None = None


class SampleView(Struct, frozen=True, kw_only=True):
    """What the meter showed at one instant: the totals that people chart, and every reading."""

    sampled_at: datetime
    context: str
    energy_wh: Annotated[Decimal | None, Meta(description="The import register at the outlet, in Wh.")]
    power_w: Decimal | None
    soc_percent: Decimal | None
    readings: list[Reading]


class SignedReadingView(Struct, frozen=True, kw_only=True):
    """A meter's signed statement; the signed bytes themselves are downloaded by `digest`."""

    digest: Annotated[str, Meta(description="SHA-256 of the signed data, hexadecimal.")]
    sampled_at: datetime
    context: str
    measurand: str
    encoding: str | None
    signing_method: str | None
    public_key: str | None
    size_bytes: int
    format: Annotated[
        str | None, Meta(description="`OCMF`, or another that is kept and not checked; null: not settled.")
    ]
    verdict: Annotated[
        Verdict | None,
        Meta(description="Whether the signature is the meter's; null: looked at when the session settles."),
    ]
    why: Annotated[str, Meta(description="What is wrong, in words.")]
    reading_wh: Annotated[Decimal | None, Meta(description="The signed register, Wh.")]
    checked_with: Annotated[str | None, Meta(description="The public key it was checked with: DER, hexadecimal.")]


class SessionFilter(Struct, kw_only=True):
    """Which sessions. Periods are half open: started at or after `since`, before `until`."""

    station: Annotated[str, Meta(description="On this station.", max_length=48)] | None = None
    location: Annotated[UUID | None, Meta(description="At this location.")] = None
    token: Annotated[str, Meta(description="Of the token with this uid.", max_length=255)] | None = None
    driver: Annotated[UUID | None, Meta(description="Of this driver, with tokens while they held them.")] = None
    status: Annotated[list[Status] | None, Meta(description="Any of these.")] = None
    since: Annotated[datetime, Meta(description="Started at or after.", tz=True)] | None = None
    until: Annotated[datetime, Meta(description="Started before.", tz=True)] | None = None
    q: (
        Annotated[
            str,
            Meta(
                description="Found in stations, locations and cards, or begins a session, token or transaction id.",
                max_length=100,
            ),
        ]
        | None
    ) = None


_VIEW = """
select s.session_id, s.party_id, s.station_id, st.name as station_name, s.location_id, l.name as location_name,
       s.evse_number, s.connector_number, s.transaction_id, s.ocpp_version, s.status, s.charging_state, s.token_uid,
       s.token_type, s.token_id, t.label as token_label, s.group_uid, s.authorization_status, s.is_offline,
       s.is_orphan, s.reservation_id, s.started_at, s.ended_at, s.updated_at, s.stop_reason, s.energy_wh,
       s.energy_source, s.register_start_wh, s.register_last_wh, s.power_w, s.power_at, s.peak_power_w,
       s.soc_start_percent, s.soc_percent, s.soc_at, s.n_samples, s.charging_s, s.idle_s, s.anomalies, s.settled_at,
       k.total as cost, k.currency as cost_currency
from {source} s
join station st on st.station_id = s.station_id
left join location l on l.location_id = s.location_id
left join token t on t.token_id = s.token_id
left join session_cost k on k.session_id = s.session_id
"""
_SESSION = _VIEW.format(source="session")
# A page is cut out first: what is joined to it does not decide how sessions are looked for.
_PAGE = _VIEW.format(source="page")


async def list_sessions(
    conn: Connection,
    scope: Scope,
    wanted: SessionFilter,
    *,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[SessionView]:
    """Latest start first; `after` is (started_at, id) of the last one of the page before."""
    where = Conditions()
    where.add("s.party_id = {}", scope.party_id)
    where.add_given("s.location_id = any({})", scope.locations)
    where.add_given("s.station_id = {}", wanted.station)
    where.add_given("s.location_id = {}", wanted.location)
    if wanted.token:
        where.add("s.token_uid is not null and s.token_key = {}", wanted.token.lower())
    if wanted.driver:
        where.add(
            "s.session_id = any(array(select z.session_id from token_holding h join session z on z.party_id = h.party_id"
            " and z.token_key = h.uid_key and z.token_uid is not null and z.started_at >= h.from_at"
            " and (h.until_at is null or z.started_at < h.until_at) where h.party_id = {} and h.driver_id = {}))",
            scope.party_id,
            wanted.driver,
        )
    where.add_given("s.status = any({})", wanted.status)
    where.add_given("s.started_at >= {}", wanted.since)
    where.add_given("s.started_at < {}", wanted.until)
    if wanted.q:
        where.add(*await found_by(conn, scope, wanted.q))
    if after:
        # Two conditions, because the index runs down in time and up in ids.
        where.add("s.started_at <= {}", after[0])
        where.add("s.started_at < {} or s.session_id > {}", *after)
    rows = await conn.fetch(
        f"with page as (select * from session s where {where.sql} order by s.started_at desc, s.session_id"
        f" limit {where.parameter(limit)}) {_PAGE} order by s.started_at desc, s.session_id",
        *where.values,
    )
    return [SessionView(**row) for row in rows]


# Of the stations, locations and cards that a text is found in, so many are looked for in sessions.
MOST_NAMED = 5000
_LAST_CHARACTER = chr(0x10FFFF)


async def keys_named(conn: Connection, scope: Scope, text: str) -> dict[str, list[str]]:
    """Keys of the stations, locations and tokens (of these in lower case) in whose name a text is found."""
    named = await conn.fetch(
        "(select 'station' as kind, station_id as key from station where party_id = $1"
        "   and ($2::uuid[] is null or location_id = any ($2)) and concat_ws(' ', station_id, name) ilike $3 limit $4)"
        " union all (select 'location', location_id::text from location where party_id = $1"
        "   and ($2::uuid[] is null or location_id = any ($2)) and name ilike $3 limit $4)"
        " union all (select 'token', uid_key from token where party_id = $1 and (uid_key like $5 or label ilike $3)"
        "   limit $4)",
        scope.party_id,
        scope.locations,
        like(text),
        MOST_NAMED,
        like(text.lower()),
    )
    return {kind: [row["key"] for row in named if row["kind"] == kind] for kind in ("station", "location", "token")}


async def found_by(conn: Connection, scope: Scope, text: str) -> tuple[str, *tuple[Any, ...]]:
    """A condition, with its values, for the sessions (s) that a text finds: what `Conditions.add` takes.

    Sessions are too many to look into each: what people search by (station, location, card) is looked up first, by any
    part of its name, and sessions then by keys that have an index. Ids of sessions, transactions and tokens, which are
    nowhere else, are found by how they begin.
    """
    keys = await keys_named(conn, scope, text)
    small = text.lower()
    pieces = [
        "s.transaction_id ~>=~ {} and s.transaction_id ~<~ {}",
        "s.token_uid is not null and s.token_key >= {} and s.token_key < {}",
    ]
    values: list[Any] = [text, text + _LAST_CHARACTER, small, small + _LAST_CHARACTER]
    if scope.locations is not None:
        # Of some locations there are few enough; and a station that was there may be elsewhere by now.
        pieces.append("s.station_id ilike {}")
        values.append(like(text))
    for kind, piece in (
        ("station", "s.station_id = any({}::text[])"),
        ("location", "s.location_id = any({}::uuid[])"),
        ("token", "s.token_uid is not null and s.token_key = any({}::text[])"),
    ):
        if keys[kind]:
            pieces.append(piece)
            values.append(keys[kind])
    if bounds := id_bounds(text):
        pieces.append("s.session_id between {} and {}")
        values += bounds
    return " or ".join(f"({piece})" for piece in pieces), *values


def id_bounds(text: str) -> tuple[UUID, UUID] | None:
    """The least and the greatest id that begins with a text; None for what begins no id."""
    digits = text.replace("-", "").lower()
    if not 0 < len(digits) <= 32 or any(digit not in "0123456789abcdef" for digit in digits):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


async def find_session_view(conn: Connection, party_id: UUID, session_id: UUID) -> SessionView | None:
    row = await conn.fetchrow(f"{_SESSION} where s.party_id = $1 and s.session_id = $2", party_id, session_id)
    return SessionView(**row) if row else None


async def get_session_view(conn: Connection, party_id: UUID, session_id: UUID) -> SessionView:
    """Raises NotFound."""
    session = await find_session_view(conn, party_id, session_id)
    if session is None:
        raise NotFound(f"no session {session_id}")
    return session


async def list_open_sessions(conn: Connection, party_id: UUID, station_id: str) -> list[SessionView]:
    """A station's sessions that are not over, by EVSE."""
    rows = await conn.fetch(
        f"{_SESSION} where s.party_id = $1 and s.station_id = $2 and s.status in ('pending', 'active', 'closing')"
        " order by s.evse_number, s.started_at",
        party_id,
        station_id,
    )
    return [SessionView(**row) for row in rows]


async def list_sample_views(
    conn: Connection,
    party_id: UUID,
    session_id: UUID,
    *,
    after: tuple[datetime, str] | None = None,
    limit: int = 1000,
) -> list[SampleView]:
    """A session's samples in time order; `after` is (sampled_at, context) of the last one of the page before."""
    rows = await conn.fetch(
        "select m.sampled_at, m.context, m.energy_wh, m.power_w, m.soc_percent, m.readings"
        " from session s join sample m using (session_id) where s.party_id = $1 and s.session_id = $2"
        " and ($3::timestamptz is null or (m.sampled_at, m.context) > ($3, $4::text))"
        " order by m.sampled_at, m.context limit $5",
        party_id,
        session_id,
        *(after or (None, None)),
        limit,
    )
    return [
        SampleView(**{**row, "readings": [parse_reading(name, value) for name, value in row["readings"].items()]})
        for row in rows
    ]


async def list_session_events(conn: Connection, party_id: UUID, session_id: UUID) -> list[SessionEvent]:
    """What happened, in the station's time."""
    rows = await conn.fetch(
        "select e.at, e.kind, e.detail from session_event e join session s using (session_id)"
        " where s.party_id = $1 and e.session_id = $2 order by e.at, e.received_at",
        party_id,
        session_id,
    )
    return [SessionEvent(row["at"], row["kind"], row["detail"]) for row in rows]


async def list_charging_periods(conn: Connection, party_id: UUID, session_id: UUID) -> list[ChargingPeriod]:
    """The pieces of a settled session, in time order."""
    rows = await conn.fetch(
        "select p.started_at, p.ended_at, p.kind, p.energy_wh from charging_period p join session s using (session_id)"
        " where s.party_id = $1 and p.session_id = $2 order by p.started_at",
        party_id,
        session_id,
    )
    return [ChargingPeriod(**row) for row in rows]


async def list_signed_readings(conn: Connection, party_id: UUID, session_id: UUID) -> list[SignedReadingView]:
    """What the meter signed, in time order, without the signed bytes."""
    rows = await conn.fetch(
        "select encode(r.digest, 'hex') as digest, r.sampled_at, r.context, r.measurand, r.encoding, r.signing_method,"
        " r.public_key, octet_length(r.data) as size_bytes, r.format, r.verdict, r.why, r.reading_wh,"
        " r.key_used as checked_with from signed_reading r join session s using (session_id)"
        " where s.party_id = $1 and r.session_id = $2 order by r.sampled_at, r.digest",
        party_id,
        session_id,
    )
    return [SignedReadingView(**row) for row in rows]


async def get_signed_data(conn: Connection, party_id: UUID, session_id: UUID, digest: bytes) -> bytes:
    """The signed bytes as they arrived. Raises NotFound."""
    data: bytes | None = await conn.fetchval(
        "select r.data from signed_reading r join session s using (session_id)"
        " where s.party_id = $1 and r.session_id = $2 and r.digest = $3 limit 1",
        party_id,
        session_id,
        digest,
    )
    if data is None:
        raise NotFound(f"no signed reading {digest.hex()}")
    return data
