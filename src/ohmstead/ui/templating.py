"""Pages from templates: one Jinja environment for every edge that draws some, everything escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from litestar import Request, Response
from litestar.enums import MediaType
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig
from markupsafe import Markup, escape
from msgspec import Struct

from ohmstead.accounts.access import ACTIONS, may
from ohmstead.accounts.parties.model import Membership
from ohmstead.core import clock, language
from ohmstead.ui import figures, states
from ohmstead.ui.drawing import symbol

HERE = Path(__file__).parent
STATIC_DIR = HERE / "static"
ZONE_COOKIE = "ohmstead_zone"

_State = dict[str, Any]


class Query(dict[str, str]):
    """The address's parameters; one that is not there reads as empty."""

    def __missing__(self, name: str) -> str:
        return ""


class View(Struct, kw_only=True):
    """What a page knows about who looks at it: the viewer's zone, the present instant, and what the frame shows."""

    zone: tzinfo
    zone_name: str
    is_zone_known: bool
    now: datetime
    path: str
    query: Query
    csrf_token: str
    who: str | None
    actions: frozenset[str]
    network: str
    n_attention: int | None
    memberships: Sequence[Membership] = ()
    party_id: UUID | None = None
    sees_all: bool = True
    live_position: str = ""
    language: str = language.ENGLISH

    def may(self, action: str) -> bool:
        """Whether to show what does this; the handlers decide it again."""
        return action in self.actions


@cache
def zone_called(name: str) -> ZoneInfo | None:
    """An IANA zone; None for what is none (the name may come from a browser)."""
    if not name or len(name) > 64 or name.startswith(("/", ".")) or ".." in name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def view_of(request: Request[Any, Any, Any]) -> View:
    """The request's view, made once."""
    state: _State = request.scope["state"]
    view = state.get("view")
    if view is None:
        actor = state.get("actor")
        told = request.cookies.get(ZONE_COOKIE, "").replace("%2F", "/")
        zone = zone_called(told)
        fallback = state.get("party_zone", "UTC")
        view = View(
            zone=zone or zone_called(fallback) or ZoneInfo("UTC"),
            zone_name=told if zone else fallback,
            is_zone_known=zone is not None,
            now=clock.now(),
            path=request.scope["path"],
            query=Query({k: v for k, v in request.query_params.items() if isinstance(v, str)}),
            csrf_token=str(state.get("csrf_token", "")),
            who=actor.name if actor else None,
            actions=frozenset(action for action in ACTIONS if may(actor, action)) if actor else frozenset(),
            network=state.get("party_name", ""),
            n_attention=state.get("n_attention"),
            memberships=state.get("memberships", ()),
            party_id=actor.party_id if actor else None,
            sees_all=actor is None or actor.locations is None,
            live_position=state.get("live_position", ""),
            language=language.spoken(),
        )
        state["view"] = view
    return view


def page(
    request: Request[Any, Any, Any],
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """Draw a template into an answer."""
    text = ENVIRONMENT.get_template(template).render(**context, status=status, request=request)
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=dict(headers or {}))


@cache
def static_url(name: str) -> str:
    """A static file's address, which changes with its content so that browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC_DIR / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


# The one style sheet that may stand in a page itself: whoever scanned a code at a plug waits for a round trip less. The
# policy of every answer names it by its hash, so nothing else can pass for it.
INLINE_STYLE = "drive.css"


@cache
def inline_style() -> Markup:
    """That style sheet without what only its readers need."""
    text = re.sub(r"/\*.*?\*/", "", (STATIC_DIR / INLINE_STYLE).read_text(), flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return Markup(re.sub(r" ?([{};,]) ?", r"\1", text).strip())  # noqa: S704  (our own file)


@cache
def inline_style_hash() -> str:
    """Its hash, as policies name it (CSP Level 3)."""
    digest = hashlib.sha256(inline_style().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def icon(name: str, css: str = "") -> Markup:
    """A symbol of icons.svg; always beside a word, hence hidden from screen readers."""
    return Markup('<svg class="icon{}" aria-hidden="true"><use href="{}#i-{}"></use></svg>').format(
        f" {css}" if css else "", static_url("icons.svg"), name
    )


def look_pill(look: states.Look, live: str = "") -> Markup:
    """A state as icon, word and colour. `live`: the place's name in live updates."""
    place = Markup(' data-live-look="{}"').format(live) if live else ""
    return Markup('<span class="pill {}"{}>{}<span class="word">{}</span></span>').format(
        look.tone, place, icon(look.icon), language.gettext(look.word)
    )


