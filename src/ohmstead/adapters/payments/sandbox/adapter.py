"""A payment provider that ships with the product, and is honest about itself: no money moves.

It behaves as real ones do: holds end, keys count once, webhooks are signed and come in any order or not at all. Its cards
(cards.py) fail in all the ways that real ones do.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from ohmstead.adapters.payments.sandbox import store
from ohmstead.adapters.payments.sandbox.cards import CARDS, LISTED, Script
from ohmstead.billing.payments.hosted import HostedPage
from ohmstead.billing.payments.ports import (
    BalanceLine,
    Capabilities,
    Declined,
    Forged,
    MethodRef,
    Opened,
    Order,
    Seen,
    SeenDispute,
    SeenMethod,
    SeenSetup,
    SeenState,
    Told,
)
from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound
from ohmstead.core.ids import new_secret
from ohmstead.core.money import Money

NAME: Final = "sandbox"
SIGNATURE: Final = "ohmstead-sandbox-signature"
_TOLERANCE: Final = timedelta(minutes=5)
_AGAIN_AFTER: Final = timedelta(seconds=30)
_ZERO: Final = Decimal(0)

Door: TypeAlias = Callable[[str, bytes, Mapping[str, str]], Awaitable[object]]


class Made(Struct, kw_only=True):
    """A payment on the sandbox's side."""

    payment_id: str
    state: SeenState
    currency: str
    amount: Decimal
    is_hold: bool
    description: str = ""
    return_url: str = ""
    language: str | None = None
    card: str | None = None
    waits_for_proof: bool = False
    problem: str | None = None
    held: Decimal = _ZERO
    captured: Decimal = _ZERO
    refunded: Decimal = _ZERO
    capture_before: datetime | None = None
    expires_at: datetime | None = None
    n_silent: int = 0
    dispute: Literal["open", "won", "lost"] | None = None
    disputed_at: datetime | None = None
    captured_at: datetime | None = None


class Stored(Struct, kw_only=True):
    """A card that is stored, or a page for storing one."""

    driver_id: str
    state: Literal["open", "done", "failed"] = "open"
    return_url: str = ""
    card: str | None = None
    waits_for_proof: bool = False
    problem: str | None = None
    method: str | None = None


