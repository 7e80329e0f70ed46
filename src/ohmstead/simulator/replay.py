"""Past sessions, played through the stations' own door with their original times, as after an offline spell.

Everything about a session follows from its row: transaction id, sequence numbers, times, readings. Playing the same file
again says the same again, so that a CSMS which takes nothing twice ends where it was.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

from ohmstead.simulator.clock import iso
from ohmstead.simulator.link import CallRefused, Disconnected, Link, Message, Unanswered
from ohmstead.simulator.meter import Reading
from ohmstead.simulator.past import PastSession
from ohmstead.simulator.plan import StationPlan, Token
from ohmstead.simulator.speaker import Speaker, StatusReport
from ohmstead.simulator.station import Station
from ohmstead.simulator.transaction import ChargingState, EventKind, Transaction, TransactionEvent
from ohmstead.simulator.transport import Unreachable
from ohmstead.simulator.world import World

MAX_SAMPLES = 12
SAMPLE_EVERY_S = 900.0
DEFAULT_POWER_W = 7_400
ATTEMPTS = 4
CONNECT_ATTEMPTS = 8


class ReplayOptions(Struct, frozen=True):
    """`samples`: meter values between begin and end of a session; None: one per 15 minutes, at most `at_most`.

    `authorizes`: an Authorize before each start. `attempts_wait_s`: the wait before a refused message is sent again.
    """

    samples: int | None = None
    at_most: int = MAX_SAMPLES
    authorizes: bool = False
    attempts_wait_s: float = 1.0


class Outcome(Struct):
    """What a station's replay came to. `register_wh`: per EVSE, what the meter shows after the last session."""

    station_id: str
    n_sessions: int = 0
    energy_wh: int = 0
    failures: list[str] = []
    register_wh: dict[int, int] = {}


