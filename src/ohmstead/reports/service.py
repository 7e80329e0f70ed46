"""The network's state in answers: how it is, what needs a person, how today compares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from ohmstead.accounts.scope import Scope
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.errors import NotFound
from ohmstead.reports import concerns, queries
from ohmstead.reports.model import Concern, NetworkState, Past, PowerPoint, SessionCounts, Site

T = TypeVar("T")

STEP = timedelta(minutes=10)
HOUR = timedelta(hours=1)
HOURS_GOOD_FOR = timedelta(hours=3)
FAULTS_FOR = timedelta(days=1)
ORPHANS_FOR = timedelta(days=7)


class Frame(Struct, frozen=True):
    """What every page's frame shows."""

    network: str
    time_zone: str
    n_concerns: int


class Day(Struct, frozen=True, kw_only=True):
    """A day in the network's zone: its bounds, and the energy curve so far."""

    start_at: datetime
    end_at: datetime
    points: list[PowerPoint]

    def energy_wh(self, until: datetime) -> float:
        """Energy delivered from the day's start until an instant, a started step in proportion."""
        total = 0.0
        for point in self.points:
            share = (until - point.at) / STEP
            if share > 0:
                total += point.power_w * min(1.0, share) * STEP.total_seconds() / 3600
        return total

    def power_at(self, at: datetime) -> float:
        """Mean power of the step that holds an instant."""
        return next((p.power_w for p in self.points if p.at <= at < p.at + STEP), 0.0)


class Overview(Struct, frozen=True, kw_only=True):
    """The answer to "is the network well, right now?" and its evidence."""

    at: datetime
    time_zone: str
    state: NetworkState
    before: Past
    sessions: SessionCounts
    today: Day
    yesterday: Day
    last_week: Day
    concerns: list[Concern]
    sites: list[Site]

    @property
    def energy_today_wh(self) -> float:
        return self.today.energy_wh(self.at)

    @property
    def energy_yesterday_wh(self) -> float:
        """Until the same time of day."""
        return self.yesterday.energy_wh(self.yesterday.start_at + (self.at - self.today.start_at))

    @property
    def power_last_week_w(self) -> float:
        return self.last_week.power_at(self.last_week.start_at + (self.at - self.today.start_at))


class _Remembered:
    """Answers that may be a little old, so that a hundred open pages cost as much as one."""

    def __init__(self, size: int = 2000) -> None:
        self._answers: dict[tuple[object, ...], tuple[datetime, object]] = {}
        self._size = size

    async def get(self, key: tuple[object, ...], good_for: timedelta, ask: Callable[[], Awaitable[T]]) -> T:
        now = clock.now()
        if (kept := self.kept(key, good_for)) is not None:
            return kept  # type: ignore[return-value]
        answer = await ask()
        self.keep(key, now, answer)
        return answer

    def kept(self, key: tuple[object, ...], good_for: timedelta) -> object | None:
        """An answer that is not too old; None where there is none."""
        kept = self._answers.get(key)
        return kept[1] if kept is not None and timedelta(0) <= clock.now() - kept[0] < good_for else None

    def keep(self, key: tuple[object, ...], at: datetime, answer: object) -> None:
        if len(self._answers) >= self._size:
            self._answers.clear()
        self._answers[key] = (at, answer)

    def forget(self) -> None:
        self._answers.clear()


_remembered = _Remembered()
forget = _remembered.forget


