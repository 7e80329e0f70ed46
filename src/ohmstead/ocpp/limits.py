"""How often and how fast: attempts at the door, takeovers of one identity, and the flow of one connection.

Pure values with an injected monotonic clock (seconds); memory is bounded by dropping what was used least recently.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Literal, TypeAlias, TypeVar

from ohmstead.core.callers import counted_as
from ohmstead.ocpp.security import Refusal

Clock: TypeAlias = Callable[[], float]
V = TypeVar("V")


class Bucket:
    """Tokens that come back at a steady rate. May be overdrawn: `debt_s` is how long until it is even again."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self.burst = burst
        self.rate = rate
        self._tokens = burst
        self._at = now

    def level(self, now: float) -> float:
        """Tokens at an instant."""
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate)
        self._at = now
        return self._tokens

    def take(self, count: float, now: float) -> float:
        """Take tokens, in debt if need be; what is left."""
        tokens = self._tokens + (now - self._at) * self.rate if now > self._at else self._tokens
        self._tokens = tokens = (tokens if tokens < self.burst else self.burst) - count
        self._at = now
        return tokens

    def wait_s(self, now: float, need: float = 1.0) -> float:
        """How long until `need` tokens are there."""
        return max(0.0, (need - self.level(now)) / self.rate)


class Recent(Generic[V]):
    """A dictionary of at most `size` entries; the one used least recently goes."""

    __slots__ = ("_entries", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[str, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: str) -> V | None:
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def get(self, key: str, fresh: Callable[[], V]) -> V:
        found = self.find(key)
        if found is None:
            found = self._entries[key] = fresh()
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
        return found

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)


class _Pair:
    __slots__ = ("failed_at", "failures", "in_flight", "locked_until")

    def __init__(self) -> None:
        self.failures = 0
        self.in_flight = 0
        self.locked_until = 0.0
        self.failed_at = 0.0


class AttemptLimiter:
    """Slows down guessing without ever shutting out the genuine station.

    Only failures count. Three memories:

    - each (identity, address) pair has `free` failures, then is locked for `lock_s`, doubled with each further one up
      to `longest_lock_s` (`proven_lock_s` for a pair that has succeeded before); forgotten after `forget_s` of quiet;
    - each identity has a bucket over all addresses. Empty, it means an attack from many sides: then a pair has one free
      failure only. It never refuses by itself, so a station with a new address still gets its try;
    - each address has a wide bucket over all identities (many stations share one behind a router). Empty, only pairs
      that have succeeded before may go on from there.

    IPv6 addresses count by their /64. Success clears the pair.
    """

    def __init__(
        self,
        clock: Clock = time.monotonic,
        *,
        free: int = 5,
        lock_s: float = 2.0,
        longest_lock_s: float = 300.0,
        proven_lock_s: float = 15.0,
        forget_s: float = 900.0,
        identity_burst: float = 30.0,
        identity_per_s: float = 0.1,
        address_burst: float = 300.0,
        address_per_s: float = 2.0,
        size: int = 50_000,
    ) -> None:
        self._clock = clock
        self._free = free
        self._lock_s = lock_s
        self._longest_lock_s = longest_lock_s
        self._proven_lock_s = proven_lock_s
        self._forget_s = forget_s
        self._identity_rule = (identity_burst, identity_per_s)
        self._address_rule = (address_burst, address_per_s)
        self._pairs: Recent[_Pair] = Recent(size)
        self._proven: Recent[bool] = Recent(size)
        self._identities: Recent[Bucket] = Recent(size)
        self._addresses: Recent[Bucket] = Recent(size)

    @contextmanager
    def attempt(self, identity: str, address: str) -> Iterator[None]:
        """One try. Raises Refusal 429 when it may not be made now.

        Inside, a Refusal with `is_attempt` is a failure, a clean end a success; anything else does not count.
        """
        key = _key(identity, address)
        pair = self._enter(identity, address, key)
        try:
            yield
        except Refusal as refusal:
            if refusal.is_attempt:
                self._fail(identity, address, pair, key)
            raise
        else:
            self._pairs.drop(key)
            self._proven.get(key, lambda: True)
        finally:
            pair.in_flight -= 1

    def remember(self, identity: str, address: str) -> None:
        """Take a pair as proven, for one that succeeded before this process began."""
        self._proven.get(_key(identity, address), lambda: True)

    def remember_all(self, pairs: Sequence[tuple[str, str]]) -> None:
        """The same for many, the latest first: those are the last to be forgotten."""
        for identity, address in reversed(pairs):
            self.remember(identity, address)

    def _enter(self, identity: str, address: str, key: str) -> _Pair:
        now = self._clock()
        is_proven = self._proven.find(key) is not None
        bucket = self._addresses.find(counted_as(address))
        if not is_proven and bucket is not None and bucket.level(now) < 1:
            raise _too_many("too_many_from_address", bucket.wait_s(now))
        pair = self._pairs.get(key, _Pair)
        if pair.failures and now - pair.failed_at > self._forget_s:
            pair.failures = 0
        if now < pair.locked_until:
            raise _too_many("too_many_attempts", pair.locked_until - now)
        # Tries that are still being judged may fail too: no more of them at once than failures are left.
        if pair.in_flight >= max(1, self._allowance(identity, now) - pair.failures):
            raise _too_many("too_many_at_once", 1.0)
        pair.in_flight += 1
        return pair

    def _allowance(self, identity: str, now: float) -> int:
        bucket = self._identities.find(identity.lower())
        return 1 if bucket is not None and bucket.level(now) < 1 else self._free

    def _fail(self, identity: str, address: str, pair: _Pair, key: str) -> None:
        now = self._clock()
        allowance = self._allowance(identity, now)
        pair.failures += 1
        pair.failed_at = now
        if pair.failures >= allowance:
            longest = self._proven_lock_s if self._proven.find(key) else self._longest_lock_s
            doublings = min(pair.failures - allowance, 20)
            pair.locked_until = now + min(longest, self._lock_s * 2.0**doublings)
        _draw(self._identities.get(identity.lower(), lambda: Bucket(*self._identity_rule, now)), now)
        _draw(self._addresses.get(counted_as(address), lambda: Bucket(*self._address_rule, now)), now)


