"""Examples of signed meter data, and of drivers' limits."""

from typing import Any

from ohmstead.api.price_limits import DriverPriceLimit
from ohmstead.api.signed import MeterKeys
from ohmstead.sessions.signed.model import MeterKey, NewMeterKey, SignedPolicy, SignedSession

METER_KEY = (
    "3059301306072a8648ce3d020106082a8648ce3d030107034200043aeeb45c392357820a58fdfb0857bd77ada31585c61c430531dfa53b440afb"
    "fdd95ac887c658ea55260f808f55ca948df235c2108a0d6dc7d4ab1a5e1a7955be"
)
_METER_KEY: dict[str, Any] = {
    "meter_key_id": "019a9d95-1100-7a10-8b00-2b3c4d5e6f71",
    "station_id": "HARBOUR-01",
    "evse_number": 1,
    "public_key": METER_KEY,
    "curve": "secp256r1",
    "serial": "17619300",
    "source": "registered",
    "since_at": "2026-03-01T08:00:00Z",
    "until_at": None,
    "added_by": "operator:019a9d5e-7b10-7000-8000-000000000001",
}

SIGNED_EXAMPLES: dict[Any, Any] = {
    DriverPriceLimit: {"amount": 25, "currency": "EUR"},
    MeterKey: _METER_KEY,
    MeterKeys: {"items": [_METER_KEY]},
    NewMeterKey: {"evse_number": 1, "public_key": METER_KEY, "serial": "17619300"},
    SignedPolicy: {"doubt": "failed"},
    SignedSession: {
        "session_id": "019a9d61-2f10-7a4c-b3c2-0a1b2c3d4e5f",
        "verdict": "verified",
        "reasons": [],
        "n_readings": 2,
        "energy_wh": 31250,
        "checked_at": "2026-03-02T09:31:43Z",
    },
}
SIGNED_TEXTS: dict[str, Any] = {
    "get_signed_data_file": (
        '<?xml version="1.0" encoding="UTF-8"?>\n<values>\n  <value transactionId="1" context="Transaction.Begin">\n'
        f'    <publicKey encoding="hex">{METER_KEY}</publicKey>\n'
        '    <signedData format="OCMF" encoding="plain">OCMF|{"FV":"1.0"}|{"SD":"3045"}</signedData>\n'
        "  </value>\n</values>\n"
    )
}
