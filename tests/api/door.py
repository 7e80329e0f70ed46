"""How tests come to the API: keys, requests, and what they expect of answers."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from ohmstead.accounts import access, service
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool
from ohmstead.doorway import Attempts, Web
from ohmstead.settings import Settings
from ohmstead.web import create_web
from tests.stories.network import Installation, Network


@contextlib.asynccontextmanager
async def serving(settings: Settings, pool: Pool, bus: Bus) -> AsyncIterator[tuple[str, Web]]:
    """A web process on the settings' port; gives its address and application."""
    app = create_web(settings, pool, bus)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=settings.web_port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        ws="none",
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())  # serve() would take pytest's signal handlers
    try:
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110  (uvicorn offers no event)
                await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{settings.web_port}", app
    finally:
        server.should_exit = True
        await task


class Front:
    """The installation and the address of its web process."""

    def __init__(self, house: Installation, url: str, app: Web) -> None:
        self.house = house
        self.url = url
        self.app = app

    @property
    def attempts(self) -> Attempts:
        """Bad credentials by address; all tests come from one."""
        attempts: Attempts = self.app.state.attempts
        return attempts

    @property
    def file_attempts(self) -> Attempts:
        """Bad addresses of files by address; all tests come from one."""
        attempts: Attempts = self.app.state.file_attempts
        return attempts

    async def new_key(self, network: Network, *scopes: str) -> str:
        async with self.house.pool.acquire() as conn, conn.transaction():
            actor = access.system(network.party_id)
            _, secret = await service.create_api_key(conn, actor, name="test", scopes=scopes)
        return secret

    @contextlib.asynccontextmanager
    async def visitor(self, network: Network, *scopes: str) -> AsyncIterator["Visitor"]:
        key = await self.new_key(network, *scopes)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=self.url + "/api/v1", headers=headers, timeout=30) as client:
            yield Visitor(self, network, client, key)

    @contextlib.asynccontextmanager
    async def nobody(self) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            yield client


@dataclass
class Visitor:
    """Somebody with a key."""

    front: Front
    network: Network
    client: httpx.AsyncClient
    key: str

    async def gets(self, path: str, **query: Any) -> Any:
        """What is there."""
        return found(await self.client.get(path, params=query))

    async def posts(self, path: str, body: Any = None, *, expect: int | None = None, **headers: str) -> Any:
        answer = await self.client.post(path, json={} if body is None else body, headers=named(headers))
        assert answer.is_success, answer.text
        assert expect is None or answer.status_code == expect, answer.text
        return answer.json()

    async def patches(self, path: str, body: Any, **headers: str) -> Any:
        return found(await self.client.patch(path, json=body, headers=named(headers)))

    async def sends_table(self, path: str, table: str | bytes, **query: Any) -> httpx.Response:
        data = table.encode() if isinstance(table, str) else table
        return await self.client.post(path, content=data, params=query, headers={"Content-Type": "text/csv"})

    async def all_of(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Every item of a list, page after page."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = await self.gets(path, **query, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def name(self, short: str) -> str:
        """A station identity that no other test uses."""
        return f"{short}-{self.network.suffix}"


def named(headers: dict[str, str]) -> dict[str, str]:
    """`if_match="…"` → `If-Match: …`."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def found(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return answer.json()


def problem(answer: httpx.Response, status: int, kind: str | None = None) -> dict[str, Any]:
    """The problem document of an answer that must be one."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.text)
    assert {"type", "title", "status", "detail", "instance"} <= set(document)
    assert document["status"] == status
    assert kind is None or document["type"] == f"/api/v1/problems/{kind}", document
    return document
