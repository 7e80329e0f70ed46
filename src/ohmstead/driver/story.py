"""The story of one charge as its driver reads it: what is known of it, by payment, remote start or session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.cdrs import queries as cdrs
from ohmstead.billing.invoices import queries as invoices
from ohmstead.billing.paying import service as paying
from ohmstead.billing.paying.payers import PlanPayers
from ohmstead.billing.payments import queries as payments
from ohmstead.billing.payments.model import Payment
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import Invalid, NotFound
from ohmstead.core.language import N_, _
from ohmstead.driver import curves, starting, words
from ohmstead.driver.curves import Curve
from ohmstead.driver.finding import zone_of
from ohmstead.drivers.passes import Pass
from ohmstead.notifications import estimating
from ohmstead.reports.driving import queries
from ohmstead.reports.driving.model import Charge, Sample, StartOrder
from ohmstead.reports.plugs import queries as plugs
from ohmstead.sessions.covers import service as covers
from ohmstead.sessions.covers.judging import NoticeKind, Whose
from ohmstead.sessions.pricing import queries as running
from ohmstead.sessions.pricing import service as pricing
from ohmstead.sessions.pricing.service import TariffCosts
from ohmstead.tariffs import queries as tariffs
from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.pricing import CostBreakdown
from ohmstead.ui import figures, prices, pricetags
from ohmstead.ui.pricetags import money
from ohmstead.ui.states import Look

Phase: TypeAlias = Literal["paying", "plug_in", "charging", "ended", "failed"]
# How long a start may take to become a session: as sessions.starts has it, and the station's message on its way.
BEGINS_WITHIN = timedelta(minutes=6)
# A session that nobody bills is over for its page after so long.
BILLED_WITHIN = timedelta(minutes=5)
# A receipt that is not there by then is not waited for.
RECEIPT_WITHIN = timedelta(minutes=1)
SILENT_AFTER = timedelta(minutes=10)
_COSTS = TariffCosts(PlanPayers())

CHARGING = Look("working", "working", N_("Charging"))
WAITING = Look("working", "hand", N_("Waiting"))
PAUSED = Look("attention", "hand", N_("Paused"))
DONE = Look("ok", "ok", N_("Done"))
FAILED = Look("failed", "failed", N_("Not started"))


class CostRow(Struct, frozen=True, kw_only=True):
    """A line of a price: what it is for, how much of it, what it comes to."""

    what: str
    detail: str
    amount: str


class Story(Struct, kw_only=True):
    """One charge. `hold`: what is held of a guest's card; `cost`: so far, or in the end."""

    phase: Phase
    party_id: UUID
    station_id: str
    evse_number: int | None
    plug: str
    place: str
    location_id: UUID | None
    time_zone: str
    help_phone: str
    title: str
    look: Look
    about: str = ""
    charge: Charge | None = None
    curve: Curve | None = None
    cost: str = ""
    cost_note: str = ""
    is_cost_final: bool = False
    rows: list[CostRow] = []
    taxes: list[CostRow] = []
    hold: str = ""
    failure: str = ""
    try_again: str = ""
    is_payable: bool = False
    is_plugged: bool = False
    invoice_id: UUID | None = None
    credit_note_id: UUID | None = None
    money_back: str = ""
    ends_soon: str = ""
    idle: str = ""
    heard_at: datetime | None = None
    is_silent: bool = False
    is_over: bool = False

    @property
    def soc(self) -> int | None:
        """The battery, in percent."""
        told = self.charge.soc_percent if self.charge is not None else None
        return None if told is None else max(0, min(100, round(told)))


async def find(conn: Connection, held: Pass) -> Story | None:
    """What a pass opens; None where there is no such thing (any more)."""
    if held.what == "session":
        charge = await queries.find_charge(conn, held.id)
        return await of_charge(conn, charge) if charge is not None else None
    if held.what == "command":
        order = await queries.find_start(conn, held.id)
        return await _of_start(conn, order) if order is not None else None
    payment = await _payment(conn, held.id)
    return await _of_payment(conn, payment) if payment is not None else None


