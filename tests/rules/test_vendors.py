"""What is said of vendors' messages is what is understood."""

from ohmstead.ocpp.pnc16 import _WRAPPED
from ohmstead.ocpp.vendors import VENDORS
from ohmstead.stations.vendors import FROM_STATION, PLUG_AND_CHARGE


def test_the_messages_that_are_told_to_be_understood_are() -> None:
    told = {vendor: set(names) for vendor, names in FROM_STATION.items()}
    assert told == {vendor: set(takers) for vendor, takers in VENDORS.items()} | {PLUG_AND_CHARGE: set(_WRAPPED)}
