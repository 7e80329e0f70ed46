"""A second implementation of those parts of Stripe's API that we use, over HTTP on the loopback.

It keeps Stripe's documented rules: states of PaymentIntents and Checkout Sessions, amounts, idempotency keys (the first
result is replayed, errors too; other parameters are refused), holds that end, pages that end, signed webhooks.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from ohmstead.core import clock

SECRET_KEY = "sk_test_double"
WEBHOOK_SECRET = "whsec_double"
ZERO_DECIMAL = {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
# What a charge comes to at least, where it is not fifty of the unit.
LEAST = {"gbp": 30, "dkk": 250, "nok": 300, "sek": 300, "pln": 200, "czk": 1500, "huf": 17_500}
THREE_DECIMAL = {"bhd", "jod", "kwd", "omr", "tnd"}
HOLD = timedelta(days=7)

Raw = dict[str, Any]


class Fault(Exception):
    """An error as Stripe words it."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message, **more}}


def invalid(message: str, code: str | None = None, **more: Any) -> Fault:
    return Fault(400, "invalid_request_error", message, **({"code": code} if code else {}), **more)


class StripeDouble:
    """`lose`: paths whose next answer never arrives though it is carried out; `is_down`: nothing is carried out."""

    def __init__(self) -> None:
        self._n = itertools.count(1)
        self.objects: dict[str, Raw] = {}
        self.lines: list[Raw] = []
        self.events: list[Raw] = []
        self.kept: dict[str, tuple[str, int, Raw]] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.lose: list[str] = []
        self.is_down = False
        self.base = ""
        self._runner: web.AppRunner | None = None

    # ------------------------------------------------------------------------------------------------ the server

    async def start(self) -> StripeDouble:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}"
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, key = "/" + request.match_info["path"], request.headers.get("Idempotency-Key")
        self.asked.append((request.method, path, key))
        if self.is_down:
            return web.json_response({"error": {"type": "api_error", "message": "down"}}, status=503)
        text = (await request.text()) if request.method == "POST" else request.query_string
        status, body = self._idempotent(request, path, key, text)
        for part in list(self.lose):
            if part in path:
                self.lose.remove(part)
                assert request.transport is not None
                request.transport.close()
                return web.Response(status=500)
        return web.json_response(body, status=status)

    def _idempotent(self, request: web.Request, path: str, key: str | None, text: str) -> tuple[int, Raw]:
        if request.headers.get("Authorization") != f"Bearer {SECRET_KEY}":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}
        said = hashlib.sha256(f"{path}\n{text}".encode()).hexdigest()
        if key is not None and request.method == "POST" and key in self.kept:
            known, status, body = self.kept[key]
            if known != said:
                message = "Keys for idempotent requests can only be used with the same parameters"
                return 400, {"error": {"type": "idempotency_error", "message": message}}
            return status, body
        self.age()
        try:
            status, body = 200, self._route(request.method, path.removeprefix("/v1"), parameters(text))
        except Fault as fault:
            status, body = fault.status, fault.body
        if key is not None and request.method == "POST":
            self.kept[key] = (said, status, json.loads(json.dumps(body)))
        return status, body

    def _route(self, method: str, path: str, given: Raw) -> Raw:
        parts = path.strip("/").split("/")
        table: dict[tuple[str, ...], Callable[..., Raw]] = {
            ("POST", "checkout", "sessions"): self._new_page,
            ("GET", "checkout", "sessions"): self._list_pages,
            ("GET", "checkout", "sessions", "*"): self._get,
            ("POST", "checkout", "sessions", "*", "expire"): self._expire_page,
            ("POST", "payment_intents"): self._new_intent,
            ("GET", "payment_intents", "*"): self._get,
            ("POST", "payment_intents", "*", "confirm"): self._confirm,
            ("POST", "payment_intents", "*", "capture"): self._capture,
            ("POST", "payment_intents", "*", "cancel"): self._cancel,
            ("POST", "payment_intents", "*", "increment_authorization"): self._increment,
            ("POST", "refunds"): self._refund,
            ("POST", "customers"): self._new_customer,
            ("GET", "customers", "*"): self._get_customer,
            ("DELETE", "customers", "*"): self._delete_customer,
            ("GET", "payment_methods", "*"): self._get,
            ("POST", "payment_methods", "*", "detach"): self._detach,
            ("GET", "disputes"): self._list_disputes,
            ("GET", "balance_transactions"): self._list_lines,
        }
        for pattern, handle in table.items():
            if len(pattern) == len(parts) + 1 and all(
                a in ("*", b) for a, b in zip(pattern, [method, *parts], strict=True)
            ):
                ids = [part for star, part in zip(pattern[1:], parts, strict=True) if star == "*"]
                return handle(*ids, given)
        raise Fault(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path})")

    # ------------------------------------------------------------------------------------------------- objects

    def _new(self, prefix: str, **fields: Any) -> Raw:
        ident = f"{prefix}_{next(self._n):06d}"
        self.objects[ident] = {"id": ident, "created": self.now(), **fields}
        return self.objects[ident]

    def now(self) -> int:
        return int(clock.now().timestamp())

    def find(self, ident: str) -> Raw:
        if ident not in self.objects:
            raise Fault(404, "invalid_request_error", f"No such object: '{ident}'", code="resource_missing")
        return self.objects[ident]

    def shown(self, raw: Raw) -> Raw:
        """With everything expanded that we ever ask for."""
        out = dict(raw)
        for name in ("payment_intent", "latest_charge", "setup_intent", "payment_method"):
            if isinstance(out.get(name), str) and out["object"] in (
                "checkout.session",
                "payment_intent",
                "setup_intent",
            ):
                out[name] = self.shown(self.objects[out[name]])
        return out

    def _get(self, ident: str, _: Raw) -> Raw:
        return self.shown(self.find(ident))

    # ------------------------------------------------------------------------------------------- Checkout Sessions

    def _new_page(self, given: Raw) -> Raw:
        mode, metadata = given["mode"], given.get("metadata", {})
        expires_at = int(given.get("expires_at", self.now() + 86400))
        if not self.now() + 1800 <= expires_at <= self.now() + 86400:
            raise invalid("The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from creation")
        page = self._new(
            "cs_test", object="checkout.session", mode=mode, status="open", metadata=metadata, expires_at=expires_at,
            payment_intent=None, setup_intent=None, currency=None, customer=given.get("customer"),
            success_url=given["success_url"],
        )  # fmt: skip
        page["url"] = f"https://checkout.stripe.example/c/pay/{page['id']}"
        if mode == "payment":
            price = given["line_items"]["0"]["price_data"]
            page["currency"], page["amount_total"] = (
                price["currency"],
                self._charge(price["unit_amount"], price["currency"]),
            )
            page["_intent"] = given["payment_intent_data"]
        elif not self._has(given.get("customer")):
            raise invalid("a customer is needed")
        return self.shown(page)

    def _list_pages(self, given: Raw) -> Raw:
        found = [
            raw for raw in self.objects.values()
            if raw["object"] == "checkout.session" and raw.get("payment_intent") == given["payment_intent"]
        ]  # fmt: skip
        return {"object": "list", "data": [self.shown(raw) for raw in found], "has_more": False, "url": "/"}

    def _expire_page(self, ident: str, _: Raw) -> Raw:
        page = self.find(ident)
        if page["status"] != "open":
            raise invalid(
                f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {page["status"]}.'
            )
        self._end_page(page)
        return self.shown(page)

    def _end_page(self, page: Raw) -> None:
        page["status"] = "expired"
        self._tell("checkout.session.expired", page)
        if page["payment_intent"] and self.objects[page["payment_intent"]]["status"] not in ("succeeded", "canceled"):
            intent = self.objects[page["payment_intent"]]
            intent |= {"status": "canceled", "cancellation_reason": "void_invoice", "amount_capturable": 0}
            self._tell("payment_intent.canceled", intent)

    # --------------------------------------------------------------------------------------------- PaymentIntents

    def _amount(self, text: Any, currency: str) -> int:
        amount = int(text)
        if amount <= 0:
            raise invalid("This value must be greater than or equal to 1.", code="parameter_invalid_integer")
        if currency in THREE_DECIMAL and amount % 10:
            raise invalid("three-decimal amounts have to end with 0", code="invalid_charge_amount")
        return amount

    def _charge(self, text: Any, currency: str) -> int:
        amount, least = self._amount(text, currency), LEAST.get(currency, 50)
        if amount < least:
            raise invalid(f"Amount must be at least {least} {currency}", code="amount_too_small", param="amount")
        return amount

    def _intent(self, amount: int, currency: str, capture_method: str, metadata: Raw, **more: Any) -> Raw:
        return self._new(
            "pi", object="payment_intent", amount=amount, currency=currency, status="requires_payment_method",
            capture_method=capture_method, amount_capturable=0, amount_received=0, latest_charge=None, metadata=metadata,
            cancellation_reason=None, last_payment_error=None, **more,
        )  # fmt: skip

    def _new_intent(self, given: Raw) -> Raw:
        if not self._has(given.get("customer")):
            raise invalid(f"No such customer: '{given.get('customer')}'", code="resource_missing")
        intent = self._intent(
            self._charge(given["amount"], given["currency"]), given["currency"], given["capture_method"],
            given.get("metadata", {}), customer=given["customer"],
        )  # fmt: skip
        return self._confirm(intent["id"], given)

    def _confirm(self, ident: str, given: Raw) -> Raw:
        intent = self.find(ident)
        if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
            raise self._unexpected(intent, "confirm")
        method = self.objects.get(given["payment_method"])
        if method is None or method["customer"] != intent["customer"]:
            raise invalid("The payment method is not attached to the customer", code="payment_method_unexpected_state")
        card = method["_card"]
        refusals = {"poor_later": "insufficient_funds", "proof": "authentication_required", "stolen": "stolen_card"}
        if card in refusals:
            code = refusals[card]
            self._tell("payment_intent.payment_failed", intent)
            about = (
                {"code": "authentication_required"}
                if card == "proof"
                else {"code": "card_declined", "decline_code": code}
            )
            raise Fault(402, "card_error", "Your card was declined.", payment_intent=self.shown(intent), **about)
        if card == "slow_debit":
            intent["status"] = "processing"
            self._tell("payment_intent.processing", intent)
        else:
            self._authorize(intent, card)
        return self.shown(intent)

    def bounces(self, ident: str) -> None:
        """A direct debit comes back after days."""
        error = {"type": "invalid_request_error", "code": "insufficient_funds"}
        self.objects[ident] |= {"status": "requires_payment_method", "last_payment_error": error}
        self._tell("payment_intent.payment_failed", self.objects[ident])

    def clears(self, ident: str) -> None:
        """A direct debit is ours."""
        self._authorize(self.objects[ident], "good")

    def _authorize(self, intent: Raw, card: str) -> None:
        until = self.now() + int((timedelta(minutes=1) if card == "short_hold" else HOLD).total_seconds())
        charge = self._new(
            "ch", object="charge", amount=intent["amount"], amount_captured=0, amount_refunded=0, currency=intent["currency"],
            payment_intent=intent["id"], captured=False, disputed=False, metadata=intent["metadata"], _card=card,
            payment_method_details={"type": "card", "card": {"capture_before": until}},
        )  # fmt: skip
        intent["latest_charge"] = charge["id"]
        if intent["capture_method"] == "manual":
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
            self._tell("payment_intent.amount_capturable_updated", intent)
        else:
            self._take(intent, intent["amount"])

    def _take(self, intent: Raw, amount: int) -> None:
        charge = self.objects[intent["latest_charge"]]
        intent |= {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
        charge |= {"captured": True, "amount_captured": amount, "_captured_at": self.now()}
        fee = amount * 14 // 1000 + (0 if intent["currency"] in ZERO_DECIMAL else 25)
        self._line("charge", amount, fee, intent["currency"], charge)
        self._tell("payment_intent.succeeded", intent)
        self._tell("charge.captured", charge)

    def _unexpected(self, intent: Raw, action: str) -> Fault:
        message = f"This PaymentIntent could not be {action}ed because it has a status of {intent['status']}."
        return invalid(message, code="payment_intent_unexpected_state", payment_intent=self.shown(intent))

    def _capture(self, ident: str, given: Raw) -> Raw:
        intent = self.find(ident)
        if intent["status"] != "requires_capture":
            raise self._unexpected(intent, "captur")
        amount = self._amount(given.get("amount_to_capture", intent["amount_capturable"]), intent["currency"])
        if amount > intent["amount_capturable"]:
            raise invalid("The amount to capture is greater than what is capturable.", code="amount_too_large")
        if self.objects[intent["latest_charge"]]["_card"] == "capture_refused":
            raise Fault(402, "card_error", "The capture was refused.", code="capture_refused")
        self._take(intent, amount)
        return self.shown(intent)

    def _cancel(self, ident: str, _: Raw) -> Raw:
        intent = self.find(ident)
        is_of_page = any(
            raw.get("payment_intent") == ident for raw in self.objects.values() if raw["object"] == "checkout.session"
        )
        if intent["status"] in ("succeeded", "canceled", "processing"):
            raise self._unexpected(intent, "cancel")
        if is_of_page and intent["status"] != "requires_capture":
            raise invalid("expire the Checkout Session instead", code="payment_intent_unexpected_state")
        intent |= {"status": "canceled", "amount_capturable": 0, "cancellation_reason": None}
        self._tell("payment_intent.canceled", intent)
        return self.shown(intent)

    def _increment(self, ident: str, given: Raw) -> Raw:
        intent = self.find(ident)
        if intent["status"] != "requires_capture":
            raise self._unexpected(intent, "increment")
        amount, n = int(given["amount"]), intent.get("_increments", 0)
        if amount <= intent["amount"] or n >= 10:
            raise invalid("The amount must be greater than the currently authorized one, at most ten times")
        intent["_increments"] = n + 1
        intent |= {"amount": amount, "amount_capturable": amount}
        return self.shown(intent)

    def _refund(self, given: Raw) -> Raw:
        intent = self.find(given["payment_intent"])
        if intent["status"] != "succeeded":
            raise invalid("This PaymentIntent does not have a successful charge to refund.")
        charge, amount = self.objects[intent["latest_charge"]], self._amount(given["amount"], intent["currency"])
        left = charge["amount_captured"] - charge["amount_refunded"]
        if left == 0:
            raise invalid("Charge has already been refunded.", code="charge_already_refunded")
        if amount > left:
            raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})")
        charge["amount_refunded"] += amount
        refund = self._new(
            "re",
            object="refund",
            amount=amount,
            currency=intent["currency"],
            payment_intent=intent["id"],
            status="succeeded",
        )
        self._line("refund", -amount, 0, intent["currency"], refund)
        self._tell("charge.refunded", charge)
        return refund

    # ----------------------------------------------------------------------------------------------- the rest

    def _new_customer(self, given: Raw) -> Raw:
        return self._new("cus", object="customer", metadata=given.get("metadata", {}), email=given.get("email"))

    def _has(self, customer: Any) -> bool:
        return customer in self.objects and not self.objects[customer].get("deleted")

    def _get_customer(self, ident: str, _: Raw) -> Raw:
        """Deleted ones can still be retrieved, and are nothing but that."""
        customer = self.find(ident)
        return {name: customer[name] for name in ("id", "object", "deleted")} if customer.get("deleted") else customer

    def _delete_customer(self, ident: str, given: Raw) -> Raw:
        """It removes all card details and prevents any further operations; refunds are of charges."""
        if not self._has(ident):
            raise Fault(404, "invalid_request_error", f"No such customer: '{ident}'", code="resource_missing")
        for method in self.objects.values():
            if method["object"] == "payment_method" and method["customer"] == ident:
                method["customer"] = None
        self.objects[ident] |= {"deleted": True, "metadata": {}, "email": None}
        return self._get_customer(ident, given)

    def _detach(self, ident: str, _: Raw) -> Raw:
        """For ever: it cannot be attached or paid with again."""
        method = self.find(ident)
        if method["customer"] is None:
            message = "The payment method you provided is not attached to a customer so detachment is impossible."
            raise invalid(message)
        method["customer"] = None
        return dict(method)

    def _list_disputes(self, given: Raw) -> Raw:
        found = [
            raw for raw in self.objects.values()
            if raw["object"] == "dispute" and raw["payment_intent"] == given["payment_intent"]
        ]  # fmt: skip
        return {"object": "list", "data": found, "has_more": False, "url": "/"}

    def _list_lines(self, given: Raw) -> Raw:
        span = given["created"]
        found = [one for one in self.lines if int(span["gte"]) <= one["created"] < int(span["lt"])][::-1]
        if (after := given.get("starting_after")) is not None:
            found = found[[one["id"] for one in found].index(after) + 1 :]
        limit = min(int(given["limit"]), 2)  # small pages, so that going on is tried
        return {"object": "list", "data": found[:limit], "has_more": len(found) > limit, "url": "/"}

    def _line(self, kind: str, amount: int, fee: int, currency: str, source: Raw) -> None:
        self.lines.append(
            {
                "id": f"txn_{next(self._n):06d}", "object": "balance_transaction", "type": kind, "amount": amount, "fee": fee,
                "net": amount - fee, "currency": currency, "created": self.now(), "source": dict(source), "description": None,
            }
        )  # fmt: skip

    def _tell(self, kind: str, thing: Raw) -> None:
        plain = {name: value for name, value in thing.items() if not name.startswith("_")}
        self.events.append(
            {
                "id": f"evt_{next(self._n):06d}",
                "object": "event",
                "type": kind,
                "created": self.now(),
                "data": {"object": plain},
            }
        )

    # ------------------------------------------------------------------------------------------ payers and time

    def age(self) -> None:
        """What time does: holds and pages end."""
        for raw in list(self.objects.values()):
            if raw["object"] == "checkout.session" and raw["status"] == "open" and raw["expires_at"] <= self.now():
                self._end_page(raw)
            if raw["object"] == "payment_intent" and raw["status"] == "requires_capture":
                until = self.objects[raw["latest_charge"]]["payment_method_details"]["card"]["capture_before"]
                if until <= self.now():
                    raw |= {"status": "canceled", "amount_capturable": 0, "cancellation_reason": "automatic"}
                    self._tell("payment_intent.canceled", raw)

    async def pay(self, ident: str, card: str) -> None:
        """A payer on Stripe's page."""
        self.age()
        page = self.objects[ident]
        assert page["status"] == "open", page["status"]
        if page["mode"] == "setup":
            self._store(page, card)
            return
        if page["payment_intent"] is None:
            wanted = page["_intent"]
            intent = self._intent(
                page["amount_total"], page["currency"], wanted["capture_method"], wanted["metadata"], customer=None
            )
            page["payment_intent"] = intent["id"]
        intent = self.objects[page["payment_intent"]]
        if card in ("declined", "poor"):
            self._tell("payment_intent.payment_failed", intent)
            return
        self._authorize(intent, card)
        page["status"] = "complete"
        self._tell("checkout.session.completed", page)

    def _store(self, page: Raw, card: str) -> None:
        details = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2034}
        method = self._new(
            "pm", object="payment_method", type="card", card=details, customer=page["customer"], _card=card
        )
        intent = self._new("seti", object="setup_intent", status="succeeded", payment_method=method["id"])
        page |= {"setup_intent": intent["id"], "status": "complete"}
        self._tell("checkout.session.completed", page)

    def dispute(self, intent_id: str, status: str = "needs_response") -> Raw:
        """The payer's bank takes it back."""
        intent = self.objects[intent_id]
        charge = self.objects[intent["latest_charge"]]
        dispute = self._new(
            "dp", object="dispute", amount=charge["amount_captured"], currency=charge["currency"], payment_intent=intent_id,
            charge=charge["id"], status=status, reason="fraudulent", metadata={},
        )  # fmt: skip
        if not status.startswith("warning"):
            self._line("adjustment", -dispute["amount"], 1500, dispute["currency"], dispute)
        self._tell("charge.dispute.created", dispute)
        return dispute

    def decide(self, dispute: Raw, status: str) -> None:
        dispute["status"] = status
        if status == "won":
            self._line("adjustment", dispute["amount"], 0, dispute["currency"], dispute)
        self._tell("charge.dispute.closed", dispute)

    def pays_out(self, amount: int, currency: str = "eur") -> None:
        payout = {"id": f"po_{next(self._n):06d}", "object": "payout"}
        self._line("payout", -amount, 0, currency, payout)

    async def deliver(self, door: Callable[[str, bytes, Mapping[str, str]], Awaitable[object]]) -> int:
        """Webhooks that have not been delivered yet."""
        self.age()
        due, self.events = self.events, []
        for event in due:
            body = json.dumps(event).encode()
            await door("stripe", body, signed(body, self.now()))
        return len(due)


def signed(body: bytes, at: int, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    """Stripe-Signature of a webhook."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={at},v1={digest}"}


def parameters(text: str) -> Raw:
    """`a[b][0]=c` as nested dicts."""
    from urllib.parse import parse_qsl

    found: Raw = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        parts = name.replace("]", "").split("[")
        place = found
        for part in parts[:-1]:
            place = place.setdefault(part, {})
        place[parts[-1]] = value
    return found
