"""What is wrong and what to do about it: one list of findings behind /readyz, the metrics, the log and `doctor`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import asyncpg
from msgspec import Struct

from ohmstead.core import clock, metrics, migrations
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.log import logger

log = logger("ohmstead.health")

State = Literal["ok", "attention", "failed"]
_ORDER: tuple[State, ...] = ("ok", "attention", "failed")

LOOK_EVERY_S = 10.0
WRITE_EVERY_S = 30.0
ANSWER_WITHIN_S = 3.0
CLOCKS_MAY_DIFFER_S = 1.0
CLOCKS_FAIL_AT_S = 30.0
MANY_WAITING = 2_000  # messages; a gateway refuses more at ten times this
SLOW_ANSWER_S = 1.0
LONG_COMMIT_S = 5.0
OVER_AFTER_S = 15.0  # a failed write that was not repeated for so long may be looked at anew
_SERVES_ON = frozenset({"clock"})  # failed, but turning stations and people away would make nothing better
_PROBE_ROWS = 250  # of a kilobyte each

_SERVER = (
    "Look at the database server: does it run, is its disk full, what does its log say? Nothing needs a restart here."
)
_DISK = (
    "Free disk space on the database's machine, or give it a larger disk. Stations keep what was not accepted and send"
    " it again; nothing needs a restart here."
)
_READ_ONLY = "The database takes no writes: is OHMSTEAD_DATABASE_URL the primary server, and not a standby?"
_LOCKED = "Look for what blocks it: `select * from pg_stat_activity where wait_event_type = 'Lock'` in the database."


class Finding(Struct, frozen=True):
    """One thing looked at. `text` is what was found, `mend` what to do; empty when all is well."""

    name: str
    state: State
    text: str
    mend: str = ""


def worst(findings: list[Finding]) -> State:
    """The state of the whole."""
    return max((finding.state for finding in findings), key=_ORDER.index, default="ok")


def report(findings: list[Finding], *, with_texts: bool = True) -> dict[str, Any]:
    """What /readyz answers: the whole, each check, and what to do. Strangers get no texts (`with_texts` false)."""
    state = worst(findings)
    bad = [finding for finding in findings if finding.state != "ok"]
    shown = {f.name: f.text if with_texts else f.state for f in bad}
    return {
        "status": state,
        "is_ready": not any(finding.state == "failed" and finding.name not in _SERVES_ON for finding in findings),
        "checks": {finding.name: shown.get(finding.name, "ok") for finding in findings},
        "to_do": {finding.name: finding.mend for finding in bad} if with_texts else {},
    }


# ------------------------------------------------------------------------------------------------------- storing


class Storing:
    """Whether what comes in can be stored, as those who store it tell; one per process."""

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._since = self._last = 0.0
        self._began: float | None = None

    def tries(self) -> None:
        """A transaction that has to be kept begins; `worked` or `failed` follows."""
        self._began = time.monotonic()

    def failed(self, error: Exception) -> None:
        """A transaction that had to be kept could not be."""
        self._began = None
        self._last = time.monotonic()
        if self._error is None:
            self._since = self._last
        self._error = error

    def worked(self) -> None:
        """It was kept."""
        self._began = self._error = None

    def finding(self) -> Finding:
        if self._error is None:
            waited_s = time.monotonic() - self._began if self._began is not None else 0.0
            if waited_s > LONG_COMMIT_S:
                text = f"a transaction of stations' messages has been waiting for {waited_s:.0f} s"
                return Finding("storing", "failed", text, f"{_LOCKED} {_SERVER}")
            return Finding("storing", "ok", "what comes in is stored")
        text = f"nothing could be stored for {time.monotonic() - self._since:.0f} s: {words(self._error)}"
        return Finding("storing", "failed", text, _mend_of(self._error))

    @property
    def is_unsure(self) -> bool:
        """It failed, but nobody has tried for a while: a look at the database tells."""
        return self._error is not None and time.monotonic() - self._last > OVER_AFTER_S


storing = Storing()


def words(error: BaseException) -> str:
    """An error in a line."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _mend_of(error: BaseException) -> str:
    if isinstance(error, asyncpg.DiskFullError) or "No space left" in str(error):
        return _DISK
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return _READ_ONLY
    return _SERVER


# ------------------------------------------------------------------------------------------------------- the database


