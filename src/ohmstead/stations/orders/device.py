"""Orders about a station's configuration: variables, reports, monitoring, streams, network."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from ohmstead.stations.orders.form import Count, Number, OrderForm, Part, RequestId, Secret, Url, Whole

Attribute: TypeAlias = Literal["actual", "target", "min", "max"]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=250)]


class GetVariables(OrderForm, tag="get_variables", frozen=True, kw_only=True):
    """Read configuration. `names`: 1.6 keys, or 2.x `Component.Variable` (`Component[instance]@evse.connector.Variable`).

    Empty names: everything (1.6 GetConfiguration; 2.x a full GetBaseReport, whose chunks arrive afterwards).
    """

    names: tuple[str, ...] = ()
    attribute: Attribute = "actual"
    request_id: RequestId | None = None


class SetVariables(OrderForm, tag="set_variables", frozen=True, kw_only=True):
    """Write configuration, name → value; names as in GetVariables. 1.6 takes one key at a time."""

    values: dict[str, str]
    attribute: Attribute = "actual"


class BaseReport(OrderForm, tag="base_report", frozen=True, kw_only=True):
    """Ask for a whole report: everything, what can be configured, or what is wrong. It comes in chunks."""

    what: Literal["full", "configuration", "summary"] = "full"
    request_id: RequestId | None = None


class CustomReport(OrderForm, tag="custom_report", frozen=True, kw_only=True):
    """Ask for a report on some components or variables (`Component`, `Component.Variable`), or on those that are so."""

    names: tuple[Name, ...] = ()
    criteria: tuple[Literal["active", "available", "enabled", "problem"], ...] = ()
    request_id: RequestId | None = None


class SetMonitoringBase(OrderForm, tag="set_monitoring_base", frozen=True, kw_only=True):
    """Which monitors run: all there are, those from the factory, or those that cannot be taken away."""

    what: Literal["all", "factory", "hard_wired"]


class SetMonitoringLevel(OrderForm, tag="set_monitoring_level", frozen=True, kw_only=True):
    """Events are reported up to this severity; 0 is danger, 9 is debugging."""

    severity: Annotated[int, Meta(ge=0, le=9)]


class Stream(Part, frozen=True, kw_only=True):
    """How often a periodic event stream sends: after so many seconds or so many values."""

    interval_s: Count | None = None
    n_values: Count | None = None


class Monitor(Part, frozen=True, kw_only=True):
    """Tell when a variable passes a threshold, changes by so much, or every so many seconds."""

    name: Name
    type: Literal["above", "below", "delta", "periodic", "periodic_clock", "target_delta", "target_delta_relative"]
    value: Decimal
    severity: Annotated[int, Meta(ge=0, le=9)] = 5
    monitor_id: Whole | None = None
    is_in_session_only: bool = False
    stream: Stream | None = None


class SetMonitors(OrderForm, tag="set_monitors", frozen=True, kw_only=True):
    """Set monitors on variables; one with an id replaces the monitor of that id."""

    monitors: Annotated[tuple[Monitor, ...], Meta(min_length=1, max_length=500)]


class ClearMonitors(OrderForm, tag="clear_monitors", frozen=True, kw_only=True):
    """Take monitors away by their ids."""

    monitor_ids: Annotated[tuple[Whole, ...], Meta(min_length=1, max_length=500)]


class MonitoringReport(OrderForm, tag="monitoring_report", frozen=True, kw_only=True):
    """Ask which monitors there are, on these variables or of these types."""

    names: tuple[Name, ...] = ()
    criteria: tuple[Literal["threshold", "delta", "periodic"], ...] = ()
    request_id: RequestId | None = None


class AdjustEventStream(OrderForm, tag="adjust_event_stream", frozen=True, kw_only=True):
    """2.1: change how often a periodic event stream sends."""

    stream_id: Count
    stream: Stream


class GetEventStreams(OrderForm, tag="get_event_streams", frozen=True, kw_only=True):
    """2.1: ask which periodic event streams are open."""


class MobileAccess(Part, frozen=True, kw_only=True):
    """How a modem comes into its network."""

    apn: Annotated[str, Meta(min_length=1, max_length=2000)]
    authentication: Literal["pap", "chap", "none", "auto"] = "auto"
    user: Annotated[str, Meta(max_length=50)] | None = None
    password: Secret | None = None
    sim_pin: Count | None = None
    preferred_network: Annotated[str, Meta(max_length=6)] | None = None
    is_preferred_only: bool = False


class PrivateNetwork(Part, frozen=True, kw_only=True):
    """A VPN to go through."""

    server: Annotated[str, Meta(min_length=1, max_length=2000)]
    user: Annotated[str, Meta(min_length=1, max_length=50)]
    password: Secret
    key: Annotated[str, Meta(min_length=1, max_length=255)]
    type: Literal["IKEv2", "IPSec", "L2TP", "PPTP"]
    group: Annotated[str, Meta(max_length=50)] | None = None


class SetNetworkProfile(OrderForm, tag="set_network_profile", frozen=True, kw_only=True):
    """Write a place where the station can find us into one of its slots. `interface` as `wired0`, `wireless1` or `any`."""

    slot: Count
    url: Url
    interface: Literal[
        "wired0", "wired1", "wired2", "wired3", "wireless0", "wireless1", "wireless2", "wireless3", "any"
    ] = "wired0"
    security_profile: Annotated[int, Meta(ge=0, le=3)]
    ocpp_version: Literal["1.6", "2.0", "2.0.1", "2.1"] | None = None
    message_timeout_s: Number = 30
    identity: Annotated[str, Meta(min_length=1, max_length=48)] | None = None
    password: Secret | None = None
    mobile: MobileAccess | None = None
    vpn: PrivateNetwork | None = None
