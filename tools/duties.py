"""The table of tools/mutate_duties.py: what the CSMS owes, how to take it away, and which cases must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Duty:
    """Replacing `text` (there once in the module) by `instead` takes the duty away; tests of `cases` must turn red."""

    name: str
    module: str
    text: str
    instead: str
    cases: tuple[str, ...]


_DOOR = "ocpp/security.py"
_V2_IN, _V2_OUT = "ocpp/v2/inbound.py", "ocpp/v2/outbound.py"
_DEVICE, _DRIVERS, _PROFILES = "ocpp/v2/device.py", "ocpp/v2/drivers.py", "ocpp/v2/profiles.py"
_V16_IN, _V16_OUT = "ocpp/v16/inbound.py", "ocpp/v16/outbound.py"
_CERTIFICATES = "ocpp/v2/certificates.py"

DUTIES = (
    # --- the door
    Duty("user name is compared", _DOOR, 'raise _unauthorized("username_differs")', "pass", ("A_02",)),
    Duty("password is compared", _DOOR, 'raise _unauthorized("password_wrong")', "pass", ("A_03",)),
    Duty(
        "profile 2 needs TLS",
        _DOOR,
        "if station.security_profile == 2 and not handshake.is_tls:",
        "if False:",
        ("A_04",),
    ),
    Duty(
        "TLS 1.2 at least",
        "ocpp/tls.py",
        "context.minimum_version = ssl.TLSVersion.TLSv1_2",
        'context.minimum_version = ssl.TLSVersion.TLSv1_1; context.set_ciphers("ALL:@SECLEVEL=0")',
        ("A_06",),
    ),
    Duty("certificate names its station", _DOOR, 'raise _unauthorized("certificate_of_another")', "pass", ("A_08",)),
    Duty(
        "a version both speak",
        "ocpp/gateway.py",
        "return Version.from_subprotocol(name)\n    return None",
        "return Version.from_subprotocol(name)\n    return Version.V16",
        ("B_58", "088"),
    ),
    # --- boot
    Duty(
        "the truth about acceptance",
        _V2_IN,
        '"pending": "Pending",',
        '"pending": "Accepted",',
        ("B_02", "B_30", "B_31"),
    ),
    Duty(
        "the boot's time",
        _V2_IN,
        "status=_REGISTRATION[answers.boot.registration],\n            current_time=instant_text(answers.at),",
        'status=_REGISTRATION[answers.boot.registration],\n            current_time="2026-01-01T00:00:00Z",',
        ("B_01",),
    ),
    Duty("the boot's serial number", _V2_IN, "serial_number=station.serial_number,", "", ("B_01",)),
    Duty(
        "silence before acceptance",
        "ocpp/connection.py",
        'if self.is_registered or action == "BootNotification":',
        "if True:",
        ("B_30", "B_31"),
    ),
    Duty(
        "what was triggered may be said",
        "ocpp/connection.py",
        'self.station.registration == "pending" and self._asked is not None and action in self._asked',
        "False",
        ("B_31",),
    ),
    Duty(
        "a rejected station is left alone",
        "ocpp/commander.py",
        'if connection.station.registration == "rejected":',
        "if False:",
        ("B_31",),
    ),
    Duty("a reset says how", _V2_OUT, '"hard": "Immediate",', '"hard": "OnIdle",', ("B_22", "B_27")),
    Duty(
        "a reset says where",
        _V2_OUT,
        "m.ResetRequest(type=_RESETS[order.how], evse_id=order.evse_number)",
        "m.ResetRequest(type=_RESETS[order.how])",
        ("B_25", "B_26", "B_27"),
    ),
    Duty(
        "a reset that resumes", _V2_OUT, '"resume": "ImmediateAndResume",', '"resume": "Immediate",', ("B_103", "B_104")
    ),
    Duty("1.6 resets hard and soft", _V16_OUT, '"Hard" if order.how == "hard" else "Soft"', '"Soft"', ("013",)),
    # --- authorization
    Duty(
        "blocked tokens",
        "tokens/authorization.py",
        'return "blocked"',
        'return "accepted"',
        ("C_06", "C_20", "023_3", "037_3"),
    ),
    Duty("expired tokens", "tokens/authorization.py", 'return "expired"', 'return "accepted"', ("C_07", "023_2")),
    Duty(
        "unknown tokens",
        "tokens/authorization.py",
        'return Authorization(status="unknown",',
        'return Authorization(status="accepted",',
        ("C_02", "C_20", "E_16", "023_1"),
    ),
    Duty(
        "a master pass starts nothing",
        "tokens/authorization.py",
        'return "accepted" if not request.is_start else "not_at_this_location"',
        'return "accepted"',
        ("C_47", "C_49"),
    ),
    Duty(
        "the group is told",
        _V2_IN,
        "if group else None,\n        cache_expiry",
        "if False else None,\n        cache_expiry",
        ("C_39", "C_47", "C_48", "C_49"),
    ),
    Duty(
        "how long a cache may believe",
        _V2_IN,
        "cache_expiry_date_time=instant_text(authorization.valid_until) if authorization.valid_until else None,",
        "",
        ("C_08",),
    ),
    Duty(
        "a start with a token is answered with its state",
        _V2_IN,
        "authorization = answers.session.authorization if answers.session else None\n        return m.Trans",
        "authorization = None\n        return m.Trans",
        ("C_08", "C_20", "E_01", "E_02", "E_10", "E_16", "F_02", "J_07"),
    ),
    Duty(
        "who stopped is kept",
        "sessions/lifecycle.py",
        "after.stop_token_uid = report.token.uid",
        "pass",
        ("C_39", "C_47", "C_48", "E_07", "E_15"),
    ),
    Duty(
        "a cache is cleared",
        "ocpp/v2/asking.py",
        'return Result("rejected", told(status, getattr(answer, "status_info", None)))',
        'return Result("accepted")',
        ("C_38", "F_27", "G_03", "B_20"),
    ),
    Duty(
        "1.6 refusals are refusals",
        "ocpp/v16/asking.py",
        'return Result("rejected", status)',
        'return Result("accepted")',
        ("026", "028", "061", "043_1", "048_1", "052", "055"),
    ),
    # --- transactions
    Duty(
        "starts are taken as starts", _V2_IN, '"Started": "started",', '"Started": "updated",', ("E_01", "E_09", "E_12")
    ),
    Duty(
        "charging states",
        _V2_IN,
        "report.charging_state = _CHARGING_STATE[info.charging_state] if info.charging_state else None",
        "report.charging_state = None",
        ("E_01", "E_02", "E_09", "E_26", "E_38"),
    ),
    Duty(
        "why it ended",
        _V2_IN,
        "report.stop_reason = _reason(info.stopped_reason)",
        'report.stop_reason = "other"',
        ("E_07", "E_08", "E_14", "E_15", "E_16", "E_17", "E_19", "E_20", "E_21", "E_22", "E_39", "B_21", "B_22"),
    ),
    Duty(
        "when it ended",
        "sessions/lifecycle.py",
        "after.ended_at = max(at, after.started_at)",
        "after.ended_at = report.received_at",
        ("E_07", "E_31", "032_1", "039"),
    ),
    Duty(
        "where it is",
        _V2_IN,
        "report.evse_number, report.connector_number = message.evse.id, message.evse.connector_id",
        "pass",
        ("E_01", "E_03", "E_04", "E_09", "J_08"),
    ),
    Duty("why it started", _V2_IN, "report.trigger = snake(message.trigger_reason)", "", ("E_12",)),
    Duty(
        "without leave it waits",
        "sessions/lifecycle.py",
        'return "active" if is_active else "pending"',
        'return "active"',
        ("E_03", "E_09", "E_12", "F_01", "037_3"),
    ),
    Duty(
        "an end waits for what is missing",
        "sessions/lifecycle.py",
        'return "closing" if has_gap(after) else "completed"',
        'return "completed"',
        ("E_31",),
    ),
    Duty("a gap is asked about", "sessions/lifecycle.py", 'facts.append("SessionGapFound")', "pass", ("E_31",)),
    Duty(
        "queued messages are waited for",
        "sessions/gaps.py",
        "return has_queued is False and not is_ongoing",
        "return not is_ongoing",
        ("E_31",),
    ),
    Duty(
        "a count begins anywhere",
        "sessions/lifecycle.py",
        "return len(session.seen_seq_nos) > 2 or",
        "return len(session.seen_seq_nos) > 2 or session.seen_seq_nos[0] > 0 or",
        ("E_53",),
    ),
    Duty(
        "a question names its transaction",
        "ocpp/v2/profiles.py",
        "m.GetTransactionStatusRequest(transaction_id=order.transaction_id)",
        "m.GetTransactionStatusRequest()",
        ("E_29", "E_30", "E_31"),
    ),
    Duty(
        "what a station says of its own time",
        _V16_IN,
        'at = instant(message.timestamp)\n    report = begun(inbound, "started", at)',
        'at = inbound.received_at\n    report = begun(inbound, "started", at)',
        ("037_1", "039"),
    ),
    Duty(
        "1.6 says why it ended",
        _V16_IN,
        "report.stop_reason = _reason(message.reason)",
        'report.stop_reason = "other"',
        ("003", "004_1", "005_1", "007", "012", "013", "014", "018_1", "032_1", "037_3", "039"),
    ),
    Duty(
        "the registers of start and stop",
        _V16_IN,
        "report.samples = (*samples(message.transaction_data or []), _register(at, END, message.meter_stop))",
        "report.samples = (*samples(message.transaction_data or []),)",
        ("003", "004_1", "005_1", "012", "039"),
    ),
    Duty("a start's reservation", _V16_IN, "report.reservation_id = message.reservation_id", "", ("046", "049", "053")),
    Duty(
        "1.6 transactions have numbers",
        _V16_IN,
        "transaction_id=int(answers.session.transaction_id or 0),",
        "transaction_id=0,",
        ("003", "012", "037_1"),
    ),
    # --- remote control
    Duty(
        "a remote start finds its session",
        "sessions/starts.py",
        "return session.remote_start_id is not None and session.remote_start_id == command.remote_start_id",
        "return False",
        ("F_01", "F_02", "F_03"),
    ),
    Duty(
        "1.6 remote starts find their sessions",
        "sessions/starts.py",
        'return (session.token_uid or "").lower() == command.token_uid.lower()',
        "return False",
        ("010", "011_1"),
    ),
    Duty(
        "an unlocking says which",
        _V2_OUT,
        "m.UnlockConnectorRequest(evse_id=order.evse_number, connector_id=order.connector_number)",
        "m.UnlockConnectorRequest(evse_id=order.evse_number, connector_id=2)",
        ("F_06",),
    ),
    Duty(
        "a failed unlocking is told",
        _V16_OUT,
        'return Result("accepted") if status in good else Result("rejected", status)',
        'return Result("accepted")',
        ("017_2", "030", "031"),
    ),
    Duty("a trigger says where", _V2_OUT, 'payload["evse"] = evse', "pass", ("F_11", "F_13", "F_23", "F_24", "B_31")),
    Duty("a vendor's own trigger", _V2_OUT, 'payload["customTrigger"] = order.custom', "pass", ("F_100",)),
    Duty("a 1.6 trigger says where", _V16_OUT, 'payload["connectorId"] = order.evse_number', "pass", ("054", "055")),
    # --- availability, status, data
    Duty(
        "in or out of service",
        _V2_OUT,
        '"Operative" if order.is_operative else "Inoperative"',
        '"Inoperative"',
        ("G_04", "G_06", "G_08"),
    ),
    Duty(
        "what goes out of service",
        _V2_OUT,
        "evse=_evse(order.evse_number, order.connector_number),",
        "",
        ("G_03", "G_07", "G_11", "G_17"),
    ),
    Duty(
        "a connector's status",
        _V2_IN,
        "return Work(statuses=(status,), reply=NOTHING)",
        "return Work(reply=NOTHING)",
        ("G_01", "G_03", "G_11", "F_23", "B_01", "B_25"),
    ),
    Duty("a lock's failure", _V16_IN, 'error_code=None if error == "NoError" else snake(error),', "", ("024",)),
    Duty("a 1.6 status", _V16_IN, '"Preparing": "preparing",', '"Preparing": "available",', ("003",)),
    Duty(
        "a security event is a signal",
        _V16_IN,
        "return Work(signals=(signal,), records",
        "return Work(records",
        ("077", "078"),
    ),
    Duty(
        "data of a stranger are refused",
        _V2_IN,
        'recorded(m.DataTransferResponse, status="UnknownVendorId")',
        'recorded(m.DataTransferResponse, status="Accepted")',
        ("P_02",),
    ),
    Duty(
        "1.6 data of a stranger are refused",
        _V16_IN,
        'm.DataTransferResponse(status="UnknownVendorId")',
        'm.DataTransferResponse(status="Accepted")',
        ("064",),
    ),
    # --- meter values
    Duty(
        "values outside a session are kept",
        _V2_IN,
        "report.evse_number = message.evse_id\n    report.max_power_w = inbound.station.rated_power_w(message.evse_id)\n"
        "    report.samples = taken",
        "report.evse_number = message.evse_id",
        ("J_01", "F_11", "F_12"),
    ),
    Duty(
        "values of an event",
        _V2_IN,
        "report.samples = samples(message.meter_value or [])",
        "report.samples = ()",
        ("J_02", "J_03", "J_07", "J_08", "J_09", "J_10", "E_11", "F_13"),
    ),
    Duty(
        "each value has its own time",
        _V2_IN,
        "taken += grouped(instant(value.timestamp), converted)",
        "taken += grouped(instant(values[-1].timestamp), converted)",
        ("J_03",),
    ),
    Duty("signed values", _V2_IN, "signed = v.signed_meter_value", "signed = None", ("J_04", "J_11", "E_11")),
    # --- configuration and lists of 1.6
    Duty(
        "keys that were read are kept",
        _V16_OUT,
        "for item in answer.configuration_key or []",
        "for item in []",
        ("019_1", "019_2"),
    ),
    Duty(
        "a key that was set is kept",
        _V16_OUT,
        "kept = () if is_secret(name) else (Variable(station_id=station_id, variable=name, value=value),)",
        "kept = ()",
        ("021",),
    ),
    Duty("no list is told", _V16_OUT, 'Result("rejected", "keeps no local list")', 'Result("accepted")', ("042_1",)),
    Duty(
        "the whole list or its changes",
        _V16_OUT,
        '"Full" if order.update == "full" else "Differential"',
        '"Full"',
        ("043_5",),
    ),
    Duty(
        "a group may use a reservation",
        _V16_OUT,
        "parent_id_tag=tag(order.group.uid) if order.group is not None else None,",
        "",
        ("053",),
    ),
    # --- the device model
    Duty(
        "no more than the station takes",
        _DEVICE,
        'shared = parts(asked, features.most_items.get(kind), features.most_bytes.get(kind), "GetVariables")',
        "shared = [asked]",
        ("B_08",),
    ),
    Duty(
        "a network profile's security",
        _DEVICE,
        "security_profile=order.security_profile,",
        "security_profile=1,",
        ("B_42",),
    ),
    Duty("a monitor's severity", _DEVICE, "severity=given.severity,", "severity=5,", ("N_08", "N_09", "N_24")),
    Duty(
        "criteria of monitors",
        _DEVICE,
        "monitoring_criteria=some(_CRITERIA[one] for one in order.criteria),",
        "",
        ("N_01", "N_03", "N_60"),
    ),
    Duty(
        "a monitor that stays is told",
        _DEVICE,
        'for r in answer.clear_monitoring_result if r.status != "Accepted"',
        "for r in answer.clear_monitoring_result if False",
        ("N_44",),
    ),
    Duty(
        "data are forgotten",
        "ocpp/v2/upkeep.py",
        "clear=order.is_cleared,",
        "clear=False,",
        ("N_30", "N_31", "N_32", "N_62"),
    ),
    Duty(
        "2.x security events are signals",
        _V2_IN,
        "return Work(signals=(signal,), records=(kept(inbound),), reply=lambda _: m.SecurityEvent",
        "return Work(records=(kept(inbound),), reply=lambda _: m.SecurityEvent",
        ("A04",),
    ),
    # --- lists, profiles, displays
    Duty(
        "a remote start's profile",
        _PROFILES,
        "charging_profile=profile(order.profile) if order.profile is not None else None,",
        "",
        ("K_37",),
    ),
    Duty(
        "while what a text is shown", _DRIVERS, "state=_STATES[order.while_state],\n        start", "start", ("O_25",)
    ),
    Duty(
        "a text's session",
        _DRIVERS,
        "transaction_id=order.transaction_id,\n        message_extra",
        "message_extra",
        ("O_06", "O_27", "O_28"),
    ),
    # --- what 2.1 added
    Duty(
        "a tariff that stays is told",
        _DRIVERS,
        'return Result("rejected", "; ".join(bad)) if bad else',
        "return",
        ("I_110",),
    ),
    Duty(
        "a call on the reserve",
        _PROFILES,
        "m.AFRRSignalRequest(timestamp=instant(order.at), signal=order.signal)",
        "m.AFRRSignalRequest(timestamp=instant(order.at), signal=0)",
        ("Q_120",),
    ),
    Duty(
        "messages without a meaning are kept",
        _V2_IN,
        "return Work(records=(kept(inbound),), reply=lambda _: response(**fields)",
        "return Work(reply=lambda _: response(**fields)",
        ("R_108", "S_103", "N11", "C20"),
    ),
    # --- certificates and contracts
    Duty(
        "a certificate for both uses names none",
        _CERTIFICATES,
        '"combined": None,',
        '"combined": "V2GCertificate",',
        ("A_13",),
    ),
    Duty(
        "a raised profile stays",
        "stations/certificates/upgrades.py",
        "if not await store.raise_profile(conn, station_id, profile):",
        "if True:",
        ("A_19", "083"),
    ),
    Duty(
        "the whole value of a key",
        _V16_OUT,
        "m.ChangeConfigurationRequest(key=name, value=value), read)",
        "m.ChangeConfigurationRequest(key=name, value=value[:1]), read)",
        ("073",),
    ),
    Duty(
        "a listed token's group",
        _DRIVERS,
        'm.IdTokenType(id_token=entry.group_uid, type="Central") if entry.group_uid else None',
        "None",
        ("C_40", "C_43"),
    ),
    Duty(
        "what a contract proves is told",
        "ocpp/v2/contracts.py",
        "response.certificate_status = _CONTRACT_STATUS[status]",
        "pass",
        ("C_50", "C_51", "C_52"),
    ),
    Duty(
        "all uses that were asked for",
        _CERTIFICATES,
        "GetInstalledCertificateIdsRequest(certificate_type=uses or None)",
        "GetInstalledCertificateIdsRequest(certificate_type=uses[:1] or None)",
        ("M_17",),
    ),
    Duty(
        "the responder's answer is passed on",
        "ocpp/v2/contracts.py",
        'status="Accepted", ocsp_result=base64.b64encode(verdict.response).decode()',
        'status="Accepted"',
        ("M_24",),
    ),
    Duty(
        "the pool's answer is passed on",
        "ocpp/v2/contracts.py",
        "exi_response=found.exi_response,",
        'exi_response="",',
        ("M_26", "M_28", "M_100"),
    ),
    Duty(
        "a network profile's identity and password",
        _DEVICE,
        "identity=order.identity,\n        basic_auth_password=order.password,",
        "",
        ("B_100",),
    ),
    Duty(
        "keys of a network profile are nobody else's",
        "stations/redaction.py",
        '"VpnPassword", "VpnKey", "SimPin")',
        '"VpnPassword", "SimPin")',
        ("B_105",),
    ),
)
