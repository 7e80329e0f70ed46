"""The profiles in force: read from files, and again when they change; a file that cannot be used is told and left out."""

from __future__ import annotations

import functools
import time
from pathlib import Path

from ohmstead.core.errors import Invalid
from ohmstead.core.log import logger
from ohmstead.stations.quirks import profiles
from ohmstead.stations.quirks.profiles import Effects, Profile

log = logger("ohmstead.quirks")

SHIPPED = Path(__file__).parent
LOOK_EVERY_S = 10.0


@functools.cache
def book_at(own: Path | None) -> QuirkBook:
    """This process's book for a directory."""
    return QuirkBook(own)


class QuirkBook:
    """Profiles of the shipped directory and the operator's own, whose word comes last. One per process."""

    def __init__(self, own: Path | None = None, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._directories = [SHIPPED, *([own] if own is not None else [])]
        self._look_every_s = look_every_s
        self._looked_at = float("-inf")
        self._seen: dict[Path, tuple[int, int]] = {}
        self._profiles: list[Profile] = []
        self._n_shipped = 0
        self.faults: list[str] = []
        self.edition = 0

    def profiles(self) -> list[Profile]:
        """All in force, looked for anew now and then."""
        if time.monotonic() - self._looked_at >= self._look_every_s:
            self._looked_at = time.monotonic()
            self._look()
        return self._profiles

    def known(self) -> list[tuple[Profile, bool]]:
        """All in force, each with whether it is the operator's own."""
        return [(one, n >= self._n_shipped) for n, one in enumerate(self.profiles())]

    def of(self, *, vendor: str | None, model: str | None, firmware: str | None, version: str | None) -> list[Profile]:
        """Those that fit a station, in the order in which they count."""
        return [
            one
            for one in self.profiles()
            if profiles.fits(one, vendor=vendor, model=model, firmware=firmware, version=version)
        ]

    def effects(
        self, *, vendor: str | None, model: str | None, firmware: str | None, version: str | None
    ) -> Effects | None:
        """What is different about a station; None when nothing is, as with most."""
        found = self.of(vendor=vendor, model=model, firmware=firmware, version=version)
        return profiles.together(found) if found else None

    def _look(self) -> None:
        seen = {}
        for directory in self._directories:
            for path in sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")]):
                try:
                    stat = path.stat()
                except OSError:
                    continue
                seen[path] = (stat.st_mtime_ns, stat.st_size)
        if seen == self._seen:
            return
        found, faults, n_shipped = [], [], 0
        for path in seen:
            try:
                found.append(profiles.parse(path.read_bytes(), path.name))
                n_shipped += path.parent == SHIPPED
            except (Invalid, OSError) as error:
                faults.append(error.text if isinstance(error, Invalid) else f"{path.name}: {error}")
        for fault in faults:
            log.error("quirk_profile_unusable", fault=fault)
        self._seen, self._profiles, self._n_shipped, self.faults = seen, found, n_shipped, faults
        self.edition += 1
        log.info("quirk_profiles_read", n=len(found), unusable=len(faults))