async def _payment(conn: Connection, payment_id: UUID) -> Payment | None:
    party_id = await queries.find_party_of_payment(conn, payment_id)
    return await payments.get_payment(conn, party_id, payment_id) if party_id is not None else None


async def session_id_of(conn: Connection, held: Pass) -> UUID | None:
    """The session behind a pass, as far as there is one."""
    if held.what == "session":
        return held.id
    if held.what == "command":
        order = await queries.find_start(conn, held.id)
        return await _session_of_start(conn, order) if order is not None else None
    payment = await _payment(conn, held.id)
    return await _session_of_payment(conn, payment) if payment is not None else None


async def _session_of_start(conn: Connection, order: StartOrder) -> UUID | None:
    if order.session_id is not None or order.token_uid is None:
        return order.session_id
    # A driver's token begins more than one charge: what came of a later start is not what this pass opens.
    within = order.requested_at - timedelta(seconds=5), order.requested_at + BEGINS_WITHIN
    return await queries.find_session_of_token(conn, order.station_id, order.token_uid, within)


async def _of_start(conn: Connection, order: StartOrder) -> Story | None:
    session_id = await _session_of_start(conn, order)
    if session_id is not None:
        charge = await queries.find_charge(conn, session_id)
        if charge is not None:
            return await of_charge(conn, charge)
    story = await waiting(conn, order.party_id, order.station_id, order.evse_number)
    if story is None:
        return None
    if order.status in starting.REFUSALS and order.status != "timed_out":
        return failed(story, _(starting.REFUSALS[order.status]))
    if clock.now() - order.requested_at > BEGINS_WITHIN:
        return failed(story, _("No car was plugged in, so the station gave up. Nothing is due."))
    return story


# --------------------------------------------------------------------------------------------------- a guest's payment

# What became of a payment, in words: the provider's, and ours.
_FAILURES = {
    "not_paid": N_("It was not paid in time. Nothing was started, nothing is taken."),
    "no_session": N_("No car was plugged in in time. What was held is let go; nothing is taken."),
    "start_refused": N_("The station said no. What was held is let go; nothing is taken."),
    "station_offline": N_("The station could not be reached. What was held is let go; nothing is taken."),
    "no_answer": N_("The payment provider did not answer. Nothing is taken."),
    "hold_expired": N_("The hold on your card ended before charging did."),
    "authentication_required": N_("Your bank did not confirm it. Nothing is taken."),
    "insufficient_funds": N_("Your bank says that the card does not cover it. Nothing is taken; try another card."),
}


async def _session_of_payment(conn: Connection, payment: Payment) -> UUID | None:
    if payment.session_id is not None or payment.token_uid is None or payment.station_id is None:
        return payment.session_id
    return await queries.find_session_of_token(conn, payment.station_id, payment.token_uid)


async def _of_payment(conn: Connection, payment: Payment) -> Story | None:
    hold = money(payment.amount, payment.currency)
    session_id = await _session_of_payment(conn, payment)
    charge = await queries.find_charge(conn, session_id) if session_id is not None else None
    if charge is not None:
        story = await of_charge(conn, charge)
        story.hold = hold
        if story.phase == "ended":
            _settled(story, payment)
        return story
    if payment.station_id is None:
        return None
    found = await waiting(conn, payment.party_id, payment.station_id, payment.evse_number)
    if found is None:
        return None
    found.hold = hold
    if payment.state in ("created", "authorizing"):
        found.phase, found.title, found.look = "paying", _("Waiting for your payment"), WAITING
        found.about = _("As soon as it is confirmed, the station begins.")
        found.is_payable = True
        return found
    if payment.state in ("failed", "releasing", "released"):
        why = _FAILURES.get(payment.failure or "", N_("The payment was declined. Nothing is taken; try another card."))
        if payment.failure is None and payment.state != "failed":
            why = N_("Nothing was charged. What was held is let go.")
        return failed(found, _(why))
    return found


