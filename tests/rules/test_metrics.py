"""The metrics, and what is made of them: names by Prometheus' rules, and no panel or alert asks for what nobody tells."""

import json
import re
from typing import Any

import yaml
from tools import grafana

from ohmstead.core import metrics

KNOWN_BEYOND = {"up"}  # Prometheus' own
UNITS = ("_seconds", "_joules", "_bytes", "_size")


def families() -> dict[str, Any]:
    return {family.name: family for family in metrics.REGISTRY.collect()}


def exposed() -> dict[str, set[str]]:
    """Every name that a query may ask for, with its labels."""
    found: dict[str, set[str]] = {}
    for name, family in families().items():
        labels = set(metrics.labels_of(name))
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}
        for suffix in suffixes.get(family.type, ("",)):
            found[name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def queries() -> dict[str, str]:
    panels = grafana.dashboard()["panels"]
    asked = {f"{one['title']} {t['refId']}": t["expr"] for one in panels for t in one.get("targets", ())}
    rules = yaml.safe_load(grafana.ALERTS.read_text())["groups"][0]["rules"]
    return asked | {f"alert {rule['alert']}": rule["expr"] for rule in rules}


def test_names_follow_the_rules() -> None:
    for name, family in families().items():
        assert re.fullmatch(r"(ohmstead|process|python)_[a-z0-9_]+", name), name
        assert family.documentation, name
        if family.type == "histogram":
            assert name.endswith(UNITS), name
        if family.type == "gauge" and name.startswith("ohmstead_"):
            assert not name.endswith(("_total", "_count", "_sum", "_bucket")), name


def test_what_is_asked_for_is_told() -> None:
    known = exposed()
    for where, expression in queries().items():
        bare = re.sub(r'"[^"]*"', '""', expression)
        names = set(re.findall(r"\b(?:ohmstead|process|python)_\w+", bare)) | (
            KNOWN_BEYOND & set(re.findall(r"\w+", bare))
        )
        assert names, where
        assert names <= set(known) | KNOWN_BEYOND, where
        reachable = set().union(*(known.get(name, set()) for name in names)) | {"job", "instance"}
        chosen = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", bare))
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", bare) for label in group.split(",")}
        assert chosen | grouped <= reachable, where
        assert bare.count("(") == bare.count(")"), where


def test_everything_that_is_told_is_shown() -> None:
    shown = " ".join(queries().values())
    for name in families():
        assert not name.startswith("ohmstead_") or name in shown, f"{name} is on no panel"


def test_alerts_say_what_happened() -> None:
    rules = yaml.safe_load(grafana.ALERTS.read_text())["groups"][0]["rules"]
    names = [rule["alert"] for rule in rules]
    assert len(names) == len(set(names)) > 8
    for rule in rules:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_the_files_are_what_the_code_says() -> None:
    assert grafana.DASHBOARD.read_text() == grafana.dashboard_text(), "run: python tools/grafana.py"
    assert grafana.LIST.read_text() == grafana.page(), "run: python tools/grafana.py"
    panels = json.loads(grafana.DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(taken) == len(panels), "two panels in one place"


def test_what_is_gone_is_zero() -> None:
    metrics.set_all(metrics.stations, {"online": 3, "pending": 1})
    metrics.set_all(metrics.stations, {"online": 2})
    assert metrics.REGISTRY.get_sample_value("ohmstead_stations", {"state": "online"}) == 2
    assert metrics.REGISTRY.get_sample_value("ohmstead_stations", {"state": "pending"}) == 0
