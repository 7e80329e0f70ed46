"""Local authorization lists are kept up to date by themselves, whole or by what changed, and told in every version."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ohmstead.accounts import access
from ohmstead.stations.device import local_lists, queries
from ohmstead.stations.device.queries import LocalListView
from ohmstead.stations.orders import ListedToken, SendLocalList
from ohmstead.tokens.register import service as register
from ohmstead.tokens.register.service import NewToken
from tests.stories.network import Network
from tests.stories.station import Payload, Station
from tests.stories.test_templates import asked, is_done
from tests.stories.wire import Error


@dataclass
class Holder:
    """A station's list: what it was told, as the specification says it is to be understood."""

    version_name: str
    version: int = 0
    uids: set[str] = field(default_factory=set)
    refuses: str | None = None

    def number(self, _payload: Payload) -> Payload:
        return {"listVersion" if self.version_name == "1.6" else "versionNumber": self.version}

    def update(self, payload: Payload) -> Payload:
        if self.refuses is not None:
            status, self.refuses = self.refuses, None
            return {"status": status}
        is_16 = self.version_name == "1.6"
        if payload["updateType"] == "Full":
            self.uids = set()
        for one in payload.get("localAuthorizationList", []):
            uid = one["idTag"] if is_16 else one["idToken"]["idToken"]
            is_listed = ("idTagInfo" if is_16 else "idTokenInfo") in one
            (self.uids.add if is_listed else self.uids.discard)(uid)
        self.version = payload["listVersion" if is_16 else "versionNumber"]
        return {"status": "Accepted"}


async def holding(network: Network, version: str) -> tuple[Station, Holder]:
    station = await network.station(version, boots=False)
    holder = Holder(version)
    station.answers |= {"GetLocalListVersion": holder.number, "SendLocalList": holder.update}
    return station, holder


async def lists_are_on(network: Network) -> None:
    async with network.pool.acquire() as conn, conn.transaction():
        await local_lists.send_lists(conn, access.system(network.party_id), is_on=True)


async def shown(network: Network, station: Station) -> LocalListView:
    async with network.pool.acquire() as conn:
        return await queries.local_list(conn, network.party_id, station.station_id)


async def new_card(network: Network, uid: str, **more: Any) -> Any:
    async with network.pool.acquire() as conn, conn.transaction():
        return await register.create_token(conn, access.system(network.party_id), NewToken(uid=uid, **more))


def kinds(station: Station) -> list[str]:
    return [payload["updateType"] for payload in asked(station, "SendLocalList")]


async def test_nobody_gets_a_list_who_did_not_ask_for_one(network: Network, version: str) -> None:
    station, _ = await holding(network, version)
    await network.token("CARD")
    await station.boots()
    await is_done(network, station, "nothing", "local_list")
    assert asked(station, "GetLocalListVersion", "SendLocalList") == []
    assert not (await shown(network, station)).is_sent


