"""One command that runs everything: servers, migrations, the three roles, and for the demo a simulator."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct
from rich.console import Console

from ohmstead import embedded
from ohmstead.roles import Cannot, Claim, Role, check_ports, child_environment, keepers, reachable
from ohmstead.settings import PREFIX, Settings
from ohmstead.supervisor import Keeper, Unready


class Demo(Struct, frozen=True):
    """What `ohmstead demo` adds."""

    speed: float
    stations: int


async def up(settings: Settings, env: Mapping[str, str], console: Console, demo: Demo | None = None) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP, then stop in order. Returns the exit code. Raises Cannot, EmbeddedError."""
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            loop.add_signal_handler(number, asked_to_stop.set)
    running = asyncio.create_task(_run(settings, env, console, demo))
    stopped = asyncio.create_task(asked_to_stop.wait())
    await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        console.print("\nStopping …", highlight=False)
        running.cancel()
    stopped.cancel()
    try:
        return await running
    except asyncio.CancelledError:
        console.print("Stopped.", highlight=False)
        return 0


async def _run(settings: Settings, env: Mapping[str, str], console: Console, demo: Demo | None) -> int:
    started_at = time.monotonic()
    claim = Claim(settings.data_dir)
    if (other := await asyncio.to_thread(claim.take)) is not None:
        _tell_of_other(settings, console, other.pid, other.urls)
        return 0
    servers: embedded.Embedded | None = None
    children: list[Keeper] = []
    try:
        await asyncio.to_thread(claim.stop_leftovers)
        check_ports(settings)
        with console.status("Starting PostgreSQL and NATS …"):
            servers = await embedded.start(settings)
        settings.secret()
        settings = msgspec.structs.replace(settings, database_url=servers.database_url, nats_url=servers.nats_url)
        link, for_simulator = await _prepare(settings, console, demo)

        def changed() -> None:
            claim.write(
                {keeper.service.name: keeper.pid for keeper in children if keeper.pid}, addresses(settings, None)
            )

        environment = child_environment(settings, env)
        if demo is not None:
            environment.setdefault(PREFIX + "SANDBOX_PAYMENTS", "true")
        children += keepers(settings, environment, changed)
        await _start(children)
        if demo is not None:
            children.insert(0, _simulator(demo, environment | for_simulator, changed))
            await children[0].start()
        _tell(console, addresses(settings, link), time.monotonic() - started_at)
        await asyncio.Event().wait()
        return 0
    finally:
        for keeper in children:
            await keeper.stop()
        if servers is not None:
            await servers.stop()
        claim.release()


async def _prepare(settings: Settings, console: Console, demo: Demo | None) -> tuple[str | None, dict[str, str]]:
    """Migrate; returns the sign-in link where nobody has signed in yet, and the simulator's environment."""
    from ohmstead import app

    with console.status("Bringing the database up to date …"):
        applied = await app.migrate(settings)
        link = await app.first_sign_in_link(settings)
        for_simulator = await app.prepare_demo(settings) if demo is not None else {}
    if applied:
        console.print(f"[dim]Database: {len(applied)} migrations applied.[/dim]", highlight=False)
    return link, for_simulator


async def _start(children: list[Keeper]) -> None:
    results = await asyncio.gather(*(keeper.start() for keeper in children), return_exceptions=True)
    for result in results:
        if isinstance(result, Unready):
            raise Cannot(f"Ohmstead did not start: {result}")
        if isinstance(result, BaseException):
            raise result


def _simulator(demo: Demo, environment: Mapping[str, str], changed: Callable[[], None]) -> Keeper:
    arguments = ["demo-stations", "--speed", str(demo.speed), "--stations", str(demo.stations)]
    return Keeper(Role("simulator", arguments, environment, []), changed)


def addresses(settings: Settings, link: str | None) -> dict[str, str]:
    """What runs where, for people, in the order shown."""
    host = reachable(settings.gateway_host)
    host = f"[{host}]" if ":" in host else host
    shown = {"Console": settings.console_url + "/"}
    if link:
        shown["Sign in (once)"] = link
    shown["API"] = settings.console_url + "/api/v1"
    shown["Stations"] = f"ws://{host}:{settings.gateway_port}/ocpp/{{station_id}}"
    if settings.has_tls:
        shown["Stations (TLS)"] = f"wss://{host}:{settings.gateway_tls_port}/ocpp/{{station_id}}"
    shown["Metrics"] = f"http://127.0.0.1:{settings.metrics_gateway_port}/metrics"
    shown["Data"] = str(settings.data_dir)
    return shown


def _tell(console: Console, urls: dict[str, str], took_s: float) -> None:
    console.print(f"\n[bold]Ohmstead is running[/bold] [dim](ready after {took_s:.1f} s; Ctrl-C stops it)[/dim]\n")
    _print_addresses(console, urls)
    console.print()


def _tell_of_other(settings: Settings, console: Console, pid: int, urls: dict[str, str]) -> None:
    if not pid:
        console.print(f"Another Ohmstead on {settings.data_dir} is just starting.", highlight=False, soft_wrap=True)
        return
    console.print(f"Ohmstead runs already on {settings.data_dir}, as process {pid}.\n", highlight=False, soft_wrap=True)
    _print_addresses(console, urls)
    console.print(f"\nFor a second one, set {PREFIX}DATA_DIR and the ports.", highlight=False)


def _print_addresses(console: Console, urls: dict[str, str]) -> None:
    # One line each, never wrapped: a wrapped link cannot be clicked.
    for name, url in urls.items():
        console.print(f"  {name:<16}", style="dim", end="", highlight=False)
        console.print(url, style="bold cyan" if url.startswith("http") else "", highlight=False, soft_wrap=True)
