"""Orders to a station as forms: which there are, what they will do before they are sent, and what came back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.core.language import N_, _, n_, p_, told
from ohmstead.core.validation import fault_of, in_words
from ohmstead.reports.model import ConnectorNow
from ohmstead.stations import vendors
from ohmstead.stations.commands import (
    Command,
    GetVariables,
    Order,
    Raw,
    RemoteStart,
    RemoteStop,
    Reset,
    SetAvailability,
    SetVariables,
    Trigger,
    Unlock,
)
from ohmstead.stations.orders import DataTransfer
from ohmstead.ui import figures

KINDS = {
    "start": N_("Start"),
    "stop": N_("Stop"),
    "unlock": N_("Unlock"),
    "restart": N_("Restart"),
    "availability": N_("Availability"),
    "ask": N_("Ask status"),
    "read": N_("Read settings"),
    "set": N_("Change setting"),
    "order": N_("Any order"),
    "raw": N_("Raw message"),
}

# Names under which the command table keeps them (stations.orders), for the history.
STORED = {
    "remote_start": N_("Start"),
    "remote_stop": N_("Stop"),
    "unlock": N_("Unlock"),
    "reset": N_("Restart"),
    "set_availability": N_("Availability"),
    "trigger": N_("Ask status"),
    "get_variables": N_("Read settings"),
    "set_variables": N_("Change setting"),
    "transaction_status": N_("Ask about a session"),
    "reserve": N_("Reserve"),
    "cancel_reservation": N_("Cancel a reservation"),
    "get_profiles": N_("Ask for profiles"),
    "composite_schedule": N_("Ask what it would deliver"),
    "update_schedule": N_("Renew a limit"),
    "use_priority_charging": N_("Priority"),
    "update_cost": N_("Tell the cost"),
    "raw": N_("Raw message"),
    "set_profile": N_("Charging profile"),
    "clear_profiles": N_("Clear charging profiles"),
    "clear_cache": N_("Clear token cache"),
    "update_firmware": N_("Update firmware"),
    "send_local_list": N_("Local list"),
    "deliver_certificate": N_("Deliver certificate"),
    "install_certificate": N_("Install certificate"),
    "delete_certificate": N_("Delete certificate"),
    "list_certificates": N_("Ask for certificates"),
    "set_network_profile": N_("Set network profile"),
    "signal_frequency_reserve": N_("Signal frequency reserve"),
    "allow_energy_transfer": N_("Allow energy transfer"),
    "data_transfer": N_("Data transfer"),
    "base_report": N_("Base report"),
    "custom_report": N_("Custom report"),
    "set_monitoring_base": N_("Set monitoring base"),
    "set_monitoring_level": N_("Set monitoring level"),
    "set_monitors": N_("Set monitors"),
    "clear_monitors": N_("Clear monitors"),
    "monitoring_report": N_("Monitoring report"),
    "adjust_event_stream": N_("Adjust event stream"),
    "get_event_streams": N_("Get event streams"),
    "get_log": N_("Get log"),
    "get_diagnostics": N_("Get diagnostics"),
    "publish_firmware": N_("Publish firmware"),
    "unpublish_firmware": N_("Unpublish firmware"),
    "customer_information": N_("Customer information"),
    "get_local_list_version": N_("Get local list version"),
    "set_display_message": N_("Set display message"),
    "get_display_messages": N_("Get display messages"),
    "clear_display_message": N_("Clear display message"),
    "set_default_tariff": N_("Set default tariff"),
    "get_tariffs": N_("Get tariffs"),
    "clear_tariffs": N_("Clear tariffs"),
    "change_session_tariff": N_("Change session tariff"),
    "request_battery_swap": N_("Request battery swap"),
    "announce_web_payment": N_("Announce web payment"),
    "set_der_control": N_("Set der control"),
    "get_der_controls": N_("Get der controls"),
    "clear_der_controls": N_("Clear der controls"),
}

ASKABLE = {
    "StatusNotification": N_("State of a connector"),
    "MeterValues": N_("Meter values"),
    "Heartbeat": N_("Sign of life"),
    "BootNotification": N_("Boot notification"),
}

# CSMS → station, OCPP 1.6 with the security extension; 2.0.1; what 2.1 adds.
_V16 = """
CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile
DataTransfer DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration GetDiagnostics
GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction
RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage
UnlockConnector UpdateFirmware
"""
_V201 = """
CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile ClearDisplayMessage
ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer DeleteCertificate GetBaseReport
GetChargingProfiles GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion
GetLog GetMonitoringReport GetReport GetTransactionStatus GetVariables InstallCertificate PublishFirmware
RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile
SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables
TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware
"""
_V21 = """
AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs
ClosePeriodicEventStream GetDERControl GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer
NotifyWebPaymentStarted OpenPeriodicEventStream RequestBatterySwap SetDERControl SetDefaultTariff
UpdateDynamicSchedule UsePriorityCharging VatNumberValidation
"""


def actions_for(version: str | None) -> list[str]:
    """Messages that the station's version knows, for the raw form."""
    if version == "1.6":
        return _V16.split()
    return sorted(f"{_V201} {_V21}".split()) if version == "2.1" else _V201.split()


