"""Stations that really fetch and send: what they do over HTTP, and how each version says how far it is."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.api.door import Visitor, found
from tests.stories.station import Payload, Station

IMAGE = b"image " * 20_000
SHA256 = hashlib.sha256(IMAGE).hexdigest()


async def uploaded(api: Visitor, data: bytes = IMAGE, **more: Any) -> Any:
    """An image, announced and uploaded."""
    image = await api.posts("/firmware", {"name": "fw-2.0.bin", "version": "2.0", **more}, expect=201)
    return found(await api.client.put(f"/firmware/{image['image_id']}/content", content=data))


@dataclass
class Carrier:
    """A station of a story that keeps firmware and logs. What it is asked, it only notes; the story says what it does."""

    api: Visitor
    station: Station
    firmware: str = "1.0"
    asked: list[tuple[str, Payload]] = field(default_factory=list)
    refusal: str | None = None

    def __post_init__(self) -> None:
        for action in ("UpdateFirmware", "SignedUpdateFirmware", "PublishFirmware", "GetLog", "GetDiagnostics"):
            self.station.answers[action] = lambda payload, action=action: self._note(action, payload)

    def _note(self, action: str, payload: Payload) -> Payload:
        self.asked.append((action, payload))
        if action == "UpdateFirmware" and self.is_v16:
            return {}
        if action == "GetDiagnostics":
            return {} if self.refusal else {"fileName": "diag.tgz"}
        return {"status": self.refusal or "Accepted"}

    @property
    def is_v16(self) -> bool:
        return self.station.version == "1.6"

    @property
    def location(self) -> str:
        """Where it was last sent to."""
        payload = self.asked[-1][1]
        place = payload.get("firmware") or payload.get("log") or payload
        return str(place.get("location") or place["remoteLocation"])

    @property
    def request_id(self) -> int | None:
        return self.asked[-1][1].get("requestId")

    async def boots(self, version: str | None = None) -> None:
        self.firmware = version or self.firmware
        payload = self.station.boot_payload("FirmwareUpdate")
        (payload if self.is_v16 else payload["chargingStation"])["firmwareVersion"] = self.firmware
        await self.station.says("BootNotification", payload)

    async def says(self, status: str) -> None:
        """How far it is, in the words of its version."""
        action = self.asked[-1][0]
        if action in ("GetLog", "GetDiagnostics"):
            report = "DiagnosticsStatusNotification" if action == "GetDiagnostics" else "LogStatusNotification"
        elif action == "PublishFirmware":
            report = "PublishFirmwareStatusNotification"
        elif action == "SignedUpdateFirmware":
            report = "SignedFirmwareStatusNotification"
        else:
            report = "FirmwareStatusNotification"
        payload: Payload = {"status": status}
        if self.request_id is not None and action != "GetDiagnostics":
            payload["requestId"] = self.request_id
        if status == "Published":
            payload["location"] = ["http://10.0.0.2/fw"]
        await self.station.says(report, payload)

    async def fetches(self, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(self.location, headers={k.replace("_", "-"): v for k, v in headers.items()})

    async def sends(self, data: bytes, name: str = "", method: str = "PUT") -> httpx.Response:
        address = self.location + (f"/{name}" if name else "")
        async with httpx.AsyncClient() as client:
            return await client.request(method, address, content=data)

    async def job(self, kind: str = "firmware") -> Any:
        """Its latest job, as the API tells it."""
        path = f"/stations/{self.station.station_id}/{'logs' if kind == 'log' else 'firmware'}"
        return (await self.api.gets(path))["items"][0]

    async def is_job(self, status: str, kind: str = "firmware") -> Any:
        async def look() -> bool:
            return bool((await self.job(kind))["status"] == status)

        try:
            await self.api.network.until(look, f"the job is {status}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {await self.job(kind)}") from None
        return await self.job(kind)


async def carrier(api: Visitor, version: str, name: str = "ST-1") -> Carrier:
    station = await api.network.station(version, name)
    made = Carrier(api, station)
    await made.boots()
    return made


async def signals(api: Visitor, kind: str) -> list[dict[str, Any]]:
    """Security signals of a kind about the party's stations, or about nobody's."""
    rows = await api.network.pool.fetch(
        "select * from security_signal where kind = $1 and (party_id = $2 or party_id is null) order by signal_id",
        kind,
        api.network.party_id,
    )
    return [dict(row) for row in rows]


async def asked(carried: Carrier, n: int = 1) -> None:
    async def was_asked() -> bool:
        return len(carried.asked) >= n

    await carried.api.network.until(was_asked, f"{carried.station.station_id} is asked {n} times")


async def announces(url: str, n_bytes: int, method: str = "PUT", body: bytes = b"", **headers: str) -> int:
    """Say how much is to come, and send only `body` of it; gives the status of the answer, 0 when there is none."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"{method} {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {n_bytes}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
    try:
        async with asyncio.timeout(5):
            line = await reader.readline()
    finally:
        writer.close()
    return int(line.split()[1]) if line else 0
