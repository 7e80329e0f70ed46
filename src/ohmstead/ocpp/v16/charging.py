"""OCPP 1.6, us → station: orders about reservations, charging profiles and costs."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp import rpc
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.work import instant, instant_text
from ohmstead.smartcharging.model import CompositeReport
from ohmstead.stations import charging_orders as orders
from ohmstead.stations.charging_orders import ChargingOrder, Profile, ProfilePurpose, Schedule, SchedulePeriod

COST_VENDOR = "org.openchargealliance.costmsg"
_PURPOSES: dict[ProfilePurpose, Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]] = {
    "station_max": "ChargePointMaxProfile",
    "tx_default": "TxDefaultProfile",
    "tx": "TxProfile",
}
_MOST_TOKEN = 20


def calls_for(order: ChargingOrder, station_id: str) -> list[Outgoing]:
    """The calls that carry out an order. Raises Refused for what 1.6 cannot do."""
    match order:
        case orders.ReserveNow():
            return [_call("ReserveNow", _reserve_now(order))]
        case orders.CancelReservation():
            return [_call("CancelReservation", m.CancelReservationRequest(reservation_id=order.number))]
        case orders.SetChargingProfile():
            payload = m.SetChargingProfileRequest(
                connector_id=order.evse_number, cs_charging_profiles=_profile(order.profile)
            )
            return [_call("SetChargingProfile", payload)]
        case orders.ClearChargingProfiles():
            cleared = m.ClearChargingProfileRequest(
                id=order.profile_id,
                connector_id=order.evse_number,
                charging_profile_purpose=_purpose(order.purpose) if order.purpose else None,
                stack_level=order.stack_level,
            )
            return [_call("ClearChargingProfile", cleared)]
        case orders.GetCompositeSchedule():
            return [_composite(order, station_id)]
        case orders.CostUpdated():
            return _costs(order)
        case orders.GetChargingProfiles():
            raise Refused("OCPP 1.6 stations cannot tell which profiles they hold; ask for the composite schedule")
        case orders.UpdateDynamicSchedule():
            raise Refused("dynamic profiles came with OCPP 2.1")
        case orders.UsePriorityCharging():
            raise Refused("priority charging came with OCPP 2.1")


def _call(action: str, payload: msgspec.Struct) -> Outgoing:
    return Outgoing(action=action, payload=rpc.to_json(payload), read=_read)


def _read(answer: msgspec.Struct) -> Result:
    status = getattr(answer, "status", "Accepted")
    return Result("accepted") if status == "Accepted" else Result("rejected", status)


def _reserve_now(order: orders.ReserveNow) -> m.ReserveNowRequest:
    if len(order.token_uid) > _MOST_TOKEN:
        raise Refused("OCPP 1.6 carries tokens of at most 20 characters")
    if order.connector_type is not None and order.evse_number is None:
        raise Refused("OCPP 1.6 reserves outlets, not types of connectors")
    group = order.group_uid
    return m.ReserveNowRequest(
        connector_id=order.evse_number or 0,
        expiry_date=instant_text(order.expires_at),
        id_tag=order.token_uid,
        reservation_id=order.number,
        parent_id_tag=group if group and len(group) <= _MOST_TOKEN else None,
    )


def _purpose(purpose: ProfilePurpose) -> Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]:
    found = _PURPOSES.get(purpose)
    if found is None:
        raise Refused(f"OCPP 1.6 knows no charging profiles of purpose {purpose}")
    return found


def _profile(profile: Profile) -> m.ChargingProfile:
    if profile.kind == "dynamic":
        raise Refused("dynamic profiles came with OCPP 2.1")
    if len(profile.schedules) != 1:
        raise Refused("OCPP 1.6 takes one schedule in a profile")
    if profile.transaction_id is not None and not profile.transaction_id.isdigit():
        raise Refused("OCPP 1.6 transactions have numbers", transaction_id=profile.transaction_id)
    kinds: dict[str, Literal["Absolute", "Recurring", "Relative"]] = {
        "absolute": "Absolute",
        "recurring": "Recurring",
        "relative": "Relative",
    }
    recurrency: dict[str | None, Any] = {"daily": "Daily", "weekly": "Weekly", None: None}
    return m.ChargingProfile(
        charging_profile_id=profile.profile_id,
        transaction_id=int(profile.transaction_id) if profile.transaction_id else None,
        stack_level=profile.stack_level,
        charging_profile_purpose=_purpose(profile.purpose),
        charging_profile_kind=kinds[profile.kind],
        recurrency_kind=recurrency[profile.recurrency],
        valid_from=instant_text(profile.valid_from) if profile.valid_from else None,
        valid_to=instant_text(profile.valid_until) if profile.valid_until else None,
        charging_schedule=_schedule(profile.schedules[0]),
    )


def _schedule(schedule: Schedule) -> m.ChargingSchedule:
    periods = []
    for period in schedule.periods:
        if period.limit is None or period.discharge_limit is not None or period.setpoint is not None:
            raise Refused("OCPP 1.6 periods have a limit and no more", start_s=period.start_s)
        periods.append(
            m.ChargingSchedulePeriod(
                start_period=period.start_s, limit=period.limit, number_phases=period.number_phases
            )
        )
    return m.ChargingSchedule(
        charging_rate_unit=schedule.rate_unit,
        charging_schedule_period=periods,
        duration=schedule.duration_s,
        start_schedule=instant_text(schedule.starts_at) if schedule.starts_at else None,
        min_charging_rate=schedule.min_rate,
    )


def _composite(order: orders.GetCompositeSchedule, station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetCompositeScheduleResponse)
        told = answer.charging_schedule
        if answer.status != "Accepted" or told is None:
            return Result("rejected", answer.status if answer.status != "Accepted" else "Accepted, without a schedule")
        starts = answer.schedule_start or told.start_schedule
        if starts is None:
            return Result("rejected", "Accepted, without a beginning")
        return Result(
            "accepted",
            aside=CompositeReport(
                station_id=station_id,
                evse_number=answer.connector_id if answer.connector_id is not None else order.evse_number,
                rate_unit=told.charging_rate_unit,
                starts_at=instant(starts),
                duration_s=told.duration if told.duration is not None else order.duration_s,
                periods=tuple(
                    SchedulePeriod(start_s=p.start_period, limit=p.limit, number_phases=p.number_phases)
                    for p in told.charging_schedule_period
                ),
            ),
        )

    payload = m.GetCompositeScheduleRequest(
        connector_id=order.evse_number, duration=order.duration_s, charging_rate_unit=order.rate_unit
    )
    return Outgoing(action="GetCompositeSchedule", payload=rpc.to_json(payload), read=read)


def _costs(order: orders.CostUpdated) -> list[Outgoing]:
    """California pricing by DataTransfer: the price first, when it is told, then the running or the final cost."""
    if not order.transaction_id.isdigit():
        raise Refused("OCPP 1.6 transactions have numbers", transaction_id=order.transaction_id)
    calls = []
    if order.price_text is not None and order.token_uid is not None and not order.is_final:
        calls.append(_cost_message("SetUserPrice", {"idToken": order.token_uid, "priceText": order.price_text}))
    data: dict[str, Any] = {"transactionId": int(order.transaction_id), "cost": order.total_cost}
    if order.is_final:
        data["priceText"] = order.price_text or str(order.total_cost)
        return [*calls, _cost_message("FinalCost", data)]
    data |= {"timestamp": instant_text(order.at) if order.at else None, "meterValue": order.meter_wh}
    data["state"] = order.state
    if order.state == "Charging" and order.price_kwh is not None:
        data["chargingPrice"] = {"kWhPrice": order.price_kwh}
    return [*calls, _cost_message("RunningCost", {name: value for name, value in data.items() if value is not None})]


def _cost_message(message_id: str, data: dict[str, Any]) -> Outgoing:
    payload = m.DataTransferRequest(vendor_id=COST_VENDOR, message_id=message_id, data=rpc.to_json(data).decode())
    return _call("DataTransfer", payload)
