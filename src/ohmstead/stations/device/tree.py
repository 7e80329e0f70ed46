"""Names of variables taken apart, and the tree they make: component › instance › EVSE › connector › variable. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

_COMPONENT = re.compile(
    r"^(?P<name>[^\[\]@]*)(\[(?P<instance>[^\]]*)\])?(@(?P<evse>\d+)(\.(?P<connector>\d+))?)?$", re.DOTALL
)
_VARIABLE = re.compile(r"^(?P<name>[^\[\]]*)(\[(?P<instance>[^\]]*)\])?$", re.DOTALL)
_ORDER = {"Actual": 0, "Target": 1, "MinSet": 2, "MaxSet": 3}


class Known(Struct, kw_only=True):
    """A value as the station last reported it, and what may be written there."""

    component: str
    variable: str
    attribute: str = "Actual"
    value: str | None = None
    is_read_only: bool | None = None
    mutability: str | None = None
    data_type: str | None = None
    unit: str | None = None
    min_limit: Decimal | None = None
    max_limit: Decimal | None = None
    values_list: list[str] | None = None
    supports_monitoring: bool | None = None
    pending_value: str | None = None
    updated_at: datetime


class AttributeView(Struct, frozen=True, kw_only=True):
    """One of a variable's values."""

    attribute: str
    value: str | None
    is_read_only: bool | None
    mutability: str | None
    pending_value: Annotated[str | None, Meta(description="Accepted; in force once the station has restarted.")]
    updated_at: datetime


class VariableNode(Struct, frozen=True, kw_only=True):
    """A variable with its attributes. On OCPP 1.6 a configuration key."""

    name: str
    instance: str | None
    path: Annotated[str, Meta(description="How orders and templates name it: `Component.Variable`; a key on 1.6.")]
    data_type: str | None
    unit: str | None
    min_limit: Decimal | None
    max_limit: Decimal | None
    values_list: list[str] | None
    supports_monitoring: bool | None
    attributes: list[AttributeView]


class ComponentNode(Struct, frozen=True, kw_only=True):
    """A component, at an EVSE or connector if it has one there. On OCPP 1.6 there is one, without a name."""

    component: str
    name: str
    instance: str | None
    evse_number: int | None
    connector_number: int | None
    variables: list[VariableNode]


def path_of(component: str, variable: str) -> str:
    """How orders name it."""
    return f"{component}.{variable}" if component else variable


def parts_of(path: str, generation: str) -> tuple[str, str]:
    """(component, variable) of a name as orders spell it; on 1.6 all of it is the key."""
    if generation == "1.6":
        return "", path
    # A connector's number is behind a dot, too: the variable follows the last dot outside brackets.
    depth = 0
    for position in range(len(path) - 1, -1, -1):
        depth += {"]": 1, "[": -1}.get(path[position], 0)
        if path[position] == "." and depth == 0:
            return path[:position], path[position + 1 :]
    return "", path


def grown(known: Iterable[Known]) -> list[ComponentNode]:
    """The tree, components and variables by name; whole-station components before those of EVSEs and connectors."""
    components: dict[str, dict[str, list[Known]]] = {}
    for one in known:
        components.setdefault(one.component, {}).setdefault(one.variable, []).append(one)
    nodes = [_component(name, variables) for name, variables in components.items()]
    return sorted(nodes, key=lambda n: (n.name.lower(), n.instance or "", n.evse_number or 0, n.connector_number or 0))


def _component(component: str, variables: dict[str, list[Known]]) -> ComponentNode:
    match = _COMPONENT.match(component)
    nodes = [_variable(component, name, values) for name, values in variables.items()]
    return ComponentNode(
        component=component,
        name=match["name"] if match else component,
        instance=match["instance"] if match else None,
        evse_number=int(match["evse"]) if match and match["evse"] else None,
        connector_number=int(match["connector"]) if match and match["connector"] else None,
        variables=sorted(nodes, key=lambda node: (node.name.lower(), node.instance or "")),
    )


def _variable(component: str, variable: str, values: list[Known]) -> VariableNode:
    match = _VARIABLE.match(variable)
    values = sorted(values, key=lambda one: _ORDER.get(one.attribute, 9))
    first = values[0]
    return VariableNode(
        name=match["name"] if match else variable,
        instance=match["instance"] if match else None,
        path=path_of(component, variable),
        data_type=first.data_type,
        unit=first.unit,
        min_limit=first.min_limit,
        max_limit=first.max_limit,
        values_list=first.values_list,
        supports_monitoring=first.supports_monitoring,
        attributes=[
            AttributeView(
                attribute=one.attribute,
                value=one.value,
                is_read_only=one.is_read_only,
                mutability=one.mutability,
                pending_value=one.pending_value,
                updated_at=one.updated_at,
            )
            for one in values
        ],
    )
