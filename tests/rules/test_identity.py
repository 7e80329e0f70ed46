"""The door: what a handshake claims is parsed strictly, and nobody gets in who does not prove it."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.ocpp.security import (
    Admission,
    Handshake,
    Policy,
    Refusal,
    StationIdentity,
    admit,
    parse_basic,
    parse_identity,
    peer_of,
    read_handshake,
)
from ohmstead.ocpp.tls import ClientCertificate
from ohmstead.stations import credentials

PEPPER = b"p" * 32
SECRET = "00ff3a5c7e9b1d2f4a6c8e0b1d3f5a7c9e0b2d4f"
RIGHT = ("CP-1", SECRET.encode())
WRONG = ("CP-1", b"wrong-wrong-wrong")
REJECT = Policy(pepper=PEPPER)
PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def basic(user: bytes, password: bytes) -> str:
    return "Basic " + base64.b64encode(user + b":" + password).decode()


def certificate(**changes: Any) -> ClientCertificate:
    said: dict[str, Any] = {
        "common_name": "CP-1",
        "serial_number": None,
        "organization": "Harbour Charging",
        "certificate_serial": "1f",
        "issuer": "CN=Harbour Stations CA",
        "not_after": datetime(2040, 1, 1, tzinfo=UTC),
        "fingerprint": "00" * 32,
    }
    return ClientCertificate(**(said | changes))


T = TypeVar("T")


def answered(parse: Callable[[str], T], text: str) -> T | Refusal:
    """What a parser makes of a text. Any exception but Refusal goes through."""
    try:
        return parse(text)
    except Refusal as refusal:
        return refusal


# ---- identity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "identity"),
    [
        ("CP-1", "CP-1"),
        ("CP-1/", "CP-1"),
        ("cp_1", "cp_1"),
        ("DE*ABC*E1234*1", "DE*ABC*E1234*1"),
        ("DE%2AABC%2aE1", "DE*ABC*E1"),
        ("a=b+c|d@e.f", "a=b+c|d@e.f"),
        ("a%7Cb%40c%2Bd", "a|b@c+d"),
        ("%41%42", "AB"),
        ("x" * 48, "x" * 48),
        ("%41" * 48, "A" * 48),
        (".a", ".a"),
    ],
)
def test_an_identity_is_decoded_once(raw: str, identity: str) -> None:
    assert parse_identity(raw) == identity


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("", 404),
        ("/", 404),
        ("a/b", 404),
        ("CP-1//", 404),
        ("../CP-1", 404),
        (".", 400),
        ("..", 400),
        ("...", 400),
        ("%2e%2e", 400),
        ("..%2fCP-1", 400),
        ("%2e%2e%2fetc%2fpasswd", 400),
        ("CP-1%00", 400),
        ("%00", 400),
        ("CP%2500", 400),
        ("%2543P-1", 400),
        ("CP-1%", 400),
        ("CP-1%4", 400),
        ("CP-1%zz", 400),
        ("CP:1", 400),
        ("CP%3A1", 400),
        ("CP 1", 400),
        ("CP%201", 400),
        ("CP%0A1", 400),
        ("CP%0d%0aX: y", 400),
        ("CP-1;v=1", 400),
        ("CP-1?x=1", 400),
        ("CP-1#x", 400),
        ("CP-ä", 400),
        ("CP-%C3%A4", 400),
        ("CP-%E4", 400),
        ("CP-%EF%BC%91", 400),
        ("%C0%AE%C0%AE", 400),
        ("ＣＰ-1", 400),
        ("CP-1\u200b", 400),
        ("\udce4", 400),
        ("<script>", 400),
        ("';drop", 400),
        ("{x}", 400),
        ("x" * 49, 400),
        ("%41" * 49, 400),
        ("x" * 100_000, 400),
    ],
)
def test_a_hostile_identity_is_refused(raw: str, status: int) -> None:
    with pytest.raises(Refusal) as caught:
        parse_identity(raw)
    assert caught.value.status == status
    assert len(raw) < 4 or raw not in caught.value.text


@given(st.text() | st.text(alphabet="%0123456789abcdefABCDEF./:\\\0", max_size=160))
def test_any_text_is_an_identity_of_the_allowed_kind_or_refused(raw: str) -> None:
    identity = answered(parse_identity, raw)
    if isinstance(identity, Refusal):
        assert identity.status in (400, 404)
    else:
        assert 1 <= len(identity) <= 48
        assert set(identity) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-_=+|@.")
        assert parse_identity(identity) == identity


# ---- basic authentication --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "parsed"),
    [
        (None, None),
        (basic(b"CP-1", b"secret"), ("CP-1", b"secret")),
        (basic(b"CP-1", b""), ("CP-1", b"")),
        (basic(b"", b"secret"), ("", b"secret")),
        (basic(b"CP-1", b"with:colons:"), ("CP-1", b"with:colons:")),
        (basic(b"CP-1", b"\x00\xff\xfe\x80"), ("CP-1", b"\x00\xff\xfe\x80")),
        (basic(b"CP-\xe4", b"x"), ("CP-ä", b"x")),
        ("basic " + base64.b64encode(b"a:b").decode(), ("a", b"b")),
        ("BASIC   " + base64.b64encode(b"a:b").decode() + " ", ("a", b"b")),
        ("Basic " + base64.b64encode(b"a:bc").decode().rstrip("="), ("a", b"bc")),
    ],
)
def test_basic_credentials_are_read_as_bytes(header: str | None, parsed: tuple[str, bytes] | None) -> None:
    assert parse_basic(header) == parsed


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic ====",
        "Bearer abc",
        "Digest username=x",
        "Basic YTpi!",
        "Basic YT pi",
        "Basic YTpi\nX: y",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic A",
        "Basic ä",
        "Basic \udcff",
        "Basic " + "A" * 2000,
        "Basic YTpi, Basic YTpi",
    ],
)
def test_malformed_credentials_are_unauthorized(header: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_basic(header)
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"].startswith("Basic ")


@given(st.text() | st.text(max_size=40).map("Basic {}".format))
def test_any_header_is_read_or_unauthorized(header: str) -> None:
    parsed = answered(parse_basic, header)
    assert parsed is not None
    if isinstance(parsed, Refusal):
        assert parsed.status == 401


@given(st.text(alphabet=st.characters(max_codepoint=255, exclude_characters=":"), max_size=48), st.binary(max_size=64))
def test_every_password_survives_the_header(user: str, password: bytes) -> None:
    assert parse_basic(basic(user.encode("latin-1"), password)) == (user, password)


# ---- proxies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("10.0.0.2", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.2", ["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.2", ["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.2", ["6.6.6.6, 198.51.100.7, 10.0.0.3"], "198.51.100.7"),
        ("10.0.0.2", ["10.0.0.9, 10.0.0.3"], "10.0.0.9"),
        ("10.0.0.2", ["198.51.100.7, nonsense"], "10.0.0.2"),
        ("10.0.0.2", [""], "10.0.0.2"),
        ("::ffff:10.0.0.2", ["198.51.100.7"], "198.51.100.7"),
        ("fd00::2", ["2001:db8::7"], "2001:db8::7"),
        ("203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        ("203.0.113.9", ["10.0.0.2"], "203.0.113.9"),
        ("", ["198.51.100.7"], ""),
    ],
)
def test_the_stations_address_is_what_the_nearest_trusted_proxy_saw(
    remote: str, forwarded: list[str], address: str
) -> None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    assert peer_of(remote, False, headers, PROXIES).address == address


@pytest.mark.parametrize(
    ("link_is_tls", "proto", "is_tls"),
    [
        (False, "https", True),
        (False, "WSS", True),
        (False, "http", False),
        (True, "http", False),
        (True, "", False),
        (False, "https, http", False),
    ],
)
def test_a_trusted_proxy_says_whether_the_station_used_tls(link_is_tls: bool, proto: str, is_tls: bool) -> None:
    assert peer_of("10.0.0.2", link_is_tls, [("x-forwarded-proto", proto)], PROXIES).is_tls is is_tls


def test_headers_of_anybody_else_are_ignored_and_named() -> None:
    headers = [("X-Client-Cert", "abc"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "10.0.0.2")]
    peer = peer_of("203.0.113.9", False, headers, PROXIES)
    assert not peer.is_tls
    assert not peer.via_proxy
    assert peer.certificate_pem is None
    assert peer.ignored == ("x-client-cert", "x-forwarded-for", "x-forwarded-proto")


def test_nobody_is_a_proxy_unless_configured() -> None:
    assert peer_of("127.0.0.1", False, [("X-Forwarded-Proto", "https")], ()).ignored == ("x-forwarded-proto",)


def test_two_certificates_from_a_proxy_are_refused() -> None:
    with pytest.raises(Refusal) as caught:
        peer_of("10.0.0.2", False, [("X-Client-Cert", "mine"), ("X-Client-Cert", "forged")], PROXIES)
    assert caught.value.status == 400


def _read(headers: list[tuple[str, str]], raw_identity: str = "CP-1") -> Handshake:
    return read_handshake(
        raw_identity=raw_identity,
        headers=headers,
        remote="203.0.113.9",
        is_tls=False,
        peer_certificate=None,
        trusted_proxies=PROXIES,
        authorities=None,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_a_handshake_is_read_whole() -> None:
    handshake = _read(
        [
            ("Sec-WebSocket-Protocol", "ocpp2.1, ocpp2.0.1"),
            ("sec-websocket-protocol", "ocpp1.6"),
            ("AUTHORIZATION", basic(b"CP-1", b"\xff\x00")),
        ]
    )
    assert handshake.offered == ("ocpp2.1", "ocpp2.0.1", "ocpp1.6")
    assert handshake.credentials == ("CP-1", b"\xff\x00")
    assert handshake.address == "203.0.113.9"


def test_two_sets_of_credentials_are_refused() -> None:
    with pytest.raises(Refusal) as caught:
        _read([("Authorization", basic(b"CP-1", b"a")), ("Authorization", basic(b"CP-1", b"b"))])
    assert caught.value.status == 401


def test_what_is_printed_of_a_handshake_holds_no_secret() -> None:
    handshake = _read([("Authorization", basic(b"CP-1", SECRET.encode()))])
    printed = (
        repr(handshake) + repr(REJECT) + repr(StationIdentity(station_id="a", security_profile=1, secret_hash="k1$"))
    )
    for secret in (SECRET, "pppp", "k1$"):
        assert secret not in printed


# ---- admission -------------------------------------------------------------------------------------------------------


async def station(profile: int, **changes: Any) -> StationIdentity:
    given: dict[str, Any] = {
        "station_id": "CP-1",
        "security_profile": profile,
        "secret_hash": await credentials.hash_secret(SECRET, PEPPER, is_generated=True),
    }
    return StationIdentity(**(given | changes))


async def decided(handshake: Handshake, known: StationIdentity | None, policy: Policy = REJECT) -> Admission | Refusal:
    try:
        return await admit(handshake, known, policy)
    except Refusal as refusal:
        return refusal


async def outcome(handshake: Handshake, known: StationIdentity | None, policy: Policy = REJECT) -> str:
    """`admitted <profile>` or `<status> <reason>`."""
    answer = await decided(handshake, known, policy)
    if isinstance(answer, Refusal):
        return f"{answer.status} {answer.reason}"
    return f"admitted {answer.security_profile}" + (" stronger" if answer.is_stronger else "")


@pytest.mark.parametrize(
    ("profile", "link", "presented", "expected"),
    [
        (0, "ws", "nothing", "admitted 0"),
        (0, "wss", "nothing", "admitted 0"),
        (0, "ws", "password", "admitted 0"),
        (1, "ws", "nothing", "401 credentials_missing"),
        (1, "ws", "wrong", "401 password_wrong"),
        (1, "ws", "password", "admitted 1"),
        (1, "wss", "password", "admitted 2 stronger"),
        (1, "wss", "wrong", "401 password_wrong"),
        (1, "wss", "certificate", "401 credentials_missing"),
        (2, "ws", "nothing", "401 credentials_missing"),
        (2, "ws", "wrong", "401 password_wrong"),
        (2, "ws", "password", "403 link_too_weak"),
        (2, "wss", "password", "admitted 2"),
        (2, "wss", "wrong", "401 password_wrong"),
        (2, "wss", "nothing", "401 credentials_missing"),
        (2, "wss", "certificate", "401 credentials_missing"),
        (3, "ws", "nothing", "401 link_too_weak"),
        (3, "ws", "password", "401 link_too_weak"),
        (3, "ws", "certificate", "403 link_too_weak"),
        (3, "wss", "nothing", "401 certificate_missing"),
        (3, "wss", "password", "401 certificate_missing"),
        (3, "wss", "certificate", "admitted 3"),
    ],
)
async def test_the_security_profile_decides(profile: int, link: str, presented: str, expected: str) -> None:
    handshake = Handshake(
        identity="CP-1",
        is_tls=link == "wss",
        credentials={"password": RIGHT, "wrong": WRONG}.get(presented),
        certificate=certificate() if presented == "certificate" else None,
    )
    assert await outcome(handshake, await station(profile)) == expected


@pytest.mark.parametrize("profile", [0, 1, 2, 3])
@pytest.mark.parametrize("username", ["CP-2", "", "CP-1 ", "CP-1\x00", "admin"])
async def test_the_user_name_must_be_the_identity(profile: int, username: str) -> None:
    handshake = Handshake(
        identity="CP-1", is_tls=True, credentials=(username, SECRET.encode()), certificate=certificate()
    )
    assert await outcome(handshake, await station(profile)) == "401 username_differs"
    assert await outcome(handshake, None) == "401 username_differs"


async def test_the_case_of_an_identity_does_not_matter_and_the_registers_spelling_is_used() -> None:
    handshake = Handshake(identity="cp-1", credentials=("Cp-1", SECRET.encode()))
    admission = await admit(handshake, await station(1), REJECT)
    assert admission == Admission(station_id="CP-1", registration="accepted", security_profile=1)


@pytest.mark.parametrize("raw_key", [SECRET.encode(), SECRET.upper().encode(), bytes.fromhex(SECRET)])
async def test_every_spelling_of_a_1_6_key_opens_the_door(raw_key: bytes) -> None:
    assert await outcome(Handshake(identity="CP-1", credentials=("CP-1", raw_key)), await station(1)) == "admitted 1"


@pytest.mark.parametrize("profile", [1, 2, 3])
async def test_without_credentials_known_and_unknown_identities_get_the_same_answer(profile: int) -> None:
    handshake = Handshake(identity="CP-1", is_tls=True)
    answers = set()
    for known in (None, await station(profile), await station(profile, is_retired=True)):
        with pytest.raises(Refusal) as caught:
            await admit(handshake, known, REJECT)
        answers.add((caught.value.status, caught.value.text, tuple(caught.value.headers.items())))
    assert len(answers) == 1
    assert answers.pop()[0] == 401


async def test_with_credentials_an_unknown_identity_is_not_found() -> None:
    assert await outcome(Handshake(identity="CP-1", credentials=RIGHT), None) == "404 station_unknown"


async def test_unknown_identities_can_be_hidden_altogether() -> None:
    policy = Policy(pepper=PEPPER, hides_unknown=True)
    answers = set()
    for known in (None, await station(1)):
        with pytest.raises(Refusal) as caught:
            await admit(Handshake(identity="CP-1", credentials=WRONG), known, policy)
        answers.add((caught.value.status, caught.value.text, tuple(caught.value.headers.items())))
    assert len(answers) == 1


@pytest.mark.parametrize("policy", ["reject", "pending", "accept"])
@pytest.mark.parametrize("profile", [0, 1, 3])
async def test_a_retired_station_stays_out_whatever_it_shows(policy: Any, profile: int) -> None:
    retired = await station(profile, is_retired=True)
    handshake = Handshake(identity="CP-1", is_tls=True, credentials=RIGHT, certificate=certificate())
    assert await outcome(handshake, retired, Policy(pepper=PEPPER, unknown_stations=policy)) == "404 station_retired"


@pytest.mark.parametrize("registration", ["accepted", "pending", "rejected"])
async def test_the_registration_of_a_known_station_is_passed_on(registration: Any) -> None:
    admission = await admit(
        Handshake(identity="CP-1", credentials=RIGHT), await station(1, registration=registration), REJECT
    )
    assert admission.registration == registration
    assert not admission.is_new


@pytest.mark.parametrize(("policy", "registration"), [("pending", "pending"), ("accept", "accepted")])
@pytest.mark.parametrize(
    ("link", "presented", "profile"),
    [
        ("ws", "nothing", 0),
        ("ws", "password", 1),
        ("wss", "nothing", 0),
        ("wss", "password", 2),
        ("wss", "certificate", 3),
    ],
)
async def test_a_newcomer_is_recorded_with_the_profile_it_came_with(
    policy: Any, registration: str, link: str, presented: str, profile: int
) -> None:
    handshake = Handshake(
        identity="New-1",
        is_tls=link == "wss",
        credentials=("New-1", b"anything") if presented == "password" else None,
        certificate=certificate() if presented == "certificate" else None,
    )
    admission = await admit(handshake, None, Policy(pepper=PEPPER, unknown_stations=policy))
    assert admission.is_new
    assert (admission.registration, admission.security_profile) == (registration, profile)
    assert (admission.certificate is not None) == (profile == 3)


@pytest.mark.parametrize("secret", [SECRET.encode(), bytes.fromhex(SECRET), b"sunny-meadow-lane-17"])
async def test_a_newcomers_secret_is_what_it_must_show_the_next_time(secret: bytes) -> None:
    policy = Policy(pepper=PEPPER, unknown_stations="pending")
    first = await admit(Handshake(identity="New-1", credentials=("New-1", secret)), None, policy)
    assert credentials.is_generated(first.secret_hash) == (secret != b"sunny-meadow-lane-17")
    recorded = StationIdentity(
        station_id=first.station_id, security_profile=first.security_profile, secret_hash=first.secret_hash
    )
    assert await outcome(Handshake(identity="New-1", credentials=("New-1", secret)), recorded, policy) == "admitted 1"
    thief = Handshake(identity="New-1", credentials=("New-1", b"something else at all"))
    assert await outcome(thief, recorded, policy) == "401 password_wrong"
    assert first.secret_hash is not None
    assert first.secret_hash not in repr(first)


@pytest.mark.parametrize(
    ("common_name", "serial_number", "name"),
    [("Station 7", "SN-7", "Station 7"), (None, "SN-7", "SN-7"), (None, None, None)],
)
async def test_a_newcomers_certificate_is_what_it_must_show_the_next_time(
    common_name: str | None, serial_number: str | None, name: str | None
) -> None:
    policy = Policy(pepper=PEPPER, unknown_stations="pending")
    shown = certificate(common_name=common_name, serial_number=serial_number)
    answer = await decided(Handshake(identity="New-1", is_tls=True, certificate=shown), None, policy)
    if name is None:
        assert isinstance(answer, Refusal)
        assert answer.reason == "certificate_nameless"
    else:
        assert isinstance(answer, Admission)
        assert answer.certificate_name == name


async def test_a_newcomer_with_a_bad_certificate_is_not_even_listed() -> None:
    handshake = Handshake(identity="New-1", is_tls=True, certificate=certificate(problem="revoked"))
    policy = Policy(pepper=PEPPER, unknown_stations="pending")
    assert await outcome(handshake, None, policy) == "401 certificate_revoked"


@pytest.mark.parametrize(
    ("bound", "common_name", "serial_number", "expected"),
    [
        (None, "CP-1", None, "admitted 3"),
        (None, "cp-1", None, "admitted 3"),
        (None, "anything", "CP-1", "admitted 3"),
        ("SN-778", "SN-778", None, "admitted 3"),
        ("SN-778", "sn-778", None, "admitted 3"),
        ("SN-778", "Station", "SN-778", "admitted 3"),
        ("SN-778", "CP-1", None, "401 certificate_of_another"),
        (None, "CP-2", None, "401 certificate_of_another"),
        (None, "CP-1 ", None, "401 certificate_of_another"),
        (None, "CP-1\0", None, "401 certificate_of_another"),
        (None, "*", None, "401 certificate_of_another"),
        (None, "CP-10", None, "401 certificate_of_another"),
        (None, None, None, "401 certificate_of_another"),
        ("", None, None, "401 certificate_of_another"),
    ],
)
async def test_a_certificate_is_bound_to_one_station(
    bound: str | None, common_name: str | None, serial_number: str | None, expected: str
) -> None:
    handshake = Handshake(
        identity="CP-1",
        is_tls=True,
        certificate=certificate(common_name=common_name, serial_number=serial_number),
    )
    assert await outcome(handshake, await station(3, certificate_name=bound)) == expected


@pytest.mark.parametrize("problem", ["expired", "not_yet_valid", "revoked", "revocation_unknown", "untrusted"])
async def test_a_certificate_with_a_problem_is_refused(problem: Any) -> None:
    handshake = Handshake(identity="CP-1", is_tls=True, certificate=certificate(problem=problem))
    assert await outcome(handshake, await station(3)) == f"401 certificate_{problem}"


async def test_a_right_password_does_not_mend_a_wrong_certificate() -> None:
    handshake = Handshake(identity="CP-1", is_tls=True, credentials=RIGHT, certificate=certificate(common_name="CP-2"))
    assert await outcome(handshake, await station(3)) == "401 certificate_of_another"


@pytest.mark.parametrize(
    ("organization", "expected"),
    [
        ("Harbour Charging", "admitted 3"),
        ("Other Charging", "401 certificate_of_another_organization"),
        (None, "401 certificate_of_another_organization"),
    ],
)
async def test_a_shared_authority_needs_the_right_organization(organization: str | None, expected: str) -> None:
    policy = Policy(pepper=PEPPER, organization="Harbour Charging")
    handshake = Handshake(identity="CP-1", is_tls=True, certificate=certificate(organization=organization))
    assert await outcome(handshake, await station(3), policy) == expected


async def test_what_a_refused_station_is_told_names_neither_reason_nor_identity() -> None:
    seen = set()
    for known in (None, await station(1), await station(2), await station(3)):
        for offered in (None, RIGHT, WRONG):
            answer = await decided(Handshake(identity="CP-1", credentials=offered), known)
            if isinstance(answer, Refusal):
                seen.add(answer.status)
                assert "CP-1" not in answer.text
                assert answer.reason not in answer.text
                assert answer.is_attempt == (answer.status in (401, 404))
    assert seen == {401, 403, 404}
