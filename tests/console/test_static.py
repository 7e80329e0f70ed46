"""The files that pages load: ours and the vendored ones, complete and unmodified."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ohmstead.console import orders, sessions
from ohmstead.ui import states, templating
from tests.console.visitor import Visitor

STATIC = templating.STATIC_DIR
TEMPLATES = templating.HERE / "templates"


def test_vendored_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((STATIC / "vendor" / "manifest.json").read_text())
    known = {"manifest.json"}
    for package in manifest["packages"]:
        assert package["name"]
        assert package["version"]
        assert package["license"]
        for name, file in package["files"].items():
            assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == file["sha256"]
            known.add(name)
    assert {path.name for path in (STATIC / "vendor").iterdir()} == known


def test_our_files_name_no_other_host() -> None:
    found = {
        f"{path.name}: {url}"
        for path in [*STATIC.glob("*.*"), *TEMPLATES.rglob("*.html")]
        if path.suffix != ".png"
        for url in re.findall(r"https?://[^\s\"'<>)]+", path.read_text())
        if url not in ("http://www.w3.org/2000/svg", "https://hooks.example.com/ohmstead", "https://.")
    }
    assert found == set()


def _icons() -> Iterator[str]:
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        yield from re.findall(r'icon\("([a-z]+)"', text)
        yield from re.findall(r'icon\("[^)]* else "([a-z]+)"', text)
    for table in (states.CONNECTORS, states.STATIONS, states.SESSIONS, states.COMMANDS):
        yield from (look.icon for look in table.values())
    yield from (icon for _, icon, _ in sessions.EVENTS.values())


def test_every_icon_is_drawn() -> None:
    drawn = set(re.findall(r'id="i-([a-z]+)"', (STATIC / "icons.svg").read_text()))
    assert set(_icons()) - drawn == set()
    assert len(set(_icons())) > 15


def test_every_class_of_a_state_has_its_colours() -> None:
    sheet = (STATIC / "ohmstead.css").read_text()
    tones = {look.tone for table in (states.CONNECTORS, states.STATIONS, states.COMMANDS) for look in table.values()}
    assert {tone for tone in tones if f".{tone} {{ --c-ink" not in sheet} == set()


def test_every_colour_comes_from_the_tokens() -> None:
    tokens, sheet = (STATIC / "ohmstead.css").read_text().split("/* Components.")
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", sheet) == []
    assert {name for name in re.findall(r"var\((--[a-z0-9-]+)", sheet) if not name.startswith("--c-")} <= set(
        re.findall(r"(--[a-z0-9-]+):", tokens)
    )


def test_every_order_of_the_page_has_a_form_and_an_effect() -> None:
    form = (TEMPLATES / "station" / "command.html").read_text()
    for kind in orders.KINDS:
        assert f'choice.kind == "{kind}"' in form or kind in ("order", "raw")  # drawn from their schemas
        assert kind in orders._EFFECTS


@pytest.mark.parametrize(
    "path", ["/static/../web.py", "/static/%2e%2e/templating.py", "/static/vendor/", "/static/none.js"]
)
async def test_nothing_else_is_served(visitor: Visitor, path: str) -> None:
    answer = await visitor.client.get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


async def test_files_are_compressed_and_named_by_their_content(visitor: Visitor) -> None:
    url = templating.static_url("ohmstead.css")
    answer = await visitor.client.get(url, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == (STATIC / "ohmstead.css").read_bytes()
    plain = await visitor.client.get(url, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content
    same = await visitor.client.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    head = await visitor.client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert hashlib.sha256(Path(STATIC / "ohmstead.css").read_bytes()).hexdigest().startswith(url.partition("v=")[2])
