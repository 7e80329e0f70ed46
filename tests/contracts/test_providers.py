"""Tokens of a provider that do not hold: each is refused, and the good one beside them is not."""

import base64
import hmac
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from ohmstead.accounts.providers.model import Provider, read_providers
from ohmstead.accounts.providers.service import role_of
from ohmstead.adapters.breaches.adapter import HttpBreachList
from ohmstead.adapters.oidc.adapter import OidcProviders
from ohmstead.core.errors import ExternalFailure, Invalid, Refused


class Liar:
    """A provider that hands out whatever token it is told to."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.url = ""
        self.token = ""
        self.status = 200
        self.configuration: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        self.told: dict[str, Any] = {}

    async def configured(self, _request: web.Request) -> web.Response:
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return web.json_response(told | self.configuration)

    async def keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def person(self, _request: web.Request) -> web.Response:
        return web.json_response(self.told)

    async def redeem(self, request: web.Request) -> web.Response:
        self.asked = {name: str(value) for name, value in (await request.post()).items()}
        self.asked["authorization"] = request.headers.get("Authorization", "")
        return web.json_response(
            {"id_token": self.token, "access_token": "a", "token_type": "Bearer"}, status=self.status
        )

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        known: dict[str, Any] = {"iss": self.url, "aud": "us", "sub": "ann", "exp": now + 60, "iat": now, "nonce": "n"}
        known |= {"email": "ann@corp.example", "email_verified": True, "groups": ["ops"]}
        return {name: value for name, value in (known | changes).items() if value is not None}

    def signed(self, claims: dict[str, Any], key: Any = None) -> str:
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key or self.key)


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    liar = Liar()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", liar.configured)
    app.router.add_get("/keys", liar.keys)
    app.router.add_post("/token", liar.redeem)
    app.router.add_get("/person", liar.person)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    liar.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield liar
    await runner.cleanup()


def provider(liar: Liar) -> Provider:
    return Provider(name="liar", label="Liar", issuer=liar.url, client_id="us", client_secret="hush")


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def unsigned(claims: dict[str, Any]) -> str:
    return f"{part(msgspec.json.encode({'alg': 'none'}))}.{part(msgspec.json.encode(claims))}."


def signed_with_public_key(claims: dict[str, Any], key: RSAKey) -> str:
    """The provider's public key passed off as a shared secret."""
    text = f"{part(msgspec.json.encode({'alg': 'HS256', 'kid': 'one'}))}.{part(msgspec.json.encode(claims))}"
    return f"{text}.{part(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"


async def test_a_token_that_holds_names_somebody(liar: Liar) -> None:
    liar.token = liar.signed(liar.claims())
    told = await OidcProviders().finish(provider(liar), "http://us/back", "code", "n", "verifier")
    assert (told.subject, told.email, told.is_email_verified, told.groups) == ("ann", "ann@corp.example", True, ["ops"])
    assert liar.asked["code_verifier"] == "verifier"
    assert liar.asked["authorization"].startswith("Basic ")
    assert "hush" not in liar.asked.values()


@pytest.mark.parametrize(
    ("in_token", "told", "found"),
    [
        # Whether an address is verified is said of the one beside it.
        ({"email": "boss@corp.example"}, {"email": "eve@corp.example", "email_verified": True}, ("boss", False)),
        ({"email_verified": True}, {"email": "boss@corp.example"}, ("boss", False)),
        ({"email_verified": True}, {"email": "boss@corp.example", "email_verified": False}, ("boss", False)),
        ({"email": "boss@corp.example"}, {"email": "boss@corp.example", "email_verified": True}, ("boss", True)),
        ({}, {"email": "boss@corp.example", "email_verified": "true"}, ("boss", True)),
        ({"email": "boss@corp.example", "email_verified": True}, {}, ("boss", True)),
    ],
)
async def test_an_address_is_verified_only_by_what_is_said_of_itself(
    liar: Liar, in_token: dict[str, Any], told: dict[str, Any], found: tuple[str, bool]
) -> None:
    liar.configuration = {"userinfo_endpoint": f"{liar.url}/person"}
    liar.token = liar.signed(liar.claims(**{"email": None, "email_verified": None, "groups": None} | in_token))
    liar.told = {"sub": "ann", "groups": ["ops"], **told}
    vouched = await OidcProviders().finish(provider(liar), "http://us/back", "code", "n", "verifier")
    assert (vouched.email, vouched.is_email_verified) == (f"{found[0]}@corp.example", found[1])
    assert vouched.groups == ["ops"]


