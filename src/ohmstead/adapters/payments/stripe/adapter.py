"""Stripe: hosted Checkout, PaymentIntents that are captured later, stored cards. Implements ports.PaymentProvider.

Cards are entered on Stripe's own pages; what we are told of them is brand, last digits and expiry.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import aiohttp
import msgspec
import stripe

from ohmstead.adapters.payments.stripe import amounts, reading
from ohmstead.billing.payments.model import TOO_SMALL
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
    SeenSetup,
    Told,
)
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.money import Money

NAME: Final = "stripe"
DEADLINE_S: Final = 25.0
_TOLERANCE: Final = timedelta(minutes=5)
# Stripe's pages are open for half an hour at least; ours are closed by us when their time is over.
_OPEN_LONGER: Final = timedelta(minutes=25)
_WITH_CHARGE: Final = ["latest_charge"]
_WITH_INTENT: Final = ["payment_intent.latest_charge"]
# The object is in another state than the request wants: how it stands is the answer.
_STANDS_OTHERWISE: Final = frozenset(
    {
        *("payment_intent_unexpected_state", "charge_already_captured", "charge_already_refunded"),
        *("charge_expired_for_capture", "charge_disputed", "checkout_session_expired"),
    }
)
_LANGUAGES: Final = frozenset(
    {
        *("bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "it", "ja", "ko", "lt", "lv", "ms"),
        *("mt", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "th", "tr", "vi", "zh"),
    }
)


class StripeProvider:
    """`api_base`: another address than Stripe's own, for tests."""

    def __init__(self, secret_key: str, webhook_secret: str, api_base: str | None = None) -> None:
        self._secret_key = secret_key
        self._webhook_secret = webhook_secret
        self._api_base = api_base
        self._client: stripe.StripeClient | None = None
        self._http: stripe.AIOHTTPClient | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name=NAME,
            is_test="_test_" in self._secret_key,
            can_increase=True,
            can_store=True,
            methods=("card", "apple_pay", "google_pay", "sepa"),
            least=amounts.LEAST,
        )

    async def close(self) -> None:
        """Connections are given back."""
        if self._http is not None:
            await cast(Any, self._http).close_async()
        self._client = self._http = None

    def _api(self) -> Any:
        """Made on first use, in the event loop that uses it. Retries are ours: with the same key, after a commit."""
        if self._client is None:
            self._http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=DEADLINE_S))
            addresses: Any = {"api": self._api_base} if self._api_base else {}
            self._client = stripe.StripeClient(
                self._secret_key, http_client=self._http, base_addresses=addresses, max_network_retries=0
            )
        return cast(Any, self._client).v1

    # ------------------------------------------------------------------------------------------------ to be paid

    async def checkout(self, order: Order, *, key: str) -> Opened:
        names = _names(order)
        price = {
            "currency": order.amount.currency.lower(),
            "unit_amount": amounts.written(order.amount),
            "product_data": {"name": order.description or "Ohmstead"},
        }
        params: dict[str, Any] = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "payment_intent_data": {"capture_method": _capture(order), "metadata": names},
            "metadata": names,
            "success_url": order.return_url,
            "cancel_url": order.return_url,
            "locale": _locale(order.language),
        }
        if order.email:
            params["customer_email"] = order.email
        if order.expires_at is not None:
            params["expires_at"] = int((order.expires_at + _OPEN_LONGER).timestamp())
        page = await _asked(self._api().checkout.sessions.create_async(params, {"idempotency_key": key}))
        return Opened(ref=page["id"], url=page["url"])

    async def hold(self, order: Order, method: MethodRef, *, ref: str | None, key: str) -> Seen:
        return await self._off_session(order, method, ref, key, "manual")

    async def charge(self, order: Order, method: MethodRef, *, ref: str | None, key: str) -> Seen:
        return await self._off_session(order, method, ref, key, "automatic")

    async def _off_session(self, order: Order, method: MethodRef, ref: str | None, key: str, capture: str) -> Seen:
        options = {"idempotency_key": key}
        if ref is not None:
            confirmation = {"payment_method": method.provider_ref, "off_session": True, "expand": _WITH_CHARGE}
            return await self._stands(ref, self._api().payment_intents.confirm_async(ref, confirmation, options))
        params: dict[str, Any] = {
            "amount": amounts.written(order.amount),
            "currency": order.amount.currency.lower(),
            "customer": method.customer_ref,
            "payment_method": method.provider_ref,
            "payment_method_types": ["card", "sepa_debit"] if capture == "automatic" else ["card"],
            "off_session": True,
            "confirm": True,
            "capture_method": capture,
            "metadata": _names(order),
            "expand": _WITH_CHARGE,
        }
        if order.description:
            params["description"] = order.description
        return reading.seen_intent(await _asked(self._api().payment_intents.create_async(params, options)))

    async def increase(self, ref: str, amount: Money, *, key: str) -> Seen:
        params = {"amount": amounts.written(amount), "expand": _WITH_CHARGE}
        asked = self._api().payment_intents.increment_authorization_async(ref, params, {"idempotency_key": key})
        return reading.seen_intent(await _asked(asked))

    async def capture(self, ref: str, amount: Money, *, key: str) -> Seen:
        params = {"amount_to_capture": amounts.written_down(amount), "expand": _WITH_CHARGE}
        return await self._stands(
            ref, self._api().payment_intents.capture_async(ref, params, {"idempotency_key": key}), unless="held"
        )

    async def cancel(self, ref: str, *, key: str) -> Seen:
        if ref.startswith("cs_"):
            seen = await self.fetch(ref)
            if seen.ref is None or seen.state == "open":
                return await self._close_page(ref)
            ref = seen.ref
            if seen.state != "held":
                return seen
        api = self._api()
        seen = await self._stands(
            ref, api.payment_intents.cancel_async(ref, {"expand": _WITH_CHARGE}, {"idempotency_key": key})
        )
        if seen.state != "open":
            return seen
        # It is a page's: that is closed instead.
        pages = await _asked(api.checkout.sessions.list_async({"payment_intent": ref, "limit": 1}))
        return await self._close_page(pages["data"][0]["id"]) if pages["data"] else seen

    async def _close_page(self, ref: str) -> Seen:
        try:
            params = {"expand": _WITH_INTENT}
            return reading.seen_page(await _asked(self._api().checkout.sessions.expire_async(ref, params)))
        except ExternalFailure as failure:
            if not failure.permanent:
                raise
            # Somebody paid on it just now, or it was closed before.
            seen = await self.fetch(ref)
            if seen.state == "held" and seen.ref is not None:
                return await self.cancel(seen.ref, key=f"late:{seen.ref}")
            return seen

    async def refund(self, ref: str, amount: Money, *, reason: str, key: str) -> Seen:
        params = {
            "payment_intent": ref,
            "amount": amounts.written_down(amount),
            "reason": "requested_by_customer",
            "metadata": {"reason": reason[:500]},
        }
        await _asked(self._api().refunds.create_async(params, {"idempotency_key": key}))
        return await self.fetch(ref)

    async def fetch(self, ref: str) -> Seen:
        if ref.startswith("cs_"):
            page = await _asked(self._api().checkout.sessions.retrieve_async(ref, {"expand": _WITH_INTENT}))
            return reading.seen_page(page)
        return reading.seen_intent(
            await _asked(self._api().payment_intents.retrieve_async(ref, {"expand": _WITH_CHARGE}))
        )

    async def _stands(self, ref: str, asked: Awaitable[Any], *, unless: str | None = None) -> Seen:
        """What became of it; where it is in another state than the request wants, how it stands is the answer, `unless`
        that is what the request should have changed.
        """
        try:
            return reading.seen_intent(await _asked(asked))
        except ExternalFailure as failure:
            if failure.detail.get("code") not in _STANDS_OTHERWISE:
                raise
            seen = await self.fetch(ref)
            if seen.state == unless:
                raise
            return seen

    # --------------------------------------------------------------------------------------------- stored cards

    async def setup(self, setup_id: UUID, driver_id: UUID, *, email: str | None, return_url: str, key: str) -> Opened:
        api, names = self._api(), {"setup_id": str(setup_id), "driver_id": str(driver_id)}
        person: dict[str, Any] = {"metadata": names} | ({"email": email} if email else {})
        customer = await _asked(api.customers.create_async(person, {"idempotency_key": f"{key}:customer"}))
        params = {
            "mode": "setup",
            "customer": customer["id"],
            "payment_method_types": ["card", "sepa_debit"],
            "metadata": names,
            "setup_intent_data": {"metadata": names},
            "success_url": return_url,
            "cancel_url": return_url,
        }
        page = await _asked(api.checkout.sessions.create_async(params, {"idempotency_key": key}))
        return Opened(ref=page["id"], url=page["url"])

    async def fetch_setup(self, ref: str) -> SeenSetup:
        params = {"expand": ["setup_intent.payment_method"]}
        return reading.seen_setup(await _asked(self._api().checkout.sessions.retrieve_async(ref, params)))

    async def forget_method(self, method: MethodRef) -> None:
        api, ref = self._api(), method.provider_ref
        await _gone(
            api.payment_methods.detach_async(ref),
            lambda: api.payment_methods.retrieve_async(ref),
            lambda known: known.get("customer") is None,
        )

    async def forget_customer(self, ref: str) -> None:
        api = self._api()
        if ref.startswith("cs_"):
            page = await _asked(api.checkout.sessions.retrieve_async(ref))
            if page["status"] == "open":
                # Or a card is stored there after all; one that is over meanwhile needs no end.
                await _gone(
                    api.checkout.sessions.expire_async(ref),
                    lambda: api.checkout.sessions.retrieve_async(ref),
                    lambda known: known["status"] != "open",
                )
            if page.get("customer") is None:
                return
            ref = reading.id_of(page["customer"]) or ""
        await _gone(
            api.customers.delete_async(ref),
            lambda: api.customers.retrieve_async(ref),
            lambda known: bool(known.get("deleted")),
        )

    # ---------------------------------------------------------------------------------------------- what it tells

    async def list_disputes(self, ref: str) -> list[SeenDispute]:
        found = await _asked(self._api().disputes.list_async({"payment_intent": ref, "limit": 100}))
        return [reading.seen_dispute(one) for one in found["data"] if reading.takes_money(one)]

    async def list_balance(self, since: datetime, until: datetime) -> Sequence[BalanceLine]:
        span = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        lines: list[BalanceLine] = []
        after: str | None = None
        while True:
            params: dict[str, Any] = {"created": span, "limit": 100, "expand": ["data.source"]}
            if after is not None:
                params["starting_after"] = after
            found = await _asked(self._api().balance_transactions.list_async(params))
            lines += [reading.line_of(one) for one in found["data"]]
            if not found["has_more"] or not found["data"]:
                return lines
            after = found["data"][-1]["id"]

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Told:
        header = headers.get("stripe-signature", "")
        try:
            text = body.decode()
            # Its own look at the time goes by the machine's clock; ours is below.
            stripe.WebhookSignature.verify_header(text, header, self._webhook_secret, tolerance=None)
            stamp = int(dict(part.split("=", 1) for part in header.split(",") if "=" in part)["t"])
        except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError, KeyError) as error:
            raise Forged("the signature is not Stripe's") from error
        if abs(now.timestamp() - stamp) > _TOLERANCE.total_seconds():
            raise Forged("too old, or from the future")
        try:
            return reading.told_by(msgspec.json.decode(body))
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise Forged(f"not an event: {error!r}") from error


