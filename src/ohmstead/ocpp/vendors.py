"""DataTransfer from stations: which vendors' messages are known, and what each means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from ohmstead.ocpp.work import Inbound, Work, kept


class VendorAnswer(msgspec.Struct, frozen=True):
    """What a vendor's message is answered. `data` as 2.x carries it; 1.6 takes text."""

    status: Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"]
    data: Any = None

    @property
    def text(self) -> str | None:
        if self.data is None or isinstance(self.data, str):
            return self.data
        return msgspec.json.encode(self.data).decode()


Taker: TypeAlias = Callable[[Any, Inbound], VendorAnswer]


def connector_unplugged(data: Any, _inbound: Inbound) -> VendorAnswer:
    """California pricing: the driver pulled the plug after the transaction; kept, since idle fees end with it."""
    is_right = isinstance(data, dict) and isinstance(data.get("transactionId"), int | str)
    return VendorAnswer("Accepted" if is_right else "Rejected")


# vendor id → message id → what takes it. A room that understands a vendor's messages adds them here.
VENDORS: dict[str, dict[str, Taker]] = {
    "org.openchargealliance.costmsg": {"ConnectorUnplugged": connector_unplugged},
}


def answer(vendor_id: str, message_id: str | None, data: Any, inbound: Inbound) -> VendorAnswer:
    """An unknown vendor, and a known one's unknown message, are answered by these names."""
    known = VENDORS.get(vendor_id)
    if known is None:
        return VendorAnswer("UnknownVendorId")
    taker = known.get(message_id or "")
    if taker is None:
        return VendorAnswer("UnknownMessageId")
    return taker(_read(data), inbound)


def work_for(
    vendor_id: str, message_id: str | None, data: Any, inbound: Inbound, reply: Callable[[VendorAnswer], Any]
) -> Work:
    """The message kept whole, and its answer."""
    found = answer(vendor_id, message_id, data, inbound)
    return Work(records=(kept(inbound),), reply=lambda _: reply(found))


def _read(data: Any) -> Any:
    """1.6 carries text, which nearly always is JSON; 2.x carries JSON itself."""
    if not isinstance(data, str):
        return data
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data
