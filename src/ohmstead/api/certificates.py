"""/certificates and what stations have of them: issue, install, revoke; raising a security profile."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta, Struct

from ohmstead.api.operations import (
    ApiRequest,
    Keyset,
    Page,
    TheActor,
    TheBus,
    TheDesk,
    ThePool,
    TheSettings,
    answer,
    listed,
    operation,
)
from ohmstead.core.db import Connection
from ohmstead.core.errors import Refused
from ohmstead.core.events import NUDGE
from ohmstead.stations.certificates import queries, service, upgrades
from ohmstead.stations.certificates.model import ProfileUpgrade, RevocationReason, Use
from ohmstead.stations.certificates.queries import (
    AuthorityView,
    CertificateFilter,
    CertificateView,
    InstalledView,
    SigningRequestView,
)
from ohmstead.stations.certificates.revocation import queries as revocation
from ohmstead.stations.certificates.revocation.queries import RevocationListView
from ohmstead.stations.commands import Command
from ohmstead.stations.orders import CertificateRef, DeleteCertificate, InstallCertificate, ListCertificates
from ohmstead.stations.orders.upkeep import CertificateUse
from ohmstead.stations.queries import get_station_view, without_secrets

KEYSET = Keyset(
    item=CertificateView, type=tuple[datetime, UUID], of=lambda found: (found.not_after, found.certificate_id)
)


class CertificateQuery(CertificateFilter, kw_only=True, forbid_unknown_fields=True):
    """The query of the list of certificates."""

    limit: Annotated[int, Meta(ge=1, le=500, description="Items in a page.")] = 50
    cursor: Annotated[str, Meta(max_length=1000, description="`next_cursor` of the page before.")] | None = None


class Authorities(Struct, frozen=True):
    """The installation's own authorities."""

    items: list[AuthorityView]


class RevocationLists(Struct, frozen=True):
    """Lists of other authorities, and what is done when one cannot be had."""

    policy: Annotated[
        Literal["refuse", "admit"], Meta(description="Stations whose list cannot be had. Contracts are refused always.")
    ]
    hosts: Annotated[list[str], Meta(description="From which lists are fetched; empty: none are.")]
    items: list[RevocationListView]


class InstalledCertificates(Struct, frozen=True):
    """What a station last said it has installed."""

    items: list[InstalledView]


class SigningRequests(Struct, frozen=True):
    """A station's latest requests for certificates."""

    items: list[SigningRequestView]


class ProfileUpgrades(Struct, frozen=True):
    """A station's latest upgrades of its security profile."""

    items: list[ProfileUpgrade]


class NewRoot(Struct, kw_only=True, forbid_unknown_fields=True):
    """A root to trust and to install on stations."""

    kind: CertificateUse
    certificate_pem: Annotated[str, Meta(max_length=10_000, description="One self-signed certificate, PEM.")]


class Revocation(Struct, kw_only=True, forbid_unknown_fields=True):
    """Why."""

    reason: RevocationReason = "unspecified"


