"""Payments, debts, chargebacks and differences in the console."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from ohmstead.core.ids import new_id
from tests.api.door import Front
from tests.console.test_money import links
from tests.console.town import Town
from tests.console.visitor import Visitor, sign_in


@pytest.fixture
async def town(noon: datetime, visitor: Visitor) -> Town:
    return Town(visitor.network, noon)


async def a_payment(town: Town, *, hours_ago: float = 1, **values: Any) -> UUID:
    """20 EUR held for a guest and 11.86 taken, unless told otherwise."""
    payment_id = new_id()
    row: dict[str, Any] = {
        "payment_id": payment_id,
        "party_id": town.network.party_id,
        "provider": "sandbox",
        "purpose": "session",
        "customer": f"payment:{payment_id}",
        "state": "captured",
        "is_hold": True,
        "currency": "EUR",
        "amount": Decimal(20),
        "captured": Decimal("11.86"),
        "email": "guest@example.com",
        "provider_ref": f"sbx_{payment_id.hex}",
        "created_at": town.ago(hours_ago),
        **values,
    }
    await town.insert("payment", **row)
    return payment_id


async def an_operation(town: Town, payment_id: UUID, kind: str, **values: Any) -> None:
    row = {
        "operation_id": new_id(),
        "payment_id": payment_id,
        "party_id": town.network.party_id,
        "kind": kind,
        "state": "done",
        "next_at": town.now,
        "created_at": town.ago(1),
        "created_by": "system",
        **values,
    }
    await town.insert("payment_operation", **row)


async def test_payments_are_listed_with_what_was_kept_and_found_by_ids(town: Town, visitor: Visitor) -> None:
    assert (await visitor.opens("/payments")).heading == "Nobody has paid anything yet."
    paid = await a_payment(town, refunded=Decimal(1))
    held = await a_payment(town, state="held", captured=Decimal(0), hours_ago=50, email="other@example.com")
    failed = await a_payment(
        town, state="failed", captured=Decimal(0), failure="insufficient_funds", purpose="top_up", hours_ago=60
    )
    page = await visitor.opens("/payments")
    assert page.heading == "3 payments, 10.86 EUR kept."
    assert "not enough on the card" in page.text
    for query, found in (
        ("show=captured", [paid]),
        ("show=held", [held]),
        ("show=back", [paid]),
        ("show=failed", [failed]),
        ("purpose=top_up", [failed]),
        (f"q={held}", [held]),
        (f"q=sbx_{paid.hex}", [paid]),
        ("q=guest%40", [paid, failed]),
        ("from=2026-03-11", [paid]),
        ("to=2026-03-10", [held, failed]),
        ("provider=stripe", []),
        (f"customer=payment:{held}", [held]),
    ):
        shown = links(await visitor.opens(f"/payments?{query}"))
        assert [one for one in (paid, held, failed) if f"/payments/{one}" in shown] == found, query
        table = (await visitor.client.get(f"/payments.csv?{query}")).text
        assert [one for one in (paid, held, failed) if f"\n{one}," in table] == found, query
    assert "give days as" in (await visitor.opens("/payments?from=x")).text.lower()


async def test_a_payment_tells_what_was_done_for_it_and_what_the_provider_told(town: Town, visitor: Visitor) -> None:
    payment = await a_payment(town)
    await an_operation(town, payment, "checkout")
    await an_operation(town, payment, "capture", amount=Decimal("11.86"), last_error="no answer", n_tries=2)
    await town.insert(
        "payment_webhook",
        provider="sandbox",
        event_id="evt_1",
        kind="payment.captured",
        about="payment",
        refs=[f"sbx_{payment.hex}"],
        body=b"{}",
        received_at=town.now,
        outcome="applied",
    )
    page = await visitor.opens(f"/payments/{payment}")
    assert page.heading == "11.86 EUR paid."
    found = await visitor.client.get(f"/search?q={payment}")
    assert found.headers["location"] == f"/payments/{payment}"
    assert f"/payments/{payment}" in links(await visitor.opens(f"/search?q=sbx_{payment.hex}", hx_request="true"))
    for words in ("Take what is due: 11.86 EUR", "no answer", "Sandbox told: payment.captured", "guest@example.com"):
        assert words in page.text, words
    assert f"sbx_{payment.hex}" in page.text


async def test_a_payment_is_given_back_in_part_and_in_full_with_a_reason(town: Town, visitor: Visitor) -> None:
    payment = await a_payment(town)
    path = f"/payments/{payment}/refund"
    for fields in ({"reason": ""}, {"reason": "x", "amount": "abc"}, {"reason": "x", "amount": "20"}):
        page = await visitor.sends(path, expect=422, **fields)
        assert list(page.all("span", role="alert")), fields
    assert "most 11.86 EUR are left" in (await visitor.sends(path, reason="x", amount="20", expect=422)).text
    await visitor.sends(path, reason="The cable was stuck", amount="1,50", expect=303)
    page = await visitor.opens(f"/payments/{payment}?done=refund")
    assert "Give back: 1.50 EUR" in page.text
    assert "The cable was stuck" in page.text
    await visitor.sends(path, reason="All of it", expect=303)
    page = await visitor.opens(f"/payments/{payment}")
    assert "Give back: 10.36 EUR" in page.text
    refused = await visitor.sends(path, reason="again", expect=409)
    assert "Nothing is left to give back" in refused.text


async def test_a_hold_with_which_nothing_began_is_let_go(town: Town, visitor: Visitor) -> None:
    held = await a_payment(town, state="held", captured=Decimal(0))
    busy = await a_payment(town, state="held", captured=Decimal(0), session_id=new_id())
    await visitor.sends(f"/payments/{held}/release", reason=" ", expect=422)
    await visitor.sends(f"/payments/{held}/release", reason="They went away", expect=303)
    assert "Being let go" in (await visitor.opens(f"/payments/{held}")).text
    assert not list((await visitor.opens(f"/payments/{busy}")).all("section", id="release"))
    await visitor.sends(f"/payments/{busy}/release", reason="x", expect=409)


async def test_debts_chargebacks_and_differences_are_worked_off(town: Town, visitor: Visitor) -> None:
    for room in ("debts", "disputes", "differences"):
        await visitor.opens(f"/exceptions/{room}")
    payment = await a_payment(town)
    base = {"party_id": town.network.party_id, "currency": "EUR", "payment_id": payment}
    debt, difference = new_id(), new_id()
    await town.insert(
        "payment_debt",
        debt_id=debt,
        customer=f"payment:{payment}",
        amount=Decimal(3),
        reason="over_hold",
        opened_at=town.now,
        **base,
    )
    await town.insert(
        "payment_dispute",
        dispute_id=new_id(),
        provider="sandbox",
        provider_ref="dp_1",
        state="open",
        amount=Decimal("11.86"),
        reason="fraudulent",
        opened_at=town.now,
        **base,
    )
    await town.insert(
        "payment_difference",
        difference_id=difference,
        key="amount:1",
        kind="amount",
        provider="sandbox",
        expected=Decimal("11.86"),
        found=Decimal("11.80"),
        text="6 cents less",
        found_at=town.now,
        **base,
    )
    page = await visitor.opens("/exceptions")
    assert "Differences 1" in page.text
    assert "Debts 1" in page.text
    assert "Chargebacks 1" in page.text
    page = await visitor.opens("/exceptions/debts")
    assert page.heading == "1 debt is open."
    assert "it came to more than was held" in page.text
    forgive = f"/exceptions/debts/{debt}/forgive"
    page = await visitor.sends(forgive, note="", expect=422)
    assert "Say why" in page.text
    await visitor.sends(forgive, note="A regular", expect=303)
    assert "A regular" in (await visitor.opens("/exceptions/debts?show=settled")).text
    await visitor.sends(forgive, note="A regular", expect=409)
    assert "fraudulent" in (await visitor.opens("/exceptions/disputes")).text
    page = await visitor.opens("/exceptions/differences")
    assert "6 cents less" in page.text
    assert "The amounts differ" in page.text
    await visitor.sends(f"/exceptions/differences/{difference}/explain", note="A fee of theirs", expect=303)
    assert (await visitor.opens("/exceptions/differences")).heading == "Provider, books and CDRs agree."
    page = await visitor.opens("/exceptions/differences?show=explained")
    assert "A fee of theirs" in page.text
    for room in ("debts", "disputes", "differences"):
        assert str(payment) in (await visitor.client.get(f"/exceptions/{room}.csv?show=all")).text
        await visitor.opens(f"/exceptions/{room}?before=x&show=x")


async def test_strangers_and_readers_find_no_payments(
    front: Front, town: Town, visitor: Visitor, stranger: Visitor
) -> None:
    payment = await a_payment(town)
    await stranger.opens(f"/payments/{payment}", expect=404)
    await stranger.sends(f"/payments/{payment}/refund", reason="mine", expect=404)
    await stranger.sends(f"/payments/{payment}/release", reason="mine", expect=404)
    assert f"/payments/{payment}" not in links(await stranger.opens(f"/payments?q={payment}"))
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        operations = await sign_in(front, visitor.network, other, role="operations")
        page = await operations.opens(f"/payments/{payment}")
        assert not list(page.all("section", id="refund"))
        await operations.sends(f"/payments/{payment}/refund", reason="x", expect=403)
        await operations.sends(f"/exceptions/debts/{payment}/forgive", note="x", expect=403)
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as other:
        reader = await sign_in(front, visitor.network, other, role="read_only")
        await reader.opens("/payments", expect=403)
        await reader.opens("/exceptions/debts", expect=403)
