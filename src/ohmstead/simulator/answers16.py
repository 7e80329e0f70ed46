"""OCPP 1.6: how a station answers what the CSMS asks. One table, one short function per message."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec
from msgspec import Struct

from ohmstead.ocpp.v16 import messages as m
from ohmstead.simulator import device, profile_forms
from ohmstead.simulator.clock import iso, parse_instant
from ohmstead.simulator.jobs import FirmwareOrder, LogOrder
from ohmstead.simulator.link import Answer
from ohmstead.simulator.orders import RemoteOrder, Reservation, StopOrder
from ohmstead.simulator.permissions import Permission
from ohmstead.simulator.plan import Token
from ohmstead.simulator.profiles import Profile
from ohmstead.simulator.speaker import Answerer
from ohmstead.simulator.speaker2 import number
from ohmstead.simulator.speaker16 import Speech16

if TYPE_CHECKING:
    from ohmstead.simulator.outlet import Outlet
    from ohmstead.simulator.station import Station

Result: TypeAlias = Answer | Struct


class Speaker16(Speech16):
    """A 1.6 station's speaker."""

    def __init__(self, station: "Station") -> None:
        super().__init__(
            station.plan, station.device, station.quirks, station.world.random("voice", station.plan.station_id)
        )
        self._station = station

    def answer(self, action: str, payload: msgspec.Raw) -> Answer:
        """See Speaker."""
        return self.hear(TABLE, self._station, action, payload)


def _outlets(station: "Station", connector_id: int | None) -> "list[Outlet]":
    """The outlets a connector id means: 0 or none means all; an unknown id none."""
    if not connector_id:
        return list(station.outlets.values())
    outlet = station.outlets.get(connector_id)
    return [outlet] if outlet else []


def _remote_start(station: "Station", request: m.RemoteStartTransactionRequest) -> Result:
    profile: Profile | None = None
    if request.charging_profile is not None:
        if request.charging_profile.charging_profile_purpose != "TxProfile":
            return m.RemoteStartTransactionResponse(status="Rejected")
        profile = profile_forms.from16(0, request.charging_profile, None)
    order = RemoteOrder(Token(request.id_tag), profile=profile)
    is_taken = any(outlet.remote_start(order) for outlet in _outlets(station, request.connector_id))
    return m.RemoteStartTransactionResponse(status="Accepted" if is_taken else "Rejected")


def _remote_stop(station: "Station", request: m.RemoteStopTransactionRequest) -> Result:
    outlet = station.find_outlet(str(request.transaction_id))
    is_taken = outlet is not None and outlet.stop(StopOrder("RemoteStop", "Remote"))
    return m.RemoteStopTransactionResponse(status="Accepted" if is_taken else "Rejected")


def _reset(station: "Station", request: m.ResetRequest) -> Result:
    def then() -> None:
        station.reboot("RemoteReset", is_graceful=request.type == "Soft")

    return Answer(m.ResetResponse(status="Accepted"), then=then)


def _unlock(station: "Station", request: m.UnlockConnectorRequest) -> Result:
    outlet = station.outlets.get(request.connector_id)
    if outlet is None:
        return m.UnlockConnectorResponse(status="NotSupported")
    outlet.stop(StopOrder("UnlockCommand", "Other", pulls_plug=True))
    return m.UnlockConnectorResponse(status="Unlocked")


def _availability(station: "Station", request: m.ChangeAvailabilityRequest) -> Result:
    outlets = _outlets(station, request.connector_id)
    if not outlets:
        return m.ChangeAvailabilityResponse(status="Rejected")
    is_operative = request.type == "Operative"
    if request.connector_id == 0:
        station.is_operative = is_operative
    n_done = sum(outlet.set_operative(is_operative) for outlet in outlets)
    return m.ChangeAvailabilityResponse(status="Accepted" if n_done == len(outlets) else "Scheduled")


