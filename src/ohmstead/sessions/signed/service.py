"""What meters signed: looked at when a session settles, with the key that is pinned to its EVSE. The edge opens the
transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.language import N_
from ohmstead.core.texts import checked
from ohmstead.sessions.model import Session
from ohmstead.sessions.signed import records, store
from ohmstead.sessions.signed.checking import prove
from ohmstead.sessions.signed.model import (
    Doubt,
    MeterKey,
    NewMeterKey,
    SignedPolicy,
    SignedReading,
    SignedSession,
)
from ohmstead.sessions.signed.records import Judged
from ohmstead.sessions.signed.store import Kept
from ohmstead.stations import queries as places
from ohmstead.stations import service as stations
from ohmstead.stations.model import Signal

SEEN_WITHIN = timedelta(days=90)
# As many as a key can be pinned to (model.NewMeterKey).
MOST_EVSES = 1000
FAILED = N_("its signed readings do not stand the check")
MISSING = N_("it has no verified signed readings, and its meter must sign")


async def check(conn: Connection, sessions: Sequence[Session]) -> dict[UUID, SignedSession]:
    """Look at what was signed in sessions that settle; keeps a verdict for each reading and each session.

    A key that comes with a reading, and signed one, is pinned where none is; one that differs from the pinned one is a
    security signal, and the pinned one goes on to count. Sessions without signed readings are left out.
    """
    kept = await store.list_kept(conn, [session.session_id for session in sessions])
    signing = [session for session in sessions if session.session_id in kept]
    if not signing:
        return {}
    keys = await _keys(conn, signing, kept)
    now = clock.now()
    looked_at: list[Kept] = []
    found: list[tuple[UUID, SignedSession]] = []
    failed: list[Event] = []
    for session in signing:
        judged = [_judge(row, _key_for(keys, session)) for row in kept[session.session_id]]
        looked_at += [_with(row, one) for row, one in zip(kept[session.session_id], judged, strict=True)]
        proof = prove(judged, session.energy_wh)
        one = SignedSession(
            session_id=session.session_id,
            verdict=proof.verdict,
            reasons=proof.reasons,
            n_readings=len(judged),
            energy_wh=proof.energy_wh,
            checked_at=now,
        )
        found.append((session.party_id, one))
        if proof.verdict == "failed":
            failed.append(_fact(session, one))
    await store.save_found(conn, looked_at)
    await store.save_sessions(conn, found)
    await record(conn, failed)
    return {one.session_id: one for _, one in found}


async def readings_of(conn: Connection, party_id: UUID, session_id: UUID) -> list[SignedReading]:
    """What the meter signed in a session, in order, byte for byte, with a verdict on each.

    Of a session that goes on, readings are looked at as they are asked for.
    """
    rows = await store.list_of_session(conn, party_id, session_id)
    if any(row.verdict is None for row in rows):
        outlet = await store.find_outlet(conn, party_id, session_id)
        pinned = await store.list_pinned(conn, [outlet[0]])
        own = pinned.get(outlet) or pinned.get((outlet[0], 0))
        rows = [row if row.verdict else _with(row, _judge(row, own.public_key if own else None)) for row in rows]
    return [_reading(row) for row in rows]


async def find_verdict(conn: Connection, party_id: UUID, session_id: UUID) -> SignedSession | None:
    """On a settled session; None where nothing was signed."""
    return await store.find_verdict(conn, party_id, session_id)


async def doubts_of(conn: Connection, session_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Sessions that are not billed by themselves for what their meter signed, or did not; why, in words."""
    wanted = await store.list_doubts(conn, session_ids)
    if not wanted:
        return {}
    verdicts = await store.list_sessions(conn, list(wanted))
    found = {}
    for session_id, (doubt, must_sign) in wanted.items():
        verdict = verdicts[session_id].verdict if session_id in verdicts else None
        if verdict == "failed":
            found[session_id] = FAILED
        elif doubt == "missing" and must_sign and verdict != "verified":
            found[session_id] = MISSING
    return found


