"""Settled sessions become CDRs, once; CDRs are credited; people decide about the rest. The edge opens the transaction.

Whatever is billed for a party is billed by one transaction at a time: it holds the end of the party's ledger.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.billing.cdrs import concessions, queries, store
from ohmstead.billing.cdrs.concessions import Uses
from ohmstead.billing.cdrs.judging import Doubt, doubt_of, is_absurd
from ohmstead.billing.cdrs.model import (
    Cdr,
    CdrCredit,
    CreditOrder,
    DecidedSession,
    ReduceOrder,
    UnbillableDecision,
    UnbillableSession,
)
from ohmstead.billing.cdrs.reckoning import postings_of
from ohmstead.billing.cdrs.store import Listed, Reduction, Surroundings
from ohmstead.billing.holding import service as holding
from ohmstead.billing.ledger import service as ledger
from ohmstead.billing.ledger.entries import Entry, Posting, reversed_postings
from ohmstead.billing.paying import covers
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Conflict, Invalid, NotFound, Refused
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.language import N_
from ohmstead.core.money import Money
from ohmstead.core.texts import checked
from ohmstead.sessions.pricing import service as prices
from ohmstead.sessions.pricing.service import Reckoned, TariffCosts
from ohmstead.sessions.signed import service as signed
from ohmstead.tariffs.pricing import reduced

SYSTEM = "system"
LATE_NEWS = N_("late news of the session changed it")

reduced_as_before = concessions.reduced_as_before

# What is taken off is written down here, by whoever holds the books.
_COSTS = TariffCosts(PlanPayers(is_granting=False))


class Plan(Struct):
    """What is to be written for a party: gathered for many sessions, written at once."""

    cdrs: list[Cdr] = []
    listed: list[tuple[UUID, Doubt]] = []
    cleared: list[UUID] = []


async def notice_settled(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `SessionSettled`: what is to be billed is, what was billed otherwise is corrected."""
    by_party: dict[UUID, list[UUID]] = defaultdict(list)
    for event in found:
        if event.party_id is not None:
            by_party[event.party_id].append(UUID(event.payload["session_id"]))
    for party_id in sorted(by_party):
        await bill(conn, party_id, by_party[party_id])


async def notice_erased(conn: Connection, found: Sequence[Event]) -> None:
    """Outbox consumer of `DriverErased`: CDRs keep the pseudonym only."""
    by_party: dict[UUID, list[UUID]] = defaultdict(list)
    for event in found:
        if event.party_id is not None:
            by_party[event.party_id].append(UUID(event.payload["driver_id"]))
    for party_id in sorted(by_party):
        await ledger.hold(conn, party_id)
        await store.rename_tokens(conn, party_id, by_party[party_id])


