"""docs/grafana/ohmstead.json, the dashboard, and docs/metrics.md, the list: `python tools/grafana.py` writes both anew.

A dashboard is long and repeats itself; here stands what its panels show.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "src")]

from ohmstead.core import metrics  # noqa: E402

DASHBOARD = ROOT / "docs" / "grafana" / "ohmstead.json"
ALERTS = ROOT / "docs" / "grafana" / "alerts.yml"
LIST = ROOT / "docs" / "metrics.md"
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_RATE = "[$__rate_interval]"

_Lines: TypeAlias = list[tuple[str, str]]
# A panel: title, unit, lines as (expression, legend). Those of a row's first entry are single figures.
_Panel: TypeAlias = tuple[str, str, _Lines]


def _rate(name: str, by: str, per_s: int = 1, chosen: str = "") -> str:
    factor = f" * {per_s}" if per_s != 1 else ""
    return f"sum by ({by}) (rate({name}{chosen}{_RATE})){factor}"


def _quantiles(name: str, by: str = "") -> _Lines:
    grouped, legend = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    return [
        (f"histogram_quantile({part}, sum by ({grouped}) (rate({name}_bucket{_RATE})))", f"p{part * 100:g}{legend}")
        for part in (0.5, 0.95, 0.99)
    ]


_FIGURES: list[_Panel] = [
    ("Stations online", "short", [('max(ohmstead_stations{state="online"})', "")]),
    ("Stations offline", "short", [('max(ohmstead_stations{state="offline"})', "")]),
    ("Waiting for adoption", "short", [('max(ohmstead_stations{state="pending"})', "")]),
    ("Sessions going on", "short", [("max(ohmstead_sessions_open)", "")]),
    ("Energy, last 24 h", "kwatth", [("sum(increase(ohmstead_energy_delivered_joules_total[24h])) / 3.6e6", "")]),
    ("Checks that failed", "short", [("count(ohmstead_check_state == 2) or vector(0)", "")]),
]
_ROWS: dict[str, list[_Panel]] = {
    "The network": [
        ("Stations by state", "short", [("max by (state) (ohmstead_stations)", "{{state}}")]),
        ("Connectors by status", "short", [("max by (status) (ohmstead_connectors)", "{{status}}")]),
        ("Connected, by gateway and version", "short", [("ohmstead_stations_connected", "{{instance}} {{version}}")]),
        (
            "Sessions settled a minute",
            "short",
            [(_rate("ohmstead_sessions_settled_total", "status", 60), "{{status}}")],
        ),
    ],
    "Messages": [
        ("Calls from stations a second", "reqps", [(_rate("ohmstead_calls_total", "action"), "{{action}}")]),
        (
            "Refused a second",
            "reqps",
            [
                (
                    _rate("ohmstead_calls_total", "action, outcome", chosen='{outcome!="answered"}'),
                    "{{action}} {{outcome}}",
                ),
                (_rate("ohmstead_bad_frames_total", "code"), "frame {{code}}"),
            ],
        ),
        ("Time to our answer", "s", _quantiles("ohmstead_answer_seconds")),
        ("Frames a second", "reqps", [(_rate("ohmstead_frames_total", "direction, kind"), "{{direction}} {{kind}}")]),
        ("Handshakes a minute", "short", [(_rate("ohmstead_handshakes_total", "outcome", 60), "{{outcome}}")]),
        ("Files", "short", [(_rate("ohmstead_file_transfers_total", "what, outcome", 60), "{{what}} {{outcome}}")]),
    ],
    "Storing": [
        (
            "Commits a second",
            "ops",
            [(f"sum by (instance) (rate(ohmstead_ingest_batch_seconds_count{_RATE}))", "{{instance}}")],
        ),
        ("Time of a commit", "s", _quantiles("ohmstead_ingest_batch_seconds")),
        ("Messages in a commit", "short", _quantiles("ohmstead_ingest_batch_size")),
        (
            "Waiting, and failures a minute",
            "short",
            [
                ("ohmstead_ingest_waiting", "{{instance}} waiting"),
                (_rate("ohmstead_ingest_failures_total", "kind", 60), "failed: {{kind}}"),
            ],
        ),
        ("Events waiting, by consumer", "short", [("max by (consumer) (ohmstead_outbox_waiting)", "{{consumer}}")]),
        ("Age of the oldest of them", "s", [("max by (consumer) (ohmstead_outbox_lag_seconds)", "{{consumer}}")]),
        (
            "Jobs, and consumers' failures a minute",
            "short",
            [
                ("max by (status) (ohmstead_jobs)", "jobs {{status}}"),
                (_rate("ohmstead_outbox_failures_total", "consumer", 60), "failed: {{consumer}}"),
            ],
        ),
        ("Database connections", "short", [("ohmstead_database_connections", "{{job}} {{instance}} {{state}}")]),
    ],
    "Commands and pages": [
        (
            "Commands a minute",
            "short",
            [(_rate("ohmstead_commands_total", "kind, outcome", 60), "{{kind}} {{outcome}}")],
        ),
        ("Time of a command", "s", _quantiles("ohmstead_command_seconds")),
        ("Requests a second", "reqps", [(_rate("ohmstead_http_requests_total", "status"), "{{status}}")]),
        ("Time of a request", "s", _quantiles("ohmstead_http_request_seconds", "area")),
        ("Live streams", "short", [("sum(ohmstead_live_clients)", "listening")]),
        ("Checks: 1 to look at, 2 failed", "short", [("max by (check) (ohmstead_check_state)", "{{check}}")]),
    ],
    "Money and messages": [
        (
            "Messages to people a minute",
            "short",
            [
                (_rate("ohmstead_notifications_queued_total", "channel", 60), "queued: {{channel}}"),
                (_rate("ohmstead_notifications_ended_total", "channel, status", 60), "{{status}}: {{channel}}"),
            ],
        ),
        ("Time until a message is taken", "s", _quantiles("ohmstead_notification_seconds", "channel")),
        (
            "Payment providers' webhooks a minute",
            "short",
            [(_rate("ohmstead_payment_webhooks_total", "provider, outcome", 60), "{{provider}} {{outcome}}")],
        ),
    ],
    "Processes": [
        (
            "CPU",
            "percentunit",
            [(f'rate(process_cpu_seconds_total{{job=~"ohmstead.*"}}{_RATE})', "{{job}} {{instance}}")],
        ),
        ("Memory", "bytes", [('process_resident_memory_bytes{job=~"ohmstead.*"}', "{{job}} {{instance}}")]),
        ("Open files and sockets", "short", [('process_open_fds{job=~"ohmstead.*"}', "{{job}} {{instance}}")]),
        ("Versions", "short", [("count by (version) (ohmstead_build_info)", "{{version}}")]),
    ],
}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it; it asks for the data source."""
    return {
        "uid": "ohmstead",
        "title": "Ohmstead",
        "description": "A charging network: stations, messages, storing, commands, pages. Generated by tools/grafana.py.",
        "tags": ["ohmstead", "ev-charging"],
        "schemaVersion": 39,
        "version": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1}
            ]
        },
        "panels": list(_panels()),
    }


