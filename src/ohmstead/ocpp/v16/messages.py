"""The messages of OCPP 1.6.

Generated from the official JSON schemas by `python tools/gen_ocpp.py`; change the generator, not this file.

Attributes are the wire's names in snake case. Instants stay text as the station wrote it; JSON numbers are exact
decimals. Write with `rpc.to_json`, which keeps decimals numbers; msgspec's own encoder would make them strings.
"""

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct


class Payload(Struct, rename="camel", omit_defaults=True, gc=False):
    """What every message and every structure inside one is."""


def exact(value: Decimal | None, low: int | None = None, high: int | None = None) -> None:
    """Refuse a number that nothing downstream could hold: not finite, absurdly large or small, over 28 digits."""
    if value is None:
        return
    if not value.is_finite() or not -30 < value.adjusted() < 30 or value != +value:
        raise ValueError("Number out of range")
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"Expected a number from {low}" + (f" to {high}" if high is not None else ""))


Instant: TypeAlias = Annotated[str, Meta(max_length=64)]
Integer: TypeAlias = Annotated[int, Meta(ge=-2147483648, le=2147483647)]
Natural: TypeAlias = Annotated[int, Meta(ge=0, le=2147483647)]
Register: TypeAlias = Annotated[int, Meta(ge=-9007199254740992, le=9007199254740992)]
Str20: TypeAlias = Annotated[str, Meta(max_length=20)]
Str25: TypeAlias = Annotated[str, Meta(max_length=25)]
Str40: TypeAlias = Annotated[str, Meta(max_length=40)]
Str50: TypeAlias = Annotated[str, Meta(max_length=50)]
Str128: TypeAlias = Annotated[str, Meta(max_length=128)]
Str255: TypeAlias = Annotated[str, Meta(max_length=255)]
Str500: TypeAlias = Annotated[str, Meta(max_length=500)]
Str512: TypeAlias = Annotated[str, Meta(max_length=512)]
Str800: TypeAlias = Annotated[str, Meta(max_length=800)]
Str5500: TypeAlias = Annotated[str, Meta(max_length=5500)]
Str10000: TypeAlias = Annotated[str, Meta(max_length=10000)]

