"""Passwords are blotted out of orders and messages wherever they stand; everything else stays as it is."""

import json

import pytest

from ohmstead.ocpp.v2 import outbound
from ohmstead.stations import orders as o
from ohmstead.stations.features import Features
from ohmstead.stations.redaction import hide_secrets, hide_secrets_in_text, is_secret
from tests.rules.order_examples import EXAMPLES

PROFILE = EXAMPLES[o.SetNetworkProfile][1]
SECRETS = ("0123456789abcdef", '"p"', '"k"', "1234")


def test_a_network_profile_keeps_its_passwords_to_itself_as_an_order() -> None:
    shown = json.dumps(hide_secrets(o.parameters_of(PROFILE)))
    assert not any(secret in shown for secret in SECRETS)
    assert "wss://csms.example/ocpp" in shown
    assert "vpn.example" in shown


def test_a_network_profile_keeps_its_passwords_to_itself_on_the_wire() -> None:
    [call] = outbound.calls_for(PROFILE, "ST", Features(version="2.1"))
    text = call.payload.decode()
    shown = str(hide_secrets_in_text(text))
    assert all(secret in text for secret in SECRETS)
    assert not any(secret in shown for secret in SECRETS)
    assert json.loads(shown)["connectionData"]["apn"]["apn"] == "internet"


@pytest.mark.parametrize(
    "text",
    [
        '{"key":"HeartbeatInterval","value":"300"}',
        '{"password":null}',
        '{ "note" : "the password is no field" }',
        '{"server":"x","key":"y"}',
    ],
)
def test_what_holds_no_password_stays_as_it_is(text: str) -> None:
    assert json.loads(str(hide_secrets_in_text(text))) == json.loads(text)


def test_names_of_passwords_are_known_however_they_are_spelled() -> None:
    assert is_secret("AuthorizationKey")
    assert is_secret("authorizationkey")
    assert is_secret("BasicAuthPassword")
    assert not is_secret("HeartbeatInterval")