def _settled(story: Story, payment: Payment) -> None:
    """What is taken of the hold, and what is let go."""
    if payment.state == "captured":
        rest = payment.amount - payment.captured
        taken = money(payment.captured, payment.currency)
        if rest > 0:
            story.money_back = _(
                "%(taken)s is taken; %(rest)s of the hold is let go.", taken=taken, rest=money(rest, payment.currency)
            )
        else:
            story.money_back = _("%(taken)s is taken.", taken=taken)
    elif payment.state in ("releasing", "released"):
        story.money_back = _("Nothing is taken; all of the %(hold)s is let go.", hold=story.hold)
        story.is_over = True
    elif payment.state == "failed":
        story.failure = _("The payment did not go through. You will hear from us.")
    else:
        story.money_back = _("The rest of the %(hold)s is let go in a moment.", hold=story.hold)
        story.is_over = False


async def waiting(conn: Connection, party_id: UUID, station_id: str, evse_number: int | None) -> Story | None:
    """Before there is a session: the station waits for the car."""
    plug = await plugs.find_plug(conn, station_id, evse_number or 1)
    if plug is None or plug.party_id != party_id:
        return None
    kinds = words.kinds(one.standard for one in plug.connectors)
    label = plug.reference or str(plug.evse_number)
    is_plugged = any(words.look(one.state) is words.PLUGGED for one in plug.connectors)
    return Story(
        phase="plug_in",
        party_id=party_id,
        station_id=station_id,
        evse_number=plug.evse_number,
        plug=_plug_words(label, kinds),
        place=", ".join(part for part in (plug.location_name, plug.city) if part),
        location_id=plug.location_id if plug.access == "public" else None,
        time_zone=plug.time_zone,
        help_phone=plug.help_phone,
        is_plugged=is_plugged,
        title=_("It begins in a moment") if is_plugged else _("Plug in now"),
        look=WAITING,
        about=_("Your car is plugged in. The station talks to it, which can take half a minute.")
        if is_plugged
        else _("Put the plug into your car. Charging begins by itself."),
    )


def failed(story: Story, why: str) -> Story:
    """It came to nothing."""
    story.phase, story.look, story.title = "failed", FAILED, _("It did not start")
    story.about, story.failure, story.is_over = "", why, True
    story.try_again = f"/drive/c/{story.station_id}/{story.evse_number or 1}"
    return story


# ------------------------------------------------------------------------------------------------------- a session


async def of_charge(conn: Connection, charge: Charge) -> Story:
    """A session, going on or over."""
    samples = await queries.list_samples(conn, charge.party_id, charge.session_id)
    story = Story(
        phase="charging" if charge.is_open else "ended",
        party_id=charge.party_id,
        station_id=charge.station_id,
        evse_number=charge.evse_number,
        plug=_plug_words(charge.plug, words.kinds([charge.standard])),
        place=", ".join(part for part in (charge.location_name, charge.city) if part),
        location_id=charge.location_id,
        time_zone=charge.time_zone,
        help_phone=charge.help_phone,
        title="",
        look=_look(charge),
        charge=charge,
        curve=curves.draw(samples, charge.started_at, charge.ended_at or charge.last_event_at),
        heard_at=charge.updated_at,
        is_silent=charge.is_open and (not charge.is_online or clock.now() - charge.updated_at > SILENT_AFTER),
    )
    if charge.is_open:
        await _go_on(conn, story, charge, samples)
    else:
        await _end(conn, story, charge)
    return story


async def _go_on(conn: Connection, story: Story, charge: Charge, samples: Sequence[Sample]) -> None:
    found = (await running.running_costs(conn, charge.party_id, [charge.session_id])).get(charge.session_id)
    if found is None:
        cost = await _cost_of(conn, charge)
        story.cost = money(cost.total, cost.currency) if cost is not None else ""
    else:
        story.cost = money(found.rounded().amount, found.currency)
    story.ends_soon = await _ends_soon(conn, charge)
    story.idle = await _idle_words(conn, charge)
    estimate = _estimate(charge) if charge.charging_state == "charging" else ""
    story.title = estimate or _going_on(charge)
    if charge.charging_state == "suspended_ev":
        story.about = _("Your car takes no power at the moment: it may be full, or wait for its own schedule.")
    elif charge.charging_state == "suspended_evse":
        story.about = _("The station gives no power at the moment, and goes on by itself.")


