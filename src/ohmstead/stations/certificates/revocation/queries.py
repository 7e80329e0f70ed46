"""Other authorities' revocation lists as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from ohmstead.core.db import Connection


class RevocationListView(Struct, frozen=True, kw_only=True):
    """A revocation list of another authority."""

    url: Annotated[str, Meta(description="The distribution point, as certificates name it.")]
    issuer: str
    this_update: Annotated[datetime | None, Meta(description="When its authority made it; null before the first one.")]
    next_update: Annotated[datetime | None, Meta(description="Until when it is believed.")]
    n_revoked: int | None
    fetched_at: datetime | None
    failed_at: Annotated[datetime | None, Meta(description="When the last attempt failed; null when it did not.")]
    failure: Annotated[str | None, Meta(description="Why.")]


async def list_revocation_lists(conn: Connection, limit: int = 500) -> list[RevocationListView]:
    """Those that ended or failed first."""
    rows = await conn.fetch(
        "select url, issuer, this_update, next_update, n_revoked, fetched_at, failed_at, failure from outside_crl"
        " order by failed_at is null, next_update nulls first, url limit $1",
        limit,
    )
    return [RevocationListView(**row) for row in rows]
