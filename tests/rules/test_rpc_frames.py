"""OCPP-J frames: what is read, what is refused and how, and how it is spelled."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ohmstead.ocpp import rpc
from ohmstead.ocpp.rpc import Call, CallError, CallResult, CallResultError, ErrorCode, FrameError, Send, Version

EVERY_VERSION = list(Version)


def refusal(data: str | bytes, version: Version = Version.V201, **limits: int) -> FrameError:
    with pytest.raises(FrameError) as caught:
        rpc.parse(data, version, **limits)
    return caught.value


# --- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", EVERY_VERSION)
def test_the_three_frames_of_every_version_are_read(version: Version) -> None:
    call = rpc.parse('[2,"id-1","Heartbeat",{}]', version)
    assert isinstance(call, Call)
    assert (call.message_id, call.action, bytes(call.payload)) == ("id-1", "Heartbeat", b"{}")

    result = rpc.parse(b'[3,"id-1",{"status":"Accepted"}]', version)
    assert isinstance(result, CallResult)
    assert bytes(result.payload) == b'{"status":"Accepted"}'

    error = rpc.parse('[4,"id-1","NotSupported","no",{"a":1}]', version)
    assert isinstance(error, CallError)
    assert (error.code, error.description, bytes(error.details)) == ("NotSupported", "no", b'{"a":1}')


def test_the_two_frames_of_2_1_are_read_on_2_1() -> None:
    send = rpc.parse('[6,"s","NotifyPeriodicEventStream",{"id":1}]', Version.V21)
    assert isinstance(send, Send)
    assert send.action == "NotifyPeriodicEventStream"
    error = rpc.parse('[5,"r","FormatViolation","",{}]', Version.V21)
    assert isinstance(error, CallResultError)
    assert error.code == "FormatViolation"


def test_white_space_between_the_elements_changes_nothing() -> None:
    frame = rpc.parse(' \r\n[ 2 ,\t"i" , "Heartbeat" ,  {"a": [ 1 ]}  ] ', Version.V16)
    assert isinstance(frame, Call)
    assert json.loads(bytes(frame.payload)) == {"a": [1]}


def test_text_beyond_ascii_is_kept() -> None:
    text = "Grüße 你好 🔌"
    for data in (json.dumps([2, "i", "A", {"t": text}]), json.dumps([2, "i", "A", {"t": text}], ensure_ascii=False)):
        for frame in (rpc.parse(data, Version.V16), rpc.parse(data.encode(), Version.V16)):
            assert isinstance(frame, Call)
            assert json.loads(bytes(frame.payload)) == {"t": text}


@pytest.mark.parametrize(
    ("data", "description"),
    [
        ('[4,"i","GenericError"]', ""),
        ('[4,"i","GenericError","why"]', "why"),
        ('[4,"i","GenericError",null,null]', ""),
        ('[4,"i","GenericError",5,"not an object"]', ""),
        ('[4,"i","GenericError","why",{},"more"]', "why"),
    ],
)
def test_a_callerror_ends_its_call_whatever_follows_the_code(data: str, description: str) -> None:
    frame = rpc.parse(data, Version.V16)
    assert isinstance(frame, CallError)
    assert (frame.message_id, frame.code, frame.description) == ("i", "GenericError", description)


# --- what is refused ------------------------------------------------------------------------------------------------

HOSTILE = [
    # what, the frame, the id to answer with, the code
    ("nothing", "", "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("no JSON", "hello", "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("an object", '{"a":1}', "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("a number", "2", "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("an empty array", "[]", "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("a type alone", "[2]", "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("a call without action", '[2,"i"]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a call without payload", '[2,"i","Heartbeat"]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a call with one element more", '[2,"i","Heartbeat",{},{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a type in quotes", '["2","i","Heartbeat",{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a type with a fraction", '[2.5,"i","Heartbeat",{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("true for a type", '[true,"i","Heartbeat",{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("null for a type", '[null,"i","Heartbeat",{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a number for an id", '[2,17,"Heartbeat",{}]', "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("null for an id", '[2,null,"Heartbeat",{}]', "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("an empty id", '[2,"","Heartbeat",{}]', "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("an id of 37", f'[2,"{"x" * 37}","Heartbeat",{{}}]', "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("a number for an action", '[2,"i",5,{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("an empty action", '[2,"i","",{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("an endless action", f'[2,"i","{"A" * 5000}",{{}}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("an array for a payload", '[2,"i","Heartbeat",[]]', "i", ErrorCode.FORMAT_VIOLATION),
    ("null for a payload", '[2,"i","Heartbeat",null]', "i", ErrorCode.FORMAT_VIOLATION),
    ("text for a payload", '[2,"i","Heartbeat","{}"]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a payload cut off", '[2,"i","Heartbeat",{"a":', "i", ErrorCode.FORMAT_VIOLATION),
    ("something after the end", '[2,"i","Heartbeat",{}] x', "i", ErrorCode.FORMAT_VIOLATION),
    ("two frames", '[2,"i","Heartbeat",{}][2,"j","Heartbeat",{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("NaN", '[2,"i","MeterValues",{"v":NaN}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("Infinity", '[2,"i","MeterValues",{"v":-Infinity}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("an escaped NUL", '[2,"i","Heartbeat",{"a":"x\\u0000y"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("an escaped NUL in a name", '[2,"i","Heartbeat",{"x\\u0000":1}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("an escaped NUL in the action", '[2,"i","Heart\\u0000beat",{}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a raw NUL", '[2,"i","Heartbeat",{"a":"\x00"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a raw control character", '[2,"i","Heartbeat",{"a":"\x07"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("half a surrogate pair", '[2,"i","Heartbeat",{"a":"\\ud83d"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("the other half", '[2,"i","Heartbeat",{"a":"\\ude00"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a pair torn apart", '[2,"i","Heartbeat",{"a":"\\ud83d-\\ude00"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a pair the wrong way round", '[2,"i","Heartbeat",{"a":"\\ude00\\ud83d"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("half a pair as a character", '[2,"i","Heartbeat",{"a":"\ud83d"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("bytes that are no UTF-8", b'[2,"i","Heartbeat",{"a":"\xff\xfe"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("a surrogate in bytes", b'[2,"i","Heartbeat",{"a":"\xed\xa0\x80"}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("an id that is no UTF-8", b'[2,"\xff","Heartbeat",{}]', "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("an id with NUL", '[2,"a\\u0000","Heartbeat",{}]', "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
    ("200,000 arrays", f'[2,"i","A",{"[" * 200_000}{"]" * 200_000}]', "i", ErrorCode.FORMAT_VIOLATION),
    ("200,000 arrays never closed", f'[2,"i","A",{"[" * 200_000}', "i", ErrorCode.FORMAT_VIOLATION),
    ("100,000 objects", f'[2,"i","A",{"{" + chr(34) + "a" + chr(34) + ":"}' * 100_000, "-1", None),
    ("200,000 arrays alone", "[" * 200_000, "-1", ErrorCode.RPC_FRAMEWORK_ERROR),
]


@pytest.mark.parametrize(("data", "message_id", "code"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
@pytest.mark.parametrize("version", EVERY_VERSION)
def test_a_frame_that_cannot_be_taken_is_answered(
    version: Version, data: str | bytes, message_id: str, code: ErrorCode | None
) -> None:
    error = refusal(data, version)
    if code is not None:
        assert (error.message_id, error.code) == (message_id, code)
    assert not error.is_silent
    assert len(error.description) <= 255
    answer = rpc.encode_error(error.message_id, error.code, error.description, None, version)
    assert isinstance(rpc.parse(answer, version), CallError)


def test_a_backslash_before_u0000_makes_it_plain_text() -> None:
    frame = rpc.parse('[2,"i","A",{"a":"\\\\u0000","b":"\\\\\\\\u0000"}]', Version.V16)
    assert isinstance(frame, Call)
    assert json.loads(bytes(frame.payload)) == {"a": "\\u0000", "b": "\\\\u0000"}


@pytest.mark.parametrize(
    "data", ['[3,"i",[]]', '[3,"i"]', '[3,"i",{},{}]', "[3,5,{}]", '[4,"i"]', '[4,"i",5]', '[3,"i",{']
)
@pytest.mark.parametrize("version", EVERY_VERSION)
def test_a_broken_answer_is_never_answered_but_names_its_call(version: Version, data: str) -> None:
    error = refusal(data, version)
    assert error.is_silent
    assert error.frame_type == int(data[1])
    assert error.message_id == ("-1" if data.startswith("[3,5") else "i")


@pytest.mark.parametrize("data", ['[6,"i","A",[]]', '[6,"i","A"]', '[6,"i",5,{}]', '[5,"i"]'])
def test_a_broken_send_is_never_answered(data: str) -> None:
    assert refusal(data, Version.V21).is_silent


@pytest.mark.parametrize("frame_type", [0, 1, 5, 6, 7, 99, -2])
def test_an_unknown_type_is_ignored_by_1_6_and_answered_by_2_0_1(frame_type: int) -> None:
    data = f'[{frame_type},"i","A",{{}}]'
    assert refusal(data, Version.V16).is_silent
    error = refusal(data, Version.V201)
    assert (error.message_id, error.code) == ("i", ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED)
    assert not error.is_silent


@pytest.mark.parametrize("frame_type", [0, 1, 7, 99])
def test_an_unknown_type_is_ignored_by_2_1(frame_type: int) -> None:
    assert refusal(f'[{frame_type},"i","A",{{}}]', Version.V21).is_silent


def test_a_frame_over_the_size_limit_is_refused_unread() -> None:
    data = f'[2,"i","A",{{"a":"{"x" * 1000}"}}]'
    assert isinstance(rpc.parse(data, Version.V16, max_bytes=len(data)), Call)
    error = refusal(data, Version.V16, max_bytes=len(data) - 1)
    assert (error.message_id, error.code) == ("i", ErrorCode.FORMAT_VIOLATION)


def test_the_size_limit_counts_bytes_and_not_characters() -> None:
    data = f'[2,"i","A",{{"a":"{"é" * 100}"}}]'
    assert refusal(data, Version.V16, max_bytes=len(data)).code == ErrorCode.FORMAT_VIOLATION


@pytest.mark.parametrize(
    "filling",
    [
        "1",  # nothing else in the frame
        '"]]]]]]]]"',  # brackets in texts must not count as brackets
        '"[[[["',
        '"\\"]]]]"',
        '"\\\\"',
        ",".join(["{}"] * 100),
        ",".join(['{"a":"}"}'] * 100),
    ],
)
def test_depth_is_counted_to_the_bracket(filling: str) -> None:
    def nested(depth: int) -> str:
        return f'[2,"i","A",{{"a":{"[" * (depth - 2)}{filling}{"]" * (depth - 2)}}}]'

    extra = 1 if filling.startswith("{") else 0
    assert isinstance(rpc.parse(nested(32 - extra), Version.V16), Call)
    error = refusal(nested(33 - extra), Version.V16)
    assert (error.message_id, error.code) == ("i", ErrorCode.FORMAT_VIOLATION)


def test_many_brackets_in_texts_are_no_depth() -> None:
    data = json.dumps([2, "i", "A", {"a": "[" * 500, "b": '{"' * 500, "c": [{"d": []}]}])
    assert isinstance(rpc.parse(data, Version.V16), Call)


def test_brackets_in_texts_cannot_hide_depth() -> None:
    inner = "1"
    for _ in range(100):
        inner = f'["]",{inner},"["]'
    assert refusal(f'[2,"i","A",{{"a":{inner}}}]', Version.V16).code == ErrorCode.FORMAT_VIOLATION


def test_a_description_never_repeats_what_was_sent() -> None:
    for data in ('[2,"i","A",{"secret":"s3cr3t"', '[2,"i","A",{"secret":"s3cr3t\\u0000"}]', '["s3cr3t","i","A",{}]'):
        assert "s3cr3t" not in refusal(data).description


@settings(max_examples=300, deadline=None)
@given(data=st.one_of(st.binary(max_size=80), st.text(max_size=80)), version=st.sampled_from(EVERY_VERSION))
def test_no_input_raises_anything_but_a_frame_error(data: str | bytes, version: Version) -> None:
    with contextlib.suppress(FrameError):
        assert rpc.parse(data, version).message_id


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(0, 60),
    insert=st.sampled_from([*'[]{}",:\\\x00u0', "\\u0000", "\\ud800", "1e999", "null"]),
    n_cut=st.integers(0, 3),
    version=st.sampled_from(EVERY_VERSION),
)
def test_a_damaged_frame_is_read_or_refused_and_what_is_read_can_be_kept(
    at: int, insert: str, n_cut: int, version: Version
) -> None:
    good = '[2,"19223201","BootNotification",{"a":["\\u00e9",1.5,{"b":null}]}]'
    damaged = good[:at] + insert + good[at + n_cut :]
    try:
        frame = rpc.parse(damaged, version)
    except FrameError:
        return
    assert 1 <= len(frame.message_id) <= 36
    if isinstance(frame, Call):
        assert "\x00" not in str(json.loads(bytes(frame.payload)))
        bytes(frame.payload).decode()


# --- what is written ------------------------------------------------------------------------------------------------


class _Reading(msgspec.Struct, omit_defaults=True):
    value: Decimal
    unit: str | None = None


def test_payloads_of_every_kind_are_written() -> None:
    assert rpc.encode_call("i", "A", _Reading(value=Decimal("1.10"))) == b'[2,"i","A",{"value":1.10}]'
    assert rpc.encode_call("i", "A", {"b": Decimal("0.30")}) == b'[2,"i","A",{"b":0.30}]'
    assert rpc.encode_result("i", b'{"raw": 1}') == b'[3,"i",{"raw": 1}]'
    assert rpc.encode_result("i", msgspec.Raw(b"{}")) == b'[3,"i",{}]'
    assert rpc.encode_send("i", "A", {}) == b'[6,"i","A",{}]'


def test_an_error_is_written_in_the_version_s_spelling_with_a_short_description() -> None:
    text = "x" * 300
    code = ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION
    words = {Version.V16: "OccurenceConstraintViolation", Version.V21: "OccurrenceConstraintViolation"}
    for version, word in words.items():
        frame = rpc.parse(rpc.encode_error("i", code, text, {"a": 1}, version), version)
        assert isinstance(frame, CallError)
        assert frame.code == word
        assert frame.description == "x" * 255
        assert bytes(frame.details) == b'{"a":1}'


def test_only_2_1_has_an_error_for_a_result() -> None:
    assert rpc.encode_result_error("i", ErrorCode.FORMAT_VIOLATION, "no", None) == b'[5,"i","FormatViolation","no",{}]'
    with pytest.raises(ValueError, match=r"2\.0\.1"):
        rpc.encode_result_error("i", ErrorCode.FORMAT_VIOLATION, "no", None, Version.V201)


CODES_16 = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}
CODES_2 = {
    "FormatViolation",
    "GenericError",
    "InternalError",
    "MessageTypeNotSupported",
    "NotImplemented",
    "NotSupported",
    "OccurrenceConstraintViolation",
    "PropertyConstraintViolation",
    "ProtocolError",
    "RpcFrameworkError",
    "SecurityError",
    "TypeConstraintViolation",
}


def test_each_version_knows_only_its_own_codes() -> None:
    assert {rpc.spelled(code, Version.V16) for code in ErrorCode} == CODES_16
    assert {rpc.spelled(code, Version.V201) for code in ErrorCode} == CODES_2
    assert {rpc.spelled(code, Version.V21) for code in ErrorCode} == CODES_2


def test_both_spellings_are_understood() -> None:
    for text in CODES_16 | CODES_2:
        assert ErrorCode.read(text) is not None
    assert ErrorCode.read("OccurenceConstraintViolation") is ErrorCode.read("OccurrenceConstraintViolation")
    assert ErrorCode.read("FormationViolation") is ErrorCode.FORMAT_VIOLATION
    assert ErrorCode.read("Nonsense") is None


def test_subprotocols_name_versions() -> None:
    assert [version.subprotocol for version in Version] == ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]
    assert [Version.from_subprotocol(version.subprotocol) for version in Version] == EVERY_VERSION
    for name in ("ocpp1.5", "1.6", "", "OCPP1.6"):
        with pytest.raises(ValueError, match="no OCPP version"):
            Version.from_subprotocol(name)