async def _idle_words(conn: Connection, charge: Charge) -> str:
    """What staying costs, before it does."""
    cover = await paying.cover_of_session(conn, charge.party_id, charge.session_id)
    tariff = await running.find_tariff(conn, charge.party_id, charge.session_id)
    is_free = cover is not None and cover.kind == "free"
    fee = pricetags.idle_words(tariff) if tariff is not None and not is_free else ""
    return _("Staying plugged in, per minute: %(fee)s.", fee=fee) if fee else ""


_ENDS: dict[tuple[Whose, NoticeKind], str] = {
    ("cover", "ending"): N_("%(limit)s is covered, and nearly used: the charge ends there."),
    ("cover", "ran_out"): N_("The %(limit)s that is covered is used: the station ends the charge now."),
    ("driver", "ending"): N_("It nearly costs %(limit)s, your own limit: the charge ends there."),
    ("driver", "ran_out"): N_("It costs %(limit)s, your own limit: the station ends the charge now."),
}


async def _ends_soon(conn: Connection, charge: Charge) -> str:
    """That it ends by what it costs, once that is near."""
    cover = await paying.limit_of_session(conn, charge.party_id, charge.session_id)
    found = await covers.find_notice(conn, charge.party_id, charge.session_id, cover)
    if found is None:
        return ""
    return _(_ENDS[found.whose, found.kind], limit=money(found.limit.amount, found.limit.currency))


async def costs_now(conn: Connection, party_id: UUID, session_ids: Sequence[UUID]) -> dict[UUID, str]:
    """What running charges come to so far, as last reckoned."""
    found = await running.running_costs(conn, party_id, session_ids)
    return {known: money(one.rounded().amount, one.currency) for known, one in found.items()}


def _estimate(charge: Charge) -> str:
    """When it will be full, as far as that can be told."""
    found = estimating.time_to_full(
        estimating.Charge(
            at=charge.power_at or charge.last_event_at,
            soc_from_percent=charge.soc_start_percent,
            soc_percent=charge.soc_percent,
            energy_wh=charge.energy_wh,
            power_w=charge.power_w,
        )
    )
    if found is None or found.latest_at <= clock.now():
        return ""
    zone = zone_of(charge.time_zone)
    low, high = (figures.clock(at, zone, "minute") for at in (found.earliest_at, found.latest_at))
    return _("Full between %(low)s and %(high)s", low=low, high=high) if low != high else _("Full at %(at)s", at=low)


def _going_on(charge: Charge) -> str:
    if charge.charging_state == "suspended_ev":
        return _("The car takes no power")
    if charge.charging_state == "suspended_evse":
        return _("The station pauses")
    if charge.status == "pending" or charge.charging_state in ("connected", "idle"):
        return _("Plugged in, not charging yet")
    zone = zone_of(charge.time_zone)
    return _("Charging since %(time)s", time=figures.clock(charge.started_at, zone, "minute"))


async def _end(conn: Connection, story: Story, charge: Charge) -> None:
    story.title = _("Charged %(energy)s", energy=" ".join(figures.energy(charge.energy_wh)))
    story.about = await _why_over(conn, charge)
    cdr_id = await queries.find_cdr_id(conn, charge.session_id)
    note = await invoices.find_credit_note(conn, charge.party_id, charge.session_id)
    story.credit_note_id = note.invoice_id if note is not None else None
    ended_at = charge.ended_at or charge.last_event_at
    if cdr_id is not None:
        cdr = await cdrs.get_cdr(conn, charge.party_id, cdr_id)
        version = await tariffs.get_version(conn, charge.party_id, cdr.tariff_id, cdr.tariff_version)
        _explain(story, cdr.cost, version.tariff)
        receipt = await invoices.find_receipt(conn, charge.party_id, charge.session_id)
        story.invoice_id = receipt.invoice_id if receipt is not None else None
        is_late = clock.now() - cdr.created_at > RECEIPT_WITHIN
        story.is_cost_final = True
        story.is_over = receipt is not None or is_late or not await _gets_receipt(conn, charge, cdr.total)
        return
    cost = await _cost_of(conn, charge)
    if cost is not None:
        story.cost = money(cost.total, cost.currency)
        story.cost_note = (
            _("This is what it comes to; the receipt is made in a moment.")
            if cost.total
            else _("Nothing is due for this charge.")
        )
    if charge.settled_at is not None and clock.now() - ended_at > BILLED_WITHIN:
        story.is_over = True
        if not story.cost or not charge.energy_wh:
            story.cost, story.cost_note = "", _("Nothing is due for this charge.")