class SandboxProvider:
    """Implements ports.PaymentProvider and hosted.HostedPages. `base_url`: where our pages are reached."""

    def __init__(self, pool: Pool, secret: bytes, base_url: str) -> None:
        self._pool = pool
        self._key = hmac.digest(secret, b"ohmstead sandbox webhooks v1", hashlib.sha256)
        self._base_url = base_url

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name=NAME, is_test=True, can_increase=True, can_store=True, methods=("card",))

    async def close(self) -> None:
        """The pool is the caller's."""

    # -------------------------------------------------------------------------------------------------- requests

    async def checkout(self, order: Order, *, key: str) -> Opened:
        async with self._pool.acquire() as conn, conn.transaction():
            ref = await _once(conn, key, ["checkout", *_said(order)], "sbx_" + new_secret(15))
            if await store.lock(conn, ref, "payment") is None:
                await self._save(conn, ref, _made(order))
        return Opened(ref=ref, url=f"{self._base_url}/pay/sandbox/{ref}")

    async def hold(self, order: Order, method: MethodRef, *, ref: str | None, key: str) -> Seen:
        return await self._take(order, method, ref, key)

    async def charge(self, order: Order, method: MethodRef, *, ref: str | None, key: str) -> Seen:
        return await self._take(order, method, ref, key)

    async def _take(self, order: Order, method: MethodRef, ref: str | None, key: str) -> Seen:
        async with self._pool.acquire() as conn, conn.transaction():
            fresh = ref or "sbx_" + new_secret(15)
            said = ["charge", *_said(order), method.provider_ref]
            known = await store.find_call(conn, key)
            ref = await _once(conn, key, said, fresh)
            raw = await store.lock(conn, ref, "payment")
            made = _of(raw) if raw is not None else _made(order)
            if known is None and made.state == "open":
                card = await store.lock(conn, method.provider_ref, "method")
                if card is None:
                    raise Declined("no such card", code="method_removed", is_final=True)
                made.card, made.problem = card["card"], CARDS[card["card"]].refuses_later
                if made.problem is None:
                    await self._pay(conn, ref, made)
                await self._save(conn, ref, made)
        if made.problem is not None and made.state == "open":
            # Said outside the transaction: that it was refused is kept, and said again to the same key.
            is_final = made.problem == "authentication_required"
            raise Declined("the card was refused", code=made.problem, is_final=is_final, ref=ref)
        return _seen(ref, made)

    async def increase(self, ref: str, amount: Money, *, key: str) -> Seen:
        async with self._changing(ref) as (conn, made):
            if await _is_new(conn, key, ["increase", ref, str(amount)], ref):
                if made.state != "held":
                    raise ExternalFailure("nothing is held", permanent=True)
                made.amount = made.held = amount.amount
        return _seen(ref, made)

    async def capture(self, ref: str, amount: Money, *, key: str) -> Seen:
        is_silent = False
        async with self._changing(ref) as (conn, made):
            script = CARDS[made.card or "good"]
            # Where it is over already, how it stands is the answer.
            if await _is_new(conn, key, ["capture", ref, str(amount)], ref) and made.state in ("open", "held"):
                if made.state == "open":
                    raise ExternalFailure("nothing is held", permanent=True)
                if amount.amount > made.held or amount.currency != made.currency or amount.amount <= 0:
                    raise ExternalFailure("more than is held", permanent=True)
                if script.refuses_capture:
                    raise Declined("the bank takes it back", code="capture_refused", is_final=True)
                await self._captured(conn, ref, made, amount.amount)
            if made.n_silent < script.capture_fails:
                made.n_silent += 1
                is_silent = True
        if is_silent:
            raise ExternalFailure("no answer within 10 s")
        return _seen(ref, made)

    async def cancel(self, ref: str, *, key: str) -> Seen:
        async with self._changing(ref) as (conn, made):
            if made.state in ("open", "held"):
                made.state, made.held = "canceled", _ZERO
                await self._say(conn, "payment.canceled", ref, made)
        return _seen(ref, made)

    async def refund(self, ref: str, amount: Money, *, reason: str, key: str) -> Seen:
        async with self._changing(ref) as (conn, made):
            if await _is_new(conn, key, ["refund", ref, str(amount)], ref):
                if made.state != "captured" or made.refunded + amount.amount > made.captured:
                    raise ExternalFailure("more than was captured", permanent=True)
                if CARDS[made.card or "good"].refuses_refund:
                    raise Declined("the card takes nothing back", code="refund_refused", is_final=True)
                made.refunded += amount.amount
                await _line(conn, "refund", made.currency, -amount.amount, ref)
                await self._say(conn, "payment.refunded", ref, made)
        return _seen(ref, made)

    async def fetch(self, ref: str) -> Seen:
        async with self._changing(ref) as (_, made):
            pass
        return _seen(ref, made)

    # ------------------------------------------------------------------------------------------------ stored cards

    async def setup(self, setup_id: UUID, driver_id: UUID, *, email: str | None, return_url: str, key: str) -> Opened:
        async with self._pool.acquire() as conn, conn.transaction():
            ref = await _once(conn, key, ["setup", str(setup_id)], "sbs_" + new_secret(15))
            if await store.lock(conn, ref, "setup") is None:
                await store.put(conn, ref, "setup", Stored(driver_id=str(driver_id), return_url=return_url), None)
        return Opened(ref=ref, url=f"{self._base_url}/pay/sandbox/{ref}")

    async def fetch_setup(self, ref: str) -> SeenSetup:
        async with self._pool.acquire() as conn, conn.transaction():
            raw = await store.lock(conn, ref, "setup")
        if raw is None:
            raise ExternalFailure("no such setup", permanent=True)
        stored = msgspec.convert(raw, Stored)
        if stored.method is None or stored.card is None:
            return SeenSetup(state=stored.state, failure=stored.problem)
        script = CARDS[stored.card]
        now = clock.now()
        method = SeenMethod(
            ref=MethodRef(provider_ref=stored.method, customer_ref=f"sbc_{stored.driver_id}"),
            kind=script.kind,
            brand=script.brand,
            last4="0000",
            expires_on=now.date().replace(year=now.year + 3, month=12, day=31),
        )
        return SeenSetup(state="done", method=method)

    async def forget_method(self, method: MethodRef) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            await store.drop(conn, method.provider_ref, "method")

    async def forget_customer(self, ref: str) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            page = await store.lock(conn, ref, "setup")
            await store.drop_customer(conn, page["driver_id"] if page is not None else ref.removeprefix("sbc_"))

    # ------------------------------------------------------------------------------------------- what it tells

    async def list_disputes(self, ref: str) -> list[SeenDispute]:
        async with self._changing(ref) as (_, made):
            pass
        if made.dispute is None or made.disputed_at is None:
            return []
        return [
            SeenDispute(
                ref=f"sbd_{ref.removeprefix('sbx_')}",
                state=made.dispute,
                amount=Money(made.captured, made.currency),
                reason="fraudulent",
                opened_at=made.disputed_at,
            )
        ]

    async def list_balance(self, since: datetime, until: datetime) -> Sequence[BalanceLine]:
        async with self._pool.acquire() as conn:
            return [msgspec.convert(raw, BalanceLine) for raw in await store.list_lines(conn, since, until)]

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Told:
        stamp, _, shown = headers.get(SIGNATURE, "").partition(".")
        if not stamp.isdecimal() or len(stamp) > 12:
            raise Forged("no signature")
        if abs(now.timestamp() - int(stamp)) > _TOLERANCE.total_seconds():
            raise Forged("too old, or from the future")
        if not hmac.compare_digest(self._signed(int(stamp), body).encode(), shown.encode()):
            raise Forged("the signature is not the sandbox's")
        try:
            return msgspec.json.decode(body, type=Told)
        except msgspec.DecodeError as error:
            raise Forged(f"not an event: {error}") from error

    async def deliver(self, door: Door) -> int:
        """Webhooks that are due go through `door` (provider, body, headers), as from outside; and what happens by itself
        does: holds end, payers take money back. How many.
        """
        now = clock.now()
        async with self._pool.acquire() as conn:
            for ref in await store.list_due(conn, now):
                await self.fetch_in(conn, ref)
            due = await store.claim_events(conn, now, now + _AGAIN_AFTER)
        for event_id, body in due:
            raw, stamp = body.encode(), int(clock.now().timestamp())
            await door(NAME, raw, {SIGNATURE: f"{stamp}.{self._signed(stamp, raw)}"})
            async with self._pool.acquire() as conn:
                await store.event_done(conn, event_id)
        return len(due)

    async def fetch_in(self, conn: Connection, ref: str) -> None:
        """What has become of it by now."""
        async with conn.transaction():
            raw = await store.lock(conn, ref, "payment")
            if raw is not None:
                made = _of(raw)
                await self._age(conn, ref, made)
                await self._save(conn, ref, made)

    def _signed(self, stamp: int, body: bytes) -> str:
        return hmac.digest(self._key, str(stamp).encode() + b"." + body, hashlib.sha256).hex()

    # --------------------------------------------------------------------------------------------------- its pages

    async def find(self, ref: str) -> HostedPage:
        """See hosted.HostedPages."""
        if ref.startswith("sbs_"):
            return _setup_page(ref, await self._stored(ref))
        try:
            async with self._changing(ref) as (_, made):
                pass
        except ExternalFailure:
            raise NotFound("no such page") from None
        return _page(ref, made)

    async def pay(self, ref: str, card: str) -> HostedPage:
        """See hosted.HostedPages."""
        if card not in CARDS:
            raise Invalid("is none of the cards", field="card")
        if ref.startswith("sbs_"):
            return await self._store_card(ref, card)
        await self.find(ref)
        async with self._changing(ref) as (conn, made):
            if made.state != "open":
                raise Conflict("it cannot be paid any more", code="over")
            made.card, made.problem = card, CARDS[card].refuses
            made.waits_for_proof = CARDS[card].wants_proof
            if made.problem is None and not made.waits_for_proof:
                await self._pay(conn, ref, made)
        return _page(ref, made)

    async def prove(self, ref: str, *, is_them: bool) -> HostedPage:
        """See hosted.HostedPages."""
        if ref.startswith("sbs_"):
            return await self._prove_stored(ref, is_them)
        await self.find(ref)
        async with self._changing(ref) as (conn, made):
            if made.state != "open" or not made.waits_for_proof:
                raise Conflict("nobody asks", code="over")
            made.waits_for_proof = False
            made.problem = None if is_them else "authentication_failed"
            if is_them:
                await self._pay(conn, ref, made)
        return _page(ref, made)

    async def give_up(self, ref: str) -> HostedPage:
        """See hosted.HostedPages."""
        return await self.find(ref)

    async def _stored(self, ref: str) -> Stored:
        async with self._pool.acquire() as conn:
            raw = await store.lock(conn, ref, "setup")
        if raw is None:
            raise NotFound("no such page")
        return msgspec.convert(raw, Stored)

    async def _store_card(self, ref: str, card: str) -> HostedPage:
        async with self._pool.acquire() as conn, conn.transaction():
            raw = await store.lock(conn, ref, "setup")
            if raw is None:
                raise NotFound("no such page")
            stored = msgspec.convert(raw, Stored)
            if stored.state != "open":
                raise Conflict("it is done", code="over")
            stored.card, stored.problem = card, CARDS[card].refuses
            stored.waits_for_proof = CARDS[card].wants_proof
            if stored.problem is None and not stored.waits_for_proof:
                await self._keep_card(conn, ref, stored)
            await store.put(conn, ref, "setup", stored, None)
        return _setup_page(ref, stored)

    async def _prove_stored(self, ref: str, is_them: bool) -> HostedPage:
        async with self._pool.acquire() as conn, conn.transaction():
            raw = await store.lock(conn, ref, "setup")
            if raw is None:
                raise NotFound("no such page")
            stored = msgspec.convert(raw, Stored)
            if stored.state != "open" or not stored.waits_for_proof:
                raise Conflict("nobody asks", code="over")
            stored.waits_for_proof = False
            stored.problem = None if is_them else "authentication_failed"
            if is_them:
                await self._keep_card(conn, ref, stored)
            await store.put(conn, ref, "setup", stored, None)
        return _setup_page(ref, stored)

    async def _keep_card(self, conn: Connection, ref: str, stored: Stored) -> None:
        assert stored.card is not None
        stored.method, stored.state = "sbm_" + new_secret(15), "done"
        content = {"card": stored.card, "driver_id": stored.driver_id}
        await store.put(conn, stored.method, "method", content, None)
        if not CARDS[stored.card].loses_webhooks:
            await self._event(conn, "setup.done", "setup", (ref,), CARDS[stored.card].webhook_after)

    # ------------------------------------------------------------------------------------------------------- inside

    def _changing(self, ref: str) -> _Changing:
        return _Changing(self, self._pool, ref)

    async def _save(self, conn: Connection, ref: str, made: Made) -> None:
        await store.put(conn, ref, "payment", made, _due_at(made))

    async def _pay(self, conn: Connection, ref: str, made: Made) -> None:
        """The card is good, and its owner is who they say."""
        script = CARDS[made.card or "good"]
        if made.is_hold:
            made.state, made.held = "held", made.amount
            made.capture_before = clock.now() + script.holds_for
            await self._say(conn, "payment.held", ref, made)
        else:
            await self._captured(conn, ref, made, made.amount)

    async def _captured(self, conn: Connection, ref: str, made: Made, amount: Decimal) -> None:
        made.state, made.captured, made.held, made.captured_at = "captured", amount, _ZERO, clock.now()
        await _line(conn, "charge", made.currency, amount, ref)
        await self._say(conn, "payment.captured", ref, made)

    async def age(self, conn: Connection, ref: str, made: Made) -> None:
        """What time has done to it: see `deliver`."""
        await self._age(conn, ref, made)

    async def _age(self, conn: Connection, ref: str, made: Made) -> None:
        now = clock.now()
        if made.state == "open" and made.expires_at is not None and made.expires_at <= now:
            made.state = "canceled"
            await self._say(conn, "payment.canceled", ref, made)
        if made.state == "held" and made.capture_before is not None and made.capture_before <= now:
            made.state, made.held = "canceled", _ZERO
            await self._say(conn, "payment.canceled", ref, made)
        script = CARDS[made.card or "good"]
        if made.state != "captured" or script.disputes_after is None or made.captured_at is None:
            return
        if made.dispute is None and made.captured_at + script.disputes_after <= now:
            made.dispute, made.disputed_at = "open", now
            await _line(conn, "dispute", made.currency, -made.captured, ref)
            await self._say(conn, "dispute.opened", ref, made)
        elif (
            made.dispute == "open" and made.disputed_at is not None and made.disputed_at + script.disputes_after <= now
        ):
            made.dispute = "won" if script.is_dispute_won else "lost"
            if script.is_dispute_won:
                await _line(conn, "dispute", made.currency, made.captured, ref)
            await self._say(conn, f"dispute.{made.dispute}", ref, made)

    async def _say(self, conn: Connection, kind: str, ref: str, made: Made) -> None:
        script: Script = CARDS[made.card or "good"]
        if not script.loses_webhooks:
            await self._event(conn, kind, "payment", (ref, made.payment_id), script.webhook_after)

    async def _event(
        self, conn: Connection, kind: str, about: Literal["payment", "setup"], refs: tuple[str, ...], after: timedelta
    ) -> None:
        now = clock.now()
        told = Told(event_id="sbe_" + new_secret(15), kind=kind, about=about, refs=refs, made_at=now)
        await store.insert_event(conn, told.event_id, msgspec.json.encode(told).decode(), now + after)