class Choice(Struct, frozen=True, kw_only=True):
    """A form filled in so far: its kind and its fields as text."""

    kind: str
    fields: Mapping[str, str]

    def get(self, name: str, otherwise: str = "") -> str:
        return self.fields.get(name, otherwise) or otherwise

    @property
    def evse_number(self) -> int | None:
        text = self.get("evse")
        return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 1000 else None


class Effect(Struct, frozen=True):
    """What sending will do, in words. `tone` warns where it hurts; `verb` is on the button."""

    tone: Literal["", "attention", "failed"]
    text: str
    verb: str
    is_possible: bool = True


def choose(fields: Mapping[str, str], connectors: Sequence[ConnectorNow]) -> Choice:
    """The form to show; without a wish, the one that fits what the station does."""
    kind = fields.get("kind", "")
    if kind not in KINDS:
        kind = "stop" if any(c.session_id for c in connectors) else "start"
    given = dict(fields)
    if kind in ("unlock", "start") and "evse" not in given and connectors:
        faulted = [c for c in connectors if c.state == "faulted"] if kind == "unlock" else []
        free = [c for c in connectors if c.state == "available"] if kind == "start" else []
        given["evse"] = str((faulted or free or list(connectors))[0].evse_number)
    if kind == "stop" and not given.get("transaction"):
        wanted = given.get("evse")
        running = [c for c in connectors if c.transaction_id and (not wanted or str(c.evse_number) == wanted)]
        given["transaction"] = running[0].transaction_id or "" if running else ""
    return Choice(kind=kind, fields=given | {"kind": kind})


def order_from(choice: Choice) -> Order:
    """The order a form asks for. Raises Invalid with the field that does not fit."""
    kind, evse = choice.kind, choice.evse_number
    if kind == "start":
        token = choice.get("token").strip()
        if not token:
            raise Invalid("Whose session is it? Give a token.", "token")
        return RemoteStart(token_uid=token[:255], evse_number=evse)
    if kind == "stop":
        if not choice.get("transaction"):
            raise Invalid("Nothing is being charged here.", "transaction")
        return RemoteStop(transaction_id=choice.get("transaction")[:255])
    if kind == "unlock":
        if evse is None:
            raise Invalid("Which connector?", "evse")
        return Unlock(evse_number=evse)
    if kind == "restart":
        how = choice.get("how", "soft")
        if how not in ("soft", "hard", "on_idle"):
            raise Invalid("How?", "how")
        return Reset(how=how)  # type: ignore[arg-type]
    if kind == "availability":
        return SetAvailability(is_operative=choice.get("operative", "no") == "yes", evse_number=evse)
    if kind == "ask":
        message = choice.get("message", "StatusNotification")
        return Trigger(message=message, evse_number=evse if message in ("StatusNotification", "MeterValues") else None)
    if kind == "read":
        return GetVariables(names=tuple(choice.get("names").replace(",", " ").split()))
    if kind == "set":
        name = choice.get("name").strip()
        if not name:
            raise Invalid("Which setting?", "name")
        return SetVariables(values={name: choice.get("value")})
    return parsed(choice.get("order")) if kind == "order" else _raw(choice)


def parsed(text: str) -> Order:
    """An order written as the API takes it. Raises Invalid."""
    try:
        order: Order = msgspec.json.decode(text.encode(), type=Order)
        return order
    except msgspec.ValidationError as error:
        field, why = fault_of(error)
        why = in_words(why)
        raise Invalid(f"{field}: {why}" if field else why, "order") from error
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise Invalid(f"Not JSON: {error}", "order") from error


