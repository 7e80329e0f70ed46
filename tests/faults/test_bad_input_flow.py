"""Order, repeats, floods and slow readers: each station gets what is due to it, and no station pays for another."""

import asyncio
import contextlib
import functools
import json
import socket
import time
from collections.abc import MutableMapping, Sequence
from typing import Any
from uuid import UUID

import pytest
import structlog

from ohmstead.core.db import Pool
from ohmstead.ocpp.connection import Flow
from ohmstead.ocpp.limits import FloodGuard
from ohmstead.ocpp.rpc import Version
from ohmstead.settings import Settings
from ohmstead.stations.orders import Raw, Reset
from tests.gateway.running import House, eventually, open_gateway
from tests.gateway.wire import VERSIONS, Frame, RawSocket, Station, basic, connected

V16, V201, V21 = VERSIONS
AT = "2026-11-01T08:00:00Z"
START = {"connectorId": 1, "idTag": "AABBCCDD", "meterStart": 1000, "timestamp": AT}


def started(transaction_id: str = "tx-1", **changes: Any) -> dict[str, Any]:
    """A 2.x transaction's first event."""
    return {
        "eventType": "Started",
        "timestamp": AT,
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "evse": {"id": 1, "connectorId": 1},
        "transactionInfo": {"transactionId": transaction_id},
        **changes,
    }


def start_call(version: Version, message_id: str) -> list[Any]:
    if version is V16:
        return [2, message_id, "StartTransaction", START]
    return [2, message_id, "TransactionEvent", started()]


async def _ask(station: Station, call: list[Any]) -> Frame:
    return await station.ask(call[2], call[3], call[1])


async def _count(house: House, table: str) -> int:
    found: int = await house.pool.fetchval(f"select count(*) from {table}")
    return found


# ---- order and repeats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_pipelined_calls_are_answered_in_their_order(version: Version, house: House) -> None:
    await house.station("CP-1", has_booted=True)
    kinds: list[tuple[str, Any]] = [
        ("Heartbeat", {}),
        ("DataTransfer", {"vendorId": "v", "data": "x"}),
        ("Nonsense", {}),
        ("BootNotification", {}),
        (start_call(version, "")[2], start_call(version, "")[3]),
    ]
    async with connected(house, "CP-1", version) as station:
        await station.send(*[[2, f"m{n}", *kinds[n % len(kinds)]] for n in range(100)])
        answers = [await station.receive() for _ in range(100)]
    assert [answer[1] for answer in answers] == [f"m{n}" for n in range(100)]
    assert [answer[0] for answer in answers] == [3, 3, 4, 4, 3] * 20


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_call_that_comes_again_is_done_once_and_answered_alike(version: Version, house: House) -> None:
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1", version) as station:
        await station.send(*[start_call(version, "same")] * 4)
        await station.send(*[[2, "note", "DataTransfer", {"vendorId": "v", "data": "once"}]] * 4)
        event = {"type": "SettingSystemTime", "timestamp": AT}
        await station.send(*[[2, "event", "SecurityEventNotification", event]] * 4)
        answers = [await station.receive() for _ in range(12)]
        for first in (0, 4, 8):
            assert answers[first][0] == 3
            assert answers[first : first + 4] == answers[first : first + 1] * 4
        await station.beat()
    assert await _count(house, "session") == 1
    assert await _count(house, "station_record where kind = 'DataTransfer'") == 1
    assert await _count(house, "security_signal where kind = 'station_setting_system_time'") == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_call_whose_answer_was_lost_with_the_line_is_done_once(version: Version, house: House) -> None:
    await house.station("CP-1", has_booted=True)
    answers = []
    for message_id in ("first", "first", "another"):
        async with contextlib.AsyncExitStack() as stack:
            async with house.pool.acquire() as conn, conn.transaction():
                # The commit waits for this lock while the station loses its line.
                await conn.execute("lock table session in share mode")
                station = await stack.enter_async_context(connected(house, "CP-1", version))
                await station.send(start_call(version, message_id))
                await asyncio.sleep(0.05)
            await station.ws.close()
        async with connected(house, "CP-1", version) as station:
            answers.append((await _ask(station, start_call(version, message_id)))[2])
    assert answers[1:] == answers[:1] * 2
    assert await _count(house, "session") == 1


async def test_the_same_message_id_with_another_action_or_payload_is_another_message(house: House) -> None:
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1") as station:
        first = await station.ask("StartTransaction", START, "1")
        second = await station.ask("StartTransaction", START | {"connectorId": 2}, "1")
        other = await station.ask("DataTransfer", {"vendorId": "v"}, "1")
        assert first[2]["transactionId"] != second[2]["transactionId"]
        assert other[2] == {"status": "UnknownVendorId"}
    assert await _count(house, "session") == 2


