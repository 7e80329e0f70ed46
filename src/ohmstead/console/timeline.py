"""The last 24 hours of a station on one drawing: connectors' states, sessions, silence, and power. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct

from ohmstead.core.language import _
from ohmstead.reports.model import ConnectorNow
from ohmstead.ui import charts, figures, states

Rows: TypeAlias = Sequence[Any]  # database rows; here only their fields matter

LEFT, RIGHT, TOP, LANE, GAP = 84.0, 772.0, 20.0, 22.0, 4.0
POWER_HEIGHT = 62.0
GRID, FINEST = timedelta(minutes=5), timedelta(seconds=5)


class Segment(Struct, frozen=True):
    """A stretch of one state in a lane."""

    x: float
    width: float
    tone: str
    is_tint: bool
    title: str


class Lane(Struct, frozen=True):
    """A connector's day."""

    label: str
    y: float
    segments: list[Segment]


class Timeline(Struct, frozen=True, kw_only=True):
    """The drawing. `offline_s` is the time nobody could hear the station."""

    lanes: list[Lane]
    ticks: list[charts.Tick]
    days: list[charts.Tick]
    height: float
    power_top: float
    power_base: float
    power_max: str
    power_unit: str
    area: str
    line: str
    offline_s: float
    n_sessions: int
    energy_wh: float
    groups: set[str]
    zone: str


def drawn(
    connectors: Sequence[ConnectorNow],
    statuses: Rows,
    connections: Rows,
    sessions: Rows,
    samples: Rows,
    *,
    now: datetime,
    zone: str,
    is_online: bool,
    span: tuple[datetime, datetime] | None = None,
) -> Timeline:
    """The day up to `now`, or any other span, times on the wall of `zone`."""
    since, until = span or (now - timedelta(hours=24), now)
    across = charts.Axis(since.timestamp(), until.timestamp(), LEFT, RIGHT)
    now = min(now, until)
    silent = _silences(connections, since, now, is_online)
    groups: set[str] = set()
    lanes = []
    for index, connector in enumerate(connectors):
        y = TOP + index * (LANE + GAP)
        stretches = _states(connector, statuses, since, now) + _charging(connector, sessions, since, now)
        segments = [_segment(across, a, b, group, text, groups) for a, b, group, text in stretches if b > a]
        segments += [_segment(across, a, b, "offline", _("Unreachable"), groups) for a, b in silent]
        name = f"{connector.label} · {plug_name(connector.standard)}" if connector.standard else connector.label
        lanes.append(Lane(name, y, segments))
    power_top = TOP + len(lanes) * (LANE + GAP) + 16
    base = power_top + POWER_HEIGHT
    area, line, peak_w = _power(sessions, samples, across, since, now, base, power_top)
    top_text, unit = figures.power(peak_w)
    local = ZoneInfo(zone)
    ticks = charts.time_ticks(across, local, 9)
    return Timeline(
        lanes=lanes,
        ticks=ticks,
        days=[
            charts.Tick(LEFT, figures.clock(since, local, "day")),
            *[charts.Tick(t.at, figures.clock(now, local, "day"), True) for t in ticks if t.is_day and t.at > LEFT],
        ],
        height=base + 22,
        power_top=power_top,
        power_base=base,
        power_max=top_text,
        power_unit=unit,
        area=area,
        line=line,
        offline_s=sum((b - a).total_seconds() for a, b in silent),
        n_sessions=len(sessions),
        energy_wh=float(sum(s["energy_wh"] for s in sessions)),
        groups=groups,
        zone=zone,
    )


_PLUGS = {
    "ccs1": "CCS 1", "ccs2": "CCS", "type1": "Type 1", "type2": "Type 2", "iec_62196_t2": "Type 2",
    "iec_62196_t2_combo": "CCS", "iec_62196_t1": "Type 1", "iec_62196_t1_combo": "CCS 1", "chademo": "CHAdeMO",
    "cccs2": "CCS", "cccs1": "CCS 1", "ctype2": "Type 2", "stype2": "Type 2", "ctype1": "Type 1",
    "nacs": "NACS", "gb_t_dc": "GB/T DC", "gb_t_ac": "GB/T AC", "domestic_f": "Schuko", "cnacs": "NACS", "cg105": "CHAdeMO",
}  # fmt: skip


def plug_name(standard: str | None) -> str:
    """`cCCS2` or `IEC_62196_T2_COMBO` as people call it."""
    return _PLUGS.get((standard or "").lower(), standard or "")


def _segment(across: charts.Axis, a: datetime, b: datetime, group: str, text: str, groups: set[str]) -> Segment:
    tone, is_tint, _name = states.GROUPS[group]
    groups.add(group)
    x = across.place(a.timestamp())
    return Segment(x, max(0.8, round(across.place(b.timestamp()) - x, 1)), tone, is_tint, text)