def _draw(bucket: Bucket, now: float) -> None:
    if bucket.level(now) >= 1:
        bucket.take(1, now)


def _too_many(reason: str, retry_after_s: float) -> Refusal:
    return Refusal(429, reason, "Too many attempts; please wait.", retry_after_s=retry_after_s)


def _key(identity: str, address: str) -> str:
    return f"{identity.lower()} {counted_as(address)}"


class NewcomerLimiter:
    """How many identities nobody knows may be let in (policies `pending` and `accept`): a flood of invented ones must
    not fill the onboarding list.
    """

    def __init__(self, clock: Clock = time.monotonic, *, burst: float = 500.0, per_minute: float = 60.0) -> None:
        self._clock = clock
        self._bucket = Bucket(burst, per_minute / 60, clock())

    def enter(self) -> None:
        """Count one in. Raises Refusal 429."""
        now = self._clock()
        if self._bucket.level(now) < 1:
            raise _too_many("too_many_newcomers", self._bucket.wait_s(now))
        _draw(self._bucket, now)


class SignalLimiter:
    """Which refusals are worth a row each: an attacker must not write the table of signals full. Counters in the
    metrics go on counting what is not recorded.
    """

    def __init__(
        self,
        clock: Clock = time.monotonic,
        *,
        burst: float = 1000.0,
        per_minute: float = 60.0,
        address_burst: float = 100.0,
        address_per_minute: float = 6.0,
    ) -> None:
        self._clock = clock
        self._rule = (burst, per_minute / 60)
        self._address_rule = (address_burst, address_per_minute / 60)
        self._kinds: Recent[Bucket] = Recent(100)
        self._addresses: Recent[Bucket] = Recent(10_000)

    def may_record(self, kind: str, address: str = "") -> bool:
        """Count one signal of a kind in; False when there were too many of late, from its address or of its kind.

        One address cannot use up what is left for the others, and many together not the disk.
        """
        now = self._clock()
        bucket = self._kinds.get(kind, lambda: Bucket(*self._rule, now))
        own = self._addresses.get(counted_as(address), lambda: Bucket(*self._address_rule, now)) if address else bucket
        if min(bucket.level(now), own.level(now)) < 1:
            return False
        for one in {bucket, own}:
            _draw(one, now)
        return True


