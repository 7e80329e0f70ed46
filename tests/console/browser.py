"""A Chromium for the tests: the one installed, else one from the system's packages, else Playwright's own."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell")
HOW = (
    "No Chromium was found, and none could be installed. Install one (Debian: `apt-get install chromium`; Fedora:"
    " `dnf install chromium`), or run `.venv/bin/python -m playwright install chromium`, or name one with"
    " OHMSTEAD_TEST_CHROMIUM."
)


class NoBrowser(Exception):
    """There is no Chromium, and none to be had; the text says what to do."""


@cache
def chromium() -> Path:
    """The path of a Chromium, installed on first need. Raises NoBrowser."""
    for search in (_named, _installed, _from_packages, _from_playwright):
        found = search()
        if found is not None:
            return found
    raise NoBrowser(HOW)


def present() -> Path | None:
    """The path of a Chromium that is there already; nothing is installed."""
    return _named() or _installed()


def _named() -> Path | None:
    named = os.environ.get("OHMSTEAD_TEST_CHROMIUM")
    return Path(named) if named else None


def _installed() -> Path | None:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    return Path(found) if found else None


def _from_packages() -> Path | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update", "-qq"], check=False, timeout=300, **quiet)  # type: ignore[call-overload]
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    subprocess.run(install, check=False, timeout=900, **quiet)  # type: ignore[call-overload]
    return _installed()


def _from_playwright() -> Path | None:
    done = subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"], check=False, timeout=900, capture_output=True
    )
    if done.returncode != 0:
        return None
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright"
    found = sorted(Path(folder).glob("chromium*/chrome-linux*/*"))
    return next((path for path in found if path.name in ("chrome", "headless_shell")), None)
