"""authorize(): one answer for OCPP, OCPI and the web."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from ohmstead.core.db import Connection
from ohmstead.tokens import store
from ohmstead.tokens.authorization import ACCEPTING, Unregistered, decide
from ohmstead.tokens.model import Authorization, AuthorizationRequest


class OpenSessions(Protocol):
    """What the sessions room tells about a token's use; sessions stand above tokens, so it comes as a port."""

    async def __call__(
        self, conn: Connection, party_ids: Sequence[UUID], uids: Sequence[str]
    ) -> dict[tuple[UUID, str], list[UUID]]:
        """Open sessions by (party, lower-case uid)."""
        ...


class OutletHolds(Protocol):
    """What the reservations room tells about outlets that are kept for somebody."""

    @property
    def stations(self) -> set[str]:
        """Stations that may have such outlets now; at hand, since nearly always there is none."""
        ...

    async def judge(
        self, conn: Connection, requests: Sequence[AuthorizationRequest], answers: Sequence[Authorization]
    ) -> list[Authorization]:
        """The answers, with those refused that would take a reserved outlet from whom it is kept for."""
        ...


async def authorize(
    conn: Connection,
    requests: Sequence[AuthorizationRequest],
    *,
    open_sessions: OpenSessions,
    unregistered: Unregistered = ACCEPTING,
    holds: OutletHolds | None = None,
) -> list[Authorization]:
    """An answer for each request, in order. Two starts with one token in one call count against each other."""
    if not requests:
        return []
    party_ids = [r.party_id for r in requests]
    uids = [r.uid for r in requests]
    tokens = await store.find_tokens(conn, party_ids, uids)
    payments = {(r.party_id, r.uid.lower()) for r in requests if r.type == "DirectPayment"} - set(tokens)
    counted = sorted({*payments, *(key for key, token in tokens.items() if token.max_sessions is not None)})
    in_use = await open_sessions(conn, [p for p, _ in counted], [u for _, u in counted]) if counted else {}
    granted: dict[tuple[UUID, str], int] = {}  # starts of this call, whose sessions are not in the database yet
    answers = []
    for request in requests:
        key = (request.party_id, request.uid.lower())
        holders = in_use.get(key, [])
        n_open = sum(1 for session_id in holders if session_id != request.session_id) + granted.get(key, 0)
        answer = decide(request, tokens.get(key), n_open, unregistered=unregistered)
        if request.is_start and answer.is_accepted and request.session_id not in holders:
            granted[key] = granted.get(key, 0) + 1
        answers.append(answer)
    if holds is not None and holds.stations and any(r.station_id in holds.stations for r in requests):
        return await holds.judge(conn, requests, answers)
    return answers
