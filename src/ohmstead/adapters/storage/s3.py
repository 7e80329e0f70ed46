"""Files in a bucket of any store that speaks S3. An object is there when it is whole, by the protocol's own promise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from ohmstead.core.errors import ExternalFailure, NotFound

_PIECE = 1 << 18


class S3Storage:
    """`url`: `https://key-id:secret@host/bucket/prefix?region=…`; see Storage."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        bucket, _, prefix = parts.path.strip("/").partition("/")
        host = parts.hostname or ""
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            endpoint=f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{parts.port}' if parts.port else ''}",
            access_key_id=unquote(parts.username or ""),
            secret_access_key=unquote(parts.password or ""),
            region=parse_qs(parts.query).get("region", ["us-east-1"])[0],
            virtual_hosted_style_request=False,
            client_options={"allow_http": parts.scheme == "http", "timeout": timedelta(minutes=5)},
            retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=30)},
        )

    async def keep(self, path: Path, sha256: str) -> None:
        """See Storage."""
        try:
            await obstore.put_async(self._store, _key(sha256), path, max_concurrency=2)
        except BaseError as error:
            raise ExternalFailure("the file store did not take the file") from error

    async def read(self, sha256: str, first: int = 0, n_bytes: int | None = None) -> AsyncIterator[bytes]:
        """See Storage."""
        if n_bytes == 0:
            return
        try:
            wanted = {"offset": first} if n_bytes is None else (first, first + n_bytes)
            options = {"range": wanted} if first or n_bytes is not None else {}
            found = await obstore.get_async(self._store, _key(sha256), options=options)  # type: ignore[arg-type]
            async for piece in found.stream(min_chunk_size=_PIECE):
                yield bytes(piece)
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound("the file is not in the store") from error
        except BaseError as error:
            raise ExternalFailure("the file store did not give the file") from error

    async def drop(self, sha256: str) -> None:
        """See Storage."""
        try:
            await obstore.delete_async(self._store, _key(sha256))
        except (NotFoundError, FileNotFoundError):
            return
        except BaseError as error:
            raise ExternalFailure("the file store did not forget the file") from error

    async def close(self) -> None:
        """See Storage."""


def _key(sha256: str) -> str:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise NotFound("no such file")
    return f"{sha256[:2]}/{sha256}"
