"""Certificates of stations: requests taken, certificates issued and delivered, roots trusted, everything revocable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ohmstead.accounts import service as accounts
from ohmstead.accounts.access import Actor
from ohmstead.core import clock, jobs
from ohmstead.core.bus import Bus
from ohmstead.core.db import Connection, Pool
from ohmstead.core.errors import Conflict, ExternalFailure, Invalid, NotFound
from ohmstead.core.events import Event, record
from ohmstead.core.ids import new_id
from ohmstead.core.log import logger
from ohmstead.stations import service as stations
from ohmstead.stations.certificates import policy, store
from ohmstead.stations.certificates.model import (
    Installed,
    RevocationReason,
    SigningOutcome,
    SigningReport,
    SigningRequest,
    Use,
    kind_of,
)
from ohmstead.stations.certificates.ports import Signed, Signer
from ohmstead.stations.certificates.store import NewCertificate
from ohmstead.stations.commands import CommandDesk, Trigger
from ohmstead.stations.model import Signal
from ohmstead.stations.orders import DeliverCertificate
from ohmstead.stations.orders.upkeep import CertificateUse

log = logger("ohmstead.certificates")

SIGN_JOB = "sign_certificate"
CERTIFICATE_REVOKED = "ohmstead.certificate.revoked"
DELIVER_WITHIN_S = 7 * 86400.0
MOST_DELIVERIES = 10
RENEW_AHEAD = timedelta(days=30)
ASK_AGAIN_AFTER = timedelta(days=1)
RENEWALS_AT_ONCE = 20

find_known = store.find_known
list_revoked_of = store.list_revoked_of
list_authorities = store.list_authorities
delete_installed = store.delete_installed


# --------------------------------------------------------------------------------------------------------- requests


async def ask(
    conn: Connection, reports: Sequence[SigningReport], *, organization: str | None = None
) -> list[SigningOutcome]:
    """Stations ask for certificates: each request is judged and kept, and what was taken is told to the worker.

    The same request again, from a station in doubt, gets the same certificate: one that waits to be signed is not taken
    twice, and one that was signed is delivered once more.
    """
    if not reports:
        return []
    since = min(report.at for report in reports) - timedelta(hours=1)
    facts = await store.station_facts(conn, [report.station_id for report in reports], since)
    judged = [_judge(report, facts[report.station_id], organization) for report in reports]
    keys = [(r.station_id, key) for r, (key, _) in zip(reports, judged, strict=True) if key is not None]
    taken = await store.keys_of_others(conn, keys) if keys else set()
    digests = [policy.csr_hash(report.csr_pem) for report in reports]
    known = await store.find_earlier(
        conn, [(r.station_id, r.kind, digest) for r, digest in zip(reports, digests, strict=True) if digest is not None]
    )
    rows, facts_told, signals, outcomes = [], [], [], []
    for report, digest, (key, reason) in zip(reports, digests, judged, strict=True):
        if reason is None and (report.station_id, key) in taken:
            reason = "key_of_another"
        earlier = known.get((report.station_id, report.kind, digest or ""))
        if reason is None and earlier is not None and _is_on_its_way(earlier, report):
            await store.renumber_request(conn, earlier.signing_request_id, report.number)
            outcomes.append(SigningOutcome())
            continue
        certificate_id = earlier.certificate_id if reason is None and earlier is not None else None
        request_id = new_id()
        status = "refused" if reason is not None else "accepted" if certificate_id is None else "signed"
        rows.append(
            (
                *(request_id, report.party_id, report.station_id, report.kind),
                *(report.csr_pem[: policy.LONGEST_CSR].replace("\0", "\ufffd"), digest, key),
                *(report.number, status, reason, certificate_id, report.at),
            )
        )
        outcomes.append(SigningOutcome(reason))
        if reason is None:
            facts_told.append(_event("CertificateRequested", report, {"signing_request_id": str(request_id)}))
        else:
            detail = {"reason": reason, "use": report.kind}
            signals.append(
                _signal("certificate_request_refused", report.party_id, report.station_id, report.at, detail)
            )
    await store.insert_requests(conn, rows)
    await record(conn, facts_told)
    await stations.keep_signals(conn, signals)
    return outcomes


def _judge(report: SigningReport, facts: store.StationFacts, organization: str | None) -> tuple[str | None, str | None]:
    """(hash of the key, why not)."""
    names = {facts.certificate_name or report.station_id}
    if report.kind in ("v2g", "v2g20"):
        names |= {report.station_id} | ({facts.secc_id} if facts.secc_id else set())
    rules = policy.Policy(use=report.kind, names=names, organization=organization, n_within_hour=facts.n_within_hour)
    try:
        return policy.check(report.csr_pem, rules).key_hash, None
    except policy.Refusal as refusal:
        return None, refusal.reason


def _is_on_its_way(earlier: store.Earlier, report: SigningReport) -> bool:
    """Will the answer to the earlier one answer this one, too? A 2.1 station wants the number that it gave last."""
    return earlier.status == "accepted" or (
        earlier.status == "signed" and earlier.certificate_id is not None and earlier.request_number == report.number
    )


async def enqueue_signing(conn: Connection, found: list[Event]) -> None:
    """Outbox consumer: a request was taken. Signing may go over the network, so it is a job."""
    for event in found:
        await jobs.enqueue(conn, SIGN_JOB, {"signing_request_id": event.payload["signing_request_id"]})


async def sign(pool: Pool, desk: CommandDesk, signers: Mapping[Use, Signer], payload: Any) -> None:
    """Job: have the request signed, unless it is already, and bring the certificate to the station.

    A signer that is away raises: the job comes again, later and later.
    """
    async with pool.acquire() as conn:
        request = await store.find_request(conn, UUID(payload["signing_request_id"]))
    if request is None or request.status not in ("accepted", "signed") or request.command_id is not None:
        return
    if request.status == "accepted":
        try:
            signed = await signers[request.kind].sign(request.csr_pem, request.kind)
            certificate = _issued(request, signed)
        except ExternalFailure as error:
            log.warning("certificate_not_signed", station_id=request.station_id, error=error.text)
            if not error.permanent:
                raise
            await _give_up(pool, request, error.text)
            return
        async with pool.acquire() as conn, conn.transaction():
            if not await store.insert_certificate(conn, certificate):
                raise ExternalFailure("the authority gave out the same certificate twice")
            if not await store.request_signed(conn, request.signing_request_id, certificate.certificate_id):
                raise Conflict("the request was signed meanwhile")
            detail = {"certificate_id": str(certificate.certificate_id), "not_after": certificate.not_after.isoformat()}
            await record(conn, [_event("CertificateIssued", request, detail)])
        chain = certificate.chain_pem
    else:
        async with pool.acquire() as conn:
            assert request.certificate_id is not None
            chain = await store.find_chain(conn, request.party_id, request.certificate_id) or ""
    await _deliver(pool, desk, request, chain)


def _issued(request: SigningRequest, signed: Signed) -> NewCertificate:
    """The row of a certificate. Raises ExternalFailure when it is not what was asked for."""
    leaf = x509.load_pem_x509_certificates(signed.chain_pem.encode())[0]
    if policy.key_hash(leaf) != policy.key_hash(policy.parse(request.csr_pem)):
        raise ExternalFailure("the authority certified another key than the station's", permanent=True)
    return described(leaf, request.party_id, request.station_id, kind_of(request.kind), "issued", signed)


def described(
    leaf: x509.Certificate, party_id: UUID, station_id: str | None, kind: str, status: Any, signed: Signed
) -> NewCertificate:
    """What the register keeps of a certificate."""
    return NewCertificate(
        certificate_id=new_id(),
        party_id=party_id,
        station_id=station_id,
        kind=kind,
        status=status,
        authority_id=signed.authority_id,
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        serial=f"{leaf.serial_number:x}",
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        key_hash=policy.key_hash(leaf),
        chain_pem=signed.chain_pem,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


async def _deliver(pool: Pool, desk: CommandDesk, request: SigningRequest, chain_pem: str) -> None:
    """A station that is away gets it when it comes back; its answer is taken in by `answered`, whenever it comes."""
    order = DeliverCertificate(
        signing_request_id=request.signing_request_id,
        chain=chain_pem,
        use=request.kind,
        request_id=request.request_number,
    )
    try:
        command = await desk.send(
            order,
            party_id=request.party_id,
            station_id=request.station_id,
            requested_by="system:certificates",
            queue_for_s=DELIVER_WITHIN_S,
        )
    except NotFound:
        await _give_up(pool, request, "the station is no longer in service")
        return
    async with pool.acquire() as conn, conn.transaction():
        await store.request_sent(conn, request.signing_request_id, command.command_id)


async def _give_up(pool: Pool, request: SigningRequest, reason: str) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await _finish(conn, request.signing_request_id, "failed", reason)


async def _finish(
    conn: Connection, signing_request_id: UUID, status: str, reason: str | None, station_id: str | None = None
) -> SigningRequest | None:
    """The end of a request; what went wrong is a signal and gives the certificate up."""
    at = clock.now()
    request = await store.request_finished(conn, signing_request_id, status, reason, at, station_id)
    if request is None or status == "delivered":
        return request
    if request.certificate_id is not None:
        await store.spoil_crls(conn, [await store.reject(conn, request.certificate_id)])
    detail = {"reason": reason or status, "use": request.kind}
    await stations.keep_signals(
        conn, [_signal(f"certificate_{status}", request.party_id, request.station_id, at, detail)]
    )
    return request


async def answered(
    conn: Connection, station_id: str, signing_request_id: UUID, *, is_accepted: bool, text: str | None
) -> None:
    """The station took its certificate, or would not. What it says of another station's counts for nothing."""
    request = await _finish(conn, signing_request_id, "delivered" if is_accepted else "rejected", text, station_id)
    if request is None or not is_accepted or request.certificate_id is None:
        return
    await record(conn, [_event("CertificateDelivered", request, {"certificate_id": str(request.certificate_id)})])
    if kind_of(request.kind) != "station":
        # Cars see it, we do not: that the station took it is all we ever learn.
        await arrived(conn, request.certificate_id)


