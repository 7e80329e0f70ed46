"""Energy that is in the fees of months: what is left of it, for billing and for running costs, and who took some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from ohmstead.billing.plans import service, store
from ohmstead.billing.plans.reckoning import Month, due_months, included_of, zone_of
from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.core.ids import new_id


class Foreseen(Struct, frozen=True):
    """Months of drivers as they would be charged now; the next ones begin `until` at the earliest."""

    by_driver: dict[UUID, list[Month]]
    until: datetime


async def list_months(
    conn: Connection, party_id: UUID, driver_ids: Sequence[UUID], session_ids: Sequence[UUID]
) -> dict[UUID, list[Month]]:
    """Of each driver with such energy, the earliest first. What is due by now is charged before."""
    if not await store.has_included(conn, party_id, driver_ids):
        return {}
    await service.charge_due(conn, party_id, driver_ids)
    books = await store.books_of(conn, party_id)
    return await _charged(conn, party_id, driver_ids, session_ids, books["time_zone"])


async def foresee(
    conn: Connection, party_id: UUID, driver_ids: Sequence[UUID], session_ids: Sequence[UUID]
) -> Foreseen:
    """The same as billing would find it now, with nothing charged for it and nobody kept waiting: a month that is due has all
    its energy.
    """
    now = clock.now()
    books = await store.books_of(conn, party_id)
    time_zone, zone = books["time_zone"], zone_of(books["time_zone"])
    today = now.astimezone(zone).date()
    until = datetime.combine(today + timedelta(days=1), time(), zone).astimezone(UTC)
    if not await store.has_included(conn, party_id, driver_ids):
        return Foreseen({}, until)
    found = await _charged(conn, party_id, driver_ids, session_ids, time_zone)
    for one in await store.list_running(conn, party_id, today, driver_ids):
        for from_on, until_on in due_months(one.charged_until, one.ends_on, today):
            included_wh = included_of(one.included_wh, from_on, until_on)
            month = Month(
                plan_charge_id=new_id(),
                subscription_id=one.subscription_id,
                plan_name=one.name,
                started_at=one.started_at,
                from_on=from_on,
                until_on=until_on,
                left_wh=Decimal(included_wh),
                own_wh={},
                time_zone=time_zone,
            )
            if included_wh:
                found.setdefault(one.driver_id, []).append(month)
    return Foreseen(found, until)


async def _charged(
    conn: Connection, party_id: UUID, driver_ids: Sequence[UUID], session_ids: Sequence[UUID], time_zone: str
) -> dict[UUID, list[Month]]:
    found: dict[UUID, list[Month]] = defaultdict(list)
    for row in await store.list_included(conn, party_id, driver_ids, session_ids):
        found[row["driver_id"]].append(
            Month(
                plan_charge_id=row["plan_charge_id"],
                subscription_id=row["subscription_id"],
                plan_name=row["plan_name"],
                started_at=row["started_at"],
                from_on=row["from_on"],
                until_on=row["until_on"],
                left_wh=row["left_wh"],
                own_wh={UUID(one): Decimal(wh) for one, wh in (row["own"] or {}).items()},
                time_zone=time_zone,
            )
        )
    return found


async def write(
    conn: Connection, party_id: UUID, session_ids: Sequence[UUID], rows: Sequence[tuple[UUID, UUID, Decimal]]
) -> None:
    """What these sessions took is this now: (month's fee, session, Wh)."""
    await store.drop_uses(conn, party_id, session_ids)
    if rows:
        await store.insert_uses(conn, party_id, rows)
