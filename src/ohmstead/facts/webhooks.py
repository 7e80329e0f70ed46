"""What happens to webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ohmstead.facts.kinds import Id, fact


@fact(
    "Webhooks",
    "webhook/<id>",
    webhook_id="019a9d75-7700-7166-8f55-708192a3b4c5",
    url="https://hooks.example.com/ohmstead",
    reason="failing",
)
class WebhookDisabled(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook was switched off by itself, and hears nothing more until somebody switches it on again."""

    webhook_id: Id
    url: str
    reason: Annotated[
        Literal["gone", "failing"],
        Meta(description="gone: it answered 410; failing: it took nothing for three days."),
    ]
