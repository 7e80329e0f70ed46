"""An outlet (EVSE) of a station: plug, card, transaction, charging. One coroutine lives through visit after visit."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from ohmstead.simulator import needs, profiles
from ohmstead.simulator.car import Car
from ohmstead.simulator.charging import Charging
from ohmstead.simulator.meter import Meter, Reading
from ohmstead.simulator.orders import Fault, RemoteOrder, Reservation, StopOrder
from ohmstead.simulator.plan import EvsePlan, Token, Visit
from ohmstead.simulator.transaction import ChargingState, EventKind, Limit, Transaction, TransactionEvent
from ohmstead.simulator.world import OpenTransaction, OutletMemory

if TYPE_CHECKING:
    from ohmstead.simulator.station import Station

Status: TypeAlias = Literal[
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
]
_STATUS_OF_STATE: dict[ChargingState, Status] = {
    "Idle": "Preparing",
    "EVConnected": "Preparing",
    "Charging": "Charging",
    "SuspendedEV": "SuspendedEV",
    "SuspendedEVSE": "SuspendedEVSE",
}


class Outlet:
    """The machine. Public members are what speakers and orders read."""

    def __init__(self, station: "Station", plan: EvsePlan) -> None:
        self.station = station
        self.plan = plan
        self.random = station.world.random("outlet", station.plan.station_id, plan.number)
        memory = station.world.memory.get(station.plan.station_id, {}).get(plan.number)
        register_wh = (
            memory.register_mwh / 1000
            if memory
            else station.world.first_register_wh(station.plan.station_id, plan.number)
        )
        self.meter = Meter(register_wh, station.world.now())
        self.unfinished = memory.open if memory else None
        self.transaction: Transaction | None = None
        self.car: Car | None = None
        self.token: Token | None = None
        self.fault: Fault | None = None
        self.reservation: Reservation | None = None
        self.is_plugged = False
        self.is_authorized = False
        self.is_operative = True
        self.goes_inoperative = False
        self.is_finishing = False
        self.status: Status = "Available"
        self.status_at = station.clock.now()
        self.leaves_at = 0.0
        self._remote: RemoteOrder | None = None
        self._stop: StopOrder | None = None
        self._profile: profiles.Profile | None = None
        self._wake = asyncio.Event()
        self._charging = Charging(self)

    # --- what the rest of the station asks and tells -----------------------------------------------------------------

    @property
    def number(self) -> int:
        """The EVSE's number; in 1.6 the connector's."""
        return self.plan.number

    def profile_view(self) -> profiles.Outlet:
        """The outlet as the profile stack sees it."""
        transaction = self.transaction
        return profiles.Outlet(
            evse_number=self.number,
            phases=self.plan.phases,
            is_dc=self.plan.is_dc,
            max_power_w=self.plan.max_power_w,
            transaction_id=transaction.transaction_id if transaction else None,
            started_at=transaction.started_at if transaction else None,
            soc_percent=100 * self.car.soc if self.car is not None else None,
            charging_outlets=max(1, sum(1 for o in self.station.outlets.values() if o.is_drawing)),
        )

    @property
    def is_drawing(self) -> bool:
        """A car here wants power."""
        return self.transaction is not None and self.car is not None and not self.car.is_content

    def stop(self, order: StopOrder) -> bool:
        """End the transaction; False when there is none, or none that is not ending already."""
        if self.transaction is None or self._stop is not None:
            return False
        self._stop = order
        self._wake.set()
        return True

    def remote_start(self, order: RemoteOrder) -> bool:
        """Accept a remote start if the outlet is free, or a plugged car waits."""
        is_busy = self._remote is not None or (self.transaction is not None and self.is_authorized)
        is_shut = not self.station.is_alive or self.fault is not None or not self.is_operative or self.goes_inoperative
        if is_busy or is_shut or not self.is_open_to(order.token):
            return False
        self._remote = order
        self._wake.set()
        return True

    def is_open_to(self, token: Token | None) -> bool:
        """Not reserved, or reserved for this token or its group."""
        kept = self.reservation
        if kept is None or token is None:
            return kept is None
        return kept.token_uid.casefold() == token.uid.casefold() or bool(
            kept.group_uid and kept.group_uid == token.group_uid
        )

    def wake(self) -> None:
        """Something changed (a profile, a reservation): look again."""
        self._wake.set()

    def break_down(self, fault: Fault) -> None:
        """A fault: the transaction ends, the status tells."""
        self.fault = fault
        self.stop(StopOrder("AbnormalCondition", fault.reason))
        self.refresh_status()
        self.station.tell_fault(self)

    def recover(self) -> None:
        """The fault is gone."""
        self.fault = None
        self.refresh_status()
        self.station.tell_fault(self)
        self._wake.set()

    def tell_meter(self, trigger: str, context: str) -> None:
        """A reading now: as an event of the transaction in 2.x, as MeterValues otherwise."""
        self._charging.settle(self.station.clock.true_now())
        if self.transaction is not None:
            self._charging.sample(trigger, context)
        else:
            self.tell_meter_apart(context)

    def tell_meter_apart(self, context: str) -> None:
        """A reading now, as MeterValues without transaction."""
        reading = self.reading(context, self.station.clock.now())
        self.station.say(self.station.speaker.meter_values(self.number, reading))

    def set_operative(self, is_operative: bool) -> bool:
        """Change availability; False: scheduled until the transaction is over."""
        if not is_operative and self.transaction is not None:
            self.goes_inoperative = True
            return False
        self.goes_inoperative = False
        self.is_operative = is_operative
        self.refresh_status()
        return True

    def memory(self) -> OutletMemory:
        """What survives a power cut."""
        transaction = self.transaction
        if transaction is None or (self.station.is_v16 and transaction.wire_id is None):
            return OutletMemory(self.meter.register_mwh, self.unfinished)
        return OutletMemory(
            self.meter.register_mwh,
            OpenTransaction(
                transaction.transaction_id,
                transaction.wire_id,
                transaction.next_seq_no,
                transaction.started_at,
                self.token.uid if self.token else None,
                self.meter.register_wh,
                self.station.clock.now(),
            ),
        )

    # --- status ------------------------------------------------------------------------------------------------------

    def refresh_status(self) -> None:
        """Work out the status and tell it when it changed."""
        status = self._present_status()
        if status != self.status:
            self.status, self.status_at = status, self.station.clock.now()
            self.station.tell_status(self)

    def _present_status(self) -> Status:
        if self.fault is not None:
            return "Faulted"
        if self.transaction is not None:
            return _STATUS_OF_STATE[self.transaction.charging_state]
        if not self.is_operative:
            return "Unavailable"
        if self.is_plugged or self.is_authorized:
            return "Finishing" if self.is_finishing else "Preparing"
        return "Reserved" if self.reservation is not None else "Available"

    # --- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Visit after visit, until cancelled."""
        station = self.station
        await station.was_accepted.wait()
        self._end_unfinished()
        visit = station.world.demand.first_visit(station.plan, self.plan, self.random, station.clock.true_now())
        if visit is not None:
            await self.pause(self.random.uniform(0, 30))
        while True:
            visit = visit or await self._next_visit()
            await self._host(visit)
            visit = None

    async def pause(self, seconds: float) -> bool:
        """Wait; True when something woke the outlet before the time was over."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _next_visit(self) -> Visit:
        station = self.station
        loop = asyncio.get_running_loop()
        now = station.clock.true_now()
        visit = station.world.demand.next_visit(station.plan, self.plan, self.random, now)
        due = loop.time() + (visit.arrives_at - now).total_seconds() / station.speed if visit else float("inf")
        while True:
            if self._remote is not None:
                return station.remote_visit(self, self._remote)
            self._expire_reservation()
            wait_s = due - loop.time()
            if visit is not None and wait_s <= 0:
                return visit
            if self.reservation is not None:
                wait_s = min(wait_s, (self.reservation.until - station.clock.now()).total_seconds() + 0.05)
            await self.pause(min(wait_s, 86_400.0))

    def _expire_reservation(self) -> None:
        kept = self.reservation
        if kept is not None and kept.until <= self.station.clock.now():
            self.reservation = None
            self.refresh_status()
            self.station.tell_reservation_over(kept.reservation_id, "Expired")

    async def _host(self, visit: Visit) -> None:
        """One car from arrival to departure."""
        station = self.station
        order, self._remote = (self._remote, None) if visit.is_remote else (None, self._remote)
        pool = station.world.tokens
        token = visit.token or pool.take(self.random)
        if token is None or self.fault or not self.is_operative or self.goes_inoperative or not self.is_open_to(token):
            station.world.tally.error("turned_away")
            return
        if self._stop is not None:
            self._stop = None
        self.car, self.token = visit.car, token
        self.leaves_at = asyncio.get_running_loop().time() + visit.stay_s / station.speed
        try:
            if await self._arrive(visit, order):
                if station.world.options.cars_talk and not station.is_v16:
                    needs.tell_needs(self)
                await self._charging.run(visit)
            await self._depart()
        finally:
            if visit.token is None:
                pool.give_back(token)

    async def _arrive(self, visit: Visit, order: RemoteOrder | None) -> bool:
        """Plug and card in either order, or a remote start. False: not authorized; the transaction, if any, is over."""
        if visit.is_underway:
            self.is_plugged = True
            if not await self._authorize("Authorized"):
                return await self._give_up()
            return True
        if order is not None or visit.is_card_first:
            trigger = "RemoteStart" if order else "Authorized"
            if not await self._authorize(trigger, order):
                return await self._give_up()
            await self._hesitate(2.0, 12.0)
            self._plug()
        else:
            self._plug()
            await self._hesitate(3.0, 25.0)
            order, self._remote = self._remote, None
            if order is not None:
                self.token = order.token
            if not await self._authorize("RemoteStart" if order else "Authorized", order):
                return await self._give_up()
        return self.transaction is not None

    async def _give_up(self) -> bool:
        if self.transaction is not None:
            self.end(StopOrder("EVDeparted", "EVDisconnected"))
        self.leaves_at = asyncio.get_running_loop().time() + self.random.uniform(2.0, 20.0)
        return False

    async def _hesitate(self, least_s: float, most_s: float) -> None:
        """What people need for a cable or a card; also shortened by a faster world, but never to nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + max(0.2, self.random.uniform(least_s, most_s) / self.station.speed)
        while (left := until - loop.time()) > 0 and self._stop is None:
            await self.pause(left)

    def _plug(self) -> None:
        self.is_plugged = True
        self._reach("CablePluggedIn")
        self.refresh_status()

    async def _authorize(self, trigger: str, order: RemoteOrder | None = None) -> bool:
        if self.token is None:
            return False
        if order is None or self.station.device.flag("authorize_remote"):
            allowed = await self.station.authorize(self.token)
            if not allowed:
                self.station.world.tally.error("not_authorized")
                return False
        self.is_authorized = True
        self._profile = order.profile if order else None
        self._reach(trigger, order)
        self.refresh_status()
        return True

    def _reach(self, trigger: str, order: RemoteOrder | None = None) -> None:
        """The plug is in, or the card accepted: begin the transaction if that is its start, or report it."""
        transaction = self.transaction
        if transaction is not None:
            transaction.charging_state = "EVConnected" if self.is_plugged else "Idle"
            if order is not None:
                transaction.remote_start_id = order.remote_start_id
            is_card = trigger in ("Authorized", "RemoteStart")
            self.report("Updated", trigger, token=self.token if is_card else None)
            self._install_profile(transaction)
            return
        point = "PowerPathClosed" if self.station.is_v16 else self.station.device.text("tx_start_point")
        is_reached = {
            "EVConnected": self.is_plugged,
            "Authorized": self.is_authorized,
        }.get(point, self.is_plugged and self.is_authorized)
        if is_reached:
            self._begin(trigger, order)

    def _begin(self, trigger: str, order: RemoteOrder | None) -> None:
        station = self.station
        now = station.clock.now()
        self.meter.advance(station.clock.true_now())
        kept = self.reservation
        self.transaction = Transaction(
            evse_number=self.number,
            transaction_id=station.new_transaction_id(self),
            started_at=now,
            register_start_wh=self.meter.register_wh,
            token=self.token if self.is_authorized else None,
            charging_state="EVConnected" if self.is_plugged else "Idle",
            remote_start_id=order.remote_start_id if order else None,
            reservation_id=kept.reservation_id if kept else None,
            wire_id=-1 if "transaction-minus-1" in station.quirks else None,
        )
        self.reservation = None
        reading = self.reading("Transaction.Begin", now)
        if "begin-zero" in station.quirks:
            reading = Reading(now, "Transaction.Begin", 0, 0, reading.phases, reading.is_dc)
        self.transaction.begin_reading = reading
        station.world.tally.sessions_started += 1
        self.report("Started", trigger, readings=(reading,), token=self.transaction.token)
        self._install_profile(self.transaction)

    def _install_profile(self, transaction: Transaction) -> None:
        """The TxProfile of a remote start takes effect with its transaction (F01.FR.09)."""
        profile, self._profile = self._profile, None
        if profile is not None:
            self.station.profiles.install(
                msgspec.structs.replace(profile, evse_number=self.number, transaction_id=transaction.transaction_id)
            )

    def reading(self, context: str, at: datetime) -> Reading:
        """What the meter shows now."""
        car = self.car
        return Reading(
            at=at,
            context=context,
            register_wh=self.meter.register_wh,
            power_w=round(self.meter.power_w),
            phases=1 if self.plan.is_dc else min(self.plan.phases, car.model.ac_phases if car else 3),
            is_dc=self.plan.is_dc,
            soc_percent=car.soc_percent if car is not None and self.plan.is_dc else None,
            offered_w=self._charging.offered_w,
        )

    def report(
        self,
        kind: EventKind,
        trigger: str,
        *,
        readings: tuple[Reading, ...] = (),
        token: Token | None = None,
        stop_reason: str | None = None,
        at: datetime | None = None,
        limit: Limit | None = None,
    ) -> None:
        """Queue an event of the present transaction."""
        transaction = self.transaction
        if transaction is None:
            raise RuntimeError("an event without a transaction")
        self.station.courier.put(
            TransactionEvent(
                transaction=transaction,
                kind=kind,
                trigger=trigger,
                at=at or self.station.clock.now(),
                seq_no=transaction.take_seq_no(),
                charging_state=transaction.charging_state,
                is_offline=not self.station.is_online,
                readings=readings,
                token=token,
                stop_reason=stop_reason,
                evse_number=self.number,
                limit=limit,
            )
        )

    def set_limit(self, limit: Limit) -> None:
        """The present transaction ends there at the latest; the CSMS is told what holds (2.1 E16)."""
        transaction = self.transaction
        if transaction is None or transaction.is_ended or transaction.limit == limit:
            return
        transaction.limit, transaction.limit_reached = limit, None
        self.report("Updated", "LimitSet", limit=limit)
        self.wake()

    @property
    def stop_order(self) -> StopOrder | None:
        """The order that ends the present transaction, if there is one."""
        return self._stop

    def end(self, order: StopOrder) -> None:
        """Report the end. The car may stay plugged in."""
        transaction = self.transaction
        if transaction is None:
            raise RuntimeError("no transaction to end")
        station = self.station
        self._charging.settle(station.clock.true_now())
        self._charging.set_power(0.0)
        reading = self.reading("Transaction.End", station.clock.now())
        if "stop-1wh-low" in station.quirks:
            reading = Reading(
                reading.at, reading.context, self._charging.last_register_wh - 1, 0, reading.phases, reading.is_dc
            )
        transaction.charging_state = "Idle" if order.pulls_plug else "EVConnected"
        transaction.is_ended = True
        self.is_finishing = self.is_plugged
        self.report("Ended", order.trigger, readings=(reading,), token=order.token, stop_reason=order.reason)
        station.profiles.end_transaction(transaction.transaction_id)
        station.world.tally.sessions_ended += 1
        self.transaction, self._stop, self.is_authorized = None, None, False
        station.transaction_ended()
        if self.goes_inoperative:
            self.goes_inoperative, self.is_operative = False, False
        if order.pulls_plug:
            self.leaves_at = 0.0
        elif order.leaves_soon:
            soon = asyncio.get_running_loop().time() + self.random.uniform(20, 180) / self.station.speed
            self.leaves_at = min(self.leaves_at, soon)

    async def _depart(self) -> None:
        """Wait until the plug is pulled; a remote start in between takes the waiting car."""
        loop = asyncio.get_running_loop()
        self.refresh_status()
        while self.is_plugged and (left := self.leaves_at - loop.time()) > 0:
            await self.pause(left)
            if self._remote is not None:
                break
        self.is_plugged = self.is_authorized = self.is_finishing = False
        self.car = self.token = None
        self.refresh_status()

    def _end_unfinished(self) -> None:
        """A transaction that a power cut interrupted is ended now, as of the moment of the cut."""
        cut, self.unfinished = self.unfinished, None
        if cut is None:
            return
        token = Token(cut.token_uid) if cut.token_uid else None
        transaction = Transaction(
            evse_number=self.number,
            transaction_id=cut.transaction_id,
            started_at=cut.started_at,
            register_start_wh=cut.register_wh,
            token=token,
            wire_id=cut.wire_id,
            next_seq_no=cut.next_seq_no,
            is_ended=True,
        )
        self.transaction = transaction
        self.report(
            "Ended",
            "AbnormalCondition",
            readings=(Reading(cut.at, "Transaction.End", cut.register_wh),),
            stop_reason="PowerLoss",
            at=cut.at,
        )
        self.transaction = None
