"""A network namespace with a wire of its own: what goes over it can be lost, packet by packet, as on a real network."""

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

from tests.gateway.wire import Cut


def is_permitted() -> bool:
    """May namespaces and wires be made here? Only root may, and not in every container."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"ohm{os.getpid()}t"
    try:
        made = _ip("netns", "add", name) and _ip("-n", name, "link", "add", "a0", "type", "veth", "peer", "name", "b0")
    finally:
        _ip("netns", "del", name)
    return made


def _ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


class Namespace:
    """A host of its own, reached over two wires: `stations` stays, `servers` can be torn out.

    PostgreSQL and NATS listen on the loopback of the outside; a proxy at the outer end of the wire leads to them.
    """

    def __init__(self) -> None:
        self.name = f"ohm{os.getpid()}x{random.randrange(1000)}"
        net = f"10.{random.randrange(100, 250)}.{random.randrange(250)}"
        self._ends = {"stations": (f"{net}.1", f"{net}.2"), "servers": (f"{net}.5", f"{net}.6")}
        self._proxies: list[Cut] = []

    @property
    def inner_address(self) -> str:
        """Where its processes are reached from outside."""
        return self._ends["stations"][1]

    @property
    def command(self) -> list[str]:
        """What goes before a command to run it inside."""
        return ["ip", "netns", "exec", self.name]

    def _wire(self, end: str) -> str:
        return f"{self.name}{end[1]}"[-15:]

    @classmethod
    @contextlib.asynccontextmanager
    async def made(cls) -> AsyncIterator["Namespace"]:
        one = cls()
        try:
            assert _ip("netns", "add", one.name)
            assert _ip("-n", one.name, "link", "set", "lo", "up")
            for end, (outer, inner) in one._ends.items():
                wire = one._wire(end)
                assert _ip("link", "add", wire, "type", "veth", "peer", "name", end, "netns", one.name)
                assert _ip("address", "add", f"{outer}/30", "dev", wire)
                assert _ip("-n", one.name, "address", "add", f"{inner}/30", "dev", end)
                assert _ip("link", "set", wire, "up")
                assert _ip("-n", one.name, "link", "set", end, "up")
            yield one
        finally:
            for proxy in one._proxies:
                await proxy.cut()
            for end in one._ends:
                _ip("link", "del", one._wire(end))
            _ip("netns", "del", one.name)

    async def url_of(self, url: str) -> str:
        """How a server of the outside is called from inside."""
        parts = urlsplit(url)
        proxy = Cut(parts.hostname or "", parts.port or 0, listens_on=self._ends["servers"][0])
        await proxy.join()
        self._proxies.append(proxy)
        login = f"{parts.username}:{parts.password}@" if parts.username else ""
        return urlunsplit(parts._replace(netloc=f"{login}{self._ends['servers'][0]}:{proxy.port}"))

    def tear(self) -> None:
        """From now on every packet to and from the servers is lost; nobody is told."""
        assert _ip("link", "set", self._wire("servers"), "down")

    def mend(self) -> None:
        assert _ip("link", "set", self._wire("servers"), "up")
