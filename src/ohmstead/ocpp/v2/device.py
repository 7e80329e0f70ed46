"""OCPP 2.x, us → station: variables, reports, network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, number, parts, read_found, some, told
from ohmstead.ocpp.v2.names import component_name, parse_either, parse_name, variable_name
from ohmstead.stations import orders as o
from ohmstead.stations.features import Features
from ohmstead.stations.model import Variable
from ohmstead.stations.orders.form import OrderForm
from ohmstead.stations.redaction import is_secret

_ATTRIBUTES: dict[str, Any] = {"actual": None, "target": "Target", "min": "MinSet", "max": "MaxSet"}
_BASES: dict[str, Any] = {
    "full": "FullInventory",
    "configuration": "ConfigurationInventory",
    "summary": "SummaryInventory",
}
_CRITERIA: dict[str, Any] = {
    "active": "Active",
    "available": "Available",
    "enabled": "Enabled",
    "problem": "Problem",
}
_VERSIONS: dict[str | None, Any] = {"1.6": "OCPP16", "2.0": "OCPP20", "2.0.1": "OCPP201", "2.1": "OCPP21", None: None}
_AUTHENTICATIONS: dict[str, Any] = {"pap": "PAP", "chap": "CHAP", "none": "NONE", "auto": "AUTO"}


def _get_variables(order: o.GetVariables, station_id: str, features: Features) -> list[Outgoing]:
    if not order.names:
        return [_base_report(o.BaseReport(request_id=order.request_id))]
    attribute = _ATTRIBUTES[order.attribute]
    asked = [
        m.GetVariableDataType(component=c, variable=v, attribute_type=attribute)
        for c, v in map(parse_name, order.names)
    ]
    kind = "get_variables"
    shared = parts(asked, features.most_items.get(kind), features.most_bytes.get(kind), "GetVariables")
    return [_get_some(part, station_id) for part in shared]


def _get_some(asked: list[m.GetVariableDataType], station_id: str) -> Outgoing:
    wanted = [_key(one.component, one.variable) for one in asked]

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetVariablesResponse)
        results = answer.get_variable_result
        known = [r for r in results if r.attribute_status == "Accepted"]
        words = _words(wanted, [(r.component, r.variable, r.attribute_status, None) for r in results], ("Accepted",))
        return Result(
            "accepted" if known else "rejected",
            words if known or len(wanted) > 1 else results[0].attribute_status,
            tuple(
                Variable(
                    station_id=station_id,
                    component=component_name(r.component),
                    variable=variable_name(r.variable),
                    attribute=r.attribute_type or "Actual",
                    value=r.attribute_value,
                )
                for r in known
            ),
        )

    return call("GetVariables", m.GetVariablesRequest(get_variable_data=asked), read)


def _set_variables(order: o.SetVariables, station_id: str, features: Features) -> list[Outgoing]:
    attribute = _ATTRIBUTES[order.attribute]
    wanted = [
        m.SetVariableDataType(attribute_value=value, component=c, variable=v, attribute_type=attribute)
        for (c, v), value in ((parse_name(name), value) for name, value in order.values.items())
    ]
    kind = "set_variables"
    shared = parts(wanted, features.most_items.get(kind), features.most_bytes.get(kind), "SetVariables")
    return [_set_some(part, station_id) for part in shared]


def _set_some(wanted: list[m.SetVariableDataType], station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.SetVariablesResponse)
        values = {_key(w.component, w.variable): w for w in wanted}
        results = answer.set_variable_result
        taken = [r for r in results if r.attribute_status in ("Accepted", "RebootRequired")]
        words = _words(
            list(values),
            [(r.component, r.variable, r.attribute_status, r.attribute_status_info) for r in results],
            ("Accepted",),
        )
        done = tuple(
            Variable(
                station_id=station_id,
                component=component_name(r.component),
                variable=variable_name(r.variable),
                attribute=values[_key(r.component, r.variable)].attribute_type or "Actual",
                value=values[_key(r.component, r.variable)].attribute_value,
                is_pending=r.attribute_status == "RebootRequired",
            )
            for r in taken
            if not is_secret(r.variable.name) and _key(r.component, r.variable) in values
        )
        taken_names = {_key(r.component, r.variable) for r in taken}
        return Result("accepted" if taken_names >= set(values) else "rejected", words, done)

    return call("SetVariables", m.SetVariablesRequest(set_variable_data=wanted), read)


def _key(component: m.ComponentType, variable: m.VariableType) -> str:
    return f"{component_name(component)}.{variable_name(variable)}"


def _words(
    wanted: Sequence[str],
    results: Sequence[tuple[m.ComponentType, m.VariableType, str, m.StatusInfoType | None]],
    good: Sequence[str],
) -> str | None:
    """What the station said of those that did not simply go well, and those that it said nothing of."""
    by_name = {_key(c, v): (status, info) for c, v, status, info in results}
    bad = [f"{name}: {told(*by_name[name])}" for name in wanted if name in by_name and by_name[name][0] not in good]
    silent = [f"{name}: not answered" for name in wanted if name not in by_name]
    return "; ".join(bad + silent) or None


def _base_report(order: o.BaseReport) -> Outgoing:
    payload = m.GetBaseReportRequest(request_id=number(order.request_id), report_base=_BASES[order.what])
    return call("GetBaseReport", payload, read_found)


def _custom_report(order: o.CustomReport, features: Features) -> list[Outgoing]:
    asked = [parse_either(name) for name in order.names]
    kind = "custom_report"
    shared = parts(asked, features.most_items.get(kind), features.most_bytes.get(kind), "GetReport")
    if len(shared) > 1:
        raise Refused(f"this station takes {len(shared[0])} names in one report: ask for fewer, or for a base report")
    payload = m.GetReportRequest(
        request_id=number(order.request_id),
        component_variable=some(asked),
        component_criteria=some(_CRITERIA[one] for one in order.criteria),
    )
    return [call("GetReport", payload, read_found)]


def _network_version(given: str | None, spoken: str | None) -> Any:
    if spoken != "2.0.1":
        return _VERSIONS[given]
    # 2.0.1 wants a version named, and has one word for 2.0 and itself.
    if given == "2.1":
        raise Refused("OCPP 2.0.1 has no network profiles for OCPP 2.1")
    return "OCPP16" if given == "1.6" else "OCPP20"


def _network_profile(order: o.SetNetworkProfile, features: Features) -> list[Outgoing]:
    mobile, vpn = order.mobile, order.vpn
    data = m.NetworkConnectionProfileType(
        ocpp_interface=order.interface.capitalize(),  # type: ignore[arg-type]
        ocpp_transport="JSON",
        message_timeout=order.message_timeout_s,
        ocpp_csms_url=order.url,
        security_profile=order.security_profile,
        ocpp_version=_network_version(order.ocpp_version, features.version),
        identity=order.identity,
        basic_auth_password=order.password,
        apn=m.APNType(
            apn=mobile.apn,
            apn_authentication=_AUTHENTICATIONS[mobile.authentication],
            apn_user_name=mobile.user,
            apn_password=mobile.password,
            sim_pin=mobile.sim_pin,
            preferred_network=mobile.preferred_network,
            use_only_preferred_network=True if mobile.is_preferred_only else None,
        )
        if mobile is not None
        else None,
        vpn=m.VPNType(
            server=vpn.server, user=vpn.user, password=vpn.password, key=vpn.key, type=vpn.type, group=vpn.group
        )
        if vpn is not None
        else None,
    )
    payload = m.SetNetworkProfileRequest(configuration_slot=order.slot, connection_data=data)
    return [call("SetNetworkProfile", payload)]


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.BaseReport: _base_report,
}
# Those that depend on what the station takes: some need several messages.
SPLIT: dict[type[OrderForm], Callable[[Any, str, Features], list[Outgoing]]] = {
    o.GetVariables: _get_variables,
    o.SetVariables: _set_variables,
    o.CustomReport: lambda order, _station_id, features: _custom_report(order, features),
    o.SetNetworkProfile: lambda order, _station_id, features: _network_profile(order, features),
}
