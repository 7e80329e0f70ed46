"""A whole installation in processes of its own, as people run it: to be killed, cut off, restarted, and loaded."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from uuid import UUID

import asyncpg

from ohmstead import embedded
from ohmstead.accounts import access
from ohmstead.accounts import service as accounts
from ohmstead.core.db import Pool, connect_pool
from ohmstead.core.ids import new_id
from ohmstead.settings import Settings
from tests import environment
from tests.faults.audit import audit
from tests.faults.fleet import VERSIONS, Fleet, Station, card_of

Check = Callable[[], Awaitable[bool]]
_NOT_YET = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


async def until(check: Check, complaint: str, within_s: float = 60) -> None:
    """Wait for something to become true; a check that cannot be made yet is not true yet."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        with contextlib.suppress(*_NOT_YET):
            if await check():
                return
        assert asyncio.get_running_loop().time() < deadline, complaint
        await asyncio.sleep(0.1)


async def status_of(port: int, path: str = "/readyz") -> tuple[int, str]:
    """What a process's own address answers: status and text; (0, reason) when nobody does."""

    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    return await asyncio.to_thread(ask)


class Books:
    """The database as the tests look at it: past every proxy and every process."""

    def __init__(self, pool: Pool, party_id: UUID) -> None:
        self.pool = pool
        self.party_id = party_id

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, database_url: str) -> AsyncIterator["Books"]:
        pool = await connect_pool(database_url, size=2, name="tests")
        try:
            party_id = new_id()
            await pool.execute(
                "insert into party (party_id, name, party_code) values ($1, 'Faults', $2)", party_id, token_hex(4)
            )
            yield cls(pool, party_id)
        finally:
            pool.terminate()

    async def fleet(self, urls: list[str], n_stations: int = 24, pause_s: float = 0.1) -> Fleet:
        """Registered stations of all versions, each with a card; station n begins with address n."""
        prefix = token_hex(3)
        stations = []
        for n in range(n_stations):
            first = n % len(urls)
            station_id = f"F{prefix}-{n:02d}"
            stations.append(Station(station_id, VERSIONS[n % 3], urls[first:] + urls[:first], pause_s))
            await self.pool.execute(
                "insert into station (station_id, party_id, security_profile, registration)"
                " values ($1, $2, 0, 'accepted')",
                station_id,
                self.party_id,
            )
            await self.pool.execute(
                "insert into token (token_id, party_id, uid) values ($1, $2, $3)",
                new_id(),
                self.party_id,
                card_of(station_id),
            )
        return Fleet(stations)

    async def api_key(self) -> str:
        """For the REST API, in the name of the party that owns the stations."""
        async with self.pool.acquire() as conn, conn.transaction():
            actor = access.system(self.party_id)
            _, secret = await accounts.create_api_key(conn, actor, name="faults", scopes=("commands:send",))
        return secret

    async def spread(self, fleet: Fleet) -> dict[UUID | None, int]:
        """How many stations of the fleet are connected to which gateway."""
        rows = await self.pool.fetch(
            "select gateway_id, count(*) as n from station where station_id = any($1) group by gateway_id",
            [station.station_id for station in fleet.stations],
        )
        return {row["gateway_id"]: row["n"] for row in rows}

    async def agree_with(self, fleet: Fleet) -> None:
        """Until the worker has settled all sessions of the fleet; then nothing is lost and nothing is there twice."""
        ids = [station.station_id for station in fleet.stations]
        open_sessions = "select count(*) from session where station_id = any($1) and settled_at is null"

        async def is_settled() -> bool:
            return bool(await self.pool.fetchval(open_sessions, ids) == 0)

        with contextlib.suppress(AssertionError):  # the audit says which are left
            await until(is_settled, "not settled", within_s=45)
        await audit(self.pool, fleet)


_PORTS = {
    "gateway": ("GATEWAY_PORT", "METRICS_GATEWAY_PORT"),
    "web": ("WEB_PORT", "WEB_PORT"),
    "worker": ("WORKER_HEALTH_PORT", "WORKER_HEALTH_PORT"),
}


