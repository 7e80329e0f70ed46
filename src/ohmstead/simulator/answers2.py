"""OCPP 2.0.1 and 2.1: how a station answers what the CSMS asks. One table, one short function per message."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec
from msgspec import Struct

from ohmstead.ocpp.v2 import messages as m
from ohmstead.simulator import answers21, dynamic, needs, profile_forms, reports2
from ohmstead.simulator.clock import iso, parse_instant
from ohmstead.simulator.jobs import FirmwareOrder, LogOrder
from ohmstead.simulator.link import Answer, Message
from ohmstead.simulator.orders import RemoteOrder, Reservation, StopOrder
from ohmstead.simulator.permissions import Permission
from ohmstead.simulator.plan import Token
from ohmstead.simulator.profiles import Profile
from ohmstead.simulator.speaker import Answerer
from ohmstead.simulator.speaker2 import Speech2, number

if TYPE_CHECKING:
    from ohmstead.simulator.outlet import Outlet
    from ohmstead.simulator.station import Station

Result: TypeAlias = Answer | Struct


class Speaker2(Speech2):
    """A 2.x station's speaker."""

    def __init__(self, station: "Station") -> None:
        super().__init__(
            station.plan, station.device, station.quirks, station.world.random("voice", station.plan.station_id)
        )
        self._station = station

    def answer(self, action: str, payload: msgspec.Raw) -> Answer:
        """See Speaker."""
        return self.hear(TABLE, self._station, action, payload)


def _why(reason_code: str, text: str) -> m.StatusInfoType:
    return m.StatusInfoType(reason_code=reason_code, additional_info=text)


def _outlets(station: "Station", evse_id: int | None) -> "list[Outlet]":
    if not evse_id:
        return list(station.outlets.values())
    outlet = station.outlets.get(evse_id)
    return [outlet] if outlet else []


def _token(given: m.IdTokenType, group: m.IdTokenType | None = None) -> Token:
    return Token(given.id_token, given.type, group.id_token if group else None)


# --- start, stop, reset ---------------------------------------------------------------------------------------------


def _request_start(station: "Station", request: m.RequestStartTransactionRequest) -> Result:
    profile: Profile | None = None
    if request.charging_profile is not None:
        given = request.charging_profile
        if given.charging_profile_purpose != "TxProfile" or given.transaction_id is not None:
            return m.RequestStartTransactionResponse(status="Rejected", status_info=_why("InvalidProfile", "F01.FR.09"))
        profile = profile_forms.from2(0, given, None)
    order = RemoteOrder(_token(request.id_token, request.group_id_token), request.remote_start_id, profile)
    for outlet in _outlets(station, request.evse_id):
        running = outlet.transaction
        if outlet.remote_start(order):
            return m.RequestStartTransactionResponse(
                status="Accepted", transaction_id=running.transaction_id if running else None
            )
    return m.RequestStartTransactionResponse(status="Rejected", status_info=_why("NoFreeEVSE", "no EVSE can start now"))


def _request_stop(station: "Station", request: m.RequestStopTransactionRequest) -> Result:
    outlet = station.find_outlet(request.transaction_id)
    is_taken = outlet is not None and outlet.stop(StopOrder("RemoteStop", "Remote"))
    return m.RequestStopTransactionResponse(status="Accepted" if is_taken else "Rejected")


def _reset(station: "Station", request: m.ResetRequest) -> Result:
    busy = [o for o in station.outlets.values() if o.transaction is not None]
    if request.evse_id is not None:
        outlet = station.outlets.get(request.evse_id)
        if outlet is None:
            return m.ResetResponse(status="Rejected", status_info=_why("UnknownEVSE", "no such EVSE"))
        outlet.stop(StopOrder("ResetCommand", "ImmediateReset"))
        return m.ResetResponse(status="Accepted")
    if request.type == "OnIdle" and busy:
        station.reboot_when_idle("RemoteReset")
        return m.ResetResponse(status="Scheduled")
    is_graceful = request.type == "OnIdle"
    return Answer(
        m.ResetResponse(status="Accepted"), then=lambda: station.reboot("RemoteReset", is_graceful=is_graceful)
    )


def _unlock(station: "Station", request: m.UnlockConnectorRequest) -> Result:
    outlet = station.outlets.get(request.evse_id)
    if outlet is None or request.connector_id != 1:
        return m.UnlockConnectorResponse(status="UnknownConnector")
    if outlet.transaction is not None and outlet.is_authorized:
        return m.UnlockConnectorResponse(status="OngoingAuthorizedTransaction")
    outlet.stop(StopOrder("UnlockCommand", "Other", pulls_plug=True))
    return m.UnlockConnectorResponse(status="Unlocked")


