"""`ohmstead api` against a running installation, as somebody at a terminal uses it."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import Struct

from ohmstead.remote import cli
from tests.api.door import Visitor

# The installation runs in this process too, and its log goes where the command's output does.
LOG_LINE = re.compile(r"^(?:\x1b\[[\d;]*m)*\d{4}-\d\d-\d\d[T ][\d:.]+Z?.*\n", re.MULTILINE)


class Said(Struct):
    """What a command wrote."""

    stdout: str
    stderr: str


class Terminal:
    """Somebody at a terminal with a key in the environment."""

    def __init__(self, visitor: Visitor, home: Path) -> None:
        self.env = {
            "OHMSTEAD_API_URL": visitor.front.url,
            "OHMSTEAD_API_KEY": visitor.key,
            "XDG_CONFIG_HOME": str(home),
            "COLUMNS": "160",
        }

    async def types(self, *words: str, stdin: str | bytes = "", expect: int = 0) -> Said:
        runner = CliRunner(env=self.env)
        result = await asyncio.to_thread(runner.invoke, cli.group(), list(words), input=stdin, prog_name="ohmstead api")
        assert result.exit_code == expect, result.output
        return Said(LOG_LINE.sub("", result.stdout), result.stderr)

    async def reads(self, *words: str) -> object:
        return json.loads((await self.types(*words)).stdout)


@pytest.fixture
def terminal(api: Visitor, tmp_path: Path) -> Terminal:
    return Terminal(api, tmp_path)


async def test_stations_are_made_changed_listed_and_ordered_about(api: Visitor, terminal: Terminal) -> None:
    names = [api.name(f"CLI-{number}") for number in range(3)]
    for name in names:
        await terminal.types("create-station", "--set", f"station_id={name}", "--set", "name=\x1b[2JEvil")
    await terminal.types("change-station", names[0], "--body", "-", stdin='{"name": "=1+1"}')
    await terminal.types("change-station", names[0], "--set", "name=late", "--if-match", "1", expect=cli.REFUSED)

    page = await terminal.reads("list-stations", "--limit", "2")
    assert isinstance(page, dict)
    assert [item["station_id"] for item in page["items"]] == names[:2]
    whole = await terminal.reads("list-stations", "--limit", "2", "--all")
    assert isinstance(whole, dict)
    assert [item["station_id"] for item in whole["items"]] == names
    table = (await terminal.types("list-stations", "-o", "table", "--columns", "station_id,name")).stdout
    assert all(name in table for name in names)
    assert "\x1b[2J" not in table, "a name steers nobody's terminal"
    rows = (await terminal.types("list-stations", "-o", "csv", "--columns", "station_id,name")).stdout.splitlines()
    assert rows[:2] == ["station_id,name", f"{names[0]},'=1+1"]
    lines = (await terminal.types("list-stations", "-o", "ndjson", "--all")).stdout.splitlines()
    assert [json.loads(line)["station_id"] for line in lines] == names

    sent = await terminal.types("send-command", names[0], "--set", "kind=reset", expect=cli.NOT_DONE)
    assert json.loads(sent.stdout)["status"] == "offline"


async def test_tables_are_imported_from_a_file_or_a_pipe(api: Visitor, terminal: Terminal, tmp_path: Path) -> None:
    table = f"uid,label\n{api.name('A')},One\n{api.name('B')},Two\n"
    (tmp_path / "cards.csv").write_text(table)
    done = await terminal.reads("import-tokens", "--file", str(tmp_path / "cards.csv"), "--dry-run")
    assert isinstance(done, dict)
    assert (done["created"], done["is_dry_run"]) == (2, True)
    await terminal.types("import-tokens", "--file", "-", stdin=table)
    found = await terminal.reads("list-tokens", "--q", api.name("A"))
    assert isinstance(found, dict)
    (token,) = found["items"]
    await terminal.types("delete-token", token["token_id"], stdin="n\n", expect=1)
    await terminal.types("delete-token", token["token_id"], "--yes")
    assert "There is no such thing" in (await terminal.types("get-token", token["token_id"], expect=1)).stderr


async def test_what_is_wrong_is_said_and_what_to_do(api: Visitor, terminal: Terminal) -> None:
    refused = await terminal.types("create-location", "--set", "name=A", "--set", "latitude=91", expect=cli.REFUSED)
    assert "latitude" in refused.stderr
    assert "request " in refused.stderr
    assert refused.stdout == ""
    for words in (
        ("get-station",),
        ("list-stations", "--colour", "red"),
        ("list-stations", "--status", "purple"),
        ("list-stations", "--limit", "many"),
        ("create-location", "--body", "{"),
        ("create-location", "--body", "@/nowhere/at/all"),
        ("create-location", "--set", "name"),
        ("create-location", "--set", "name=x", "--set", "name.deeper=1"),
        ("import-stations",),
        ("frobnicate",),
    ):
        assert (await terminal.types(*words, expect=2)).stderr, words
    terminal.env["OHMSTEAD_API_KEY"] = "ohm_wrong"
    assert "Credentials" in (await terminal.types("get-me", expect=cli.REFUSED)).stderr
    api.front.attempts.forget("127.0.0.1")
    terminal.env["OHMSTEAD_API_URL"] = "ftp://x"
    assert "expected http://" in (await terminal.types("get-me", expect=cli.REFUSED)).stderr


async def test_words_are_completed_and_operations_found(terminal: Terminal) -> None:
    assert (await terminal.types("complete", "--", "list-sess")).stdout == "list-sessions\n"
    assert "faulted\n" in (await terminal.types("complete", "--", "list-stations", "--status", "")).stdout
    assert "--status\n" in (await terminal.types("complete", "--", "list-stations", "--st")).stdout
    assert "pending" in (await terminal.types("find", "wait", "adoption")).stdout
    for shell in ("bash", "zsh", "fish"):
        assert "api complete" in (await terminal.types("completion", shell)).stdout
    listed = (await terminal.types("--help")).stdout
    assert "send-command" in listed
    assert '"kind": "remote_start"' in (await terminal.types("send-command", "--help")).stdout