def _names(order: Order) -> dict[str, str]:
    return {"payment_id": str(order.payment_id), "party_id": str(order.party_id), "purpose": order.purpose}


def _capture(order: Order) -> str:
    return "manual" if order.is_hold else "automatic"


def _locale(language: str | None) -> str:
    short = (language or "").partition("-")[0].lower()
    return short if short in _LANGUAGES else "auto"


async def _asked(asked: Awaitable[Any]) -> dict[str, Any]:
    """What Stripe answered, its errors in our words."""
    try:
        answered: dict[str, Any] = (await asked).to_dict()
    except stripe.CardError as error:
        raise _declined(error) from error
    except (stripe.IdempotencyError, stripe.InvalidRequestError) as error:
        if error.code == TOO_SMALL:
            raise Declined(_text(error), code=TOO_SMALL, is_final=True) from error
        is_busy = error.http_status == 409 or error.code in ("idempotency_key_in_use", "lock_timeout")
        raise ExternalFailure(_text(error), permanent=not is_busy, code=error.code) from error
    except stripe.StripeError as error:
        # The line, their side, too many requests, a key that is not good any more: it may be mended.
        raise ExternalFailure(_text(error), code=error.code) from error
    return answered


async def _gone(
    asked: Awaitable[Any], look: Callable[[], Awaitable[Any]], is_gone: Callable[[dict[str, Any]], bool]
) -> None:
    """Something is made an end of; where that cannot be, because it was before, how it stands is the answer."""
    try:
        await _asked(asked)
    except ExternalFailure as failure:
        if not failure.permanent:
            raise
        if failure.detail.get("code") != "resource_missing" and not is_gone(await _asked(look())):
            raise


def _declined(error: stripe.CardError) -> Declined:
    said = (error.json_body or {}).get("error", {}) if isinstance(error.json_body, Mapping) else {}
    code = str(said.get("decline_code") or error.code or "declined")
    if error.code == "authentication_required":
        code = "authentication_required"
    intent = said.get("payment_intent") or {}
    return Declined(_text(error), code=code, is_final=code in reading.FINAL, ref=intent.get("id"))


def _text(error: stripe.StripeError) -> str:
    return f"Stripe: {(error.user_message or type(error).__name__)[:300]}"
