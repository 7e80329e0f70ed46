"""The outbox's readers, whichever a worker has."""

from ohmstead.core.db import Pool
from ohmstead.core.events import Runner


async def is_read(pool: Pool, runner: Runner) -> bool:
    """Has every consumer of this runner begun to read? What is written before is no business of theirs."""
    found = await pool.fetch("select consumer from outbox_cursor")
    return bool(runner.consumers) and {row["consumer"] for row in found} >= set(runner.consumers)
