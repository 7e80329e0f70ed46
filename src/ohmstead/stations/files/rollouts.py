"""A rollout's next step, from where its stations stand. Pure: the worker does what is decided here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ohmstead.stations.files.model import Place, Rollout, RolloutStatus
from ohmstead.stations.files.names import is_version

LONGEST_PAUSE: Final = timedelta(days=2)
LOST_AFTER: Final = timedelta(minutes=3)  # an order on its way for so long died with its worker
_DONE: Final = frozenset(("installed", "failed", "skipped"))
_BUSY: Final = frozenset(("ordering", "running"))


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A station of the rollout gets another status."""

    station_id: str
    status: str
    detail: str | None = None
    next_try_at: datetime | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now: stations that change, stations that are told, and the rollout itself."""

    changes: tuple[Change, ...] = ()
    told: tuple[str, ...] = ()
    status: RolloutStatus = "running"
    wave: int = 0
    halted_because: str | None = None


def split(station_ids: Sequence[str], waves: Sequence[int]) -> list[tuple[str, int]]:
    """Which station belongs to which wave. Every wave that has a share gets at least one, as long as there are some."""
    placed: list[tuple[str, int]] = []
    for wave, percent in enumerate(waves):
        until = len(station_ids) if wave == len(waves) - 1 else math.ceil(len(station_ids) * percent / 100)
        placed += [(station_id, wave) for station_id in station_ids[len(placed) : until]]
    return placed


def pause_after(tries: int, retry_after_s: int) -> timedelta:
    """How long to leave a station alone after so many tries: doubled each time, two days at most."""
    doubled: int = 2 ** min(max(tries, 1) - 1, 20)
    return min(timedelta(seconds=retry_after_s * doubled), LONGEST_PAUSE)


def is_open(at: datetime, begins: time | None, ends: time | None, zone: str) -> bool:
    """Is it within the hours in which stations are told? A window may go over midnight."""
    if begins is None or ends is None or begins == ends:
        return True
    local = at.astimezone(ZoneInfo(zone)).time()
    return begins <= local < ends if begins < ends else local >= begins or local < ends


def after_try(rollout: Rollout, place: Place, at: datetime, detail: str) -> Change:
    """A try went wrong: once more later, or it has failed."""
    if place.tries >= rollout.most_tries:
        return Change(station_id=place.station_id, status="failed", detail=detail)
    again_at = at + pause_after(place.tries, rollout.retry_after_s)
    return Change(station_id=place.station_id, status="waiting", detail=detail, next_try_at=again_at)


def decide(rollout: Rollout, version: str, places: Sequence[Place], at: datetime) -> Step:
    """The next step. `version` is the image's."""
    changes = {c.station_id: c for p in places if (c := _look(rollout, version, p, at)) is not None}

    def status_of(place: Place) -> str:
        changed = changes.get(place.station_id)
        return changed.status if changed else place.status

    if (halt := _too_many_failed(rollout, places, [status_of(p) for p in places])) is not None:
        return Step(changes=tuple(changes.values()), status="halted", wave=rollout.wave, halted_because=halt)
    wave = rollout.wave
    while wave < len(rollout.waves) and all(status_of(p) in _DONE for p in places if p.wave <= wave):
        wave += 1
    if wave >= len(rollout.waves):
        return Step(changes=tuple(changes.values()), status="finished", wave=len(rollout.waves) - 1)
    told: list[str] = []
    if is_open(at, rollout.window_from, rollout.window_to, rollout.time_zone):
        n_free = rollout.at_once - sum(status_of(p) in _BUSY for p in places)
        ready = [p for p in places if p.wave <= wave and p.station_id not in changes and _is_ready(rollout, p, at)]
        told = [p.station_id for p in ready[: max(0, n_free)]]
    return Step(changes=tuple(changes.values()), told=tuple(told), wave=wave)


def _is_ready(rollout: Rollout, place: Place, at: datetime) -> bool:
    return (
        place.status == "waiting"
        and place.is_online
        and not (rollout.only_idle and place.is_charging)
        and (place.next_try_at is None or place.next_try_at <= at)
    )


def _look(rollout: Rollout, version: str, place: Place, at: datetime) -> Change | None:
    """What a station's job, or its version, says of it by now."""
    if place.status in ("failed", "skipped"):
        return None
    if is_version(place.firmware_version, version):
        return None if place.status == "installed" else Change(station_id=place.station_id, status="installed")
    if place.status == "installed":
        return after_try(rollout, place, at, f"went back to {place.firmware_version or 'an unknown version'}")
    if place.status == "ordering" and at - place.updated_at > LOST_AFTER:
        return after_try(rollout, place, at, "the order was lost on its way")
    if place.status != "running":
        return None
    if place.job_status in ("failed", "old_version", "superseded"):
        words = {"old_version": f"came back with {place.firmware_version}", "superseded": "another order came between"}
        return after_try(rollout, place, at, words.get(place.job_status, place.detail or "the station failed"))
    if at - place.updated_at > timedelta(seconds=rollout.give_up_after_s):
        return after_try(rollout, place, at, f"not done in time ({place.job_status})")
    return None


def _too_many_failed(rollout: Rollout, places: Sequence[Place], statuses: Sequence[str]) -> str | None:
    begun = [status for place, status in zip(places, statuses, strict=True) if place.wave <= rollout.wave]
    n_failed = begun.count("failed")
    if n_failed * 100 <= rollout.failure_limit_percent * len(begun):
        return None
    return f"{n_failed} of {len(begun)} stations failed, more than {rollout.failure_limit_percent} %"
