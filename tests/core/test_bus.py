"""The bus: an honest no when nobody listens, and no queue behind one slow answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from secrets import token_hex
from typing import Any

import msgspec
import pytest

from ohmstead.core.bus import LIVE, Bus, Unanswered


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    made = await Bus.connect(nats_url, "tests")
    yield made
    await made.close()


@pytest.fixture
def subject() -> str:
    return f"tests.{token_hex(6)}"


async def test_a_request_is_answered(bus: Bus, subject: str) -> None:
    async def double(data: bytes) -> Any:
        return {"twice": msgspec.json.decode(data)["n"] * 2}

    await bus.serve(subject, double)
    assert msgspec.json.decode(await bus.request(subject, {"n": 21}, 2)) == {"twice": 42}


async def test_nobody_listening_is_told_at_once(bus: Bus, subject: str) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(Unanswered):
            await bus.request(subject, None, 30)


async def test_somebody_listening_who_does_not_answer_is_a_time_out(bus: Bus, subject: str) -> None:
    async def never(_data: bytes) -> Any:
        await asyncio.sleep(30)

    await bus.serve(subject, never)
    with pytest.raises(TimeoutError):
        await bus.request(subject, None, 0.1)


async def test_an_answer_that_fails_is_a_time_out_and_the_next_one_comes(bus: Bus, subject: str) -> None:
    asked: list[int] = []

    async def fails_once(_data: bytes) -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("not that")
        return "well"

    await bus.serve(subject, fails_once)
    with pytest.raises(TimeoutError):
        await bus.request(subject, None, 0.2)
    assert msgspec.json.decode(await bus.request(subject, None, 2)) == "well"


async def test_a_slow_answer_holds_up_nobody(bus: Bus, subject: str) -> None:
    go_on = asyncio.Event()

    async def answer(data: bytes) -> Any:
        if msgspec.json.decode(data) == "slow":
            await go_on.wait()
        return "done"

    await bus.serve(subject, answer)
    slow = asyncio.create_task(bus.request(subject, "slow", 5))
    assert msgspec.json.decode(await bus.request(subject, "fast", 1)) == "done"
    assert not slow.done()
    go_on.set()
    assert msgspec.json.decode(await slow) == "done"


async def test_news_reach_everybody_who_listens_until_they_stop(bus: Bus, subject: str, nats_url: str) -> None:
    other = await Bus.connect(nats_url, "tests-other")
    heard: list[tuple[str, Any]] = []
    came = asyncio.Event()

    async def hear(about: str, data: bytes) -> None:
        heard.append((about, msgspec.json.decode(data)))
        came.set()

    stop = await other.listen(f"{subject}.*", hear)
    await other.flush()
    await bus.publish(f"{subject}.a", {"at": "noon"})
    await asyncio.wait_for(came.wait(), 2)
    assert heard == [(f"{subject}.a", {"at": "noon"})]
    await stop()
    await other.flush()
    await bus.publish(f"{subject}.a", {"at": "night"})
    await bus.flush()
    await other.flush()
    assert len(heard) == 1
    await other.close()


async def test_without_a_server_news_are_dropped_and_requests_are_refused_at_once(nats_url: str, subject: str) -> None:
    bus = await Bus.connect(nats_url, "tests-gone")
    await bus.close()
    assert not bus.is_connected
    await bus.publish(subject, "nobody hears it")
    with pytest.raises(Unanswered):
        await bus.request(subject, None, 30)


async def test_a_publisher_knows_whether_live_news_are_heard_by_somebody(nats_url: str) -> None:
    subject, other = f"{LIVE}{token_hex(8)}", f"{LIVE}{token_hex(8)}"
    publisher, listener = await Bus.connect(nats_url, "publisher"), await Bus.connect(nats_url, "listener")
    try:
        assert publisher.has_listeners(subject)  # until it watches it has to believe so
        await publisher.watch_listeners()
        assert not publisher.has_listeners(subject)
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def hear(_subject: str, data: bytes) -> None:
            heard.put_nowait(data)

        stop = await listener.listen(subject, hear)
        await _until(lambda: publisher.has_listeners(subject))
        assert not publisher.has_listeners(other)
        await publisher.publish(subject, ["news"])
        assert await asyncio.wait_for(heard.get(), 5) == b'["news"]'
        late = await Bus.connect(nats_url, "late")
        try:
            await late.watch_listeners()
            await _until(lambda: late.has_listeners(subject))
        finally:
            await late.close()
        await stop()
        after = await Bus.connect(nats_url, "after")
        try:
            await after.watch_listeners()
            await listener.listen(other, hear)
            await _until(lambda: after.has_listeners(other))
            assert not after.has_listeners(subject)
        finally:
            await after.close()
    finally:
        await publisher.close()
        await listener.close()


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110  (another process's word, on its way)
            await asyncio.sleep(0.01)


async def test_whoever_gives_up_waiting_for_the_server_makes_nobody_deaf(bus: Bus, subject: str) -> None:
    """A page that is closed just as it opens, say."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(_subject: str, data: bytes) -> None:
        heard.put_nowait(data)

    await bus.listen(subject, hear)
    for _ in range(3):
        flushing = asyncio.create_task(bus.flush())
        await asyncio.sleep(0)
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
    await asyncio.sleep(0.2)
    await bus.publish(subject, "still here")
    async with asyncio.timeout(5):
        assert await heard.get() == b'"still here"'