def _availability(station: "Station", request: m.ChangeAvailabilityRequest) -> Result:
    outlets = _outlets(station, request.evse.id if request.evse else None)
    if not outlets:
        return m.ChangeAvailabilityResponse(status="Rejected", status_info=_why("UnknownEVSE", "no such EVSE"))
    is_operative = request.operational_status == "Operative"
    if request.evse is None or request.evse.id == 0:
        station.is_operative = is_operative
    n_done = sum(outlet.set_operative(is_operative) for outlet in outlets)
    return m.ChangeAvailabilityResponse(status="Accepted" if n_done == len(outlets) else "Scheduled")


def _transaction_status(station: "Station", request: m.GetTransactionStatusRequest) -> Result:
    queued = station.courier.has_messages_of(request.transaction_id)
    if request.transaction_id is None:
        return m.GetTransactionStatusResponse(messages_in_queue=queued)
    outlet = station.find_outlet(request.transaction_id)
    return m.GetTransactionStatusResponse(ongoing_indicator=outlet is not None, messages_in_queue=queued)


def _cost_updated(station: "Station", request: m.CostUpdatedRequest) -> Result:
    station.shown_costs[request.transaction_id] = request.total_cost
    return m.CostUpdatedResponse()


# --- trigger --------------------------------------------------------------------------------------------------------


def _trigger(station: "Station", request: m.TriggerMessageRequest) -> Result:
    evse_id = request.evse.id if request.evse else None
    outlets = _outlets(station, evse_id)
    if not outlets:
        return m.TriggerMessageResponse(status="Rejected", status_info=_why("UnknownEVSE", "no such EVSE"))
    jobs, speaker = station.jobs, station.speaker

    def statuses() -> None:
        if evse_id:
            speaker.forget_status()
            station.say(speaker.status(station.status_of(outlets[0])))
        else:
            station.tell_statuses()

    def meters() -> None:
        for outlet in outlets:
            outlet.tell_meter_apart("Trigger")

    def events() -> None:
        for outlet in outlets:
            if outlet.transaction is not None:
                outlet.tell_meter("Trigger", "Trigger")

    then: Callable[[], None] | None = {
        "BootNotification": station.boot_again,
        "Heartbeat": lambda: station.say(speaker.heartbeat()),
        "StatusNotification": statuses,
        "MeterValues": meters,
        "TransactionEvent": events,
        "FirmwareStatusNotification": lambda: station.say(
            speaker.firmware_status(jobs.firmware_status, jobs.firmware_request_id, is_signed=False)
        ),
        "LogStatusNotification": lambda: station.say(
            speaker.log_status(jobs.log_status, jobs.log_request_id, is_diagnostics=False)
        ),
        "SignChargingStationCertificate": station.sign_certificate,
    }.get(request.requested_message)
    if then is None:
        return m.TriggerMessageResponse(status="NotImplemented")
    is_idle = all(outlet.transaction is None for outlet in outlets)
    if request.requested_message == "TransactionEvent" and is_idle:
        return m.TriggerMessageResponse(status="Rejected", status_info=_why("NoTransaction", "nothing to report"))
    if request.requested_message == "BootNotification" and station.registration == "Accepted":
        # Only a station that is not accepted yet may be asked to boot again (F06.FR.17).
        return m.TriggerMessageResponse(status="Rejected", status_info=_why("Accepted", "already registered"))
    return Answer(m.TriggerMessageResponse(status="Accepted"), then=then)


# --- charging profiles ----------------------------------------------------------------------------------------------


def _set_profile(station: "Station", request: m.SetChargingProfileRequest) -> Result:
    given = request.charging_profile
    refusal: str | None = None
    if given.charging_profile_purpose == "TxProfile":
        outlet = station.outlets.get(request.evse_id)
        running = outlet.transaction if outlet else None
        if running is None or given.transaction_id not in (None, running.transaction_id):
            refusal = "no such transaction on this EVSE"
    elif given.charging_profile_purpose == "ChargingStationExternalConstraints":
        refusal = "external constraints come from outside, not from a CSMS (K01.FR.22)"
    elif request.evse_id and request.evse_id not in station.outlets:
        refusal = "no such EVSE"
    if refusal is None:
        known = {p.profile_id: p.update_interval_s for p in station.profiles.profiles}
        profile = profile_forms.from2(request.evse_id, given, given.transaction_id)
        refusal = station.install_profile(profile)
        interval_s = profile.update_interval_s
        if refusal is None and profile.kind == "dynamic" and interval_s and known.get(profile.profile_id) != interval_s:
            station.spawn(dynamic.keep_pulling(station, profile.profile_id, interval_s))
    if refusal is not None:
        return m.SetChargingProfileResponse(status="Rejected", status_info=_why("InvalidProfile", refusal))
    taken = m.SetChargingProfileResponse(status="Accepted")
    outlet = station.outlets.get(request.evse_id)
    if given.charging_profile_purpose != "TxProfile" or outlet is None or not station.world.options.cars_talk:
        return taken
    return Answer(taken, then=lambda: needs.tell_schedule(outlet))


