"""OCPP 2.x, us → station: charging profiles and other orders about power and sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, instant, number, read_found, some
from ohmstead.stations import orders as o
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
_WAYS: dict[str, Any] = {
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


def profile(given: o.ChargingProfile) -> m.ChargingProfileType:
    """Our profile as 2.x writes it."""
    return m.ChargingProfileType(
        id=given.profile_id,
        stack_level=given.stack_level,
        charging_profile_purpose=_PURPOSES[given.purpose],
        charging_profile_kind=_TIMINGS[given.timing],
        charging_schedule=[_schedule(n, one) for n, one in enumerate(given.schedules, 1)],
        recurrency_kind=_RECURS[given.recurs],
        valid_from=instant(given.valid_from),
        valid_to=instant(given.valid_until),
        transaction_id=given.transaction_id,
        max_offline_duration=given.offline_for_s,
        invalid_after_offline_duration=given.is_invalid_after_offline,
        dyn_update_interval=given.update_interval_s,
        dyn_update_time=instant(given.updated_at),
    )


def _schedule(n: int, given: o.Schedule) -> m.ChargingScheduleType:
    at_soc = given.limit_at_soc
    return m.ChargingScheduleType(
        id=given.schedule_id if given.schedule_id is not None else n,
        charging_rate_unit=given.rate_unit,
        charging_schedule_period=[_period(one) for one in given.periods],
        limit_at_so_c=m.LimitAtSoCType(soc=at_soc.soc_percent, limit=at_soc.limit) if at_soc else None,
        start_schedule=instant(given.starts_at),
        duration=given.duration_s,
        min_charging_rate=given.min_rate,
        power_tolerance=given.power_tolerance_w,
        use_local_time=given.is_local_time,
        randomized_delay=given.random_delay_s,
    )


def _limits(given: o.Limits) -> dict[str, Any]:
    # The names of 2.1 are ours.
    return {name: getattr(given, name) for name in o.Limits.__struct_fields__}


def _period(given: o.Period) -> m.ChargingSchedulePeriodType:
    return m.ChargingSchedulePeriodType(
        start_period=given.start_s,
        **_limits(given),
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


def _composite(order: o.CompositeSchedule) -> Outgoing:
    payload = m.GetCompositeScheduleRequest(
        duration=order.duration_s, evse_id=order.evse_number, charging_rate_unit=order.rate_unit
    )
    return call("GetCompositeSchedule", payload)


def _update(order: o.UpdateSchedule) -> Outgoing:
    update = m.ChargingScheduleUpdateType(**_limits(order.limits))
    payload = m.UpdateDynamicScheduleRequest(charging_profile_id=order.profile_id, schedule_update=update)
    return call("UpdateDynamicSchedule", payload)


def _priority(order: o.UsePriorityCharging) -> Outgoing:
    payload = m.UsePriorityChargingRequest(transaction_id=order.transaction_id, activate=order.is_active)
    return call("UsePriorityCharging", payload)


def _reserve_signal(order: o.SignalFrequencyReserve) -> Outgoing:
    return call("AFRRSignal", m.AFRRSignalRequest(timestamp=instant(order.at), signal=order.signal))


def _ways(order: o.AllowEnergyTransfer) -> Outgoing:
    payload = m.NotifyAllowedEnergyTransferRequest(
        transaction_id=order.transaction_id, allowed_energy_transfer=[_WAYS[way] for way in order.ways]
    )
    return call("NotifyAllowedEnergyTransfer", payload)


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.RemoteStart: _remote_start,
    o.RemoteStop: _remote_stop,
    o.TransactionStatus: _status,
    o.SetProfile: _set,
    o.ClearProfiles: _clear,
    o.GetProfiles: _get,
    o.CompositeSchedule: _composite,
    o.UpdateSchedule: _update,
    o.UsePriorityCharging: _priority,
    o.SignalFrequencyReserve: _reserve_signal,
    o.AllowEnergyTransfer: _ways,
}
