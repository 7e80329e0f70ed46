"""Plug & Charge (C07, M01, M02, M06): a car shows its contract; its chain and a responder decide, and a responder that
misbehaves never helps.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.x509 import ocsp as x509_ocsp

from ohmstead.accounts import access
from ohmstead.adapters.crl.adapter import HttpLists
from ohmstead.adapters.ocsp.adapter import HttpResponders
from ohmstead.adapters.pnc.adapter import HttpPool
from ohmstead.adapters.pnc.settings import PoolSettings
from ohmstead.ocpp.inquiries import Inquiries
from ohmstead.stations.certificates import ocsp, service
from ohmstead.stations.orders import CertificateRef
from tests.contracts.outside import Behaving, listening
from tests.rules.contract_pki import DAY, EMAID, Holder, Operator, Responder
from tests.stories.network import Door, Installation, Network
from tests.stories.station import Station


@dataclass
class World:
    """A mobility operator whose root the party trusts, its responder, a pool, and a gateway that may ask both."""

    operator: Operator
    responder: Responder
    server: Behaving
    pool: Behaving
    point: Behaving
    door: Door
    network: Network

    async def station(self, version: str, name: str = "ST-1") -> Station:
        station = await self.network.station(version, name, boots=False)
        station.wire.url = f"ws://127.0.0.1:{self.door.port}/ocpp/{station.station_id}"
        assert await station.boots() == "Accepted"
        return station

    async def trusts(self, authority: Holder) -> None:
        actor = access.system(self.network.party_id)
        async with self.network.pool.acquire() as conn, conn.transaction():
            await service.add_root(conn, actor, "contract_root", authority.pem)

    def named(self, contract: Holder, url: str | None = None) -> dict[str, Any]:
        """As a station names a certificate and its responder."""
        found = ocsp.hashes_of(contract.certificate, self.operator.sub.certificate)
        assert self.operator.url is not None
        return {**_hashes(found), "responderURL": url or self.operator.url}


def _hashes(found: CertificateRef) -> dict[str, Any]:
    return {
        "hashAlgorithm": found.hash_algorithm.upper(),
        "issuerNameHash": found.issuer_name_hash,
        "issuerKeyHash": found.issuer_key_hash,
        "serialNumber": found.serial_number,
    }


@pytest.fixture
async def world(network: Network, installation: Installation) -> AsyncIterator[World]:
    operator = Operator()
    responder = Responder(operator)
    server = Behaving(responder.answer, "application/ocsp-response")
    pool = Behaving(lambda _: b'{"certificateInstallationRes": "gJhC"}', "application/json")
    point = Behaving(lambda _: operator.revocations(responder.revoked), "application/pkix-crl")
    async with (
        listening(server.handle) as url,
        listening(pool.handle) as pool_url,
        listening(point.handle) as point_url,
    ):
        operator.point = f"{point_url}/sub.crl"
        operator.url = f"{url}/ocsp"
        operator.__post_init__()  # so that its certificates name the responder
        responders = HttpResponders([url.removeprefix("http://")], deadline_s=1.0)
        inquiries = Inquiries(
            installation.pool,
            responders,
            HttpPool(PoolSettings(url=pool_url, deadline_s=0.4)),
            list_source=HttpLists([point_url.removeprefix("http://")], 0.5),
        )
        door = await Installation(
            installation.settings, installation.pool, installation.bus, inquiries=inquiries
        ).open_door()
        await network.token("NLTNMC00122045", type="eMAID")
        found = World(operator, responder, server, pool, point, door, network)
        await found.trusts(operator.root)
        yield found
        for station in network.stations:
            await station.leaves()
        await door.close()


async def shows(station: Station, emaid: str = EMAID, **more: Any) -> tuple[str, str | None]:
    """The car is plugged in: what we say of token and certificate."""
    answer = await station.says("Authorize", {"idToken": {"idToken": emaid, "type": "eMAID"}, **more})
    return answer["idTokenInfo"]["status"], answer.get("certificateStatus")


async def test_tc_c_52_a_good_contract_that_we_check_charges(world: World, version2: str) -> None:
    station = await world.station(version2)
    contract = world.operator.contract()
    assert await shows(station, certificate=world.operator.chain(contract)) == ("Accepted", "Accepted")
    # However the id is written.
    assert await shows(station, "nltnmc00122045", certificate=world.operator.chain(contract)) == (
        "Accepted",
        "Accepted",
    )
    station.token_type = "eMAID"  # type: ignore[attr-defined]
    assert await station.starts_anyway(EMAID) == "Accepted"
    session = await world.network.session_of(station)
    assert (session.token_uid, session.authorization_status) == ("NLTNMC00122045", "accepted")


async def test_tc_c_50_hashes_alone_count_where_the_issuer_is_known(world: World, version2: str) -> None:
    station = await world.station(version2)
    contract = world.operator.contract()
    named = [world.named(contract)]
    assert await shows(station, iso15118CertificateHashData=named) == ("Invalid", "NoCertificateAvailable")
    await world.trusts(world.operator.sub)
    assert await shows(station, iso15118CertificateHashData=named) == ("Accepted", "Accepted")
    # The station has checked it, and its car charges.
    station.token_type = "eMAID"  # type: ignore[attr-defined]
    assert await station.starts_anyway(EMAID) == "Accepted"
    assert (await world.network.session_of(station)).token_uid == "NLTNMC00122045"


async def test_1_6_stations_wrap_it_into_data_transfer(world: World) -> None:
    station = await world.station("1.6")
    contract, revoked = world.operator.contract(), world.operator.contract()
    world.responder.revoked.add(revoked.certificate.serial_number)

    async def says(message_id: str, inner: Any) -> tuple[str, Any]:
        data = inner if isinstance(inner, str) else json.dumps(inner)
        wrapped = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": message_id, "data": data}
        answer = await station.says("DataTransfer", wrapped)
        return answer["status"], json.loads(answer["data"]) if "data" in answer else None

    def shown(one: Holder, token: Any) -> dict[str, Any]:
        return {"idToken": token, "certificate": world.operator.chain(one)}

    for token in (EMAID, {"idToken": EMAID, "type": "eMAID"}):
        good = {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "Accepted"}
        assert await says("Authorize", shown(contract, token)) == ("Accepted", good)
    _, bad = await says("Authorize", shown(revoked, EMAID))
    assert (bad["idTokenInfo"]["status"], bad["certificateStatus"]) == ("Invalid", "CertificateRevoked")
    _, told = await says("GetCertificateStatus", {"ocspRequestData": world.named(contract)})
    assert told["status"] == "Accepted"
    asked = {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "gJgC"}
    assert await says("Get15118EVCertificate", asked) == ("Accepted", {"status": "Accepted", "exiResponse": "gJhC"})
    # A start with the contract is the contract's.
    assert await station.starts_anyway(EMAID) == "Accepted"
    assert (await world.network.session_of(station)).token_uid == "NLTNMC00122045"
    for junk in ("hello", "{}", "[" * 5000):
        assert await says("Authorize", junk) == ("Rejected", None)
    assert await says("Reset", {}) == ("UnknownMessageId", None)
    other = await station.says("DataTransfer", {"vendorId": "somebody", "messageId": "Authorize", "data": "{}"})
    assert other == {"status": "UnknownVendorId"}


async def test_what_the_responder_said_is_remembered_until_it_says_it_anew(world: World) -> None:
    station = await world.station("2.0.1")
    contract = world.operator.contract()
    await shows(station, certificate=world.operator.chain(contract))
    n_asked = world.responder.n_asked
    assert n_asked == 2  # the contract and the authority above it
    world.server.how = "hangs"
    assert await shows(station, certificate=world.operator.chain(contract)) == ("Accepted", "Accepted")
    assert world.responder.n_asked == n_asked


async def test_tc_c_51_a_revoked_contract_does_not(world: World, version2: str) -> None:
    station = await world.station(version2)
    contract = world.operator.contract()
    world.responder.revoked.add(contract.certificate.serial_number)
    chain = world.operator.chain(contract)
    assert await shows(station, certificate=chain) == ("Invalid", "CertificateRevoked")
    assert await shows(station, iso15118CertificateHashData=[world.named(contract)]) == (
        "Invalid",
        "CertificateRevoked",
    )
    kinds = await world.network.rows(
        "select kind, detail from security_signal where station_id = $1", station.station_id
    )
    assert {(row.kind, row.detail["status"]) for row in kinds} == {("contract_refused", "revoked")}


async def test_a_blocked_contract_is_cancelled_and_an_unknown_one_unknown(world: World) -> None:
    station = await world.station("2.1")
    chain = world.operator.chain(world.operator.contract())
    await world.network.pool.execute("update token set status = 'blocked' where party_id = $1", world.network.party_id)
    assert await shows(station, certificate=chain) == ("Blocked", "ContractCancelled")
    await world.network.pool.execute("delete from token where party_id = $1", world.network.party_id)
    assert await shows(station, certificate=chain) == ("Unknown", "Accepted")


@pytest.mark.parametrize("how", ["hangs", "redirects", "endless", "500", "junk"])
async def test_a_responder_that_misbehaves_helps_nobody_in(world: World, how: str) -> None:
    station = await world.station("2.0.1")
    world.server.how = how
    expected = "SignatureError" if how == "junk" else "NoCertificateAvailable"
    began = time.monotonic()
    assert await shows(station, certificate=world.operator.chain(world.operator.contract())) == ("Invalid", expected)
    assert time.monotonic() - began < 3
    assert all(path == "/ocsp" for path, _ in world.server.asked)


async def test_a_responder_that_lies_is_a_security_signal(world: World) -> None:
    station = await world.station("2.1")
    world.responder.signer = Operator().sub
    contract = world.operator.contract()
    assert await shows(station, certificate=world.operator.chain(contract)) == ("Invalid", "SignatureError")
    await world.trusts(world.operator.sub)
    answer = await station.says("GetCertificateStatus", {"ocspRequestData": world.named(contract)})
    assert answer["status"] == "Failed"
    kinds = await world.network.pool.fetch(
        "select kind from security_signal where station_id = $1 order by signal_id", station.station_id
    )
    assert [row["kind"] for row in kinds] == ["contract_refused", "ocsp_not_believed"]


async def test_forged_and_expired_chains_are_told_apart(world: World, version2: str) -> None:
    station = await world.station(version2)
    impostor = Operator(url=world.operator.url)
    forged = impostor.chain(impostor.contract())
    expired = world.operator.chain(world.operator.contract(valid=(-9 * DAY, -DAY)))
    others = world.operator.chain(world.operator.contract("NLTNM000122045U"))
    assert await shows(station, certificate=forged) == ("Invalid", "SignatureError")
    assert await shows(station, certificate=expired) == ("Invalid", "CertificateExpired")
    assert await shows(station, certificate=others) == ("Invalid", "CertChainError")
    assert await shows(station, certificate="hello") == ("Invalid", "CertChainError")
    assert world.responder.n_asked == 0


async def test_nobody_is_asked_whom_the_operator_did_not_name(world: World) -> None:
    station = await world.station("2.0.1")
    contract = world.operator.contract()
    async with listening(world.server.handle) as elsewhere:
        named = world.named(contract, f"{elsewhere}/ocsp")
        assert await shows(station, iso15118CertificateHashData=[named]) == ("Invalid", "NoCertificateAvailable")
    assert world.server.asked == []


async def test_others_are_served_while_one_waits_for_a_responder(world: World) -> None:
    waiting, other = await world.station("2.0.1"), await world.station("2.0.1", "ST-2")
    world.server.how = "hangs"
    chain = world.operator.chain(world.operator.contract())
    slow = asyncio.create_task(shows(waiting, certificate=chain))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await other.says("Heartbeat", {})
    assert time.monotonic() - began < 0.2
    assert not slow.done()
    assert await slow == ("Invalid", "NoCertificateAvailable")


async def test_tc_m_24_a_station_has_the_responder_asked(world: World, version2: str) -> None:
    station = await world.station(version2)
    contract = world.operator.contract()
    answer = await station.says("GetCertificateStatus", {"ocspRequestData": world.named(contract)})
    told = x509_ocsp.load_der_ocsp_response(base64.b64decode(answer["ocspResult"]))
    assert (answer["status"], told.certificate_status) == ("Accepted", x509_ocsp.OCSPCertStatus.GOOD)
    assert told.serial_number == contract.certificate.serial_number


async def test_a_chain_is_asked_about_at_once_in_2_1(world: World) -> None:
    station = await world.station("2.1")
    await world.trusts(world.operator.sub)
    good, revoked = world.operator.contract(), world.operator.contract()
    world.responder.revoked.add(revoked.certificate.serial_number)

    def wanted(contract: Holder, source: str = "OCSP") -> dict[str, Any]:
        named = world.named(contract)
        return {"source": source, "urls": [named.pop("responderURL")], "certificateHashData": named}

    def listed(contract: Holder, url: str | None) -> dict[str, Any]:
        return {**wanted(contract, "CRL"), "urls": [url]}

    elsewhere = "http://crl.example/sub.crl"
    asked = [
        *(wanted(good), wanted(revoked)),
        *(listed(good, world.operator.point), listed(revoked, world.operator.point)),
    ]
    answer = await station.says("GetCertificateChainStatus", {"certificateStatusRequests": asked})
    assert [one["status"] for one in answer["certificateStatus"]] == ["Good", "Revoked", "Good", "Revoked"]
    answer = await station.says("GetCertificateChainStatus", {"certificateStatusRequests": [listed(good, elsewhere)]})
    assert [one["status"] for one in answer["certificateStatus"]] == ["Failed"]


async def test_where_no_responder_answers_the_authoritys_list_counts(world: World, version2: str) -> None:
    station = await world.station(version2)
    # The contracts name a list and no responder.
    world.operator.names_point, world.operator.url = True, None
    good, revoked = world.operator.contract(), world.operator.contract()
    world.responder.revoked.add(revoked.certificate.serial_number)
    assert await shows(station, certificate=world.operator.chain(good)) == ("Accepted", "Accepted")
    assert await shows(station, certificate=world.operator.chain(revoked)) == ("Invalid", "CertificateRevoked")
    # A list that cannot be had clears nobody.
    await world.network.pool.execute("delete from outside_crl")
    world.point.how = "hangs"
    world.operator.point = str(world.operator.point).replace("sub.crl", "other.crl")
    another = world.operator.contract()
    assert await shows(station, certificate=world.operator.chain(another)) == ("Invalid", "NoCertificateAvailable")


async def test_tc_m_26_and_28_a_car_gets_its_contract_from_the_pool(world: World, version2: str) -> None:
    station = await world.station(version2)
    asked = {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "gJgC"}
    for action in ("Install", "Update"):
        asked["action"] = action
        assert await station.says("Get15118EVCertificate", asked) == {"status": "Accepted", "exiResponse": "gJhC"}
    assert [json.loads(body) for _, body in world.pool.asked] == [
        {
            "certificateInstallationReq": "gJgC",
            "xsdMsgDefNamespace": "urn:iso:15118:2:2013:MsgDef",
            "action": action,
        }
        for action in ("Install", "Update")
    ]
    kept = await world.network.pool.fetchval(
        "select count(*) from station_record where station_id = $1 and kind = 'Get15118EVCertificate'",
        station.station_id,
    )
    assert kept == 2
    world.pool.how = "hangs"
    assert await station.says("Get15118EVCertificate", asked) == {"status": "Failed", "exiResponse": ""}


async def test_tc_m_100_a_car_of_iso_15118_20_gets_one_contract_and_learns_of_more(world: World) -> None:
    station = await world.station("2.1")
    answer = b'{"certificateInstallationRes": "gJhC", "remainingContracts": 2}'
    world.pool.answer = lambda _: answer
    asked = {
        "iso15118SchemaVersion": "urn:iso:std:iso:15118:-20:CommonMessages",
        "action": "Install",
        "exiRequest": "gJgC",
        "maximumContractCertificateChains": 1,
        "prioritizedEMAIDs": ["NLTNMC00122045K"],
    }
    assert await station.says("Get15118EVCertificate", asked) == {
        "status": "Accepted",
        "exiResponse": "gJhC",
        "remainingContracts": 2,
    }
    [(_, body)] = world.pool.asked
    assert json.loads(body) == {
        "certificateInstallationReq": "gJgC",
        "xsdMsgDefNamespace": "urn:iso:std:iso:15118:-20:CommonMessages",
        "action": "Install",
        "maximumContractCertificateChains": 1,
        "prioritizedEmaids": ["NLTNMC00122045K"],
    }