def _clear_profile(station: "Station", request: m.ClearChargingProfileRequest) -> Result:
    criteria = request.charging_profile_criteria or m.ClearChargingProfileType()
    word = criteria.charging_profile_purpose
    purpose = profile_forms.purpose(word) if word else None

    def matches(profile: Profile) -> bool:
        if request.charging_profile_id is not None:
            return profile.profile_id == request.charging_profile_id
        return (
            criteria.evse_id in (None, profile.evse_number)
            and purpose in (None, profile.purpose)
            and criteria.stack_level in (None, profile.stack_level)
        )

    n_cleared = station.clear_profiles(matches)
    return m.ClearChargingProfileResponse(status="Accepted" if n_cleared else "Unknown")


def _get_profiles(station: "Station", request: m.GetChargingProfilesRequest) -> Result:
    criteria = request.charging_profile
    word = criteria.charging_profile_purpose
    purpose = profile_forms.purpose(word) if word else None
    sources = criteria.charging_limit_source
    found = [
        p
        for p in station.profiles.profiles
        if request.evse_id in (None, p.evse_number)
        and purpose in (None, p.purpose)
        and criteria.stack_level in (None, p.stack_level)
        and (criteria.charging_profile_id is None or p.profile_id in criteria.charging_profile_id)
        and (sources is None or "CSO" in sources)
    ]
    if not found:
        return m.GetChargingProfilesResponse(status="NoProfiles")

    def then() -> None:
        for index, profile in enumerate(found):
            body = m.ReportChargingProfilesRequest(
                request_id=request.request_id,
                charging_limit_source="CSO",
                evse_id=profile.evse_number,
                charging_profile=[profile_forms.to2(profile)],
                tbc=True if index < len(found) - 1 else None,
            )
            station.say(Message("ReportChargingProfiles", body))

    return Answer(m.GetChargingProfilesResponse(status="Accepted"), then=then)


def _composite(station: "Station", request: m.GetCompositeScheduleRequest) -> Result:
    schedule = station.composite(request.evse_id, request.duration, request.charging_rate_unit)
    if schedule is None:
        return m.GetCompositeScheduleResponse(status="Rejected", status_info=_why("UnknownEVSE", "no such EVSE"))
    start, unit, slots = schedule
    return m.GetCompositeScheduleResponse(
        status="Accepted",
        schedule=m.CompositeScheduleType(
            evse_id=request.evse_id,
            duration=request.duration,
            schedule_start=iso(start),
            charging_rate_unit=unit,
            charging_schedule_period=[
                m.ChargingSchedulePeriodType(start_period=slot.start_s, limit=number(slot.limit)) for slot in slots
            ],
        ),
    )


# --- tokens and reservations ----------------------------------------------------------------------------------------


def _clear_cache(station: "Station", _request: Any) -> Result:
    station.permissions.cache.clear()
    return m.ClearCacheResponse(status="Accepted")


def _local_list(station: "Station", request: m.SendLocalListRequest) -> Result:
    if not station.device.flag("local_list_enabled"):
        return m.SendLocalListResponse(status="Failed", status_info=_why("NotEnabled", "the local list is off"))
    entries = {
        entry.id_token.id_token.casefold(): _permission(entry.id_token_info)
        for entry in request.local_authorization_list or ()
    }
    if request.update_type == "Full":
        station.permissions.replace(request.version_number, entries)
    elif not station.permissions.amend(request.version_number, entries):
        return m.SendLocalListResponse(status="VersionMismatch")
    return m.SendLocalListResponse(status="Accepted")


def _permission(info: m.IdTokenInfoType | None) -> Permission | None:
    if info is None:
        return None
    group = info.group_id_token.id_token if info.group_id_token else None
    return Permission(info.status, group, parse_instant(info.cache_expiry_date_time))


def _list_version(station: "Station", _request: Any) -> Result:
    return m.GetLocalListVersionResponse(version_number=station.permissions.list_version)


def _reserve(station: "Station", request: m.ReserveNowRequest) -> Result:
    until = parse_instant(request.expiry_date_time)
    if until is None or until <= station.clock.now():
        return m.ReserveNowResponse(status="Rejected", status_info=_why("Expired", "the expiry lies in the past"))
    group = request.group_id_token.id_token if request.group_id_token else None
    reservation = Reservation(request.id, request.id_token.id_token, group, until)
    return m.ReserveNowResponse(status=cast(Any, station.reserve(request.evse_id or None, reservation)))


