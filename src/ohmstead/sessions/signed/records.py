"""Signed data as stations send them: which format it is, what it says, whose key signed it. Pure.

Whatever arrives is outside input: what cannot be read is told in words and never raises.
"""

from __future__ import annotations

import base64
import binascii
import re
import warnings
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct
from pyocmf import OCMF
from pyocmf.exceptions import PyOCMFError
from pyocmf.models.public_key import PublicKey

from ohmstead.core.language import N_
from ohmstead.sessions.signed import alfen
from ohmstead.sessions.signed.model import Record, Shown, Verdict

MOST_BYTES: Final = 65_536
_PREFIX: Final = b"OCMF|"
_SML: Final = bytes.fromhex("1b1b1b1b01010101")
# What the library raises over hostile text: its own errors, and those of the parsers beneath it.
_UNREADABLE: Final = (PyOCMFError, ValueError, TypeError, AttributeError, KeyError, ArithmeticError, RecursionError)
_MOST_DIGITS: Final = 15
# A compressed point of secp192r1 in base32.
_ALFEN_KEY: Final = re.compile(rb"A[A-Z2-7]{39}")
_YEARS: Final = range(1970, 2200)
_WH: Final = {"Wh": Decimal(1), "kWh": Decimal(1000), "MWh": Decimal(1_000_000)}


class Judged(Struct, frozen=True, kw_only=True):
    """A signed text looked at: its format, whether the signature is the key's, and what it says."""

    format: str
    verdict: Verdict
    why: str = ""
    key: str | None = None
    record: Record | None = None


