"""Traces for OpenTelemetry: from a request over NATS to the gateway, the station and the worker, in W3C's trace context.

Off unless an endpoint is set. Then nothing of OpenTelemetry is even imported, and what stands here costs a look at a variable.
Attributes name stations, actions and kinds; never payloads, tokens or passwords.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import ohmstead
from ohmstead.core.log import logger

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

log = logger("ohmstead.tracing")

Kind: TypeAlias = Literal["server", "client", "producer", "consumer", "internal"]
Headers: TypeAlias = Mapping[str, str]
TRACEPARENT: Final = "traceparent"
# Sent within this long after the end, or not at all: a collector that is away holds nobody up.
_END_WITHIN_MS: Final = 2000

_tracer: Tracer | None = None
_provider_now: TracerProvider | None = None
_OFF: Final = contextlib.nullcontext(None)


def is_on() -> bool:
    """Whether there is anybody to tell."""
    return _tracer is not None


@contextlib.contextmanager
def told_to(endpoint: str | None, role: str, share: float = 1.0) -> Iterator[None]:
    """Tell the collector at `endpoint` (OTLP over HTTP) of what happens in here; None: nobody is told.

    `share`: of how many traces, from 0 to 1; a trace is told whole or not at all, by every process alike.
    """
    global _tracer, _provider_now  # noqa: PLW0603  (one per process, as the metrics are)
    if endpoint is None:
        yield
        return
    provider = _provider_now = _provider(endpoint, role, share)
    _tracer = provider.get_tracer("ohmstead", ohmstead.__version__)
    log.info("tracing", collector=urlsplit(endpoint).hostname, share=share)
    try:
        yield
    finally:
        _tracer = None
        flush()
        _provider_now = None
        provider.shutdown()


def _provider(endpoint: str, role: str, share: float) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    by_share = TraceIdRatioBased(share)
    # A stranger's request may carry a trace, but not decide that it is told.
    sampler = ParentBased(by_share, remote_parent_sampled=by_share)
    resource = Resource.create({"service.name": f"ohmstead-{role}", "service.version": ohmstead.__version__})
    provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=5)))
    return provider


def flush() -> None:
    """Send what waits to be sent, within seconds; blocks meanwhile."""
    if _provider_now is not None:
        _provider_now.force_flush(_END_WITHIN_MS)


def span(
    name: str, kind: Kind = "internal", parent: Headers | None = None, **attributes: str | int | float | bool
) -> contextlib.AbstractContextManager[Any]:
    """What is done within is a span of the current trace, or of the one that `parent`, a message's headers, carries."""
    if _tracer is None:
        return _OFF
    return _span(name, kind, parent, attributes)


@contextlib.contextmanager
def _span(name: str, kind: Kind, parent: Headers | None, attributes: Mapping[str, Any]) -> Iterator[Span]:
    from opentelemetry.trace import Status, StatusCode, use_span

    made = begin(name, kind, parent, **attributes)
    assert made is not None
    with use_span(made, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield made
        except Exception as error:
            # The text may hold what somebody sent.
            made.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def begin(name: str, kind: Kind, parent: Headers | None = None, **attributes: str | int | float | bool) -> Span | None:
    """A span that ends with `end`, perhaps elsewhere; None while nobody is told."""
    if _tracer is None:
        return None
    from opentelemetry.trace import SpanKind

    return _tracer.start_span(name, _context_of(parent), SpanKind[kind.upper()], attributes)


def end(span: Span | None, error: str | None = None) -> None:
    """End what was begun. `error`: a code, where it went wrong."""
    if span is None:
        return
    if error is not None:
        from opentelemetry.trace import Status, StatusCode

        span.set_status(Status(StatusCode.ERROR, error))
    span.end()


def note(span: Span | None, **attributes: str | int | float | bool) -> None:
    """Add what became known."""
    if span is not None:
        span.set_attributes({name.replace("__", "."): value for name, value in attributes.items()})


def current() -> Span | None:
    """The span that we are in, if there is one that is told."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    found = get_current_span()
    return found if found.get_span_context().is_valid else None


@contextlib.contextmanager
def commit(spans: Iterable[Span | None], n: int) -> Iterator[None]:
    """Many messages are stored at once: a span in each one's trace. What is published within belongs to the first."""
    if _tracer is None or not (parents := {id(one): one for one in spans if one is not None}):
        yield
        return
    from opentelemetry.trace import set_span_in_context, use_span

    made = [
        _tracer.start_span("commit", set_span_in_context(one), attributes={"messages": n}) for one in parents.values()
    ]
    try:
        with use_span(made[0], record_exception=False, set_status_on_exception=False):
            yield
    finally:
        for one in made:
            one.end()


def carried() -> dict[str, str] | None:
    """Headers that take the current trace along; None where there is none."""
    if _tracer is None or current() is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers


def _context_of(headers: Headers | None) -> Context | None:
    if not headers or TRACEPARENT not in headers:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(headers)