def _get_configuration(station: "Station", request: m.GetConfigurationRequest) -> Result:
    settings = []
    unknown = []
    if request.key:
        for key in request.key:
            setting = device.find_key16(key)
            if setting is None:
                unknown.append(key)
            else:
                settings.append(setting)
    else:
        settings = list(device.listed16())
    return m.GetConfigurationResponse(
        configuration_key=[
            m.KeyValue(key=s.key16 or "", readonly=s.access == "ReadOnly", value=station.device.read(s))
            for s in settings
        ]
        or None,
        unknown_key=unknown or None,
    )


_REFUSALS = {"unknown": "NotSupported"}


def _change_configuration(station: "Station", request: m.ChangeConfigurationRequest) -> Result:
    try:
        setting = station.device.write(device.find_key16(request.key), request.value)
    except device.Refusal as refusal:
        return m.ChangeConfigurationResponse(status=cast(Any, _REFUSALS.get(refusal.kind, "Rejected")))
    if setting.name == "auth_key":
        # The new key is used from the next connection on (whitepaper A01.FR.03).
        return Answer(m.ChangeConfigurationResponse(status="Accepted"), then=lambda: station.hang_up(1.0))
    return m.ChangeConfigurationResponse(status="RebootRequired" if setting.needs_reboot else "Accepted")


def _clear_cache(station: "Station", _request: Any) -> Result:
    station.permissions.cache.clear()
    return m.ClearCacheResponse(status="Accepted")


def _trigger(station: "Station", request: m.TriggerMessageRequest) -> Result:
    then = _triggered(station, request.requested_message, request.connector_id)
    if then is None:
        return m.TriggerMessageResponse(status="NotImplemented")
    if request.connector_id and request.connector_id not in station.outlets:
        return m.TriggerMessageResponse(status="Rejected")
    return Answer(m.TriggerMessageResponse(status="Accepted"), then=then)


def _extended_trigger(station: "Station", request: m.ExtendedTriggerMessageRequest) -> Result:
    then = _triggered(station, request.requested_message, request.connector_id)
    if then is None:
        return m.ExtendedTriggerMessageResponse(status="NotImplemented")
    if request.connector_id and request.connector_id not in station.outlets:
        return m.ExtendedTriggerMessageResponse(status="Rejected")
    return Answer(m.ExtendedTriggerMessageResponse(status="Accepted"), then=then)


def _triggered(station: "Station", message: str, connector_id: int | None) -> Callable[[], None] | None:
    """What sends the message asked for."""
    jobs, speaker = station.jobs, station.speaker

    def statuses() -> None:
        if connector_id:
            station.say(speaker.status(station.status_of(station.outlets[connector_id])))
        else:
            station.tell_statuses()

    def meters() -> None:
        for outlet in _outlets(station, connector_id):
            outlet.tell_meter("Trigger", "Trigger")

    return {
        "BootNotification": station.boot_again,
        "Heartbeat": lambda: station.say(speaker.heartbeat()),
        "StatusNotification": statuses,
        "MeterValues": meters,
        "FirmwareStatusNotification": lambda: station.say(
            speaker.firmware_status(jobs.firmware_status, jobs.firmware_request_id, is_signed=False)
        ),
        "DiagnosticsStatusNotification": lambda: station.say(
            speaker.log_status(jobs.log_status, None, is_diagnostics=True)
        ),
        "LogStatusNotification": lambda: station.say(
            speaker.log_status(jobs.log_status, jobs.log_request_id, is_diagnostics=False)
        ),
        "SignChargePointCertificate": station.sign_certificate,
    }.get(message)


def _set_profile(station: "Station", request: m.SetChargingProfileRequest) -> Result:
    given = request.cs_charging_profiles
    transaction_id: str | None = None
    if given.charging_profile_purpose == "TxProfile":
        outlet = station.outlets.get(request.connector_id)
        running = outlet.transaction if outlet else None
        is_other = given.transaction_id is not None and running is not None and given.transaction_id != running.wire_id
        if running is None or is_other:
            return m.SetChargingProfileResponse(status="Rejected")
        transaction_id = running.transaction_id
    elif request.connector_id and request.connector_id not in station.outlets:
        return m.SetChargingProfileResponse(status="Rejected")
    refusal = station.install_profile(profile_forms.from16(request.connector_id, given, transaction_id))
    return m.SetChargingProfileResponse(status="Rejected" if refusal else "Accepted")


