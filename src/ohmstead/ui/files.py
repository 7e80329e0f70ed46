"""The files that pages load, packed once and kept: giving one away costs a look into a table."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import cache
from typing import Any

from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from ohmstead.ui.templating import STATIC_DIR

LEAST_PACKED = 1000


class StaticFile(Struct, frozen=True):
    """A file as it is and, where that is shorter, as gzip."""

    plain: bytes
    packed: bytes | None
    media_type: str
    etag: str


@cache
def _names() -> frozenset[str]:
    """What there is; nothing else is ever opened."""
    return frozenset(path.relative_to(STATIC_DIR).as_posix() for path in STATIC_DIR.rglob("*") if path.is_file())


@cache
def _file(name: str) -> StaticFile:
    plain = (STATIC_DIR / name).read_bytes()
    packed = gzip.compress(plain, 9, mtime=0) if len(plain) >= LEAST_PACKED else plain
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type.endswith(("javascript", "json", "xml")):
        media_type += "; charset=utf-8"
    digest = hashlib.sha256(plain).hexdigest()[:16]
    return StaticFile(plain, packed if len(packed) < len(plain) else None, media_type, f'"{digest}"')


async def _static(request: Request[Any, Any, State], name: FromPath[str]) -> Response[bytes]:
    """A file of `ui/static`. How long it may be kept the door says."""
    wanted = name.lstrip("/")
    if wanted not in _names():
        raise NotFoundException(f"no file {wanted[:100]}")
    file = _file(wanted)
    headers = {"ETag": file.etag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == file.etag:
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "").lower()
    if file.packed is not None and takes_gzip:
        return Response(file.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.plain, headers=headers, media_type=file.media_type)


static_files = HTTPRouteHandler("/static/{name:path}", http_method=["GET", "HEAD"])(_static)
