"""Orders about the people who charge: local lists, reservations, displays, prices, payment at the station."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from ohmstead.stations.orders.form import (
    Count,
    EvseNumber,
    Instant,
    Number,
    OrderForm,
    Outlet,
    Part,
    RequestId,
    Text,
    TokenRef,
    TransactionId,
    Uid,
    Whole,
)

Day: TypeAlias = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Clock: TypeAlias = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM, the station's time.")]
TariffId: TypeAlias = Annotated[str, Meta(min_length=1, max_length=60)]


class GetLocalListVersion(OrderForm, tag="get_local_list_version", frozen=True, kw_only=True):
    """Ask which version of the local list the station has."""


class ListedToken(Part, frozen=True, kw_only=True):
    """A token in a local list. In a differential update an entry without `status` is taken off."""

    uid: Uid
    type: Annotated[str, Meta(min_length=1, max_length=20)] = "ISO14443"
    status: Literal["accepted", "blocked", "expired", "invalid"] | None = "accepted"
    expires_at: Instant | None = None
    group_uid: Uid | None = None


class SendLocalList(OrderForm, tag="send_local_list", frozen=True, kw_only=True):
    """Give the station tokens that it may accept by itself: the whole list, or what changed since the version before."""

    version: int
    update: Literal["full", "differential"] = "full"
    entries: tuple[ListedToken, ...] = ()


class Reserve(OrderForm, tag="reserve", frozen=True, kw_only=True):
    """Keep an EVSE free for a token until `expires_at`. Without `evse_number`, any that fits.

    `connector_standard` (2.x): as OCPI or as OCPP names it.
    """

    token: TokenRef
    expires_at: Instant
    reservation_id: RequestId | None = None
    evse_number: EvseNumber | None = None
    connector_standard: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    group: TokenRef | None = None


class CancelReservation(OrderForm, tag="cancel_reservation", frozen=True, kw_only=True):
    """Give a reserved EVSE free."""

    reservation_id: Whole


class SetDisplayMessage(OrderForm, tag="set_display_message", frozen=True, kw_only=True):
    """Show a text; one with the same id is replaced. `texts`: the same in other languages (2.1)."""

    message_id: Whole
    priority: Literal["always_in_front", "in_front", "normal"] = "normal"
    text: Text
    while_state: Literal["charging", "faulted", "idle", "unavailable", "suspended", "discharging"] | None = None
    from_at: Instant | None = None
    until_at: Instant | None = None
    transaction_id: TransactionId | None = None
    display: Annotated[str, Meta(min_length=1, max_length=250)] | None = None
    texts: Annotated[tuple[Text, ...], Meta(max_length=4)] = ()


class GetDisplayMessages(OrderForm, tag="get_display_messages", frozen=True, kw_only=True):
    """Ask which texts are shown; they come in reports with `request_id`."""

    message_ids: tuple[Whole, ...] = ()
    priority: Literal["always_in_front", "in_front", "normal"] | None = None
    while_state: Literal["charging", "faulted", "idle", "unavailable", "suspended", "discharging"] | None = None
    request_id: RequestId | None = None


class ClearDisplayMessage(OrderForm, tag="clear_display_message", frozen=True, kw_only=True):
    """Take a text off the display."""

    message_id: Whole


class UpdateCost(OrderForm, tag="update_cost", frozen=True, kw_only=True):
    """Show what the session costs so far, in the currency of its tariff; with `is_final` the bill.

    2.x takes the total alone, and no bill: that is in the answer to the session's end. 1.6 stations take it as California
    pricing (`org.openchargealliance.costmsg`), with the rest; `price_text`, a sentence for the driver, is then said first.
    """

    transaction_id: TransactionId
    total_cost: Decimal
    is_final: bool = False
    meter_wh: Count | None = None
    state: Literal["charging", "idle"] = "charging"
    at: Instant | None = None
    price_kwh: Decimal | None = None
    price_text: Annotated[str, Meta(max_length=512)] | None = None
    token_uid: Uid | None = None


class Conditions(Part, frozen=True, kw_only=True):
    """When a price holds. Energies in Wh, currents in A, powers in W, times in s since the session's begin."""

    from_time: Clock | None = None
    until_time: Clock | None = None
    days: tuple[Day, ...] = ()
    from_on: date | None = None
    until_on: date | None = None
    current_type: Literal["AC", "DC"] | None = None
    min_energy_wh: Decimal | None = None
    max_energy_wh: Decimal | None = None
    min_current_a: Decimal | None = None
    max_current_a: Decimal | None = None
    min_power_w: Decimal | None = None
    max_power_w: Decimal | None = None
    min_time_s: Count | None = None
    max_time_s: Count | None = None
    min_charging_time_s: Count | None = None
    max_charging_time_s: Count | None = None
    min_idle_time_s: Count | None = None
    max_idle_time_s: Count | None = None
    payment_brand: Annotated[str, Meta(max_length=20)] | None = None
    payment_recognition: Annotated[str, Meta(max_length=20)] | None = None


