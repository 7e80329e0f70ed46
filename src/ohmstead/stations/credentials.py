"""Station secrets: made, kept as hashes, checked.

Two kinds of stored hash, told apart by their first characters:

- `k1$salt$digest`, for secrets we generate (160 bits): a keyed hash. Guessing is hopeless, so a slow hash would buy
  nothing, and ten thousand stations that reconnect at once cost microseconds each.
- `$argon2id$…`, for secrets a person chose: computed in a small pool of threads, so that no storm holds up the event
  loop. A check that succeeded is remembered in memory; a failed one never is.

What is hashed is the key itself, not its spelling. A 1.6 AuthorizationKey is 16 to 20 bytes, configured as 32 to 40
hexadecimal digits; in the field one station sends the bytes, the next the digits, in either case (1.6 security
whitepaper §7.2, 1.6J §6.2). All of these spell the same key and are reduced to the same bytes first.
"""

from __future__ import annotations

import asyncio
import binascii
import functools
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError

from ohmstead.core.errors import ExternalFailure, Invalid
from ohmstead.core.log import logger

log = logger(__name__)
T = TypeVar("T")

SHORTEST, LONGEST = 16, 40
_SALT_BYTES = 16
_HEX = frozenset(b"0123456789abcdefABCDEF")
_KEYED, _CHOSEN = "k1", "$argon2id$"


class Busy(ExternalFailure):
    """Too many human-chosen secrets are being checked; the station shall try again in a moment."""


class SlowHasher(Protocol):
    """What keeps human-chosen secrets. `argon2.PasswordHasher` fits."""

    def hash(self, password: bytes, /) -> str: ...

    def verify(self, hash: str, password: bytes, /) -> bool: ...  # noqa: A002  (argon2's own name)


def new_secret() -> str:
    """A fresh station secret of 160 bits: 40 lower-case hexadecimal digits.

    Fits every version: as hexadecimal text of a 20-byte AuthorizationKey (1.6) and as a 40-character
    BasicAuthPassword (2.0.1, 2.1).
    """
    return secrets.token_hex(20)


def check_chosen(secret: str, station_id: str = "") -> None:
    """Raise Invalid (field `password`) unless a human-chosen secret can be used on a station of any version.

    16 to 40 printable ASCII characters without a space at either end. Refused too: the station's own identity, and
    fewer than five different characters.
    """
    if not SHORTEST <= len(secret) <= LONGEST:
        raise Invalid(f"A station password has {SHORTEST} to {LONGEST} characters.", "password", length=len(secret))
    if not all(" " <= c <= "~" for c in secret) or secret != secret.strip():
        raise Invalid(
            "A station password consists of printable ASCII characters, with no space at either end.", "password"
        )
    if len(set(secret.lower())) < 5:
        raise Invalid("This password repeats too few characters to be safe.", "password")
    if station_id and secret.lower() in (station_id.lower(), station_id[::-1].lower()):
        raise Invalid("A station password must differ from the station's identity, which is public.", "password")


def key_of(presented: bytes) -> bytes:
    """The key that a configured or presented password spells: 32 to 40 hexadecimal digits are decoded, the rest is
    taken as it is. Two spellings of one 1.6 key give equal bytes.
    """
    if 2 * SHORTEST <= len(presented) <= LONGEST and len(presented) % 2 == 0 and _HEX.issuperset(presented):
        return binascii.unhexlify(presented)
    return presented


def looks_random(presented: bytes) -> bool:
    """Whether a password whose origin is unknown is most likely a machine's key, not a person's choice: written as
    hexadecimal digits, or holding bytes that nobody types.
    """
    return key_of(presented) != presented or (
        len(presented) >= SHORTEST and not all(0x20 <= byte <= 0x7E for byte in presented)
    )


def is_generated(stored: str | None) -> bool:
    """Whether a stored hash is that of a secret we made (or None: there is no secret)."""
    return stored is not None and stored.startswith(_KEYED + "$")