async def test_a_station_gets_the_whole_list_and_then_what_changes(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, holder = await holding(network, version)
    await network.token("CARD-1")
    await network.token("BLOCKED", status="blocked")
    await network.token("NIGHTS", from_minute=0, until_minute=300)
    await network.token("ELSEWHERE", location_ids=[await network.location()])
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    assert (holder.uids, kinds(station)) == ({"CARD-1"}, ["Full"])
    card = await new_card(network, "CARD-2", group_uid="FLEET")

    async def has_two() -> bool:
        return holder.uids == {"CARD-1", "CARD-2"}

    await network.until(has_two, "the new card arrives")
    async with network.pool.acquire() as conn, conn.transaction():
        await register.set_status(conn, access.system(network.party_id), card.token_id, "blocked", None)

    async def has_one() -> bool:
        return holder.uids == {"CARD-1"}

    await network.until(has_one, "the blocked card goes")
    assert kinds(station) == ["Full", "Differential", "Differential"]
    await is_done(network, station, "sent", "local_list")
    found = await shown(network, station)
    assert (found.is_sent, found.version, found.uids) == (True, holder.version, ["CARD-1"])


async def test_a_station_that_holds_the_right_list_is_sent_nothing(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, _ = await holding(network, version)
    await network.token("CARD")
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    await station.boots()
    await is_done(network, station, "same", "local_list")
    assert kinds(station) == ["Full"]


async def test_a_station_whose_version_is_not_ours_gets_the_whole_list(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, holder = await holding(network, version)
    await network.token("CARD")
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    holder.version, holder.uids = 40, {"STRAY"}
    await station.boots()

    async def is_right() -> bool:
        return holder.uids == {"CARD"}

    await network.until(is_right, "the list is whole again")
    assert (kinds(station), holder.version) == (["Full", "Full"], 41)


async def test_a_mismatch_is_answered_with_the_whole_list(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, holder = await holding(network, version)
    await network.token("CARD")
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    holder.refuses = "VersionMismatch"
    await new_card(network, "CARD-2")

    async def is_right() -> bool:
        return holder.uids == {"CARD", "CARD-2"}

    await network.until(is_right, "the whole list arrives")
    assert kinds(station) == ["Full", "Differential", "Full"]


async def test_a_list_is_sent_in_messages_no_longer_than_the_station_takes(network: Network, version: str) -> None:
    await lists_are_on(network)
    station, holder = await holding(network, version)
    component, most, room = (
        ("", "SendLocalListMaxLength", "LocalAuthListMaxLength")
        if version == "1.6"
        else ("LocalAuthListCtrlr", "ItemsPerMessage", "Entries")
    )
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value, max_limit)"
        " values ($1, $2, $3, '2', null), ($1, $2, $4, $5, 5)",
        station.station_id,
        component,
        most,
        room,
        "5" if version == "1.6" else "0",
    )
    for n in range(7):
        await network.token(f"CARD-{n}")
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    sizes = [len(payload["localAuthorizationList"]) for payload in asked(station, "SendLocalList")]
    assert (sizes, kinds(station)) == ([2, 2, 1], ["Full", "Differential", "Differential"])
    assert len(holder.uids) == 5
    assert (await shown(network, station)).n_left_out == 2


@pytest.mark.parametrize("answer", [{"listVersion": -1}, Error("NotSupported")])
async def test_a_station_without_lists_is_left_alone(network: Network, answer: Any) -> None:
    await lists_are_on(network)
    station, _ = await holding(network, "1.6")
    station.answers["GetLocalListVersion"] = answer
    await network.token("CARD")
    await station.boots()
    await is_done(network, station, "unsupported", "local_list")
    assert asked(station, "SendLocalList") == []


async def test_a_station_may_be_the_only_one_with_a_list(network: Network, version: str) -> None:
    station, holder = await holding(network, version)
    await network.pool.execute("update station set takes_local_list = true where station_id = $1", station.station_id)
    await network.token("CARD", group_uid="FLEET", valid_until=None)
    await station.boots()
    await is_done(network, station, "sent", "local_list")
    assert holder.uids == {"CARD"}
    [payload] = asked(station, "SendLocalList")
    [one] = payload["localAuthorizationList"]
    if version == "1.6":
        assert one == {"idTag": "CARD", "idTagInfo": {"status": "Accepted", "parentIdTag": "FLEET"}}
    else:
        info = {"status": "Accepted", "groupIdToken": {"idToken": "FLEET", "type": "Central"}}
        assert one == {"idToken": {"idToken": "CARD", "type": "ISO14443"}, "idTokenInfo": info}


@pytest.mark.parametrize("fails", [False, True])
async def test_an_ordered_list_that_is_too_long_goes_out_in_parts(network: Network, version: str, fails: bool) -> None:
    station, holder = await holding(network, version)
    await station.boots()
    component, most = ("", "SendLocalListMaxLength") if version == "1.6" else ("LocalAuthListCtrlr", "ItemsPerMessage")
    await network.pool.execute(
        "insert into station_variable (station_id, component, variable, value) values ($1, $2, $3, '2')",
        station.station_id,
        component,
        most,
    )
    if fails:
        # The last part is refused: the order was not carried out, and how far it came is said.
        station.answers["SendLocalList"] = lambda payload: (
            {"status": "Failed"} if len(payload["localAuthorizationList"]) == 1 else holder.update(payload)
        )
    entries = tuple(ListedToken(uid=f"CARD-{n}") for n in range(5))
    command = await network.orders(station, SendLocalList(version=7, entries=entries))
    assert kinds(station) == ["Full", "Differential", "Differential"]
    if fails:
        assert (command.status, command.error_text, holder.version) == ("rejected", "Failed", 8)
        return
    assert (command.status, command.error_text) == ("accepted", "in 3 messages; the list's version is 9 now")
    assert (holder.uids, holder.version) == ({f"CARD-{n}" for n in range(5)}, 9)
