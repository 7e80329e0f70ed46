"""Between the begin and the end of a transaction: power follows car, outlet and profiles; the meter counts."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from ohmstead.simulator.orders import StopOrder
from ohmstead.simulator.plan import Visit
from ohmstead.simulator.transaction import ChargingState

if TYPE_CHECKING:
    from ohmstead.simulator.outlet import Outlet

# Power is held constant for at most this long; a battery's taper is followed in such steps.
_STEP_S = 30.0


class Charging:
    """The charging loop of one outlet."""

    __slots__ = ("_outlet", "last_register_wh", "offered_w")

    def __init__(self, outlet: "Outlet") -> None:
        self._outlet = outlet
        self.offered_w: int | None = None
        self.last_register_wh = 0

    async def run(self, visit: Visit) -> None:
        """Charge until an order, the driver or the cable ends it; the end is reported."""
        outlet = self._outlet
        loop = asyncio.get_running_loop()
        if outlet.transaction is not None and outlet.transaction.begin_reading is not None:
            self.last_register_wh = outlet.meter.register_wh
        sampled = loop.time()
        while True:
            now = outlet.station.clock.true_now()
            self.settle(now)
            order = outlet.stop_order
            if order is None and loop.time() >= outlet.leaves_at:
                order = (
                    StopOrder("StopAuthorized", "Local", token=outlet.token)
                    if visit.leaves_by_card
                    else StopOrder("EVDeparted", "EVDisconnected", pulls_plug=True)
                )
            if order is not None:
                outlet.end(order)
                return
            self._adjust(now)
            interval_s = outlet.station.device.number("sample_interval_s")
            if interval_s > 0 and loop.time() >= sampled + interval_s - 1e-6:
                sampled += interval_s * max(1.0, (loop.time() - sampled) // interval_s)
                self.sample("MeterValuePeriodic", "Sample.Periodic")
            until = sampled + interval_s if interval_s > 0 else loop.time() + _STEP_S
            await outlet.pause(min(until, outlet.leaves_at) - loop.time() if self._is_steady() else self._step_s(until))

    def _is_steady(self) -> bool:
        return self._outlet.meter.power_w <= 0 and not len(self._outlet.station.profiles.profiles)

    def _step_s(self, until: float) -> float:
        """Seconds to the next look: sample, departure, change of a profile, battery full, or the taper's step."""
        outlet = self._outlet
        loop = asyncio.get_running_loop()
        waits = [_STEP_S, until - loop.time(), outlet.leaves_at - loop.time()]
        car, power_w = outlet.car, outlet.meter.power_w
        if car is not None and power_w > 0:
            waits.append(car.missing_wh / power_w * 3600 + 0.01)
        change_s = outlet.station.profiles.next_change_s(outlet.profile_view(), outlet.station.clock.now())
        if change_s is not None:
            waits.append(change_s + 0.01)
        return max(0.01, min([*waits, *self._limit_waits()]))

    def settle(self, at: datetime) -> None:
        """Count the energy up to `at`; the car takes it."""
        outlet = self._outlet
        car = outlet.car
        energy_wh = outlet.meter.advance(at, car.missing_wh if car is not None else None)
        if car is not None and energy_wh:
            car.absorb(energy_wh)
        outlet.station.world.tally.energy_mwh += round(1000 * energy_wh)

    def set_power(self, power_w: float) -> None:
        """The power from now on."""
        meter, tally = self._outlet.meter, self._outlet.station.world.tally
        tally.power_w += power_w - meter.power_w
        tally.charging += int(power_w > 0) - int(meter.power_w > 0)
        meter.power_w = power_w

    def _adjust(self, now: datetime) -> None:
        """Set power and charging state by what the car wants and what profiles allow."""
        outlet = self._outlet
        car, transaction, plan = outlet.car, outlet.transaction, outlet.plan
        if car is None or transaction is None:
            return
        view = outlet.profile_view()
        limit = outlet.station.profiles.limit_at(view, outlet.station.clock.now())
        allowed_w = limit.watts(plan.phases, is_dc=plan.is_dc)
        offered_w = plan.max_power_w if allowed_w is None else min(plan.max_power_w, max(0.0, allowed_w))
        limit_a = None if plan.is_dc else limit.amperes(plan.phases, is_dc=False)
        self.offered_w = round(offered_w)
        power_w = car.wanted_power_w(offered_w, plan.phases, limit_a=limit_a)
        state: ChargingState
        reached = self._reached()
        if reached is not None:
            power_w = 0.0
        if car.is_content:
            state = "SuspendedEV"
        elif power_w <= 0:
            state = "SuspendedEVSE"
        else:
            state = "Charging"
        self.set_power(power_w)
        if reached is not None and transaction.limit_reached is None:
            transaction.limit_reached = reached
            transaction.charging_state = state
            self.sample(reached, "Other")
            outlet.refresh_status()
        if state != transaction.charging_state:
            transaction.charging_state = state
            self.sample("ChargingStateChanged", "Other")
            outlet.refresh_status()

    def _reached(self) -> str | None:
        """Which of the transaction's bounds is reached: nothing is delivered beyond (2.1 E16.FR.05)."""
        outlet = self._outlet
        transaction, car = outlet.transaction, outlet.car
        if transaction is None or transaction.limit is None:
            return None
        return transaction.limit.reached(
            cost=transaction.cost,
            energy_wh=outlet.meter.register_wh - transaction.register_start_wh,
            seconds=(outlet.station.clock.now() - transaction.started_at).total_seconds(),
            soc_percent=car.soc_percent if car is not None and outlet.plan.is_dc else None,
        )

    def _limit_waits(self) -> list[float]:
        """Seconds until a bound of the transaction may be reached."""
        outlet = self._outlet
        transaction = outlet.transaction
        if transaction is None or transaction.limit is None or transaction.limit_reached is not None:
            return []
        limit, waits = transaction.limit, []
        delivered_wh = outlet.meter.register_wh - transaction.register_start_wh
        if limit.max_energy_wh is not None and outlet.meter.power_w > 0:
            waits.append((limit.max_energy_wh - delivered_wh) / outlet.meter.power_w * 3600 + 0.01)
        if limit.max_time_s is not None:
            passed_s = (outlet.station.clock.now() - transaction.started_at).total_seconds()
            waits.append(limit.max_time_s - passed_s + 0.01)
        return waits

    def sample(self, trigger: str, context: str) -> None:
        """Report what the meter shows now."""
        outlet = self._outlet
        is_mute = "no-meter-values" in outlet.station.quirks and trigger != "Trigger"
        if is_mute and trigger == "MeterValuePeriodic":
            return
        reading = outlet.reading(context, outlet.station.clock.now())
        if not is_mute:
            self.last_register_wh = reading.register_wh
        outlet.report("Updated", trigger, readings=() if is_mute else (reading,))
