"""The state machine against a provider that is made up: any order, repetition and loss of webhooks, answers and wishes."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ohmstead.billing.payments.deciding import (
    TABLE,
    ZERO,
    Sight,
    Standing,
    Step,
    give_up,
    observe,
    pause_s,
    settle,
    want,
)


@dataclass
class Provider:
    """What a real one does, and keeps: each request is carried out at most once, whatever happens to its answer."""

    state: str = "open"
    held: Decimal = ZERO
    captured: Decimal = ZERO
    refunded: Decimal = ZERO
    n_captures: int = 0
    done: set[Any] = field(default_factory=set)

    def sight(self) -> Sight:
        return Sight(state=self.state, held=self.held, captured=self.captured, refunded=self.refunded)  # type: ignore[arg-type]

    def pay(self, amount: Decimal, *, is_hold: bool) -> None:
        if self.state == "open":
            self.state, self.held = ("held", amount) if is_hold else ("captured", ZERO)
            self.captured = ZERO if is_hold else amount
            self.n_captures += 0 if is_hold else 1

    def expire(self) -> None:
        if self.state in ("open", "held"):
            self.state, self.held = "canceled", ZERO

    def ask(self, kind: str, amount: Decimal | None, key: Any) -> None:
        if key in self.done:
            return
        self.done.add(key)
        if kind == "capture" and self.state == "held":
            assert amount is not None
            assert amount <= self.held
            self.state, self.captured, self.held = "captured", amount, ZERO
            self.n_captures += 1
        elif kind == "release" and self.state in ("open", "held"):
            self.state, self.held = "canceled", ZERO
        elif kind == "refund" and amount is not None and self.refunded + amount <= self.captured:
            self.refunded += amount


EVENTS = st.sampled_from(["pay", "expire", "told", "told_old", "perform", "perform_again", "want", "let_go", "give_up"])


@given(st.lists(EVENTS, max_size=40), st.integers(1, 4000), st.booleans(), st.randoms(use_true_random=False))
def test_no_double_charge_no_lost_charge_never_more_than_held(
    events: list[str], due_minor: int, is_hold: bool, random: Any
) -> None:
    amount, due = Decimal(40), Decimal(due_minor) / 100
    provider = Provider()
    ours = Standing(state="authorizing", purpose="session", is_hold=is_hold, amount=amount)
    asked: list[tuple[str, Decimal | None, int]] = []
    old = [provider.sight()]
    starts = 0

    def took(step: Step) -> None:
        nonlocal ours, starts
        if step.after.state == "held" and ours.state != "held":
            starts += 1
            assert provider.held > 0 or provider.state in ("canceled", "captured")
        assert step.after.captured >= ours.captured
        assert step.after.refunded >= ours.refunded
        assert step.after.captured <= step.after.amount
        ours = step.after
        if step.ask is not None:
            asked.append((step.ask, step.amount, len(asked)))

    for event in events:
        old.append(provider.sight())
        if event == "pay":
            provider.pay(amount, is_hold=is_hold)
        elif event == "expire":
            provider.expire()
        elif event == "told":
            took(observe(ours, provider.sight()))
        elif event == "told_old":
            took(observe(ours, random.choice(old)))
        elif event in ("perform", "perform_again") and asked:
            kind, much, key = asked[-1] if event == "perform" else random.choice(asked)
            provider.ask(kind, much, key)
        elif event == "want" and ours.wanted is None and is_hold:
            took(want(ours, due))
        elif event == "let_go" and ours.wanted is None:
            took(want(ours, ZERO))
        elif event == "give_up":
            ours = give_up(ours)
    # In the end everything that was asked is done, and what the provider has is seen.
    for _ in range(6):
        for kind, much, key in asked:
            provider.ask(kind, much, key)
        took(observe(ours, provider.sight()))
    assert provider.n_captures <= 1
    assert ours.captured == provider.captured
    assert ours.refunded == provider.refunded
    if provider.state == "canceled":
        assert ours.state in ("released", "failed")
    if provider.state == "captured":
        assert ours.state == "captured"
        # What was let go is not kept.
        assert ours.wanted != ZERO or provider.refunded == provider.captured
    if provider.state == "held":
        assert ours.state in ("held", "capturing", "releasing")


@given(
    st.sampled_from(list(TABLE)), st.integers(0, 9000), st.integers(0, 4000), st.integers(0, 4000), st.integers(0, 4000)
)
def test_what_is_due_is_taken_given_back_or_owed_to_the_cent(
    state: Any, due: int, captured: int, refunded: int, asked_back: int
) -> None:
    got = Decimal(captured) / 100 if state == "captured" else ZERO
    back = min(Decimal(refunded) / 100, got)
    coming = min(Decimal(asked_back) / 100, got - back)
    standing = Standing(
        state=state, purpose="session", is_hold=True, amount=Decimal(40), captured=got, refunded=back, asked_back=coming
    )
    found = settle(standing, Decimal(due) / 100)
    if found.waits:
        return
    covered = (found.want or ZERO) + got - back - coming - (found.refund or ZERO) + found.debt
    assert covered == Decimal(due) / 100
    assert min(found.want or ZERO, found.refund or ZERO, found.debt) >= 0
    assert (found.want or ZERO) <= standing.amount


def test_every_state_answers_to_all_that_a_provider_can_say() -> None:
    assert {len(row) for row in TABLE.values()} == {5}
    # What is captured stays captured.
    assert set(TABLE["captured"].values()) == {"captured"}
    assert all(row["captured"] == "captured" for row in TABLE.values())


def test_tries_come_later_and_later_and_end() -> None:
    pauses = [pause_s(n, 0.5) for n in range(1, 15)]
    known = [pause for pause in pauses if pause is not None]
    assert known == sorted(known)
    assert pauses[-1] is None
    assert sum(known) > 2 * 86_400
