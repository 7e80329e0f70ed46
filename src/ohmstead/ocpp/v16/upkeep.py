"""OCPP 1.6 with its security extension, us → station: diagnostics, logs, firmware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v16 import messages as m
from ohmstead.ocpp.v16.asking import call, number
from ohmstead.ocpp.work import instant_text
from ohmstead.stations import orders as o
from ohmstead.stations.orders.form import OrderForm

_LOGS: dict[str, Any] = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog"}


def _get_log(order: o.GetLog) -> Outgoing:
    if order.log not in _LOGS:
        raise Refused("OCPP 1.6 has no log of a data collector")
    where = m.LogParametersType(
        remote_location=order.url,
        oldest_timestamp=instant_text(order.since),
        latest_timestamp=instant_text(order.until),
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
        # Without a file name nothing will come (1.6 §5.9): whoever waits for it is told so.
        assert isinstance(answer, m.GetDiagnosticsResponse)
        if answer.file_name:
            return Result("accepted")
        return Result("rejected", "the station has no diagnostics to send")

    payload = m.GetDiagnosticsRequest(
        location=order.url,
        retries=order.retries,
        retry_interval=order.retry_after_s,
        start_time=instant_text(order.since),
        stop_time=instant_text(order.until),
    )
    return call("GetDiagnostics", payload, read)


def _update(order: o.UpdateFirmware) -> Outgoing:
    if order.signature is None or order.certificate is None:
        if order.install_at is not None:
            raise Refused("OCPP 1.6 installs unsigned firmware as soon as it has it: no install_at")
        unsigned = m.UpdateFirmwareRequest(
            location=order.url,
            retrieve_date=instant_text(order.retrieve_at),
            retries=order.retries,
            retry_interval=order.retry_after_s,
        )
        return call("UpdateFirmware", unsigned)
    firmware = m.FirmwareType(
        location=order.url,
        retrieve_date_time=instant_text(order.retrieve_at),
        install_date_time=instant_text(order.install_at),
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


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.GetLog: _get_log,
    o.GetDiagnostics: _diagnostics,
    o.UpdateFirmware: _update,
}
