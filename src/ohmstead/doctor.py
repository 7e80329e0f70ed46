"""What is right and what is wrong on this machine. Looks only: makes no file, starts nothing, changes nothing."""

import asyncio
import contextlib
import http.client
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import nats
import psutil
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Struct
from nats.errors import Error as NatsError
from rich.console import Console

from ohmstead.core import health
from ohmstead.core.db import connect_one
from ohmstead.core.health import Finding, State
from ohmstead.core.migrations import pending
from ohmstead.embedded import Running, find_running
from ohmstead.ocpp.tls import ClientAuthorities, TlsError
from ohmstead.roles import Claim, port_holder, wanted_ports
from ohmstead.settings import PREFIX, Settings, unknown_variables

LEAST_POSTGRES = 15
UNREACHABLE = (
    "Check OHMSTEAD_DATABASE_URL, the network between, and the server: does it run, is its disk full, what does its log"
    " say? The built-in one's: `postgres/log/` in the data directory."
)
FILES_BESIDE_STATIONS = 256  # libraries, database connections, logs, browsers


async def examine(settings: Settings, stations: int = 1000) -> list[Finding]:
    """Every check, in the order shown. A check that breaks is itself a finding."""
    running = await asyncio.to_thread(find_running, settings)
    checks: list[tuple[str, Callable[[], Awaitable[list[Finding]]]]] = [
        ("python", lambda: _soon(python)),
        ("settings", lambda: _soon(lambda: spelling(dict(os.environ)) + exposure(settings))),
        ("data directory", lambda: _soon(lambda: data_directory(settings))),
        ("disk", lambda: _soon(lambda: disks(settings.data_dir))),
        ("memory", lambda: _soon(lambda: [memory(psutil.virtual_memory().available)])),
        ("open files", lambda: _soon(lambda: [open_files(stations, *resource.getrlimit(resource.RLIMIT_NOFILE))])),
        ("ports", lambda: _soon(lambda: ports(settings))),
        ("database", lambda: database(settings, running)),
        ("nats", lambda: broker(settings, running)),
        ("roles", lambda: roles(settings)),
        ("clock", lambda: _soon(lambda: [clock_synchronised()])),
        ("certificates", lambda: _soon(lambda: certificates(settings))),
    ]
    findings: list[Finding] = []
    for name, check in checks:
        try:
            findings += await asyncio.wait_for(check(), 30)
        except Exception as error:  # noqa: BLE001  (the other checks are worth their answer)
            findings.append(Finding(name, "failed", f"could not be checked: {error!r}"))
    return findings


def show(findings: list[Finding], console: Console, *, as_json: bool) -> None:
    """Print for people, or as a JSON array for programs."""
    if as_json:
        console.print_json(json.dumps(msgspec.to_builtins(findings)))
        return
    marks = {"ok": "[green]✓[/green]", "attention": "[yellow]![/yellow]", "failed": "[bold red]✗[/bold red]"}
    for finding in findings:
        console.print(f"{marks[finding.state]} [bold]{finding.name:<16}[/bold]", end="", highlight=False)
        console.print(finding.text, markup=False, highlight=False, soft_wrap=True)
        if finding.mend:
            console.print(f"{'':<18}→ {finding.mend}", markup=False, highlight=False, soft_wrap=True)
    counts = {state: sum(finding.state == state for finding in findings) for state in marks}
    console.print(f"\n{counts['ok']} ok, {counts['attention']} to look at, {counts['failed']} failed", highlight=False)


async def _soon(check: Callable[[], list[Finding]]) -> list[Finding]:
    return await asyncio.to_thread(check)


def python() -> list[Finding]:
    """The interpreter."""
    version = "{}.{}.{}".format(*sys.version_info[:3])
    if sys.version_info >= (3, 15):
        mend = "Ohmstead is tested on 3.11 to 3.14; OHMSTEAD_PYTHON chooses another."
        return [Finding("python", "attention", f"{version}, newer than tested", mend)]
    return [Finding("python", "ok", version)]


def spelling(env: dict[str, str]) -> list[Finding]:
    """Variables nobody reads."""
    unknown = unknown_variables(env)
    if unknown:
        text = f"not known: {', '.join(unknown)}"
        return [Finding("settings", "attention", text, "`ohmstead doctor --settings` lists those there are.")]
    return [Finding("settings", "ok", "every OHMSTEAD_ variable is known")]


