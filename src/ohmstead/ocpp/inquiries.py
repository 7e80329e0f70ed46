"""Questions to the outside world that a station's answer waits for: before the batch, with a deadline, never in it."""

from __future__ import annotations

from ohmstead.core.db import Pool
from ohmstead.sessions.notices import service as notices
from ohmstead.sessions.notices.model import VatAnswer
from ohmstead.sessions.notices.ports import VatRegister
from ohmstead.stations.certificates import inquiries
from ohmstead.stations.certificates.ports import ContractPool, ListSource, Responders


class Inquiries(inquiries.Inquiries):
    """One per gateway: what certificates ask, and the register of VAT numbers."""

    def __init__(
        self,
        pool: Pool,
        responders: Responders | None = None,
        ev_pool: ContractPool | None = None,
        vat_register: VatRegister | None = None,
        list_source: ListSource | None = None,
    ) -> None:
        super().__init__(pool, responders, ev_pool, list_source)
        self._vat_register = vat_register

    async def vat(self, number: str) -> VatAnswer:
        """Is it a VAT number, and whose?"""
        return await notices.check_vat(self._vat_register, number)
