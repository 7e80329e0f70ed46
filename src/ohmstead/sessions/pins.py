"""PINs that are typed at stations (OCPP 2.x KeyCode): nobody guesses them by trying.

A wrong one tells nothing of whose it should have been, so it is the station where no PIN is taken for a while after too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from ohmstead.core import clock
from ohmstead.core.db import Connection
from ohmstead.stations import service as stations
from ohmstead.stations.model import Signal
from ohmstead.tokens.model import Authorization, AuthorizationRequest

KEY_CODE: Final = "KeyCode"
MOST_WRONG: Final = 5
WITHIN: Final = timedelta(minutes=15)


async def judge(
    conn: Connection, asked: Sequence[AuthorizationRequest], answered: list[Authorization]
) -> tuple[list[Authorization], list[Signal]]:
    """The answers, with PINs refused, right ones too, where as many as MOST_WRONG wrong ones came within the last WITHIN;
    and what security is to be told. Whatever is no PIN costs nothing.
    """
    places = [n for n, one in enumerate(asked) if one.type == KEY_CODE and one.station_id is not None]
    if not places:
        return answered, []
    now = clock.now()
    known = await stations.count_signals(
        conn, sorted({asked[n].station_id or "" for n in places}), "pin_wrong", now - WITHIN
    )
    judged, told = list(answered), []
    for n in places:
        one = asked[n]
        assert one.station_id is not None
        wrong = known.get(one.station_id, 0)
        if wrong >= MOST_WRONG:
            judged[n] = replace(answered[n], status="blocked")
        elif answered[n].status == "unknown":
            known[one.station_id] = wrong + 1
            told.append(_signal("pin_wrong", one, wrong + 1))
            if wrong + 1 == MOST_WRONG:
                told.append(_signal("pin_locked", one, wrong + 1))
    return judged, told


def _signal(kind: str, one: AuthorizationRequest, n: int) -> Signal:
    detail = {"n": n, "evse_number": one.evse_number}
    return Signal(kind=kind, at=clock.now(), party_id=one.party_id, station_id=one.station_id, detail=detail)
