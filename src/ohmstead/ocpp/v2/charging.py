"""OCPP 2.x, us → station: orders about reservations, charging profiles and costs; and profiles in both directions."""

from __future__ import annotations

from typing import cast

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp import rpc
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.work import instant, instant_text
from ohmstead.smartcharging.model import CompositeReport
from ohmstead.stations import charging_orders as orders
from ohmstead.stations.charging_orders import (
    ChargingOrder,
    Profile,
    ProfileKind,
    ProfilePurpose,
    Schedule,
    SchedulePeriod,
)

PURPOSES: dict[ProfilePurpose, m.ChargingProfilePurposeEnumType] = {
    "station_max": "ChargingStationMaxProfile",
    "tx_default": "TxDefaultProfile",
    "tx": "TxProfile",
    "external_constraints": "ChargingStationExternalConstraints",
    "priority": "PriorityCharging",
    "local_generation": "LocalGeneration",
}
_PURPOSE_OF = {name: purpose for purpose, name in PURPOSES.items()}
_KINDS: dict[ProfileKind, m.ChargingProfileKindEnumType] = {
    "absolute": "Absolute",
    "recurring": "Recurring",
    "relative": "Relative",
    "dynamic": "Dynamic",
}
_KIND_OF = {name: kind for kind, name in _KINDS.items()}
# OCPI's names of plugs and sockets, as the stations' register has them → OCPP's cEnum words (2.x appendix, connector types)
CONNECTOR_TYPES = {
    "CHADEMO": "cG105",
    "CHAOJI": "cChaoJi",
    "DOMESTIC_F": "sCEE-7-7",
    "GBT_AC": "cGBT-AC",
    "GBT_DC": "cGBT-DC",
    "IEC_60309_2_single_16": "s309-1P-16A",
    "IEC_62196_T1": "cType1",
    "IEC_62196_T1_COMBO": "cCCS1",
    "IEC_62196_T2": "sType2",
    "IEC_62196_T2_COMBO": "cCCS2",
    "NEMA_5_20": "Other1PhMax16A",
    "SAE_J3400": "cTesla",
    "TESLA_S": "cTesla",
}


def calls_for(order: ChargingOrder, station_id: str) -> list[Outgoing]:
    """The call that carries out an order. Raises Refused for what 2.x cannot do."""
    match order:
        case orders.ReserveNow():
            return [_call("ReserveNow", _reserve_now(order))]
        case orders.CancelReservation():
            return [_call("CancelReservation", m.CancelReservationRequest(reservation_id=order.number))]
        case orders.SetChargingProfile():
            if order.profile.purpose == "external_constraints":
                raise Refused("external constraints are for the station's own energy manager to set (K01.FR.22)")
            payload = m.SetChargingProfileRequest(
                evse_id=order.evse_number, charging_profile=profile_type(order.profile)
            )
            return [_call("SetChargingProfile", payload)]
        case orders.ClearChargingProfiles():
            return [_call("ClearChargingProfile", _clear(order))]
        case orders.GetChargingProfiles():
            return [_call("GetChargingProfiles", _get(order))]
        case orders.GetCompositeSchedule():
            return [_composite(order, station_id)]
        case orders.UpdateDynamicSchedule():
            update = m.ChargingScheduleUpdateType(
                limit=order.limit, discharge_limit=order.discharge_limit, setpoint=order.setpoint
            )
            return [
                _call(
                    "UpdateDynamicSchedule",
                    m.UpdateDynamicScheduleRequest(charging_profile_id=order.profile_id, schedule_update=update),
                )
            ]
        case orders.UsePriorityCharging():
            return [
                _call(
                    "UsePriorityCharging",
                    m.UsePriorityChargingRequest(transaction_id=order.transaction_id, activate=order.is_active),
                )
            ]
        case orders.CostUpdated():
            if order.is_final:
                raise Refused("OCPP 2.x stations learn the final cost with the answer to the transaction's end")
            payload_of_cost = m.CostUpdatedRequest(total_cost=order.total_cost, transaction_id=order.transaction_id)
            return [_call("CostUpdated", payload_of_cost)]


def _call(action: str, payload: msgspec.Struct) -> Outgoing:
    return Outgoing(action=action, payload=rpc.to_json(payload), read=_read)


def _read(answer: msgspec.Struct) -> Result:
    status = getattr(answer, "status", None)
    info = getattr(answer, "status_info", None)
    if status in (None, "Accepted"):
        return Result("accepted")
    return Result("rejected", f"{status}: {info.reason_code}" if info is not None else status)


def _reserve_now(order: orders.ReserveNow) -> m.ReserveNowRequest:
    group = order.group_uid
    return m.ReserveNowRequest(
        id=order.number,
        expiry_date_time=instant_text(order.expires_at),
        id_token=m.IdTokenType(id_token=order.token_uid, type=order.token_type),
        connector_type=CONNECTOR_TYPES.get(order.connector_type, order.connector_type)
        if order.connector_type
        else None,
        evse_id=order.evse_number,
        group_id_token=m.IdTokenType(id_token=group[:36], type="Central") if group else None,
    )


