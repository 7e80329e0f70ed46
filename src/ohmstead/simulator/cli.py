"""`ohmstead simulate`: the command line of the simulator."""

import asyncio
import csv
import os
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ohmstead.core.errors import ExternalFailure, Invalid
from ohmstead.settings import Settings
from ohmstead.simulator import city, memory, past, quirks
from ohmstead.simulator.demo import demo_stations as run_demo
from ohmstead.simulator.files import HttpPorter
from ohmstead.simulator.fleet import Fleet
from ohmstead.simulator.past import Past
from ohmstead.simulator.plan import VERSIONS, EvsePlan, StationPlan, Token
from ohmstead.simulator.progress import ProgressLine, show_summary
from ohmstead.simulator.provision import provision
from ohmstead.simulator.replay import Outcome, ReplayOptions, replay
from ohmstead.simulator.transport import WebSocketDialer, tls_context
from ohmstead.simulator.world import Options, World

console = Console(stderr=True)
CONNECT, CARS, TROUBLE, PAST = "Connection", "Stations and cars", "Trouble", "Replay"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the command line said."""

    url: str
    plans: list[StationPlan]
    tokens: list[Token]
    options: Options
    passwords: dict[str, str]
    api_url: str | None
    api_key: str | None
    duration_s: float | None
    state: Path | None
    per_s: float
    dialer: dict[str, Any]
    as_json: bool
    past: Past | None
    replay_options: ReplayOptions
    parallel: int


def simulate(
    url: Annotated[str, typer.Option(help="Where stations connect; /ID is added.", rich_help_panel=CONNECT)] = (
        "ws://127.0.0.1:9000/ocpp"
    ),
    password: Annotated[str | None, typer.Option(help="One for all stations.", rich_help_panel=CONNECT)] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="CSV with station_id,password.", rich_help_panel=CONNECT)
    ] = None,
    api_url: Annotated[
        str | None,
        typer.Option(help="Make stations, locations and tokens through this API first.", rich_help_panel=CONNECT),
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="OHMSTEAD_API_KEY", help="Key for it.", rich_help_panel=CONNECT)
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="Authority of the server, PEM.", rich_help_panel=CONNECT)] = None,
    client_cert: Annotated[
        Path | None, typer.Option(help="Client certificate, PEM (security profile 3).", rich_help_panel=CONNECT)
    ] = None,
    client_key: Annotated[Path | None, typer.Option(help="Its key, PEM.", rich_help_panel=CONNECT)] = None,
    deflate: Annotated[bool, typer.Option(help="Offer permessage-deflate.", rich_help_panel=CONNECT)] = False,
    ping: Annotated[
        float | None, typer.Option(min=1, help="Seconds between the station's own pings.", rich_help_panel=CONNECT)
    ] = None,
    ramp: Annotated[float, typer.Option(min=0.1, help="Stations started per second.", rich_help_panel=CONNECT)] = 100,
    stations: Annotated[int, typer.Option(min=1, max=100_000, help="How many.", rich_help_panel=CARS)] = 10,
    versions: Annotated[
        str, typer.Option("--versions", "--version", help="OCPP versions, mixed.", rich_help_panel=CARS)
    ] = "1.6,2.0.1,2.1",
    station_prefix: Annotated[
        str | None, typer.Option(help="Begin of every station id; SIM- if no file names them.", rich_help_panel=CARS)
    ] = None,
    dc_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of DC stations.", rich_help_panel=CARS)
    ] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="How many cards.", rich_help_panel=CARS)] = None,
    token_file: Annotated[Path | None, typer.Option(help="Cards, a UID per line.", rich_help_panel=CARS)] = None,
    seed: Annotated[str, typer.Option(help="The same seed, the same city.", rich_help_panel=CARS)] = "1",
    speed: Annotated[
        float, typer.Option(min=0.1, max=1000, help="Shortens stays and gaps, not power.", rich_help_panel=CARS)
    ] = 1.0,
    idle: Annotated[bool, typer.Option(help="No cars: wait for remote starts.", rich_help_panel=CARS)] = False,
    cars_talk: Annotated[
        bool, typer.Option(help="Cars at 2.x stations tell what they need (ISO 15118).", rich_help_panel=CARS)
    ] = False,
    sample_interval: Annotated[
        int | None, typer.Option(min=0, help="Seconds between meter values.", rich_help_panel=CARS)
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="File that keeps registers and passwords between runs.", rich_help_panel=CARS)
    ] = None,
    duration: Annotated[float | None, typer.Option(min=0, help="Stop after so many seconds.")] = None,
    quirk: Annotated[str, typer.Option("--quirks", help="Names, with commas.", rich_help_panel=TROUBLE)] = "",
    list_quirks: Annotated[bool, typer.Option(help="List the quirks and stop.", rich_help_panel=TROUBLE)] = False,
    faults: Annotated[float, typer.Option(min=0, help="Faults per station and day.", rich_help_panel=TROUBLE)] = 0.0,
    offline: Annotated[
        float, typer.Option(min=0, help="Offline spells per station and day.", rich_help_panel=TROUBLE)
    ] = 0.0,
    clock_offset: Annotated[
        float, typer.Option(help="Seconds by which clocks are wrong.", rich_help_panel=TROUBLE)
    ] = 0.0,
    replay_file: Annotated[
        Path | None, typer.Option("--replay", help="CSV of past sessions to play.", rich_help_panel=PAST)
    ] = None,
    replay_samples: Annotated[
        int | None, typer.Option(min=0, max=1000, help="Meter values per session.", rich_help_panel=PAST)
    ] = None,
    replay_authorize: Annotated[bool, typer.Option(help="Authorize before each start.", rich_help_panel=PAST)] = False,
    parallel: Annotated[
        int, typer.Option(min=1, max=10_000, help="Stations played at once.", rich_help_panel=PAST)
    ] = 64,
    skip_bad_rows: Annotated[bool, typer.Option(help="Play the good rows anyway.", rich_help_panel=PAST)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Summary as JSON on standard output.")] = False,
) -> None:
    """Simulated charging stations and cars, against Ohmstead or any other OCPP back-end.

    They boot, authorize, charge and obey as stations do, in OCPP 1.6, 2.0.1 and 2.1. With --replay they play past
    sessions instead, with their original times. docs/simulator.md tells the rest.
    """
    if list_quirks:
        _list_quirks()
        return
    try:
        if api_url and not api_key:
            raise Invalid("--api-url needs --api-key (or OHMSTEAD_API_KEY)", field="api_key")
        mix = _versions(versions)
        names = tuple(name.strip() for name in quirk.split(",") if name.strip())
        quirks.choose(names)
        sessions = _read_past(replay_file, station_prefix or "", mix, skip_bad_rows) if replay_file else None
        if sessions is not None:
            plans = plans_of(sessions, mix)
            cards = [Token(uid) for uid in dict.fromkeys(s.token for s in sessions.sessions)]
        else:
            plans = city.build(
                stations, city.CityOptions(seed=seed, versions=mix, dc_share=dc_share, prefix=station_prefix or "SIM-")
            )
            cards = _read_tokens(token_file) if token_file else city.tokens(tokens or max(20, 4 * stations), seed)
        given = {plan.station_id: password for plan in plans} if password else {}
        run = Run(
            url=url,
            plans=plans,
            tokens=cards,
            options=Options(
                seed=seed,
                speed=speed,
                sample_interval_s=sample_interval,
                faults_per_day=faults,
                offline_per_day=offline,
                clock_offset_s=clock_offset,
                quirks=names,
                cars_talk=cars_talk,
            ),
            passwords=given | (_read_passwords(password_file) if password_file else {}),
            api_url=api_url.rstrip("/") if api_url else None,
            api_key=api_key,
            duration_s=duration,
            state=state,
            per_s=ramp,
            dialer={
                "tls": tls_context(ca, client_cert, client_key) if ca or client_cert else None,
                "is_compressed": deflate,
                "ping_interval_s": ping,
            },
            as_json=as_json,
            past=sessions,
            replay_options=ReplayOptions(samples=replay_samples, authorizes=replay_authorize),
            parallel=parallel,
        )
        code = _run(_simulate(run, is_idle=idle))
    except (Invalid, ExternalFailure) as error:
        _fail(error.text)
    raise typer.Exit(code)


def demo_stations(
    speed: Annotated[float, typer.Option(min=0.1, max=1000)] = 1.0,
    stations: Annotated[int, typer.Option(min=1, max=10_000)] = 120,
    seed: Annotated[str, typer.Option()] = "1",
) -> None:
    """The demo's simulator; `ohmstead demo` runs it. Reads the settings and OHMSTEAD_API_KEY."""
    settings = Settings.from_env(os.environ)
    api_key = os.environ.get("OHMSTEAD_API_KEY")
    if not api_key:
        _fail("OHMSTEAD_API_KEY is not set; `ohmstead demo` sets it")

    async def work() -> int:
        stopping = asyncio.Event()
        _stop_on_signals(stopping)
        await run_demo(
            f"ws://{_local(settings.gateway_host)}:{settings.gateway_port}/ocpp",
            f"http://{_local(settings.web_host)}:{settings.web_port}",
            api_key,
            stations=stations,
            speed=speed,
            seed=seed,
            state_dir=settings.data_dir / "demo",
            console=console,
            stopping=stopping,
        )
        return 0

    try:
        code = _run(work())
    except (Invalid, ExternalFailure) as error:
        _fail(error.text)
    raise typer.Exit(code)