async def bill(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> list[Cdr]:
    """Bill sessions of a party that are settled, by themselves. May run any number of times; returns what is new.

    What a CDR says already is not said again; what it says otherwise than the session now, is credited and made anew. A
    session that gives reason to doubt goes on the list, and stays there once a person decided that nothing is due.
    """
    await ledger.hold(conn, party_id)
    wanted = sorted(set(session_ids))
    await covers.cover_sessions(conn, wanted)
    reckoned = await prices.reckon(conn, _COSTS, wanted)
    around = await store.find_surroundings(conn, party_id, wanted)
    reckoned, uses = await concessions.granted(conn, party_id, reckoned, around)
    reckoned = await concessions.reduced_as_before(conn, party_id, reckoned)
    latest = await store.list_latest(conn, party_id, wanted)
    listed = await store.list_unbillable(conn, party_id, wanted)
    unproved = await signed.doubts_of(conn, wanted)
    plan = Plan(cdrs=[], listed=[], cleared=[])
    for one in reckoned:
        session_id = one.session.session_id
        if session_id in around:
            why = unproved.get(session_id)
            _plan_one(plan, one, around[session_id], latest.get(session_id), listed.get(session_id), why)
    await _write(conn, party_id, plan, SYSTEM, uses)
    return plan.cdrs


def _plan_one(
    plan: Plan,
    one: Reckoned,
    around: Surroundings,
    last: Cdr | None,
    listed: Listed | None,
    unproved: str | None,
) -> None:
    session_id = one.session.session_id
    doubt = doubt_of(
        one.session, is_test=around.is_test, has_tariff=one.kept is not None, cost=one.cost, signed=unproved
    )
    decision = listed.decision if listed is not None else None
    if doubt is not None and decision == "bill" and one.cost is not None and not is_absurd(one.cost):
        doubt = None
    standing = last if last is not None and last.credited_by is None else None
    if decision == "never" and standing is None:
        return
    if doubt is not None:
        if standing is not None:
            plan.cdrs.append(_credit(standing, LATE_NEWS, SYSTEM))
        plan.listed.append((session_id, doubt))
        return
    fresh = _charge(one, around, version=last.version + 1 if last is not None else 1, by=SYSTEM)
    if standing is not None:
        if standing.says_the_same_as(fresh):
            return
        plan.cdrs.append(_credit(standing, LATE_NEWS, SYSTEM))
        # After the credit, in every order there is.
        fresh = replace(fresh, cdr_id=new_id(), created_at=clock.now(), replaces_id=standing.cdr_id, reason=LATE_NEWS)
    plan.cdrs.append(fresh)
    plan.cleared.append(session_id)


async def credit(conn: Connection, actor: Actor, cdr_id: UUID, given: CreditOrder) -> CdrCredit:
    """Take a CDR back and, if wanted, bill its session anew as it is now. Without that, its session goes on the list of
    unbillable ones, decided: it is not billed again by itself.

    Raises NotFound, Refused for a credit and where no new price can be told, Conflict when it was credited already.
    """
    reason = _why(given.reason, "reason")
    cdr = await _standing(conn, actor.party_id, cdr_id)
    made = _credit(cdr, reason, actor.actor_id)
    replacement, uses = None, Uses()
    if given.bill_again:
        fresh, uses = await _forced(conn, actor, cdr.session_id, cdr.version + 1)
        replacement = replace(fresh, replaces_id=cdr.cdr_id, reason=reason)
    plan = Plan(cdrs=[made, *([replacement] if replacement else [])])
    if replacement is None:
        plan.listed = [(cdr.session_id, Doubt("credited", N_("it was credited")))]
    await _write(conn, actor.party_id, plan, actor.actor_id, uses)
    if replacement is None:
        now = clock.now()
        await store.decide(conn, actor.party_id, cdr.session_id, "never", reason, now, actor.actor_id)
        await store.end_reductions(conn, actor.party_id, cdr.session_id, now)
    detail: dict[str, object] = {"reason": reason, "credit": str(made.cdr_id)}
    if replacement is not None:
        detail["replacement"] = str(replacement.cdr_id)
    await accounts.audit(conn, actor, "cdr.credited", f"cdr/{cdr_id}", detail)
    return CdrCredit(credit=made, replacement=replacement)


async def _standing(conn: Connection, party_id: UUID, cdr_id: UUID) -> Cdr:
    """A charge that counts; it does until the transaction ends. Raises NotFound, Refused, Conflict."""
    await ledger.hold(conn, party_id)
    cdr = await queries.get_cdr(conn, party_id, cdr_id)
    if cdr.kind == "credit":
        raise Refused("a credit is not credited: bill the session anew")
    if cdr.credited_by is not None:
        raise Conflict("it was credited already", code="credited")
    return cdr


async def reduce(conn: Connection, actor: Actor, cdr_id: UUID, given: ReduceOrder) -> CdrCredit:
    """Take an amount off what a session was billed: its CDR is credited, and one that comes to exactly so much less is made
    instead. It stays off when the session is billed anew. All of it: it is credited, and not billed any more.

    Raises NotFound, Invalid, Refused for a credit and where nothing is due, Conflict when it was credited already.
    """
    reason = _why(given.reason, "reason")
    cdr = await _standing(conn, actor.party_id, cdr_id)
    if cdr.total <= 0:
        raise Refused("nothing is due for it")
    if given.currency is not None and given.currency != cdr.currency:
        raise Invalid(f"was billed in {cdr.currency}", field="currency")
    amount = cdr.total if given.amount is None else _checked(given.amount, cdr)
    if amount == cdr.total:
        return await credit(conn, actor, cdr_id, CreditOrder(reason=reason))
    made = _credit(cdr, reason, actor.actor_id)
    cost = reduced(cdr.cost, amount, concessions.reduced_rule(reason))
    now = clock.now()
    replacement = replace(
        cdr,
        cdr_id=new_id(),
        version=cdr.version + 1,
        replaces_id=cdr_id,
        cost=cost,
        before_taxes=cost.before_taxes,
        total=cost.total,
        reason=reason,
        created_at=now,
        created_by=actor.actor_id,
    )
    # What it took of a plan's energy stays taken.
    await _write(conn, actor.party_id, Plan(cdrs=[made, replacement]), actor.actor_id, None)
    reduction = Reduction(
        cdr_id=replacement.cdr_id,
        reduces_id=cdr_id,
        session_id=cdr.session_id,
        currency=cdr.currency,
        amount=amount,
        reason=reason,
        created_at=now,
        created_by=actor.actor_id,
    )
    await store.insert_reduction(conn, actor.party_id, reduction)
    detail: dict[str, object] = {"reason": reason, "amount": _plain(amount), "currency": cdr.currency}
    detail |= {"credit": str(made.cdr_id), "replacement": str(replacement.cdr_id)}
    await accounts.audit(conn, actor, "cdr.reduced", f"cdr/{cdr_id}", detail)
    return CdrCredit(credit=made, replacement=replacement)


def _checked(amount: Decimal, cdr: Cdr) -> Decimal:
    """What can be taken off a CDR. Raises Invalid."""
    if not amount.is_finite() or amount <= 0:
        raise Invalid("is to be more than nothing", field="amount")
    if amount > cdr.total:
        raise Invalid(f"at most {cdr.total} {cdr.currency} were billed", field="amount")
    if Money(amount, cdr.currency).rounded().amount != amount:
        raise Invalid(f"is not exact in {cdr.currency}", field="amount")
    return amount


async def decide(conn: Connection, actor: Actor, session_id: UUID, given: UnbillableDecision) -> DecidedSession:
    """What shall become of an unbillable session: billed after all, or never.

    Raises NotFound, Conflict when it was billed meanwhile, and Refused where there is no tariff to bill it by.
    """
    note = _why(given.note, "note")
    await ledger.hold(conn, actor.party_id)
    before = await queries.get_unbillable(conn, actor.party_id, session_id)
    last = (await store.list_latest(conn, actor.party_id, [session_id])).get(session_id)
    if last is not None and last.credited_by is None:
        raise Conflict("it is billed: credit its CDR", code="billed")
    cdr = None
    if given.tariff_id is not None:
        await _give_tariff(conn, actor, before, given)
    if given.decision == "bill":
        version = last.version + 1 if last is not None else 1
        cdr, uses = await _forced(conn, actor, session_id, version)
        if last is not None:
            cdr = replace(cdr, replaces_id=last.cdr_id)
        cdr = replace(cdr, reason=note)
        await _write(conn, actor.party_id, Plan(cdrs=[cdr]), actor.actor_id, uses)
    await store.decide(conn, actor.party_id, session_id, given.decision, note, clock.now(), actor.actor_id)
    detail: dict[str, object] = {"reason": before.reason, "note": note}
    if given.tariff_id is not None:
        detail["tariff_id"] = str(given.tariff_id)
    await accounts.audit(
        conn,
        actor,
        "session.billing_decided",
        f"session/{session_id}",
        detail,
        before={"decision": before.decision},
        after={"decision": given.decision},
    )
    return DecidedSession(session=await queries.get_unbillable(conn, actor.party_id, session_id), cdr=cdr)


async def _give_tariff(conn: Connection, actor: Actor, session: UnbillableSession, given: UnbillableDecision) -> None:
    """The session keeps a tariff that it did not begin with: only where it keeps none.

    Its newest version counts, since none applied when the session began. Raises NotFound, Conflict, Invalid.
    """
    assert given.tariff_id is not None
    if given.decision != "bill":
        raise Invalid("a tariff is for a session that is billed", field="tariff_id")
    if session.reason != "no_tariff":
        raise Conflict("the session has a tariff: it keeps the one that it began with", code="has_tariff")
    await prices.give_tariff(conn, actor.party_id, session.session_id, given.tariff_id)


async def catch_up(conn: Connection, party_id: UUID, after: UUID | None, limit: int) -> tuple[UUID | None, int]:
    """Bill a party's settled sessions that are neither billed nor listed, in order of their ids, a piece at a time.

    Returns the last one that was looked at, to go on after, and how many were; None when there are no more.
    """
    found = await store.list_unbilled(conn, party_id, after, limit)
    if found:
        await bill(conn, party_id, found)
    return (found[-1] if len(found) == limit else None), len(found)


async def _forced(conn: Connection, actor: Actor, session_id: UUID, version: int) -> tuple[Cdr, Uses]:
    """A new charge of a session whatever there is to doubt about it, and what it takes of a plan's energy. Raises Refused
    where it has no price.
    """
    await covers.cover_sessions(conn, [session_id])
    found = await store.find_surroundings(conn, actor.party_id, [session_id])
    reckoned = await prices.reckon(conn, _COSTS, [session_id])
    around = found.get(session_id)
    if around is None or not reckoned:
        raise NotFound(f"no settled session {session_id}")
    reckoned, uses = await concessions.granted(conn, actor.party_id, reckoned, found)
    (one,) = await concessions.reduced_as_before(conn, actor.party_id, reckoned)
    if one.kept is None or one.cost is None:
        raise Refused("no tariff gives a price for this session")
    if one.session.ended_at is None or is_absurd(one.cost):
        raise Refused("its price cannot be true")
    return _charge(one, around, version=version, by=actor.actor_id), uses


def _charge(one: Reckoned, around: Surroundings, *, version: int, by: str) -> Cdr:
    session, kept, cost = one.session, one.kept, one.cost
    assert kept is not None
    assert cost is not None
    assert session.ended_at is not None
    return Cdr(
        cdr_id=new_id(),
        party_id=session.party_id,
        kind="charge",
        session_id=session.session_id,
        version=version,
        credits_id=None,
        replaces_id=None,
        location_id=session.location_id,
        station_id=session.station_id,
        token=around.token,
        customer=around.customer,
        started_at=session.started_at,
        ended_at=session.ended_at,
        energy_wh=session.energy_wh,
        currency=cost.currency,
        before_taxes=cost.before_taxes,
        total=cost.total,
        tariff_id=kept.tariff_id,
        tariff_version=kept.version,
        place=around.place,
        cost=cost,
        periods=one.periods,
        charging_s=session.charging_s or 0,
        idle_s=session.idle_s or 0,
        peak_power_w=session.peak_power_w,
        reason="",
        created_at=clock.now(),
        created_by=by,
    )


def _credit(cdr: Cdr, reason: str, by: str) -> Cdr:
    return replace(
        cdr,
        cdr_id=new_id(),
        kind="credit",
        credits_id=cdr.cdr_id,
        replaces_id=None,
        before_taxes=-cdr.before_taxes,
        total=-cdr.total,
        reason=reason,
        created_at=clock.now(),
        created_by=by,
    )


async def _write(conn: Connection, party_id: UUID, plan: Plan, by: str, uses: Uses | None) -> None:
    """CDRs with their entries in the books and their facts, and what is on the list. `uses`: None, nothing changes in them."""
    if uses is not None:
        await concessions.keep(conn, party_id, plan.cdrs, uses)
    if plan.listed:
        # What is not billed holds nothing of anybody's money.
        await holding.let_go(conn, party_id, [session_id for session_id, _ in plan.listed])
        rows = [(session_id, doubt.reason, doubt.detail) for session_id, doubt in plan.listed]
        await store.put_on_list(conn, party_id, rows, clock.now())
    if plan.cleared:
        await store.take_off_list(conn, party_id, plan.cleared)
    if not plan.cdrs:
        return
    credited = [cdr.credits_id for cdr in plan.cdrs if cdr.credits_id is not None]
    before = await ledger.find_postings(conn, party_id, credited) if credited else {}
    time_zone = await ledger.hold(conn, party_id)
    entries = [_entry(cdr, before, time_zone) for cdr in plan.cdrs]
    await store.insert_cdrs(conn, party_id, plan.cdrs, await ledger.days_of(conn, party_id, entries))
    await ledger.post_all(conn, party_id, by, [entry for entry in entries if entry.postings])
    await record(conn, [fact_of(cdr) for cdr in plan.cdrs])


def _entry(cdr: Cdr, before: Mapping[UUID, tuple[date, tuple[Posting, ...]]], time_zone: str) -> Entry:
    """A charge belongs to the day on which its session ended, a credit to the day on which its charge was booked."""
    wanted_on = ledger.day_of(cdr.ended_at, time_zone)
    if cdr.credits_id is None:
        postings = postings_of(cdr)
    else:
        wanted_on, booked = before.get(cdr.credits_id, (wanted_on, ()))
        postings = reversed_postings(booked)
    return Entry(
        key=f"cdr:{cdr.session_id}:{cdr.version}:{cdr.kind}",
        kind="cdr" if cdr.kind == "charge" else "cdr_credit",
        text=f"Session {cdr.session_id}",
        wanted_on=wanted_on,
        postings=postings,
        cdr_id=cdr.cdr_id,
    )


def fact_of(cdr: Cdr) -> Event:
    """What the outbox is told of it."""
    payload = {
        "cdr_id": str(cdr.cdr_id),
        "session_id": str(cdr.session_id),
        "station_id": cdr.station_id,
        "version": cdr.version,
        "currency": cdr.currency,
        "before_taxes": _plain(cdr.before_taxes),
        "total": _plain(cdr.total),
        "by": cdr.created_by,
    }
    if cdr.credits_id is not None:
        payload |= {"credits_id": str(cdr.credits_id), "reason": cdr.reason}
    else:
        payload |= {"replaces_id": str(cdr.replaces_id) if cdr.replaces_id else None}
    kind = "CdrCreated" if cdr.kind == "charge" else "CdrCredited"
    return Event(kind, f"cdr/{cdr.cdr_id}", payload, party_id=cdr.party_id)


def _plain(amount: Decimal) -> str:
    return format(amount, "f")


def _why(text: str, field: str) -> str:
    if not (said := checked(text, field, has_lines=True)):
        raise Invalid("say why", field=field)
    return said
