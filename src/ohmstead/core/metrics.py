"""Prometheus metrics, all named here so that a dashboard's author finds them on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

import ohmstead

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
Info("ohmstead_build", "The version that runs", registry=REGISTRY).info({"version": ohmstead.__version__})

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

stations_connected = Gauge(
    "ohmstead_stations_connected", "Stations connected to this gateway", ["version"], registry=REGISTRY
)
stations = Gauge(
    "ohmstead_stations",
    "Stations of the installation that are not retired, by state: online, offline, pending, rejected (told by workers)",
    ["state"],
    registry=REGISTRY,
)
connectors = Gauge(
    "ohmstead_connectors",
    "Connectors of stations in service by what they last said of themselves, or offline (told by workers)",
    ["status"],
    registry=REGISTRY,
)
sessions_open = Gauge("ohmstead_sessions_open", "Sessions that go on (told by workers)", registry=REGISTRY)
sessions_settled = Counter(
    "ohmstead_sessions_settled_total", "Sessions that became final, by how they ended", ["status"], registry=REGISTRY
)
energy_delivered = Counter(
    "ohmstead_energy_delivered_joules_total",
    "Energy of sessions that became final; 3.6 million joules are a kilowatt-hour",
    registry=REGISTRY,
)
handshakes = Counter("ohmstead_handshakes_total", "Connection attempts by outcome", ["outcome"], registry=REGISTRY)


class Tally:
    """A count that costs no lock: `tally.n += 1`, in the event loop's thread only."""

    __slots__ = ("labels", "n")

    def __init__(self, *labels: str) -> None:
        self.labels = labels
        self.n = 0


_TALLIED: dict[str, tuple[str, ...]] = {}


class _Tallies(Collector):
    """Tallies of one name, as a counter."""

    def __init__(self, name: str, help_text: str, labels: Sequence[str], tallies: Sequence[Tally]) -> None:
        self._name, self._help, self._labels, self._tallies = name, help_text, labels, tallies
        _TALLIED[name.removesuffix("_total")] = tuple(labels)
        REGISTRY.register(self)

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for tally in self._tallies:
            family.add_metric(tally.labels, tally.n)
        yield family


frames_in_call, frames_in_answer, frames_in_bad = Tally("in", "call"), Tally("in", "answer"), Tally("in", "bad")
frames_out = Tally("out", "any")
_Tallies(
    "ohmstead_frames_total",
    "OCPP frames",
    ("direction", "kind"),
    (frames_in_call, frames_in_answer, frames_in_bad, frames_out),
)
calls = Counter(
    "ohmstead_calls_total",
    "Calls from stations by action and outcome",
    ["version", "action", "outcome"],
    registry=REGISTRY,
)
bad_frames = Counter("ohmstead_bad_frames_total", "Frames refused, by error code", ["code"], registry=REGISTRY)
batch_seconds = Histogram(
    "ohmstead_ingest_batch_seconds", "Time of one ingest transaction", buckets=_FAST, registry=REGISTRY
)
batch_size = Histogram(
    "ohmstead_ingest_batch_size",
    "Messages in one ingest transaction",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    registry=REGISTRY,
)
answer_seconds = Histogram(
    "ohmstead_answer_seconds", "From a call read to its answer written", buckets=_FAST, registry=REGISTRY
)
ingest_waiting = Gauge("ohmstead_ingest_waiting", "Messages waiting for the next transaction", registry=REGISTRY)
ingest_failures = Counter(
    "ohmstead_ingest_failures_total", "Ingest transactions that failed, by kind", ["kind"], registry=REGISTRY
)
commands = Counter("ohmstead_commands_total", "Commands to stations by outcome", ["kind", "outcome"], registry=REGISTRY)
command_seconds = Histogram(
    "ohmstead_command_seconds",
    "From an order given to what became of it, by kind",
    ["kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
    registry=REGISTRY,
)
outbox_waiting = Gauge(
    "ohmstead_outbox_waiting",
    "Events not yet handled, by consumer; counted up to 10,000 (told by workers)",
    ["consumer"],
    registry=REGISTRY,
)
outbox_lag = Gauge(
    "ohmstead_outbox_lag_seconds",
    "Age of the oldest event not yet handled, by consumer (told by workers)",
    ["consumer"],
    registry=REGISTRY,
)
jobs = Gauge(
    "ohmstead_jobs",
    "Jobs by status: queued, picked, and failed ones kept aside (told by workers)",
    ["status"],
    registry=REGISTRY,
)
outbox_failures = Counter(
    "ohmstead_outbox_failures_total",
    "Events a consumer failed on (they are tried again)",
    ["consumer"],
    registry=REGISTRY,
)
live_clients = Gauge("ohmstead_live_clients", "Browsers and API clients on the live stream", registry=REGISTRY)
notifications_queued = Counter(
    "ohmstead_notifications_queued_total",
    "Messages to people put into the queue",
    ["kind", "channel"],
    registry=REGISTRY,
)
notifications_ended = Counter(
    "ohmstead_notifications_ended_total",
    "Messages to people that are over: sent, failed or dropped, and why",
    ["channel", "status", "reason"],
    registry=REGISTRY,
)
notification_seconds = Histogram(
    "ohmstead_notification_seconds",
    "From a message put into the queue to whoever takes it having taken it",
    ["channel"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
    registry=REGISTRY,
)
http_requests = Counter("ohmstead_http_requests_total", "HTTP requests", ["method", "status"], registry=REGISTRY)
http_seconds = Histogram(
    "ohmstead_http_request_seconds",
    "From a request to its whole answer, by area: api, page, static, file; live streams are not counted",
    ["area"],
    buckets=_FAST,
    registry=REGISTRY,
)
database_connections = Gauge(
    "ohmstead_database_connections", "Connections of this process's pool: used, idle", ["state"], registry=REGISTRY
)
payment_webhooks = Counter(
    "ohmstead_payment_webhooks_total",
    "Webhooks of payment providers: taken, repeated, forged, refused",
    ["provider", "outcome"],
    registry=REGISTRY,
)
file_transfers = Counter(
    "ohmstead_file_transfers_total",
    "Files fetched and sent by stations, and refusals",
    ["what", "outcome"],
    registry=REGISTRY,
)

check_state = Gauge(
    "ohmstead_check_state", "What /readyz checks: 0 ok, 1 to look at, 2 failed", ["check"], registry=REGISTRY
)


def set_all(gauge: Gauge, found: Mapping[str, float]) -> None:
    """One value for each of a gauge's labels; those that are not there any more are 0, not what they were."""
    known = {sample.labels[name] for metric in gauge.collect() for sample in metric.samples for name in sample.labels}
    for label in known | set(found):
        gauge.labels(label).set(found.get(label, 0))


def labels_of(name: str) -> tuple[str, ...]:
    """The labels of a metric, by its name without suffix; none for one that nobody knows."""
    if name in _TALLIED:
        return _TALLIED[name]
    collector = REGISTRY._names_to_collectors.get(name)
    return ("version",) if isinstance(collector, Info) else tuple(getattr(collector, "_labelnames", ()))


def exposition() -> bytes:
    """All metrics in Prometheus' text form."""
    return generate_latest(REGISTRY)
