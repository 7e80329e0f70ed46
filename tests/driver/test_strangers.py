"""Another driver, of the same network or another one, gets nothing of this one's: every route of /drive is tried."""

from typing import Any
from uuid import UUID, uuid4

import structlog

from ohmstead.drivers import passes
from tests.api.door import Front
from tests.driver.test_every_page import a_drivers_life
from tests.driver.visitor import Visitor
from tests.tampering import altered

# Fields that would do something, were the thing the stranger's.
FORMS: dict[str, dict[str, Any]] = {
    "/drive/me/cards/{}/name": {"label": "Mine"},
    "/drive/me/cards/{}/lost": {},
    "/drive/me/cars/{}/remove": {},
    "/drive/me/passkeys/{}/remove": {},
    "/drive/me/browsers/{}/end": {},
    "/drive/me/money/cards/{}/remove": {},
    "/drive/me/money/debts/{}": {},
    "/drive/me/money/subscriptions/{}/cancel": {},
    "/drive/me/money/plans/{}": {},
    "/drive/me/money/back/{}": {},
    "/drive/me/money/stored/{}": {},
}
# What anybody may open who has its address, or what is everybody's.
OPEN = {"/drive/c/{}/{}", "/drive/e/{}", "/drive/l/{}", "/drive/l/{}/photos/{}", "/drive/back/{}"}


def with_ids(front: Front) -> set[str]:
    """Routes with something in their path."""
    import re

    found = set()
    for route in front.app.routes:
        if route.path.startswith("/drive/") and "{" in route.path:
            found.add(re.sub(r"\{[^}]*\}", "{}", route.path))
    return found


async def ids_of(visitor: Visitor) -> dict[str, UUID]:
    """One of everything that is this driver's."""
    pool, party, driver = visitor.network.pool, visitor.network.party_id, await visitor.driver_id()
    found: dict[str, Any] = {
        "cards": await pool.fetchval("select token_id from token where driver_id = $1 limit 1", driver),
        "cars": await pool.fetchval("select car_id from driver_car where driver_id = $1", driver),
        "browsers": await pool.fetchval("select driver_session_id from driver_session where driver_id = $1", driver),
        "passkeys": uuid4(),
        "plans": uuid4(),
    }
    await pool.execute(
        "insert into driver_passkey (passkey_id, party_id, driver_id, credential_id, public_key, sign_count, name,"
        " created_at) values ($1, $2, $3, $4, '\\x01', 0, 'key', now())",
        found["passkeys"],
        party,
        driver,
        found["passkeys"].bytes,
    )
    return found


async def test_another_driver_reaches_nothing(visitor: Visitor, another: Visitor) -> None:
    known = await a_drivers_life(visitor)
    ids = await ids_of(visitor)
    station = known["/drive/c/{}/{}"].split("/")[3]
    await another.signs_in(visitor.mailbox("eve"), at=station)
    tried = 0
    for path, fields in FORMS.items():
        kind = path.split("/")[3] if path.split("/")[3] in ids else path.split("/")[-2]
        address = path.replace("{}", str(ids.get(kind, uuid4())))
        if path in ("/drive/me/money/back/{}", "/drive/me/money/stored/{}"):
            await another.opens(address, expect=404)
        else:
            await another.sends(address, expect=404, **fields)
        tried += 1
    assert tried == len(FORMS)
    # Nothing of it happened.
    assert len(list((await visitor.opens("/drive/me/cards")).all("li"))) >= 1
    assert "Blue one" in (await visitor.opens("/drive/me/cars")).text
    for path in ("/drive/home", "/drive/history", "/drive/me/cards", "/drive/me/cars", "/drive/me/money", "/drive/me"):
        page = await another.opens(path)
        for secret in (visitor.mailbox("robin"), "Key ring", "F9C2", "Blue one", "21.84"):
            assert secret not in page.html, f"{path} shows {secret}"
    data = (await another.client.get("/drive/me/data/export")).content
    assert b"robin" not in data


async def test_every_route_with_an_id_is_tried_or_open_by_design(front: Front) -> None:
    by_pass = {path for path in with_ids(front) if path.startswith("/drive/s/{}")}
    own_places = {"/drive/l/{}/favourite", "/drive/l/{}/watch"}
    assert with_ids(front) - set(FORMS) - OPEN - by_pass - own_places == set()


async def test_nobody_is_asked_to_sign_in_before_anything_of_somebodys(visitor: Visitor) -> None:
    for path in ("/drive/home", "/drive/history", "/drive/me", "/drive/me/data/export", "/drive/me/money"):
        answer = await visitor.client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/drive/sign-in")
    for path in FORMS:
        answer = await visitor.client.post(path.replace("{}", str(uuid4())))
        assert answer.status_code in (303, 405), path


async def test_places_of_other_networks_are_nobodys_favourites(visitor: Visitor, another: Visitor) -> None:
    known = await a_drivers_life(visitor)
    await another.signs_in(visitor.mailbox("eve"), at="")  # at home in the installation's first network
    place = known["/drive/l/{}"]
    page = await another.sends(f"{place}/favourite", expect=404, on="1")
    assert "There is no such place" in page.text
    await another.sends(f"{place}/watch", expect=404, on="1")


async def test_passes_cannot_be_made_or_changed(visitor: Visitor) -> None:
    known = await a_drivers_life(visitor)
    good = known["/drive/s/{}"].removeprefix("/drive/s/")
    await visitor.opens(f"/drive/s/{good}")
    secret = visitor.front.house.settings.secret()
    made = passes.write(b"x" * 32, "session", passes.read(secret, good).id)  # type: ignore[union-attr]
    for bad in (made, altered(good, -2), altered(good, 0), good[:-1], "", "%00", "x" * 5000, good + "=", str(uuid4())):
        if bad:
            await visitor.opens(f"/drive/s/{bad}", expect=404)
            await visitor.sends(f"/drive/s/{bad}/stop", expect=404)
    assert passes.read(secret, "ü" * 44) is None


async def test_logs_hold_no_address_that_opens_something(visitor: Visitor) -> None:
    secret = passes.write(visitor.front.app.state.pepper, "session", uuid4())
    with structlog.testing.capture_logs() as logs:
        for path in (f"/drive/s/{secret}", f"/drive/s/{secret}/now", f"/unsubscribe/{secret}", f"/documents/{secret}"):
            await visitor.opens(path, expect=404)
        await visitor.opens(f"/pay/sandbox/sbx_{secret}", expect=404)
    assert secret not in repr(logs)
    told = {line["path"] for line in logs if line["event"] == "request"}
    assert told >= {"/drive/s/…", "/drive/s/…/now", "/unsubscribe/…", "/documents/…", "/pay/sandbox/…"}
