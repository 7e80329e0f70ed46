"""OCPP 2.x: charging profiles in both directions, and other orders about power and sessions (us → station)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, number, read_found, read_raw, some
from ohmstead.ocpp.work import instant, instant_text
from ohmstead.smartcharging import service as smartcharging
from ohmstead.smartcharging.model import CompositeReport
from ohmstead.stations import orders as o
from ohmstead.stations.features import Features
from ohmstead.stations.orders.charging import LimitAtSoc, PowerPoint
from ohmstead.stations.orders.form import OrderForm

_PURPOSES: dict[str, Any] = {
    "station_max": "ChargingStationMaxProfile",
    "external": "ChargingStationExternalConstraints",
    "session_default": "TxDefaultProfile",
    "session": "TxProfile",
    "priority_charging": "PriorityCharging",
    "local_generation": "LocalGeneration",
}
_TIMINGS: dict[str, Any] = {
    "absolute": "Absolute",
    "recurring": "Recurring",
    "relative": "Relative",
    "dynamic": "Dynamic",
}
_RECURS: dict[str | None, Any] = {"daily": "Daily", "weekly": "Weekly", None: None}
_OPERATIONS: dict[str | None, Any] = {
    "idle": "Idle",
    "charging_only": "ChargingOnly",
    "central_setpoint": "CentralSetpoint",
    "external_setpoint": "ExternalSetpoint",
    "external_limits": "ExternalLimits",
    "central_frequency": "CentralFrequency",
    "local_frequency": "LocalFrequency",
    "local_load_balancing": "LocalLoadBalancing",
    None: None,
}
_PURPOSE_OF: dict[str, Any] = {theirs: ours for ours, theirs in _PURPOSES.items()}
_TIMING_OF: dict[str, Any] = {theirs: ours for ours, theirs in _TIMINGS.items()}
_RECURS_OF: dict[str | None, Any] = {theirs: ours for ours, theirs in _RECURS.items()}
_OPERATION_OF: dict[str | None, Any] = {theirs: ours for ours, theirs in _OPERATIONS.items()}
WAYS: dict[str, Any] = {
    "ac_single_phase": "AC_single_phase",
    "ac_two_phase": "AC_two_phase",
    "ac_three_phase": "AC_three_phase",
    "dc": "DC",
    "ac_bidirectional": "AC_BPT",
    "ac_bidirectional_grid": "AC_BPT_DER",
    "ac_grid": "AC_DER",
    "dc_bidirectional": "DC_BPT",
    "dc_automated": "DC_ACDP",
    "dc_automated_bidirectional": "DC_ACDP_BPT",
    "wireless": "WPT",
}
WAY_OF: dict[str, Any] = {theirs: ours for ours, theirs in WAYS.items()}


def profile(given: o.ChargingProfile) -> m.ChargingProfileType:
    """Our profile as 2.x writes it."""
    return m.ChargingProfileType(
        id=given.profile_id,
        stack_level=given.stack_level,
        charging_profile_purpose=_PURPOSES[given.purpose],
        charging_profile_kind=_TIMINGS[given.timing],
        charging_schedule=[_schedule(n, one) for n, one in enumerate(given.schedules, 1)],
        recurrency_kind=_RECURS[given.recurs],
        valid_from=instant_text(given.valid_from),
        valid_to=instant_text(given.valid_until),
        transaction_id=given.transaction_id,
        max_offline_duration=given.offline_for_s,
        invalid_after_offline_duration=given.is_invalid_after_offline,
        dyn_update_interval=given.update_interval_s,
        dyn_update_time=instant_text(given.updated_at),
    )


def _schedule(n: int, given: o.Schedule) -> m.ChargingScheduleType:
    at_soc = given.limit_at_soc
    return m.ChargingScheduleType(
        id=given.schedule_id if given.schedule_id is not None else n,
        charging_rate_unit=given.rate_unit,
        charging_schedule_period=[_period(one) for one in given.periods],
        limit_at_so_c=m.LimitAtSoCType(soc=at_soc.soc_percent, limit=at_soc.limit) if at_soc else None,
        start_schedule=instant_text(given.starts_at),
        duration=given.duration_s,
        min_charging_rate=given.min_rate,
        power_tolerance=given.power_tolerance_w,
        use_local_time=given.is_local_time,
        randomized_delay=given.random_delay_s,
    )


def limits_type(given: o.Limits) -> dict[str, Any]:
    """Limits as 2.1 names them."""
    return {name: getattr(given, name) for name in o.Limits.__struct_fields__}


def _period(given: o.Period) -> m.ChargingSchedulePeriodType:
    return m.ChargingSchedulePeriodType(
        start_period=given.start_s,
        **limits_type(given),
        number_phases=given.n_phases,
        phase_to_use=given.phase_to_use,
        preconditioning_request=given.is_preconditioning,
        evse_sleep=given.is_evse_asleep,
        v2x_baseline=given.baseline_w,
        operation_mode=_OPERATIONS[given.operation],
        v2x_freq_watt_curve=some(
            m.V2XFreqWattPointType(frequency=p.at, power=p.power_w) for p in given.power_over_frequency
        ),
        v2x_signal_watt_curve=some(
            m.V2XSignalWattPointType(signal=int(p.at), power=p.power_w) for p in given.power_over_signal
        ),
    )


def profile_of(told: m.ChargingProfileType) -> o.ChargingProfile:
    """A profile as a station told it, in our words."""
    return o.ChargingProfile(
        profile_id=told.id,
        stack_level=told.stack_level,
        purpose=_PURPOSE_OF[told.charging_profile_purpose],
        timing=_TIMING_OF[told.charging_profile_kind],
        schedules=tuple(schedule_of(s) for s in told.charging_schedule),
        recurs=_RECURS_OF[told.recurrency_kind],
        valid_from=instant(told.valid_from) if told.valid_from else None,
        valid_until=instant(told.valid_to) if told.valid_to else None,
        transaction_id=told.transaction_id,
        offline_for_s=told.max_offline_duration,
        is_invalid_after_offline=told.invalid_after_offline_duration,
        update_interval_s=told.dyn_update_interval,
        updated_at=instant(told.dyn_update_time) if told.dyn_update_time else None,
    )


def schedule_of(told: m.ChargingScheduleType) -> o.Schedule:
    """A schedule as a station told it, in our words."""
    at_soc = told.limit_at_so_c
    return o.Schedule(
        schedule_id=told.id,
        rate_unit=told.charging_rate_unit,
        periods=tuple(period_of(p) for p in told.charging_schedule_period),
        starts_at=instant(told.start_schedule) if told.start_schedule else None,
        duration_s=told.duration,
        min_rate=told.min_charging_rate,
        limit_at_soc=LimitAtSoc(soc_percent=at_soc.soc, limit=at_soc.limit) if at_soc else None,
        power_tolerance_w=told.power_tolerance,
        is_local_time=told.use_local_time,
        random_delay_s=told.randomized_delay,
    )


def period_of(told: m.ChargingSchedulePeriodType) -> o.Period:
    """A period as a station told it, in our words."""
    return o.Period(
        start_s=told.start_period,
        **{name: getattr(told, name) for name in o.Limits.__struct_fields__},
        n_phases=told.number_phases,
        phase_to_use=told.phase_to_use,
        is_preconditioning=told.preconditioning_request,
        is_evse_asleep=told.evse_sleep,
        baseline_w=told.v2x_baseline,
        operation=_OPERATION_OF[told.operation_mode],
        power_over_frequency=tuple(PowerPoint(at=p.frequency, power_w=p.power) for p in told.v2x_freq_watt_curve or ()),
        power_over_signal=tuple(
            PowerPoint(at=Decimal(p.signal), power_w=p.power) for p in told.v2x_signal_watt_curve or ()
        ),
    )


def _remote_start(order: o.RemoteStart) -> Outgoing:
    if order.connector_number not in (None, 1):
        raise Refused("OCPP 2.x starts at an EVSE: which of its connectors is the driver's choice")
    group = m.IdTokenType(id_token=order.group_uid, type=order.group_type) if order.group_uid else None
    return call(
        "RequestStartTransaction",
        m.RequestStartTransactionRequest(
            id_token=m.IdTokenType(id_token=order.token_uid, type=order.token_type),
            remote_start_id=number(order.remote_start_id),
            evse_id=order.evse_number,
            group_id_token=group,
            charging_profile=profile(order.profile) if order.profile is not None else None,
        ),
    )


def _remote_stop(order: o.RemoteStop) -> Outgoing:
    return call("RequestStopTransaction", m.RequestStopTransactionRequest(transaction_id=order.transaction_id))


def _status(order: o.TransactionStatus) -> Outgoing:
    return call("GetTransactionStatus", m.GetTransactionStatusRequest(transaction_id=order.transaction_id))


def _set(order: o.SetProfile) -> Outgoing:
    payload = m.SetChargingProfileRequest(evse_id=order.evse_number, charging_profile=profile(order.profile))
    return call("SetChargingProfile", payload)


def _clear(order: o.ClearProfiles) -> Outgoing:
    criteria = m.ClearChargingProfileType(
        evse_id=order.evse_number,
        charging_profile_purpose=_PURPOSES[order.purpose] if order.purpose else None,
        stack_level=order.stack_level,
    )
    payload = m.ClearChargingProfileRequest(
        charging_profile_id=order.profile_id,
        charging_profile_criteria=criteria if criteria != m.ClearChargingProfileType() else None,
    )
    return call("ClearChargingProfile", payload)


def _get(order: o.GetProfiles) -> Outgoing:
    payload = m.GetChargingProfilesRequest(
        request_id=number(order.request_id),
        evse_id=order.evse_number,
        charging_profile=m.ChargingProfileCriterionType(
            charging_profile_purpose=_PURPOSES[order.purpose] if order.purpose else None,
            stack_level=order.stack_level,
            charging_profile_id=some(order.profile_ids),
            charging_limit_source=some(order.sources),
        ),
    )
    return call("GetChargingProfiles", payload, read_found)


def _composite(order: o.CompositeSchedule, station_id: str, _known: Features) -> list[Outgoing]:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetCompositeScheduleResponse)
        told = answer.schedule
        if answer.status != "Accepted":
            return read_raw(answer)
        if told is None:
            return Result("accepted", "without a schedule")
        report = CompositeReport(
            station_id=station_id,
            evse_number=told.evse_id,
            rate_unit=told.charging_rate_unit,
            starts_at=instant(told.schedule_start),
            duration_s=told.duration,
            periods=tuple(period_of(p) for p in told.charging_schedule_period),
        )
        return Result("accepted", keep=partial(smartcharging.keep_composite, report=report))

    payload = m.GetCompositeScheduleRequest(
        duration=order.duration_s, evse_id=order.evse_number, charging_rate_unit=order.rate_unit
    )
    return [call("GetCompositeSchedule", payload, read)]


def _update(order: o.UpdateSchedule) -> Outgoing:
    update = m.ChargingScheduleUpdateType(**limits_type(order.limits))
    payload = m.UpdateDynamicScheduleRequest(charging_profile_id=order.profile_id, schedule_update=update)
    return call("UpdateDynamicSchedule", payload)


def _priority(order: o.UsePriorityCharging) -> Outgoing:
    payload = m.UsePriorityChargingRequest(transaction_id=order.transaction_id, activate=order.is_active)
    return call("UsePriorityCharging", payload)


def _reserve_signal(order: o.SignalFrequencyReserve) -> Outgoing:
    return call("AFRRSignal", m.AFRRSignalRequest(timestamp=instant_text(order.at), signal=order.signal))


def _ways(order: o.AllowEnergyTransfer, station_id: str, _known: Features) -> list[Outgoing]:
    def read(answer: msgspec.Struct) -> Result:
        result = read_raw(answer)
        if result.status != "accepted":
            return result
        told = partial(
            smartcharging.keep_ways, station_id=station_id, transaction_id=order.transaction_id, ways=order.ways
        )
        return Result("accepted", keep=told)

    payload = m.NotifyAllowedEnergyTransferRequest(
        transaction_id=order.transaction_id, allowed_energy_transfer=[WAYS[way] for way in order.ways]
    )
    return [call("NotifyAllowedEnergyTransfer", payload, read)]


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.RemoteStart: _remote_start,
    o.RemoteStop: _remote_stop,
    o.TransactionStatus: _status,
    o.SetProfile: _set,
    o.ClearProfiles: _clear,
    o.GetProfiles: _get,
    o.UpdateSchedule: _update,
    o.UsePriorityCharging: _priority,
    o.SignalFrequencyReserve: _reserve_signal,
}

# Whose answers are kept for the station that gave them.
SPLIT: dict[type[OrderForm], Callable[[Any, str, Features], list[Outgoing]]] = {
    o.CompositeSchedule: _composite,
    o.AllowEnergyTransfer: _ways,
}