AuthorizationStatus: TypeAlias = Literal[
    "Accepted",
    "Blocked",
    "Expired",
    "Invalid",
    "ConcurrentTx",
]
AvailabilityStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "Scheduled",
]
AvailabilityType: TypeAlias = Literal[
    "Inoperative",
    "Operative",
]
CancelReservationStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
CertificateSignedStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
CertificateUseEnumType: TypeAlias = Literal[
    "CentralSystemRootCertificate",
    "ManufacturerRootCertificate",
]
ChargePointErrorCode: TypeAlias = Literal[
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "NoError",
    "OtherError",
    "OverCurrentFailure",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "OverVoltage",
    "WeakSignal",
]
ChargePointStatus: TypeAlias = Literal[
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEVSE",
    "SuspendedEV",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
]
ChargingProfileKind: TypeAlias = Literal[
    "Absolute",
    "Recurring",
    "Relative",
]
ChargingProfilePurpose: TypeAlias = Literal[
    "ChargePointMaxProfile",
    "TxDefaultProfile",
    "TxProfile",
]
ChargingProfileStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NotSupported",
]
ChargingRateUnit: TypeAlias = Literal[
    "A",
    "W",
]
ClearCacheStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
ClearChargingProfileStatus: TypeAlias = Literal[
    "Accepted",
    "Unknown",
]
ConfigurationStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "RebootRequired",
    "NotSupported",
]
DataTransferStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "UnknownMessageId",
    "UnknownVendorId",
]
DeleteCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Failed",
    "NotFound",
]
DiagnosticsStatus: TypeAlias = Literal[
    "Idle",
    "Uploaded",
    "UploadFailed",
    "Uploading",
]
FirmwareStatus: TypeAlias = Literal[
    "Downloaded",
    "DownloadFailed",
    "Downloading",
    "Idle",
    "InstallationFailed",
    "Installing",
    "Installed",
]
FirmwareStatusEnumType: TypeAlias = Literal[
    "Downloaded",
    "DownloadFailed",
    "Downloading",
    "DownloadScheduled",
    "DownloadPaused",
    "Idle",
    "InstallationFailed",
    "Installing",
    "Installed",
    "InstallRebooting",
    "InstallScheduled",
    "InstallVerificationFailed",
    "InvalidSignature",
    "SignatureVerified",
]
GenericStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
GetCompositeScheduleStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
GetInstalledCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "NotFound",
]
HashAlgorithmEnumType: TypeAlias = Literal[
    "SHA256",
    "SHA384",
    "SHA512",
]
InstallCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Failed",
    "Rejected",
]
LogEnumType: TypeAlias = Literal[
    "DiagnosticsLog",
    "SecurityLog",
]
LogStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "AcceptedCanceled",
]
Measurand: TypeAlias = Literal[
    "Energy.Active.Export.Register",
    "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval",
    "Energy.Active.Import.Interval",
    "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Import.Interval",
    "Power.Active.Export",
    "Power.Active.Import",
    "Power.Offered",
    "Power.Reactive.Export",
    "Power.Reactive.Import",
    "Power.Factor",
    "Current.Import",
    "Current.Export",
    "Current.Offered",
    "Voltage",
    "Frequency",
    "Temperature",
    "SoC",
    "RPM",
]
MessageTrigger: TypeAlias = Literal[
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
]
MessageTriggerEnumType: TypeAlias = Literal[
    "BootNotification",
    "LogStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "SignChargePointCertificate",
    "StatusNotification",
]
MeterLocation: TypeAlias = Literal[
    "Cable",
    "EV",
    "Inlet",
    "Outlet",
    "Body",
]
Phase: TypeAlias = Literal[
    "L1",
    "L2",
    "L3",
    "N",
    "L1-N",
    "L2-N",
    "L3-N",
    "L1-L2",
    "L2-L3",
    "L3-L1",
]
ReadingContext: TypeAlias = Literal[
    "Interruption.Begin",
    "Interruption.End",
    "Sample.Clock",
    "Sample.Periodic",
    "Transaction.Begin",
    "Transaction.End",
    "Trigger",
    "Other",
]
Reason: TypeAlias = Literal[
    "EmergencyStop",
    "EVDisconnected",
    "HardReset",
    "Local",
    "Other",
    "PowerLoss",
    "Reboot",
    "Remote",
    "SoftReset",
    "UnlockCommand",
    "DeAuthorized",
]
RecurrencyKind: TypeAlias = Literal[
    "Daily",
    "Weekly",
]
RegistrationStatus: TypeAlias = Literal[
    "Accepted",
    "Pending",
    "Rejected",
]
RemoteStartStopStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
ReservationStatus: TypeAlias = Literal[
    "Accepted",
    "Faulted",
    "Occupied",
    "Rejected",
    "Unavailable",
]
ResetStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
ResetType: TypeAlias = Literal[
    "Hard",
    "Soft",
]
TriggerMessageStatus: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NotImplemented",
]
TriggerMessageStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NotImplemented",
]
UnitOfMeasure: TypeAlias = Literal[
    "Wh",
    "kWh",
    "varh",
    "kvarh",
    "W",
    "kW",
    "VA",
    "kVA",
    "var",
    "kvar",
    "A",
    "V",
    "K",
    "Celcius",
    "Celsius",
    "Fahrenheit",
    "Percent",
    "Hertz",
    "Hz",
]
UnlockStatus: TypeAlias = Literal[
    "Unlocked",
    "UnlockFailed",
    "NotSupported",
]
UpdateFirmwareStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "AcceptedCanceled",
    "InvalidCertificate",
    "RevokedCertificate",
]
UpdateStatus: TypeAlias = Literal[
    "Accepted",
    "Failed",
    "NotSupported",
    "VersionMismatch",
]
UpdateType: TypeAlias = Literal[
    "Differential",
    "Full",
]
UploadLogStatusEnumType: TypeAlias = Literal[
    "BadMessage",
    "Idle",
    "NotSupportedOperation",
    "PermissionDenied",
    "Uploaded",
    "UploadFailure",
    "Uploading",
]
ValueFormat: TypeAlias = Literal[
    "Raw",
    "SignedData",
]


class AuthorizeRequest(Payload, kw_only=True):
    id_tag: Str20


class IdTagInfo(Payload, kw_only=True):
    status: AuthorizationStatus
    expiry_date: Instant | None = None
    parent_id_tag: Str20 | None = None