async def test_message_ids_that_begin_anew_after_a_reboot_get_fresh_answers(house: House) -> None:
    await house.station("CP-1")
    async with connected(house, "CP-1") as station:
        await station.boot()
        await station.ask("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}, "2")
        await station.boot()
        later = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        await station.ask("StatusNotification", later, "2")
    assert await _count(house, "status_change") == 2


# ---- answers ---------------------------------------------------------------------------------------------------------


async def test_answers_that_nobody_waits_for_are_ignored_and_logged(house: House) -> None:
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1", V21) as station:
        with structlog.testing.capture_logs() as logs:
            assert await station.answer_to([3, "unknown", {"status": "Accepted"}]) is None
            assert await station.answer_to([4, "unknown", "GenericError", "", {}]) is None
            assert await station.answer_to([5, "unknown", "GenericError", "text", {}]) is None
            await eventually(lambda: _told(logs, "stray_answer", 2), f"not logged: {logs}")
            assert await _told(logs, "answer_refused", 1)


async def _told(logs: Sequence[MutableMapping[str, Any]], event: str, times: int) -> bool:
    return len([line for line in logs if line["event"] == event]) >= times


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        ([3, {"status": "Accepted"}], "accepted", None),
        ([3, {"status": "Rejected"}], "rejected", None),
        ([3, {"status": "Perhaps"}], "failed", "PropertyConstraintViolation"),
        ([3, {}], "failed", "OccurrenceConstraintViolation"),
        ([3, []], "failed", "FormatViolation"),
        ([3], "failed", "FormatViolation"),
        ([4, "NotSupported", "no reset here", {}], "failed", "NotSupported"),
        ([4, "Whatever"], "failed", "Whatever"),
        ([4], "failed", "FormatViolation"),
    ],
)
async def test_whatever_a_station_answers_ends_the_command_with_what_it_means(
    reply: list[Any], status: str, code: str | None, house: House
) -> None:
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1", V201) as station:
        await station.beat()
        sending = asyncio.create_task(house.order("CP-1", Reset()))
        asked = await station.call()
        await station.send([reply[0], asked[1], *reply[1:]])
        command = await sending
        assert (command.status, command.error_code) == (status, code)
        await station.beat()


async def test_a_station_cannot_answer_for_another(house: House) -> None:
    await house.station("CP-1", has_booted=True)
    await house.station("THIEF", has_booted=True)
    async with connected(house, "CP-1") as station, connected(house, "THIEF") as thief:
        await station.beat()
        sending = asyncio.create_task(house.order("CP-1", Reset()))
        message_id = (await station.call())[1]
        assert await thief.answer_to([3, message_id, {"status": "Accepted"}]) is None
        await station.send([3, message_id, {"status": "Rejected"}])
        assert (await sending).status == "rejected"


async def test_an_answer_after_the_time_out_still_counts(house: House) -> None:
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1") as station:
        await station.beat()
        command = await house.order("CP-1", Reset(), timeout_s=0.5)
        assert command.status == "timed_out"
        asked = await station.call()
        await station.send([3, asked[1], {"status": "Accepted"}])
        await station.beat()
        status = "select status from command where status = 'accepted'"
        await eventually(lambda: house.pool.fetchval(status), "the late answer was lost")


# ---- SEND ------------------------------------------------------------------------------------------------------------

STREAM = {"id": 1, "pending": 0, "basetime": AT, "data": [{"t": 0, "v": "230"}]}


async def test_a_send_is_kept_and_never_answered(house: House) -> None:
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1", V21) as station:
        assert await station.answer_to([6, "s1", "NotifyPeriodicEventStream", STREAM]) is None
        assert await station.answer_to([6, "s2", "NotifyPeriodicEventStream", {"id": "x"}]) is None
        assert await station.answer_to([6, "s3", "Heartbeat", {}]) is None
    assert await _count(house, "station_record where kind = 'NotifyPeriodicEventStream'") == 1


# ---- floods and slow readers -----------------------------------------------------------------------------------------


