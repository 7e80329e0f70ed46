"""PostgreSQL and NATS from their wheels, where no URL is configured.

One process, the owner, holds the lock `run/lock` in the data directory and keeps both servers running on ports that it
remembers. Others on the same data directory find them through `run/state.json`. An owner that was killed leaves the
servers running; the next one takes them over.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import asyncpg
import msgspec
import psutil
from msgspec import Struct

from ohmstead.core.log import logger
from ohmstead.runas import (
    Account,
    EmbeddedError,
    Programs,
    account_for,
    check_reachable,
    make_dir,
    popen_arguments,
    programs,
    write_private,
)
from ohmstead.settings import Settings
from ohmstead.supervisor import Keeper, Unready, process_is_alive, process_of

__all__ = ["Embedded", "EmbeddedError", "Running", "find_running", "start", "stop_leftovers"]

log = logger("ohmstead.embedded")

POSTGRES_MAJOR = "18"
SOCKET_PATH_LIMIT = 100  # sun_path holds 107 bytes (103 on macOS) and the server appends ".s.PGSQL.65535"
WAIT_FOR_OWNER_S = 120


class Running(Struct, kw_only=True):
    """What `run/state.json` tells: the owner and its servers. None where a URL was configured instead."""

    owner_pid: int
    database_url: str | None = None
    nats_url: str | None = None
    postgres_pid: int | None = None
    nats_pid: int | None = None


class Kept(Struct, kw_only=True):
    """What `run/servers.json` remembers from start to start. Readable by its owner only."""

    superuser_password: str
    database_password: str
    nats_password: str
    postgres_port: int = 0
    nats_port: int = 0


class Layout:
    """The data directory: where everything is, and whose it is."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir
        self.run = data_dir / "run"
        self.postgres = data_dir / "postgres"
        self.nats = data_dir / "nats"
        self.nats_configuration = self.nats / "nats.conf"
        self.lock = self.run / "lock"
        self.state = self.run / "state.json"
        self.kept = self.run / "servers.json"
        self.account: Account | None = None

    def make(self) -> None:
        """Create what is missing. Raises EmbeddedError where that is impossible or would be of no use."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.account = account_for(self.postgres)
            if self.root.stat().st_uid == os.geteuid():
                # The servers' account passes through; it cannot list.
                self.root.chmod(0o711 if self.account else 0o700)
            make_dir(self.run, None)
            if self.postgres.exists() and self.account is None and self.postgres.stat().st_uid != os.geteuid():
                raise EmbeddedError(
                    f"{self.postgres} belongs to another account (number {self.postgres.stat().st_uid}). "
                    "Start Ohmstead as that account or as root, or set OHMSTEAD_DATA_DIR to another directory."
                )
            make_dir(self.nats, self.account)
        except PermissionError as error:
            raise EmbeddedError(
                f"The data directory {self.root} cannot be used: {error}. Set OHMSTEAD_DATA_DIR to another one."
            ) from error
        check_reachable(self.root, self.account)

    def remembered(self) -> Kept:
        with contextlib.suppress(FileNotFoundError):
            return msgspec.json.decode(self.kept.read_bytes(), type=Kept)
        if self.postgres.exists():
            raise EmbeddedError(
                f"{self.kept}, which holds the database's password, is missing though {self.postgres} exists. "
                "Restore it from a back-up of the data directory."
            )
        made = [secrets.token_urlsafe(24) for _ in range(3)]
        return Kept(superuser_password=made[0], database_password=made[1], nats_password=made[2])

    def remember(self, kept: Kept) -> None:
        write_private(self.kept, msgspec.json.encode(kept).decode())

    def postgres_process(self) -> psutil.Process | None:
        """The PostgreSQL that runs on this directory, whoever started it."""
        return _process_in(self.postgres / "postmaster.pid", "postgres", str(self.postgres))

    def nats_process(self) -> psutil.Process | None:
        """The NATS that runs on this directory, whoever started it."""
        return _process_in(self.nats / "nats.pid", "nats-server", str(self.nats_configuration))

    def socket_dir(self) -> Path | None:
        """A directory for PostgreSQL's Unix socket with a path short enough; None where there is no safe one."""
        near = self.root / "socket"
        if len(os.fsencode(near)) + len("/.s.PGSQL.65535") <= SOCKET_PATH_LIMIT:
            make_dir(near, self.account)
            return near
        uid = self.account.uid if self.account else os.geteuid()
        short = Path(tempfile.gettempdir()) / f"ohmstead-{sha256(os.fsencode(self.root)).hexdigest()[:12]}"
        if not short.exists():
            make_dir(short, self.account)
        about = short.lstat()
        # Anybody can make a directory in /tmp; one that is not ours alone is not used.
        safe = stat.S_ISDIR(about.st_mode) and about.st_uid == uid and not about.st_mode & 0o077
        return short if safe else None


