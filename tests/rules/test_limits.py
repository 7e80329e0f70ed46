"""Where sessions end at the latest: what is told of it, and what becomes of cards without credit."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from ohmstead.core.errors import Invalid
from ohmstead.core.money import Money
from ohmstead.sessions.limits import due, strictest
from ohmstead.sessions.model import Session
from ohmstead.sessions.terms import Terms, judge
from ohmstead.stations import rules
from ohmstead.stations.orders import RemoteStart, SessionLimit
from ohmstead.tokens.authorization import Unregistered, decide
from ohmstead.tokens.model import Authorization, AuthorizationRequest

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARTY, SESSION, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)


def limit(cost: int | None = None, energy: int | None = None, time: int | None = None) -> SessionLimit:
    return SessionLimit(
        max_cost=Decimal(cost) if cost is not None else None,
        max_energy_wh=Decimal(energy) if energy is not None else None,
        max_time_s=time,
    )


def session(
    ours: SessionLimit | None,
    theirs: SessionLimit | None = None,
    *,
    told_with: int | None = None,
    is_over: bool = False,
) -> Session:
    return Session(
        session_id=SESSION,
        party_id=PARTY,
        station_id="ST-1",
        transaction_id="tx-1",
        ocpp_version="2.1",
        status="completed" if is_over else "active",
        started_at=NOON,
        last_event_at=NOON,
        first_received_at=NOON,
        updated_at=NOON,
        limit_ours=ours,
        limit_station=theirs,
        limit_seq_no=told_with,
    )


def test_the_strictest_of_limits_is_taken_in_each_respect() -> None:
    assert strictest(None, None) is None
    assert strictest(SessionLimit()) is None
    assert strictest(limit(cost=5, time=60), None, limit(cost=3, energy=9)) == limit(cost=3, energy=9, time=60)
    assert strictest(limit(cost=0), limit(cost=3)) == limit(cost=0)


@pytest.mark.parametrize(
    ("found", "seq_no", "told"),
    [
        pytest.param(session(None), 0, None, id="no limit"),
        pytest.param(session(limit(cost=5)), 0, limit(cost=5), id="at first"),
        pytest.param(session(limit(cost=5), told_with=0), 1, None, id="once"),
        pytest.param(session(limit(cost=5), told_with=0), 0, limit(cost=5), id="the same event again"),
        pytest.param(session(limit(cost=5), is_over=True), 0, None, id="over"),
        pytest.param(session(limit(cost=5), limit(cost=5)), 0, None, id="the station has it"),
        pytest.param(session(limit(cost=5), limit(cost=3)), 0, None, id="the driver's is stricter"),
        pytest.param(session(limit(cost=5), limit(cost=9)), 0, limit(cost=5), id="ours is stricter"),
        pytest.param(session(limit(cost=5, time=9), limit(time=3)), 0, limit(cost=5, time=3), id="each has one"),
        pytest.param(session(limit(cost=5)), None, None, id="an event without number"),
    ],
)
def test_a_limit_is_told_once_and_never_loosens_the_drivers(
    found: Session, seq_no: int | None, told: SessionLimit | None
) -> None:
    assert due(found, seq_no) == told


def test_credit_is_a_limit_of_cost_in_whole_cents() -> None:
    left = Money(Decimal("4.567"), "EUR")
    assert Terms().session_limit() is None
    assert Terms(credit=left).session_limit() == SessionLimit(max_cost=Decimal("4.57"))
    assert Terms(credit=left, limit=limit(cost=3, time=9)).session_limit() == limit(cost=3, time=9)
    assert Terms(credit=Money(Decimal(-1), "EUR")).session_limit() == SessionLimit(max_cost=Decimal(0))


@pytest.mark.parametrize(
    ("credit", "is_start", "session_id", "holds", "status"),
    [
        ("0.01", True, None, (), "accepted"),
        ("0.004", True, None, (), "no_credit"),
        ("-3", False, None, (), "no_credit"),
        ("-3", False, None, (SESSION,), "accepted"),
        ("0", True, SESSION, (SESSION,), "accepted"),
        ("0", True, OTHER, (SESSION,), "no_credit"),
    ],
)
def test_a_card_without_credit_goes_on_with_what_it_holds_and_begins_nothing(
    credit: str, is_start: bool, session_id: UUID | None, holds: tuple[UUID, ...], status: str
) -> None:
    asked = AuthorizationRequest(party_id=PARTY, uid="P", type=None, at=NOON, is_start=is_start, session_id=session_id)
    terms = Terms(credit=Money(Decimal(credit), "EUR"))
    assert judge(asked, Authorization(status="accepted", uid="P"), terms, holds).status == status
    blocked = Authorization(status="blocked", uid="P")
    assert judge(asked, blocked, terms, holds) is blocked


@pytest.mark.parametrize(
    ("policy", "is_start", "n_open", "status"),
    [
        ("accept", True, 0, "accepted"),
        ("accept", True, 1, "concurrent"),
        ("accept", False, 1, "accepted"),
        ("reject", True, 0, "unknown"),
    ],
)
def test_a_payment_at_a_terminal_pays_for_one_session_where_policy_lets_it(
    policy: str, is_start: bool, n_open: int, status: str
) -> None:
    asked = AuthorizationRequest(party_id=PARTY, uid="PSP-1", type="DirectPayment", at=NOON, is_start=is_start)
    policies = Unregistered(direct_payment=policy)  # type: ignore[arg-type]
    assert decide(asked, None, n_open, unregistered=policies).status == status


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (SessionLimit(), "limit"),
        (SessionLimit(max_cost=Decimal(-1)), "limit.max_cost"),
        (SessionLimit(max_energy_wh=Decimal("NaN")), "limit.max_energy_wh"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(wrong: SessionLimit, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check(RemoteStart(token_uid="T", limit=wrong), NOON)
    assert refused.value.field == field
