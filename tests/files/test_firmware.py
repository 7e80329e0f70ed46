"""A station comes to new firmware: it fetches it from us, and it is installed when the station says that it runs it."""

import base64
import hashlib
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from msgspec import structs

from ohmstead.core import clock
from ohmstead.core.events import Event
from ohmstead.stations.files.service import booted
from ohmstead.stations.files.versions import ask_versions
from tests import environment
from tests.api.door import Front, Visitor, found, problem, serving
from tests.files.carrying import IMAGE, SHA256, Carrier, announces, carrier, signals, uploaded
from tests.files.certificates import signing_certificate
from tests.security.pki import Authority
from tests.stories.network import VERSIONS

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = signing_certificate(KEY, clock.now())
SIGNATURE = base64.b64encode(KEY.sign(IMAGE, ec.ECDSA(hashes.SHA256()))).decode()


async def ordered(station: Carrier, image_id: str, **more: object) -> dict[str, object]:
    job: dict[str, object] = await station.api.posts(
        f"/stations/{station.station.station_id}/firmware", {"image_id": image_id, **more}
    )
    return job


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_fetches_installs_and_is_believed_when_it_runs_it(api: Visitor, version: str) -> None:
    image = await uploaded(api)
    assert (image["sha256"], image["size_bytes"]) == (SHA256, len(IMAGE))
    station = await carrier(api, version)
    job = await ordered(station, image["image_id"])
    assert (job["status"], job["version"], job["version_before"]) == ("ordered", "2.0", "1.0")
    assert station.asked[-1][0] == "UpdateFirmware"

    fetched = await station.fetches()
    assert hashlib.sha256(fetched.content).hexdigest() == SHA256
    await station.says("Downloading")
    await station.says("Downloaded")
    await station.is_job("downloaded")
    await station.says("Installing")
    await station.says("Installed")
    assert (await station.is_job("reported"))["finished_at"] is None
    await station.boots("2.0")
    done = await station.is_job("installed")
    assert done["fetched_at"] is not None
    assert done["finished_at"] is not None


@pytest.mark.parametrize("version", VERSIONS)
async def test_signed_firmware_goes_out_with_certificate_and_signature(api: Visitor, version: str) -> None:
    image = await uploaded(api, signing_certificate=PEM, signature=SIGNATURE)
    station = await carrier(api, version)
    await ordered(station, image["image_id"])
    action, payload = station.asked[-1]
    assert action == ("SignedUpdateFirmware" if version == "1.6" else "UpdateFirmware")
    assert payload["firmware"]["signingCertificate"] == PEM
    assert payload["firmware"]["signature"] == SIGNATURE
    await station.says("InvalidSignature")
    failed = await station.is_job("failed")
    assert failed["detail"] == "invalid signature"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_that_comes_back_as_it_was_is_marked_so(api: Visitor, version: str) -> None:
    station = await carrier(api, version)
    await ordered(station, (await uploaded(api))["image_id"])
    await station.says("Installing")
    await station.boots("1.0")
    job = await station.is_job("old_version")
    assert job["detail"] == "came back with 1.0"
    await station.says("Installed")
    assert (await station.job())["status"] == "old_version"
    await station.boots("2.0")
    assert (await station.is_job("installed"))["detail"] is None


