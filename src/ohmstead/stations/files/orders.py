"""Orders that concern files: where a station fetches firmware from, where it sends a log to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Url = Annotated[str, Meta(min_length=8, max_length=512)]
RequestNumber = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Retries = Annotated[int, Meta(ge=0, le=100)]


class UpdateFirmware(
    msgspec.Struct, tag="update_firmware", tag_field="kind", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Fetch an image and install it. With certificate and signature the station checks where it comes from (L01)."""

    location: Url
    request_id: RequestNumber
    retrieve_at: datetime
    install_at: datetime | None = None
    signing_certificate: Annotated[str, Meta(max_length=5500)] | None = None
    signature: Annotated[str, Meta(max_length=800)] | None = None
    retries: Retries | None = None
    retry_interval_s: Annotated[int, Meta(ge=0, le=86400)] | None = None


class PublishFirmware(
    msgspec.Struct, tag="publish_firmware", tag_field="kind", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A local controller fetches an image and offers it to the stations behind it (2.x L03)."""

    location: Url
    request_id: RequestNumber
    md5: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
    retries: Retries | None = None
    retry_interval_s: Annotated[int, Meta(ge=0, le=86400)] | None = None


class UnpublishFirmware(
    msgspec.Struct, tag="unpublish_firmware", tag_field="kind", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A local controller offers an image no longer (2.x L04)."""

    md5: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]


class GetLog(msgspec.Struct, tag="get_log", tag_field="kind", frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send a log to an address (N01; 1.6 GetDiagnostics, and GetLog of the security extension)."""

    log: Literal["diagnostics", "security", "data_collector"] = "diagnostics"
    location: Url
    request_id: RequestNumber
    oldest_at: datetime | None = None
    latest_at: datetime | None = None
    retries: Retries | None = None
    retry_interval_s: Annotated[int, Meta(ge=0, le=86400)] | None = None
