"""Identifiers: time-ordered UUIDs for rows, random tokens for secrets."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from uuid import UUID

_last_ms = 0
_counter = 0


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562): sorts by creation time, so that indexes grow at their right edge.

    Ids made by one process within one millisecond keep their order (12-bit counter, §6.2 method 1).
    """
    global _last_ms, _counter  # noqa: PLW0603
    ms = time.time_ns() // 1_000_000
    if ms <= _last_ms:
        _counter += 1
        if _counter > 0xFFF:
            _last_ms, _counter = _last_ms + 1, 0
        ms = _last_ms
    else:
        _last_ms, _counter = ms, secrets.randbelow(0x400)
    tail = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=ms << 80 | 0x7 << 76 | _counter << 64 | 0b10 << 62 | tail)


def ids_of(texts: Iterable[str]) -> list[UUID]:
    """Those of the texts that are UUIDs, so that rows are looked for by their key."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def new_secret(n_bytes: int = 24) -> str:
    """An unguessable URL-safe text of `n_bytes` × 8 bits; shown once, kept only as a hash."""
    return secrets.token_urlsafe(n_bytes)