def zone_of(name: str) -> ZoneInfo:
    """A party's zone; UTC for a name that the machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


async def frame(conn: Connection, scope: Scope) -> Frame:
    """The frame of a page. Raises NotFound for a party that is gone."""

    async def ask() -> Frame:
        row = await queries.party_frame(conn, scope.party_id)
        if row is None:
            raise NotFound(f"no party {scope.party_id}")
        found = await list_concerns(conn, scope)
        return Frame(row["name"], row["time_zone"], sum(1 for c in found if c.urgency != "working"))

    return await _remembered.get(("frame", scope), timedelta(seconds=3), ask)


async def list_concerns(conn: Connection, scope: Scope) -> list[Concern]:
    """What needs a look, most urgent first."""
    now = clock.now()
    return concerns.ordered(
        [
            *concerns.of_offline(await queries.offline_stations(conn, scope), now),
            *concerns.of_faults(await queries.faulted_connectors(conn, scope)),
            *concerns.of_pending(await queries.pending_stations(conn, scope)),
            *concerns.of_profiles(await queries.ignored_profiles(conn, scope)),
            *concerns.of_orphans(await queries.orphan_sessions(conn, scope, now - ORPHANS_FOR)),
            *concerns.of_refusals(await queries.refused_connections(conn, scope, now - FAULTS_FOR)),
            *concerns.of_certificates(
                await queries.ending_certificates(conn, scope, now + concerns.CERTIFICATE_SOON), now
            ),
            *concerns.of_webhooks(await queries.webhooks_off(conn, scope.party_id) if scope.locations is None else []),
        ]
    )


async def overview(conn: Connection, scope: Scope, time_zone: str) -> Overview:
    """Everything the overview shows, as of now."""
    now = clock.now()
    zone = zone_of(time_zone)
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday = _same_wall(today, days=-1)
    elapsed = now - today
    return Overview(
        at=now,
        time_zone=time_zone,
        state=await _remembered.get(
            ("state", scope), timedelta(seconds=1), lambda: queries.network_state(conn, scope, now)
        ),
        before=await _remembered.get(
            ("past", scope), timedelta(minutes=5), lambda: queries.past(conn, scope, now - timedelta(days=1))
        ),
        sessions=await queries.session_counts(conn, scope, today, yesterday, yesterday + elapsed),
        today=await _day(conn, scope, today, timedelta(seconds=20)),
        yesterday=await _day(conn, scope, yesterday, HOURS_GOOD_FOR),
        last_week=await _day(conn, scope, _same_wall(today, days=-7), HOURS_GOOD_FOR),
        concerns=await list_concerns(conn, scope),
        sites=await _remembered.get(("sites", scope), timedelta(seconds=2), lambda: queries.sites(conn, scope)),
    )


async def _day(conn: Connection, scope: Scope, start_at: datetime, good_for: timedelta) -> Day:
    """The curve of a day. Hours that are over are read once and kept, since late readings change them seldom; of today,
    the last hour and the running one are read anew after `good_for`.
    """
    end_at = _same_wall(start_at, days=1)
    n_over = min((clock.now() - start_at) // HOUR - 1, (end_at - start_at) // HOUR)
    hours = [start_at + HOUR * n for n in range(n_over)]
    known = {hour: _remembered.kept(("hour", scope, hour), HOURS_GOOD_FOR) for hour in hours}
    unknown = [hour for hour, points in known.items() if points is None]
    if unknown:
        now = clock.now()
        points = await queries.power_curve(conn, scope, unknown[0], unknown[-1] + HOUR, STEP)
        for hour in [hour for hour in hours if unknown[0] <= hour <= unknown[-1]]:
            known[hour] = [point for point in points if hour <= point.at < hour + HOUR]
            _remembered.keep(("hour", scope, hour), now, known[hour])
    border = start_at + HOUR * len(hours)
    running: list[PowerPoint] = []
    if border < end_at:
        running = await _remembered.get(
            ("curve", scope, border), good_for, lambda: queries.power_curve(conn, scope, border, end_at, STEP)
        )
    over = [point for hour in hours for point in cast(list[PowerPoint], known[hour])]
    return Day(start_at=start_at, end_at=end_at, points=[*over, *running])


def _same_wall(at: datetime, days: int) -> datetime:
    """The same time on the wall some days on, across changes of summer time."""
    return (at.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=at.tzinfo)
