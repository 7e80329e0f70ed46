"""The API of notifications, and the way out of mails without signing in."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from uuid import UUID

import httpx
import pytest

from ohmstead.accounts.access import Actor
from ohmstead.core.bus import Bus
from ohmstead.core.db import Pool, connect_pool
from ohmstead.notifications import service, templates, unsubscribing
from ohmstead.notifications.model import Recipient
from ohmstead.notifications.unsubscribing import Unsubscription
from ohmstead.settings import Settings
from tests import environment
from tests.api.door import Front, Visitor, problem, serving
from tests.console.conftest import sign_in
from tests.notifications.network import until
from tests.notifications.post import PostOffice, post_office, text_in
from tests.stories.network import Installation, Network
from tests.tampering import altered
from tests.told import misfits


@pytest.fixture(scope="module")
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as office:
        yield office


@pytest.fixture(scope="module")
async def front(_pool: tuple[Pool, str], database_url: str, nats_url: str, office: PostOffice) -> AsyncIterator[Front]:
    pool, clean = _pool
    await pool.execute(clean)
    data_dir = Path(tempfile.mkdtemp(prefix="ohmstead-mail-"))
    settings = Settings(
        database_url=database_url,
        nats_url=nats_url,
        data_dir=data_dir,
        secret_key=token_hex(32),
        web_port=environment.free_port(),
        smtp_url=f"smtp://127.0.0.1:{office.port}",
        mail_from="Story <story@harbour.example>",
    )
    web_pool = await connect_pool(database_url, size=8, name="mail-tests")
    bus = await Bus.connect(nats_url, "mail-tests")
    try:
        async with Installation(settings, pool, bus).running() as house, serving(settings, web_pool, bus) as (url, app):
            yield Front(house, url, app)
            assert await misfits(pool) == []
    finally:
        await bus.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(web_pool.close(), 5)
        await asyncio.to_thread(shutil.rmtree, data_dir, ignore_errors=True)


@pytest.fixture
async def api(front: Front) -> AsyncIterator[Visitor]:
    network = await Network(front.house).found()
    async with front.visitor(network, "admin") as visitor:
        yield visitor
    for station in network.stations:
        await station.leaves()


async def driver(api: Visitor, name: str = "Robin") -> tuple[str, str]:
    email = f"robin-{api.network.suffix}@example.com"
    return (await api.posts("/drivers", {"name": name, "email": email}, expect=201))["driver_id"], email


async def test_the_log_tells_what_became_of_messages_and_sends_them_again(api: Visitor, office: PostOffice) -> None:
    office.mails.clear()
    driver_id, email = await driver(api)
    async with api.network.pool.acquire() as conn, conn.transaction():
        for n in range(3):
            to = Recipient(driver_id=UUID(driver_id))
            await service.queue(
                conn, api.network.party_id, kind="receipt_issued", to=to, data={"number": f"R-{n}"}, key=str(n)
            )
    await office.gets(3)

    async def are_sent() -> bool:
        return all(one["status"] == "sent" for one in await api.all_of("/notifications", limit=2))

    await until(are_sent)
    items = await api.all_of("/notifications", limit=2, kind="receipt_issued", channel="email", driver_id=driver_id)
    assert len(items) == 3
    assert {one["address"] for one in items} == {email}
    assert [one["subject"] for one in (await api.gets("/notifications", q="R-1"))["items"]] == ["Receipt R-1:"]
    one = await api.gets(f"/notifications/{items[0]['notification_id']}")
    assert one["attempts"][0]["answer"] == "2.0.0 Taken as 4711"
    await api.posts(f"/notifications/{items[0]['notification_id']}/resend", expect=202)
    mails = await office.gets(4)
    assert len({mail["Message-ID"] for mail in mails}) == 3
    table = await api.client.get("/notifications", params={"format": "csv"})
    assert table.text.count("receipt_issued") >= 3
    problem(await api.client.get("/notifications", params={"status": "x"}), 400, "bad-request")


async def test_words_are_changed_seen_tried_and_taken_back(api: Visitor) -> None:
    name = {"kind": "charging_complete", "language": "de"}
    (found,) = (await api.gets("/notification-templates", **name))["items"]
    assert (found["is_own"], [one["name"] for one in found["variables"]][:3]) == (False, ["name", "network", "link"])
    words = {
        **name,
        "subject": "Fertig: {{ energy }}",
        "body": "{{ energy }} für **{{ total }}**.\n\n[Mehr]({{ link }})",
    }
    shown = await api.posts("/notification-templates/preview", words)
    assert shown["subject"].replace("\u00a0", " ") == "Fertig: 23,45 kWh"
    assert "<strong>12,40" in shown["html"]
    put = await api.client.put("/notification-templates", json=words)
    assert put.json()["is_own"] is True
    refused = await api.client.put("/notification-templates", json={**words, "body": "{{ secret }}"})
    problem(refused, 422, "invalid")
    problem(await api.client.post("/notification-templates/test", json=name), 409, "refused")  # a key has no mailbox
    problem(await api.client.put("/notification-templates", json={**words, "kind": "x"}), 404, "not-found")
    assert (await api.posts("/notification-templates/reset", name))["is_own"] is False
    assert len(await api.all_of("/notification-templates", limit=20)) >= 2 * 30


async def test_what_a_driver_wants_is_read_and_changed(api: Visitor) -> None:
    driver_id, email = await driver(api)
    path = f"/drivers/{driver_id}/notification-preferences"
    before = await api.gets(path)
    assert (before["email"], before["version"], before["channels"]["idle_fee"]) == (email, 0, ["push", "email"])
    after = await api.patches(
        path, {"channels": {"idle_fee": ["sms"]}, "quiet_from_minute": 1320, "quiet_until_minute": 420}
    )
    assert (after["channels"]["idle_fee"], after["channels"]["plug_free"], after["version"]) == (["sms"], ["push"], 1)
    problem(await api.client.patch(path, json={"channels": {"x": []}}), 422, "invalid")
    problem(await api.client.patch(path, json={}, headers={"If-Match": '"7"'}), 412, "stale")
    async with api.front.visitor(api.network, "drivers:read") as reader:
        problem(await reader.client.get(path), 403, "not-allowed")


async def test_mails_are_turned_off_by_their_own_address_and_only_by_sending_something(api: Visitor) -> None:
    driver_id, _email = await driver(api)
    secret = api.front.house.settings.secret()
    wanted = Unsubscription(api.network.party_id, UUID(driver_id), "idle_fee")
    path = unsubscribing.PATH + unsubscribing.token_of(secret, wanted)

    async def channels() -> dict[str, list[str]]:
        found: dict[str, list[str]] = (await api.gets(f"/drivers/{driver_id}/notification-preferences"))["channels"]
        return found

    async with httpx.AsyncClient(base_url=api.front.url) as anybody:
        page = await anybody.get(path)
        assert page.status_code == 200
        assert "Idle fee begins" in page.text
        assert "email" in (await channels())["idle_fee"]  # looking changes nothing
        clicked = await anybody.post(path, data={"List-Unsubscribe": "One-Click"})
        assert clicked.status_code == 200
        assert (await channels())["idle_fee"] == ["push"]
        assert "email" in (await channels())["receipt_issued"]
        assert (await anybody.post(path, data={"which": "all"})).status_code == 200
        assert not any("email" in one for one in (await channels()).values())
        for bad in (path[:-1], path[:20], "/unsubscribe/x", altered(path, 30)):
            assert (await anybody.get(bad)).status_code == 404
            assert (await anybody.post(bad)).status_code == 404
        german = await anybody.get(path, headers={"Accept-Language": "de"})
        assert 'lang="de"' in german.text


async def test_a_session_is_told_in_its_drivers_language_with_the_right_numbers(
    api: Visitor, office: PostOffice
) -> None:
    network = api.network
    office.mails.clear()
    energy = {"type": "ENERGY", "price": "0.50", "taxes": [{"percentage": 20}]}
    made = await api.posts(
        "/tariffs", {"name": "Story", "tariff": {"currency": "EUR", "elements": [{"price_components": [energy]}]}}
    )
    await api.posts("/tariff-assignments", {"tariff_id": made["tariff_id"]})
    for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
        await network.pool.execute(f"update {column} = '2020-01-01Z' where tariff_id = $1", made["tariff_id"])
    location_id = await network.location("Quay")
    for n, language in enumerate(("de", "en")):
        card = f"CARD{n}{network.suffix}"
        given = {"name": "Robin", "email": f"{language}-{network.suffix}@example.com", "language": language}
        driver_id = (await api.posts("/drivers", given, expect=201))["driver_id"]
        await api.posts("/tokens", {"uid": card, "driver_id": driver_id}, expect=201)
        await network.pool.execute("update token_holding set from_at = '2020-01-01Z' where driver_id = $1", driver_id)
        station = await network.station("2.0.1", f"ST-{n}", location_id=location_id)
        await station.plugs_in()
        assert await station.presents(card) == "Accepted"
        await station.delivers(wh=20_000, over="1h")
        await station.unplugs()

    async def have_come() -> bool:
        return len(office.mails) >= 4 and sum("20" in text_in(mail) for mail in office.mails) >= 2

    await until(have_come, within_s=20)
    told = {(mail["To"], mail["Subject"].replace("\u00a0", " ")): text_in(mail) for mail in office.mails}
    german = [text for (to, _subject), text in told.items() if to.startswith("de-") and "20,00 kWh" in text]
    english = [text for (to, _subject), text in told.items() if to.startswith("en-") and "20.00 kWh" in text]
    assert any("12,00 €" in text for text in german), told
    assert any("€12.00" in text for text in english), told
    # Once each, and the second copy of nothing.
    assert len({mail["Message-ID"] for mail in office.mails}) == len(office.mails)


async def test_a_person_is_sent_a_test_of_their_words(api: Visitor, office: PostOffice) -> None:
    email = f"op-{api.network.suffix}@example.com"
    operator = await api.posts("/operators", {"name": "Op", "email": email, "role": "owner"}, expect=201)
    actor = Actor(
        actor_id=f"operator:{operator['operator']['operator_id']}",
        name="Op",
        party_id=api.network.party_id,
        actions=frozenset({"admin"}),
    )
    before = len(office.mails)
    async with api.network.pool.acquire() as conn, conn.transaction():
        for _ in range(2):
            await templates.send_test(conn, actor, "charging_complete", "de")
    mails = await office.gets(before + 2)
    assert {mail["To"] for mail in mails[before:]} == {email}


async def test_an_operator_reads_the_log_changes_words_and_asks_to_be_told(front: Front, office: PostOffice) -> None:
    network = await Network(front.house).found()
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client, front.visitor(network, "admin") as api:
        visitor = await sign_in(front, network, client)
        assert "Nobody was told anything within a week." in (await visitor.opens("/settings/notifications")).heading
        driver_id, _email = await driver(api, "<b>Robin</b>")
        async with api.network.pool.acquire() as conn, conn.transaction():
            to, data = Recipient(driver_id=UUID(driver_id)), {"number": "R-<i>1</i>"}
            (made,) = await service.queue(conn, network.party_id, kind="receipt_issued", to=to, data=data, key="1")

        async def is_sent() -> bool:
            return bool((await api.gets(f"/notifications/{made}"))["notification"]["status"] == "sent")

        await until(is_sent)
        log = await visitor.opens("/settings/notifications?show=sent&channel=email&q=robin")
        assert "1 message sent within a week." in log.heading
        assert "<i>1</i>" not in log.html
        assert "2.0.0 Taken as 4711" in log.text
        one = await visitor.opens(f"/settings/notifications/messages/{made}")
        assert "R-<i>1</i>" in one.text
        await visitor.sends(f"/settings/notifications/messages/{made}", expect=303)
        table = (await client.get("/settings/notifications.csv?kind=receipt_issued")).text
        assert table.count("receipt_issued") >= 2  # the row and its key
        name = {"kind": "charging_complete", "language": "en"}
        assert "All in the words" in (await visitor.opens("/settings/notifications/words")).heading
        await visitor.opens("/settings/notifications/words?kind=nonsense&language=en", expect=404)
        words = {**name, "subject": "Done: {{ energy }}", "body": "**{{ energy }}** <script>x</script>"}
        shown = await visitor.sends("/settings/notifications/words", **words, do="preview")
        assert "<strong>23.45\u00a0kWh</strong> &lt;script&gt;" in shown.html
        bad = await visitor.sends("/settings/notifications/words", **words | {"body": "{{ x }}"}, expect=422)
        assert "there is no variable x here" in bad.text
        await visitor.sends("/settings/notifications/words", **words, expect=303)
        assert "1 message in your own words." in (await visitor.opens("/settings/notifications/words")).heading
        lonely = await visitor.sends("/settings/notifications/words", **words, do="test", expect=422)
        assert "you have no e-mail address here" in lonely.text
        await network.pool.execute(
            "update operator set email = $2 where party_id = $1", network.party_id, f"op-{network.suffix}@example.com"
        )
        await visitor.sends("/settings/notifications/words", **words, do="test", expect=303)
        await visitor.sends("/settings/notifications/words", **words, do="reset", expect=303)
        await visitor.sends("/settings/notifications", kinds="operator_dispute", expect=303)
        mine = next((await visitor.opens("/settings/notifications")).all("input", value="operator_dispute"))
        assert "checked" in mine.attributes
        german = await visitor.opens("/settings/notifications/words?kind=charging_complete&language=de")
        assert "{% if x %}" in german.text
        technician = await sign_in(front, network, httpx.AsyncClient(base_url=front.url), "technician")
        await technician.opens("/settings/notifications", expect=403)
        await technician.client.aclose()


async def test_a_code_that_could_not_be_sent_is_shown_to_who_may_change_drivers(front: Front) -> None:
    network = await Network(front.house).found()
    async with network.pool.acquire() as conn, conn.transaction():
        to, data = Recipient(email="robin@example.com"), {"code": "123456", "minutes": 10}
        (made,) = await service.queue(conn, network.party_id, kind="sign_in_code", to=to, data=data, key="1")
        # As the worker leaves it where no mail server is set up.
        await conn.execute(
            "update notification set status = 'dropped', reason = 'no_channel', finished_at = now()"
            " where notification_id = $1",
            made,
        )
    seen = {}
    for role in ("owner", "support", "finance"):
        async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:
            visitor = await sign_in(front, network, client, role)
            page = await visitor.opens(f"/settings/notifications/messages/{made}")
            seen[role] = "123456" in page.html
            assert ("Its text is not kept" in page.text) is not seen[role]
    assert seen == {"owner": True, "support": True, "finance": False}
    noted = "select count(*) from audit_entry where party_id = $1 and action = 'sign_in_code.read'"
    assert await network.pool.fetchval(noted, network.party_id) == 2
