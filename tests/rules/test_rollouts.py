"""What a rollout does next."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ohmstead.stations.files.model import Place, Rollout
from ohmstead.stations.files.rollouts import decide, is_open, pause_after, split

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def rollout(**given_fields: Any) -> Rollout:
    fields: dict[str, Any] = {
        "rollout_id": UUID(int=1),
        "party_id": UUID(int=2),
        "image_id": UUID(int=3),
        "name": "March",
        "status": "running",
        "waves": [50, 100],
        "wave": 0,
        "at_once": 10,
        "failure_limit_percent": 20,
        "most_tries": 2,
        "retry_after_s": 60,
        "give_up_after_s": 600,
        "only_idle": True,
        "window_from": None,
        "window_to": None,
        "time_zone": "UTC",
        "halted_because": None,
        "created_at": NOW,
        "created_by": "system",
        "updated_at": NOW,
    }
    return Rollout(**fields | given_fields)


def place(name: str, status: str = "waiting", wave: int = 0, **more: Any) -> Place:
    return Place(station_id=name, status=status, wave=wave, **{"updated_at": NOW, "firmware_version": "1", **more})  # type: ignore[arg-type]


def test_the_first_wave_is_told_a_few_at_once() -> None:
    places = [place(f"S{n}") for n in range(5)] + [place("T", wave=1)]
    assert decide(rollout(at_once=2), "2", places, NOW).told == ("S0", "S1")
    places[0].status = "running"
    places[0].job_status = "downloading"
    assert decide(rollout(at_once=2), "2", places, NOW).told == ("S1",)


def test_the_next_wave_begins_when_the_one_before_is_done() -> None:
    step = decide(rollout(), "2", [place("S", firmware_version="2"), place("T", wave=1)], NOW)
    assert [(c.station_id, c.status) for c in step.changes] == [("S", "installed")]
    assert (step.wave, step.told, step.status) == (1, ("T",), "running")


def test_it_is_finished_when_every_station_is_done() -> None:
    places = [place("S", "installed", firmware_version="2"), place("T", "skipped", wave=1)]
    assert decide(rollout(wave=1), "2", places, NOW).status == "finished"


def test_stations_that_are_away_or_charging_are_left_alone_but_not_forgotten() -> None:
    places = [place("A", is_online=False), place("B", is_charging=True), place("C", next_try_at=NOW + timedelta(1))]
    step = decide(rollout(), "2", places, NOW)
    assert (step.told, step.status, step.wave) == ((), "running", 0)
    assert decide(rollout(only_idle=False), "2", places, NOW).told == ("B",)


def test_too_many_failures_halt_it_and_nobody_is_told_any_more() -> None:
    places = [place("A", "failed"), place("B"), place("C"), place("D")]
    step = decide(rollout(failure_limit_percent=20), "2", places, NOW)
    assert (step.status, step.told) == ("halted", ())
    assert step.halted_because == "1 of 4 stations failed, more than 20 %"
    assert decide(rollout(failure_limit_percent=25), "2", places, NOW).status == "running"


def test_failures_of_waves_that_are_not_open_do_not_dilute() -> None:
    places = [place("A", "failed"), place("B")] + [place(f"T{n}", wave=1) for n in range(98)]
    assert decide(rollout(failure_limit_percent=20), "2", places, NOW).status == "halted"


def test_a_try_that_failed_is_made_again_later_and_in_the_end_given_up() -> None:
    once = place("A", "running", tries=1, job_status="old_version", detail="came back with 1")
    change = decide(rollout(), "2", [once, place("B")], NOW).changes[0]
    assert (change.status, change.next_try_at) == ("waiting", NOW + timedelta(seconds=60))
    twice = place("A", "running", tries=2, job_status="failed", detail="invalid signature")
    change = decide(rollout(failure_limit_percent=50), "2", [twice, place("B")], NOW).changes[0]
    assert (change.status, change.detail) == ("failed", "invalid signature")


def test_an_order_that_died_with_its_worker_and_a_station_that_never_ends_are_tried_again() -> None:
    lost = place("A", "ordering", tries=1, updated_at=NOW - timedelta(minutes=4))
    slow = place("B", "running", tries=1, job_status="downloading", updated_at=NOW - timedelta(minutes=11))
    fresh = place("C", "ordering", tries=1, updated_at=NOW - timedelta(minutes=1))
    changes = decide(rollout(), "2", [lost, slow, fresh], NOW).changes
    assert [(c.station_id, c.status) for c in changes] == [("A", "waiting"), ("B", "waiting")]


def test_a_station_that_went_back_gets_it_again() -> None:
    step = decide(rollout(), "2", [place("A", "installed", tries=1, firmware_version="1"), place("B", wave=1)], NOW)
    assert step.changes[0].status == "waiting"
    assert step.changes[0].detail == "went back to 1"


def test_hours_may_go_over_midnight_and_are_those_of_the_place() -> None:
    night = (time(22), time(5), "Europe/Amsterdam")
    assert is_open(datetime(2026, 3, 2, 22, tzinfo=UTC), *night)
    assert is_open(datetime(2026, 3, 2, 3, 59, tzinfo=UTC), *night)
    assert not is_open(datetime(2026, 3, 2, 4, 1, tzinfo=UTC), *night)
    assert not is_open(datetime(2026, 3, 2, 20, 59, tzinfo=UTC), *night)
    places = [place("A"), place("T", wave=1)]
    closed = rollout(window_from=time(22), window_to=time(5))
    assert decide(closed, "2", places, NOW).told == ()


def test_pauses_double_and_have_an_end() -> None:
    assert [pause_after(n, 60).total_seconds() for n in (1, 2, 3)] == [60, 120, 240]
    assert pause_after(100, 604_800) == timedelta(days=2)


@given(st.integers(1, 300), st.lists(st.integers(1, 99), max_size=5, unique=True).map(lambda w: [*sorted(w), 100]))
def test_every_station_is_in_one_wave_and_the_first_wave_is_never_empty(n: int, waves: list[int]) -> None:
    names = [str(number) for number in range(n)]
    placed = split(names, waves)
    assert [name for name, _ in placed] == names
    assert [wave for _, wave in placed] == sorted(wave for _, wave in placed)
    assert placed[0][1] == 0


STATUSES = st.sampled_from(["waiting", "ordering", "running", "installed", "failed", "skipped"])
PLACES = st.builds(
    place,
    st.uuids().map(str),
    STATUSES,
    st.integers(0, 1),
    tries=st.integers(0, 3),
    job_status=st.sampled_from([None, "downloading", "failed", "old_version", "installed"]),
    firmware_version=st.sampled_from([None, "1", "2"]),
    is_online=st.booleans(),
    is_charging=st.booleans(),
    updated_at=st.timedeltas(timedelta(0), timedelta(hours=2)).map(lambda ago: NOW - ago),
)


@given(st.lists(PLACES, min_size=1, max_size=30), st.integers(1, 5), st.integers(0, 1))
def test_never_more_at_once_than_allowed_and_never_one_that_has_it(
    places: list[Place], at_once: int, wave: int
) -> None:
    step = decide(rollout(at_once=at_once, wave=wave), "2", places, NOW)
    by_id = {p.station_id: p for p in places}
    changed = {c.station_id: c.status for c in step.changes}
    busy = sum(changed.get(p.station_id, p.status) in ("ordering", "running") for p in places)
    assert not step.told or len(step.told) + busy <= at_once
    for name in step.told:
        told = by_id[name]
        assert told.status == "waiting"
        assert told.is_online
        assert not told.is_charging
        assert told.firmware_version != "2"
        assert told.wave <= step.wave
