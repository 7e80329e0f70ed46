"""Orders that keep a station in order: logs, firmware, certificates, data about people."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from msgspec import Meta

from ohmstead.stations.orders.form import CertificateRef, Count, Instant, OrderForm, Pem, RequestId, TokenRef, Url

CertificateUse: TypeAlias = Literal["central_root", "manufacturer_root", "v2g_root", "contract_root", "oem_root"]
OwnCertificate: TypeAlias = Literal["station", "v2g", "v2g20", "combined"]


class GetLog(OrderForm, tag="get_log", frozen=True, kw_only=True):
    """Upload a log to `url`. On 1.6 it takes the security extension; `get_diagnostics` works without it."""

    log: Literal["diagnostics", "security", "data_collector"] = "diagnostics"
    url: Url
    since: Instant | None = None
    until: Instant | None = None
    retries: Count | None = None
    retry_after_s: Count | None = None
    request_id: RequestId | None = None


class GetDiagnostics(OrderForm, tag="get_diagnostics", frozen=True, kw_only=True):
    """Upload diagnostics to `url`: 1.6 core's own message; on 2.x the diagnostics log."""

    url: Url
    since: Instant | None = None
    until: Instant | None = None
    retries: Count | None = None
    retry_after_s: Count | None = None
    request_id: RequestId | None = None


class UpdateFirmware(OrderForm, tag="update_firmware", frozen=True, kw_only=True):
    """Fetch firmware from `url` and install it. With `signature` (Base64) and `certificate` the station checks it first.

    On 1.6 a signed update takes the security extension; an unsigned one knows no `install_at`.
    """

    url: Url
    retrieve_at: Instant
    install_at: Instant | None = None
    certificate: Annotated[str, Meta(max_length=5500)] | None = None
    signature: Annotated[str, Meta(max_length=800)] | None = None
    retries: Count | None = None
    retry_after_s: Count | None = None
    request_id: RequestId | None = None


class PublishFirmware(OrderForm, tag="publish_firmware", frozen=True, kw_only=True):
    """Local controllers: fetch firmware and offer it to the stations behind them. `checksum` is its MD5."""

    url: Url
    checksum: Annotated[str, Meta(min_length=1, max_length=32)]
    retries: Count | None = None
    retry_after_s: Count | None = None
    request_id: RequestId | None = None


class UnpublishFirmware(OrderForm, tag="unpublish_firmware", frozen=True, kw_only=True):
    """Local controllers: stop offering firmware."""

    checksum: Annotated[str, Meta(min_length=1, max_length=32)]


class InstallCertificate(OrderForm, tag="install_certificate", frozen=True, kw_only=True):
    """Have the station trust a root certificate."""

    use: CertificateUse
    certificate: Pem


class DeleteCertificate(OrderForm, tag="delete_certificate", frozen=True, kw_only=True):
    """Take a certificate away from the station."""

    certificate: CertificateRef


class ListCertificates(OrderForm, tag="list_certificates", frozen=True, kw_only=True):
    """Ask which certificates are installed. 1.6 tells one use at a time; 2.x all when `uses` is empty."""

    uses: tuple[CertificateUse | Literal["v2g_chain"], ...] = ()


class DeliverCertificate(OrderForm, tag="deliver_certificate", frozen=True, kw_only=True):
    """Give the station the certificate that it asked to be signed, with the chain above it.

    `signing_request_id`: the request that it answers; what became of it is written down there.
    """

    chain: Pem
    use: OwnCertificate = "station"
    request_id: RequestId | None = None
    signing_request_id: UUID | None = None


class CustomerInformation(OrderForm, tag="customer_information", frozen=True, kw_only=True):
    """Ask what the station keeps about a person (`is_reported`), have it forgotten (`is_cleared`), or both."""

    is_reported: bool = True
    is_cleared: bool = False
    token: TokenRef | None = None
    customer_id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    certificate: CertificateRef | None = None
    request_id: RequestId | None = None
