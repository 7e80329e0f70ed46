"""Where files gather before they are whole: a directory of this machine, swept of what a killed process left behind."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from ohmstead.core.errors import Conflict, OhmsteadError

KEPT_FREE = 256 * 1024 * 1024
SWEEP_EVERY_S = 600.0
HALF_KEPT_S = 86_400.0
OLD_S = 60.0


class TooLarge(OhmsteadError):
    """More bytes than are taken."""


class NoRoom(OhmsteadError):
    """The disk has no room for it."""


class Received(Struct, frozen=True, kw_only=True):
    """A whole file in the spool."""

    path: Path
    sha256: str
    md5: str
    size_bytes: int


class Half:
    """What came so far of a file, locked."""

    def __init__(self, spool: Spool, path: Path, out: BinaryIO) -> None:
        self._spool = spool
        self._path = path
        self._out = out
        self.size = path.stat().st_size

    async def append(self, first: int, pieces: AsyncIterator[bytes], most_bytes: int) -> None:
        """Add what comes, from byte `first` on, which must be where it stopped, or 0 to begin anew.

        Raises Conflict for a gap or an overlap, TooLarge, NoRoom; what came before stays, unless it was too much.
        """
        if first not in (0, self.size):
            raise Conflict(f"{self.size} bytes are here: go on from there, or begin anew")
        self._out.truncate(first)
        self.size = first
        try:
            async for piece in pieces:
                if self.size + len(piece) > most_bytes:
                    self._out.truncate(0)
                    self.size = 0
                    raise TooLarge(f"more than {most_bytes} bytes are not taken")
                if self.size // _LOOK_EVERY != (self.size + len(piece)) // _LOOK_EVERY:
                    self._spool.check_room(0)
                await asyncio.to_thread(_put, self._out, piece)
                self.size += len(piece)
        finally:
            await asyncio.to_thread(_safe, self._out)

    async def whole(self) -> Received:
        """All of it, its digests taken over every byte."""
        return await asyncio.to_thread(_looked_at, self._path)

    def drop(self) -> None:
        """It is kept elsewhere now, or wanted no more."""
        self._path.unlink(missing_ok=True)


class Spool:
    """`directory` is made when it is first needed. Processes may share it."""

    def __init__(self, directory: Path, kept_free: int = KEPT_FREE) -> None:
        self._directory = directory
        self._kept_free = kept_free
        self._swept_at = float("-inf")

    def check_room(self, n_bytes: int) -> None:
        """Raises NoRoom when so many bytes more would fill the disk."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(self._directory).free - n_bytes < self._kept_free:
            raise NoRoom("there is no room on the disk for this")

    def held(self, key: str) -> int:
        """How many bytes of a file that comes in several goes are here."""
        try:
            return self._half_path(key).stat().st_size
        except FileNotFoundError:
            return 0

    @contextlib.asynccontextmanager
    async def half(self, key: str) -> AsyncIterator[Half]:
        """A file that comes in several goes, for one sender at a time; what came stays until it is dropped, or for a day.

        Raises Conflict while somebody else is adding to it, on this machine.
        """
        self.check_room(0)
        path = self._half_path(key)
        with path.open("a+b") as out:
            try:
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict("this file is being sent already") from error
            if not path.exists() or path.stat().st_ino != os.fstat(out.fileno()).st_ino:
                raise Conflict("this file was finished by somebody else a moment ago")
            half = Half(self, path, out)
            try:
                yield half
            finally:
                if half.size == 0:
                    path.unlink(missing_ok=True)

    def _half_path(self, key: str) -> Path:
        return self._directory / f"{key}.half"

    @contextlib.asynccontextmanager
    async def receive(self, pieces: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[Received]:
        """Write everything down, and have it until the end of the block; then what is still here is removed.

        Raises TooLarge as soon as more than `most_bytes` came, NoRoom before the disk is full.
        """
        if time.monotonic() - self._swept_at > SWEEP_EVERY_S:
            self.sweep()
        self.check_room(0)
        path = self._directory / f"{secrets.token_hex(12)}.part"
        with path.open("xb") as out:
            fcntl.flock(out, fcntl.LOCK_EX)  # as long as we live, nobody sweeps it
            try:
                n_bytes = 0
                async for piece in pieces:
                    n_bytes += len(piece)
                    if n_bytes > most_bytes:
                        raise TooLarge(f"more than {most_bytes} bytes are not taken")
                    if n_bytes // _LOOK_EVERY != (n_bytes - len(piece)) // _LOOK_EVERY:
                        self.check_room(0)
                    await asyncio.to_thread(out.write, piece)
                await asyncio.to_thread(_safe, out)
                yield await asyncio.to_thread(_looked_at, path)
            finally:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """An empty folder, gone at the end."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self._directory, suffix=".unpacked") as name:
            yield Path(name)

    def sweep(self, older_than_s: float = OLD_S) -> int:
        """Remove what processes that live no more were receiving; how many files that were."""
        self._swept_at = time.monotonic()
        n_swept = 0
        for path in self._directory.glob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime < older_than_s:
                    continue
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    n_swept += 1
        for path in self._directory.glob("*.half"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > max(older_than_s, HALF_KEPT_S):
                    path.unlink()
                    n_swept += 1
        for path in self._directory.glob("*.unpacked"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > max(older_than_s, 6 * 3600):
                    shutil.rmtree(path, ignore_errors=True)
        return n_swept


_LOOK_EVERY = 8 * 1024 * 1024


def _put(out: BinaryIO, piece: bytes) -> None:
    """Written where others see how much there is."""
    out.write(piece)
    out.flush()


def _safe(out: BinaryIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def _looked_at(path: Path) -> Received:
    with path.open("rb") as file:
        sha256, md5, n_bytes = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        while piece := file.read(1 << 20):
            sha256.update(piece)
            md5.update(piece)
            n_bytes += len(piece)
    return Received(path=path, sha256=sha256.hexdigest(), md5=md5.hexdigest(), size_bytes=n_bytes)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
