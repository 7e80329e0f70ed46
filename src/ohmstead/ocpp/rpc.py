"""OCPP-J frames: text to values and back. Pure: no socket, no clock, no meaning of any action.

Sources: OCPP 1.6J §4, OCPP 2.0.1 part 4 §4, OCPP 2.1 part 4 §4. The usual frame costs one msgspec decode of the whole
array with the payload left as raw bytes; only what that decode refuses is looked at in detail.

Leniency on receive: a CALLERROR may lack description and details. Everything else has to be as the standard says.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

import msgspec

MAX_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 32
UNREADABLE_ID: Final = "-1"
"""The message id of an answer to a frame whose own id cannot be read (part 4 §4.2.3)."""

_MAX_ID: Final = 36
_MAX_ACTION: Final = 64
_MAX_DESCRIPTION: Final = 255

MessageId: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_ID)]
Action: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_ACTION)]

EMPTY_OBJECT: Final = msgspec.Raw(b"{}")


class Call(msgspec.Struct, frozen=True, array_like=True, tag=2, forbid_unknown_fields=True, gc=False):
    """CALL: one side asks."""

    message_id: MessageId
    action: Action
    payload: msgspec.Raw


class CallResult(msgspec.Struct, frozen=True, array_like=True, tag=3, forbid_unknown_fields=True, gc=False):
    """CALLRESULT: the answer to a CALL."""

    message_id: MessageId
    payload: msgspec.Raw


class CallError(msgspec.Struct, frozen=True, array_like=True, tag=4, forbid_unknown_fields=True, gc=False):
    """CALLERROR: a CALL was refused. `code` is spelled as the other side spelled it; see `ErrorCode.read`."""

    message_id: MessageId
    code: str
    description: str = ""
    details: msgspec.Raw = EMPTY_OBJECT


class CallResultError(msgspec.Struct, frozen=True, array_like=True, tag=5, forbid_unknown_fields=True, gc=False):
    """CALLRESULTERROR (2.1): a CALLRESULT was refused."""

    message_id: MessageId
    code: str
    description: str = ""
    details: msgspec.Raw = EMPTY_OBJECT


class Send(msgspec.Struct, frozen=True, array_like=True, tag=6, forbid_unknown_fields=True, gc=False):
    """SEND (2.1): a message that is never answered."""

    message_id: MessageId
    action: Action
    payload: msgspec.Raw


Frame: TypeAlias = Call | CallResult | CallError | CallResultError | Send


class Version(StrEnum):
    """The OCPP versions served. They compare as text; `subprotocol` is the WebSocket's name for one."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"

    # An enumeration's own hash is made by its name, in Python; versions are looked up several times a message.
    __hash__ = str.__hash__

    @property
    def subprotocol(self) -> str:
        return f"ocpp{self.value}"

    @classmethod
    def from_subprotocol(cls, name: str) -> Version:
        """`ocpp2.0.1` → V201. ValueError for a name that is not served."""
        for version in cls:
            if name == version.subprotocol:
                return version
        raise ValueError(f"no OCPP version has the subprotocol {name[:40]!r}")


class ErrorCode(StrEnum):
    """Why a message is refused, under 2.x's correct spelling; `spelled` gives a version's own."""

    FORMAT_VIOLATION = "FormatViolation"
    GENERIC_ERROR = "GenericError"
    INTERNAL_ERROR = "InternalError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    OCCURRENCE_CONSTRAINT_VIOLATION = "OccurrenceConstraintViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    PROTOCOL_ERROR = "ProtocolError"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"
    SECURITY_ERROR = "SecurityError"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"

    @classmethod
    def read(cls, text: str) -> ErrorCode | None:
        """The code a station means, in any version's spelling; None for one that no version has."""
        return _READINGS.get(text)


