"""What operators of the demo's network have under way when a newcomer looks: asked for through the API, once."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ohmstead.core import clock
from ohmstead.core.errors import ExternalFailure
from ohmstead.simulator import customers, sites
from ohmstead.simulator.plan import StationPlan, Token

NEW_VERSION = "2.2.0"
IMAGE_BYTES = 1 << 20
ROOT_DAYS = 12
RESERVED_FOR = timedelta(hours=3)
_TIMEOUT_S = 60.0
_TRIES, _PAUSE_S = 10, 3.0


class Desk:
    """The operator's side of the API, with the demo's key. Raises ExternalFailure with the API's own words."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str) -> None:
        self._session = session
        self._base = f"{api_url}/api/v1"

    async def send(self, method: str, path: str, given: Any = None, *, content: bytes | None = None) -> dict[str, Any]:
        """One request; the answer's object."""
        body: dict[str, Any] = {"json": given or {}} if content is None else {"data": content}
        try:
            async with self._session.request(method, self._base + path, **body) as response:
                if response.status >= 300:
                    text = (await response.text())[:300]
                    raise ExternalFailure(
                        f"{method} {path} answered {response.status}: {text}",
                        permanent=400 <= response.status < 500 and response.status != 409,
                    )
                answer: dict[str, Any] = await response.json()
                return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ExternalFailure(f"{method} {path}: {str(error) or type(error).__name__}") from error

    async def read(self, path: str) -> dict[str, Any]:
        """What stands there."""
        return await self.send("GET", path, content=b"")


Scene: TypeAlias = Callable[[Desk], Awaitable[Any]]


async def prepare(api_url: str, api_key: str) -> list[str]:
    """What must be there before the past is told: what places are like, and who pays; returns what could not be."""
    return await _act(api_url, api_key, [sites.furnish, customers.introduce])


async def play(api_url: str, api_key: str, plans: Sequence[StationPlan], cards: Sequence[Token]) -> list[str]:
    """Set every scene up, each by itself, at stations of `plans`; returns what could not be, in the API's words."""
    scenes: list[Scene] = [
        lambda desk: template(desk, plans),
        lambda desk: reservations(desk, plans, cards),
        lambda desk: certificates(desk, plans),
        lambda desk: logs(desk, plans),
        lambda desk: limit(desk, plans),
        order_to_all,
        lambda desk: rollout(desk, plans),
    ]
    return await _act(api_url, api_key, scenes)


async def keep_books(api_url: str, api_key: str) -> list[str]:
    """What the books need and hold once the past is billed; returns what could not be."""
    return await _act(api_url, api_key, [customers.keep_books])


async def _act(api_url: str, api_key: str, scenes: Sequence[Scene]) -> list[str]:
    headers = {"Authorization": f"Bearer {api_key}"}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    failures: list[str] = []
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        desk = Desk(session, api_url)
        for scene in scenes:
            try:
                await _patiently(partial(scene, desk))
            except ExternalFailure as error:
                failures.append(error.text)
    return failures


async def _patiently(scene: Callable[[], Awaitable[Any]]) -> None:
    """What is no refusal is tried again for half a minute: stations and the web process may have a busy start."""
    for attempt in range(_TRIES):
        try:
            await scene()
            return
        except ExternalFailure as error:
            if error.permanent or attempt == _TRIES - 1:
                raise
            await asyncio.sleep(_PAUSE_S)


def _of(plans: Sequence[StationPlan], *versions: str) -> list[StationPlan]:
    return sorted((p for p in plans if p.version in versions), key=lambda p: p.station_id)


async def template(desk: Desk, plans: Sequence[StationPlan]) -> None:
    """Two templates. A few stations are left alone by templates; a few others cannot set what one of them wants."""
    for plan in _of(plans, "2.0.1", "2.1")[1:12:5]:
        await desk.send("PATCH", f"/stations/{plan.station_id}", {"takes_templates": False})
    older = [plan.station_id for plan in _of(plans, "1.6")[:3]]
    for given in (
        {
            "name": "Livelier stations",
            "generation": "2.x",
            "variables": {"OCPPCommCtrlr.HeartbeatInterval": "300", "TxCtrlr.EVConnectionTimeOut": "90"},
        },
        {
            "name": "Short queues",
            "generation": "1.6",
            "variables": {"ConnectionTimeOut": "90", "LocalAuthListMaxLength": "500"},
            "station_ids": older or None,
        },
    ):
        await _unless_there(desk.send("POST", "/templates", given))


