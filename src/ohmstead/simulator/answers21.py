"""OCPP 2.x: display messages, customer information, and what only 2.1 has. Where a station has nothing of the kind
(DER, battery swap, event streams, local controller) it says so in the message's own words.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from ohmstead.ocpp.v2 import messages as m
from ohmstead.simulator import dynamic
from ohmstead.simulator.clock import iso
from ohmstead.simulator.link import Answer, Message
from ohmstead.simulator.profiles import Profile
from ohmstead.simulator.speaker import Answerer

if TYPE_CHECKING:
    from ohmstead.simulator.station import Station

Result: TypeAlias = Answer | Struct
MAX_DISPLAY_MESSAGES = 20


class Shown(Struct):
    """What 2.x lets the CSMS put into a station: display messages and tariffs."""

    messages: dict[int, m.MessageInfoType]
    tariffs: dict[str, tuple[int, m.TariffType]]


# --- display messages (O) -------------------------------------------------------------------------------------------


def _set_display(station: "Station", request: m.SetDisplayMessageRequest) -> Result:
    message = request.message
    messages = station.shown.messages
    if message.transaction_id is not None and station.find_outlet(message.transaction_id) is None:
        return m.SetDisplayMessageResponse(status="UnknownTransaction")
    if message.id not in messages and len(messages) >= MAX_DISPLAY_MESSAGES:
        return m.SetDisplayMessageResponse(status="Rejected")
    messages[message.id] = message
    return m.SetDisplayMessageResponse(status="Accepted")


def _get_display(station: "Station", request: m.GetDisplayMessagesRequest) -> Result:
    found = [
        message
        for message in station.shown.messages.values()
        if (request.id is None or message.id in request.id)
        and request.priority in (None, message.priority)
        and request.state in (None, message.state)
    ]
    if not found:
        return m.GetDisplayMessagesResponse(status="Unknown")

    def then() -> None:
        body = m.NotifyDisplayMessagesRequest(request_id=request.request_id, message_info=found)
        station.say(Message("NotifyDisplayMessages", body))

    return Answer(m.GetDisplayMessagesResponse(status="Accepted"), then=then)


def _clear_display(station: "Station", request: m.ClearDisplayMessageRequest) -> Result:
    known = station.shown.messages.pop(request.id, None)
    return m.ClearDisplayMessageResponse(status="Accepted" if known else "Unknown")


def _customer_information(station: "Station", request: m.CustomerInformationRequest) -> Result:
    """The cache is all a simulated station knows of customers (N09, N10)."""
    asked = (request.id_token, request.customer_identifier, request.customer_certificate)
    if sum(part is not None for part in asked) != 1:
        return m.CustomerInformationResponse(status="Invalid")
    uid = request.id_token.id_token if request.id_token else None
    cached = station.permissions.cache
    known = cached.pop(uid.casefold(), None) if uid and request.clear else cached.get((uid or "").casefold())
    data = f"token {uid}: {known.status}" if uid and known else ""
    if not request.report:
        return m.CustomerInformationResponse(status="Accepted")

    def then() -> None:
        body = m.NotifyCustomerInformationRequest(
            data=data[:512], seq_no=0, generated_at=iso(station.clock.now()), request_id=request.request_id
        )
        station.say(Message("NotifyCustomerInformation", body))

    return Answer(m.CustomerInformationResponse(status="Accepted"), then=then)


# --- firmware publishing (L03): for local controllers --------------------------------------------------------------


def _publish_firmware(_station: "Station", _request: Any) -> Result:
    return m.PublishFirmwareResponse(
        status="Rejected",
        status_info=m.StatusInfoType(reason_code="NotSupported", additional_info="this is no local controller"),
    )


def _unpublish_firmware(_station: "Station", _request: Any) -> Result:
    return m.UnpublishFirmwareResponse(status="NoFirmware")


# --- tariffs (2.1 I07–I12) ------------------------------------------------------------------------------------------


def _set_tariff(station: "Station", request: m.SetDefaultTariffRequest) -> Result:
    if request.evse_id and request.evse_id not in station.outlets:
        return m.SetDefaultTariffResponse(status="Rejected")
    known = station.shown.tariffs.get(request.tariff.tariff_id)
    if known is not None and known[0] != request.evse_id:
        return m.SetDefaultTariffResponse(status="DuplicateTariffId")
    station.shown.tariffs[request.tariff.tariff_id] = (request.evse_id, request.tariff)
    return m.SetDefaultTariffResponse(status="Accepted")


def _get_tariffs(station: "Station", request: m.GetTariffsRequest) -> Result:
    found = [
        m.TariffAssignmentType(
            tariff_id=tariff_id,
            tariff_kind="DefaultTariff",
            valid_from=tariff.valid_from,
            evse_ids=[evse_id] if evse_id else list(station.outlets),
        )
        for tariff_id, (evse_id, tariff) in station.shown.tariffs.items()
        if not request.evse_id or evse_id in (0, request.evse_id)
    ]
    if not found:
        return m.GetTariffsResponse(status="NoTariff")
    return m.GetTariffsResponse(status="Accepted", tariff_assignments=found)


def _clear_tariffs(station: "Station", request: m.ClearTariffsRequest) -> Result:
    tariffs = station.shown.tariffs
    wanted = request.tariff_ids or [
        tariff_id for tariff_id, (evse_id, _) in tariffs.items() if request.evse_id in (None, evse_id)
    ]
    results = [
        m.ClearTariffsResultType(
            status="Accepted" if tariffs.pop(tariff_id, None) is not None else "NoTariff", tariff_id=tariff_id
        )
        for tariff_id in wanted
    ]
    return m.ClearTariffsResponse(clear_tariffs_result=results or [m.ClearTariffsResultType(status="NoTariff")])


def _change_tariff(station: "Station", request: m.ChangeTransactionTariffRequest) -> Result:
    is_running = station.find_outlet(request.transaction_id) is not None
    return m.ChangeTransactionTariffResponse(status="Accepted" if is_running else "TxNotFound")


# --- dynamic profiles and priority (2.1 K21–K28) --------------------------------------------------------------------


def _update_dynamic(station: "Station", request: m.UpdateDynamicScheduleRequest) -> Result:
    is_taken = dynamic.take_update(station, request.charging_profile_id, request.schedule_update)
    return m.UpdateDynamicScheduleResponse(status="Accepted" if is_taken else "Rejected")


def _use_priority(station: "Station", request: m.UsePriorityChargingRequest) -> Result:
    def is_priority(profile: Profile) -> bool:
        return profile.purpose == "priority"

    outlet = station.find_outlet(request.transaction_id)
    if outlet is None:
        return m.UsePriorityChargingResponse(status="Rejected")
    if not any(is_priority(p) for p in station.profiles.profiles):
        return m.UsePriorityChargingResponse(status="NoProfile")
    if request.activate:
        station.profiles.prioritised.add(request.transaction_id)
    else:
        station.profiles.prioritised.discard(request.transaction_id)
    outlet.wake()
    return m.UsePriorityChargingResponse(status="Accepted")


# --- what such a station does not have -------------------------------------------------------------------------------


def _afrr(_station: "Station", _request: Any) -> Result:
    return m.AFRRSignalResponse(status="Rejected")


def _adjust_stream(_station: "Station", _request: Any) -> Result:
    return m.AdjustPeriodicEventStreamResponse(status="Rejected")


def _get_streams(_station: "Station", _request: Any) -> Result:
    return m.GetPeriodicEventStreamResponse()


def _set_der(_station: "Station", _request: Any) -> Result:
    return m.SetDERControlResponse(status="NotSupported")


def _get_der(_station: "Station", _request: Any) -> Result:
    return m.GetDERControlResponse(status="NotSupported")


def _clear_der(_station: "Station", _request: Any) -> Result:
    return m.ClearDERControlResponse(status="NotSupported")


def _energy_transfer(_station: "Station", _request: Any) -> Result:
    return m.NotifyAllowedEnergyTransferResponse(status="Rejected")


def _web_payment(_station: "Station", _request: Any) -> Result:
    return m.NotifyWebPaymentStartedResponse()


def _battery_swap(_station: "Station", _request: Any) -> Result:
    return m.RequestBatterySwapResponse(status="Rejected")


TABLE: dict[str, Answerer] = {
    "AFRRSignal": _afrr,
    "AdjustPeriodicEventStream": _adjust_stream,
    "ChangeTransactionTariff": _change_tariff,
    "ClearDERControl": _clear_der,
    "ClearDisplayMessage": _clear_display,
    "ClearTariffs": _clear_tariffs,
    "CustomerInformation": _customer_information,
    "GetDERControl": _get_der,
    "GetDisplayMessages": _get_display,
    "GetPeriodicEventStream": _get_streams,
    "GetTariffs": _get_tariffs,
    "NotifyAllowedEnergyTransfer": _energy_transfer,
    "NotifyWebPaymentStarted": _web_payment,
    "PublishFirmware": _publish_firmware,
    "RequestBatterySwap": _battery_swap,
    "SetDERControl": _set_der,
    "SetDefaultTariff": _set_tariff,
    "SetDisplayMessage": _set_display,
    "UnpublishFirmware": _unpublish_firmware,
    "UpdateDynamicSchedule": _update_dynamic,
    "UsePriorityCharging": _use_priority,
}