def judge(raw: bytes, encoding: str | None, key: str | None) -> Judged:
    """Look at what arrived. `key`: the meter's, as `key_of` gives it; None: nobody knows it."""
    if len(raw) > MOST_BYTES:
        return Judged(format=encoding or "unknown", verdict="not_checkable", why=N_("it is too long"))
    text = text_of(raw)
    if text is None and (line := alfen_of(raw)) is not None:
        return _judge_alfen(line, key)
    if text is None:
        return Judged(
            format=format_of(raw, encoding), verdict="not_checkable", why=N_("nothing here checks its format")
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = OCMF.from_string(text)
        record = _record(found)
    except _UNREADABLE:
        return Judged(format="OCMF", verdict="failed", why=N_("it cannot be read"), key=key)
    if key is None:
        return Judged(format="OCMF", verdict="no_key", why=N_("the meter's public key is not known"), record=record)
    try:
        is_genuine = found.verify_signature(key)
    except _UNREADABLE:
        return Judged(
            format="OCMF",
            verdict="failed",
            why=N_("the signature does not fit the meter's key"),
            key=key,
            record=record,
        )
    if not is_genuine:
        return Judged(
            format="OCMF", verdict="failed", why=N_("the signature is not the meter's"), key=key, record=record
        )
    return Judged(format="OCMF", verdict="verified", key=key, record=record)


def _judge_alfen(line: str, key: str | None) -> Judged:
    if not alfen.is_known(line):
        return Judged(format=alfen.NAME, verdict="not_checkable", why=N_("nothing here checks its format"))
    try:
        blob = alfen.read(line)
        record = alfen.record(blob)
    except ValueError:
        return Judged(format=alfen.NAME, verdict="failed", why=N_("it cannot be read"), key=key)
    if key is None:
        return Judged(format=alfen.NAME, verdict="no_key", why=N_("the meter's public key is not known"), record=record)
    if not alfen.is_genuine(blob, key):
        why = N_("the signature is not the meter's")
        return Judged(format=alfen.NAME, verdict="failed", why=why, key=key, record=record)
    return Judged(format=alfen.NAME, verdict="verified", key=key, record=record)


def text_of(raw: bytes) -> str | None:
    """The OCMF text in what arrived: plain, as hexadecimal, as base64, or inside the JSON of 1.6's application note.

    None where it is something else. The signature is over this text, not over how it travelled.
    """
    return _text_with(raw, _PREFIX)


def alfen_of(raw: bytes) -> str | None:
    """Likewise the line of Alfen's format."""
    return _text_with(raw, alfen.PREFIX)


def _text_with(raw: bytes, prefix: bytes) -> str | None:
    data = raw.strip()
    if data.startswith(b"{"):
        data = (_field(data, "signedMeterData") or "").encode()
    for unpack in (_same, _from_hex, _from_base64):
        found = unpack(data)
        if found is not None and found.startswith(prefix):
            try:
                return found.decode()
            except UnicodeDecodeError:
                return None
    return None


def format_of(raw: bytes, encoding: str | None) -> str:
    """The name of a format that is not OCMF, as far as it can be told."""
    data = raw.strip()
    inside = _from_hex(data) or _from_base64(data) or data
    named = (encoding or "").upper()
    if inside.startswith(_SML) or "EDL" in named or "SML" in named:
        return "EDL40"
    if data.startswith(b"<"):
        return "XML"
    return (encoding or "unknown")[:40]


def key_within(raw: bytes) -> str | None:
    """The public key inside the JSON of 1.6's application note, or in Alfen's text, if there is one."""
    data = raw.strip()
    if data.startswith(b"{") and (key := key_of(_field(data, "publicKey"))) is not None:
        return key
    line = alfen_of(raw) if len(raw) <= MOST_BYTES else None
    try:
        return alfen.read(line).key if line is not None else None
    except ValueError:
        return None


def key_of(told: str | None) -> str | None:
    """A public key as it is told (hexadecimal, base64, PEM, with OCPP 2.1's prefix `oca:…`, or Alfen's base32) as DER in
    hexadecimal.

    None for what is no key of an elliptic curve.
    """
    found = _curve_and_key(told)
    return found[1] if found else None


def curve_of(key: str) -> str:
    """The name of a key's curve; empty for what is no key."""
    found = _curve_and_key(key)
    return found[0] if found else ""


def _curve_and_key(told: str | None) -> tuple[str, str] | None:
    data = "".join((told or "").split()).encode()
    if not data or len(data) > 4000:
        return None
    if data.startswith(b"-----"):
        data = data.split(b"-----")[2] if data.count(b"-----") >= 3 else b""
    wrapped = _from_base64(data)
    if wrapped is not None and wrapped.startswith(b"oca:"):
        data = wrapped
    if data.startswith(b"oca:"):
        data = data.rsplit(b":", 1)[1]
    if _ALFEN_KEY.fullmatch(data):
        data = _from_alfen(data)
    der = _from_hex(data) or _from_base64(data)
    if der is not None and (again := _from_hex(der)) is not None:
        # Base64 around the hexadecimal text.
        der = again
    if der is None:
        return None
    try:
        key = PublicKey.from_string(der.hex())
    except _UNREADABLE:
        return None
    return str(key.curve.value), key.key.lower()


def _record(found: OCMF) -> Record:
    payload = found.payload
    page = (payload.PG or "")[1:]
    shown = []
    for one in payload.RD:
        unit = _WH.get(str(one.RU or ""))
        if one.RV is None or unit is None:
            continue
        value = Decimal(str(one.RV))
        exponent = value.as_tuple().exponent
        # What no register holds, or no clock shows, is signed by somebody who wants us to keep what we cannot.
        if not isinstance(exponent, int) or exponent < -_MOST_DIGITS or value.adjusted() >= _MOST_DIGITS:
            raise ValueError("a register that there is not")
        digit = Decimal(1).scaleb(exponent)
        if one.timestamp.tzinfo is None or one.timestamp.year not in _YEARS:
            raise ValueError("a time without its zone, or one that is not now")
        shown.append(
            Shown(
                at=one.timestamp,
                mark=str(one.TX or ""),
                register_wh=value * unit,
                resolution_wh=min(digit, Decimal(1)) * unit,
                obis=str(one.RI or ""),
                status=str(one.ST or ""),
                errors=one.EF or "",
                clock=str(one.time_status),
            )
        )
    return Record(
        serial=(payload.MS or payload.GS or "").strip(),
        page=int(page) if page.isascii() and page.isdigit() and (payload.PG or "").startswith("T") else None,
        shown=shown,
    )


def _same(data: bytes) -> bytes | None:
    return data


def _from_alfen(data: bytes) -> bytes:
    try:
        return alfen.der_of(data.decode()).encode()
    except ValueError:
        return data


def _from_hex(data: bytes) -> bytes | None:
    try:
        return binascii.unhexlify(data)
    except ValueError:
        return None


def _from_base64(data: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except ValueError:
        return None


def _field(data: bytes, name: str) -> str | None:
    try:
        found: Any = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else None
