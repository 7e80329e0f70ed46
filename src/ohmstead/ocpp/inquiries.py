"""Questions to the outside world that a station's answer waits for: before the batch, with a deadline, never in it."""

from __future__ import annotations

from ohmstead.sessions.notices import service as notices
from ohmstead.sessions.notices.model import VatAnswer
from ohmstead.sessions.notices.ports import VatRegister


class Inquiries:
    """One per gateway."""

    def __init__(self, vat_register: VatRegister | None = None) -> None:
        self._vat_register = vat_register

    async def vat(self, number: str) -> VatAnswer:
        """Is it a VAT number, and whose?"""
        return await notices.check_vat(self._vat_register, number)
