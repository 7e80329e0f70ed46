"""The three roles as child processes: what `ohmstead up` runs, watches and stops."""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from ohmstead.core.log import logger
from ohmstead.runas import make_dir, write_private
from ohmstead.settings import PREFIX, Settings
from ohmstead.supervisor import Keeper, Unready, process_is_alive, process_of

log = logger("ohmstead.roles")

ROLES = ("gateway", "web", "worker")
READY_WITHIN_S = 60
MOST_DRAIN_S = 1  # of a gateway under `up`: everything stops with it, nobody is there to take its stations over


class Cannot(Exception):
    """`up` cannot go on; the text says why and what to do."""


class Role:
    """One `ohmstead …` process. The URLs go by its environment: command lines are visible to everybody."""

    stop_signals: tuple[tuple[int, float], ...] = ((signal.SIGTERM, 10.0),)
    start_attempts = 1

    def __init__(self, name: str, arguments: list[str], env: Mapping[str, str], listens: list[tuple[str, int]]) -> None:
        """`listens`: addresses it serves when it is ready; the first answers on /healthz."""
        self.name = name
        self._arguments = arguments
        self._env = env
        self._listens = listens

    def find(self) -> psutil.Process | None:
        # What an earlier supervisor left is stopped by `stop_leftovers`, never adopted: its settings may differ.
        return None

    def launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "ohmstead", *self._arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=dict(self._env), start_new_session=True)

    async def ready(self, alive: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while alive():
            if await self._serves():
                return
            if time.monotonic() > deadline:
                raise Unready(f"the {self.name} did not become ready within {READY_WITHIN_S} s; its messages are above")
            await asyncio.sleep(0.05)
        raise Unready(f"the {self.name} ended while it started; its messages are above")

    async def _serves(self) -> bool:
        for number, (host, port) in enumerate(self._listens):
            if not (await _is_healthy(host, port) if number == 0 else await _accepts(host, port)):
                return False
        return True


class Left(Struct):
    """What `run/up.json` tells about a running `up`: its number, and its children's by name."""

    pid: int
    children: dict[str, int]
    urls: dict[str, str]


class Claim:
    """The right to be the one `up` of a data directory. Holds `run/up.lock`; others read `run/up.json`."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "run" / "up.json"
        self._lock = data_dir / "run" / "up.lock"
        self._fd: int | None = None

    def take(self) -> Left | None:
        """None when the claim is ours now; else what the other one tells (empty while it starts)."""
        try:
            make_dir(self._lock.parent, None)
            fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Cannot(
                f"The data directory {self._lock.parent.parent} cannot be used: {error.strerror}. Start Ohmstead as the "
                "account that owns it, or set OHMSTEAD_DATA_DIR to another one."
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return self.read() or Left(0, {}, {})
        self._fd = fd
        return None

    def read(self) -> Left | None:
        """What the last `up` wrote, be it alive or not."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Left)
        except (OSError, msgspec.MsgspecError):
            return None

    def write(self, children: dict[str, int], urls: dict[str, str]) -> None:
        """Tell others what runs."""
        write_private(self._file, msgspec.json.encode(Left(os.getpid(), children, urls)).decode())

    def stop_leftovers(self) -> None:
        """End the children of an `up` that was killed; they hold the ports."""
        left = self.read()
        processes = [process_of(pid, "ohmstead") for pid in left.children.values()] if left else []
        alive = [process for process in processes if process is not None and process_is_alive(process)]
        for process in alive:
            log.warning("leftover_stopped", pid=process.pid)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(alive, timeout=10)
        for process in stubborn:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._file.unlink(missing_ok=True)

    def release(self) -> None:
        """Let another one take it."""
        if self._fd is not None:
            self._file.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = None


def child_environment(settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of the children: ours, with the settings that this process decided on."""
    decided = {
        "DATABASE_URL": settings.database_url,
        "NATS_URL": settings.nats_url,
        "DATA_DIR": str(settings.data_dir),
        "WEB_PORT": str(settings.web_port),
        "GATEWAY_PORT": str(settings.gateway_port),
        "DRAIN_S": str(min(settings.drain_s, MOST_DRAIN_S)),
    }
    overridden = {PREFIX + name + "_FILE" for name in decided}
    child = {name: value for name, value in env.items() if name not in overridden}
    return child | {PREFIX + name: value for name, value in decided.items() if value is not None}


def keepers(settings: Settings, env: Mapping[str, str], changed: Callable[[], None]) -> list[Keeper]:
    """One keeper per role, in the order in which they are stopped."""
    gateway_host, web_host = reachable(settings.gateway_host), reachable(settings.web_host)
    listens = {
        "gateway": [("127.0.0.1", settings.metrics_gateway_port), (gateway_host, settings.gateway_port)],
        "web": [(web_host, settings.web_port)],
        "worker": [("127.0.0.1", settings.worker_health_port)],
    }
    return [Keeper(Role(name, [name], env, listens[name]), changed) for name in ROLES]


def reachable(host: str) -> str:
    """An address to connect to, for one that is listened on: every interface is not an address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (compared, not bound)


def wanted_ports(settings: Settings) -> dict[int, str]:
    """Ports that the three roles listen on, with the variable that changes each."""
    names = ["gateway_port", "web_port", "metrics_gateway_port", "worker_health_port"]
    if settings.has_tls:
        names.append("gateway_tls_port")
    names += [name for name in ("ftp_port", "ftps_port") if getattr(settings, name) is not None]
    return {getattr(settings, name): PREFIX + name.upper() for name in names}


def port_holder(host: str, port: int) -> str | None:
    """Who listens on the port: None when it is free, else a description."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return "the system, which keeps ports below 1024 for root"
        except OSError:
            return _listener(port)
    return None


def check_ports(settings: Settings) -> None:
    """Raise Cannot when a port is taken, before anything is started."""
    for port, variable in wanted_ports(settings).items():
        host = settings.web_host if port == settings.web_port else "127.0.0.1"
        if port in (settings.gateway_port, settings.gateway_tls_port):
            host = settings.gateway_host
        if holder := port_holder(host, port):
            raise Cannot(f"Port {port} is taken by {holder}. Stop that, or choose another port with {variable}.")


def _listener(port: int) -> str:
    with contextlib.suppress(psutil.AccessDenied, psutil.NoSuchProcess):
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another program"


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def _is_healthy(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = await asyncio.wait_for(reader.readline(), 5)
        finally:
            writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in status