def _clear_profile(station: "Station", request: m.ClearChargingProfileRequest) -> Result:
    word = request.charging_profile_purpose
    purpose = profile_forms.purpose(word) if word else None

    def matches(profile: Profile) -> bool:
        if request.id is not None:
            return profile.profile_id == request.id
        return (
            request.connector_id in (None, profile.evse_number)
            and purpose in (None, profile.purpose)
            and request.stack_level in (None, profile.stack_level)
        )

    n_cleared = station.clear_profiles(matches)
    return m.ClearChargingProfileResponse(status="Accepted" if n_cleared else "Unknown")


def _composite(station: "Station", request: m.GetCompositeScheduleRequest) -> Result:
    schedule = station.composite(request.connector_id, request.duration, request.charging_rate_unit)
    if schedule is None:
        return m.GetCompositeScheduleResponse(status="Rejected")
    start, unit, slots = schedule
    return m.GetCompositeScheduleResponse(
        status="Accepted",
        connector_id=request.connector_id,
        schedule_start=iso(start),
        charging_schedule=m.ChargingSchedule(
            duration=request.duration,
            start_schedule=iso(start),
            charging_rate_unit=unit,
            charging_schedule_period=[
                m.ChargingSchedulePeriod(start_period=slot.start_s, limit=number(slot.limit)) for slot in slots
            ],
        ),
    )


def _local_list(station: "Station", request: m.SendLocalListRequest) -> Result:
    if not station.device.flag("local_list_enabled"):
        return m.SendLocalListResponse(status="NotSupported")
    entries = {
        entry.id_tag.casefold(): _permission(entry.id_tag_info) for entry in request.local_authorization_list or ()
    }
    if request.update_type == "Full":
        station.permissions.replace(request.list_version, entries)
    elif not station.permissions.amend(request.list_version, entries):
        return m.SendLocalListResponse(status="VersionMismatch")
    return m.SendLocalListResponse(status="Accepted")


def _permission(info: m.IdTagInfo | None) -> Permission | None:
    return Permission(info.status, info.parent_id_tag, parse_instant(info.expiry_date)) if info else None


def _list_version(station: "Station", _request: Any) -> Result:
    return m.GetLocalListVersionResponse(list_version=station.permissions.list_version)


def _reserve(station: "Station", request: m.ReserveNowRequest) -> Result:
    until = parse_instant(request.expiry_date)
    if until is None or until <= station.clock.now():
        return m.ReserveNowResponse(status="Rejected")
    reservation = Reservation(request.reservation_id, request.id_tag, request.parent_id_tag, until)
    return m.ReserveNowResponse(status=cast(Any, station.reserve(request.connector_id or None, reservation)))


def _cancel_reservation(station: "Station", request: m.CancelReservationRequest) -> Result:
    is_known = station.cancel_reservation(request.reservation_id)
    return m.CancelReservationResponse(status="Accepted" if is_known else "Rejected")


def _data_transfer(_station: "Station", request: m.DataTransferRequest) -> Result:
    """The simulator's own vendor id echoes; nobody else's is known."""
    if request.vendor_id == "ohmstead.simulator":
        return m.DataTransferResponse(status="Accepted", data=request.data)
    return m.DataTransferResponse(status="UnknownVendorId")


def _firmware(station: "Station", request: m.UpdateFirmwareRequest) -> Result:
    order = FirmwareOrder(request.location, retrieve_at=parse_instant(request.retrieve_date))
    return Answer(m.UpdateFirmwareResponse(), then=lambda: _run(station.jobs.start_firmware, order))


