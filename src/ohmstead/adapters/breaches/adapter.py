"""A list of passwords that became public, asked by the first five digits of a hash (k-anonymity), as Pwned Passwords is."""

from __future__ import annotations

from typing import Final

from ohmstead.adapters import outgoing
from ohmstead.core.errors import ExternalFailure

DEADLINE_S: Final = 3.0
MOST_BYTES: Final = 2 * 1024 * 1024
PREFIX: Final = 5


class HttpBreachList:
    """Asks `<url>/<5 digits>`; lines are the other 35 digits, a colon, and how often.

    Implements accounts.signin.passwords.BreachList.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def count(self, digest: str) -> int:
        """Raises ExternalFailure when the list does not answer properly in time."""
        answer = await outgoing.send(
            "GET",
            f"{self._url}/{digest[:PREFIX]}",
            headers={"Add-Padding": "true", "User-Agent": "ohmstead"},
            deadline_s=DEADLINE_S,
            most_bytes=MOST_BYTES,
        )
        if answer.status != 200:
            raise ExternalFailure(f"the list of breaches answered {answer.status}")
        rest = digest[PREFIX:].upper()
        for line in answer.body.decode("ascii", "replace").splitlines():
            suffix, _, times = line.strip().partition(":")
            if suffix.upper() == rest:
                # Padding has the count 0.
                return int(times) if times.isdigit() else 1
        return 0
