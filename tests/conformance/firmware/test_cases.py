"""Firmware (2.x L01 to L04, 1.6 §5.18 and whitepaper L01) and logs (2.x N01, 1.6 §5.9 and whitepaper N01), by case id.

Each looks at the wire, what is asked and that every report is answered, and at what is kept. Where the use case is a
CSMS's alone to take note of, the station's words are the case.
"""

import base64
import hashlib
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ohmstead.core import clock
from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version
from tests.api.door import Visitor, found
from tests.files.carrying import IMAGE, Carrier, carrier, uploaded
from tests.files.certificates import signing_certificate
from tests.stories.network import VERSIONS

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = signing_certificate(KEY, clock.now())
SIGNATURE = base64.b64encode(KEY.sign(IMAGE, ec.ECDSA(hashes.SHA256()))).decode()
LATER = "2031-01-01T00:00:00Z"


async def ordered(
    api: Visitor, version: str, *, is_signed: bool = True, refusal: str | None = None, **given: Any
) -> Carrier:
    """A station that was asked to update, its request as the official schema of its version wants it."""
    image = await uploaded(api, **({"signing_certificate": PEM, "signature": SIGNATURE} if is_signed else {}))
    station = await carrier(api, version)
    station.refusal = refusal
    await api.posts(f"/stations/{station.station.station_id}/firmware", {"image_id": image["image_id"], **given})
    fits(station)
    return station


def fits(station: Carrier) -> None:
    action, payload = station.asked[-1]
    assert schemas.violations(Version(station.station.version), action, msgspec.json.encode(payload)) == []


# case → what the station says, what the job is then, its detail
REPORTS: dict[str, tuple[tuple[str, ...], str, str | None]] = {
    "TC_L_01_CSMS installed": (
        ("Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting", "Installed"),
        "reported",
        None,
    ),
    "TC_L_02_CSMS installation scheduled": (("Downloading", "Downloaded", "InstallScheduled"), "verified", None),
    "TC_L_03_CSMS download scheduled": (("DownloadScheduled",), "scheduled", None),
    "TC_L_06_CSMS invalid signature": (
        ("Downloading", "Downloaded", "InvalidSignature"),
        "failed",
        "invalid signature",
    ),
    "TC_L_07_CSMS download failed": (("Downloading", "DownloadFailed"), "failed", "download failed"),
    "TC_L_08_CSMS installation failed": (
        ("Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallationFailed"),
        "failed",
        "installation failed",
    ),
    "TC_L_09_CSMS verification failed": (
        ("Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallVerificationFailed"),
        "failed",
        "install verification failed",
    ),
    "TC_L_13_CSMS waits for a transaction to end": (
        ("DownloadPaused", "Downloading", "Downloaded"),
        "downloaded",
        None,
    ),
}


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("case", REPORTS)
async def test_L01_secure_firmware_update(api: Visitor, version: str, case: str) -> None:
    words, status, detail = REPORTS[case]
    given = {"install_at": LATER} if "scheduled" in case else {}
    station = await ordered(api, version, **given)
    firmware = station.asked[-1][1]["firmware"]
    assert (firmware["signingCertificate"], firmware["signature"]) == (PEM, SIGNATURE)
    assert ("installDateTime" in firmware) is bool(given)
    for word in words:
        await station.says(word)
    job = await station.is_job(status)
    assert job["detail"] == detail
    if status == "reported":
        await station.boots("2.0")
        assert (await station.is_job("installed"))["finished_at"] is not None


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize(
    ("case", "answer", "status"),
    [
        ("TC_L_04_CSMS", "RevokedCertificate", "failed"),
        ("TC_L_05_CSMS", "InvalidCertificate", "failed"),
        ("TC_L_10_CSMS", "AcceptedCanceled", "ordered"),
        ("TC_L_11_CSMS", "Rejected", "failed"),
    ],
)
async def test_L01_the_station_answers(api: Visitor, version: str, case: str, answer: str, status: str) -> None:
    station = await ordered(api, version, refusal=answer)
    job = await station.job()
    assert job["status"] == status, case
    command = await api.gets(f"/commands/{job['command_id']}")
    assert command["answer"] == {"status": answer}


