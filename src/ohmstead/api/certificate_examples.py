"""The examples of /certificates and what belongs to it; `examples.py` takes them in."""

from typing import Any

from ohmstead.api import certificates as api
from ohmstead.stations.certificates.queries import CertificateView

_PARTY = "019a9d5e-7b00-7c3e-8a11-4f1f6f2f0001"
_CERTIFICATE_ID = "019a9d70-1c00-7a10-8b20-3c4d5e6f7a8b"
_PEM = "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n"
_CERTIFICATE: dict[str, Any] = {
    "certificate_id": _CERTIFICATE_ID,
    "party_id": _PARTY,
    "station_id": "HARBOUR-01",
    "kind": "station",
    "status": "active",
    "subject": "CN=HARBOUR-01,O=Harbour Charging",
    "issuer": "CN=Ohmstead Stations Issuing EC,O=Ohmstead",
    "serial": "5f2a9c0d1e",
    "fingerprint": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "not_before": "2026-03-02T07:00:00Z",
    "not_after": "2027-03-02T08:00:00Z",
    "issued_at": "2026-03-02T08:00:00Z",
    "active_at": "2026-03-02T08:01:00Z",
    "replaced_by": None,
    "revoked_at": None,
    "revocation_reason": None,
    "revocation_told": None,
    "chain_pem": _PEM,
}
_HASHES: dict[str, Any] = {
    "hash_algorithm": "sha256",
    "issuer_name_hash": "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b",
    "issuer_key_hash": "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
    "serial_number": "5f2a9c0d1e",
}
_UPGRADES: dict[str, Any] = {
    "items": [
        {
            "profile_upgrade_id": "019a9d71-2d00-7b20-9c30-4d5e6f7a8b9c",
            "party_id": _PARTY,
            "station_id": "HARBOUR-01",
            "from_profile": 1,
            "to_profile": 3,
            "url": "wss://ocpp.example:9443/ocpp",
            "slot": 2,
            "status": "expected",
            "reason": None,
            "requested_by": "operator:019a9d5e-7b10-7000-8000-000000000001",
            "started_at": "2026-03-02T08:02:00Z",
            "finished_at": None,
        }
    ]
}

EXAMPLES: dict[Any, Any] = {
    CertificateView: _CERTIFICATE,
    api.Authorities: {
        "items": [
            {
                "authority_id": "019a9d6f-0b00-7910-8a10-2b3c4d5e6f7a",
                "purpose": "station",
                "key_kind": "EC",
                "level": "root",
                "certificate_pem": _PEM,
                "created_at": "2026-03-02T08:00:00Z",
            }
        ]
    },
    api.NewRoot: {"kind": "contract_root", "certificate_pem": _PEM},
    api.Revocation: {"reason": "key_compromise"},
    api.Renewal: {"kind": "station"},
    api.Installation: {"certificate_id": _CERTIFICATE_ID},
    api.Deletion: {"certificate": _HASHES},
    api.RevocationLists: {
        "policy": "refuse",
        "hosts": ["crl.harbour.example"],
        "items": [
            {
                "url": "http://crl.harbour.example/stations.crl",
                "issuer": "CN=Harbour Stations,O=Harbour Charging",
                "this_update": "2026-03-02T06:00:00Z",
                "next_update": "2026-03-09T06:00:00Z",
                "n_revoked": 3,
                "fetched_at": "2026-03-02T08:00:00Z",
                "failed_at": None,
                "failure": None,
            }
        ],
    },
    api.InstalledCertificates: {
        "items": [{"usage": "CSMSRootCertificate", **_HASHES, "seen_at": "2026-03-02T08:05:00Z"}]
    },
    api.SigningRequests: {
        "items": [
            {
                "signing_request_id": "019a9d70-0a00-7a00-8b00-3c4d5e6f7a8b",
                "kind": "station",
                "status": "delivered",
                "reason": None,
                "certificate_id": _CERTIFICATE_ID,
                "requested_at": "2026-03-02T07:59:58Z",
                "finished_at": "2026-03-02T08:00:02Z",
            }
        ]
    },
    api.NewProfileUpgrade: {"to_profile": 3, "url": "wss://ocpp.example:9443/ocpp"},
    api.ProfileUpgrades: _UPGRADES,
}
