"""What a CSMS can ask of a simulated station: every message gets a valid answer, and the orders are obeyed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ohmstead.ocpp import schemas
from ohmstead.ocpp.rpc import Version
from ohmstead.ocpp.v2 import messages as v2
from ohmstead.ocpp.v16 import messages as v16
from ohmstead.simulator.clock import iso
from tests.simulator.csms import Csms, virtual_now, virtually
from tests.simulator.examples import example_of
from tests.simulator.stories import (
    VERSIONS,
    Planned,
    ended,
    make_station,
    make_world,
    powers,
    starts,
    until_charging,
    until_ended,
)

each_version = pytest.mark.parametrize("version", VERSIONS)
PEM = "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n"


def to_station(version: str) -> list[str]:
    """Every action that a CSMS of this version may send."""
    if version == "1.6":
        return sorted(v16.TO_STATION)
    return sorted(v2.TO_STATION & schemas.actions(Version(version)))


@each_version
def test_every_message_of_the_version_gets_a_valid_answer(version: str) -> None:
    csms = Csms()
    silent: list[str] = []
    refused: dict[str, str] = {}

    async def story() -> None:
        starts(make_station(version, make_world(csms)))
        await csms.until("BootNotification")
        await asyncio.sleep(5)
        for action in to_station(version):
            try:
                answer = await csms.call("SIM-1", action, example_of(version, action))
            except TimeoutError:
                silent.append(action)
            else:
                if "error" in answer:
                    refused[action] = answer["error"]
            await asyncio.sleep(120)

    virtually(story)
    assert silent == []
    assert refused == {}
    assert csms.problems == []


@each_version
def test_an_unknown_action_and_a_wrong_payload_are_refused_by_name(version: str) -> None:
    csms = Csms()
    answers: list[Any] = []

    async def story() -> None:
        starts(make_station(version, make_world(csms)))
        await csms.until("BootNotification")
        wire = csms.wires["SIM-1"]
        for number, text in enumerate(('"MakeCoffee",{}', '"Reset",{"type":5}', '"Reset",{}')):
            future = csms.expect(f"odd-{number}")
            wire.to_station.put_nowait(f'[2,"odd-{number}",{text}]'.encode())
            answers.append(await future)

    virtually(story)
    occurrence = "OccurenceConstraintViolation" if version == "1.6" else "OccurrenceConstraintViolation"
    assert [answer.code for answer in answers] == ["NotImplemented", "TypeConstraintViolation", occurrence]


def remote_start(version: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A remote start of CARD0002."""
    if version == "1.6":
        return "RemoteStartTransaction", {"idTag": "CARD0002", "connectorId": 1, **more}
    token = {"idToken": "CARD0002", "type": "ISO14443"}
    return "RequestStartTransaction", {"idToken": token, "remoteStartId": 77, "evseId": 1, **more}


