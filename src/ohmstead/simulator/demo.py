"""The demo's city: set up through the API, its last thirty days replayed once, then alive for as long as it runs."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console

from ohmstead.core import clock
from ohmstead.core.errors import ExternalFailure, Invalid
from ohmstead.simulator import city, memory, scenes
from ohmstead.simulator.files import HttpPorter
from ohmstead.simulator.fleet import Fleet
from ohmstead.simulator.memory import Memory
from ohmstead.simulator.past import PastSession
from ohmstead.simulator.plan import StationPlan, Token
from ohmstead.simulator.progress import ProgressLine
from ohmstead.simulator.provision import Provisioned, provision
from ohmstead.simulator.replay import Player, ReplayOptions, StationLine
from ohmstead.simulator.station import Station
from ohmstead.simulator.transport import WebSocketDialer
from ohmstead.simulator.world import Options, OutletMemory, World, first_register_wh

DAYS = 30
CARDS_PER_STATION = 4
HISTORY_SAMPLES = 3
# So many stations that have told their past are enough for what operators have under way.
TELLERS = 20
FAULTS_PER_DAY = 0.12
OFFLINE_PER_DAY = 0.15
_PARALLEL = 16


class DemoState(Struct):
    """What the demo remembers. `played`: what each station's meters showed when its past had been replayed. `is_set`:
    what operators have under way was set up. `has_books`: and what its books need and hold.
    """

    until: datetime
    passwords: dict[str, str] = {}
    played: dict[str, dict[int, int]] = {}
    is_set: bool = False
    has_books: bool = False


class Notebook:
    """The demo's files in its state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "demo.json"
        self.outlets_file = state_dir / "outlets.json"

    def load(self) -> DemoState:
        """What is remembered; a new beginning when there is nothing, or nothing readable."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=DemoState)
        except (OSError, msgspec.DecodeError):
            return DemoState(clock.now().replace(microsecond=0), {}, {})

    def save(self, state: DemoState) -> None:
        """Remember."""
        memory.write_private(self._file, msgspec.json.encode(state))

    def forget_outlets(self) -> None:
        """Registers of an installation that is gone mean nothing."""
        self.outlets_file.unlink(missing_ok=True)


async def demo_stations(
    url: str,
    api_url: str,
    api_key: str,
    *,
    stations: int,
    speed: float,
    seed: str,
    state_dir: Path,
    console: Console | None = None,
    stopping: asyncio.Event | None = None,
) -> None:
    """Run the demo's stations until cancelled or `stopping` is set.

    Stations, locations and tokens are made through the REST API. Their last thirty days are replayed the first time
    only; a replay that was interrupted is taken up again, with the same content. Later starts go on from the registers
    and open transactions in `state_dir`; the time between two runs stays empty. Raises ExternalFailure when the API
    refuses.
    """
    console = console or Console()
    plans = city.build(stations, city.CityOptions(seed=seed))
    cards = city.tokens(max(20, stations * CARDS_PER_STATION), seed)
    notebook = Notebook(state_dir)
    state = notebook.load()
    made = await _provision_patiently(api_url, api_key, plans, cards, state)
    if made.n_created >= len(plans):
        # Every station is new to the system: whatever was remembered belongs to another installation.
        state = DemoState(clock.now().replace(microsecond=0), {}, {})
        notebook.forget_outlets()
    state.passwords = made.passwords
    notebook.save(state)
    if not state.is_set:
        _tell(await scenes.prepare(api_url, api_key), console)
    known = _known(notebook, state)
    async with WebSocketDialer(url) as dialer, HttpPorter() as porter:
        world = World(
            dialer,
            Options(
                # Another life after every start, in the same city.
                seed=f"{seed}/{clock.now().isoformat()}",
                speed=speed,
                sample_interval_s=60 if speed < 10 else 10,
                faults_per_day=FAULTS_PER_DAY,
                offline_per_day=OFFLINE_PER_DAY,
            ),
            demand=city.CityDemand(speed),
            tokens=cards,
            nonce=uuid.uuid4().hex[:12] + "-",
            memory=known.stations,
            porter=porter,
        )
        world.passwords = state.passwords
        world.firmware = known.firmware
        if stopping is not None:
            world.stopping = stopping
        history = History(plans, cards, state, notebook, seed, console)
        # Those with the shortest past first: they come to life within seconds, while the others still tell theirs.
        plans.sort(key=lambda plan: history.n_sessions(plan.station_id))
        fleet = Fleet(plans, world, state=notebook.outlets_file, per_s=60, prelude=history.play)
        setting = asyncio.create_task(_set_scenes(api_url, api_key, plans, cards, history, notebook, state, console))
        try:
            with ProgressLine(console, world.tally, past=history.progress) as line:
                await fleet.run(on_tick=line.tick)
        finally:
            setting.cancel()


async def _set_scenes(
    api_url: str,
    api_key: str,
    plans: list[StationPlan],
    cards: list[Token],
    history: "History",
    notebook: Notebook,
    state: DemoState,
    console: Console,
) -> None:
    """Once per installation, at stations that have told their past: firmware restarts them."""
    if not state.is_set:
        await history.has_tellers.wait()
        told = [plan for plan in plans if history.n_sessions(plan.station_id) == 0]
        _tell(await scenes.play(api_url, api_key, told, cards), console)
        state.is_set = True
        notebook.save(state)
    if not state.has_books:
        await history.is_told.wait()
        _tell(await scenes.keep_books(api_url, api_key), console)
        state.has_books = True
        notebook.save(state)


def _tell(failures: Sequence[str], console: Console) -> None:
    for failure in failures:
        console.print(f"Left out of the demo: {failure}", highlight=False, soft_wrap=True)


async def _provision_patiently(
    api_url: str, api_key: str, plans: list[StationPlan], cards: list[Token], state: DemoState
) -> Provisioned:
    """The web process may still be starting: what is not a refusal is tried again for half a minute."""
    for attempt in range(30):
        try:
            return await provision(api_url, api_key, plans, cards, state.passwords)
        except ExternalFailure as error:
            if error.permanent or attempt == 29:
                raise
            await asyncio.sleep(1.0)
    raise ExternalFailure("the API cannot be reached")


class History:
    """The last thirty days. Every station tells its own as soon as it is accepted, and then comes to life."""

    def __init__(
        self,
        plans: list[StationPlan],
        cards: list[Token],
        state: DemoState,
        notebook: Notebook,
        seed: str,
        console: Console,
    ) -> None:
        self._state = state
        self._notebook = notebook
        self._console = console
        self._seed = seed
        self._gate = asyncio.Semaphore(_PARALLEL)
        self._past: dict[str, list[PastSession]] = {}
        self._n_done = self._energy_wh = 0
        if any(plan.station_id not in state.played for plan in plans):
            for session in city.history(plans, cards, days=DAYS, seed=seed, until=state.until):
                if session.station not in state.played:
                    self._past.setdefault(session.station, []).append(session)
        self._n_total = sum(len(sessions) for sessions in self._past.values())
        self._n_waiting = self._n_stations = len(self._past)
        self.has_tellers, self.is_told = asyncio.Event(), asyncio.Event()
        self._n_tellers = min(TELLERS, self._n_waiting)
        self._note_told()

    @property
    def is_over(self) -> bool:
        """Nothing (more) to replay."""
        return self._n_waiting == 0

    def n_sessions(self, station_id: str) -> int:
        """How many past sessions the station has yet to tell."""
        return len(self._past.get(station_id, ()))

    async def play(self, station: Station) -> None:
        """The prelude of a station's life: its past, then its meters stand where the past left them."""
        sessions = self._past.get(station.plan.station_id)
        if sessions is None:
            return
        first = {number: first_register_wh(self._seed, station.plan.station_id, number) for number in station.outlets}
        async with self._gate:
            player = Player(station, StationLine(station), ReplayOptions(at_most=HISTORY_SAMPLES), self._advance)
            outcome = await player.play(sessions, first)
        del self._past[station.plan.station_id]
        for number, register_wh in outcome.register_wh.items():
            station.outlets[number].meter.register_mwh = register_wh * 1000
        if not outcome.failures:
            self._state.played[station.plan.station_id] = outcome.register_wh
            self._notebook.save(self._state)
        self._n_waiting -= 1
        self._note_told()
        if self.is_over:
            self._console.print(
                f"Replayed {self._n_done:,} sessions of the last {DAYS} days, {self._energy_wh / 1e6:,.1f} MWh.",
                highlight=False,
            )

    def _note_told(self) -> None:
        if self._n_stations - self._n_waiting >= self._n_tellers:
            self.has_tellers.set()
        if self.is_over:
            self.is_told.set()

    def _advance(self, session: PastSession) -> None:
        self._n_done += 1
        self._energy_wh += session.energy_wh

    def progress(self) -> tuple[int, int]:
        """Sessions replayed, and how many there are."""
        return self._n_done, self._n_total


def _known(notebook: Notebook, state: DemoState) -> Memory:
    """What the last live run left, and where there was none what the replay came to."""
    try:
        known = memory.load(notebook.outlets_file)
    except Invalid:
        known = Memory({})
    for station_id, registers in state.played.items():
        outlets = known.stations.setdefault(station_id, {})
        for number, register_wh in registers.items():
            outlets.setdefault(number, OutletMemory(register_wh * 1000))
    return known