def _states(
    connector: ConnectorNow, statuses: Rows, since: datetime, now: datetime
) -> list[tuple[datetime, datetime, str, str]]:
    own = [
        s
        for s in statuses
        if (s["evse_number"], s["connector_number"]) == (connector.evse_number, connector.connector_number)
    ]
    found = []
    for index, row in enumerate(own):
        until = own[index + 1]["at"] if index + 1 < len(own) else now
        look = states.connector(row["status"])
        if row["status"] == "unknown":
            continue
        # What a session does is drawn from the session, which knows it better.
        group = "in_use" if look.group == "charging" else look.group
        code = f" ({row['error_code']})" if row["error_code"] not in (None, "", "NoError") else ""
        found.append((max(row["at"], since), min(until, now), group, f"{_(look.word)}{code}"))
    return found


def _charging(
    connector: ConnectorNow, sessions: Rows, since: datetime, now: datetime
) -> list[tuple[datetime, datetime, str, str]]:
    found = []
    for row in sessions:
        if row["evse_number"] != connector.evse_number:
            continue
        if row["connector_number"] not in (None, connector.connector_number):
            continue
        end = row["ended_at"] or now
        if row["charging_s"] is not None:
            end = min(end, row["started_at"] + timedelta(seconds=row["charging_s"]))
        elif row["ended_at"] is None and row["charging_state"] not in (None, "charging"):
            end = row["last_event_at"]
        energy = " ".join(figures.energy(row["energy_wh"]))
        found.append(
            (max(row["started_at"], since), min(end, now), "charging", _("Session, %(energy)s", energy=energy))
        )
    return found


def _silences(connections: Rows, since: datetime, now: datetime, is_online: bool) -> list[tuple[datetime, datetime]]:
    found: list[tuple[datetime, datetime]] = []
    lost: datetime | None = None
    for row in connections:
        if row["is_connected"]:
            if lost is not None and row["at"] > since:
                found.append((max(lost, since), row["at"]))
            lost = None
        elif lost is None:
            lost = row["at"]
    if lost is not None and not is_online:
        found.append((max(lost, since), now))
    return found


def _power(
    sessions: Rows,
    samples: Rows,
    across: charts.Axis,
    since: datetime,
    now: datetime,
    base: float,
    top: float,
) -> tuple[str, str, float]:
    """(area, line, peak in W): the sessions' powers added up on a grid of five minutes, or a finer one for a short span."""
    grid = min(GRID, max((now - since) / 288, FINEST))
    count = max(int((now - since) / grid), 0)
    total = [0.0] * (count + 1)
    by_session: dict[Any, list[tuple[datetime, float]]] = {}
    for session_id, points in powers(samples).items():
        by_session[session_id] = points
    for row in sessions:
        points = by_session.get(row["session_id"], [])
        end = row["ended_at"] or now
        position = 0
        for n in range(count + 1):
            at = since + grid * n
            while position + 1 < len(points) and points[position + 1][0] <= at:
                position += 1
            if points and points[position][0] <= at <= end:
                total[n] += max(0.0, points[position][1])
    peak = max(total, default=0.0)
    up = charts.Axis(0, max(peak, 1.0), base, top + 6)
    line = [(across.place((since + grid * n).timestamp()), up.place(w)) for n, w in enumerate(total)]
    return charts.area(line, base), charts.line(line), peak


def powers(samples: Rows) -> dict[Any, list[tuple[datetime, float]]]:
    """(time, W) of each session, oldest first: as measured, and where only the register was read, its mean rise.

    A reading without power beside one with it takes the mean of the stretch between them; a stretch with none at
    either end is level.
    """
    by_session: dict[Any, list[Any]] = {}
    for row in samples:
        by_session.setdefault(row["session_id"], []).append(row)
    return {session_id: _powers_of(rows) for session_id, rows in by_session.items()}


def _powers_of(rows: list[Any]) -> list[tuple[datetime, float]]:
    points: list[tuple[datetime, float]] = []
    for index, row in enumerate(rows):
        if row["power_w"] is not None:
            points.append((row["sampled_at"], float(row["power_w"])))
            continue
        before = rows[index - 1] if index else None
        after = rows[index + 1] if index + 1 < len(rows) else None
        for a, b in ((before, row), (row, after)):
            mean_w = _mean_between(a, b)
            if mean_w is not None and (not points or points[-1] != (row["sampled_at"], mean_w)):
                points.append((row["sampled_at"], mean_w))
                if a is row or (after is not None and after["power_w"] is not None):
                    break
    return points


def _mean_between(a: Any, b: Any) -> float | None:
    """The mean power between two readings of the register; None where that cannot be told."""
    if a is None or b is None or a["energy_wh"] is None or b["energy_wh"] is None:
        return None
    span_s = (b["sampled_at"] - a["sampled_at"]).total_seconds()
    moved_wh = float(b["energy_wh"] - a["energy_wh"])
    return moved_wh * 3600 / span_s if span_s > 0 and moved_wh >= 0 else None
