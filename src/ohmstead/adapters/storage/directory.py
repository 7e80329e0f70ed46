"""Files in a directory: each under its SHA-256, put there by one rename, never changed."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from ohmstead.core.errors import ExternalFailure, NotFound

_PIECE = 1 << 18


class DirectoryStorage:
    """See Storage."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def keep(self, path: Path, sha256: str) -> None:
        """See Storage."""
        try:
            await asyncio.to_thread(_keep, path, self._place(sha256))
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            text = "the file store is full" if is_full else f"the file store cannot be written: {error.strerror}"
            raise ExternalFailure(text) from error

    async def read(self, sha256: str, first: int = 0, n_bytes: int | None = None) -> AsyncIterator[bytes]:
        """See Storage."""
        try:
            file = await asyncio.to_thread(self._place(sha256).open, "rb")
        except FileNotFoundError as error:
            raise NotFound("the file is not in the store") from error
        with file:
            file.seek(first)
            left = n_bytes
            while left is None or left > 0:
                piece = await asyncio.to_thread(_piece, file, left)
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece

    async def drop(self, sha256: str) -> None:
        """See Storage."""
        self._place(sha256).unlink(missing_ok=True)

    async def close(self) -> None:
        """See Storage."""

    def _place(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise NotFound("no such file")
        return self._directory / sha256[:2] / sha256


def _piece(file: BinaryIO, left: int | None) -> bytes:
    return file.read(_PIECE if left is None else min(_PIECE, left))


def _keep(path: Path, place: Path) -> None:
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(path, place)
    except FileExistsError:
        return
    except OSError:
        # Another file system, or one without links: a copy under a name of its own, renamed when it is whole.
        fresh = place.with_name(f".{secrets.token_hex(8)}")
        try:
            shutil.copyfile(path, fresh)
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            fresh.rename(place)
        finally:
            fresh.unlink(missing_ok=True)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
