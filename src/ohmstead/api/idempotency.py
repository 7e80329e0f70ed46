"""Idempotency-Key: a POST that is sent again is not done again, its first answer is.

Answers may hold secrets that are told only once, so they are kept encrypted, with a key that takes both the
installation's secret and the caller's Idempotency-Key, of which only a hash is kept.
"""

import hashlib
import hmac
import os
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ohmstead.accounts import service
from ohmstead.accounts.access import Actor
from ohmstead.api.problems import BadRequest, FieldError, Unprocessable
from ohmstead.core.db import Pool
from ohmstead.core.errors import Conflict

HEADER = "idempotency-key"
KEPT_FOR = timedelta(days=1)
# Longer than any operation takes: after that, the first one is taken for dead.
STALE_AFTER = timedelta(minutes=10)
_KEPT_HEADERS = frozenset({b"content-type", b"etag", b"location", b"link"})


class Idempotency(ASGIMiddleware):
    """Guards every POST of the API that carries the header. The application's state has `pool` and `pepper`."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request: Request[Any, Any, Any] = Request(scope, receive)
        actor: Actor | None = scope["state"].get("actor")
        key = request.headers.get(HEADER)
        if request.method != "POST" or key is None or actor is None:
            await next_app(scope, receive, send)
            return
        if not 1 <= len(key) <= 255 or not key.isprintable():
            raise BadRequest(
                "Idempotency-Key: 1 to 255 printable characters", [FieldError("Idempotency-Key", "unusable")]
            )
        state = request.app.state
        kept = _Kept(state.pool, state.pepper, actor.party_id, f"{actor.actor_id}\n{key}")
        fingerprint = _fingerprint(request, await request.body())
        if not await kept.claim(fingerprint):
            await kept.replay(fingerprint, scope, receive, send)
            return
        await kept.record(scope, receive, send, next_app)


def _fingerprint(request: Request[Any, Any, Any], body: bytes) -> bytes:
    parts = (request.scope["path"].encode(), request.scope["query_string"], body)
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).digest()


class _Kept:
    """What is kept under one key of one actor."""

    def __init__(self, pool: Pool, pepper: bytes, party_id: UUID, key: str) -> None:
        self._pool = pool
        self._party_id = party_id
        self._name = hashlib.sha256(key.encode()).hexdigest()
        self._cipher = AESGCM(hmac.digest(pepper, b"ohmstead idempotent answer\0" + key.encode(), hashlib.sha256))

    async def claim(self, fingerprint: bytes) -> bool:
        async with self._pool.acquire() as conn:
            return await service.claim_request(
                conn, self._party_id, self._name, fingerprint, stale_after=STALE_AFTER, kept_for=KEPT_FOR
            )

    async def replay(self, fingerprint: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._pool.acquire() as conn:
            row = await service.find_request(conn, self._party_id, self._name)
        if row is None or (row["fingerprint"] == fingerprint and row["status"] is None):
            raise Conflict("the first request with this Idempotency-Key is still being worked on", code="in_progress")
        if row["fingerprint"] != fingerprint:
            raise Unprocessable("this Idempotency-Key was used for another request", code="key_reused")
        try:
            body = self._cipher.decrypt(row["body"][:12], row["body"][12:], None)
        except InvalidTag as error:
            raise Conflict("the first answer cannot be read any more: the secret key was changed") from error
        headers = {**dict(row["headers"]), "Idempotency-Replayed": "true"}
        media = headers.pop("content-type", "application/json")
        response = Response(body, status_code=row["status"], media_type=media, headers=headers)
        asgi = response.to_asgi_response(app=None, request=Request(scope, receive))
        await asgi(scope, receive, send)

    async def record(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        status, headers, body = 500, [], bytearray()

        async def sent(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await self._keep(status, headers, bytes(body))
            await send(message)

        try:
            await next_app(scope, receive, cast(Send, sent))
        except BaseException:
            await self._forget()
            raise

    async def _keep(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        # Refused or failed, nothing was done: the key stays free for another try. 502 and 504: the station was asked.
        if status >= 400 and status not in (502, 504):
            await self._forget()
            return
        kept = [(name.decode(), value.decode()) for name, value in headers if name.lower() in _KEPT_HEADERS]
        nonce = os.urandom(12)
        async with self._pool.acquire() as conn:
            await service.finish_request(
                conn, self._party_id, self._name, status, kept, nonce + self._cipher.encrypt(nonce, body, None)
            )

    async def _forget(self) -> None:
        async with self._pool.acquire() as conn:
            await service.forget_request(conn, self._party_id, self._name)