class Price(Part, frozen=True, kw_only=True):
    """A price while its conditions hold: per kWh, per minute, or once."""

    price: Decimal
    conditions: Conditions | None = None


class Tax(Part, frozen=True, kw_only=True):
    """A tax on a price, in percent. `stack`: 0 on the price, 1 on that with its tax, and so on."""

    name: Annotated[str, Meta(min_length=1, max_length=20)]
    percent: Decimal
    stack: Count | None = None


class Prices(Part, frozen=True, kw_only=True):
    """The prices of one thing; the first whose conditions hold counts."""

    prices: Annotated[tuple[Price, ...], Meta(min_length=1)]
    taxes: Annotated[tuple[Tax, ...], Meta(max_length=5)] = ()


class Bound(Part, frozen=True, kw_only=True):
    """A least or greatest cost."""

    without_tax: Decimal | None = None
    with_tax: Decimal | None = None
    taxes: Annotated[tuple[Tax, ...], Meta(max_length=5)] = ()


class StationTariff(Part, frozen=True, kw_only=True):
    """A tariff that a station reckons with by itself. Energy is priced per kWh, time per minute."""

    tariff_id: TariffId
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217.")]
    description: Annotated[tuple[Text, ...], Meta(max_length=10)] = ()
    valid_from: Instant | None = None
    energy: Prices | None = None
    charging_time: Prices | None = None
    idle_time: Prices | None = None
    fixed: Prices | None = None
    reservation_time: Prices | None = None
    reservation_fixed: Prices | None = None
    min_cost: Bound | None = None
    max_cost: Bound | None = None


class SetDefaultTariff(OrderForm, tag="set_default_tariff", frozen=True, kw_only=True):
    """2.1: the tariff of whoever has none of their own, at an EVSE or everywhere."""

    tariff: StationTariff
    evse_number: Outlet = 0


class GetTariffs(OrderForm, tag="get_tariffs", frozen=True, kw_only=True):
    """2.1: ask which tariffs the station has."""

    evse_number: Outlet = 0


class ClearTariffs(OrderForm, tag="clear_tariffs", frozen=True, kw_only=True):
    """2.1: take tariffs away: these, those of an EVSE, or all."""

    tariff_ids: tuple[TariffId, ...] = ()
    evse_number: Outlet | None = None


class ChangeSessionTariff(OrderForm, tag="change_session_tariff", frozen=True, kw_only=True):
    """2.1: go on with another tariff in a session that is under way."""

    transaction_id: TransactionId
    tariff: StationTariff


class RequestBatterySwap(OrderForm, tag="request_battery_swap", frozen=True, kw_only=True):
    """2.1: begin the exchange of a battery for a token."""

    token: TokenRef
    request_id: RequestId | None = None


class AnnounceWebPayment(OrderForm, tag="announce_web_payment", frozen=True, kw_only=True):
    """2.1: somebody pays by phone for this EVSE just now; the station waits for so many seconds."""

    evse_number: Outlet
    timeout_s: Number
