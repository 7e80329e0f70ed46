"""A small network whose every figure is known: written row by row, at an instant that the test holds still."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ohmstead.accounts import access
from ohmstead.billing.cdrs import service as billing
from ohmstead.billing.cdrs.model import Cdr
from ohmstead.core.ids import new_id
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.records import NewTariffAssignment, TariffDraft
from tests.billing.network import per_kwh
from tests.stories.network import Network


@dataclass
class Town:
    """Rows of one network around an instant."""

    network: Network
    now: datetime

    def ago(self, hours: float) -> datetime:
        return self.now - timedelta(hours=hours)

    async def insert(self, table: str, **values: Any) -> None:
        names = ", ".join(values)
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await self.network.pool.execute(f"insert into {table} ({names}) values ({places})", *values.values())

    async def location(self, name: str, latitude: float | None = 48.2, longitude: float | None = 16.37) -> UUID:
        location_id = new_id()
        await self.insert(
            "location",
            location_id=location_id,
            party_id=self.network.party_id,
            name=name,
            latitude=latitude,
            longitude=longitude,
            time_zone="Europe/Vienna",
        )
        return location_id

    async def station(
        self, station_id: str, *, online: bool = True, lost_hours_ago: float = 1, connectors: int = 1, **values: Any
    ) -> str:
        """Connected for 30 hours, or lost some hours ago."""
        name = f"{station_id}-{self.network.suffix}"
        row: dict[str, Any] = {
            "station_id": name,
            "party_id": self.network.party_id,
            "connected_at": self.ago(30),
            "created_at": self.ago(2000),
            "last_seen_at": self.ago(0.01) if online else self.ago(lost_hours_ago),
            "gateway_id": new_id() if online else None,
            "disconnected_at": None if online else self.ago(lost_hours_ago),
            "ocpp_version": "1.6",
            **values,
        }
        # The gateway of these rows is none that runs; it must outlive the sweep that lets stations of dead ones go, and
        # one from farther in the future is swept, too.
        if row["gateway_id"]:
            await self.network.pool.execute(
                "insert into gateway (gateway_id, address, alive_at) values ($1, 'town', now() + interval '55 seconds')",
                row["gateway_id"],
            )
        await self.insert("station", **row)
        if row["connected_at"]:
            await self.insert("connection_change", station_id=name, at=row["connected_at"], is_connected=True)
        if not online and row["disconnected_at"]:
            await self.insert("connection_change", station_id=name, at=row["disconnected_at"], is_connected=False)
        for number in range(1, connectors + 1):
            await self.insert("evse", station_id=name, evse_number=number, current_type="AC", max_power_w=22_000)
            await self.insert(
                "connector",
                station_id=name,
                evse_number=number,
                connector_number=1,
                status="available",
                status_at=self.ago(5),
            )
        return name

    async def fault(self, station_id: str, evse_number: int = 1, hours_ago: float = 2, **values: Any) -> None:
        row = {"status": "faulted", "status_at": self.ago(hours_ago), "error_code": "GroundFailure", **values}
        changes = ", ".join(f"{name} = ${n}" for n, name in enumerate(row, 3))
        await self.network.pool.execute(
            f"update connector set {changes} where station_id = $1 and evse_number = $2",
            station_id,
            evse_number,
            *row.values(),
        )

    async def session(
        self, station_id: str, *, begins: float, ends: float | None, wh: int, evse_number: int = 1, **values: Any
    ) -> UUID:
        """A session from `begins` hours ago until `ends` hours ago (None: it goes on), metered at both ends."""
        session_id = new_id()
        start, end = self.ago(begins), self.ago(ends) if ends is not None else None
        row: dict[str, Any] = {
            "session_id": session_id,
            "party_id": self.network.party_id,
            "station_id": station_id,
            "evse_number": evse_number,
            "connector_number": 1,
            "transaction_id": str(session_id)[-12:],
            "ocpp_version": "1.6",
            "status": "completed" if end else "active",
            "charging_state": "idle" if end else "charging",
            "started_at": start,
            "ended_at": end,
            "last_event_at": end or self.now,
            "first_received_at": start,
            "updated_at": end or self.now,
            "energy_wh": Decimal(wh),
            "energy_source": "register",
            "register_start_wh": Decimal(1000),
            "register_start_at": start,
            "register_last_wh": Decimal(1000 + wh),
            "register_last_at": end or self.now,
            **values,
        }
        await self.insert("session", **row)
        if end is None:
            await self.network.pool.execute(
                "update connector set status = 'charging' where station_id = $1 and evse_number = $2",
                station_id,
                evse_number,
            )
        return session_id

    async def tariff(self, price: str = "0.49", name: str = "Everywhere", **more: Any) -> UUID:
        """A kWh costs so much, before 21 % VAT, everywhere and always."""
        actor = access.system(self.network.party_id)
        async with self.network.pool.acquire() as conn, conn.transaction():
            draft = TariffDraft(name=name, tariff=per_kwh(price, **more))
            made = await tariffs.create_tariff(conn, actor, draft)
            await tariffs.assign(conn, actor, NewTariffAssignment(tariff_id=made.tariff_id))
        for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
            await self.network.pool.execute(f"update {column} = '2020-01-01Z' where tariff_id = $1", made.tariff_id)
        return made.tariff_id

    async def settled(self, station_id: str, *, begins: float, ends: float, wh: int = 20_000, **values: Any) -> UUID:
        """A session that is over and settled, all of it charging."""
        about = {"settled_at": self.ago(ends), "charging_s": int((begins - ends) * 3600), "idle_s": 0, **values}
        session_id = await self.session(station_id, begins=begins, ends=ends, wh=wh, **about)
        await self.network.pool.execute(
            "insert into charging_period values ($1, $2, $3, 'charging', $4)",
            session_id,
            self.ago(begins),
            self.ago(ends),
            Decimal(wh),
        )
        return session_id

    async def bills(self, *session_ids: UUID) -> list[Cdr]:
        """What the worker would do."""
        async with self.network.pool.acquire() as conn, conn.transaction():
            return await billing.bill(conn, self.network.party_id, session_ids)

    async def sample(self, session_id: UUID, hours_ago: float, **values: Any) -> None:
        await self.insert(
            "sample",
            session_id=session_id,
            sampled_at=self.ago(hours_ago),
            context=values.pop("context", "Sample.Periodic"),
            readings="{}",
            **values,
        )

    async def message(self, station_id: str, hours_ago: float, action: str, **values: Any) -> None:
        row = {
            "direction": "in",
            "version": "1.6",
            "payload": "{}",
            "answer_kind": "result",
            "answer": "{}",
            "latency_us": 4200,
            **values,
        }
        await self.insert(
            "ocpp_message",
            station_id=station_id,
            received_at=self.ago(hours_ago),
            message_id=new_id().hex,
            action=action,
            **row,
        )
