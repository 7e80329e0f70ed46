"""Requests on their way: blocking and asynchronous, with the same manners."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

from ohmstead_client.catalogue import OPERATIONS
from ohmstead_client.errors import ApiError, ClientError, ConnectionFailed, UnreadableAnswer
from ohmstead_client.events import EventReader, LiveEvent
from ohmstead_client.operations import Operation
from ohmstead_client.requests import Call, decoded, pause_s, problem

T = TypeVar("T")
USER_AGENT = "ohmstead-client/0.1.0"
# A live stream says that it is still there every fifteen seconds.
_SILENCE_S = 40.0


def operation(name: str) -> Operation:
    """An operation by its name. Raises ClientError."""
    try:
        return OPERATIONS[name]
    except KeyError:
        raise ClientError(f"there is no operation {name}") from None


def _headers(key: str | None) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _request(client: httpx.Client | httpx.AsyncClient, call: Call, timeout_s: float) -> httpx.Request:
    return client.build_request(
        call.method,
        call.path,
        params=call.parameters,
        headers=call.sent_headers,
        content=call.content,
        timeout=timeout_s + call.patience_s,
    )


def _judged(answer: httpx.Response) -> ApiError | None:
    if answer.is_success:
        return None
    if answer.is_redirect:
        raise UnreadableAnswer(f"led away to {answer.headers.get('location')}: is the URL that of an Ohmstead?")
    return problem(answer.status_code, answer.content, answer.headers.get("x-request-id"))


def _taken(answer: httpx.Response, kind: Any) -> Any:
    if kind is None:
        return None
    return answer.content if kind is bytes else decoded(answer.content, kind)


def _not_reached(error: httpx.TransportError) -> ConnectionFailed:
    return ConnectionFailed(f"no answer: {str(error) or type(error).__name__}")


class SyncTransport:
    """Sends requests and waits. `key`: an API key; `timeout_s` holds for one try; `retries`: how often to try again."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 30.0,
        retries: int = 3,
        http: httpx.Client | None = None,
    ) -> None:
        self._http = http or httpx.Client()
        self._http.base_url = httpx.URL(url)
        self._http.headers.update(_headers(key))
        self._timeout_s = timeout_s
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def call(
        self,
        name: str,
        body: Any = None,
        *,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
        **arguments: Any,
    ) -> Any:
        """Carry out an operation by its name; gives plain JSON values, or bytes where the answer is no JSON."""
        known = operation(name)
        call = known.prepared(arguments, body, if_match=if_match, idempotency_key=idempotency_key)
        return self._send(call, plain(known))

    def export(self, name: str, form: str, **arguments: Any) -> Generator[bytes, None, None]:
        """Everything that matches, as `csv` or `ndjson`, piece by piece."""
        call = exporting(operation(name), form, arguments)
        try:
            answer = self._http.send(_request(self._http, call, self._timeout_s), stream=True)
            try:
                if not answer.is_success:
                    answer.read()
                if (error := _judged(answer)) is not None:
                    raise error
                yield from answer.iter_bytes()
            finally:
                answer.close()
        except httpx.TransportError as error:
            raise _not_reached(error) from error

    def _send(self, call: Call, kind: Any) -> Any:
        n_tries = 0
        while True:
            n_tries += 1
            failed: ClientError
            try:
                answer = self._http.send(_request(self._http, call, self._timeout_s))
                problem_told = _judged(answer)
                if problem_told is None:
                    return _taken(answer, kind)
                failed, retry_after = problem_told, answer.headers.get("retry-after")
            except httpx.TransportError as error:
                failed, problem_told, retry_after = _not_reached(error), None, None
            pause = pause_s(call, n_tries, self._retries, problem_told, retry_after)
            if pause is None:
                raise failed
            time.sleep(pause)

    def _events(self, call: Call) -> Generator[LiveEvent, None, None]:
        """Events as they happen; connects again when the connection ends. What happens between two is missed."""
        was_there = False
        while True:
            reader = EventReader()
            try:
                request = _request(self._http, call, _SILENCE_S)
                answer = self._http.send(request, stream=True)
                try:
                    if not answer.is_success:
                        answer.read()
                    if (error := _judged(answer)) is not None and error.status != 503:
                        raise error
                    was_there = True
                    for line in answer.iter_lines() if answer.is_success else ():
                        yield from reader.read(line)
                finally:
                    answer.close()
            except httpx.TransportError as error:
                if not was_there:
                    raise _not_reached(error) from error
            time.sleep(reader.retry_s)


