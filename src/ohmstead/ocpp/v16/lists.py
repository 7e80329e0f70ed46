"""OCPP 1.6: local authorization lists, us → station."""

from __future__ import annotations

import msgspec

from ohmstead.ocpp.outgoing import Outgoing, Result
from ohmstead.ocpp.v16 import messages as m
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
    """Entries that are to go carry no idTagInfo (1.6 §5.14)."""
    data = [m.AuthorizationData(id_tag=one.uid, id_tag_info=_info(one)) for one in order.entries]
    data += [m.AuthorizationData(id_tag=one.uid) for one in order.removals]
    payload = m.SendLocalListRequest(
        list_version=order.version,
        update_type="Full" if order.how == "full" else "Differential",
        local_authorization_list=data,
    )
    return Outgoing(action="SendLocalList", payload=msgspec.json.encode(payload), read=_read)


def _info(entry: Entry) -> m.IdTagInfo:
    group = entry.group_uid
    return m.IdTagInfo(
        status="Accepted",
        parent_id_tag=group if group and len(group) <= 20 else None,
        expiry_date=entry.valid_until,
    )


def _read(answer: msgspec.Struct) -> Result:
    assert isinstance(answer, m.SendLocalListResponse)
    return Result("accepted") if answer.status == "Accepted" else Result("rejected", answer.status)
