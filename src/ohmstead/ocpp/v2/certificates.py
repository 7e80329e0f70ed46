"""OCPP 2.0.1 and 2.1: certificates and network profiles, both ways. Translation only, no decisions."""

from __future__ import annotations

from typing import Any

import msgspec

from ohmstead.core.db import Connection
from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.work import Answers, Inbound, Work, kept
from ohmstead.stations.certificates import orders, service
from ohmstead.stations.certificates.model import HashData, Installed, Kind, SigningReport

_SIGNED_FOR: dict[str | None, Kind] = {
    None: "station",
    "ChargingStationCertificate": "station",
    "V2GCertificate": "v2g",
}
_SIGNING_USE: dict[Kind, m.CertificateSigningUseEnumType] = {
    "station": "ChargingStationCertificate",
    "v2g": "V2GCertificate",
}
_INSTALLED_USE: dict[str, Any] = {
    "csms_root": "CSMSRootCertificate",
    "manufacturer_root": "ManufacturerRootCertificate",
    "v2g_root": "V2GRootCertificate",
    "mo_root": "MORootCertificate",
    "oem_root": "OEMRootCertificate",
    "v2g_chain": "V2GCertificateChain",
}


def sign_certificate(message: m.SignCertificateRequest, inbound: Inbound) -> Work:
    kind = _SIGNED_FOR.get(message.certificate_type)
    if kind is None:
        # V2G20: ISO 15118-20 wants curves and profiles that no authority here offers.
        info = m.StatusInfoType(reason_code="UnsupportedRequest")
        return Work(
            records=(kept(inbound),), reply=lambda _: m.SignCertificateResponse(status="Rejected", status_info=info)
        )

    def reply(answers: Answers) -> m.SignCertificateResponse:
        assert answers.signing is not None
        if answers.signing.is_accepted:
            return m.SignCertificateResponse(status="Accepted")
        info = m.StatusInfoType(reason_code="InvalidCSR", additional_info=answers.signing.reason)
        return m.SignCertificateResponse(status="Rejected", status_info=info)

    return Work(
        signing=SigningReport(
            station_id=inbound.station.station_id,
            party_id=inbound.station.party_id,
            kind=kind,
            csr_pem=message.csr,
            at=inbound.received_at,
            number=message.request_id,
        ),
        reply=reply,
    )


def calls_for(order: orders.CertificateOrder, station_id: str) -> list[Outgoing]:
    """The calls that carry out an order."""
    match order:
        case orders.DeliverCertificate():
            return [_deliver(order, station_id)]
        case orders.InstallCertificate():
            install = m.InstallCertificateRequest(
                certificate_type=_INSTALLED_USE[order.use], certificate=order.certificate_pem
            )
            return [_simple("InstallCertificate", install)]
        case orders.DeleteCertificate():
            return [_delete(order, station_id)]
        case orders.ListCertificates():
            return [_list(order, station_id)]
        case orders.SetNetworkProfile():
            if order.interface == "Any":
                raise Refused("only OCPP 2.1 stations know the interface Any: name Wired0 or Wireless0")
            profile = m.NetworkConnectionProfileType(
                ocpp_interface=order.interface,
                ocpp_transport="JSON",
                ocpp_version="OCPP20",
                message_timeout=order.message_timeout_s,
                ocpp_csms_url=order.url,
                security_profile=order.security_profile,
            )
            request = m.SetNetworkProfileRequest(configuration_slot=order.slot, connection_data=profile)
            return [_simple("SetNetworkProfile", request)]


def _simple(action: str, payload: msgspec.Struct) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        status = getattr(answer, "status", "Accepted")
        return Result("accepted") if status == "Accepted" else Result("rejected", status)

    return Outgoing(action=action, payload=msgspec.json.encode(payload), read=read)


def _deliver(order: orders.DeliverCertificate, station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.CertificateSignedResponse)
        is_accepted, info = answer.status == "Accepted", answer.status_info
        text = None if is_accepted else info.reason_code if info else answer.status

        async def keep(conn: Connection) -> None:
            await service.answered(conn, station_id, order.signing_request_id, is_accepted=is_accepted, text=text)

        return Result("accepted" if is_accepted else "rejected", text, keep=keep)

    payload = m.CertificateSignedRequest(
        certificate_chain=order.chain_pem, certificate_type=_SIGNING_USE[order.use], request_id=order.number
    )
    return Outgoing(action="CertificateSigned", payload=msgspec.json.encode(payload), read=read)


def _delete(order: orders.DeleteCertificate, station_id: str) -> Outgoing:
    hashes = order.hashes

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.DeleteCertificateResponse)

        async def keep(conn: Connection) -> None:
            if answer.status != "Failed":
                await service.delete_installed(conn, station_id, hashes.serial_number, hashes.issuer_key_hash)

        is_done = answer.status == "Accepted"
        return Result("accepted" if is_done else "rejected", None if is_done else answer.status, keep=keep)

    payload = m.DeleteCertificateRequest(
        certificate_hash_data=m.CertificateHashDataType(**msgspec.structs.asdict(hashes))
    )
    return Outgoing(action="DeleteCertificate", payload=msgspec.json.encode(payload), read=read)


def _list(order: orders.ListCertificates, station_id: str) -> Outgoing:
    uses = [_INSTALLED_USE[use] for use in order.uses]

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetInstalledCertificateIdsResponse)
        found: list[Installed] = []
        for chain in answer.certificate_hash_data_chain or []:
            below = chain.child_certificate_hash_data or []
            found += [
                Installed(usage=chain.certificate_type, hashes=_hashes(one))
                for one in (chain.certificate_hash_data, *below)
            ]

        async def keep(conn: Connection) -> None:
            await service.note_installed(conn, station_id, uses, found)

        return Result("accepted", None if found else answer.status, keep=keep)

    payload = m.GetInstalledCertificateIdsRequest(certificate_type=uses or None)
    return Outgoing(action="GetInstalledCertificateIds", payload=msgspec.json.encode(payload), read=read)


def _hashes(told: m.CertificateHashDataType) -> HashData:
    return HashData(
        hash_algorithm=told.hash_algorithm,
        issuer_name_hash=told.issuer_name_hash,
        issuer_key_hash=told.issuer_key_hash,
        serial_number=told.serial_number,
    )