class _Changing:
    """A payment of the sandbox's, locked and as old as it is by now; what was changed of it is kept."""

    def __init__(self, provider: SandboxProvider, pool: Pool, ref: str) -> None:
        self._provider, self._pool, self._ref = provider, pool, ref

    async def __aenter__(self) -> tuple[Connection, Made]:
        self._conn = await self._pool.acquire()
        self._transaction = self._conn.transaction()
        await self._transaction.start()
        try:
            raw = await store.lock(self._conn, self._ref, "payment")
            if raw is None:
                raise ExternalFailure("no such payment", permanent=True)
            self._made = _of(raw)
            await self._provider.age(self._conn, self._ref, self._made)
        except BaseException:
            await self._transaction.rollback()
            await self._pool.release(self._conn)
            raise
        return self._conn, self._made

    async def __aexit__(self, kind: type[BaseException] | None, _error: object, _trace: object) -> None:
        try:
            if kind is not None:
                await self._transaction.rollback()
            else:
                await store.put(self._conn, self._ref, "payment", self._made, _due_at(self._made))
                await self._transaction.commit()
        finally:
            await self._pool.release(self._conn)


def _due_at(made: Made) -> datetime | None:
    """When something happens with it by itself."""
    script = CARDS[made.card or "good"]
    if made.state == "open":
        return made.expires_at
    if made.state == "held":
        return made.capture_before
    if made.state == "captured" and script.disputes_after is not None and made.dispute in (None, "open"):
        since = made.disputed_at or made.captured_at
        return since + script.disputes_after if since is not None else None
    return None