async def _simulate(run: Run, *, is_idle: bool) -> int:
    known = memory.load(run.state) if run.state else memory.Memory({}, {})
    passwords = known.passwords | run.passwords
    if run.api_url and run.api_key:
        made = await provision(run.api_url, run.api_key, run.plans, run.tokens, passwords)
        passwords = made.passwords
        console.print(f"{made.n_created:,} stations made, {len(run.tokens):,} tokens.", highlight=False)
        if run.state:
            memory.save(run.state, memory.Memory(known.stations, passwords, known.firmware))
    tls = run.dialer.get("tls")
    async with WebSocketDialer(run.url, **run.dialer) as dialer, HttpPorter(tls) as porter:
        world = World(
            dialer,
            run.options,
            demand=None if is_idle else city.CityDemand(run.options.speed),
            tokens=run.tokens,
            nonce=uuid.uuid4().hex[:12] + "-",
            memory=known.stations,
            porter=porter,
        )
        world.passwords = passwords
        world.firmware = known.firmware
        _stop_on_signals(world.stopping)
        began = time.monotonic()
        code = 0
        if run.past is not None:
            code = await _replay(run, world)
        else:
            with ProgressLine(console, world.tally) as line:
                fleet = Fleet(run.plans, world, state=run.state, per_s=run.per_s)
                await fleet.run(run.duration_s, line.tick)
        _sum_up(run, world, time.monotonic() - began)
    return code


