"""OCPP 2.1, us → station: control of distributed energy resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ohmstead.ocpp.outgoing import Outgoing
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, number, read_found
from ohmstead.ocpp.work import instant_text
from ohmstead.stations import orders as o
from ohmstead.stations.orders import grid
from ohmstead.stations.orders.form import OrderForm

_TYPES: dict[str | None, Any] = {
    "enter_service": "EnterService",
    "frequency_droop": "FreqDroop",
    "frequency_watt": "FreqWatt",
    "fixed_power_factor_absorb": "FixedPFAbsorb",
    "fixed_power_factor_inject": "FixedPFInject",
    "fixed_var": "FixedVar",
    "gradients": "Gradients",
    "high_frequency_must_trip": "HFMustTrip",
    "high_frequency_may_trip": "HFMayTrip",
    "high_voltage_must_trip": "HVMustTrip",
    "high_voltage_cease": "HVMomCess",
    "high_voltage_may_trip": "HVMayTrip",
    "max_discharge": "LimitMaxDischarge",
    "low_frequency_must_trip": "LFMustTrip",
    "low_voltage_must_trip": "LVMustTrip",
    "low_voltage_cease": "LVMomCess",
    "low_voltage_may_trip": "LVMayTrip",
    "power_monitoring_must_trip": "PowerMonitoringMustTrip",
    "volt_var": "VoltVar",
    "volt_watt": "VoltWatt",
    "watt_power_factor": "WattPF",
    "watt_var": "WattVar",
    None: None,
}
_UNITS: dict[str, Any] = {
    "none": "Not_Applicable",
    "percent_max_w": "PctMaxW",
    "percent_max_var": "PctMaxVar",
    "percent_available_w": "PctWAvail",
    "percent_available_var": "PctVarAvail",
    "percent_voltage": "PctEffectiveV",
}


def _timed(given: grid.Timed) -> dict[str, Any]:
    return {"priority": given.priority, "start_time": instant_text(given.starts_at), "duration": given.duration_s}


def _curve(given: grid.Curve) -> m.DERCurveType:
    back, reactive, trip = given.hysteresis, given.reactive_power, given.voltage_trip
    ceased: dict[str | None, Any] = {"active": "Active", "reactive": "Reactive", None: None}
    return m.DERCurveType(
        curve_data=[m.DERCurvePointsType(x=point.x, y=point.y) for point in given.points],
        y_unit=_UNITS[given.y_unit],
        response_time=given.response_time_s,
        hysteresis=m.HysteresisType(
            hysteresis_high=back.high,
            hysteresis_low=back.low,
            hysteresis_delay=back.delay_s,
            hysteresis_gradient=back.gradient,
        )
        if back is not None
        else None,
        reactive_power_params=m.ReactivePowerParamsType(
            v_ref=reactive.reference_percent,
            autonomous_v_ref_enable=reactive.is_autonomous,
            autonomous_v_ref_time_constant=reactive.time_constant_s,
        )
        if reactive is not None
        else None,
        voltage_params=m.VoltageParamsType(
            hv10_min_mean_value=trip.mean_percent,
            hv10_min_mean_trip_delay=trip.mean_trip_delay_s,
            power_during_cessation=ceased[trip.power_while_ceased],
        )
        if trip is not None
        else None,
        **_timed(given),
    )


def _enter_service(given: grid.EnterService) -> m.EnterServiceType:
    return m.EnterServiceType(
        priority=given.priority,
        high_voltage=given.high_voltage_percent,
        low_voltage=given.low_voltage_percent,
        high_freq=given.high_frequency_hz,
        low_freq=given.low_frequency_hz,
        delay=given.delay_s,
        random_delay=given.random_delay_s,
        ramp_rate=given.ramp_s,
    )


def _droop(given: grid.FrequencyDroop) -> m.FreqDroopType:
    return m.FreqDroopType(
        over_freq=given.over_frequency_hz,
        under_freq=given.under_frequency_hz,
        over_droop=given.over_droop,
        under_droop=given.under_droop,
        response_time=given.response_time_s,
        **_timed(given),
    )


def _set(order: o.SetDerControl) -> Outgoing:
    payload = m.SetDERControlRequest(
        is_default=order.is_default, control_id=order.control_id, control_type=_TYPES[order.type]
    )
    if order.curve is not None:
        payload.curve = _curve(order.curve)
    if order.enter_service is not None:
        payload.enter_service = _enter_service(order.enter_service)
    if (factor := order.power_factor) is not None:
        fixed = m.FixedPFType(displacement=factor.displacement, excitation=factor.is_excited, **_timed(factor))
        if order.type == "fixed_power_factor_absorb":
            payload.fixed_pf_absorb = fixed
        else:
            payload.fixed_pf_inject = fixed
    if (var := order.fixed_var) is not None:
        payload.fixed_var = m.FixedVarType(setpoint=var.setpoint, unit=_UNITS[var.unit], **_timed(var))
    if order.frequency_droop is not None:
        payload.freq_droop = _droop(order.frequency_droop)
    if (steep := order.gradients) is not None:
        payload.gradient = m.GradientType(
            priority=steep.priority, gradient=steep.gradient_percent, soft_gradient=steep.soft_gradient_percent
        )
    if (most := order.max_discharge) is not None:
        payload.limit_max_discharge = m.LimitMaxDischargeType(
            pct_max_discharge_power=most.percent,
            power_monitoring_must_trip=_curve(most.power_monitoring) if most.power_monitoring is not None else None,
            **_timed(most),
        )
    return call("SetDERControl", payload)


def _get(order: o.GetDerControls) -> Outgoing:
    payload = m.GetDERControlRequest(
        request_id=number(order.request_id),
        is_default=order.is_default,
        control_type=_TYPES[order.type],
        control_id=order.control_id,
    )
    return call("GetDERControl", payload, read_found)


def _clear(order: o.ClearDerControls) -> Outgoing:
    payload = m.ClearDERControlRequest(
        is_default=order.is_default, control_type=_TYPES[order.type], control_id=order.control_id
    )
    return call("ClearDERControl", payload)


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.SetDerControl: _set,
    o.GetDerControls: _get,
    o.ClearDerControls: _clear,
}
