"""The rules of the house that no ready-made tool checks. Each returns what breaks it, as `where: what`."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "ohmstead"

# Values in, values out: they may not reach the database, the clock or the network, not even through others.
PURE = (
    "accounts.access",
    "accounts.signin.backoff",
    "accounts.signin.devices",
    "accounts.signin.passkeys",
    "accounts.signin.totp",
    "api.scim.forms",
    "api.scim.schemas",
    "accounts.audit.chain",
    "accounts.audit.changes",
    "billing.cdrs.judging",
    "billing.cdrs.ocpi",
    "billing.cdrs.reckoning",
    "billing.holding.reckoning",
    "billing.incoming.bookings",
    "billing.incoming.matching",
    "billing.incoming.statements",
    "billing.invoices.drafting",
    "billing.invoices.exchange.cii",
    "billing.invoices.exchange.electronic",
    "billing.invoices.exchange.lines",
    "billing.invoices.exchange.said",
    "billing.invoices.exchange.ubl",
    "billing.invoices.hosts.sharing",
    "billing.invoices.links",
    "billing.invoices.numbering",
    "billing.invoices.paper.fonts",
    "billing.invoices.paper.pdf",
    "billing.invoices.paper.sheet",
    "billing.invoices.paper.words",
    "billing.invoices.taxation",
    "billing.ledger.entries",
    "billing.paying.covering",
    "billing.plans.reckoning",
    "facts.catalogue",
    "ocpp.rpc",
    "reservations.lifecycle",
    "sessions.cdr",
    "sessions.covers.judging",
    "sessions.lifecycle",
    "sessions.metering",
    "sessions.notices.vat",
    "sessions.pricing.pieces",
    "sessions.pricing.running",
    "sessions.pricing.spans",
    "sessions.signed.checking",
    "sessions.signed.container",
    "sessions.signed.records",
    "smartcharging.allocate",
    "smartcharging.negotiation",
    "smartcharging.plan",
    "smartcharging.profiles",
    "smartcharging.transfer",
    "stations.capabilities",
    "stations.certificates.contracts",
    "stations.certificates.issuing",
    "stations.certificates.ocsp",
    "stations.certificates.policy",
    "stations.device.assembly",
    "stations.device.drift",
    "stations.device.lists",
    "stations.device.timekeeping",
    "stations.device.tree",
    "stations.features",
    "stations.files.addresses",
    "stations.files.links",
    "stations.files.names",
    "stations.files.progress",
    "stations.files.rollouts",
    "stations.files.signatures",
    "stations.profile_rules",
    "stations.quirks.profiles",
    "stations.rules",
    "stations.sites.countries",
    "stations.sites.exchange",
    "stations.sites.hours",
    "stations.sites.pictures",
    "stations.sites.rows",
    "stations.sites.stickers",
    "stations.sites.tree",
    "stations.status",
    "stations.vendors",
    "tariffs.checking",
    "tariffs.choosing",
    "tariffs.covering",
    "tariffs.pricing",
    "tariffs.pricing.calendar",
    "tariffs.pricing.concessions",
    "tariffs.pricing.limits",
    "tariffs.pricing.plan",
    "tariffs.pricing.reckoning",
    "tariffs.pricing.stretches",
    "tariffs.pricing.tally",
    "tokens.authorization",
    "tokens.emaid",
    "tokens.pairing",
    "webhooks.addresses",
    "webhooks.schedule",
    "webhooks.signing",
)
IMPURE = ("core.db", "core.clock", "core.bus", "core.events", "core.jobs")
IMPURE_OUTSIDE = ("asyncpg", "nats", "aiohttp", "litestar", "uvicorn")

# The simulator stands on the station's side of the wire: it shares the wire's words and what knows no charging.
SIMULATOR_MAY_IMPORT = (
    *("core.clock", "core.errors", "core.ids", "core.log", "core.units"),
    *("ocpp.rpc", "ocpp.schemas", "ocpp.v16.messages", "ocpp.v2.messages"),
    "settings",
    "simulator",
)

BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "manager", "handler", "impl", "misc"})
MOST_LINES = 600
MOST_FUNCTION_LINES = 60
MOST_DEPTH = 3

# Statements, not sentences: a keyword alone also begins English text.
SQL = re.compile(
    r"^\s*(?:(?:select|SELECT)\b.+\b(?:from|FROM)\b|(?:select|SELECT)\s+\w+\s*\(|(?:insert|INSERT)\s+(?:into|INTO)\b|"
    r"(?:update|UPDATE)\s+[\w.\"]+\s+(?:\w+\s+)?(?:set|SET)\b|(?:delete|DELETE)\s+(?:from|FROM)\b|(?:truncate|TRUNCATE)\s|"
    r"(?:with|WITH)\s+(?:recursive\s+)?\w+(?:\s*\([^)]*\))?\s+(?:as|AS)\s|(?:create|CREATE|alter|ALTER|drop|DROP)\s+"
    r"(?:table|TABLE|index|INDEX|function|FUNCTION|role|ROLE|database|DATABASE|view|VIEW)\b)",
    re.DOTALL,
)
SQL_FILES = ("store.py", "queries.py")
# Plumbing without business: the ground and the core.
SQL_EXEMPT = ("core/", "migrations/", "embedded.py", "doctor.py")
ANY_PARTY = re.compile(r"# any party:[ \t]*\S.{9,}")
WHOLE_PARTY = re.compile(r"# whole party:[ \t]*\S.{9,}")


def python_files(package: Path = PACKAGE) -> list[Path]:
    """Every module of the package."""
    return sorted(path for path in package.rglob("*.py") if "__pycache__" not in path.parts)


def is_generated(text: str) -> bool:
    """Marked as made by a tool, in its first lines."""
    return "generated from" in text[:500].lower() or "generated by" in text[:500].lower()


def long_files(package: Path = PACKAGE) -> Iterator[str]:
    """Files of more than 600 lines; generated ones and vendored ones do not count."""
    for path in sorted(package.rglob("*")):
        if path.suffix not in (".py", ".html", ".css", ".js", ".sql") or "vendor" in path.parts:
            continue
        text = path.read_text()
        lines = text.count("\n")
        if lines > MOST_LINES and not is_generated(text):
            yield f"{path.relative_to(package)}: {lines} lines, at most {MOST_LINES}"


def long_functions(package: Path = PACKAGE) -> Iterator[str]:
    """Functions of more than 60 lines, their docstring not counted."""
    for path in python_files(package):
        text = path.read_text()
        if is_generated(text):
            continue
        for function in _functions(ast.parse(text)):
            lines = (function.end_lineno or 0) - function.body[0].lineno + 1
            if ast.get_docstring(function) is not None and len(function.body) > 1:
                lines = (function.end_lineno or 0) - function.body[1].lineno + 1
            if lines > MOST_FUNCTION_LINES:
                where = f"{path.relative_to(package)}:{function.lineno}"
                yield f"{where}: {function.name} has {lines} lines, at most {MOST_FUNCTION_LINES}"


def deep_folders(package: Path = PACKAGE) -> Iterator[str]:
    """Folders more than three deep; vendored ones do not count."""
    for path in sorted(package.rglob("*")):
        parts = path.relative_to(package).parts
        if path.is_dir() and len(parts) > MOST_DEPTH and "vendor" not in parts and "__pycache__" not in parts:
            yield f"{path.relative_to(package)}: {len(parts)} deep, at most {MOST_DEPTH}"


def banned_names(package: Path = PACKAGE) -> Iterator[str]:
    """Modules and folders whose name says nothing."""
    for path in sorted(package.rglob("*")):
        if (path.is_dir() or path.suffix == ".py") and path.stem in BANNED_NAMES and "vendor" not in path.parts:
            yield f"{path.relative_to(package)}: says nothing about what is in it"


def stray_sql(package: Path = PACKAGE) -> Iterator[str]:
    """SQL outside store.py and queries.py."""
    for path in python_files(package):
        relative = path.relative_to(package).as_posix()
        if path.name in SQL_FILES or relative.startswith(SQL_EXEMPT):
            continue
        for line, text in _texts(ast.parse(path.read_text())):
            if SQL.match(text):
                yield f"{relative}:{line}: {' '.join(text.split())[:60]!r} belongs into store.py"


def party_tables(migrations: Path = PACKAGE / "migrations") -> set[str]:
    """Tables whose rows belong to a party: those with a column party_id."""
    sql = "\n".join(path.read_text() for path in sorted(migrations.glob("*.sql")))
    tables = re.findall(r"create table (?:if not exists )?(\w+) \((.*?)\n\)", sql, re.DOTALL | re.IGNORECASE)
    return {name for name, columns in tables if re.search(r"^\s*party_id\s", columns, re.MULTILINE)} - {"party"}


def partyless_queries(tables: set[str], package: Path = PACKAGE) -> Iterator[str]:
    """Functions that query a party's table and take no party; a comment `# any party: <reason>` says why one may.

    An insert that writes the column party_id is fine: the row says whose it is.
    """
    names = "|".join(sorted(tables))
    named = re.compile(rf"\b(?:from|join|update|into)\s+({names})\b", re.IGNORECASE)
    insert = re.compile(rf"^\s*insert\s+into\s+(?:{names})\s*\([^)]*\bparty_id\b", re.IGNORECASE)
    for path in python_files(package):
        relative = path.relative_to(package).as_posix()
        if path.name not in SQL_FILES or relative.startswith(SQL_EXEMPT):
            continue
        source = path.read_text()
        tree = ast.parse(source)
        constants = _constants(tree)
        for function in _functions(tree):
            found = {match for text in _sql_of(function, constants) for match in named.findall(insert.sub("", text))}
            if found and not _takes_party(function) and not _is_excused(function, source):
                where = f"{relative}:{function.lineno}"
                yield f"{where}: {function.name} queries {', '.join(sorted(found))} without party_id"


def located_tables(migrations: Path = PACKAGE / "migrations") -> set[str]:
    """Tables whose rows are at a location, or belong to a station that is."""
    sql = "\n".join(path.read_text() for path in sorted(migrations.glob("*.sql")))
    tables = re.findall(r"create table (?:if not exists )?(\w+) \((.*?)\n\)", sql, re.DOTALL | re.IGNORECASE)
    return {name for name, columns in tables if re.search(r"^\s*(?:location_id|station_id)\s", columns, re.MULTILINE)}


def scopeless_queries(tables: set[str], package: Path = PACKAGE) -> Iterator[str]:
    """Functions for pages that read what is at locations for a whole party, whatever locations the asker sees.

    Those that are told a thing by its id are fine: the door has looked where that is. A comment `# whole party: <reason>`
    says why another may.
    """
    named = re.compile(rf"\b(?:from|join)\s+({'|'.join(sorted(tables))})\b", re.IGNORECASE)
    for path in python_files(package):
        if path.name != "queries.py":
            continue
        source = path.read_text()
        tree = ast.parse(source)
        constants = _constants(tree)
        for function in _functions(tree):
            found = {match for text in _sql_of(function, constants) for match in named.findall(text)}
            if found and _takes_party_alone(function) and not _is_excused(function, source, WHOLE_PARTY):
                where = f"{path.relative_to(package).as_posix()}:{function.lineno}"
                yield f"{where}: {function.name} queries {', '.join(sorted(found))} for a whole party: take a scope"


def impure(package: str = "ohmstead") -> Iterator[str]:
    """Pure modules from which a chain of imports leads to the database, the clock or the network."""
    graph = grimp.build_graph(package, include_external_packages=True, exclude_type_checking_imports=True)
    for name in PURE:
        module = f"{package}.{name}"
        if module not in graph.modules:
            continue
        for target in [*(f"{package}.{one}" for one in IMPURE), *IMPURE_OUTSIDE]:
            if target in graph.modules and (chain := graph.find_shortest_chain(module, target)):
                yield f"{name}: reaches {target}: {' → '.join(chain)}"


def foreign_stores(package: str = "ohmstead") -> Iterator[str]:
    """Imports of a store from another package than its own."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=False)
    for module in sorted(graph.modules):
        home, _, last = module.rpartition(".")
        if last != "store":
            continue
        for importer in sorted(graph.find_modules_that_directly_import(module)):
            if not importer.startswith(home + ".") and importer != home:
                yield f"{importer}: imports {module}"


