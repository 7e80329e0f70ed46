"""What happens to drivers. Nothing in here says who they are: it outlives their erasure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from ohmstead.facts.kinds import OPERATOR, By, Id, fact

_DRIVER = {"driver_id": "019a9d5f-2200-7c11-8a00-1f2e3d4c5b6a", "by": OPERATOR}


class DriverFact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which driver, and who did it."""

    driver_id: Id
    by: By


class DriverWithTokens(DriverFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was done to a driver and to tokens of theirs in one step."""

    n_tokens: Annotated[int, Meta(description="How many tokens changed with them.")]


@fact("Drivers", "driver/<id>", **_DRIVER)
class DriverCreated(DriverFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver was created."""


@fact("Drivers", "driver/<id>", **_DRIVER, fields=["email"])
class DriverChanged(DriverFact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver was changed."""

    fields: Annotated[list[str], Meta(description="What was set.")]


@fact("Drivers", "driver/<id>", **_DRIVER, n_tokens=2)
class DriverBlocked(DriverWithTokens, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No token of a driver begins a session any more."""


@fact("Drivers", "driver/<id>", **_DRIVER, n_tokens=2)
class DriverUnblocked(DriverWithTokens, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver may charge again, with the tokens that were blocked with them."""


@fact("Drivers", "driver/<id>", **_DRIVER, n_tokens=2)
class DriverErased(DriverWithTokens, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was known of a driver is gone, with their tokens. Their sessions stay, under a pseudonym."""