class AuthorizeResponse(Payload, kw_only=True):
    id_tag_info: IdTagInfo


class BootNotificationRequest(Payload, kw_only=True):
    charge_point_vendor: Str20
    charge_point_model: Str20
    charge_point_serial_number: Str25 | None = None
    charge_box_serial_number: Str25 | None = None
    firmware_version: Str50 | None = None
    iccid: Str20 | None = None
    imsi: Str20 | None = None
    meter_type: Str25 | None = None
    meter_serial_number: Str25 | None = None


class BootNotificationResponse(Payload, kw_only=True):
    status: RegistrationStatus
    current_time: Instant
    interval: Integer


class CancelReservationRequest(Payload, kw_only=True):
    reservation_id: Integer


class CancelReservationResponse(Payload, kw_only=True):
    status: CancelReservationStatus


class CertificateSignedRequest(Payload, kw_only=True):
    certificate_chain: Str10000


class CertificateSignedResponse(Payload, kw_only=True):
    status: CertificateSignedStatusEnumType


class ChangeAvailabilityRequest(Payload, kw_only=True):
    connector_id: Natural
    type: AvailabilityType


class ChangeAvailabilityResponse(Payload, kw_only=True):
    status: AvailabilityStatus


class ChangeConfigurationRequest(Payload, kw_only=True):
    key: Str50
    value: Str500


class ChangeConfigurationResponse(Payload, kw_only=True):
    status: ConfigurationStatus


class ClearCacheRequest(Payload, kw_only=True):
    pass


class ClearCacheResponse(Payload, kw_only=True):
    status: ClearCacheStatus


class ClearChargingProfileRequest(Payload, kw_only=True):
    id: Integer | None = None
    connector_id: Natural | None = None
    charging_profile_purpose: ChargingProfilePurpose | None = None
    stack_level: Integer | None = None


class ClearChargingProfileResponse(Payload, kw_only=True):
    status: ClearChargingProfileStatus


class DataTransferRequest(Payload, kw_only=True):
    vendor_id: Str255
    message_id: Str50 | None = None
    data: str | None = None


class DataTransferResponse(Payload, kw_only=True):
    status: DataTransferStatus
    data: str | None = None


class CertificateHashDataType(Payload, kw_only=True):
    hash_algorithm: HashAlgorithmEnumType
    issuer_name_hash: Str128
    issuer_key_hash: Str128
    serial_number: Str40


class DeleteCertificateRequest(Payload, kw_only=True):
    certificate_hash_data: CertificateHashDataType


class DeleteCertificateResponse(Payload, kw_only=True):
    status: DeleteCertificateStatusEnumType


class DiagnosticsStatusNotificationRequest(Payload, kw_only=True):
    status: DiagnosticsStatus


class DiagnosticsStatusNotificationResponse(Payload, kw_only=True):
    pass


class ExtendedTriggerMessageRequest(Payload, kw_only=True):
    requested_message: MessageTriggerEnumType
    connector_id: Natural | None = None


class ExtendedTriggerMessageResponse(Payload, kw_only=True):
    status: TriggerMessageStatusEnumType


class FirmwareStatusNotificationRequest(Payload, kw_only=True):
    status: FirmwareStatus


class FirmwareStatusNotificationResponse(Payload, kw_only=True):
    pass


class GetCompositeScheduleRequest(Payload, kw_only=True):
    connector_id: Natural
    duration: Integer
    charging_rate_unit: ChargingRateUnit | None = None


class ChargingSchedulePeriod(Payload, kw_only=True):
    start_period: Integer
    limit: Decimal
    number_phases: Integer | None = None

    def __post_init__(self) -> None:
        exact(self.limit)


class ChargingSchedule(Payload, kw_only=True):
    charging_rate_unit: ChargingRateUnit
    charging_schedule_period: list[ChargingSchedulePeriod]
    duration: Integer | None = None
    start_schedule: Instant | None = None
    min_charging_rate: Decimal | None = None

    def __post_init__(self) -> None:
        exact(self.min_charging_rate)


class GetCompositeScheduleResponse(Payload, kw_only=True):
    status: GetCompositeScheduleStatus
    connector_id: Natural | None = None
    schedule_start: Instant | None = None
    charging_schedule: ChargingSchedule | None = None


class GetConfigurationRequest(Payload, kw_only=True):
    key: list[Str50] | None = None


