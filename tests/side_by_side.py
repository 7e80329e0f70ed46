"""How `./ohmstead test` shares the tests out between its processes.

A file stays in one process. Those that start, kill or starve whole installations are given out first, in two lanes, each
one file after the other: the greedy want the machine's processors, and two of them at once would want more than a small
machine has; the patient mostly wait, for a disk that is full or a network that is cut, and leave the processors to others.
"""

# mypy: disable-error-code="import-untyped,misc"
from collections.abc import Iterable

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_PATIENT = (
    "tests/faults/test_disk_full.py",
    "tests/faults/test_network_cut.py",
)
_GREEDY = ("tests/faults/", "tests/operations/", "tests/ground/")


def lane_of(nodeid: str) -> str:
    """Tests of one lane run one after the other."""
    if nodeid.startswith(_PATIENT):
        return "patient"
    return "greedy" if nodeid.startswith(_GREEDY) else nodeid.split("::", 1)[0]


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which their files are given out."""
    first = {"greedy": 0, "patient": 1}
    return sorted(items, key=lambda item: first.get(lane_of(item.nodeid), 2))


class SideBySide(LoadScopeScheduling):
    """Gives each process the next file when it has nearly done its last; a lane is as one file."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)
