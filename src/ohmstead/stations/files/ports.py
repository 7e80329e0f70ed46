"""Where the bytes are kept: a directory, or any store that speaks S3 (`adapters/storage`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """Files by their SHA-256, which never change: whole, or not there."""

    async def keep(self, path: Path, sha256: str) -> None:
        """Take a finished file in. It may be there already. `path` is the caller's to remove, if it is still there.

        Raises ExternalFailure when the store does not do its part.
        """
        ...

    def read(self, sha256: str, first: int = 0, n_bytes: int | None = None) -> AsyncIterator[bytes]:
        """Its bytes in pieces, from `first` on. Raises NotFound."""
        ...

    async def drop(self, sha256: str) -> None:
        """Forget it; nothing to forget is no error."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
