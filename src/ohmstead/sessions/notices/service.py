"""Settlements, battery swaps and VAT numbers, taken in."""

from __future__ import annotations

from collections.abc import Sequence

from ohmstead.core.db import Connection
from ohmstead.core.errors import ExternalFailure
from ohmstead.core.events import Event, record
from ohmstead.core.log import logger
from ohmstead.sessions.notices import store, vat
from ohmstead.sessions.notices.model import BatterySwap, Settlement, StationCost, VatAnswer
from ohmstead.sessions.notices.ports import VatRegister

log = logger("ohmstead.notices")


async def take_in(conn: Connection, found: Sequence[Settlement | BatterySwap | StationCost]) -> None:
    """Keep them; a repeat is kept once."""
    settlements = [one for one in found if isinstance(one, Settlement)]
    swaps = [one for one in found if isinstance(one, BatterySwap)]
    if settlements:
        new = await store.insert_settlements(conn, settlements, [s.party_id for s in settlements])
        await record(conn, [_fact(one) for n, one in enumerate(settlements) if n in new])
    costs = [one for one in found if isinstance(one, StationCost)]
    if costs:
        await store.save_costs(conn, costs, [c.party_id for c in costs])
    if swaps:
        await store.insert_swaps(conn, swaps, [s.party_id for s in swaps])


async def check_vat(register: VatRegister | None, number: str) -> VatAnswer:
    """Is it a VAT number, and whose? Without a register nobody can tell; a wrong form is wrong without asking."""
    parsed = vat.parse(number)
    if parsed is None:
        return VatAnswer(number=number, is_valid=False, reason="no VAT number has this form")
    if register is None:
        return VatAnswer(number=number, is_valid=None, reason="no register is asked here")
    try:
        return await register.look_up(*parsed)
    except ExternalFailure as failure:
        log.warning("vat_register_failed", error=failure.text)
        return VatAnswer(number=number, is_valid=None, reason="the register did not answer")


def _fact(one: Settlement) -> Event:
    return Event(
        kind="PaymentSettled" if one.status == "settled" else "SettlementFailed",
        subject=f"station/{one.station_id}",
        party_id=one.party_id,
        payload={
            "station_id": one.station_id,
            "psp_ref": one.psp_ref,
            "transaction_id": one.transaction_id,
            "status": one.status,
            "amount": str(one.amount),
        },
    )
