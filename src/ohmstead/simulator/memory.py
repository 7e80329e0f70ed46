"""What stations keep from one run to the next, in one file: registers, passwords, transactions that were cut off."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from ohmstead.core.errors import Invalid
from ohmstead.simulator.world import OutletMemory


class Memory(Struct):
    """Outlets by station and EVSE; passwords by station, those that the API generated; firmware that was installed."""

    stations: dict[str, dict[int, OutletMemory]] = {}
    passwords: dict[str, str] = {}
    firmware: dict[str, str] = {}


def load(path: Path) -> Memory:
    """Read the file; an empty memory when there is none. Raises Invalid for a file that is something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except FileNotFoundError:
        return Memory({}, {})
    except (OSError, msgspec.DecodeError) as error:
        raise Invalid(f"{path} is no state file of the simulator: {error}", field="state") from error


def write_private(path: Path, data: bytes) -> None:
    """Replace a file in one step, readable by its owner only: it may hold passwords."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    fresh.replace(path)


def save(path: Path, memory: Memory) -> None:
    """Write the file."""
    write_private(path, msgspec.json.encode(memory))
