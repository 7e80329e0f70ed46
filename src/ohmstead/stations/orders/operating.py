"""Orders about the station as a device: restart, unlock, in and out of service, trigger, vendors' own messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from ohmstead.stations.orders.form import EvseNumber, OrderForm


class Reset(OrderForm, tag="reset", frozen=True, kw_only=True):
    """Restart. soft: finish sessions politely first (1.6 Soft); hard: at once; on_idle: once nothing charges (2.x);
    resume: at once, and go on with the sessions afterwards (2.1)."""

    how: Literal["soft", "hard", "on_idle", "resume"] = "soft"
    evse_number: EvseNumber | None = None


class Unlock(OrderForm, tag="unlock", frozen=True, kw_only=True):
    """Release a connector's cable lock."""

    evse_number: EvseNumber
    connector_number: EvseNumber = 1


class SetAvailability(OrderForm, tag="set_availability", frozen=True, kw_only=True):
    """Take the station, an EVSE or a connector out of service, or put it back."""

    is_operative: bool
    evse_number: EvseNumber | None = None
    connector_number: EvseNumber | None = None


class Trigger(OrderForm, tag="trigger", frozen=True, kw_only=True):
    """Ask the station to send a message now: the OCPP name of the message (`Heartbeat`, `StatusNotification`, …).

    `SignChargingStationCertificate` and `LogStatusNotification` mean the same in every version. `custom` (2.1) names a
    trigger of the vendor's own; `message` is then left out.
    """

    message: Annotated[str, Meta(min_length=1, max_length=60)] = "CustomTrigger"
    evse_number: EvseNumber | None = None
    connector_number: EvseNumber | None = None
    custom: Annotated[str, Meta(min_length=1, max_length=50)] | None = None


class ClearCache(OrderForm, tag="clear_cache", frozen=True, kw_only=True):
    """Forget the tokens that were looked up before."""


class DataTransfer(OrderForm, tag="data_transfer", frozen=True, kw_only=True):
    """A message of a vendor's own. `data` is any JSON; OCPP 1.6 carries it as text.

    Messages of registered vendors (stations.vendors) are checked by name.
    """

    vendor_id: Annotated[str, Meta(min_length=1, max_length=255)]
    message_id: Annotated[str, Meta(min_length=1, max_length=50)] | None = None
    data: Any = None


class Raw(OrderForm, tag="raw", frozen=True, kw_only=True):
    """Any CSMS→station message of the station's version, exactly as given; checked against its schema before it leaves."""

    action: str
    payload: dict[str, Any]
