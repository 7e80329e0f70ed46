"""Back-off, codes, passwords, notes, devices: the decisions about signing in, tried by the thousand."""

from datetime import UTC, datetime, timedelta

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohmstead.accounts import access
from ohmstead.accounts.access import Actor, ProofNeeded
from ohmstead.accounts.signin import backoff, devices, passwords, totp
from ohmstead.accounts.signin.backoff import ACCOUNT, ADDRESS, LONGEST_S, Memory
from ohmstead.accounts.signin.passkeys import relying_party
from ohmstead.accounts.signin.proofs import Seals
from ohmstead.core.errors import ExternalFailure, Invalid, Refused
from ohmstead.core.ids import new_id
from tests.tampering import altered

NOON = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)


# ---------------------------------------------------------------------------------------------------------- back-off


@given(st.sampled_from([ACCOUNT, ADDRESS]), st.integers(0, 10_000))
def test_waits_grow_and_never_lock_for_good(policy: backoff.Policy, n: int) -> None:
    assert backoff.wait_s(policy, n) <= backoff.wait_s(policy, n + 1) <= LONGEST_S
    assert (backoff.wait_s(policy, n) == 0) == (n <= policy.n_free)


@given(st.lists(st.floats(0, 7200), max_size=60))
def test_whoever_waits_as_told_is_always_looked_at(pauses_s: list[float]) -> None:
    memory: Memory | None = None
    now = NOON
    for pause_s in pauses_s:
        now += timedelta(seconds=pause_s)
        wait_s = backoff.blocked_s(memory, now)
        assert wait_s <= LONGEST_S
        if wait_s:
            # Knocking while blocked changes nothing: at the told time the door opens.
            assert backoff.blocked_s(memory, now + timedelta(seconds=wait_s)) == 0
            continue
        memory = backoff.after_attempt(ACCOUNT, memory, now)


def test_a_guesser_gets_few_guesses_a_day() -> None:
    memory, now, n = None, NOON, 0
    while now < NOON + timedelta(days=1):
        memory = backoff.after_attempt(ACCOUNT, memory, now)
        n += 1
        now += timedelta(seconds=max(backoff.blocked_s(memory, now), 0.001))
    assert n < 120


def test_a_day_of_silence_is_forgiven() -> None:
    old = Memory(50, NOON, NOON + timedelta(seconds=900))
    assert backoff.after_attempt(ACCOUNT, old, NOON + timedelta(days=1)).n_failures == 1


# ------------------------------------------------------------------------------------------------------------- codes