_SPELLED_16: Final = {
    ErrorCode.FORMAT_VIOLATION: "FormationViolation",
    ErrorCode.RPC_FRAMEWORK_ERROR: "FormationViolation",
    ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED: "NotSupported",
    ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: "OccurenceConstraintViolation",
}
_READINGS: Final[dict[str, ErrorCode]] = {code.value: code for code in ErrorCode} | {
    "FormationViolation": ErrorCode.FORMAT_VIOLATION,
    "OccurenceConstraintViolation": ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION,
}


def spelled(code: ErrorCode, version: Version) -> str:
    """The code as the version writes it: 1.6 spells two its own way and lacks three, which become their nearest."""
    return _SPELLED_16.get(code, code.value) if version is Version.V16 else code.value


class FrameError(Exception):
    """A frame that cannot be taken.

    `message_id` is what an answer should carry ("-1" when the frame's own cannot be read). `is_silent`: no answer is
    due, because the frame is itself an answer or a SEND, or because the version says to ignore its kind.
    `frame_type` is the type number where it could be read, so that a broken answer can end the call it belongs to.
    """

    def __init__(
        self,
        message_id: str,
        code: ErrorCode,
        description: str,
        *,
        is_silent: bool = False,
        frame_type: int | None = None,
    ) -> None:
        super().__init__(description)
        self.message_id = message_id
        self.code = code
        self.description = description
        self.is_silent = is_silent
        self.frame_type = frame_type


# --- reading --------------------------------------------------------------------------------------------------------

_frame_16: msgspec.json.Decoder[Call | CallResult | CallError] = msgspec.json.Decoder(Call | CallResult | CallError)
_frame_21: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
_TYPES: Final = {Call: 2, CallResult: 3, CallError: 4, CallResultError: 5, Send: 6}
_array = msgspec.json.Decoder(list[msgspec.Raw])
_text = msgspec.json.Decoder(str)

_OBJECT: Final = ord("{")
_BRACKETS: Final = bytes.maketrans(b"[{]}", b"(())")
_NEITHER_BRACKET_NOR_QUOTE: Final = bytes(set(range(256)) - set(b'[]{}"'))
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_HEAD: Final = re.compile(r'\s*\[\s*(\d{1,3})\s*,\s*"([^"\\\x00-\x1f]{1,36})"\s*[,\]]')


