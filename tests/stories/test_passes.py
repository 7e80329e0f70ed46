"""Who may end what: one's own card, a card of the group, a master pass; and a card that is not good any more is found out
at the start, whatever the station believed."""

from tests.stories.network import Network


async def test_a_master_pass_ends_but_begins_nothing(network: Network, version: str) -> None:
    station = await network.station(version, hours_ago=0)
    await network.token("GUEST")
    await network.token("MASTER", is_master=True, group_uid="MASTERS")
    assert await station.starts_anyway("MASTER") != "Accepted"
    await station.unplugs()
    other = await network.station(version, "ST-2", hours_ago=0)
    assert await other.starts_anyway("GUEST") == "Accepted"
    # The station compares this group with its MasterPassGroupId (C16).
    assert await other.authorizes("MASTER") == ("Accepted", "MASTERS")
    await other._ends(1, "MasterPass" if version != "1.6" else "Local", trigger="StopAuthorized", uid="MASTER")
    session = await network.session_of(other)
    assert (session.status, session.token_uid, session.stop_token_uid) == ("completed", "GUEST", "MASTER")


async def test_a_reserved_outlet_is_no_hindrance_to_a_master_pass(network: Network, version: str) -> None:
    from tests.stories.test_reservations import is_kept, reserve, reserved_station

    station = await reserved_station(network, version)
    await network.token("MASTER", is_master=True)
    made = await reserve(network, station, evse_number=1)
    await is_kept(network, made)
    assert (await station.authorizes("MASTER"))[0] == "Accepted"
    assert (await station.authorizes("STRANGER"))[0] != "Accepted"


async def test_a_card_that_the_station_believes_in_is_checked_again_at_the_start(
    network: Network, version: str
) -> None:
    station = await network.station(version, hours_ago=0)
    await network.token("LOST", status="blocked")
    assert await station.starts_anyway("LOST") == "Blocked"
