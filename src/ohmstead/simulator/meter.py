"""The meter behind an outlet: a register that only grows, and readings of it."""

import base64
from datetime import datetime
from functools import cache
from hashlib import sha256

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from ohmstead.simulator.car import VOLTAGE_V
from ohmstead.simulator.clock import iso
from ohmstead.simulator.profiles import DC_VOLTAGE_V


class Reading(Struct, frozen=True):
    """What the meter showed at an instant. `context` is OCPP's (`Transaction.Begin`, `Sample.Periodic`, …)."""

    at: datetime
    context: str
    register_wh: int
    power_w: int = 0
    phases: int = 1
    is_dc: bool = False
    soc_percent: int | None = None
    offered_w: int | None = None

    @property
    def voltage_v(self) -> float:
        """Nominal: per phase on AC, of the pack on DC."""
        return DC_VOLTAGE_V if self.is_dc else VOLTAGE_V

    @property
    def current_a(self) -> float:
        """Per phase on AC."""
        return round(self.power_w / (self.voltage_v * (1 if self.is_dc else self.phases)), 2)


class Meter:
    """Counts energy = power × time. The register is kept in milliwatt-hours, so that nothing is lost to rounding."""

    __slots__ = ("at", "power_w", "register_mwh")

    def __init__(self, register_wh: float, at: datetime) -> None:
        self.register_mwh = round(register_wh * 1000)
        self.power_w = 0.0
        self.at = at

    @property
    def register_wh(self) -> int:
        """Whole watt-hours, as the display shows them."""
        return self.register_mwh // 1000

    def advance(self, at: datetime, at_most_wh: float | None = None) -> float:
        """Count up to `at` with the present power; returns the energy in Wh. Time running backwards counts 0."""
        elapsed_s = (at - self.at).total_seconds()
        self.at = at
        if elapsed_s <= 0 or self.power_w <= 0:
            return 0.0
        energy_wh = self.power_w * elapsed_s / 3600
        if at_most_wh is not None:
            energy_wh = min(energy_wh, at_most_wh)
        counted_mwh = round(energy_wh * 1000)
        self.register_mwh += counted_mwh
        return counted_mwh / 1000


class SignedReading(Struct, frozen=True):
    """A signed reading: the OCMF text, and the public key that verifies it (hexadecimal DER)."""

    text: str
    public_key: str

    @property
    def base64(self) -> str:
        """The text as 2.x carries it."""
        return base64.b64encode(self.text.encode()).decode()


@cache
def _meter_key(serial_number: str) -> tuple[ec.EllipticCurvePrivateKey, str]:
    # Derived, not drawn: the same simulated meter must have the same key in every run, as a real one has.
    scalar = int.from_bytes(sha256(f"meter key of {serial_number}".encode()).digest()) >> 1
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    return key, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()


def public_key_of(serial_number: str) -> str:
    """The key that verifies what this meter signs, hexadecimal DER; on a real station it is printed on the case."""
    return _meter_key(serial_number)[1]


_TX_MARKS = {"Transaction.Begin": "B", "Transaction.End": "E"}


def sign(reading: Reading, serial_number: str, pagination: int, token_uid: str | None) -> SignedReading:
    """The reading as an OCMF record with an ECDSA-secp256r1-SHA256 signature (deterministic, RFC 6979)."""
    key, public_key = _meter_key(serial_number)
    payload = msgspec.json.encode(
        {
            "FV": "1.2",
            "GI": "Ohmstead simulator",
            "GS": serial_number,
            "PG": f"T{pagination}",
            "MV": "Ohmstead",
            "MM": "SimMeter",
            "MS": serial_number,
            "IS": token_uid is not None,
            "IF": [],
            "IT": "ISO14443" if token_uid else "NONE",
            "ID": token_uid or "",
            "RD": [
                {
                    "TM": iso(reading.at).replace(".", ",").replace("Z", "+0000") + " S",
                    "TX": _TX_MARKS.get(reading.context, "C"),
                    "RV": reading.register_wh / 1000,
                    "RI": "1-b:1.8.0",
                    "RU": "kWh",
                    "ST": "G",
                }
            ],
        }
    ).decode()
    signature = key.sign(payload.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)).hex()
    return SignedReading(f'OCMF|{payload}|{{"SD":"{signature}"}}', public_key)