class Renewal(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which certificate the station shall ask for."""

    kind: Annotated[Use, Meta(description="combined: one for us and for cars.")] = "station"


class Installation(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which root."""

    certificate_id: UUID


class Deletion(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which certificate, as the station listed it."""

    certificate: CertificateRef


class NewProfileUpgrade(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where to. `url` and `slot` are for OCPP 2.x, whose stations connect by network profiles."""

    to_profile: Annotated[int, Meta(ge=2, le=3)]
    url: Annotated[str, Meta(pattern=r"^wss://[^\s]{1,500}$", description="As `wss://host:9443/ocpp`.")] | None = None
    slot: Annotated[int, Meta(ge=0, le=1000)] = 2


@get("/certificates", opt=operation("stations:read"))
async def list_certificates(
    request: ApiRequest, pool: ThePool, actor: TheActor, filters: NamedDependency[CertificateQuery]
) -> Response[Page[CertificateView]]:
    """List certificates, the next to end first."""

    async def fetch(conn: Connection, after: Any, limit: int) -> list[CertificateView]:
        return await queries.list_certificates(conn, actor.party_id, filters, after=after, limit=limit)

    return await listed(request, pool, KEYSET, fetch, filters)


@get("/certificates/authorities", opt=operation("stations:read"))
async def list_authorities(pool: ThePool) -> Response[Authorities]:
    """List the installation's own authorities, with their certificates to download."""
    async with pool.acquire() as conn:
        return answer(Authorities(await queries.list_authority_views(conn)))


@get("/certificates/revocation-lists", opt=operation("stations:read"))
async def list_revocation_lists(pool: ThePool, settings: TheSettings) -> Response[RevocationLists]:
    """List the revocation lists of other authorities that are in use, those that fail first."""
    async with pool.acquire() as conn:
        items = await revocation.list_revocation_lists(conn)
    return answer(RevocationLists(policy=settings.crl_failure, hosts=list(settings.crl_hosts), items=items))


@post("/certificates/roots", opt=operation("stations:write", errors=(409,)))
async def add_root(pool: ThePool, actor: TheActor, given: NamedDependency[NewRoot]) -> Response[CertificateView]:
    """Trust a root. Contract certificates may lead to `v2g_root` and `contract_root`; any can be installed on stations."""
    async with pool.acquire() as conn, conn.transaction():
        certificate_id = await service.add_root(conn, actor, given.kind, given.certificate_pem)
        found = await queries.get_certificate(conn, actor.party_id, certificate_id)
    return answer(found, status=201, headers={"Location": f"/api/v1/certificates/{certificate_id}"})


@get("/certificates/{certificate_id:uuid}", opt=operation("stations:read", errors=(404,)))
async def get_certificate(pool: ThePool, actor: TheActor, certificate_id: FromPath[UUID]) -> Response[CertificateView]:
    """Read a certificate."""
    async with pool.acquire() as conn:
        return answer(await queries.get_certificate(conn, actor.party_id, certificate_id))


@post(
    "/certificates/{certificate_id:uuid}/revoke",
    status_code=200,
    opt=operation("stations:write", errors=(404, 409)) | {"needs_proof": True},
)
async def revoke_certificate(
    pool: ThePool, bus: TheBus, actor: TheActor, certificate_id: FromPath[UUID], given: NamedDependency[Revocation]
) -> Response[CertificateView]:
    """Revoke a certificate, for good. A station that is connected with it is disconnected.

    `revocation_told` says whether anybody else learns of it.
    """
    async with pool.acquire() as conn, conn.transaction():
        revoked = await service.revoke(conn, actor, certificate_id, given.reason)
        found = await queries.get_certificate(conn, actor.party_id, certificate_id)
    await service.announce(bus, [revoked["fingerprint"]])
    await bus.publish(NUDGE, {})
    return answer(found)


@get("/stations/{station_id:str}/certificates/requests", opt=operation("stations:read", errors=(404,)))
async def list_signing_requests(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[SigningRequests]:
    """List a station's requests for certificates and what became of them."""
    async with pool.acquire() as conn:
        station = await get_station_view(conn, actor.party_id, station_id)
        found = await queries.list_signing_requests(conn, actor.party_id, station.station_id)
    return answer(SigningRequests(found))


@post("/stations/{station_id:str}/certificates/renew", status_code=200, opt=operation("stations:write", errors=(404,)))
async def renew_certificate(
    pool: ThePool, desk: TheDesk, actor: TheActor, station_id: FromPath[str], given: NamedDependency[Renewal]
) -> Response[Command]:
    """Ask a station for a new request, and so for a new certificate.

    The old one is good until the station came back with the new one.
    """
    async with pool.acquire() as conn:
        station = await get_station_view(conn, actor.party_id, station_id)
    order = service.request_order(given.kind, station.ocpp_version)
    command = await desk.send(
        order, party_id=actor.party_id, station_id=station.station_id, requested_by=actor.actor_id
    )
    return answer(without_secrets(command))


@get("/stations/{station_id:str}/certificates/installed", opt=operation("stations:read", errors=(404,)))
async def list_installed(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[InstalledCertificates]:
    """List what a station said it has installed, when it was last asked."""
    async with pool.acquire() as conn:
        station = await get_station_view(conn, actor.party_id, station_id)
        return answer(InstalledCertificates(await queries.list_installed(conn, actor.party_id, station.station_id)))


@post(
    "/stations/{station_id:str}/certificates/installed/refresh",
    status_code=200,
    opt=operation("commands:send", errors=(404,)),
)
async def refresh_installed(desk: TheDesk, actor: TheActor, station_id: FromPath[str]) -> Response[Command]:
    """Ask a station what it has installed."""
    command = await desk.send(
        ListCertificates(), party_id=actor.party_id, station_id=station_id, requested_by=actor.actor_id
    )
    return answer(without_secrets(command))


@post(
    "/stations/{station_id:str}/certificates/install",
    status_code=200,
    opt=operation("stations:write", errors=(404, 409)),
)
async def install_certificate(
    pool: ThePool, desk: TheDesk, actor: TheActor, station_id: FromPath[str], given: NamedDependency[Installation]
) -> Response[Command]:
    """Install one of the party's roots on a station."""
    async with pool.acquire() as conn:
        root = await queries.get_certificate(conn, actor.party_id, given.certificate_id)
    if root.kind == "station" or root.kind == "v2g" or root.kind == "v2g20" or root.status != "active":
        raise Refused("only roots that are trusted can be installed")
    order = InstallCertificate(use=root.kind, certificate=root.chain_pem)
    command = await desk.send(order, party_id=actor.party_id, station_id=station_id, requested_by=actor.actor_id)
    return answer(without_secrets(command))


@post(
    "/stations/{station_id:str}/certificates/delete",
    status_code=200,
    opt=operation("stations:write", errors=(404,)),
)
async def delete_certificate(
    desk: TheDesk, actor: TheActor, station_id: FromPath[str], given: NamedDependency[Deletion]
) -> Response[Command]:
    """Have a station forget a certificate, named by its hashes as the station listed them."""
    order = DeleteCertificate(certificate=given.certificate)
    command = await desk.send(order, party_id=actor.party_id, station_id=station_id, requested_by=actor.actor_id)
    return answer(without_secrets(command))


@get("/stations/{station_id:str}/security-profile", opt=operation("stations:read", errors=(404,)))
async def list_upgrades(pool: ThePool, actor: TheActor, station_id: FromPath[str]) -> Response[ProfileUpgrades]:
    """List upgrades of a station's security profile."""
    async with pool.acquire() as conn:
        station = await get_station_view(conn, actor.party_id, station_id)
        return answer(ProfileUpgrades(await queries.list_upgrades(conn, actor.party_id, station.station_id)))


@post("/stations/{station_id:str}/security-profile", status_code=202, opt=operation("stations:write", errors=(404,)))
async def raise_profile(
    pool: ThePool,
    bus: TheBus,
    settings: TheSettings,
    actor: TheActor,
    station_id: FromPath[str],
    given: NamedDependency[NewProfileUpgrade],
) -> Response[ProfileUpgrades]:
    """Raise a station's security profile.

    To 3: it is given a certificate first. Until it first came with the new profile both are good; then the old one is
    refused. It is never lowered by this, and given up after a day.
    """
    async with pool.acquire() as conn, conn.transaction():
        station = await get_station_view(conn, actor.party_id, station_id)
        if given.url is None and not settings.has_tls and not settings.trusted_proxies:
            raise Refused("this installation serves stations without TLS only: name the address that has it, with url")
        await upgrades.start(conn, actor, station.station_id, given.to_profile, url=given.url, slot=given.slot)
        found = await queries.list_upgrades(conn, actor.party_id, station.station_id)
    await bus.publish(NUDGE, {})
    return answer(ProfileUpgrades(found), status=202)


HANDLERS = [
    list_certificates,
    list_authorities,
    list_revocation_lists,
    add_root,
    get_certificate,
    revoke_certificate,
    list_signing_requests,
    renew_certificate,
    list_installed,
    refresh_installed,
    install_certificate,
    delete_certificate,
    list_upgrades,
    raise_profile,
]
