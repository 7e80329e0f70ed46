"""OCPP 2.x, us → station: monitors of variables and their events (N02–N08), 2.1's periodic event streams (N11–N15)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ohmstead.core.db import Connection
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, number, parts, read_found, read_raw, some, told
from ohmstead.ocpp.v2.names import component_name, parse_either, parse_name, variable_name
from ohmstead.ocpp.work import snake
from ohmstead.stations import orders as o
from ohmstead.stations.device import service as device
from ohmstead.stations.device.model import CUSTOM, Monitor
from ohmstead.stations.features import Features
from ohmstead.stations.orders.form import OrderForm

_CRITERIA: dict[str, Any] = {
    "threshold": "ThresholdMonitoring",
    "delta": "DeltaMonitoring",
    "periodic": "PeriodicMonitoring",
}
_BASES: dict[str, Any] = {"all": "All", "factory": "FactoryDefault", "hard_wired": "HardWiredOnly"}
_MONITORS: dict[str, Any] = {
    "above": "UpperThreshold",
    "below": "LowerThreshold",
    "delta": "Delta",
    "periodic": "Periodic",
    "periodic_clock": "PeriodicClockAligned",
    "target_delta": "TargetDelta",
    "target_delta_relative": "TargetDeltaRelative",
}
# What the station has no monitor of is not there any more, whoever took it away.
_GONE = ("Accepted", "NotFound")


def _base(order: o.SetMonitoringBase, station_id: str, _features: Features) -> list[Outgoing]:
    async def keep(conn: Connection) -> None:
        await device.monitoring_based(conn, station_id, order.what)

    def read(answer: msgspec.Struct) -> Result:
        result = read_raw(answer)
        return msgspec.structs.replace(result, keep=keep) if result.status == "accepted" else result

    return [call("SetMonitoringBase", m.SetMonitoringBaseRequest(monitoring_base=_BASES[order.what]), read)]


def _level(order: o.SetMonitoringLevel) -> Outgoing:
    return call("SetMonitoringLevel", m.SetMonitoringLevelRequest(severity=order.severity))


def _stream(given: o.Stream) -> m.PeriodicEventStreamParamsType:
    return m.PeriodicEventStreamParamsType(interval=given.interval_s, values=given.n_values)


def _monitor(given: o.Monitor) -> m.SetMonitoringDataType:
    component, variable = parse_name(given.name)
    return m.SetMonitoringDataType(
        value=given.value,
        type=_MONITORS[given.type],
        severity=given.severity,
        component=component,
        variable=variable,
        id=given.monitor_id,
        periodic_event_stream=_stream(given.stream) if given.stream is not None else None,
        transaction=True if given.is_in_session_only else None,
    )


def _set(order: o.SetMonitors, station_id: str, features: Features) -> list[Outgoing]:
    wanted = [_monitor(one) for one in order.monitors]
    kind = "set_monitors"
    shared = parts(wanted, features.most_items.get(kind), features.most_bytes.get(kind), "SetVariableMonitoring")
    return [_set_some(part, station_id) for part in shared]


def _set_some(wanted: list[m.SetMonitoringDataType], station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.SetVariableMonitoringResponse)
        results = answer.set_monitoring_result
        bad = [
            f"{component_name(r.component)}.{variable_name(r.variable)}: {told(r.status, r.status_info)}"
            for r in results
            if r.status != "Accepted"
        ]
        if len(results) < len(wanted):
            bad.append(f"{len(wanted) - len(results)} not answered")
        taken = _taken(wanted, results, station_id)

        async def keep(conn: Connection) -> None:
            await device.monitors_set(conn, taken)

        return Result("rejected" if bad else "accepted", "; ".join(bad) or None, keep=keep if taken else None)

    return call("SetVariableMonitoring", m.SetVariableMonitoringRequest(set_monitoring_data=wanted), read)


def _taken(
    wanted: Sequence[m.SetMonitoringDataType], results: Sequence[m.SetMonitoringResultType], station_id: str
) -> list[Monitor]:
    """Monitors as the station took them. Its answer has their ids but not their values, and need not be in our order."""
    waiting: dict[tuple[str, str, str, int], deque[m.SetMonitoringDataType]] = {}
    for one in wanted:
        waiting.setdefault(_key(one), deque()).append(one)
    taken: list[Monitor] = []
    for result in results:
        alike = waiting.get(_key(result))
        if not alike:
            continue
        # Those that are alike but for their values are answered in the order they were sent, unless an id tells.
        one = next((a for a in alike if a.id is not None and a.id == result.id), alike[0])
        alike.remove(one)
        if result.status == "Accepted" and result.id is not None:
            taken.append(
                Monitor(
                    station_id=station_id,
                    monitor_id=result.id,
                    component=component_name(one.component),
                    variable=variable_name(one.variable),
                    kind=snake(one.type),
                    value=one.value,
                    severity=one.severity,
                    is_transaction_only=bool(one.transaction),
                    event_kind=CUSTOM,
                )
            )
    return taken


def _key(one: m.SetMonitoringDataType | m.SetMonitoringResultType) -> tuple[str, str, str, int]:
    return component_name(one.component).lower(), variable_name(one.variable).lower(), one.type, one.severity


def _clear(order: o.ClearMonitors, station_id: str, features: Features) -> list[Outgoing]:
    kind = "clear_monitors"
    ids = list(order.monitor_ids)
    shared = parts(ids, features.most_items.get(kind), features.most_bytes.get(kind), "ClearVariableMonitoring")

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.ClearVariableMonitoringResponse)
        results = answer.clear_monitoring_result
        bad = [f"{r.id}: {told(r.status, r.status_info)}" for r in results if r.status != "Accepted"]
        gone = [r.id for r in results if r.status in _GONE]

        async def keep(conn: Connection) -> None:
            await device.monitors_cleared(conn, station_id, gone)

        return Result("rejected" if bad else "accepted", "; ".join(bad) or None, keep=keep if gone else None)

    return [call("ClearVariableMonitoring", m.ClearVariableMonitoringRequest(id=part), read) for part in shared]


def _report(order: o.MonitoringReport) -> Outgoing:
    payload = m.GetMonitoringReportRequest(
        request_id=number(order.request_id),
        component_variable=some(parse_either(name) for name in order.names),
        monitoring_criteria=some(_CRITERIA[one] for one in order.criteria),
    )
    return call("GetMonitoringReport", payload, read_found)


def _adjust(order: o.AdjustEventStream) -> Outgoing:
    payload = m.AdjustPeriodicEventStreamRequest(id=order.stream_id, params=_stream(order.stream))
    return call("AdjustPeriodicEventStream", payload)


def _streams(_order: o.GetEventStreams) -> Outgoing:
    return call("GetPeriodicEventStream", m.GetPeriodicEventStreamRequest())


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.SetMonitoringLevel: _level,
    o.MonitoringReport: _report,
    o.AdjustEventStream: _adjust,
    o.GetEventStreams: _streams,
}
# Those that depend on what the station takes, or of which is kept what became of them.
SPLIT: dict[type[OrderForm], Callable[[Any, str, Features], list[Outgoing]]] = {
    o.SetMonitoringBase: _base,
    o.SetMonitors: _set,
    o.ClearMonitors: _clear,
}
