"""Who may do what."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from ohmstead.accounts import access
from ohmstead.accounts.access import ACTIONS, ADMIN, ROLES, Actor, may

OURS, THEIRS = uuid4(), uuid4()


@dataclass
class Thing:
    party_id: UUID


def actor(*actions: str) -> Actor:
    return Actor(actor_id="key:1", name="Test", party_id=OURS, actions=frozenset(actions))


def test_an_actor_may_do_what_it_was_given_and_nothing_else() -> None:
    reader = actor("stations:read")
    assert may(reader, "stations:read")
    assert not any(may(reader, action) for action in ACTIONS if action != "stations:read")


def test_admin_may_do_everything_but_only_at_home() -> None:
    admin = actor(ADMIN)
    assert all(may(admin, action, Thing(OURS)) for action in ACTIONS)
    assert not any(may(admin, action, Thing(THEIRS)) for action in ACTIONS)


def test_an_action_that_does_not_exist_is_a_mistake_not_a_no() -> None:
    with pytest.raises(ValueError, match="stations:delete"):
        may(actor(ADMIN), "stations:delete")


def test_require_says_what_is_missing() -> None:
    with pytest.raises(access.NotAllowed, match="tokens:write"):
        access.require(actor("tokens:read"), "tokens:write")


@pytest.mark.parametrize(
    ("role", "can", "cannot"),
    [
        ("owner", set(ACTIONS), set()),
        ("operations", {"stations:write", "commands:raw", "tokens:write"}, {ADMIN}),
        ("technician", {"stations:write", "commands:raw", "messages:read"}, {ADMIN, "tokens:read", "tokens:write"}),
        ("finance", {"sessions:read"}, {ADMIN, "stations:write", "commands:send", "messages:read"}),
        ("support", {"commands:send", "tokens:write"}, {ADMIN, "commands:raw", "stations:write"}),
        ("read_only", {"stations:read", "sessions:read"}, {ADMIN, "commands:send", "tokens:write", "stations:write"}),
        ("unheard of", set(), set(ACTIONS)),
    ],
)
def test_roles(role: str, can: set[str], cannot: set[str]) -> None:
    person = Actor(actor_id="operator:1", name="P", party_id=OURS, actions=access.for_role(role), role=role)
    assert {action for action in ACTIONS if may(person, action)} >= can
    assert not any(may(person, action) for action in cannot)


def test_roles_know_only_actions_that_exist() -> None:
    assert set().union(*ROLES.values()) <= set(ACTIONS)


def test_nobody_gives_away_what_they_do_not_have() -> None:
    assert access.beyond(actor("tokens:read"), ["tokens:read", "tokens:write", ADMIN]) == [ADMIN, "tokens:write"]
    assert access.beyond(actor(ADMIN), ACTIONS) == []


def test_unknown_scopes_are_named() -> None:
    assert access.unknown_scopes(["stations:read", "station:read", "*"]) == ["*", "station:read"]
