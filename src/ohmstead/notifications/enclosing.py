"""Files that go along with messages, made when they are sent."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from ohmstead.billing.invoices import service as invoices
from ohmstead.core.db import Pool
from ohmstead.notifications.model import Attachment
from ohmstead.notifications.ports import Enclosure

_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")


async def file_of(pool: Pool, party_id: UUID, attachment: Attachment) -> Enclosure:
    """Raises NotFound."""
    async with pool.acquire() as conn:
        invoice = await invoices.get_invoice(conn, party_id, attachment.id)
        content = await invoices.pdf_of(conn, party_id, attachment.id)
    name = _ODD.sub("-", invoice.number).strip("-") or str(attachment.id)
    return Enclosure(name=f"{name}.pdf", media_type="application/pdf", content=content)