class KeyValue(Payload, kw_only=True):
    key: Str50
    readonly: bool
    value: Str500 | None = None


class GetConfigurationResponse(Payload, kw_only=True):
    configuration_key: list[KeyValue] | None = None
    unknown_key: list[Str50] | None = None


class GetDiagnosticsRequest(Payload, kw_only=True):
    location: str
    retries: Integer | None = None
    retry_interval: Integer | None = None
    start_time: Instant | None = None
    stop_time: Instant | None = None


class GetDiagnosticsResponse(Payload, kw_only=True):
    file_name: Str255 | None = None


class GetInstalledCertificateIdsRequest(Payload, kw_only=True):
    certificate_type: CertificateUseEnumType


class GetInstalledCertificateIdsResponse(Payload, kw_only=True):
    status: GetInstalledCertificateStatusEnumType
    certificate_hash_data: Annotated[list[CertificateHashDataType], Meta(min_length=1)] | None = None


class GetLocalListVersionRequest(Payload, kw_only=True):
    pass


class GetLocalListVersionResponse(Payload, kw_only=True):
    list_version: Integer


class LogParametersType(Payload, kw_only=True):
    remote_location: Str512
    oldest_timestamp: Instant | None = None
    latest_timestamp: Instant | None = None


class GetLogRequest(Payload, kw_only=True):
    log: LogParametersType
    log_type: LogEnumType
    request_id: Integer
    retries: Integer | None = None
    retry_interval: Integer | None = None


class GetLogResponse(Payload, kw_only=True):
    status: LogStatusEnumType
    filename: Str255 | None = None


class HeartbeatRequest(Payload, kw_only=True):
    pass


class HeartbeatResponse(Payload, kw_only=True):
    current_time: Instant


class InstallCertificateRequest(Payload, kw_only=True):
    certificate_type: CertificateUseEnumType
    certificate: Str5500


class InstallCertificateResponse(Payload, kw_only=True):
    status: InstallCertificateStatusEnumType


class LogStatusNotificationRequest(Payload, kw_only=True):
    status: UploadLogStatusEnumType
    request_id: Integer | None = None


class LogStatusNotificationResponse(Payload, kw_only=True):
    pass


class SampledValue(Payload, kw_only=True):
    value: str
    context: ReadingContext | None = None
    format: ValueFormat | None = None
    measurand: Measurand | None = None
    phase: Phase | None = None
    location: MeterLocation | None = None
    unit: UnitOfMeasure | None = None


class MeterValue(Payload, kw_only=True):
    timestamp: Instant
    sampled_value: list[SampledValue]


class MeterValuesRequest(Payload, kw_only=True):
    connector_id: Natural
    meter_value: Annotated[list[MeterValue], Meta(min_length=1)]
    transaction_id: Integer | None = None


class MeterValuesResponse(Payload, kw_only=True):
    pass


class ChargingProfile(Payload, kw_only=True):
    charging_profile_id: Integer
    stack_level: Integer
    charging_profile_purpose: ChargingProfilePurpose
    charging_profile_kind: ChargingProfileKind
    charging_schedule: ChargingSchedule
    transaction_id: Integer | None = None
    recurrency_kind: RecurrencyKind | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None


class RemoteStartTransactionRequest(Payload, kw_only=True):
    id_tag: Str20
    connector_id: Natural | None = None
    charging_profile: ChargingProfile | None = None


class RemoteStartTransactionResponse(Payload, kw_only=True):
    status: RemoteStartStopStatus


class RemoteStopTransactionRequest(Payload, kw_only=True):
    transaction_id: Integer


class RemoteStopTransactionResponse(Payload, kw_only=True):
    status: RemoteStartStopStatus


class ReserveNowRequest(Payload, kw_only=True):
    connector_id: Natural
    expiry_date: Instant
    id_tag: Str20
    reservation_id: Integer
    parent_id_tag: Str20 | None = None


class ReserveNowResponse(Payload, kw_only=True):
    status: ReservationStatus


class ResetRequest(Payload, kw_only=True):
    type: ResetType


class ResetResponse(Payload, kw_only=True):
    status: ResetStatus


class SecurityEventNotificationRequest(Payload, kw_only=True):
    type: Str50
    timestamp: Instant
    tech_info: Str255 | None = None


class SecurityEventNotificationResponse(Payload, kw_only=True):
    pass