def _clear(order: orders.ClearChargingProfiles) -> m.ClearChargingProfileRequest:
    if order.profile_id is not None:
        return m.ClearChargingProfileRequest(charging_profile_id=order.profile_id)
    return m.ClearChargingProfileRequest(
        charging_profile_criteria=m.ClearChargingProfileType(
            evse_id=order.evse_number,
            charging_profile_purpose=PURPOSES[order.purpose] if order.purpose else None,
            stack_level=order.stack_level,
        )
    )


def _get(order: orders.GetChargingProfiles) -> m.GetChargingProfilesRequest:
    return m.GetChargingProfilesRequest(
        request_id=order.request_id,
        evse_id=order.evse_number,
        charging_profile=m.ChargingProfileCriterionType(
            charging_profile_purpose=PURPOSES[order.purpose] if order.purpose else None,
            stack_level=order.stack_level,
            charging_profile_id=list(order.profile_ids) or None,
            charging_limit_source=list(order.sources) or None,
        ),
    )


def _composite(order: orders.GetCompositeSchedule, station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetCompositeScheduleResponse)
        told = answer.schedule
        if answer.status != "Accepted" or told is None:
            return Result("rejected", _read(answer).text or "Accepted, without a schedule")
        return Result(
            "accepted",
            aside=CompositeReport(
                station_id=station_id,
                evse_number=told.evse_id,
                rate_unit=told.charging_rate_unit,
                starts_at=instant(told.schedule_start),
                duration_s=told.duration,
                periods=tuple(_period(p) for p in told.charging_schedule_period),
            ),
        )

    payload = m.GetCompositeScheduleRequest(
        duration=order.duration_s, evse_id=order.evse_number, charging_rate_unit=order.rate_unit
    )
    return Outgoing(action="GetCompositeSchedule", payload=rpc.to_json(payload), read=read)


# ---------------------------------------------------------------------------------------------------- profiles


def profile_type(profile: Profile) -> m.ChargingProfileType:
    """Our profile as 2.x spells it."""
    return m.ChargingProfileType(
        id=profile.profile_id,
        stack_level=profile.stack_level,
        charging_profile_purpose=PURPOSES[profile.purpose],
        charging_profile_kind=_KINDS[profile.kind],
        charging_schedule=[_schedule_type(s) for s in profile.schedules],
        recurrency_kind={"daily": "Daily", "weekly": "Weekly", None: None}[profile.recurrency],
        valid_from=instant_text(profile.valid_from) if profile.valid_from else None,
        valid_to=instant_text(profile.valid_until) if profile.valid_until else None,
        transaction_id=profile.transaction_id,
        dyn_update_interval=profile.update_interval_s,
    )


def profile_of(told: m.ChargingProfileType) -> Profile:
    """A profile as a station told it, in our words."""
    return Profile(
        profile_id=told.id,
        purpose=_PURPOSE_OF[told.charging_profile_purpose],
        kind=_KIND_OF[told.charging_profile_kind],
        stack_level=told.stack_level,
        schedules=tuple(schedule_of(s) for s in told.charging_schedule),
        recurrency="daily"
        if told.recurrency_kind == "Daily"
        else "weekly"
        if told.recurrency_kind == "Weekly"
        else None,
        valid_from=instant(told.valid_from) if told.valid_from else None,
        valid_until=instant(told.valid_to) if told.valid_to else None,
        transaction_id=told.transaction_id,
        update_interval_s=told.dyn_update_interval,
    )


def schedule_of(told: m.ChargingScheduleType) -> Schedule:
    """A schedule as a station told it, in our words."""
    return Schedule(
        schedule_id=told.id,
        rate_unit=told.charging_rate_unit,
        periods=tuple(_period(p) for p in told.charging_schedule_period),
        starts_at=instant(told.start_schedule) if told.start_schedule else None,
        duration_s=told.duration,
        min_rate=told.min_charging_rate,
    )


def _schedule_type(schedule: Schedule) -> m.ChargingScheduleType:
    return m.ChargingScheduleType(
        id=schedule.schedule_id,
        charging_rate_unit=schedule.rate_unit,
        start_schedule=instant_text(schedule.starts_at) if schedule.starts_at else None,
        duration=schedule.duration_s,
        min_charging_rate=schedule.min_rate,
        charging_schedule_period=[
            m.ChargingSchedulePeriodType(
                start_period=p.start_s,
                limit=p.limit,
                number_phases=p.number_phases,
                phase_to_use=p.phase_to_use,
                discharge_limit=p.discharge_limit,
                setpoint=p.setpoint,
                operation_mode=cast("m.OperationModeEnumType | None", p.operation_mode),
            )
            for p in schedule.periods
        ],
    )


def _period(told: m.ChargingSchedulePeriodType) -> SchedulePeriod:
    return SchedulePeriod(
        start_s=told.start_period,
        limit=told.limit,
        number_phases=told.number_phases,
        phase_to_use=told.phase_to_use,
        discharge_limit=told.discharge_limit,
        setpoint=told.setpoint,
        operation_mode=told.operation_mode,
    )