class TakeoverWatch:
    """Notices an identity whose live socket is taken over again and again: two stations share it, or a thief has it.

    More than `per_minute` takeovers within a minute flag it (signal `identity_flapping`) and hold further newcomers
    back for `hold_s`, so that whoever is connected can work.
    """

    SIGNAL = "identity_flapping"

    def __init__(
        self, clock: Clock = time.monotonic, *, per_minute: int = 6, hold_s: float = 20.0, size: int = 10_000
    ) -> None:
        self._clock = clock
        self._most = per_minute
        self._hold_s = hold_s
        self._times: Recent[list[float]] = Recent(size)
        self._held: Recent[list[float]] = Recent(size)

    def check(self, identity: str) -> None:
        """Raises Refusal 429 while newcomers of this identity are held back. Call when its old socket lives."""
        held = self._held.find(identity.lower())
        wait_s = held[0] - self._clock() if held else 0.0
        if wait_s > 0:
            raise Refusal(429, self.SIGNAL, "This station connects too often.", retry_after_s=wait_s)

    def note(self, identity: str) -> Literal["fine", "flagged", "flapping"]:
        """Count a takeover. `flagged` the first time within a minute (record the signal), then `flapping`."""
        now, key = self._clock(), identity.lower()
        times = self._times.get(key, list)
        times[:] = [at for at in times[-self._most :] if now - at < 60] + [now]
        if len(times) <= self._most:
            return "fine"
        held = self._held.get(key, lambda: [0.0, -60.0])
        held[0] = now + self._hold_s
        if now - held[1] < 60:
            return "flapping"
        held[1] = now
        return "flagged"


class Overrun(Exception):
    """The connection must be closed, with this WebSocket code; `reason` is a slug."""

    def __init__(self, close_code: int, reason: str, text: str) -> None:
        super().__init__(f"{close_code} {reason}")
        self.close_code = close_code
        self.reason = reason
        self.text = text


class FloodGuard:
    """The flow of one connection: too fast is slowed by reading later, too stubborn is closed.

    A station that waits for each answer, as OCPP asks, paces itself by ours: its frames cost a quarter (an offline
    queue is played back at 200 a second), and it is at worst slowed. Frames that come before the last answer while the
    connection is being slowed count as `stubborn`; too many of them end it.
    """

    __slots__ = ("_bytes", "_clock", "_malformed", "_messages", "_rare_rules", "_stubborn")

    def __init__(
        self,
        clock: Clock = time.perf_counter,
        *,
        messages_burst: float = 200.0,
        messages_per_s: float = 50.0,
        bytes_burst: float = 4 * 1024 * 1024,
        bytes_per_s: float = 256 * 1024,
        stubborn: float = 500.0,
        malformed_per_minute: float = 20.0,
    ) -> None:
        now = clock()
        self._clock = clock
        self._messages = Bucket(messages_burst, messages_per_s, now)
        self._bytes = Bucket(bytes_burst, bytes_per_s, now)
        self._rare_rules = (stubborn, malformed_per_minute)
        self._stubborn: Bucket | None = None
        self._malformed: Bucket | None = None

    def received(self, size_bytes: int, unanswered: int, now: float | None = None) -> float:
        """A frame of `size_bytes` came while `unanswered` calls of the station waited for our answer.

        Gives the seconds to wait before the next frame is read (0: none). Raises Overrun (1008).
        """
        if now is None:
            now = self._clock()
        left = self._messages.take(1.0 if unanswered > 0 else 0.25, now)
        bytes_left = self._bytes.take(size_bytes, now)
        if left >= 0 and bytes_left >= 0:
            return 0.0
        delay_s = max(self._messages.wait_s(now, 0), self._bytes.wait_s(now, 0))
        if delay_s > 0 and unanswered > 0:
            if self._stubborn is None:
                most = self._rare_rules[0]
                self._stubborn = Bucket(most, most / 600, now)
            if self._stubborn.take(1, now) < 0:
                raise Overrun(1008, "flood", "too many messages")
        return delay_s

    def malformed(self) -> None:
        """A frame that is no OCPP message came. Raises Overrun (1008) when there were too many of late."""
        now = self._clock()
        if self._malformed is None:
            per_minute = self._rare_rules[1]
            self._malformed = Bucket(per_minute, per_minute / 60, now)
        if self._malformed.take(1, now) < 0:
            raise Overrun(1008, "malformed", "too many malformed messages")
