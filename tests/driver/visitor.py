"""How tests come to the driver's pages: with a phone, by a code on a sticker, signed in by a mail that was really queued."""

import re
from dataclasses import dataclass
from decimal import Decimal
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from ohmstead.accounts import access
from ohmstead.tariffs import service as tariffs
from ohmstead.tariffs.model import PriceComponent, Tariff, TariffElement, TariffTax
from ohmstead.tariffs.records import NewTariffAssignment, TariffDraft
from tests.api.door import Front
from tests.console.visitor import Page
from tests.notifications.post import PostOffice
from tests.stories.network import Network
from tests.stories.patience import until
from tests.stories.station import Station

VAT = [TariffTax(percentage=Decimal(20), name="VAT")]


@dataclass
class Visitor:
    """A browser, with whatever it keeps."""

    front: Front
    network: Network
    client: httpx.AsyncClient
    post: PostOffice
    csrf_token: str = ""
    email: str = ""

    def mailbox(self, name: str) -> str:
        """An address of somebody in this network, and of nobody else in the run."""
        return f"{name}-{self.network.suffix}@example.com"

    async def opens(self, path: str, *, expect: int = 200, **headers: str) -> Page:
        answer = await self.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        assert answer.status_code == expect, f"{answer.status_code} {path}: {answer.text[:2000]}"
        return Page(answer)

    async def sends(self, path: str, *, expect: int = 200, token: bool = True, **fields: Any) -> Page:
        """Fill in a form and send it."""
        form = {"csrf_token": self.csrf_token} if token and self.csrf_token else {}
        answer = await self.client.post(path, data={**form, **fields})
        assert answer.status_code == expect, f"{answer.status_code} {path}: {answer.text[:2000]}"
        return Page(answer)

    async def signs_in(self, email: str, at: str = "") -> None:
        """By the six digits of the mail that the worker is to send."""
        page = await self.sends("/drive/sign-in", email=email, at=at)
        code_id = next(page.all("input", name="code_id")).attributes["value"]
        done = await self.sends(
            "/drive/sign-in/code", expect=303, code_id=code_id, email=email, code=await self.code_of(email)
        )
        self.email = email
        assert done.answer.headers["location"].startswith("/drive/")
        page = await self.opens("/drive/sign-in")
        self.csrf_token = next(page.all("meta", name="csrf-token")).attributes["content"]

    async def code_of(self, email: str) -> str:
        """The six digits of the latest mail to an address; nobody reads it twice."""
        found: list[str] = []

        async def came() -> bool:
            for mail in [one for one in self.post.mails if email.lower() in str(one["to"]).lower()]:
                if code := re.search(r"\b\d{6}\b", str(mail["subject"])):
                    found.append(code[0])
                    self.post.mails.remove(mail)
            return bool(found)

        await until(came, f"a code is mailed to {email}", patience_s=15)
        return found[-1]

    async def mail_to(self, email: str, words: str) -> EmailMessage:
        """The mail to an address whose subject says so."""

        async def came() -> bool:
            return any(email in str(one["to"]) and words in str(one["subject"]) for one in self.post.mails)

        await until(came, f"{words!r} is mailed to {email}", patience_s=20)
        return next(one for one in self.post.mails if email in str(one["to"]) and words in str(one["subject"]))

    async def driver_id(self) -> UUID:
        found = await self.network.pool.fetchval(
            "select driver_id from driver where party_id = $1 and lower(email) = lower($2)",
            self.network.party_id,
            self.email,
        )
        assert isinstance(found, UUID)
        return found


def per_kwh(price: str, **more: Any) -> Tariff:
    component = PriceComponent(type="ENERGY", price=Decimal(price), taxes=VAT)
    return Tariff(currency="EUR", elements=[TariffElement(price_components=[component])], **more)


async def offers(network: Network, tariff: Tariff) -> UUID:
    """A tariff that applies everywhere in the network, and has always done so."""
    async with network.pool.acquire() as conn, conn.transaction():
        actor = access.system(network.party_id)
        made = await tariffs.create_tariff(conn, actor, TariffDraft(name="Quay", tariff=tariff))
        await tariffs.assign(conn, actor, NewTariffAssignment(tariff_id=made.tariff_id))
    for column in ("tariff_version set published_at", "tariff_assignment set assigned_at"):
        await network.pool.execute(f"update {column} = '2020-01-01Z' where tariff_id = $1", made.tariff_id)
    return made.tariff_id


async def public_place(network: Network, name: str = "Harbour Park", **values: Any) -> UUID:
    """A place that anybody may come to."""
    location_id = await network.location(name)
    row = {"latitude": 48.306, "longitude": 14.286, "city": "Linz", "address": "Hafenstraße 1", **values}
    changes = ", ".join(f"{name} = ${n}" for n, name in enumerate(row, 2))
    await network.pool.execute(f"update location set {changes} where location_id = $1", location_id, *row.values())
    return location_id


async def has_plug(network: Network, station: Station, standard: str = "IEC_62196_T2", number: int = 1) -> None:
    """The station has told of its plug, and somebody said what kind it is."""
    await network.pool.execute(
        "insert into connector (station_id, evse_number, connector_number, standard, status, status_at)"
        " values ($1, $2, 1, $3, 'available', now()) on conflict (station_id, evse_number, connector_number)"
        " do update set standard = $3",
        station.station_id,
        number,
        standard,
    )


def plug_path(station: Station | str, number: int = 1) -> str:
    name = station if isinstance(station, str) else station.station_id
    return f"/drive/c/{quote(name, safe='')}/{number}"
