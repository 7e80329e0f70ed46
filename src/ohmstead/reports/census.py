"""What only the database knows of the whole installation, told to Prometheus by every worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ohmstead.core import events, jobs, metrics
from ohmstead.core.db import Pool
from ohmstead.reports import queries

EVERY_S = 15.0


async def take(pool: Pool, kinds: Mapping[str, Sequence[str]]) -> None:
    """Count stations, connectors, open sessions, and what waits: events for the consumers (each with its kinds), jobs."""
    async with pool.acquire() as conn:
        stations, connectors, n_open = await queries.installation_state(conn)
        waiting = await events.waiting(conn, kinds)
        by_status = await jobs.counts(conn)
    metrics.set_all(metrics.stations, stations)
    metrics.set_all(metrics.connectors, connectors)
    metrics.sessions_open.set(n_open)
    metrics.set_all(metrics.jobs, by_status)
    for consumer, (n, oldest_s) in waiting.items():
        metrics.outbox_waiting.labels(consumer).set(n)
        metrics.outbox_lag.labels(consumer).set(oldest_s)
