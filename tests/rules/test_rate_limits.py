"""Limits: guessing is slowed, the genuine station is not; takeovers and floods are noticed; memory is bounded."""

from contextlib import ExitStack

import pytest

from ohmstead.ocpp.limits import (
    AttemptLimiter,
    Bucket,
    FloodGuard,
    NewcomerLimiter,
    Overrun,
    Recent,
    SignalLimiter,
    TakeoverWatch,
)
from ohmstead.ocpp.security import Refusal

HOME, THIEF = "198.51.100.7", "203.0.113.9"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _fails(limiter: AttemptLimiter, identity: str, address: str) -> Refusal:
    """One attempt with a wrong password; the refusal it got."""
    with pytest.raises(Refusal) as caught, limiter.attempt(identity, address):
        raise Refusal(401, "password_wrong", "no", is_attempt=True)
    return caught.value


def _succeeds(limiter: AttemptLimiter, identity: str, address: str) -> None:
    with limiter.attempt(identity, address):
        pass


def test_after_five_wrong_passwords_the_pair_must_wait(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    assert [_fails(limiter, "CP-1", THIEF).status for _ in range(6)] == [401] * 5 + [429]
    refused = _fails(limiter, "CP-1", THIEF)
    assert refused.headers["Retry-After"] == "2"
    assert refused.reason == "too_many_attempts"


def _waits(limiter: AttemptLimiter, clock: Clock, address: str, count: int) -> list[float]:
    """Guess on, waiting each time as told; the first `count` waits."""
    waits: list[float] = []
    while len(waits) < count:
        if (refused := _fails(limiter, "CP-1", address)).status == 429:
            waits.append(refused.retry_after_s)
            clock.passes(refused.retry_after_s)
    return waits


def test_the_wait_doubles_up_to_its_limit(clock: Clock) -> None:
    assert _waits(AttemptLimiter(clock), clock, THIEF, 10) == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_thief_elsewhere_never_shuts_out_the_station(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    for _ in range(200):
        _fails(limiter, "CP-1", THIEF)
        clock.passes(0.1)
        _succeeds(limiter, "CP-1", HOME)


def test_thieves_everywhere_do_not_shut_out_a_station_whose_address_is_new(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    for n in range(1000):
        _fails(limiter, "CP-1", f"203.0.{n // 250}.{n % 250}")
    _succeeds(limiter, "CP-1", HOME)


def test_an_identity_attacked_from_many_sides_gives_each_side_one_try(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    for n in range(30):
        _fails(limiter, "CP-1", f"203.0.113.{n}")
    assert [_fails(limiter, "CP-1", "192.0.2.1").status for _ in range(2)] == [401, 429]
    assert [_fails(limiter, "CP-2", "192.0.2.1").status for _ in range(2)] == [401, 401]


def test_tries_at_the_same_moment_cannot_outrun_the_count(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    with ExitStack() as running:
        for _ in range(5):
            running.enter_context(limiter.attempt("CP-1", THIEF))
        assert _fails(limiter, "CP-1", THIEF).reason == "too_many_at_once"
    _succeeds(limiter, "CP-1", THIEF)


def test_success_clears_its_own_pair_only(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    for _ in range(4):
        _fails(limiter, "CP-1", HOME)
        _fails(limiter, "CP-1", THIEF)
    _succeeds(limiter, "CP-1", HOME)
    assert [_fails(limiter, "CP-1", HOME).status for _ in range(5)] == [401] * 5
    assert [_fails(limiter, "CP-1", THIEF).status for _ in range(2)] == [401, 429]


def test_a_pair_that_has_succeeded_before_waits_a_quarter_of_a_minute_at_most(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    _succeeds(limiter, "CP-1", HOME)
    assert _waits(limiter, clock, HOME, 6) == [2, 4, 8, 15, 15, 15]


def test_failures_are_forgotten_after_a_quarter_of_an_hour_of_quiet(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    for _ in range(5):
        _fails(limiter, "CP-1", HOME)
    clock.passes(901)
    assert [_fails(limiter, "CP-1", HOME).status for _ in range(5)] == [401] * 5


def test_guessing_identities_from_one_address_ends(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    statuses = [_fails(limiter, f"GUESS-{n}", THIEF).status for n in range(400)]
    assert statuses.count(401) == 300
    refused = _fails(limiter, "GUESS-401", THIEF)
    assert refused.reason == "too_many_from_address"
    assert refused.retry_after_s <= 1


def test_many_stations_behind_one_router_reconnect_at_once(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    with ExitStack() as running:
        for n in range(5000):
            running.enter_context(limiter.attempt(f"CP-{n}", HOME))
    _succeeds(limiter, "CP-5000", HOME)


def test_stations_that_share_the_guessers_router_go_on_once_proven(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    _succeeds(limiter, "CP-1", HOME)
    limiter.remember("CP-2", HOME)
    for n in range(400):
        _fails(limiter, f"GUESS-{n}", HOME)
    _succeeds(limiter, "CP-1", HOME)
    _succeeds(limiter, "CP-2", HOME)
    assert _fails(limiter, "CP-3", HOME).status == 429


def test_only_attempts_count_as_failures(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    for _ in range(20):
        with pytest.raises(Refusal), limiter.attempt("CP-1", HOME):
            raise Refusal(503, "verification_busy", "later")
        with pytest.raises(ConnectionError), limiter.attempt("CP-1", HOME):
            raise ConnectionError
    _succeeds(limiter, "CP-1", HOME)


def test_identities_that_differ_in_case_share_their_count(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    assert [_fails(limiter, name, THIEF).status for name in ("cp", "CP", "Cp", "cP", "cp", "CP")] == [401] * 5 + [429]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("203.0.113.9", "::ffff:203.0.113.9"),
        ("fe80::1%eth0", "fe80::2%eth1"),
    ],
)
def test_addresses_of_one_network_count_together(clock: Clock, one: str, other: str) -> None:
    limiter = AttemptLimiter(clock)
    for _ in range(5):
        _fails(limiter, "CP-1", one)
    assert _fails(limiter, "CP-1", other).status == 429


def test_an_address_that_is_none_is_counted_by_its_text(clock: Clock) -> None:
    limiter = AttemptLimiter(clock)
    for _ in range(5):
        _fails(limiter, "CP-1", "unix:")
    assert _fails(limiter, "CP-1", "unix:").status == 429


def test_memory_is_bounded_and_drops_what_was_used_least_recently() -> None:
    memory: Recent[list[int]] = Recent(3)
    for key in "abc":
        memory.get(key, list)
    memory.find("a")
    memory.get("d", list)
    assert len(memory) == 3
    assert memory.find("b") is None
    assert memory.find("a") is not None


def test_a_million_invented_identities_do_not_grow_the_limiter(clock: Clock) -> None:
    limiter = AttemptLimiter(clock, size=100)
    for n in range(10_000):
        _fails(limiter, f"X{n}", f"10.{n % 200}.{n // 200}.1")
    memories = [value for value in vars(limiter).values() if isinstance(value, Recent)]
    assert len(memories) == 4
    assert max(len(memory) for memory in memories) <= 100


def test_newcomers_are_let_in_slowly_after_a_first_rush(clock: Clock) -> None:
    limiter = NewcomerLimiter(clock, burst=3, per_minute=6)
    for _ in range(3):
        limiter.enter()
    with pytest.raises(Refusal) as caught:
        limiter.enter()
    assert caught.value.status == 429
    assert caught.value.retry_after_s == pytest.approx(10)
    clock.passes(10)
    limiter.enter()


def test_a_flood_of_one_kind_of_signal_is_not_recorded_whole_and_hides_no_other(clock: Clock) -> None:
    limiter = SignalLimiter(clock, burst=10, per_minute=6)
    assert [limiter.may_record("connection_refused") for _ in range(50)].count(True) == 10
    assert limiter.may_record("identity_flapping")
    clock.passes(20)
    assert [limiter.may_record("connection_refused") for _ in range(50)].count(True) == 2


def test_one_address_cannot_use_up_the_signals_and_many_together_not_the_disk(clock: Clock) -> None:
    limiter = SignalLimiter(clock, burst=50, per_minute=6, address_burst=10)
    assert [limiter.may_record("connection_refused", THIEF) for _ in range(1000)].count(True) == 10
    assert limiter.may_record("connection_refused", HOME)
    many = [limiter.may_record("connection_refused", f"10.0.{n // 200}.{n % 200}") for n in range(1000)]
    assert many.count(True) == 39
    # The addresses of one IPv6 household are one.
    six = SignalLimiter(clock, address_burst=10)
    assert [six.may_record("connection_refused", f"2001:db8::{n:x}") for n in range(1, 500)].count(True) == 10


def test_a_station_that_reconnects_now_and_then_is_fine(clock: Clock) -> None:
    watch = TakeoverWatch(clock)
    for _ in range(100):
        assert watch.note("CP-1") == "fine"
        watch.check("CP-1")
        clock.passes(11)


def test_two_stations_with_one_identity_are_flagged_once_a_minute_and_held_back(clock: Clock) -> None:
    watch = TakeoverWatch(clock, per_minute=6, hold_s=20)
    assert [watch.note("CP-1") for _ in range(9)] == ["fine"] * 6 + ["flagged", "flapping", "flapping"]
    with pytest.raises(Refusal) as caught:
        watch.check("cp-1")
    assert caught.value.reason == TakeoverWatch.SIGNAL
    assert caught.value.headers["Retry-After"] == "20"
    watch.check("CP-2")
    clock.passes(20)
    watch.check("CP-1")
    assert watch.note("CP-1") == "flapping"
    clock.passes(61)
    assert watch.note("CP-1") == "fine"
    assert [watch.note("CP-1") for _ in range(6)][-1] == "flagged"


def _pump(guard: FloodGuard, clock: Clock, frames: int, size: int, unanswered: int) -> float:
    """Read frames, waiting as told; the seconds it took."""
    began = clock.now
    for _ in range(frames):
        clock.passes(guard.received(size, unanswered))
    return clock.now - began


def test_a_burst_passes_unslowed(clock: Clock) -> None:
    assert _pump(FloodGuard(clock), clock, 200, 500, unanswered=3) == 0


def test_a_flood_is_slowed_to_the_sustained_rate(clock: Clock) -> None:
    guard = FloodGuard(clock)
    _pump(guard, clock, 200, 100, unanswered=1)
    assert _pump(guard, clock, 400, 100, unanswered=1) == pytest.approx(8, abs=0.1)


def test_a_flood_that_does_not_end_is_closed(clock: Clock) -> None:
    guard = FloodGuard(clock)
    with pytest.raises(Overrun) as caught:
        _pump(guard, clock, 2000, 100, unanswered=5)
    assert caught.value.close_code == 1008
    assert caught.value.reason == "flood"


def test_an_offline_queue_played_back_one_by_one_is_never_closed(clock: Clock) -> None:
    assert _pump(FloodGuard(clock), clock, 50_000, 400, unanswered=0) == pytest.approx(250, rel=0.02)


def test_great_messages_are_slowed_by_their_size(clock: Clock) -> None:
    guard = FloodGuard(clock)
    assert _pump(guard, clock, 4, 1024 * 1024, unanswered=0) == 0
    assert _pump(guard, clock, 4, 1024 * 1024, unanswered=0) == pytest.approx(16, abs=0.1)


def test_malformed_frames_are_forgiven_until_there_are_too_many(clock: Clock) -> None:
    guard = FloodGuard(clock, malformed_per_minute=20)
    for _ in range(100):
        guard.malformed()
        clock.passes(4)
    clock.passes(60)
    for _ in range(20):
        guard.malformed()
    with pytest.raises(Overrun) as caught:
        guard.malformed()
    assert caught.value.close_code == 1008


@pytest.mark.parametrize("step", [-5.0, 0.0])
def test_a_clock_that_stands_still_or_runs_back_gives_no_tokens(step: float, clock: Clock) -> None:
    bucket = Bucket(10, 1, clock())
    for _ in range(10):
        bucket.take(1, clock())
        clock.passes(step)
    assert bucket.level(clock()) == 0


def test_a_bucket_never_holds_more_than_its_burst(clock: Clock) -> None:
    bucket = Bucket(10, 1, clock())
    clock.passes(1e9)
    assert bucket.level(clock()) == 10


def test_every_wait_is_told_in_whole_seconds_of_at_least_one() -> None:
    refusals = [Refusal(429, "x", "x", retry_after_s=wait_s) for wait_s in (0.01, 1.0, 1.2, 299.9)]
    assert [refusal.headers["Retry-After"] for refusal in refusals] == ["1", "1", "2", "300"]
