"""How tests come to the console: signed in by a real link, reading pages as a browser would."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from ohmstead.accounts import service
from ohmstead.core.ids import new_id
from tests.api.door import Front
from tests.stories.network import Network

VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr", "path", "circle")
)


@dataclass
class Element:
    """A tag with its attributes and the text inside it."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    parents: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """A page taken apart: its words, its links, its forms."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(convert_charrefs=True)
        self.answer = answer
        self.html = answer.text
        self.elements: list[Element] = []
        self._whole = Element("page", {})
        self._open: list[Element] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, parents=[e.name for e in self._open])
        self.elements.append(element)
        # Words of neighbours stay apart, as they are on the screen.
        self.handle_data(" ")
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self._open and tag not in VOID and self._open.pop().name != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in (self._whole, *self._open):
            element.text += data

    @property
    def text(self) -> str:
        """The words of the page or fragment, single-spaced."""
        return spaced(self._whole.text)

    @property
    def heading(self) -> str:
        return spaced(next(e.text for e in self.elements if e.name == "h1"))

    def all(self, tag: str, /, **attributes: str) -> Iterator[Element]:
        for element in self.elements:
            if element.name == tag and all(
                value in element.attributes.get(key.rstrip("_"), "").split() for key, value in attributes.items()
            ):
                yield element

    def figures(self) -> dict[str, tuple[str, str]]:
        """The strip of the overview: name → (value with unit, where it leads)."""
        found = {}
        for stat in self.all("a", class_="stat"):
            name, rest = _first_line(stat.text)
            found[name] = (rest, stat.attributes["href"])
        return found

    def rows(self) -> list[str]:
        """The rows of the first table's body, as text."""
        return [spaced(e.text) for e in self.elements if e.name == "tr" and "tbody" in e.parents]


def _first_line(text: str) -> tuple[str, str]:
    names = ("Stations online", "Charging now", "Out of order", "Power now", "Sessions today", "Energy today")
    whole = spaced(text)
    name = next(n for n in names if whole.startswith(n))
    return name, whole.removeprefix(name).strip()


def spaced(text: str) -> str:
    return " ".join(text.split())


@dataclass
class Visitor:
    """An operator of a party, signed in."""

    front: Front
    network: Network
    client: httpx.AsyncClient
    csrf_token: str = ""

    @property
    def cookie(self) -> str:
        return next(cookie.value or "" for cookie in self.client.cookies.jar if cookie.name == "ohmstead")

    async def opens(self, path: str, *, expect: int = 200, **headers: str) -> Page:
        answer = await self.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        assert answer.status_code == expect, f"{answer.status_code} {path}: {answer.text[:2000]}"
        return Page(answer)

    async def sends(self, path: str, *, expect: int = 200, token: bool = True, **fields: Any) -> Page:
        """Fill in a form and send it."""
        form = {"csrf_token": self.csrf_token} if token else {}
        answer = await self.client.post(path, data={**form, **fields})
        assert answer.status_code == expect, f"{answer.status_code} {path}: {answer.text[:2000]}"
        return Page(answer)


async def new_operator(network: Network, role: str = "owner") -> Any:
    operator_id = new_id()
    await network.pool.execute(
        "insert into operator (operator_id, party_id, name, role) values ($1, $2, 'Ada', $3)",
        operator_id,
        network.party_id,
        role,
    )
    return operator_id


async def new_link(network: Network, operator_id: Any, valid_s: float = 600) -> str:
    """The path of a fresh sign-in link."""
    async with network.pool.acquire() as conn, conn.transaction():
        secret = await service.new_sign_in_link(conn, operator_id, valid_s)
    return f"/sign-in?link={secret}"


async def sign_in(front: Front, network: Network, client: httpx.AsyncClient, role: str = "owner") -> Visitor:
    """Through the door, as people do."""
    link = await new_link(network, await new_operator(network, role))
    secret = parse_qs(urlsplit(link).query)["link"][0]
    answer = await client.post("/sign-in", data={"link": secret, "next": "/"})
    assert answer.status_code == 303, answer.text
    visitor = Visitor(front, network, client)
    page = await visitor.opens("/stations")
    visitor.csrf_token = next(page.all("meta", name="csrf-token")).attributes["content"]
    return visitor