def simulator_imports(package: str = "ohmstead") -> Iterator[str]:
    """What the simulator knows of the system beyond the wire."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=False)
    allowed = tuple(f"{package}.{name}" for name in SIMULATOR_MAY_IMPORT)
    for module in sorted(m for m in graph.modules if m.startswith(f"{package}.simulator")):
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            if not any(imported == one or imported.startswith(one + ".") for one in allowed):
                yield f"{module}: imports {imported}"


def tracked_files(root: Path = ROOT) -> list[Path]:
    """What is, or would be, committed. Where git cannot tell, everything that is no environment, cache or data."""
    command = ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        names = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
        return sorted(path for name in names if name and (path := root / name).is_file() and not path.is_symlink())
    except (OSError, subprocess.CalledProcessError):
        hidden = re.compile(
            r"(^|/)(\.(?!ci/|importlinter|gitignore)[^/]*|__pycache__|build|dist|var|[^/]*\.egg-info)(/|$)"
        )
        paths = (path for path in root.rglob("*") if not hidden.search(path.relative_to(root).as_posix()))
        return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def unwanted_words(files: Iterable[Path], root: Path = ROOT) -> Iterator[str]:
    """Registry hosts and paths of one machine. They are put together here so that this file does not name them."""
    hosts: tuple[str, ...] = (
        "py" + "pi.org",
        "python" + "hosted.org",
        "npm" + "js.org",
        "npm" + "js.com",
        "un" + "pkg.com",
    )
    hosts += ("js" + "delivr.net", "cdn" + "js.com", "docker" + ".io", "ghcr" + ".io", "quay" + ".io", "esm" + ".sh")
    homes = r"/(?:ro" + r"ot|Us" + r"ers/\w+|ho" + r"me/\w+|wo" + r"rk)/"
    pattern = re.compile(
        "|".join([*(re.escape(host) for host in hosts), rf"(?<![\w.~}}]){homes}", re.escape(str(root))])
    )
    for path in files:
        text = path.read_bytes()
        if b"\0" in text[:8000]:
            continue
        for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
            if match := pattern.search(line):
                yield f"{path.relative_to(root)}:{number}: names {match.group()!r}"


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text in the code that is no docstring, with its line; of an f-string what is written out."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            skipped |= {id(s.value) for s in body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)}
        if isinstance(node, ast.JoinedStr):
            parts = [value.value if isinstance(value, ast.Constant) else "_" for value in node.values]
            skipped |= {id(value) for value in node.values}
            yield node.lineno, "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def _constants(tree: ast.Module) -> dict[str, str]:
    """Texts that the module names at its top, by name."""
    named: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named[node.targets[0].id] = " ".join(text for _, text in _texts(node.value))
    return named


def _sql_of(function: ast.FunctionDef | ast.AsyncFunctionDef, constants: dict[str, str]) -> Iterator[str]:
    for _, text in _texts(function):
        yield text
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in constants:
            yield constants[node.id]


def _takes_party(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    names = {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    return bool(names & {"party_id", "party_ids", "scope"})


def _takes_party_alone(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """The party, and nothing else that must be given and is an id."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    required += [one for one, given in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if given is None]
    ids = {one.arg for one in required if re.search(r"_ids?$", one.arg)}
    return ids == {"party_id"}


def _is_excused(
    function: ast.FunctionDef | ast.AsyncFunctionDef, source: str, excuse: re.Pattern[str] = ANY_PARTY
) -> bool:
    lines = source.splitlines()
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    above = first - 2
    while above >= 0 and lines[above].startswith("#"):
        above -= 1
    return bool(excuse.search("\n".join(lines[above + 1 : function.end_lineno])))
