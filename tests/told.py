"""What tests caused to be told to the outside: is it of the type that the catalogue of events promises?"""

from ohmstead.core.db import Pool
from ohmstead.facts import catalogue


async def misfits(pool: Pool) -> list[str]:
    """Why events in the outbox are not what their kind says, each reason once. Facts without a party stay inside."""
    rows = await pool.fetch(
        "select distinct kind, payload from outbox where party_id is not null and kind = any($1)", list(catalogue.KINDS)
    )
    return sorted({fault for row in rows if (fault := catalogue.fault_of(row["kind"], row["payload"])) is not None})
