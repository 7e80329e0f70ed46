"""What can go wrong: problems that the server tells, and the lack of an answer."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Anything that keeps an operation from giving its result."""


class ConnectionFailed(ClientError):
    """There was no answer. Whether the server did what was asked is not known, unless it could not be reached at all."""


class UnreadableAnswer(ClientError):
    """The server's answer is not what the API promises; `body` has the beginning of it."""

    def __init__(self, text: str, body: bytes = b"") -> None:
        super().__init__(text)
        self.body = body[:2000]


class ApiError(ClientError):
    """A problem (RFC 9457) that the server told. Each type has a class of its own, in `problems`."""

    def __init__(self, status: int, document: dict[str, Any], request_id: str | None = None) -> None:
        self.status = status
        self.type = str(document.get("type", "about:blank"))
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail", ""))
        self.field: str | None = document.get("field")
        """Where the input is wrong: a dotted path, or a query parameter's name."""
        self.errors: list[dict[str, str]] = document.get("errors") or []
        """All that is wrong in the input: `field` and `error` of each."""
        self.code: str | None = document.get("code")
        self.command_id: str | None = document.get("command_id")
        self.request_id = request_id
        """Finds the request in the server's log."""
        self.document = document
        super().__init__(f"{status} {self.title}: {self.detail}")
