"""What may be a password, and how one is kept.

Length, not composition (NIST SP 800-63B §3.1.1): at least `SHORTEST` characters, none that everybody tries, none that
is made of the person's own name. What is kept is argon2id, computed outside the event loop, a few at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final, Protocol

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError

from ohmstead.core.errors import ExternalFailure, Invalid
from ohmstead.core.log import logger

log = logger("ohmstead.signin")

SHORTEST: Final = 12
LONGEST: Final = 256

# What people who must think of something think of. Variants are found by `_plain`: digits and signs around a word, and
# signs for letters, do not make it another word.
_WORDS: Final = """
    password passwort passw0rd motdepasse contrasena contraseña wachtwoord senha parola haslo letmein welcome
    willkommen bienvenue admin administrator root user guest test tester testing demo default changeme changeit
    secret geheim access login signin master manager office company business server system network internet wifi
    computer laptop iloveyou ichliebedich ihateyou sunshine princess prinzessin dragon monkey football fussball
    fußball baseball basketball hockey soccer superman batman spiderman pokemon starwars matrix ninja samurai wizard
    shadow master michael jennifer jessica ashley daniel thomas andrew charlie maximilian alexander summer sommer
    winter spring autumn herbst january february march april august september october november december monday
    friday freitag hello hallo whatever trustno freedom mustang ferrari porsche mercedes tesla volkswagen corvette
    harley cheese cookie banana chocolate schokolade coffee kaffee pepper ginger flower butterfly schmetterling
    angel qwerty qwertz azerty qwertyuiop qwertzuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm yxcvbnm abc abcd abcdef
    abcdefgh abcabc qazwsx onetwothree correcthorsebatterystaple ohmstead charging charger charge station stations
    chargingstation chargepoint ladestation ladesäule ladesaeule wallbox electric electricity energy energie strom
    power mobility emobility vehicle ocpp ocpi
"""
COMMON: Final = frozenset(_WORDS.split())
_SIGNS: Final = str.maketrans(
    {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"}
)
_ROWS: Final = ("1234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")


class BreachList(Protocol):
    """Who knows passwords that became public."""

    async def count(self, digest: str) -> int:
        """How often a password with this SHA-1 (hexadecimal, capitals) is there. Raises ExternalFailure."""
        ...


def normal(password: str) -> str:
    """One spelling for what looks the same however a keyboard makes it (NFKC, as NIST SP 800-63B asks)."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, of_person: Iterable[str] = ()) -> None:
    """Raises Invalid, with what to do, for a password that is too short, too long or too easily guessed.

    `of_person`: names and addresses, whose parts do not make a password.
    """
    text = normal(password)
    if "\x00" in text or any("\ud800" <= one <= "\udfff" for one in text):
        raise Invalid("holds a character that cannot be typed everywhere", "password")
    if len(text) < SHORTEST:
        raise Invalid(f"needs at least {SHORTEST} characters: several words are easy to keep in mind", "password")
    if len(text) > LONGEST:
        raise Invalid(f"may have at most {LONGEST} characters", "password")
    if is_common(text):
        raise Invalid("is among those that are tried first: take several words that do not belong together", "password")
    own = {part for name in of_person for part in re.split(r"[^\w]+", name.lower()) if len(part) >= 4}
    rest = text.lower()
    # The longest first: in another order what one leaves would not be found any more.
    for part in sorted(own, key=lambda part: (-len(part), part)):
        rest = rest.replace(part, "")
    if own and len(rest) < SHORTEST // 2:
        raise Invalid("is little more than your name or address", "password")


def is_common(text: str) -> bool:
    """Whether it is one that everybody tries: repeats, runs of keys or numbers, and known words with trimmings."""
    lower = text.lower()
    if len(set(lower)) <= 3 or _is_repeat(lower) or _is_run(lower):
        return True
    plain = _plain(lower)
    if len(plain) < 4:
        return True  # digits and signs only, or nearly: dates, telephone numbers
    return plain in COMMON or _is_made_of(plain)


def _plain(lower: str) -> str:
    """Without what is put around words, and with letters for signs that stand for them."""
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", lower)
    return re.sub(r"[\W\d_]+", "", core.translate(_SIGNS))


def _is_made_of(plain: str) -> bool:
    """Two known words, or one twice, and nothing else: `welcomeadmin`, `passwordpassword`."""
    return any(plain[:cut] in COMMON and plain[cut:] in COMMON for cut in range(3, len(plain) - 2))


def _is_repeat(lower: str) -> bool:
    return any(lower == (lower[:n] * len(lower))[: len(lower)] for n in range(1, len(lower) // 3 + 1))


def _is_run(lower: str) -> bool:
    steps = {ord(b) - ord(a) for a, b in pairwise(lower)}
    if steps <= {1} or steps <= {-1}:
        return True
    keys = "".join(one for one in lower if one.isalnum())
    # Rows of the keyboard one after the other, forwards or backwards.
    at = 0
    while at < len(keys):
        n = max((_shared(keys[at:], way) for row in _ROWS for way in (row, row[::-1])), default=0)
        if n < 3:
            return False
        at += n
    return True


def _shared(text: str, row: str) -> int:
    """How many characters of `text` follow each other in `row`, from wherever its first one stands."""
    start = row.find(text[:1])
    n = 0
    while start >= 0 and n < len(text) and start + n < len(row) and text[n] == row[start + n]:
        n += 1
    return n


async def check_breaches(breaches: BreachList | None, password: str) -> None:
    """Raises Invalid for a password that became public somewhere. A list that does not answer holds nobody up."""
    if breaches is None:
        return
    # The list is kept under SHA-1; only the first five digits of it leave the house.
    digest = hashlib.sha1(normal(password).encode(), usedforsecurity=False).hexdigest().upper()
    try:
        n = await breaches.count(digest)
    except ExternalFailure as failure:
        log.warning("breach_list_unreachable", error=failure.text)
        return
    if n:
        raise Invalid("became public in a breach elsewhere, and is tried by thieves: take another", "password")


class Keeper:
    """Hashes and compares passwords, in a few threads: each takes tens of milliseconds and 19 MiB."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None, n_threads: int = 2) -> None:
        # OWASP's parameters: as strong as the library's larger ones against guessing, and no way to fill the memory.
        self._hasher = hasher or argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="passwords")
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """What to keep."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hasher.hash, normal(password))

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether it is the one. With nothing kept it takes as long and is not."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._fits, kept, normal(password[: LONGEST * 4]))

    def is_outdated(self, kept: str) -> bool:
        """Whether it was hashed with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fits(self, kept: str | None, password: str) -> bool:
        if kept is None:
            if self._nobody is None:
                self._nobody = self._hasher.hash("nobody has this password")
            is_somebody, kept = False, self._nobody
        else:
            is_somebody = True
        try:
            self._hasher.verify(kept, password.encode("utf-8", "surrogatepass"))
        except (Argon2Error, InvalidHashError):
            return False
        return is_somebody