@each_version
def test_a_remote_start_charges_and_a_remote_stop_ends_it(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        starts(make_station(version, make_world(csms)))
        await csms.until("BootNotification")
        await asyncio.sleep(5)
        assert (await csms.call("SIM-1", *remote_start(version)))["status"] == "Accepted"
        await until_charging(csms, version)
        assert (await csms.call("SIM-1", *remote_start(version)))["status"] == "Rejected"
        await asyncio.sleep(600)
        if version == "1.6":
            answer = await csms.call("SIM-1", "RemoteStopTransaction", {"transactionId": 1000})
            unknown = await csms.call("SIM-1", "RemoteStopTransaction", {"transactionId": 5})
        else:
            running = csms.of("TransactionEvent")[0]["transactionInfo"]["transactionId"]
            answer = await csms.call("SIM-1", "RequestStopTransaction", {"transactionId": running})
            unknown = await csms.call("SIM-1", "RequestStopTransaction", {"transactionId": "other"})
        assert answer["status"] == "Accepted"
        assert unknown["status"] == "Rejected"
        await until_ended(csms, version, within_s=30)

    virtually(story)
    assert csms.problems == []
    end = ended(csms, version)[0]
    if version == "1.6":
        assert end["reason"] == "Remote"
        assert csms.of("StartTransaction")[0]["idTag"] == "CARD0002"
    else:
        events = csms.of("TransactionEvent")
        assert events[0]["triggerReason"] == "RemoteStart"
        assert events[0]["transactionInfo"]["remoteStartId"] == 77
        assert events[0]["idToken"]["idToken"] == "CARD0002"
        assert (end["triggerReason"], end["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")


def profile(version: str, purpose: str, limit: float, unit: str, **more: Any) -> dict[str, Any]:
    """A charging profile in force from now on."""
    schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    start = {"startSchedule": iso(virtual_now())}
    if version == "1.6":
        return {
            "chargingProfileId": more.pop("profile_id", 1),
            "stackLevel": more.pop("level", 0),
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": schedule | start,
            **more,
        }
    name = "ChargingStationMaxProfile" if purpose == "ChargePointMaxProfile" else purpose
    return {
        "id": more.pop("profile_id", 1),
        "stackLevel": more.pop("level", 0),
        "chargingProfilePurpose": name,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [{"id": 1, **schedule, **start}],
        **more,
    }


async def set_profile(csms: Csms, version: str, evse: int, given: dict[str, Any]) -> str:
    """SetChargingProfile; the status of the answer."""
    names = ("connectorId", "csChargingProfiles") if version == "1.6" else ("evseId", "chargingProfile")
    answer = await csms.call("SIM-1", "SetChargingProfile", {names[0]: evse, names[1]: given})
    return str(answer["status"])


@each_version
def test_profiles_bound_the_power_at_once_and_clearing_them_frees_it(version: str) -> None:
    csms = Csms()
    seen: list[float] = []

    async def story() -> None:
        starts(make_station(version, make_world(csms, demand=Planned((10, 14_000, 60_000)), sample_interval_s=60)))
        await until_charging(csms, version)

        async def power_w() -> float:
            await asyncio.sleep(121)
            return powers(csms)[-1][1]

        seen.append(await power_w())
        given = profile(version, "TxDefaultProfile", 8, "A")
        assert await set_profile(csms, version, 0, given) == "Accepted"
        seen.append(await power_w())
        running = csms.of("TransactionEvent")[0]["transactionInfo"]["transactionId"] if version != "1.6" else 1000
        given = profile(version, "TxProfile", 10, "A", profile_id=2, transactionId=running)
        assert await set_profile(csms, version, 1, given) == "Accepted"
        seen.append(await power_w())
        given = profile(version, "ChargePointMaxProfile", 4500, "W", profile_id=3)
        assert await set_profile(csms, version, 0, given) == "Accepted"
        seen.append(await power_w())
        given = profile(version, "ChargePointMaxProfile", 3000, "W", profile_id=4, level=1)
        assert await set_profile(csms, version, 0, given) == "Accepted"
        seen.append(await power_w())
        assert (await csms.call("SIM-1", "ClearChargingProfile", {}))["status"] == "Accepted"
        seen.append(await power_w())
        assert (await csms.call("SIM-1", "ClearChargingProfile", {}))["status"] == "Unknown"

    virtually(story)
    assert csms.problems == []
    # 3 kW on three phases is 4.3 A, less than the 6 A below which a car pauses.
    assert seen == [11_000, 3 * 230 * 8, 3 * 230 * 10, 4500, 0, 11_000]
    if version == "1.6":
        assert "SuspendedEVSE" in [p["status"] for p in csms.of("StatusNotification")]
    else:
        states = [e["transactionInfo"].get("chargingState") for e in csms.of("TransactionEvent")]
        assert "SuspendedEVSE" in states


@each_version
def test_the_composite_schedule_tells_what_will_be_obeyed(version: str) -> None:
    csms = Csms()
    found: dict[str, Any] = {}

    async def story() -> None:
        starts(make_station(version, make_world(csms)))
        await csms.until("BootNotification")
        await asyncio.sleep(1)
        given = profile(version, "TxDefaultProfile", 16, "A")
        schedule = given["chargingSchedule"] if version == "1.6" else given["chargingSchedule"][0]
        schedule["chargingSchedulePeriod"].append({"startPeriod": 600, "limit": 6})
        schedule["duration"] = 1200
        assert await set_profile(csms, version, 1, given) == "Accepted"
        place = "connectorId" if version == "1.6" else "evseId"
        asked = {place: 1, "duration": 3600, "chargingRateUnit": "A"}
        found.update(await csms.call("SIM-1", "GetCompositeSchedule", asked))

    virtually(story)
    schedule = found["chargingSchedule"] if version == "1.6" else found["schedule"]
    periods = [(p["startPeriod"], p["limit"]) for p in schedule["chargingSchedulePeriod"]]
    assert [limit for _, limit in periods] == [15.9, 6, 15.9]
    assert [start for start, _ in periods] == pytest.approx([0, 599, 1199], abs=2)


@each_version
@pytest.mark.parametrize("kind", ["graceful", "hard"])
def test_a_reset_ends_transactions_and_really_boots_again(version: str, kind: str) -> None:
    csms = Csms()

    async def story() -> None:
        starts(make_station(version, make_world(csms, demand=Planned((10, 7200, 30_000)))))
        await until_charging(csms, version)
        types = {"graceful": ("Soft", "OnIdle"), "hard": ("Hard", "Immediate")}[kind]
        answer = await csms.call("SIM-1", "Reset", {"type": types[version != "1.6"]})
        is_waiting = version != "1.6" and kind == "graceful"
        assert answer["status"] == ("Scheduled" if is_waiting else "Accepted")
        await csms.until("BootNotification", 2, within_s=8000 if is_waiting else 60)

    virtually(story)
    assert csms.problems == []
    end = ended(csms, version)[0]
    reason = end["reason"] if version == "1.6" else end["transactionInfo"]["stoppedReason"]
    expected = {"1.6": {"graceful": "SoftReset", "hard": "HardReset"}}.get(
        version, {"graceful": "EVDisconnected", "hard": "ImmediateReset"}
    )
    assert reason == expected[kind]
    if version != "1.6":
        assert csms.of("BootNotification")[1]["reason"] == "RemoteReset"


@each_version
def test_availability_waits_for_the_transaction_and_then_holds(version: str) -> None:
    csms = Csms()

    async def ask(is_operative: bool) -> str:
        word = "Operative" if is_operative else "Inoperative"
        asked = (
            {"connectorId": 1, "type": word}
            if version == "1.6"
            else {"operationalStatus": word, "evse": {"id": 1, "connectorId": 1}}
        )
        return str((await csms.call("SIM-1", "ChangeAvailability", asked))["status"])

    async def story() -> None:
        starts(make_station(version, make_world(csms, demand=Planned((10, 1800, 5000)))))
        await until_charging(csms, version)
        assert await ask(False) == "Scheduled"
        await until_ended(csms, version)
        await asyncio.sleep(60)
        assert (await csms.call("SIM-1", *remote_start(version)))["status"] == "Rejected"
        assert await ask(True) == "Accepted"
        assert (await csms.call("SIM-1", *remote_start(version)))["status"] == "Accepted"

    virtually(story)
    assert csms.problems == []
    statuses = [p.get("status") or p["connectorStatus"] for p in csms.of("StatusNotification")]
    assert "Unavailable" in statuses
    assert statuses.index("Unavailable") < len(statuses) - 1


@each_version
def test_a_reservation_keeps_others_away_and_expires(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        starts(make_station(version, make_world(csms)))
        await csms.until("BootNotification")
        await asyncio.sleep(5)
        until = iso(virtual_now() + timedelta(minutes=15))
        asked = (
            {"connectorId": 1, "expiryDate": until, "idTag": "OTHER", "reservationId": 9}
            if version == "1.6"
            else {"id": 9, "expiryDateTime": until, "idToken": {"idToken": "OTHER", "type": "ISO14443"}, "evseId": 1}
        )
        assert (await csms.call("SIM-1", "ReserveNow", asked))["status"] == "Accepted"
        assert (await csms.call("SIM-1", *remote_start(version)))["status"] == "Rejected"
        await asyncio.sleep(1000)
        assert (await csms.call("SIM-1", *remote_start(version)))["status"] == "Accepted"
        assert (await csms.call("SIM-1", "CancelReservation", {"reservationId": 9}))["status"] == "Rejected"

    virtually(story)
    assert csms.problems == []
    statuses = [p.get("status") or p["connectorStatus"] for p in csms.of("StatusNotification")]
    assert "Reserved" in statuses
    assert bool(csms.of("ReservationStatusUpdate")) == (version != "1.6")


@each_version
def test_firmware_and_log_jobs_report_each_step(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        starts(make_station(version, make_world(csms)))
        await csms.until("BootNotification")
        await asyncio.sleep(5)
        now = iso(virtual_now())
        where = "https://files.example/firmware.bin"
        if version == "1.6":
            await csms.call("SIM-1", "UpdateFirmware", {"location": where, "retrieveDate": now})
            await csms.call("SIM-1", "GetDiagnostics", {"location": "https://files.example/up"})
        else:
            firmware = {"location": where, "retrieveDateTime": now, "signingCertificate": PEM, "signature": "c2ln"}
            await csms.call("SIM-1", "UpdateFirmware", {"requestId": 4, "firmware": firmware})
            log = {"remoteLocation": "https://files.example/up"}
            await csms.call("SIM-1", "GetLog", {"requestId": 5, "logType": "DiagnosticsLog", "log": log})
        await csms.wait_for(lambda: [p["status"] for p in csms.of("FirmwareStatusNotification")][-1:] == ["Installed"])

    virtually(story)
    assert csms.problems == []
    steps = [p["status"] for p in csms.of("FirmwareStatusNotification")]
    if version == "1.6":
        assert steps == ["Downloading", "Downloaded", "Installing", "Installed"]
        assert [p["status"] for p in csms.of("DiagnosticsStatusNotification")] == ["Uploading", "Uploaded"]
    else:
        signed = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting", "Installed"]
        assert steps == signed
        assert {p["requestId"] for p in csms.of("FirmwareStatusNotification")} == {4}
        assert [p["status"] for p in csms.of("LogStatusNotification")] == ["Uploading", "Uploaded"]
    boots = csms.of("BootNotification")
    versions = [b.get("firmwareVersion") or b["chargingStation"]["firmwareVersion"] for b in boots]
    assert versions == ["1.4.2", "1.4.3"]


@each_version
def test_configuration_is_read_written_and_obeyed(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        starts(make_station(version, make_world(csms)))
        await csms.until("BootNotification")
        await asyncio.sleep(1)
        if version == "1.6":
            await story_16(csms)
        else:
            await story_2(csms)
        beats = len(csms.of("Heartbeat"))
        await asyncio.sleep(600)
        assert len(csms.of("Heartbeat")) - beats >= 9

    virtually(story)
    assert csms.problems == []


async def story_16(csms: Csms) -> None:
    """GetConfiguration and ChangeConfiguration."""
    asked = {"key": ["HeartbeatInterval", "NumberOfConnectors", "AuthorizationKey", "NoSuchKey"]}
    answer = await csms.call("SIM-1", "GetConfiguration", asked)
    assert answer["unknownKey"] == ["NoSuchKey"]
    by_key = {row["key"]: row for row in answer["configurationKey"]}
    assert by_key["HeartbeatInterval"]["value"] == "900"
    assert by_key["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "1"}
    assert "value" not in by_key["AuthorizationKey"]
    statuses = []
    for key, value in (
        ("heartbeatinterval", "60"),
        ("HeartbeatInterval", "soon"),
        ("NumberOfConnectors", "9"),
        ("NoSuchKey", "1"),
        ("SecurityProfile", "2"),
    ):
        answer = await csms.call("SIM-1", "ChangeConfiguration", {"key": key, "value": value})
        statuses.append(answer["status"])
    assert statuses == ["Accepted", "Rejected", "Rejected", "NotSupported", "RebootRequired"]
    await csms.call("SIM-1", "TriggerMessage", {"requestedMessage": "Heartbeat"})
    await csms.call("SIM-1", "Reset", {"type": "Soft"})
    csms.boot_statuses.append(("Accepted", 60))
    await csms.until("BootNotification", 2)


async def story_2(csms: Csms) -> None:
    """GetVariables, SetVariables, and the base report in chunks."""

    def named(component: str, variable: str, **more: Any) -> dict[str, Any]:
        return {"component": {"name": component}, "variable": {"name": variable}, **more}

    asked = [
        named("OCPPCommCtrlr", "HeartbeatInterval"),
        named("SecurityCtrlr", "BasicAuthPassword"),
        named("OCPPCommCtrlr", "NoSuchVariable"),
        named("NoSuchCtrlr", "X"),
        named("OCPPCommCtrlr", "HeartbeatInterval", attributeType="MaxSet"),
    ]
    answer = await csms.call("SIM-1", "GetVariables", {"getVariableData": asked})
    results = [(r["attributeStatus"], r.get("attributeValue")) for r in answer["getVariableResult"]]
    assert results == [
        ("Accepted", "900"),
        ("Rejected", None),
        ("UnknownVariable", None),
        ("UnknownComponent", None),
        ("NotSupportedAttributeType", None),
    ]
    told = await csms.call("SIM-1", "GetVariables", {"getVariableData": [named("ClockCtrlr", "DateTime")]})
    assert told["getVariableResult"][0]["attributeValue"] == iso(virtual_now())
    given = [
        named("OCPPCommCtrlr", "HeartbeatInterval", attributeValue="60"),
        named("LocalAuthListCtrlr", "Entries", attributeValue="5"),
        named("SampledDataCtrlr", "TxUpdatedMeasurands", attributeValue="SoC,Nonsense"),
    ]
    answer = await csms.call("SIM-1", "SetVariables", {"setVariableData": given})
    statuses = [r["attributeStatus"] for r in answer["setVariableResult"]]
    assert statuses == ["Accepted", "Rejected", "Rejected"]
    answer = await csms.call("SIM-1", "GetBaseReport", {"requestId": 3, "reportBase": "FullInventory"})
    assert answer["status"] == "Accepted"
    await csms.wait_for(lambda: csms.of("NotifyReport") and not csms.of("NotifyReport")[-1].get("tbc"))
    chunks = csms.of("NotifyReport")
    assert [c["seqNo"] for c in chunks] == list(range(len(chunks)))
    assert [c.get("tbc", False) for c in chunks] == [True] * (len(chunks) - 1) + [False]
    names = {(d["component"]["name"], d["variable"]["name"]) for c in chunks for d in c["reportData"]}
    assert {("Connector", "AvailabilityState"), ("TxCtrlr", "TxStartPoint"), ("EVSE", "Power")} <= names
    await csms.call("SIM-1", "TriggerMessage", {"requestedMessage": "Heartbeat"})
    csms.boot_statuses.append(("Accepted", 60))
    await csms.call("SIM-1", "Reset", {"type": "Immediate"})
    await csms.until("BootNotification", 2)


@each_version
def test_a_new_password_is_used_from_the_next_connection_on(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        world = make_world(csms)
        world.passwords["SIM-1"] = "the first password"
        starts(make_station(version, world))
        await csms.until("BootNotification")
        await asyncio.sleep(1)
        assert csms.secrets["SIM-1"] == b"the first password"
        key = "00112233445566778899aabbccddeeff00112233"
        if version == "1.6":
            answer = await csms.call("SIM-1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": key})
            assert answer["status"] == "Accepted"
        else:
            where = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
            await csms.call("SIM-1", "SetVariables", {"setVariableData": [where | {"attributeValue": key}]})
        await asyncio.sleep(30)
        assert csms.secrets["SIM-1"] == key.encode()

    virtually(story)


@each_version
def test_the_local_list_lets_cards_charge_while_the_line_is_down(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        station = make_station(version, make_world(csms, demand=Planned((120, 1800, 3000))))
        station.device.assign("offline_unknown", "false")
        starts(station)
        await csms.until("BootNotification")
        await asyncio.sleep(1)
        if version == "1.6":
            entry = {"idTag": "CARD0001", "idTagInfo": {"status": "Accepted"}}
            asked = {"listVersion": 3, "updateType": "Full", "localAuthorizationList": [entry]}
            number = "listVersion"
        else:
            token = {"idToken": "CARD0001", "type": "ISO14443"}
            entry = {"idToken": token, "idTokenInfo": {"status": "Accepted"}}
            asked = {"versionNumber": 3, "updateType": "Full", "localAuthorizationList": [entry]}
            number = "versionNumber"
        assert (await csms.call("SIM-1", "SendLocalList", asked))["status"] == "Accepted"
        assert (await csms.call("SIM-1", "GetLocalListVersion", {}))[number] == 3
        stale = asked | {"updateType": "Differential"}
        assert (await csms.call("SIM-1", "SendLocalList", stale))["status"] == "VersionMismatch"
        csms.is_reachable = False
        csms.drop("SIM-1")
        await asyncio.sleep(600)
        csms.is_reachable = True
        await until_ended(csms, version)

    virtually(story)
    assert csms.of("Authorize") == []


@each_version
def test_one_call_at_a_time_and_orders_are_answered_while_a_call_is_open(version: str) -> None:
    csms = Csms()
    seen: list[str] = []

    async def story() -> None:
        csms.stall("Heartbeat")
        starts(make_station(version, make_world(csms)))
        await csms.until("BootNotification")
        await asyncio.sleep(1)
        for _ in range(3):
            await csms.call("SIM-1", "TriggerMessage", {"requestedMessage": "Heartbeat"})
        await asyncio.sleep(5)
        seen.append(f"{len(csms.of('Heartbeat'))} open")
        seen.append(next(iter(await csms.call("SIM-1", "GetLocalListVersion", {}))))
        await asyncio.sleep(65)
        seen.append(f"{len(csms.of('Heartbeat'))} sent")

    virtually(story)
    assert seen[0] == "1 open"
    assert seen[1] in ("listVersion", "versionNumber")
    assert seen[2] == "3 sent"


def test_a_dynamic_profile_follows_its_updates() -> None:
    csms = Csms()
    seen: list[float] = []

    async def story() -> None:
        starts(make_station("2.1", make_world(csms, demand=Planned((10, 14_000, 60_000)), sample_interval_s=60)))
        await until_charging(csms, "2.1")
        given = profile("2.1", "TxDefaultProfile", 16, "A", profile_id=8) | {"chargingProfileKind": "Dynamic"}
        assert await set_profile(csms, "2.1", 1, given) == "Accepted"
        update = {"chargingProfileId": 8, "scheduleUpdate": {"limit": 7}}
        assert (await csms.call("SIM-1", "UpdateDynamicSchedule", update))["status"] == "Accepted"
        await asyncio.sleep(121)
        seen.append(powers(csms)[-1][1])
        # Now it asks by itself.
        csms.dynamic_limit = 10
        assert await set_profile(csms, "2.1", 1, given | {"dynUpdateInterval": 30}) == "Accepted"
        await asyncio.sleep(121)
        seen.append(powers(csms)[-1][1])
        assert len(csms.of("PullDynamicScheduleUpdate")) == 4

    virtually(story)
    assert csms.problems == []
    assert seen == [3 * 230 * 7, 3 * 230 * 10]


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_car_that_talks_tells_its_needs_and_keeps_to_the_profile_it_gets(version: str) -> None:
    csms = Csms()

    async def story() -> None:
        demand = Planned((10, 14_000, 60_000))
        starts(make_station(version, make_world(csms, demand=demand, sample_interval_s=60, cars_talk=True)))
        await until_charging(csms, version)
        [asked] = await csms.until("NotifyEVChargingNeeds")
        assert asked["evseId"] == 1
        assert asked["chargingNeeds"]["acChargingParameters"]["energyAmount"] > 13_000
        transaction_id = csms.of("TransactionEvent")[-1]["transactionInfo"]["transactionId"]
        given = profile(version, "TxProfile", 10, "A", profile_id=8) | {"transactionId": transaction_id}
        assert await set_profile(csms, version, 1, given) == "Accepted"
        [chosen] = await csms.until("NotifyEVChargingSchedule")
        periods = chosen["chargingSchedule"]["chargingSchedulePeriod"]
        assert [p["limit"] for p in periods] == [3 * 230 * 10]

    virtually(story)
    assert csms.problems == []