class AsyncTransport:
    """The same for asynchronous programs."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 30.0,
        retries: int = 3,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._http = http or httpx.AsyncClient()
        self._http.base_url = httpx.URL(url)
        self._http.headers.update(_headers(key))
        self._timeout_s = timeout_s
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()

    async def call(
        self,
        name: str,
        body: Any = None,
        *,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
        **arguments: Any,
    ) -> Any:
        """Carry out an operation by its name; gives plain JSON values, or bytes where the answer is no JSON."""
        known = operation(name)
        call = known.prepared(arguments, body, if_match=if_match, idempotency_key=idempotency_key)
        return await self._send(call, plain(known))

    async def export(self, name: str, form: str, **arguments: Any) -> AsyncGenerator[bytes, None]:
        """Everything that matches, as `csv` or `ndjson`, piece by piece."""
        call = exporting(operation(name), form, arguments)
        try:
            answer = await self._http.send(_request(self._http, call, self._timeout_s), stream=True)
            try:
                if not answer.is_success:
                    await answer.aread()
                if (error := _judged(answer)) is not None:
                    raise error
                async for piece in answer.aiter_bytes():
                    yield piece
            finally:
                await answer.aclose()
        except httpx.TransportError as error:
            raise _not_reached(error) from error

    async def _send(self, call: Call, kind: Any) -> Any:
        n_tries = 0
        while True:
            n_tries += 1
            failed: ClientError
            try:
                answer = await self._http.send(_request(self._http, call, self._timeout_s))
                problem_told = _judged(answer)
                if problem_told is None:
                    return _taken(answer, kind)
                failed, retry_after = problem_told, answer.headers.get("retry-after")
            except httpx.TransportError as error:
                failed, problem_told, retry_after = _not_reached(error), None, None
            pause = pause_s(call, n_tries, self._retries, problem_told, retry_after)
            if pause is None:
                raise failed
            await asyncio.sleep(pause)

    async def _events(self, call: Call) -> AsyncGenerator[LiveEvent, None]:
        """Events as they happen; connects again when the connection ends. What happens between two is missed."""
        was_there = False
        while True:
            reader = EventReader()
            try:
                request = _request(self._http, call, _SILENCE_S)
                answer = await self._http.send(request, stream=True)
                try:
                    if not answer.is_success:
                        await answer.aread()
                    if (error := _judged(answer)) is not None and error.status != 503:
                        raise error
                    was_there = True
                    if answer.is_success:
                        async for line in answer.aiter_lines():
                            for event in reader.read(line):
                                yield event
                finally:
                    await answer.aclose()
            except httpx.TransportError as error:
                if not was_there:
                    raise _not_reached(error) from error
            await asyncio.sleep(reader.retry_s)


def plain(known: Operation) -> Any:
    """As what an operation's answer is read when nobody asks for its type. Raises ClientError for a stream."""
    if known.gives == "events":
        raise ClientError(f"{known.name} is a stream: use stream_events")
    return None if known.gives is None else bytes if known.gives == "text" else Any


def exporting(known: Operation, form: str, arguments: dict[str, Any]) -> Call:
    """The request for everything that matches. Raises ClientError where there is no such form."""
    if form not in known.exports:
        there_are = ", ".join(known.exports) or "none"
        raise ClientError(f"{known.name} does not come as {form} (there are: {there_are})")
    call = known.prepared(arguments)
    return msgspec.structs.replace(call, query={**call.query, "format": form})
