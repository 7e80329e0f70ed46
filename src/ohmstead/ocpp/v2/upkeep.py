"""OCPP 2.x, us → station: logs, firmware, data about people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.db import Connection
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, certificate, number, read_raw, token
from ohmstead.ocpp.work import instant_text
from ohmstead.stations import orders as o
from ohmstead.stations.device import local_lists
from ohmstead.stations.features import Features
from ohmstead.stations.orders.form import OrderForm

_LOGS: dict[str, Any] = {
    "diagnostics": "DiagnosticsLog",
    "security": "SecurityLog",
    "data_collector": "DataCollectorLog",
}


def _log(order: o.GetLog | o.GetDiagnostics) -> Outgoing:
    where = m.LogParametersType(
        remote_location=order.url,
        oldest_timestamp=instant_text(order.since),
        latest_timestamp=instant_text(order.until),
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
        retrieve_date_time=instant_text(order.retrieve_at),
        install_date_time=instant_text(order.install_at),
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


def _customer(order: o.CustomerInformation, station_id: str, _features: Features) -> list[Outgoing]:
    payload = m.CustomerInformationRequest(
        request_id=number(order.request_id),
        report=order.is_reported,
        clear=order.is_cleared,
        customer_certificate=certificate(order.certificate) if order.certificate is not None else None,
        id_token=token(order.token) if order.token is not None else None,
        customer_identifier=order.customer_id,
    )
    forgotten = order.token if order.is_cleared else None

    def read(answer: msgspec.Struct) -> Result:
        result = read_raw(answer)
        if forgotten is None or result.status != "accepted":
            return result
        uid = forgotten.uid

        async def keep(conn: Connection) -> None:
            await local_lists.withhold(conn, station_id, uid)

        return msgspec.structs.replace(result, keep=keep)

    return [call("CustomerInformation", payload, read)]


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.GetLog: _log,
    o.GetDiagnostics: _log,
    o.UpdateFirmware: _update,
    o.PublishFirmware: _publish,
    o.UnpublishFirmware: _unpublish,
}
# Those of which is kept what became of them.
SPLIT: dict[type[OrderForm], Callable[[Any, str, Features], list[Outgoing]]] = {o.CustomerInformation: _customer}
