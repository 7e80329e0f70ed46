"""A browser's own description in words people know: "Firefox on Windows". No more than a hint."""

from __future__ import annotations

import re
from typing import Final

from ohmstead.core.language import ENGLISH, N_, _, speaking

# The first that fits counts: browsers claim to be their ancestors too.
_BROWSERS: Final = (
    ("Edg(?:e|A|iOS)?/", "Edge"),
    ("OPR/|Opera", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/|FxiOS/", "Firefox"),
    ("HeadlessChrome/|Chrome/|CriOS/|Chromium/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/|python|httpx|Go-http", N_("a program")),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X|Macintosh", "Mac"),
    ("Linux|X11", "Linux"),
)


def words(user_agent: str | None) -> str:
    """Browser and system of a `User-Agent`, as records keep them; what is not known is called so."""
    with speaking(ENGLISH):
        return told(user_agent)


def told(user_agent: str | None) -> str:
    """The same in the language of this task."""
    given = user_agent or ""
    browser = _first(_BROWSERS, given)
    system = _first(_SYSTEMS, given)
    if browser is None:
        return _("Unknown browser on %(system)s", system=system) if system else _("Unknown device")
    browser = _(browser)
    return (
        _("%(browser)s on %(system)s", browser=browser, system=system) if system else browser[:1].upper() + browser[1:]
    )


def _first(table: tuple[tuple[str, str], ...], given: str) -> str | None:
    return next((name for pattern, name in table if re.search(pattern, given, re.IGNORECASE)), None)
