"""One trace from a request to the station's answer and on to the worker, told to a real collector's door."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ohmstead.core import tracing
from tests.api.door import Visitor
from tests.environment import free_port

UP_FRONT = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    """Takes spans over OTLP/HTTP, as any collector does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {a.value.string_value for a in resource.resource.attributes if a.key == "service.name"}
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return web.Response(body=b"", content_type="application/x-protobuf")

    def of_trace(self, trace_id: str) -> dict[bytes, Span]:
        return {span.span_id: span for span in self.spans if span.trace_id.hex() == trace_id}


def line_of(span: Span, spans: dict[bytes, Span]) -> Iterator[str]:
    """The names from a span up to its root."""
    while True:
        yield span.name
        if span.parent_span_id not in spans:
            return
        span = spans[span.parent_span_id]


def texts(span: Span) -> str:
    return " ".join(f"{a.key}={a.value}" for a in span.attributes)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    made = Collector()
    async with made.listening() as url:
        with tracing.told_to(url, "test"):
            yield made
    assert not tracing.is_on()


async def test_one_trace_from_the_request_to_the_station_and_the_worker(api: Visitor, collector: Collector) -> None:
    station = await api.network.station("2.0.1")
    parent = {"traceparent": f"00-{UP_FRONT}-00f067aa0ba902b7-01"}
    sent = await api.client.post(
        f"/stations/{station.station_id}/commands", json={"kind": "clear_profiles"}, headers=parent
    )
    assert sent.json()["status"] == "accepted"

    consumed = "consume smartcharging < hear < answer < ask < command clear_profiles < POST api"

    async def is_whole() -> bool:
        await asyncio.to_thread(tracing.flush)
        return consumed in all_lines(collector)

    await api.network.until(is_whole, "the worker's part of the trace is told")
    spans = collector.of_trace(UP_FRONT)
    lines = [" < ".join(line_of(span, spans)) for span in spans.values()]
    call = "OCPP ClearChargingProfile < answer < ask < command clear_profiles < POST api"
    assert call in lines
    assert f"commit < {call.partition(' < ')[2]}" in lines
    root = next(span for span in spans.values() if span.name == "POST api")
    assert root.parent_span_id.hex() == "00f067aa0ba902b7"
    told = " ".join(texts(span) for span in spans.values())
    assert "send_command" in told
    assert station.station_id in told
    assert sent.json()["command_id"] in told
    assert collector.services == {"ohmstead-test"}


async def test_a_stations_message_goes_on_to_whoever_reads_what_it_caused(api: Visitor, collector: Collector) -> None:
    station = await api.network.station("1.6")
    await api.posts("/tokens", {"uid": "SECRET-CARD"})
    await station.plugs_in()
    await asyncio.sleep(0.3)  # a word that is still to be said of earlier commits would be without a trace
    assert await station.presents("SECRET-CARD") == "Accepted"

    async def is_whole() -> bool:
        await asyncio.to_thread(tracing.flush)
        lines = all_lines(collector)
        # One word wakes the readers for all that was committed within a tenth of a second; it goes on with the first's trace.
        return "commit < OCPP StartTransaction" in lines and any(" < hear < commit < OCPP " in line for line in lines)

    await api.network.until(is_whole, "a consumer's part of the trace is told")
    told = " ".join(span.name + texts(span) for span in collector.spans)
    assert "SECRET-CARD" not in told, "what messages hold is nobody's business"


def all_lines(collector: Collector) -> list[str]:
    spans = {span.span_id: span for span in collector.spans}
    return [" < ".join(line_of(span, spans)) for span in spans.values()]


async def test_without_a_collector_nothing_is_told_and_nothing_is_carried(api: Visitor) -> None:
    assert not tracing.is_on()
    assert tracing.span("x") is tracing.span("y"), "one and the same nothing, however often"
    assert tracing.carried() is None
    assert tracing.begin("x", "server") is None
    with tracing.told_to(None, "test"):
        assert not tracing.is_on()
    assert (await api.client.get("/me")).is_success


async def test_a_collector_that_is_away_holds_nobody_up(api: Visitor) -> None:
    with tracing.told_to(f"http://127.0.0.1:{free_port()}", "test"):
        async with asyncio.timeout(5):
            for _ in range(20):
                assert (await api.client.get("/me")).is_success


async def test_a_share_of_none_tells_nothing_even_when_a_stranger_asks(api: Visitor) -> None:
    made = Collector()
    async with made.listening() as url:
        with tracing.told_to(url, "test", share=0.0):
            parent = {"traceparent": f"00-{UP_FRONT}-00f067aa0ba902b7-01"}
            assert (await api.client.get("/me", headers=parent)).is_success
            await asyncio.to_thread(tracing.flush)
    assert made.spans == []