def _made(order: Order) -> Made:
    return Made(
        payment_id=str(order.payment_id),
        state="open",
        currency=order.amount.currency,
        amount=order.amount.amount,
        is_hold=order.is_hold,
        description=order.description,
        return_url=order.return_url,
        language=order.language,
        expires_at=order.expires_at,
    )


def _of(raw: Any) -> Made:
    return msgspec.convert(raw, Made)


def _seen(ref: str, made: Made) -> Seen:
    return Seen(
        ref=ref,
        state=made.state,
        currency=made.currency,
        held=made.held,
        captured=made.captured,
        refunded=made.refunded,
        capture_before=made.capture_before,
        failure="hold_expired"
        if made.state == "canceled" and made.capture_before is not None and _is_past(made)
        else None,
    )


def _is_past(made: Made) -> bool:
    return made.capture_before is not None and made.capture_before <= clock.now()


def _page(ref: str, made: Made) -> HostedPage:
    state: Any = "proof" if made.waits_for_proof else "open"
    if made.state != "open":
        state = "done" if made.state in ("held", "captured") else "over"
    return HostedPage(
        ref=ref,
        state=state,
        amount=Money(made.amount, made.currency),
        is_hold=made.is_hold,
        description=made.description,
        return_url=made.return_url,
        cards=LISTED,
        problem=made.problem,
        language=made.language,
    )


