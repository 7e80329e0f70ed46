"""OCPP 1.6 with its security extension, us → station: diagnostics, logs, firmware, certificates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.v16.asking import call, instant, number, read_raw
from ohmstead.stations import orders as o
from ohmstead.stations.orders.form import OrderForm

_LOGS: dict[str, Any] = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog"}
_USES: dict[str, Any] = {
    "central_root": "CentralSystemRootCertificate",
    "manufacturer_root": "ManufacturerRootCertificate",
}
_ELSEWHERE = "contract certificates travel in data_transfer for org.openchargealliance.iso15118pnc"


def _use(given: str) -> Any:
    if given not in _USES:
        raise Refused(f"OCPP 1.6 has no certificates for {given.replace('_', ' ')}; {_ELSEWHERE}")
    return _USES[given]


def _get_log(order: o.GetLog) -> Outgoing:
    if order.log not in _LOGS:
        raise Refused("OCPP 1.6 has no log of a data collector")
    where = m.LogParametersType(
        remote_location=order.url, oldest_timestamp=instant(order.since), latest_timestamp=instant(order.until)
    )
    payload = m.GetLogRequest(
        log=where,
        log_type=_LOGS[order.log],
        request_id=number(order.request_id),
        retries=order.retries,
        retry_interval=order.retry_after_s,
    )
    return call("GetLog", payload)


def _diagnostics(order: o.GetDiagnostics) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        # Without a file name there is nothing to upload (1.6 §5.9).
        assert isinstance(answer, m.GetDiagnosticsResponse)
        return Result("accepted") if answer.file_name else Result("accepted", "there is nothing to upload")

    payload = m.GetDiagnosticsRequest(
        location=order.url,
        retries=order.retries,
        retry_interval=order.retry_after_s,
        start_time=instant(order.since),
        stop_time=instant(order.until),
    )
    return call("GetDiagnostics", payload, read)


def _update(order: o.UpdateFirmware) -> Outgoing:
    if order.signature is None or order.certificate is None:
        if order.install_at is not None:
            raise Refused("OCPP 1.6 installs unsigned firmware as soon as it has it: no install_at")
        unsigned = m.UpdateFirmwareRequest(
            location=order.url,
            retrieve_date=instant(order.retrieve_at),
            retries=order.retries,
            retry_interval=order.retry_after_s,
        )
        return call("UpdateFirmware", unsigned)
    firmware = m.FirmwareType(
        location=order.url,
        retrieve_date_time=instant(order.retrieve_at),
        install_date_time=instant(order.install_at),
        signing_certificate=order.certificate,
        signature=order.signature,
    )
    payload = m.SignedUpdateFirmwareRequest(
        request_id=number(order.request_id),
        firmware=firmware,
        retries=order.retries,
        retry_interval=order.retry_after_s,
    )
    return call("SignedUpdateFirmware", payload)


def _install(order: o.InstallCertificate) -> Outgoing:
    payload = m.InstallCertificateRequest(certificate_type=_use(order.use), certificate=order.certificate)
    return call("InstallCertificate", payload)


def _delete(order: o.DeleteCertificate) -> Outgoing:
    given = order.certificate
    hashes: dict[str, Any] = {"sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
    data = m.CertificateHashDataType(
        hash_algorithm=hashes[given.hash_algorithm],
        issuer_name_hash=given.issuer_name_hash,
        issuer_key_hash=given.issuer_key_hash,
        serial_number=given.serial_number,
    )
    return call("DeleteCertificate", m.DeleteCertificateRequest(certificate_hash_data=data))


def list_certificates(order: o.ListCertificates) -> list[Outgoing]:
    """One call for each use: 1.6 tells of one at a time."""

    def read(answer: msgspec.Struct) -> Result:
        status = getattr(answer, "status", None)
        return Result("accepted", status) if status == "NotFound" else read_raw(answer)

    return [
        call("GetInstalledCertificateIds", m.GetInstalledCertificateIdsRequest(certificate_type=use), read)
        for use in ([_use(one) for one in order.uses] or _USES.values())
    ]


def _deliver(order: o.DeliverCertificate) -> Outgoing:
    if order.use != "station":
        raise Refused(f"OCPP 1.6 signs the station's own certificate alone; {_ELSEWHERE}")
    return call("CertificateSigned", m.CertificateSignedRequest(certificate_chain=order.chain))


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.GetLog: _get_log,
    o.GetDiagnostics: _diagnostics,
    o.UpdateFirmware: _update,
    o.InstallCertificate: _install,
    o.DeleteCertificate: _delete,
    o.DeliverCertificate: _deliver,
}