async def follow_up(pool: Pool) -> int:
    """Timer: certificates that did not reach their station are sent again, or given up; requests that nobody signed are
    over after a day.
    """
    async with pool.acquire() as conn, conn.transaction():
        for request_id in await store.list_unsigned(conn, clock.now() - ASK_AGAIN_AFTER):
            await _finish(conn, request_id, "failed", "nobody signed it")
        found = await store.list_undelivered(conn, MOST_DELIVERIES)
        for request_id, tries, is_worth_it in found:
            if is_worth_it:
                await store.request_resent(conn, request_id)
                again = {"signing_request_id": str(request_id)}
                await jobs.enqueue(conn, SIGN_JOB, again, after_s=min(5.0 * 2**tries, 600))
            else:
                await _finish(conn, request_id, "failed", "the station did not answer CertificateSigned as it should")
    return len(found)


# ------------------------------------------------------------------------------------------------------ in use, over


async def arrived(conn: Connection, certificate_id: UUID) -> list[str]:
    """A certificate is in use for the first time: what it replaces is revoked. Returns those fingerprints."""
    at = clock.now()
    used = await store.activate(conn, certificate_id, at)
    if used is None:
        return []
    replaced = await store.supersede(conn, certificate_id, at)
    await store.spoil_crls(conn, [old["authority_id"] for old in replaced])
    facts = [_fact("CertificateActivated", used, {"not_after": used["not_after"].isoformat()})]
    facts += [_fact("CertificateRevoked", old, {"reason": "superseded"}) for old in replaced]
    await record(conn, facts)
    return [old["fingerprint"] for old in replaced]


