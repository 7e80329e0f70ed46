"""The messages of OCPP 2.0.1 and 2.1, as one family.

Generated from the official JSON schemas by `python tools/gen_ocpp.py`; change the generator, not this file.

Attributes are the wire's names in snake case. Instants stay text as the station wrote it; JSON numbers are exact
decimals. Write with `rpc.to_json`, which keeps decimals numbers; msgspec's own encoder would make them strings.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct, field


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


CustomData: TypeAlias = dict[str, Any]
Instant: TypeAlias = Annotated[str, Meta(max_length=64)]
Integer: TypeAlias = Annotated[int, Meta(ge=-2147483648, le=2147483647)]
Natural: TypeAlias = Annotated[int, Meta(ge=0, le=2147483647)]
Register: TypeAlias = Annotated[int, Meta(ge=-9007199254740992, le=9007199254740992)]
Str3: TypeAlias = Annotated[str, Meta(max_length=3)]
Str6: TypeAlias = Annotated[str, Meta(max_length=6)]
Str8: TypeAlias = Annotated[str, Meta(max_length=8)]
Str16: TypeAlias = Annotated[str, Meta(max_length=16)]
Str20: TypeAlias = Annotated[str, Meta(max_length=20)]
Str25: TypeAlias = Annotated[str, Meta(max_length=25)]
Str32: TypeAlias = Annotated[str, Meta(max_length=32)]
Str36: TypeAlias = Annotated[str, Meta(max_length=36)]
Str40: TypeAlias = Annotated[str, Meta(max_length=40)]
Str48: TypeAlias = Annotated[str, Meta(max_length=48)]
Str50: TypeAlias = Annotated[str, Meta(max_length=50)]
Str60: TypeAlias = Annotated[str, Meta(max_length=60)]
Str64: TypeAlias = Annotated[str, Meta(max_length=64)]
Str80: TypeAlias = Annotated[str, Meta(max_length=80)]
Str88: TypeAlias = Annotated[str, Meta(max_length=88)]
Str100: TypeAlias = Annotated[str, Meta(max_length=100)]
Str128: TypeAlias = Annotated[str, Meta(max_length=128)]
Str160: TypeAlias = Annotated[str, Meta(max_length=160)]
Str200: TypeAlias = Annotated[str, Meta(max_length=200)]
Str255: TypeAlias = Annotated[str, Meta(max_length=255)]
Str256: TypeAlias = Annotated[str, Meta(max_length=256)]
Str500: TypeAlias = Annotated[str, Meta(max_length=500)]
Str512: TypeAlias = Annotated[str, Meta(max_length=512)]
Str800: TypeAlias = Annotated[str, Meta(max_length=800)]
Str1000: TypeAlias = Annotated[str, Meta(max_length=1000)]
Str1024: TypeAlias = Annotated[str, Meta(max_length=1024)]
Str2000: TypeAlias = Annotated[str, Meta(max_length=2000)]
Str2500: TypeAlias = Annotated[str, Meta(max_length=2500)]
Str5500: TypeAlias = Annotated[str, Meta(max_length=5500)]
Str10000: TypeAlias = Annotated[str, Meta(max_length=10000)]
Str11000: TypeAlias = Annotated[str, Meta(max_length=11000)]
Str17000: TypeAlias = Annotated[str, Meta(max_length=17000)]
Str18000: TypeAlias = Annotated[str, Meta(max_length=18000)]
Str32768: TypeAlias = Annotated[str, Meta(max_length=32768)]

APNAuthenticationEnumType: TypeAlias = Literal[
    "PAP",
    "CHAP",
    "NONE",
    "AUTO",
]
AttributeEnumType: TypeAlias = Literal[
    "Actual",
    "Target",
    "MinSet",
    "MaxSet",
]
AuthorizationStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Blocked",
    "ConcurrentTx",
    "Expired",
    "Invalid",
    "NoCredit",
    "NotAllowedTypeEVSE",
    "NotAtThisLocation",
    "NotAtThisTime",
    "Unknown",
]
AuthorizeCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "SignatureError",
    "CertificateExpired",
    "CertificateRevoked",
    "NoCertificateAvailable",
    "CertChainError",
    "ContractCancelled",
]
BatterySwapEventEnumType: TypeAlias = Literal[
    "BatteryIn",
    "BatteryOut",
    "BatteryOutTimeout",
]
BootReasonEnumType: TypeAlias = Literal[
    "ApplicationReset",
    "FirmwareUpdate",
    "LocalReset",
    "PowerUp",
    "RemoteReset",
    "ScheduledReset",
    "Triggered",
    "Unknown",
    "Watchdog",
]
CancelReservationStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
CertificateActionEnumType: TypeAlias = Literal[
    "Install",
    "Update",
]
CertificateSignedStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
CertificateSigningUseEnumType: TypeAlias = Literal[
    "ChargingStationCertificate",
    "V2GCertificate",
    "V2G20Certificate",
]
CertificateStatusEnumType: TypeAlias = Literal[
    "Good",
    "Revoked",
    "Unknown",
    "Failed",
]
CertificateStatusSourceEnumType: TypeAlias = Literal[
    "CRL",
    "OCSP",
]
ChangeAvailabilityStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "Scheduled",
]
ChargingProfileKindEnumType: TypeAlias = Literal[
    "Absolute",
    "Recurring",
    "Relative",
    "Dynamic",
]
ChargingProfilePurposeEnumType: TypeAlias = Literal[
    "ChargingStationExternalConstraints",
    "ChargingStationMaxProfile",
    "TxDefaultProfile",
    "TxProfile",
    "PriorityCharging",
    "LocalGeneration",
]
ChargingProfileStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
ChargingRateUnitEnumType: TypeAlias = Literal[
    "W",
    "A",
]
ChargingStateEnumType: TypeAlias = Literal[
    "EVConnected",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Idle",
]
ClearCacheStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
ClearChargingProfileStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Unknown",
]
ClearMessageStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Unknown",
    "Rejected",
]
ClearMonitoringStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NotFound",
]
ComponentCriterionEnumType: TypeAlias = Literal[
    "Active",
    "Available",
    "Enabled",
    "Problem",
]
ConnectorStatusEnumType: TypeAlias = Literal[
    "Available",
    "Occupied",
    "Reserved",
    "Unavailable",
    "Faulted",
]
ControlModeEnumType: TypeAlias = Literal[
    "ScheduledControl",
    "DynamicControl",
]
CostDimensionEnumType: TypeAlias = Literal[
    "Energy",
    "MaxCurrent",
    "MinCurrent",
    "MaxPower",
    "MinPower",
    "IdleTIme",
    "ChargingTime",
]
CostKindEnumType: TypeAlias = Literal[
    "CarbonDioxideEmission",
    "RelativePricePercentage",
    "RenewableGenerationPercentage",
]
CustomerInformationStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "Invalid",
]
DERControlEnumType: TypeAlias = Literal[
    "EnterService",
    "FreqDroop",
    "FreqWatt",
    "FixedPFAbsorb",
    "FixedPFInject",
    "FixedVar",
    "Gradients",
    "HFMustTrip",
    "HFMayTrip",
    "HVMustTrip",
    "HVMomCess",
    "HVMayTrip",
    "LimitMaxDischarge",
    "LFMustTrip",
    "LVMustTrip",
    "LVMomCess",
    "LVMayTrip",
    "PowerMonitoringMustTrip",
    "VoltVar",
    "VoltWatt",
    "WattPF",
    "WattVar",
]
DERControlStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NotSupported",
    "NotFound",
]
DERUnitEnumType: TypeAlias = Literal[
    "Not_Applicable",
    "PctMaxW",
    "PctMaxVar",
    "PctWAvail",
    "PctVarAvail",
    "PctEffectiveV",
]
DataEnumType: TypeAlias = Literal[
    "string",
    "decimal",
    "integer",
    "dateTime",
    "boolean",
    "OptionList",
    "SequenceList",
    "MemberList",
]
DataTransferStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "UnknownMessageId",
    "UnknownVendorId",
]
DayOfWeekEnumType: TypeAlias = Literal[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
]
DeleteCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Failed",
    "NotFound",
]
DisplayMessageStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "NotSupportedMessageFormat",
    "Rejected",
    "NotSupportedPriority",
    "NotSupportedState",
    "UnknownTransaction",
    "LanguageNotSupported",
]
EnergyTransferModeEnumType: TypeAlias = Literal[
    "AC_single_phase",
    "AC_two_phase",
    "AC_three_phase",
    "DC",
    "AC_BPT",
    "AC_BPT_DER",
    "AC_DER",
    "DC_BPT",
    "DC_ACDP",
    "DC_ACDP_BPT",
    "WPT",
]
EventNotificationEnumType: TypeAlias = Literal[
    "HardWiredNotification",
    "HardWiredMonitor",
    "PreconfiguredMonitor",
    "CustomMonitor",
]
EventTriggerEnumType: TypeAlias = Literal[
    "Alerting",
    "Delta",
    "Periodic",
]
EvseKindEnumType: TypeAlias = Literal[
    "AC",
    "DC",
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
GenericDeviceModelStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NotSupported",
    "EmptyResultSet",
]
GenericStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
GetCertificateIdUseEnumType: TypeAlias = Literal[
    "V2GRootCertificate",
    "MORootCertificate",
    "CSMSRootCertificate",
    "V2GCertificateChain",
    "ManufacturerRootCertificate",
    "OEMRootCertificate",
]
GetCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Failed",
]
GetChargingProfileStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "NoProfiles",
]
GetDisplayMessagesStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Unknown",
]
GetInstalledCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "NotFound",
]
GetVariableStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "UnknownComponent",
    "UnknownVariable",
    "NotSupportedAttributeType",
]
GridEventFaultEnumType: TypeAlias = Literal[
    "CurrentImbalance",
    "LocalEmergency",
    "LowInputPower",
    "OverCurrent",
    "OverFrequency",
    "OverVoltage",
    "PhaseRotation",
    "RemoteEmergency",
    "UnderFrequency",
    "UnderVoltage",
    "VoltageImbalance",
]
HashAlgorithmEnumType: TypeAlias = Literal[
    "SHA256",
    "SHA384",
    "SHA512",
]
InstallCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "Failed",
]
InstallCertificateUseEnumType: TypeAlias = Literal[
    "V2GRootCertificate",
    "MORootCertificate",
    "ManufacturerRootCertificate",
    "CSMSRootCertificate",
    "OEMRootCertificate",
]
IslandingDetectionEnumType: TypeAlias = Literal[
    "NoAntiIslandingSupport",
    "RoCoF",
    "UVP_OVP",
    "UFP_OFP",
    "VoltageVectorShift",
    "ZeroCrossingDetection",
    "OtherPassive",
    "ImpedanceMeasurement",
    "ImpedanceAtFrequency",
    "SlipModeFrequencyShift",
    "SandiaFrequencyShift",
    "SandiaVoltageShift",
    "FrequencyJump",
    "RCLQFactor",
    "OtherActive",
]
Iso15118EVCertificateStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Failed",
]
LocationEnumType: TypeAlias = Literal[
    "Body",
    "Cable",
    "EV",
    "Inlet",
    "Outlet",
    "Upstream",
]
LogEnumType: TypeAlias = Literal[
    "DiagnosticsLog",
    "SecurityLog",
    "DataCollectorLog",
]
LogStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "AcceptedCanceled",
]
MeasurandEnumType: TypeAlias = Literal[
    "Current.Export",
    "Current.Export.Offered",
    "Current.Export.Minimum",
    "Current.Import",
    "Current.Import.Offered",
    "Current.Import.Minimum",
    "Current.Offered",
    "Display.PresentSOC",
    "Display.MinimumSOC",
    "Display.TargetSOC",
    "Display.MaximumSOC",
    "Display.RemainingTimeToMinimumSOC",
    "Display.RemainingTimeToTargetSOC",
    "Display.RemainingTimeToMaximumSOC",
    "Display.ChargingComplete",
    "Display.BatteryEnergyCapacity",
    "Display.InletHot",
    "Energy.Active.Export.Interval",
    "Energy.Active.Export.Register",
    "Energy.Active.Import.Interval",
    "Energy.Active.Import.Register",
    "Energy.Active.Import.CableLoss",
    "Energy.Active.Import.LocalGeneration.Register",
    "Energy.Active.Net",
    "Energy.Active.Setpoint.Interval",
    "Energy.Apparent.Export",
    "Energy.Apparent.Import",
    "Energy.Apparent.Net",
    "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Interval",
    "Energy.Reactive.Import.Register",
    "Energy.Reactive.Net",
    "EnergyRequest.Target",
    "EnergyRequest.Minimum",
    "EnergyRequest.Maximum",
    "EnergyRequest.Minimum.V2X",
    "EnergyRequest.Maximum.V2X",
    "EnergyRequest.Bulk",
    "Frequency",
    "Power.Active.Export",
    "Power.Active.Import",
    "Power.Active.Setpoint",
    "Power.Active.Residual",
    "Power.Export.Minimum",
    "Power.Export.Offered",
    "Power.Factor",
    "Power.Import.Offered",
    "Power.Import.Minimum",
    "Power.Offered",
    "Power.Reactive.Export",
    "Power.Reactive.Import",
    "SoC",
    "Voltage",
    "Voltage.Minimum",
    "Voltage.Maximum",
]
MessageFormatEnumType: TypeAlias = Literal[
    "ASCII",
    "HTML",
    "URI",
    "UTF8",
    "QRCODE",
]
MessagePriorityEnumType: TypeAlias = Literal[
    "AlwaysFront",
    "InFront",
    "NormalCycle",
]
MessageStateEnumType: TypeAlias = Literal[
    "Charging",
    "Faulted",
    "Idle",
    "Unavailable",
    "Suspended",
    "Discharging",
]
MessageTriggerEnumType: TypeAlias = Literal[
    "BootNotification",
    "LogStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "SignChargingStationCertificate",
    "SignV2GCertificate",
    "SignV2G20Certificate",
    "StatusNotification",
    "TransactionEvent",
    "SignCombinedCertificate",
    "PublishFirmwareStatusNotification",
    "CustomTrigger",
]
MobilityNeedsModeEnumType: TypeAlias = Literal[
    "EVCC",
    "EVCC_SECC",
]
MonitorEnumType: TypeAlias = Literal[
    "UpperThreshold",
    "LowerThreshold",
    "Delta",
    "Periodic",
    "PeriodicClockAligned",
    "TargetDelta",
    "TargetDeltaRelative",
]
MonitoringBaseEnumType: TypeAlias = Literal[
    "All",
    "FactoryDefault",
    "HardWiredOnly",
]
MonitoringCriterionEnumType: TypeAlias = Literal[
    "ThresholdMonitoring",
    "DeltaMonitoring",
    "PeriodicMonitoring",
]
MutabilityEnumType: TypeAlias = Literal[
    "ReadOnly",
    "WriteOnly",
    "ReadWrite",
]
NotifyAllowedEnergyTransferStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
NotifyEVChargingNeedsStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "Processing",
    "NoChargingProfile",
]
OCPPInterfaceEnumType: TypeAlias = Literal[
    "Wired0",
    "Wired1",
    "Wired2",
    "Wired3",
    "Wireless0",
    "Wireless1",
    "Wireless2",
    "Wireless3",
    "Any",
]
OCPPTransportEnumType: TypeAlias = Literal[
    "SOAP",
    "JSON",
]
OCPPVersionEnumType: TypeAlias = Literal[
    "OCPP12",
    "OCPP15",
    "OCPP16",
    "OCPP20",
    "OCPP201",
    "OCPP21",
]
OperationModeEnumType: TypeAlias = Literal[
    "Idle",
    "ChargingOnly",
    "CentralSetpoint",
    "ExternalSetpoint",
    "ExternalLimits",
    "CentralFrequency",
    "LocalFrequency",
    "LocalLoadBalancing",
]
OperationalStatusEnumType: TypeAlias = Literal[
    "Inoperative",
    "Operative",
]
PaymentStatusEnumType: TypeAlias = Literal[
    "Settled",
    "Canceled",
    "Rejected",
    "Failed",
]
PhaseEnumType: TypeAlias = Literal[
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
PowerDuringCessationEnumType: TypeAlias = Literal[
    "Active",
    "Reactive",
]
PreconditioningStatusEnumType: TypeAlias = Literal[
    "Unknown",
    "Ready",
    "NotReady",
    "Preconditioning",
]
PriorityChargingStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NoProfile",
]
PublishFirmwareStatusEnumType: TypeAlias = Literal[
    "Idle",
    "DownloadScheduled",
    "Downloading",
    "Downloaded",
    "Published",
    "DownloadFailed",
    "DownloadPaused",
    "InvalidChecksum",
    "ChecksumVerified",
    "PublishFailed",
]
ReadingContextEnumType: TypeAlias = Literal[
    "Interruption.Begin",
    "Interruption.End",
    "Other",
    "Sample.Clock",
    "Sample.Periodic",
    "Transaction.Begin",
    "Transaction.End",
    "Trigger",
]
ReasonEnumType: TypeAlias = Literal[
    "DeAuthorized",
    "EmergencyStop",
    "EnergyLimitReached",
    "EVDisconnected",
    "GroundFault",
    "ImmediateReset",
    "MasterPass",
    "Local",
    "LocalOutOfCredit",
    "Other",
    "OvercurrentFault",
    "PowerLoss",
    "PowerQuality",
    "Reboot",
    "Remote",
    "SOCLimitReached",
    "StoppedByEV",
    "TimeLimitReached",
    "Timeout",
    "ReqEnergyTransferRejected",
]
RecurrencyKindEnumType: TypeAlias = Literal[
    "Daily",
    "Weekly",
]
RegistrationStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Pending",
    "Rejected",
]
ReportBaseEnumType: TypeAlias = Literal[
    "ConfigurationInventory",
    "FullInventory",
    "SummaryInventory",
]
RequestStartStopStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
]
ReservationUpdateStatusEnumType: TypeAlias = Literal[
    "Expired",
    "Removed",
    "NoTransaction",
]
ReserveNowStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Faulted",
    "Occupied",
    "Rejected",
    "Unavailable",
]
ResetEnumType: TypeAlias = Literal[
    "Immediate",
    "OnIdle",
    "ImmediateAndResume",
]
ResetStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "Scheduled",
]
SendLocalListStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Failed",
    "VersionMismatch",
]
SetMonitoringStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "UnknownComponent",
    "UnknownVariable",
    "UnsupportedMonitorType",
    "Rejected",
    "Duplicate",
]
SetNetworkProfileStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "Failed",
]
SetVariableStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "UnknownComponent",
    "UnknownVariable",
    "NotSupportedAttributeType",
    "RebootRequired",
]
TariffChangeStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "TooManyElements",
    "ConditionNotSupported",
    "TxNotFound",
    "NoCurrencyChange",
]
TariffClearStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NoTariff",
]
TariffCostEnumType: TypeAlias = Literal[
    "NormalCost",
    "MinCost",
    "MaxCost",
]
TariffGetStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NoTariff",
]
TariffKindEnumType: TypeAlias = Literal[
    "DefaultTariff",
    "DriverTariff",
]
TariffSetStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "TooManyElements",
    "ConditionNotSupported",
    "DuplicateTariffId",
]
TransactionEventEnumType: TypeAlias = Literal[
    "Ended",
    "Started",
    "Updated",
]
TriggerMessageStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "NotImplemented",
]
TriggerReasonEnumType: TypeAlias = Literal[
    "AbnormalCondition",
    "Authorized",
    "CablePluggedIn",
    "ChargingRateChanged",
    "ChargingStateChanged",
    "CostLimitReached",
    "Deauthorized",
    "EnergyLimitReached",
    "EVCommunicationLost",
    "EVConnectTimeout",
    "EVDeparted",
    "EVDetected",
    "LimitSet",
    "MeterValueClock",
    "MeterValuePeriodic",
    "OperationModeChanged",
    "RemoteStart",
    "RemoteStop",
    "ResetCommand",
    "RunningCost",
    "SignedDataReceived",
    "SoCLimitReached",
    "StopAuthorized",
    "TariffChanged",
    "TariffNotAccepted",
    "TimeLimitReached",
    "Trigger",
    "TxResumed",
    "UnlockCommand",
]
UnlockStatusEnumType: TypeAlias = Literal[
    "Unlocked",
    "UnlockFailed",
    "OngoingAuthorizedTransaction",
    "UnknownConnector",
]
UnpublishFirmwareStatusEnumType: TypeAlias = Literal[
    "DownloadOngoing",
    "NoFirmware",
    "Unpublished",
]
UpdateEnumType: TypeAlias = Literal[
    "Differential",
    "Full",
]
UpdateFirmwareStatusEnumType: TypeAlias = Literal[
    "Accepted",
    "Rejected",
    "AcceptedCanceled",
    "InvalidCertificate",
    "RevokedCertificate",
]
UploadLogStatusEnumType: TypeAlias = Literal[
    "BadMessage",
    "Idle",
    "NotSupportedOperation",
    "PermissionDenied",
    "Uploaded",
    "UploadFailure",
    "Uploading",
    "AcceptedCanceled",
]
VPNEnumType: TypeAlias = Literal[
    "IKEv2",
    "IPSec",
    "L2TP",
    "PPTP",
]


class AFRRSignalRequest(Payload, kw_only=True):
    timestamp: Instant
    signal: Integer
    custom_data: CustomData | None = None


class StatusInfoType(Payload, kw_only=True):
    reason_code: Str20
    additional_info: Str1024 | None = None
    custom_data: CustomData | None = None


class AFRRSignalResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class PeriodicEventStreamParamsType(Payload, kw_only=True):
    interval: Natural | None = None
    values: Natural | None = None
    custom_data: CustomData | None = None


class AdjustPeriodicEventStreamRequest(Payload, kw_only=True):
    id: Natural
    params: PeriodicEventStreamParamsType
    custom_data: CustomData | None = None


class AdjustPeriodicEventStreamResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class AdditionalInfoType(Payload, kw_only=True):
    additional_id_token: Str255
    type: Str50
    custom_data: CustomData | None = None


class IdTokenType(Payload, kw_only=True):
    id_token: Str255
    type: Str20
    additional_info: Annotated[list[AdditionalInfoType], Meta(min_length=1)] | None = None
    custom_data: CustomData | None = None


class OCSPRequestDataType(Payload, kw_only=True):
    hash_algorithm: HashAlgorithmEnumType
    issuer_name_hash: Str128
    issuer_key_hash: Str128
    serial_number: Str40
    responder_url: Str2000 = field(name="responderURL")
    custom_data: CustomData | None = None


class AuthorizeRequest(Payload, kw_only=True):
    id_token: IdTokenType
    certificate: Str10000 | None = None
    iso15118_certificate_hash_data: Annotated[list[OCSPRequestDataType], Meta(min_length=1, max_length=4)] | None = None
    custom_data: CustomData | None = None


class MessageContentType(Payload, kw_only=True):
    format: MessageFormatEnumType
    content: Str1024
    language: Str8 | None = None
    custom_data: CustomData | None = None


class IdTokenInfoType(Payload, kw_only=True):
    status: AuthorizationStatusEnumType
    cache_expiry_date_time: Instant | None = None
    charging_priority: Integer | None = None
    group_id_token: IdTokenType | None = None
    language1: Str8 | None = None
    language2: Str8 | None = None
    evse_id: Annotated[list[Natural], Meta(min_length=1)] | None = None
    personal_message: MessageContentType | None = None
    custom_data: CustomData | None = None


class TariffConditionsType(Payload, kw_only=True):
    start_time_of_day: str | None = None
    end_time_of_day: str | None = None
    day_of_week: Annotated[list[DayOfWeekEnumType], Meta(min_length=1, max_length=7)] | None = None
    valid_from_date: str | None = None
    valid_to_date: str | None = None
    evse_kind: EvseKindEnumType | None = None
    min_energy: Decimal | None = None
    max_energy: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_time: Integer | None = None
    max_time: Integer | None = None
    min_charging_time: Integer | None = None
    max_charging_time: Integer | None = None
    min_idle_time: Integer | None = None
    max_idle_time: Integer | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.min_energy)
        exact(self.max_energy)
        exact(self.min_current)
        exact(self.max_current)
        exact(self.min_power)
        exact(self.max_power)


class TariffEnergyPriceType(Payload, kw_only=True):
    price_kwh: Decimal
    conditions: TariffConditionsType | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.price_kwh)


class TaxRateType(Payload, kw_only=True):
    type: Str20
    tax: Decimal
    stack: Natural | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.tax)


class TariffEnergyType(Payload, kw_only=True):
    prices: Annotated[list[TariffEnergyPriceType], Meta(min_length=1)]
    tax_rates: Annotated[list[TaxRateType], Meta(min_length=1, max_length=5)] | None = None
    custom_data: CustomData | None = None


class TariffTimePriceType(Payload, kw_only=True):
    price_minute: Decimal
    conditions: TariffConditionsType | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.price_minute)


class TariffTimeType(Payload, kw_only=True):
    prices: Annotated[list[TariffTimePriceType], Meta(min_length=1)]
    tax_rates: Annotated[list[TaxRateType], Meta(min_length=1, max_length=5)] | None = None
    custom_data: CustomData | None = None


class TariffConditionsFixedType(Payload, kw_only=True):
    start_time_of_day: str | None = None
    end_time_of_day: str | None = None
    day_of_week: Annotated[list[DayOfWeekEnumType], Meta(min_length=1, max_length=7)] | None = None
    valid_from_date: str | None = None
    valid_to_date: str | None = None
    evse_kind: EvseKindEnumType | None = None
    payment_brand: Str20 | None = None
    payment_recognition: Str20 | None = None
    custom_data: CustomData | None = None


class TariffFixedPriceType(Payload, kw_only=True):
    price_fixed: Decimal
    conditions: TariffConditionsFixedType | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.price_fixed)


class TariffFixedType(Payload, kw_only=True):
    prices: Annotated[list[TariffFixedPriceType], Meta(min_length=1)]
    tax_rates: Annotated[list[TaxRateType], Meta(min_length=1, max_length=5)] | None = None
    custom_data: CustomData | None = None


class PriceType(Payload, kw_only=True):
    excl_tax: Decimal | None = None
    incl_tax: Decimal | None = None
    tax_rates: Annotated[list[TaxRateType], Meta(min_length=1, max_length=5)] | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.excl_tax)
        exact(self.incl_tax)


class TariffType(Payload, kw_only=True):
    tariff_id: Str60
    currency: Str3
    description: Annotated[list[MessageContentType], Meta(min_length=1, max_length=10)] | None = None
    energy: TariffEnergyType | None = None
    valid_from: Instant | None = None
    charging_time: TariffTimeType | None = None
    idle_time: TariffTimeType | None = None
    fixed_fee: TariffFixedType | None = None
    reservation_time: TariffTimeType | None = None
    reservation_fixed: TariffFixedType | None = None
    min_cost: PriceType | None = None
    max_cost: PriceType | None = None
    custom_data: CustomData | None = None


class AuthorizeResponse(Payload, kw_only=True):
    id_token_info: IdTokenInfoType
    certificate_status: AuthorizeCertificateStatusEnumType | None = None
    allowed_energy_transfer: Annotated[list[EnergyTransferModeEnumType], Meta(min_length=1)] | None = None
    tariff: TariffType | None = None
    custom_data: CustomData | None = None


class BatteryDataType(Payload, kw_only=True):
    evse_id: Natural
    serial_number: Str50
    so_c: Decimal
    so_h: Decimal
    production_date: Instant | None = None
    vendor_info: Str500 | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.so_c, 0, 100)
        exact(self.so_h, 0, 100)


class BatterySwapRequest(Payload, kw_only=True):
    battery_data: Annotated[list[BatteryDataType], Meta(min_length=1)]
    event_type: BatterySwapEventEnumType
    id_token: IdTokenType
    request_id: Integer
    custom_data: CustomData | None = None


class BatterySwapResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class ModemType(Payload, kw_only=True):
    iccid: Str20 | None = None
    imsi: Str20 | None = None
    custom_data: CustomData | None = None


class ChargingStationType(Payload, kw_only=True):
    model: Str20
    vendor_name: Str50
    serial_number: Str25 | None = None
    modem: ModemType | None = None
    firmware_version: Str50 | None = None
    custom_data: CustomData | None = None


class BootNotificationRequest(Payload, kw_only=True):
    charging_station: ChargingStationType
    reason: BootReasonEnumType
    custom_data: CustomData | None = None


class BootNotificationResponse(Payload, kw_only=True):
    current_time: Instant
    interval: Integer
    status: RegistrationStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class CancelReservationRequest(Payload, kw_only=True):
    reservation_id: Integer
    custom_data: CustomData | None = None


class CancelReservationResponse(Payload, kw_only=True):
    status: CancelReservationStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class CertificateSignedRequest(Payload, kw_only=True):
    certificate_chain: Str10000
    certificate_type: CertificateSigningUseEnumType | None = None
    request_id: Integer | None = None
    custom_data: CustomData | None = None


class CertificateSignedResponse(Payload, kw_only=True):
    status: CertificateSignedStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class EVSEType(Payload, kw_only=True):
    id: Natural
    connector_id: Natural | None = None
    custom_data: CustomData | None = None


class ChangeAvailabilityRequest(Payload, kw_only=True):
    operational_status: OperationalStatusEnumType
    evse: EVSEType | None = None
    custom_data: CustomData | None = None


class ChangeAvailabilityResponse(Payload, kw_only=True):
    status: ChangeAvailabilityStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ChangeTransactionTariffRequest(Payload, kw_only=True):
    tariff: TariffType
    transaction_id: Str36
    custom_data: CustomData | None = None


class ChangeTransactionTariffResponse(Payload, kw_only=True):
    status: TariffChangeStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ClearCacheRequest(Payload, kw_only=True):
    custom_data: CustomData | None = None


class ClearCacheResponse(Payload, kw_only=True):
    status: ClearCacheStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ClearChargingProfileType(Payload, kw_only=True):
    evse_id: Natural | None = None
    charging_profile_purpose: ChargingProfilePurposeEnumType | None = None
    stack_level: Integer | None = None
    custom_data: CustomData | None = None


class ClearChargingProfileRequest(Payload, kw_only=True):
    charging_profile_id: Integer | None = None
    charging_profile_criteria: ClearChargingProfileType | None = None
    custom_data: CustomData | None = None


class ClearChargingProfileResponse(Payload, kw_only=True):
    status: ClearChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ClearDERControlRequest(Payload, kw_only=True):
    is_default: bool
    control_type: DERControlEnumType | None = None
    control_id: Str36 | None = None
    custom_data: CustomData | None = None


class ClearDERControlResponse(Payload, kw_only=True):
    status: DERControlStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ClearDisplayMessageRequest(Payload, kw_only=True):
    id: Integer
    custom_data: CustomData | None = None


class ClearDisplayMessageResponse(Payload, kw_only=True):
    status: ClearMessageStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ClearTariffsRequest(Payload, kw_only=True):
    tariff_ids: Annotated[list[Str60], Meta(min_length=1)] | None = None
    evse_id: Natural | None = None
    custom_data: CustomData | None = None


class ClearTariffsResultType(Payload, kw_only=True):
    status: TariffClearStatusEnumType
    status_info: StatusInfoType | None = None
    tariff_id: Str60 | None = None
    custom_data: CustomData | None = None


class ClearTariffsResponse(Payload, kw_only=True):
    clear_tariffs_result: Annotated[list[ClearTariffsResultType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class ClearVariableMonitoringRequest(Payload, kw_only=True):
    id: Annotated[list[Integer], Meta(min_length=1)]
    custom_data: CustomData | None = None


class ClearMonitoringResultType(Payload, kw_only=True):
    status: ClearMonitoringStatusEnumType
    id: Integer
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ClearVariableMonitoringResponse(Payload, kw_only=True):
    clear_monitoring_result: Annotated[list[ClearMonitoringResultType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class ClearedChargingLimitRequest(Payload, kw_only=True):
    charging_limit_source: Str20
    evse_id: Natural | None = None
    custom_data: CustomData | None = None


class ClearedChargingLimitResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class ClosePeriodicEventStreamRequest(Payload, kw_only=True):
    id: Natural
    custom_data: CustomData | None = None


class ClosePeriodicEventStreamResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class CostUpdatedRequest(Payload, kw_only=True):
    total_cost: Decimal
    transaction_id: Str36
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.total_cost)


class CostUpdatedResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class CertificateHashDataType(Payload, kw_only=True):
    hash_algorithm: HashAlgorithmEnumType
    issuer_name_hash: Str128
    issuer_key_hash: Str128
    serial_number: Str40
    custom_data: CustomData | None = None


class CustomerInformationRequest(Payload, kw_only=True):
    request_id: Integer
    report: bool
    clear: bool
    customer_certificate: CertificateHashDataType | None = None
    id_token: IdTokenType | None = None
    customer_identifier: Str64 | None = None
    custom_data: CustomData | None = None


class CustomerInformationResponse(Payload, kw_only=True):
    status: CustomerInformationStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class DataTransferRequest(Payload, kw_only=True):
    vendor_id: Str255
    message_id: Str50 | None = None
    data: Any = None
    custom_data: CustomData | None = None


class DataTransferResponse(Payload, kw_only=True):
    status: DataTransferStatusEnumType
    status_info: StatusInfoType | None = None
    data: Any = None
    custom_data: CustomData | None = None


class DeleteCertificateRequest(Payload, kw_only=True):
    certificate_hash_data: CertificateHashDataType
    custom_data: CustomData | None = None


class DeleteCertificateResponse(Payload, kw_only=True):
    status: DeleteCertificateStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class FirmwareStatusNotificationRequest(Payload, kw_only=True):
    status: FirmwareStatusEnumType
    request_id: Integer | None = None
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class FirmwareStatusNotificationResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class Get15118EVCertificateRequest(Payload, kw_only=True):
    iso15118_schema_version: Str50
    action: CertificateActionEnumType
    exi_request: Str11000
    maximum_contract_certificate_chains: Natural | None = None
    prioritized_emaids: Annotated[list[Str255], Meta(min_length=1, max_length=8)] | None = field(default=None, name="prioritizedEMAIDs")
    custom_data: CustomData | None = None


class Get15118EVCertificateResponse(Payload, kw_only=True):
    status: Iso15118EVCertificateStatusEnumType
    exi_response: Str17000
    status_info: StatusInfoType | None = None
    remaining_contracts: Natural | None = None
    custom_data: CustomData | None = None


class GetBaseReportRequest(Payload, kw_only=True):
    request_id: Integer
    report_base: ReportBaseEnumType
    custom_data: CustomData | None = None


class GetBaseReportResponse(Payload, kw_only=True):
    status: GenericDeviceModelStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class CertificateStatusRequestInfoType(Payload, kw_only=True):
    certificate_hash_data: CertificateHashDataType
    source: CertificateStatusSourceEnumType
    urls: Annotated[list[Str2000], Meta(min_length=1, max_length=5)]
    custom_data: CustomData | None = None


class GetCertificateChainStatusRequest(Payload, kw_only=True):
    certificate_status_requests: Annotated[list[CertificateStatusRequestInfoType], Meta(min_length=1, max_length=4)]
    custom_data: CustomData | None = None


class CertificateStatusType(Payload, kw_only=True):
    certificate_hash_data: CertificateHashDataType
    source: CertificateStatusSourceEnumType
    status: CertificateStatusEnumType
    next_update: Instant
    custom_data: CustomData | None = None


class GetCertificateChainStatusResponse(Payload, kw_only=True):
    certificate_status: Annotated[list[CertificateStatusType], Meta(min_length=1, max_length=4)]
    custom_data: CustomData | None = None


class GetCertificateStatusRequest(Payload, kw_only=True):
    ocsp_request_data: OCSPRequestDataType
    custom_data: CustomData | None = None


class GetCertificateStatusResponse(Payload, kw_only=True):
    status: GetCertificateStatusEnumType
    status_info: StatusInfoType | None = None
    ocsp_result: Str18000 | None = None
    custom_data: CustomData | None = None


class ChargingProfileCriterionType(Payload, kw_only=True):
    charging_profile_purpose: ChargingProfilePurposeEnumType | None = None
    stack_level: Integer | None = None
    charging_profile_id: Annotated[list[Integer], Meta(min_length=1)] | None = None
    charging_limit_source: Annotated[list[Str20], Meta(min_length=1, max_length=4)] | None = None
    custom_data: CustomData | None = None


class GetChargingProfilesRequest(Payload, kw_only=True):
    request_id: Integer
    charging_profile: ChargingProfileCriterionType
    evse_id: Natural | None = None
    custom_data: CustomData | None = None


class GetChargingProfilesResponse(Payload, kw_only=True):
    status: GetChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class GetCompositeScheduleRequest(Payload, kw_only=True):
    duration: Integer
    evse_id: Natural
    charging_rate_unit: ChargingRateUnitEnumType | None = None
    custom_data: CustomData | None = None


class V2XFreqWattPointType(Payload, kw_only=True):
    frequency: Decimal
    power: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.frequency)
        exact(self.power)


class V2XSignalWattPointType(Payload, kw_only=True):
    signal: Integer
    power: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.power)


class ChargingSchedulePeriodType(Payload, kw_only=True):
    start_period: Integer
    limit: Decimal | None = None
    limit_l2: Decimal | None = field(default=None, name="limit_L2")
    limit_l3: Decimal | None = field(default=None, name="limit_L3")
    number_phases: Integer | None = None
    phase_to_use: Integer | None = None
    discharge_limit: Decimal | None = None
    discharge_limit_l2: Decimal | None = field(default=None, name="dischargeLimit_L2")
    discharge_limit_l3: Decimal | None = field(default=None, name="dischargeLimit_L3")
    setpoint: Decimal | None = None
    setpoint_l2: Decimal | None = field(default=None, name="setpoint_L2")
    setpoint_l3: Decimal | None = field(default=None, name="setpoint_L3")
    setpoint_reactive: Decimal | None = None
    setpoint_reactive_l2: Decimal | None = field(default=None, name="setpointReactive_L2")
    setpoint_reactive_l3: Decimal | None = field(default=None, name="setpointReactive_L3")
    preconditioning_request: bool | None = None
    evse_sleep: bool | None = None
    v2x_baseline: Decimal | None = None
    operation_mode: OperationModeEnumType | None = None
    v2x_freq_watt_curve: Annotated[list[V2XFreqWattPointType], Meta(min_length=1, max_length=20)] | None = None
    v2x_signal_watt_curve: Annotated[list[V2XSignalWattPointType], Meta(min_length=1, max_length=20)] | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.limit)
        exact(self.limit_l2)
        exact(self.limit_l3)
        exact(self.discharge_limit, None, 0)
        exact(self.discharge_limit_l2, None, 0)
        exact(self.discharge_limit_l3, None, 0)
        exact(self.setpoint)
        exact(self.setpoint_l2)
        exact(self.setpoint_l3)
        exact(self.setpoint_reactive)
        exact(self.setpoint_reactive_l2)
        exact(self.setpoint_reactive_l3)
        exact(self.v2x_baseline)


class CompositeScheduleType(Payload, kw_only=True):
    evse_id: Natural
    duration: Integer
    schedule_start: Instant
    charging_rate_unit: ChargingRateUnitEnumType
    charging_schedule_period: Annotated[list[ChargingSchedulePeriodType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class GetCompositeScheduleResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    schedule: CompositeScheduleType | None = None
    custom_data: CustomData | None = None


class GetDERControlRequest(Payload, kw_only=True):
    request_id: Integer
    is_default: bool | None = None
    control_type: DERControlEnumType | None = None
    control_id: Str36 | None = None
    custom_data: CustomData | None = None


class GetDERControlResponse(Payload, kw_only=True):
    status: DERControlStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class GetDisplayMessagesRequest(Payload, kw_only=True):
    request_id: Integer
    id: Annotated[list[Integer], Meta(min_length=1)] | None = None
    priority: MessagePriorityEnumType | None = None
    state: MessageStateEnumType | None = None
    custom_data: CustomData | None = None


class GetDisplayMessagesResponse(Payload, kw_only=True):
    status: GetDisplayMessagesStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class GetInstalledCertificateIdsRequest(Payload, kw_only=True):
    certificate_type: Annotated[list[GetCertificateIdUseEnumType], Meta(min_length=1)] | None = None
    custom_data: CustomData | None = None


class CertificateHashDataChainType(Payload, kw_only=True):
    certificate_hash_data: CertificateHashDataType
    certificate_type: GetCertificateIdUseEnumType
    child_certificate_hash_data: Annotated[list[CertificateHashDataType], Meta(min_length=1, max_length=4)] | None = None
    custom_data: CustomData | None = None


class GetInstalledCertificateIdsResponse(Payload, kw_only=True):
    status: GetInstalledCertificateStatusEnumType
    status_info: StatusInfoType | None = None
    certificate_hash_data_chain: Annotated[list[CertificateHashDataChainType], Meta(min_length=1)] | None = None
    custom_data: CustomData | None = None


class GetLocalListVersionRequest(Payload, kw_only=True):
    custom_data: CustomData | None = None


class GetLocalListVersionResponse(Payload, kw_only=True):
    version_number: Integer
    custom_data: CustomData | None = None


class LogParametersType(Payload, kw_only=True):
    remote_location: Str2000
    oldest_timestamp: Instant | None = None
    latest_timestamp: Instant | None = None
    custom_data: CustomData | None = None


class GetLogRequest(Payload, kw_only=True):
    log: LogParametersType
    log_type: LogEnumType
    request_id: Integer
    retries: Integer | None = None
    retry_interval: Integer | None = None
    custom_data: CustomData | None = None


class GetLogResponse(Payload, kw_only=True):
    status: LogStatusEnumType
    status_info: StatusInfoType | None = None
    filename: Str255 | None = None
    custom_data: CustomData | None = None


class ComponentType(Payload, kw_only=True):
    name: Str50
    evse: EVSEType | None = None
    instance: Str50 | None = None
    custom_data: CustomData | None = None


class VariableType(Payload, kw_only=True):
    name: Str50
    instance: Str50 | None = None
    custom_data: CustomData | None = None


class ComponentVariableType(Payload, kw_only=True):
    component: ComponentType
    variable: VariableType | None = None
    custom_data: CustomData | None = None


class GetMonitoringReportRequest(Payload, kw_only=True):
    request_id: Integer
    component_variable: Annotated[list[ComponentVariableType], Meta(min_length=1)] | None = None
    monitoring_criteria: Annotated[list[MonitoringCriterionEnumType], Meta(min_length=1, max_length=3)] | None = None
    custom_data: CustomData | None = None


class GetMonitoringReportResponse(Payload, kw_only=True):
    status: GenericDeviceModelStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class GetPeriodicEventStreamRequest(Payload, kw_only=True):
    custom_data: CustomData | None = None


class ConstantStreamDataType(Payload, kw_only=True):
    id: Natural
    params: PeriodicEventStreamParamsType
    variable_monitoring_id: Natural
    custom_data: CustomData | None = None


class GetPeriodicEventStreamResponse(Payload, kw_only=True):
    constant_stream_data: Annotated[list[ConstantStreamDataType], Meta(min_length=1)] | None = None
    custom_data: CustomData | None = None


class GetReportRequest(Payload, kw_only=True):
    request_id: Integer
    component_variable: Annotated[list[ComponentVariableType], Meta(min_length=1)] | None = None
    component_criteria: Annotated[list[ComponentCriterionEnumType], Meta(min_length=1, max_length=4)] | None = None
    custom_data: CustomData | None = None


class GetReportResponse(Payload, kw_only=True):
    status: GenericDeviceModelStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class GetTariffsRequest(Payload, kw_only=True):
    evse_id: Natural
    custom_data: CustomData | None = None


class TariffAssignmentType(Payload, kw_only=True):
    tariff_id: Str60
    tariff_kind: TariffKindEnumType
    valid_from: Instant | None = None
    evse_ids: Annotated[list[Natural], Meta(min_length=1)] | None = None
    id_tokens: Annotated[list[Str255], Meta(min_length=1)] | None = None
    custom_data: CustomData | None = None


class GetTariffsResponse(Payload, kw_only=True):
    status: TariffGetStatusEnumType
    status_info: StatusInfoType | None = None
    tariff_assignments: Annotated[list[TariffAssignmentType], Meta(min_length=1)] | None = None
    custom_data: CustomData | None = None


class GetTransactionStatusRequest(Payload, kw_only=True):
    transaction_id: Str36 | None = None
    custom_data: CustomData | None = None


class GetTransactionStatusResponse(Payload, kw_only=True):
    messages_in_queue: bool
    ongoing_indicator: bool | None = None
    custom_data: CustomData | None = None


class GetVariableDataType(Payload, kw_only=True):
    component: ComponentType
    variable: VariableType
    attribute_type: AttributeEnumType | None = None
    custom_data: CustomData | None = None


class GetVariablesRequest(Payload, kw_only=True):
    get_variable_data: Annotated[list[GetVariableDataType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class GetVariableResultType(Payload, kw_only=True):
    attribute_status: GetVariableStatusEnumType
    component: ComponentType
    variable: VariableType
    attribute_status_info: StatusInfoType | None = None
    attribute_type: AttributeEnumType | None = None
    attribute_value: Str2500 | None = None
    custom_data: CustomData | None = None


class GetVariablesResponse(Payload, kw_only=True):
    get_variable_result: Annotated[list[GetVariableResultType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class HeartbeatRequest(Payload, kw_only=True):
    custom_data: CustomData | None = None


class HeartbeatResponse(Payload, kw_only=True):
    current_time: Instant
    custom_data: CustomData | None = None


class InstallCertificateRequest(Payload, kw_only=True):
    certificate_type: InstallCertificateUseEnumType
    certificate: Str10000
    custom_data: CustomData | None = None


class InstallCertificateResponse(Payload, kw_only=True):
    status: InstallCertificateStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class LogStatusNotificationRequest(Payload, kw_only=True):
    status: UploadLogStatusEnumType
    request_id: Integer | None = None
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class LogStatusNotificationResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class SignedMeterValueType(Payload, kw_only=True):
    signed_meter_data: Str32768
    encoding_method: Str50
    signing_method: Str50 | None = None
    public_key: Str2500 | None = None
    custom_data: CustomData | None = None


class UnitOfMeasureType(Payload, kw_only=True):
    unit: Str20 | None = None
    multiplier: Integer | None = None
    custom_data: CustomData | None = None


class SampledValueType(Payload, kw_only=True):
    value: Decimal
    measurand: MeasurandEnumType | None = None
    context: ReadingContextEnumType | None = None
    phase: PhaseEnumType | None = None
    location: LocationEnumType | None = None
    signed_meter_value: SignedMeterValueType | None = None
    unit_of_measure: UnitOfMeasureType | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.value)


class MeterValueType(Payload, kw_only=True):
    sampled_value: Annotated[list[SampledValueType], Meta(min_length=1)]
    timestamp: Instant
    custom_data: CustomData | None = None


class MeterValuesRequest(Payload, kw_only=True):
    evse_id: Natural
    meter_value: Annotated[list[MeterValueType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class MeterValuesResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class NotifyAllowedEnergyTransferRequest(Payload, kw_only=True):
    transaction_id: Str36
    allowed_energy_transfer: Annotated[list[EnergyTransferModeEnumType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class NotifyAllowedEnergyTransferResponse(Payload, kw_only=True):
    status: NotifyAllowedEnergyTransferStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class LimitAtSoCType(Payload, kw_only=True):
    soc: Annotated[int, Meta(ge=0, le=100)]
    limit: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.limit)


class RelativeTimeIntervalType(Payload, kw_only=True):
    start: Integer
    duration: Integer | None = None
    custom_data: CustomData | None = None


class CostType(Payload, kw_only=True):
    cost_kind: CostKindEnumType
    amount: Integer
    amount_multiplier: Integer | None = None
    custom_data: CustomData | None = None


class ConsumptionCostType(Payload, kw_only=True):
    start_value: Decimal
    cost: Annotated[list[CostType], Meta(min_length=1, max_length=3)]
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.start_value)


class SalesTariffEntryType(Payload, kw_only=True):
    relative_time_interval: RelativeTimeIntervalType
    e_price_level: Natural | None = None
    consumption_cost: Annotated[list[ConsumptionCostType], Meta(min_length=1, max_length=3)] | None = None
    custom_data: CustomData | None = None


class SalesTariffType(Payload, kw_only=True):
    id: Integer
    sales_tariff_entry: Annotated[list[SalesTariffEntryType], Meta(min_length=1, max_length=1024)]
    sales_tariff_description: Str32 | None = None
    num_e_price_levels: Integer | None = None
    custom_data: CustomData | None = None


class RationalNumberType(Payload, kw_only=True):
    exponent: Integer
    value: Integer
    custom_data: CustomData | None = None


class PriceRuleType(Payload, kw_only=True):
    energy_fee: RationalNumberType
    power_range_start: RationalNumberType
    parking_fee_period: Integer | None = None
    carbon_dioxide_emission: Natural | None = None
    renewable_generation_percentage: Annotated[int, Meta(ge=0, le=100)] | None = None
    parking_fee: RationalNumberType | None = None
    custom_data: CustomData | None = None


class PriceRuleStackType(Payload, kw_only=True):
    duration: Integer
    price_rule: Annotated[list[PriceRuleType], Meta(min_length=1, max_length=8)]
    custom_data: CustomData | None = None


class TaxRuleType(Payload, kw_only=True):
    tax_rule_id: Natural = field(name="taxRuleID")
    applies_to_energy_fee: bool
    applies_to_parking_fee: bool
    applies_to_overstay_fee: bool
    applies_to_minimum_maximum_cost: bool
    tax_rate: RationalNumberType
    tax_rule_name: Str100 | None = None
    tax_included_in_price: bool | None = None
    custom_data: CustomData | None = None


class OverstayRuleType(Payload, kw_only=True):
    overstay_fee: RationalNumberType
    start_time: Integer
    overstay_fee_period: Integer
    overstay_rule_description: Str32 | None = None
    custom_data: CustomData | None = None


class OverstayRuleListType(Payload, kw_only=True):
    overstay_rule: Annotated[list[OverstayRuleType], Meta(min_length=1, max_length=5)]
    overstay_power_threshold: RationalNumberType | None = None
    overstay_time_threshold: Integer | None = None
    custom_data: CustomData | None = None


class AdditionalSelectedServicesType(Payload, kw_only=True):
    service_fee: RationalNumberType
    service_name: Str80
    custom_data: CustomData | None = None


class AbsolutePriceScheduleType(Payload, kw_only=True):
    time_anchor: Instant
    price_schedule_id: Natural = field(name="priceScheduleID")
    currency: Str3
    language: Str8
    price_algorithm: Str2000
    price_rule_stacks: Annotated[list[PriceRuleStackType], Meta(min_length=1, max_length=1024)]
    price_schedule_description: Str160 | None = None
    minimum_cost: RationalNumberType | None = None
    maximum_cost: RationalNumberType | None = None
    tax_rules: Annotated[list[TaxRuleType], Meta(min_length=1, max_length=10)] | None = None
    overstay_rule_list: OverstayRuleListType | None = None
    additional_selected_services: Annotated[list[AdditionalSelectedServicesType], Meta(min_length=1, max_length=5)] | None = None
    custom_data: CustomData | None = None


class PriceLevelScheduleEntryType(Payload, kw_only=True):
    duration: Integer
    price_level: Natural
    custom_data: CustomData | None = None


class PriceLevelScheduleType(Payload, kw_only=True):
    price_level_schedule_entries: Annotated[list[PriceLevelScheduleEntryType], Meta(min_length=1, max_length=100)]
    time_anchor: Instant
    price_schedule_id: Natural
    number_of_price_levels: Natural
    price_schedule_description: Str32 | None = None
    custom_data: CustomData | None = None


class ChargingScheduleType(Payload, kw_only=True):
    id: Integer
    charging_rate_unit: ChargingRateUnitEnumType
    charging_schedule_period: Annotated[list[ChargingSchedulePeriodType], Meta(min_length=1, max_length=1024)]
    limit_at_so_c: LimitAtSoCType | None = None
    start_schedule: Instant | None = None
    duration: Integer | None = None
    min_charging_rate: Decimal | None = None
    power_tolerance: Decimal | None = None
    signature_id: Natural | None = None
    digest_value: Str88 | None = None
    use_local_time: bool | None = None
    randomized_delay: Natural | None = None
    sales_tariff: SalesTariffType | None = None
    absolute_price_schedule: AbsolutePriceScheduleType | None = None
    price_level_schedule: PriceLevelScheduleType | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.min_charging_rate)
        exact(self.power_tolerance)


class ChargingLimitType(Payload, kw_only=True):
    charging_limit_source: Str20
    is_local_generation: bool | None = None
    is_grid_critical: bool | None = None
    custom_data: CustomData | None = None


class NotifyChargingLimitRequest(Payload, kw_only=True):
    charging_limit: ChargingLimitType
    charging_schedule: Annotated[list[ChargingScheduleType], Meta(min_length=1)] | None = None
    evse_id: Natural | None = None
    custom_data: CustomData | None = None


class NotifyChargingLimitResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class NotifyCustomerInformationRequest(Payload, kw_only=True):
    data: Str512
    seq_no: Natural
    generated_at: Instant
    request_id: Integer
    tbc: bool | None = None
    custom_data: CustomData | None = None


class NotifyCustomerInformationResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class NotifyDERAlarmRequest(Payload, kw_only=True):
    control_type: DERControlEnumType
    timestamp: Instant
    grid_event_fault: GridEventFaultEnumType | None = None
    alarm_ended: bool | None = None
    extra_info: Str200 | None = None
    custom_data: CustomData | None = None


class NotifyDERAlarmResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class NotifyDERStartStopRequest(Payload, kw_only=True):
    control_id: Str36
    started: bool
    timestamp: Instant
    superseded_ids: Annotated[list[Str36], Meta(min_length=1, max_length=24)] | None = None
    custom_data: CustomData | None = None


class NotifyDERStartStopResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class MessageInfoType(Payload, kw_only=True):
    id: Integer
    priority: MessagePriorityEnumType
    message: MessageContentType
    display: ComponentType | None = None
    state: MessageStateEnumType | None = None
    start_date_time: Instant | None = None
    end_date_time: Instant | None = None
    transaction_id: Str36 | None = None
    message_extra: Annotated[list[MessageContentType], Meta(min_length=1, max_length=4)] | None = None
    custom_data: CustomData | None = None


class NotifyDisplayMessagesRequest(Payload, kw_only=True):
    request_id: Integer
    message_info: Annotated[list[MessageInfoType], Meta(min_length=1)] | None = None
    tbc: bool | None = None
    custom_data: CustomData | None = None


class NotifyDisplayMessagesResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class ACChargingParametersType(Payload, kw_only=True):
    energy_amount: Decimal
    ev_min_current: Decimal
    ev_max_current: Decimal
    ev_max_voltage: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.energy_amount)
        exact(self.ev_min_current)
        exact(self.ev_max_current)
        exact(self.ev_max_voltage)


class DERChargingParametersType(Payload, kw_only=True):
    ev_supported_der_control: Annotated[list[DERControlEnumType], Meta(min_length=1)] | None = field(default=None, name="evSupportedDERControl")
    ev_over_excited_max_discharge_power: Decimal | None = None
    ev_over_excited_power_factor: Decimal | None = None
    ev_under_excited_max_discharge_power: Decimal | None = None
    ev_under_excited_power_factor: Decimal | None = None
    max_apparent_power: Decimal | None = None
    max_charge_apparent_power: Decimal | None = None
    max_charge_apparent_power_l2: Decimal | None = field(default=None, name="maxChargeApparentPower_L2")
    max_charge_apparent_power_l3: Decimal | None = field(default=None, name="maxChargeApparentPower_L3")
    max_discharge_apparent_power: Decimal | None = None
    max_discharge_apparent_power_l2: Decimal | None = field(default=None, name="maxDischargeApparentPower_L2")
    max_discharge_apparent_power_l3: Decimal | None = field(default=None, name="maxDischargeApparentPower_L3")
    max_charge_reactive_power: Decimal | None = None
    max_charge_reactive_power_l2: Decimal | None = field(default=None, name="maxChargeReactivePower_L2")
    max_charge_reactive_power_l3: Decimal | None = field(default=None, name="maxChargeReactivePower_L3")
    min_charge_reactive_power: Decimal | None = None
    min_charge_reactive_power_l2: Decimal | None = field(default=None, name="minChargeReactivePower_L2")
    min_charge_reactive_power_l3: Decimal | None = field(default=None, name="minChargeReactivePower_L3")
    max_discharge_reactive_power: Decimal | None = None
    max_discharge_reactive_power_l2: Decimal | None = field(default=None, name="maxDischargeReactivePower_L2")
    max_discharge_reactive_power_l3: Decimal | None = field(default=None, name="maxDischargeReactivePower_L3")
    min_discharge_reactive_power: Decimal | None = None
    min_discharge_reactive_power_l2: Decimal | None = field(default=None, name="minDischargeReactivePower_L2")
    min_discharge_reactive_power_l3: Decimal | None = field(default=None, name="minDischargeReactivePower_L3")
    nominal_voltage: Decimal | None = None
    nominal_voltage_offset: Decimal | None = None
    max_nominal_voltage: Decimal | None = None
    min_nominal_voltage: Decimal | None = None
    ev_inverter_manufacturer: Str50 | None = None
    ev_inverter_model: Str50 | None = None
    ev_inverter_serial_number: Str50 | None = None
    ev_inverter_sw_version: Str50 | None = None
    ev_inverter_hw_version: Str50 | None = None
    ev_islanding_detection_method: Annotated[list[IslandingDetectionEnumType], Meta(min_length=1)] | None = None
    ev_islanding_trip_time: Decimal | None = None
    ev_maximum_level1_dc_injection: Decimal | None = field(default=None, name="evMaximumLevel1DCInjection")
    ev_duration_level1_dc_injection: Decimal | None = field(default=None, name="evDurationLevel1DCInjection")
    ev_maximum_level2_dc_injection: Decimal | None = field(default=None, name="evMaximumLevel2DCInjection")
    ev_duration_level2_dc_injection: Decimal | None = field(default=None, name="evDurationLevel2DCInjection")
    ev_reactive_susceptance: Decimal | None = None
    ev_session_total_discharge_energy_available: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.ev_over_excited_max_discharge_power)
        exact(self.ev_over_excited_power_factor)
        exact(self.ev_under_excited_max_discharge_power)
        exact(self.ev_under_excited_power_factor)
        exact(self.max_apparent_power)
        exact(self.max_charge_apparent_power)
        exact(self.max_charge_apparent_power_l2)
        exact(self.max_charge_apparent_power_l3)
        exact(self.max_discharge_apparent_power)
        exact(self.max_discharge_apparent_power_l2)
        exact(self.max_discharge_apparent_power_l3)
        exact(self.max_charge_reactive_power)
        exact(self.max_charge_reactive_power_l2)
        exact(self.max_charge_reactive_power_l3)
        exact(self.min_charge_reactive_power)
        exact(self.min_charge_reactive_power_l2)
        exact(self.min_charge_reactive_power_l3)
        exact(self.max_discharge_reactive_power)
        exact(self.max_discharge_reactive_power_l2)
        exact(self.max_discharge_reactive_power_l3)
        exact(self.min_discharge_reactive_power)
        exact(self.min_discharge_reactive_power_l2)
        exact(self.min_discharge_reactive_power_l3)
        exact(self.nominal_voltage)
        exact(self.nominal_voltage_offset)
        exact(self.max_nominal_voltage)
        exact(self.min_nominal_voltage)
        exact(self.ev_islanding_trip_time)
        exact(self.ev_maximum_level1_dc_injection)
        exact(self.ev_duration_level1_dc_injection)
        exact(self.ev_maximum_level2_dc_injection)
        exact(self.ev_duration_level2_dc_injection)
        exact(self.ev_reactive_susceptance)
        exact(self.ev_session_total_discharge_energy_available)


class EVPriceRuleType(Payload, kw_only=True):
    energy_fee: Decimal
    power_range_start: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.energy_fee)
        exact(self.power_range_start)


class EVAbsolutePriceScheduleEntryType(Payload, kw_only=True):
    duration: Integer
    ev_price_rule: Annotated[list[EVPriceRuleType], Meta(min_length=1, max_length=8)]
    custom_data: CustomData | None = None


class EVAbsolutePriceScheduleType(Payload, kw_only=True):
    time_anchor: Instant
    currency: Str3
    ev_absolute_price_schedule_entries: Annotated[list[EVAbsolutePriceScheduleEntryType], Meta(min_length=1, max_length=1024)]
    price_algorithm: Str2000
    custom_data: CustomData | None = None


class EVPowerScheduleEntryType(Payload, kw_only=True):
    duration: Integer
    power: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.power)


class EVPowerScheduleType(Payload, kw_only=True):
    ev_power_schedule_entries: Annotated[list[EVPowerScheduleEntryType], Meta(min_length=1, max_length=1024)]
    time_anchor: Instant
    custom_data: CustomData | None = None


class EVEnergyOfferType(Payload, kw_only=True):
    ev_power_schedule: EVPowerScheduleType
    ev_absolute_price_schedule: EVAbsolutePriceScheduleType | None = None
    custom_data: CustomData | None = None


class DCChargingParametersType(Payload, kw_only=True):
    ev_max_current: Decimal
    ev_max_voltage: Decimal
    ev_max_power: Decimal | None = None
    ev_energy_capacity: Decimal | None = None
    energy_amount: Decimal | None = None
    state_of_charge: Annotated[int, Meta(ge=0, le=100)] | None = None
    full_so_c: Annotated[int, Meta(ge=0, le=100)] | None = None
    bulk_so_c: Annotated[int, Meta(ge=0, le=100)] | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.ev_max_current)
        exact(self.ev_max_voltage)
        exact(self.ev_max_power)
        exact(self.ev_energy_capacity)
        exact(self.energy_amount)


class V2XChargingParametersType(Payload, kw_only=True):
    min_charge_power: Decimal | None = None
    min_charge_power_l2: Decimal | None = field(default=None, name="minChargePower_L2")
    min_charge_power_l3: Decimal | None = field(default=None, name="minChargePower_L3")
    max_charge_power: Decimal | None = None
    max_charge_power_l2: Decimal | None = field(default=None, name="maxChargePower_L2")
    max_charge_power_l3: Decimal | None = field(default=None, name="maxChargePower_L3")
    min_discharge_power: Decimal | None = None
    min_discharge_power_l2: Decimal | None = field(default=None, name="minDischargePower_L2")
    min_discharge_power_l3: Decimal | None = field(default=None, name="minDischargePower_L3")
    max_discharge_power: Decimal | None = None
    max_discharge_power_l2: Decimal | None = field(default=None, name="maxDischargePower_L2")
    max_discharge_power_l3: Decimal | None = field(default=None, name="maxDischargePower_L3")
    min_charge_current: Decimal | None = None
    max_charge_current: Decimal | None = None
    min_discharge_current: Decimal | None = None
    max_discharge_current: Decimal | None = None
    min_voltage: Decimal | None = None
    max_voltage: Decimal | None = None
    ev_target_energy_request: Decimal | None = None
    ev_min_energy_request: Decimal | None = None
    ev_max_energy_request: Decimal | None = None
    ev_min_v2x_energy_request: Decimal | None = None
    ev_max_v2x_energy_request: Decimal | None = None
    target_so_c: Annotated[int, Meta(ge=0, le=100)] | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.min_charge_power)
        exact(self.min_charge_power_l2)
        exact(self.min_charge_power_l3)
        exact(self.max_charge_power)
        exact(self.max_charge_power_l2)
        exact(self.max_charge_power_l3)
        exact(self.min_discharge_power)
        exact(self.min_discharge_power_l2)
        exact(self.min_discharge_power_l3)
        exact(self.max_discharge_power)
        exact(self.max_discharge_power_l2)
        exact(self.max_discharge_power_l3)
        exact(self.min_charge_current)
        exact(self.max_charge_current)
        exact(self.min_discharge_current)
        exact(self.max_discharge_current)
        exact(self.min_voltage)
        exact(self.max_voltage)
        exact(self.ev_target_energy_request)
        exact(self.ev_min_energy_request)
        exact(self.ev_max_energy_request)
        exact(self.ev_min_v2x_energy_request)
        exact(self.ev_max_v2x_energy_request)


class ChargingNeedsType(Payload, kw_only=True):
    requested_energy_transfer: EnergyTransferModeEnumType
    ac_charging_parameters: ACChargingParametersType | None = None
    der_charging_parameters: DERChargingParametersType | None = None
    ev_energy_offer: EVEnergyOfferType | None = None
    dc_charging_parameters: DCChargingParametersType | None = None
    v2x_charging_parameters: V2XChargingParametersType | None = None
    available_energy_transfer: Annotated[list[EnergyTransferModeEnumType], Meta(min_length=1)] | None = None
    control_mode: ControlModeEnumType | None = None
    mobility_needs_mode: MobilityNeedsModeEnumType | None = None
    departure_time: Instant | None = None
    custom_data: CustomData | None = None


class NotifyEVChargingNeedsRequest(Payload, kw_only=True):
    evse_id: Natural
    charging_needs: ChargingNeedsType
    max_schedule_tuples: Integer | None = None
    timestamp: Instant | None = None
    custom_data: CustomData | None = None


class NotifyEVChargingNeedsResponse(Payload, kw_only=True):
    status: NotifyEVChargingNeedsStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class NotifyEVChargingScheduleRequest(Payload, kw_only=True):
    time_base: Instant
    charging_schedule: ChargingScheduleType
    evse_id: Natural
    selected_charging_schedule_id: Natural | None = None
    power_tolerance_acceptance: bool | None = None
    custom_data: CustomData | None = None


class NotifyEVChargingScheduleResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class EventDataType(Payload, kw_only=True):
    event_id: Register
    timestamp: Instant
    trigger: EventTriggerEnumType
    actual_value: Str2500
    component: ComponentType
    event_notification_type: EventNotificationEnumType
    variable: VariableType
    cause: Integer | None = None
    tech_code: Str50 | None = None
    tech_info: Str500 | None = None
    cleared: bool | None = None
    transaction_id: Str36 | None = None
    variable_monitoring_id: Integer | None = None
    severity: Natural | None = None
    custom_data: CustomData | None = None


class NotifyEventRequest(Payload, kw_only=True):
    generated_at: Instant
    seq_no: Natural
    event_data: Annotated[list[EventDataType], Meta(min_length=1)]
    tbc: bool | None = None
    custom_data: CustomData | None = None


class NotifyEventResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class VariableMonitoringType(Payload, kw_only=True):
    id: Integer
    transaction: bool
    value: Decimal
    type: MonitorEnumType
    severity: Integer
    event_notification_type: EventNotificationEnumType | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.value)


class MonitoringDataType(Payload, kw_only=True):
    component: ComponentType
    variable: VariableType
    variable_monitoring: Annotated[list[VariableMonitoringType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class NotifyMonitoringReportRequest(Payload, kw_only=True):
    request_id: Integer
    seq_no: Natural
    generated_at: Instant
    monitor: Annotated[list[MonitoringDataType], Meta(min_length=1)] | None = None
    tbc: bool | None = None
    custom_data: CustomData | None = None


class NotifyMonitoringReportResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class StreamDataElementType(Payload, kw_only=True):
    t: Decimal
    v: Str2500
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.t)


class NotifyPeriodicEventStreamRequest(Payload, kw_only=True):
    data: Annotated[list[StreamDataElementType], Meta(min_length=1)]
    id: Natural
    pending: Natural
    basetime: Instant
    custom_data: CustomData | None = None


class NotifyPriorityChargingRequest(Payload, kw_only=True):
    transaction_id: Str36
    activated: bool
    custom_data: CustomData | None = None


class NotifyPriorityChargingResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class VariableAttributeType(Payload, kw_only=True):
    type: AttributeEnumType | None = None
    value: Str2500 | None = None
    mutability: MutabilityEnumType | None = None
    persistent: bool | None = None
    constant: bool | None = None
    custom_data: CustomData | None = None


class VariableCharacteristicsType(Payload, kw_only=True):
    data_type: DataEnumType
    supports_monitoring: bool
    unit: Str16 | None = None
    min_limit: Decimal | None = None
    max_limit: Decimal | None = None
    max_elements: Annotated[int, Meta(ge=1, le=2147483647)] | None = None
    values_list: Str1000 | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.min_limit)
        exact(self.max_limit)


class ReportDataType(Payload, kw_only=True):
    component: ComponentType
    variable: VariableType
    variable_attribute: Annotated[list[VariableAttributeType], Meta(min_length=1, max_length=4)]
    variable_characteristics: VariableCharacteristicsType | None = None
    custom_data: CustomData | None = None


class NotifyReportRequest(Payload, kw_only=True):
    request_id: Integer
    generated_at: Instant
    seq_no: Natural
    report_data: Annotated[list[ReportDataType], Meta(min_length=1)] | None = None
    tbc: bool | None = None
    custom_data: CustomData | None = None


class NotifyReportResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class AddressType(Payload, kw_only=True):
    name: Str50
    address1: Str100
    city: Str100
    country: Str50
    address2: Str100 | None = None
    postal_code: Str20 | None = None
    custom_data: CustomData | None = None


class NotifySettlementRequest(Payload, kw_only=True):
    psp_ref: Str255
    status: PaymentStatusEnumType
    settlement_amount: Decimal
    settlement_time: Instant
    transaction_id: Str36 | None = None
    status_info: Str500 | None = None
    receipt_id: Str50 | None = None
    receipt_url: Str2000 | None = None
    vat_company: AddressType | None = None
    vat_number: Str20 | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.settlement_amount)


class NotifySettlementResponse(Payload, kw_only=True):
    receipt_url: Str2000 | None = None
    receipt_id: Str50 | None = None
    custom_data: CustomData | None = None


class NotifyWebPaymentStartedRequest(Payload, kw_only=True):
    evse_id: Natural
    timeout: Integer
    custom_data: CustomData | None = None


class NotifyWebPaymentStartedResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class OpenPeriodicEventStreamRequest(Payload, kw_only=True):
    constant_stream_data: ConstantStreamDataType
    custom_data: CustomData | None = None


class OpenPeriodicEventStreamResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class PublishFirmwareRequest(Payload, kw_only=True):
    location: Str2000
    checksum: Str32
    request_id: Integer
    retries: Integer | None = None
    retry_interval: Integer | None = None
    custom_data: CustomData | None = None


class PublishFirmwareResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class PublishFirmwareStatusNotificationRequest(Payload, kw_only=True):
    status: PublishFirmwareStatusEnumType
    location: Annotated[list[Str2000], Meta(min_length=1)] | None = None
    request_id: Integer | None = None
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class PublishFirmwareStatusNotificationResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class PullDynamicScheduleUpdateRequest(Payload, kw_only=True):
    charging_profile_id: Integer
    custom_data: CustomData | None = None


class ChargingScheduleUpdateType(Payload, kw_only=True):
    limit: Decimal | None = None
    limit_l2: Decimal | None = field(default=None, name="limit_L2")
    limit_l3: Decimal | None = field(default=None, name="limit_L3")
    discharge_limit: Decimal | None = None
    discharge_limit_l2: Decimal | None = field(default=None, name="dischargeLimit_L2")
    discharge_limit_l3: Decimal | None = field(default=None, name="dischargeLimit_L3")
    setpoint: Decimal | None = None
    setpoint_l2: Decimal | None = field(default=None, name="setpoint_L2")
    setpoint_l3: Decimal | None = field(default=None, name="setpoint_L3")
    setpoint_reactive: Decimal | None = None
    setpoint_reactive_l2: Decimal | None = field(default=None, name="setpointReactive_L2")
    setpoint_reactive_l3: Decimal | None = field(default=None, name="setpointReactive_L3")
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.limit)
        exact(self.limit_l2)
        exact(self.limit_l3)
        exact(self.discharge_limit, None, 0)
        exact(self.discharge_limit_l2, None, 0)
        exact(self.discharge_limit_l3, None, 0)
        exact(self.setpoint)
        exact(self.setpoint_l2)
        exact(self.setpoint_l3)
        exact(self.setpoint_reactive)
        exact(self.setpoint_reactive_l2)
        exact(self.setpoint_reactive_l3)


class PullDynamicScheduleUpdateResponse(Payload, kw_only=True):
    status: ChargingProfileStatusEnumType
    schedule_update: ChargingScheduleUpdateType | None = None
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ChargingProfileType(Payload, kw_only=True):
    id: Integer
    stack_level: Integer
    charging_profile_purpose: ChargingProfilePurposeEnumType
    charging_profile_kind: ChargingProfileKindEnumType
    charging_schedule: Annotated[list[ChargingScheduleType], Meta(min_length=1, max_length=3)]
    recurrency_kind: RecurrencyKindEnumType | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    transaction_id: Str36 | None = None
    max_offline_duration: Integer | None = None
    invalid_after_offline_duration: bool | None = None
    dyn_update_interval: Integer | None = None
    dyn_update_time: Instant | None = None
    price_schedule_signature: Str256 | None = None
    custom_data: CustomData | None = None


class ReportChargingProfilesRequest(Payload, kw_only=True):
    request_id: Integer
    charging_limit_source: Str20
    charging_profile: Annotated[list[ChargingProfileType], Meta(min_length=1)]
    evse_id: Natural
    tbc: bool | None = None
    custom_data: CustomData | None = None


class ReportChargingProfilesResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class DERCurvePointsType(Payload, kw_only=True):
    x: Decimal
    y: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.x)
        exact(self.y)


class HysteresisType(Payload, kw_only=True):
    hysteresis_high: Decimal | None = None
    hysteresis_low: Decimal | None = None
    hysteresis_delay: Decimal | None = None
    hysteresis_gradient: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.hysteresis_high)
        exact(self.hysteresis_low)
        exact(self.hysteresis_delay)
        exact(self.hysteresis_gradient)


class ReactivePowerParamsType(Payload, kw_only=True):
    v_ref: Decimal | None = None
    autonomous_v_ref_enable: bool | None = None
    autonomous_v_ref_time_constant: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.v_ref)
        exact(self.autonomous_v_ref_time_constant)


class VoltageParamsType(Payload, kw_only=True):
    hv10_min_mean_value: Decimal | None = None
    hv10_min_mean_trip_delay: Decimal | None = None
    power_during_cessation: PowerDuringCessationEnumType | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.hv10_min_mean_value)
        exact(self.hv10_min_mean_trip_delay)


class DERCurveType(Payload, kw_only=True):
    curve_data: Annotated[list[DERCurvePointsType], Meta(min_length=1, max_length=10)]
    priority: Natural
    y_unit: DERUnitEnumType
    hysteresis: HysteresisType | None = None
    reactive_power_params: ReactivePowerParamsType | None = None
    voltage_params: VoltageParamsType | None = None
    response_time: Decimal | None = None
    start_time: Instant | None = None
    duration: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.response_time)
        exact(self.duration)


class DERCurveGetType(Payload, kw_only=True):
    curve: DERCurveType
    id: Str36
    curve_type: DERControlEnumType
    is_default: bool
    is_superseded: bool
    custom_data: CustomData | None = None


class EnterServiceType(Payload, kw_only=True):
    priority: Natural
    high_voltage: Decimal
    low_voltage: Decimal
    high_freq: Decimal
    low_freq: Decimal
    delay: Decimal | None = None
    random_delay: Decimal | None = None
    ramp_rate: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.high_voltage)
        exact(self.low_voltage)
        exact(self.high_freq)
        exact(self.low_freq)
        exact(self.delay)
        exact(self.random_delay)
        exact(self.ramp_rate)


class EnterServiceGetType(Payload, kw_only=True):
    enter_service: EnterServiceType
    id: Str36
    custom_data: CustomData | None = None


class FixedPFType(Payload, kw_only=True):
    priority: Natural
    displacement: Decimal
    excitation: bool
    start_time: Instant | None = None
    duration: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.displacement)
        exact(self.duration)


class FixedPFGetType(Payload, kw_only=True):
    fixed_pf: FixedPFType = field(name="fixedPF")
    id: Str36
    is_default: bool
    is_superseded: bool
    custom_data: CustomData | None = None


class FixedVarType(Payload, kw_only=True):
    priority: Natural
    setpoint: Decimal
    unit: DERUnitEnumType
    start_time: Instant | None = None
    duration: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.setpoint)
        exact(self.duration)


class FixedVarGetType(Payload, kw_only=True):
    fixed_var: FixedVarType
    id: Str36
    is_default: bool
    is_superseded: bool
    custom_data: CustomData | None = None


class FreqDroopType(Payload, kw_only=True):
    priority: Natural
    over_freq: Decimal
    under_freq: Decimal
    over_droop: Decimal
    under_droop: Decimal
    response_time: Decimal
    start_time: Instant | None = None
    duration: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.over_freq)
        exact(self.under_freq)
        exact(self.over_droop)
        exact(self.under_droop)
        exact(self.response_time)
        exact(self.duration)


class FreqDroopGetType(Payload, kw_only=True):
    freq_droop: FreqDroopType
    id: Str36
    is_default: bool
    is_superseded: bool
    custom_data: CustomData | None = None


class GradientType(Payload, kw_only=True):
    priority: Natural
    gradient: Decimal
    soft_gradient: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.gradient)
        exact(self.soft_gradient)


class GradientGetType(Payload, kw_only=True):
    gradient: GradientType
    id: Str36
    custom_data: CustomData | None = None


class LimitMaxDischargeType(Payload, kw_only=True):
    priority: Natural
    pct_max_discharge_power: Decimal | None = None
    power_monitoring_must_trip: DERCurveType | None = None
    start_time: Instant | None = None
    duration: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.pct_max_discharge_power)
        exact(self.duration)


class LimitMaxDischargeGetType(Payload, kw_only=True):
    id: Str36
    is_default: bool
    is_superseded: bool
    limit_max_discharge: LimitMaxDischargeType
    custom_data: CustomData | None = None


class ReportDERControlRequest(Payload, kw_only=True):
    request_id: Integer
    curve: Annotated[list[DERCurveGetType], Meta(min_length=1, max_length=24)] | None = None
    enter_service: Annotated[list[EnterServiceGetType], Meta(min_length=1, max_length=24)] | None = None
    fixed_pf_absorb: Annotated[list[FixedPFGetType], Meta(min_length=1, max_length=24)] | None = field(default=None, name="fixedPFAbsorb")
    fixed_pf_inject: Annotated[list[FixedPFGetType], Meta(min_length=1, max_length=24)] | None = field(default=None, name="fixedPFInject")
    fixed_var: Annotated[list[FixedVarGetType], Meta(min_length=1, max_length=24)] | None = None
    freq_droop: Annotated[list[FreqDroopGetType], Meta(min_length=1, max_length=24)] | None = None
    gradient: Annotated[list[GradientGetType], Meta(min_length=1, max_length=24)] | None = None
    limit_max_discharge: Annotated[list[LimitMaxDischargeGetType], Meta(min_length=1, max_length=24)] | None = None
    tbc: bool | None = None
    custom_data: CustomData | None = None


class ReportDERControlResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class RequestBatterySwapRequest(Payload, kw_only=True):
    id_token: IdTokenType
    request_id: Integer
    custom_data: CustomData | None = None


class RequestBatterySwapResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class RequestStartTransactionRequest(Payload, kw_only=True):
    id_token: IdTokenType
    remote_start_id: Integer
    evse_id: Natural | None = None
    group_id_token: IdTokenType | None = None
    charging_profile: ChargingProfileType | None = None
    custom_data: CustomData | None = None


class RequestStartTransactionResponse(Payload, kw_only=True):
    status: RequestStartStopStatusEnumType
    status_info: StatusInfoType | None = None
    transaction_id: Str36 | None = None
    custom_data: CustomData | None = None


class RequestStopTransactionRequest(Payload, kw_only=True):
    transaction_id: Str36
    custom_data: CustomData | None = None


class RequestStopTransactionResponse(Payload, kw_only=True):
    status: RequestStartStopStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ReservationStatusUpdateRequest(Payload, kw_only=True):
    reservation_id: Integer
    reservation_update_status: ReservationUpdateStatusEnumType
    custom_data: CustomData | None = None


class ReservationStatusUpdateResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class ReserveNowRequest(Payload, kw_only=True):
    id: Integer
    expiry_date_time: Instant
    id_token: IdTokenType
    connector_type: Str20 | None = None
    evse_id: Natural | None = None
    group_id_token: IdTokenType | None = None
    custom_data: CustomData | None = None


class ReserveNowResponse(Payload, kw_only=True):
    status: ReserveNowStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class ResetRequest(Payload, kw_only=True):
    type: ResetEnumType
    evse_id: Natural | None = None
    custom_data: CustomData | None = None


class ResetResponse(Payload, kw_only=True):
    status: ResetStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SecurityEventNotificationRequest(Payload, kw_only=True):
    type: Str50
    timestamp: Instant
    tech_info: Str255 | None = None
    custom_data: CustomData | None = None


class SecurityEventNotificationResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class AuthorizationData(Payload, kw_only=True):
    id_token: IdTokenType
    id_token_info: IdTokenInfoType | None = None
    custom_data: CustomData | None = None


class SendLocalListRequest(Payload, kw_only=True):
    version_number: Integer
    update_type: UpdateEnumType
    local_authorization_list: Annotated[list[AuthorizationData], Meta(min_length=1)] | None = None
    custom_data: CustomData | None = None


class SendLocalListResponse(Payload, kw_only=True):
    status: SendLocalListStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SetChargingProfileRequest(Payload, kw_only=True):
    evse_id: Natural
    charging_profile: ChargingProfileType
    custom_data: CustomData | None = None


class SetChargingProfileResponse(Payload, kw_only=True):
    status: ChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SetDERControlRequest(Payload, kw_only=True):
    is_default: bool
    control_id: Str36
    control_type: DERControlEnumType
    curve: DERCurveType | None = None
    enter_service: EnterServiceType | None = None
    fixed_pf_absorb: FixedPFType | None = field(default=None, name="fixedPFAbsorb")
    fixed_pf_inject: FixedPFType | None = field(default=None, name="fixedPFInject")
    fixed_var: FixedVarType | None = None
    freq_droop: FreqDroopType | None = None
    gradient: GradientType | None = None
    limit_max_discharge: LimitMaxDischargeType | None = None
    custom_data: CustomData | None = None


class SetDERControlResponse(Payload, kw_only=True):
    status: DERControlStatusEnumType
    status_info: StatusInfoType | None = None
    superseded_ids: Annotated[list[Str36], Meta(min_length=1, max_length=24)] | None = None
    custom_data: CustomData | None = None


class SetDefaultTariffRequest(Payload, kw_only=True):
    evse_id: Natural
    tariff: TariffType
    custom_data: CustomData | None = None


class SetDefaultTariffResponse(Payload, kw_only=True):
    status: TariffSetStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SetDisplayMessageRequest(Payload, kw_only=True):
    message: MessageInfoType
    custom_data: CustomData | None = None


class SetDisplayMessageResponse(Payload, kw_only=True):
    status: DisplayMessageStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SetMonitoringBaseRequest(Payload, kw_only=True):
    monitoring_base: MonitoringBaseEnumType
    custom_data: CustomData | None = None


class SetMonitoringBaseResponse(Payload, kw_only=True):
    status: GenericDeviceModelStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SetMonitoringLevelRequest(Payload, kw_only=True):
    severity: Integer
    custom_data: CustomData | None = None


class SetMonitoringLevelResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class APNType(Payload, kw_only=True):
    apn: Str2000
    apn_authentication: APNAuthenticationEnumType
    apn_user_name: Str50 | None = None
    apn_password: Str64 | None = None
    sim_pin: Integer | None = None
    preferred_network: Str6 | None = None
    use_only_preferred_network: bool | None = None
    custom_data: CustomData | None = None


class VPNType(Payload, kw_only=True):
    server: Str2000
    user: Str50
    password: Str64
    key: Str255
    type: VPNEnumType
    group: Str50 | None = None
    custom_data: CustomData | None = None


class NetworkConnectionProfileType(Payload, kw_only=True):
    ocpp_interface: OCPPInterfaceEnumType
    ocpp_transport: OCPPTransportEnumType
    message_timeout: Integer
    ocpp_csms_url: Str2000
    security_profile: Integer
    apn: APNType | None = None
    ocpp_version: OCPPVersionEnumType | None = None
    identity: Str48 | None = None
    basic_auth_password: Str64 | None = None
    vpn: VPNType | None = None
    custom_data: CustomData | None = None


class SetNetworkProfileRequest(Payload, kw_only=True):
    configuration_slot: Integer
    connection_data: NetworkConnectionProfileType
    custom_data: CustomData | None = None


class SetNetworkProfileResponse(Payload, kw_only=True):
    status: SetNetworkProfileStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SetMonitoringDataType(Payload, kw_only=True):
    value: Decimal
    type: MonitorEnumType
    severity: Integer
    component: ComponentType
    variable: VariableType
    id: Integer | None = None
    periodic_event_stream: PeriodicEventStreamParamsType | None = None
    transaction: bool | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.value)


class SetVariableMonitoringRequest(Payload, kw_only=True):
    set_monitoring_data: Annotated[list[SetMonitoringDataType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class SetMonitoringResultType(Payload, kw_only=True):
    status: SetMonitoringStatusEnumType
    type: MonitorEnumType
    component: ComponentType
    variable: VariableType
    severity: Integer
    id: Integer | None = None
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SetVariableMonitoringResponse(Payload, kw_only=True):
    set_monitoring_result: Annotated[list[SetMonitoringResultType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class SetVariableDataType(Payload, kw_only=True):
    attribute_value: Str2500
    component: ComponentType
    variable: VariableType
    attribute_type: AttributeEnumType | None = None
    custom_data: CustomData | None = None


class SetVariablesRequest(Payload, kw_only=True):
    set_variable_data: Annotated[list[SetVariableDataType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class SetVariableResultType(Payload, kw_only=True):
    attribute_status: SetVariableStatusEnumType
    component: ComponentType
    variable: VariableType
    attribute_type: AttributeEnumType | None = None
    attribute_status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class SetVariablesResponse(Payload, kw_only=True):
    set_variable_result: Annotated[list[SetVariableResultType], Meta(min_length=1)]
    custom_data: CustomData | None = None


class SignCertificateRequest(Payload, kw_only=True):
    csr: Str5500
    certificate_type: CertificateSigningUseEnumType | None = None
    hash_root_certificate: CertificateHashDataType | None = None
    request_id: Integer | None = None
    custom_data: CustomData | None = None


class SignCertificateResponse(Payload, kw_only=True):
    status: GenericStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class StatusNotificationRequest(Payload, kw_only=True):
    timestamp: Instant
    connector_status: ConnectorStatusEnumType
    evse_id: Natural
    connector_id: Natural
    custom_data: CustomData | None = None


class StatusNotificationResponse(Payload, kw_only=True):
    custom_data: CustomData | None = None


class CostDimensionType(Payload, kw_only=True):
    type: CostDimensionEnumType
    volume: Decimal
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.volume)


class ChargingPeriodType(Payload, kw_only=True):
    start_period: Instant
    dimensions: Annotated[list[CostDimensionType], Meta(min_length=1)] | None = None
    tariff_id: Str60 | None = None
    custom_data: CustomData | None = None


class TotalPriceType(Payload, kw_only=True):
    excl_tax: Decimal | None = None
    incl_tax: Decimal | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.excl_tax)
        exact(self.incl_tax)


class TotalCostType(Payload, kw_only=True):
    currency: Str3
    type_of_cost: TariffCostEnumType
    total: TotalPriceType
    fixed: PriceType | None = None
    energy: PriceType | None = None
    charging_time: PriceType | None = None
    idle_time: PriceType | None = None
    reservation_time: PriceType | None = None
    reservation_fixed: PriceType | None = None
    custom_data: CustomData | None = None


class TotalUsageType(Payload, kw_only=True):
    energy: Decimal
    charging_time: Integer
    idle_time: Integer
    reservation_time: Integer | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.energy)


class CostDetailsType(Payload, kw_only=True):
    total_cost: TotalCostType
    total_usage: TotalUsageType
    charging_periods: Annotated[list[ChargingPeriodType], Meta(min_length=1)] | None = None
    failure_to_calculate: bool | None = None
    failure_reason: Str500 | None = None
    custom_data: CustomData | None = None


class TransactionLimitType(Payload, kw_only=True):
    max_cost: Decimal | None = None
    max_energy: Decimal | None = None
    max_time: Integer | None = None
    max_so_c: Annotated[int, Meta(ge=0, le=100)] | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.max_cost)
        exact(self.max_energy)


class TransactionType(Payload, kw_only=True):
    transaction_id: Str36
    charging_state: ChargingStateEnumType | None = None
    time_spent_charging: Integer | None = None
    stopped_reason: ReasonEnumType | None = None
    remote_start_id: Integer | None = None
    operation_mode: OperationModeEnumType | None = None
    tariff_id: Str60 | None = None
    transaction_limit: TransactionLimitType | None = None
    custom_data: CustomData | None = None


class TransactionEventRequest(Payload, kw_only=True):
    event_type: TransactionEventEnumType
    timestamp: Instant
    trigger_reason: TriggerReasonEnumType
    seq_no: Natural
    transaction_info: TransactionType
    cost_details: CostDetailsType | None = None
    meter_value: Annotated[list[MeterValueType], Meta(min_length=1)] | None = None
    offline: bool | None = None
    number_of_phases_used: Integer | None = None
    cable_max_current: Integer | None = None
    reservation_id: Integer | None = None
    preconditioning_status: PreconditioningStatusEnumType | None = None
    evse_sleep: bool | None = None
    evse: EVSEType | None = None
    id_token: IdTokenType | None = None
    custom_data: CustomData | None = None


class TransactionEventResponse(Payload, kw_only=True):
    total_cost: Decimal | None = None
    charging_priority: Integer | None = None
    id_token_info: IdTokenInfoType | None = None
    transaction_limit: TransactionLimitType | None = None
    updated_personal_message: MessageContentType | None = None
    updated_personal_message_extra: Annotated[list[MessageContentType], Meta(min_length=1, max_length=4)] | None = None
    custom_data: CustomData | None = None

    def __post_init__(self) -> None:
        exact(self.total_cost)


class TriggerMessageRequest(Payload, kw_only=True):
    requested_message: MessageTriggerEnumType
    evse: EVSEType | None = None
    custom_trigger: Str50 | None = None
    custom_data: CustomData | None = None


class TriggerMessageResponse(Payload, kw_only=True):
    status: TriggerMessageStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class UnlockConnectorRequest(Payload, kw_only=True):
    evse_id: Natural
    connector_id: Natural
    custom_data: CustomData | None = None


class UnlockConnectorResponse(Payload, kw_only=True):
    status: UnlockStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class UnpublishFirmwareRequest(Payload, kw_only=True):
    checksum: Str32
    custom_data: CustomData | None = None


class UnpublishFirmwareResponse(Payload, kw_only=True):
    status: UnpublishFirmwareStatusEnumType
    custom_data: CustomData | None = None


class UpdateDynamicScheduleRequest(Payload, kw_only=True):
    charging_profile_id: Integer
    schedule_update: ChargingScheduleUpdateType
    custom_data: CustomData | None = None


class UpdateDynamicScheduleResponse(Payload, kw_only=True):
    status: ChargingProfileStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class FirmwareType(Payload, kw_only=True):
    location: Str2000
    retrieve_date_time: Instant
    install_date_time: Instant | None = None
    signing_certificate: Str5500 | None = None
    signature: Str800 | None = None
    custom_data: CustomData | None = None


class UpdateFirmwareRequest(Payload, kw_only=True):
    request_id: Integer
    firmware: FirmwareType
    retries: Integer | None = None
    retry_interval: Integer | None = None
    custom_data: CustomData | None = None


class UpdateFirmwareResponse(Payload, kw_only=True):
    status: UpdateFirmwareStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class UsePriorityChargingRequest(Payload, kw_only=True):
    transaction_id: Str36
    activate: bool
    custom_data: CustomData | None = None


class UsePriorityChargingResponse(Payload, kw_only=True):
    status: PriorityChargingStatusEnumType
    status_info: StatusInfoType | None = None
    custom_data: CustomData | None = None


class VatNumberValidationRequest(Payload, kw_only=True):
    vat_number: Str20
    evse_id: Natural | None = None
    custom_data: CustomData | None = None


class VatNumberValidationResponse(Payload, kw_only=True):
    vat_number: Str20
    status: GenericStatusEnumType
    company: AddressType | None = None
    status_info: StatusInfoType | None = None
    evse_id: Natural | None = None
    custom_data: CustomData | None = None


REQUESTS: dict[str, type[Payload]] = {
    "AFRRSignal": AFRRSignalRequest,
    "AdjustPeriodicEventStream": AdjustPeriodicEventStreamRequest,
    "Authorize": AuthorizeRequest,
    "BatterySwap": BatterySwapRequest,
    "BootNotification": BootNotificationRequest,
    "CancelReservation": CancelReservationRequest,
    "CertificateSigned": CertificateSignedRequest,
    "ChangeAvailability": ChangeAvailabilityRequest,
    "ChangeTransactionTariff": ChangeTransactionTariffRequest,
    "ClearCache": ClearCacheRequest,
    "ClearChargingProfile": ClearChargingProfileRequest,
    "ClearDERControl": ClearDERControlRequest,
    "ClearDisplayMessage": ClearDisplayMessageRequest,
    "ClearTariffs": ClearTariffsRequest,
    "ClearVariableMonitoring": ClearVariableMonitoringRequest,
    "ClearedChargingLimit": ClearedChargingLimitRequest,
    "ClosePeriodicEventStream": ClosePeriodicEventStreamRequest,
    "CostUpdated": CostUpdatedRequest,
    "CustomerInformation": CustomerInformationRequest,
    "DataTransfer": DataTransferRequest,
    "DeleteCertificate": DeleteCertificateRequest,
    "FirmwareStatusNotification": FirmwareStatusNotificationRequest,
    "Get15118EVCertificate": Get15118EVCertificateRequest,
    "GetBaseReport": GetBaseReportRequest,
    "GetCertificateChainStatus": GetCertificateChainStatusRequest,
    "GetCertificateStatus": GetCertificateStatusRequest,
    "GetChargingProfiles": GetChargingProfilesRequest,
    "GetCompositeSchedule": GetCompositeScheduleRequest,
    "GetDERControl": GetDERControlRequest,
    "GetDisplayMessages": GetDisplayMessagesRequest,
    "GetInstalledCertificateIds": GetInstalledCertificateIdsRequest,
    "GetLocalListVersion": GetLocalListVersionRequest,
    "GetLog": GetLogRequest,
    "GetMonitoringReport": GetMonitoringReportRequest,
    "GetPeriodicEventStream": GetPeriodicEventStreamRequest,
    "GetReport": GetReportRequest,
    "GetTariffs": GetTariffsRequest,
    "GetTransactionStatus": GetTransactionStatusRequest,
    "GetVariables": GetVariablesRequest,
    "Heartbeat": HeartbeatRequest,
    "InstallCertificate": InstallCertificateRequest,
    "LogStatusNotification": LogStatusNotificationRequest,
    "MeterValues": MeterValuesRequest,
    "NotifyAllowedEnergyTransfer": NotifyAllowedEnergyTransferRequest,
    "NotifyChargingLimit": NotifyChargingLimitRequest,
    "NotifyCustomerInformation": NotifyCustomerInformationRequest,
    "NotifyDERAlarm": NotifyDERAlarmRequest,
    "NotifyDERStartStop": NotifyDERStartStopRequest,
    "NotifyDisplayMessages": NotifyDisplayMessagesRequest,
    "NotifyEVChargingNeeds": NotifyEVChargingNeedsRequest,
    "NotifyEVChargingSchedule": NotifyEVChargingScheduleRequest,
    "NotifyEvent": NotifyEventRequest,
    "NotifyMonitoringReport": NotifyMonitoringReportRequest,
    "NotifyPeriodicEventStream": NotifyPeriodicEventStreamRequest,
    "NotifyPriorityCharging": NotifyPriorityChargingRequest,
    "NotifyReport": NotifyReportRequest,
    "NotifySettlement": NotifySettlementRequest,
    "NotifyWebPaymentStarted": NotifyWebPaymentStartedRequest,
    "OpenPeriodicEventStream": OpenPeriodicEventStreamRequest,
    "PublishFirmware": PublishFirmwareRequest,
    "PublishFirmwareStatusNotification": PublishFirmwareStatusNotificationRequest,
    "PullDynamicScheduleUpdate": PullDynamicScheduleUpdateRequest,
    "ReportChargingProfiles": ReportChargingProfilesRequest,
    "ReportDERControl": ReportDERControlRequest,
    "RequestBatterySwap": RequestBatterySwapRequest,
    "RequestStartTransaction": RequestStartTransactionRequest,
    "RequestStopTransaction": RequestStopTransactionRequest,
    "ReservationStatusUpdate": ReservationStatusUpdateRequest,
    "ReserveNow": ReserveNowRequest,
    "Reset": ResetRequest,
    "SecurityEventNotification": SecurityEventNotificationRequest,
    "SendLocalList": SendLocalListRequest,
    "SetChargingProfile": SetChargingProfileRequest,
    "SetDERControl": SetDERControlRequest,
    "SetDefaultTariff": SetDefaultTariffRequest,
    "SetDisplayMessage": SetDisplayMessageRequest,
    "SetMonitoringBase": SetMonitoringBaseRequest,
    "SetMonitoringLevel": SetMonitoringLevelRequest,
    "SetNetworkProfile": SetNetworkProfileRequest,
    "SetVariableMonitoring": SetVariableMonitoringRequest,
    "SetVariables": SetVariablesRequest,
    "SignCertificate": SignCertificateRequest,
    "StatusNotification": StatusNotificationRequest,
    "TransactionEvent": TransactionEventRequest,
    "TriggerMessage": TriggerMessageRequest,
    "UnlockConnector": UnlockConnectorRequest,
    "UnpublishFirmware": UnpublishFirmwareRequest,
    "UpdateDynamicSchedule": UpdateDynamicScheduleRequest,
    "UpdateFirmware": UpdateFirmwareRequest,
    "UsePriorityCharging": UsePriorityChargingRequest,
    "VatNumberValidation": VatNumberValidationRequest,
}


RESPONSES: dict[str, type[Payload]] = {
    "AFRRSignal": AFRRSignalResponse,
    "AdjustPeriodicEventStream": AdjustPeriodicEventStreamResponse,
    "Authorize": AuthorizeResponse,
    "BatterySwap": BatterySwapResponse,
    "BootNotification": BootNotificationResponse,
    "CancelReservation": CancelReservationResponse,
    "CertificateSigned": CertificateSignedResponse,
    "ChangeAvailability": ChangeAvailabilityResponse,
    "ChangeTransactionTariff": ChangeTransactionTariffResponse,
    "ClearCache": ClearCacheResponse,
    "ClearChargingProfile": ClearChargingProfileResponse,
    "ClearDERControl": ClearDERControlResponse,
    "ClearDisplayMessage": ClearDisplayMessageResponse,
    "ClearTariffs": ClearTariffsResponse,
    "ClearVariableMonitoring": ClearVariableMonitoringResponse,
    "ClearedChargingLimit": ClearedChargingLimitResponse,
    "ClosePeriodicEventStream": ClosePeriodicEventStreamResponse,
    "CostUpdated": CostUpdatedResponse,
    "CustomerInformation": CustomerInformationResponse,
    "DataTransfer": DataTransferResponse,
    "DeleteCertificate": DeleteCertificateResponse,
    "FirmwareStatusNotification": FirmwareStatusNotificationResponse,
    "Get15118EVCertificate": Get15118EVCertificateResponse,
    "GetBaseReport": GetBaseReportResponse,
    "GetCertificateChainStatus": GetCertificateChainStatusResponse,
    "GetCertificateStatus": GetCertificateStatusResponse,
    "GetChargingProfiles": GetChargingProfilesResponse,
    "GetCompositeSchedule": GetCompositeScheduleResponse,
    "GetDERControl": GetDERControlResponse,
    "GetDisplayMessages": GetDisplayMessagesResponse,
    "GetInstalledCertificateIds": GetInstalledCertificateIdsResponse,
    "GetLocalListVersion": GetLocalListVersionResponse,
    "GetLog": GetLogResponse,
    "GetMonitoringReport": GetMonitoringReportResponse,
    "GetPeriodicEventStream": GetPeriodicEventStreamResponse,
    "GetReport": GetReportResponse,
    "GetTariffs": GetTariffsResponse,
    "GetTransactionStatus": GetTransactionStatusResponse,
    "GetVariables": GetVariablesResponse,
    "Heartbeat": HeartbeatResponse,
    "InstallCertificate": InstallCertificateResponse,
    "LogStatusNotification": LogStatusNotificationResponse,
    "MeterValues": MeterValuesResponse,
    "NotifyAllowedEnergyTransfer": NotifyAllowedEnergyTransferResponse,
    "NotifyChargingLimit": NotifyChargingLimitResponse,
    "NotifyCustomerInformation": NotifyCustomerInformationResponse,
    "NotifyDERAlarm": NotifyDERAlarmResponse,
    "NotifyDERStartStop": NotifyDERStartStopResponse,
    "NotifyDisplayMessages": NotifyDisplayMessagesResponse,
    "NotifyEVChargingNeeds": NotifyEVChargingNeedsResponse,
    "NotifyEVChargingSchedule": NotifyEVChargingScheduleResponse,
    "NotifyEvent": NotifyEventResponse,
    "NotifyMonitoringReport": NotifyMonitoringReportResponse,
    "NotifyPriorityCharging": NotifyPriorityChargingResponse,
    "NotifyReport": NotifyReportResponse,
    "NotifySettlement": NotifySettlementResponse,
    "NotifyWebPaymentStarted": NotifyWebPaymentStartedResponse,
    "OpenPeriodicEventStream": OpenPeriodicEventStreamResponse,
    "PublishFirmware": PublishFirmwareResponse,
    "PublishFirmwareStatusNotification": PublishFirmwareStatusNotificationResponse,
    "PullDynamicScheduleUpdate": PullDynamicScheduleUpdateResponse,
    "ReportChargingProfiles": ReportChargingProfilesResponse,
    "ReportDERControl": ReportDERControlResponse,
    "RequestBatterySwap": RequestBatterySwapResponse,
    "RequestStartTransaction": RequestStartTransactionResponse,
    "RequestStopTransaction": RequestStopTransactionResponse,
    "ReservationStatusUpdate": ReservationStatusUpdateResponse,
    "ReserveNow": ReserveNowResponse,
    "Reset": ResetResponse,
    "SecurityEventNotification": SecurityEventNotificationResponse,
    "SendLocalList": SendLocalListResponse,
    "SetChargingProfile": SetChargingProfileResponse,
    "SetDERControl": SetDERControlResponse,
    "SetDefaultTariff": SetDefaultTariffResponse,
    "SetDisplayMessage": SetDisplayMessageResponse,
    "SetMonitoringBase": SetMonitoringBaseResponse,
    "SetMonitoringLevel": SetMonitoringLevelResponse,
    "SetNetworkProfile": SetNetworkProfileResponse,
    "SetVariableMonitoring": SetVariableMonitoringResponse,
    "SetVariables": SetVariablesResponse,
    "SignCertificate": SignCertificateResponse,
    "StatusNotification": StatusNotificationResponse,
    "TransactionEvent": TransactionEventResponse,
    "TriggerMessage": TriggerMessageResponse,
    "UnlockConnector": UnlockConnectorResponse,
    "UnpublishFirmware": UnpublishFirmwareResponse,
    "UpdateDynamicSchedule": UpdateDynamicScheduleResponse,
    "UpdateFirmware": UpdateFirmwareResponse,
    "UsePriorityCharging": UsePriorityChargingResponse,
    "VatNumberValidation": VatNumberValidationResponse,
}


FROM_STATION: frozenset[str] = frozenset({
    "Authorize",
    "BatterySwap",
    "BootNotification",
    "ClearedChargingLimit",
    "ClosePeriodicEventStream",
    "DataTransfer",
    "FirmwareStatusNotification",
    "Get15118EVCertificate",
    "GetCertificateChainStatus",
    "GetCertificateStatus",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDERAlarm",
    "NotifyDERStartStop",
    "NotifyDisplayMessages",
    "NotifyEVChargingNeeds",
    "NotifyEVChargingSchedule",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyPeriodicEventStream",
    "NotifyPriorityCharging",
    "NotifyReport",
    "NotifySettlement",
    "OpenPeriodicEventStream",
    "PublishFirmwareStatusNotification",
    "PullDynamicScheduleUpdate",
    "ReportChargingProfiles",
    "ReportDERControl",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
    "SignCertificate",
    "StatusNotification",
    "TransactionEvent",
    "VatNumberValidation",
})


TO_STATION: frozenset[str] = frozenset({
    "AFRRSignal",
    "AdjustPeriodicEventStream",
    "CancelReservation",
    "CertificateSigned",
    "ChangeAvailability",
    "ChangeTransactionTariff",
    "ClearCache",
    "ClearChargingProfile",
    "ClearDERControl",
    "ClearDisplayMessage",
    "ClearTariffs",
    "ClearVariableMonitoring",
    "CostUpdated",
    "CustomerInformation",
    "DataTransfer",
    "DeleteCertificate",
    "GetBaseReport",
    "GetChargingProfiles",
    "GetCompositeSchedule",
    "GetDERControl",
    "GetDisplayMessages",
    "GetInstalledCertificateIds",
    "GetLocalListVersion",
    "GetLog",
    "GetMonitoringReport",
    "GetPeriodicEventStream",
    "GetReport",
    "GetTariffs",
    "GetTransactionStatus",
    "GetVariables",
    "InstallCertificate",
    "NotifyAllowedEnergyTransfer",
    "NotifyWebPaymentStarted",
    "PublishFirmware",
    "RequestBatterySwap",
    "RequestStartTransaction",
    "RequestStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SetDERControl",
    "SetDefaultTariff",
    "SetDisplayMessage",
    "SetMonitoringBase",
    "SetMonitoringLevel",
    "SetNetworkProfile",
    "SetVariableMonitoring",
    "SetVariables",
    "TriggerMessage",
    "UnlockConnector",
    "UnpublishFirmware",
    "UpdateDynamicSchedule",
    "UpdateFirmware",
    "UsePriorityCharging",
})


SENDS: frozenset[str] = frozenset({
    "NotifyPeriodicEventStream",
})


SINCE_21_ACTIONS: frozenset[str] = frozenset({
    "AFRRSignal",
    "AdjustPeriodicEventStream",
    "BatterySwap",
    "ChangeTransactionTariff",
    "ClearDERControl",
    "ClearTariffs",
    "ClosePeriodicEventStream",
    "GetCertificateChainStatus",
    "GetDERControl",
    "GetPeriodicEventStream",
    "GetTariffs",
    "NotifyAllowedEnergyTransfer",
    "NotifyDERAlarm",
    "NotifyDERStartStop",
    "NotifyPeriodicEventStream",
    "NotifyPriorityCharging",
    "NotifySettlement",
    "NotifyWebPaymentStarted",
    "OpenPeriodicEventStream",
    "PullDynamicScheduleUpdate",
    "ReportDERControl",
    "RequestBatterySwap",
    "SetDERControl",
    "SetDefaultTariff",
    "UpdateDynamicSchedule",
    "UsePriorityCharging",
    "VatNumberValidation",
})


# Structure → its fields, as on the wire, that 2.0.1 lacks. Structures of 2.1 alone are not listed.
SINCE_21_FIELDS: dict[str, frozenset[str]] = {
    "AuthorizeResponse": frozenset({"allowedEnergyTransfer", "tariff"}),
    "CertificateSignedRequest": frozenset({"requestId"}),
    "ChargingLimitType": frozenset({"isLocalGeneration"}),
    "ChargingNeedsType": frozenset({"availableEnergyTransfer", "controlMode", "derChargingParameters", "evEnergyOffer", "mobilityNeedsMode", "v2xChargingParameters"}),
    "ChargingProfileType": frozenset({"dynUpdateInterval", "dynUpdateTime", "invalidAfterOfflineDuration", "maxOfflineDuration", "priceScheduleSignature"}),
    "ChargingSchedulePeriodType": frozenset({"dischargeLimit", "dischargeLimit_L2", "dischargeLimit_L3", "evseSleep", "limit_L2", "limit_L3", "operationMode", "preconditioningRequest", "setpoint", "setpointReactive", "setpointReactive_L2", "setpointReactive_L3", "setpoint_L2", "setpoint_L3", "v2xBaseline", "v2xFreqWattCurve", "v2xSignalWattCurve"}),
    "ChargingScheduleType": frozenset({"absolutePriceSchedule", "digestValue", "limitAtSoC", "powerTolerance", "priceLevelSchedule", "randomizedDelay", "signatureId", "useLocalTime"}),
    "EventDataType": frozenset({"severity"}),
    "FirmwareStatusNotificationRequest": frozenset({"statusInfo"}),
    "Get15118EVCertificateRequest": frozenset({"maximumContractCertificateChains", "prioritizedEMAIDs"}),
    "Get15118EVCertificateResponse": frozenset({"remainingContracts"}),
    "LogStatusNotificationRequest": frozenset({"statusInfo"}),
    "MessageInfoType": frozenset({"messageExtra"}),
    "NetworkConnectionProfileType": frozenset({"basicAuthPassword", "identity"}),
    "NotifyEVChargingNeedsRequest": frozenset({"timestamp"}),
    "NotifyEVChargingScheduleRequest": frozenset({"powerToleranceAcceptance", "selectedChargingScheduleId"}),
    "PublishFirmwareStatusNotificationRequest": frozenset({"statusInfo"}),
    "SetMonitoringDataType": frozenset({"periodicEventStream"}),
    "SignCertificateRequest": frozenset({"hashRootCertificate", "requestId"}),
    "TransactionEventRequest": frozenset({"costDetails", "evseSleep", "preconditioningStatus"}),
    "TransactionEventResponse": frozenset({"transactionLimit", "updatedPersonalMessageExtra"}),
    "TransactionType": frozenset({"operationMode", "tariffId", "transactionLimit"}),
    "TriggerMessageRequest": frozenset({"customTrigger"}),
    "VariableCharacteristicsType": frozenset({"maxElements"}),
    "VariableMonitoringType": frozenset({"eventNotificationType"}),
}


# List → its values that 2.0.1 lacks.
SINCE_21_VALUES: dict[str, frozenset[str]] = {
    "CertificateSigningUseEnumType": frozenset({"V2G20Certificate"}),
    "ChargingProfileKindEnumType": frozenset({"Dynamic"}),
    "ChargingProfilePurposeEnumType": frozenset({"LocalGeneration", "PriorityCharging"}),
    "ClearMessageStatusEnumType": frozenset({"Rejected"}),
    "DisplayMessageStatusEnumType": frozenset({"LanguageNotSupported"}),
    "EnergyTransferModeEnumType": frozenset({"AC_BPT", "AC_BPT_DER", "AC_DER", "DC_ACDP", "DC_ACDP_BPT", "DC_BPT", "WPT"}),
    "GetCertificateIdUseEnumType": frozenset({"OEMRootCertificate"}),
    "InstallCertificateUseEnumType": frozenset({"OEMRootCertificate"}),
    "LocationEnumType": frozenset({"Upstream"}),
    "LogEnumType": frozenset({"DataCollectorLog"}),
    "MeasurandEnumType": frozenset({"Current.Export.Minimum", "Current.Export.Offered", "Current.Import.Minimum", "Current.Import.Offered", "Display.BatteryEnergyCapacity", "Display.ChargingComplete", "Display.InletHot", "Display.MaximumSOC", "Display.MinimumSOC", "Display.PresentSOC", "Display.RemainingTimeToMaximumSOC", "Display.RemainingTimeToMinimumSOC", "Display.RemainingTimeToTargetSOC", "Display.TargetSOC", "Energy.Active.Import.CableLoss", "Energy.Active.Import.LocalGeneration.Register", "Energy.Active.Setpoint.Interval", "EnergyRequest.Bulk", "EnergyRequest.Maximum", "EnergyRequest.Maximum.V2X", "EnergyRequest.Minimum", "EnergyRequest.Minimum.V2X", "EnergyRequest.Target", "Power.Active.Residual", "Power.Active.Setpoint", "Power.Export.Minimum", "Power.Export.Offered", "Power.Import.Minimum", "Power.Import.Offered", "Voltage.Maximum", "Voltage.Minimum"}),
    "MessageFormatEnumType": frozenset({"QRCODE"}),
    "MessageStateEnumType": frozenset({"Discharging", "Suspended"}),
    "MessageTriggerEnumType": frozenset({"CustomTrigger", "SignV2G20Certificate"}),
    "MonitorEnumType": frozenset({"TargetDelta", "TargetDeltaRelative"}),
    "NotifyEVChargingNeedsStatusEnumType": frozenset({"NoChargingProfile"}),
    "OCPPInterfaceEnumType": frozenset({"Any"}),
    "OCPPVersionEnumType": frozenset({"OCPP201", "OCPP21"}),
    "ReasonEnumType": frozenset({"ReqEnergyTransferRejected"}),
    "ReservationUpdateStatusEnumType": frozenset({"NoTransaction"}),
    "ResetEnumType": frozenset({"ImmediateAndResume"}),
    "TriggerReasonEnumType": frozenset({"CostLimitReached", "LimitSet", "OperationModeChanged", "RunningCost", "SoCLimitReached", "TariffChanged", "TariffNotAccepted", "TxResumed"}),
}
