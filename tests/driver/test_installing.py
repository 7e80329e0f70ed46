"""The installed app: where it opens, and what it keeps for bad connections."""

from tests.driver.test_signing_in import a_station
from tests.driver.visitor import Visitor


async def test_the_app_opens_at_the_map_for_who_has_no_account(visitor: Visitor) -> None:
    begins = (await visitor.opens("/drive/manifest.webmanifest")).answer.json()["start_url"]
    assert (await visitor.opens(begins, expect=303)).answer.headers["location"] == "/drive"
    await visitor.signs_in(visitor.mailbox("owner"), at=await a_station(visitor.network))
    assert (await visitor.opens(begins, expect=303)).answer.headers["location"] == "/drive/home"


async def test_what_is_kept_for_bad_connections_is_nobodys(visitor: Visitor) -> None:
    await visitor.signs_in(visitor.mailbox("first"), at=await a_station(visitor.network))
    assert visitor.csrf_token
    kept = await visitor.opens("/drive/offline")
    assert visitor.csrf_token not in kept.html
    assert visitor.csrf_token in (await visitor.opens("/drive/me")).html
