"""Which language a browser gets, and what is said in it."""

import ast
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import messages

from ohmstead.core import language
from ohmstead.core.errors import NotFound, Refused
from ohmstead.core.validation import in_words
from ohmstead.ui import figures, templating

TEMPLATES = sorted((templating.HERE / "templates").rglob("*.html"))
CODES = [code for code in language.languages() if code != language.ENGLISH]


@pytest.fixture(scope="module")
def english() -> messages.Catalog:
    return messages.gather()


@pytest.mark.parametrize(
    ("wish", "accepted", "code"),
    [
        ("", "", "en"),
        ("de", "en", "de"),
        ("", "de-CH,de;q=0.9,en;q=0.8", "de"),
        ("", "en;q=0.8, de;q=0.9", "de"),
        ("", "de;q=0.2, en", "en"),
        ("", "fr, xx;q=0.9", "en"),
        ("", "de;q=0", "en"),
        ("xx", "de", "de"),
        ("../../etc/passwd", "de;q=9999999,\x00", "en"),
        ("", "de;q=.", "en"),
    ],
)
def test_the_language_of_a_browser(wish: str, accepted: str, code: str) -> None:
    assert language.chosen(wish, accepted) == code


@given(st.text(max_size=80), st.text(max_size=400))
def test_whatever_a_browser_sends_there_is_a_language(wish: str, accepted: str) -> None:
    assert language.chosen(wish, accepted) in language.languages()


def test_a_task_speaks_one_language_until_it_speaks_another() -> None:
    with language.speaking("de"):
        assert language.spoken() == "de"
        with language.speaking("xx"):
            assert language.spoken() == "en"
        assert language.spoken() == "de"
    assert language.spoken() == "en"


def test_numbers_and_times_by_language() -> None:
    at = datetime(2026, 3, 5, 7, 8, 9, 123456, tzinfo=UTC)
    assert figures.energy(1_284_400) == ("1,284", "kWh")
    assert figures.number(1234.5, 1) == "1,234.5"
    assert figures.clock(at, UTC, "full") == "Thu 05 Mar 2026, 07:08:09 UTC"
    assert figures.clock(at, UTC, "short", at.replace(day=6)) == "05 Mar 07:08"
    with language.speaking("de"):
        assert figures.energy(1_284_400) == ("1.284", "kWh")
        assert figures.number(1234.5, 1) == "1.234,5"
        assert figures.clock(at, UTC, "milli") == "07:08:09.123"
        assert figures.clock(at, UTC, "full") == "Do. 05. März 2026, 07:08:09 UTC"
        assert figures.clock(at, UTC, "short", at.replace(day=6)) == "05. März 07:08"


def test_what_an_error_says_is_told_by_its_pattern() -> None:
    error = NotFound("no station ÜB-1 100 %")
    assert language.told(error) == "no station ÜB-1 100 %"
    with language.speaking("de"):
        assert language.told(error) == "keine Ladestation ÜB-1 100 %"
        assert language.told(Refused("nobody has put this into German")) == "nobody has put this into German"
        long = f"no station {'no station ' * 10_000}"
        assert language.told(NotFound(long)) == long


# ------------------------------------------------------------------------------------------------- complete and sound


def test_catalogues_are_as_the_tool_writes_them(english: messages.Catalog) -> None:
    """After a change of texts: `python tools/messages.py`."""
    for code in CODES:
        path = language.LOCALES_DIR / f"{code}.po"
        assert path.read_bytes() == messages.written(messages.updated(code, english)), code


@pytest.mark.parametrize("code", CODES)
def test_every_text_has_a_translation(code: str, english: messages.Catalog) -> None:
    assert messages.missing(messages.updated(code, english)) == []


@pytest.mark.parametrize("code", CODES)
def test_translations_hold_what_their_texts_hold(code: str) -> None:
    wrong = []
    for message in messages.read(code):
        texts = message.id if isinstance(message.id, list | tuple) else (message.id,)
        told = message.string if isinstance(message.string, list | tuple) else (message.string,)
        for text in told:
            if message.id and text and _marks(text) not in [_marks(one) for one in texts]:
                wrong.append((texts, text))
    assert wrong == []


