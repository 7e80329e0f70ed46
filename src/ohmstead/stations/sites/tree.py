"""The power tree of a location: what must be right about it, and what somebody should know. Pure.

That limits below a circuit add up to more than it may carry is how sites are built: smart charging shares what is there.
It is said, not refused. What no control could make right is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from ohmstead.core.errors import Invalid
from ohmstead.core.language import _, grouped
from ohmstead.stations.sites.model import Circuit, Doubt, Kind, PlacedCircuit

MOST_DEEP = 8
MOST_A = 100_000


def limit_w(limit_a: Decimal, phases: int, voltage_v: int) -> int:
    """What all phases may carry together, in W."""
    return int(limit_a * phases * voltage_v)


def check(circuits: Sequence[Circuit], station_ids: frozenset[str]) -> None:
    """Raises Invalid, naming the circuit by its place in the list, for a tree that cannot be.

    `station_ids`: those at the location.
    """
    by_id: dict[UUID, Circuit] = {}
    for n, circuit in enumerate(circuits):
        if circuit.circuit_id in by_id:
            raise Invalid("this id is there twice", f"circuits[{n}].circuit_id")
        by_id[circuit.circuit_id] = circuit
        if not circuit.limit_a.is_finite() or not 0 < circuit.limit_a <= MOST_A:
            raise Invalid(f"a current of more than 0 and at most {MOST_A} A", f"circuits[{n}].limit_a")
    seen: dict[str, str] = {}
    for n, circuit in enumerate(circuits):
        _check_above(circuit, by_id, f"circuits[{n}]")
        for station_id in circuit.station_ids:
            if station_id not in station_ids:
                raise Invalid(f"{station_id} is no station at this location", f"circuits[{n}].station_ids")
            if station_id in seen:
                raise Invalid(f"{station_id} is at {seen[station_id]} already", f"circuits[{n}].station_ids")
            seen[station_id] = circuit.name
    names: dict[tuple[UUID | None, str], str] = {}
    for n, circuit in enumerate(circuits):
        key = (circuit.parent_id, circuit.name.strip().lower())
        if not key[1]:
            raise Invalid("a circuit needs a name", f"circuits[{n}].name")
        if key in names:
            raise Invalid("its neighbour has this name already", f"circuits[{n}].name")
        names[key] = circuit.name


def _check_above(circuit: Circuit, by_id: Mapping[UUID, Circuit], field: str) -> None:
    """What feeds it must be there, be no part of it, and carry at least as much on as many phases."""
    if circuit.parent_id is None:
        return
    parent = by_id.get(circuit.parent_id)
    if parent is None:
        raise Invalid("what feeds it is not in the tree", f"{field}.parent_id")
    above, steps = parent, 1
    while True:
        if above.circuit_id == circuit.circuit_id or steps > len(by_id):
            raise Invalid("it would feed itself", f"{field}.parent_id")
        if above.parent_id is None or above.parent_id not in by_id:
            break
        above, steps = by_id[above.parent_id], steps + 1
    if steps >= MOST_DEEP:
        raise Invalid(f"more than {MOST_DEEP} circuits below one another", f"{field}.parent_id")
    if circuit.phases > parent.phases:
        raise Invalid(f"{parent.name} has one phase: it cannot feed three", f"{field}.phases")
    if circuit.limit_a > parent.limit_a:
        raise Invalid(f"more than the {_amperes(parent.limit_a)} of {parent.name}, which feeds it", f"{field}.limit_a")


def in_order(circuits: Sequence[Circuit], ratings: Mapping[str, int | None]) -> list[PlacedCircuit]:
    """Each after what feeds it, neighbours in the order they came in. `ratings`: what stations may draw, in W."""
    below: dict[UUID | None, list[Circuit]] = {}
    for circuit in circuits:
        below.setdefault(circuit.parent_id, []).append(circuit)

    def walk(parent_id: UUID | None, depth: int) -> Iterator[PlacedCircuit]:
        for circuit in below.get(parent_id, ()):
            under = below.get(circuit.circuit_id, ())
            yield PlacedCircuit(
                circuit_id=circuit.circuit_id,
                name=circuit.name,
                limit_a=circuit.limit_a,
                limit_w=limit_w(circuit.limit_a, circuit.phases, circuit.voltage_v),
                phases=circuit.phases,
                voltage_v=circuit.voltage_v,
                parent_id=circuit.parent_id,
                depth=depth,
                station_ids=circuit.station_ids,
                circuits_w=sum(limit_w(one.limit_a, one.phases, one.voltage_v) for one in under),
                stations_w=sum(ratings.get(station_id) or 0 for station_id in circuit.station_ids),
            )
            yield from walk(circuit.circuit_id, depth + 1)

    return list(walk(None, 0))


def doubts(circuits: Sequence[PlacedCircuit], ratings: Mapping[str, int | None]) -> list[Doubt]:
    """What is allowed, and yet worth a look."""
    found = []
    for circuit in circuits:
        below = circuit.circuits_w + circuit.stations_w
        if below > circuit.limit_w:
            kind: Kind = "circuits_exceed" if circuit.circuits_w else "stations_exceed"
            text = _(
                "%(drawn)s could be drawn of the %(carried)s it may carry: it needs charging to be shared",
                drawn=_kilowatts(below),
                carried=_kilowatts(circuit.limit_w),
            )
            found.append(Doubt(circuit_id=circuit.circuit_id, kind=kind, text=text))
        unrated = [one for one in circuit.station_ids if not ratings.get(one)]
        if unrated:
            stations = ", ".join(unrated[:3])
            if len(unrated) > 3:
                text = _("nobody said how much %(stations)s and others may draw", stations=stations)
            else:
                text = _("nobody said how much %(stations)s may draw", stations=stations)
            found.append(Doubt(circuit_id=circuit.circuit_id, kind="unrated", text=text))
    return found


def _kilowatts(power_w: int) -> str:
    return grouped(f"{power_w / 1000:.1f}") + " kW"


def _amperes(limit_a: Decimal) -> str:
    return f"{limit_a.normalize():f} A"
