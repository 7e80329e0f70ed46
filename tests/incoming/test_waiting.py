"""A month's run leaves alone what a card or a wallet is still about to pay."""

from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.core.ids import new_id
from tests.incoming.till import Bank


async def _card(bank: Bank, session_id: UUID, cdr_id: UUID, customer: str, state: str, captured: str = "0") -> None:
    await bank.pool.execute(
        "insert into payment (payment_id, party_id, provider, purpose, customer, state, is_hold, currency, amount, captured,"
        " session_id, cdr_id, order_key, created_at)"
        " values ($1, $2, 'sandbox', 'session', $3, $4, false, 'EUR', 11.86, $5, $6, $7, $8, now())",
        new_id(),
        bank.party_id,
        customer,
        state,
        Decimal(captured),
        session_id,
        cdr_id,
        f"cdr:{cdr_id}",
    )


@pytest.mark.parametrize(
    ("state", "captured", "n"), [("authorizing", "0", 0), ("captured", "11.86", 0), ("failed", "0", 1)]
)
async def test_a_session_whose_card_is_being_charged_waits(bank: Bank, state: str, captured: str, n: int) -> None:
    _, uid = await bank.driver()
    session_id = await bank.charged(uid)
    (cdr,) = await bank.cdrs()
    await _card(bank, session_id, cdr.cdr_id, cdr.customer, state, captured)
    run = await bank.runs()
    assert (run.n_issued, len(await bank.documents())) == (n, n)
    if state == "authorizing":
        await bank.pool.execute("update payment set state = 'failed'")
        assert (await bank.runs()).n_issued == 1, "the next run asks for it"


@pytest.mark.parametrize("kind", ["card", "wallet"])
async def test_a_session_that_was_just_billed_waits_for_who_settles_it(bank: Bank, kind: str) -> None:
    driver_id, uid = await bank.driver()
    session_id = await bank.charged(uid)
    await bank.pool.execute(
        "insert into session_cover (session_id, party_id, kind, ref, source, currency)"
        " values ($1, $2, $3, $4, 'driver', 'EUR') on conflict (session_id) do update set kind = $3, ref = $4",
        session_id,
        bank.party_id,
        kind,
        str(driver_id),
    )
    assert (await bank.runs()).n_issued == 0
    # Nobody charged it: the card was removed meanwhile. An hour later that is sure.
    await bank.pool.execute("alter table cdr disable trigger cdr_keep")
    await bank.pool.execute("update cdr set created_at = created_at - interval '2 hours'")
    await bank.pool.execute("alter table cdr enable trigger cdr_keep")
    assert (await bank.runs()).n_issued == 1