def _cancel_reservation(station: "Station", request: m.CancelReservationRequest) -> Result:
    is_known = station.cancel_reservation(request.reservation_id)
    return m.CancelReservationResponse(status="Accepted" if is_known else "Rejected")


# --- jobs, certificates, data ---------------------------------------------------------------------------------------


def _firmware(station: "Station", request: m.UpdateFirmwareRequest) -> Result:
    firmware = request.firmware
    certificate = firmware.signing_certificate
    if certificate is not None and "BEGIN CERTIFICATE" not in certificate:
        return m.UpdateFirmwareResponse(status="InvalidCertificate")
    order = FirmwareOrder(
        firmware.location,
        request.request_id,
        parse_instant(firmware.retrieve_date_time),
        parse_instant(firmware.install_date_time),
        is_signed=certificate is not None,
        certificate=certificate,
        signature=firmware.signature,
    )
    was_running = station.jobs.start_firmware(order)
    return m.UpdateFirmwareResponse(status="AcceptedCanceled" if was_running else "Accepted")


def _log(station: "Station", request: m.GetLogRequest) -> Result:
    name = f"{request.log_type}-{station.plan.station_id}.log.gz"[:255]
    was_running = station.jobs.start_log(LogOrder(request.log.remote_location, request.request_id, name=name))
    return m.GetLogResponse(status="AcceptedCanceled" if was_running else "Accepted", filename=name)


def _certificate_signed(station: "Station", request: m.CertificateSignedRequest) -> Result:
    is_good = station.take_certificate(request.certificate_chain)
    return m.CertificateSignedResponse(status="Accepted" if is_good else "Rejected")


def _install_certificate(station: "Station", request: m.InstallCertificateRequest) -> Result:
    status = station.certificates.install(request.certificate_type, request.certificate)
    return m.InstallCertificateResponse(status=cast(Any, status))


def _installed_certificates(station: "Station", request: m.GetInstalledCertificateIdsRequest) -> Result:
    uses = cast("list[str] | None", request.certificate_type)
    chains = [
        m.CertificateHashDataChainType(
            certificate_type=cast(Any, use),
            certificate_hash_data=m.CertificateHashDataType(
                hash_algorithm="SHA256",
                issuer_name_hash=h.issuer_name_hash,
                issuer_key_hash=h.issuer_key_hash,
                serial_number=h.serial_number,
            ),
        )
        for use, h in station.certificates.listed(uses)
    ]
    if not chains:
        return m.GetInstalledCertificateIdsResponse(status="NotFound")
    return m.GetInstalledCertificateIdsResponse(status="Accepted", certificate_hash_data_chain=chains)


def _delete_certificate(station: "Station", request: m.DeleteCertificateRequest) -> Result:
    h = request.certificate_hash_data
    is_deleted = station.certificates.delete(h.issuer_name_hash, h.issuer_key_hash, h.serial_number)
    return m.DeleteCertificateResponse(status="Accepted" if is_deleted else "NotFound")


def _data_transfer(_station: "Station", request: m.DataTransferRequest) -> Result:
    """The simulator's own vendor id echoes; nobody else's is known."""
    if request.vendor_id == "ohmstead.simulator":
        return m.DataTransferResponse(status="Accepted", data=request.data)
    return m.DataTransferResponse(status="UnknownVendorId")


def _network_profile(_station: "Station", request: m.SetNetworkProfileRequest) -> Result:
    """Taken, never switched to: a simulated station goes where its command line says."""
    data = request.connection_data
    if request.configuration_slot < 1 or data.ocpp_transport != "JSON" or not data.ocpp_csms_url.startswith("ws"):
        return m.SetNetworkProfileResponse(status="Rejected", status_info=_why("InvalidProfile", "cannot be used"))
    return m.SetNetworkProfileResponse(status="Accepted")


TABLE: dict[str, Answerer] = {
    "CancelReservation": _cancel_reservation,
    "CertificateSigned": _certificate_signed,
    "ChangeAvailability": _availability,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_profile,
    "CostUpdated": _cost_updated,
    "DataTransfer": _data_transfer,
    "DeleteCertificate": _delete_certificate,
    "GetChargingProfiles": _get_profiles,
    "GetCompositeSchedule": _composite,
    "GetInstalledCertificateIds": _installed_certificates,
    "GetLocalListVersion": _list_version,
    "GetLog": _log,
    "GetTransactionStatus": _transaction_status,
    "InstallCertificate": _install_certificate,
    "RequestStartTransaction": _request_start,
    "RequestStopTransaction": _request_stop,
    "ReserveNow": _reserve,
    "Reset": _reset,
    "SendLocalList": _local_list,
    "SetChargingProfile": _set_profile,
    "SetNetworkProfile": _network_profile,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
    "UpdateFirmware": _firmware,
    **reports2.TABLE,
    **answers21.TABLE,
}
