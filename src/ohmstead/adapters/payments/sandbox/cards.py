"""The sandbox's cards: each has a name and behaves as it says. None of them has a number."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from msgspec import Struct

from ohmstead.billing.payments.hosted import TestCard
from ohmstead.core.language import N_


class Script(Struct, frozen=True, kw_only=True):
    """How a card behaves. `refuses`: the word for why; `refuses_later`: the same, when its owner is not there.

    `capture_fails`: how often a capture gets no answer (the first of them is carried out all the same); `refuses_capture`:
    it is refused for good. `holds_for`: how long a hold lasts. `disputes_after`: its owner takes the money back.
    """

    title: str
    meaning: str
    refuses: str | None = None
    refuses_later: str | None = None
    wants_proof: bool = False
    capture_fails: int = 0
    refuses_capture: bool = False
    refuses_refund: bool = False
    holds_for: timedelta = timedelta(days=7)
    disputes_after: timedelta | None = None
    is_dispute_won: bool = False
    webhook_after: timedelta = timedelta(0)
    loses_webhooks: bool = False
    brand: str = "sandbox"
    kind: str = "card"


CARDS: Final[dict[str, Script]] = {
    "good": Script(title=N_("Good card"), meaning=N_("Everything goes well.")),
    "proof": Script(
        title=N_("3-D Secure"),
        meaning=N_("The bank asks whether it is you, each time."),
        wants_proof=True,
        refuses_later="authentication_required",
    ),
    "declined": Script(title=N_("Declined"), meaning=N_("The bank says no."), refuses="declined"),
    "poor": Script(
        title=N_("Insufficient funds"), meaning=N_("There is not enough money."), refuses="insufficient_funds"
    ),
    "poor_later": Script(
        title=N_("Insufficient funds later"),
        meaning=N_("Good today; refused when you are not there."),
        refuses_later="insufficient_funds",
    ),
    "capture_silent": Script(
        title=N_("Capture without an answer"),
        meaning=N_("The money is taken, and twice nobody answers."),
        capture_fails=2,
    ),
    "capture_refused": Script(
        title=N_("Capture refused"), meaning=N_("It is held, and then it cannot be taken."), refuses_capture=True
    ),
    "refund_refused": Script(
        title=N_("Refund refused"), meaning=N_("What was taken cannot be given back."), refuses_refund=True
    ),
    "short_hold": Script(
        title=N_("Hold ends early"), meaning=N_("The hold is over after a minute."), holds_for=timedelta(minutes=1)
    ),
    "disputed": Script(
        title=N_("Chargeback"), meaning=N_("You take the money back later."), disputes_after=timedelta(seconds=5)
    ),
    "disputed_won": Script(
        title=N_("Chargeback refused"),
        meaning=N_("You take the money back later, and your bank gives it to us again."),
        disputes_after=timedelta(seconds=5),
        is_dispute_won=True,
    ),
    "late_news": Script(
        title=N_("Late news"), meaning=N_("We are told twenty seconds later."), webhook_after=timedelta(seconds=20)
    ),
    "no_news": Script(title=N_("No news"), meaning=N_("We are never told, and have to ask."), loses_webhooks=True),
}

LISTED: Final = tuple(TestCard(name=name, title=one.title, meaning=one.meaning) for name, one in CARDS.items())
