"""Duty: a station's variables as its templates want them. Read what it has, write what differs, remember what it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.portions import portions
from ohmstead.stations import service as stations
from ohmstead.stations.commands import Command, CommandDesk, GetVariables, Reset, SetVariables
from ohmstead.stations.device import drift, store
from ohmstead.stations.device.drift import Desired, Drift, Rule, Subject
from ohmstead.stations.device.duties import Done, unheard
from ohmstead.stations.device.tree import parts_of

BUSY_AGAIN_S = 60.0  # a station to be restarted that is in use
MOST_AT_ONCE = 50  # a station that never said how much it takes in one message
FRAME_BYTES = 150  # around its variables: brackets, a message id, the names of action and fields


async def reconcile(pool: Pool, desk: CommandDesk, station_id: str) -> Done:
    """The whole duty for one station."""
    async with pool.acquire() as conn:
        subject = await store.find_subject(conn, station_id)
        rules = await store.list_rules(conn, subject.party_id) if subject is not None else []
    if subject is None or subject.generation is None:
        return Done("nothing", "it takes no templates")
    wanted = drift.desired_for(rules, subject)
    if not wanted:
        return Done("nothing", "no template fits")
    read = await _read(pool, desk, subject, sorted(wanted))
    if isinstance(read, Done):
        return read
    found = await look(pool, subject, wanted)
    for part in await _parts(pool, subject, drift.to_set(found, clock.now())):
        command = await desk.send(
            SetVariables(values={one.name: one.desired for one in part}),
            party_id=subject.party_id,
            station_id=station_id,
            requested_by=f"template:{part[0].template_id}",
        )
        if (ended := unheard(command)) is not None and not _is_refused(command):
            return ended
        await _settle(pool, subject, wanted, part, command)
    found = await look(pool, subject, wanted)
    return await _conclude(pool, desk, subject, rules, found)


def _is_refused(command: Command) -> bool:
    """The station answered, or the order cannot be said to it at all: trying again in a moment changes nothing."""
    return command.status == "failed" and command.error_code not in ("connection_lost", "InternalError", "GenericError")


async def look(pool: Pool, subject: Subject, wanted: Mapping[str, Desired]) -> list[Drift]:
    """How far the station is from what is wanted, by what is known."""
    async with pool.acquire() as conn:
        return await found_drift(conn, subject, wanted)


async def found_drift(conn: Connection, subject: Subject, wanted: Mapping[str, Desired]) -> list[Drift]:
    """The same, in the caller's transaction."""
    generation = subject.generation or "2.x"
    known = await store.known_of(conn, subject.station_id, [parts_of(name, generation) for name in wanted])
    return drift.drift(wanted, known, await store.refusals_of(conn, subject.station_id), generation)


async def _read(pool: Pool, desk: CommandDesk, subject: Subject, names: Sequence[str]) -> Done | None:
    """Ask for the present values; a Done when the station cannot be asked."""
    for part in portions(names, MOST_AT_ONCE):
        command = await desk.send(
            GetVariables(names=tuple(part)),
            party_id=subject.party_id,
            station_id=subject.station_id,
            requested_by="system:templates",
        )
        # A station that knows none of the names, or has no such message, is one to be told nevertheless.
        if (ended := unheard(command)) is not None and not _is_refused(command):
            return ended
    return None


async def _parts(pool: Pool, subject: Subject, found: Sequence[Drift]) -> list[list[Drift]]:
    """What goes into one message each: variables of one template, so that it stands by the change who wanted it.

    An order that takes several messages ends with the first refusal; here each has an answer of its own.
    """
    async with pool.acquire() as conn:
        takes = (await stations.list_features(conn, {subject.station_id: subject.generation}))[subject.station_id]
    most = 1 if subject.generation == "1.6" else takes.most_items.get("set_variables") or MOST_AT_ONCE
    told = takes.most_bytes.get("set_variables")
    most_bytes = max(told - FRAME_BYTES, 1) if told else None
    by_template: dict[UUID, list[Drift]] = {}
    for one in found:
        by_template.setdefault(one.template_id, []).append(one)
    return [part for all_of in by_template.values() for part in portions(all_of, most, most_bytes, _size_of)]


def _size_of(one: Drift) -> int:
    """Bytes that a variable takes in a message, at most: the fields' names around what it says."""
    return 150 + len(one.name.encode()) + len(one.desired.encode())


async def _settle(
    pool: Pool, subject: Subject, wanted: Mapping[str, Desired], part: Sequence[Drift], command: Command
) -> None:
    """What the station took, and what it refused; both are written down."""
    now = clock.now()
    async with pool.acquire() as conn, conn.transaction():
        after = {d.name: d for d in await found_drift(conn, subject, {d.name: wanted[d.name] for d in part})}
        known = await store.known_of(
            conn, subject.station_id, [parts_of(d.name, subject.generation or "2.x") for d in part]
        )
        taken, refused = [], {}
        for one in part:
            value = known.get(parts_of(one.name, subject.generation or "2.x"))
            is_taken = after[one.name].state in ("same", "waits_for_restart") or (
                value is not None and drift.is_same(value.value, one.desired, value.data_type)
            )
            if is_taken:
                taken.append(one.name)
            else:
                refused[one.name] = _reason(command, one.name)
        await store.forget_refusals(conn, subject.station_id, taken)
        for name, reason in refused.items():
            tries = await store.note_refusal(
                conn, subject.station_id, name, wanted[name].value, reason, now, is_again=True
            )
            again_at = now + timedelta(seconds=drift.retry_after_s(tries))
            await store.retry_refusal_at(conn, subject.station_id, name, again_at)
        await accounts.audit(
            conn,
            access.system(subject.party_id),
            "station.configured",
            f"station/{subject.station_id}",
            {"template": part[0].template, "command_id": str(command.command_id), "set": taken, "refused": refused},
        )


def _reason(command: Command, name: str) -> str:
    """The station's word about one variable: the refusals of an order are written `name: word; name: word`."""
    text = command.error_text or command.error_code or command.status
    for said in text.split("; "):
        about, found, word = said.rpartition(": ")
        if found and about == name:
            return word
    return text


async def _conclude(
    pool: Pool, desk: CommandDesk, subject: Subject, rules: Sequence[Rule], found: Sequence[Drift]
) -> Done:
    """What is left, and when to look again."""
    now = clock.now()
    waiting = {d.template_id for d in found if d.state == "waits_for_restart"}
    if any(rule.resets_on_idle and rule.template_id in waiting for rule in rules):
        async with pool.acquire() as conn:
            is_idle = await store.is_idle(conn, subject.station_id)
        if not is_idle:
            return Done("waits_for_restart", "in use: it is restarted once nobody charges", BUSY_AGAIN_S)
        await desk.send(
            Reset(how="soft"),
            party_id=subject.party_id,
            station_id=subject.station_id,
            requested_by="system:templates",
        )
        return Done("restarted", "to bring accepted values into force")
    refused = [d for d in found if d.state == "refused"]
    if refused:
        next_at = min(d.retry_at for d in refused if d.retry_at is not None)
        text = "; ".join(f"{d.name}: {d.reason}" for d in refused)
        return Done("refused", text, max((next_at - now).total_seconds(), 1.0))
    if waiting:
        return Done("waits_for_restart", "some values are in force after a restart")
    odd = [d.name for d in found if d.state in ("unknown", "read_only", "differs")]
    return Done("incomplete", "not to be set here: " + ", ".join(odd)) if odd else Done("same")