# ------------------------------------------------------------------------------------------------------------ keys


async def register_key(conn: Connection, actor: Actor, station_id: str, given: NewMeterKey) -> MeterKey:
    """Pin a key by hand; the one that was pinned there before ends. Readings of the past keep the verdict they have.

    Raises NotFound for a station that is not the party's, Invalid for what is no key, Conflict where it is pinned already.
    """
    key = records.key_of(given.public_key)
    if key is None:
        raise Invalid("this is no public key of an elliptic curve", field="public_key")
    # First, so that nobody learns what is pinned at a station of somebody else's.
    await places.get_station_view(conn, actor.party_id, station_id)
    now = clock.now()
    pinned = (await store.list_pinned(conn, [station_id])).get((station_id, given.evse_number))
    if pinned is not None and (pinned.public_key, pinned.source) == (key, "registered"):
        raise Conflict("this key is pinned there already", code="pinned")
    before = await store.unpin(conn, actor.party_id, station_id, given.evse_number, now)
    made = MeterKey(
        meter_key_id=new_id(),
        station_id=station_id,
        evse_number=given.evse_number,
        public_key=key,
        curve=records.curve_of(key),
        serial=checked(given.serial, "serial"),
        source="registered",
        since_at=now,
        until_at=None,
        added_by=actor.actor_id,
    )
    if not await store.pin(conn, actor.party_id, made):
        raise NotFound(f"no station {station_id}")
    await accounts.audit(
        conn,
        actor,
        "meter_key.registered",
        f"station/{station_id}",
        {"evse_number": given.evse_number, "serial": made.serial},
        before={"public_key": before.public_key if before else None},
        after={"public_key": key},
    )
    return made


async def remove_key(conn: Connection, actor: Actor, station_id: str, evse_number: int) -> None:
    """Nothing is pinned there any more, until a key is, by hand or with the next reading that brings one.

    Raises NotFound where none is pinned.
    """
    is_number = 0 <= evse_number <= MOST_EVSES
    before = await store.unpin(conn, actor.party_id, station_id, evse_number, clock.now()) if is_number else None
    if before is None:
        raise NotFound(f"no key is pinned to EVSE {evse_number} of {station_id}")
    detail: dict[str, object] = {"evse_number": evse_number, "serial": before.serial}
    was: dict[str, object] = {"public_key": before.public_key}
    await accounts.audit(
        conn, actor, "meter_key.removed", f"station/{station_id}", detail, before=was, after={"public_key": None}
    )


async def list_seen(conn: Connection, party_id: UUID, station_id: str) -> dict[str, datetime]:
    """When a reading was last checked with which key, of the sessions of the last ninety days."""
    return await store.list_seen(conn, party_id, station_id, clock.now() - SEEN_WITHIN)


async def list_keys(conn: Connection, party_id: UUID, station_id: str) -> list[MeterKey]:
    """The keys of a station's meters, those that hold first."""
    return await store.list_keys(conn, party_id, station_id)


async def get_policy(conn: Connection, party_id: UUID) -> SignedPolicy:
    """Which sessions signatures keep from being billed by themselves."""
    return SignedPolicy(doubt=await store.find_doubt(conn, party_id))


async def set_policy(conn: Connection, actor: Actor, doubt: Doubt) -> SignedPolicy:
    """From now on; what is billed or listed stays so."""
    before = await store.find_doubt(conn, actor.party_id)
    await store.set_doubt(conn, actor.party_id, doubt)
    await accounts.audit(
        conn,
        actor,
        "signed_policy.changed",
        f"party/{actor.party_id}",
        before={"signed_doubt": before},
        after={"signed_doubt": doubt},
    )
    return SignedPolicy(doubt=doubt)


