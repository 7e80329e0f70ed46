"""OCPP 1.6, us → station: charging profiles, start and stop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.v16.asking import call, one_connector, read_raw, tag, transaction_number
from ohmstead.ocpp.work import instant, instant_text
from ohmstead.smartcharging import service as smartcharging
from ohmstead.smartcharging.model import CompositeReport
from ohmstead.stations import orders as o
from ohmstead.stations.orders.form import OrderForm

_PURPOSES: dict[str, Any] = {
    "station_max": "ChargePointMaxProfile",
    "session_default": "TxDefaultProfile",
    "session": "TxProfile",
}
_TIMINGS: dict[str, Any] = {"absolute": "Absolute", "recurring": "Recurring", "relative": "Relative"}
_RECURS: dict[str | None, Any] = {"daily": "Daily", "weekly": "Weekly", None: None}


def _purpose(given: str) -> Any:
    if given not in _PURPOSES:
        raise Refused(f"OCPP 1.6 has no charging profiles for {given.replace('_', ' ')}")
    return _PURPOSES[given]


def profile(given: o.ChargingProfile) -> m.ChargingProfile:
    """Our profile as 1.6 writes it. Raises Refused for what it has no words for."""
    if given.timing not in _TIMINGS:
        raise Refused("OCPP 1.6 has no dynamic charging profiles")
    if len(given.schedules) != 1:
        raise Refused("OCPP 1.6 takes one schedule in a profile")
    schedule = given.schedules[0]
    return m.ChargingProfile(
        charging_profile_id=given.profile_id,
        stack_level=given.stack_level,
        charging_profile_purpose=_purpose(given.purpose),
        charging_profile_kind=_TIMINGS[given.timing],
        charging_schedule=m.ChargingSchedule(
            charging_rate_unit=schedule.rate_unit,
            charging_schedule_period=[_period(one) for one in schedule.periods],
            duration=schedule.duration_s,
            start_schedule=instant_text(schedule.starts_at),
            min_charging_rate=schedule.min_rate,
        ),
        transaction_id=transaction_number(given.transaction_id) if given.transaction_id is not None else None,
        recurrency_kind=_RECURS[given.recurs],
        valid_from=instant_text(given.valid_from),
        valid_to=instant_text(given.valid_until),
    )


def _period(given: o.Period) -> m.ChargingSchedulePeriod:
    simple = o.Period(start_s=given.start_s, limit=given.limit, n_phases=given.n_phases)
    if given != simple or given.limit is None:
        raise Refused("OCPP 1.6 knows one limit and the number of phases for a period, nothing else")
    return m.ChargingSchedulePeriod(start_period=given.start_s, limit=given.limit, number_phases=given.n_phases)


def _remote_start(order: o.RemoteStart) -> Outgoing:
    one_connector(order.connector_number)
    if order.limit is not None:
        raise Refused("OCPP 1.6 has no limits of sessions but charging profiles")
    payload = m.RemoteStartTransactionRequest(
        id_tag=tag(order.token_uid),
        connector_id=order.evse_number,
        charging_profile=profile(order.profile) if order.profile is not None else None,
    )
    return call("RemoteStartTransaction", payload)


def _remote_stop(order: o.RemoteStop) -> Outgoing:
    payload = m.RemoteStopTransactionRequest(transaction_id=transaction_number(order.transaction_id))
    return call("RemoteStopTransaction", payload)


def _set(order: o.SetProfile) -> Outgoing:
    payload = m.SetChargingProfileRequest(connector_id=order.evse_number, cs_charging_profiles=profile(order.profile))
    return call("SetChargingProfile", payload)


def _clear(order: o.ClearProfiles) -> Outgoing:
    payload = m.ClearChargingProfileRequest(
        id=order.profile_id,
        connector_id=order.evse_number,
        charging_profile_purpose=_purpose(order.purpose) if order.purpose is not None else None,
        stack_level=order.stack_level,
    )
    return call("ClearChargingProfile", payload)


def composite(order: o.CompositeSchedule, station_id: str) -> Outgoing:
    """The answer is kept for the station that gave it."""

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetCompositeScheduleResponse)
        told = answer.charging_schedule
        if answer.status != "Accepted":
            return read_raw(answer)
        if told is None:
            return Result("accepted", "without a schedule")
        starts = answer.schedule_start or told.start_schedule
        if starts is None:
            return Result("accepted", "without a beginning")
        report = CompositeReport(
            station_id=station_id,
            evse_number=answer.connector_id if answer.connector_id is not None else order.evse_number,
            rate_unit=told.charging_rate_unit,
            starts_at=instant(starts),
            duration_s=told.duration if told.duration is not None else order.duration_s,
            periods=tuple(
                o.Period(start_s=p.start_period, limit=p.limit, n_phases=p.number_phases)
                for p in told.charging_schedule_period
            ),
        )
        return Result("accepted", keep=partial(smartcharging.keep_composite, report=report))

    payload = m.GetCompositeScheduleRequest(
        connector_id=order.evse_number, duration=order.duration_s, charging_rate_unit=order.rate_unit
    )
    return call("GetCompositeSchedule", payload, read)


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.RemoteStart: _remote_start,
    o.RemoteStop: _remote_stop,
    o.SetProfile: _set,
    o.ClearProfiles: _clear,
}