def _signed_firmware(station: "Station", request: m.SignedUpdateFirmwareRequest) -> Result:
    firmware = request.firmware
    if "BEGIN CERTIFICATE" not in firmware.signing_certificate:
        return m.SignedUpdateFirmwareResponse(status="InvalidCertificate")
    order = FirmwareOrder(
        firmware.location,
        request.request_id,
        parse_instant(firmware.retrieve_date_time),
        parse_instant(firmware.install_date_time),
        is_signed=True,
        uses_signed_form=True,
        certificate=firmware.signing_certificate,
        signature=firmware.signature,
    )
    was_running = station.jobs.start_firmware(order)
    return m.SignedUpdateFirmwareResponse(status="AcceptedCanceled" if was_running else "Accepted")


def _diagnostics(station: "Station", request: m.GetDiagnosticsRequest) -> Result:
    name = f"diagnostics-{station.plan.station_id}.log.gz"[:255]
    order = LogOrder(request.location, is_diagnostics=True, name=name)
    body = m.GetDiagnosticsResponse(file_name=name)
    return Answer(body, then=lambda: _run(station.jobs.start_log, order))


def _log(station: "Station", request: m.GetLogRequest) -> Result:
    name = f"{request.log_type}-{station.plan.station_id}.log.gz"[:255]
    was_running = station.jobs.start_log(LogOrder(request.log.remote_location, request.request_id, name=name))
    return m.GetLogResponse(status="AcceptedCanceled" if was_running else "Accepted", filename=name)


def _run(start: Callable[[Any], bool], order: Any) -> None:
    start(order)


def _certificate_signed(station: "Station", request: m.CertificateSignedRequest) -> Result:
    is_good = station.take_certificate(request.certificate_chain)
    return m.CertificateSignedResponse(status="Accepted" if is_good else "Rejected")


def _install_certificate(station: "Station", request: m.InstallCertificateRequest) -> Result:
    status = station.certificates.install(request.certificate_type, request.certificate)
    return m.InstallCertificateResponse(status=cast(Any, status))


def _installed_certificates(station: "Station", request: m.GetInstalledCertificateIdsRequest) -> Result:
    found = station.certificates.listed([request.certificate_type])
    if not found:
        return m.GetInstalledCertificateIdsResponse(status="NotFound")
    return m.GetInstalledCertificateIdsResponse(
        status="Accepted",
        certificate_hash_data=[
            m.CertificateHashDataType(
                hash_algorithm="SHA256",
                issuer_name_hash=h.issuer_name_hash,
                issuer_key_hash=h.issuer_key_hash,
                serial_number=h.serial_number,
            )
            for _, h in found
        ],
    )


def _delete_certificate(station: "Station", request: m.DeleteCertificateRequest) -> Result:
    h = request.certificate_hash_data
    is_deleted = station.certificates.delete(h.issuer_name_hash, h.issuer_key_hash, h.serial_number)
    return m.DeleteCertificateResponse(status="Accepted" if is_deleted else "NotFound")


TABLE: dict[str, Answerer] = {
    "CancelReservation": _cancel_reservation,
    "CertificateSigned": _certificate_signed,
    "ChangeAvailability": _availability,
    "ChangeConfiguration": _change_configuration,
    "ClearCache": _clear_cache,
    "ClearChargingProfile": _clear_profile,
    "DataTransfer": _data_transfer,
    "DeleteCertificate": _delete_certificate,
    "ExtendedTriggerMessage": _extended_trigger,
    "GetCompositeSchedule": _composite,
    "GetConfiguration": _get_configuration,
    "GetDiagnostics": _diagnostics,
    "GetInstalledCertificateIds": _installed_certificates,
    "GetLocalListVersion": _list_version,
    "GetLog": _log,
    "InstallCertificate": _install_certificate,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "ReserveNow": _reserve,
    "Reset": _reset,
    "SendLocalList": _local_list,
    "SetChargingProfile": _set_profile,
    "SignedUpdateFirmware": _signed_firmware,
    "TriggerMessage": _trigger,
    "UnlockConnector": _unlock,
    "UpdateFirmware": _firmware,
}
