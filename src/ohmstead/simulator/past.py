"""Past sessions in a CSV file: read strictly, complain row by row."""

import csv
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from ohmstead.core.errors import Invalid

REQUIRED = ("station", "plugged_at", "unplugged_at", "energy_wh", "token")
OPTIONAL = ("evse", "max_power_w")
_STATION_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-_=+|@.")
MAX_ENERGY_WH = 10_000_000
Wrong: TypeAlias = Callable[[str, str], None]


class PastSession(Struct, frozen=True):
    """One session that has been. `max_power_w`: what the outlet or the car could draw, where it is known."""

    station: str
    plugged_at: datetime
    unplugged_at: datetime
    energy_wh: int
    token: str
    evse: int = 1
    max_power_w: int | None = None


class RowError(Struct, frozen=True):
    """What is wrong with a row. Rows are counted as a text editor counts lines; the header is 1."""

    row: int
    field: str
    error: str


class Past(Struct, frozen=True):
    """The rows that can be used, in the order of the file, and what is wrong with the others."""

    sessions: tuple[PastSession, ...]
    errors: tuple[RowError, ...]

    @property
    def energy_wh(self) -> int:
        """Of all sessions together."""
        return sum(s.energy_wh for s in self.sessions)

    def by_station(self) -> dict[str, list[PastSession]]:
        """Sessions of each station in the order they began."""
        found: dict[str, list[PastSession]] = {}
        for session in sorted(self.sessions, key=lambda s: (s.plugged_at, s.unplugged_at, s.evse)):
            found.setdefault(session.station, []).append(session)
        return found


def read_file(path: Path) -> Past:
    """Read a CSV file. Raises Invalid if it cannot be opened or has no usable header."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            return read(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path}: {error}", field="replay") from error


def read(lines: Iterable[str]) -> Past:
    """Read CSV lines: a header that names REQUIRED and perhaps OPTIONAL columns; other columns are ignored."""
    rows = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(rows)]
    except StopIteration:
        raise Invalid("the file is empty", field="replay") from None
    except csv.Error as error:
        raise Invalid(f"row 1: {error}", field="replay") from None
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise Invalid(f"row 1: no column {', '.join(missing)}", field="replay")
    doubled = [name for name in (*REQUIRED, *OPTIONAL) if header.count(name) > 1]
    if doubled:
        raise Invalid(f"row 1: column {', '.join(doubled)} more than once", field="replay")
    sessions: list[tuple[int, PastSession]] = []
    errors: list[RowError] = []
    while True:
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            errors.append(RowError(rows.line_num, "", str(error)))
            continue
        if not row:
            continue
        if len(row) != len(header):
            errors.append(RowError(rows.line_num, "", f"{len(row)} fields; the header has {len(header)}"))
            continue
        session = _session(dict(zip(header, row, strict=True)), rows.line_num, errors)
        if session is not None:
            sessions.append((rows.line_num, session))
    return Past(tuple(_without_overlaps(sessions, errors)), tuple(sorted(errors, key=lambda e: e.row)))


def _session(row: dict[str, str], line: int, errors: list[RowError]) -> PastSession | None:
    found: list[RowError] = []

    def wrong(field: str, text: str) -> None:
        found.append(RowError(line, field, text))

    station, token = row["station"].strip(), row["token"].strip()
    if not 1 <= len(station) <= 48 or not set(station) <= _STATION_SIGNS:
        wrong("station", "1 to 48 of letters, digits and * - _ = + | @ .")
    if not 1 <= len(token) <= 36:
        wrong("token", "1 to 36 characters")
    plugged_at = _instant(row["plugged_at"], "plugged_at", wrong)
    unplugged_at = _instant(row["unplugged_at"], "unplugged_at", wrong)
    if plugged_at and unplugged_at and unplugged_at <= plugged_at:
        wrong("unplugged_at", "not after plugged_at")
    energy_wh = _whole(row["energy_wh"], "energy_wh", 0, MAX_ENERGY_WH, wrong)
    evse = _whole(row["evse"], "evse", 1, 1000, wrong) if row.get("evse", "").strip() else 1
    max_power_w = None
    if row.get("max_power_w", "").strip():
        max_power_w = _whole(row["max_power_w"], "max_power_w", 1, 10_000_000, wrong)
    errors.extend(found)
    if found or plugged_at is None or unplugged_at is None or energy_wh is None or evse is None:
        return None
    return PastSession(station, plugged_at, unplugged_at, energy_wh, token, evse, max_power_w)


def _instant(text: str, field: str, wrong: Wrong) -> datetime | None:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        wrong(field, f"{text[:40]!r} is no instant; 2026-01-31T18:05:00Z is one")
        return None
    if at.tzinfo is None:
        wrong(field, "without time zone; add Z or an offset")
        return None
    if at.microsecond % 1000:
        wrong(field, "finer than a millisecond, which OCPP does not carry")
        return None
    return at


def _whole(text: str, field: str, least: int, most: int, wrong: Wrong) -> int | None:
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        wrong(field, f"{text[:40]!r} is no whole number from {least} to {most}")
        return None
    return int(text)


def _without_overlaps(sessions: list[tuple[int, PastSession]], errors: list[RowError]) -> list[PastSession]:
    """An outlet has one session at a time: a row that begins before the one before it has ended is refused."""
    last: dict[tuple[str, int], tuple[datetime, int]] = {}
    refused: set[int] = set()
    for line, session in sorted(sessions, key=lambda item: (item[1].plugged_at, item[0])):
        key = (session.station, session.evse)
        until, other = last.get(key, (session.plugged_at, 0))
        if session.plugged_at < until:
            errors.append(RowError(line, "plugged_at", f"row {other} still charges there; use the column evse"))
            refused.add(line)
        else:
            last[key] = (session.unplugged_at, line)
    return [session for line, session in sessions if line not in refused]
