"""What payment providers do for us: adapters fill it, the sandbox that ships with the product included.

All answers are whole states, not steps: whoever asks twice, or late, learns the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.payments.model import DisputeState, LineKind, Purpose
from ohmstead.core.errors import ExternalFailure, OhmsteadError, Refused
from ohmstead.core.money import Money

# open: the payer is not done; canceled: it was let go, or ended by itself.
SeenState: TypeAlias = Literal["open", "held", "captured", "canceled", "failed"]
About: TypeAlias = Literal["payment", "setup", "other"]


class Declined(ExternalFailure):
    """The provider said no, for certain: nothing was taken. `code`: its word for why. `is_final`: asking the same again
    is pointless, as is asking without the payer (`authentication_required`). `ref`: the payment that was made for it.
    """

    def __init__(self, text: str, *, code: str, is_final: bool = False, ref: str | None = None) -> None:
        super().__init__(text, permanent=is_final, code=code)
        self.code = code
        self.is_final = is_final
        self.ref = ref


class Forged(OhmsteadError):
    """A webhook that is not the provider's, or too old to be taken."""


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a provider can. `is_test`: no money moves. `least`: what it takes at least, by currency; anything elsewhere.

    Less than that it declines as `amount_too_small`.
    """

    name: str
    is_test: bool
    can_increase: bool
    can_store: bool
    methods: tuple[str, ...]
    least: Mapping[str, Decimal] = {}


class Order(Struct, frozen=True, kw_only=True):
    """What is to be paid. `is_hold`: held only, to be captured later. `expires_at`: until when it can be paid."""

    payment_id: UUID
    party_id: UUID
    purpose: Purpose
    amount: Money
    is_hold: bool
    description: str
    email: str | None = None
    language: str | None = None
    return_url: str = ""
    expires_at: datetime | None = None


class MethodRef(Struct, frozen=True, kw_only=True):
    """A stored card or account, as the provider knows it."""

    provider_ref: str
    customer_ref: str


class Opened(Struct, frozen=True, kw_only=True):
    """A page of the provider's where somebody pays, or has a card stored."""

    ref: str
    url: str


class Seen(Struct, frozen=True, kw_only=True):
    """A payment as the provider has it now. `ref`: what it calls it, once it calls it anything. `failure`: why it came to
    nothing; while it is open, why the last way of paying did.
    """

    ref: str | None
    state: SeenState
    currency: str
    held: Decimal = Decimal(0)
    captured: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    capture_before: datetime | None = None
    failure: str | None = None


class SeenMethod(Struct, frozen=True, kw_only=True):
    """A card or an account that was stored."""

    ref: MethodRef
    kind: str
    brand: str = ""
    last4: str = ""
    expires_on: date | None = None


class SeenSetup(Struct, frozen=True, kw_only=True):
    """How far a setup is."""

    state: Literal["open", "done", "failed"]
    method: SeenMethod | None = None
    failure: str | None = None


class SeenDispute(Struct, frozen=True, kw_only=True):
    """A payment that its payer took back."""

    ref: str
    state: DisputeState
    amount: Money
    reason: str
    opened_at: datetime


class Told(Struct, frozen=True, kw_only=True):
    """A webhook whose signature is good: which event, about what. The event's content is not believed: the object's
    state is asked for.
    """

    event_id: str
    kind: str
    about: About
    refs: tuple[str, ...]
    made_at: datetime


class BalanceLine(Struct, frozen=True, kw_only=True):
    """What moved on our account with the provider: `gross` and `fee` as they changed the balance (gross − fee)."""

    ref: str
    kind: LineKind
    currency: str
    gross: Decimal
    fee: Decimal
    at: datetime
    payment_ref: str | None = None
    text: str = ""


class PaymentProvider(Protocol):
    """A payment provider. Requests with the same `key` are one request.

    All but `parse_webhook` raise ExternalFailure when nobody knows whether it was done (ask again with the same key), and
    with `permanent` when it cannot be done.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    async def checkout(self, order: Order, *, key: str) -> Opened:
        """A page where somebody pays."""
        ...

    async def hold(self, order: Order, method: MethodRef, *, ref: str | None, key: str) -> Seen:
        """Hold on a stored card, without the payer. Raises Declined. `ref`: the payment that was declined before."""
        ...

    async def charge(self, order: Order, method: MethodRef, *, ref: str | None, key: str) -> Seen:
        """Take from a stored card, without the payer. Raises Declined. `ref`: the payment that was declined before."""
        ...

    async def increase(self, ref: str, amount: Money, *, key: str) -> Seen:
        """Hold `amount` in all from now on. Raises Declined: what was held stays held."""
        ...

    async def capture(self, ref: str, amount: Money, *, key: str) -> Seen:
        """Take `amount` of what is held, once; the rest is let go. Raises Declined."""
        ...

    async def cancel(self, ref: str, *, key: str) -> Seen:
        """Let what is held go; a page that nobody paid on is closed."""
        ...

    async def refund(self, ref: str, amount: Money, *, reason: str, key: str) -> Seen:
        """Give back so much of what was captured. Raises Declined."""
        ...

    async def fetch(self, ref: str) -> Seen:
        """How it stands. `ref`: a payment or a page."""
        ...

    async def setup(self, setup_id: UUID, driver_id: UUID, *, email: str | None, return_url: str, key: str) -> Opened:
        """A page where a driver lets us store a card or an account."""
        ...

    async def fetch_setup(self, ref: str) -> SeenSetup:
        """How far it is."""
        ...

    async def forget_method(self, method: MethodRef) -> None:
        """It is not to be used any more; one that is gone already is no error."""
        ...

    async def forget_customer(self, ref: str) -> None:
        """Whoever stored a card, or meant to, with all that is kept of them; who is gone already is no error. What they paid
        can still be given back. `ref`: a method's `customer_ref`, or the page that `setup` made: nobody stores a card there
        any more.
        """
        ...

    async def list_disputes(self, ref: str) -> list[SeenDispute]:
        """Of a payment."""
        ...

    async def list_balance(self, since: datetime, until: datetime) -> Sequence[BalanceLine]:
        """What moved on our account in `since` ≤ time < `until`."""
        ...

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Told:
        """What a webhook tells; header names in lower case. Raises Forged."""
        ...

    async def close(self) -> None:
        """Connections are given back."""
        ...


class Providers:
    """The providers of this installation, by name; the first is who is asked unless said otherwise."""

    def __init__(self, *providers: PaymentProvider) -> None:
        self._known = {one.capabilities.name: one for one in providers}

    @property
    def names(self) -> list[str]:
        """In order."""
        return list(self._known)

    def find(self, name: str | None) -> PaymentProvider | None:
        """The one of that name, without a name the first."""
        if name is None:
            return next(iter(self._known.values()), None)
        return self._known.get(name)

    def get(self, name: str | None = None) -> PaymentProvider:
        """Raises Refused where there is none."""
        found = self.find(name)
        if found is None:
            raise Refused("no payment provider is set up here", code="no_provider")
        return found

    async def close(self) -> None:
        """Of all of them."""
        for one in self._known.values():
            await one.close()
