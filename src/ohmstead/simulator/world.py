"""What all stations of one run share: time, network, demand, tokens, counters and the switches of the run."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Protocol

from msgspec import Struct

from ohmstead.core import clock
from ohmstead.simulator.files import Porter
from ohmstead.simulator.plan import EvsePlan, StationPlan, Token, Visit
from ohmstead.simulator.tally import Tally
from ohmstead.simulator.transport import Dialer


class Options(Struct, frozen=True):
    """The switches of a run.

    `speed` divides stays, gaps and the energy that cars ask for, never power or meter time. `faults_per_day` and
    `offline_per_day` count per station and natural day. `job_step_s`: how long a step of a firmware or log job takes.
    `cars_talk`: cars at 2.x stations tell what they need (ISO 15118).
    """

    seed: str = "1"
    speed: float = 1.0
    sample_interval_s: int | None = None
    faults_per_day: float = 0.0
    offline_per_day: float = 0.0
    clock_offset_s: float = 0.0
    quirks: tuple[str, ...] = ()
    job_step_s: float = 4.0
    is_ending_on_stop: bool = True
    cars_talk: bool = False


class Demand(Protocol):
    """Who comes when. Both may say None: nobody comes by himself."""

    def first_visit(self, plan: StationPlan, evse: EvsePlan, random: Random, at: datetime) -> Visit | None:
        """The car that stands at the outlet when the simulation begins."""

    def next_visit(self, plan: StationPlan, evse: EvsePlan, random: Random, at: datetime) -> Visit | None:
        """The next arrival after `at`."""


class NoDemand:
    """Nobody comes: stations wait for remote starts."""

    def first_visit(self, plan: StationPlan, evse: EvsePlan, random: Random, at: datetime) -> Visit | None:
        """See Demand."""
        return None

    def next_visit(self, plan: StationPlan, evse: EvsePlan, random: Random, at: datetime) -> Visit | None:
        """See Demand."""
        return None


class TokenPool:
    """The drivers' cards. A card is in one place at a time."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._used: set[str] = set()

    def __len__(self) -> int:
        return len(self._tokens)

    def take(self, random: Random) -> Token | None:
        """A card that nobody uses now; None when all are in use."""
        if len(self._used) >= len(self._tokens):
            return None
        index = random.randrange(len(self._tokens))
        for step in range(len(self._tokens)):
            token = self._tokens[(index + step) % len(self._tokens)]
            if token.uid not in self._used:
                self._used.add(token.uid)
                return token
        return None

    def give_back(self, token: Token) -> None:
        """The card is free again."""
        self._used.discard(token.uid)


class OpenTransaction(Struct):
    """What a station remembers of a transaction over a power cut."""

    transaction_id: str
    wire_id: int | None
    next_seq_no: int
    started_at: datetime
    token_uid: str | None
    register_wh: int
    at: datetime


class OutletMemory(Struct):
    """What an outlet keeps over a power cut: its register, and a transaction that was not ended."""

    register_mwh: int
    open: OpenTransaction | None = None


class World:
    """One run. `nonce` begins every message id; it differs from run to run, so that no id is used twice."""

    def __init__(
        self,
        dialer: Dialer,
        options: Options,
        *,
        demand: Demand | None = None,
        tokens: list[Token] | None = None,
        nonce: str = "",
        now: Callable[[], datetime] = clock.now,
        memory: dict[str, dict[int, OutletMemory]] | None = None,
        porter: Porter | None = None,
    ) -> None:
        self.dialer = dialer
        self.options = options
        self.demand = demand or NoDemand()
        self.tokens = TokenPool(tokens or [])
        self.nonce = nonce
        self.now = now
        self.memory = memory if memory is not None else {}
        self.porter = porter
        self.tally = Tally()
        self.passwords: dict[str, str] = {}
        self.firmware: dict[str, str] = {}
        self.stopping = asyncio.Event()

    def random(self, *names: object) -> Random:
        """A stream of chance of its own for each name, the same in every run with the same seed."""
        return Random("/".join(str(part) for part in (self.options.seed, *names)))

    def first_register_wh(self, station_id: str, evse_number: int) -> int:
        """What the meter of an outlet showed when the simulation first met it."""
        return first_register_wh(self.options.seed, station_id, evse_number)


def first_register_wh(seed: str, station_id: str, evse_number: int) -> int:
    """A register that a seed gives to an outlet."""
    return Random(f"{seed}/register/{station_id}/{evse_number}").randrange(5_000, 9_000_000)
