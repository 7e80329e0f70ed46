"""Makes the Python environment that `./ohmstead` runs in. Run by that script; uses the standard library only.

python -I bootstrap.py CHECKOUT VENV run|test STAMP

The stamp is written last, so that an interrupted installation is seen and done again; a lock lets one of several
that start together do the work while the others wait.
"""

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

NO_VENV = """ohmstead: {python} lacks the modules venv and ensurepip.
  Debian, Ubuntu   sudo apt install python3-venv      (or python{version}-venv)
  Fedora           sudo dnf install python3
  macOS            brew install python
  elsewhere        point OHMSTEAD_PYTHON at a complete Python 3.11 or newer"""

NO_NETWORK = """ohmstead: the package index could not be reached.
  behind a proxy        set HTTPS_PROXY
  with a mirror         set PIP_INDEX_URL
  without a network     on a machine that has one: pip download --require-hashes -r {lock} -d wheels
                        then here: PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels ./ohmstead …"""

NO_WHEEL = """ohmstead: a package is not built for this machine ({platform}, Python {version}).
  Ohmstead runs on Linux with glibc (x86-64, arm64) and on macOS, with Python 3.11 to 3.14."""

BAD_HASH = """ohmstead: a package that arrived is not the one that was pinned; nothing of it was installed.
  If a mirror or cache is in use (PIP_INDEX_URL), it may serve altered files. Otherwise try again."""

NETWORK_SIGNS = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|Max retries|name resolution|Network is unreachable|ProxyError|"
    r"Connection (refused|reset|broken)|No route to host|HTTP error 5\d\d|Could not fetch URL",
)


class CannotInstall(Exception):
    """The text says what to do."""


def main(checkout: Path, venv: Path, part: str, stamp: str) -> None:
    """Bring `venv` to what `part` needs, unless another process has just done so."""
    lock_file = checkout / ("requirements-test.lock" if part == "test" else "requirements.lock")
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        guard = (venv.parent / f"{venv.name}.lock").open("w")
    except OSError as error:
        raise CannotInstall(f"ohmstead: {venv} cannot be made: {error}. Set OHMSTEAD_VENV to another place.") from error
    with guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is installing; waiting for it …")
            fcntl.flock(guard, fcntl.LOCK_EX)
        if not is_complete(venv, part, stamp):
            install(venv, part, stamp, lock_file)


def is_complete(venv: Path, part: str, stamp: str) -> bool:
    """Whether the environment bears the stamp of this lock file and still has its Python."""
    file = venv / f".ohmstead-{part}"
    return os.access(venv / "bin" / "python", os.X_OK) and file.exists() and file.read_text().strip() == stamp.strip()


def install(venv: Path, part: str, stamp: str, lock_file: Path) -> None:
    """Create or complete the environment; one that was interrupted or has another Python is made anew."""
    unfinished = venv / ".ohmstead-unfinished"
    if not fits(venv) or unfinished.exists():
        if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
            raise CannotInstall(NO_VENV.format(python=sys.executable, version=version()))
        say(f"Making a Python environment in {venv}")
        shutil.rmtree(venv, ignore_errors=True)
        venv.mkdir(parents=True)
        unfinished.touch()
        made = run([sys.executable, "-I", "-m", "venv", str(venv)])
        if made.returncode != 0:
            shutil.rmtree(venv, ignore_errors=True)
            if "ensurepip" in made.stdout:
                raise CannotInstall(NO_VENV.format(python=sys.executable, version=version()))
            raise CannotInstall(f"ohmstead: the environment could not be made:\n{made.stdout.strip()}")
    unfinished.touch()
    (venv / f".ohmstead-{part}").unlink(missing_ok=True)
    try:
        packages(venv, lock_file)
    except CannotInstall:
        unfinished.unlink()  # pip put back what it had begun; the next start goes on from here
        raise
    (venv / f".ohmstead-{part}").write_text(stamp + "\n")
    unfinished.unlink()


def fits(venv: Path) -> bool:
    """Whether there is a working environment of this Python's version, with pip."""
    python = venv / "bin" / "python"
    if not os.access(python, os.X_OK):
        return False
    asked = run([str(python), "-I", "-c", "import sys, pip; print('%d.%d' % sys.version_info[:2])"])
    return asked.returncode == 0 and asked.stdout.strip() == version()


def packages(venv: Path, lock_file: Path) -> None:
    """Install every pinned package, checking hashes, with a line of progress."""
    total = len(re.findall(r"^[A-Za-z0-9]\S*==", lock_file.read_text(), re.MULTILINE))
    say(f"Installing {total} packages pinned in {lock_file.name} (once; a minute or two)")
    command = [str(venv / "bin" / "python"), "-I", "-m", "pip", "install", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
    command += ["--progress-bar", "off", "-r", str(lock_file)]
    output: list[str] = []
    seen = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            output.append(line)
            if match := re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line):
                seen += 1
                progress(seen, total, match[1])
            elif line.startswith("Installing collected packages"):
                progress(total, total, "unpacking")
    finish_progress()
    if pip.returncode != 0:
        raise CannotInstall(explained("".join(output), lock_file))


def explained(output: str, lock_file: Path) -> str:
    """pip's failure in words that say what to do, with its last lines below."""
    if "DO NOT MATCH THE HASHES" in output:
        text = BAD_HASH
    elif NETWORK_SIGNS.search(output) or ("from versions: none" in output and output.count("Collecting ") <= 1):
        text = NO_NETWORK.format(lock=lock_file.name)
    elif "No matching distribution" in output:
        text = NO_WHEEL.format(platform=f"{os.uname().sysname} {os.uname().machine}", version=version())
    elif "No space left" in output:
        text = "ohmstead: the disk is full; the environment needs about 400 MB."
    else:
        text = "ohmstead: the packages could not be installed."
    last = "\n".join(f"  | {line}" for line in output.strip().splitlines()[-6:])
    return f"{text}\n{last}"


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a program, keeping what it says."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def version() -> str:
    """This Python's, as in `3.11`."""
    return "{}.{}".format(*sys.version_info[:2])


def say(text: str) -> None:
    """One line for the person waiting."""
    print(text, file=sys.stderr, flush=True)


def progress(done: int, total: int, name: str) -> None:
    """A line that is written over on a terminal; every tenth package elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K  {min(done, total)}/{total}  {name}", end="", file=sys.stderr, flush=True)
    elif done % 10 == 0:
        say(f"  {min(done, total)}/{total}")


def finish_progress() -> None:
    """Clear the line."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    except CannotInstall as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        say("\nInterrupted; the next start begins the installation again.")
        sys.exit(130)