async def revoke(
    conn: Connection, actor: Actor, certificate_id: UUID, reason: RevocationReason = "unspecified"
) -> dict[str, Any]:
    """Good no longer, from now on; after the commit `announce` ends the connection that came with it.

    Raises NotFound, and Conflict when it was revoked before.
    """
    revoked = await store.revoke(conn, actor.party_id, certificate_id, reason, clock.now())
    if revoked is None:
        if await store.find_chain(conn, actor.party_id, certificate_id):
            raise Conflict("it was revoked before")
        raise NotFound(f"no certificate {certificate_id}")
    await store.spoil_crls(conn, [revoked["authority_id"]])
    await record(conn, [_fact("CertificateRevoked", revoked, {"reason": reason, "by": actor.actor_id})])
    await accounts.audit(conn, actor, "certificate.revoked", f"certificate/{certificate_id}", {"reason": reason})
    return revoked


async def announce(bus: Bus, fingerprints: Sequence[str]) -> None:
    """After the commit: gateways end the connections that came with these certificates."""
    await bus.publish(CERTIFICATE_REVOKED, {"fingerprints": list(fingerprints)})


async def renew(pool: Pool, desk: CommandDesk) -> int:
    """Timer: stations whose certificate ends soon are asked to make a new request."""
    async with pool.acquire() as conn, conn.transaction():
        due = await store.list_to_renew(conn, clock.now(), RENEW_AHEAD, ASK_AGAIN_AFTER)
    at_once = asyncio.Semaphore(RENEWALS_AT_ONCE)

    async def ask_for_one(one: dict[str, Any]) -> None:
        async with at_once:
            await desk.send(
                request_order(one["use"], one["ocpp_version"]),
                party_id=one["party_id"],
                station_id=one["station_id"],
                requested_by="system:certificates",
                timeout_s=20,
            )

    await asyncio.gather(*(ask_for_one(one) for one in due))
    return len(due)


