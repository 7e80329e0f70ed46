"""A charging station in a story: it plugs in, presents, delivers; its speech (1.6 or 2.x) finds the messages for it.

Time passes only when the story says so: the station's clock stands where it was left, hours before the server's, so
that whole charging sessions go by in milliseconds.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.stories.patience import until
from tests.stories.wire import Answer, Error, Wire

Payload = dict[str, Any]


def span(text: str) -> timedelta:
    """`90s`, `15m`, `2h`."""
    return timedelta(**{{"s": "seconds", "m": "minutes", "h": "hours"}[text[-1]]: float(text[:-1])})


def instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


@dataclass
class Transaction:
    """What the station knows of a charge. `id` is None while a 1.6 start has not been answered."""

    outlet: int
    uid: str
    id: str | int | None = None
    group: str | None = None
    seq_no: int = 0
    remote_start_id: int | None = None


@dataclass
class Station(ABC):
    """Speaks one version; `outlet` 1 unless told otherwise."""

    station_id: str
    version: str
    url: str
    at: datetime
    sample_every: timedelta = timedelta(minutes=15)
    registers: dict[int, float] = field(default_factory=dict)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    answers: dict[str, Answer | Callable[[Payload], Any]] = field(default_factory=dict)
    _said: dict[str, Any] = field(default_factory=dict)
    is_online: bool = True
    soc_percent: int | None = None
    n_transactions: int = 0
    register_start: float = 1_000_000
    errors: list[Error] = field(default_factory=list)
    _queue: list[Callable[[], Awaitable[Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wire = Wire(f"{self.url}/ocpp/{self.station_id}", self.version, self._asked, self._obeyed)

    # ----------------------------------------------------------------------------------------- the connection

    async def connects(self) -> None:
        await self.wire.connect()

    async def boots(self, reason: str = "PowerUp") -> str:
        """Connect if need be, and introduce itself; returns the registration status."""
        if not self.wire.is_open:
            await self.connects()
        self.is_online = True
        answer = await self.says("BootNotification", self.boot_payload(reason))
        return str(answer["status"])

    async def goes_offline(self) -> None:
        self.is_online = False
        await self.wire.close()

    async def comes_back(self, *, boots: bool = False) -> None:
        """Connect again and deliver what was queued, in order."""
        await self.connects()
        self.is_online = True
        if boots:
            await self.boots()
        while self._queue:
            await self._queue.pop(0)()

    async def loses_power(self) -> None:
        self.is_online = False
        await self.wire.cut()

    async def powers_up(self, after: str = "10m") -> None:
        """Boots, then ends what was going on when the power went, as of that moment."""
        went_at = self.at
        self.passes(after)
        back_at, self.at = self.at, went_at
        await self.boots()
        for outlet in list(self.transactions):
            await self._ends(outlet, "PowerLoss", trigger="AbnormalCondition")
        self.at = back_at

    async def leaves(self) -> None:
        """End of the story."""
        await self.wire.cut()

    async def says(self, action: str, payload: Payload, message_id: str | None = None) -> Payload:
        """A call that must succeed."""
        answer = await self.wire.call(action, payload, message_id)
        assert isinstance(answer, dict), f"{action} was answered with {answer}"
        return answer

    async def reports(self, action: str, payload: Callable[[], Payload]) -> Payload | None:
        """Say it now, or queue it while offline; what it says is decided when it is sent."""
        if self.is_online:
            return await self.says(action, payload())
        self._queue.append(lambda: self.says(action, payload()))
        return None

    async def repeats_everything(self, *, same_ids: bool) -> list[Payload | Error]:
        """All messages once more, word for word."""
        return [
            await self.wire.call(action, payload, message_id if same_ids else None)
            for message_id, action, payload in list(self.wire.said)
        ]

    # ----------------------------------------------------------------------------------------- what happens to it

    def passes(self, time: str) -> None:
        """Time goes by."""
        self.at += span(time)

    def register(self, outlet: int = 1) -> float:
        return self.registers.get(outlet, self.register_start)

    async def plugs_in(self, outlet: int = 1) -> None:
        self.passes("10s")
        await self.tells_status(outlet, "occupied")

    async def presents(self, uid: str, outlet: int = 1) -> str:
        """Somebody holds a card to the reader: begins a charge, or ends the one that goes on. Returns what we answered.

        Offline the station takes the driver's word for it.
        """
        self.passes("5s")
        going_on = self.transactions.get(outlet)
        if going_on is not None and going_on.uid == uid:
            await self._ends(outlet, "Local", trigger="StopAuthorized", uid=uid)
            return "Accepted"
        if not self.is_online:
            await self._begins(outlet, uid)
            return "Accepted"
        status, group = await self.authorizes(uid)
        if status != "Accepted":
            return status
        if going_on is None:
            return await self._begins(outlet, uid, group)
        if group is not None and group in (going_on.group, self.master_group):
            reason = "MasterPass" if group == self.master_group else "Local"
            await self._ends(outlet, reason, trigger="StopAuthorized", uid=uid)
            return "Accepted"
        return "NotYours"

    master_group: str | None = None

    async def starts_anyway(self, uid: str, outlet: int = 1) -> str:
        """Begin without asking first, as from a local list; returns what the start was answered."""
        self.passes("5s")
        return await self._begins(outlet, uid)

    async def delivers(self, wh: float, over: str, outlet: int = 1) -> None:
        """Charge evenly, with a sample at the end of every `sample_every`."""
        until = self.at + span(over)
        begun, begun_wh = self.at, self.register(outlet)
        while self.at < until:
            self.at = min(self.at + self.sample_every, until)
            share = (self.at - begun) / (until - begun)
            self.registers[outlet] = begun_wh + wh * share
            await self.samples(outlet, power_w=wh / (span(over) / timedelta(hours=1)))

    async def suspends(self, by: str = "ev", over: str = "0s", outlet: int = 1) -> None:
        """The car (or the station) takes a break; the meter stands."""
        await self.tells_state(outlet, f"suspended_{by}")
        until = self.at + span(over)
        while self.at < until:
            self.at = min(self.at + self.sample_every, until)
            await self.samples(outlet, power_w=0)

    async def resumes(self, outlet: int = 1) -> None:
        await self.tells_state(outlet, "charging")

    async def unplugs(self, outlet: int = 1) -> None:
        self.passes("5s")
        if outlet in self.transactions:
            await self._ends(outlet, "EVDisconnected", trigger="EVCommunicationLost")
        await self.tells_status(outlet, "available")

    async def _begins(self, outlet: int, uid: str, group: str | None = None, remote_start_id: int | None = None) -> str:
        self.n_transactions += 1
        self.transactions[outlet] = Transaction(outlet, uid, group=group, remote_start_id=remote_start_id)
        status = await self.starts(self.transactions[outlet])
        if status == "Accepted":
            await self.tells_state(outlet, "charging")
        return status

    async def _ends(self, outlet: int, reason: str, *, trigger: str, uid: str | None = None) -> None:
        await self.stops(self.transactions.pop(outlet), reason, trigger, uid)

    # ----------------------------------------------------------------------------------------- being asked

    def _asked(self, action: str, payload: Payload) -> Any:
        answer = self.answers.get(action, self.usual_answers.get(action, {"status": "Accepted"}))
        said = answer(payload) if callable(answer) else answer
        self._said[action] = said
        return said

    async def _obeyed(self, action: str, payload: Payload) -> None:
        said = self._said.get(action)
        if isinstance(said, dict) and said.get("status") == "Rejected":
            return  # a station does not do what it refused
        if (uid := self.remote_start_token(action, payload)) is not None:
            self.passes("5s")
            outlet = int(payload.get("connectorId") or payload.get("evseId") or 1)
            await self._begins(outlet, uid, remote_start_id=payload.get("remoteStartId"))
        elif action in ("RemoteStopTransaction", "RequestStopTransaction"):
            self.passes("5s")
            for outlet, transaction in list(self.transactions.items()):
                if transaction.id == payload["transactionId"]:
                    await self._ends(outlet, "Remote", trigger="RemoteStop")

    async def hears(self, action: str) -> Payload:
        """Wait until it was asked `action`; returns what it was asked, the latest."""

        async def was_asked() -> bool:
            return any(name == action for _, name, _ in self.wire.heard)

        await until(was_asked, f"{self.station_id} is asked {action}")
        return next(payload for _, name, payload in reversed(self.wire.heard) if name == action)

    # ----------------------------------------------------------------------------------------- its speech

    usual_answers: dict[str, Answer] = field(default_factory=dict)

    @abstractmethod
    def boot_payload(self, reason: str) -> Payload: ...

    @abstractmethod
    async def authorizes(self, uid: str) -> tuple[str, str | None]:
        """Ask whether a card may charge: status and group."""

    @abstractmethod
    async def starts(self, transaction: Transaction) -> str:
        """Say that a transaction begins; returns the token's status."""

    @abstractmethod
    async def stops(self, transaction: Transaction, reason: str, trigger: str, uid: str | None) -> None: ...

    @abstractmethod
    async def samples(self, outlet: int, power_w: float) -> None:
        """Send what the meter shows."""

    @abstractmethod
    async def tells_state(self, outlet: int, state: str) -> None:
        """charging, suspended_ev, suspended_evse."""

    @abstractmethod
    async def tells_status(self, outlet: int, status: str) -> None:
        """occupied, available, faulted."""

    @abstractmethod
    def remote_start_token(self, action: str, payload: Payload) -> str | None:
        """The card a remote start is for, if it is one."""
