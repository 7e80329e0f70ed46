"""Vendors' quirks, by switch: each a small, documented departure from the standard that real stations show.

Most quirks only change what a finished message looks like; `reshape` does that on the plain payload. The others are
asked for by name where the station acts.
"""

import copy
from collections.abc import Callable, Iterable
from decimal import Decimal
from random import Random
from typing import Any, TypeAlias

from msgspec import Struct

from ohmstead.core.errors import Invalid

Payload: TypeAlias = dict[str, Any]
_ALL = frozenset({"1.6", "2.0.1", "2.1"})
_V2 = frozenset({"2.0.1", "2.1"})
_V16 = frozenset({"1.6"})


class Quirk(Struct, frozen=True):
    """A switch. `breaks_schema`: messages are invalid by the official schema, on purpose."""

    name: str
    meaning: str
    versions: frozenset[str] = _ALL
    breaks_schema: bool = False


QUIRKS: dict[str, Quirk] = {
    q.name: q
    for q in (
        Quirk("hex-auth-key", "Basic auth carries the password as hexadecimal text of its bytes."),
        Quirk("raw-bytes-auth", "Basic auth carries the raw bytes that a hexadecimal password stands for."),
        Quirk("kwh-units", "Energy in kWh and power in kW instead of Wh and W."),
        Quirk("no-meter-values", "No periodic meter values: only the first and the last reading."),
        Quirk("stop-1wh-low", "The final reading is 1 Wh below the reading before it."),
        Quirk("clock-offset", "The clock is two hours ahead and never corrected."),
        Quirk("status-spam", "StatusNotification is repeated every five seconds without any change."),
        Quirk("begin-zero", "The Transaction.Begin reading is 0, the readings after it are the real register."),
        Quirk("lower-case-tokens", "Tokens are sent in lower case."),
        Quirk("duplicates", "Every message about a transaction is sent twice; every second time with the same id."),
        Quirk("out-of-order", "Meter values overtake each other; the last ones may follow the stop."),
        Quirk("epoch-clock", "The clock starts at 1970 and becomes right only with the first Heartbeat."),
        Quirk("drops-stop", "The end of a transaction is never reported."),
        Quirk("transaction-minus-1", "StartTransaction is never sent; the rest carries transactionId -1.", _V16),
        Quirk("phase-registers", "Registers come per phase (L1, L2, L3) in front of the total."),
        Quirk("soc-only", "Every second batch of samples holds only SoC (DC) or only power (AC)."),
        Quirk("extra-fields", "Unknown fields in every message.", breaks_schema=True),
        Quirk("nulls", "Optional fields that are absent are sent as null.", breaks_schema=True),
        Quirk("signed-values", "First and last reading are signed (OCMF)."),
    )
}


def choose(names: Iterable[str], version: str = "") -> frozenset[str]:
    """The quirks named, those of other versions left out. Raises Invalid for a name that is none."""
    chosen = set()
    for name in names:
        quirk = QUIRKS.get(name)
        if quirk is None:
            raise Invalid(f"no quirk is called {name!r}; --list-quirks shows them", field="quirks")
        if not version or version in quirk.versions:
            chosen.add(name)
    return frozenset(chosen)


def basic_auth_secret(password: str, quirks: frozenset[str]) -> bytes:
    """The password's bytes in the Authorization header, in the form that the station uses (1.6 whitepaper §7.2)."""
    is_hex = len(password) % 2 == 0 and all(c in "0123456789abcdefABCDEF" for c in password) and password != ""
    if "raw-bytes-auth" in quirks and is_hex:
        return bytes.fromhex(password)
    if "hex-auth-key" in quirks and not is_hex:
        return password.encode().hex().encode()
    return password.encode()