async def can_write(conn: Connection) -> Finding:
    """Writes a little into a table that is gone with the transaction: the only way to know that the disk is full."""
    try:
        transaction = conn.transaction()
        await transaction.start()
        try:
            await conn.execute("create temporary table ohmstead_probe (filler text) on commit drop")
            await conn.execute(
                "insert into ohmstead_probe select repeat('x', 1000) from generate_series(1, $1)", _PROBE_ROWS
            )
        finally:
            await transaction.rollback()
    except asyncpg.InsufficientPrivilegeError:
        return Finding("writing", "ok", "not tried: this role may make no temporary tables")
    except asyncpg.PostgresConnectionError:
        raise
    except asyncpg.PostgresError as error:
        return Finding("writing", "failed", f"the database refuses to write: {words(error)}", _mend_of(error))
    return Finding("writing", "ok", "the database takes writes")


async def partitions(conn: Connection) -> Finding:
    """Whether rows of today have a partition of their own, and others the default one."""
    missing = await migrations.missing_partitions(conn)
    if not missing:
        return Finding("partitions", "ok", "made ahead")
    text = f"missing: {', '.join(missing)}"
    mend = "The worker makes them within a minute: does one run? `ohmstead migrate` makes them at once."
    # Without its default a table refuses rows; without today's partition the default takes them.
    is_refusing = any(name.endswith("_default") for name in missing)
    return Finding("partitions", "failed" if is_refusing else "attention", text, mend)


async def schema(conn: Connection) -> Finding:
    """Whether the database has all that this version needs."""
    if missing := await migrations.pending(conn):
        text = f"{len(missing)} to apply: {', '.join(missing)}"
        return Finding("migrations", "failed", text, "`ohmstead migrate`")
    return Finding("migrations", "ok", "up to date")


async def clocks(conn: Connection) -> Finding:
    """Our clock beside the database's."""
    asked, began = clock.now(), time.monotonic()
    theirs: datetime = await conn.fetchval("select clock_timestamp()")
    return clock_offset((theirs - asked).total_seconds() - (time.monotonic() - began) / 2)


def clock_offset(offset_s: float) -> Finding:
    """How far the database's clock is ahead of ours, in seconds."""
    if abs(offset_s) < CLOCKS_MAY_DIFFER_S:
        return Finding("clock", "ok", f"the database's clock differs by {abs(offset_s) * 1000:.0f} ms")
    text = f"the database's clock is {abs(offset_s):.0f} s {'ahead of' if offset_s > 0 else 'behind'} this machine's"
    mend = "Synchronise both machines (chrony, systemd-timesyncd): sessions and prices depend on the time."
    return Finding("clock", "failed" if abs(offset_s) > CLOCKS_FAIL_AT_S else "attention", text, mend)


async def consumers(conn: Connection) -> Finding:
    """Whether the readers of the outbox get on."""
    stuck = await conn.fetch("select consumer, failures, last_error from outbox_cursor where failures > 2 order by 1")
    if not stuck:
        return Finding("outbox", "ok", "read")
    text = "; ".join(f"{r['consumer']} failed {r['failures']} times in a row: {r['last_error']}" for r in stuck)
    mend = (
        "It is tried again by itself, and nothing is skipped. The worker's log has the whole error: please report it."
    )
    return Finding("outbox", "attention", text[:500], mend)


# ------------------------------------------------------------------------------------------------------- a process