async def reservations(desk: Desk, plans: Sequence[StationPlan], cards: Sequence[Token]) -> None:
    """An outlet that is kept from now on, and one for later."""
    now = clock.now()
    wanted = [p for p in _of(plans, "1.6", "2.0.1", "2.1") if len(p.evses) > 1] or list(plans)
    for card, plan, from_at in zip(
        cards, wanted[:: max(1, len(wanted) // 2)], (None, now + timedelta(hours=2)), strict=False
    ):
        given: dict[str, Any] = {"station_id": plan.station_id, "token_uid": card.uid}
        given["until_at"] = ((from_at or now) + RESERVED_FOR).isoformat()
        if from_at is not None:
            given["from_at"] = from_at.isoformat()
        await _unless_there(desk.send("POST", "/reservations", given))


async def certificates(desk: Desk, plans: Sequence[StationPlan]) -> None:
    """Stations ask for certificates of their own; a contract root that is trusted ends before long."""
    for plan in _of(plans, "1.6", "2.0.1", "2.1")[:4]:
        await desk.send("POST", f"/stations/{plan.station_id}/certificates/renew")
    pem = ending_root(clock.now())
    await _unless_there(desk.send("POST", "/certificates/roots", {"kind": "contract_root", "certificate_pem": pem}))


async def logs(desk: Desk, plans: Sequence[StationPlan]) -> None:
    """Two stations send what they wrote down."""
    for plan, log in zip(_of(plans, "2.0.1", "2.1"), ("diagnostics", "security"), strict=False):
        await desk.send("POST", f"/stations/{plan.station_id}/logs", {"log": log})


async def rollout(desk: Desk, plans: Sequence[StationPlan]) -> None:
    """New firmware, one station after the other: it is under way for minutes."""
    image = firmware_image()
    given = {
        "name": f"simulated-{NEW_VERSION}.bin",
        "version": NEW_VERSION,
        "sha256": hashlib.sha256(image).hexdigest(),
        "notes": "Mends the clock after a power cut.",
    }
    made = await desk.send("POST", "/firmware", given)
    await desk.send("PUT", f"/firmware/{made['image_id']}/content", content=image)
    begun = {
        "image_id": made["image_id"],
        "name": f"Simulated stations {NEW_VERSION}",
        "stations": {"station_ids": [plan.station_id for plan in plans]},
        "waves": [10, 100],
        "at_once": 1,
    }
    await desk.send("POST", "/rollouts", begun)


async def limit(desk: Desk, plans: Sequence[StationPlan]) -> None:
    """One station may draw less, and says what it would deliver."""
    plan = _of(plans, "2.0.1", "2.1")[0]
    profile: dict[str, Any] = {
        "profile_id": 1,
        "stack_level": 0,
        "purpose": "station_max",
        "timing": "absolute",
        "schedules": [
            {"rate_unit": "A", "starts_at": clock.now().isoformat(), "periods": [{"start_s": 0, "limit": 16}]}
        ],
    }
    for order in (
        {"kind": "set_profile", "evse_number": 0, "profile": profile},
        {"kind": "composite_schedule", "evse_number": 0, "duration_s": 86400, "rate_unit": "A"},
    ):
        await desk.send("POST", f"/stations/{plan.station_id}/commands", order)


async def order_to_all(desk: Desk) -> None:
    """All are asked for their settings; then all are to show a welcome, which those of OCPP 1.6 cannot."""
    welcome = {"content": "Welcome. Hold your card to the reader."}
    for order in (
        {"kind": "get_variables"},
        {"kind": "set_display_message", "message_id": 1, "text": welcome},
    ):
        await desk.send("POST", "/bulk-commands", {"order": order, "selection": {}})


async def _unless_there(asked: Awaitable[dict[str, Any]]) -> None:
    """A scene that is set up again finds its things; and what is taken already is as good."""
    try:
        await asked
    except ExternalFailure as error:
        if " 409" not in error.text:
            raise


def firmware_image() -> bytes:
    """A file that simulated stations take for firmware of NEW_VERSION; the same every time."""
    head = f"Ohmstead demo firmware\nversion: {NEW_VERSION}\n".encode()
    return head + bytes(IMAGE_BYTES - len(head))


def ending_root(now: datetime) -> str:
    """A root certificate with ROOT_DAYS left, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Demo Mobility Contract Root")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3650))
        .not_valid_after(now + timedelta(days=ROOT_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )
