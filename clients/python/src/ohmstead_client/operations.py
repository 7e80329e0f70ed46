"""An operation of the API described for programs that choose it by name: command lines, forms, agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from ohmstead_client.errors import ClientError
from ohmstead_client.requests import Call, encoded, segment, version

_MEDIA: Final = {"json": "application/json", "csv": "text/csv", "bytes": "application/octet-stream"}


class Parameter(Struct, frozen=True, kw_only=True):
    """What a path or a query takes."""

    name: str
    type: Literal["string", "integer", "number", "boolean"] = "string"
    choices: tuple[str, ...] = ()
    is_list: bool = False
    default: Any = None
    meaning: str = ""


class Operation(Struct, frozen=True, kw_only=True):
    """One operation. `takes`: what its body is; `gives`: what comes back; `scope`: what the key needs."""

    name: str
    method: str
    path: str
    tag: str
    summary: str
    description: str = ""
    scope: str | None = None
    ids: tuple[Parameter, ...] = ()
    query: tuple[Parameter, ...] = ()
    takes: Literal["json", "csv", "bytes"] | None = None
    takes_if_match: bool = False
    gives: Literal["json", "text", "events"] | None = "json"
    columns: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    is_paged: bool = False
    example: Any = None

    def prepared(
        self,
        arguments: Mapping[str, Any],
        body: Any = None,
        *,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> Call:
        """The request for these arguments: ids and query parameters by name. Raises ClientError where one is missing or
        unknown. `body`: JSON values, or bytes and text as they are."""
        known = {one.name for one in (*self.ids, *self.query)}
        if unknown := sorted(set(arguments) - known):
            raise ClientError(
                f"{self.name} takes no {', '.join(unknown)}; it takes {', '.join(sorted(known)) or 'nothing'}"
            )
        path = self.path
        for one in self.ids:
            if arguments.get(one.name) is None:
                raise ClientError(f"{self.name} needs {one.name}")
            path = path.replace("{" + one.name + "}", segment(arguments[one.name]))
        content = None
        if self.takes is not None and body is not None:
            content = body.encode() if isinstance(body, str) and self.takes != "json" else body
            content = content if isinstance(content, bytes) else encoded(content)
        return Call(
            method=self.method,
            path=path,
            query={name: value for name, value in arguments.items() if name in {one.name for one in self.query}},
            headers={"If-Match": version(if_match), "Idempotency-Key": idempotency_key},
            content=content,
            content_type=_MEDIA[self.takes] if self.takes is not None and content is not None else None,
            patience_s=patience_s(arguments),
        )


def patience_s(arguments: Mapping[str, Any]) -> float:
    """How much longer than usual the server may take, because it was asked to wait for a station."""
    waits = [arguments.get(name) or 0 for name in ("timeout", "wait", "wait_for_session")]
    return sum(float(one) for one in waits if not isinstance(one, bool))
