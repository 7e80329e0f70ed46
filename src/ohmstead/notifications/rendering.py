"""Words and values become a subject, a text and a page: one source for all. Pure.

Words may come from people of a party, values from stations and drivers. So words can only insert values and leave parts
out (no calls, no loops, no attributes), and no value is ever taken for markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import escape
from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.core.language import _, speaking
from ohmstead.core.texts import checked
from ohmstead.notifications.kinds import VARIABLES, Form, Kind

MOST_SUBJECT: Final = 300
MOST_BODY: Final = 5000
_MOST_VALUE: Final = 2000
_FILTERS: Final = frozenset({"upper", "lower"})
_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.If,
    nodes.CondExpr,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Compare,
    nodes.Operand,
    nodes.Const,
    nodes.Filter,
)
# What is markup in words is hidden in values behind characters that nobody uses, until the markup was read.
_MARKUP: Final = "*[]()\n"
_HIDDEN: Final = {ord(character): chr(0xE000 + n) for n, character in enumerate(_MARKUP)}
_SHOWN: Final = {0xE000 + n: character for n, character in enumerate(_MARKUP)}
_USED: Final = re.compile("[\ue000-\ue0ff]")
_LINK: Final = re.compile(r"\[([^\[\]\n]{1,200})\]\(([^()\s]*)\)")
_STRONG: Final = re.compile(r"\*\*([^*\n]*)\*\*")
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"']+")


class Words(Struct, frozen=True):
    """A subject and a text, as templates."""

    subject: str
    body: str


class Rendered(Struct, frozen=True, kw_only=True):
    """What a person gets. `brief`: the first paragraph. `link`: where the message leads."""

    subject: str
    text: str
    html: str
    brief: str
    link: str | None


def _guarded(value: Any) -> str:
    text = _USED.sub("", str(value))[:_MOST_VALUE].replace("\r", " ")
    return text.translate(_HIDDEN)


_sandbox = ImmutableSandboxedEnvironment(autoescape=False, finalize=_guarded, keep_trailing_newline=False)


def check(kind: Kind, words: Words) -> Words:
    """The words, tidied. Raises Invalid for what is no template, is more than one may be, or uses what there is not."""
    subject = checked(words.subject, "subject")
    body = checked(words.body, "body", has_lines=True)
    for field, text, most in (("subject", subject, MOST_SUBJECT), ("body", body, MOST_BODY)):
        if not text:
            raise Invalid("may not be empty", field=field)
        if len(text) > most:
            raise Invalid(f"has more than {most} characters", field=field)
        _check_template(kind, field, text)
    return Words(subject, body)


def _check_template(kind: Kind, field: str, text: str) -> None:
    try:
        tree = _sandbox.parse(text)
    except TemplateSyntaxError as error:
        raise Invalid(f"line {error.lineno} is no template: {error.message}", field=field) from None
    except RecursionError:
        raise Invalid("this is too deeply nested", field=field) from None
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Name):
            if node.name not in kind.allowed:
                raise Invalid(f"there is no variable {node.name[:60]} here", field=field)
        elif isinstance(node, nodes.Filter):
            if node.name not in _FILTERS:
                raise Invalid("templates can insert variables, and leave parts out with if", field=field)
        elif not isinstance(node, _ALLOWED):
            raise Invalid("templates can insert variables, and leave parts out with if", field=field)
    try:
        _compiled(text)
    except (SyntaxError, RecursionError, MemoryError):
        # What becomes of it is a program, which is nested as deep as it is.
        raise Invalid("this is too deeply nested", field=field) from None


@lru_cache(maxsize=500)
def _compiled(text: str) -> Template:
    return _sandbox.from_string(text)


def render(
    kind: Kind, words: Words | None, data: Mapping[str, Any], language: str, zone: str, now: datetime
) -> Rendered:
    """A message in a language, with times on the wall of a zone. `words`: a party's own; None: those that come along.

    Raises ValueError when the words make no sense after all.
    """
    with speaking(language):
        used = words or Words(_(kind.subject), _(kind.body))
        values = {name: written(VARIABLES[name].form, data.get(name), language, zone, now) for name in kind.allowed}
        try:
            subject = _compiled(used.subject).render(values)
            body = _compiled(used.body).render(values)
        except (TemplateError, TypeError, SyntaxError, RecursionError) as error:
            raise ValueError(f"the words make no sense: {error}") from error
    link = values["link"] or None
    paragraphs = [part.strip() for part in re.split(r"\n{2,}", body.replace("\r\n", "\n"))]
    paragraphs = [part for part in (_without_dead_links(part) for part in paragraphs) if part]
    told = [part for part in paragraphs if not _LINK.fullmatch(part)]
    return Rendered(
        subject=" ".join(_shown(_STRONG.sub(r"\1", subject)).split())[:MOST_SUBJECT],
        text="\n\n".join(_as_text(part) for part in paragraphs) + "\n",
        html="\n".join(_as_html(part) for part in paragraphs),
        brief=_as_text(told[0]) if told else "",
        link=link,
    )


def _without_dead_links(text: str) -> str:
    return _LINK.sub(lambda match: match[0] if match[2] else "", text).strip()


def _shown(text: str) -> str:
    return text.translate(_SHOWN)


def _as_text(text: str) -> str:
    plain = _LINK.sub(lambda match: f"{match[1]}: {match[2]}", _STRONG.sub(r"\1", text))
    return _shown(plain).strip()


def _as_html(text: str) -> str:
    if (match := _LINK.fullmatch(text)) and _ADDRESS.fullmatch(_shown(match[2])):
        return f'<p><a class="button" href="{escape(_shown(match[2]))}">{escape(_shown(match[1]))}</a></p>'
    escaped = str(escape(text))
    strong = _STRONG.sub(r"<strong>\1</strong>", escaped)
    linked = _LINK.sub(_anchor, strong)
    return f"<p>{_shown_in_html(linked)}</p>"


def _anchor(match: re.Match[str]) -> str:
    if not _ADDRESS.fullmatch(_shown(match[2]).replace("&amp;", "&")):
        return match[1]
    return f'<a href="{match[2]}">{match[1]}</a>'


def _shown_in_html(text: str) -> str:
    return _shown(text).replace("\n", "<br>\n")


# ------------------------------------------------------------------------------------------------------------- values


def written(form: Form, value: Any, language: str, zone: str, now: datetime) -> str:
    """A value as the language writes it; empty for none. What does not fit its form stands as it is."""
    if value is None or value == "":
        return ""
    try:
        return _WRITERS[form](value, language, zone, now)
    except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError):
        return str(value)


def _money(value: Any, language: str, _zone: str, _now: datetime) -> str:
    return format_currency(Decimal(value["amount"]), value["currency"], locale=language)


def _energy(value: Any, language: str, _zone: str, _now: datetime) -> str:
    return f"{format_decimal(Decimal(str(value)) / 1000, '#,##0.00', locale=language)}\u00a0kWh"


def _percent(value: Any, language: str, _zone: str, _now: datetime) -> str:
    return format_percent(Decimal(str(value)) / 100, locale=language)


def _time(value: Any, language: str, zone: str, now: datetime) -> str:
    at = _instant(value).astimezone(ZoneInfo(zone))
    clock = f"{at:%H:%M}"
    if at.date() == now.astimezone(ZoneInfo(zone)).date():
        return clock
    return f"{format_date(at.date(), 'medium', locale=language)}, {clock}"


def _date(value: Any, language: str, zone: str, _now: datetime) -> str:
    text = str(value)
    day = date.fromisoformat(text) if len(text) == 10 else _instant(text).astimezone(ZoneInfo(zone)).date()
    return format_date(day, "long", locale=language)


def _minutes(value: Any, language: str, _zone: str, _now: datetime) -> str:
    whole = int(Decimal(str(value)).to_integral_value())
    hours, minutes = divmod(whole, 60)
    group = Locale.parse(language).number_symbols["latn"]["group"]
    if not hours:
        return f"{minutes}\u00a0min"
    return f"{f'{hours:,}'.replace(',', str(group))}\u00a0h {minutes:02}\u00a0min"


def _link(value: Any, _language: str, _zone: str, _now: datetime) -> str:
    return str(value) if _ADDRESS.fullmatch(str(value)) else ""


def _text(value: Any, _language: str, _zone: str, _now: datetime) -> str:
    return " ".join(_(str(value)).split())


def _instant(value: Any) -> datetime:
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError("no zone")
    return at


_WRITERS: Final = {
    "text": _text,
    "money": _money,
    "energy": _energy,
    "percent": _percent,
    "time": _time,
    "date": _date,
    "minutes": _minutes,
    "link": _link,
}
