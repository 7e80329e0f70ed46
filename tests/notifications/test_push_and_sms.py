"""Push messages as a browser decrypts them; short messages as a provider gets them."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ohmstead.adapters.notify.apprise.adapter import MOST_CHARACTERS, AppriseCarrier, short_of
from ohmstead.adapters.notify.apprise.settings import AppriseSettings
from ohmstead.adapters.notify.webpush.adapter import PushCarrier
from ohmstead.core.errors import ExternalFailure
from ohmstead.notifications.model import Subscription
from ohmstead.notifications.ports import Gone, Letter
from ohmstead.notifications.service import PushKey
from tests.notifications.post import Browser, PushService, http_door, push_service, vapid_of

ID = UUID("019a9d5f-11a0-7b66-9f00-5e6f7a8b9c0d")


def text64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def letter(browser: Browser | None = None, url: str = "", **more: Any) -> Letter:
    given: dict[str, Any] = {
        "notification_id": ID,
        "kind": "nearly_full",
        "network": "Harbour Power",
        "address": None,
        "subject": "Fast voll: 82 %",
        "text": "",
        "html": "",
        "brief": "Ihr Auto ist bei 82 %.",
        "link": "https://charge.example.com/drive/s/x",
        "useful_s": 900,
    }
    if browser is not None:
        keys = {"p256dh": text64(browser.point), "auth": text64(browser.auth)}
        given["subscription"] = Subscription(subscription_id=ID, endpoint=url, **keys)
    return Letter(**given | more)


KEY = ec.generate_private_key(ec.SECP256R1())
POINT = text64(KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def pusher(service: PushService) -> PushCarrier:
    async def key() -> PushKey:
        return PushKey(POINT, KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    return PushCarrier(key, "ops@harbour.example", [service.url.split("/")[2]])


async def test_only_the_browser_reads_it_and_the_service_knows_who_sent_it() -> None:
    browser = Browser()
    async with push_service() as service:
        assert await pusher(service).carry(letter(browser, service.url, is_urgent=True)) == "201 said"
    ((headers, body),) = service.heard
    assert json.loads(browser.decrypt(body)) == {
        "title": "Fast voll: 82 %",
        "body": "Ihr Auto ist bei 82 %.",
        "url": "https://charge.example.com/drive/s/x",
        "kind": "nearly_full",
        "tag": str(ID),
        "language": "en",
    }
    assert (headers["TTL"], headers["Urgency"], headers["Content-Encoding"]) == ("900", "high", "aes128gcm")
    claims, key = vapid_of(headers)
    assert key == POINT
    assert claims["sub"] == "mailto:ops@harbour.example"
    assert service.url.startswith(claims["aud"])
    assert b"82" not in body


@pytest.mark.parametrize(
    ("status", "kind", "is_final"),
    [
        (404, Gone, True),
        (410, Gone, True),
        (413, ExternalFailure, True),
        (429, ExternalFailure, False),
        (503, ExternalFailure, False),
    ],
)
async def test_what_the_service_answers_decides(status: int, kind: type[ExternalFailure], is_final: bool) -> None:
    async with push_service() as service:
        service.status = status
        with pytest.raises(ExternalFailure) as refused:
            await pusher(service).carry(letter(Browser(), service.url))
    assert type(refused.value) is kind
    assert refused.value.permanent is is_final
    assert refused.value.text == f"{status} said"


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/push", "http://push.example/x", "https://10.1.2.3/", "https://localhost/x"]
)
async def test_no_browser_sends_us_into_our_own_network(url: str) -> None:
    async with push_service() as service:
        with pytest.raises(Gone, match="not"):
            await pusher(service).carry(letter(Browser(), url))
    assert not service.heard


async def test_long_texts_are_cut_and_still_fit() -> None:
    browser = Browser()
    async with push_service() as service:
        await pusher(service).carry(letter(browser, service.url, brief="ü" * 3000, subject="s" * 300))
    ((_headers, body),) = service.heard
    assert len(body) <= 4096
    assert json.loads(browser.decrypt(body))["body"] == "ü" * 600


# ---------------------------------------------------------------------------------------------------------------- sms


async def test_a_provider_gets_the_number_and_the_short_text() -> None:
    heard: list[tuple[str, dict[str, Any]]] = []

    async def handle(request: web.Request) -> web.Response:
        heard.append((request.path_qs, await request.json()))
        return web.Response(status=200)

    async with http_door(handle) as url:
        carrier = AppriseCarrier(AppriseSettings(url=url.replace("http://", "json://") + "/sms/{phone}"))
        answer = await carrier.carry(letter(address="+43 (1) 234-567"))
    ((path, told),) = heard
    assert path == "/sms/+431234567"
    assert told["message"] == "Ihr Auto ist bei 82 %.\nhttps://charge.example.com/drive/s/x"
    assert answer


async def test_a_provider_that_fails_is_asked_again() -> None:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(status=503)

    async with http_door(handle) as url:
        carrier = AppriseCarrier(AppriseSettings(url=url.replace("http://", "json://") + "/{phone}"))
        with pytest.raises(ExternalFailure, match="503") as refused:
            await carrier.carry(letter(address="+431"))
    assert not refused.value.permanent
    with pytest.raises(ExternalFailure) as unknown:
        await AppriseCarrier(AppriseSettings(url="nonsense://{phone}")).carry(letter(address="+431"))
    assert unknown.value.permanent


def test_no_number_gets_more_than_its_place_in_the_address() -> None:
    given = AppriseSettings(url="json://host/{phone}")
    assert given.to("+43/../../evil?x=1#") == "json://host/+431"
    assert given.to("0043 1 2") == "json://host/004312"


def test_three_sms_at_most() -> None:
    short = short_of(letter(brief="x" * 2000))
    assert len(short) == MOST_CHARACTERS
    assert short.endswith("…\nhttps://charge.example.com/drive/s/x")
