"""OCPP 1.6 security extension, and Plug & Charge wrapped into DataTransfer: certificates. Translation, no decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.db import Connection
from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result, delivered
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.v16.asking import call, read_raw
from ohmstead.ocpp.work import Answers, Inbound, Work
from ohmstead.stations import orders as o
from ohmstead.stations.certificates import service
from ohmstead.stations.certificates.model import Installed, SigningReport
from ohmstead.stations.orders.form import CertificateRef, OrderForm
from ohmstead.stations.vendors import PLUG_AND_CHARGE

MOST_CERTIFICATE = 5500
_WRAPPED_USES = {"v2g_root": "V2GRootCertificate", "contract_root": "MORootCertificate"}
_USES: dict[str, m.CertificateUseEnumType] = {
    "central_root": "CentralSystemRootCertificate",
    "manufacturer_root": "ManufacturerRootCertificate",
}
_ALGORITHMS: dict[str, Any] = {"sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
_SAID_ALGORITHMS: dict[str, Any] = {said: ours for ours, said in _ALGORITHMS.items()}


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


def _use(given: str) -> m.CertificateUseEnumType:
    if given not in _USES:
        raise Refused(f"OCPP 1.6 knows no certificates for {given.replace('_', ' ')}", use=given)
    return _USES[given]


def _install(order: o.InstallCertificate, _station_id: str) -> list[Outgoing]:
    if order.use in _WRAPPED_USES:
        told = {"certificateType": _WRAPPED_USES[order.use], "certificate": order.certificate}
        return [_wrapped("InstallCertificate", told)]
    use = _use(order.use)
    if len(order.certificate) > MOST_CERTIFICATE:
        raise Refused(f"OCPP 1.6 carries certificates of at most {MOST_CERTIFICATE} characters")
    return [
        call("InstallCertificate", m.InstallCertificateRequest(certificate_type=use, certificate=order.certificate))
    ]


def _deliver(order: o.DeliverCertificate, station_id: str) -> list[Outgoing]:
    if order.use == "v2g20":
        raise Refused("OCPP 1.6 knows no certificates for ISO 15118-20", use=order.use)
    if order.use == "v2g":
        told = {"certificateChain": order.chain, "certificateType": "V2GCertificate"}
        plain = _wrapped("CertificateSigned", told)
    else:
        plain = call("CertificateSigned", m.CertificateSignedRequest(certificate_chain=order.chain))

    def read(answer: msgspec.Struct) -> Result:
        return delivered(plain.read(answer), order, station_id)

    return [Outgoing(action=plain.action, payload=plain.payload, read=read)]


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
        vendor_id=PLUG_AND_CHARGE, message_id=message_id, data=msgspec.json.encode(message).decode()
    )
    return call("DataTransfer", payload, read)


def _delete(order: o.DeleteCertificate, station_id: str) -> list[Outgoing]:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.DeleteCertificateResponse)

        async def keep(conn: Connection) -> None:
            if answer.status != "Failed":
                await service.delete_installed(conn, station_id, order.certificate)

        return msgspec.structs.replace(read_raw(answer), keep=keep)

    given = order.certificate
    data = m.CertificateHashDataType(
        hash_algorithm=_ALGORITHMS[given.hash_algorithm],
        issuer_name_hash=given.issuer_name_hash,
        issuer_key_hash=given.issuer_key_hash,
        serial_number=given.serial_number,
    )
    return [call("DeleteCertificate", m.DeleteCertificateRequest(certificate_hash_data=data), read)]


def _list(order: o.ListCertificates, station_id: str) -> list[Outgoing]:
    """One call for each use: 1.6 tells of one at a time."""
    return [_list_one(use, station_id) for use in ([_use(one) for one in order.uses] or _USES.values())]


def _list_one(use: m.CertificateUseEnumType, station_id: str) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetInstalledCertificateIdsResponse)
        found = [Installed(usage=use, certificate=_certificate_ref(one)) for one in answer.certificate_hash_data or []]

        async def keep(conn: Connection) -> None:
            await service.note_installed(conn, station_id, [use], found)

        return Result("accepted", answer.status if answer.status == "NotFound" else None, keep=keep)

    return call("GetInstalledCertificateIds", m.GetInstalledCertificateIdsRequest(certificate_type=use), read)


def _certificate_ref(told: m.CertificateHashDataType) -> CertificateRef:
    return CertificateRef(
        hash_algorithm=_SAID_ALGORITHMS[told.hash_algorithm],
        issuer_name_hash=told.issuer_name_hash,
        issuer_key_hash=told.issuer_key_hash,
        serial_number=told.serial_number,
    )


TABLE: dict[type[OrderForm], Callable[[Any, str], list[Outgoing]]] = {
    o.InstallCertificate: _install,
    o.DeleteCertificate: _delete,
    o.ListCertificates: _list,
    o.DeliverCertificate: _deliver,
}
