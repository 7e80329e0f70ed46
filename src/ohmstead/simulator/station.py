"""A charging station: one state machine for all versions. What differs between versions is in its speaker."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeAlias, TypeVar

import msgspec

from ohmstead.simulator import certificates, mishaps, quirks
from ohmstead.simulator.answers2 import Speaker2
from ohmstead.simulator.answers16 import Speaker16
from ohmstead.simulator.answers21 import Shown
from ohmstead.simulator.clock import StationClock
from ohmstead.simulator.courier import Courier
from ohmstead.simulator.device import Device
from ohmstead.simulator.jobs import Jobs
from ohmstead.simulator.link import CallRefused, Disconnected, Link, Message, Unanswered
from ohmstead.simulator.orders import RemoteOrder, Reservation, StopOrder
from ohmstead.simulator.outlet import Outlet
from ohmstead.simulator.permissions import Permission, Permissions
from ohmstead.simulator.plan import StationPlan, Token, Visit
from ohmstead.simulator.profiles import Outlet as ProfileView
from ohmstead.simulator.profiles import Profile, ProfileStack, Slot, Unit
from ohmstead.simulator.reports2 import Monitor
from ohmstead.simulator.speaker import Speaker, StatusReport
from ohmstead.simulator.transport import Unreachable
from ohmstead.simulator.visits import remote_visit
from ohmstead.simulator.world import OpenTransaction, OutletMemory, World

T = TypeVar("T")

Prelude: TypeAlias = Callable[["Station"], Awaitable[None]]
CLOCK_OFFSET_S = 7200.0
_SPAM_S = 5.0
_DAY_S = 86_400.0


class Station:
    """One station. `run` lives until cancelled; `stop` lets its transactions end first."""

    def __init__(self, plan: StationPlan, world: World, prelude: Prelude | None = None) -> None:
        """`prelude`: what the station tells once it is first accepted, before its outlets come to life."""
        self.plan = plan
        self.world = world
        self.random = world.random("station", plan.station_id)
        self.quirks = quirks.choose(world.options.quirks, plan.version)
        offset_s = world.options.clock_offset_s + (CLOCK_OFFSET_S if "clock-offset" in self.quirks else 0.0)
        self.clock = StationClock(world.now, offset_s, is_lost="epoch-clock" in self.quirks)
        self.device = Device(self.clock.now, connectors=str(len(plan.evses)), identity=plan.station_id)
        self.device.assign("tx_start_point", plan.tx_start_point)
        if world.options.sample_interval_s is not None:
            self.device.assign("sample_interval_s", str(world.options.sample_interval_s))
        self.profiles = ProfileStack()
        self.permissions = Permissions()
        self.speaker: Speaker = Speaker16(self) if self.is_v16 else Speaker2(self)
        self.courier = Courier(self)
        self.jobs = Jobs(self)
        self.certificates = certificates.CertificateStore()
        self.shown = Shown({}, {})
        self.shown_costs: dict[str, Decimal] = {}
        self.monitors: dict[int, Monitor] = {}
        self._certificate_key: certificates.Key | None = None
        self.outlets = {evse.number: Outlet(self, evse) for evse in plan.evses}
        self.was_accepted = asyncio.Event()
        self._prelude = prelude
        self.is_alive = prelude is None
        self.registration = ""
        self.is_operative = True
        self._online = asyncio.Event()
        self._attention = asyncio.Event()
        self._transaction_ended = asyncio.Event()
        self._link: Link | None = None
        self._boot_reason: str | None = "PowerUp"
        self._boot_now = False
        self._away_s = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._n_messages = 0
        self._n_transactions = 0
        world.tally.stations += 1

    # --- small things that others ask ----------------------------------------------------------------------------------

    @property
    def is_v16(self) -> bool:
        """Speaks OCPP 1.6."""
        return self.plan.version == "1.6"

    @property
    def is_online(self) -> bool:
        """Connected and accepted."""
        return self._online.is_set()

    @property
    def speed(self) -> float:
        """How much faster than naturally things happen here."""
        return self.world.options.speed

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something beside everything else; it ends with the station at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.world.tally.error("simulator_errors", f"{self.plan.station_id}: {type(error).__name__}: {error}")

    def new_message_id(self) -> str:
        """Unique over all connections of this station and all runs."""
        self._n_messages += 1
        return f"{self.world.nonce}{self._n_messages:x}"

    def new_transaction_id(self, outlet: Outlet) -> str:
        """Ids that no other run and no other station uses."""
        self._n_transactions += 1
        seed = f"{self.world.nonce}/{self.plan.station_id}/{outlet.number}/{self._n_transactions}"
        digest = sha256(seed.encode()).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"

    def take_plan(self, plan: StationPlan) -> None:
        """The station was changed (new firmware)."""
        self.plan = plan
        self.speaker.plan = plan

    def memory(self) -> dict[int, OutletMemory]:
        """What the station keeps over a power cut."""
        kept = {number: outlet.memory() for number, outlet in self.outlets.items()}
        for event in self.courier.queued_ends():
            # An end that could not be delivered yet is delivered after the next start.
            transaction, last = event.transaction, event.readings[-1]
            if transaction.wire_id is not None or not self.is_v16:
                kept[transaction.evse_number].open = OpenTransaction(
                    transaction.transaction_id,
                    transaction.wire_id,
                    event.seq_no,
                    transaction.started_at,
                    transaction.token.uid if transaction.token else None,
                    last.register_wh,
                    event.at,
                )
        return kept

    # --- saying things -------------------------------------------------------------------------------------------------

    async def wait_online(self) -> Link:
        """The connection, once there is an accepted one."""
        while True:
            await self._online.wait()
            if self._link is not None and self._link.is_open:
                return self._link
            self._online.clear()

    def say(self, message: Message | None) -> None:
        """Say something that is not kept when the line is down. While Pending only what the CSMS triggers is said."""
        link = self._link
        if message is not None and link is not None and link.is_open:
            self.spawn(self._say(link, message))

    async def _say(self, link: Link, message: Message) -> Any:
        try:
            return await link.call(message)
        except (CallRefused, Unanswered, Disconnected):
            return None

    async def ask(self, message: Message) -> Any:
        """Say something and hear the answer; None when there is none."""
        link = self._link
        return await self._say(link, message) if link is not None and self.is_online else None

    def tell_status(self, outlet: Outlet) -> None:
        """StatusNotification, and what goes with a fault."""
        if self.is_online:
            self.say(self.speaker.status(self.status_of(outlet)))

    def tell_fault(self, outlet: Outlet) -> None:
        """What is told about a fault beside the status."""
        if self.is_online:
            self.say(self.speaker.fault(outlet, self.clock.now()))

    def status_of(self, outlet: Outlet) -> StatusReport:
        """An outlet's status, ready to be told."""
        fault = outlet.fault
        code, info = (fault.error_code, fault.info) if fault else ("NoError", None)
        return StatusReport(outlet.number, outlet.status, outlet.status_at, code, info)

    def tell_statuses(self) -> None:
        """Every status, the station's own first."""
        self.speaker.forget_status()
        status = "Available" if self.is_operative else "Unavailable"
        self.say(self.speaker.status(StatusReport(0, status, self.clock.now())))
        for outlet in self.outlets.values():
            self.say(self.speaker.status(self.status_of(outlet)))

    def tell_reservation_over(self, reservation_id: int, status: str) -> None:
        """A reservation ended by itself."""
        if self.is_online:
            self.say(self.speaker.reservation_over(reservation_id, status))

    # --- authorization -------------------------------------------------------------------------------------------------

    async def authorize(self, token: Token) -> bool:
        """May this token charge? Asks the CSMS, or decides alone while the line is down (1.6 §3.4, 2.x C10–C14)."""
        known = self.permissions.find(
            token,
            self.clock.now(),
            uses_list=self.device.flag("local_list_enabled"),
            uses_cache=self.device.flag("cache_enabled"),
        )
        is_known_good = known is not None and known.status == "Accepted"
        if is_known_good and self.device.flag("pre_authorize"):
            return True
        if self.is_online:
            answer = await self.ask(self.speaker.authorize(token))
            if answer is not None:
                verdict = self.speaker.read_authorization(answer)
                self.cache_token(token, verdict.status or "Invalid", verdict.group_uid)
                return verdict.status == "Accepted"
        if known is not None:
            return is_known_good and self.device.flag("authorize_offline")
        return self.device.flag("offline_unknown")

    def cache_token(self, token: Token, status: str, group_uid: str | None) -> None:
        """Remember what the CSMS said."""
        if self.device.flag("cache_enabled"):
            until = self.clock.now() + timedelta(days=7)
            self.permissions.remember(token, Permission(status, group_uid, until))

    # --- orders that concern the whole station -------------------------------------------------------------------------

    def remote_visit(self, outlet: Outlet, order: RemoteOrder) -> Visit:
        """The car that comes for a remote start."""
        return remote_visit(outlet.plan, outlet.random, self.clock.true_now(), order, self.speed)

    def find_outlet(self, transaction_id: str) -> Outlet | None:
        """The outlet of a running transaction; 1.6 asks by the CSMS's number."""
        for outlet in self.outlets.values():
            transaction = outlet.transaction
            if transaction is not None and transaction_id in (transaction.transaction_id, str(transaction.wire_id)):
                return outlet
        return None

    def install_profile(self, profile: Profile) -> str | None:
        """Keep a charging profile and obey it at once. Returns None, or why it is refused."""
        if profile.random_delay_s and not profile.delay_s:
            profile = msgspec.structs.replace(profile, delay_s=self.random.uniform(0, profile.random_delay_s))
        refusal = self.profiles.install(profile)
        if refusal is None:
            self._reconsider()
        return refusal

    def clear_profiles(self, matches: Callable[[Profile], bool]) -> int:
        """Forget profiles; how many that were."""
        n_cleared = self.profiles.remove(matches)
        if n_cleared:
            self._reconsider()
        return n_cleared

    def _reconsider(self) -> None:
        for outlet in self.outlets.values():
            outlet.wake()

    def composite(
        self, evse_number: int, duration_s: int, unit: Unit | None
    ) -> tuple[datetime, Unit, list[Slot]] | None:
        """The schedule that results for an outlet, or for the station (0: the sum of its outlets' maxima bounds it)."""
        outlet = self.outlets.get(evse_number)
        if (outlet is None and evse_number != 0) or duration_s < 0:
            return None
        view = outlet.profile_view() if outlet else self._station_view()
        now = self.clock.now().replace(microsecond=0)
        chosen: Unit = unit or "W"
        return now, chosen, self.profiles.composite(view, now, duration_s, chosen)

    def _station_view(self) -> ProfileView:
        evses = self.plan.evses
        return ProfileView(
            evse_number=0,
            phases=max(e.phases for e in evses),
            is_dc=all(e.is_dc for e in evses),
            max_power_w=sum(e.max_power_w for e in evses),
        )

    def reserve(self, evse_number: int | None, reservation: Reservation) -> str:
        """Keep an outlet for a token; `Accepted`, `Occupied`, `Faulted`, `Unavailable` or `Rejected`."""
        outlets = [o for o in self.outlets.values() if evse_number in (None, o.number)]
        if not outlets:
            return "Rejected"
        same = next((o for o in outlets if _is(o.reservation, reservation.reservation_id)), None)
        free = same or next((o for o in outlets if o.status == "Available"), None)
        if free is not None:
            free.reservation = reservation
            free.refresh_status()
            free.wake()
            return "Accepted"
        states = {o.status for o in outlets}
        return next((word for word in ("Faulted", "Unavailable") if states == {word}), "Occupied")

    def cancel_reservation(self, reservation_id: int) -> bool:
        """Give the outlet free again; False for an unknown reservation."""
        for outlet in self.outlets.values():
            if _is(outlet.reservation, reservation_id):
                outlet.reservation = None
                outlet.refresh_status()
                outlet.wake()
                return True
        return False

    def sign_certificate(self) -> None:
        """Ask the CSMS to sign a new certificate for this station (A02, 1.6 whitepaper A02)."""
        self._certificate_key, csr = certificates.new_request(self.plan.station_id, self.device.text("cpo_name"))
        self.say(self.speaker.sign_certificate(csr))

    def take_certificate(self, chain: str) -> bool:
        """A signed certificate arrived; good if it belongs to the key of the last request."""
        return self._certificate_key is not None and certificates.fits(chain, self._certificate_key)

    def reboot(self, reason: str, *, is_graceful: bool = True) -> None:
        """Transactions end, the line goes down, the station boots again."""
        self.spawn(self._reboot(reason, is_graceful=is_graceful))

    def reboot_when_idle(self, reason: str) -> None:
        """Boot again once no transaction is running (2.x Reset OnIdle)."""
        self.spawn(self._reboot_when_idle(reason))

    async def _reboot_when_idle(self, reason: str) -> None:
        await self.wait_idle()
        await self._reboot(reason, is_graceful=True)

    async def wait_idle(self) -> None:
        """Until no transaction is running."""
        while any(outlet.transaction is not None for outlet in self.outlets.values()):
            await self._transaction_ended.wait()

    def transaction_ended(self) -> None:
        """An outlet is done with its transaction."""
        ended, self._transaction_ended = self._transaction_ended, asyncio.Event()
        ended.set()

    async def _reboot(self, reason: str, *, is_graceful: bool) -> None:
        is_order = reason == "RemoteReset"
        cause = "Reboot" if is_graceful or not is_order else "ImmediateReset"
        for outlet in self.outlets.values():
            outlet.stop(StopOrder("ResetCommand" if is_order else "AbnormalCondition", cause, leaves_soon=False))
        await asyncio.sleep(0.2)
        await self._drain(5.0)
        self._boot_reason = reason
        self.hang_up(self.random.uniform(2.0, 6.0))

    def hang_up(self, away_s: float) -> None:
        """Drop the line and stay away this long."""
        self._away_s = max(0.1, away_s)
        self._attention.set()

    def boot_again(self) -> None:
        """BootNotification was triggered."""
        if self.registration == "Accepted":
            self.say(self.speaker.boot("Triggered"))
        else:
            self._boot_now = True
            self._attention.set()

    async def _drain(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.courier.is_idle.wait()
        except TimeoutError:
            pass

    async def stop(self) -> None:
        """Power off: transactions end with PowerLoss as far as the line allows."""
        if self.world.options.is_ending_on_stop:
            stopped = [
                o.stop(StopOrder("AbnormalCondition", "PowerLoss", pulls_plug=True)) for o in self.outlets.values()
            ]
            if any(stopped):
                await asyncio.sleep(0.05)
            if self.is_online:
                await self._drain(5.0)
        link, self._link = self._link, None
        self._online.clear()
        if link is not None:
            await link.close()

    # --- life ----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, boot, attend; again after every loss of the line. Outlets live through all of it."""
        try:
            self.spawn(self._come_alive())
            if self.world.options.faults_per_day > 0:
                self.spawn(mishaps.faults(self))
            if self.world.options.offline_per_day > 0:
                self.spawn(mishaps.offline_spells(self))
            if "status-spam" in self.quirks:
                self.spawn(self._spam())
            await self._stay_connected()
        finally:
            for task in tuple(self._tasks):
                task.cancel()

    async def _come_alive(self) -> None:
        if self._prelude is not None:
            await self.was_accepted.wait()
            await self._prelude(self)
            self.is_alive = True
        for outlet in self.outlets.values():
            self.spawn(outlet.run())

    async def _stay_connected(self) -> None:
        attempt = 0
        while True:
            away_s, self._away_s = self._away_s, 0.0
            if away_s:
                await asyncio.sleep(away_s)
            try:
                socket = await self.world.dialer.dial(self.plan.station_id, self.plan.version, self.secret())
            except Unreachable as error:
                kind = f"refused_{error.status}" if error.status else "unreachable"
                self.world.tally.error(kind, f"{self.plan.station_id}: {error}")
                await asyncio.sleep(self._back_off_s(attempt))
                attempt += 1
                continue
            link = Link(socket, self.speaker, self.world.tally, self.new_message_id)
            link.timeout_s = self.device.number("message_timeout_s")
            self.world.tally.connects += 1
            self.world.tally.connected += 1
            reader = asyncio.get_running_loop().create_task(link.run())
            reader.add_done_callback(lambda _: self._attention.set())
            try:
                self._link = link
                if await self._attend(link, reader):
                    attempt = 0
            finally:
                self._go_offline(link)
                reader.cancel()
                await link.close()
            if not self._away_s:
                await asyncio.sleep(self._back_off_s(attempt))
                attempt += 1

    def secret(self) -> bytes | None:
        """The password's bytes for the Authorization header; None without one."""
        password = self.device.text("auth_key") or self.world.passwords.get(self.plan.station_id)
        return quirks.basic_auth_secret(password, self.quirks) if password else None

    def _back_off_s(self, attempt: int) -> float:
        """Exponential with jitter (OCPP 2.1 part 4 §5.4)."""
        doubled = min(attempt, self.device.number("backoff_repeats"))
        least = self.device.number("backoff_min_s") * 2**doubled
        return float(least + self.random.uniform(0, self.device.number("backoff_random_s")))

    def _go_offline(self, link: Link) -> None:
        self._online.clear()
        if self.profiles.offline_since is None:
            self.profiles.offline_since = self.clock.now()
            if self.profiles.minds_the_line:
                self._reconsider()
        tally = self.world.tally
        tally.connected -= 1
        if self.registration == "Accepted" and self._link is link:
            tally.accepted -= 1
        self._link = None

    async def _attend(self, link: Link, reader: "asyncio.Task[None]") -> bool:
        """One connection from its boot to its loss. True if the station got as far as being accepted."""
        try:
            if self._boot_reason is not None:
                self.registration = ""
                if not await self._boot(link, reader):
                    return False
        except Disconnected:
            return False
        self.world.tally.accepted += 1
        self.registration = "Accepted"
        self._online.set()
        if self.profiles.minds_the_line:
            self._reconsider()
        self.profiles.came_back(self.clock.now())
        self.was_accepted.set()
        self.tell_statuses()
        loop = asyncio.get_running_loop()
        interval_s = max(1, self.device.number("heartbeat_interval_s"))
        first_s = min(30.0, interval_s) if self.clock.is_lost else interval_s * self.random.uniform(0.1, 1.0)
        heartbeat_at = loop.time() + first_s
        while not reader.done() and not self._away_s:
            aligned_s = self._to_alignment_s()
            await self._pause(min(heartbeat_at - loop.time(), aligned_s))
            if reader.done() or self._away_s:
                break
            if loop.time() >= heartbeat_at:
                if await self.ask(self.speaker.heartbeat()) is not None:
                    self.clock.synchronise()
                heartbeat_at = loop.time() + max(1, self.device.number("heartbeat_interval_s"))
            if aligned_s < _DAY_S and self._to_alignment_s() > aligned_s:
                self._align()
        return True

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._attention.wait()
        except TimeoutError:
            return
        self._attention.clear()

    async def _boot(self, link: Link, reader: "asyncio.Task[None]") -> bool:
        """BootNotification until accepted, at the pace that the CSMS asks for. False: the line went down."""
        reason = self._boot_reason or "PowerUp"
        while not reader.done() and not self._away_s:
            wait_s = 30.0
            try:
                answer = self.speaker.read_boot(await link.call(self.speaker.boot(reason)))
            except (CallRefused, Unanswered):
                pass
            else:
                self.registration = answer.status
                wait_s = float(answer.interval_s) if answer.interval_s > 0 else 30.0
                if answer.status == "Accepted":
                    self._boot_reason = None
                    if answer.interval_s > 0:
                        self.device.assign("heartbeat_interval_s", str(answer.interval_s))
                    if "epoch-clock" not in self.quirks:
                        self.clock.synchronise()
                    return True
                self.world.tally.error(f"boot_{answer.status.lower()}")
            self._boot_now = False
            until = asyncio.get_running_loop().time() + wait_s
            while not (reader.done() or self._away_s or self._boot_now):
                left = until - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                await self._pause(left)
        return False

    def _to_alignment_s(self) -> float:
        """Seconds to the next clock-aligned reading (1.6 ClockAlignedDataInterval, 2.x AlignedDataCtrlr)."""
        interval_s = self.device.number("clock_aligned_interval_s")
        if interval_s <= 0:
            return _DAY_S
        now = self.clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return float(interval_s - (now - midnight).total_seconds() % interval_s)

    def _align(self) -> None:
        for outlet in self.outlets.values():
            outlet.tell_meter("MeterValueClock", "Sample.Clock")

    async def _spam(self) -> None:
        while True:
            await asyncio.sleep(_SPAM_S)
            if self.is_online:
                for outlet in self.outlets.values():
                    self.say(self.speaker.status(self.status_of(outlet)))


def _is(reservation: Reservation | None, reservation_id: int) -> bool:
    return reservation is not None and reservation.reservation_id == reservation_id
