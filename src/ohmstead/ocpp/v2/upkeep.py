"""OCPP 2.x, us → station: logs, firmware, certificates, data about people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, certificate, instant, number, read_found, read_raw, some, token
from ohmstead.stations import orders as o
from ohmstead.stations.orders.form import OrderForm

_LOGS: dict[str, Any] = {
    "diagnostics": "DiagnosticsLog",
    "security": "SecurityLog",
    "data_collector": "DataCollectorLog",
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
}


def _log(order: o.GetLog | o.GetDiagnostics) -> Outgoing:
    where = m.LogParametersType(
        remote_location=order.url, oldest_timestamp=instant(order.since), latest_timestamp=instant(order.until)
    )
    payload = m.GetLogRequest(
        log=where,
        log_type=_LOGS[order.log if isinstance(order, o.GetLog) else "diagnostics"],
        request_id=number(order.request_id),
        retries=order.retries,
        retry_interval=order.retry_after_s,
    )
    return call("GetLog", payload)


def _update(order: o.UpdateFirmware) -> Outgoing:
    firmware = m.FirmwareType(
        location=order.url,
        retrieve_date_time=instant(order.retrieve_at),
        install_date_time=instant(order.install_at),
        signing_certificate=order.certificate,
        signature=order.signature,
    )
    payload = m.UpdateFirmwareRequest(
        request_id=number(order.request_id),
        firmware=firmware,
        retries=order.retries,
        retry_interval=order.retry_after_s,
    )
    return call("UpdateFirmware", payload)


def _publish(order: o.PublishFirmware) -> Outgoing:
    payload = m.PublishFirmwareRequest(
        location=order.url,
        checksum=order.checksum,
        request_id=number(order.request_id),
        retries=order.retries,
        retry_interval=order.retry_after_s,
    )
    return call("PublishFirmware", payload)


def _unpublish(order: o.UnpublishFirmware) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        # A controller that has no such firmware does not offer it any more either (L04.FR.02).
        assert isinstance(answer, m.UnpublishFirmwareResponse)
        return Result("accepted", "NoFirmware") if answer.status == "NoFirmware" else read_raw(answer)

    return call("UnpublishFirmware", m.UnpublishFirmwareRequest(checksum=order.checksum), read)


def _install(order: o.InstallCertificate) -> Outgoing:
    payload = m.InstallCertificateRequest(certificate_type=_USES[order.use], certificate=order.certificate)
    return call("InstallCertificate", payload)


def _delete(order: o.DeleteCertificate) -> Outgoing:
    payload = m.DeleteCertificateRequest(certificate_hash_data=certificate(order.certificate))
    return call("DeleteCertificate", payload)


def _list(order: o.ListCertificates) -> Outgoing:
    payload = m.GetInstalledCertificateIdsRequest(certificate_type=some(_USES[use] for use in order.uses))
    return call("GetInstalledCertificateIds", payload, read_found)


def _deliver(order: o.DeliverCertificate) -> Outgoing:
    payload = m.CertificateSignedRequest(
        certificate_chain=order.chain, certificate_type=_OWN[order.use], request_id=order.request_id
    )
    return call("CertificateSigned", payload)


def _customer(order: o.CustomerInformation) -> Outgoing:
    payload = m.CustomerInformationRequest(
        request_id=number(order.request_id),
        report=order.is_reported,
        clear=order.is_cleared,
        customer_certificate=certificate(order.certificate) if order.certificate is not None else None,
        id_token=token(order.token) if order.token is not None else None,
        customer_identifier=order.customer_id,
    )
    return call("CustomerInformation", payload)


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.GetLog: _log,
    o.GetDiagnostics: _log,
    o.UpdateFirmware: _update,
    o.PublishFirmware: _publish,
    o.UnpublishFirmware: _unpublish,
    o.InstallCertificate: _install,
    o.DeleteCertificate: _delete,
    o.ListCertificates: _list,
    o.DeliverCertificate: _deliver,
    o.CustomerInformation: _customer,
}