def as_json(value: object) -> str:
    """An order, or a payload, as it is written by hand."""
    return msgspec.json.encode(value).decode()


def is_unchecked(order: Order) -> bool:
    """Does it take the right to send anything at all?"""
    return isinstance(order, Raw) or (isinstance(order, DataTransfer) and not vendors.is_registered(order.vendor_id))


def _raw(choice: Choice) -> Raw:
    action = choice.get("action").strip()
    if not action:
        raise Invalid("Which message?", "action")
    try:
        payload = msgspec.json.decode(choice.get("payload", "{}").encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"The payload is not JSON: {error}", "payload") from error
    if not isinstance(payload, dict):
        raise Invalid("The payload is an object: {…}", "payload")
    return Raw(action=action[:50], payload=payload)


def effect(choice: Choice, connectors: Sequence[ConnectorNow], is_online: bool) -> Effect:
    """What the order will do to whom, as things stand."""
    found = _EFFECTS[choice.kind](choice, connectors)
    if is_online or not found.is_possible:
        return found
    offline = _("The station is offline: nothing can be sent now.")
    return Effect("attention", f"{offline} {found.text}", found.verb, found.is_possible)


def _at(choice: Choice, connectors: Sequence[ConnectorNow]) -> ConnectorNow | None:
    return next((c for c in connectors if c.evse_number == choice.evse_number), None)


def _so_far(connector: ConnectorNow) -> str:
    """What the car got, to be put behind its name; "" where nothing is known."""
    energy = " ".join(figures.energy(connector.energy_wh)) if connector.energy_wh is not None else ""
    soc = f"{float(connector.soc_percent):.0f} %" if connector.soc_percent is not None else ""
    if energy and soc:
        return _(" (%(energy)s and %(battery)s so far)", energy=energy, battery=soc)
    return _(" (%(amount)s so far)", amount=energy or soc) if energy or soc else ""


