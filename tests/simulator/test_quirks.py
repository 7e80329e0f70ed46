"""Each quirk does what its line in `--list-quirks` says, and nothing else becomes invalid by it."""

import asyncio
import base64
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ohmstead.core.errors import Invalid
from ohmstead.simulator import quirks
from ohmstead.simulator.clock import parse_instant
from ohmstead.simulator.meter import public_key_of
from ohmstead.simulator.plan import EvsePlan
from tests.simulator.csms import START, Csms, virtually
from tests.simulator.stories import (
    VERSIONS,
    Planned,
    ended,
    make_station,
    make_world,
    registers,
    starts,
    until_ended,
)

each_version = pytest.mark.parametrize("version", VERSIONS)


def charge_with(quirk: str, version: str, *, is_dc: bool = False, quiet_s: float = 120, is_ending: bool = True) -> Csms:
    """One visit at a station that has this quirk; everything heard is valid by the schemas unless it says otherwise."""
    csms = Csms()

    async def story() -> None:
        demand = Planned((60, 3600, 8000), is_dc=is_dc)
        world = make_world(csms, quirks=[quirk], demand=demand, sample_interval_s=300)
        world.passwords["SIM-1"] = "a password of mine"
        outlet = EvsePlan(1, is_dc=is_dc, max_power_w=50_000 if is_dc else 11_000)
        starts(make_station(version, world, evses=(outlet,)))
        if is_ending:
            await until_ended(csms, version)
        else:
            await asyncio.sleep(4500)
        await asyncio.sleep(quiet_s)

    virtually(story)
    if quirks.QUIRKS[quirk].breaks_schema:
        assert csms.problems
    else:
        assert csms.problems == []
    return csms


def samples(csms: Csms) -> list[dict[str, Any]]:
    """Every sampled value heard."""
    return [
        sample
        for heard in csms.heard
        for value in (*heard.payload.get("meterValue", ()), *(heard.payload.get("transactionData") or ()))
        for sample in value["sampledValue"]
    ]


def test_the_list_of_quirks_is_complete_and_unknown_names_are_refused() -> None:
    assert len(quirks.QUIRKS) == 19
    assert quirks.choose(["transaction-minus-1", "kwh-units"], "2.1") == {"kwh-units"}
    with pytest.raises(Invalid, match="no-such-quirk"):
        quirks.choose(["no-such-quirk"])


def test_passwords_take_the_forms_of_the_whitepaper() -> None:
    secret = quirks.basic_auth_secret
    key = "00ff10"
    assert secret(key, frozenset()) == b"00ff10"
    assert secret(key, frozenset({"raw-bytes-auth"})) == b"\x00\xff\x10"
    assert secret(key, frozenset({"hex-auth-key"})) == b"00ff10"
    assert secret("plain", frozenset({"hex-auth-key"})) == b"plain".hex().encode()
    assert secret("plain", frozenset({"raw-bytes-auth"})) == b"plain"


@each_version
def test_kwh_units(version: str) -> None:
    csms = charge_with("kwh-units", version)
    units = {s.get("unit") or s.get("unitOfMeasure", {}).get("unit") for s in samples(csms)}
    assert {"kWh", "kW"} <= units
    assert not {"Wh", "W"} & units
    values = [Decimal(str(s["value"])) for s in samples(csms) if s.get("measurand") == "Energy.Active.Import.Register"]
    assert max(values) - min(values) == pytest.approx(Decimal(8), abs=Decimal("0.01"))


@each_version
def test_no_meter_values(version: str) -> None:
    csms = charge_with("no-meter-values", version)
    assert csms.of("MeterValues") == []
    contexts = {s["context"] for s in samples(csms)}
    assert contexts == {"Transaction.Begin", "Transaction.End"}


@each_version
def test_stop_1wh_low(version: str) -> None:
    csms = charge_with("stop-1wh-low", version)
    found = registers(csms, version)
    assert found[-1][1] == found[-2][1] - 1


@each_version
def test_clock_offset(version: str) -> None:
    csms = charge_with("clock-offset", version)
    key = "StartTransaction" if version == "1.6" else "TransactionEvent"
    at = parse_instant(csms.of(key)[0]["timestamp"])
    assert at is not None
    heard_at_s = next(h.at_s for h in csms.heard if h.action == key)
    assert (at - START).total_seconds() - heard_at_s == pytest.approx(7200, abs=2)


@each_version
def test_status_spam(version: str) -> None:
    csms = charge_with("status-spam", version)
    statuses = csms.of("StatusNotification")
    assert len(statuses) > 700
    assert statuses[5] == statuses[4]


@each_version
def test_begin_zero(version: str) -> None:
    found = registers(charge_with("begin-zero", version), version)
    begins = [value for context, value in found if context == "Transaction.Begin"]
    assert set(begins) == {0}
    assert min(value for context, value in found if context != "Transaction.Begin") > 1000