async def _keys(
    conn: Connection, sessions: Sequence[Session], kept: Mapping[UUID, Sequence[Kept]]
) -> dict[tuple[str, int], MeterKey]:
    """The pinned keys of the sessions' stations, after those that came with the readings had their chance."""
    station_ids = sorted({session.station_id for session in sessions})
    keys = await store.list_pinned(conn, station_ids)
    told = await store.list_told_keys(conn, station_ids)
    signals: list[Signal] = []
    for session in sessions:
        outlet = (session.station_id, session.evse_number or 0)
        came = [key for row in kept[session.session_id] if (key := _key_with(row)) is not None]
        said = told.get(outlet) or told.get((session.station_id, 0))
        for key in [*came, *([found] if not came and said and (found := records.key_of(said)) else [])]:
            pinned = keys.get(outlet) or keys.get((session.station_id, 0))
            if pinned is None and key in came and not _fits(kept[session.session_id], key):
                continue  # whoever sends noise with a key does not say whose readings count from then on
            if pinned is None:
                keys[outlet] = await _pin(conn, session, outlet[1], key)
            elif key != pinned.public_key:
                signals.append(_changed(session, pinned, key))
                break
    await stations.keep_signals(conn, signals)
    return keys


def _fits(rows: Sequence[Kept], key: str) -> bool:
    return any(records.judge(row.data, row.encoding, key).verdict == "verified" for row in rows)


async def _pin(conn: Connection, session: Session, evse_number: int, key: str) -> MeterKey:
    made = MeterKey(
        meter_key_id=new_id(),
        station_id=session.station_id,
        evse_number=evse_number,
        public_key=key,
        curve=records.curve_of(key),
        serial="",
        source="message",
        since_at=clock.now(),
        until_at=None,
        added_by="system",
    )
    if await store.pin(conn, session.party_id, made):
        return made
    return (await store.list_pinned(conn, [session.station_id])).get((session.station_id, evse_number), made)


def _changed(session: Session, pinned: MeterKey, key: str) -> Signal:
    return Signal(
        kind="meter_key_changed",
        at=clock.now(),
        party_id=session.party_id,
        station_id=session.station_id,
        detail={
            "session_id": str(session.session_id),
            "evse_number": session.evse_number,
            "pinned": pinned.public_key,
            "came": key,
        },
    )


def _key_for(keys: Mapping[tuple[str, int], MeterKey], session: Session) -> str | None:
    found = keys.get((session.station_id, session.evse_number or 0)) or keys.get((session.station_id, 0))
    return found.public_key if found else None


def _key_with(row: Kept) -> str | None:
    return records.key_of(row.public_key) or records.key_within(row.data)


def _judge(row: Kept, pinned: str | None) -> Judged:
    return records.judge(row.data, row.encoding, pinned or _key_with(row))


def _with(row: Kept, judged: Judged) -> Kept:
    last = judged.record.shown[-1] if judged.record is not None and judged.record.shown else None
    return replace(
        row,
        format=judged.format,
        verdict=judged.verdict,
        why=judged.why,
        reading_wh=last.register_wh if last else None,
        read_at=last.at if last else None,
        key_used=judged.key,
    )


def _reading(row: Kept) -> SignedReading:
    assert row.verdict is not None
    return SignedReading(
        signed_reading_id=row.digest.hex(),
        format=row.format or "unknown",
        raw=row.data,
        encoding=row.encoding,
        signing_method=row.signing_method,
        public_key=row.key_used or _key_with(row),
        verdict=row.verdict,
        why=row.why,
        reading_wh=row.reading_wh,
        at=row.read_at or row.sampled_at,
        context=row.context,
        measurand=row.measurand,
    )


def _fact(session: Session, one: SignedSession) -> Event:
    payload = {
        "session_id": str(session.session_id),
        "station_id": session.station_id,
        "evse_number": session.evse_number,
        "verdict": "failed",
        "reasons": one.reasons,
    }
    return Event("SignedReadingsFailed", f"session/{session.session_id}", payload, party_id=session.party_id)
