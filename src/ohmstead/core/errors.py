"""The few errors the domain raises; every edge has one small table that translates them."""

from __future__ import annotations


class OhmsteadError(Exception):
    """Anything the domain refuses or cannot do. `text` is written for the person who meets it."""

    def __init__(self, text: str, **detail: object) -> None:
        super().__init__(text)
        self.text = text
        self.detail = detail


class NotFound(OhmsteadError):
    """The thing asked for does not exist, or the asker may not know that it does."""


class Conflict(OhmsteadError):
    """The thing exists already, or has changed since the asker read it."""


class Refused(OhmsteadError):
    """A rule of the business says no."""


class Invalid(OhmsteadError):
    """Input that does not fit. `field` names where, as a dotted path."""

    def __init__(self, text: str, field: str = "", **detail: object) -> None:
        super().__init__(text, **detail)
        self.field = field


class ExternalFailure(OhmsteadError):
    """Something outside did not do its part. `permanent`: trying again is pointless."""

    def __init__(self, text: str, *, permanent: bool = False, **detail: object) -> None:
        super().__init__(text, **detail)
        self.permanent = permanent
