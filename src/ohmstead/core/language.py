"""The language people are spoken to in: gettext catalogues, which of them a browser gets, numbers and names of months.

English stands in the code. Any other language is one file, `core/locales/<code>.po`, which is read when the first
person wants it; `tools/messages.py` keeps the files complete. Programs (the API, the protocols, the log) are answered
in English always.
"""

from __future__ import annotations

import gettext as catalogues
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES_DIR: Final = Path(__file__).parent / "locales"
ENGLISH: Final = "en"
# The context of what `OhmsteadError`s say: patterns whose `%(name)s` stand for what was put in where they were raised.
REFUSALS: Final = "refusal"
# Longer texts hold what somebody sent; looking for patterns in them would take long, and say little.
MOST_TOLD: Final = 600

_spoken: ContextVar[str] = ContextVar("ohmstead_language", default=ENGLISH)
_SLOT: Final = re.compile(r"%\((\w+)\)s")
_WANTED: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,30})?\s*(?:;\s*q\s*=\s*([0-9.]{1,5}))?\s*")


@dataclass(frozen=True)
class Refusal:
    """A refusal as it is raised, and as it is told."""

    pattern: re.Pattern[str]
    told: str


@dataclass(frozen=True)
class Catalogue:
    """One language's words."""

    words: catalogues.NullTranslations
    refusals: Mapping[str, str]
    patterns: Sequence[Refusal]


@cache
def languages() -> tuple[str, ...]:
    """The codes of all languages, English first."""
    return (ENGLISH, *sorted(path.stem for path in LOCALES_DIR.glob("*.po")))


def name_of(code: str) -> str:
    """A language in its own words."""
    return Locale.parse(code).get_display_name(code) or code


def spoken() -> str:
    """The code of the language of this task."""
    return _spoken.get()


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """What this task says within is in this language; in English where there is no such catalogue."""
    before = _spoken.set(code if code in languages() else ENGLISH)
    try:
        yield
    finally:
        _spoken.reset(before)


def chosen(wish: str, accepted: str) -> str:
    """The language for a browser. `wish`: what its person chose here; `accepted`: its Accept-Language (RFC 9110, 12.5.4)."""
    if wish in languages():
        return wish
    best, weight = ENGLISH, 0.0
    for part in accepted[:200].split(","):
        if (found := _WANTED.fullmatch(part)) and found[1].lower() in languages():
            try:
                quality = float(found[2] or 1)
            except ValueError:
                continue
            if quality > weight:
                best, weight = found[1].lower(), quality
    return best


@cache
def _catalogue(code: str) -> Catalogue:
    if code == ENGLISH:
        return Catalogue(catalogues.NullTranslations(), {}, ())
    with (LOCALES_DIR / f"{code}.po").open("rb") as file:
        read = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    refusals: dict[str, str] = {}
    patterns: list[tuple[int, Refusal]] = []
    for message in read:
        if message.context != REFUSALS or not message.string or not isinstance(message.id, str):
            continue
        told = str(message.string)
        if _SLOT.search(message.id):
            patterns.append((len(_SLOT.sub("", message.id)), Refusal(_pattern_of(message.id), told)))
        else:
            refusals[message.id] = told
    # What says most of itself comes first: "no station %(id)s" before "%(what)s %(id)s".
    patterns.sort(key=lambda one: -one[0])
    return Catalogue(catalogues.GNUTranslations(compiled), refusals, [one for _n, one in patterns])


def _pattern_of(text: str) -> re.Pattern[str]:
    parts, at, seen = [], 0, set()
    for slot in _SLOT.finditer(text):
        parts.append(re.escape(text[at : slot.start()]))
        parts.append(f"(?P={slot[1]})" if slot[1] in seen else f"(?P<{slot[1]}>.+?)")
        seen.add(slot[1])
        at = slot.end()
    parts.append(re.escape(text[at:]))
    return re.compile("".join(parts), re.DOTALL)


def gettext(text: str, /, **values: object) -> str:
    """A text in the language of this task; `%(name)s` in it is replaced by a value."""
    told = _catalogue(spoken()).words.gettext(text) if text else ""
    return told % values if values else told


_ = gettext


def p_(context: str, text: str, /) -> str:
    """A text that means something else in other places: `p_("duration", "For")`."""
    return _catalogue(spoken()).words.pgettext(context, text)


def N_(text: str, /) -> str:
    """Marks a text of a table: it is said where it is shown, by `_`."""
    return text


def R_(text: str, /) -> str:
    """Marks what `told` is to know though it is no text of an `OhmsteadError`: a rule, or what another library says."""
    return text


def plural(one: str, many: str, count: int, /) -> str:
    """The form for so many, its `%(name)s` still in it."""
    return _catalogue(spoken()).words.ngettext(one, many, count)


def n_(one: str, many: str, count: int, /, **values: object) -> str:
    """How many of something: `n_("%(n)s station", "%(n)s stations", 1284)`."""
    return plural(one, many, count) % {"n": grouped(f"{count:,}"), **values}


def told(refusal: object) -> str:
    """What an `OhmsteadError` says, in the language of this task; as it is where nobody has translated it."""
    text = str(refusal)
    if len(text) > MOST_TOLD:
        return text
    catalogue = _catalogue(spoken())
    if (found := catalogue.refusals.get(text)) is not None:
        return found
    for one in catalogue.patterns:
        if match := one.pattern.fullmatch(text):
            # What was put in may be a reason of its own: "not sent: no answer within 10 s".
            return one.told % {name: told(value) for name, value in match.groupdict().items()}
    return text


@cache
def _symbols(code: str) -> tuple[str, str]:
    if code == ENGLISH:
        return ",", "."
    symbols = Locale.parse(code).number_symbols["latn"]
    return str(symbols["group"]), str(symbols["decimal"])


def grouped(text: str) -> str:
    """A number as Python writes it (1,284.5), as the language of this task does (1.284,5)."""
    group, decimal = _symbols(spoken())
    if (group, decimal) == (",", "."):
        return text
    return text.translate({ord(","): group, ord("."): decimal})


@cache
def _names(code: str, width: str) -> tuple[Mapping[int, str], Mapping[int, str]]:
    locale = Locale.parse(code)
    months = {n: str(name).rstrip(".") for n, name in locale.months["format"][width].items()}
    days = {n: str(name).rstrip(".") for n, name in locale.days["format"][width].items()}
    return months, days


def month(number: int, *, is_long: bool = False) -> str:
    """A month's name, short or written out; January is 1."""
    return _names(spoken(), "wide" if is_long else "abbreviated")[0][number]


def weekday(number: int, *, is_long: bool = False) -> str:
    """A day's name, short or written out; Monday is 0."""
    return _names(spoken(), "wide" if is_long else "abbreviated")[1][number]