def _setup_page(ref: str, stored: Stored) -> HostedPage:
    state: Any = "proof" if stored.waits_for_proof else {"open": "open", "done": "done", "failed": "over"}[stored.state]
    return HostedPage(
        ref=ref,
        state=state,
        amount=None,
        is_hold=False,
        description="",
        return_url=stored.return_url,
        cards=LISTED,
        problem=stored.problem,
    )


def _said(order: Order) -> list[str]:
    return [str(order.payment_id), str(order.amount.amount), order.amount.currency, str(order.is_hold)]


async def _once(conn: Connection, key: str, said: Sequence[str], fresh: str) -> str:
    """The object of the request with this key: a new one, or the one that it made before."""
    digest = hashlib.sha256(msgspec.json.encode(list(said))).digest()
    if await store.insert_call(conn, key, digest, fresh, clock.now()):
        return fresh
    known = await store.find_call(conn, key)
    assert known is not None
    if known[0] != digest:
        raise ExternalFailure("this key was used for another request", permanent=True)
    return known[1]


async def _is_new(conn: Connection, key: str, said: Sequence[str], ref: str) -> bool:
    digest = hashlib.sha256(msgspec.json.encode(list(said))).digest()
    if await store.insert_call(conn, key, digest, ref, clock.now()):
        return True
    known = await store.find_call(conn, key)
    if known is not None and known[0] != digest:
        raise ExternalFailure("this key was used for another request", permanent=True)
    return False


async def _line(conn: Connection, kind: Any, currency: str, gross: Decimal, ref: str) -> None:
    at = clock.now().astimezone(UTC)
    line = BalanceLine(
        ref="sbl_" + new_secret(15), kind=kind, currency=currency, gross=gross, fee=_ZERO, at=at, payment_ref=ref
    )
    await store.insert_line(conn, line.ref, at, asdict(line))
