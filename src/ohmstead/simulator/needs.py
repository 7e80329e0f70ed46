"""Cars that talk (ISO 15118, OCPP 2.x): what they need, and the schedule that they choose within their profile (K15)."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from ohmstead.ocpp.v2 import messages as m
from ohmstead.simulator.car import MIN_AC_CURRENT_A, VOLTAGE_V, Car
from ohmstead.simulator.clock import iso
from ohmstead.simulator.link import Message
from ohmstead.simulator.profiles import DC_VOLTAGE_V, MAX_PERIODS
from ohmstead.simulator.speaker2 import number

if TYPE_CHECKING:
    from ohmstead.simulator.outlet import Outlet

HORIZON_S = 3600


def tell_needs(outlet: "Outlet") -> None:
    """What the car wants until it leaves."""
    car, station = outlet.car, outlet.station
    if car is None or outlet.transaction is None:
        return
    stay_s = max(60.0, outlet.leaves_at - asyncio.get_running_loop().time())
    needs = _needs(car, outlet.plan.phases)
    needs.departure_time = iso(station.clock.now() + timedelta(seconds=min(stay_s, 7 * 86_400)))
    request = m.NotifyEVChargingNeedsRequest(
        evse_id=outlet.number, charging_needs=needs, max_schedule_tuples=MAX_PERIODS
    )
    station.say(Message("NotifyEVChargingNeeds", request))


def _needs(car: Car, phases: int) -> m.ChargingNeedsType:
    """In whole numbers: 2.0.1 knows no others here."""
    wh = Decimal(round(car.missing_wh))
    if car.is_dc:
        dc = m.DCChargingParametersType(
            ev_max_current=Decimal(int(car.model.dc_power_w / DC_VOLTAGE_V)),
            ev_max_voltage=Decimal(int(DC_VOLTAGE_V)),
            ev_max_power=Decimal(car.model.dc_power_w),
            energy_amount=wh,
            state_of_charge=car.soc_percent,
        )
        return m.ChargingNeedsType(requested_energy_transfer="DC", dc_charging_parameters=dc)
    used = min(phases, car.model.ac_phases)
    ac = m.ACChargingParametersType(
        energy_amount=wh,
        ev_min_current=Decimal(int(MIN_AC_CURRENT_A)),
        ev_max_current=Decimal(round(car.model.ac_power_w / car.model.ac_phases / VOLTAGE_V)),
        ev_max_voltage=Decimal(int(VOLTAGE_V)),
    )
    way: m.EnergyTransferModeEnumType = "AC_single_phase" if used == 1 else "AC_three_phase"
    return m.ChargingNeedsType(requested_energy_transfer=way, ac_charging_parameters=ac)


def tell_schedule(outlet: "Outlet") -> None:
    """The car takes all that its profile and the others allow for the next hour."""
    station = outlet.station
    if outlet.transaction is None:
        return
    begins_at = station.clock.now()
    slots = station.profiles.composite(outlet.profile_view(), begins_at, HORIZON_S, "W")
    schedule = m.ChargingScheduleType(
        id=1,
        charging_rate_unit="W",
        duration=HORIZON_S,
        charging_schedule_period=[
            m.ChargingSchedulePeriodType(start_period=slot.start_s, limit=number(slot.limit)) for slot in slots
        ],
    )
    request = m.NotifyEVChargingScheduleRequest(
        time_base=iso(begins_at), charging_schedule=schedule, evse_id=outlet.number
    )
    station.say(Message("NotifyEVChargingSchedule", request))