async def test_a_flood_is_slowed_then_closed_and_neighbours_do_not_notice(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    guard = functools.partial(FloodGuard, messages_burst=50, messages_per_s=20, stubborn=30)
    async with open_gateway(settings, db, party_id, flow=Flow(guard=guard)) as house:
        await house.station("FLOOD", has_booted=True)
        await house.station("GOOD", has_booted=True)
        async with connected(house, "GOOD") as good, connected(house, "FLOOD") as flood:
            await flood.send(*[[2, f"m{n}", "Heartbeat", {}] for n in range(2000)])
            closing = asyncio.create_task(flood.until_closed(within_s=20))
            slowest = 0.0
            while not closing.done():
                began = time.perf_counter()
                await good.beat()
                slowest = max(slowest, time.perf_counter() - began)
            assert await closing == 1008
            assert slowest < 3
            # What was answered before was answered in order.
            ids = [frame[1] for frame in flood.heard]
            assert ids == [f"m{n}" for n in range(len(ids))]
            assert 20 < len(ids) < 200
        reason = "select reason from connection_change where station_id = 'FLOOD' and not is_connected"
        assert await eventually(lambda: house.pool.fetchval(reason)) == "flood"
        async with connected(house, "FLOOD") as again:
            await again.beat()


async def test_a_station_that_waits_for_its_answers_is_never_closed_for_its_pace(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    guard = functools.partial(FloodGuard, messages_burst=10, messages_per_s=100, stubborn=20)
    async with open_gateway(settings, db, party_id, flow=Flow(guard=guard)) as house:
        await house.station("CP-1", has_booted=True)
        async with connected(house, "CP-1") as station:
            began = time.perf_counter()
            for n in range(200):
                assert (await station.ask("Heartbeat", {}, f"m{n}"))[0] == 3
            # 190 beyond the burst, each a quarter of a message, at a hundred a second.
            assert time.perf_counter() - began > 0.3


async def _dial_without_reading(house: House, identity: str) -> RawSocket:
    """A connection with the smallest window the kernel gives, from which nobody reads."""
    host, port = house.url.removeprefix("ws://").split("/")[0].split(":")
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=plain, limit=2048)
    writer.write(
        f"GET /ocpp/{identity} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        f"Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: {basic(identity)['Authorization']}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return RawSocket(reader, writer, head)


async def test_a_station_that_does_not_read_is_cut_and_neighbours_do_not_notice(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    async with open_gateway(settings, db, party_id, flow=Flow(send_timeout_s=0.5)) as house:
        await house.station("SLOW", has_booted=True)
        await house.station("GOOD", has_booted=True)
        slow = await _dial_without_reading(house, "SLOW")
        try:
            await eventually(lambda: house.is_connected("SLOW"))
            async with connected(house, "GOOD") as good:
                large = Raw(action="DataTransfer", payload={"vendorId": "v", "data": "x" * 500_000})
                orders = [asyncio.create_task(house.order("SLOW", large, timeout_s=0.1)) for _ in range(30)]

                async def is_cut() -> bool:
                    await good.beat()
                    return not await house.is_connected("SLOW")

                await eventually(is_cut, "the slow reader was not cut", within_s=15)
                outcomes = {command.status for command in await asyncio.gather(*orders)}
                assert outcomes <= {"timed_out", "failed", "offline"}, outcomes
                assert "failed" in outcomes or "offline" in outcomes
                await good.beat()
        finally:
            slow.writer.transport.abort()


async def test_a_station_that_calls_without_reading_answers_is_held_and_then_cut(
    settings: Settings, db: Pool, party_id: UUID
) -> None:
    guard = functools.partial(FloodGuard, messages_burst=1e9, stubborn=1e9, bytes_burst=1e12)
    flow = Flow(send_timeout_s=0.5, guard=guard)
    async with open_gateway(settings, db, party_id, flow=flow) as house:
        await house.station("SLOW", has_booted=True)
        await house.station("GOOD", has_booted=True)
        slow = await _dial_without_reading(house, "SLOW")
        asked = json.dumps([2, "m", "Nonsense" * 8, {}]).encode()
        try:
            await eventually(lambda: house.is_connected("SLOW"))
            async with connected(house, "GOOD") as good:

                async def is_cut() -> bool:
                    for _ in range(2000):
                        slow.frame(1, asked)
                    await asyncio.sleep(0)
                    await good.beat()
                    return slow.writer.is_closing() or not await house.is_connected("SLOW")

                await eventually(is_cut, "never cut", within_s=30)
        finally:
            slow.writer.transport.abort()


async def test_one_station_waiting_for_the_database_holds_up_no_other(house: House) -> None:
    """A handler that waits does not stop its own station's socket either: pings and answers still pass."""
    await house.station("CP-1", has_booted=True)
    async with connected(house, "CP-1") as station:
        async with house.pool.acquire() as conn, conn.transaction():
            await conn.execute("lock table session in share mode")
            await station.send(start_call(V16, "held"))
            await asyncio.sleep(0.05)
            await asyncio.wait_for(station.ws.ping(), 1)
            assert house.gateway.find("CP-1") is not None
        assert (await station.receive())[:2] == [3, "held"]
