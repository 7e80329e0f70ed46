"""Outbox consumer: what happened, as messages to those whom it concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.payments.model import TOO_SMALL
from ohmstead.core.db import Connection, Row
from ohmstead.core.events import Event
from ohmstead.core.language import N_
from ohmstead.notifications import queries, service, store
from ohmstead.notifications.model import Attachment, Order, Recipient
from ohmstead.notifications.moments import NOTHING_CAME, UNEXPECTED, is_unexpected
from ohmstead.sessions.pricing import service as prices

# Tokens that somebody carries and can lose; the app's and guests' cannot.
CARDS: Final = frozenset({"ISO14443", "ISO15693", "KeyCode"})
_LEAST_S: Final = 60


class Known(Struct, frozen=True, kw_only=True):
    """What was read for all events of a party at once."""

    party_id: UUID
    sessions: Mapping[UUID, Row]
    guests: Mapping[str, Row]
    companies: Mapping[str, Row]
    plans: Mapping[UUID, str]
    first_here: set[UUID]
    priced: set[UUID]


async def notice(conn: Connection, found: list[Event]) -> None:
    """Messages for what happened, into the queue in the transaction of the cursor. Nothing is told twice, whatever comes
    again: a message's key is made of what it tells of.
    """
    by_party: dict[UUID, list[Event]] = defaultdict(list)
    for event in found:
        if event.party_id is not None and event.kind in _TELLERS:
            by_party[event.party_id].append(event)
    for party_id in sorted(by_party):
        events = by_party[party_id]
        known = await _read(conn, party_id, events)
        orders = [order for event in events for order in _TELLERS[event.kind](event, known)]
        await service.queue_all(conn, party_id, orders)
        await _tell_operators(conn, party_id, events)


async def _read(conn: Connection, party_id: UUID, events: Sequence[Event]) -> Known:
    settled = [event for event in events if event.kind == "SessionSettled"]
    if settled:
        # Whoever settles may be faster than whoever keeps the tariff: what has one waits for its price.
        await prices.note_start(conn, settled)
    ids = sorted({UUID(str(found)) for event in events if (found := event.payload.get("session_id"))})
    started = [UUID(event.payload["session_id"]) for event in events if event.kind == "SessionStarted"]
    plans = sorted({UUID(str(found)) for event in events if (found := event.payload.get("plan_id"))})
    customers = {str(event.payload.get("customer") or "") for event in events}
    sessions = await queries.list_sessions(conn, party_id, ids) if ids else {}
    # Only drivers have cards that they can be told of.
    shown = [
        one
        for one in started
        if (row := sessions.get(one)) and row["driver_id"] is not None and row["token_type"] in CARDS
    ]
    return Known(
        party_id=party_id,
        sessions=sessions,
        guests=await queries.list_guests(conn, party_id, _ids(customers, "payment"), ids),
        companies=await queries.list_companies(conn, party_id, _ids(customers, "company")),
        plans=await queries.list_plans(conn, party_id, plans) if plans else {},
        first_here=await queries.is_first_here(conn, party_id, shown) if shown else set(),
        priced=await queries.list_priced(conn, party_id, ids) if settled else set(),
    )


# ----------------------------------------------------------------------------------------------------------- sessions


def told_of(row: Row, total: dict[str, Any] | None = None) -> dict[str, Any]:
    """What messages say of a session."""
    plug = row["station"]
    if row["evse_number"] is not None and row["n_evses"] > 1:
        plug = f"{plug} · {row['evse_number']}"
    end = row["ended_at"]
    return {
        "location": row["location"] or row["station"],
        "station": row["station"],
        "plug": plug,
        "energy": row["energy_wh"],
        "total": total,
        "soc": row["soc_percent"],
        "started_at": row["started_at"],
        "ended_at": end,
        "duration": int(((end or row["last_event_at"]) - row["started_at"]).total_seconds() // 60),
        "link": f"session:{row['session_id']}",
    }


def recipient_of(row: Row, guests: Mapping[str, Row]) -> Recipient | None:
    """Whose session it is: a driver's, or a guest's who left an address."""
    if row["driver_id"] is not None:
        return Recipient(driver_id=row["driver_id"])
    guest = guests.get(f"session:{row['session_id']}")
    return Recipient(email=guest["email"], language=guest["language"]) if guest is not None else None


def _of_session(
    event: Event,
    known: Known,
    kind: str,
    extra: Mapping[str, Any] | None = None,
    key: str = "",
    since: datetime | None = None,
) -> list[Order]:
    """`since`: when it happened, where news of it grow old."""
    row = known.sessions.get(UUID(str(event.payload["session_id"])))
    to = recipient_of(row, known.guests) if row is not None else None
    if row is None or to is None or row["is_orphan"]:
        return []
    data = {**told_of(row), **(extra or {})}
    key = key or str(row["session_id"])
    return [Order(kind=kind, to=to, data=data, key=key, time_zone=row["time_zone"], since=since)]


def _started(event: Event, known: Known) -> list[Order]:
    session_id = UUID(event.payload["session_id"])
    row = known.sessions.get(session_id)
    # A station that was offline tells of it when it is back.
    orders = _of_session(event, known, "charging_started", since=row["started_at"] if row is not None else None)
    if row is not None and row["token_type"] in CARDS and session_id in known.first_here:
        card = row["token_label"] or f"…{row['token_uid'][-4:]}"
        extra = {"card": card, "at": row["started_at"], "block_link": "/drive/me/cards"}
        orders += _of_session(event, known, "card_used", extra)
    return orders


def _ended(event: Event, known: Known) -> list[Order]:
    row = known.sessions.get(UUID(event.payload["session_id"]))
    if row is None or not is_unexpected(row["stop_reason"]):
        return []
    return _of_session(event, known, "stopped_early", {"reason": UNEXPECTED[row["stop_reason"]]}, since=row["ended_at"])


def _settled(event: Event, known: Known) -> list[Order]:
    """What has no price is told now; what has one, with it (`CdrCreated`)."""
    session_id = UUID(event.payload["session_id"])
    row = known.sessions.get(session_id)
    if row is None or row["status"] != "completed" or is_unexpected(row["stop_reason"]):
        return []
    if row["energy_wh"] <= 0:
        took_s = ((row["ended_at"] or row["last_event_at"]) - row["started_at"]).total_seconds()
        return (
            _of_session(event, known, "stopped_early", {"reason": NOTHING_CAME}, since=event.at)
            if took_s >= _LEAST_S
            else []
        )
    return [] if session_id in known.priced else _of_session(event, known, "charging_complete")


def _billed(event: Event, known: Known) -> list[Order]:
    row = known.sessions.get(UUID(event.payload["session_id"]))
    if row is None or event.payload.get("replaces_id") is not None or is_unexpected(row["stop_reason"]):
        return []
    if row["energy_wh"] <= 0:
        return []
    return _of_session(event, known, "charging_complete", {"total": _money(event, "total")})


def _cover(kind: str) -> Callable[[Event, Known], list[Order]]:
    def tell(event: Event, known: Known) -> list[Order]:
        is_drivers_own = event.payload.get("whose") == "driver"
        extra = {"limit": _money(event, "limit"), "total": _money(event, "total")}
        key = f"{event.payload['session_id']}:{kind}:{event.payload.get('limit')}"
        return _of_session(event, known, "price_limit" if is_drivers_own else kind, extra, key, event.at)

    return tell


# -------------------------------------------------------------------------------------------------------------- money


def _of_customer(
    event: Event,
    known: Known,
    kind: str,
    data: dict[str, Any],
    key: str,
    attachments: tuple[Attachment, ...] = (),
) -> list[Order]:
    customer = str(event.payload.get("customer") or "")
    session_id = event.payload.get("session_id")
    row = known.sessions.get(UUID(str(session_id))) if session_id else None
    what, _, value = customer.partition(":")
    to: Recipient | None = None
    if what == "driver":
        to = Recipient(driver_id=UUID(value))
    elif what == "payment" and (guest := known.guests.get(customer)) is not None:
        to = Recipient(email=guest["email"], language=guest["language"])
    elif what == "company" and (company := known.companies.get(customer)) is not None:
        to = Recipient(email=company["email"])
    elif row is not None:
        to = recipient_of(row, known.guests)
    if to is None:
        return []
    around: dict[str, Any] = {}
    if row is not None:
        around = told_of(row)
        around.pop("total")
    zone = row["time_zone"] if row is not None else None
    return [Order(kind=kind, to=to, data={**around, **data}, key=key, attachments=attachments, time_zone=zone)]


def _payment(kind: str) -> Callable[[Event, Known], list[Order]]:
    def tell(event: Event, known: Known) -> list[Order]:
        payload = event.payload
        if kind == "payment_captured" and payload.get("purpose") in ("top_up", "debt"):
            return []  # the wallet tells of it with what it holds; the debt, with what it means
        if kind == "payment_failed" and payload.get("reason") == TOO_SMALL:
            return []  # nobody is held for it
        payment_id, session_id = payload["payment_id"], payload.get("session_id")
        link = f"session:{session_id}" if session_id else f"payment:{payment_id}"
        if payload.get("purpose") in ("top_up", "plan_fee", "invoice"):
            link = "/drive/me/money"
        data = {"amount": _money(event, "amount"), "reason": REASONS.get(str(payload.get("reason"))), "link": link}
        # A payment is given back in parts.
        part = f":{event.event_id}" if kind == "payment_refunded" else ""
        return _of_customer(event, known, kind, data, f"{payment_id}{part}")

    return tell


def _debt(kind: str) -> Callable[[Event, Known], list[Order]]:
    def tell(event: Event, known: Known) -> list[Order]:
        payload = event.payload
        if kind == "debt_opened" and payload.get("reason") == TOO_SMALL:
            return []
        session_id = payload.get("session_id")
        is_guests = str(payload.get("customer")).startswith("payment:") and session_id
        link = f"session:{session_id}" if is_guests else "/drive/me/money"
        data = {"amount": _money(event, "amount"), "link": link}
        return _of_customer(event, known, kind, data, str(payload["debt_id"]))

    return tell


# What providers say, in words for those who pay. Anything else is for operators.
REASONS: Final = {
    "declined": N_("it was declined"),
    "insufficient_funds": N_("there is not enough on the account"),
    "expired_card": N_("the card has expired"),
    "authentication_failed": N_("it was not confirmed"),
    "hold_expired": N_("what was held has expired"),
    "over_hold": N_("it came to more than was held"),
    "disputed": N_("it was disputed at the bank"),
}


def _topped_up(event: Event, known: Known) -> list[Order]:
    data = {"amount": _money(event, "amount"), "link": "/drive/me/money"}
    return _of_customer(_as_customer(event), known, "wallet_topped_up", data, str(event.payload["payment_id"]))


def _wallet_low(event: Event, known: Known) -> list[Order]:
    """Told once until it is topped up; so each fact is one of its own."""
    data = {"balance": _money(event, "available"), "link": "/drive/me/money"}
    key = f"{event.payload['driver_id']}:{event.event_id}"
    return _of_customer(_as_customer(event), known, "wallet_low", data, key)


def _plan(kind: str) -> Callable[[Event, Known], list[Order]]:
    def tell(event: Event, known: Known) -> list[Order]:
        plan = known.plans.get(UUID(str(event.payload["plan_id"])), "")
        data = {"plan": plan, "day": event.at, "link": "/drive/me/money"}
        return _of_customer(_as_customer(event), known, kind, data, str(event.payload["subscription_id"]))

    return tell


def _invoice(event: Event, known: Known) -> list[Order]:
    payload = event.payload
    kind = {"receipt": "receipt_issued", "credit_note": "credit_issued"}.get(payload["kind"], "invoice_issued")
    invoice_id = UUID(str(payload["invoice_id"]))
    data = {
        "number": payload["number"],
        "amount": _money(event, "total"),
        "day": event.at,
        "link": f"invoice:{invoice_id}",
    }
    attached = (Attachment(type="invoice", id=invoice_id),)
    return _of_customer(event, known, kind, data, str(invoice_id), attached)


def _reminder(event: Event, known: Known) -> list[Order]:
    payload = event.payload
    kind = "invoice_reminder" if payload["stage"] == 1 else "invoice_reminder_again"
    invoice_id = UUID(str(payload["invoice_id"]))
    data = {
        "number": payload["number"],
        "amount": _money(event, "open"),
        "day": payload["due_on"],
        "link": f"invoice:{invoice_id}",
    }
    attached = (Attachment(type="invoice", id=invoice_id),)
    key = f"{invoice_id}:{payload['stage']}"
    return _of_customer(event, known, "invoice_reminder_final" if payload["is_final"] else kind, data, key, attached)


# ---------------------------------------------------------------------------------------------------------- operators


async def _tell_operators(conn: Connection, party_id: UUID, events: Sequence[Event]) -> None:
    """Disputes and differences, to those who asked to be told."""
    disputed = [event for event in events if event.kind == "PaymentDisputed"]
    differing = [event for event in events if event.kind == "PaymentDifferenceFound"]
    if not disputed and not differing:
        return
    orders = []
    for operator_id in await store.list_asking_operators(conn, party_id, "operator_difference"):
        for event in differing:
            data: dict[str, Any] = {"count": str(event.payload["n_new"]), "link": "/exceptions/differences"}
            to, key = Recipient(operator_id=operator_id), f"{event.event_id}:{operator_id}"
            orders.append(Order(kind="operator_difference", to=to, data=data, key=key))
    for operator_id in await store.list_asking_operators(conn, party_id, "operator_dispute"):
        for event in disputed:
            payment_id = event.payload.get("payment_id")
            data = {
                "amount": _money(event, "amount"),
                "reason": event.payload.get("reason"),
                "link": f"/payments/{payment_id}",
            }
            key = f"{payment_id}:{event.event_id}:{operator_id}"
            to = Recipient(operator_id=operator_id)
            orders.append(Order(kind="operator_dispute", to=to, data=data, key=key))
    await service.queue_all(conn, party_id, orders)


def _nothing(_event: Event, _known: Known) -> list[Order]:
    return []


_TELLERS: Final[dict[str, Callable[[Event, Known], list[Order]]]] = {
    "SessionStarted": _started,
    "SessionEnded": _ended,
    "SessionSettled": _settled,
    "CdrCreated": _billed,
    "CoverEnding": _cover("cover_ending"),
    "CoverRanOut": _cover("cover_ran_out"),
    "PaymentHeld": _payment("payment_held"),
    "PaymentCaptured": _payment("payment_captured"),
    "PaymentFailed": _payment("payment_failed"),
    "PaymentRefunded": _payment("payment_refunded"),
    "PaymentDisputed": _nothing,
    "PaymentDifferenceFound": _nothing,
    "DebtOpened": _debt("debt_opened"),
    "DebtSettled": _debt("debt_settled"),
    "WalletToppedUp": _topped_up,
    "WalletLow": _wallet_low,
    "PlanStarted": _plan("plan_started"),
    "PlanEnded": _plan("plan_ended"),
    "InvoiceIssued": _invoice,
    "InvoiceReminded": _reminder,
}
KINDS: Final = tuple(_TELLERS)


# ----------------------------------------------------------------------------------------------------------- plumbing


def _money(event: Event, name: str) -> dict[str, Any] | None:
    amount, currency = event.payload.get(name), event.payload.get("currency")
    if amount is None or currency is None:
        return None
    return {"amount": str(amount), "currency": currency}


def _as_customer(event: Event) -> Event:
    """Wallets and plans name their driver."""
    if event.payload.get("customer") or not event.payload.get("driver_id"):
        return event
    payload = {**event.payload, "customer": f"driver:{event.payload['driver_id']}"}
    return Event(event.kind, event.subject, payload, event.party_id, event.event_id, event.at)


def _ids(customers: set[str], what: str) -> list[UUID]:
    return sorted(UUID(one.partition(":")[2]) for one in customers if one.startswith(f"{what}:"))