def request_order(use: Use, ocpp_version: str | None) -> Trigger:
    """Asks a station to send a request for a certificate; one for both uses is 2.x's, 1.6 is asked for its own."""
    if use == "v2g":
        return Trigger(message="SignV2GCertificate")
    if use == "v2g20":
        return Trigger(message="SignV2G20Certificate")
    if use == "combined" and ocpp_version != "1.6":
        return Trigger(message="SignCombinedCertificate")
    return Trigger(message="SignChargePointCertificate" if ocpp_version == "1.6" else "SignChargingStationCertificate")


# ------------------------------------------------------------------------------------------------------------ roots


async def add_root(conn: Connection, actor: Actor, kind: CertificateUse, pem: str) -> UUID:
    """Trust a root, and have it at hand for stations. Raises Invalid, and Conflict when it is there.

    For contracts an authority below a root can be trusted by itself, too: where stations send hashes only, it must be
    known for the responder's signature to be believed.
    """
    try:
        (root,) = x509.load_pem_x509_certificates(pem.encode())
        root.public_key()
        is_authority = root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        if kind not in ("contract_root", "v2g_root"):
            root.verify_directly_issued_by(root)
    except x509.ExtensionNotFound:
        is_authority = False
    except Exception as error:
        raise Invalid("not one certificate in PEM form, or not its own root", field="certificate_pem") from error
    if not is_authority:
        raise Invalid("not an authority's certificate", field="certificate_pem")
    if root.not_valid_after_utc <= clock.now():
        raise Invalid("it has expired", field="certificate_pem")
    new = described(root, actor.party_id, None, kind, "active", Signed(chain_pem=pem))
    if not await store.insert_certificate(conn, new):
        raise Conflict("this root is there already", code="taken")
    await accounts.audit(conn, actor, "certificate.root_added", f"certificate/{new.certificate_id}", {"use": kind})
    return new.certificate_id


async def note_installed(conn: Connection, station_id: str, usages: Sequence[str], found: Sequence[Installed]) -> None:
    """What a station says it has installed; `usages` is what it was asked for, empty for all."""
    await store.replace_installed(conn, station_id, usages, found, clock.now())


def _event(kind: str, about: SigningReport | SigningRequest, detail: dict[str, Any]) -> Event:
    return Event(
        kind=kind,
        subject=f"station/{about.station_id}",
        party_id=about.party_id,
        payload={"station_id": about.station_id, "use": about.kind, **detail},
    )


def _fact(kind: str, row: Mapping[str, Any], detail: dict[str, Any]) -> Event:
    where = f"station/{row['station_id']}" if row["station_id"] else f"certificate/{row['certificate_id']}"
    told = {"station_id": row["station_id"], "certificate_id": str(row["certificate_id"]), "use": row["kind"]}
    return Event(kind=kind, subject=where, party_id=row["party_id"], payload={**told, **detail})


def _signal(kind: str, party_id: UUID, station_id: str, at: datetime, detail: dict[str, Any]) -> Signal:
    return Signal(kind=kind, at=at, party_id=party_id, station_id=station_id, detail=detail)
