"""Alfen's format of signed readings, `AP;<type>;3;<key>;<data>;<signature>;`: one reading of one register each. Pure.

As S.A.F.E.'s Transparenzsoftware reads it: the key is a compressed point of secp192r1, the data are 82 bytes, little endian,
the signature is r and s over their SHA-256; each in base32. The type (begin, end, between) stands beside the signed data:
what is proven is the order of pages, and the registers.
"""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from msgspec import Struct

from ohmstead.sessions.signed.model import Record, Shown

PREFIX: Final = b"AP;"
NAME: Final = "ALFEN"
_VERSION: Final = "3"
_MARKS: Final = {"0": "B", "1": "E", "2": "C"}
_POINT_BYTES: Final = 25
_HALF_BYTES: Final = 24
# Adapter: id, firmware, checksum; meter: id; status; seconds; time; OBIS; unit; scaler; register; card; session; page.
_DATA: Final = struct.Struct("<10s4s2s10sIII6sBbq20sII")
_WATT_HOURS: Final = 0x1E
_MOST_SCALE: Final = 6
_CLOCK_IS_WRONG: Final = 1
# EEPROM, flash; adapter broken, begin and end do not fit, its memory, no word from the meter.
_IS_WRONG: Final = 1 << 1 | 1 << 2 | 1 << 16 | 1 << 26 | 1 << 30 | 1 << 31


class Blob(Struct, frozen=True):
    """A line taken apart."""

    type: str
    key: str
    data: bytes
    signature: bytes


def is_known(text: str) -> bool:
    """Whether it is of the version that is checked here."""
    return text.split(";")[2:3] == [_VERSION]


def read(text: str) -> Blob:
    """Raises ValueError."""
    parts = text.strip().removesuffix(";").split(";")
    if len(parts) != 6 or parts[0] != "AP" or parts[1] not in _MARKS or parts[2] != _VERSION:
        raise ValueError("not six fields of version 3")
    blob = Blob(parts[1], der_of(parts[3]), base64.b32decode(parts[4]), base64.b32decode(parts[5]))
    if len(blob.data) != _DATA.size or len(blob.signature) != 2 * _HALF_BYTES:
        raise ValueError("not 82 bytes and 48")
    return blob


def der_of(key: str) -> str:
    """A key as Alfen writes it, base32 of a compressed point, as DER in hexadecimal. Raises ValueError."""
    point = base64.b32decode(key)
    if len(point) != _POINT_BYTES:
        raise ValueError("not 25 bytes")
    try:
        found = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP192R1(), point)
    except UnsupportedAlgorithm as error:
        raise ValueError("this curve is not known here") from error
    return found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()


def text_of_key(der: str) -> str | None:
    """The other way; None for a key of another curve."""
    key = _loaded(der)
    if key is None:
        return None
    return base64.b32encode(key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)).decode()


def is_genuine(blob: Blob, der: str) -> bool:
    """Whether the key, as DER in hexadecimal, signed it."""
    key = _loaded(der)
    if key is None:
        return False
    halves = [int.from_bytes(part, "big") for part in (blob.signature[:_HALF_BYTES], blob.signature[_HALF_BYTES:])]
    try:
        key.verify(encode_dss_signature(halves[0], halves[1]), blob.data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def record(blob: Blob) -> Record:
    """What it says. Raises ValueError for what no register holds."""
    fields = _DATA.unpack(blob.data)
    meter, status, at, obis, unit, scale, value = (fields[n] for n in (3, 4, 6, 7, 8, 9, 10))
    session, page = fields[12:]
    if unit != _WATT_HOURS or not -_MOST_SCALE <= scale <= _MOST_SCALE or abs(value) >= 10**15:
        raise ValueError("no register of energy")
    digit = Decimal(1).scaleb(scale)
    shown = Shown(
        at=datetime.fromtimestamp(at, UTC),
        mark=_MARKS[blob.type],
        register_wh=value * digit,
        resolution_wh=digit,
        obis="{}-{}:{}.{}.{}*{}".format(*obis),
        status="F" if status & _IS_WRONG else "G",
        errors="",
        clock="U" if status & _CLOCK_IS_WRONG else "I",
    )
    return Record(serial=meter.hex(), page=page, shown=[shown], session=str(session))


def _loaded(der: str) -> ec.EllipticCurvePublicKey | None:
    try:
        key = load_der_public_key(bytes.fromhex(der))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP192R1) else None