def _start(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    connector = _at(choice, connectors)
    if connector is not None and connector.session_id is not None:
        return Effect(
            "attention",
            _(
                "The car on %(label)s%(so_far)s is charging there: the station will refuse.",
                label=connector.label,
                so_far=_so_far(connector),
            ),
            _("Start anyway"),
        )
    text = (
        _(
            "The station is asked to start a session on connector %(label)s for this token."
            " Energy flows once a car is plugged in.",
            label=connector.label,
        )
        if connector
        else _(
            "The station is asked to start a session on a connector of its choice for this token."
            " Energy flows once a car is plugged in."
        )
    )
    return Effect("", text, _("Send start"))


def _stop(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    connector = next(
        (c for c in connectors if c.transaction_id and c.transaction_id == choice.get("transaction")), None
    )
    if connector is None:
        return Effect("", _("Nothing is being charged at this station."), _("Stop"), is_possible=False)
    return Effect(
        "attention",
        _(
            "Ends the session of the car on %(label)s%(so_far)s. The cable is released, the driver is not asked.",
            label=connector.label,
            so_far=_so_far(connector),
        ),
        _("Stop the session"),
    )


def _unlock(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    connector = _at(choice, connectors)
    if connector is None:
        return Effect("", _("Choose a connector."), _("Unlock"), is_possible=False)
    if connector.session_id is not None:
        text = _(
            "Ends the session of the car on %(label)s%(so_far)s, then releases the cable.",
            label=connector.label,
            so_far=_so_far(connector),
        )
        return Effect("attention", text, _("Unlock"))
    text = _("Releases the cable lock of connector %(label)s. No session is touched.", label=connector.label)
    return Effect("", text, _("Unlock"))


def _restart(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    n = sum(1 for c in connectors if c.session_id)
    how = choice.get("how", "soft")
    if how == "on_idle":
        text = (
            n_("Restarts once %(n)s car has left.", "Restarts once %(n)s cars have left.", n)
            if n
            else _("Restarts at once, for nothing is being charged.")
        )
        return Effect("", text, _("Restart when idle"))
    if n == 0:
        text = _("Nothing is being charged. The station restarts and is away for a minute or two.")
        return Effect("", text, _("Restart"))
    if how == "hard":
        text = n_(
            "Cuts off %(n)s session at once; their last readings may be lost.",
            "Cuts off %(n)s sessions at once; their last readings may be lost.",
            n,
        )
        return Effect("failed", text, _("Restart now"))
    text = n_(
        "Ends %(n)s session properly first, then restarts.", "Ends %(n)s sessions properly first, then restarts.", n
    )
    return Effect("attention", text, _("Restart"))


def _availability(choice: Choice, connectors: Sequence[ConnectorNow]) -> Effect:
    connector = _at(choice, connectors)
    label = connector.label if connector else ""
    if choice.get("operative", "no") == "yes":
        text = (
            _("Connector %(label)s may be used again.", label=label)
            if connector
            else _("The whole station may be used again.")
        )
        return Effect("", text, _("Put into service"))
    busy = [c for c in connectors if c.session_id and (connector is None or c.evse_number == connector.evse_number)]
    if connector and busy:
        text = n_(
            "Connector %(label)s takes no new sessions, after %(n)s session there has ended. It stays so until put back.",
            "Connector %(label)s takes no new sessions, after %(n)s sessions have ended. It stays so until put back.",
            len(busy),
            label=label,
        )
    elif connector:
        text = _("Connector %(label)s takes no new sessions. It stays so until put back.", label=label)
    elif busy:
        text = n_(
            "The whole station takes no new sessions, after %(n)s session there has ended. It stays so until put back.",
            "The whole station takes no new sessions, after %(n)s sessions have ended. It stays so until put back.",
            len(busy),
        )
    else:
        text = _("The whole station takes no new sessions. It stays so until put back.")
    return Effect("attention", text, _("Take out of service"))


def _ask(choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    message = choice.get("message", "StatusNotification")
    text = _("The station sends %(message)s once more. Nothing else changes.", message=message)
    return Effect("", text, _("Ask"))


def _read(choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    names = choice.get("names").replace(",", " ").split()
    text = (
        n_("Reads %(n)s setting. Nothing changes.", "Reads %(n)s settings. Nothing changes.", len(names))
        if names
        else _("Reads its whole configuration, which may take a while. Nothing changes.")
    )
    return Effect("", text, _("Read"))


def _set(choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    name = choice.get("name")
    text = (
        _("Changes %(name)s on the station; some settings count only after a restart.", name=name)
        if name
        else _("Changes a setting on the station; some settings count only after a restart.")
    )
    return Effect("attention", text, p_("button", "Set"))


def _any_effect(_choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    return Effect(
        "attention",
        _("The order goes out in the words of the station’s version, once its parameters fit."),
        _("Send the order"),
    )


def _raw_effect(choice: Choice, _connectors: Sequence[ConnectorNow]) -> Effect:
    action = choice.get("action") or choice.get("pick")
    text = (
        _("%(action)s goes out exactly as written, once it fits the schema of the station’s version.", action=action)
        if action
        else _("The message goes out exactly as written, once it fits the schema of the station’s version.")
    )
    return Effect("attention", text, _("Send as it is"))


_EFFECTS = {
    "start": _start,
    "stop": _stop,
    "unlock": _unlock,
    "restart": _restart,
    "availability": _availability,
    "ask": _ask,
    "read": _read,
    "set": _set,
    "order": _any_effect,
    "raw": _raw_effect,
}


def outcome(command: Command) -> str:
    """What became of an order, in a sentence."""
    if command.status == "offline":
        return _("The station is not connected. Nothing was sent.")
    if command.status == "queued":
        return _("It will be sent as soon as the station connects.")
    if command.status == "timed_out":
        return _("No answer came in time. The station may still obey; a late answer will be recorded.")
    answer = command.answer
    status = answer.get("status") if isinstance(answer, dict) else None
    took = ""
    if command.sent_at and command.answered_at:
        took = figures.latency(int((command.answered_at - command.sent_at).total_seconds() * 1e6))
    error = told(command.error_text) if command.error_text else ""
    if isinstance(status, str):
        answered = f"{status} · {error}" if error and command.error_text != status else status
        after = f"{took} · {error}" if error and command.error_text != status else took
        if took:
            return _("The station answered %(status)s after %(took)s.", status=status, took=after)
        return _("The station answered %(status)s.", status=answered)
    if error or command.error_code:
        return " · ".join(part for part in (command.error_code, error) if part)
    return _("The station answered after %(took)s.", took=took) if took else _("The station answered.")
