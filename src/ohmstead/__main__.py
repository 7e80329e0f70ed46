"""The command line. Thin: every command imports what it needs when it runs."""

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer
from rich.console import Console

from ohmstead.settings import PREFIX, Settings, SettingsError, listing, unknown_variables

ROOT = Path(__file__).resolve().parents[2]

console = Console()
errors = Console(stderr=True)

HELP = """[bold]Ohmstead runs an EV charging network.[/bold]

Charging stations connect to its gateway over OCPP 1.6, 2.0.1 and 2.1; operators see them in the console; other programs
use the REST API. Everything that lasts is in PostgreSQL.

[bold]A first tour[/bold]

[cyan]ohmstead demo[/cyan]    a city of simulated stations; open the link it prints

[cyan]ohmstead up[/cyan]      your own stations connect to ws://HOST:9000/ocpp/ID

[cyan]ohmstead doctor[/cyan]  what is wrong on this machine, and how to mend it

Nothing has to be installed or configured first: where no URL is set, PostgreSQL and NATS are started for you."""

EPILOG = (
    "Settings are environment variables (OHMSTEAD_…): `ohmstead doctor --settings` lists them. "
    "Documentation: docs/operations.md for running it, ARCHITECTURE.md for reading the code."
)

app = typer.Typer(
    name="ohmstead",
    help=HELP,
    epilog=EPILOG,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

audit = typer.Typer(help="Check the audit log.", no_args_is_help=True)
app.add_typer(audit, name="audit", rich_help_panel="Work with it")

ledger = typer.Typer(help="Check the ledger, and close its months.", no_args_is_help=True)
app.add_typer(ledger, name="ledger", rich_help_panel="Work with it")

payments = typer.Typer(help="Compare payments with what providers say.", no_args_is_help=True)
app.add_typer(payments, name="payments", rich_help_panel="Work with it")

billing = typer.Typer(help="Bill what was not billed yet.", no_args_is_help=True)
app.add_typer(billing, name="billing", rich_help_panel="Work with it")

RUN, ONE, WORK = "Run everything", "Run one role", "Work with it"
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command(rich_help_panel=RUN)
def demo(
    speed: Annotated[
        float, typer.Option(min=0.1, max=1000, help="Shorten stays by this factor; power stays real.")
    ] = 1,
    stations: Annotated[int, typer.Option(min=1, max=10_000, help="How many simulated stations.")] = 120,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the console.")] = None,
) -> None:
    """Run everything with a city of simulated stations.

    The first start plays back thirty days, then goes on live; a later start goes on where it was.
    """
    from ohmstead.up import Demo

    _up(port, Demo(speed=speed, stations=stations))


@app.command(rich_help_panel=RUN)
def up(port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the console.")] = None) -> None:
    """Run everything: one gateway, one web and one worker, with PostgreSQL and NATS where no URL is set.

    Ctrl-C stops all of it. What dies is started again. A second `up` on the same data finds the first.
    """
    _up(port, None)


@app.command(rich_help_panel=ONE)
def gateway() -> None:
    """Run the gateway: stations' sockets."""
    _role("gateway")


@app.command(rich_help_panel=ONE)
def web() -> None:
    """Run the web server: console, REST API, documentation."""
    _role("web")


@app.command(rich_help_panel=ONE)
def worker() -> None:
    """Run the worker: outbox consumers, jobs, timers."""
    _role("worker")


@app.command(rich_help_panel=WORK)
def migrate() -> None:
    """Bring the database up to this version. Safe to repeat, and to run from several machines at once."""

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        applied = await composition.migrate(settings)
        for name in applied:
            console.print(f"applied {name}", highlight=False)
        if not applied:
            console.print("The database is up to date.")

    _with_servers(work)


@app.command("sign-in", rich_help_panel=WORK)
def sign_in() -> None:
    """Print a new one-time link that signs the first owner in, for when the first one was lost."""

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        console.print(await composition.new_sign_in_link(settings), highlight=False, soft_wrap=True)

    _with_servers(work)


@app.command("parties", rich_help_panel=WORK)
def list_parties() -> None:
    """List the parties of this installation, each with its own data."""

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        for party in await composition.list_parties(settings):
            runs = "  runs this installation" if party.owns_installation else ""
            code = f"{party.country_code}-{party.party_code}"
            console.print(
                f"{party.party_id}  {code}  {party.kind:<18} {party.name}{runs}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    _with_servers(work)


@app.command("new-party", rich_help_panel=WORK)
def new_party(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    code: Annotated[str, typer.Argument(help="Country and code, as NL-HPK; what roaming partners know it by.")],
    kind: Annotated[str, typer.Option(help="network_operator, site_host, emobility_provider or fleet.")] = "site_host",
    owner: Annotated[str, typer.Option(help="Name of its first owner.")] = "Owner",
    email: Annotated[str | None, typer.Option(help="Address of its first owner, who gets a link.")] = None,
) -> None:
    """Make a party with data of its own, and print a link that lets its first owner in once within a week."""

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        party, link = await composition.new_party(settings, name, code, kind, owner, email)
        console.print(f"Made {party.name}, {party.country_code}-{party.party_code}.", highlight=False, markup=False)
        if link:
            console.print(link, highlight=False, markup=False, soft_wrap=True)

    _with_servers(work)


@app.command("rebuild-reports", rich_help_panel=WORK)
def rebuild_reports() -> None:
    """Count the sums of the reports anew from the sessions and CDRs. Safe while everything runs, and safe to break off."""

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        n_sessions = await composition.rebuild_reports(settings)
        console.print(f"Counted anew: {n_sessions:,} sessions were looked at.", highlight=False)

    _with_servers(work)


@app.command("server-certificate", rich_help_panel=WORK)
def server_certificate(
    names: Annotated[list[str], typer.Argument(help="Host names and addresses that stations and browsers use.")],
    to: Annotated[Path, typer.Option(help="Directory for the certificate and its key.")],
    rsa: Annotated[bool, typer.Option("--rsa", help="With an RSA key, for stations that know no other.")] = False,
    days: Annotated[int, typer.Option(min=1, max=825, help="How long it is good.")] = 90,
    ahead: Annotated[int, typer.Option(min=0, max=800, help="Renew it when it ends within so many days.")] = 30,
) -> None:
    """Issue a server certificate by the installation's own authority, or renew it when it ends soon.

    Safe to run every day: what is good for longer than that stays. A running gateway takes the new files up by itself,
    without dropping a station.
    """

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        written, root_id, root = await composition.server_certificate(
            settings, names, to.expanduser().absolute(), is_rsa=rsa, days=days, ahead_days=ahead
        )
        kind = "RSA" if rsa else "EC"
        done = "Written" if written.is_new else "Still good"
        console.print(
            f"{done}: {written.certificate}, until {written.not_after:%Y-%m-%d}.", highlight=False, soft_wrap=True
        )
        console.print(f"  {PREFIX}TLS_{kind}_CERT={written.certificate}", highlight=False, soft_wrap=True)
        console.print(f"  {PREFIX}TLS_{kind}_KEY={written.key}", highlight=False, soft_wrap=True)
        console.print(f"Stations have to trust the root of authority {root_id}:", highlight=False)
        console.print(root, highlight=False, markup=False)

    _with_servers(work)


@audit.command("verify")
def audit_verify(
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="NUMBER:HASH as an earlier check printed it; may be given several times."),
    ] = None,
    party: Annotated[str | None, typer.Option(help="Only this party's log, by its name or id.")] = None,
) -> None:
    """Check the audit log from its first entry to its last.

    Every entry is hashed anew. Finds entries that were altered, deleted, inserted or moved, and says which. Note the
    number and hash it prints somewhere else: given as --anchor later, they show a log that was rewritten as a whole. The
    exit code is 1 when something is wrong.
    """
    faulty: list[str] = []

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        for name, verdict in await composition.verify_audit(settings, anchor or [], party):
            head = f"{verdict.head.number}:{verdict.head.hash.hex()}"
            console.print(f"{name}: {verdict.n_entries} entries, the last is {head}", highlight=False, soft_wrap=True)
            for fault in verdict.faults:
                faulty.append(fault.text)
                errors.print(f"[bold red]{fault.what}[/bold red]: {fault.text}", highlight=False, soft_wrap=True)
        if not faulty:
            console.print("The chain is whole.")

    _with_servers(work)
    raise typer.Exit(1 if faulty else 0)


@ledger.command("verify")
def ledger_verify(
    party: Annotated[str | None, typer.Option(help="Only this party's books, by its name or id.")] = None,
) -> None:
    """Check the books: every entry, every balance, and every CDR with its entry are reckoned anew.

    Finds entries that do not balance, balances that are not what was posted, CDRs without their entry or with other amounts,
    numbers that are missing and entries in closed months. The exit code is 1 when something is wrong.
    """
    faulty: list[str] = []

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        for name, verdict in await composition.verify_ledger(settings, party):
            console.print(f"{name}: {verdict.n_entries} entries, {verdict.n_cdrs} CDRs", highlight=False, markup=False)
            for fault in verdict.faults:
                faulty.append(fault.text)
                errors.print(f"[bold red]{fault.check}[/bold red]: {fault.text}", highlight=False, soft_wrap=True)
        if not faulty:
            console.print("The books are right.")

    _with_servers(work)
    raise typer.Exit(1 if faulty else 0)


@ledger.command("lock")
def ledger_lock(
    month: Annotated[str, typer.Argument(help="As 2026-10; all before it are closed with it.")],
    party: Annotated[
        str | None, typer.Option(help="Whose books, by name or id; needed where there are several.")
    ] = None,
) -> None:
    """Close a month of the books. Nothing is booked in it any more; there is no way back."""

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        name, lock = await composition.lock_ledger(settings, month, party)
        console.print(f"{name}: {lock.month} and all before it are closed.", highlight=False, markup=False)

    _with_servers(work)


@payments.command("reconcile")
def payments_reconcile() -> None:
    """Compare providers' statements with the books and the CDRs, and book their fees and payouts.

    The worker does it every night. Differences are listed at `GET /payment-differences`; the exit code is 1 when some are
    open.
    """
    found: list[int] = []

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        found.append(await composition.reconcile_payments(settings))
        if not found[0]:
            console.print("Providers, books and CDRs agree.")
        else:
            console.print(f"Differences that nobody has explained: {found[0]}", highlight=False)

    _with_servers(work)
    raise typer.Exit(1 if found and found[0] else 0)


@billing.command("catch-up")
def billing_catch_up(
    party: Annotated[str | None, typer.Option(help="Only this party's sessions, by its name or id.")] = None,
) -> None:
    """Bill settled sessions that nobody looked at: those from before a version that bills.

    They are billed as any other: by the tariff that applied when they began, and the doubtful ones are listed. Broken off, it
    is gone on with by running it again.
    """

    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        async for name, done in composition.catch_up_billing(settings, party):
            console.print(f"{name}: {done} sessions", highlight=False, markup=False)

    _with_servers(work)


@app.command(rich_help_panel=WORK, context_settings=PASS_ON, add_help_option=False)
def simulate(context: typer.Context) -> None:
    """Simulated stations, thousands if need be, against this or any other back-end. See `simulate --help`."""
    from ohmstead.simulator.cli import simulate as command

    _pass_on(context, command)


@app.command(rich_help_panel=WORK, context_settings=PASS_ON, add_help_option=False)
def api(context: typer.Context) -> None:
    """Every operation of the REST API, against this or any other installation. See `api --help`."""
    from ohmstead.remote.cli import group

    known = cast("typer.core.TyperGroup", typer.main.get_command(app)).commands
    beside = sorted(name for name, one in known.items() if not one.hidden)
    group(beside)(args=context.args, prog_name=context.command_path)


@app.command(rich_help_panel=WORK)
def mcp(
    port: Annotated[
        int | None, typer.Option("--http", min=1, max=65535, help="On this port of 127.0.0.1, instead of stdio.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Which profile, as `api --profile` takes it.")] = None,
    url: Annotated[str | None, typer.Option(help="Which installation.")] = None,
) -> None:
    """The network for agents that speak the Model Context Protocol, with the rights of one API key.

    They read what the key may read; orders to stations only if it may send them, and in two steps.
    """
    from ohmstead.remote import agents, profiles
    from ohmstead_client import ClientError

    async def work() -> None:
        chosen = profiles.chosen(os.environ, profile, url)
        if port is None:
            await agents.serve_stdio(chosen)
        else:
            await agents.serve_http(chosen, port, lambda line: errors.print(line, highlight=False, soft_wrap=True))

    try:
        _run(work())
    except ClientError as error:
        _fail(str(error))


@app.command("demo-stations", hidden=True, context_settings=PASS_ON, add_help_option=False)
def demo_stations(context: typer.Context) -> None:
    """The demo's simulator; `demo` runs it."""
    from ohmstead.simulator.cli import demo_stations as command

    _pass_on(context, command)


@app.command(rich_help_panel=WORK, context_settings=PASS_ON)
def bench(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Which; none lists them.")] = None,
) -> None:
    """Measure: run a benchmark of the `bench` folder."""
    folder = ROOT / "bench"
    names = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    if name is None:
        for one in names:
            console.print(
                f"  [bold]{one:<16}[/bold]{_first_line(folder / f'{one}.py')}", highlight=False, soft_wrap=True
            )
        if not names:
            console.print(f"There are no benchmarks in {folder}.", highlight=False)
        return
    if name not in names:
        _fail(f"There is no benchmark {name!r}. There are: {', '.join(names) or 'none'}.")
    _become(["-m", f"bench.{name}", *context.args])


@app.command(rich_help_panel=WORK)
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    settings: Annotated[bool, typer.Option("--settings", help="List every setting instead.")] = False,
    stations: Annotated[int, typer.Option(min=1, help="Check limits for this many stations.")] = 1000,
) -> None:
    """Check ports, database, NATS, clock, disk, limits and certificates, and say how to mend each.

    The exit code is 1 when a check failed.
    """
    if settings:
        _list_settings()
        return
    from ohmstead.doctor import examine, show

    given = _settings()
    findings = _run(examine(given, stations))
    show(findings, console, as_json=as_json)
    raise typer.Exit(1 if any(finding.state == "failed" for finding in findings) else 0)


