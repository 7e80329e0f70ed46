"""What a committed batch tells: news for whoever watches, and the word that events wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from ohmstead.core import events
from ohmstead.core.bus import LIVE, Bus
from ohmstead.ocpp.work import Work
from ohmstead.sessions.model import Session

if TYPE_CHECKING:
    from ohmstead.ocpp.batch import Item

News: TypeAlias = tuple[UUID, dict[str, Any]]
NUDGE_EVERY_S = 0.1


class Teller:
    """Publishes after commits. News that nobody listens to are not even worded."""

    def __init__(self, bus: Bus | None) -> None:
        self._bus = bus
        self._subjects: dict[UUID, str] = {}
        self._nudged_at = 0.0
        self._nudging: asyncio.Task[None] | None = None
        self._kinds: set[str] | None = set()  # to be named by the next nudge; None: too many, or not known

    def is_anything_heard(self) -> bool:
        """Does anybody listen to any news?"""
        return self._bus is not None and self._bus.has_any_listeners()

    def is_heard(self, party_id: UUID) -> bool:
        """Does anybody listen to this party's news?"""
        return self._bus is not None and self._bus.has_listeners(self._subject(party_id))

    def _subject(self, party_id: UUID) -> str:
        subject = self._subjects.get(party_id)
        if subject is None:
            subject = self._subjects[party_id] = LIVE + party_id.hex
        return subject

    async def tell(self, batch: Sequence[Item], kinds: Collection[str] | None) -> None:
        """The batch is committed. `kinds`: those of the events in it; None where nobody knows."""
        if self._bus is None:
            return
        by_party: dict[UUID, list[dict[str, Any]]] = {}
        for item in batch:
            if item.news:
                for party_id, news in item.news:
                    by_party.setdefault(party_id, []).append(news)
        for party_id, news_list in by_party.items():
            if self.is_heard(party_id):
                await self._bus.publish(self._subject(party_id), news_list)
        self._will_nudge(kinds)

    def _will_nudge(self, kinds: Collection[str] | None) -> None:
        if kinds is None or self._kinds is None:
            self._kinds = None
        elif not kinds:
            return
        else:
            self._kinds.update(kinds)
        if self._nudging is None:
            # Readers gather for longer than this anyway; a word for each of a hundred commits a second is wasted.
            self._nudging = asyncio.create_task(self._nudge())

    async def _nudge(self) -> None:
        assert self._bus is not None
        await asyncio.sleep(max(0.0, self._nudged_at + NUDGE_EVERY_S - time.monotonic()))
        self._nudged_at = time.monotonic()
        self._nudging = None
        kinds, self._kinds = self._kinds, set()
        named = sorted(kinds) if kinds is not None and len(kinds) <= events.MOST_KINDS else None
        await self._bus.publish(events.NUDGE, named)


def connection_news(item: Item, *, is_connected: bool) -> News:
    link = item.connected if is_connected else item.disconnected
    assert link is not None
    news = {"kind": "connection", "at": item.at, "station_id": link.station_id, "is_connected": is_connected}
    if item.connected is not None:
        news["ocpp_version"] = item.connected.ocpp_version
    return link.party_id, news


def session_news(session: Session, what: str) -> News:
    return session.party_id, {
        "kind": "session",
        "at": session.updated_at,
        "station_id": session.station_id,
        "what": what,
        "session_id": session.session_id,
        "evse_number": session.evse_number,
        "connector_number": session.connector_number,
        "status": session.status,
        "charging_state": session.charging_state,
        "energy_wh": session.energy_wh,
        "power_w": session.power_w,
        "soc_percent": session.soc_percent,
        "token_uid": session.token_uid,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
    }


def message_news(item: Item, work: Work) -> list[News]:
    """A station's message, and what it said of the station."""
    inbound = item.inbound
    assert inbound is not None
    party_id = inbound.station.party_id
    station_id = inbound.station.station_id
    found: list[News] = [
        (
            party_id,
            {
                "kind": "message",
                "at": inbound.received_at,
                "station_id": station_id,
                "direction": "in",
                "action": inbound.action,
                "message_id": inbound.message_id,
                "version": inbound.version.value,
                "answer_kind": "result" if item.payload is not None else "none",
                "error_code": None,
                "latency_us": round((time.perf_counter() - item.started) * 1e6),
                "received_at": inbound.received_at,
            },
        )
    ]
    found += [
        (
            party_id,
            {
                "kind": "connector",
                "at": s.at,
                "station_id": station_id,
                "evse_number": s.evse_number,
                "connector_number": s.connector_number,
                "status": s.status,
                "error_code": s.error_code,
                "info": s.info,
            },
        )
        for s in work.statuses
    ]
    if work.boot is not None:
        found.append((party_id, {"kind": "station", "at": item.at, "station_id": station_id, "what": "booted"}))
    return found
