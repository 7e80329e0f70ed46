"""OCPP 2.0.1 and 2.1: certificates, both ways. Translation only, no decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.db import Connection
from ohmstead.ocpp.outgoing import Outgoing, Result, delivered
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, certificate, certificate_ref, read_found, read_raw
from ohmstead.ocpp.work import Answers, Inbound, Work, kept
from ohmstead.stations import orders as o
from ohmstead.stations.certificates import service
from ohmstead.stations.certificates.model import Installed, SigningReport, Use
from ohmstead.stations.orders.form import OrderForm

_SIGNED_FOR: dict[str | None, Use] = {
    None: "combined",
    "ChargingStationCertificate": "station",
    "V2GCertificate": "v2g",
    "V2G20Certificate": "v2g20",
}
_USES: dict[str, Any] = {
    "central_root": "CSMSRootCertificate",
    "manufacturer_root": "ManufacturerRootCertificate",
    "v2g_root": "V2GRootCertificate",
    "contract_root": "MORootCertificate",
    "oem_root": "OEMRootCertificate",
    "v2g_chain": "V2GCertificateChain",
}
_OWN: dict[str, Any] = {
    "station": "ChargingStationCertificate",
    "v2g": "V2GCertificate",
    "v2g20": "V2G20Certificate",
    "combined": None,
}


def sign_certificate(message: m.SignCertificateRequest, inbound: Inbound) -> Work:
    kind = _SIGNED_FOR.get(message.certificate_type)
    if kind is None:
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


def _install(order: o.InstallCertificate, _station_id: str) -> list[Outgoing]:
    payload = m.InstallCertificateRequest(certificate_type=_USES[order.use], certificate=order.certificate)
    return [call("InstallCertificate", payload)]


def _deliver(order: o.DeliverCertificate, station_id: str) -> list[Outgoing]:
    def read(answer: msgspec.Struct) -> Result:
        return delivered(read_raw(answer), order, station_id)

    payload = m.CertificateSignedRequest(
        certificate_chain=order.chain, certificate_type=_OWN[order.use], request_id=order.request_id
    )
    return [call("CertificateSigned", payload, read)]


def _delete(order: o.DeleteCertificate, station_id: str) -> list[Outgoing]:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.DeleteCertificateResponse)
        result = read_raw(answer)

        async def keep(conn: Connection) -> None:
            if answer.status != "Failed":
                await service.delete_installed(conn, station_id, order.certificate)

        return msgspec.structs.replace(result, keep=keep)

    payload = m.DeleteCertificateRequest(certificate_hash_data=certificate(order.certificate))
    return [call("DeleteCertificate", payload, read)]


def _list(order: o.ListCertificates, station_id: str) -> list[Outgoing]:
    uses = [_USES[use] for use in order.uses]

    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.GetInstalledCertificateIdsResponse)
        found: list[Installed] = []
        for chain in answer.certificate_hash_data_chain or []:
            below = chain.child_certificate_hash_data or []
            found += [
                Installed(usage=chain.certificate_type, certificate=certificate_ref(one))
                for one in (chain.certificate_hash_data, *below)
            ]

        async def keep(conn: Connection) -> None:
            await service.note_installed(conn, station_id, uses, found)

        return msgspec.structs.replace(read_found(answer), keep=keep)

    payload = m.GetInstalledCertificateIdsRequest(certificate_type=uses or None)
    return [call("GetInstalledCertificateIds", payload, read)]


TABLE: dict[type[OrderForm], Callable[[Any, str], list[Outgoing]]] = {
    o.InstallCertificate: _install,
    o.DeleteCertificate: _delete,
    o.ListCertificates: _list,
    o.DeliverCertificate: _deliver,
}