@each_version
def test_lower_case_tokens(version: str) -> None:
    csms = charge_with("lower-case-tokens", version)
    authorized = csms.of("Authorize")[0]
    assert (authorized.get("idTag") or authorized["idToken"]["idToken"]) == "card0001"


@each_version
def test_duplicates(version: str) -> None:
    csms = charge_with("duplicates", version)
    actions = ("StartTransaction", "MeterValues", "StopTransaction", "TransactionEvent")
    heard = [h for h in csms.heard if h.action in actions]
    pairs = list(zip(heard[::2], heard[1::2], strict=True))
    assert len(pairs) > 5
    assert all(a.payload == b.payload and a.action == b.action for a, b in pairs)
    assert {a.message_id == b.message_id for a, b in pairs} == {True, False}


@each_version
def test_out_of_order(version: str) -> None:
    csms = charge_with("out-of-order", version)
    if version == "1.6":
        times = [p["meterValue"][0]["timestamp"] for p in csms.of("MeterValues")]
    else:
        numbers = [p["seqNo"] for p in csms.of("TransactionEvent")]
        assert sorted(numbers) == list(range(len(numbers)))
        assert numbers != sorted(numbers)
        times = [p["timestamp"] for p in csms.of("TransactionEvent")]
    assert times != sorted(times)


@each_version
def test_epoch_clock(version: str) -> None:
    csms = charge_with("epoch-clock", version)
    times = [p["timestamp"] for p in csms.of("StatusNotification")]
    assert times[0].startswith("1970-01-01")
    assert times[-1].startswith("2026-03-02")
    first = next(i for i, h in enumerate(csms.heard) if h.action == "Heartbeat")
    after = [h.payload["timestamp"] for h in csms.heard[first + 1 :] if "timestamp" in h.payload]
    assert after
    assert all(not at.startswith("1970") for at in after)


@each_version
def test_drops_stop(version: str) -> None:
    csms = charge_with("drops-stop", version, is_ending=False)
    assert ended(csms, version) == []
    assert csms.of("StartTransaction" if version == "1.6" else "TransactionEvent")


def test_transaction_minus_1() -> None:
    csms = charge_with("transaction-minus-1", "1.6")
    assert csms.of("StartTransaction") == []
    assert {p["transactionId"] for p in csms.of("MeterValues")} == {-1}
    assert csms.of("StopTransaction")[0]["transactionId"] == -1


@each_version
def test_phase_registers(version: str) -> None:
    csms = charge_with("phase-registers", version)
    found = [s for s in samples(csms) if s.get("measurand") == "Energy.Active.Import.Register"]
    assert [s.get("phase") for s in found[:4]] == ["L1", "L2", "L3", None]
    assert sum(float(s["value"]) for s in found[:3]) == pytest.approx(float(found[3]["value"]), abs=0.01)


@each_version
@pytest.mark.parametrize("is_dc", [False, True])
def test_soc_only(version: str, is_dc: bool) -> None:
    csms = charge_with("soc-only", version, is_dc=is_dc)
    batches = [
        {s["measurand"] for s in value["sampledValue"]}
        for heard in csms.heard
        for value in heard.payload.get("meterValue", ())
    ]
    assert {"SoC" if is_dc else "Power.Active.Import"} in batches
    assert any("Energy.Active.Import.Register" in batch for batch in batches)


@each_version
def test_extra_fields_and_nulls(version: str) -> None:
    extra = charge_with("extra-fields", version)
    assert all("vendorSpecific" in h.payload for h in extra.heard)
    nulls = charge_with("nulls", version)
    boot = nulls.of("BootNotification")[0]
    assert None in boot.values()


@each_version
def test_signed_values_verify(version: str) -> None:
    csms = charge_with("signed-values", version)
    if version == "1.6":
        texts = [s["value"] for s in samples(csms) if s.get("format") == "SignedData"]
        keys = [public_key_of("SN-1")] * len(texts)
    else:
        signed = [s["signedMeterValue"] for s in samples(csms) if "signedMeterValue" in s]
        texts = [base64.b64decode(s["signedMeterData"]).decode() for s in signed]
        keys = [s["publicKey"] for s in signed]
    assert len(texts) == 2
    for text, key in zip(texts, keys, strict=True):
        mark, payload, signature = text.split("|")
        assert mark == "OCMF"
        public_key = load_der_public_key(bytes.fromhex(key))
        assert isinstance(public_key, ec.EllipticCurvePublicKey)
        digits = bytes.fromhex(msgspec.json.decode(signature)["SD"])
        public_key.verify(digits, payload.encode(), ec.ECDSA(hashes.SHA256()))
    marks = [msgspec.json.decode(text.split("|")[1])["RD"][0]["TX"] for text in texts]
    assert marks == ["B", "E"]
