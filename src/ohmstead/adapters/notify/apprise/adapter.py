"""SMS and whatever else Apprise speaks. Implements notifications.ports.Carrier.

Providers know no id of ours: a message whose worker dies between their answer and our commit is sent once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohmstead.adapters.notify.apprise.settings import AppriseSettings
from ohmstead.core.errors import ExternalFailure
from ohmstead.notifications.ports import Letter

if TYPE_CHECKING:
    from apprise import AppriseResult

MOST_CHARACTERS = 480  # three SMS


class AppriseCarrier:
    """Hands short messages to one provider."""

    def __init__(self, settings: AppriseSettings) -> None:
        self._settings = settings

    async def carry(self, letter: Letter) -> str:
        """Raises ExternalFailure, permanent when the address that comes of the setting is none."""
        from apprise import Apprise  # it is large, and few need it

        if not letter.address:
            raise ExternalFailure("no telephone number", permanent=True)
        post = Apprise()
        if not post.add(self._settings.to(letter.address)):
            raise ExternalFailure("OHMSTEAD_SMS_URL is no address that Apprise knows", permanent=True)
        result: AppriseResult = await post.async_notify(body=short_of(letter), timeout=self._settings.timeout_s)
        if not result:
            raise ExternalFailure(_said(result) or "the provider did not take it")
        return _said(result) or "taken"


def short_of(letter: Letter) -> str:
    """A message for small screens: what it is about, and where to read more."""
    link = f"\n{letter.link}" if letter.link else ""
    text = letter.brief or letter.subject
    room = MOST_CHARACTERS - len(link)
    return (text if len(text) <= room else text[: room - 1].rstrip() + "…") + link


def _said(result: AppriseResult) -> str:
    return "; ".join(entry.message for entry in result.logs())[:500]
