"""Certification cases of group C (authorization), as far as they are the CSMS's: on the wire and kept."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ohmstead.stations.orders import ClearCache, ListedToken, SendLocalList
from tests.conformance.judged import Charge, asked
from tests.stories.listener import silent_station
from tests.stories.network import Network
from tests.stories.station import Payload, Station


async def shows(station: Station, uid: str) -> Payload:
    """Authorize; the answer's idTokenInfo."""
    answer = await station.says("Authorize", {"idToken": {"idToken": uid, "type": "ISO14443"}})
    info: Payload = answer["idTokenInfo"]
    return info


async def starts_anyway(station: Station, uid: str) -> tuple[Charge, Payload]:
    """A transaction begun on the station's own word; the charge, and what we say of its token."""
    charge = Charge(station)
    answer = await charge.tells("Started", "Authorized", uid=uid, wh=1_000)
    return charge, answer["idTokenInfo"]


async def test_tc_c_02_a_token_nobody_knows_is_unknown_and_starts_nothing(network: Network, version2: str) -> None:
    await network.token("SOMEBODY")
    station = await network.station(version2)
    assert (await shows(station, "NOBODY"))["status"] in ("Invalid", "Unknown")
    assert (await shows(station, "SOMEBODY"))["status"] == "Accepted"
    assert await network.sessions_of(station) == []


async def test_tc_c_06_a_blocked_token_is_told_to_be_blocked(network: Network, version2: str) -> None:
    await network.token("TAG1", status="blocked")
    station = await network.station(version2)
    assert (await shows(station, "TAG1"))["status"] == "Blocked"
    assert await network.sessions_of(station) == []


async def test_tc_c_07_an_expired_token_is_told_to_be_expired(network: Network, version2: str) -> None:
    await network.token("TAG1", valid_until=datetime.now(UTC) - timedelta(days=1))
    station = await network.station(version2)
    assert (await shows(station, "TAG1"))["status"] == "Expired"
    assert await network.sessions_of(station) == []


async def test_tc_c_08_a_token_from_the_stations_cache_is_confirmed_at_the_start(
    network: Network, version2: str
) -> None:
    until = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    await network.token("TAG1", valid_until=until)
    station = await network.station(version2)
    charge, info = await starts_anyway(station, "TAG1")
    assert info["status"] == "Accepted"
    assert datetime.fromisoformat(info["cacheExpiryDateTime"]) == until
    await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=2_000)
    session = await network.session_of(station)
    assert (session.status, session.token_uid, session.authorization_status) == ("active", "TAG1", "accepted")
    assert [action for _, action, _ in station.wire.said] == [
        "BootNotification",
        "TransactionEvent",
        "TransactionEvent",
    ]


@pytest.mark.parametrize(
    ("limits", "told", "kept"),
    [({"status": "blocked"}, "Blocked", "blocked"), (None, "Unknown", "unknown")],
    ids=["blocked", "unknown"],
)
async def test_tc_c_20_a_token_that_the_cache_still_believes_is_refused_at_the_start(
    network: Network, version2: str, limits: dict[str, str] | None, told: str, kept: str
) -> None:
    if limits is not None:
        await network.token("TAG1", **limits)
    station = await network.station(version2)
    charge, info = await starts_anyway(station, "TAG1")
    assert info["status"] == told
    answer = await charge.tells("Ended", "Deauthorized", reason="DeAuthorized", wh=1_100)
    assert "idTokenInfo" not in answer
    session = await network.session_of(station)
    assert (session.status, session.stop_reason) == ("completed", "deauthorized")
    assert (session.authorization_status, session.energy_wh) == (kept, 100)


@pytest.mark.parametrize(("word", "status"), [("Accepted", "accepted"), ("Rejected", "rejected")])
async def test_tc_c_37_and_38_a_cache_is_cleared_or_the_refusal_is_kept(
    network: Network, version2: str, word: str, status: str
) -> None:
    station = await silent_station(network, version2)
    station.answers["ClearCache"] = {"status": word}
    command = await network.orders(station, ClearCache())
    assert asked(station) == [("ClearCache", {})]
    assert (command.status, command.answer) == (status, {"status": word})


async def test_tc_c_39_another_token_of_the_group_ends_the_session(network: Network, version2: str) -> None:
    await network.token("MINE", group_uid="FAMILY")
    await network.token("OURS", group_uid="FAMILY")
    station = await network.station(version2)
    first = await shows(station, "MINE")
    group = {"idToken": "FAMILY", "type": "Central"}
    assert (first["status"], first["groupIdToken"]) == ("Accepted", group)
    charge, info = await starts_anyway(station, "MINE")
    assert (info["status"], info["groupIdToken"]) == ("Accepted", group)
    await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=2_000)
    second = await shows(station, "OURS")
    assert (second["status"], second["groupIdToken"]) == ("Accepted", group)
    answer = await charge.tells("Ended", "StopAuthorized", reason="Local", uid="OURS", wh=4_000)
    assert answer["idTokenInfo"]["status"] == "Accepted"
    session = await network.session_of(station)
    assert (session.token_uid, session.stop_token_uid, session.group_uid) == ("MINE", "OURS", "FAMILY")
    assert (session.status, session.energy_wh) == ("completed", 3_000)