def exposure(settings: Settings) -> list[Finding]:
    """Settings that are safe in a laboratory only."""
    found = []
    if settings.unknown_stations == "accept":
        text = "any station that connects is let in (OHMSTEAD_UNKNOWN_STATIONS=accept)"
        found.append(
            Finding("unknown stations", "attention", text, "For a laboratory only; else `pending` or `reject`.")
        )
    if not settings.has_tls and settings.gateway_host not in ("127.0.0.1", "::1", "localhost"):
        text = "stations connect over the network without TLS: their passwords can be read on the way"
        mend = "Set OHMSTEAD_TLS_EC_CERT and _KEY, or end TLS in a proxy and bind OHMSTEAD_GATEWAY_HOST to loopback."
        found.append(Finding("encryption", "attention", text, mend))
    return found


def data_directory(settings: Settings) -> list[Finding]:
    """Whether the directory is there, is ours, and keeps its secrets."""
    path = settings.data_dir
    name = "data directory"
    if not path.exists():
        parent = next(p for p in path.parents if p.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return [Finding(name, "ok", f"{path} will be made at first start")]
        return [Finding(name, "failed", f"{path} cannot be made", "Set OHMSTEAD_DATA_DIR to a directory of yours.")]
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        text = f"{path} cannot be written by this account"
        return [Finding(name, "failed", text, "Run as the account that owns it, or set OHMSTEAD_DATA_DIR.")]
    found = []
    for secret in (path / "secret.key", path / "run" / "servers.json"):
        if secret.exists() and secret.stat().st_mode & 0o077:
            found.append(Finding(name, "failed", f"{secret} can be read by others", f"chmod 600 '{secret}'"))
    if path.stat().st_mode & 0o022:
        found.append(Finding(name, "failed", f"{path} can be written by others", f"chmod go-w '{path}'"))
    return found or [Finding(name, "ok", str(path))]


def disk(path: Path) -> Finding:
    """Room for data."""
    there = next(p for p in [path, *path.parents] if p.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    text = f"{free_gb:.1f} GB free for {path}"
    if free_gb < 1:
        return Finding(
            "disk", "failed", text, "PostgreSQL stops when the disk is full. Free some, or move the data directory."
        )
    if free_gb < 5:
        return Finding("disk", "attention", text, "Messages and samples grow with traffic; see the retention settings.")
    return Finding("disk", "ok", text)


def disks(data_dir: Path) -> list[Finding]:
    """Room in the data directory, and for the database where that is on a disk of its own."""
    found = [disk(data_dir)]
    database = data_dir / "postgres"
    with contextlib.suppress(OSError):
        if database.stat().st_dev != data_dir.stat().st_dev:
            found.append(disk(database))
    return found


def memory(available: int) -> Finding:
    """Room to run in, `available` in bytes."""
    text = f"{available / 1e9:.1f} GB available"
    if available < 300e6:
        return Finding("memory", "failed", text, "Too little for PostgreSQL and the three roles. Free some.")
    if available < 1e9:
        return Finding("memory", "attention", text, "Enough to try it, tight for a network of thousands of stations.")
    return Finding("memory", "ok", text)


def open_files(stations: int, soft: int, hard: int) -> Finding:
    """Every connected station is an open file of the gateway."""
    need = stations + FILES_BESIDE_STATIONS
    text = f"{'unlimited' if soft < 0 else soft} allowed, {need} needed for {stations} stations"
    if soft == resource.RLIM_INFINITY or soft >= need:
        return Finding("open files", "ok", text)
    if hard == resource.RLIM_INFINITY or hard >= need:
        return Finding(
            "open files", "attention", text, f"`ulimit -n {need}` before starting, or LimitNOFILE= of systemd."
        )
    mend = f"The hard limit is {hard}. Raise it: LimitNOFILE={need} (systemd) or /etc/security/limits.conf."
    return Finding("open files", "attention", text, mend)


def ports(settings: Settings) -> list[Finding]:
    """Free, used by our own `up`, or taken by a stranger."""
    left = Claim(settings.data_dir).read()
    ours = set(left.children.values()) if left and psutil.pid_exists(left.pid) else set()
    found = []
    for port, variable in wanted_ports(settings).items():
        host = {settings.gateway_port: settings.gateway_host, settings.web_port: settings.web_host}.get(
            port, "127.0.0.1"
        )
        holder = port_holder(host, port)
        if holder is None:
            found.append(Finding(f"port {port}", "ok", "free"))
        elif any(holder.startswith(f"process {pid} ") for pid in ours):
            found.append(Finding(f"port {port}", "ok", "used by the Ohmstead that runs here"))
        else:
            mend = f"Stop that, or choose another port with {variable}."
            found.append(Finding(f"port {port}", "failed", f"taken by {holder}", mend))
    return found


async def database(settings: Settings, running: Running | None) -> list[Finding]:
    """Reachable, new enough, migrated; and its clock beside ours."""
    url = settings.database_url or (running.database_url if running else None)
    if url is None:
        return [Finding("database", "ok", "the built-in PostgreSQL, not running now; `ohmstead up` starts it")]
    try:
        conn = await asyncio.wait_for(connect_one(url, name="ohmstead-doctor"), 10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        text = f"not reachable: {_words(error)}"
        return [Finding("database", "failed", text, UNREACHABLE)]
    try:
        return await _database_findings(conn)
    finally:
        await conn.close()


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _database_findings(conn: "asyncpg.Connection[asyncpg.Record]") -> list[Finding]:
    version = conn.get_server_version()
    name = f"PostgreSQL {await conn.fetchval('show server_version')}"
    found = [Finding("database", "ok", name)]
    if version.major < LEAST_POSTGRES:
        found = [Finding("database", "failed", name, f"Ohmstead needs {LEAST_POSTGRES} or newer.")]
    if await conn.fetchval("show server_encoding") != "UTF8":
        found.append(Finding("encoding", "failed", "the database is not UTF8", "Create it with ENCODING 'UTF8'."))
    if await conn.fetchval("show fsync") != "on":
        text = "PostgreSQL does not sync to disk (fsync is off): a power cut destroys the data"
        found.append(Finding("durability", "failed", text, "Set fsync = on in postgresql.conf."))
    missing = await pending(conn)
    if missing:
        found.append(
            Finding("migrations", "attention", f"{len(missing)} to apply: {', '.join(missing)}", "`ohmstead migrate`")
        )
    else:
        found.append(Finding("migrations", "ok", "up to date"))
        found += [await health.partitions(conn), await health.consumers(conn)]
    return [*found, await health.can_write(conn), await health.clocks(conn)]


async def broker(settings: Settings, running: Running | None) -> list[Finding]:
    """NATS reachable, and passing a message on."""
    url = settings.nats_url or (running.nats_url if running else None)
    if url is None:
        return [Finding("nats", "ok", "the built-in NATS, not running now; `ohmstead up` starts it")]

    seen: list[Exception] = []

    async def note(error: Exception) -> None:
        seen.append(error)

    # A library that may not reconnect still tries for ever to connect at first: one more attempt is enough.
    options = {"allow_reconnect": False, "max_reconnect_attempts": 1, "reconnect_time_wait": 0.1}
    try:
        connecting = nats.connect(url, connect_timeout=5, error_cb=note, name="ohmstead-doctor", **options)
        client = await asyncio.wait_for(connecting, 10)
        try:
            began = time.monotonic()
            await client.flush(timeout=5)
            took_ms = (time.monotonic() - began) * 1000
            return [Finding("nats", "ok", f"reachable, {took_ms:.1f} ms there and back")]
        finally:
            await client.close()
    except (OSError, TimeoutError, NatsError) as error:
        text = f"not reachable: {_words(seen[-1] if seen else error)}"
        return [Finding("nats", "failed", text, "Check OHMSTEAD_NATS_URL, the server, and the network between.")]


async def roles(settings: Settings) -> list[Finding]:
    """What the roles that run on this machine say of themselves; nothing of those that do not run here."""
    ports = {"gateway": settings.metrics_gateway_port, "web": settings.web_port, "worker": settings.worker_health_port}
    told = await asyncio.gather(*(asyncio.to_thread(_readiness, port) for port in ports.values()))
    found: list[Finding] = []
    for name, said in zip(ports, told, strict=True):
        if said is None:
            continue
        bad = {check: text for check, text in said.checks.items() if text != "ok"}
        state: State = "attention" if said.is_ready else "failed"
        found += [Finding(f"{name}: {check}", state, text, said.to_do.get(check, "")) for check, text in bad.items()]
        if not bad:
            found.append(Finding(name, "ok", "runs here, and says that all is well"))
    return found


class _Readiness(Struct):
    """What /readyz answers."""

    is_ready: bool
    checks: dict[str, str]
    to_do: dict[str, str] = {}


def _readiness(port: int) -> _Readiness | None:
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        asking.request("GET", "/readyz")
        return msgspec.json.decode(asking.getresponse().read(), type=_Readiness)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        return None
    finally:
        asking.close()


def clock_synchronised() -> Finding:
    """What the system says about its time synchronisation, where it says anything."""
    tool = shutil.which("timedatectl")
    if tool is not None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            command = [tool, "show", "--property", "NTPSynchronized", "--value"]
            said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout.strip()
            if said == "yes":
                return Finding("time service", "ok", "the clock is synchronised")
            if said == "no":
                return Finding("time service", "attention", "the clock is not synchronised", "timedatectl set-ntp true")
    text = "not known here; make sure that the clock is synchronised (containers use their host's)"
    return Finding("time service", "ok", text)


def certificates(settings: Settings) -> list[Finding]:
    """The gateway's certificates: readable, matching their keys, of the right kind, not about to expire."""
    found = []
    for kind, expected in (("ec", ec.EllipticCurvePublicKey), ("rsa", rsa.RSAPublicKey)):
        cert, key = getattr(settings, f"tls_{kind}_cert"), getattr(settings, f"tls_{kind}_key")
        if cert is not None and key is not None:
            found.append(_pair(kind.upper(), cert, key, expected))
    if settings.tls_client_ca is not None:
        found += _authorities(settings.tls_client_ca, settings.tls_client_crl)
    return found or [Finding("certificates", "ok", "none set: the gateway listens without TLS only")]


def _pair(kind: str, cert: Path, key: Path, expected: type) -> Finding:
    name, variable = f"{kind} certificate", f"{PREFIX}TLS_{kind}_CERT"
    try:
        chain = x509.load_pem_x509_certificates(cert.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        return Finding(
            name, "failed", f"cannot be read: {error}", f"Check {variable} and {variable[:-4]}KEY; PEM, no pass phrase."
        )
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if chain[0].public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        mend = f"The first certificate in {cert} must belong to {key}."
        return Finding(name, "failed", "the key is not this certificate's", mend)
    if not isinstance(chain[0].public_key(), expected):
        return Finding(name, "failed", f"{cert} holds a key of another kind", f"{variable} is for {kind} keys only.")
    return _expiry(name, min(one.not_valid_after_utc for one in chain), datetime.now(UTC))


def _authorities(ca: Path, crl: Path | None) -> list[Finding]:
    name, now = "client authority", datetime.now(UTC)
    try:
        authorities = x509.load_pem_x509_certificates(ca.read_bytes())
        warnings = ClientAuthorities.load(ca, crl).warnings(now)
    except (OSError, ValueError, TlsError) as error:
        text = f"cannot be used: {error}"
        return [Finding(name, "failed", text, f"Check {PREFIX}TLS_CLIENT_CA and {PREFIX}TLS_CLIENT_CRL.")]
    mend = "Fetch a current list; until then stations with certificates of that authority are refused."
    lists = [
        Finding("revocation list", "failed" if "has expired" in text else "attention", text, mend) for text in warnings
    ]
    return [_expiry(name, min(one.not_valid_after_utc for one in authorities), now), *lists]


def _expiry(name: str, ends_at: datetime, now: datetime) -> Finding:
    text = f"valid until {ends_at:%Y-%m-%d}"
    if ends_at <= now:
        return Finding(
            name, "failed", f"expired on {ends_at:%Y-%m-%d}", "Renew it; the gateway takes it up without a restart."
        )
    if ends_at - now < timedelta(days=30):
        return Finding(name, "attention", text, "Renew it soon; the gateway takes it up without a restart.")
    return Finding(name, "ok", text)