class AuthorizationData(Payload, kw_only=True):
    id_tag: Str20
    id_tag_info: IdTagInfo | None = None


class SendLocalListRequest(Payload, kw_only=True):
    list_version: Integer
    update_type: UpdateType
    local_authorization_list: list[AuthorizationData] | None = None


class SendLocalListResponse(Payload, kw_only=True):
    status: UpdateStatus


class SetChargingProfileRequest(Payload, kw_only=True):
    connector_id: Natural
    cs_charging_profiles: ChargingProfile


class SetChargingProfileResponse(Payload, kw_only=True):
    status: ChargingProfileStatus


class SignCertificateRequest(Payload, kw_only=True):
    csr: Str5500


class SignCertificateResponse(Payload, kw_only=True):
    status: GenericStatusEnumType


class SignedFirmwareStatusNotificationRequest(Payload, kw_only=True):
    status: FirmwareStatusEnumType
    request_id: Integer | None = None


class SignedFirmwareStatusNotificationResponse(Payload, kw_only=True):
    pass


class FirmwareType(Payload, kw_only=True):
    location: Str512
    retrieve_date_time: Instant
    signing_certificate: Str5500
    signature: Str800
    install_date_time: Instant | None = None


class SignedUpdateFirmwareRequest(Payload, kw_only=True):
    request_id: Integer
    firmware: FirmwareType
    retries: Integer | None = None
    retry_interval: Integer | None = None


class SignedUpdateFirmwareResponse(Payload, kw_only=True):
    status: UpdateFirmwareStatusEnumType


class StartTransactionRequest(Payload, kw_only=True):
    connector_id: Natural
    id_tag: Str20
    meter_start: Register
    timestamp: Instant
    reservation_id: Integer | None = None


class StartTransactionResponse(Payload, kw_only=True):
    id_tag_info: IdTagInfo
    transaction_id: Integer


class StatusNotificationRequest(Payload, kw_only=True):
    connector_id: Natural
    error_code: ChargePointErrorCode
    status: ChargePointStatus
    info: Str50 | None = None
    timestamp: Instant | None = None
    vendor_id: Str255 | None = None
    vendor_error_code: Str50 | None = None


class StatusNotificationResponse(Payload, kw_only=True):
    pass


class StopTransactionRequest(Payload, kw_only=True):
    meter_stop: Register
    timestamp: Instant
    transaction_id: Integer
    id_tag: Str20 | None = None
    reason: Reason | None = None
    transaction_data: list[MeterValue] | None = None


class StopTransactionResponse(Payload, kw_only=True):
    id_tag_info: IdTagInfo | None = None


class TriggerMessageRequest(Payload, kw_only=True):
    requested_message: MessageTrigger
    connector_id: Natural | None = None


class TriggerMessageResponse(Payload, kw_only=True):
    status: TriggerMessageStatus


class UnlockConnectorRequest(Payload, kw_only=True):
    connector_id: Natural


class UnlockConnectorResponse(Payload, kw_only=True):
    status: UnlockStatus


class UpdateFirmwareRequest(Payload, kw_only=True):
    location: str
    retrieve_date: Instant
    retries: Integer | None = None
    retry_interval: Integer | None = None


class UpdateFirmwareResponse(Payload, kw_only=True):
    pass