@dataclass
class Process:
    """One role."""

    role: str
    popen: subprocess.Popen[bytes]
    settings: dict[str, str]
    log: Path
    inside: list[str]
    address: str

    @property
    def health_port(self) -> int:
        return int(self.settings[_PORTS[self.role][1]])

    @property
    def url(self) -> str:
        """Where stations or people come."""
        port = self.settings[_PORTS[self.role][0]]
        return f"ws://{self.address}:{port}/ocpp" if self.role == "gateway" else f"http://{self.address}:{port}"

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    async def stop(self, number: int = signal.SIGTERM, within_s: float = 60) -> int:
        """Ask it to stop; the exit code."""
        self.popen.send_signal(number)
        return await asyncio.to_thread(self.popen.wait, within_s)

    async def is_ready(self) -> bool:
        return (await self.readiness())[0] == 200

    async def readiness(self) -> tuple[int, str]:
        """Status and text of /readyz, asked on the process's own host."""
        if not self.inside:
            return await status_of(self.health_port)
        url = f"http://127.0.0.1:{self.health_port}/readyz"
        ask = f"import urllib.request as u; print(u.urlopen('{url}', timeout=10).status)"
        asked = await asyncio.create_subprocess_exec(
            *self.inside, sys.executable, "-c", ask, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _, said = await asked.communicate()
        return (200, "") if asked.returncode == 0 else (503, said.decode())

    async def served(self) -> None:
        await until(self.is_ready, f"the {self.role} is not ready: {self.log.read_text()[-2000:]}")


class Plant:
    """Roles as an operator of a large installation starts them, one by one, on one database and NATS."""

    def __init__(
        self,
        data_dir: Path,
        database_url: str,
        nats_url: str,
        *,
        inside: Sequence[str] = (),
        address: str = "127.0.0.1",
    ) -> None:
        """`inside`: what goes before every command, to run it on another host; `address`: how that is reached."""
        self.inside = list(inside)
        self.address = address
        self.data_dir = data_dir
        self.database_url = database_url
        self.nats_url = nats_url
        self.processes: list[Process] = []
        self._secret_key = token_hex(32)

    async def start(self, role: str, **settings: str) -> Process:
        """One more process of a role, ready. `settings` by their names without the prefix."""
        names = ("GATEWAY_PORT", "GATEWAY_TLS_PORT", "WEB_PORT", "METRICS_GATEWAY_PORT", "WORKER_HEALTH_PORT")
        given = {name: str(environment.free_port()) for name in names} | settings
        process = self._launch(role, given)
        await process.served()
        return process

    async def restart(self, process: Process) -> Process:
        """What a rolling restart does to one process: a polite end, and another one in its place."""
        assert await process.stop() == 0, process.log.read_text()[-2000:]
        return await self.start(process.role, **process.settings)

    def _launch(self, role: str, given: dict[str, str]) -> Process:
        env = {name: value for name, value in os.environ.items() if not name.startswith("OHMSTEAD_")}
        mine = {
            "DATABASE_URL": self.database_url,
            "NATS_URL": self.nats_url,
            "DATA_DIR": str(self.data_dir),
            "SECRET_KEY": self._secret_key,
        }
        env |= {f"OHMSTEAD_{name}": value for name, value in (mine | given).items()}
        env["PYTHONPATH"] = os.pathsep.join(sys.path)
        log = self.data_dir / f"{role}-{len(self.processes)}.log"
        with log.open("wb") as output:
            command = [*self.inside, sys.executable, "-P", "-m", "ohmstead", role]
            popen = subprocess.Popen(command, env=env, stdout=output, stderr=output)
        self.processes.append(Process(role, popen, given, log, self.inside, self.address))
        return self.processes[-1]

    def close(self) -> None:
        for process in self.processes:
            if process.popen.poll() is None:
                process.kill()

    def complaints(self) -> str:
        """What the processes said, for a failed test's report."""
        return "\n".join(f"--- {p.log.name}\n{p.log.read_text()[-3000:]}" for p in self.processes)


@contextlib.asynccontextmanager
async def servers(data_dir: Path) -> AsyncIterator[embedded.Embedded]:
    """PostgreSQL and NATS of this test's own, syncing as a user's do, kept running by our own supervisor."""
    data_dir.chmod(0o711)
    started = await embedded.start(Settings(data_dir=data_dir))
    try:
        yield started
    finally:
        await started.stop()