@pytest.mark.parametrize("version", VERSIONS[1:])
async def test_L02_firmware_without_a_certificate_is_asked_for_without_one(api: Visitor, version: str) -> None:
    station = await ordered(api, version, is_signed=False)
    assert "signingCertificate" not in station.asked[-1][1]["firmware"]
    assert (await station.fetches()).content == IMAGE


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize(
    ("case", "words", "status", "detail"),
    [
        (
            "TC_L_17_CSMS published",
            ("DownloadScheduled", "Downloading", "Downloaded", "ChecksumVerified", "Published"),
            "published",
            None,
        ),
        ("TC_L_19_CSMS", ("Downloading", "Downloaded", "InvalidChecksum"), "failed", "invalid checksum"),
        (
            "TC_L_20_CSMS",
            ("Downloading", "Downloaded", "ChecksumVerified", "PublishFailed"),
            "failed",
            "publish failed",
        ),
        ("TC_L_24_CSMS", ("Downloading", "DownloadFailed"), "failed", "download failed"),
    ],
)
async def test_L03_a_local_controller_publishes(
    api: Visitor, version: str, case: str, words: tuple[str, ...], status: str, detail: str | None
) -> None:
    station = await ordered(api, version, is_signed=False, is_published=True, retries=3, retry_after_s=90)
    action, payload = station.asked[-1]
    assert (action, payload["checksum"]) == ("PublishFirmware", hashlib.md5(IMAGE).hexdigest()), case
    assert (payload["retries"], payload["retryInterval"]) == (3, 90)
    assert (await station.fetches()).content == IMAGE
    for word in words:
        await station.says(word)
    job = await station.is_job(status)
    assert job["detail"] == detail
    assert job["offered_under"] == (["http://10.0.0.2/fw"] if status == "published" else None)
    assert job["finished_at"] is not None


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize(
    ("case", "answer", "status", "kept"),
    [
        ("TC_L_21_CSMS", "Unpublished", "accepted", "unpublished"),
        ("TC_L_22_CSMS", "NoFirmware", "accepted", "unpublished"),
        ("TC_L_23_CSMS", "DownloadOngoing", "rejected", "published"),
    ],
)
async def test_L04_a_local_controller_withdraws(
    api: Visitor, version: str, case: str, answer: str, status: str, kept: str
) -> None:
    station = await ordered(api, version, is_signed=False, is_published=True)
    await station.says("Published")
    job = await station.is_job("published")
    station.station.answers["UnpublishFirmware"] = {"status": answer}
    path = f"/stations/{station.station.station_id}/firmware/{job['image_id']}/unpublish"
    command = await api.posts(path)
    assert (command["status"], command["answer"]) == (status, {"status": answer}), case
    told = await station.station.hears("UnpublishFirmware")
    assert told == {"checksum": hashlib.md5(IMAGE).hexdigest()}
    after = await station.job()
    assert (after["status"], after["offered_under"] is None) == (kept, kept == "unpublished")


@pytest.mark.parametrize(
    ("case", "words", "status"),
    [
        ("TC_044_1_CSMS", ("Downloading", "Downloaded", "Installing", "Installed"), "reported"),
        ("TC_044_2_CSMS", ("Downloading", "DownloadFailed"), "failed"),
        ("TC_044_3_CSMS", ("Downloading", "Downloaded", "Installing", "InstallationFailed"), "failed"),
    ],
)
async def test_1_6_firmware(api: Visitor, case: str, words: tuple[str, ...], status: str) -> None:
    station = await ordered(api, "1.6", is_signed=False, retrieve_at="2026-01-01T00:00:00Z")
    assert station.asked[-1] == (
        "UpdateFirmware",
        {"location": station.location, "retrieveDate": "2026-01-01T00:00:00.000Z"},
    ), case
    for word in words:
        await station.says(word)
    await station.is_job(status)


@pytest.mark.parametrize(
    ("case", "words", "status"),
    [
        (
            "TC_080_CSMS",
            ("Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"),
            "rebooting",
        ),
        ("TC_081_CSMS", ("Downloading", "Downloaded", "InvalidSignature"), "failed"),
    ],
)
async def test_1_6_secure_firmware(api: Visitor, case: str, words: tuple[str, ...], status: str) -> None:
    station = await ordered(api, "1.6")
    assert station.asked[-1][0] == "SignedUpdateFirmware", case
    for word in words:
        await station.says(word)
    await station.is_job(status)


