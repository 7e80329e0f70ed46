"""Is somebody at the door? The figures of the last day and week, as far as who asks may see them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from ohmstead.accounts.access import ADMIN, Actor, may
from ohmstead.accounts.audit import queries as audit
from ohmstead.accounts.signin import service as signin
from ohmstead.core.db import Connection
from ohmstead.reports import concerns
from ohmstead.reports import queries as reports
from ohmstead.reports.security import queries
from ohmstead.reports.security.model import AuditState, SecuritySummary, Watched

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)


async def summary(conn: Connection, actor: Actor, now: datetime) -> SecuritySummary:
    """Sign-ins and the audit log are the whole party's: left out for who sees some locations, or may not read them."""
    ending = await reports.ending_certificates(conn, actor.scope, now + concerns.CERTIFICATE_SOON)
    state = None
    if actor.locations is None and may(actor, ADMIN):
        head = await audit.find_head(conn, actor.party_id)
        state = AuditState(n_entries=head.number, head_hash=head.hash.hex())
    return SecuritySummary(
        day=await _since(conn, actor, now - DAY),
        week=await _since(conn, actor, now - WEEK),
        n_certificates_ending=len(ending),
        audit=state,
    )


async def _since(conn: Connection, actor: Actor, since: datetime) -> Watched:
    found = await queries.count_signals(conn, actor.scope, since)
    if actor.locations is not None or not may(actor, "people:write"):
        return found
    n_refused = await signin.count_refused(conn, actor.party_id, since)
    return msgspec.structs.replace(found, n_refused_sign_ins=n_refused)
