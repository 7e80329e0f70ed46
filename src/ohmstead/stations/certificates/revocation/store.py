"""Other authorities' revocation lists in PostgreSQL: the installation's, not any party's."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ohmstead.core.db import Connection
from ohmstead.stations.certificates.revocation.crls import RevocationList


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a distribution point last gave, and how the last attempt went."""

    crl: bytes | None
    this_update: datetime | None
    next_update: datetime | None
    failed_at: datetime | None
    failure: str | None


async def find(conn: Connection, url: str) -> Kept | None:
    row = await conn.fetchrow(
        "select crl, this_update, next_update, failed_at, failure from outside_crl where url = $1", url
    )
    return Kept(**row) if row else None


async def save(conn: Connection, url: str, found: RevocationList, body: bytes, at: datetime) -> None:
    """A list that is believed; one that is newer stays."""
    await conn.execute(
        "insert into outside_crl (url, issuer, crl, this_update, next_update, number, n_revoked, fetched_at)"
        " values ($1, $2, $3, $4, $5, $6::text::numeric, $7, $8)"
        " on conflict (url) do update set issuer = excluded.issuer, crl = excluded.crl,"
        " this_update = excluded.this_update, next_update = excluded.next_update, number = excluded.number,"
        " n_revoked = excluded.n_revoked, fetched_at = excluded.fetched_at, failed_at = null, failure = null"
        " where outside_crl.this_update is null or outside_crl.issuer <> excluded.issuer"
        "   or outside_crl.this_update <= excluded.this_update",
        url,
        found.issuer,
        body,
        found.since,
        found.until,
        str(found.number) if found.number is not None else None,
        len(found.serials),
        at,
    )


async def save_failure(conn: Connection, url: str, issuer: str, failure: str, at: datetime) -> None:
    """What was believed stays."""
    await conn.execute(
        "insert into outside_crl (url, issuer, failed_at, failure) values ($1, $2, $3, left($4, 200))"
        " on conflict (url) do update set failed_at = excluded.failed_at, failure = excluded.failure",
        url,
        issuer,
        at,
        failure,
    )
