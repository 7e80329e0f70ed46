"""One connection's conversation: our CALLs one after the other, theirs answered at once, each direction by itself."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from ohmstead.ocpp import rpc
from ohmstead.ocpp.rpc import ErrorCode, Version
from ohmstead.simulator.tally import Tally
from ohmstead.simulator.transport import Socket


class Message(Struct, frozen=True):
    """What a station wants to say: an action and its payload."""

    action: str
    body: Struct


class Answer(Struct, frozen=True):
    """A station's answer to a CALL; `then` runs once it has been sent."""

    body: Struct | None = None
    error: ErrorCode | None = None
    text: str = ""
    then: Callable[[], None] | None = None


class CallRefused(Exception):
    """The CSMS answered with CALLERROR, or with something that is no valid answer."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Unanswered(Exception):
    """No answer in time."""


class Disconnected(Exception):
    """The connection went away before the answer came."""


class Speech(Protocol):
    """What a link needs of a speaker: frames for a message, and answers to what the CSMS asks."""

    @property
    def version(self) -> Version:
        """The version spoken."""

    @property
    def responses(self) -> Mapping[str, msgspec.json.Decoder[Any]]:
        """Decoders of the CSMS's answers by action."""

    def payload(self, message: Message) -> bytes:
        """The message's payload as JSON, as this station would write it."""

    def answer(self, action: str, payload: msgspec.Raw) -> Answer:
        """Answer a CALL from the CSMS. Never raises for what the CSMS sent."""


class Link:
    """One socket. `new_id` gives message ids; `timeout_s` bounds the wait for each answer."""

    __slots__ = ("_latest", "_lock", "_new_id", "_pending", "_socket", "_speech", "_tally", "is_open", "timeout_s")

    def __init__(
        self, socket: Socket, speech: Speech, tally: Tally, new_id: Callable[[], str], timeout_s: float = 30.0
    ) -> None:
        self._socket = socket
        self._speech = speech
        self._tally = tally
        self._new_id = new_id
        self._lock = asyncio.Lock()
        self._pending: tuple[str, asyncio.Future[rpc.Frame]] | None = None
        self._latest = ""
        self.timeout_s = timeout_s
        self.is_open = True

    async def call(self, message: Message, message_id: str | None = None) -> Any:
        """Send a CALL when its turn has come and wait for the answer's payload, decoded.

        `message_id` repeats an earlier CALL under its id. Raises CallRefused, Unanswered or Disconnected.
        """
        async with self._lock:
            return await self._exchange(message.action, self._speech.payload(message), message_id or self._new_id())

    @property
    def last_message_id(self) -> str:
        """The id of the CALL sent last."""
        return self._latest

    async def _exchange(self, action: str, payload: bytes, message_id: str) -> Any:
        if not self.is_open:
            raise Disconnected
        loop = asyncio.get_running_loop()
        future: asyncio.Future[rpc.Frame] = loop.create_future()
        self._pending, self._latest = (message_id, future), message_id
        began = loop.time()
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._socket.send(rpc.encode_call(message_id, action, payload))
                self._tally.sent[action] += 1
                answer = await future
        except TimeoutError:
            self._tally.error("unanswered", action)
            raise Unanswered from None
        except ConnectionError:
            # Not open any more from now on: who calls again at once must find a new connection, or wait for one.
            await self.close()
            raise Disconnected from None
        finally:
            self._pending = None
        self._tally.latency.add(loop.time() - began)
        self._tally.n_answered += 1
        return self._read(action, answer)

    def _read(self, action: str, answer: rpc.Frame) -> Any:
        if isinstance(answer, rpc.CallError):
            self._tally.error("call_errors", f"{action} → {answer.code} {answer.description}")
            raise CallRefused(answer.code, answer.description)
        if isinstance(answer, rpc.CallResult):
            try:
                return self._speech.responses[action].decode(answer.payload)
            except msgspec.ValidationError as error:
                self._tally.error("invalid_answers", f"{action}: {error}")
                raise CallRefused("invalid answer", str(error)) from None
        raise CallRefused("no answer", type(answer).__name__)

    async def send(self, message: Message) -> None:
        """A SEND (2.1): nothing comes back."""
        await self._socket.send(rpc.encode_send(self._new_id(), message.action, self._speech.payload(message)))
        self._tally.sent[message.action] += 1

    async def run(self) -> None:
        """Read until the socket closes. The reader never waits for a handler."""
        try:
            while (data := await self._socket.receive()) is not None:
                await self._take(data)
        except ConnectionError:
            pass
        finally:
            self.is_open = False
            if self._pending is not None and not self._pending[1].done():
                self._pending[1].set_exception(Disconnected())

    async def _take(self, data: bytes) -> None:
        try:
            frame = rpc.parse(data, self._speech.version)
        except rpc.FrameError as error:
            self._tally.error("bad_frames", error.description)
            if not error.is_silent:
                await self._socket.send(
                    rpc.encode_error(error.message_id, error.code, error.description, None, self._speech.version)
                )
            elif self._pending is not None and self._pending[0] == error.message_id and not self._pending[1].done():
                self._pending[1].set_exception(CallRefused("invalid answer", error.description))
            return
        if isinstance(frame, rpc.Call):
            await self._reply(frame)
        elif isinstance(frame, rpc.CallResult | rpc.CallError):
            if self._pending is None or self._pending[0] != frame.message_id:
                self._tally.error("late_answers")
            elif not self._pending[1].done():
                self._pending[1].set_result(frame)

    async def _reply(self, call: rpc.Call) -> None:
        self._tally.received[call.action] += 1
        answer = self._speech.answer(call.action, call.payload)
        if answer.body is not None:
            await self._socket.send(rpc.encode_result(call.message_id, answer.body))
        else:
            code = answer.error or ErrorCode.INTERNAL_ERROR
            await self._socket.send(rpc.encode_error(call.message_id, code, answer.text, None, self._speech.version))
        if answer.then is not None:
            answer.then()

    async def close(self) -> None:
        """Close the socket; `run` ends."""
        self.is_open = False
        await self._socket.close()
