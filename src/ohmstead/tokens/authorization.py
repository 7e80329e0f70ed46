"""Whether a token may charge: a pure decision."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ohmstead.tokens.model import Authorization, AuthorizationRequest, AuthorizationStatus, Token

Policy = Literal["accept", "reject"]


class Unregistered(NamedTuple):
    """Named policies for what no register knows.

    `no_authorization`: stations that start without any credential (2.x `NoAuthorization`, button or plug start).
    `direct_payment`: payments that a terminal authorized, known by the provider's reference (2.1 `DirectPayment`, C18).
    """

    no_authorization: Policy = "accept"
    direct_payment: Policy = "accept"

    def accepts(self, token_type: str | None) -> bool:
        """May something of this type charge that is no token of ours?"""
        if token_type == "NoAuthorization":  # noqa: S105  (a kind of card)
            return self.no_authorization == "accept"
        return token_type == "DirectPayment" and self.direct_payment == "accept"  # noqa: S105  (likewise)


ACCEPTING = Unregistered()


def decide(
    request: AuthorizationRequest,
    token: Token | None,
    n_open_sessions: int,
    *,
    unregistered: Unregistered = ACCEPTING,
) -> Authorization:
    """The answer for one request.

    `n_open_sessions`: sessions the token holds now, the asking one not counted. `unregistered` are the policies for what
    is no token of ours; one payment pays for one session at a time.
    """
    if token is None:
        if unregistered.accepts(request.type):
            if request.type == "DirectPayment" and request.is_start and n_open_sessions > 0:
                return Authorization(status="concurrent", uid=request.uid, type=request.type)
            return Authorization(status="accepted", uid=request.uid, type=request.type)
        return Authorization(status="unknown", uid=request.uid, type=request.type)
    return Authorization(
        status=_status(request, token, n_open_sessions),
        uid=token.uid,
        type=token.type,
        token_id=token.token_id,
        group_uid=token.group_uid,
        is_master=token.is_master,
        may_discharge=token.may_discharge,
        valid_until=token.valid_until,
        language=token.language,
    )


def _status(request: AuthorizationRequest, token: Token, n_open_sessions: int) -> AuthorizationStatus:
    if token.status == "blocked":
        return "blocked"
    if token.valid_from is not None and request.at < token.valid_from:
        return "not_at_this_time"
    if token.valid_until is not None and request.at >= token.valid_until:
        return "expired"
    if token.is_master:
        # A master pass ends sessions of others; OCPP 2.x C16 lets it start none.
        return "accepted" if not request.is_start else "not_at_this_location"
    if token.location_ids is not None and request.location_id not in token.location_ids:
        return "not_at_this_location"
    if not _is_hour_allowed(token, request.at, request.time_zone):
        return "not_at_this_time"
    if request.is_start and token.max_sessions is not None and n_open_sessions >= token.max_sessions:
        return "concurrent"
    return "accepted"


def _is_hour_allowed(token: Token, at: datetime, time_zone: str) -> bool:
    if token.weekdays == 127 and token.from_minute is None and token.until_minute is None:
        return True
    try:
        local = at.astimezone(ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        local = at
    minute = local.hour * 60 + local.minute
    start = token.from_minute or 0
    end = token.until_minute if token.until_minute is not None else 1440
    if start < end:
        return start <= minute < end and bool(token.weekdays >> local.weekday() & 1)
    # Over midnight: the small hours belong to the day on which the span began.
    if minute >= start:
        return bool(token.weekdays >> local.weekday() & 1)
    return minute < end and bool(token.weekdays >> (local - timedelta(days=1)).weekday() & 1)
