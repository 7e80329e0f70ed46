"""What the parameters of an order must fulfil before anything is sent. Pure.

`check` needs the order alone; `check_at` needs to know the station. Both raise Invalid, which names field and rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ohmstead.core.errors import Invalid
from ohmstead.stations import orders as o
from ohmstead.stations import vendors
from ohmstead.stations.features import Features
from ohmstead.stations.orders.drivers import Conditions, Prices
from ohmstead.stations.profile_rules import Fault, profile_faults, profile_faults_at, update_faults

_Faults: TypeAlias = Iterator[Fault]
_TRANSFER = ("http", "https", "ftp", "ftps", "sftp")
_NAME = re.compile(r"[A-Za-z0-9]+")
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_CURVES = frozenset(
    (
        "frequency_watt", "high_frequency_must_trip", "high_frequency_may_trip", "high_voltage_must_trip",
        "high_voltage_cease", "high_voltage_may_trip", "low_frequency_must_trip", "low_voltage_must_trip",
        "low_voltage_cease", "low_voltage_may_trip", "power_monitoring_must_trip", "volt_var", "volt_watt",
        "watt_power_factor", "watt_var",
    )
)  # fmt: skip
_DER_PARTS = {
    "enter_service": "enter_service",
    "frequency_droop": "frequency_droop",
    "fixed_power_factor_absorb": "power_factor",
    "fixed_power_factor_inject": "power_factor",
    "fixed_var": "fixed_var",
    "gradients": "gradients",
    "max_discharge": "max_discharge",
} | dict.fromkeys(_CURVES, "curve")

_TRIGGERS_SINCE_21 = frozenset(("CustomTrigger", "SignV2G20Certificate"))


def check(order: o.Order, now: datetime) -> None:
    """Raises Invalid with the first rule that the parameters break."""
    rules = _RULES.get(type(order))
    if rules is not None:
        _raise(rules(order, now))


def check_at(order: o.Order, features: Features) -> None:
    """The same for what depends on the station: outlets it has, limits it reported. Raises Invalid."""
    _raise(_faults_at(order, features))


def faults(order: o.Order, features: Features, now: datetime) -> _Faults:
    """Every rule that the parameters break, of both kinds."""
    rules = _RULES.get(type(order))
    if rules is not None:
        yield from rules(order, now)
    yield from _faults_at(order, features)


def _raise(faults: _Faults) -> None:
    for field, rule in faults:
        raise Invalid(f"{field}: {rule}", field)


def _faults_at(order: Any, features: Features) -> _Faults:
    yield from _outlet_faults(order, features)
    if features.version == "2.0.1":
        yield from _news_faults(order)
    if isinstance(order, o.SetProfile | o.RemoteStart) and order.profile is not None:
        yield from profile_faults_at(order.profile, features)
    units = features.rate_units
    if isinstance(order, o.CompositeSchedule) and units and order.rate_unit not in (None, *units):
        yield "rate_unit", f"this station reckons in {' and '.join(sorted(units))}"
    if isinstance(order, o.SendLocalList):
        n, most = len(order.entries), features.most_list_entries
        if most is not None and n > most:
            yield "entries", f"{n} entries, and this station keeps {most}"


def _news_faults(order: Any) -> _Faults:
    """What 2.1 added to orders that 2.0.1 knows too. Fields that it added to messages are found by the schema, profiles have
    rules of their own, and 1.6 has no words for any of it."""
    if isinstance(order, o.Reset) and order.how == "resume":
        yield "how", "OCPP 2.0.1 cannot resume sessions after a restart"
    if isinstance(order, o.InstallCertificate) and order.use == "oem_root":
        yield "use", "OCPP 2.0.1 has no roots of vehicles' makers"
    if isinstance(order, o.RemoteStart) and order.limit is not None:
        yield "limit", "OCPP 2.0.1 has no limits of sessions but charging profiles"
    if isinstance(order, o.Trigger) and order.message in _TRIGGERS_SINCE_21:
        yield "message", f"OCPP 2.0.1 has no trigger {order.custom or order.message}"
    if isinstance(order, o.GetLog) and order.log == "data_collector":
        yield "log", "OCPP 2.0.1 has no log of a data collector"
    if isinstance(order, o.DeliverCertificate) and order.use == "v2g20":
        yield "use", "OCPP 2.0.1 has no certificates for ISO 15118-20"


def _outlet_faults(order: Any, features: Features) -> _Faults:
    number, connector = getattr(order, "evse_number", None), getattr(order, "connector_number", None)
    if not number or not features.outlets:
        return
    if number not in features.outlets:
        yield "evse_number", f"this station has no EVSE {number}, only {', '.join(map(str, sorted(features.outlets)))}"
    elif connector and features.outlets[number] and connector not in features.outlets[number]:
        known = ", ".join(map(str, features.outlets[number]))
        yield "connector_number", f"EVSE {number} has no connector {connector}, only {known}"


# ---------------------------------------------------------------------------------------------- of single orders


def _outlet(order: Any, _now: datetime) -> _Faults:
    if order.connector_number is not None and order.evse_number is None:
        yield "evse_number", "is needed where a connector is named"


def _remote_start(order: o.RemoteStart, now: datetime) -> _Faults:
    yield from _outlet(order, now)
    if order.limit is not None:
        yield from _limit(order.limit)
    profile = order.profile
    if profile is None:
        return
    if profile.purpose != "session":
        yield "profile.purpose", "a start takes a profile for the session (F01.FR.09)"
    if profile.transaction_id is not None:
        yield "profile.transaction_id", "there is none yet when a session is started"
    yield from profile_faults(profile)


def _limit(limit: o.SessionLimit) -> _Faults:
    for name in ("max_cost", "max_energy_wh"):
        value = getattr(limit, name)
        if value is not None and not (value.is_finite() and value >= 0):
            yield f"limit.{name}", "must be a number from 0 on"
    if all(getattr(limit, name) is None for name in limit.__struct_fields__):
        yield "limit", "names no limit"


def _set_profile(order: o.SetProfile, _now: datetime) -> _Faults:
    profile, evse = order.profile, order.evse_number
    if profile.purpose == "session":
        if evse == 0:
            yield "evse_number", "a session charges at an EVSE from 1 on (K01.FR.16)"
        if profile.transaction_id is None:
            yield "profile.transaction_id", "is needed for a profile for a session (K01.FR.03)"
    elif profile.transaction_id is not None:
        yield "profile.transaction_id", "belongs to profiles for a session alone"
    if profile.purpose in ("station_max", "local_generation") and evse != 0:
        yield "evse_number", "a limit of the whole station is set at 0"
    yield from profile_faults(profile)


def _clear_profiles(order: o.ClearProfiles, _now: datetime) -> _Faults:
    if order.profile_id is not None and (order.evse_number, order.purpose, order.stack_level) != (None, None, None):
        yield "profile_id", "is given alone, without evse_number, purpose or stack_level"


def _get_profiles(order: o.GetProfiles, _now: datetime) -> _Faults:
    if order.profile_ids and (order.purpose is not None or order.stack_level is not None or order.sources):
        yield "profile_ids", "are given alone, without purpose, stack_level or sources (K09)"


def _update_schedule(order: o.UpdateSchedule, _now: datetime) -> _Faults:
    yield from update_faults(order.limits)


def _trigger(order: o.Trigger, now: datetime) -> _Faults:
    yield from _outlet(order, now)
    if _NAME.fullmatch(order.message) is None:
        yield "message", "is no name of a message"
    if (order.message == "CustomTrigger") != (order.custom is not None):
        yield "custom", "names the vendor's trigger; message is then left out"


def _data_transfer(order: o.DataTransfer, _now: datetime) -> _Faults:
    if (fault := vendors.fault_of(order.vendor_id, order.message_id)) is not None:
        yield "message_id", fault


def _get_variables(order: o.GetVariables, _now: datetime) -> _Faults:
    if any(not name.strip() for name in order.names):
        yield "names", "a name is empty"
    if not order.names and order.attribute != "actual":
        yield "names", "are needed where another attribute than actual is asked for"


def _set_variables(order: o.SetVariables, _now: datetime) -> _Faults:
    if not order.values:
        yield "values", "is empty"
    if any(not name.strip() for name in order.values):
        yield "values", "a name is empty"


def _custom_report(order: o.CustomReport, _now: datetime) -> _Faults:
    if not order.names and not order.criteria:
        yield "names", "or criteria are needed; base_report reports everything"


def _set_monitors(order: o.SetMonitors, _now: datetime) -> _Faults:
    given = [m.monitor_id for m in order.monitors if m.monitor_id is not None]
    if len(given) != len(set(given)):
        yield "monitors", "an id is there twice"
    for n, monitor in enumerate(order.monitors):
        if monitor.type in ("periodic", "periodic_clock") and monitor.value <= 0:
            yield f"monitors.{n}.value", "is the interval in seconds, more than 0"
        if monitor.type == "delta" and monitor.value < 0:
            yield f"monitors.{n}.value", "is a difference, not negative (N04.FR.14)"
        if monitor.stream is not None and monitor.type not in ("periodic", "periodic_clock"):
            yield f"monitors.{n}.stream", "belongs to periodic monitors"


def _adjust_stream(order: o.AdjustEventStream, _now: datetime) -> _Faults:
    if order.stream.interval_s is None and order.stream.n_values is None:
        yield "stream", "interval_s or n_values is needed"


def _network_profile(order: o.SetNetworkProfile, _now: datetime) -> _Faults:
    scheme = _scheme_of(order.url)
    if scheme not in ("ws", "wss"):
        yield "url", "begins with wss:// or ws://"
    if order.security_profile >= 2 and scheme != "wss":
        yield "url", f"security profile {order.security_profile} takes wss://"


def _log(order: o.GetLog | o.GetDiagnostics, _now: datetime) -> _Faults:
    if _scheme_of(order.url) not in _TRANSFER:
        yield "url", f"begins with one of {', '.join(_TRANSFER)}, and names a host"
    if order.since is not None and order.until is not None and order.since >= order.until:
        yield "until", "is later than since"


def _update_firmware(order: o.UpdateFirmware, _now: datetime) -> _Faults:
    if _scheme_of(order.url) not in _TRANSFER:
        yield "url", f"begins with one of {', '.join(_TRANSFER)}, and names a host"
    if (order.signature is None) != (order.certificate is None):
        yield "signature" if order.signature is None else "certificate", "signature and certificate come together"
    if order.install_at is not None and order.install_at < order.retrieve_at:
        yield "install_at", "is not before retrieve_at"


def _publish_firmware(order: o.PublishFirmware | o.UnpublishFirmware, _now: datetime) -> _Faults:
    if isinstance(order, o.PublishFirmware) and _scheme_of(order.url) not in _TRANSFER:
        yield "url", f"begins with one of {', '.join(_TRANSFER)}, and names a host"
    if _MD5.fullmatch(order.checksum) is None:
        yield "checksum", "is an MD5 in 32 hexadecimal digits"


def _install_certificate(order: o.InstallCertificate, _now: datetime) -> _Faults:
    if "-----BEGIN CERTIFICATE-----" not in order.certificate:
        yield "certificate", "is no certificate in PEM"


def _deliver_certificate(order: o.DeliverCertificate, _now: datetime) -> _Faults:
    if "-----BEGIN CERTIFICATE-----" not in order.chain:
        yield "chain", "is no certificate in PEM"


def _customer_information(order: o.CustomerInformation, _now: datetime) -> _Faults:
    if not order.is_reported and not order.is_cleared:
        yield "is_reported", "or is_cleared is needed"
    if sum(part is not None for part in (order.token, order.customer_id, order.certificate)) != 1:
        yield "token", "one of token, customer_id and certificate is given, and only one"


def _local_list(order: o.SendLocalList, now: datetime) -> _Faults:
    if order.version < 1 or order.version > 2_147_483_647:
        yield "version", "is a positive number (D01.FR.18)"
    seen: set[tuple[str, str]] = set()
    for n, entry in enumerate(order.entries):
        key = (entry.uid.lower(), entry.type)
        if key in seen:
            yield f"entries.{n}.uid", "is there twice"
        seen.add(key)
        if entry.status is None and order.update == "full":
            yield f"entries.{n}.status", "is needed in a full list"


def _reserve(order: o.Reserve, now: datetime) -> _Faults:
    if order.expires_at <= now:
        yield "expires_at", "is over already"


def _display_message(order: o.SetDisplayMessage, now: datetime) -> _Faults:
    if order.from_at is not None and order.until_at is not None and order.from_at >= order.until_at:
        yield "until_at", "is later than from_at"
    if order.until_at is not None and order.until_at <= now:
        yield "until_at", "is over already"


def _update_cost(order: o.UpdateCost, _now: datetime) -> _Faults:
    if order.total_cost < 0:
        yield "total_cost", "is not negative"


def _tariff(order: o.SetDefaultTariff | o.ChangeSessionTariff, _now: datetime) -> _Faults:
    tariff = order.tariff
    parts = {
        name: getattr(tariff, name)
        for name in ("energy", "charging_time", "idle_time", "fixed", "reservation_time", "reservation_fixed")
    }
    if not any(parts.values()):
        yield "tariff", "has no price"
    for name, prices in parts.items():
        if prices is not None:
            yield from _price_faults(f"tariff.{name}", prices)


def _price_faults(field: str, prices: Prices) -> _Faults:
    for n, price in enumerate(prices.prices):
        conditions = price.conditions
        if conditions is None:
            continue
        for least, most in _BOUNDS:
            low, high = getattr(conditions, least), getattr(conditions, most)
            if low is not None and high is not None and low >= high:
                yield f"{field}.prices.{n}.conditions.{most}", f"is more than {least}"
        if field.endswith("fixed"):
            given = next((name for name in conditions.__struct_fields__ if _is_running(conditions, name)), None)
            if given is not None:
                yield f"{field}.prices.{n}.conditions.{given}", "is not known when a fixed price is due"
    for n, tax in enumerate(prices.taxes):
        if not Decimal(0) <= tax.percent <= 1000:
            yield f"{field}.taxes.{n}.percent", "is from 0 to 1000"


_BOUNDS = (
    *((name, name.replace("min_", "max_", 1)) for name in Conditions.__struct_fields__ if name.startswith("min_")),
    ("from_on", "until_on"),
)


def _is_running(conditions: Conditions, name: str) -> bool:
    return name.startswith(("min_", "max_")) and getattr(conditions, name) is not None


def _der(order: o.SetDerControl, _now: datetime) -> _Faults:
    wanted = _DER_PARTS[order.type]
    given = [name for name in dict.fromkeys(_DER_PARTS.values()) if getattr(order, name) is not None]
    if given != [wanted]:
        yield wanted, f"is what {order.type} takes, and nothing else"
    part = getattr(order, wanted)
    if part is not None and order.is_default and getattr(part, "starts_at", None) is not None:
        yield f"{wanted}.starts_at", "a default control holds whenever no other does"


def _clear_der(order: o.ClearDerControls | o.GetDerControls, _now: datetime) -> _Faults:
    if order.control_id is not None and order.type is not None:
        yield "control_id", "is given alone, without type"


def _scheme_of(url: str) -> str | None:
    """None for what is no address at all."""
    if any(character.isspace() for character in url):
        return None
    try:
        parts = urlsplit(url)
        return parts.scheme.lower() if parts.hostname else None
    except ValueError:
        return None


_RULES: dict[type[Any], Callable[[Any, datetime], _Faults]] = {
    o.RemoteStart: _remote_start,
    o.SetProfile: _set_profile,
    o.ClearProfiles: _clear_profiles,
    o.GetProfiles: _get_profiles,
    o.UpdateSchedule: _update_schedule,
    o.SetAvailability: _outlet,
    o.Trigger: _trigger,
    o.DataTransfer: _data_transfer,
    o.GetVariables: _get_variables,
    o.SetVariables: _set_variables,
    o.CustomReport: _custom_report,
    o.SetMonitors: _set_monitors,
    o.AdjustEventStream: _adjust_stream,
    o.SetNetworkProfile: _network_profile,
    o.GetLog: _log,
    o.GetDiagnostics: _log,
    o.UpdateFirmware: _update_firmware,
    o.PublishFirmware: _publish_firmware,
    o.UnpublishFirmware: _publish_firmware,
    o.InstallCertificate: _install_certificate,
    o.DeliverCertificate: _deliver_certificate,
    o.CustomerInformation: _customer_information,
    o.SendLocalList: _local_list,
    o.Reserve: _reserve,
    o.SetDisplayMessage: _display_message,
    o.UpdateCost: _update_cost,
    o.SetDefaultTariff: _tariff,
    o.ChangeSessionTariff: _tariff,
    o.SetDerControl: _der,
    o.ClearDerControls: _clear_der,
    o.GetDerControls: _clear_der,
}