@pass_context
def wall(context: Context, at: datetime, zone: str, form: str = "short") -> str:
    """An instant on a location's clock, by which its prices go, wherever the viewer is; the page names the zone."""
    view = view_of(context["request"])
    return figures.clock(at, zone_called(zone) or view.zone, form, view.now)


@pass_context
def when(context: Context, at: datetime | None, form: str = "short", zone: str | None = None) -> Markup:
    """An instant in the viewer's zone; `zone`, the location's, shows on hover."""
    if at is None:
        return escape(figures.NONE)
    view = view_of(context["request"])
    place = zone_called(zone or "") or view.zone
    hover = figures.clock(at, place, "full")
    return Markup('<time datetime="{}" data-form="{}" title="{}{}">{}</time>').format(
        at.isoformat(),
        form,
        hover,
        f" ({zone})" if zone else "",
        figures.clock(at, view.zone, form, view.now),
    )


@pass_context
def since(context: Context, at: datetime | None) -> Markup:
    """How long ago, kept current by the page's script."""
    if at is None:
        return escape(figures.NONE)
    view = view_of(context["request"])
    return Markup('<time datetime="{}" data-form="age" title="{}">{}</time>').format(
        at.isoformat(), figures.clock(at, view.zone, "full"), figures.span(view.now - at)
    )


@pass_context
def with_query(context: Context, **changes: Any) -> str:
    """This page's address with some of its query changed; None removes a parameter."""
    view = view_of(context["request"])
    query: dict[str, Any] = {**view.query, **changes}
    kept = {k: v for k, v in query.items() if v not in (None, "")}
    return view.path + (f"?{urlencode(kept)}" if kept else "")


def pretty(value: Any) -> str:
    """JSON for people; text that is not JSON as it is."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return str(value)


def measured(pair: tuple[str, str], live: str = "") -> Markup:
    """A (number, unit) pair; `live` names the number's place in live updates."""
    place = Markup(' data-live="{}"').format(live) if live else ""
    return Markup("<span{}>{} <small>{}</small></span>").format(place, *pair)


def plain(pair: tuple[str, str]) -> str:
    """A (number, unit) pair as text."""
    return " ".join(pair)


# What scripts say: `_("…")` in a static file.
_SAID = re.compile(r'\b_\("((?:[^"\\]|\\.)*)"')


@cache
def _script_texts() -> tuple[str, ...]:
    found = {json.loads(f'"{text}"') for path in STATIC_DIR.glob("*.js") for text in _SAID.findall(path.read_text())}
    return tuple(sorted(found))


@cache
def _script_words(_code: str) -> Markup | None:
    words = {text: language.gettext(text) for text in _script_texts()}
    # Inside a script element only these could end it or begin another.
    return Markup(json.dumps(words, ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026"))  # noqa: S704


def script_words() -> Markup | None:
    """The scripts' texts in the language of this task as JSON; None where that is English."""
    return None if language.spoken() == language.ENGLISH else _script_words(language.spoken())


def _ngettext(one: str, many: str, count: int) -> str:
    return language.plural(one, many, count)


def said(text: str) -> str:
    """A text of a table, marked there with `N_`."""
    return language.gettext(text)


def capital(text: str) -> str:
    """A text that begins a sentence; its other letters stay as they are."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """What was refused, as a sentence: `this code is not right` → `This code is not right.`"""
    return capital(text) + ("" if text.endswith((".", "!", "?", "…")) else ".")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(language.gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        view_of=view_of,
        static=static_url,
        inline_style=inline_style,
        icon=icon,
        symbol=symbol,
        pill=look_pill,
        wall=wall,
        when=when,
        since=since,
        with_query=with_query,
        measured=measured,
        states=states,
        figures=figures,
        escape=escape,
        n_=language.n_,
        p_=language.p_,
        N_=language.N_,
        script_words=script_words,
        languages=language.languages,
        name_of_language=language.name_of,
    )
    environment.filters.update(
        energy=figures.energy,
        power=figures.power,
        percent=figures.percent,
        span=figures.span,
        number=figures.number,
        latency=figures.latency,
        size=figures.size,
        pretty=pretty,
        plain=plain,
        said=said,
        told=language.told,
        capital=capital,
        sentence=sentence,
    )
    return environment


ENVIRONMENT = _environment()
template_config: TemplateConfig[JinjaTemplateEngine] = TemplateConfig(
    instance=JinjaTemplateEngine.from_environment(ENVIRONMENT)
)
