"""Webhooks' decisions: signatures, pauses, addresses. And the catalogue of events."""

import ast
import re
from datetime import UTC, datetime, timedelta

import pytest
from tools import events_page

from ohmstead.accounts.access import ACTIONS
from ohmstead.facts import catalogue
from ohmstead.facts.kinds import TAKES
from ohmstead.webhooks import addresses, schedule, signing
from tests.architecture.house import PACKAGE, python_files


def test_a_signature_is_that_of_the_published_example() -> None:
    """The vector that implementations of Standard Webhooks share."""
    secret = signing.secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_sign_while_one_replaces_the_other() -> None:
    both = signing.signature([b"new" * 8, b"old" * 8], "msg_1", 1, b"{}").split(" ")
    assert both == [signing.signature([key], "msg_1", 1, b"{}") for key in (b"new" * 8, b"old" * 8)]
    assert signing.secret_of(signing.secret_text(b"x" * 32)) == b"x" * 32


def test_pauses_grow_from_seconds_to_a_day_and_end_after_three_days() -> None:
    pauses = [schedule.pause_s(n, 0.5) for n in range(1, 13)]
    assert pauses[0] == 5
    assert pauses == sorted(pauses, key=lambda pause: pause or 0)
    assert timedelta(days=2.5) < timedelta(seconds=sum(pause or 0 for pause in pauses)) < timedelta(days=3.5)
    assert schedule.pause_s(13, 0.5) is None
    assert (schedule.pause_s(1, 0.0), schedule.pause_s(1, 1.0)) == pytest.approx((4, 6))


def test_what_the_receiver_asks_for_is_heeded_within_bounds() -> None:
    assert schedule.pause_s(1, 0.5, schedule.retry_after_s("120")) == 120
    assert schedule.pause_s(1, 0.5, schedule.retry_after_s("1")) == 5
    assert schedule.pause_s(1, 0.5, schedule.retry_after_s("999999999")) == 86_400
    for nonsense in (None, "", "-5", "soon", "Fri, 31 Dec 1999 23:59:59 GMT", "9" * 400):
        assert schedule.retry_after_s(nonsense) is None


def test_a_webhook_that_took_nothing_for_three_days_is_hopeless() -> None:
    now = datetime(2026, 3, 4, tzinfo=UTC)
    assert not schedule.is_hopeless(None, now)
    assert not schedule.is_hopeless(now - timedelta(days=2, hours=23), now)
    assert schedule.is_hopeless(now - timedelta(days=3), now)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "http://hooks.example.com/",
        "https://",
        "https:///x",
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com/#x",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/ x",
        "https://hooks.example.com\\@evil.example/",
        "https://hööks.example/",
        "https://hooks.example.com/\r\nX: y",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[fe80::1%25eth0]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://0.0.0.0/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://" + "x" * 2000,
    ],
)
def test_an_address_that_no_webhook_may_have(url: str) -> None:
    assert addresses.why_not(url, ()) is not None


def test_addresses_that_a_webhook_may_have_and_what_the_setting_adds() -> None:
    for url in ("https://hooks.example.com", "https://hooks.example.com:8443/a?b=c", "https://198.41.0.4/"):
        assert addresses.why_not(url, ()) is None
    allowed = ("intra.example", "127.0.0.1:8099", "*.lab.example")
    for url in (
        "http://intra.example/",
        "https://INTRA.example:444/",
        "http://127.0.0.1:8099/x",
        "http://a.lab.example/",
    ):
        assert addresses.why_not(url, allowed) is None, url
    for url in (
        "http://127.0.0.1:8098/",
        "https://127.0.0.1/",
        "http://lab.example/",
        "http://intra.example.evil.example/",
    ):
        assert addresses.why_not(url, allowed) is not None, url


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "fec0::1"),
        *("255.255.255.255", "198.18.0.1", "240.0.0.1", "192.0.2.1", "2001:db8::1"),
    ],
)  # fmt: skip
def test_what_is_not_public_is_known_in_every_disguise(address: str) -> None:
    assert not addresses.is_public(address)


def test_public_addresses_are_public() -> None:
    for address in ("198.41.0.4", "2606:4700::1111", "::ffff:198.41.0.4"):
        assert addresses.is_public(address)


# ---------------------------------------------------------------------------------------------- the catalogue

# Messages of stations that sound like facts.
NO_FACTS = {"CertificateSigned", "ConnectorUnplugged"}
# Facts without a party: nobody outside could be told of them.
INSIDE = {"ChargingLimitSet", "ChargingLimitCleared"}
_FACT = re.compile(
    r"^(Station|Session|Token|Location|Template|Reservation|Certificate|Rollout|Connector|Security|Command|Payment|"
    r"Settlement|Charging|Orphan|Foreign|FileJob|LocalLists|Webhook)[A-Z][A-Za-z]*"
    r"(ed|Found|Made|Set|Onboarding)$"
)


def recorded_in_code() -> set[str]:
    """Every text in the code that can only be the kind of a fact, outside the catalogue itself and the edges."""
    found = set()
    for path in python_files():
        if path.relative_to(PACKAGE).parts[0] in ("facts", "ocpp", "api", "console", "ui", "simulator"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _FACT.match(node.value):
                found.add(node.value)
    return found


def test_every_fact_that_the_code_records_is_in_the_catalogue_or_stays_inside_on_purpose() -> None:
    found = recorded_in_code()
    assert {"SessionStarted", "StationBooted", "RolloutHalted", "WebhookDisabled"} <= found
    assert found - set(catalogue.KINDS) - NO_FACTS == INSIDE


def test_every_kind_has_a_meaning_and_an_example_of_its_type() -> None:
    for kind in catalogue.described():
        assert kind.meaning.endswith("."), kind.kind
        assert catalogue.fault_of(kind.kind, kind.example) is None
        assert kind.payload_schema["properties"], kind.kind
    assert catalogue.fault_of("SessionEnded", {"session_id": 1}) is not None
    assert catalogue.fault_of("Weather", {}) == "Weather is not in the catalogue"


def test_what_a_kind_takes_is_something_that_can_be_asked_for() -> None:
    assert {kind.takes for kind in catalogue.KINDS.values()} - {None} < set(ACTIONS)
    # A theme that is called otherwise would be everybody's.
    assert set(TAKES) <= {kind.theme for kind in catalogue.KINDS.values()}


def test_the_page_of_events_is_up_to_date() -> None:
    assert events_page.PAGE.read_text() == events_page.render(), "run `python tools/events_page.py`"