async def _gets_receipt(conn: Connection, charge: Charge, total: Decimal) -> bool:
    """Once it is paid; others are billed by the month, or not at all."""
    cover = await paying.cover_of_session(conn, charge.party_id, charge.session_id)
    return total > 0 and cover is not None and cover.kind in ("wallet", "card", "ad_hoc")


async def _cost_of(conn: Connection, charge: Charge) -> CostBreakdown | None:
    """As far as it goes, reckoned now; None where no price is known."""
    try:
        async with conn.transaction():
            return (await pricing.get_cost(conn, _COSTS, charge.party_id, charge.session_id)).cost
    except (NotFound, Invalid):
        return None


def _explain(story: Story, cost: CostBreakdown, tariff: Tariff) -> None:
    story.cost = money(cost.total, cost.currency)
    for line in cost.lines:
        each = money(line.unit_price, cost.currency, is_unit_price=True) if line.unit_price is not None else ""
        quantity, price = prices.quantity_of_line(line), prices.unit_price_of_line(line, cost.currency, each)
        detail = " × ".join(part for part in (quantity, price) if part)
        story.rows.append(
            CostRow(what=prices.rule_of_line(line, tariff), detail=detail, amount=money(line.amount, cost.currency))
        )
    for tax in cost.taxes:
        rate = figures.number(tax.percentage, 0 if tax.percentage == tax.percentage.to_integral_value() else 1)
        words_ = _("%(rate)s %% %(tax)s in it") if cost.includes_taxes else _("%(rate)s %% %(tax)s")
        story.taxes.append(
            CostRow(
                what=words_ % {"rate": rate, "tax": prices.tax_name(tax.name)},
                detail=_("on %(base)s", base=money(tax.base, cost.currency)),
                amount=money(tax.amount, cost.currency),
            )
        )


def _look(charge: Charge) -> Look:
    if not charge.is_open:
        return DONE
    if charge.charging_state in ("suspended_ev", "suspended_evse"):
        return PAUSED
    if charge.status == "pending" or charge.charging_state in ("connected", "idle"):
        return WAITING
    return CHARGING


# Why it ended, where that says something to the driver.
_STOPS = {
    "ev_disconnected": N_("The car was unplugged."),
    "local": N_("It was ended at the station."),
    "remote": N_("It was ended from here, or by the network."),
    "soc_limit_reached": N_("The battery has what was wanted."),
    "stopped_by_ev": N_("The car ended it."),
    "cost_limit_reached": N_("It ended at the amount that was covered."),
    "energy_limit_reached": N_("It ended at the energy that was wanted."),
    "time_limit_reached": N_("It ended at the time that was wanted."),
    "emergency_stop": N_("The emergency stop was pressed."),
    "power_loss": N_("The station lost its power."),
    "deauthorized": N_("The card was not accepted."),
    "ground_fault": N_("The station switched off for safety: a fault between car and station."),
    "overcurrent_fault": N_("The station switched off for safety: too much current."),
}


async def _why_over(conn: Connection, charge: Charge) -> str:
    reason = charge.stop_reason
    if reason == "remote" and (limit := await covers.find_end(conn, charge.party_id, charge.session_id)) is not None:
        if limit.whose == "driver":
            return _("It ended at your own limit of %(limit)s.", limit=money(limit.limit.amount, limit.limit.currency))
        reason = "cost_limit_reached"
    return _(_STOPS[reason]) if reason in _STOPS else ""


def _plug_words(label: str, kinds: Sequence[str]) -> str:
    if kinds:
        return _("Plug %(label)s, %(kind)s", label=label, kind=" / ".join(kinds))
    return _("Plug %(label)s", label=label)
