"""The worker's look at sessions that go on, about once a second: moments that no event marks become messages."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from ohmstead.core import clock
from ohmstead.core.db import Connection, Pool, Row
from ohmstead.notifications import queries, service
from ohmstead.notifications.estimating import Charge
from ohmstead.notifications.model import Order
from ohmstead.notifications.moments import Running, moments_of
from ohmstead.notifications.noticing import recipient_of, told_of
from ohmstead.notifications.queries import KeptTariff
from ohmstead.sessions.pricing.queries import running_costs

EVERY_S: Final = 1.0
MOST: Final = 5000  # at once
# The first look after a start, and what two clocks and a long transaction may differ by.
FIRST_BACK: Final = timedelta(minutes=10)
OVERLAP: Final = timedelta(seconds=5)
_REMEMBERED: Final = 50_000


class Watcher:
    """Remembers what it told, to spare the database the same question each second; the unique key is what holds."""

    def __init__(self, pool: Pool, most: int = MOST) -> None:
        self._pool = pool
        self._most = most
        self._since: datetime | None = None
        self._told: OrderedDict[str, None] = OrderedDict()

    async def look(self) -> int:
        """Returns how many messages are new."""
        now = clock.now()
        since = (self._since or now - FIRST_BACK) - OVERLAP
        fresh: list[str] = []
        async with self._pool.acquire() as conn, conn.transaction():
            n, after = 0, None
            while True:
                rows = await queries.list_changed(conn, since, self._most, after)
                if rows:
                    n += await self._tell(conn, rows, now, fresh)
                if len(rows) < self._most:
                    break
                # Cars that rest are told of no more, and come last: however many charge, theirs is the idle fee.
                after = (rows[-1]["updated_at"], rows[-1]["session_id"])
        self._since = now
        self._remember(fresh)
        return n

    async def _tell(self, conn: Connection, rows: Sequence[Row], now: datetime, fresh: list[str]) -> int:
        rests = await queries.list_rests(conn, [r["session_id"] for r in rows if r["charging_state"] != "charging"])
        kept = await queries.list_tariffs(conn, list(rests))
        n = 0
        by_party: dict[UUID, list[Row]] = defaultdict(list)
        for row in rows:
            by_party[row["party_id"]].append(row)
        for party_id in sorted(by_party):
            ids = [row["session_id"] for row in by_party[party_id]]
            costs = await running_costs(conn, party_id, ids)
            guests = await queries.list_guests(conn, party_id, [], ids)
            orders: list[Order] = []
            for row in by_party[party_id]:
                total = costs.get(row["session_id"])
                of = {"amount": str(total.rounded().amount), "currency": total.currency} if total else None
                orders.extend(self._orders(row, rests, kept, of, guests, now, fresh))
            n += len(await service.queue_all(conn, party_id, orders))
        return n

    def _orders(
        self,
        row: Row,
        rests: Mapping[UUID, tuple[datetime | None, int]],
        kept: Mapping[UUID, KeptTariff],
        total: dict[str, Any] | None,
        guests: Mapping[str, Row],
        now: datetime,
        fresh: list[str],
    ) -> list[Order]:
        to = recipient_of(row, guests)
        if to is None:
            return []
        orders = []
        for moment in moments_of(_running(row, rests, kept), now):
            key = str(row["session_id"])
            if f"{moment.kind}:{key}" in self._told:
                continue
            fresh.append(f"{moment.kind}:{key}")
            data = {**told_of(row, total), **moment.data}
            orders.append(Order(kind=moment.kind, to=to, data=data, key=key, time_zone=row["time_zone"]))
        return orders

    def _remember(self, keys: list[str]) -> None:
        """Once it is committed."""
        self._told.update(dict.fromkeys(keys))
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def _running(row: Row, rests: Mapping[UUID, tuple[datetime | None, int]], kept: Mapping[UUID, KeptTariff]) -> Running:
    since, before_s = rests.get(row["session_id"], (None, 0))
    of = kept.get(row["session_id"])
    limit = row["limit_ours"] or {}
    target = limit.get("soc_percent") if isinstance(limit, dict) else None
    return Running(
        started_at=row["started_at"],
        charge=Charge(
            at=row["last_event_at"],
            soc_from_percent=row["soc_start_percent"],
            soc_percent=row["soc_percent"],
            energy_wh=row["energy_wh"],
            power_w=row["power_w"],
            target_percent=int(target) if target else 100,
        ),
        idle_since=since if row["charging_state"] in ("suspended_ev", "idle") else None,
        idle_before_s=before_s,
        tariff=of.tariff if of else None,
        zone=ZoneInfo(of.time_zone if of else row["time_zone"]),
    )
