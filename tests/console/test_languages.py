"""In which language pages answer: what was chosen in this browser, else what the browser asks for."""

from ohmstead.doorway import LANGUAGE_COOKIE
from tests.console.visitor import Visitor


async def test_pages_and_fragments_speak_the_language_of_the_browser(visitor: Visitor) -> None:
    page = await visitor.opens("/tokens", accept_language="de-AT,de;q=0.9,en;q=0.8")
    assert 'lang="de"' in page.html
    assert page.heading == "Kein Token passt."
    for path, words in (("/search?q=nothing-like-it", "Nichts gefunden"), ("/activity", "Noch nichts")):
        drawn = await visitor.opens(path, accept_language="de", hx_request="true")
        assert "<html" not in drawn.html
        assert words in drawn.text
    assert (await visitor.opens("/tokens")).heading == "No token fits."


async def test_what_was_chosen_counts_more_than_what_the_browser_asks_for(visitor: Visitor) -> None:
    answer = await visitor.client.get("/language?code=de&next=/drivers")
    assert answer.headers["location"] == "/drivers"
    page = await visitor.opens("/drivers", accept_language="en")
    assert page.heading == "Noch ist niemand mit Namen bekannt."
    visitor.client.cookies.delete(LANGUAGE_COOKIE)
    assert (await visitor.opens("/drivers")).heading == "Nobody is known by name yet."
    away = await visitor.client.get("/language?code=en&next=https://elsewhere.example/")
    assert away.headers["location"] == "/"
    await visitor.opens("/language?code=xx", expect=404)


async def test_a_hidden_column_is_hidden_in_every_language(visitor: Visitor) -> None:
    await visitor.sends("/lists/tokens/columns", hidden=["Group"], expect=303)
    page = await visitor.opens("/tokens", accept_language="de")
    menu = next(e for e in page.all("details") if "data-hidden" in e.attributes)
    heads = {e.attributes.get("data-column", ""): e.text.strip() for e in page.all("th", scope="col")}
    assert heads[menu.attributes["data-hidden"]] == "Gruppe"
