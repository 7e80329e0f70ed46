"""Which of the assigned tariffs applies, and why. Pure.

The narrower place wins: connector, station, location, party. At one place a tariff for the token's group comes before one
for everybody. Of several alike the one that was assigned last wins, among those that are valid at the start and of the
kind of the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ohmstead.tariffs.model import Tariff
from ohmstead.tariffs.records import LEVELS, ConsideredTariff, Level, Place


class Candidate(NamedTuple):
    """An assignment that reaches a place, with the version that was published at the time that is asked about."""

    assignment_id: UUID
    tariff_id: UUID
    tariff_name: str
    version: int
    tariff: Tariff
    level: Level
    is_one_connector: bool
    group_uid: str | None
    assigned_at: datetime


def rank(candidate: Candidate) -> tuple[int, bool, bool, float, str]:
    """What comes first is smallest."""
    return (
        LEVELS.index(candidate.level),
        not candidate.is_one_connector,
        candidate.group_uid is None,
        -candidate.assigned_at.timestamp(),
        str(candidate.assignment_id),
    )


def choose(place: Place, candidates: Sequence[Candidate]) -> tuple[Candidate | None, list[ConsideredTariff]]:
    """The one that applies, and all of them in their order with a verdict."""
    chosen: Candidate | None = None
    found = []
    for one in sorted(candidates, key=rank):
        tariff, verdict, reason = one.tariff, "applies", f"{_place_of(one)} comes first"
        if tariff.start_date_time is not None and place.at < tariff.start_date_time:
            verdict, reason = "not_yet", f"valid from {tariff.start_date_time.isoformat()} on"
        elif tariff.end_date_time is not None and place.at >= tariff.end_date_time:
            verdict, reason = "no_longer", f"valid before {tariff.end_date_time.isoformat()}"
        elif not _is_of_kind(tariff, place):
            verdict, reason = "other_kind", f"{tariff.type} is for other sessions"
        elif chosen is not None:
            verdict, reason = "outranked", f"{_place_of(chosen)} comes before {_place_of(one)}"
            if rank(one)[:3] == rank(chosen)[:3]:
                reason = "another one was assigned later to the same place"
        else:
            chosen = one
        found.append(
            ConsideredTariff(
                assignment_id=one.assignment_id,
                tariff_id=one.tariff_id,
                tariff_name=one.tariff_name,
                version=one.version,
                level=one.level,
                group_uid=one.group_uid,
                verdict=verdict,  # type: ignore[arg-type]
                reason=reason,
            )
        )
    return chosen, found


def _is_of_kind(tariff: Tariff, place: Place) -> bool:
    """Charging preferences (PROFILE_…) are a matter of partners; nobody here chooses one."""
    if tariff.type is None:
        return True
    return tariff.type == ("AD_HOC_PAYMENT" if place.is_ad_hoc else "REGULAR")


def _place_of(one: Candidate) -> str:
    return f"{one.level} for group {one.group_uid}" if one.group_uid is not None else str(one.level)
