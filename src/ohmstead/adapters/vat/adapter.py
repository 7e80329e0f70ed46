"""A register of VAT numbers over HTTP that speaks as the European Commission's VIES does."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import aiohttp
import msgspec

from ohmstead.core.errors import ExternalFailure
from ohmstead.sessions.notices.model import VatAnswer

ANSWER_WITHIN_S = 5.0  # a driver stands at the terminal
MOST_BYTES = 64 * 1024
_HIDDEN = frozenset(("", "---"))  # what the register writes where a country keeps names to itself


class _Told(msgspec.Struct, rename="camel"):
    is_valid: bool
    name: str = ""
    address: str = ""
    user_error: str = "VALID"


class HttpVatRegister:
    """Asks `<url>/ms/<country>/vat/<number>`. Implements sessions.notices.ports.VatRegister."""

    def __init__(self, url: str, *, within_s: float = ANSWER_WITHIN_S) -> None:
        self._url = url.rstrip("/")
        self._within_s = within_s

    async def look_up(self, country: str, number: str) -> VatAnswer:
        """Raises ExternalFailure when the register, or the country's behind it, does not answer properly in time."""
        url = f"{self._url}/ms/{quote(country, safe='')}/vat/{quote(number, safe='')}"
        try:
            async with (
                asyncio.timeout(self._within_s),
                aiohttp.ClientSession() as client,
                client.get(url, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise ExternalFailure(f"the VAT register answered {response.status}")
                body = await response.content.read(MOST_BYTES)
            told = msgspec.json.decode(body, type=_Told)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ExternalFailure(f"the VAT register did not answer: {type(error).__name__}") from error
        except msgspec.DecodeError as error:
            raise ExternalFailure("the VAT register's answer is not readable") from error
        if not told.is_valid and told.user_error not in ("VALID", "INVALID", "INVALID_INPUT"):
            # "Unavailable" comes as an answer, and as a no.
            raise ExternalFailure(f"the VAT register could not tell: {told.user_error[:40]}")
        lines = [line.strip() for line in told.address.splitlines() if line.strip() not in _HIDDEN]
        return VatAnswer(
            number=country + number,
            is_valid=told.is_valid,
            reason="" if told.is_valid else "the register does not know it",
            name=told.name.strip() if told.name.strip() not in _HIDDEN else None,
            address=lines[0] if lines else None,
            city=lines[-1] if len(lines) > 1 else None,
            country=country,
        )