class SecretKeeper:
    """Hashes and checks secrets. One per process; the module's functions use one of their own.

    `threads` slow checks run at once and at most `waiting` more queue up; beyond that Busy is raised. `remembered`
    bounds the memory of successful slow checks (about 150 bytes each).
    """

    def __init__(
        self,
        hasher: SlowHasher | None = None,
        *,
        threads: int = 2,
        waiting: int = 128,
        remembered: int = 50_000,
    ) -> None:
        self._hasher: SlowHasher = hasher or argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
        self._threads = threads
        self._limit = threads + waiting
        self._running = 0
        self._pool: ThreadPoolExecutor | None = None
        self._remembered = remembered
        self._cache: OrderedDict[bytes, None] = OrderedDict()
        self._cache_key = secrets.token_bytes(32)

    async def hash_secret(self, secret: str | bytes, pepper: bytes, *, is_generated: bool) -> str:
        """The form to store. `pepper` is the installation's secret key: a stolen table alone cannot be guessed at.

        Raises Busy.
        """
        key = key_of(secret.encode() if isinstance(secret, str) else secret)
        if is_generated:
            salt = secrets.token_hex(_SALT_BYTES)
            return f"{_KEYED}${salt}${_keyed(pepper, salt, key)}"
        return await self._slowly(functools.partial(self._hasher.hash, _stretched(pepper, key)))

    async def verify(self, stored: str | None, presented: bytes, pepper: bytes) -> bool:
        """Whether `presented`, the password bytes of a Basic header, is the secret behind `stored`.

        Without a stored hash the answer is no after the work of checking a generated one. Raises Busy.
        """
        key = key_of(presented)
        if stored is not None and stored.startswith(_CHOSEN):
            return await self._verify_slowly(stored, _stretched(pepper, key))
        kind, _, rest = (stored or _DECOY).partition("$")
        salt, _, digest = rest.partition("$")
        if kind != _KEYED:
            log.error("stored_station_secret_unreadable", form=kind[:12])
            salt, digest = _DECOY.split("$")[1:]
        is_equal = hmac.compare_digest(_keyed(pepper, salt, key).encode(), digest.encode())
        return is_equal and stored is not None and kind == _KEYED

    async def _verify_slowly(self, stored: str, stretched: bytes) -> bool:
        proof = hmac.digest(self._cache_key, stored.encode() + b"\0" + stretched, hashlib.sha256)
        if proof in self._cache:
            self._cache.move_to_end(proof)
            return True
        if not await self._slowly(functools.partial(_matches, self._hasher, stored, stretched)):
            return False
        self._cache[proof] = None
        if len(self._cache) > self._remembered:
            self._cache.popitem(last=False)
        return True

    async def _slowly(self, work: Callable[[], T]) -> T:
        if self._running >= self._limit:
            raise Busy("Too many passwords are being checked at once.")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="station-secret")
        self._running += 1
        # Counted down by the work itself: a station that hangs up does not take its work out of the threads' queue.
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._finished)
        return await asyncio.shield(future)

    def _finished(self, _future: asyncio.Future[Any]) -> None:
        self._running -= 1


def _matches(hasher: SlowHasher, stored: str, stretched: bytes) -> bool:
    try:
        return hasher.verify(stored, stretched)
    except InvalidHashError:
        log.error("stored_station_secret_unreadable", form="argon2id")
        return False
    except Argon2Error:
        return False


def _keyed(pepper: bytes, salt: str, key: bytes) -> str:
    return hmac.digest(pepper, b"ohmstead station secret k1\0" + salt.encode() + b"\0" + key, hashlib.sha256).hex()


def _stretched(pepper: bytes, key: bytes) -> bytes:
    return hmac.digest(pepper, b"ohmstead station secret argon2id\0" + key, hashlib.sha256)


_DECOY = f"{_KEYED}${'0' * 2 * _SALT_BYTES}${'0' * 64}"
_keeper = SecretKeeper()


async def hash_secret(secret: str | bytes, pepper: bytes, *, is_generated: bool) -> str:
    """`SecretKeeper.hash_secret` of the process's keeper."""
    return await _keeper.hash_secret(secret, pepper, is_generated=is_generated)


async def verify(stored: str | None, presented: bytes, pepper: bytes) -> bool:
    """`SecretKeeper.verify` of the process's keeper."""
    return await _keeper.verify(stored, presented, pepper)
