"""What happens becomes messages to those whom it concerns; what goes on is looked at; places are watched."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ohmstead.core import clock
from ohmstead.core.errors import NotFound, Refused
from ohmstead.core.ids import new_id
from ohmstead.facts import catalogue
from ohmstead.notifications import noticing, places, queries, service
from ohmstead.notifications.running import Watcher
from ohmstead.tariffs.model import Tariff
from tests.notifications.network import Harbour, at
from tests.notifications.post import Browser
from tests.notifications.test_push_and_sms import text64

IDLE = {"price_per_minute": "0.10", "grace_minutes": 15}


def tariff(**more: Any) -> Tariff:
    energy = {"type": "ENERGY", "price": "0.50"}
    rules = {"currency": "EUR", "elements": [{"price_components": [energy]}], **more}
    return msgspec.convert(rules, Tariff)


@pytest.fixture
def still() -> Iterator[list[datetime]]:
    now = [at("2026-03-02T12:00:00")]
    clock.set_source(lambda: now[0])
    yield now
    clock.set_source(None)


async def ends(harbour: Harbour, session_id: UUID, **more: Any) -> None:
    row = {"status": "completed", "charging_state": None, "stop_reason": "ev_disconnected", **more}
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(row, 2))
    await harbour.pool.execute(
        f"update session set {sets}, ended_at = last_event_at, settled_at = last_event_at where session_id = $1",
        session_id,
        *row.values(),
    )


async def guest(harbour: Harbour, session_id: UUID | None, email: str | None = "guest@example.com") -> UUID:
    payment_id = new_id()
    await harbour.pool.execute(
        "insert into payment (payment_id, party_id, provider, purpose, customer, state, is_hold, currency, amount, session_id,"
        " email, language, created_at) values ($1, $2, 'sandbox', 'session', $3, 'held', true, 'EUR', 40, $4, $5, 'de', now())",
        payment_id,
        harbour.party_id,
        f"payment:{payment_id}",
        session_id,
        email,
    )
    return payment_id


def test_it_hears_of_facts_that_there_are() -> None:
    # Those of rooms that are not here yet are left out; the catalogue names all that are.
    known = {kind for kind in noticing.KINDS if kind in catalogue.KINDS}
    assert {"SessionStarted", "SessionEnded", "SessionSettled", "CdrCreated", "InvoiceIssued", "CoverEnding"} <= known


async def test_a_session_is_told_of_from_its_start_to_its_receipt(harbour: Harbour) -> None:
    await harbour.driver(card="TAG1")
    session_id = await harbour.session("TAG1")
    for _ in range(2):
        await harbour.happens("SessionStarted", session_id=str(session_id))
    await ends(harbour, session_id)
    for _ in range(2):
        await harbour.happens("SessionEnded", session_id=str(session_id))
        await harbour.happens(
            "CdrCreated", session_id=str(session_id), total="11.73", currency="EUR", replaces_id=None, version=1
        )
    await harbour.happens(
        "InvoiceIssued",
        invoice_id=str(new_id()),
        number="R-2026-000042",
        kind="receipt",
        customer=f"driver:{(await harbour.rows())[0]['driver_id']}",
        total="11.73",
        currency="EUR",
        session_id=str(session_id),
    )
    await harbour.sends()
    assert await harbour.told() == [
        ("charging_started", "push", "no_address"),
        ("card_used", "email", "sent"),
        ("charging_complete", "email", "sent"),
        ("receipt_issued", "email", "sent"),
    ]
    card, complete, receipt = harbour.email.letters
    assert card.subject == "Your card …TAG1 was used at Quay"
    assert "23.45 kWh" in complete.text.replace("\u00a0", " ")
    assert "€11.73" in complete.text
    assert receipt.subject == "Receipt R-2026-000042: €11.73"
    assert "/documents/" in receipt.text


async def test_a_card_is_told_of_where_it_was_never_used(harbour: Harbour) -> None:
    await harbour.driver(card="TAG1")
    for n in range(2):
        started_at = clock.now() - timedelta(hours=9 - n)
        session_id = await harbour.session("TAG1", started_at=started_at)
        await harbour.happens("SessionStarted", session_id=str(session_id))
    assert [kind for kind, _channel, _how in await harbour.told()].count("card_used") == 1
    app = await harbour.session("APP", token_type="Central")
    await harbour.happens("SessionStarted", session_id=str(app))
    assert len(await harbour.told()) == 3


async def test_a_guest_is_told_what_concerns_them(harbour: Harbour) -> None:
    session_id = await harbour.session("PAY1", token_type="DirectPayment")
    payment_id = await guest(harbour, session_id)
    customer = f"payment:{payment_id}"
    payment = {"payment_id": str(payment_id), "purpose": "session", "customer": customer, "currency": "EUR"}
    await harbour.happens("PaymentHeld", **payment, amount="40.00", session_id=None)
    await harbour.happens("SessionStarted", session_id=str(session_id))
    await ends(harbour, session_id)
    await harbour.happens("CdrCreated", session_id=str(session_id), total="11.73", currency="EUR", replaces_id=None)
    await harbour.happens("PaymentCaptured", **payment, amount="11.73", session_id=str(session_id))
    await harbour.happens("PaymentRefunded", **payment, amount="2.00", session_id=str(session_id))
    await harbour.sends()
    assert [one.kind for one in harbour.email.letters] == ["charging_started", "charging_complete", "payment_refunded"]
    assert {(one.address, one.language, one.unsubscribe_url) for one in harbour.email.letters} == {
        ("guest@example.com", "de", None)
    }
    assert all("/drive/s/" in one.text for one in harbour.email.letters)


async def test_who_left_no_address_and_who_is_unknown_is_not_told(harbour: Harbour) -> None:
    session_id = await harbour.session("PAY1", token_type="DirectPayment")
    await guest(harbour, session_id, email=None)
    await harbour.happens("SessionStarted", session_id=str(session_id))
    await harbour.happens("SessionStarted", session_id=str(await harbour.session("NOBODYS")))
    await harbour.happens("SessionStarted", session_id=str(new_id()))
    assert await harbour.told() == []


@pytest.mark.parametrize("reason", ["emergency_stop", "power_loss", "reboot", "other"])
async def test_an_end_that_nobody_wanted_is_told_at_once_and_alone(harbour: Harbour, reason: str) -> None:
    await harbour.driver(card="TAG1")
    session_id = await harbour.session("TAG1")
    await ends(harbour, session_id, stop_reason=reason)
    await harbour.happens("SessionEnded", session_id=str(session_id))
    await harbour.happens("SessionSettled", session_id=str(session_id))
    await harbour.happens("CdrCreated", session_id=str(session_id), total="1", currency="EUR", replaces_id=None)
    assert [kind for kind, _channel, _how in await harbour.told()] == ["stopped_early"]


async def test_without_a_tariff_the_end_is_told_without_a_price_and_with_one_it_waits(harbour: Harbour) -> None:
    await harbour.driver(card="TAG1")
    free = await harbour.session("TAG1", last_event_at=clock.now())
    await ends(harbour, free)
    await harbour.happens("SessionSettled", session_id=str(free))
    assert await harbour.told() == [("charging_complete", "email", "queued")]
    await harbour.offers(tariff())
    priced = await harbour.session("TAG1")
    await ends(harbour, priced)
    await harbour.happens("SessionSettled", session_id=str(priced))
    assert len(await harbour.told()) == 1
    empty = await harbour.session("TAG1", energy_wh=Decimal(0))
    await ends(harbour, empty)
    await harbour.happens("SessionSettled", session_id=str(empty))
    await harbour.sends()
    assert harbour.email.letters[-1].kind == "stopped_early"
    assert "no energy was delivered" in harbour.email.letters[-1].text


async def test_money_is_told_to_its_driver(harbour: Harbour) -> None:
    robin = await harbour.driver()
    of = {"customer": f"driver:{robin}", "currency": "EUR", "session_id": None}
    payment = {"payment_id": str(new_id()), "purpose": "session"}
    await harbour.happens("PaymentFailed", **of, **payment, amount="11.86", reason="insufficient_funds")
    await harbour.happens(
        "DebtOpened", **of, debt_id=str(new_id()), payment_id=None, purpose="debt", amount="3.20", reason="x"
    )
    small = {"reason": "amount_too_small", "amount": "0.20"}
    await harbour.happens("PaymentFailed", **of, **payment | {"payment_id": str(new_id())}, **small)
    await harbour.happens("DebtOpened", **of, debt_id=str(new_id()), payment_id=None, purpose="session", **small)
    await harbour.happens("WalletLow", driver_id=str(robin), currency="EUR", available="1.50")
    await harbour.happens(
        "WalletToppedUp", driver_id=str(robin), payment_id=str(new_id()), amount="50.00", currency="EUR"
    )
    await harbour.happens("PaymentCaptured", **of, **payment | {"purpose": "top_up"}, amount="50.00")
    await harbour.sends()
    told = {one.kind: one for one in harbour.email.letters}
    assert len(harbour.email.letters) == 4
    assert set(told) == {"payment_failed", "debt_opened", "wallet_low", "wallet_topped_up"}
    assert "there is not enough on the account" in told["payment_failed"].text
    assert told["debt_opened"].unsubscribe_url is None
    assert told["wallet_low"].subject == "Your wallet is nearly empty: €1.50"


async def test_limits_of_cover_and_of_the_driver_are_told_each_once(harbour: Harbour) -> None:
    await harbour.driver(card="TAG1")
    session_id = await harbour.session("TAG1")
    said = {"session_id": str(session_id), "limit": "40.00", "total": "36.20", "currency": "EUR"}
    for _ in range(2):
        await harbour.happens("CoverEnding", whose="cover", **said)
        await harbour.happens("CoverRanOut", whose="driver", **said)
    await harbour.sends()
    assert [one.kind for one in harbour.email.letters] == ["cover_ending", "price_limit"]
    assert "At €40.00, the limit that you set" in harbour.email.letters[1].text


async def test_other_parties_hear_nothing(harbour: Harbour) -> None:
    other = await Harbour(harbour.pool).opens()
    await harbour.driver(card="TAG1")
    session_id = await harbour.session("TAG1")
    await other.happens("SessionStarted", session_id=str(session_id))
    assert await harbour.told() == []
    assert await other.told() == []


# ------------------------------------------------------------------------------------------------------- what goes on


async def test_a_car_that_fills_is_told_of_step_by_step(harbour: Harbour, still: list[datetime]) -> None:
    await harbour.driver(card="TAG1", phone="+431")
    await harbour.offers(tariff(idle_fee=IDLE))
    now = still[0]
    session_id = await harbour.session(
        "TAG1", now=now, soc_start_percent=Decimal(40), soc_percent=Decimal(60), energy_wh=Decimal(12_000)
    )
    await harbour.happens(
        "SessionSettled", session_id=str(session_id)
    )  # keeps the tariff, and tells nothing: it goes on
    watcher = Watcher(harbour.pool)
    for _ in range(2):
        await watcher.look()
    assert [row["kind"] for row in await harbour.rows()] == ["time_to_full"]

    async def becomes(**columns: Any) -> None:
        still[0] += timedelta(minutes=30)
        columns |= {"updated_at": still[0], "last_event_at": still[0]}
        sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(columns, 2))
        await harbour.pool.execute(f"update session set {sets} where session_id = $1", session_id, *columns.values())
        await watcher.look()

    await becomes(soc_percent=Decimal(92), energy_wh=Decimal(31_000))
    await harbour.pool.execute(
        "insert into session_event (session_id, at, kind) values ($1, $2, 'charging'), ($1, $3, 'suspended_ev')",
        session_id,
        now - timedelta(minutes=30),
        still[0] + timedelta(minutes=28),
    )
    await becomes(charging_state="suspended_ev", soc_percent=Decimal(100), power_w=Decimal(0))
    still[0] += timedelta(minutes=5)
    for one in (watcher, Watcher(harbour.pool)):  # one that was started anew tells nothing twice
        await one.look()
    rows = await harbour.rows()
    assert [row["kind"] for row in rows] == ["time_to_full", "nearly_full", "fully_charged", "idle_fee"]
    fee = rows[-1]
    assert datetime.fromisoformat(fee["data"]["at"]) == now + timedelta(minutes=60 - 2 + 15)
    assert fee["data"]["fee"] == {"amount": "0.10", "currency": "EUR"}
    await ends(harbour, session_id)
    assert await watcher.look() == 0


# ------------------------------------------------------------------------------------------------------------- places


async def test_a_plug_that_gets_free_is_told_once_to_all_who_wait(harbour: Harbour) -> None:
    robin, alex = await harbour.driver(), await harbour.driver("alex@example.com")
    session_id = await harbour.session("TAG9")
    async with harbour.pool.acquire() as conn, conn.transaction():
        await service.watch_plug(conn, harbour.party_id, robin, location_id=harbour.location_id)
        watch = await service.watch_plug(conn, harbour.party_id, alex, station_id=harbour.station_id, evse_number=1)
        again = await service.watch_plug(conn, harbour.party_id, alex, station_id=harbour.station_id, evse_number=1)
        assert again.watch_id == watch.watch_id
        with pytest.raises(NotFound):
            await service.watch_plug(conn, harbour.party_id, robin, station_id="NONE")
    assert await places.tell_free(harbour.pool) == 0
    await ends(harbour, session_id)
    assert await places.tell_free(harbour.pool) == 2
    assert await places.tell_free(harbour.pool) == 0
    await harbour.sends()
    assert sorted(str(one.address) for one in harbour.email.letters) == ["alex@example.com", "robin@example.com"]
    assert f"/drive/e/{harbour.station_id}*1" in harbour.email.letters[0].text
    async with harbour.pool.acquire() as conn, conn.transaction():
        assert await queries.list_watches(conn, harbour.party_id, robin, clock.now()) == []
        with pytest.raises(Refused) as free:
            await service.watch_plug(conn, harbour.party_id, robin, location_id=harbour.location_id)
    assert free.value.detail["code"] == "free"


async def test_watches_of_places_where_nothing_gets_free_keep_nobody_waiting(harbour: Harbour) -> None:
    robin, broken = await harbour.driver(), f"{harbour.station_id}-B"
    await harbour.builds(broken, status="faulted")
    session_id = await harbour.session("TAG9")
    async with harbour.pool.acquire() as conn, conn.transaction():
        await service.watch_plug(conn, harbour.party_id, robin, station_id=broken)
        await service.watch_plug(conn, harbour.party_id, robin, station_id=harbour.station_id)
    await ends(harbour, session_id)
    assert await places.tell_free(harbour.pool, most=1) == 1


async def test_a_watch_ends_and_can_be_taken_back(harbour: Harbour, still: list[datetime]) -> None:
    robin = await harbour.driver()
    session_id = await harbour.session("TAG9", now=still[0])
    async with harbour.pool.acquire() as conn, conn.transaction():
        watch = await service.watch_plug(conn, harbour.party_id, robin, station_id=harbour.station_id)
        assert await service.unwatch_plug(conn, harbour.party_id, robin, watch.watch_id)
        await service.watch_plug(conn, harbour.party_id, robin, station_id=harbour.station_id)
    still[0] += timedelta(hours=2, minutes=1)
    await ends(harbour, session_id)
    assert await places.tell_free(harbour.pool) == 0


async def test_a_favourite_that_is_out_of_service_is_told_and_when_it_is_back(
    harbour: Harbour, still: list[datetime]
) -> None:
    robin = await harbour.driver()
    other = f"{harbour.station_id}-B"
    await harbour.builds(other)
    async with harbour.pool.acquire() as conn, conn.transaction():
        await service.follow_place(conn, harbour.party_id, robin, station_id=harbour.station_id)
        await service.follow_place(conn, harbour.party_id, robin, location_id=harbour.location_id)
        assert [one.name for one in await queries.list_followed(conn, harbour.party_id, robin)] == [
            harbour.station_id,
            "Quay",
        ]

    async def connector(station_id: str, status: str) -> None:
        await harbour.pool.execute(
            "update connector set status = $2, status_at = $3 where station_id = $1", station_id, status, still[0]
        )

    await connector(harbour.station_id, "faulted")
    assert await places.tell_outages(harbour.pool) == 0  # it may be over in a moment
    still[0] += timedelta(seconds=61)
    assert await places.tell_outages(harbour.pool) == 1
    assert await places.tell_outages(harbour.pool) == 0
    await connector(other, "unavailable")
    still[0] += timedelta(seconds=61)
    # Of the location they are told when nothing there is in service; as the station's follower they know of the first.
    assert await places.tell_outages(harbour.pool) == 1
    await connector(harbour.station_id, "available")
    assert await places.tell_outages(harbour.pool) == 1
    await harbour.sends()
    assert [row["kind"] for row in await harbour.rows()] == ["station_out", "station_out", "station_back"]
    assert "it reports a fault" in harbour.email.letters[0].text
    assert "it is in maintenance or switched off" in harbour.email.letters[1].text


async def test_operators_who_asked_are_told_and_others_are_not(harbour: Harbour, still: list[datetime]) -> None:
    for name in ("asks", "does not"):
        operator_id = new_id()
        await harbour.pool.execute(
            "insert into operator (operator_id, party_id, name, email) values ($1, $2, $3, $4)",
            operator_id,
            harbour.party_id,
            name,
            f"{name.replace(' ', '.')}@harbour.example",
        )
        if name == "asks":
            async with harbour.pool.acquire() as conn, conn.transaction():
                kinds = ["operator_station_out", "operator_dispute", "operator_difference"]
                await service.set_operator_kinds(conn, harbour.party_id, operator_id, kinds)
    await harbour.pool.execute(
        "update station set gateway_id = null, disconnected_at = $2, created_at = $2 where station_id = $1",
        harbour.station_id,
        still[0] - timedelta(minutes=6),
    )
    assert await places.tell_outages(harbour.pool) == 1
    payment = {
        "payment_id": str(new_id()),
        "purpose": "session",
        "customer": "nobody",
        "currency": "EUR",
        "session_id": None,
    }
    await harbour.happens("PaymentDisputed", **payment, amount="11.86", state="open", reason="fraudulent")
    await harbour.happens("PaymentDifferenceFound", n_new=2, n_open=5)
    await harbour.sends()
    assert [(one.kind, one.address) for one in harbour.email.letters] == [
        ("operator_station_out", "asks@harbour.example"),
        ("operator_dispute", "asks@harbour.example"),
        ("operator_difference", "asks@harbour.example"),
    ]


async def test_what_is_long_past_when_we_hear_of_it_is_told_to_nobody(harbour: Harbour) -> None:
    """A station that was offline tells of its sessions when it is back; a worker may have been away."""
    driver_id, browser = await harbour.driver(card="TAG1", email=None), Browser()
    await harbour.subscribes(driver_id, "https://push.example.com/1", text64(browser.point), text64(browser.auth))
    ago = clock.now() - timedelta(hours=8)
    session_id = await harbour.session("TAG1", now=ago, updated_at=clock.now(), soc_percent=Decimal(95))
    await harbour.happens("SessionStarted", session_id=str(session_id))
    await Watcher(harbour.pool).look()
    await ends(harbour, session_id, stop_reason="power_loss")
    await harbour.happens("SessionEnded", session_id=str(session_id))
    told = [one for one in await harbour.told() if one[0] != "card_used"]
    assert told == [("charging_started", "push", "too_late"), ("stopped_early", "push", "too_late")]
    assert await harbour.sends() == 0


async def test_a_car_that_rests_is_looked_at_however_many_charge(harbour: Harbour) -> None:
    await harbour.driver(card="TAG1")
    long_ago = clock.now() - timedelta(hours=1)
    resting = await harbour.session("TAG1", now=long_ago, charging_state="suspended_ev")
    await harbour.pool.execute(
        "insert into session_event (session_id, at, kind) values ($1, $2, 'suspended_ev')", resting, long_ago
    )
    for n in range(4):
        await harbour.session(f"TAG{n + 2}")
    assert await Watcher(harbour.pool, most=2).look() == 1
    assert [kind for kind, _channel, _how in await harbour.told()] == ["fully_charged"]
