"""A gateway of this process with real sockets on the loopback, and what is needed to look into it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web

from ohmstead.accounts import service as accounts
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.ocpp.gateway import REQUEST_TIMEOUT_S, Gateway
from ohmstead.settings import Settings
from ohmstead.stations import credentials
from ohmstead.stations.commands import CommandDesk
from ohmstead.stations.orders import Command, Order

T = TypeVar("T")
KEY = "00ff3a5c7e9b1d2f4a6c8e0b1d3f5a7c9e0b2d4f"


@dataclass
class House:
    """A running gateway. `url` and `tls_url` end before the identity."""

    gateway: Gateway
    pool: Pool
    bus: Bus
    party_id: UUID
    url: str
    tls_url: str

    async def station(
        self,
        station_id: str,
        profile: int = 1,
        *,
        password: str | None = KEY,
        registration: str = "accepted",
        certificate_name: str | None = None,
        has_booted: bool = False,
        heartbeat_interval_s: int | None = None,
    ) -> str:
        """Register a station; its identity."""
        hashed = None
        if password is not None:
            hashed = await credentials.hash_secret(password, self.gateway.settings.secret(), is_generated=True)
        await self.pool.execute(
            "insert into station (station_id, party_id, security_profile, secret_hash, registration, certificate_name,"
            " booted_at, heartbeat_interval_s) values ($1, $2, $3, $4, $5, $6, case when $7 then now() end, $8)",
            station_id,
            self.party_id,
            profile,
            hashed,
            registration,
            certificate_name,
            has_booted,
            heartbeat_interval_s,
        )
        return station_id

    async def change(self, station_id: str, **columns: Any) -> None:
        """What an operator's change does: the row, then the word to the gateways."""
        names = ", ".join(f"{name} = ${n}" for n, name in enumerate(columns, start=2))
        await self.pool.execute(f"update station set {names} where station_id = $1", station_id, *columns.values())
        await self.bus.publish("ohmstead.station.changed", {"station_id": station_id})

    async def order(self, station_id: str, order: Order, timeout_s: float = 5, **options: Any) -> Command:
        """Send a command as an operator does."""
        desk = CommandDesk(self.pool, self.bus)
        return await desk.send(
            order,
            party_id=self.party_id,
            station_id=station_id,
            requested_by="operator:test",
            timeout_s=timeout_s,
            **options,
        )

    async def row(self, station_id: str) -> dict[str, Any]:
        """The station as the database has it."""
        found = await self.pool.fetchrow("select * from station where station_id = $1", station_id)
        assert found is not None, f"no station {station_id}"
        return dict(found)

    async def is_connected(self, station_id: str) -> bool:
        return (await self.row(station_id))["gateway_id"] is not None

    async def signals(self, **wanted: Any) -> list[dict[str, Any]]:
        """Security signals so far with these columns, oldest first; `reason` is looked for in the detail."""
        rows = [dict(r) for r in await self.pool.fetch("select * from security_signal order by signal_id")]
        reason = wanted.pop("reason", None)
        return [
            r
            for r in rows
            if all(r[name] == value for name, value in wanted.items())
            and (reason is None or r["detail"].get("reason") == reason)
        ]

    async def signal(self, **wanted: Any) -> dict[str, Any]:
        """The signal, waited for."""
        return (await eventually(lambda: self.signals(**wanted), f"no signal {wanted}"))[-1]

    async def exchanges(self, station_id: str, **wanted: Any) -> list[dict[str, Any]]:
        """The message log of a station with these columns, oldest first."""
        rows = await self.pool.fetch(
            "select * from ocpp_message where station_id = $1 order by received_at", station_id
        )
        return [dict(r) for r in rows if all(r[name] == value for name, value in wanted.items())]


async def eventually(look: Callable[[], Awaitable[T]], complaint: str = "never happened", within_s: float = 5) -> T:
    """What `look` gives as soon as it is true."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        found = await look()
        if found:
            return found
        assert loop.time() < deadline, complaint
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def open_gateway(
    settings: Settings,
    pool: Pool,
    party_id: UUID,
    *,
    gateway_pool: Pool | None = None,
    request_timeout_s: float = REQUEST_TIMEOUT_S,
    **options: Any,
) -> AsyncIterator[House]:
    """A gateway until the block ends. `options` go to the Gateway."""
    assert settings.nats_url is not None
    bus = await Bus.connect(settings.nats_url, "gateway-under-test")
    try:
        gateway = Gateway(settings, gateway_pool or pool, bus, **options)
        runner = gateway.runner(request_timeout_s=request_timeout_s, shutdown_timeout_s=2)
        await runner.setup()
        serving = asyncio.create_task(gateway.run())
        try:
            await web.TCPSite(runner, "127.0.0.1", settings.gateway_port).start()
            context = gateway.ssl_context()
            if context is not None:
                await web.TCPSite(runner, "127.0.0.1", settings.gateway_tls_port, ssl_context=context).start()
            here = "select count(*) from gateway where gateway_id = $1"
            await eventually(lambda: pool.fetchval(here, gateway.gateway_id), "the gateway did not start")
            await bus.flush()
            yield House(
                gateway,
                pool,
                bus,
                party_id,
                f"ws://127.0.0.1:{settings.gateway_port}/ocpp",
                f"wss://127.0.0.1:{settings.gateway_tls_port}/ocpp",
            )
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            await runner.cleanup()
    finally:
        await bus.close()


async def new_party(pool: Pool) -> UUID:
    """The installation's first party."""
    async with pool.acquire() as conn, conn.transaction():
        return (await accounts.ensure_first_operator(conn)).party_id


def with_settings(settings: Settings, **changes: Any) -> Settings:
    """The same settings but for these."""
    return msgspec.structs.replace(settings, **changes)
