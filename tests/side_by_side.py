"""How `./ohmstead test` shares the tests out between two processes.

A file stays in one process. Those that start, kill or starve whole installations go one after the other, and first:
two of them at once would want more than a small machine has.
"""

# mypy: disable-error-code="import-untyped,misc"
from collections.abc import Iterable

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_GREEDY = ("tests/faults/", "tests/operations/", "tests/ground/")


def is_greedy(nodeid: str) -> bool:
    """Whether a test wants the machine's processes, disk or network for itself."""
    return nodeid.startswith(_GREEDY)


def greedy_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which their files are given out."""
    return sorted(items, key=lambda item: not is_greedy(item.nodeid))


class SideBySide(LoadScopeScheduling):
    """Gives each process the next file when it has nearly done its last; the greedy ones are as one file."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return "greedy" if is_greedy(nodeid) else nodeid.split("::", 1)[0]