async def _replay(run: Run, world: World) -> int:
    """Play the file; 1 when something was not taken whole, or the run was stopped."""
    if run.past is None:
        return 0
    columns = (
        TextColumn("Replaying"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("sessions"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("replay", total=len(run.past.sessions))
        work = asyncio.ensure_future(
            replay(
                world,
                {plan.station_id: plan for plan in run.plans},
                run.past.by_station(),
                run.replay_options,
                parallel=run.parallel,
                on_session=lambda _: progress.advance(bar),
            )
        )
        stop = asyncio.ensure_future(world.stopping.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
            console.print("Stopped. The same command again goes on: what was taken is not taken twice.")
            return 1
        outcomes: list[Outcome] = work.result()
    n_sessions = sum(o.n_sessions for o in outcomes)
    energy_wh = sum(o.energy_wh for o in outcomes)
    world.tally.sessions_started = world.tally.sessions_ended = n_sessions
    world.tally.energy_mwh = energy_wh * 1000
    n_failed = sum(len(o.failures) for o in outcomes)
    if not run.as_json:
        console.print(f"{n_sessions:,} sessions, {energy_wh:,} Wh, at {len(outcomes)} stations.", highlight=False)
    return 1 if n_failed else 0


def _sum_up(run: Run, world: World, took_s: float) -> None:
    if run.as_json:
        summary = world.tally.summary() | {"took_s": round(took_s, 3)}
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
    else:
        show_summary(console, world.tally, took_s)


def plans_of(sessions: Past, versions: tuple[str, ...]) -> list[StationPlan]:
    """Stations for a file of past sessions: as many EVSEs as it names, versions dealt out in turn."""
    evses: dict[str, set[int]] = {}
    power_w: dict[str, int] = {}
    for session in sessions.sessions:
        evses.setdefault(session.station, set()).add(session.evse)
        power_w[session.station] = max(power_w.get(session.station, 0), session.max_power_w or 0)
    return [
        StationPlan(
            station_id=station_id,
            version=versions[index % len(versions)],
            evses=tuple(
                EvsePlan(number, max_power_w=power_w[station_id] or 11_000) for number in range(1, max(numbers) + 1)
            ),
            location="Replayed stations",
            name=station_id,
            serial_number=f"R{station_id}"[:25],
        )
        for index, (station_id, numbers) in enumerate(sorted(evses.items()))
    ]


def _read_past(file: Path, prefix: str, versions: tuple[str, ...], skips: bool) -> Past:
    found = past.read_file(file)
    if found.errors:
        table = Table("Row", "Column", "What is wrong", title=f"{file.name}", title_justify="left", box=None)
        for error in found.errors[:30]:
            table.add_row(str(error.row), error.field, error.error)
        console.print(table)
        if len(found.errors) > 30:
            console.print(f"… and {len(found.errors) - 30} more", highlight=False)
        if not skips:
            raise Invalid(
                f"{len(found.errors)} rows cannot be played; --skip-bad-rows plays the others", field="replay"
            )
    sessions = tuple(msgspec.structs.replace(s, station=prefix + s.station) for s in found.sessions)
    if not sessions:
        raise Invalid("the file has no session to play", field="replay")
    too_long = next((s for s in sessions if len(s.token) > 20), None)
    if "1.6" in versions and too_long is not None:
        raise Invalid(f"token {too_long.token!r} has more than the 20 characters of OCPP 1.6", field="token")
    return Past(sessions, found.errors)


def _versions(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    if not chosen or any(version not in VERSIONS for version in chosen):
        raise Invalid(f"versions are {', '.join(VERSIONS)}; not {text!r}", field="versions")
    return chosen


def _read_tokens(file: Path) -> list[Token]:
    try:
        lines = [line.split(",")[0].strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file}: {error}", field="token_file") from error
    uids = [line for line in lines if line and not line.startswith("#") and line.casefold() != "uid"]
    if not uids:
        raise Invalid(f"{file} names no token", field="token_file")
    return [Token(uid) for uid in dict.fromkeys(uids)]


def _read_passwords(file: Path) -> dict[str, str]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines, strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{file}: {error}", field="password_file") from error
    bad = next((number for number, row in enumerate(rows, 1) if len(row) != 2), None)
    if bad is not None:
        raise Invalid(f"{file}, row {bad}: two fields are due, station_id,password", field="password_file")
    return {station_id: secret for station_id, secret in rows if station_id != "station_id"}


def _list_quirks() -> None:
    table = Table("Quirk", "What it does", "Versions", box=None, pad_edge=False)
    for quirk in quirks.QUIRKS.values():
        versions = "all" if len(quirk.versions) == len(VERSIONS) else ", ".join(sorted(quirk.versions))
        table.add_row(quirk.name, quirk.meaning + (" Breaks the schema." if quirk.breaks_schema else ""), versions)
    Console().print(table)


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)


def _run(work: Any) -> int:
    import uvloop

    code: int = uvloop.run(work)
    return code


def _local(host: str) -> str:
    """Where to reach a listener of this machine."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _fail(text: str) -> NoReturn:
    console.print(f"[red]{text}[/red]", highlight=False, soft_wrap=True)
    raise typer.Exit(2)
