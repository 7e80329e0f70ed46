"""Charging profiles between the versions' forms and ours."""

from typing import Any, cast

from ohmstead.ocpp.v2 import messages as m2
from ohmstead.ocpp.v16 import messages as m16
from ohmstead.simulator.clock import iso, parse_instant
from ohmstead.simulator.profiles import Period, Profile, Purpose
from ohmstead.simulator.speaker2 import number

_PURPOSES: dict[str, Purpose] = {
    "ChargePointMaxProfile": "station_max",
    "ChargingStationMaxProfile": "station_max",
    "ChargingStationExternalConstraints": "external",
    "TxDefaultProfile": "tx_default",
    "TxProfile": "tx",
    "PriorityCharging": "priority",
    "LocalGeneration": "local_generation",
}
_WORDS2 = {ours: word for word, ours in _PURPOSES.items() if word != "ChargePointMaxProfile"}


def purpose(word: str) -> Purpose:
    """Our name for a version's purpose."""
    return _PURPOSES[word]


def from16(evse_number: int, given: m16.ChargingProfile, transaction_id: str | None) -> Profile:
    """A 1.6 profile. `transaction_id`: ours, for a TxProfile."""
    schedule = given.charging_schedule
    return Profile(
        profile_id=given.charging_profile_id,
        evse_number=evse_number,
        purpose=_PURPOSES[given.charging_profile_purpose],
        stack_level=given.stack_level,
        kind=cast(Any, given.charging_profile_kind.lower()),
        unit=schedule.charging_rate_unit,
        periods=tuple(
            Period(p.start_period, float(p.limit), p.number_phases) for p in schedule.charging_schedule_period
        ),
        start_at=parse_instant(schedule.start_schedule),
        duration_s=schedule.duration,
        recurrency=cast(Any, given.recurrency_kind.lower()) if given.recurrency_kind else None,
        valid_from=parse_instant(given.valid_from),
        valid_to=parse_instant(given.valid_to),
        transaction_id=transaction_id,
        min_rate=float(schedule.min_charging_rate) if schedule.min_charging_rate is not None else None,
    )


def from2(evse_number: int, given: m2.ChargingProfileType, transaction_id: str | None) -> Profile:
    """A 2.x profile; of several schedules the first counts. A period without limit but with setpoint obeys that."""
    schedule = given.charging_schedule[0]
    return Profile(
        profile_id=given.id,
        evse_number=evse_number,
        purpose=_PURPOSES[given.charging_profile_purpose],
        stack_level=given.stack_level,
        kind=cast(Any, given.charging_profile_kind.lower()),
        unit=schedule.charging_rate_unit,
        periods=tuple(
            Period(p.start_period, _limit2(p), p.number_phases, p.operation_mode)
            for p in schedule.charging_schedule_period
        ),
        start_at=parse_instant(schedule.start_schedule),
        duration_s=schedule.duration,
        recurrency=cast(Any, given.recurrency_kind.lower()) if given.recurrency_kind else None,
        valid_from=parse_instant(given.valid_from),
        valid_to=parse_instant(given.valid_to),
        transaction_id=transaction_id,
        min_rate=float(schedule.min_charging_rate) if schedule.min_charging_rate is not None else None,
        schedule_id=schedule.id,
        limit_at_soc=(at_soc.soc, float(at_soc.limit)) if (at_soc := schedule.limit_at_so_c) else None,
        random_delay_s=schedule.randomized_delay or 0,
        offline_for_s=given.max_offline_duration,
        is_invalid_after_offline=bool(given.invalid_after_offline_duration),
        update_interval_s=given.dyn_update_interval or 0,
    )


def _limit2(period: m2.ChargingSchedulePeriodType) -> float | None:
    values = [float(v) for v in (period.limit, period.setpoint) if v is not None]
    return max(0.0, min(values)) if values else None


def to2(profile: Profile) -> m2.ChargingProfileType:
    """Our profile in 2.x's form, for ReportChargingProfiles."""
    return m2.ChargingProfileType(
        id=profile.profile_id,
        stack_level=profile.stack_level,
        charging_profile_purpose=cast(Any, _WORDS2[profile.purpose]),
        charging_profile_kind=cast(Any, profile.kind.capitalize()),
        recurrency_kind=cast(Any, profile.recurrency.capitalize()) if profile.recurrency else None,
        valid_from=iso(profile.valid_from) if profile.valid_from else None,
        valid_to=iso(profile.valid_to) if profile.valid_to else None,
        transaction_id=profile.transaction_id,
        max_offline_duration=profile.offline_for_s,
        invalid_after_offline_duration=profile.is_invalid_after_offline or None,
        dyn_update_interval=profile.update_interval_s or None,
        charging_schedule=[
            m2.ChargingScheduleType(
                id=profile.schedule_id,
                charging_rate_unit=profile.unit,
                start_schedule=iso(profile.start_at) if profile.start_at else None,
                duration=profile.duration_s,
                min_charging_rate=number(profile.min_rate) if profile.min_rate is not None else None,
                limit_at_so_c=m2.LimitAtSoCType(soc=profile.limit_at_soc[0], limit=number(profile.limit_at_soc[1]))
                if profile.limit_at_soc
                else None,
                randomized_delay=profile.random_delay_s or None,
                charging_schedule_period=[
                    m2.ChargingSchedulePeriodType(
                        start_period=p.start_s,
                        limit=number(p.limit) if p.limit is not None else None,
                        number_phases=p.phases,
                        operation_mode=cast(Any, p.operation),
                    )
                    for p in profile.periods
                ],
            )
        ],
    )
