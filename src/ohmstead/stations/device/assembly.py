"""Reports that come in several messages, in any order, some of them twice: what is there, and what is missing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

# Where each kind of report keeps what it reports.
_ITEMS = {
    "NotifyReport": "reportData",
    "NotifyMonitoringReport": "monitor",
    "NotifyDisplayMessages": "messageInfo",
}


class Part(msgspec.Struct, frozen=True):
    """One message as it was kept. `seq_no` None: the version numbers none, and the order of arrival counts."""

    seq_no: int | None
    is_last: bool
    payload: dict[str, Any]


class Whole(msgspec.Struct, frozen=True):
    """A report as far as it is there. `missing`: numbers before the last known one whose message has not come."""

    is_complete: bool
    missing: tuple[int, ...]
    n_parts: int
    items: tuple[Any, ...]
    text: str | None = None


def assemble(kind: str, parts: Sequence[Part]) -> Whole:
    """Parts in the order of arrival. Complete only when the last is there and every number before it."""
    by_number: dict[int, Part] = {}
    for n, part in enumerate(parts):
        by_number.setdefault(n if part.seq_no is None else part.seq_no, part)
    ordered = [by_number[number] for number in sorted(by_number)]
    ends = [number for number, part in by_number.items() if part.is_last]
    highest = max(ends, default=max(by_number, default=-1))
    missing = tuple(number for number in range(highest + 1) if number not in by_number)
    items = [item for part in ordered for item in part.payload.get(_ITEMS.get(kind, ""), None) or ()]
    text = "".join(str(part.payload.get("data", "")) for part in ordered)
    return Whole(
        is_complete=bool(ends) and not missing,
        missing=missing,
        n_parts=len(ordered),
        items=tuple(items),
        text=text if kind == "NotifyCustomerInformation" else None,
    )
