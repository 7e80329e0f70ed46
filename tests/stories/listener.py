"""A station that answers orders and does nothing about them."""

from tests.stories.network import Network
from tests.stories.station import Payload, Station


async def silent_station(network: Network, version: str, name: str = "ST-1") -> Station:
    """Answers orders, and does nothing about them."""
    station = await network.station(version, name)
    station.wire.after = nothing
    return station


async def nothing(_action: str, _payload: Payload) -> None:
    return None
