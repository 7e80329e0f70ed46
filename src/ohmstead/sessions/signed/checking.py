"""Do a session's signed readings prove what it is to be billed for? Pure.

The checks are those that transparency software makes of OCMF (standards: one meter, pages in order, begin and end,
status, errors, clock), and one more: the signed registers differ by the session's energy.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

from msgspec import Struct

from ohmstead.core.language import N_
from ohmstead.sessions.signed.model import Record, Shown, Verdict
from ohmstead.sessions.signed.records import Judged

BEGIN: Final = "B"
ENDS: Final = frozenset("ELRAP")
GOOD: Final = "G"
UNSET_CLOCK: Final = "U"
# Stations tell registers in whole Wh beside the signed one.
SLACK_WH: Final = Decimal(1)


class Proof(Struct, frozen=True, kw_only=True):
    """What the readings are worth together. `energy_wh`: by the signed registers; None where one is missing."""

    verdict: Verdict
    reasons: list[str]
    energy_wh: Decimal | None


def prove(readings: Sequence[Judged], energy_wh: Decimal) -> Proof:
    """`readings`: all signed ones of a session, at least one, in the order of their times; `energy_wh`: its energy."""
    known = [one for one in readings if one.verdict != "not_checkable"]
    if not known:
        return Proof(verdict="not_checkable", reasons=[readings[0].why], energy_wh=None)
    reasons = [one.why for one in known if one.verdict == "failed"]
    records = in_order([one.record for one in known if one.record is not None])
    found = faults(records, energy_wh)
    energy = signed_energy(records)
    if reasons or found:
        return Proof(verdict="failed", reasons=list(dict.fromkeys([*reasons, *found])), energy_wh=energy)
    if any(one.verdict == "no_key" for one in known):
        return Proof(verdict="no_key", reasons=[N_("the meter's public key is not known")], energy_wh=energy)
    return Proof(verdict="verified", reasons=[], energy_wh=energy)


def in_order(records: Sequence[Record]) -> list[Record]:
    """By the time of their first readings; what came twice counts once."""
    distinct: list[Record] = []
    for one in records:
        if one.shown and one not in distinct:
            distinct.append(one)
    return sorted(distinct, key=lambda one: (one.shown[0].at, one.page or 0))


def signed_energy(records: Sequence[Record]) -> Decimal | None:
    """From the signed begin to the signed end."""
    begin, end = _ends(records)
    return None if begin is None or end is None else end.register_wh - begin.register_wh


def faults(records: Sequence[Record], energy_wh: Decimal) -> list[str]:
    """Everything that does not hold, in words; `records` in order."""
    shown = [one for record in records for one in record.shown]
    begin, end = _ends(records)
    found = [
        *_of_meter(records, shown),
        *_of_pages(records),
        *([] if begin is not None else [N_("no signed reading begins it")]),
        *([] if end is not None else [N_("no signed reading ends it")]),
    ]
    if any(one.status != GOOD for one in shown):
        found.append(N_("the meter was not in order"))
    if any(one.errors for one in shown):
        found.append(N_("the meter reports an error"))
    if any(one.clock == UNSET_CLOCK for one in (begin, end) if one is not None):
        found.append(N_("the meter's clock was not set"))
    if any(after.at < before.at for before, after in pairwise(shown)):
        found.append(N_("its times run backwards"))
    if any(after.register_wh < before.register_wh for before, after in pairwise(shown)):
        found.append(N_("its register runs backwards"))
    if begin is not None and end is not None:
        slack = begin.resolution_wh + end.resolution_wh + SLACK_WH
        if abs(end.register_wh - begin.register_wh - energy_wh) > slack:
            found.append(N_("the signed registers differ by another energy than the session's"))
    return found


def _ends(records: Sequence[Record]) -> tuple[Shown | None, Shown | None]:
    shown = [one for record in records for one in record.shown]
    begin = shown[0] if shown and shown[0].mark == BEGIN else None
    end = shown[-1] if shown and shown[-1].mark in ENDS else None
    return begin, end


def _of_meter(records: Sequence[Record], shown: Sequence[Shown]) -> list[str]:
    if len({one.serial for one in records}) > 1:
        return [N_("its readings are of several meters")]
    if len({one.session for one in records}) > 1:
        return [N_("its readings are of several sessions")]
    return [N_("its readings are of several registers")] if len({one.obis for one in shown}) > 1 else []


def _of_pages(records: Sequence[Record]) -> list[str]:
    """Pages rise by one. Where begin and end alone were sent, what the meter signed in between is not missed."""
    pages = [one.page for one in records]
    if any(page is None for page in pages):
        return [N_("a reading has no page number")]
    steps = [after - before for before, after in pairwise([page for page in pages if page is not None])]
    if any(step <= 0 for step in steps):
        return [N_("its page numbers do not rise")]
    return [N_("pages between its readings are missing")] if len(steps) > 1 and any(step > 1 for step in steps) else []
