"""Words and values become what people read; neither can do harm. Pure."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import meta
from lxml import html

from ohmstead.core.errors import Invalid
from ohmstead.core.language import languages
from ohmstead.notifications import addressing, mailing, unsubscribing
from ohmstead.notifications.kinds import KINDS, VARIABLES
from ohmstead.notifications.rendering import Rendered, Words, _sandbox, check, render
from ohmstead.notifications.unsubscribing import Unsubscription

NOW = datetime(2026, 3, 2, 13, tzinfo=UTC)
DONE = KINDS["charging_complete"]
SECRET = b"s" * 32
ID = UUID("019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d")


def made(body: str, data: dict[str, Any] | None = None, language: str = "en", subject: str = "S") -> Rendered:
    return render(DONE, Words(subject, body), data or {}, language, "Europe/Berlin", NOW)


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_words_that_come_along_are_in_order(kind: Any, language: str) -> None:
    check(kind, Words(kind.subject, kind.body))
    full = render(kind, None, kind.example(), language, "Europe/Berlin", NOW)
    bare = render(kind, None, {}, language, "Europe/Berlin", NOW)
    for one in (full, bare):
        assert one.subject
        assert one.brief
        for text in (one.subject, one.text, one.html):
            assert not set("{}") & set(text), text
            assert "**" not in text
            assert "](" not in text


def test_what_comes_along_uses_what_its_kind_is_told() -> None:
    for one in KINDS.values():
        used = meta.find_undeclared_variables(_sandbox.parse(one.subject + one.body))
        assert used <= set(one.allowed), one.name
        assert set(one.variables) <= set(VARIABLES), one.name


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", "Energy: 23.45 kWh\nTime: 13:10 to 13:58 (48 min)\nPrice with taxes: €12.40"),
        ("de", "23,45 kWh"),
        ("de", "12,40 €"),
    ],
)
def test_numbers_are_written_as_the_language_does(language: str, expected: str) -> None:
    told = render(DONE, None, DONE.example(), language, "Europe/Berlin", NOW).text.replace("\u00a0", " ")
    assert expected in told


def test_another_day_is_named_and_another_zone_is_meant() -> None:
    told = made("{{ ended_at }}", {"ended_at": "2026-03-01T23:30:00Z"})
    assert told.text.strip() == "00:30"
    assert made("{{ ended_at }}", {"ended_at": "2026-02-27T08:05:00Z"}).text.strip() == "Feb 27, 2026, 09:05"
    assert "27.02.2026, 09:05" in made("{{ ended_at }}", {"ended_at": "2026-02-27T08:05:00Z"}, "de").text


@pytest.mark.parametrize(
    "bad",
    [
        "{{ nonsense }}",
        "{{ energy.__class__ }}",
        "{{ energy['x'] }}",
        "{{ energy() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ energy ~ total }}",
        "{{ energy|attr('x') }}",
        "{{ energy|safe }}",
        "{% for x in energy %}{% endfor %}",
        "{% set a = 1 %}",
        "{% include 'x' %}",
        "{% extends 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{{ energy",
        "{% if energy %}",
        "{{ " + "not " * 1200 + "energy }}",
        "{% if energy %}" * 150 + "x" + "{% endif %}" * 150,
        "a" * 5001,
        " ",
        "a\u202eb",
    ],
)
def test_words_can_insert_and_leave_out_and_nothing_else(bad: str) -> None:
    with pytest.raises(Invalid):
        check(DONE, Words("S", bad))


def test_what_was_kept_and_is_nested_too_deep_makes_no_sense_and_breaks_nothing() -> None:
    deep = "{% if energy %}" * 150 + "x" + "{% endif %}" * 150
    with pytest.raises(ValueError, match="make no sense"):
        render(DONE, Words("S", deep), DONE.example(), "en", "UTC", NOW)


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_value_is_taken_for_markup_or_html(station: str, location: str) -> None:
    hostile = {
        "plug": f"<script>{station}</script>**b**[x](https://evil.example)",
        "location": f"{location}\n\n[a](http://b)",
    }
    told = render(DONE, None, {**DONE.example(), **hostile}, "en", "UTC", NOW)
    page = html.fromstring(f"<div>{told.html}</div>")
    assert [one.get("href") for one in page.iter("a")] == [DONE.example()["link"]]
    assert not list(page.iter("script"))
    assert len(list(page.iter("p"))) == 3
    assert "\n" not in told.subject


def test_markup_becomes_paragraphs_buttons_and_bold_type() -> None:
    told = made(
        "One **two**\nthree\n\n[Go]({{ link }})\n\nSee [here](https://a.example/?x=1&y=2).",
        {"link": "https://b.example/"},
    )
    assert told.html == (
        "<p>One <strong>two</strong><br>\nthree</p>\n"
        '<p><a class="button" href="https://b.example/">Go</a></p>\n'
        '<p>See <a href="https://a.example/?x=1&amp;y=2">here</a>.</p>'
    )
    assert told.text == "One two\nthree\n\nGo: https://b.example/\n\nSee here: https://a.example/?x=1&y=2.\n"
    assert told.brief == "One two\nthree"
    # Where there is nowhere to go, nothing says so; and no script hides in an address.
    assert made("A\n\n[Go]({{ link }})").text == "A\n"
    assert "href" not in made("[Go]({{ link }})", {"link": "javascript:alert(1)"}).html
    assert "href" not in made("x [Go](javascript:1)").html


def test_a_mail_page_escapes_what_surrounds_it() -> None:
    page = mailing.page_of(made("A", subject="<b>"), "<i>Net</i>", "en", "https://x.example/?a=1&b=2")
    assert "<b>" not in page
    assert "<i>" not in page
    assert "a=1&amp;b=2" in page


def test_addresses_are_ours_or_whole() -> None:
    base = "https://charge.example.com"

    def where(value: str) -> str:
        return addressing.address_of(SECRET, base, value)

    assert where("/drive") == f"{base}/drive"
    assert where("https://x.example") == "https://x.example"
    assert where(f"session:{ID}").startswith(f"{base}/drive/s/")
    assert where(f"invoice:{ID}").startswith(f"{base}/documents/")
    for nonsense in ("javascript:alert(1)", "session:1", "", "x", f"host:{ID}"):
        assert where(nonsense) == ""


@given(st.binary(max_size=80), st.sampled_from(sorted(KINDS)))
def test_nobody_makes_an_address_to_unsubscribe_somebody_else(noise: bytes, kind: str) -> None:
    wanted = Unsubscription(ID, ID, kind)
    token = unsubscribing.token_of(SECRET, wanted)
    assert unsubscribing.read(SECRET, token) == wanted
    assert unsubscribing.read(b"t" * 32, token) is None
    for n in (0, len(token) // 2, len(token) - 1):
        changed = token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :]
        found = unsubscribing.read(SECRET, changed)
        assert found is None or found == wanted  # the last character may have bits that say nothing
    assert unsubscribing.read(SECRET, noise.decode("latin-1")) is None
