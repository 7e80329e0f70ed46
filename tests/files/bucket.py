"""A store that speaks as much S3 as Ohmstead needs, over real HTTP: objects, ranges, uploads in parts."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Bucket:
    """What is in it, and how it is to misbehave."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    authorizations: set[str] = field(default_factory=set)
    fails_with: int | None = None
    n_requests: int = 0

    @property
    def url(self) -> str:
        return f"http://key-id:sec%2Fret@127.0.0.1:{self.port}/stuff/ohm?region=eu-central-1"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.n_requests += 1
        self.authorizations.add(request.headers.get("authorization", ""))
        body = await request.read()
        if self.fails_with:
            return web.Response(status=self.fails_with)
        key, query = request.path, request.query
        etag = {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}
        if request.method == "POST" and "uploads" in query:
            number = str(len(self.parts) + 1)
            self.parts[number] = {}
            return _xml(f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>")
        if request.method == "POST" and "delete" in query:
            keys = re.findall(r"<Key>([^<]+)</Key>", body.decode())
            for one in keys:
                self.objects.pop(f"{key.rstrip('/')}/{one}", None)
            return _xml(
                "<DeleteResult>" + "".join(f"<Deleted><Key>{k}</Key></Deleted>" for k in keys) + "</DeleteResult>"
            )
        if request.method == "PUT" and "uploadId" in query:
            self.parts[query["uploadId"]][int(query["partNumber"])] = body
            return web.Response(headers=etag)
        if request.method == "POST" and "uploadId" in query:
            parts = self.parts.pop(query["uploadId"])
            self.objects[key] = b"".join(parts[n] for n in sorted(parts))
            return _xml('<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>')
        if request.method == "PUT":
            self.objects[key] = body
            return web.Response(headers=etag)
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        if key not in self.objects:
            return web.Response(status=404)
        return self._read(request, self.objects[key])

    def _read(self, request: web.Request, data: bytes) -> web.Response:
        headers = {"ETag": '"x"', "Last-Modified": "Mon, 02 Mar 2026 08:00:00 GMT"}
        part = request.http_range
        if part.start is None and part.stop is None:
            return web.Response(body=data, headers=headers)
        piece = data[part]
        first = part.start or 0
        headers["Content-Range"] = f"bytes {first}-{first + len(piece) - 1}/{len(data)}"
        return web.Response(status=206, body=piece, headers=headers)


def _xml(text: str) -> web.Response:
    return web.Response(text=f'<?xml version="1.0"?>{text}', content_type="application/xml")


@contextlib.asynccontextmanager
async def open_bucket() -> AsyncIterator[Bucket]:
    bucket = Bucket()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{key:.*}", bucket.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bucket.port = runner.addresses[0][1]
    try:
        yield bucket
    finally:
        await asyncio.wait_for(runner.cleanup(), 10)
