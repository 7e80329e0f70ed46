"""OCPP 1.6 security extension, and Plug & Charge wrapped into DataTransfer: certificates. Translation, no decisions."""

from __future__ import annotations

from typing import Any

import msgspec

from ohmstead.core.db import Connection
from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.work import Answers, Inbound, Work
from ohmstead.stations.certificates import orders, service
from ohmstead.stations.certificates.model import HashData, Installed, SigningReport

PNC_VENDOR = "org.openchargealliance.iso15118pnc"
_PNC_USE = {"v2g_root": "V2GRootCertificate", "mo_root": "MORootCertificate"}
_INSTALLED_USE: dict[str, m.CertificateUseEnumType] = {
    "csms_root": "CentralSystemRootCertificate",
    "manufacturer_root": "ManufacturerRootCertificate",
}


def sign_certificate(message: m.SignCertificateRequest, inbound: Inbound) -> Work:
    def reply(answers: Answers) -> m.SignCertificateResponse:
        assert answers.signing is not None
        return m.SignCertificateResponse(status="Accepted" if answers.signing.is_accepted else "Rejected")

    return Work(
        signing=SigningReport(
            station_id=inbound.station.station_id,
            party_id=inbound.station.party_id,
            kind="station",
            csr_pem=message.csr,
            at=inbound.received_at,
        ),
        reply=reply,
    )


def calls_for(order: orders.CertificateOrder, station_id: str) -> list[Outgoing]:
    """The calls that carry out an order. Raises Refused for what 1.6 cannot do."""
    match order:
        case orders.DeliverCertificate():
            return [_deliver(order, station_id)]
        case orders.InstallCertificate():
            if order.use in _PNC_USE:
                wrapped = {"certificateType": _PNC_USE[order.use], "certificate": order.certificate_pem}
                return [_wrapped("InstallCertificate", wrapped)]
            use = _use(order.use)
            if len(order.certificate_pem) > 5500:
                raise Refused("OCPP 1.6 carries certificates of at most 5500 characters")
            install = m.InstallCertificateRequest(certificate_type=use, certificate=order.certificate_pem)
            return [_simple("InstallCertificate", install)]
        case orders.DeleteCertificate():
            return [_delete(order, station_id)]
        case orders.ListCertificates():
            # One use at a time.
            uses = [_use(use) for use in order.uses] or list(_INSTALLED_USE.values())
            return [_list(use, station_id) for use in uses]
        case orders.SetNetworkProfile():
            raise Refused("OCPP 1.6 has no network profiles")


def _use(use: str) -> m.CertificateUseEnumType:
    found = _INSTALLED_USE.get(use)
    if found is None:
        raise Refused("OCPP 1.6 knows csms_root and manufacturer_root only", use=use)
    return found


def _simple(action: str, payload: msgspec.Struct) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        status = getattr(answer, "status", "Accepted")
        return Result("accepted") if status == "Accepted" else Result("rejected", status)

    return Outgoing(action=action, payload=msgspec.json.encode(payload), read=read)


def _deliver(order: orders.DeliverCertificate, station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.CertificateSignedResponse)
        is_accepted = answer.status == "Accepted"
        text = None if is_accepted else answer.status

        async def keep(conn: Connection) -> None:
            await service.answered(conn, station_id, order.signing_request_id, is_accepted=is_accepted, text=text)

        return Result("accepted" if is_accepted else "rejected", text, keep=keep)

    if order.use == "v2g":
        return _wrapped_delivery(order, station_id)
    payload = m.CertificateSignedRequest(certificate_chain=order.chain_pem)
    return Outgoing(action="CertificateSigned", payload=msgspec.json.encode(payload), read=read)


def _wrapped_delivery(order: orders.DeliverCertificate, station_id: str) -> Outgoing:
    told = {"certificateChain": order.chain_pem, "certificateType": "V2GCertificate"}
    plain = _wrapped("CertificateSigned", told)

    def read(answer: msgspec.Struct) -> Result:
        result = plain.read(answer)
        is_accepted = result.status == "accepted"

        async def keep(conn: Connection) -> None:
            await service.answered(
                conn, station_id, order.signing_request_id, is_accepted=is_accepted, text=result.text
            )

        return Result(result.status, result.text, keep=keep)

    return Outgoing(action=plain.action, payload=plain.payload, read=read)


def ask_for_v2g_request() -> Outgoing:
    """Plug & Charge's own trigger: 1.6 itself knows no V2G certificates."""
    return _wrapped("TriggerMessage", {"requestedMessage": "SignV2GCertificate"})


def _wrapped(message_id: str, message: dict[str, str]) -> Outgoing:
    """A message of 2.0.1 in a DataTransfer; accepted when both the wrapping and what was in it are."""

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.DataTransferResponse)
        if answer.status != "Accepted":
            return Result("rejected", answer.status)
        try:
            status = str(msgspec.json.decode(answer.data or "{}", type=dict[str, Any]).get("status", "Accepted"))
        except msgspec.DecodeError:
            return Result("rejected", "unreadable")
        return Result("accepted") if status == "Accepted" else Result("rejected", status[:50])

    payload = m.DataTransferRequest(
        vendor_id=PNC_VENDOR, message_id=message_id, data=msgspec.json.encode(message).decode()
    )
    return Outgoing(action="DataTransfer", payload=msgspec.json.encode(payload), read=read)


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


def _list(use: m.CertificateUseEnumType, station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetInstalledCertificateIdsResponse)
        found = [
            Installed(
                usage=use,
                hashes=HashData(
                    hash_algorithm=one.hash_algorithm,
                    issuer_name_hash=one.issuer_name_hash,
                    issuer_key_hash=one.issuer_key_hash,
                    serial_number=one.serial_number,
                ),
            )
            for one in answer.certificate_hash_data or []
        ]

        async def keep(conn: Connection) -> None:
            await service.note_installed(conn, station_id, [use], found)

        return Result("accepted", None if found else answer.status, keep=keep)

    payload = m.GetInstalledCertificateIdsRequest(certificate_type=use)
    return Outgoing(action="GetInstalledCertificateIds", payload=msgspec.json.encode(payload), read=read)
