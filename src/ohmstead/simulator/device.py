"""A station's configuration: one table, two names per row (1.6 key, 2.x component and variable).

Only what differs from the table is kept per station, so that thousands of stations stay small. The 2.x names are those
of the OCPP 2.1 appendices, chapter 3; the 1.6 keys those of OCPP 1.6 §9 and the security whitepaper.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from ohmstead.simulator.clock import iso

Access: TypeAlias = Literal["ReadOnly", "ReadWrite", "WriteOnly"]
Name2: TypeAlias = tuple[str, str, str | None]


class Setting(Struct, frozen=True):
    """One row: `name` is ours; `key16` and `name2` (component, variable, instance) what each version calls it."""

    name: str
    key16: str | None
    name2: Name2 | None
    default: str
    access: Access = "ReadWrite"
    data_type: str = "string"
    unit: str | None = None
    values: str | None = None
    needs_reboot: bool = False


_RO: Access = "ReadOnly"


def _two(component: str, variable: str, instance: str | None = None) -> Name2:
    return (component, variable, instance)


SETTINGS: tuple[Setting, ...] = (
    Setting("heartbeat_interval_s", "HeartbeatInterval", _two("OCPPCommCtrlr", "HeartbeatInterval"), "900",
            data_type="integer", unit="s"),
    Setting("ping_interval_s", "WebSocketPingInterval", _two("OCPPCommCtrlr", "WebSocketPingInterval"), "60",
            data_type="integer", unit="s"),
    Setting("connection_timeout_s", "ConnectionTimeOut", _two("TxCtrlr", "EVConnectionTimeOut"), "60",
            data_type="integer", unit="s"),
    Setting("sample_interval_s", "MeterValueSampleInterval", _two("SampledDataCtrlr", "TxUpdatedInterval"), "60",
            data_type="integer", unit="s"),
    Setting("clock_aligned_interval_s", "ClockAlignedDataInterval", _two("AlignedDataCtrlr", "Interval"), "0",
            data_type="integer", unit="s"),
    Setting("sampled_measurands", "MeterValuesSampledData", _two("SampledDataCtrlr", "TxUpdatedMeasurands"),
            "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC", data_type="MemberList",
            values="Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,SoC,Current.Offered,"
            "Power.Offered,Frequency,Temperature"),
    Setting("started_measurands", None, _two("SampledDataCtrlr", "TxStartedMeasurands"),
            "Energy.Active.Import.Register", data_type="MemberList"),
    Setting("ended_measurands", "StopTxnSampledData", _two("SampledDataCtrlr", "TxEndedMeasurands"),
            "Energy.Active.Import.Register", data_type="MemberList"),
    Setting("aligned_measurands", "MeterValuesAlignedData", _two("AlignedDataCtrlr", "Measurands"),
            "Energy.Active.Import.Register", data_type="MemberList"),
    Setting("authorize_remote", "AuthorizeRemoteTxRequests", _two("AuthCtrlr", "AuthorizeRemoteStart"), "false",
            data_type="boolean"),
    Setting("authorize_offline", "LocalAuthorizeOffline", _two("AuthCtrlr", "LocalAuthorizeOffline"), "true",
            data_type="boolean"),
    Setting("pre_authorize", "LocalPreAuthorize", _two("AuthCtrlr", "LocalPreAuthorize"), "false",
            data_type="boolean"),
    Setting("offline_unknown", "AllowOfflineTxForUnknownId", _two("AuthCtrlr", "OfflineTxForUnknownIdEnabled"), "true",
            data_type="boolean"),
    Setting("cache_enabled", "AuthorizationCacheEnabled", _two("AuthCacheCtrlr", "Enabled"), "true",
            data_type="boolean"),
    Setting("local_list_enabled", "LocalAuthListEnabled", _two("LocalAuthListCtrlr", "Enabled"), "true",
            data_type="boolean"),
    Setting("local_list_max", "LocalAuthListMaxLength", _two("LocalAuthListCtrlr", "Entries"), "1000", _RO, "integer"),
    Setting("local_list_items", "SendLocalListMaxLength", _two("LocalAuthListCtrlr", "ItemsPerMessage"), "100", _RO,
            "integer"),
    Setting("stop_on_invalid", "StopTransactionOnInvalidId", _two("TxCtrlr", "StopTxOnInvalidId"), "true",
            data_type="boolean"),
    Setting("stop_on_unplug", "StopTransactionOnEVSideDisconnect", _two("TxCtrlr", "StopTxOnEVSideDisconnect"), "true",
            data_type="boolean"),
    Setting("unlock_on_unplug", "UnlockConnectorOnEVSideDisconnect", None, "true", data_type="boolean"),
    Setting("tx_start_point", None, _two("TxCtrlr", "TxStartPoint"), "Authorized", data_type="MemberList",
            values="EVConnected,Authorized,PowerPathClosed,EnergyTransfer"),
    Setting("tx_stop_point", None, _two("TxCtrlr", "TxStopPoint"), "EVConnected,Authorized", _RO, "MemberList"),
    Setting("message_attempts", "TransactionMessageAttempts",
            _two("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent"), "3", data_type="integer"),
    Setting("message_retry_s", "TransactionMessageRetryInterval",
            _two("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent"), "10", data_type="integer", unit="s"),
    Setting("message_timeout_s", "MessageTimeout", _two("OCPPCommCtrlr", "MessageTimeout", "Default"), "30",
            data_type="integer", unit="s"),
    Setting("backoff_min_s", "RetryBackOffWaitMinimum", _two("OCPPCommCtrlr", "RetryBackOffWaitMinimum"), "2",
            data_type="integer", unit="s"),
    Setting("backoff_random_s", "RetryBackOffRandomRange", _two("OCPPCommCtrlr", "RetryBackOffRandomRange"), "4",
            data_type="integer", unit="s"),
    Setting("backoff_repeats", "RetryBackOffRepeatTimes", _two("OCPPCommCtrlr", "RetryBackOffRepeatTimes"), "6",
            data_type="integer"),
    Setting("reset_retries", "ResetRetries", _two("OCPPCommCtrlr", "ResetRetries"), "1", data_type="integer"),
    Setting("auth_key", "AuthorizationKey", _two("SecurityCtrlr", "BasicAuthPassword"), "", "WriteOnly"),
    Setting("security_profile", "SecurityProfile", _two("SecurityCtrlr", "SecurityProfile"), "1", data_type="integer",
            needs_reboot=True),
    Setting("identity", None, _two("SecurityCtrlr", "Identity"), "", _RO),
    Setting("cpo_name", "CpoName", _two("SecurityCtrlr", "OrganizationName"), "Ohmstead"),
    Setting("certificates_max", "CertificateStoreMaxLength", _two("SecurityCtrlr", "CertificateEntries"), "16", _RO,
            "integer"),
    Setting("profile_max_level", "ChargeProfileMaxStackLevel", _two("SmartChargingCtrlr", "ProfileStackLevel"), "10",
            _RO, "integer"),
    Setting("profile_units", "ChargingScheduleAllowedChargingRateUnit", _two("SmartChargingCtrlr", "RateUnit"),
            "Current,Power", _RO, "MemberList"),
    Setting("profile_max_periods", "ChargingScheduleMaxPeriods",
            _two("SmartChargingCtrlr", "PeriodsPerSchedule"), "48", _RO, "integer"),
    Setting("profiles_max", "MaxChargingProfilesInstalled", _two("SmartChargingCtrlr", "Entries", "ChargingProfiles"),
            "40", _RO, "integer"),
    Setting("get_keys_max", "GetConfigurationMaxKeys", _two("DeviceDataCtrlr", "ItemsPerMessage", "GetVariables"),
            "100", _RO, "integer"),
    Setting("set_items_max", None, _two("DeviceDataCtrlr", "ItemsPerMessage", "SetVariables"), "50", _RO, "integer"),
    Setting("report_items_max", None, _two("DeviceDataCtrlr", "ItemsPerMessage", "GetReport"), "50", _RO, "integer"),
    Setting("connectors", "NumberOfConnectors", None, "1", _RO, "integer"),
    Setting("feature_profiles", "SupportedFeatureProfiles", None,
            "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger", _RO,
            "SequenceList"),
    Setting("supported_transfers", "SupportedFileTransferProtocols", _two("OCPPCommCtrlr", "FileTransferProtocols"),
            "HTTP,HTTPS", _RO, "MemberList"),
    Setting("light_intensity", "LightIntensity", _two("ChargingStation", "LightIntensity"), "60", data_type="integer",
            unit="Percent"),
    Setting("time_source", None, _two("ClockCtrlr", "TimeSource"), "Heartbeat", data_type="SequenceList"),
    Setting("clock", None, _two("ClockCtrlr", "DateTime"), "", _RO, "dateTime"),
    Setting("reservation_enabled", "ReserveConnectorZeroSupported", _two("ReservationCtrlr", "Enabled"), "true", _RO,
            "boolean"),
    Setting("min_status_s", "MinimumStatusDuration", None, "0", data_type="integer", unit="s"),
    Setting("offline_threshold_s", None, _two("OCPPCommCtrlr", "OfflineThreshold"), "120", data_type="integer",
            unit="s"),
    Setting("network_priority", None, _two("OCPPCommCtrlr", "NetworkConfigurationPriority"), "1",
            data_type="SequenceList", needs_reboot=True),
    Setting("signed_values", None, _two("SampledDataCtrlr", "SignReadings"), "false", data_type="boolean"),
    Setting("display_messages_max", None, _two("DisplayMessageCtrlr", "DisplayMessages"), "20", _RO, "integer"),
    Setting("tariff_enabled", None, _two("TariffCostCtrlr", "Enabled", "Cost"), "true", _RO, "boolean"),
    Setting("monitoring_enabled", None, _two("MonitoringCtrlr", "Enabled"), "true", _RO, "boolean"),
)  # fmt: skip
BY_NAME = {s.name: s for s in SETTINGS}
BY_KEY16 = {s.key16.casefold(): s for s in SETTINGS if s.key16}
BY_NAME2 = {
    (s.name2[0].casefold(), s.name2[1].casefold(), (s.name2[2] or "").casefold()): s for s in SETTINGS if s.name2
}
_NUMBERS = {"integer": int, "decimal": float}


class Refusal(Exception):
    """A value that the setting cannot take: `kind` is `unknown`, `read_only`, `write_only` or `bad_value`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Device:
    """One station's settings. Values are texts, as the protocols carry them. `now` is what its clock says."""

    __slots__ = ("_changed", "_now")

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC), **given: str) -> None:
        self._now = now
        self._changed: dict[str, str] = {}
        for name, value in given.items():
            self.assign(name, value)

    def assign(self, name: str, value: str) -> None:
        """Set without asking whether it may be written (the manufacturer's side)."""
        setting = BY_NAME[name]
        if value == setting.default:
            self._changed.pop(name, None)
        else:
            self._changed[name] = value

    def text(self, name: str) -> str:
        """The value as text."""
        if name == "clock":
            return iso(self._now())
        return self._changed.get(name, BY_NAME[name].default)

    def number(self, name: str) -> int:
        """The value of an integer setting."""
        return int(self.text(name))

    def flag(self, name: str) -> bool:
        """The value of a boolean setting."""
        return self.text(name).casefold() == "true"

    def members(self, name: str) -> tuple[str, ...]:
        """The members of a list setting."""
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def write(self, setting: Setting | None, value: str) -> Setting:
        """A write from the CSMS. Raises Refusal; returns the row (which says whether a reboot is needed)."""
        if setting is None:
            raise Refusal("unknown")
        if setting.access == "ReadOnly":
            raise Refusal("read_only")
        if setting.data_type in _NUMBERS:
            try:
                if _NUMBERS[setting.data_type](value) < 0:
                    raise Refusal("bad_value")
            except ValueError:
                raise Refusal("bad_value") from None
        elif (setting.data_type == "boolean" and value.casefold() not in ("true", "false")) or (
            setting.name == "auth_key" and not 8 <= len(value) <= 64
        ):
            raise Refusal("bad_value")
        elif setting.data_type == "MemberList" and setting.values:
            allowed = set(setting.values.split(","))
            if any(part.strip() not in allowed for part in value.split(",") if part.strip()):
                raise Refusal("bad_value")
        self.assign(setting.name, value)
        return setting

    def read(self, setting: Setting) -> str | None:
        """What the CSMS may see; None for a secret."""
        return None if setting.access == "WriteOnly" else self.text(setting.name)


def find_key16(key: str) -> Setting | None:
    """1.6 keys are compared without regard to case (OCPP 1.6 §7.26, CiString)."""
    return BY_KEY16.get(key.casefold())


def find_variable2(component: str, variable: str, instance: str | None) -> Setting | None:
    """A 2.x variable of the table; instance None finds the variable without one."""
    return BY_NAME2.get((component.casefold(), variable.casefold(), (instance or "").casefold()))


def is_component2(component: str) -> bool:
    """Does the table have this component at all?"""
    folded = component.casefold()
    return any(key[0] == folded for key in BY_NAME2)


def listed16() -> Iterator[Setting]:
    """Every 1.6 key, in table order."""
    return (s for s in SETTINGS if s.key16)


def listed2() -> Iterator[Setting]:
    """Every 2.x variable of the table, in table order."""
    return (s for s in SETTINGS if s.name2)
