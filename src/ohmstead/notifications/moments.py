"""What there is to tell of a session as it is: the moments that no event marks. Pure: no database, no clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from ohmstead.core.language import N_
from ohmstead.core.money import minor_units
from ohmstead.notifications import estimating
from ohmstead.notifications.choosing import Quiet, loud_again
from ohmstead.notifications.estimating import Charge, Range
from ohmstead.tariffs.model import Tariff

# Ends that a driver did not ask for, in words for them.
UNEXPECTED: Final = {
    "emergency_stop": N_("the emergency stop was pressed"),
    "power_loss": N_("the power failed"),
    "power_quality": N_("the grid was not good enough"),
    "ground_fault": N_("the station found a fault"),
    "overcurrent_fault": N_("the station found a fault"),
    "reboot": N_("the station restarted"),
    "soft_reset": N_("the station restarted"),
    "hard_reset": N_("the station was reset"),
    "immediate_reset": N_("the station was reset"),
    "deauthorized": N_("your card may not charge any longer"),
    "req_energy_transfer_rejected": N_("the car and the station could not agree"),
    "other": N_("the station gave no reason"),
}
NOTHING_CAME: Final = N_("no energy was delivered")
# Cars pause for a moment when they balance their cells; a car that has enough does not go on.
RESTS_FOR: Final = timedelta(seconds=90)
# Told so long before an idle fee begins, where there is so much time.
AHEAD: Final = timedelta(minutes=10)
# A first estimate needs some charge to go by; a last one is of use while there is time.
ESTIMATES_AFTER: Final = timedelta(minutes=3)
ESTIMATE_WORTH: Final = timedelta(minutes=15)
# What is older says nothing of the car as it is: a station that was offline tells its readings when it is back.
READING_WORTH: Final = timedelta(minutes=15)


class Running(Struct, frozen=True, kw_only=True):
    """A session that goes on. `idle_since`: since when its car takes nothing though it may; None: it does, or never did.
    `idle_before_s`: for how long it did so before.
    """

    started_at: datetime
    charge: Charge
    idle_since: datetime | None
    idle_before_s: int = 0
    tariff: Tariff | None = None
    zone: ZoneInfo = ZoneInfo("UTC")


class Moment(Struct, frozen=True, kw_only=True):
    """A kind of message, and what it says beside what all of a session's do."""

    kind: str
    data: dict[str, Any]


def is_unexpected(stop_reason: str | None) -> bool:
    """Whether a session ended for a reason that its driver does not know of."""
    return stop_reason in UNEXPECTED


def moments_of(running: Running, now: datetime) -> list[Moment]:
    """What there is to tell now. The same comes again as long as it is so: it is told once."""
    found: list[Moment] = []
    charge = running.charge
    if running.idle_since is not None:
        if now - running.idle_since >= RESTS_FOR and charge.energy_wh > 0:
            found.append(Moment(kind="fully_charged", data={"at": running.idle_since}))
        if (fee := _fee_moment(running, now)) is not None:
            found.append(fee)
        return found
    if now - charge.at > READING_WORTH:
        return found
    estimate = estimating.time_to_full(charge)
    if estimating.is_nearly_full(charge, estimate):
        found.append(Moment(kind="nearly_full", data=_range(estimate)))
    elif (
        estimate is not None
        and now - running.started_at >= ESTIMATES_AFTER
        and estimate.latest_at - now >= ESTIMATE_WORTH
    ):
        found.append(Moment(kind="time_to_full", data=_range(estimate)))
    return found


def fee_begins_at(running: Running) -> datetime | None:
    """When an idle fee begins to count, if the car stays as it is; None: it does not."""
    fee = running.tariff.idle_fee if running.tariff is not None else None
    if fee is None or running.idle_since is None or running.charge.energy_wh <= 0:
        return None
    grace = timedelta(minutes=fee.grace_minutes) - timedelta(seconds=running.idle_before_s)
    begins_at = running.idle_since + max(grace, timedelta(0))
    if fee.start_time is None and fee.end_time is None:
        return begins_at
    # The hours without a fee are as quiet hours are: the fee begins when they are over.
    return loud_again(Quiet(_minute(fee.end_time), _minute(fee.start_time), running.zone), begins_at)


def _fee_moment(running: Running, now: datetime) -> Moment | None:
    begins_at = fee_begins_at(running)
    if begins_at is None or running.idle_since is None or running.tariff is None:
        return None
    if begins_at - now > AHEAD or now - running.idle_since < min(RESTS_FOR, begins_at - running.idle_since):
        return None
    fee = {"amount": str(_fee_by_minute(running.tariff)), "currency": running.tariff.currency}
    return Moment(kind="idle_fee", data={"at": begins_at, "fee": fee})


def _fee_by_minute(tariff: Tariff) -> Decimal:
    """With taxes, to the currency's minor unit or as exact as it is written."""
    assert tariff.idle_fee is not None
    price = tariff.idle_fee.price_per_minute
    if tariff.tax_included == "NO":
        price = price * (100 + sum((tax.percentage for tax in tariff.idle_fee.taxes), Decimal(0))) / 100
    written = -int(price.normalize().as_tuple().exponent)
    places = min(max(minor_units(tariff.currency), written), 4)
    return price.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _minute(time: str | None) -> int:
    hours, minutes = (time or "00:00").split(":")
    return int(hours) * 60 + int(minutes)


def _range(found: Range | None) -> dict[str, Any]:
    return {"earliest_at": found.earliest_at, "latest_at": found.latest_at} if found is not None else {}