async def test_a_report_about_nothing_we_know_changes_nothing_and_is_answered(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    await station.station.says("FirmwareStatusNotification", {"status": "Idle"})
    await station.station.says("FirmwareStatusNotification", {"status": "Installed", "requestId": 99})
    await station.station.says("LogStatusNotification", {"status": "Idle"})
    assert (await api.gets(f"/stations/{station.station.station_id}/firmware"))["items"] == []


async def test_one_station_cannot_speak_about_the_job_of_another(api: Visitor) -> None:
    one, other = await carrier(api, "2.0.1", "A"), await carrier(api, "2.0.1", "B")
    await ordered(one, (await uploaded(api))["image_id"])
    await other.station.says("FirmwareStatusNotification", {"status": "Installed", "requestId": one.request_id})
    assert (await one.job())["status"] == "ordered"


async def test_a_refusal_of_the_station_is_the_end_of_the_job(api: Visitor) -> None:
    station = await carrier(api, "2.1")
    station.refusal = "RevokedCertificate"
    job = await ordered(station, (await uploaded(api))["image_id"])
    assert (job["status"], job["detail"]) == ("failed", "RevokedCertificate")


async def test_an_order_takes_the_place_of_the_one_before(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    first = await ordered(station, (await uploaded(api))["image_id"])
    address = station.location
    await ordered(station, (await uploaded(api, version="3.0"))["image_id"])
    jobs = (await api.gets(f"/stations/{station.station.station_id}/firmware"))["items"]
    assert [job["status"] for job in jobs] == ["ordered", "superseded"]
    assert jobs[1]["job_id"] == first["job_id"]
    station.asked[-1][1]["firmware"]["location"] = address
    assert (await station.fetches()).status_code == 410


async def test_firmware_for_others_is_not_sent_unless_somebody_insists(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    image = await uploaded(api, vendor="Somebody Else")
    path = f"/stations/{station.station.station_id}/firmware"
    answer = await api.client.post(path, json={"image_id": image["image_id"]})
    problem(answer, 409, "refused")
    assert station.asked == []
    await ordered(station, image["image_id"], is_forced=True)
    assert station.asked[-1][0] == "UpdateFirmware"


async def test_an_image_without_content_or_retired_goes_nowhere(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    path = f"/stations/{station.station.station_id}/firmware"
    empty = await api.posts("/firmware", {"name": "fw", "version": "9"})
    problem(await api.client.post(path, json={"image_id": empty["image_id"]}), 409, "refused")
    image = await uploaded(api)
    assert (await api.client.delete(f"/firmware/{image['image_id']}")).status_code == 204
    problem(await api.client.post(path, json={"image_id": image["image_id"]}), 409, "refused")


@pytest.mark.parametrize("version", VERSIONS[1:])
async def test_a_local_controller_publishes_an_image_and_takes_it_back(api: Visitor, version: str) -> None:
    station, image = await carrier(api, version), await uploaded(api)
    job = await ordered(station, image["image_id"], is_published=True)
    assert (job["kind"], station.asked[-1][1]["checksum"]) == ("publish", image["md5"])
    assert hashlib.md5((await station.fetches()).content).hexdigest() == image["md5"]
    await station.says("ChecksumVerified")
    await station.says("Published")
    await station.is_job("published")
    station.station.answers["UnpublishFirmware"] = {"status": "Unpublished"}
    path = f"/stations/{station.station.station_id}/firmware/{image['image_id']}/unpublish"
    assert (await api.posts(path))["status"] == "accepted"


async def test_a_1_6_station_cannot_publish(api: Visitor) -> None:
    station, image = await carrier(api, "1.6"), await uploaded(api)
    job = await ordered(station, image["image_id"], is_published=True)
    assert job["status"] == "failed"
    assert "local controllers" in str(job["detail"])


# ------------------------------------------------------------------------------------------------------- uploading


async def test_content_that_was_not_announced_is_refused_and_told(api: Visitor) -> None:
    image = await api.posts("/firmware", {"name": "fw", "version": "2", "sha256": SHA256.upper()})
    path = f"/firmware/{image['image_id']}/content"
    document = problem(await api.client.put(path, content=b"something else"), 422, "invalid")
    assert document["field"] == "sha256"
    assert (await api.gets(f"/firmware/{image['image_id']}"))["stored_at"] is None
    (signal,) = await signals(api, "firmware_refused")
    assert "announced" in signal["detail"]["reason"]
    assert (await api.client.put(path, content=IMAGE)).is_success
    assert (await api.client.put(path, content=IMAGE)).is_success
    problem(await api.client.put(path, content=b"changed my mind"), 409, "conflict")


async def test_a_signature_that_does_not_fit_keeps_the_content_out(api: Visitor) -> None:
    body = {"name": "fw", "version": "2", "signing_certificate": PEM, "signature": SIGNATURE}
    image = await api.posts("/firmware", body)
    answer = await api.client.put(f"/firmware/{image['image_id']}/content", content=IMAGE + b"!")
    assert problem(answer, 422, "invalid")["field"] == "signature"
    for missing in ("signature", "signing_certificate"):
        problem(await api.client.post("/firmware", json=body | {missing: None}), 422, "invalid")
    problem(await api.client.post("/firmware", json=body | {"signing_certificate": "x"}), 422, "invalid")


async def test_an_upload_that_is_too_large_or_empty_is_refused(api: Visitor) -> None:
    image = await api.posts("/firmware", {"name": "fw", "version": "2"})
    path = f"/firmware/{image['image_id']}/content"
    problem(await api.client.put(path, content=b""), 422, "invalid")
    most = api.front.house.settings.max_firmware_bytes
    status = await announces(f"{api.front.url}/api/v1{path}", most + 1, Authorization=f"Bearer {api.key}")
    assert status == 413


# ------------------------------------------------------------------------------------------------------- vouched for


async def test_firmware_that_no_manufacturer_vouches_for_is_told_or_kept_out(front: Front, api: Visitor) -> None:
    maker = Authority("Maker Root")
    signer = maker.client("Signer", usage=ExtendedKeyUsageOID.CODE_SIGNING)
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    signature = base64.b64encode(signer.key.sign(IMAGE, ec.ECDSA(hashes.SHA256()))).decode()
    signed = {"signing_certificate": signer.pem.decode(), "signature": signature}
    # As installations come: a warning, on the image and among the security signals.
    doubted = await uploaded(api, **signed)
    assert (doubted["vouched_by"], doubted["doubt"]) == (None, "no manufacturer's root is trusted yet")
    (signal,) = await signals(api, "firmware_doubtful")
    assert signal["detail"]["reason"] == doubted["doubt"]
    station = await carrier(api, "2.0.1")
    assert (await ordered(station, doubted["image_id"]))["status"] == "ordered"

    strict = structs.replace(front.house.settings, firmware_signers="refuse", web_port=environment.free_port())
    async with (
        serving(strict, api.network.pool, front.house.bus) as (url, app),
        Front(front.house, url, app).visitor(api.network, "admin") as careful,
    ):
        image = await careful.posts("/firmware", {"name": "fw", "version": "2.0", **signed}, expect=201)
        content = f"/firmware/{image['image_id']}/content"
        document = problem(await careful.client.put(content, content=IMAGE), 422, "invalid")
        assert (document["field"], "root" in document["detail"]) == ("signing_certificate", True)
        path = f"/stations/{station.station.station_id}/firmware"
        problem(await careful.client.post(path, json={"image_id": doubted["image_id"]}), 409)
        problem(await careful.client.post("/rollouts", json={"image_id": doubted["image_id"], "name": "All"}), 409)
        assert len(await signals(api, "firmware_refused")) == 3

        await careful.posts("/certificates/roots", {"kind": "manufacturer_root", "certificate_pem": maker.pem.decode()})
        taken = found(await careful.client.put(content, content=IMAGE))
        assert (taken["vouched_by"], taken["doubt"]) == ("CN=Maker Root", None)
        rollout = await careful.posts("/rollouts", {"image_id": taken["image_id"], "name": "All"}, expect=201)
        await careful.posts(f"/rollouts/{rollout['rollout_id']}/cancel")
        # What is kept is looked at again before it goes out, whatever the policy.
        await api.network.pool.execute(
            "update firmware_image set signature = 'AAAA' where image_id = $1", taken["image_id"]
        )
        answer = await api.client.post(path, json={"image_id": taken["image_id"]})
        assert "signature" in problem(answer, 409)["detail"]


# -------------------------------------------------------------------------------------------------- foreign addresses


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_foreign_address_that_nobody_allowed_never_leaves_the_house(api: Visitor, version: str) -> None:
    station = await carrier(api, version)
    evil = "http://169.254.169.254/latest"
    path = f"/stations/{station.station.station_id}"
    document = problem(
        await api.client.post(f"{path}/firmware", json={"location": evil, "version": "2"}), 409, "refused"
    )
    assert "OHMSTEAD_FILE_HOSTS" in document["detail"]
    assert (await station.job())["status"] == "failed"
    order = {"kind": "get_log", "url": evil}
    problem(await api.client.post(f"{path}/commands", json=order), 409, "refused")
    many = {"order": order, "selection": {}}
    problem(await api.client.post("/bulk-commands", json=many), 409, "refused")
    raw = {"location": evil} if version == "1.6" else {"requestId": 1, "log": {"remoteLocation": evil}}
    action = "GetDiagnostics" if version == "1.6" else "GetLog"
    problem(await api.client.post(f"{path}/ocpp/{action}", json=raw), 409, "refused")
    assert station.asked == []
    found = await signals(api, "address_refused")
    alone = station.station.station_id
    assert [s["station_id"] for s in found] == [alone, alone, None, alone]
    assert found[0]["detail"]["address"] == evil


async def test_an_allowed_host_is_where_a_station_may_be_sent(api: Visitor) -> None:
    station = await carrier(api, "2.0.1")
    given = {"location": "https://firmware.maker.example/x.bin", "version": "2.0"}
    await api.posts(f"/stations/{station.station.station_id}/firmware", given)
    assert station.location == given["location"]
    await station.says("Installed")
    await station.boots("2.0")
    await station.is_job("installed")


async def test_a_start_from_before_the_order_says_nothing_about_it(api: Visitor) -> None:
    """The worker may read of a start only after the station has told how far it is since."""
    station = await carrier(api, "2.0.1")
    await ordered(station, (await uploaded(api))["image_id"])
    booted_at = clock.now()
    await station.says("Installing")
    event = Event(
        kind="StationBooted",
        subject="station/x",
        payload={"station_id": station.station.station_id, "firmware_version": "1.0"},
        at=booted_at,
    )
    async with api.network.pool.acquire() as conn, conn.transaction():
        await booted(conn, [event])
    assert (await station.job())["status"] == "installing"
    async with api.network.pool.acquire() as conn, conn.transaction():
        await booted(conn, [msgspec.structs.replace(event, at=clock.now())])
    assert (await station.job())["status"] == "old_version"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("runs", "status"), [("2.0", "installed"), ("1.0", "old_version")])
async def test_a_station_that_does_not_start_anew_is_asked_what_it_runs(
    api: Visitor, version: str, runs: str, status: str
) -> None:
    station = await carrier(api, version)
    await ordered(station, (await uploaded(api))["image_id"])
    await station.says("Installed")
    await station.is_job("reported")
    asked_for = []

    def answers(payload: dict[str, Any]) -> dict[str, Any]:
        asked_for.append(payload)
        if version == "1.6":
            return {"status": "Accepted"}
        (wanted,) = payload["getVariableData"]
        return {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": runs, **wanted}]}

    station.station.answers["TriggerMessage" if version == "1.6" else "GetVariables"] = answers
    pool, desk = api.network.pool, api.front.house.desk
    assert await ask_versions(pool, desk, after_s=3600) == 0
    assert await ask_versions(pool, desk, after_s=0) >= 1
    assert len(asked_for) == 1
    if version == "1.6":
        assert asked_for == [{"requestedMessage": "BootNotification"}]
        await station.boots(runs)
    await station.is_job(status)
    assert await ask_versions(pool, desk, after_s=0) == 0