def parse(data: str | bytes, version: Version, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Frame:
    """One frame of the version. FrameError says how to answer, or not to, what cannot be taken.

    Refused besides bad shapes: more than `max_bytes` UTF-8 bytes, more than `max_depth` arrays and objects inside one
    another (the frame's own array counts), text with NUL or half a surrogate pair, which no database would take.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > max_bytes:
        raise _broken(raw, version, ErrorCode.FORMAT_VIOLATION, f"frame of {len(raw)} bytes; at most {max_bytes}")
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise _broken(raw, version, ErrorCode.FORMAT_VIOLATION, "frame is not UTF-8") from None
    try:
        frame: Frame = _frame_21.decode(raw) if version is Version.V21 else _frame_16.decode(raw)
    except (msgspec.ValidationError, RecursionError):
        frame = _odd(raw, version, max_depth)
    except msgspec.DecodeError as error:
        raise _broken(raw, version, ErrorCode.FORMAT_VIOLATION, f"not JSON: {_reason(error)}") from None
    if raw.count(b"{") + raw.count(b"[") > max_depth and _depth(raw, max_depth) > max_depth:
        raise _refused(frame, ErrorCode.FORMAT_VIOLATION, f"nested more than {max_depth} deep")
    if b"\\" in raw and not _is_storable(raw):
        raise _refused(frame, ErrorCode.FORMAT_VIOLATION, "text with NUL or half a surrogate pair")
    if not isinstance(frame, CallError | CallResultError) and memoryview(frame.payload)[0] != _OBJECT:
        raise _refused(frame, ErrorCode.FORMAT_VIOLATION, "payload is not an object")
    return frame


def _refused(frame: Frame, code: ErrorCode, description: str) -> FrameError:
    frame_type = _TYPES[type(frame)]
    if "\x00" in frame.message_id:
        return FrameError(UNREADABLE_ID, ErrorCode.RPC_FRAMEWORK_ERROR, description, is_silent=frame_type != 2)
    return FrameError(frame.message_id, code, description, is_silent=frame_type != 2, frame_type=frame_type)


def _broken(raw: bytes, version: Version, code: ErrorCode, description: str) -> FrameError:
    """For a frame that is no JSON: its id, where it stands at the front as it should, makes the answer useful."""
    head = _HEAD.match(raw[:200].decode("utf-8", "replace"))
    if not head or "\N{REPLACEMENT CHARACTER}" in head[2]:
        return FrameError(UNREADABLE_ID, ErrorCode.RPC_FRAMEWORK_ERROR, description)
    frame_type = int(head[1])
    return FrameError(head[2], code, description, is_silent=_is_silent(frame_type, version), frame_type=frame_type)


def _is_silent(frame_type: int, version: Version) -> bool:
    """Answers and SENDs are never answered; an unknown type only by 2.0.1 (part 4 §4.4)."""
    if frame_type == 2:
        return False
    return version is not Version.V201 or frame_type in (3, 4)


def _odd(raw: bytes, version: Version, max_depth: int) -> Frame:
    """A frame that the typed decode refused: name what is wrong with it, or mend the little that may be mended."""
    try:
        items = _array.decode(raw)
    except msgspec.ValidationError:
        raise FrameError(UNREADABLE_ID, ErrorCode.RPC_FRAMEWORK_ERROR, "frame is not an array") from None
    except RecursionError:
        raise _broken(raw, version, ErrorCode.FORMAT_VIOLATION, f"nested more than {max_depth} deep") from None
    except msgspec.DecodeError as error:  # the typed decode stopped before the place that is no JSON
        raise _broken(raw, version, ErrorCode.FORMAT_VIOLATION, f"not JSON: {_reason(error)}") from None
    if not items:
        raise FrameError(UNREADABLE_ID, ErrorCode.RPC_FRAMEWORK_ERROR, "frame is empty")
    message_id = _message_id(items)
    frame_type = _integer(items[0])
    if frame_type is None:
        code = ErrorCode.RPC_FRAMEWORK_ERROR if message_id == UNREADABLE_ID else ErrorCode.FORMAT_VIOLATION
        raise FrameError(message_id, code, "message type is not a number")
    is_silent = _is_silent(frame_type, version)
    if not 2 <= frame_type <= (6 if version is Version.V21 else 4):
        raise FrameError(
            message_id,
            ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED,
            f"message type {frame_type} is not of OCPP {version}",
            is_silent=is_silent,
            frame_type=frame_type,
        )

    def refused(code: ErrorCode, description: str) -> FrameError:
        return FrameError(message_id, code, description, is_silent=is_silent, frame_type=frame_type)

    if message_id == UNREADABLE_ID:
        raise refused(ErrorCode.RPC_FRAMEWORK_ERROR, f"message id is not a text of 1 to {_MAX_ID} characters")
    if frame_type in (4, 5):
        if ended := _odd_error(frame_type, message_id, items):
            return ended
        raise refused(ErrorCode.FORMAT_VIOLATION, "error code is not a text")
    length = 3 if frame_type == 3 else 4
    if len(items) != length:
        raise refused(ErrorCode.FORMAT_VIOLATION, f"frame has {len(items)} elements; {length} are due")
    raise refused(ErrorCode.FORMAT_VIOLATION, f"action is not a text of 1 to {_MAX_ACTION} characters")


def _odd_error(frame_type: int, message_id: str, items: list[msgspec.Raw]) -> Frame | None:
    """[4, id, code] with anything or nothing after it: the call it ends has failed, whatever the rest is."""
    code = _string(items[2]) if len(items) > 2 else None
    if code is None:
        return None
    description = _string(items[3]) if len(items) > 3 else None
    details = items[4] if len(items) > 4 else EMPTY_OBJECT
    kind = CallError if frame_type == 4 else CallResultError
    return kind(message_id, code, description or "", details)


def _message_id(items: list[msgspec.Raw]) -> str:
    text = _string(items[1]) if len(items) > 1 else None
    if not text or len(text) > _MAX_ID or "\x00" in text:
        return UNREADABLE_ID
    return text


def _string(raw: msgspec.Raw) -> str | None:
    try:
        return _text.decode(raw)
    except msgspec.DecodeError:
        return None


def _integer(raw: msgspec.Raw) -> int | None:
    digits = bytes(raw)
    return int(digits) if re.fullmatch(rb"-?\d{1,9}", digits) else None


def _reason(error: msgspec.DecodeError) -> str:
    return str(error).removeprefix("JSON is malformed: ")[:100]


def _depth(raw: bytes, limit: int) -> int:
    """How deep valid JSON is nested, counted no further than one past the limit."""
    # A string without brackets leaves two quotes side by side; where any quote stays, a string held brackets.
    brackets = raw.translate(_BRACKETS, _NEITHER_BRACKET_NOR_QUOTE).replace(b'""', b"")
    if b'"' in brackets or b"\\" in raw:
        brackets = _STRING.sub(b"", raw).translate(_BRACKETS, _NEITHER_BRACKET_NOR_QUOTE)
    depth = 0
    while brackets and depth <= limit:
        brackets = brackets.replace(b"()", b"")
        depth += 1
    return depth


def _is_storable(raw: bytes) -> bool:
    """Whether every escape in valid JSON stands for a character that PostgreSQL and UTF-8 can hold."""
    high_end = -1  # where a high surrogate ended that still waits for its other half
    for match in _ESCAPE.finditer(raw):
        unit = int(match[1], 16) if match[1] else -1
        is_low = 0xDC00 <= unit <= 0xDFFF
        if (high_end >= 0) != is_low or (is_low and match.start() != high_end) or unit == 0:
            return False
        high_end = match.end() if 0xD800 <= unit <= 0xDBFF else -1
    return high_end < 0


# --- writing --------------------------------------------------------------------------------------------------------

Payload: TypeAlias = msgspec.Struct | dict[str, Any] | msgspec.Raw | bytes

_encoder = msgspec.json.Encoder(decimal_format="number")


def to_json(value: Any) -> bytes:
    """JSON with decimals as numbers, exactly as they are."""
    return _encoder.encode(value)


def _plain(payload: Payload) -> Any:
    return msgspec.Raw(payload) if isinstance(payload, bytes) else payload


def encode_call(message_id: str, action: str, payload: Payload) -> bytes:
    """CALL. `payload` as bytes or Raw is taken to be JSON already."""
    return _encoder.encode((2, message_id, action, _plain(payload)))


def encode_result(message_id: str, payload: Payload) -> bytes:
    """CALLRESULT."""
    return _encoder.encode((3, message_id, _plain(payload)))


def encode_error(
    message_id: str, code: ErrorCode, description: str, details: dict[str, Any] | None, version: Version
) -> bytes:
    """CALLERROR in the version's spelling, its description cut to the 255 characters that are allowed."""
    return _encoder.encode((4, message_id, spelled(code, version), description[:_MAX_DESCRIPTION], details or {}))


def encode_result_error(
    message_id: str, code: ErrorCode, description: str, details: dict[str, Any] | None, version: Version = Version.V21
) -> bytes:
    """CALLRESULTERROR, which only 2.1 has."""
    if version is not Version.V21:
        raise ValueError(f"OCPP {version} has no CALLRESULTERROR")
    return _encoder.encode((5, message_id, spelled(code, version), description[:_MAX_DESCRIPTION], details or {}))


def encode_send(message_id: str, action: str, payload: Payload) -> bytes:
    """SEND, which only 2.1 has."""
    return _encoder.encode((6, message_id, action, _plain(payload)))