class Postgres:
    """The built-in PostgreSQL."""

    name = "postgres"
    # SIGINT: fast shutdown, a checkpoint and out. SIGQUIT: at once, recovery at the next start.
    stop_signals: tuple[tuple[int, float], ...] = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))
    # After a kill its own children need a moment to notice, and hold the shared memory until then.
    start_attempts = 4

    def __init__(self, layout: Layout, found: Programs, kept: Kept, *, durable: bool) -> None:
        self._layout = layout
        self._programs = found
        self._kept = kept
        self._durable = durable
        self._words = layout.run / "postgres.start.log"

    @property
    def url(self) -> str:
        return f"postgresql://ohmstead:{self._kept.database_password}@127.0.0.1:{self._kept.postgres_port}/ohmstead"

    def find(self) -> psutil.Process | None:
        return self._layout.postgres_process()

    def prepare(self) -> None:
        """Make the cluster when there is none, and write its configuration. An interrupted first start is redone."""
        data, account = self._layout.postgres, self._layout.account
        if not data.exists():
            self._init()
        version = (data / "PG_VERSION").read_text().strip()
        if version != POSTGRES_MAJOR:
            raise EmbeddedError(
                f"{data} was written by PostgreSQL {version}; this is {POSTGRES_MAJOR}. Move it aside, start again, "
                "and load a dump made with the old version (docs/operations.md, “Upgrading”)."
            )
        write_private(data / "ohmstead.conf", self._configuration(), account)

    def launch(self) -> subprocess.Popen[bytes]:
        self._remove_stale_locks()
        with self._words.open("wb") as words:
            command = [str(self._programs.postgres_bin / "postgres"), "-D", str(self._layout.postgres)]
            return subprocess.Popen(command, stdout=words, stderr=words, **popen_arguments(self._layout.account))

    async def ready(self, alive: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 600  # after a crash it replays its log first
        while True:
            if not alive():
                raise Unready(f"PostgreSQL did not start. {self._last_words()}")
            try:
                conn = await asyncpg.connect(self.url, timeout=5)
            except (asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError):
                await self._make_database()
                continue
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if time.monotonic() > deadline:
                    raise Unready(f"PostgreSQL did not become ready: {error}. {self._last_words()}") from error
                await asyncio.sleep(0.05)
                continue
            # Restored from a base back-up it answers questions while it reads the archive, and takes nothing yet.
            is_recovering = await conn.fetchval("select pg_is_in_recovery()")
            await conn.close()
            if not is_recovering:
                return
            await asyncio.sleep(0.2)

    async def _make_database(self) -> None:
        kept = self._kept
        conn = await asyncpg.connect(
            host="127.0.0.1",
            port=kept.postgres_port,
            user="postgres",
            password=kept.superuser_password,
            database="postgres",
            timeout=5,
        )
        try:
            # The password is ours, of URL-safe characters: nothing to quote.
            verb = "alter" if await conn.fetchval("select 1 from pg_roles where rolname = 'ohmstead'") else "create"
            await conn.execute(f"{verb} role ohmstead login createdb password '{kept.database_password}'")
            if not await conn.fetchval("select 1 from pg_database where datname = 'ohmstead'"):
                await conn.execute("create database ohmstead owner ohmstead")
        finally:
            await conn.close()

    def _init(self) -> None:
        account = self._layout.account
        fresh = self._layout.root / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        make_dir(fresh, account)
        password = fresh.with_name("postgres.new.password")
        write_private(password, self._kept.superuser_password + "\n", account)
        command = [str(self._programs.postgres_bin / "initdb"), "--pgdata", str(fresh), "--username", "postgres"]
        command += ["--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
        command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions"]
        command += [] if self._durable else ["--no-sync"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, **popen_arguments(account))
        finally:
            password.unlink()
        if done.returncode != 0:
            raise EmbeddedError(f"PostgreSQL's data directory could not be made: {done.stderr.strip()[-2000:]}")
        with (fresh / "postgresql.conf").open("a") as file:
            file.write(
                "\n# Written anew at every start; what you set below it wins.\ninclude_if_exists = 'ohmstead.conf'\n"
            )
        os.rename(fresh, self._layout.postgres)

    def _configuration(self) -> str:
        memory_mb = psutil.virtual_memory().total // (1 << 20)
        shm = Path("/dev/shm")  # noqa: S108  (its size is looked at, nothing is written)
        sockets = self._layout.socket_dir()
        small_shm = shm.is_dir() and shutil.disk_usage(shm).total < 256 << 20
        values = {
            "listen_addresses": "127.0.0.1",
            "port": self._kept.postgres_port,
            "unix_socket_directories": _quoted(sockets, '""') if sockets else "",
            "max_connections": 100,
            "shared_buffers": f"{min(256, max(128, memory_mb // 16))}MB",
            "effective_cache_size": f"{max(256, memory_mb // 3)}MB",
            # Containers give 64 MB of /dev/shm, too little for parallel queries.
            **({"dynamic_shared_memory_type": "mmap"} if small_shm else {}),
            "synchronous_commit": "on",
            "wal_compression": "on",
            "min_wal_size": "128MB",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "checkpoint_completion_target": "0.9",
            "random_page_cost": "1.1",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "on",
            "log_directory": "log",
            "log_filename": "postgresql-%a.log",
            "log_rotation_age": "1d",
            "log_rotation_size": 0,
            "log_truncate_on_rotation": "on",
            "log_line_prefix": "%m [%p] %q%u@%d/%a ",
            **({} if self._durable else {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}),
        }
        lines = [f"{name} = '{str(value).replace(chr(39), chr(39) * 2)}'" for name, value in values.items()]
        return "# Written by Ohmstead at every start; change postgresql.conf instead.\n" + "\n".join(lines) + "\n"

    def _remove_stale_locks(self) -> None:
        # PostgreSQL refuses to start when the number in its lock files belongs to any process, even an unburied one,
        # and in a container small numbers come round quickly. The socket is in a directory of ours alone. The file in
        # the data directory also guards against a server process that outlived its parent, so it goes only when none
        # of those is left.
        if self.find() is not None:
            return
        sockets = self._layout.socket_dir()
        for stale in sockets.glob(".s.PGSQL.*") if sockets else ():
            stale.unlink(missing_ok=True)
        file = self._layout.postgres / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            if psutil.pid_exists(int(file.read_text().split()[0])) and not _processes_in(self._layout.postgres):
                file.unlink(missing_ok=True)

    def _last_words(self) -> str:
        files = [
            self._words,
            *sorted((self._layout.postgres / "log").glob("*.log"), key=lambda f: f.stat().st_mtime)[-1:],
        ]
        return " ".join(_tail(file) for file in files)


class Nats:
    """The built-in NATS server: no JetStream, nothing in it lasts."""

    name = "nats"
    stop_signals: tuple[tuple[int, float], ...] = ((signal.SIGTERM, 5.0),)
    start_attempts = 2

    def __init__(self, layout: Layout, found: Programs, kept: Kept) -> None:
        self._layout = layout
        self._programs = found
        self._kept = kept
        self._configuration = layout.nats_configuration
        self._words = layout.run / "nats.start.log"

    @property
    def url(self) -> str:
        return f"nats://ohmstead:{self._kept.nats_password}@127.0.0.1:{self._kept.nats_port}"

    def find(self) -> psutil.Process | None:
        return self._layout.nats_process()

    def prepare(self) -> None:
        pid_file, log_file = (_quoted(self._layout.nats / name, '\\"') for name in ("nats.pid", "nats.log"))
        lines = [
            "# Written by Ohmstead at every start.",
            f'listen: "127.0.0.1:{self._kept.nats_port}"',
            f'authorization {{ user: "ohmstead", password: "{self._kept.nats_password}" }}',
            "max_payload: 8388608",
            f"pid_file: {pid_file}",
            f"log_file: {log_file}",
            "logfile_size_limit: 10485760",
            "logfile_max_num: 5",
        ]
        write_private(self._configuration, "\n".join(lines) + "\n", self._layout.account)

    def launch(self) -> subprocess.Popen[bytes]:
        with self._words.open("wb") as words:
            command = [str(self._programs.nats_server), "--config", str(self._configuration)]
            return subprocess.Popen(command, stdout=words, stderr=words, **popen_arguments(self._layout.account))

    async def ready(self, alive: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while alive() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._kept.nats_port)
                greeting = await asyncio.wait_for(reader.readline(), 5)
                writer.close()
                if greeting.startswith(b"INFO ") and alive():
                    return
            await asyncio.sleep(0.02)
        raise Unready(f"NATS did not start. {_tail(self._words)} {_tail(self._layout.nats / 'nats.log')}")


class Embedded:
    """The servers' URLs. `owned`: this process keeps them, and `stop()` stops them."""

    def __init__(self, database_url: str, nats_url: str, owner_pid: int | None) -> None:
        self.database_url = database_url
        self.nats_url = nats_url
        self.owner_pid = owner_pid
        self.keepers: list[Keeper] = []
        self.owned = False
        self._lock: int | None = None
        self._state: Path | None = None

    def own(self, lock: int, state: Path) -> None:
        """This process holds the lock: it keeps the servers, and tells of them in `state`."""
        self.owned, self._lock, self._state = True, lock, state

    @property
    def pids(self) -> dict[str, int]:
        """Process numbers of the servers this process keeps, by name."""
        return {keeper.service.name: keeper.pid for keeper in self.keepers if keeper.pid is not None}

    async def stop(self) -> None:
        """Stop what this process keeps: NATS, then PostgreSQL. Returns when they are gone."""
        for keeper in reversed(self.keepers):
            await keeper.stop()
        self.keepers.clear()
        if self._state is not None:
            self._state.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


async def start(settings: Settings, *, durable: bool = True) -> Embedded:
    """Make sure both servers run. Where both URLs are configured nothing is started.

    `durable=False` switches PostgreSQL's syncing off: for tests only, a power cut destroys such a database.
    Raises EmbeddedError with a text for people.
    """
    if settings.database_url and settings.nats_url:
        return Embedded(settings.database_url, settings.nats_url, None)
    layout = Layout(settings.data_dir)
    await asyncio.to_thread(layout.make)
    deadline = time.monotonic() + WAIT_FOR_OWNER_S
    while (lock := _try_lock(layout.lock)) is None:
        running = find_running(settings)
        if running is not None:
            return _joined(settings, running)
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Another Ohmstead holds {layout.lock} and does not become ready.")
        await asyncio.sleep(0.1)
    embedded = Embedded(settings.database_url or "", settings.nats_url or "", os.getpid())
    embedded.own(lock, layout.state)
    try:
        await _start_owned(settings, layout, embedded, durable=durable)
    except Unready as error:
        await embedded.stop()
        raise EmbeddedError(str(error)) from error
    except BaseException:
        await embedded.stop()
        raise
    return embedded


def find_running(settings: Settings) -> Running | None:
    """The servers that another process keeps on this data directory, if there are any and they are ready."""
    layout = Layout(settings.data_dir)
    try:
        running = msgspec.json.decode(layout.state.read_bytes(), type=Running)
        owner = psutil.Process(running.owner_pid)
    except (OSError, msgspec.MsgspecError, psutil.NoSuchProcess):
        return None
    if not process_is_alive(owner):
        return None
    lock = _try_lock(layout.lock)
    if lock is not None:  # the number is alive, but not as the owner
        os.close(lock)
        return None
    return running


async def _start_owned(settings: Settings, layout: Layout, embedded: Embedded, *, durable: bool) -> None:
    layout.state.unlink(missing_ok=True)
    found = await asyncio.to_thread(programs, layout.root, layout.account)
    kept = layout.remembered()
    postgres, nats = Postgres(layout, found, kept, durable=durable), Nats(layout, found, kept)
    if postgres.find() is None:
        kept.postgres_port = await asyncio.to_thread(_free_port, kept.postgres_port)
    if nats.find() is None:
        kept.nats_port = await asyncio.to_thread(_free_port, kept.nats_port)
    layout.remember(kept)

    def changed() -> None:
        pids = embedded.pids
        running = Running(owner_pid=os.getpid(), postgres_pid=pids.get("postgres"), nats_pid=pids.get("nats"))
        running.database_url, running.nats_url = embedded.database_url, embedded.nats_url
        if len(embedded.keepers) == wanted and all(keeper.is_ready for keeper in embedded.keepers):
            write_private(layout.state, msgspec.json.encode(running).decode())

    wanted = (settings.database_url is None) + (settings.nats_url is None)
    if settings.database_url is None:
        await asyncio.to_thread(postgres.prepare)
        embedded.database_url = postgres.url
        embedded.keepers.append(Keeper(postgres, changed))
    if settings.nats_url is None:
        await asyncio.to_thread(nats.prepare)
        embedded.nats_url = nats.url
        embedded.keepers.append(Keeper(nats, changed))
    results = await asyncio.gather(*(keeper.start() for keeper in embedded.keepers), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def stop_leftovers(data_dir: Path) -> None:
    """Stop servers that a killed owner left behind. Only for who holds the lock."""
    layout = Layout(data_dir)
    for process in (layout.nats_process(), layout.postgres_process()):
        if process is not None:
            process.send_signal(signal.SIGINT)
            psutil.wait_procs([process], timeout=10)


def _joined(settings: Settings, running: Running) -> Embedded:
    database_url, nats_url = settings.database_url or running.database_url, settings.nats_url or running.nats_url
    if not database_url or not nats_url:
        raise EmbeddedError(
            f"Process {running.owner_pid} keeps the servers of {settings.data_dir}, with other URLs than these. "
            "Stop it first, or set the same OHMSTEAD_DATABASE_URL and OHMSTEAD_NATS_URL."
        )
    return Embedded(database_url, nats_url, running.owner_pid)


def _try_lock(path: Path) -> int | None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(preferred: int) -> int:
    """The preferred port where it is free, else one below those that the system gives to outgoing connections.

    A port from the system's own range could be taken by a client's socket between two starts. The preferred one gets
    three seconds: processes of a server that was just killed may still hold it, and others know its address.
    """
    others = [20000 + secrets.randbelow(10000) for _ in range(50)]
    deadline = time.monotonic() + (3.0 if preferred else 0.0)
    while preferred and not _is_free(preferred) and time.monotonic() < deadline:
        time.sleep(0.1)
    for candidate in [preferred, *others] if preferred else others:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", candidate))
            return int(probe.getsockname()[1])
    raise EmbeddedError("No free port on 127.0.0.1.")


def _process_in(pid_file: Path, *words: str) -> psutil.Process | None:
    try:
        return process_of(int(pid_file.read_text().split()[0]), *words)
    except (OSError, ValueError, IndexError):
        return None


def _processes_in(directory: Path) -> list[psutil.Process]:
    inside = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(directory):
                inside.append(process)
    return inside


def _quoted(path: Path, quote: str) -> str:
    """A path in double quotes, its own written as `quote`."""
    return '"' + str(path).replace('"', quote) + '"'


def _tail(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()[-1500:]
    except OSError:
        return ""