async def test_tokens_that_do_not_hold_name_nobody(liar: Liar) -> None:
    past = int(time.time()) - 3600
    bad = {
        "for another client": liar.signed(liar.claims(aud="them")),
        "for several, and not issued to us": liar.signed(liar.claims(aud=["us", "them"])),
        "of another issuer": liar.signed(liar.claims(iss="https://evil.example")),
        "over": liar.signed(liar.claims(exp=past, iat=past - 60)),
        "not yet good": liar.signed(liar.claims(nbf=int(time.time()) + 3600)),
        "of another sign-in": liar.signed(liar.claims(nonce="other")),
        "without a nonce": liar.signed(liar.claims(nonce=None)),
        "without a subject": liar.signed(liar.claims(sub=None)),
        "with an empty subject": liar.signed(liar.claims(sub="")),
        "without an end": liar.signed(liar.claims(exp=None)),
        "signed by another key": liar.signed(liar.claims(), RSAKey.generate_key(2048, {"kid": "one"})),
        "not signed": unsigned(liar.claims()),
        "signed with the public key as a secret": signed_with_public_key(liar.claims(), liar.key),
        "no token": "nonsense",
        "empty": "",
        "of odd types": liar.signed(liar.claims(email=7)),
    }
    for what, token in bad.items():
        liar.token = token
        with pytest.raises(Refused):
            print(what, await OidcProviders().finish(provider(liar), "http://us/back", "code", "n", "verifier"))


async def test_a_provider_that_fails_or_calls_itself_otherwise_is_not_believed(liar: Liar) -> None:
    liar.token = liar.signed(liar.claims())
    liar.status = 400
    with pytest.raises(Refused, match="400"):
        await OidcProviders().finish(provider(liar), "http://us/back", "code", "n", "v")
    liar.status = 503
    with pytest.raises(ExternalFailure):
        await OidcProviders().finish(provider(liar), "http://us/back", "code", "n", "v")
    liar.configuration = {"issuer": "https://elsewhere.example"}
    with pytest.raises(ExternalFailure, match="calls itself"):
        await OidcProviders().begin(provider(liar), "http://us/back", is_anew=False)
    liar.configuration = {"jwks_uri": 7}
    with pytest.raises(ExternalFailure, match="does not fit"):
        await OidcProviders().begin(provider(liar), "http://us/back", is_anew=False)


def test_groups_give_the_weightiest_role_or_the_default() -> None:
    one = Provider(
        name="x", label="X", issuer="https://x.example", client_id="x", groups={"a": "read_only", "b": "operations"}
    )
    assert role_of(one, ["a", "b", "c"]) == "operations"
    assert role_of(one, ["c"]) is None
    assert role_of(msgspec.structs.replace(one, default_role="support"), []) == "support"


GOOD = "providers:\n- {name: corp, label: Corp, issuer: 'https://id.example', client_id: x, groups: {admins: owner}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "", "providers: 7", "- x", "{", GOOD + "extra: 1", GOOD.replace("https", "http"), GOOD.replace("owner", "emperor"),
        GOOD.replace("corp", "../corp"), GOOD + GOOD.partition("\n")[2], GOOD.replace("client_id: x", "client_secret: x"),
        GOOD.replace("client_id: x", "client_id: x, client_secret_file: /does/not/exist"), "!!python/object:os.system {}",
    ],
)  # fmt: skip
def test_a_file_of_providers_that_does_not_fit_is_refused(data_dir: Path, text: str) -> None:
    path = data_dir / "providers.yaml"
    path.write_text(GOOD)
    assert read_providers(path)[0].groups == {"admins": "owner"}
    path.write_text(text)
    with pytest.raises(Invalid, match=r"providers\.yaml|secret"):
        read_providers(path)
    assert read_providers(None) == []


async def test_a_list_of_breaches_learns_five_digits_only() -> None:
    asked: list[str] = []

    async def ranges(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path.endswith("FFFFF"):
            return web.Response(status=503)
        return web.Response(
            text="0018A45C4D1DEF81644B54AB7F969B88D65:1\r\n73A05C0ED0176787A4F1574FF0075F7521E:9\r\n"
            + "F" * 35
            + ":0\r\n"
        )

    app = web.Application()
    app.router.add_get("/range/{digits}", ranges)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        listed = HttpBreachList(f"http://127.0.0.1:{runner.addresses[0][1]}/range")
        assert await listed.count("B1B3773A05C0ED0176787A4F1574FF0075F7521E") == 9
        assert await listed.count("B1B37" + "F" * 35) == 0
        assert await listed.count("B1B37" + "A" * 35) == 0
        assert asked == ["/range/B1B37"] * 3
        with pytest.raises(ExternalFailure):
            await listed.count("FFFFF" + "A" * 35)
    finally:
        await runner.cleanup()