def _marks(text: str) -> tuple[list[str], list[str], bool, bool, bool]:
    """Slots, tags, and what could end an attribute or break a script's JSON."""
    slots = sorted(set(re.findall(r"%\(\w+\)s|%%", text)) - {"%(n)s"})
    return slots, sorted(re.findall(r"</?\w+[^>]*>", text)), '"' in text, text[:1].isspace(), text[-1:].isspace()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_say_nothing_without_a_mark(path: Path) -> None:
    assert [*messages.unmarked(path.read_text()), *messages.said_in_expressions(path.read_text())] == []


def test_the_check_for_marks_can_fail() -> None:
    assert messages.unmarked('<p title="Go away">One\nand {{ n }} more</p>') == [
        (1, "Go away"),
        (1, "One"),
        (2, "and \x00 more"),
    ]
    assert messages.unmarked('<p title="{{ _("Go away") }}">{% trans %}One{% endtrans %} <code>ls</code></p>') == []
    assert messages.said_in_expressions('{{ "Pause it" if on else _("Go on now") }}{{ f("a-b") }}') == [
        (1, '"Pause it"')
    ]


def test_refusals_are_found_with_their_slots() -> None:
    source = 'raise NotFound(f"no {what} {text}")\nraise Invalid("a" if x else f"{a.b} {c.b} fit", "f")\nf("no")\n'
    assert list(messages.refusals_in(source, ["NotFound", "Invalid"])) == [
        (1, "no %(what)s %(text)s"),
        (2, "a"),
        (2, "%(b)s %(b_)s fit"),
    ]
    assert {"NotFound", "Invalid", "NotAllowed", "ExternalFailure"} <= messages.refusal_classes()


def test_rules_and_errors_of_rows_are_found_but_codes_are_not(english: messages.Catalog) -> None:
    source = 'def f() -> Iterator[Fault]:\n yield f"{a}.b", "is needed"\nRowError(1, "", f"{n} cells")\nR_("a list")\n'
    assert {text for _line, text in messages.refusals_in(source, [])} == {"is needed", "%(n)s cells", "a list"}
    told = {str(message.id) for message in english if message.context == language.REFUSALS}
    assert {"is not negative", "this identity is taken", "at least %(n)s characters"} <= told
    assert not told & {"too_many_requests", "unknown", "%(modes)s for %(purpose)s"}


def test_the_narrowest_pattern_tells_and_reasons_within_are_told_too() -> None:
    with language.speaking("de"):
        assert language.told("no station AC-1") == "keine Ladestation AC-1"
        assert language.told("no pigeon x") == "pigeon x gibt es nicht"
        assert language.told("not sent: no answer within 10 s") == "nicht gesendet: keine Antwort innerhalb von 10 s"
        assert language.told("at most 40 characters") == "höchstens 40 Zeichen"


def test_what_is_wrong_with_a_field_is_said_in_whole_sentences() -> None:
    assert in_words("Expected int >= 1") == "at least 1"
    assert in_words("Expected str of length <= 40") == "at most 40 characters"
    assert in_words("Expected array of length >= 2") == "at least 2 items"
    assert in_words("Expected str of length >= 1") == "may not be empty"
    assert in_words("Expected uuid, got int") == "is to be an id"
    assert in_words("Expected null, got int") == "is to be null"


@cache
def _calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def test_marks_hold_texts_that_can_be_gathered() -> None:
    """`_(f"…")` or `_(name)` would be looked up in vain, unless the name is one of a table marked with `N_`."""
    wrong = []
    for path in messages.PACKAGE.rglob("*.py"):
        for call in _calls(path):
            name = getattr(call.func, "id", "")
            if name in ("_", "n_", "N_") and any(isinstance(arg, ast.JoinedStr | ast.BinOp) for arg in call.args[:2]):
                wrong.append(f"{path.name}:{call.lineno}")
    assert wrong == []


def test_what_modules_mark_is_gathered(english: messages.Catalog) -> None:
    """Within an f-string a mark is overlooked: `f"{_('blocked')}"`."""
    known = {text for one in english for text in (one.id if isinstance(one.id, tuple | list) else [one.id])}
    lost = []
    for path in messages.PACKAGE.rglob("*.py"):
        for call in _calls(path):
            first = call.args[0] if call.args else None
            is_mark = getattr(call.func, "id", "") in ("_", "n_", "N_") and isinstance(first, ast.Constant)
            if is_mark and first.value and first.value not in known:
                lost.append(f"{path.name}:{call.lineno}: {first.value}")
    assert lost == []