@app.command(rich_help_panel=WORK, context_settings=PASS_ON, add_help_option=False)
def test(context: typer.Context) -> None:
    """Run the tests; everything after `test` goes to pytest: `test tests/stories -k offline`.

    All of them together run in two processes, `-n 0` in one.
    """
    arguments = []
    everything = True
    for argument in context.args:
        path, mark, rest = argument.partition("::")
        # The tests run from the checkout; what was meant from here stays meant.
        here = not argument.startswith("-") and Path(path).exists()
        everything = everything and not here and not argument.startswith(("-n", "--pdb"))
        arguments.append(f"{Path(path).resolve()}{mark}{rest}" if here else argument)
    os.chdir(ROOT)
    _become(["-m", "pytest", *(["-n", "2"] if everything else []), *arguments])


def main() -> None:
    """Run the command line."""
    app(prog_name="ohmstead")


def _up(port: int | None, with_demo: Any) -> None:
    from ohmstead.up import up as run_up

    if port is not None:
        os.environ[PREFIX + "WEB_PORT"] = str(port)
    # One terminal for everything: a line for each request would carry the sign-in link away.
    os.environ.setdefault(PREFIX + "LOG_LEVEL", "warning")
    settings = _settings()
    _log(settings, "up")
    raise typer.Exit(_run(run_up(settings, os.environ, console, with_demo)))