class Watch:
    """Looks at what one process needs: now for /readyz, and every LOOK_EVERY_S seconds for the metrics and the log.

    `own` are checks of the process itself; they must not wait for anything.
    """

    def __init__(self, pool: Pool, bus: Bus, own: tuple[Callable[[], Finding], ...] = ()) -> None:
        self._pool = pool
        self._bus = bus
        self._own = own
        self._probe: asyncio.Task[list[Finding]] | None = None
        self._probed_at = 0.0
        self._has_connection = False
        self._tried_at = float("-inf")
        self._wrote = Finding("writing", "ok", "not tried yet")
        self._told: dict[str, Finding] = {}

    async def look(self) -> list[Finding]:
        """Every check, within seconds whatever the database does."""
        findings = [*await self._database(), self._nats(), *(check() for check in self._own)]
        idle = self._pool.get_idle_size()
        metrics.database_connections.labels("idle").set(idle)
        metrics.database_connections.labels("used").set(self._pool.get_size() - idle)
        for finding in findings:
            metrics.check_state.labels(finding.name).set(_ORDER.index(finding.state))
            self._tell(finding)
        return findings

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _database(self) -> list[Finding]:
        # One look at a time, and never cancelled: taking a question back would wait for the same silent server.
        if self._probe is None:
            self._probed_at = time.monotonic()
            self._probe = asyncio.create_task(self._ask())
        probe = self._probe
        await asyncio.wait({probe}, timeout=ANSWER_WITHIN_S)
        if not probe.done():
            return [self._silent(), storing.finding()]
        if self._probe is probe:
            self._probe = None
        try:
            return [*probe.result(), storing.finding()]
        except Exception as error:  # noqa: BLE001  (whatever keeps us from the database is the answer)
            text = f"cannot be reached: {words(error)}"
            return [Finding("database", "failed", text, _SERVER), storing.finding()]

    async def _ask(self) -> list[Finding]:
        self._has_connection = False
        async with self._pool.acquire() as conn:
            self._has_connection = True
            findings = [Finding("database", "ok", "answers"), await schema(conn)]
            if worst(findings) == "ok":
                findings += [await partitions(conn), await clocks(conn), await consumers(conn)]
            findings.append(await self._writing(conn))
            return findings

    async def _writing(self, conn: Connection) -> Finding:
        # Not at every look: each leaves a little for the vacuum.
        is_due = time.monotonic() - self._tried_at > WRITE_EVERY_S
        if is_due or self._wrote.state != "ok" or storing.is_unsure:
            self._tried_at = time.monotonic()
            self._wrote = await can_write(conn)
            if self._wrote.state == "ok" and storing.is_unsure:
                storing.worked()
        return self._wrote

    def _silent(self) -> Finding:
        for_s = time.monotonic() - self._probed_at
        if self._has_connection:
            return Finding("database", "failed", f"is connected, but has not answered for {for_s:.0f} s", _SERVER)
        text = f"no connection for {for_s:.0f} s: the server has not answered, or all of ours are in use"
        return Finding("database", "failed", text, f"{_SERVER} {_LOCKED}")

    def _nats(self) -> Finding:
        if self._bus.is_connected:
            return Finding("nats", "ok", "connected")
        mend = "Look at the NATS server and the network between. It is found again by itself."
        text = "not connected: stations are served, but commands do not reach them and pages are not live"
        return Finding("nats", "attention", text, mend)

    def _tell(self, finding: Finding) -> None:
        before = self._told.get(finding.name)
        if before is not None and before.state == finding.state:
            return
        self._told[finding.name] = finding
        if finding.state != "ok":
            write = log.error if finding.state == "failed" else log.warning
            write("check_failed", check=finding.name, found=finding.text, to_do=finding.mend)
        elif before is not None:
            log.warning("check_is_well_again", check=finding.name, found=finding.text)


class Load:
    """Whether a gateway keeps up: what waits, what was refused, how long answers take. A check for `Watch`."""

    def __init__(self) -> None:
        self._refused = self._answers = self._seconds = 0.0
        self._refused_at = float("-inf")
        self._mean_s = 0.0

    def __call__(self) -> Finding:
        waiting = _value("ohmstead_ingest_waiting")
        refused = _value("ohmstead_ingest_failures_total", kind="full")
        answers, seconds = _value("ohmstead_answer_seconds_count"), _value("ohmstead_answer_seconds_sum")
        if refused > self._refused:
            self._refused_at = time.monotonic()
        if answers > self._answers:
            self._mean_s = (seconds - self._seconds) / (answers - self._answers)
        elif not waiting:
            self._mean_s = 0.0
        self._refused, self._answers, self._seconds = refused, answers, seconds
        return self._judge(waiting)

    def _judge(self, waiting: float) -> Finding:
        mend = (
            "More comes in than is stored. Is the database slow (its disk, its CPU)? Run more gateways, or a faster"
            " database; a station that floods is slowed and closed, see its page."
        )
        if time.monotonic() - self._refused_at < 60:
            return Finding("load", "attention", f"full: messages are refused, {waiting:.0f} wait to be stored", mend)
        if waiting > MANY_WAITING:
            return Finding("load", "attention", f"{waiting:.0f} messages wait to be stored", mend)
        if self._mean_s > SLOW_ANSWER_S:
            return Finding("load", "attention", f"an answer takes {self._mean_s:.1f} s on average", mend)
        return Finding("load", "ok", "keeps up")


def _value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0
