"""Every kind of message: what it is for, its words, the variables they may use, over what it goes if nobody says. Pure.

Words are templates: `{{ variable }}`, `{% if variable %}…{% endif %}`; an empty line begins a paragraph, `**bold**`,
`[label](address)` is a button in mails.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from ohmstead.core.language import N_
from ohmstead.notifications import words
from ohmstead.notifications.model import Channel

Theme: TypeAlias = Literal["charging", "places", "money", "account", "operators"]
THEMES: Final[dict[Theme, str]] = {
    "charging": N_("While charging"),
    "places": N_("Places"),
    "money": N_("Payments and receipts"),
    "account": N_("Account"),
    "operators": N_("For operators"),
}
# How a value is written; text stands as it is, but for what could be taken for markup.
Form: TypeAlias = Literal["text", "money", "energy", "percent", "time", "date", "minutes", "link"]


class Variable(Struct, frozen=True):
    """A value that words can use: its form, what it is, and an example for previews."""

    form: Form
    meaning: str
    example: Any


_EUR = "EUR"
VARIABLES: Final[dict[str, Variable]] = {
    "name": Variable("text", N_("The driver's name; empty for guests"), "Robin"),
    "network": Variable("text", N_("The name of the network"), "Harbour Power"),
    "location": Variable("text", N_("The location's name"), "Harbour East"),
    "station": Variable("text", N_("The station's name, or its id where it has none"), "HARBOUR-01"),
    "plug": Variable("text", N_("The station with its outlet"), "HARBOUR-01 · 2"),
    "energy": Variable("energy", N_("Energy of the session so far, or in the end"), "23450"),
    "total": Variable(
        "money", N_("What the session costs, so far or in the end, with taxes"), {"amount": "12.40", "currency": _EUR}
    ),
    "soc": Variable("percent", N_("The car's state of charge"), "82"),
    "started_at": Variable("time", N_("When the session began"), "2026-03-02T12:10:00Z"),
    "ended_at": Variable("time", N_("When the session ended"), "2026-03-02T12:58:00Z"),
    "duration": Variable("minutes", N_("How long the session took"), 48),
    "at": Variable("time", N_("When it happened, or will"), "2026-03-02T12:58:00Z"),
    "until_at": Variable("time", N_("Until when"), "2026-03-02T13:13:00Z"),
    "day": Variable("date", N_("On which day"), "2026-03-31"),
    "earliest_at": Variable("time", N_("When the car is full at the earliest"), "2026-03-02T12:50:00Z"),
    "latest_at": Variable("time", N_("When the car is full at the latest"), "2026-03-02T13:10:00Z"),
    "minutes": Variable("minutes", N_("How many minutes"), 10),
    "fee": Variable("money", N_("The idle fee by the minute"), {"amount": "0.10", "currency": _EUR}),
    "amount": Variable("money", N_("The amount this is about"), {"amount": "25.00", "currency": _EUR}),
    "limit": Variable("money", N_("The limit this is about"), {"amount": "30.00", "currency": _EUR}),
    "balance": Variable("money", N_("What is in the wallet"), {"amount": "4.20", "currency": _EUR}),
    "reason": Variable("text", N_("Why, in a few words"), "emergency stop"),
    "card": Variable("text", N_("The card, as its holder calls it, or the end of its number"), "…D680"),
    "number": Variable("text", N_("The number of the receipt or invoice"), "R-2026-000041"),
    "count": Variable("text", N_("How many"), "3"),
    "plan": Variable("text", N_("The plan's name"), "Commuter"),
    "code": Variable("text", N_("The code"), "482 913"),
    "link": Variable("link", N_("Where to read more, or do something about it"), "https://charge.example.com/drive"),
    "block_link": Variable("link", N_("Where the card can be blocked"), "https://charge.example.com/drive/me/cards"),
}
# Every message has these.
EVERYWHERE: Final = ("name", "network", "link")
_SESSION: Final = ("location", "station", "plug", "energy", "total", "soc", "started_at", "duration")

_PUSH: Final[tuple[Channel, ...]] = ("push",)
_EMAIL: Final[tuple[Channel, ...]] = ("email",)
_BOTH: Final[tuple[Channel, ...]] = ("push", "email")
_MINUTES: Final = timedelta(minutes=30)
_HOURS: Final = timedelta(hours=6)
_DAYS: Final = timedelta(days=3)


class Kind(Struct, frozen=True, kw_only=True):
    """`usual`: the channels it goes over when a driver chose none; `otherwise`: those when none of them reaches the person.
    `is_urgent`: quiet hours do not hold it. `useful_for`: later than that it is dropped. `is_optional`: can be turned off.
    `for_guests`: who pays without an account is told too. `secret`: variables that are kept no longer than needed, nor shown
    in the log.
    """

    name: str
    theme: Theme
    title: str
    subject: str
    body: str
    variables: tuple[str, ...] = ()
    usual: tuple[Channel, ...] = _EMAIL
    otherwise: tuple[Channel, ...] = ()
    is_urgent: bool = False
    useful_for: timedelta = _DAYS
    is_optional: bool = True
    for_guests: bool = False
    secret: tuple[str, ...] = ()

    @property
    def allowed(self) -> tuple[str, ...]:
        """The variables that its words may use."""
        return tuple(dict.fromkeys((*EVERYWHERE, *self.variables)))

    def example(self) -> dict[str, Any]:
        """Data for a preview."""
        return {name: VARIABLES[name].example for name in self.allowed}


def _kind(name: str, theme: Theme, title: str, **rest: Any) -> Kind:
    subject, body = words.WORDS[name]
    return Kind(name=name, theme=theme, title=title, subject=subject, body=body, **rest)


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        _kind(
            "charging_started",
            "charging",
            N_("Charging started"),
            variables=_SESSION,
            usual=_PUSH,
            useful_for=timedelta(hours=1),
            for_guests=True,
        ),
        _kind(
            "time_to_full",
            "charging",
            N_("Estimated time to full"),
            variables=(*_SESSION, "earliest_at", "latest_at"),
            usual=_PUSH,
            useful_for=timedelta(minutes=10),
        ),
        _kind(
            "nearly_full",
            "charging",
            N_("Nearly full"),
            variables=(*_SESSION, "earliest_at", "latest_at"),
            usual=_PUSH,
            useful_for=timedelta(minutes=15),
        ),
        _kind(
            "fully_charged",
            "charging",
            N_("Fully charged, still plugged in"),
            variables=(*_SESSION, "at"),
            usual=_PUSH,
            otherwise=_EMAIL,
            useful_for=_MINUTES,
            for_guests=True,
        ),
        _kind(
            "idle_fee",
            "charging",
            N_("Idle fee begins"),
            variables=(*_SESSION, "at", "fee"),
            usual=_BOTH,
            otherwise=("sms",),
            is_urgent=True,
            useful_for=_MINUTES,
            for_guests=True,
        ),
        _kind(
            "charging_complete",
            "charging",
            N_("Charging complete"),
            variables=(*_SESSION, "ended_at"),
            usual=_PUSH,
            otherwise=_EMAIL,
            useful_for=_HOURS,
            for_guests=True,
        ),
        _kind(
            "stopped_early",
            "charging",
            N_("Charging stopped unexpectedly"),
            variables=(*_SESSION, "ended_at", "reason"),
            usual=_BOTH,
            otherwise=("sms",),
            is_urgent=True,
            useful_for=_HOURS,
            for_guests=True,
        ),
        _kind(
            "price_limit",
            "charging",
            N_("Your price limit is near or reached"),
            variables=(*_SESSION, "limit"),
            usual=_BOTH,
            otherwise=("sms",),
            is_urgent=True,
            useful_for=_MINUTES,
        ),
        _kind(
            "card_used",
            "charging",
            N_("A card of yours was used"),
            variables=(*_SESSION, "card", "at", "block_link"),
            is_urgent=True,
            useful_for=_HOURS,
        ),
        _kind(
            "plug_free",
            "places",
            N_("A plug is free"),
            variables=("location", "station", "plug"),
            usual=_PUSH,
            otherwise=_EMAIL,
            is_urgent=True,
            useful_for=timedelta(minutes=10),
        ),
        _kind(
            "station_out",
            "places",
            N_("A favourite or watched station is out of service"),
            variables=("location", "station", "at", "reason"),
            usual=_PUSH,
            otherwise=_EMAIL,
            useful_for=_HOURS,
        ),
        _kind(
            "station_back",
            "places",
            N_("A favourite or watched station works again"),
            variables=("location", "station", "at"),
            usual=_PUSH,
            useful_for=_HOURS,
        ),
        _kind(
            "cover_ending",
            "money",
            N_("What covers your session is nearly used up"),
            variables=(*_SESSION, "limit", "amount"),
            usual=_BOTH,
            otherwise=("sms",),
            is_urgent=True,
            useful_for=_MINUTES,
        ),
        _kind(
            "cover_ran_out",
            "money",
            N_("What covered your session is used up"),
            variables=(*_SESSION, "limit", "amount"),
            usual=_BOTH,
            otherwise=("sms",),
            is_urgent=True,
            useful_for=_HOURS,
            for_guests=True,
        ),
        _kind(
            "payment_held",
            "money",
            N_("An amount is held"),
            variables=("amount", "location", "station"),
            usual=_PUSH,
            useful_for=_HOURS,
        ),
        _kind("payment_captured", "money", N_("You paid"), variables=("amount", "location", "station"), usual=_PUSH),
        _kind(
            "payment_failed",
            "money",
            N_("A payment failed"),
            variables=("amount", "reason", "location", "station"),
            usual=_BOTH,
            for_guests=True,
        ),
        _kind(
            "payment_refunded",
            "money",
            N_("You get money back"),
            variables=("amount", "reason", "location", "station"),
            for_guests=True,
        ),
        _kind(
            "debt_opened",
            "money",
            N_("Something is unpaid"),
            variables=("amount",),
            usual=_BOTH,
            is_optional=False,
            for_guests=True,
        ),
        _kind(
            "payment_asked",
            "money",
            N_("You are asked to pay"),
            variables=("amount", "reason"),
            usual=_BOTH,
            is_optional=False,
            useful_for=timedelta(hours=23),
        ),
        _kind("debt_settled", "money", N_("What was unpaid is paid"), variables=("amount",), for_guests=True),
        _kind(
            "receipt_issued",
            "money",
            N_("Receipt"),
            variables=(*_SESSION, "ended_at", "number", "amount"),
            for_guests=True,
        ),
        _kind(
            "invoice_issued",
            "money",
            N_("Invoice or statement"),
            variables=("number", "amount", "day"),
            is_optional=False,
            for_guests=True,
        ),
        *(
            _kind(name, "money", title, variables=("number", "amount", "day"), is_optional=False, for_guests=True)
            for name, title in (
                ("invoice_reminder", N_("First reminder of an invoice")),
                ("invoice_reminder_again", N_("Second reminder of an invoice")),
                ("invoice_reminder_final", N_("Last reminder of an invoice")),
            )
        ),
        _kind(
            "credit_issued",
            "money",
            N_("Credit note"),
            variables=("number", "amount", "day"),
            is_optional=False,
            for_guests=True,
        ),
        _kind("wallet_low", "money", N_("Your wallet is nearly empty"), variables=("balance",), usual=_BOTH),
        _kind(
            "wallet_topped_up",
            "money",
            N_("Your wallet was topped up"),
            variables=("amount",),
            usual=_PUSH,
            otherwise=_EMAIL,
        ),
        _kind("plan_started", "money", N_("A plan began"), variables=("plan", "day", "amount")),
        _kind("plan_ended", "money", N_("A plan ended"), variables=("plan", "day")),
        _kind(
            "sign_in_code",
            "account",
            N_("Code to sign in"),
            variables=("code", "minutes"),
            is_urgent=True,
            is_optional=False,
            useful_for=timedelta(minutes=10),
            secret=("code", "link"),
        ),
        _kind(
            "phone_code",
            "account",
            N_("Code to confirm a telephone number"),
            variables=("code", "minutes"),
            usual=("sms",),
            is_urgent=True,
            is_optional=False,
            useful_for=timedelta(minutes=10),
            secret=("code", "link"),
        ),
        _kind(
            "email_confirmation",
            "account",
            N_("Confirm an e-mail address"),
            variables=("code", "minutes"),
            is_urgent=True,
            is_optional=False,
            useful_for=_HOURS,
            secret=("code", "link"),
        ),
        _kind(
            "operator_station_out",
            "operators",
            N_("A station is out of service"),
            variables=("location", "station", "at", "reason"),
            is_urgent=True,
            useful_for=_HOURS,
        ),
        _kind(
            "operator_station_back",
            "operators",
            N_("A station is back in service"),
            variables=("location", "station", "at"),
            is_urgent=True,
            useful_for=_HOURS,
        ),
        _kind(
            "operator_dispute", "operators", N_("A payment is disputed"), variables=("amount", "reason"), is_urgent=True
        ),
        _kind("operator_difference", "operators", N_("Payments and books differ"), variables=("count",)),
    )
}

FOR_DRIVERS: Final = tuple(kind for kind in KINDS.values() if kind.theme != "operators")
FOR_OPERATORS: Final = tuple(kind for kind in KINDS.values() if kind.theme == "operators")
CHOOSABLE: Final = tuple(kind for kind in FOR_DRIVERS if kind.is_optional)
