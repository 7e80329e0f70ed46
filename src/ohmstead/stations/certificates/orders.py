"""Orders to stations about certificates and network profiles."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from ohmstead.stations.certificates.model import HashData, Kind, RootKind

InstalledKind: TypeAlias = Literal["csms_root", "manufacturer_root", "v2g_root", "mo_root", "oem_root", "v2g_chain"]


class _Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a station; the tag is the command's `kind`."""


class DeliverCertificate(_Order, tag="deliver_certificate", tag_field="kind", frozen=True, kw_only=True):
    """Give a station the certificate that it asked for. `number`: 2.1's requestId."""

    signing_request_id: UUID
    chain_pem: Annotated[str, Meta(max_length=10_000)]
    use: Kind = "station"
    number: int | None = None


class InstallCertificate(_Order, tag="install_certificate", tag_field="kind", frozen=True, kw_only=True):
    """Have a station trust a root from now on."""

    use: RootKind
    certificate_pem: Annotated[str, Meta(max_length=10_000)]


class DeleteCertificate(_Order, tag="delete_certificate", tag_field="kind", frozen=True, kw_only=True):
    """Have a station forget a certificate."""

    hashes: HashData


class ListCertificates(_Order, tag="list_certificates", tag_field="kind", frozen=True, kw_only=True):
    """Ask what a station has installed. Empty: everything."""

    uses: tuple[InstalledKind, ...] = ()


class SetNetworkProfile(_Order, tag="set_network_profile", tag_field="kind", frozen=True, kw_only=True):
    """2.x: how to reach us, in one of the station's slots."""

    slot: Annotated[int, Meta(ge=0, le=1000)]
    url: Annotated[str, Meta(pattern=r"^wss?://[^\s]{1,500}$")]
    security_profile: Annotated[int, Meta(ge=1, le=3)]
    interface: Literal["Any", "Wired0", "Wireless0"] = "Wired0"
    message_timeout_s: Annotated[int, Meta(ge=1, le=600)] = 30


CertificateOrder: TypeAlias = (
    DeliverCertificate | InstallCertificate | DeleteCertificate | ListCertificates | SetNetworkProfile
)