# ------------------------------------------------------------------------------------------------------ local list


@pytest.mark.parametrize(
    ("listed", "told"), [("accepted", "Accepted"), ("invalid", "Invalid")], ids=["tc_c_40", "tc_c_43"]
)
async def test_tc_c_40_and_43_a_token_of_the_same_group_is_in_the_local_list(
    network: Network, version2: str, listed: Any, told: str
) -> None:
    await network.token("MINE", group_uid="FAMILY")
    await network.token("OURS", group_uid="FAMILY", **({"status": "blocked"} if listed == "invalid" else {}))
    station = await silent_station(network, version2)
    entries = (
        ListedToken(uid="MINE", group_uid="FAMILY"),
        ListedToken(uid="OURS", group_uid="FAMILY", status=listed),
    )
    command = await network.orders(station, SendLocalList(version=1, entries=entries))
    group = {"groupIdToken": {"idToken": "FAMILY", "type": "Central"}}
    lists = [
        {
            "versionNumber": 1,
            "updateType": "Full",
            "localAuthorizationList": [
                {"idToken": {"idToken": uid, "type": "ISO14443"}, "idTokenInfo": {"status": status, **group}}
                for uid, status in (("MINE", "Accepted"), ("OURS", told))
            ],
        }
    ]
    assert asked(station) == [("SendLocalList", one) for one in lists]
    assert command.status == "accepted"
    charge, _ = await starts_anyway(station, "MINE")
    # The station has decided by its list: the other card ends the session, or does not, and is asked about.
    if listed == "accepted":
        await charge.tells("Ended", "StopAuthorized", reason="Local", uid="OURS", wh=4_000)
        session = await network.session_of(station)
        assert (session.token_uid, session.stop_token_uid, session.status) == ("MINE", "OURS", "completed")
    else:
        assert (await shows(station, "OURS"))["status"] == "Blocked"
        session = await network.session_of(station)
        assert (session.status, session.stop_token_uid) == ("active", None)


# ----------------------------------------------------------------------------------------------------- master pass


async def with_two_charges(network: Network, version: str) -> tuple[Station, Charge, Charge]:
    """A station with two cars that charge, and a master pass."""
    await network.token("MASTER", is_master=True, group_uid="MASTERS", max_sessions=None)
    station = await network.station(version)
    await network.outlets(station, 2)
    charges = []
    for number in (1, 2):
        await network.token(f"TAG{number}")
        charge = Charge(station, f"tx-{number}", number)
        await charge.tells("Started", "Authorized", uid=f"TAG{number}", wh=1_000)
        await charge.tells("Updated", "ChargingStateChanged", state="Charging", wh=2_000)
        charges.append(charge)
    info = await shows(station, "MASTER")
    assert (info["status"], info["groupIdToken"]["idToken"]) == ("Accepted", "MASTERS")
    return station, charges[0], charges[1]


async def ends_by_master(charge: Charge) -> None:
    answer = await charge.tells("Ended", "StopAuthorized", reason="MasterPass", uid="MASTER", wh=3_000)
    assert answer["idTokenInfo"]["status"] == "Accepted"


async def fates(network: Network, station: Station) -> dict[str, tuple[str, str | None, str | None]]:
    return {s.transaction_id: (s.status, s.stop_reason, s.stop_token_uid) for s in await network.sessions_of(station)}


ENDED = ("completed", "master_pass", "MASTER")
GOES_ON = ("active", None, None)


async def test_tc_c_47_and_49_a_master_pass_ends_all_sessions_and_may_start_none(
    network: Network, version2: str
) -> None:
    station, first, second = await with_two_charges(network, version2)
    await ends_by_master(first)
    await ends_by_master(second)
    assert await fates(network, station) == {"tx-1": ENDED, "tx-2": ENDED}
    assert {s.token_uid for s in await network.sessions_of(station)} == {"TAG1", "TAG2"}
    third = Charge(station, "tx-3")
    answer = await third.tells("Started", "Authorized", uid="MASTER", wh=3_000)
    assert answer["idTokenInfo"]["status"] != "Accepted"


async def test_tc_c_48_a_master_pass_ends_the_one_session_that_was_chosen(network: Network, version2: str) -> None:
    station, first, _ = await with_two_charges(network, version2)
    await ends_by_master(first)
    assert await fates(network, station) == {"tx-1": ENDED, "tx-2": GOES_ON}