def transaction_id(session: PastSession) -> str:
    """The 2.x transaction id of a past session: 36 characters that follow from its station, outlet and begin."""
    digest = sha256(f"{session.station}|{session.evse}|{iso(session.plugged_at)}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def sample_times(session: PastSession, options: ReplayOptions) -> list[datetime]:
    """Whole seconds between begin and end, evenly spread."""
    stay_s = int((session.unplugged_at - session.plugged_at).total_seconds())
    wanted = options.samples
    count = min(options.at_most, int(stay_s // SAMPLE_EVERY_S)) if wanted is None else wanted
    count = min(count, max(0, stay_s - 1))
    offsets = sorted({stay_s * (i + 1) // (count + 1) for i in range(count)} - {0, stay_s})
    return [session.plugged_at + timedelta(seconds=offset) for offset in offsets]


def charging_s(session: PastSession) -> float:
    """How long power flowed: at the power that is known, or 7.4 kW, or as much more as the energy needs."""
    stay_s = (session.unplugged_at - session.plugged_at).total_seconds()
    power_w = session.max_power_w or DEFAULT_POWER_W
    return min(stay_s, session.energy_wh * 3600 / power_w)


def events(session: PastSession, register_wh: int, options: ReplayOptions) -> list[TransactionEvent]:
    """Everything the station reports about a session whose register stood at `register_wh` when it began."""
    flow_s = charging_s(session)
    power_w = round(session.energy_wh * 3600 / flow_s) if flow_s > 0 else 0
    stay_s = (session.unplugged_at - session.plugged_at).total_seconds()
    begin = Reading(session.plugged_at, "Transaction.Begin", register_wh)
    transaction = Transaction(
        evse_number=session.evse,
        transaction_id=transaction_id(session),
        started_at=session.plugged_at,
        register_start_wh=register_wh,
        token=Token(session.token),
        begin_reading=begin,
        charging_state="Charging" if session.energy_wh else "EVConnected",
    )
    found: list[TransactionEvent] = []

    def add(kind: EventKind, trigger: str, reading: Reading, state: ChargingState, reason: str | None = None) -> None:
        found.append(
            TransactionEvent(
                transaction=transaction,
                kind=kind,
                trigger=trigger,
                at=reading.at,
                seq_no=transaction.take_seq_no(),
                charging_state=state,
                is_offline=True,
                readings=(reading,),
                token=transaction.token if kind == "Started" else None,
                stop_reason=reason,
                evse_number=session.evse,
            )
        )

    def reading(at: datetime, context: str) -> Reading:
        elapsed_s = (at - session.plugged_at).total_seconds()
        is_flowing = elapsed_s < flow_s
        energy_wh = int(session.energy_wh * elapsed_s / flow_s) if is_flowing else session.energy_wh
        return Reading(at, context, register_wh + energy_wh, power_w if is_flowing else 0)

    add("Started", "Authorized", begin, transaction.charging_state)
    full_at: datetime | None = None
    if options.samples is None and 0 < flow_s < stay_s - 120:
        # The moment the battery is full tells charging from idle time.
        full_at = session.plugged_at + timedelta(seconds=int(flow_s) + 1)
    for at in sample_times(session, options):
        if full_at is not None and at >= full_at:
            if at > full_at:
                add("Updated", "ChargingStateChanged", reading(full_at, "Other"), "SuspendedEV")
            full_at = None
        state: ChargingState = "Charging" if reading(at, "").power_w else "SuspendedEV"
        add("Updated", "MeterValuePeriodic", reading(at, "Sample.Periodic"), state)
    if full_at is not None:
        add("Updated", "ChargingStateChanged", reading(full_at, "Other"), "SuspendedEV")
    end = Reading(session.unplugged_at, "Transaction.End", register_wh + session.energy_wh)
    add("Ended", "EVDeparted", end, "Idle", "EVDisconnected")
    return found


class Line(Protocol):
    """What a player speaks through."""

    async def link(self) -> Link:
        """An open, accepted connection; a new one if there is none. Raises Unreachable when there will be none."""


class OwnLine:
    """A connection that is made for the replay alone: one boot, no status, no heartbeat."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._world = station.world
        self._link: Link | None = None
        self._reader: asyncio.Task[None] | None = None
        self._has_booted = False

    async def link(self) -> Link:
        """See Line: connects with back-off, boots once."""
        if self._link is not None and self._link.is_open:
            return self._link
        for attempt in range(CONNECT_ATTEMPTS):
            await self.close()
            if attempt:
                await asyncio.sleep(min(30.0, 0.5 * 2**attempt) + self._station.random.uniform(0, 1))
            try:
                return await self._connect()
            except Unreachable as error:
                if error.status in (401, 404):
                    raise
                self._world.tally.error("unreachable", str(error))
            except (Disconnected, CallRefused, Unanswered) as error:
                self._world.tally.error("boot_failed", str(error))
        raise Unreachable("the CSMS cannot be reached")

    async def _connect(self) -> Link:
        station, speaker = self._station, self._station.speaker
        socket = await self._world.dialer.dial(station.plan.station_id, station.plan.version, station.secret())
        link = Link(socket, speaker, self._world.tally, station.new_message_id)
        self._world.tally.connects += 1
        self._world.tally.connected += 1
        self._link = link
        self._reader = asyncio.get_running_loop().create_task(link.run())
        while not self._has_booted:
            answer = speaker.read_boot(await link.call(speaker.boot("PowerUp")))
            self._has_booted = answer.status == "Accepted"
            if not self._has_booted:
                self._world.tally.error(f"boot_{answer.status.lower()}")
                await asyncio.sleep(max(1, answer.interval_s))
        return link

    async def close(self) -> None:
        """Hang up."""
        link, self._link = self._link, None
        if link is not None:
            self._world.tally.connected -= 1
            await link.close()
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None


class StationLine:
    """The line of a station that lives already: the past is what it kept while it was away."""

    def __init__(self, station: Station) -> None:
        self._station = station

    async def link(self) -> Link:
        """See Line; waits for as long as it takes."""
        return await self._station.wait_online()


class Player:
    """Plays one station's past over a line. `on_session` is called after each session, for progress."""

    def __init__(
        self, station: Station, line: Line, options: ReplayOptions, on_session: Callable[[PastSession], None]
    ) -> None:
        self._line = line
        self._speaker: Speaker = station.speaker
        self._world = station.world
        self._options = options
        self._on_session = on_session
        self.outcome = Outcome(station.plan.station_id, failures=[], register_wh={})

    async def play(self, sessions: list[PastSession], register_wh: dict[int, int]) -> Outcome:
        """Play the sessions in order. `register_wh`: what each outlet's meter showed before the first of them."""
        self.outcome.register_wh = dict(register_wh)
        try:
            for session in sessions:
                await self._play(session)
        except Unreachable as error:
            self._fail(f"gave up: {error}")
        return self.outcome

    def _fail(self, text: str) -> None:
        self.outcome.failures.append(f"{self.outcome.station_id}: {text}")
        self._world.tally.error("replay_failures", f"{self.outcome.station_id}: {text}")

    async def _play(self, session: PastSession) -> None:
        registers = self.outcome.register_wh
        first_wh = self._world.first_register_wh(session.station, session.evse)
        before_wh = registers.setdefault(session.evse, first_wh)
        await self._status(session, "Charging", session.plugged_at)
        if self._options.authorizes:
            await self._bring(self._speaker.authorize(Token(session.token)))
        has_failed = False
        for event in events(session, before_wh, self._options):
            has_failed = not await self._tell(event) or has_failed
        await self._status(session, "Available", session.unplugged_at)
        registers[session.evse] = before_wh + session.energy_wh
        if has_failed:
            self._fail(f"session of {iso(session.plugged_at)} was not taken whole")
        else:
            self.outcome.n_sessions += 1
            self.outcome.energy_wh += session.energy_wh
        self._on_session(session)

    async def _status(self, session: PastSession, status: str, at: datetime) -> None:
        message = self._speaker.status(StatusReport(session.evse, status, at))
        if message is not None:
            await self._bring(message)

    async def _tell(self, event: TransactionEvent) -> bool:
        for message in self._speaker.transaction(event):
            answer = await self._bring(message)
            if answer is None:
                return False
            verdict = self._speaker.read_transaction(event, answer)
            if verdict.wire_id is not None:
                event.transaction.wire_id = verdict.wire_id
            if verdict.status not in (None, "Accepted"):
                self._world.tally.error("not_accepted", f"{self.outcome.station_id}: {verdict.status}")
        return True

    async def _bring(self, message: Message) -> object | None:
        """One message, through as many connections as it takes; None when the CSMS refused it every time."""
        attempt = 1
        while True:
            link = await self._line.link()
            try:
                answer: object = await link.call(message)
            except Disconnected:
                continue
            except (CallRefused, Unanswered) as error:
                if attempt >= ATTEMPTS:
                    self._world.tally.error("given_up", f"{self.outcome.station_id} {message.action}: {error}")
                    return None
                await asyncio.sleep(attempt * self._options.attempts_wait_s)
                attempt += 1
            else:
                return answer


async def replay(
    world: World,
    plans: dict[str, StationPlan],
    past: dict[str, list[PastSession]],
    options: ReplayOptions,
    *,
    parallel: int = 64,
    on_session: Callable[[PastSession], None] = lambda _: None,
) -> list[Outcome]:
    """Play every station's past, `parallel` stations at a time. Stations without a past are left alone."""
    gate = asyncio.Semaphore(parallel)

    async def one(station_id: str, sessions: list[PastSession]) -> Outcome:
        async with gate:
            station = Station(plans[station_id], world)
            line = OwnLine(station)
            try:
                return await Player(station, line, options, on_session).play(sessions, {})
            finally:
                await line.close()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(station_id, sessions)) for station_id, sessions in sorted(past.items())]
    return [task.result() for task in tasks]
