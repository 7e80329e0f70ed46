"""OCPP 2.x, station → us: reservations, charging profiles and needs, payments, batteries. Translation only."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from ohmstead.ocpp import rpc
from ohmstead.ocpp.inquiries import Inquiries
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2 import profiles
from ohmstead.ocpp.work import Answers, Inbound, Work, instant, kept
from ohmstead.reservations.model import ReservationReport
from ohmstead.sessions.notices.model import BatterySwap, Settlement, VatAnswer
from ohmstead.smartcharging.model import (
    EvScheduleReport,
    LimitReport,
    Needs,
    NeedsAnswer,
    NeedsReport,
    PriorityReport,
    ProfilesReport,
    SmartReport,
    UpdatePull,
)
from ohmstead.stations.orders import Period

_UPDATES: dict[str, Literal["ran_out", "let_go", "unused"]] = {
    "Expired": "ran_out",
    "Removed": "let_go",
    "NoTransaction": "unused",
}
_SWAPS: dict[str, Literal["in", "out", "out_timeout"]] = {
    "BatteryIn": "in",
    "BatteryOut": "out",
    "BatteryOutTimeout": "out_timeout",
}
_PAYMENTS: dict[str, Literal["settled", "canceled", "rejected", "failed"]] = {
    "Settled": "settled",
    "Canceled": "canceled",
    "Rejected": "rejected",
    "Failed": "failed",
}
_NEEDS: dict[NeedsAnswer, m.NotifyEVChargingNeedsStatusEnumType] = {
    "accepted": "Accepted",
    "refused": "Rejected",
    "processing": "Processing",
    "free": "NoChargingProfile",
}
_PHASES = {"AC_single_phase": 1, "AC_two_phase": 2}
_BOTH_WAYS = ("AC_BPT", "AC_BPT_DER", "DC_BPT", "DC_ACDP_BPT")


def reservation_status_update(message: m.ReservationStatusUpdateRequest, inbound: Inbound) -> Work:
    report = ReservationReport(
        station_id=inbound.station.station_id,
        number=message.reservation_id,
        what=_UPDATES[message.reservation_update_status],
        at=inbound.received_at,
    )
    return _aside(report, inbound, m.ReservationStatusUpdateResponse())


def report_charging_profiles(message: m.ReportChargingProfilesRequest, inbound: Inbound) -> Work:
    report = ProfilesReport(
        station_id=inbound.station.station_id,
        request_id=message.request_id,
        evse_number=message.evse_id,
        source=message.charging_limit_source,
        profiles=tuple(profiles.profile_of(p) for p in message.charging_profile),
        is_last=not message.tbc,
        at=inbound.received_at,
    )
    return _aside(report, inbound, m.ReportChargingProfilesResponse())


def notify_charging_limit(message: m.NotifyChargingLimitRequest, inbound: Inbound) -> Work:
    limit = message.charging_limit
    report = LimitReport(
        station_id=inbound.station.station_id,
        evse_number=message.evse_id or 0,
        source=limit.charging_limit_source,
        is_grid_critical=limit.is_grid_critical,
        is_local_generation=limit.is_local_generation,
        schedules=tuple(profiles.schedule_of(s) for s in message.charging_schedule or []),
        at=inbound.received_at,
    )
    return _aside(report, inbound, m.NotifyChargingLimitResponse())


def cleared_charging_limit(message: m.ClearedChargingLimitRequest, inbound: Inbound) -> Work:
    report = LimitReport(
        station_id=inbound.station.station_id,
        evse_number=message.evse_id or 0,
        source=message.charging_limit_source,
        is_cleared=True,
        at=inbound.received_at,
    )
    return _aside(report, inbound, m.ClearedChargingLimitResponse())


def notify_ev_charging_needs(message: m.NotifyEVChargingNeedsRequest, inbound: Inbound) -> Work:
    """Accepted when a plan follows as a charging profile (K15); it may be refused (Q01), and left to itself (K19)."""

    def reply(answers: Answers) -> m.NotifyEVChargingNeedsResponse:
        answer, reason = answers.aside
        info = m.StatusInfoType(reason_code="NotAllowed", additional_info=reason) if reason else None
        return m.NotifyEVChargingNeedsResponse(status=_NEEDS[answer], status_info=info)

    report = NeedsReport(
        station_id=inbound.station.station_id,
        party_id=inbound.station.party_id,
        evse_number=message.evse_id,
        at=inbound.received_at,
        needs=needs_of(message),
    )
    return Work(asides=(report,), records=(kept(inbound),), reply=reply)


def needs_of(message: m.NotifyEVChargingNeedsRequest) -> Needs:
    """What a car wants, whichever of its standards it said it in: AC or DC, one way or both."""
    asked = message.charging_needs
    mode = asked.requested_energy_transfer
    ac, dc, v2x = asked.ac_charging_parameters, asked.dc_charging_parameters, asked.v2x_charging_parameters
    found: dict[str, Any] = {"is_dc": mode.startswith("DC"), "n_phases": _PHASES.get(mode, 3)}
    if ac is not None:
        found |= {"min_current_a": ac.ev_min_current, "max_current_a": ac.ev_max_current}
        found |= {"energy_wh": ac.energy_amount, "voltage_v": ac.ev_max_voltage}
    if dc is not None:
        found |= {"max_current_a": dc.ev_max_current, "voltage_v": dc.ev_max_voltage, "max_power_w": dc.ev_max_power}
        found["energy_wh"] = dc.energy_amount if dc.energy_amount is not None else _missing_wh(dc)
    if v2x is not None:
        found["min_power_w"] = _all_phases(v2x.min_charge_power, v2x.min_charge_power_l2, v2x.min_charge_power_l3)
        found["max_power_w"] = _all_phases(v2x.max_charge_power, v2x.max_charge_power_l2, v2x.max_charge_power_l3)
        if found.get("max_current_a") is None and v2x.max_charge_current is not None:
            found["max_current_a"] = v2x.max_charge_current
        found["max_discharge_w"] = _all_phases(
            v2x.max_discharge_power, v2x.max_discharge_power_l2, v2x.max_discharge_power_l3
        )
        wanted = v2x.ev_target_energy_request
        if wanted is not None and wanted > 0:
            found["energy_wh"] = wanted
    return Needs(
        **found,
        departs_at=instant(asked.departure_time) if asked.departure_time else None,
        max_periods=message.max_schedule_tuples,
        is_bidirectional=mode in _BOTH_WAYS,
        way=profiles.WAY_OF.get(mode),
        control="dynamic" if asked.control_mode == "DynamicControl" else "scheduled",
        wishes=msgspec.json.decode(rpc.to_json(asked)),
    )


def _missing_wh(dc: m.DCChargingParametersType) -> Decimal | None:
    """From what is in the battery to what is to be in it, where the car told both but no amount."""
    if dc.ev_energy_capacity is None or dc.state_of_charge is None:
        return None
    wanted = dc.full_so_c if dc.full_so_c is not None else 100
    return dc.ev_energy_capacity * max(0, wanted - dc.state_of_charge) / 100


def _all_phases(*values: Decimal | None) -> Decimal | None:
    """Watts over all phases: where the second and third are not told, the first is the whole."""
    told = [v for v in values if v is not None]
    return sum(told, Decimal(0)) if told else None


def notify_ev_charging_schedule(message: m.NotifyEVChargingScheduleRequest, inbound: Inbound) -> Work:
    """Rejected when the car chose more than it may have; its profile comes once more then (K15, K16)."""

    def reply(answers: Answers) -> m.NotifyEVChargingScheduleResponse:
        reason: str | None = answers.aside
        if reason is None:
            return m.NotifyEVChargingScheduleResponse(status="Accepted")
        info = m.StatusInfoType(reason_code="InvalidSchedule", additional_info=reason)
        return m.NotifyEVChargingScheduleResponse(status="Rejected", status_info=info)

    report = EvScheduleReport(
        station_id=inbound.station.station_id,
        evse_number=message.evse_id,
        at=instant(message.time_base),
        schedule=profiles.schedule_of(message.charging_schedule),
        selected_schedule_id=message.selected_charging_schedule_id,
        is_tolerance_accepted=message.power_tolerance_acceptance,
    )
    return Work(asides=(report,), records=(kept(inbound),), reply=reply)


def notify_priority_charging(message: m.NotifyPriorityChargingRequest, inbound: Inbound) -> Work:
    report = PriorityReport(
        station_id=inbound.station.station_id,
        transaction_id=message.transaction_id,
        is_active=message.activated,
        at=inbound.received_at,
    )
    return _aside(report, inbound, m.NotifyPriorityChargingResponse())


def pull_dynamic_schedule_update(message: m.PullDynamicScheduleUpdateRequest, inbound: Inbound) -> Work:
    def reply(answers: Answers) -> m.PullDynamicScheduleUpdateResponse:
        period: Period | None = answers.aside
        if period is None:
            return m.PullDynamicScheduleUpdateResponse(
                status="Rejected", status_info=m.StatusInfoType(reason_code="UnknownProfile")
            )
        update = m.ChargingScheduleUpdateType(**profiles.limits_type(period))
        return m.PullDynamicScheduleUpdateResponse(status="Accepted", schedule_update=update)

    pull = UpdatePull(station_id=inbound.station.station_id, profile_id=message.charging_profile_id)
    return Work(asides=(pull,), records=(kept(inbound),), reply=reply)


def notify_settlement(message: m.NotifySettlementRequest, inbound: Inbound) -> Work:
    company = message.vat_company
    report = Settlement(
        station_id=inbound.station.station_id,
        party_id=inbound.station.party_id,
        psp_ref=message.psp_ref,
        status=_PAYMENTS[message.status],
        amount=message.settlement_amount,
        settled_at=instant(message.settlement_time),
        received_at=inbound.received_at,
        transaction_id=message.transaction_id,
        status_info=message.status_info,
        receipt_id=message.receipt_id,
        receipt_url=message.receipt_url,
        vat_number=message.vat_number,
        vat_company=msgspec.json.decode(rpc.to_json(company)) if company is not None else None,
    )
    return _aside(report, inbound, m.NotifySettlementResponse())


def battery_swap(message: m.BatterySwapRequest, inbound: Inbound) -> Work:
    report = BatterySwap(
        station_id=inbound.station.station_id,
        party_id=inbound.station.party_id,
        request_id=message.request_id,
        event=_SWAPS[message.event_type],
        token_uid=message.id_token.id_token,
        batteries=tuple(msgspec.json.decode(rpc.to_json(b)) for b in message.battery_data),
        at=inbound.received_at,
    )
    return _aside(report, inbound, m.BatterySwapResponse())


def vat_number_validation(message: m.VatNumberValidationRequest, inbound: Inbound) -> Work:
    """Accepted only where the register confirms the number."""

    found = VatAnswer(number=message.vat_number, is_valid=None)

    async def first(inquiries: Inquiries) -> None:
        nonlocal found
        found = await inquiries.vat(message.vat_number)

    def reply(_: Answers) -> m.VatNumberValidationResponse:
        response = m.VatNumberValidationResponse(
            vat_number=message.vat_number, evse_id=message.evse_id, status="Accepted" if found.is_valid else "Rejected"
        )
        if not found.is_valid:
            code = "InvalidNumber" if found.is_valid is False else "NotVerified"
            response.status_info = m.StatusInfoType(reason_code=code, additional_info=found.reason or None)
        elif found.name:
            response.company = m.AddressType(
                name=found.name[:50],
                address1=(found.address or "-")[:100],
                city=(found.city or "-")[:100],
                country=(found.country or "-")[:50],
                postal_code=found.postal_code[:20] if found.postal_code else None,
            )
        return response

    return Work(records=(kept(inbound),), reply=reply, first=first)


def _aside(report: SmartReport | ReservationReport | Settlement | BatterySwap, inbound: Inbound, reply: Any) -> Work:
    return Work(asides=(report,), records=(kept(inbound),), reply=lambda _: reply)
