"""Firmware updates and log uploads as a station reports them. No file is fetched or sent: only the reports are real.

A firmware location that contains `fail` ends in a failed download, one with `badsign` in an invalid signature; a log
location that contains `fail` ends in a failed upload. So integrations can test the unhappy ends too.
"""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, structs

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


class LogOrder(Struct, frozen=True):
    """GetDiagnostics (1.6) or GetLog."""

    location: str
    request_id: int | None = None
    is_diagnostics: bool = False


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
        if "fail" in order.location:
            await self._report_firmware("DownloadFailed", order)
            return
        await self._report_firmware("Downloaded", order)
        if order.is_signed:
            if "badsign" in order.location:
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
        version = _next_version(station.plan.firmware_version)
        station.take_plan(structs.replace(station.plan, firmware_version=version))
        station.was_accepted.clear()
        station.reboot("FirmwareUpdate")
        await station.was_accepted.wait()
        await self._report_firmware("Installed", order)
        station.say(station.speaker.security_event("FirmwareUpdated", station.clock.now()))

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
        await self._report_log("UploadFailure" if "fail" in order.location else "Uploaded", order)


def _next_version(version: str) -> str:
    head, _, last = version.rpartition(".")
    return f"{head}.{int(last) + 1}" if last.isdigit() else f"{version}.1"