# ------------------------------------------------------------------------------------------------------------ logs


async def asked_for(api: Visitor, version: str, log: str, refusal: str | None = None) -> Carrier:
    station = await carrier(api, version)
    station.refusal = refusal
    span = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    await api.posts(
        f"/stations/{station.station.station_id}/logs", {"log": log, "retries": 2, "retry_after_s": 60, **span}
    )
    fits(station)
    return station


@pytest.mark.parametrize(
    ("case", "version", "log", "action"),
    [
        ("TC_N_25_CSMS", "2.0.1", "diagnostics", "GetLog"),
        ("TC_N_25_CSMS", "2.1", "diagnostics", "GetLog"),
        ("TC_N_35_CSMS", "2.0.1", "security", "GetLog"),
        ("TC_N_35_CSMS", "2.1", "security", "GetLog"),
        ("TC_N_100_CSMS", "2.1", "data_collector", "GetLog"),
        ("TC_045_1_CSMS", "1.6", "diagnostics", "GetDiagnostics"),
        ("TC_079_CSMS", "1.6", "security", "GetLog"),
    ],
)
async def test_N01_a_log_is_retrieved(api: Visitor, case: str, version: str, log: str, action: str) -> None:
    station = await asked_for(api, version, log)
    name, payload = station.asked[-1]
    assert name == action, case
    assert (payload["retries"], payload["retryInterval"]) == (2, 60)
    if action == "GetLog":
        kinds = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog", "data_collector": "DataCollectorLog"}
        assert payload["logType"] == kinds[log]
    span = payload.get("log", payload)
    oldest, latest = ("startTime", "stopTime") if action == "GetDiagnostics" else ("oldestTimestamp", "latestTimestamp")
    assert (span[oldest], span[latest]) == ("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z")
    await station.says("Uploading")
    assert (await station.sends(b"the log\n", "log.txt")).status_code == 201
    await station.says("Uploaded")
    job = await station.is_job("done", "log")
    assert found(await api.client.get(f"/logs/{job['job_id']}"))["size_bytes"] == 8


@pytest.mark.parametrize(
    ("case", "version", "word", "detail"),
    [
        ("TC_N_34_CSMS", "2.0.1", "UploadFailure", "upload failure"),
        ("TC_N_34_CSMS", "2.1", "BadMessage", "bad message"),
        ("TC_045_2_CSMS", "1.6", "UploadFailed", "upload failed"),
    ],
)
async def test_N01_an_upload_that_fails_is_told(api: Visitor, case: str, version: str, word: str, detail: str) -> None:
    station = await asked_for(api, version, "diagnostics")
    await station.says("Uploading")
    await station.says(word)
    assert (await station.is_job("failed", "log"))["detail"] == detail, case


@pytest.mark.parametrize("version", VERSIONS[1:])
async def test_TC_N_36_CSMS_a_second_request_takes_the_place_of_the_first(api: Visitor, version: str) -> None:
    station = await asked_for(api, version, "diagnostics")
    first = station.request_id
    station.refusal = "AcceptedCanceled"
    await api.posts(f"/stations/{station.station.station_id}/logs", {"log": "security"})
    await station.station.says("LogStatusNotification", {"status": "AcceptedCanceled", "requestId": first})
    jobs = (await api.gets(f"/stations/{station.station.station_id}/logs"))["items"]
    assert [job["status"] for job in jobs] == ["ordered", "superseded"]
    assert (await station.sends(b"x")).status_code == 201


async def test_what_a_version_does_not_know_is_refused_before_anything_is_sent(api: Visitor) -> None:
    station = await carrier(api, "1.6")
    path = f"/stations/{station.station.station_id}"
    assert (await api.posts(f"{path}/logs", {"log": "data_collector"}))["status"] == "failed"
    image = await uploaded(api)
    job = await api.posts(f"{path}/firmware", {"image_id": image["image_id"], "install_at": LATER})
    assert (job["status"], station.asked) == ("failed", [])
    old = await carrier(api, "2.0.1", "OLD")
    job = await api.posts(f"/stations/{old.station.station_id}/logs", {"log": "data_collector"})
    assert (job["status"], old.asked) == ("failed", [])