def _role(name: str) -> None:
    async def work(settings: Settings) -> None:
        from ohmstead import app as composition

        await getattr(composition, f"run_{name}")(settings)

    _with_servers(work, role=name)


def _with_servers(work: Callable[[Settings], Awaitable[None]], role: str = "") -> None:
    async def run() -> None:
        import msgspec

        from ohmstead import embedded

        servers = await embedded.start(settings)
        try:
            with_urls = msgspec.structs.replace(settings, database_url=servers.database_url, nats_url=servers.nats_url)
            await work(with_urls)
        finally:
            await servers.stop()

    settings = _settings()
    _log(settings, role)
    _run(run())


def _settings() -> Settings:
    for name in unknown_variables(os.environ):
        errors.print(f"[yellow]{name} is not a setting of Ohmstead[/yellow]; `ohmstead doctor --settings` lists them.")
    try:
        return Settings.from_env(os.environ)
    except SettingsError as error:
        _fail(str(error), code=2)


def _log(settings: Settings, role: str) -> None:
    from ohmstead.core import log

    log.setup(settings.log_level, settings.log_format, role)


def _run(work: Any) -> Any:
    """Run to the end. Errors written for people are shown as text, everything else as it is."""
    import asyncpg
    import nats.errors

    from ohmstead.core.errors import OhmsteadError
    from ohmstead.core.migrations import MigrationError
    from ohmstead.ocpp.tls import TlsError
    from ohmstead.roles import Cannot
    from ohmstead.runas import EmbeddedError

    unreachable = (
        *(ConnectionError, socket.gaierror, nats.errors.NoServersError, asyncpg.PostgresConnectionError),
        *(asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError),
    )
    try:
        import uvloop

        return uvloop.run(work)
    except (OhmsteadError, MigrationError, EmbeddedError, Cannot, SettingsError, TlsError) as error:
        _fail(str(error))
    except unreachable as error:
        _fail(f"The database or NATS could not be reached: {error}. `ohmstead doctor` says more.")
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        _fail(f"{error.strerror}. `ohmstead doctor` says which port is taken, and by whom.")
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(130) from None


def _fail(text: str, code: int = 1) -> NoReturn:
    errors.print("[bold red]ohmstead:[/bold red] ", end="")
    errors.print(text, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def _pass_on(context: typer.Context, command: Callable[..., Any]) -> None:
    inner = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    inner.command(name=context.info_name)(command)
    inner(args=context.args, prog_name=context.command_path)


def _become(arguments: list[str]) -> NoReturn:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT / "src"), str(ROOT)]))
    # Tests and benchmarks start hundreds of processes: each would compile all of the code again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-P", *arguments], environment)  # noqa: S606


def _first_line(file: Path) -> str:
    import ast

    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    return text.partition("\n")[0]


def _list_settings() -> None:
    for line in listing():
        state = "[green]set[/green]" if os.environ.get(line.variable) else f"[dim]{line.default or 'unset'}[/dim]"
        console.print(f"[bold]{line.variable}[/bold]  {state}", highlight=False)
        console.print(f"    {line.meaning}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