def _panels() -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for place, panel in enumerate(_FIGURES):
        number += 1
        yield _panel(number, "stat", panel, {"x": place * 4, "y": y, "w": 4, "h": 4})
    y += 4
    for title, panels in _ROWS.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": _grid(0, y, 24, 1),
        }
        y += 1
        for place, panel in enumerate(panels):
            number += 1
            yield _panel(number, "timeseries", panel, _grid(place % 2 * 12, y + place // 2 * 8, 12, 8))
        y += (len(panels) + 1) // 2 * 8


def _grid(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def _panel(number: int, kind: str, panel: _Panel, grid: dict[str, int]) -> dict[str, Any]:
    title, unit, lines = panel
    return {
        "id": number,
        "type": kind,
        "title": title,
        "datasource": _SOURCE,
        "gridPos": grid,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "options": {} if kind == "timeseries" else {"reduceOptions": {"calcs": ["lastNotNull"]}},
        "targets": [
            {"refId": chr(65 + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for place, (expression, legend) in enumerate(lines)
        ],
    }


_HEAD = """# Metrics

What `/metrics` of each process tells, for Prometheus. Generated by tools/grafana.py from `core/metrics.py`. The gateway's and
the worker's are on 127.0.0.1 (ports 9001 and 9002), the web process answers scrapers on private networks on its own port.

```yaml
# prometheus.yml
rule_files: [alerts.yml]
scrape_configs:
  - {job_name: ohmstead-gateway, static_configs: [{targets: ["127.0.0.1:9001"]}]}
  - {job_name: ohmstead-web, static_configs: [{targets: ["127.0.0.1:8080"]}]}
  - {job_name: ohmstead-worker, static_configs: [{targets: ["127.0.0.1:9002"]}]}
```

[grafana/ohmstead.json](grafana/ohmstead.json) is a dashboard to import into Grafana, [grafana/alerts.yml](grafana/alerts.yml)
are rules for Prometheus. Every worker tells the same of the whole installation, so take the `max` of those.

| Name | Type | Labels | Meaning |
|---|---|---|---|
"""


def page() -> str:
    """docs/metrics.md."""
    rows = []
    for metric in sorted(metrics.REGISTRY.collect(), key=lambda one: one.name):
        if metric.name.startswith("ohmstead_"):
            name = metric.name + {"counter": "_total", "info": "_info"}.get(metric.type, "")
            labels = ", ".join(f"`{label}`" for label in metrics.labels_of(metric.name))
            rows.append(f"| `{name}` | {metric.type} | {labels} | {metric.documentation} |\n")
    return _HEAD + "".join(rows)


def dashboard_text() -> str:
    """docs/grafana/ohmstead.json."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    DASHBOARD.write_text(dashboard_text())
    LIST.write_text(page())
