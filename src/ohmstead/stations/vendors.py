"""Vendors whose own messages (OCPP DataTransfer) we know by name. Pure.

Sources: “Using ISO 15118 Plug & Charge with OCPP 1.6” and “OCPP & California Pricing Requirements”, Open Charge Alliance.
"""

from __future__ import annotations

from typing import Final

PLUG_AND_CHARGE: Final = "org.openchargealliance.iso15118pnc"
COST_MESSAGES: Final = "org.openchargealliance.costmsg"

# Vendor → the messages that go to a station.
TO_STATION: Final[dict[str, frozenset[str]]] = {
    PLUG_AND_CHARGE: frozenset(
        ("CertificateSigned", "DeleteCertificate", "GetInstalledCertificateIds", "InstallCertificate", "TriggerMessage")
    ),
    COST_MESSAGES: frozenset(("SetUserPrice", "RunningCost", "FinalCost")),
}
# Vendor → the messages from a station that are understood (ocpp.vendors, ocpp.pnc16).
FROM_STATION: Final[dict[str, frozenset[str]]] = {
    PLUG_AND_CHARGE: frozenset(("Authorize", "Get15118EVCertificate", "GetCertificateStatus", "SignCertificate")),
    COST_MESSAGES: frozenset(("ConnectorUnplugged",)),
}


def is_registered(vendor_id: str) -> bool:
    return vendor_id in TO_STATION


def fault_of(vendor_id: str, message_id: str | None) -> str | None:
    """What is wrong with a message for a registered vendor; None when nothing is, or nothing is known of the vendor."""
    known = TO_STATION.get(vendor_id)
    if known is None or message_id in known:
        return None
    return f"{vendor_id} knows {', '.join(sorted(known))}"
