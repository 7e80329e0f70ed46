"""OCPP 2.x device model: variables read and written, reports in chunks, monitors kept."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from msgspec import Struct

from ohmstead.ocpp.v2 import messages as m
from ohmstead.simulator import device
from ohmstead.simulator.clock import iso
from ohmstead.simulator.link import Answer, Message
from ohmstead.simulator.speaker import Answerer

if TYPE_CHECKING:
    from ohmstead.simulator.outlet import Outlet
    from ohmstead.simulator.station import Station

Result: TypeAlias = Answer | Struct
CHUNK = 20


class Monitor(Struct, frozen=True):
    """A monitor that the CSMS has set."""

    monitor_id: int
    data: m.SetMonitoringDataType


class Entry(Struct, frozen=True):
    """One variable of the device model as it stands."""

    component: m.ComponentType
    variable: m.VariableType
    value: str | None
    access: str = "ReadOnly"
    data_type: str = "string"
    unit: str | None = None
    values: str | None = None
    is_settable: bool = False


def inventory(station: "Station") -> Iterator[Entry]:
    """Every variable: the settings table, then the station, its EVSEs and connectors."""
    for setting in device.listed2():
        name, variable, instance = cast(device.Name2, setting.name2)
        yield Entry(
            m.ComponentType(name=name),
            m.VariableType(name=variable, instance=instance),
            station.device.read(setting),
            setting.access,
            setting.data_type,
            setting.unit,
            setting.values,
            setting.access != "ReadOnly",
        )
    plan = station.plan
    root = m.ComponentType(name="ChargingStation")
    available = "Available" if station.is_operative else "Unavailable"
    for name, value, data_type in (
        ("Available", "true", "boolean"),
        ("AvailabilityState", available, "OptionList"),
        ("Model", plan.model, "string"),
        ("VendorName", plan.vendor, "string"),
        ("SerialNumber", plan.serial_number, "string"),
        ("FirmwareVersion", plan.firmware_version, "string"),
        ("SupplyPhases", str(max(e.phases for e in plan.evses)), "integer"),
        ("Problem", "false", "boolean"),
    ):
        yield Entry(root, m.VariableType(name=name), value, data_type=data_type)
    for outlet in station.outlets.values():
        yield from _of_outlet(outlet)


def _of_outlet(outlet: "Outlet") -> Iterator[Entry]:
    plan = outlet.plan
    state = {"Available": "Available", "Reserved": "Reserved", "Unavailable": "Unavailable", "Faulted": "Faulted"}.get(
        outlet.status, "Occupied"
    )
    evse = m.ComponentType(name="EVSE", evse=m.EVSEType(id=plan.number))
    connector = m.ComponentType(name="Connector", evse=m.EVSEType(id=plan.number, connector_id=1))
    for component, name, value, data_type, unit in (
        (evse, "Available", "true", "boolean", None),
        (evse, "AvailabilityState", state, "OptionList", None),
        (evse, "SupplyPhases", str(plan.phases), "integer", None),
        (evse, "Power", str(round(outlet.meter.power_w)), "decimal", "W"),
        (connector, "Available", "true", "boolean", None),
        (connector, "AvailabilityState", state, "OptionList", None),
        (connector, "ConnectorType", "cCCS2" if plan.is_dc else "cType2", "string", None),
        (connector, "SupplyPhases", str(plan.phases), "integer", None),
        (connector, "Problem", "true" if outlet.fault else "false", "boolean", None),
    ):
        yield Entry(component, m.VariableType(name=name), value, data_type=data_type, unit=unit)


def _is_same(asked: m.ComponentType, variable: m.VariableType | None, entry: Entry) -> bool:
    """Does a criterion mean this entry? Names are compared without regard to case; what is left out means any."""
    if asked.name.casefold() != entry.component.name.casefold():
        return False
    if asked.evse is not None:
        mine = entry.component.evse
        if mine is None or mine.id != asked.evse.id or asked.evse.connector_id not in (None, mine.connector_id):
            return False
    if variable is None:
        return True
    instance = (variable.instance or "").casefold()
    return (
        variable.name.casefold() == entry.variable.name.casefold()
        and instance == (entry.variable.instance or "").casefold()
    )


def _find(station: "Station", component: m.ComponentType, variable: m.VariableType) -> Entry | str:
    """The entry, or what is unknown about it as OCPP spells it."""
    is_component_known = False
    for entry in inventory(station):
        if _is_same(component, None, entry):
            is_component_known = True
            if _is_same(component, variable, entry):
                return entry
    return "UnknownVariable" if is_component_known else "UnknownComponent"


def _get_variables(station: "Station", request: m.GetVariablesRequest) -> Result:
    results = []
    for asked in request.get_variable_data:
        found = _find(station, asked.component, asked.variable)
        value: str | None = None
        if isinstance(found, str):
            status = found
        elif asked.attribute_type not in (None, "Actual"):
            status = "NotSupportedAttributeType"
        elif found.access == "WriteOnly":
            status = "Rejected"
        else:
            status, value = "Accepted", found.value or ""
        results.append(
            m.GetVariableResultType(
                attribute_status=cast(Any, status),
                component=asked.component,
                variable=asked.variable,
                attribute_type=asked.attribute_type,
                attribute_value=value,
            )
        )
    return m.GetVariablesResponse(get_variable_result=results)


def _set_variables(station: "Station", request: m.SetVariablesRequest) -> Result:
    results = []
    has_new_key = False
    for given in request.set_variable_data:
        found = _find(station, given.component, given.variable)
        if isinstance(found, str):
            status = found
        elif given.attribute_type not in (None, "Actual"):
            status = "NotSupportedAttributeType"
        else:
            setting = device.find_variable2(given.component.name, given.variable.name, given.variable.instance)
            try:
                written = station.device.write(setting, given.attribute_value)
            except device.Refusal:
                status = "Rejected"
            else:
                status = "RebootRequired" if written.needs_reboot else "Accepted"
                has_new_key = has_new_key or written.name == "auth_key"
        results.append(
            m.SetVariableResultType(
                attribute_status=cast(Any, status),
                component=given.component,
                variable=given.variable,
                attribute_type=given.attribute_type,
            )
        )
    body = m.SetVariablesResponse(set_variable_result=results)
    # The new password is used from the next connection on (A01.FR.03).
    return Answer(body, then=(lambda: station.hang_up(1.0)) if has_new_key else None)


def _report(station: "Station", request_id: int, entries: list[Entry]) -> None:
    """NotifyReport in chunks, in order."""
    chunks = [entries[i : i + CHUNK] for i in range(0, len(entries), CHUNK)]
    for seq_no, chunk in enumerate(chunks):
        body = m.NotifyReportRequest(
            request_id=request_id,
            generated_at=iso(station.clock.now()),
            seq_no=seq_no,
            tbc=True if seq_no < len(chunks) - 1 else None,
            report_data=[_reported(entry) for entry in chunk],
        )
        station.say(Message("NotifyReport", body))


def _reported(entry: Entry) -> m.ReportDataType:
    is_open = entry.access != "WriteOnly"
    return m.ReportDataType(
        component=entry.component,
        variable=entry.variable,
        variable_attribute=[
            m.VariableAttributeType(
                type="Actual", value=entry.value or "" if is_open else None, mutability=cast(Any, entry.access)
            )
        ],
        variable_characteristics=m.VariableCharacteristicsType(
            data_type=cast(Any, entry.data_type),
            supports_monitoring=entry.data_type in ("integer", "decimal", "boolean"),
            unit=entry.unit,
            values_list=entry.values,
        ),
    )


def _base_report(station: "Station", request: m.GetBaseReportRequest) -> Result:
    entries = list(inventory(station))
    if request.report_base == "ConfigurationInventory":
        entries = [entry for entry in entries if entry.is_settable]
    elif request.report_base == "SummaryInventory":
        entries = [entry for entry in entries if entry.variable.name in ("AvailabilityState", "Problem", "Available")]
    return Answer(
        m.GetBaseReportResponse(status="Accepted"), then=lambda: _report(station, request.request_id, entries)
    )


def _custom_report(station: "Station", request: m.GetReportRequest) -> Result:
    entries = list(inventory(station))
    if request.component_variable:
        wanted = request.component_variable
        entries = [e for e in entries if any(_is_same(w.component, w.variable, e) for w in wanted)]
    if request.component_criteria:
        # Active and Available hold for every component here; Enabled and Problem where the variable says so.
        criteria = set(request.component_criteria)
        if not criteria & {"Active", "Available"}:
            true_ones = {e.component.name for e in entries if e.variable.name in criteria and e.value == "true"}
            entries = [e for e in entries if e.component.name in true_ones]
    if not entries:
        return m.GetReportResponse(status="EmptyResultSet")
    return Answer(m.GetReportResponse(status="Accepted"), then=lambda: _report(station, request.request_id, entries))


# --- monitoring (N02–N08): monitors are kept and listed; they do not fire --------------------------------------------


def _set_monitoring(station: "Station", request: m.SetVariableMonitoringRequest) -> Result:
    results = []
    for data in request.set_monitoring_data:
        found = _find(station, data.component, data.variable)
        monitor_id: int | None = None
        if isinstance(found, str):
            status = found
        elif not 0 <= data.severity <= 9:
            status = "Rejected"
        else:
            monitor_id = data.id if data.id is not None else max(station.monitors, default=0) + 1
            station.monitors[monitor_id] = Monitor(monitor_id, data)
            status = "Accepted"
        results.append(
            m.SetMonitoringResultType(
                status=cast(Any, status),
                type=data.type,
                component=data.component,
                variable=data.variable,
                severity=data.severity,
                id=monitor_id,
            )
        )
    return m.SetVariableMonitoringResponse(set_monitoring_result=results)


def _clear_monitoring(station: "Station", request: m.ClearVariableMonitoringRequest) -> Result:
    return m.ClearVariableMonitoringResponse(
        clear_monitoring_result=[
            m.ClearMonitoringResultType(
                status="Accepted" if station.monitors.pop(monitor_id, None) is not None else "NotFound", id=monitor_id
            )
            for monitor_id in request.id
        ]
    )


def _monitoring_report(station: "Station", request: m.GetMonitoringReportRequest) -> Result:
    wanted = request.component_variable
    found = [
        monitor
        for monitor in station.monitors.values()
        if not wanted
        or any(
            w.component.name == monitor.data.component.name
            and (w.variable is None or w.variable.name == monitor.data.variable.name)
            for w in wanted
        )
    ]
    if not found:
        return m.GetMonitoringReportResponse(status="EmptyResultSet")

    def then() -> None:
        body = m.NotifyMonitoringReportRequest(
            request_id=request.request_id,
            seq_no=0,
            generated_at=iso(station.clock.now()),
            monitor=[
                m.MonitoringDataType(
                    component=monitor.data.component,
                    variable=monitor.data.variable,
                    variable_monitoring=[_listed(station, monitor)],
                )
                for monitor in found
            ],
        )
        station.say(Message("NotifyMonitoringReport", body))

    return Answer(m.GetMonitoringReportResponse(status="Accepted"), then=then)


def _listed(station: "Station", monitor: Monitor) -> m.VariableMonitoringType:
    return m.VariableMonitoringType(
        id=monitor.monitor_id,
        transaction=bool(monitor.data.transaction),
        value=Decimal(monitor.data.value),
        type=monitor.data.type,
        severity=monitor.data.severity,
        event_notification_type="CustomMonitor" if station.plan.version == "2.1" else None,
    )


def _monitoring_base(_station: "Station", _request: Any) -> Result:
    return m.SetMonitoringBaseResponse(status="Accepted")


def _monitoring_level(_station: "Station", request: m.SetMonitoringLevelRequest) -> Result:
    return m.SetMonitoringLevelResponse(status="Accepted" if 0 <= request.severity <= 9 else "Rejected")


TABLE: dict[str, Answerer] = {
    "ClearVariableMonitoring": _clear_monitoring,
    "GetBaseReport": _base_report,
    "GetMonitoringReport": _monitoring_report,
    "GetReport": _custom_report,
    "GetVariables": _get_variables,
    "SetMonitoringBase": _monitoring_base,
    "SetMonitoringLevel": _monitoring_level,
    "SetVariableMonitoring": _set_monitoring,
    "SetVariables": _set_variables,
}