REQUESTS: dict[str, type[Payload]] = {
    "Authorize": AuthorizeRequest,
    "BootNotification": BootNotificationRequest,
    "CancelReservation": CancelReservationRequest,
    "CertificateSigned": CertificateSignedRequest,
    "ChangeAvailability": ChangeAvailabilityRequest,
    "ChangeConfiguration": ChangeConfigurationRequest,
    "ClearCache": ClearCacheRequest,
    "ClearChargingProfile": ClearChargingProfileRequest,
    "DataTransfer": DataTransferRequest,
    "DeleteCertificate": DeleteCertificateRequest,
    "DiagnosticsStatusNotification": DiagnosticsStatusNotificationRequest,
    "ExtendedTriggerMessage": ExtendedTriggerMessageRequest,
    "FirmwareStatusNotification": FirmwareStatusNotificationRequest,
    "GetCompositeSchedule": GetCompositeScheduleRequest,
    "GetConfiguration": GetConfigurationRequest,
    "GetDiagnostics": GetDiagnosticsRequest,
    "GetInstalledCertificateIds": GetInstalledCertificateIdsRequest,
    "GetLocalListVersion": GetLocalListVersionRequest,
    "GetLog": GetLogRequest,
    "Heartbeat": HeartbeatRequest,
    "InstallCertificate": InstallCertificateRequest,
    "LogStatusNotification": LogStatusNotificationRequest,
    "MeterValues": MeterValuesRequest,
    "RemoteStartTransaction": RemoteStartTransactionRequest,
    "RemoteStopTransaction": RemoteStopTransactionRequest,
    "ReserveNow": ReserveNowRequest,
    "Reset": ResetRequest,
    "SecurityEventNotification": SecurityEventNotificationRequest,
    "SendLocalList": SendLocalListRequest,
    "SetChargingProfile": SetChargingProfileRequest,
    "SignCertificate": SignCertificateRequest,
    "SignedFirmwareStatusNotification": SignedFirmwareStatusNotificationRequest,
    "SignedUpdateFirmware": SignedUpdateFirmwareRequest,
    "StartTransaction": StartTransactionRequest,
    "StatusNotification": StatusNotificationRequest,
    "StopTransaction": StopTransactionRequest,
    "TriggerMessage": TriggerMessageRequest,
    "UnlockConnector": UnlockConnectorRequest,
    "UpdateFirmware": UpdateFirmwareRequest,
}


RESPONSES: dict[str, type[Payload]] = {
    "Authorize": AuthorizeResponse,
    "BootNotification": BootNotificationResponse,
    "CancelReservation": CancelReservationResponse,
    "CertificateSigned": CertificateSignedResponse,
    "ChangeAvailability": ChangeAvailabilityResponse,
    "ChangeConfiguration": ChangeConfigurationResponse,
    "ClearCache": ClearCacheResponse,
    "ClearChargingProfile": ClearChargingProfileResponse,
    "DataTransfer": DataTransferResponse,
    "DeleteCertificate": DeleteCertificateResponse,
    "DiagnosticsStatusNotification": DiagnosticsStatusNotificationResponse,
    "ExtendedTriggerMessage": ExtendedTriggerMessageResponse,
    "FirmwareStatusNotification": FirmwareStatusNotificationResponse,
    "GetCompositeSchedule": GetCompositeScheduleResponse,
    "GetConfiguration": GetConfigurationResponse,
    "GetDiagnostics": GetDiagnosticsResponse,
    "GetInstalledCertificateIds": GetInstalledCertificateIdsResponse,
    "GetLocalListVersion": GetLocalListVersionResponse,
    "GetLog": GetLogResponse,
    "Heartbeat": HeartbeatResponse,
    "InstallCertificate": InstallCertificateResponse,
    "LogStatusNotification": LogStatusNotificationResponse,
    "MeterValues": MeterValuesResponse,
    "RemoteStartTransaction": RemoteStartTransactionResponse,
    "RemoteStopTransaction": RemoteStopTransactionResponse,
    "ReserveNow": ReserveNowResponse,
    "Reset": ResetResponse,
    "SecurityEventNotification": SecurityEventNotificationResponse,
    "SendLocalList": SendLocalListResponse,
    "SetChargingProfile": SetChargingProfileResponse,
    "SignCertificate": SignCertificateResponse,
    "SignedFirmwareStatusNotification": SignedFirmwareStatusNotificationResponse,
    "SignedUpdateFirmware": SignedUpdateFirmwareResponse,
    "StartTransaction": StartTransactionResponse,
    "StatusNotification": StatusNotificationResponse,
    "StopTransaction": StopTransactionResponse,
    "TriggerMessage": TriggerMessageResponse,
    "UnlockConnector": UnlockConnectorResponse,
    "UpdateFirmware": UpdateFirmwareResponse,
}


FROM_STATION: frozenset[str] = frozenset({
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
})


TO_STATION: frozenset[str] = frozenset({
    "CancelReservation",
    "CertificateSigned",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "DataTransfer",
    "DeleteCertificate",
    "ExtendedTriggerMessage",
    "GetCompositeSchedule",
    "GetConfiguration",
    "GetDiagnostics",
    "GetInstalledCertificateIds",
    "GetLocalListVersion",
    "GetLog",
    "InstallCertificate",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SignedUpdateFirmware",
    "TriggerMessage",
    "UnlockConnector",
    "UpdateFirmware",
})


SENDS: frozenset[str] = frozenset()