@pytest.mark.parametrize(
    ("unix_s", "digest", "code"),
    [
        # RFC 6238, Appendix B: 8 digits, keys of 20, 32 and 64 bytes.
        (59, "sha1", "94287082"), (59, "sha256", "46119246"), (59, "sha512", "90693936"),
        (1111111109, "sha1", "07081804"), (1111111109, "sha256", "68084774"), (1111111109, "sha512", "25091201"),
        (1111111111, "sha1", "14050471"), (1111111111, "sha256", "67062674"), (1111111111, "sha512", "99943326"),
        (1234567890, "sha1", "89005924"), (1234567890, "sha256", "91819424"), (1234567890, "sha512", "93441116"),
        (2000000000, "sha1", "69279037"), (2000000000, "sha256", "90698825"), (2000000000, "sha512", "38618901"),
        (20000000000, "sha1", "65353130"), (20000000000, "sha256", "77737706"), (20000000000, "sha512", "47863826"),
    ],
)  # fmt: skip
def test_codes_are_those_of_the_rfc(unix_s: int, digest: str, code: str) -> None:
    length = {"sha1": 20, "sha256": 32, "sha512": 64}[digest]
    key = (b"1234567890" * 7)[:length]
    assert totp.code_at(key, unix_s // 30, digits=8, digest=digest) == code


@given(st.binary(min_size=20, max_size=20), st.integers(100, 10**10), st.integers(-3, 3))
def test_a_code_counts_within_one_step_and_once(secret: bytes, unix_s: int, off: int) -> None:
    step = unix_s // 30 + off
    found = totp.step_of(secret, totp.code_at(secret, step), unix_s, 0)
    if abs(off) <= totp.DRIFT_STEPS:
        assert found is not None
        assert totp.step_of(secret, totp.code_at(secret, found), unix_s, found) in (None, found + 1, found + 2)
    elif found is not None:  # two steps of the same code, one in a million
        assert totp.code_at(secret, found) == totp.code_at(secret, step)


def test_a_used_code_and_what_is_no_code_are_refused() -> None:
    secret = b"12345678901234567890"
    now = 1111111109
    code = totp.code_at(secret, now // 30)
    assert totp.step_of(secret, f" {code[:3]} {code[3:]} ", now, 0) == now // 30
    assert totp.step_of(secret, code, now, now // 30) is None
    for bad in ("", "12345", "1234567", "abcdef", "１２３４５６", "\x00" * 6):
        assert totp.step_of(secret, bad, now, 0) is None


def test_the_qr_code_says_what_apps_read() -> None:
    address = totp.address_of(b"12345678901234567890", "ada@example.com", "Ohmstead (x.example)")
    assert address.startswith("otpauth://totp/Ohmstead%20%28x.example%29:ada@example.com?secret=GEZDGNBVGY3TQOJQ")
    assert "&digits=6&period=30" in address


# --------------------------------------------------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    "bad",
    [
        "short", "elevenchars", "aaaaaaaaaaaaaaaa", "abababababababab", "abcabcabcabcabc", "1234567890123456",
        "qwertyuiopasdf", "asdfghjklqwerty", "Password1234!", "P@ssw0rd2026!!", "passwordpassword", "welcome-admin-2026",
        "2026-03-11-2026", "+43 1 234567890", "Ohmstead-2026!", "LadeStation123!", "x" * 257, "with\x00a zero byte",
        "surrogate \ud800 here",
    ],
)  # fmt: skip
def test_what_everybody_tries_is_no_password(bad: str) -> None:
    with pytest.raises(Invalid):
        passwords.check(bad)


@pytest.mark.parametrize(
    "good", ["correct horse staple gun", "wolke7 fährt tram", "x9#Lq2v!Tz0p", "今日は良い天気です充電日和"]
)
def test_length_is_enough_and_no_composition_is_asked_for(good: str) -> None:
    passwords.check(good, ["Ada Lovelace", "ada@example.com"])


def test_ones_own_name_is_no_password() -> None:
    with pytest.raises(Invalid, match="name"):
        passwords.check("adalovelace1815", ["Ada Lovelace", "adalovelace@example.com"])


@given(st.text(max_size=300))
def test_any_text_is_judged_without_failing(text: str) -> None:
    field = "password"
    try:
        passwords.check(text, ["Ada", "ada@example.com"])
    except Invalid as error:
        field = error.field
    assert field == "password"


async def test_what_is_kept_is_argon2id_and_nobodys_password_fits_nothing() -> None:
    keeper = passwords.Keeper()
    kept = await keeper.hash("correct horse staple gun")
    assert kept.startswith("$argon2id$")
    assert await keeper.fits(kept, "correct horse staple gun")
    assert not await keeper.fits(kept, "correct horse staple gum")
    assert not await keeper.fits(None, "nobody has this password")
    assert not await keeper.fits("damaged", "x")
    assert keeper.is_outdated(argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x"))
    keeper.close()


class List:
    """A list of breaches that knows one password, or does not answer."""

    def __init__(self, known: str | None) -> None:
        self.known = known

    async def count(self, digest: str) -> int:
        if self.known is None:
            raise ExternalFailure("away")
        return 3 if digest == self.known else 0


async def test_a_breached_password_is_refused_and_a_silent_list_holds_nobody_up() -> None:
    await passwords.check_breaches(List("00" * 20), "correct horse staple gun")
    await passwords.check_breaches(List(None), "correct horse staple gun")
    await passwords.check_breaches(None, "correct horse staple gun")
    with pytest.raises(Invalid, match="breach"):
        await passwords.check_breaches(List("B1B3773A05C0ED0176787A4F1574FF0075F7521E"), "qwerty")


# ------------------------------------------------------------------------------------------------------------- notes


def test_a_note_opens_once_for_its_purpose_in_its_time() -> None:
    seals = Seals(b"k" * 32)
    note = seals.note_text("code", ["x"], NOON, 60)
    assert seals.open("code", note, NOON).content == ["x"]
    for purpose, text, at, by in (
        ("proof", note, NOON, seals),
        ("code", note, NOON + timedelta(seconds=60), seals),
        ("code", note, NOON, Seals(b"j" * 32)),
        ("code", altered(note, 20), NOON, seals),
        ("code", "", NOON, seals),
        ("code", "%%%\x00é", NOON, seals),
    ):
        with pytest.raises(Refused):
            by.open(purpose, text, at)


@given(st.text(max_size=100) | st.binary(max_size=100))
def test_no_made_up_note_opens(text: str | bytes) -> None:
    with pytest.raises(Refused):
        Seals(b"k" * 32).open("code", text, NOON)


def test_a_kept_secret_opens_for_its_owner_only() -> None:
    seals = Seals(b"k" * 32)
    kept = seals.keep(b"secret", b"ada")
    assert seals.read(kept, b"ada") == b"secret"
    for owner, by in ((b"bob", seals), (b"ada", Seals(b"j" * 32))):
        with pytest.raises(ExternalFailure):
            by.read(kept, owner)


# ------------------------------------------------------------------------------------------------- proofs and the rest


def actor(**changes: object) -> Actor:
    known: dict[str, object] = {"actor_id": f"operator:{new_id()}", "name": "Ada", "party_id": new_id()}
    return Actor(**{**known, "actions": frozenset(access.ACTIONS), **changes})  # type: ignore[arg-type]


def test_a_proof_is_fresh_for_ten_minutes_and_keys_need_none() -> None:
    access.require_proof(actor(), NOON)
    access.require_proof(actor(web_session_id=new_id(), proved_at=NOON - timedelta(minutes=10)), NOON)
    for proved_at in (None, NOON - timedelta(minutes=10, seconds=1)):
        with pytest.raises(ProofNeeded):
            access.require_proof(actor(web_session_id=new_id(), proved_at=proved_at), NOON)


def test_of_several_roles_the_weightiest_counts() -> None:
    assert set(access.ROLES_BY_WEIGHT) == set(access.ROLES)
    assert access.weightiest(["read_only", "operations", "nonsense"]) == "operations"
    assert access.weightiest([]) is None


def test_passkeys_belong_to_the_consoles_host() -> None:
    assert relying_party("https://net.example:8443").rp_id == "net.example"
    assert relying_party("https://net.example:8443").origin == "https://net.example:8443"
    assert relying_party("http://127.0.0.1:8080").origin == "http://localhost:8080"


@pytest.mark.parametrize(
    ("given_text", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0 Safari/537.36 Edg/141.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("python-httpx/0.28", "A program"),
        (None, "Unknown device"),
        ("<script>", "Unknown device"),
    ],
)  # fmt: skip
def test_devices_are_named_in_words(given_text: str | None, words: str) -> None:
    assert devices.words(given_text) == words
