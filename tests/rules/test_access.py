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
    location_id: UUID | None = None


def actor(*actions: str, locations: tuple[UUID, ...] | None = None, owns_installation: bool = False) -> Actor:
    return Actor(
        actor_id="key:1",
        name="Test",
        party_id=OURS,
        actions=frozenset(actions),
        locations=locations,
        owns_installation=owns_installation,
    )


def test_an_actor_may_do_what_it_was_given_and_nothing_else() -> None:
    reader = actor("stations:read")
    assert may(reader, "stations:read")
    assert not any(may(reader, action) for action in ACTIONS if action != "stations:read")


def test_admin_may_do_everything_but_only_at_home() -> None:
    admin = actor(ADMIN, owns_installation=True)
    assert all(may(admin, action, Thing(OURS)) for action in ACTIONS)
    assert not any(may(admin, action, Thing(THEIRS)) for action in ACTIONS)


def test_whoever_sees_some_locations_reaches_what_is_there_and_nothing_else() -> None:
    here, there = uuid4(), uuid4()
    host = actor("stations:read", locations=(here,))
    assert may(host, "stations:read", Thing(OURS, here))
    assert not may(host, "stations:read", Thing(OURS, there))
    assert not may(host, "stations:read", Thing(OURS))
    assert not may(host, "stations:read", Thing(THEIRS, here))
    assert not may(actor(ADMIN, locations=()), "stations:read", Thing(OURS, here))
    assert may(actor("stations:read"), "stations:read", Thing(OURS))


def test_what_has_no_place_is_of_the_whole_party() -> None:
    @dataclass
    class Plain:
        party_id: UUID

    assert may(actor("tokens:read"), "tokens:read", Plain(OURS))
    assert not may(actor("tokens:read", locations=(uuid4(),)), "tokens:read", Plain(OURS))


def test_only_the_party_that_runs_the_installation_makes_others() -> None:
    assert not may(actor(ADMIN), "parties:write")
    assert not may(actor("parties:write"), "parties:write")
    assert may(actor(ADMIN, owns_installation=True), "parties:write")
    assert access.beyond(actor(ADMIN), ["parties:write"]) == ["parties:write"]
    assert access.beyond(actor(ADMIN), access.for_role("owner")) == []


def test_an_action_that_does_not_exist_is_a_mistake_not_a_no() -> None:
    with pytest.raises(ValueError, match="stations:delete"):
        may(actor(ADMIN), "stations:delete")


def test_require_says_what_is_missing() -> None:
    with pytest.raises(access.NotAllowed, match="tokens:write"):
        access.require(actor("tokens:read"), "tokens:write")


@pytest.mark.parametrize(
    ("role", "can", "cannot"),
    [
        ("owner", set(ACTIONS) - access.OF_INSTALLATION, access.OF_INSTALLATION),
        ("site_host", {"stations:read", "messages:read", "logs:read"}, {ADMIN, "tokens:read", "commands:send"}),
        ("api", set(), set(ACTIONS)),
        ("operations", {"stations:write", "commands:raw", "tokens:write", "billing:read"}, {ADMIN, "billing:write"}),
        ("technician", {"stations:write", "commands:raw", "messages:read"}, {ADMIN, "tokens:read", "tokens:write"}),
        (
            "finance",
            {"sessions:read", "drivers:read", "billing:read", "billing:write"},
            {ADMIN, "stations:write", "drivers:write", "tokens:write", "commands:send", "messages:read"},
        ),
        ("support", {"commands:send", "tokens:write"}, {ADMIN, "commands:raw", "stations:write"}),
        (
            "read_only",
            {"stations:read", "sessions:read"},
            {ADMIN, "billing:read", "commands:send", "tokens:write", "stations:write"},
        ),
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
    assert access.beyond(actor(ADMIN, owns_installation=True), ACTIONS) == []


def test_unknown_scopes_are_named() -> None:
    assert access.unknown_scopes(["stations:read", "station:read", "*"]) == ["*", "station:read"]