def reshape(version: str, action: str, payload: Payload, quirks: frozenset[str], random: Random) -> Payload:
    """The payload as this station would send it. The one given is not changed."""
    changes = [change for name, change in _CHANGES.items() if name in quirks]
    if not changes:
        return payload
    payload = copy.deepcopy(payload)
    for change in changes:
        change(version, action, payload, random)
    return payload


def _meter_values(payload: Payload) -> list[Payload]:
    return [*(payload.get("meterValue") or ()), *(payload.get("transactionData") or ())]


def _samples(payload: Payload) -> Iterable[Payload]:
    for value in _meter_values(payload):
        yield from value["sampledValue"]


def _kwh_units(version: str, _action: str, payload: Payload, _random: Random) -> None:
    for sample in _samples(payload):
        if sample.get("format") == "SignedData":
            continue
        unit = sample.get("unit") if version == "1.6" else (sample.get("unitOfMeasure") or {}).get("unit")
        if unit not in ("Wh", "W"):
            continue
        value = Decimal(str(sample["value"])).scaleb(-3)
        if version == "1.6":
            sample["value"], sample["unit"] = f"{value:f}", f"k{unit}"
        else:
            sample["value"], sample["unitOfMeasure"] = value, {"unit": f"k{unit}"}


def _lower_case_tokens(_version: str, _action: str, payload: Payload, _random: Random) -> None:
    if isinstance(payload.get("idTag"), str):
        payload["idTag"] = payload["idTag"].lower()
    if isinstance(payload.get("idToken"), dict):
        payload["idToken"]["idToken"] = payload["idToken"]["idToken"].lower()


def _phase_registers(_version: str, _action: str, payload: Payload, _random: Random) -> None:
    for meter_value in _meter_values(payload):
        samples = meter_value["sampledValue"]
        for index, sample in enumerate(samples):
            if sample.get("measurand") == "Energy.Active.Import.Register" and sample.get("format") != "SignedData":
                meter_value["sampledValue"] = [*samples[:index], *_by_phase(sample), *samples[index:]]
                break


def _by_phase(sample: Payload) -> Iterable[Payload]:
    total = Decimal(str(sample["value"]))
    for phase in ("L1", "L2", "L3"):
        part = (total / 3).quantize(Decimal("0.001"))
        plain = {k: v for k, v in sample.items() if k != "signedMeterValue"}
        yield plain | {"value": f"{part:f}" if isinstance(sample["value"], str) else part, "phase": phase}


def _extra_fields(_version: str, _action: str, payload: Payload, random: Random) -> None:
    payload["vendorSpecific"] = {"build": random.randrange(1000), "notes": ["not in any schema"]}
    for meter_value in _meter_values(payload):
        meter_value["quality"] = "good"


# Per action: optional members that stations are known to fill with null.
_NULLABLE = {
    "1.6": {
        "BootNotification": ("iccid", "imsi", "meterType", "meterSerialNumber"),
        "StatusNotification": ("info", "vendorId", "vendorErrorCode"),
        "StartTransaction": ("reservationId",),
        "StopTransaction": ("idTag", "transactionData"),
        "MeterValues": ("transactionId",),
    },
    "2": {
        "BootNotification": ("customData",),
        "StatusNotification": ("customData",),
        "TransactionEvent": ("reservationId", "idToken", "meterValue", "cableMaxCurrent", "customData"),
        "MeterValues": ("customData",),
    },
}


def _nulls(version: str, action: str, payload: Payload, _random: Random) -> None:
    for member in _NULLABLE["1.6" if version == "1.6" else "2"].get(action, ("customData",)):
        payload.setdefault(member, None)
    for sample in _samples(payload):
        sample.setdefault("phase", None)


_CHANGES: dict[str, Callable[[str, str, Payload, Random], None]] = {
    "kwh-units": _kwh_units,
    "lower-case-tokens": _lower_case_tokens,
    "phase-registers": _phase_registers,
    "extra-fields": _extra_fields,
    "nulls": _nulls,
}
RESHAPING = frozenset(_CHANGES)
