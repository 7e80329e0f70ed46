"""OCPP 2.0.1 and 2.1: local authorization lists (D01, D02), us → station."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v2 import messages as m
from ohmstead.stations.device.lists import Entry
from ohmstead.stations.device.orders import ListUpdate, ListVersion


def call_for(order: ListVersion | ListUpdate) -> Outgoing:
    """The message that says it."""
    return _update_call(order) if isinstance(order, ListUpdate) else _version_call()


def _version_call() -> Outgoing:
    return Outgoing(
        action="GetLocalListVersion",
        payload=msgspec.json.encode(m.GetLocalListVersionRequest()),
        read=lambda _: Result("accepted"),
    )


def _update_call(order: ListUpdate) -> Outgoing:
    """Entries that are to go carry no idTokenInfo (D01.FR.16); a full list of nothing is none (D01.FR.04)."""
    data = [m.AuthorizationData(id_token=_token(one), id_token_info=_info(one)) for one in order.entries]
    data += [m.AuthorizationData(id_token=_token(one)) for one in order.removals]
    payload = m.SendLocalListRequest(
        version_number=order.version,
        update_type="Full" if order.how == "full" else "Differential",
        local_authorization_list=data or None,
    )
    return Outgoing(action="SendLocalList", payload=msgspec.json.encode(payload), read=_read)


def _token(entry: Entry) -> m.IdTokenType:
    return m.IdTokenType(id_token=entry.uid, type=cast(Any, entry.type))


def _info(entry: Entry) -> m.IdTokenInfoType:
    group = entry.group_uid
    return m.IdTokenInfoType(
        status="Accepted",
        group_id_token=m.IdTokenType(id_token=group[:36], type="Central") if group else None,
        cache_expiry_date_time=entry.valid_until,
    )


def _read(answer: msgspec.Struct) -> Result:
    assert isinstance(answer, m.SendLocalListResponse)
    return Result("accepted") if answer.status == "Accepted" else Result("rejected", answer.status)
