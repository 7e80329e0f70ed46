"""Public certification cases about certificates (2.0.1 groups A and M, 1.6 security): the CSMS's side, on the wire and kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ohmstead.core.errors import Refused
from ohmstead.ocpp.v16 import outbound
from ohmstead.stations import orders
from ohmstead.stations.certificates import service
from tests.security.pki import Authority
from tests.stories.credentials import Keys, certificates_of, csr, pki_dir
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.wire import SILENCE

__all__ = ["pki_dir"]

PNC = "org.openchargealliance.iso15118pnc"
ROOT = Authority("Conformance Root").pem.decode()
HASHES = orders.CertificateRef(issuer_name_hash="ab" * 32, issuer_key_hash="cd" * 32, serial_number="1f")
ON_THE_WIRE = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "ab" * 32,
    "issuerKeyHash": "cd" * 32,
    "serialNumber": "1f",
}
USES = {
    "central_root": "CSMSRootCertificate",
    "manufacturer_root": "ManufacturerRootCertificate",
    "v2g_root": "V2GRootCertificate",
    "contract_root": "MORootCertificate",
}


async def request_of(network: Network, station: Station) -> dict[str, Any]:
    row = await network.pool.fetchrow(
        "select * from signing_request where station_id = $1 order by requested_at desc", station.station_id
    )
    assert row is not None
    return dict(row)


async def is_finished(network: Network, station: Station, status: str) -> None:
    async def look() -> bool:
        return bool((await request_of(network, station))["status"] == status)

    await network.until(look, f"the request is {status}")


async def signals_of(network: Network, station: Station) -> list[tuple[str, str]]:
    rows = await network.pool.fetch(
        "select kind, detail ->> 'reason' as reason from security_signal where station_id = $1 order by signal_id",
        station.station_id,
    )
    return [(row["kind"], row["reason"]) for row in rows]


def keys_of(station: Station, pki_dir: Path) -> Keys:
    return Keys(station, pki_dir, Authority("unused"))


# ------------------------------------------------------------------------------------------------------ A: security


async def test_tc_a_11_and_074_a_station_certificate_is_renewed_by_request_of_the_csms(
    network: Network, version: str, pki_dir: Path
) -> None:
    station = await network.station(version)
    keys = keys_of(station, pki_dir)
    order = service.request_order("station", version)
    assert (await network.orders(station, order)).status == "accepted"
    trigger = await station.hears("ExtendedTriggerMessage" if version == "1.6" else "TriggerMessage")
    assert trigger["requestedMessage"] == (
        "SignChargePointCertificate" if version == "1.6" else "SignChargingStationCertificate"
    )
    named = {} if version == "1.6" else {"certificateType": "ChargingStationCertificate"}
    assert await keys.asks(**named) == {"status": "Accepted"}
    leaf = await keys.gets_certificate()
    told = await station.hears("CertificateSigned")
    assert told.get("certificateType") == (None if version == "1.6" else "ChargingStationCertificate")
    assert "requestId" not in told
    assert leaf.public_key() == keys.key.public_key()
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == station.station_id
    await is_finished(network, station, "delivered")
    (kept,) = await certificates_of(network, station)
    assert (kept["serial"], kept["status"], kept["kind"]) == (f"{leaf.serial_number:x}", "issued", "station")


async def test_tc_a_13_one_certificate_for_both_uses_is_renewed(network: Network, version2: str, pki_dir: Path) -> None:
    station = await network.station(version2)
    keys = keys_of(station, pki_dir)
    assert (await network.orders(station, service.request_order("combined", version2))).status == "accepted"
    assert (await station.hears("TriggerMessage"))["requestedMessage"] == "SignCombinedCertificate"
    subject = ((NameOID.COMMON_NAME, station.station_id), (NameOID.DOMAIN_COMPONENT, "CPO"))
    assert await keys.sends(csr(keys.key, *subject)) == {"status": "Accepted"}
    leaf = await keys.gets_certificate()
    # No type was named, and none is: it is for both.
    assert set(await station.hears("CertificateSigned")) == {"certificateChain"}
    uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(uses) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    await is_finished(network, station, "delivered")
    assert (await request_of(network, station))["kind"] == "combined"
    (kept,) = await certificates_of(network, station)
    assert (kept["kind"], kept["status"]) == ("station", "issued")
    # When it ends soon, the same kind is asked for again.
    await network.pool.execute(
        "update certificate set status = 'active', not_after = now() + interval '9 days' where certificate_id = $1",
        kept["certificate_id"],
    )
    await network.pool.execute(
        "update signing_request set requested_at = now() - interval '2 days' where station_id = $1", station.station_id
    )
    station.wire.heard.clear()
    await network.is_connected(station)
    await service.renew(network.pool, network.house.desk)
    assert (await station.hears("TriggerMessage"))["requestedMessage"] == "SignCombinedCertificate"


async def test_a02_a_certificate_for_iso_15118_20_has_its_curves(network: Network, pki_dir: Path) -> None:
    station = await network.station("2.1")
    keys = keys_of(station, pki_dir)
    assert (await network.orders(station, service.request_order("v2g20", "2.1"))).status == "accepted"
    assert (await station.hears("TriggerMessage"))["requestedMessage"] == "SignV2G20Certificate"
    subject = ((NameOID.COMMON_NAME, station.station_id), (NameOID.DOMAIN_COMPONENT, "CPO"))
    more: Any = {"certificateType": "V2G20Certificate"}
    for key in (ec.generate_private_key(ec.SECP521R1()), ed448.Ed448PrivateKey.generate()):
        keys.chain = ""
        assert await keys.sends(csr(key, *subject), **more) == {"status": "Accepted"}
        leaf = await keys.gets_certificate()
        issuer = x509.load_pem_x509_certificates(keys.chain.encode())[1]
        leaf.verify_directly_issued_by(issuer)
        assert leaf.public_key() == key.public_key()
        assert type(issuer.public_key()) is type(key.public_key())
        await is_finished(network, station, "delivered")
    assert (await station.hears("CertificateSigned"))["certificateType"] == "V2G20Certificate"
    kept = await certificates_of(network, station)
    assert [(row["kind"], row["status"]) for row in kept] == [("v2g20", "revoked"), ("v2g20", "active")]
    assert [row["revocation_told"] for row in kept] == ["own", None]
    refused = await keys.sends(csr(keys.key, *subject), **more)
    assert (refused["status"], refused["statusInfo"]["additionalInfo"]) == ("Rejected", "curve_not_of_iso_15118_20")


async def test_a02_the_same_request_again_becomes_no_second_certificate(
    network: Network, version: str, pki_dir: Path
) -> None:
    station = await network.station(version)
    keys = keys_of(station, pki_dir)
    request = csr(keys.key, (NameOID.COMMON_NAME, station.station_id))
    numbers: list[Any] = [{"requestId": 7}, {"requestId": 8}] if version == "2.1" else [{}, {}]
    assert (await keys.sends(request, **numbers[0]))["status"] == "Accepted"
    first = await keys.gets_certificate()
    await is_finished(network, station, "delivered")
    # It was delivered, and the station is not sure of it.
    keys.chain = ""
    station.wire.heard.clear()
    assert (await keys.sends(request, **numbers[1]))["status"] == "Accepted"
    assert await keys.gets_certificate() == first
    assert (await station.hears("CertificateSigned")).get("requestId") == numbers[1].get("requestId")
    await is_finished(network, station, "delivered")
    # While it waits to be signed it is one request, which is answered under the number that came last.
    await network.pool.execute("update certificate set status = 'rejected' where station_id = $1", station.station_id)
    await network.pool.execute(
        "update signing_request set status = 'accepted', finished_at = null, certificate_id = null, command_id = null"
        " where signing_request_id = (select signing_request_id from signing_request where station_id = $1"
        " order by requested_at desc limit 1)",
        station.station_id,
    )
    for number in numbers:
        assert (await station.says("SignCertificate", {"csr": request, **number}))["status"] == "Accepted"
    rows = await network.rows("select * from signing_request where station_id = $1", station.station_id)
    assert sorted(row.status for row in rows) == ["accepted", "delivered"]
    [open_one] = [row for row in rows if row.status == "accepted"]
    assert open_one.request_number == numbers[1].get("requestId")
    assert len(await certificates_of(network, station)) == 1


async def test_tc_a_12_a_v2g_certificate_is_renewed(network: Network, version2: str, pki_dir: Path) -> None:
    station = await network.station(version2)
    keys = keys_of(station, pki_dir)
    assert (await network.orders(station, service.request_order("v2g", version2))).status == "accepted"
    assert (await station.hears("TriggerMessage"))["requestedMessage"] == "SignV2GCertificate"
    subject = ((NameOID.COMMON_NAME, station.station_id), (NameOID.DOMAIN_COMPONENT, "CPO"))
    assert await keys.sends(csr(keys.key, *subject), certificateType="V2GCertificate") == {"status": "Accepted"}
    first = await keys.gets_certificate()
    assert (await station.hears("CertificateSigned"))["certificateType"] == "V2GCertificate"
    assert first.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)[0].value == "CPO"
    await is_finished(network, station, "delivered")
    # It is in use as soon as the station took it; a second one replaces it.
    keys.chain = ""
    await keys.sends(csr(keys.key, *subject), certificateType="V2GCertificate")
    await keys.gets_certificate()
    await is_finished(network, station, "delivered")
    assert [row["status"] for row in await certificates_of(network, station)] == ["revoked", "active"]


async def test_a_v2g_certificate_travels_wrapped_on_1_6(network: Network, pki_dir: Path) -> None:
    station = await network.station("1.6")
    keys = keys_of(station, pki_dir)
    assert (await network.orders(station, service.request_order("v2g", "1.6"))).status == "accepted"
    asked = await station.hears("DataTransfer")
    assert (asked["vendorId"], asked["messageId"]) == (PNC, "TriggerMessage")
    assert json.loads(asked["data"]) == {"requestedMessage": "SignV2GCertificate"}
    station.answers["DataTransfer"] = {"status": "Accepted", "data": '{"status": "Accepted"}'}
    station.wire.heard.clear()
    inner = {
        "csr": csr(keys.key, (NameOID.COMMON_NAME, station.station_id)),
        "certificateType": "V2GCertificate",
    }
    wrapped = {"vendorId": PNC, "messageId": "SignCertificate", "data": json.dumps(inner)}
    answer = await station.says("DataTransfer", wrapped)
    assert (answer["status"], json.loads(answer["data"])) == ("Accepted", {"status": "Accepted"})
    told = await station.hears("DataTransfer")
    assert told["messageId"] == "CertificateSigned"
    assert json.loads(told["data"])["certificateType"] == "V2GCertificate"
    await is_finished(network, station, "delivered")
    (kept,) = await certificates_of(network, station)
    assert (kept["kind"], kept["status"]) == ("v2g", "active")
    # What is in the wrapping may be refused though the wrapping was not.
    station.answers["DataTransfer"] = {"status": "Accepted", "data": '{"status": "Rejected"}'}
    await station.says("DataTransfer", wrapped)
    await is_finished(network, station, "rejected")


async def test_tc_a_14_and_077_a_certificate_that_the_station_finds_invalid_is_given_up(
    network: Network, version: str, pki_dir: Path
) -> None:
    station = await network.station(version)
    keys = keys_of(station, pki_dir)
    station.answers["CertificateSigned"] = {"status": "Rejected"}
    await keys.asks()
    await station.hears("CertificateSigned")
    event = {"type": "InvalidChargingStationCertificate", "timestamp": "2026-01-01T00:00:00Z"}
    if version == "1.6":
        event["type"] = "InvalidChargePointCertificate"
    assert await station.says("SecurityEventNotification", event) == {}
    await is_finished(network, station, "rejected")
    (kept,) = await certificates_of(network, station)
    assert kept["status"] == "rejected"
    kinds = {kind for kind, _ in await signals_of(network, station)}
    assert "certificate_rejected" in kinds
    assert len(kinds) == 2


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (((NameOID.COMMON_NAME, "SOMEBODY-ELSE"),), "name_of_another"),
        (((NameOID.ORGANIZATION_NAME, "Nobody"),), "nameless"),
    ],
)
async def test_a02_a_request_in_another_name_is_rejected_and_told(
    network: Network, version: str, names: Any, reason: str
) -> None:
    station = await network.station(version)
    answer = await station.says("SignCertificate", {"csr": csr(ec.generate_private_key(ec.SECP256R1()), *names)})
    assert answer["status"] == "Rejected"
    if version != "1.6":
        assert answer["statusInfo"]["additionalInfo"] == reason
    kept = await request_of(network, station)
    assert (kept["status"], kept["reason"], kept["certificate_id"]) == ("refused", reason, None)
    assert await signals_of(network, station) == [("certificate_request_refused", reason)]


async def test_a02_a_key_that_another_station_has_is_rejected(network: Network, version: str, pki_dir: Path) -> None:
    first, second = await network.station(version), await network.station(version, "ST-2")
    keys = keys_of(first, pki_dir)
    await keys.asks()
    await keys.gets_certificate()
    stolen = csr(keys.key, (NameOID.COMMON_NAME, second.station_id))
    assert (await second.says("SignCertificate", {"csr": stolen}))["status"] == "Rejected"
    assert await signals_of(network, second) == [("certificate_request_refused", "key_of_another")]


async def test_a02_what_a_station_says_of_anothers_certificate_counts_for_nothing(
    network: Network, version: str, pki_dir: Path
) -> None:
    first, second = await network.station(version), await network.station(version, "ST-2")
    keys = keys_of(first, pki_dir)
    first.answers["CertificateSigned"] = SILENCE
    await keys.asks()
    chain = (await first.hears("CertificateSigned"))["certificateChain"]
    request_id = (await request_of(network, first))["signing_request_id"]
    second.answers["CertificateSigned"] = {"status": "Rejected"}
    foreign = orders.DeliverCertificate(signing_request_id=request_id, chain=chain)
    assert (await network.orders(second, foreign)).status == "rejected"
    assert (await request_of(network, first))["status"] == "signed"


async def test_a02_a_station_that_asks_without_end_is_stopped(network: Network) -> None:
    station = await network.station("2.0.1")
    key, name = ec.generate_private_key(ec.SECP256R1()), (NameOID.COMMON_NAME, station.station_id)
    answers = [(await station.says("SignCertificate", {"csr": csr(key, name)}))["status"] for _ in range(12)]
    assert answers == ["Accepted"] * 10 + ["Rejected"] * 2


async def test_a02_a_certificate_waits_for_a_station_that_left(network: Network, version: str, pki_dir: Path) -> None:
    station = await network.station(version)
    keys = keys_of(station, pki_dir)
    # It asks, and is gone before it is answered.
    request = csr(keys.key, (NameOID.COMMON_NAME, station.station_id))
    await station.says("SignCertificate", {"csr": request})
    await station.wire.cut()
    await network.is_connected(station, False)

    async def waits() -> bool:
        found = await network.pool.fetchval(
            "select status from command where station_id = $1 and kind = 'deliver_certificate'", station.station_id
        )
        return bool(found == "queued") or bool(keys.chain)

    await network.until(waits, "the certificate waits")
    await station.boots()
    leaf = await keys.gets_certificate()
    assert leaf.public_key() == keys.key.public_key()
    await is_finished(network, station, "delivered")


async def test_a02_a_certificate_that_was_not_answered_is_sent_again(
    network: Network, version: str, pki_dir: Path
) -> None:
    station = await network.station(version)
    keys = keys_of(station, pki_dir)
    given = station.answers["CertificateSigned"]

    station.answers["CertificateSigned"] = SILENCE
    await keys.asks()
    await station.hears("CertificateSigned")
    await station.wire.cut()
    station.answers["CertificateSigned"] = given
    failed = "select count(*) from command where station_id = $1 and status = 'failed'"
    await network.until(lambda: network.pool.fetchval(failed, station.station_id), "the delivery fails")
    await station.boots()

    async def was_noticed() -> bool:
        # The worker may be quicker.
        await service.follow_up(network.pool)
        return (await request_of(network, station))["command_id"] is None

    await network.until(was_noticed, "it is noticed")
    await network.pool.execute("update jobs.pgqueuer set execute_after = now() where entrypoint = 'sign_certificate'")
    await keys.gets_certificate()
    await is_finished(network, station, "delivered")

    async def was_sent_twice() -> bool:
        return bool((await request_of(network, station))["tries"] == 2)

    await network.until(was_sent_twice, "both deliveries are counted")
    assert len(await certificates_of(network, station)) == 1


# --------------------------------------------------------------------------------------------------- M: certificates


@pytest.mark.parametrize("use", list(USES))
async def test_tc_m_01_to_04_and_075_a_root_is_installed(network: Network, version: str, use: Any) -> None:
    station = await network.station(version)
    order = orders.InstallCertificate(use=use, certificate=ROOT)
    command = await network.orders(station, order)
    assert command.status == "accepted"
    if version == "1.6" and use in ("v2g_root", "contract_root"):
        told = await station.hears("DataTransfer")
        assert (told["vendorId"], told["messageId"]) == (PNC, "InstallCertificate")
        assert json.loads(told["data"]) == {"certificateType": USES[use], "certificate": ROOT}
        return
    named = "CentralSystemRootCertificate" if version == "1.6" and use == "central_root" else USES[use]
    assert await station.hears("InstallCertificate") == {"certificateType": named, "certificate": ROOT}


async def test_tc_m_101_the_root_of_vehicles_makers_is_installed_where_the_version_knows_it(
    network: Network, version2: str
) -> None:
    station = await network.station(version2)
    order = orders.InstallCertificate(use="oem_root", certificate=ROOT)
    command = await network.orders(station, order)
    if version2 == "2.0.1":
        assert (command.status, command.sent_at) == ("failed", None)
        return
    assert command.status == "accepted"
    told = await station.hears("InstallCertificate")
    assert told == {"certificateType": "OEMRootCertificate", "certificate": ROOT}


@pytest.mark.parametrize("status", ["Rejected", "Failed"])
async def test_tc_m_05_a_root_that_the_station_would_not_have(network: Network, version: str, status: str) -> None:
    station = await network.station(version)
    station.answers["InstallCertificate"] = {"status": status}
    command = await network.orders(station, orders.InstallCertificate(use="central_root", certificate=ROOT))
    assert (command.status, command.error_text) == ("rejected", status)


@pytest.mark.parametrize("use", ["central_root", "manufacturer_root", "v2g_root", "contract_root", "v2g_chain"])
async def test_tc_m_12_to_16_certificates_of_one_use_are_listed(network: Network, version2: str, use: Any) -> None:
    station = await network.station(version2)
    name = USES.get(use, "V2GCertificateChain")
    below = {"childCertificateHashData": [{**ON_THE_WIRE, "serialNumber": "2f"}]} if use == "v2g_chain" else {}
    station.answers["GetInstalledCertificateIds"] = {
        "status": "Accepted",
        "certificateHashDataChain": [{"certificateHashData": ON_THE_WIRE, "certificateType": name, **below}],
    }
    assert (await network.orders(station, orders.ListCertificates(uses=(use,)))).status == "accepted"
    assert await station.hears("GetInstalledCertificateIds") == {"certificateType": [name]}
    assert await installed_of(network, station) == [(name, "1f"), *([(name, "2f")] if below else [])]


async def test_tc_m_17_certificates_of_two_uses_are_listed(network: Network, version2: str) -> None:
    station = await network.station(version2)
    names = ["ManufacturerRootCertificate", "V2GCertificateChain"]
    station.answers["GetInstalledCertificateIds"] = {
        "status": "Accepted",
        "certificateHashDataChain": [
            {"certificateHashData": {**ON_THE_WIRE, "serialNumber": f"{n}f"}, "certificateType": name}
            for n, name in enumerate(names, 1)
        ],
    }
    order = orders.ListCertificates(uses=("manufacturer_root", "v2g_chain"))
    assert (await network.orders(station, order)).status == "accepted"
    assert await station.hears("GetInstalledCertificateIds") == {"certificateType": names}
    assert await installed_of(network, station) == [(names[0], "1f"), (names[1], "2f")]


async def test_tc_m_18_all_certificates_are_listed(network: Network, version: str) -> None:
    station = await network.station(version)

    def answer(payload: Payload) -> Payload:
        if version == "1.6":
            return {"status": "Accepted", "certificateHashData": [ON_THE_WIRE]}
        chains = [{"certificateHashData": ON_THE_WIRE, "certificateType": use} for use in USES.values()]
        return {"status": "Accepted", "certificateHashDataChain": chains}

    station.answers["GetInstalledCertificateIds"] = answer
    assert (await network.orders(station, orders.ListCertificates())).status == "accepted"
    asked = [payload for _, action, payload in station.wire.heard if action == "GetInstalledCertificateIds"]
    if version == "1.6":
        uses = ["CentralSystemRootCertificate", "ManufacturerRootCertificate"]
        assert asked == [{"certificateType": use} for use in uses]
    else:
        uses = sorted(USES.values())
        assert asked == [{}]
    assert await installed_of(network, station) == [(use, "1f") for use in uses]


async def test_tc_m_19_a_station_without_certificates_says_so(network: Network, version: str) -> None:
    station = await network.station(version)
    await network.pool.execute(
        "insert into installed_certificate values ($1, 'CSMSRootCertificate', 'sha256', 'a', 'b', 'c', now()),"
        " ($1, 'CentralSystemRootCertificate', 'sha256', 'a', 'b', 'c', now())",
        station.station_id,
    )
    station.answers["GetInstalledCertificateIds"] = {"status": "NotFound"}
    command = await network.orders(station, orders.ListCertificates(uses=("central_root",)))
    assert (command.status, command.error_text) == ("accepted", "NotFound")
    assert len(await installed_of(network, station)) == 1  # the other version's use


@pytest.mark.parametrize("status", ["Accepted", "Failed", "NotFound"])
async def test_tc_m_20_to_22_and_076_a_certificate_is_deleted(network: Network, version: str, status: str) -> None:
    station = await network.station(version)
    await network.pool.execute(
        "insert into installed_certificate values ($1, 'CSMSRootCertificate', 'sha256', $2, $3, '1f', now())",
        station.station_id,
        HASHES.issuer_name_hash,
        HASHES.issuer_key_hash,
    )
    station.answers["DeleteCertificate"] = {"status": status}
    command = await network.orders(station, orders.DeleteCertificate(certificate=HASHES))
    assert command.status == ("accepted" if status == "Accepted" else "rejected")
    assert await station.hears("DeleteCertificate") == {"certificateHashData": ON_THE_WIRE}
    assert len(await installed_of(network, station)) == (1 if status == "Failed" else 0)


async def installed_of(network: Network, station: Station) -> list[tuple[str, str]]:
    rows = await network.pool.fetch(
        "select usage, serial_number from installed_certificate where station_id = $1 order by usage, serial_number",
        station.station_id,
    )
    return [(row["usage"], row["serial_number"]) for row in rows]


def test_a_network_profile_is_not_for_1_6() -> None:
    order = orders.SetNetworkProfile(slot=1, url="wss://csms.example/ocpp", security_profile=2)
    with pytest.raises(Refused, match=r"1\.6"):
        outbound.calls_for(order, "ST-1")
