"""Frames that are no OCPP: the right CALLERROR in the version's own spelling, or silence; and life goes on."""

import json
from typing import Any
from uuid import UUID

import pytest

from ohmstead.core.db import Pool
from ohmstead.ocpp.rpc import ErrorCode, Version, spelled
from ohmstead.settings import Settings
from tests.gateway.running import House, eventually, open_gateway, with_settings
from tests.gateway.wire import VERSIONS, Frame, connected, deflated, dialled, knock

V16, V201, V21 = VERSIONS
FORMAT, FRAME = ErrorCode.FORMAT_VIOLATION, ErrorCode.RPC_FRAMEWORK_ERROR
OCCURRENCE, PROPERTY = ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
TYPE, KIND = ErrorCode.TYPE_CONSTRAINT_VIOLATION, ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED
UNKNOWN, WRONG_WAY = ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED

STATUS: dict[Version, dict[str, Any]] = {
    V16: {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
    V201: {"timestamp": "2026-11-01T08:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1},
    V21: {"timestamp": "2026-11-01T08:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1},
}
VENDOR = {V16: "chargePointVendor", V201: "vendorName", V21: "vendorName"}
DEEP = "[" * 200_000 + "]" * 200_000

Expected = tuple[str, ErrorCode] | None


def boot(version: Version, **changes: Any) -> str:
    """A boot frame with odd values."""
    fields = {VENDOR[version]: "V", ("chargePointModel" if version is V16 else "model"): "M"} | changes
    payload = fields if version is V16 else {"reason": "PowerUp", "chargingStation": fields}
    return json.dumps([2, "a", "BootNotification", payload])


def status(version: Version, **changes: Any) -> str:
    return json.dumps([2, "a", "StatusNotification", STATUS[version] | changes])


def outlet(version: Version) -> str:
    return "connectorId" if version is V16 else "evseId"


def cases(version: Version) -> list[tuple[str, Expected]]:
    """What is sent, and what has to come back: (message id, code), or None for silence."""
    text = json.dumps
    unknown_type: Expected = ("a", KIND) if version is V201 else None
    outgoing = "RemoteStartTransaction" if version is V16 else "RequestStartTransaction"
    field = outlet(version)
    return [
        ("", ("-1", FRAME)),
        ("nonsense", ("-1", FRAME)),
        ("[2,", ("-1", FRAME)),
        ("\ufeff" + text([2, "a", "Heartbeat", {}]), ("-1", FRAME)),
        ("{}", ("-1", FRAME)),
        ('"text"', ("-1", FRAME)),
        ("null", ("-1", FRAME)),
        ("42", ("-1", FRAME)),
        ("[]", ("-1", FRAME)),
        ("[2]", ("-1", FRAME)),
        ("['2','a','Heartbeat',{}]", ("-1", FRAME)),
        (text([2, "a"]), ("a", FORMAT)),
        (text([2, "a", "Heartbeat"]), ("a", FORMAT)),
        (text([2, "a", "Heartbeat", {}, 1]), ("a", FORMAT)),
        (text([2, "a", "Heartbeat", {}]) + "x", ("a", FORMAT)),
        (text([2, "a", "Heartbeat", {}]) * 2, ("a", FORMAT)),
        (text(["2", "a", "Heartbeat", {}]), ("a", FORMAT)),
        (text([2.5, "a", "Heartbeat", {}]), ("a", FORMAT)),
        (text([None, "a", "Heartbeat", {}]), ("a", FORMAT)),
        (text([2, 7, "Heartbeat", {}]), ("-1", FRAME)),
        (text([2, None, "Heartbeat", {}]), ("-1", FRAME)),
        (text([2, "", "Heartbeat", {}]), ("-1", FRAME)),
        (text([2, "x" * 37, "Heartbeat", {}]), ("-1", FRAME)),
        (text([2, "a\0", "Heartbeat", {}]), ("-1", FRAME)),
        (text([2, ["a"], "Heartbeat", {}]), ("-1", FRAME)),
        (text([2, "a", 7, {}]), ("a", FORMAT)),
        (text([2, "a", "", {}]), ("a", FORMAT)),
        (text([2, "a", "x" * 65, {}]), ("a", FORMAT)),
        (text([2, "a", "Heartbeat", []]), ("a", FORMAT)),
        (text([2, "a", "Heartbeat", None]), ("a", FORMAT)),
        (text([2, "a", "Heartbeat", "{}"]), ("a", FORMAT)),
        (text([2, "a", "Nonsense", {}]), ("a", UNKNOWN)),
        (text([2, "a", "__proto__", {}]), ("a", UNKNOWN)),
        (text([2, "a", "heartbeat", {}]), ("a", UNKNOWN)),
        (text([2, "a", "'; drop table station; --", {}]), ("a", UNKNOWN)),
        (text([2, "a", outgoing, {}]), ("a", WRONG_WAY)),
        (text([2, "a", "NotifyPeriodicEventStream", {}]), ("a", KIND if version is V21 else UNKNOWN)),
        (text([2, "a", "BootNotification", {}]), ("a", OCCURRENCE)),
        (boot(version, **{VENDOR[version]: 5}), ("a", TYPE)),
        (boot(version, **{VENDOR[version]: "x" * 51}), ("a", PROPERTY)),
        (boot(version, **{VENDOR[version]: "x\0"}), ("a", FORMAT)),
        (boot(version, **{VENDOR[version]: "x\ud800"}), ("a", FORMAT)),
        (boot(version, **{VENDOR[version]: "\udc00x"}), ("a", FORMAT)),
        (status(version, **{"status" if version is V16 else "connectorStatus": "Sleeping"}), ("a", PROPERTY)),
        (status(version, **{field: -1}), ("a", PROPERTY)),
        (status(version, **{field: 2**31}), ("a", PROPERTY)),
        (status(version, **{field: 1.5}), ("a", TYPE)),
        (status(version, **{field: "1"}), ("a", TYPE)),
        (status(version, **{field: True}), ("a", TYPE)),
        (status(version, **{field: float("nan")}), ("a", FORMAT)),
        (status(version, **{field: float("inf")}), ("a", FORMAT)),
        (status(version, **{field: 987654}).replace("987654", "1e400"), ("a", TYPE)),
        (status(version, timestamp="yesterday"), ("a", FORMAT)),
        (status(version, timestamp="0001-01-01T00:00:00+14:00"), ("a", FORMAT)),
        (text([2, "a", "DataTransfer", {"vendorId": "v", "data": {"x": 1}}])[:-3] + "}", ("a", FORMAT)),
        (f'[2,"a","DataTransfer",{{"vendorId":"v","data":{DEEP}}}]', ("a", FORMAT)),
        (DEEP, ("-1", FRAME)),
        (f'[2,"a","Heartbeat",{{"x":{"[" * 31}{"]" * 31}}}]', ("a", FORMAT)),
        (text([1, "a", "Heartbeat", {}]), unknown_type),
        (text([99, "a", "Heartbeat", {}]), unknown_type),
        (text([-1, "a", "Heartbeat", {}]), unknown_type),
        (text([6, "a", "Heartbeat", {}]), unknown_type),
        (text([6, "a", "NotifyPeriodicEventStream", {"id": 1}]), unknown_type),
        (text([6, "a", "Nonsense", {}]), unknown_type),
        (text([5, "a", "GenericError", "", {}]), unknown_type),
        (text([3, "nobody asked", {}]), None),
        (text([3, "nobody asked", []]), None),
        (text([3, "a"]), None),
        (text([3, 7, {}]), None),
        (text([4, "nobody asked", "GenericError", "", {}]), None),
        (text([4, "nobody asked", "Whatever"]), None),
        (text([4]), None),
    ]


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_malformed_frame_gets_its_error_in_the_versions_spelling_or_silence(
    version: Version, house: House
) -> None:
    await house.station("ODD", has_booted=True)
    await house.station("GOOD")
    wrong: dict[str, Any] = {}
    table = cases(version)
    async with connected(house, "GOOD", version, boots=True) as bystander:
        # A few to a connection: too many of them in a minute end it.
        for start in range(0, len(table), 8):
            async with connected(house, "ODD", version) as station:
                for raw, expected in table[start : start + 8]:
                    answer = await station.answer_to(raw)
                    if not _fits(answer, expected, version):
                        wrong[raw[:80]] = answer
            await bystander.beat()
    assert wrong == {}
    assert len(table) >= 40
    n_errors = len([expected for _, expected in table if expected])
    await eventually(lambda: _logged(house, n_errors), "refused frames are missing from the message log")


async def _logged(house: House, n_errors: int) -> bool:
    return len(await house.exchanges("ODD", answer_kind="error")) >= n_errors


def _fits(answer: Frame | None, expected: Expected, version: Version) -> bool:
    if answer is None or expected is None:
        return answer is None and expected is None
    if len(answer) != 5 or answer[:3] != [4, expected[0], spelled(expected[1], version)]:
        return False
    # Nothing internal and nothing of what was sent comes back.
    told = str(answer[3]).lower()
    is_plain = not any(word in told for word in ("traceback", "psycopg", "asyncpg", "select ", "sqlstate"))
    return answer[4] == {} and len(answer[3]) <= 255 and is_plain


@pytest.mark.parametrize("version", VERSIONS)
async def test_harmless_oddities_are_understood(version: Version, house: House) -> None:
    await house.station("ODD", has_booted=True)
    async with connected(house, "ODD", version) as station:
        for raw in (
            '  [ 2 , "a" , "Heartbeat" , { } ]\r\n',
            '[2,"\\u0061","Heartbeat",{"unknown":1}]',
            '[2,"a","DataTransfer",{"vendorId":"first","vendorId":"second"}]',
            '[2,"a","DataTransfer",{"vendorId":"v","data":null}]',
            status(version, timestamp="2026-11-01T08:00:00.123456789+01:00"),
            status(version, timestamp="2026-11-01 08:00:00"),
        ):
            answer = await station.answer_to(raw)
            assert answer is not None, raw
            assert answer[:2] == [3, "a"], (raw, answer)


async def test_too_many_malformed_frames_end_the_connection_but_not_the_station(house: House) -> None:
    await house.station("ODD", has_booted=True)
    async with connected(house, "ODD") as station:
        await station.send(*["nonsense"] * 40)
        assert await station.until_closed() == 1008
    async with connected(house, "ODD") as station:
        await station.beat()


# ---- below OCPP: WebSocket frames ------------------------------------------------------------------------------------

BEAT = [2, "a", "Heartbeat", {}]


async def test_fragments_with_a_ping_between_them_make_one_message(house: House) -> None:
    await house.station("ODD", has_booted=True)
    async with dialled(house, "/ocpp/ODD", user="ODD") as socket:
        data = json.dumps(BEAT).encode()
        socket.frame(1, data[:5], is_final=False)
        socket.frame(9, b"are you there")
        socket.frame(0, data[5:11], is_final=False)
        socket.frame(0, data[11:])
        assert await socket.read() == (10, b"are you there")
        opcode, answer = await socket.read()
        assert (opcode, json.loads(answer)[:2]) == (1, [3, "a"])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("binary", 1003),
        ("not_utf8", 1007),
        ("surrogate_in_utf8", 1007),
        ("reserved_bits", 1002),
        ("reserved_opcode", 1002),
        ("lonely_continuation", 1002),
        ("long_ping", 1002),
        ("too_large", 1009),
        ("too_large_in_pieces", 1009),
        ("bomb", 1009),
    ],
)
async def test_a_frame_below_ocpp_that_cannot_be_taken_ends_this_connection_only(
    name: str, code: int, house: House
) -> None:
    await house.station("ODD", has_booted=True)
    await house.station("GOOD")
    deflate = {"Sec-WebSocket-Extensions": "permessage-deflate"} if name == "bomb" else {}
    async with (
        connected(house, "GOOD", boots=True) as bystander,
        dialled(house, "/ocpp/ODD", user="ODD", headers=deflate) as socket,
    ):
        for opcode, data, options in _rude(name):
            socket.frame(opcode, data, **options)
        await bystander.beat()
        assert await socket.close_code() == code
        await bystander.beat()
    assert await knock(house, "ODD") == 101
    await eventually(lambda: house.exchanges("ODD", action="(unreadable)"), "not in the message log")


def _rude(name: str) -> list[tuple[int, bytes, dict[str, Any]]]:
    mebibyte = b"x" * 1024 * 1024
    kinds: dict[str, list[tuple[int, bytes, dict[str, Any]]]] = {
        "binary": [(2, json.dumps(BEAT).encode(), {})],
        "not_utf8": [(1, b'[2,"a\xff","Heartbeat",{}]', {})],
        "surrogate_in_utf8": [(1, b'[2,"a\xed\xa0\x80","Heartbeat",{}]', {})],
        "reserved_bits": [(1, json.dumps(BEAT).encode(), {"rsv": 2})],
        "reserved_opcode": [(3, b"", {})],
        "lonely_continuation": [(0, b"more", {})],
        "long_ping": [(9, b"x" * 126, {})],
        "too_large": [(1, mebibyte + b"x", {})],
        "too_large_in_pieces": [(1, mebibyte[:600_000], {"is_final": False}), (0, mebibyte[:600_000], {})],
        # Some kilobytes that would be 256 MB.
        "bomb": [(1, deflated(b"x" * 256 * 1024 * 1024), {"rsv": 4})],
    }
    return kinds[name]


async def test_the_largest_message_allowed_is_taken_and_one_larger_is_not(house: House) -> None:
    await house.station("ODD", has_booted=True)
    largest = house.gateway.settings.max_frame_bytes
    async with connected(house, "ODD", compress=15) as station:
        frame = json.dumps([2, "a", "DataTransfer", {"vendorId": "v", "data": ""}])
        filling = "x" * (largest - len(frame) - 1)
        await station.send(frame.replace('"data": ""', f'"data": "{filling}"'))
        assert (await station.receive())[:2] == [3, "a"]
        await station.send(frame.replace('"data": ""', f'"data": "{filling}xx"'))
        assert await station.until_closed() == 1009


async def test_a_gateway_set_to_take_larger_messages_takes_them(settings: Settings, db: Pool, party_id: UUID) -> None:
    async with open_gateway(with_settings(settings, max_frame_bytes=2 * 1024 * 1024), db, party_id) as house:
        await house.station("ODD", has_booted=True)
        async with connected(house, "ODD") as station:
            data = "x" * 1_500_000
            assert await station.tell("DataTransfer", {"vendorId": "v", "data": data}) == {"status": "UnknownVendorId"}
