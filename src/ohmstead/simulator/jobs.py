"""Firmware updates and log uploads. Files are really fetched, checked and sent where the run has a porter.

Without one only the reports are made. With and without, a firmware location that contains `fail` ends in a failed
download, one with `badsign` in an invalid signature; a log location that contains `fail` ends in a failed upload. So
integrations can test the unhappy ends too.
"""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from ohmstead.simulator.device import SETTINGS
from ohmstead.simulator.files import Image, Unfetched, is_signed_by, log_of

if TYPE_CHECKING:
    from ohmstead.simulator.station import Station


class FirmwareOrder(Struct, frozen=True):
    """UpdateFirmware in any version. `is_signed`: 1.6 SignedUpdateFirmware, or 2.x with a signing certificate."""

    location: str
    request_id: int | None = None
    retrieve_at: datetime | None = None
    install_at: datetime | None = None
    is_signed: bool = False
    uses_signed_form: bool = False
    certificate: str | None = None
    signature: str | None = None


class LogOrder(Struct, frozen=True):
    """GetDiagnostics (1.6) or GetLog."""

    location: str
    request_id: int | None = None
    is_diagnostics: bool = False
    name: str = "station.log.gz"


class Jobs:
    """At most one firmware job and one log job run at a time; a new one takes the place of the old."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._firmware: asyncio.Task[None] | None = None
        self._log: asyncio.Task[None] | None = None
        self.firmware_status = "Idle"
        self.firmware_request_id: int | None = None
        self.log_status = "Idle"
        self.log_request_id: int | None = None

    def start_firmware(self, order: FirmwareOrder) -> bool:
        """Begin; True when an earlier job had to be given up for it."""
        was_running = self._firmware is not None and not self._firmware.done()
        if self._firmware is not None:
            self._firmware.cancel()
        self._firmware = self._station.spawn(self._update(order))
        return was_running

    def start_log(self, order: LogOrder) -> bool:
        """Begin; True when an earlier job had to be given up for it."""
        was_running = self._log is not None and not self._log.done()
        if self._log is not None:
            self._log.cancel()
        self._log = self._station.spawn(self._upload(order))
        return was_running

    async def _report_firmware(self, status: str, order: FirmwareOrder) -> None:
        self.firmware_status, self.firmware_request_id = status, order.request_id
        await self._station.wait_online()
        await self._station.ask(
            self._station.speaker.firmware_status(status, order.request_id, is_signed=order.uses_signed_form)
        )

    async def _update(self, order: FirmwareOrder) -> None:
        station = self._station
        step_s = station.world.options.job_step_s
        await self._wait_until(order.retrieve_at, "DownloadScheduled", order)
        await self._report_firmware("Downloading", order)
        await asyncio.sleep(step_s)
        image = await self._fetch(order.location)
        if image is None:
            await self._report_firmware("DownloadFailed", order)
            return
        await self._report_firmware("Downloaded", order)
        if order.is_signed:
            if not self._is_genuine(order, image):
                await self._report_firmware("InvalidSignature", order)
                station.say(station.speaker.security_event("InvalidFirmwareSignature", station.clock.now()))
                return
            await self._report_firmware("SignatureVerified", order)
        await self._wait_until(order.install_at, "InstallScheduled", order)
        await station.wait_idle()
        await self._report_firmware("Installing", order)
        await asyncio.sleep(step_s)
        if order.is_signed or not station.is_v16:
            await self._report_firmware("InstallRebooting", order)
        version = image.version or _next_version(station.plan.firmware_version)
        station.take_plan(structs.replace(station.plan, firmware_version=version))
        station.was_accepted.clear()
        station.reboot("FirmwareUpdate")
        await station.was_accepted.wait()
        await self._report_firmware("Installed", order)
        station.say(station.speaker.security_event("FirmwareUpdated", station.clock.now()))

    async def _fetch(self, location: str) -> Image | None:
        if "fail" in location:
            return None
        if self._station.world.porter is None:
            return Image(b"", 0, None)
        try:
            return await self._station.world.porter.fetch(location)
        except Unfetched as error:
            self._station.world.tally.error("firmware_not_fetched", f"{self._station.plan.station_id}: {error}")
            return None

    def _is_genuine(self, order: FirmwareOrder, image: Image) -> bool:
        if "badsign" in order.location:
            return False
        if self._station.world.porter is None:
            return True
        return is_signed_by(image.sha256, order.signature or "", order.certificate or "")

    async def _wait_until(self, at: datetime | None, status: str, order: FirmwareOrder) -> None:
        wait_s = (at - self._station.clock.now()).total_seconds() if at else 0.0
        if wait_s > 0:
            if order.is_signed or not self._station.is_v16:
                await self._report_firmware(status, order)
            await asyncio.sleep(wait_s)

    async def _report_log(self, status: str, order: LogOrder) -> None:
        self.log_status, self.log_request_id = status, order.request_id
        await self._station.wait_online()
        await self._station.ask(
            self._station.speaker.log_status(status, order.request_id, is_diagnostics=order.is_diagnostics)
        )

    async def _upload(self, order: LogOrder) -> None:
        await self._report_log("Uploading", order)
        await asyncio.sleep(self._station.world.options.job_step_s)
        is_sent = "fail" not in order.location
        station = self._station
        if is_sent and station.world.porter is not None:
            facts = {s.name: station.device.text(s.name) for s in SETTINGS if s.access != "WriteOnly"}
            data = log_of(station.plan.station_id, station.plan.firmware_version, station.clock.now(), facts)
            # Both ways are seen in the field: old stations post a form, newer ones put the file.
            is_sent = await station.world.porter.send(order.location, order.name, data, is_form=station.is_v16)
        await self._report_log("Uploaded" if is_sent else "UploadFailure", order)


def _next_version(version: str) -> str:
    head, _, last = version.rpartition(".")
    return f"{head}.{int(last) + 1}" if last.isdigit() else f"{version}.1"
