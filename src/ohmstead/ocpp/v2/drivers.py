"""OCPP 2.x, us → station: local lists, reservations, displays, prices, payment at the station."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ohmstead.core.errors import Refused
from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.ocpp.v2.asking import call, number, read_found, some, token
from ohmstead.ocpp.v2.names import parse_component
from ohmstead.ocpp.v2.tariffs import tariff
from ohmstead.ocpp.work import instant_text
from ohmstead.stations import orders as o
from ohmstead.stations.orders.form import OrderForm

_LISTED: dict[str, Any] = {"accepted": "Accepted", "blocked": "Blocked", "expired": "Expired", "invalid": "Invalid"}
_PRIORITIES: dict[str | None, Any] = {
    "always_in_front": "AlwaysFront",
    "in_front": "InFront",
    "normal": "NormalCycle",
    None: None,
}
_STATES: dict[str | None, Any] = {
    "charging": "Charging",
    "faulted": "Faulted",
    "idle": "Idle",
    "unavailable": "Unavailable",
    "suspended": "Suspended",
    "discharging": "Discharging",
    None: None,
}
_FORMATS: dict[str, Any] = {"ascii": "ASCII", "html": "HTML", "uri": "URI", "utf8": "UTF8", "qr_code": "QRCODE"}

# OCPI's names of plugs and sockets, as the stations' register has them → OCPP's cEnum words (2.x appendix, connector types)
_PLUGS: dict[str | None, str] = {
    "CHADEMO": "cG105",
    "CHAOJI": "cChaoJi",
    "DOMESTIC_F": "sCEE-7-7",
    "GBT_AC": "cGBT-AC",
    "GBT_DC": "cGBT-DC",
    "IEC_60309_2_single_16": "s309-1P-16A",
    "IEC_62196_T1": "cType1",
    "IEC_62196_T1_COMBO": "cCCS1",
    "IEC_62196_T2": "sType2",
    "IEC_62196_T2_COMBO": "cCCS2",
    "NEMA_5_20": "Other1PhMax16A",
    "SAE_J3400": "cTesla",
    "TESLA_S": "cTesla",
}


def content(given: o.Text) -> m.MessageContentType:
    return m.MessageContentType(format=_FORMATS[given.format], content=given.content, language=given.language)


def _list_version(_order: o.GetLocalListVersion) -> Outgoing:
    return call("GetLocalListVersion", m.GetLocalListVersionRequest())


def send_list(order: o.SendLocalList) -> Outgoing:
    payload = m.SendLocalListRequest(
        version_number=order.version,
        update_type="Full" if order.update == "full" else "Differential",
        local_authorization_list=some(_listed(entry) for entry in order.entries),
    )
    return call("SendLocalList", payload)


def _listed(entry: o.ListedToken) -> m.AuthorizationData:
    info = None
    if entry.status is not None:
        info = m.IdTokenInfoType(
            status=_LISTED[entry.status],
            cache_expiry_date_time=instant_text(entry.expires_at),
            group_id_token=m.IdTokenType(id_token=entry.group_uid, type="Central") if entry.group_uid else None,
        )
    return m.AuthorizationData(id_token=m.IdTokenType(id_token=entry.uid, type=entry.type), id_token_info=info)


def _reserve(order: o.Reserve) -> Outgoing:
    payload = m.ReserveNowRequest(
        id=number(order.reservation_id),
        expiry_date_time=instant_text(order.expires_at),
        id_token=token(order.token),
        connector_type=_PLUGS.get(order.connector_standard, order.connector_standard),
        evse_id=order.evse_number,
        group_id_token=token(order.group) if order.group is not None else None,
    )
    return call("ReserveNow", payload)


def _cancel(order: o.CancelReservation) -> Outgoing:
    return call("CancelReservation", m.CancelReservationRequest(reservation_id=order.reservation_id))


def _show(order: o.SetDisplayMessage) -> Outgoing:
    info = m.MessageInfoType(
        id=order.message_id,
        priority=_PRIORITIES[order.priority],
        message=content(order.text),
        display=parse_component(order.display) if order.display is not None else None,
        state=_STATES[order.while_state],
        start_date_time=instant_text(order.from_at),
        end_date_time=instant_text(order.until_at),
        transaction_id=order.transaction_id,
        message_extra=some(content(text) for text in order.texts),
    )
    return call("SetDisplayMessage", m.SetDisplayMessageRequest(message=info))


def _shown(order: o.GetDisplayMessages) -> Outgoing:
    payload = m.GetDisplayMessagesRequest(
        request_id=number(order.request_id),
        id=some(order.message_ids),
        priority=_PRIORITIES[order.priority],
        state=_STATES[order.while_state],
    )
    return call("GetDisplayMessages", payload, read_found)


def _hide(order: o.ClearDisplayMessage) -> Outgoing:
    return call("ClearDisplayMessage", m.ClearDisplayMessageRequest(id=order.message_id))


def _cost(order: o.UpdateCost) -> Outgoing:
    if order.is_final:
        raise Refused("OCPP 2.x stations learn the final cost with the answer to the transaction's end")
    payload = m.CostUpdatedRequest(total_cost=order.total_cost, transaction_id=order.transaction_id)
    return call("CostUpdated", payload)


def _default_tariff(order: o.SetDefaultTariff) -> Outgoing:
    payload = m.SetDefaultTariffRequest(evse_id=order.evse_number, tariff=tariff(order.tariff, content))
    return call("SetDefaultTariff", payload)


def _get_tariffs(order: o.GetTariffs) -> Outgoing:
    return call("GetTariffs", m.GetTariffsRequest(evse_id=order.evse_number), read_found)


def _clear_tariffs(order: o.ClearTariffs) -> Outgoing:
    def read(answer: msgspec.Struct) -> Result:
        assert isinstance(answer, m.ClearTariffsResponse)
        bad = [
            f"{one.tariff_id or 'all'}: {one.status}" for one in answer.clear_tariffs_result if one.status != "Accepted"
        ]
        return Result("rejected", "; ".join(bad)) if bad else Result("accepted")

    payload = m.ClearTariffsRequest(tariff_ids=some(order.tariff_ids), evse_id=order.evse_number)
    return call("ClearTariffs", payload, read)


def _change_tariff(order: o.ChangeSessionTariff) -> Outgoing:
    payload = m.ChangeTransactionTariffRequest(
        tariff=tariff(order.tariff, content), transaction_id=order.transaction_id
    )
    return call("ChangeTransactionTariff", payload)


def _swap(order: o.RequestBatterySwap) -> Outgoing:
    payload = m.RequestBatterySwapRequest(id_token=token(order.token), request_id=number(order.request_id))
    return call("RequestBatterySwap", payload)


def _web_payment(order: o.AnnounceWebPayment) -> Outgoing:
    payload = m.NotifyWebPaymentStartedRequest(evse_id=order.evse_number, timeout=order.timeout_s)
    return call("NotifyWebPaymentStarted", payload)


TABLE: dict[type[OrderForm], Callable[[Any], Outgoing]] = {
    o.GetLocalListVersion: _list_version,
    o.Reserve: _reserve,
    o.CancelReservation: _cancel,
    o.SetDisplayMessage: _show,
    o.GetDisplayMessages: _shown,
    o.ClearDisplayMessage: _hide,
    o.UpdateCost: _cost,
    o.SetDefaultTariff: _default_tariff,
    o.GetTariffs: _get_tariffs,
    o.ClearTariffs: _clear_tariffs,
    o.ChangeSessionTariff: _change_tariff,
    o.RequestBatterySwap: _swap,
    o.AnnounceWebPayment: _web_payment,
}
