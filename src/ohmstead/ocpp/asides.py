"""Reports of kinds that few messages have: brought to the rooms they concern, in the batch's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ohmstead.core.db import Connection
from ohmstead.ocpp.work import Answers, Work
from ohmstead.reservations import service as reservations
from ohmstead.reservations.model import ReservationReport
from ohmstead.sessions.costs import Costs
from ohmstead.sessions.notices import service as notices
from ohmstead.sessions.notices.model import BatterySwap, Settlement, StationCost
from ohmstead.smartcharging import negotiating
from ohmstead.smartcharging import service as smartcharging
from ohmstead.smartcharging.model import CarReport, EvScheduleReport, NeedsReport, SmartReport


async def take_in(conn: Connection, works: Sequence[Work], answers: Sequence[Answers]) -> None:
    """Take in all asides of a batch; what a room says about one goes into its message's answers."""
    told: list[Any] = [aside for work in works for aside in work.asides]
    await reservations.take_reports(conn, [t for t in told if isinstance(t, ReservationReport)])
    await notices.take_in(conn, [t for t in told if isinstance(t, Settlement | BatterySwap | StationCost)])
    for work, answer in zip(works, answers, strict=True):
        for aside in work.asides:
            if not isinstance(aside, ReservationReport | Settlement | BatterySwap | StationCost):
                answer.aside = await _about_power(conn, aside)


async def _about_power(conn: Connection, aside: CarReport | SmartReport) -> object:
    match aside:
        case NeedsReport():
            return await negotiating.hear_needs(conn, aside)
        case EvScheduleReport():
            return await negotiating.hear_schedule(conn, aside)
        case _:
            return await smartcharging.take_report(conn, aside)


async def price(conn: Connection, costs: Costs, works: Sequence[Work], answers: Sequence[Answers]) -> None:
    """What sessions cost, for messages whose answers can say so. A session that lacks messages has no final cost yet."""
    asking = [
        (answer, answer.session.session)
        for work, answer in zip(works, answers, strict=True)
        if work.priced is not None
        and not work.is_cost_theirs
        and answer.session is not None
        and answer.session.session is not None
    ]
    asking = [(answer, session) for answer, session in asking if session.status in ("active", "completed")]
    if not asking:
        return
    found = await costs.costs_of(conn, [session for _, session in asking])
    for (answer, _), cost in zip(asking, found, strict=True):
        answer.cost = cost
